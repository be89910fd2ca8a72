"""Recorders: the worker fills a ring, a thread of normal priority writes it to a file."""

import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rtkaraoke.closing import Closing
from rtkaraoke.errors import LiveError
from rtkaraoke.live.backend import Interleaved

if TYPE_CHECKING:
    from rtkaraoke.engine import Engine
    from rtkaraoke.plugins.protocol import Block

RING_S = 4.0
POLL_S = 0.1


class Recording(Protocol):
    """What keeps the output of an engine, such as :class:`rtkaraoke.live.flac.FlacRecording`."""

    def write(self, engine: "Engine", out: "Block") -> None:
        """Note the block that ``engine`` has just made, ``out`` as it is heard. Realtime safe."""
        ...


class RingWriter(Closing, ABC):
    """A ring that the worker fills, and a thread that empties it into a file. A context manager.

    Parameters
    ----------
    n_channels, sample_rate : int
        Of what is recorded.
    """

    def __init__(self, n_channels: int, sample_rate: int) -> None:
        self._ring = np.zeros((round(RING_S * sample_rate), n_channels), np.float32)
        self._written = 0
        self._stored = 0
        self._wake = threading.Event()
        self._stopping = False
        self._closed = False
        self.lost = 0  #: samples that the disk was too slow for; the file then lacks them
        self.error = ""  #: why nothing is written any more
        self._thread = threading.Thread(target=self._run, name="rtkaraoke-record", daemon=True)
        self._thread.start()

    @property
    def n_stored(self) -> int:
        """Samples that have been taken from the ring."""
        return self._stored

    def write(self, block: Interleaved) -> None:
        """Note ``block`` ``(sample, channel)``. Realtime safe."""
        n_samples, size = len(block), len(self._ring)
        if self._written + n_samples - self._stored > size:
            self.lost += n_samples
            return
        start = self._written % size
        run = min(n_samples, size - start)
        self._ring[start : start + run] = block[:run]
        self._ring[: n_samples - run] = block[run:]
        self._written += n_samples

    def close(self) -> None:
        """Write the rest and close the file. May be called twice."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        if not self._closed:
            self._closed = True
            self._store()
            self._finish()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(POLL_S)
            self._store()

    def _store(self) -> None:
        size = len(self._ring)
        while self._stored < self._written and not self.error:
            start = self._stored % size
            run = min(self._written - self._stored, size - start)
            self.error = self._put(self._ring[start : start + run])
            self._stored += run

    @abstractmethod
    def _put(self, block: Interleaved) -> str:
        """Append ``block`` to the file; returns why that is not possible, or nothing."""

    @abstractmethod
    def _finish(self) -> None:
        """Close the file."""


class Recorder(RingWriter):
    """Writes raw interleaved float32, native byte order, as it comes. A context manager.

    Parameters
    ----------
    path : Path
        Overwritten.
    n_channels, sample_rate : int
        Of what is recorded.

    Raises
    ------
    LiveError
        When the file cannot be opened.
    """

    def __init__(self, path: Path, n_channels: int, sample_rate: int) -> None:
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise LiveError(f"{path}: cannot record there ({error.strerror}): give another file") from None
        self._path = path
        super().__init__(n_channels, sample_rate)

    def _put(self, block: Interleaved) -> str:
        try:
            self._file.write(block.data)
        except OSError as error:
            return f"{self._path}: recording ended ({error.strerror})"
        return ""

    def _finish(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self.error = f"{self._path}: recording ended ({error.strerror})"
