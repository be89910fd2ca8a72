"""Songs that are played as a worker would, but no faster than they are decoded."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from rtkaraoke.transport import Deck, Song


def sine(path: Path, rate: int, seconds: float, n_channels: int = 2, hz: float = 220.0) -> Path:
    tone = 0.5 * np.sin(2 * np.pi * hz / rate * np.arange(round(seconds * rate)))
    soundfile.write(path, np.repeat(tone[:, None], n_channels, axis=1), rate, subtype="FLOAT")
    return path


def until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    """Wait for another thread or process to make ``condition`` true."""
    stop = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < stop, f"not within {within_s} s"
        time.sleep(0.001)


def ready(song: Song, n_samples: int) -> bool:
    ring = song._ring
    return ring.filled >= n_samples or ring.ended or song._silent or song._next is not None


def sounding(source: Song | Deck) -> list[Song | None]:
    if isinstance(source, Song):
        return [source]
    return [source._present and source._present.song, source._leaving]


def take(source: Song | Deck, n_samples: int, n_channels: int = 2, block: int = 128) -> np.ndarray:
    """The next ``n_samples`` in blocks of ``block``."""
    out = np.zeros((n_channels, n_samples), np.float32)
    for start in range(0, n_samples, block):
        part = np.empty((n_channels, min(block, n_samples - start)), np.float32)
        for song in sounding(source):
            if song is not None:
                until(lambda song=song, part=part: ready(song, part.shape[1]))
        source.read(part)
        out[:, start : start + part.shape[1]] = part
    return out


def settled(source: Song | Deck) -> None:
    """Until the reader thread has prepared what was wished for."""
    song = source if isinstance(source, Song) else source._present.song
    until(lambda: song._next is not None or (song._place_s is None and song._wanted == song._playing))


def load(deck: Deck, path: Path, serial: int, **fields: object) -> None:
    """Load a song and wait until it is ready."""
    deck.command("load", 0.0, json.dumps({"path": str(path), "serial": serial, **fields}))
    until(lambda: deck.status["loaded"] == serial or deck.status["failed"] == serial)
