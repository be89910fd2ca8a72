"""What every effect shares: clean input, parameters that glide, and a bypass that fades."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from rtkaraoke.dsp.kernels import effects as kernels
from rtkaraoke.errors import PluginError
from rtkaraoke.plugins.protocol import Block, Parameter, Parameters

GLIDE_S = 0.02  #: a change of a parameter takes this long
FREQUENCY_RANGE = (20.0, 20_000.0)  #: of every filter, in Hz
HIGHEST_SHARE = 0.45  #: of the sample rate; a filter set higher stands here


class Effect(Parameters, ABC):
    """An effect as a chain of kernels: clean input -> :meth:`_apply` -> fade between dry and wet.

    A subclass says in :meth:`_targets` what its parameters mean in the kernel's own terms: *controls*, which move
    sample by sample along straight lines of ``GLIDE_S``, so that nothing clicks and the partition into blocks does not
    matter.

    NaN and Inf in the input count as 0.
    """

    name: str
    glide_s: ClassVar[Sequence[float]] = ()  #: how long each control of :meth:`_targets` glides, where not GLIDE_S
    n_channels_most = 64

    def __init__(self, declared: Sequence[Parameter]) -> None:
        super().__init__([*declared, Parameter("bypass", "", 0, 1, 0, "the input, untouched", ("off", "on"))])
        self._sample_rate = 0
        self._glide = np.zeros((4, 0))

    @property
    def latency(self) -> int:
        """Samples: none, unless an effect says otherwise."""
        return 0

    def set(self, name: str, value: float) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        super().set(name, value)
        if self._sample_rate:
            self._retarget()

    def prepare(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`.

        Raises
        ------
        PluginError
            For more channels than the effect has.
        """
        if not 1 <= n_channels <= self.n_channels_most:
            raise PluginError(
                f"{self.name} takes 1 to {self.n_channels_most} channels, not {n_channels}: give it the front pair"
            )
        self._sample_rate = sample_rate
        self._dry, self._wet = (np.zeros((n_channels, max_block), np.float32) for _ in range(2))
        self._allocate(sample_rate, n_channels, max_block)
        n_controls = 1 + len(self._targets())
        self._all_controls = np.zeros((n_controls, max_block))
        self._wetness, self._controls = self._all_controls[0], self._all_controls[1:]
        self._glide = np.zeros((4, n_controls))
        self.reset()

    def process(self, block: Block, out: Block) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        n_samples = block.shape[1]
        kernels.clean(block, self._dry)
        kernels.glide(self._glide, self._all_controls, n_samples)
        self._apply(n_samples)
        kernels.blend(self._dry, self._wet, out, self._wetness)

    def reset(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        if self._sample_rate:
            self._retarget()
            self._glide[kernels.NOW] = self._glide[kernels.TARGET]
            self._glide[kernels.LEFT] = 0.0
            self._clear()

    def close(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""

    @abstractmethod
    def _targets(self) -> Sequence[float]:
        """Where each control shall go, from the parameters and the sample rate."""

    @abstractmethod
    def _allocate(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        """Make the effect's own state."""

    @abstractmethod
    def _clear(self) -> None:
        """Zero the effect's own state."""

    @abstractmethod
    def _apply(self, n_samples: int) -> None:
        """Fill the first ``n_samples`` of :attr:`_wet` from :attr:`_dry` along :attr:`_controls`."""

    def _is_wet(self) -> bool:
        return self.get("bypass") < 0.5

    def _retarget(self) -> None:
        glide = self._glide
        for control, target in enumerate((float(self._is_wet()), *self._targets())):
            if target != glide[kernels.TARGET, control]:
                n_steps = max(1, round(self._glide_s(control) * self._sample_rate))
                glide[kernels.TARGET, control] = target
                glide[kernels.STEP, control] = (target - glide[kernels.NOW, control]) / n_steps
                glide[kernels.LEFT, control] = n_steps

    def _glide_s(self, control: int) -> float:
        return self.glide_s[control - 1] if control and self.glide_s else GLIDE_S

    def _prewarped(self, hz: float) -> float:
        """The coefficient g of a filter with trapezoidal integrators at ``hz``."""
        return math.tan(math.pi * min(hz / self._sample_rate, HIGHEST_SHARE))

    def _shrinkage(self, time_s: float) -> float:
        """Factor per sample of something that shrinks to 1/e in ``time_s``."""
        return math.exp(-1.0 / (time_s * self._sample_rate))
