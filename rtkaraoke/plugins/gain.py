"""A level control."""

from rtkaraoke.dsp import kernels
from rtkaraoke.dsp.dynamics import Ramp, db_to_gain
from rtkaraoke.plugins.protocol import Block, Parameter, Parameters

SILENT_DB = -90.0  #: a level this low is silence
RAMP_S = 0.02


class Gain(Parameters):
    """Level in dB, moved along a ramp of 20 ms."""

    name = "gain"
    latency = 0

    def __init__(self) -> None:
        super().__init__([Parameter("level", "dB", SILENT_DB, 12.0, 0.0, "gain; the lowest value is silence")])
        self._ramp = Ramp(1.0)
        self._ramp_samples = 0

    def set(self, name: str, value: float) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        super().set(name, value)
        level = self.get("level")
        self._ramp.move(0.0 if level <= SILENT_DB else db_to_gain(level), self._ramp_samples)

    def prepare(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        self._ramp_samples = round(RAMP_S * sample_rate)
        self.reset()

    def process(self, block: Block, out: Block) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        kernels.ramp_gain(block, out, self._ramp.state)

    def reset(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        self._ramp.move(self._ramp.target, 0)

    def close(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
