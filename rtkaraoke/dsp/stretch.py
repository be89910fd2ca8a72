"""Slower or faster at the same pitch, with a map between both times that is exact."""

import math

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.dsp.kernels import stretch as kernels

FRAME_S = 0.09


class Stretcher:
    """A phase vocoder that is handed the frames it asks for.

    Output sample ``k`` is the input at the place ``speed x k``, from the first sample on: there is no latency, for the
    frames before that place are asked for too. Method: see :func:`rtkaraoke.dsp.kernels.stretch.stretch_frame`.

    Parameters
    ----------
    n_channels : int
        Their phases to each other are kept, so what is stretched together can be added and subtracted afterwards.
    sample_rate : int
        In Hz.
    speed : float
        Input samples per output sample, 0.25 to 2.
    """

    def __init__(self, n_channels: int, sample_rate: int, speed: float) -> None:
        self.n_fft = 1 << round(math.log2(FRAME_S * sample_rate))
        self.hop = self.n_fft // kernels.OVERLAP
        self._speed = speed
        self._number = 1 - kernels.OVERLAP // 2  # frame 0 has output sample 0 in its middle
        self._window = np.float32(0.5) - np.float32(0.5) * np.cos(
            2 * np.pi * np.arange(self.n_fft, dtype=np.float64) / self.n_fft
        ).astype(np.float32)
        self._before = np.zeros((n_channels, self.n_fft // 2 + 1), np.complex64)
        self._rotation = np.zeros(self.n_fft // 2 + 1)
        self._overlap = np.zeros((n_channels, self.n_fft), np.float32)

    @property
    def wanted(self) -> int:
        """The input's sample with which the next frame begins; negative at first."""
        return self._middle(self._number) - self.n_fft // 2

    def process(self, frame: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next output ``(channel, hop)``, from the ``frame`` ``(channel, n_fft)`` that begins at :attr:`wanted`.

        The first frames give no output yet: ``(channel, 0)``.
        """
        advance = self._middle(self._number) - self._middle(self._number - 1)
        if not self._before.any():
            advance = self.hop
        kernels.stretch_frame(frame, self._window, self._before, self._rotation, advance, self._overlap)
        self._number += 1
        ready = self.hop if self._number > kernels.OVERLAP // 2 else 0
        return self._overlap[:, :ready].copy()

    def _middle(self, number: int) -> int:
        return round(number * self.hop * self._speed)
