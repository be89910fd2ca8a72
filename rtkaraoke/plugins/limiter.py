"""Keeps the master below full scale, without look-ahead."""

from collections.abc import Mapping, Sequence

import numpy as np

from rtkaraoke.dsp.dynamics import db_to_gain
from rtkaraoke.dsp.kernels import compression as kernels
from rtkaraoke.plugins.effects.base import Effect
from rtkaraoke.plugins.protocol import Parameter


class Limiter(Effect):
    """Peak limiter with instant attack: no latency, and below the ceiling it copies the bits."""

    name = "limiter"
    presets: Mapping[str, Mapping[str, float]] = {
        "master": {"ceiling": 0.0, "release": 80.0},
        "headroom": {"ceiling": -1.0, "release": 120.0},
        "quiet evening": {"ceiling": -12.0, "release": 250.0},
    }

    def __init__(self) -> None:
        super().__init__(
            [
                Parameter("ceiling", "dB", -24.0, 0.0, 0.0, "highest peak that comes out"),
                Parameter("release", "ms", 5.0, 1000.0, 80.0, "time in which the gain comes back"),
            ]
        )

    def _allocate(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        self._state = np.ones(1)

    def _clear(self) -> None:
        self._state.fill(1.0)

    def _targets(self) -> Sequence[float]:
        self._release = self._shrinkage(1e-3 * self.get("release"))
        return (db_to_gain(self.get("ceiling")),)

    def _apply(self, n_samples: int) -> None:
        kernels.limit(self._dry, self._wet, n_samples, self._controls, self._release, self._state)
