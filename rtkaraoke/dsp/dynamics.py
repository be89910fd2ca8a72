"""Gains that move without a click."""

import numpy as np

from rtkaraoke.dsp import kernels


class Ramp:
    """A gain that moves to its target along a straight line, sample by sample.

    ``state`` (float64) is what the kernels :func:`~rtkaraoke.dsp.kernels.ramp_gain` and
    :func:`~rtkaraoke.dsp.kernels.mix_hop` advance.
    """

    def __init__(self, value: float) -> None:
        self.state = np.array([value, value, 0.0])

    @property
    def target(self) -> float:
        """Where the gain is or goes."""
        return float(self.state[kernels.GAIN_TARGET])

    def move(self, target: float, n_samples: int) -> None:
        """Reach ``target`` in ``n_samples`` samples from now; at once when that is 0."""
        state = self.state
        state[kernels.GAIN_TARGET] = target
        if n_samples < 1:
            state[kernels.GAIN_NOW] = target
        state[kernels.GAIN_STEP] = (target - state[kernels.GAIN_NOW]) / max(n_samples, 1)


def db_to_gain(db: float) -> float:
    """Amplitude of a level in dB; 0 for minus infinity."""
    return float(10.0 ** (db / 20.0))
