"""A demo that needs no recording: a song that the package synthesises, taken apart, measured and drawn."""

from rtkaraoke.demo.song import Stems, demo_song

__all__ = ["Stems", "demo_song"]
