"""Level meters: peak and RMS since they were last read."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.dsp import kernels

FLOOR_DB = -120.0


class Level(NamedTuple):
    """Levels per channel in dB relative to full scale, never below :data:`FLOOR_DB`."""

    peak_db: tuple[float, ...]
    rms_db: tuple[float, ...]

    @property
    def loudest(self) -> dict[str, float]:
        """``peak_db`` and ``rms_db`` of the loudest channel."""
        return {"peak_db": max(self.peak_db, default=FLOOR_DB), "rms_db": max(self.rms_db, default=FLOOR_DB)}


def power_db(power: float) -> float:
    """Level in dB of a mean square, never below :data:`FLOOR_DB`."""
    return max(10.0 * math.log10(power), FLOOR_DB) if power > 0.0 else FLOOR_DB


class Meter:
    """Gathers peak and energy; reading starts anew.

    A reader on another thread may see a block counted on neither or on both sides of its reading: a meter is for
    the eye.
    """

    def __init__(self, n_channels: int) -> None:
        self.sums = np.zeros((n_channels, 2))  # (channel, [peak, sum of squares]), filled by the kernels
        self.n_samples = 0

    def add(self, block: NDArray[np.float32]) -> None:
        """Count ``block`` ``(channel, sample)``. Realtime safe."""
        kernels.measure(block, self.sums)
        self.n_samples += block.shape[1]

    def read(self) -> Level:
        """The levels since the last reading."""
        peaks = self.sums[:, 0].copy()
        powers = self.sums[:, 1] / max(self.n_samples, 1)
        self.sums.fill(0.0)
        self.n_samples = 0
        with np.errstate(divide="ignore"):
            peak_db = np.maximum(20 * np.log10(peaks), FLOOR_DB)
            rms_db = np.maximum(10 * np.log10(powers), FLOOR_DB)
        return Level(tuple(peak_db.tolist()), tuple(rms_db.tolist()))
