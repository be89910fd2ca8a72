"""Keeps the master below full scale, without look-ahead."""

import math

import numpy as np

from rtkaraoke.dsp import kernels
from rtkaraoke.dsp.dynamics import db_to_gain
from rtkaraoke.plugins.protocol import Block, Parameter, Parameters


class Limiter(Parameters):
    """Peak limiter with instant attack: no latency, and below the ceiling it copies the bits."""

    name = "limiter"
    latency = 0

    def __init__(self) -> None:
        super().__init__(
            [
                Parameter("ceiling", "dB", -24.0, 0.0, 0.0, "highest peak that comes out"),
                Parameter("release", "ms", 5.0, 1000.0, 80.0, "time in which the gain comes back"),
            ]
        )
        self._state = np.ones(1)
        self._sample_rate = 44_100
        self._update()

    def set(self, name: str, value: float) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        super().set(name, value)
        self._update()

    def prepare(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        self._sample_rate = sample_rate
        self._update()
        self.reset()

    def process(self, block: Block, out: Block) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        kernels.limit(block, out, self._state, self._ceiling, self._release)

    def reset(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        self._state.fill(1.0)

    def close(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""

    def _update(self) -> None:
        self._ceiling = db_to_gain(self.get("ceiling"))
        self._release = math.exp(-1e3 / (self.get("release") * self._sample_rate))
