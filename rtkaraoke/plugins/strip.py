"""Channel strips: how loud a bus is, where it stands, and how much of it goes where."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.dsp import kernels
from rtkaraoke.dsp.dynamics import db_to_gain
from rtkaraoke.plugins.gain import RAMP_S, SILENT_DB
from rtkaraoke.plugins.protocol import Parameter, Parameters

HIGHEST_DB = 12.0
OFF_ON = ("off", "on")


class GainMatrix:
    """Gains from the channels of a bus to those of another, each moving along a ramp.

    A signal of one channel goes to every channel, and one of several is averaged where it meets one; else channel
    ``k`` goes to channel ``k``.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        self.ramps = np.zeros((n_out, n_in, 3))  # the state of kernels.mix_into
        self._routes: NDArray[np.float64] = np.zeros((n_out, n_in))
        if n_in == 1 or n_out == 1:
            self._routes[:] = 1.0 / n_in
        else:
            np.fill_diagonal(self._routes, 1.0)

    def move(self, gain: float, pan: float, n_samples: int) -> None:
        """Reach ``gain`` and the balance ``pan`` (-1 left, 1 right, 0 leaves both channels) in ``n_samples``."""
        targets = gain * self._routes
        if len(targets) == 2:
            targets[0] *= min(1.0, 1.0 - pan)
            targets[1] *= min(1.0, 1.0 + pan)
        self.ramps[:, :, kernels.GAIN_STEP] = (targets - self.ramps[:, :, kernels.GAIN_NOW]) / max(n_samples, 1)
        self.ramps[:, :, kernels.GAIN_TARGET] = targets
        if n_samples < 1:
            self.ramps[:, :, kernels.GAIN_NOW] = targets

    def settle(self) -> None:
        """End every ramp at once."""
        self.ramps[:, :, kernels.GAIN_NOW] = self.ramps[:, :, kernels.GAIN_TARGET]


class _Mixer(Parameters, ABC):
    """Parameters that become gain matrices; what strips and output mixes share."""

    latency = 0

    def __init__(self, name: str, declared: Sequence[Parameter]) -> None:
        super().__init__(declared)
        self.name = name
        self._matrices: dict[str, GainMatrix] = {}
        self._ramp_samples = 0

    def set(self, name: str, value: float) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`; moves within 20 ms."""
        super().set(name, value)
        self._move(self._ramp_samples)

    def ramps(self, name: str) -> NDArray[np.float64]:
        """The state of :func:`rtkaraoke.dsp.kernels.mix_into` for the way called ``name``."""
        return self._matrices[name].ramps

    def reset(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        for matrix in self._matrices.values():
            matrix.settle()

    def close(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""

    def _prepare(self, sample_rate: int, matrices: dict[str, GainMatrix]) -> None:
        self._ramp_samples = round(RAMP_S * sample_rate)
        self._matrices = matrices
        self._move(0)

    @abstractmethod
    def _move(self, n_samples: int) -> None:
        """Bring the parameters into the matrices, in ``n_samples``."""

    def _gain(self, name: str) -> float:
        level = self.get(name)
        return 0.0 if level <= SILENT_DB else db_to_gain(level)


class Strip(_Mixer):
    """The end of a bus: level, pan and mute on the way to the mix, and a level for each send bus.

    Sends go out behind level and mute. A pan beside the middle lowers the other side and nothing else.

    Parameters
    ----------
    name : str
        Of the bus.
    sends : sequence of str
        The send buses that it can feed.
    """

    kind = "strip"
    MIX = "mix"  #: the way to the mix, in :meth:`ramps`; the others are called as the send buses are

    def __init__(self, name: str, sends: Sequence[str] = ()) -> None:
        super().__init__(
            name,
            [
                Parameter("level", "dB", SILENT_DB, HIGHEST_DB, 0.0, "level in the mix; the lowest value is silence"),
                Parameter("pan", "", -1.0, 1.0, 0.0, "-1 is left, 1 is right"),
                Parameter("mute", "", 0, 1, 0, "silence, in the mix and in every output", OFF_ON),
                *(
                    Parameter(f"send_{send}", "dB", SILENT_DB, HIGHEST_DB, SILENT_DB, f"what goes to {send}")
                    for send in sends
                ),
            ],
        )
        self.sends = tuple(sends)

    @property
    def audible(self) -> bool:
        """Whether anything of the bus is meant to be heard."""
        return self.get("mute") < 0.5 and self.get("level") > SILENT_DB

    @property
    def gain(self) -> float:
        """The gain of the way to the mix, where it goes."""
        return self._gain("level") if self.audible else 0.0

    def prepare(self, sample_rate: int, n_in: int, n_out: int) -> None:
        """For a bus of ``n_in`` channels and a mix of ``n_out``."""
        self._prepare(sample_rate, {way: GainMatrix(n_in, n_out) for way in (self.MIX, *self.sends)})

    def _move(self, n_samples: int) -> None:
        if self._matrices:
            pan = self.get("pan")
            self._matrices[self.MIX].move(self.gain, pan, n_samples)
            for send in self.sends:
                self._matrices[send].move(self.gain * self._gain(f"send_{send}"), pan, n_samples)


class OutputMix(_Mixer):
    """A mix of its own for further outputs, such as headphones: a level for each bus, behind its chain.

    Parameters
    ----------
    name : str
        Of the output.
    buses : sequence of str
        What it can hear, in the order of the signal.
    """

    kind = "output"

    def __init__(self, name: str, buses: Sequence[str]) -> None:
        super().__init__(
            name,
            [
                Parameter("level", "dB", SILENT_DB, HIGHEST_DB, 0.0, "level of all; the lowest value is silence"),
                Parameter("mute", "", 0, 1, 0, "silence", OFF_ON),
                *(
                    Parameter(f"level_{bus}", "dB", SILENT_DB, HIGHEST_DB, 0.0, f"level of {bus} in this mix")
                    for bus in buses
                ),
            ],
        )
        self._muted: dict[str, bool] = dict.fromkeys(buses, False)

    def prepare(self, sample_rate: int, n_in: dict[str, int], n_out: int) -> None:
        """For buses of ``n_in`` channels each and an output of ``n_out``."""
        self._prepare(sample_rate, {bus: GainMatrix(n_channels, n_out) for bus, n_channels in n_in.items()})

    def mute_bus(self, bus: str, muted: bool) -> None:
        """Follow the mute of a bus's strip."""
        self._muted[bus] = muted
        self._move(self._ramp_samples)

    def _move(self, n_samples: int) -> None:
        level = 0.0 if self.get("mute") >= 0.5 else self._gain("level")
        for bus, matrix in self._matrices.items():
            matrix.move(0.0 if self._muted[bus] else level * self._gain(f"level_{bus}"), 0.0, n_samples)
