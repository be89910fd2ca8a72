"""Who decides what is voice: networks, the classical mask, and how they are run in time."""
