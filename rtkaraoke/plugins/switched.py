"""A bypass for any plugin: in and out without a click, whatever it does."""

from collections.abc import Mapping

import numpy as np

from rtkaraoke.dsp import kernels
from rtkaraoke.dsp.dynamics import Ramp
from rtkaraoke.plugins.gain import RAMP_S
from rtkaraoke.plugins.protocol import Block, Parameter, Plugin

BYPASS = "bypass"


class Switched:
    """A plugin with one more parameter, ``bypass``, that fades between it and its input.

    The plugin goes on working while it is bypassed, so that it comes back as if it had never been away, and the latency
    stays what it is: the input is delayed by as much.

    Parameters
    ----------
    plugin : Plugin
        One that has no such parameter of its own.
    """

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self._switch = Parameter(BYPASS, "", 0, 1, 0, "the input, untouched", ("off", "on"))
        self._bypass = 0.0
        self._share = Ramp(1.0)
        self._ramp_samples = 0

    @staticmethod
    def wanted(plugin: Plugin) -> bool:
        """Whether ``plugin`` has no bypass of its own."""
        return BYPASS not in plugin.parameters

    @property
    def name(self) -> str:
        """The plugin's."""
        return self.plugin.name

    @property
    def latency(self) -> int:
        """The plugin's."""
        return self.plugin.latency

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The plugin's and ``bypass``."""
        return {**self.plugin.parameters, BYPASS: self._switch}

    @property
    def presets(self) -> Mapping[str, Mapping[str, float]]:
        """The plugin's, if it has some."""
        return getattr(self.plugin, "presets", {})

    def get(self, name: str) -> float:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        return self._bypass if name == BYPASS else self.plugin.get(name)

    def set(self, name: str, value: float) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        if name != BYPASS:
            self.plugin.set(name, value)
            return
        self._bypass = self._switch.check(value)
        self._share.move(0.0 if self._bypass >= 0.5 else 1.0, self._ramp_samples)

    def prepare(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        self.plugin.prepare(sample_rate, n_channels, max_block)
        self._ramp_samples = round(RAMP_S * sample_rate)
        self._n_channels = n_channels
        self._ring = np.zeros((n_channels, max(self.plugin.latency, 1)), np.float32)
        self._memory = np.zeros(n_channels * max_block, np.float32)
        self._views: dict[int, Block] = {}
        self._at = 0
        self.reset()

    def process(self, block: Block, out: Block) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        n_samples = block.shape[1]
        dry = self._views.get(n_samples)
        if dry is None:
            size = self._n_channels * n_samples
            dry = self._views[n_samples] = self._memory[:size].reshape(self._n_channels, n_samples)
        if self.plugin.latency:
            kernels.delay_into(block, self._ring, self._at, dry)
            self._at = (self._at + n_samples) % self._ring.shape[1]
        else:
            np.copyto(dry, block)
        self.plugin.process(block, out)
        kernels.fade_between(dry, out, self._share.state)

    def reset(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        self.plugin.reset()
        self._ring.fill(0.0)
        self._at = 0
        self._share.move(self._share.target, 0)

    def close(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        self.plugin.close()
