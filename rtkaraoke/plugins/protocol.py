"""What can stand in a chain: an effect with declared parameters and a declared latency."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.errors import PluginError

Block = NDArray[np.float32]  #: ``(channel, sample)``, C-contiguous


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that may be changed while the sound runs.

    The command line, the web page and MIDI build their controls from it. ``choices`` makes it a switch
    between named settings, whose value is the index.
    """

    name: str
    unit: str
    minimum: float
    maximum: float
    default: float
    description: str = ""
    choices: tuple[str, ...] = ()

    def check(self, value: float) -> float:
        """``value`` as float when it lies in the range.

        Raises
        ------
        PluginError
            Naming the value and the range.
        """
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not self.minimum <= number <= self.maximum:
            unit = f" {self.unit}" if self.unit else ""
            raise PluginError(
                f"{self.name} = {value!r}: wanted a number from {self.minimum:g} to {self.maximum:g}{unit}"
            )
        return number


@runtime_checkable
class Adjustable(Protocol):
    """A part of the engine with parameters: a plugin, the strip of a bus, the duck."""

    @property
    def name(self) -> str:
        """What it is, such as ``gate``."""
        ...

    @property
    def latency(self) -> int:
        """Samples by which the output lags behind the input; constant from ``prepare`` on."""
        ...

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Every parameter by name."""
        ...

    def get(self, name: str) -> float:
        """The target value of parameter ``name``."""
        ...

    def set(self, name: str, value: float) -> None:
        """Move parameter ``name`` to ``value``, without a click. Raises :class:`PluginError`."""
        ...

    def reset(self) -> None:
        """Forget the signal, keep the parameters."""
        ...

    def close(self) -> None:
        """Free what is held outside Python's memory. May be called twice."""
        ...


@runtime_checkable
class Plugin(Adjustable, Protocol):
    """Life cycle: ``prepare -> process -> reset -> close``. Nothing allocates after ``prepare``.

    Output must not depend on how the signal is cut into blocks. A plugin may have ``presets``: settings by name, each
    a mapping of some of its parameters to values.
    """

    def prepare(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        """Allocate everything for blocks ``(n_channels, up to max_block)`` at ``sample_rate`` Hz."""
        ...

    def process(self, block: Block, out: Block) -> None:
        """Fill ``out`` from ``block``, same shape; they may be the same array. Realtime safe."""
        ...


@runtime_checkable
class DeadlineAware(Protocol):
    """A plugin that may wait for something, but not for long."""

    deadline_ns: int  #: until when (``time.monotonic_ns``) the next ``process`` may wait


@runtime_checkable
class Guided(Protocol):
    """A plugin with a guide vocal, which may be taken out while someone sings."""

    duck: NDArray[np.float32]  #: for each sample of the next block: 0 leaves the guide, -1 takes it out; made to stay


@runtime_checkable
class VoiceTaker(Protocol):
    """A plugin that takes the voice out, and need not look for it where the source knows it."""

    def known_voice(self) -> NDArray[np.float32]:
        """Memory ``(channel + 1, max_block)`` that the source fills for each block, before it is processed.

        The voice alone, and in the last row for each sample whether it is known: 1, or 0 where the plugin has to look
        for it, fading in between. Call it once prepared.
        """
        ...


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A part of a prepared engine, as the page, the command line and MIDI build their controls from it.

    ``name`` is what :meth:`Engine.set` calls it and unique (``mic1.gate``), ``kind`` what it is (``gate``), ``bus``
    where it stands: a bus, ``master`` or an output. ``latency`` in samples.
    """

    bus: str
    name: str
    kind: str
    latency: int
    parameters: tuple[Parameter, ...]
    presets: Mapping[str, Mapping[str, float]]


class Parameters:
    """The parameter half of :class:`Plugin`: declared values, checked on change.

    Attributes
    ----------
    presets : mapping of str to mapping of str to float
        Named sets of values, for :meth:`use_preset` and for whoever builds controls. A plugin that has some
        overrides it; what a preset does not name stays as it is.
    """

    presets: Mapping[str, Mapping[str, float]] = {}

    def __init__(self, declared: Sequence[Parameter]) -> None:
        self._declared = {parameter.name: parameter for parameter in declared}
        self._values = {parameter.name: parameter.default for parameter in declared}

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Every parameter by name."""
        return self._declared

    def get(self, name: str) -> float:
        """The target value of parameter ``name``. Raises :class:`PluginError` for an unknown name."""
        try:
            return self._values[name]
        except KeyError:
            raise self._unknown(name) from None

    def set(self, name: str, value: float) -> None:
        """Move parameter ``name`` to ``value``. Raises :class:`PluginError` when unknown or out of range."""
        if name not in self._declared:
            raise self._unknown(name)
        self._values[name] = self._declared[name].check(value)

    def use_preset(self, name: str) -> None:
        """Move the parameters to those of preset ``name``. Raises :class:`PluginError` for an unknown name."""
        for parameter, value in find_preset(self.presets, name).items():
            self.set(parameter, value)

    def _unknown(self, name: str) -> PluginError:
        return PluginError(f"no parameter {name!r}: there are {', '.join(self._declared) or 'none'}")


def presets_of(plugin: Adjustable) -> Mapping[str, Mapping[str, float]]:
    """The plugin's presets by name; none where it knows of no presets."""
    return getattr(plugin, "presets", {})


def find_preset(presets: Mapping[str, Mapping[str, float]], name: str) -> Mapping[str, float]:
    """The values of preset ``name``. Raises :class:`PluginError` with the names there are."""
    if name not in presets:
        raise PluginError(f"no preset {name!r}: there are {', '.join(presets) or 'none'}")
    return presets[name]
