"""Engines and sources for live tests: importable, so that they can be made in the engine process."""

from rtkaraoke.engine import Engine, music_engine
from rtkaraoke.masks.centre import CentreNetwork


def passthrough() -> Engine:
    """No plugin at all: the output is the input."""
    return Engine([])


def centre() -> Engine:
    """The default chain with the classical mask, waiting for every mask."""
    return music_engine(CentreNetwork())
