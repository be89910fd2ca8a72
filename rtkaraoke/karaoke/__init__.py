"""A karaoke night, without page and sound: the songs of a folder, their lyrics, the queue of singers."""
