"""Plugins in a process of their own, and plugins of other makers: nothing that they do stops the sound."""
