"""A tape from one place on, in one key and tempo, at the card's rate."""

from typing import Any

import numpy as np

from rtkaraoke.dsp.stretch import Stretcher
from rtkaraoke.plugins.protocol import Block
from rtkaraoke.transport.tape import CHUNK, Tape


class Feed:
    """What a ring is filled from, chunk by chunk.

    The song is stretched to the length that makes it as fast as wanted once the resampler has moved the pitch; where
    neither has anything to do the file's samples pass bit for bit.

    Parameters
    ----------
    tape : Tape
    start_s : float
        Where to begin; it is moved to the nearest sample of the file, and to its end when it lies beyond.
    key : float
        In semitones.
    tempo : float
        In percent of the song's own.
    sample_rate : int
        The card's, in Hz.
    """

    def __init__(self, tape: Tape, start_s: float, key: float, tempo: float, sample_rate: int) -> None:
        self._tape = tape
        self._at = self._start = max(0, round(start_s * tape.sample_rate))
        pitch = 2.0 ** (key / 12)
        rate = pitch * tape.sample_rate  # of what the resampler gets
        self._speed = tempo / 100 / pitch
        self._n_out = 0
        self._stretcher = None if self._speed == 1.0 else Stretcher(tape.n_rows, tape.sample_rate, self._speed)
        self._resampler: Any = None
        if rate != sample_rate:
            import soxr

            self._resampler = soxr.ResampleStream(rate, sample_rate, tape.n_rows, dtype="float32", quality="HQ")
        self.step_s = tempo / 100 / sample_rate  #: of the song's time per sample that comes out
        self.largest = int(2 * CHUNK * sample_rate / rate) + CHUNK  #: samples that one chunk can become
        self.ended = False

    @property
    def start_s(self) -> float:
        """The song's time of the first sample that comes out."""
        return self._start / self._tape.sample_rate

    def more(self) -> Block:
        """The next ``(row, n)``, n from 0 to :attr:`largest`. Raises :class:`~rtkaraoke.errors.AudioFileError`."""
        block = self._plain() if self._stretcher is None else self._stretched(self._stretcher)
        if self._resampler is not None:
            block = self._resampler.resample_chunk(np.ascontiguousarray(block.T), last=self.ended).T
        return block

    def _plain(self) -> Block:
        block = self._tape.read(self._at, CHUNK)
        self._at += CHUNK
        if self._tape.end is not None and self._at >= self._tape.end:
            self.ended = True
            block = block[:, : max(0, CHUNK - (self._at - self._tape.end))]
        return block

    def _stretched(self, stretcher: Stretcher) -> Block:
        block = stretcher.process(self._tape.read(self._start + stretcher.wanted, stretcher.n_fft))
        self._n_out += block.shape[1]
        if self._tape.end is not None:
            left = round((self._tape.end - self._start) / self._speed) - self._n_out
            if left <= 0:
                self.ended = True
                block = block[:, : max(0, block.shape[1] + left)]
        return block
