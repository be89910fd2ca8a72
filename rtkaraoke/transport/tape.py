"""A file as a tape: read at any place, the last seconds kept, so that going back a little needs no seek."""

from collections.abc import Sequence

import numpy as np

from rtkaraoke.files import AudioReader
from rtkaraoke.plugins.protocol import Block

CHUNK = 4096  #: samples decoded at a time
KEPT_S = 5.0  #: what can be read again; the ring's seconds at the highest tempo, and a stretcher's frame
FAR_S = 1.0  #: a place so far ahead is sought, a nearer one reached by decoding


class Tape:
    """Files read in step, each as ``n_channels`` rows.

    Mono becomes every channel; of more channels than wanted the first are taken, and the mean of two for one.

    Parameters
    ----------
    readers : sequence of AudioReader
        Of one sample rate; the first tells where the tape ends, the others are filled up with silence.
    n_channels : int
    """

    def __init__(self, readers: Sequence[AudioReader], n_channels: int) -> None:
        self._readers = readers
        self._n_channels = n_channels
        self.n_rows = len(readers) * n_channels
        self.sample_rate = readers[0].info.sample_rate
        self.end: int | None = None  #: samples in all, once the end was met
        self._raw = [np.zeros((reader.info.n_channels, CHUNK), np.float32) for reader in readers]
        self._kept = round(KEPT_S * self.sample_rate)
        self._data = np.zeros((self.n_rows, 2 * self._kept), np.float32)
        self._first = 0  # the file's sample that the data begin with
        self._held = 0

    def read(self, start: int, n_samples: int) -> Block:
        """``n_samples`` up to :data:`KEPT_S` from ``start`` on, zeros before the beginning and after the end.

        Raises
        ------
        AudioFileError
            When the file is damaged there.
        """
        stop = start + n_samples
        self._reach(max(start, 0), stop)
        out = np.zeros((self.n_rows, n_samples), np.float32)
        here, there = max(start, self._first), min(stop, self._first + self._held)
        if here < there:
            out[:, here - start : there - start] = self._data[:, here - self._first : there - self._first]
        return out

    def _reach(self, start: int, stop: int) -> None:
        if self.end is not None:
            start, stop = min(start, self.end), min(stop, self.end)
        last = self._first + self._held
        if start < self._first or start > last + FAR_S * self.sample_rate:
            for reader in self._readers:
                reader.seek(start)
            self._first, self._held = start, 0
        while self._first + self._held < stop and self._decode():
            pass

    def _decode(self) -> bool:
        """One chunk more; False at the end."""
        if self._held + CHUNK > self._data.shape[1]:
            self._data[:, : self._kept] = self._data[:, self._held - self._kept : self._held]
            self._first += self._held - self._kept
            self._held = self._kept
        n_samples = self._readers[0].read(self._raw[0])
        for raw, reader in zip(self._raw[1:], self._readers[1:], strict=True):
            raw[:, reader.read(raw) :] = 0.0
        for index, raw in enumerate(self._raw):
            rows = self._data[index * self._n_channels : (index + 1) * self._n_channels]
            rows[:, self._held : self._held + n_samples] = self._fit(raw[:, :n_samples])
        self._held += n_samples
        if n_samples < CHUNK:
            self.end = self._first + self._held
        return n_samples == CHUNK

    def _fit(self, block: Block) -> Block:
        """As many channels as the card plays."""
        if len(block) == 1:
            return np.repeat(block, self._n_channels, axis=0)
        if len(block) < self._n_channels:
            return np.concatenate([block, np.zeros((self._n_channels - len(block), block.shape[1]), np.float32)])
        if self._n_channels == 1:
            return block[:2].mean(axis=0, keepdims=True, dtype=np.float32)
        return block[: self._n_channels]
