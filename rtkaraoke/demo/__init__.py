"""A demo that needs no recording: a song that the package synthesises, taken apart, measured and drawn."""

from rtkaraoke.demo.song import Stems, demo_song
from rtkaraoke.demo.write import DemoReport, Quality, write_demo

__all__ = ["DemoReport", "Quality", "Stems", "demo_song", "write_demo"]
