"""Effects of the library pedalboard, and through it VST3 plugins and Audio Units. Runs in the child process only.

pedalboard is under the GPL: it is an extra that users install by themselves (``rtkaraoke[effects]``), and it is
imported in a process of its own, by this file alone.
"""

import enum
import inspect
import math
import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np

from rtkaraoke.errors import PluginError
from rtkaraoke.plugins.protocol import Block, Parameter, Parameters

SETTLED_S = 0.5  #: silence through which what an effect holds back has not grown: that is its latency
LONGEST_LATENCY_S = 4.0
HIGHEST_CUTOFF = 0.45  #: of the sample rate; filters above it are unstable
MOST_CHOICES = 128  #: a parameter with more named values than that is moved by its raw value
SWITCH = ("off", "on")

#: Ranges that pedalboard does not tell, by property: unit, lowest, highest.
RANGES = {
    "attack_ms": ("ms", 0.0, 1000.0),
    "bit_depth": ("bit", 1.0, 32.0),
    "ceiling_db": ("dB", -24.0, 0.0),
    "centre_delay_ms": ("ms", 1.0, 100.0),
    "centre_frequency_hz": ("Hz", 20.0, 20_000.0),
    "cutoff_frequency_hz": ("Hz", 20.0, 20_000.0),
    "cutoff_hz": ("Hz", 20.0, 20_000.0),
    "damping": ("", 0.0, 1.0),
    "delay_seconds": ("s", 0.0, 5.0),
    "depth": ("", 0.0, 1.0),
    "drive": ("", 1.0, 10.0),
    "drive_db": ("dB", 0.0, 60.0),
    "dry_level": ("", 0.0, 1.0),
    "feedback": ("", 0.0, 0.95),
    "freeze_mode": ("", 0.0, 1.0),
    "gain_db": ("dB", -60.0, 24.0),
    "mix": ("", 0.0, 1.0),
    "q": ("", 0.1, 10.0),
    "rate_hz": ("Hz", 0.01, 100.0),
    "ratio": ("", 1.0, 100.0),
    "release_ms": ("ms", 1.0, 5000.0),
    "resonance": ("", 0.0, 1.0),
    "room_size": ("", 0.0, 1.0),
    "threshold_db": ("dB", -100.0, 0.0),
    "wet_level": ("", 0.0, 1.0),
    "width": ("", 0.0, 1.0),
}

#: Effects whose latency moves with their parameters.
UNSUITABLE = {
    "PitchShift": "it holds back a second of sound, more or less as its pitch moves",
    "Resample": "its latency moves with the rate",
}
#: Properties that a running effect cannot change without starting over.
FIXED = ("quality", "true_peak")


class Effect(Parameters, ABC):
    """What every effect that pedalboard runs has in common: a :class:`~rtkaraoke.plugins.protocol.Plugin`.

    pedalboard takes the latency of an effect out by itself: the first blocks come back shorter. Here they are filled
    up again, so that the latency is a constant. Parameters move as the effect moves them, with a click or without.
    """

    def __init__(self, name: str, effect: Any, declared: list[Parameter]) -> None:
        super().__init__(declared)
        self.name = name
        self.latency = 0
        self._effect = effect
        self._sample_rate = 44_100
        self._widened = False
        self._held = np.zeros((0, 0), np.float32)  # what came back and was not due yet

    def set(self, name: str, value: float) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        super().set(name, value)
        self._apply(name)

    def prepare(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`.

        Raises
        ------
        PluginError
            When the effect holds back ever more.
        """
        self._sample_rate = sample_rate
        for name in self.parameters:
            self._apply(name)
        silence = np.zeros((n_channels, max_block), np.float32)
        self._widened = n_channels == 1 and not self._takes(silence)
        self._effect.reset()
        self.latency = self._measure(silence)
        self._effect.reset()
        self._refill(n_channels)

    def process(self, block: Block, out: Block) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`. All blocks are of the same size."""
        returned = self._run(block)
        if self.latency:
            self._held = np.concatenate([self._held, returned], axis=1)
            returned, self._held = self._held[:, : out.shape[1]], self._held[:, out.shape[1] :]
        if returned.shape != out.shape:
            raise PluginError(f"it holds back more than the {self.latency} samples of before")
        out[:] = returned

    def reset(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        self._effect.reset()
        self._refill(len(self._held))

    def close(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""

    @abstractmethod
    def _apply(self, name: str) -> None:
        """Bring the effect's parameter to its value."""

    def _takes(self, silence: Block) -> bool:
        """Whether the effect can do with one channel; it is given two of the same otherwise."""
        self._widened = False
        try:
            self._run(silence)
        except ValueError:
            return False
        return True

    def _run(self, block: Block) -> Block:
        wide = np.repeat(block, 2, axis=0) if self._widened else block
        returned = self._effect.process(wide, self._sample_rate, buffer_size=block.shape[1], reset=False)
        return returned.mean(axis=0, keepdims=True, dtype=np.float32) if self._widened else returned

    def _measure(self, silence: Block) -> int:
        """The most samples by which what comes back is behind what was given."""
        behind = most = calm = 0
        while calm < SETTLED_S * self._sample_rate:
            behind += silence.shape[1] - self._run(silence).shape[1]
            calm = calm + silence.shape[1] if behind <= most else 0
            most = max(most, behind)
            if most > LONGEST_LATENCY_S * self._sample_rate:
                raise PluginError(f"it holds back more than {LONGEST_LATENCY_S:g} s: it cannot run live")
        return most

    def _refill(self, n_channels: int) -> None:
        self._held = np.zeros((n_channels, self.latency), np.float32)


class ShippedEffect(Effect):
    """An effect that comes with pedalboard.

    Parameters
    ----------
    kind : str
        Its class, such as ``Chorus``.

    Raises
    ------
    PluginError
        When there is none of that name, or it cannot run live.
    """

    def __init__(self, kind: str) -> None:
        import pedalboard

        effects = _shipped(pedalboard)
        if kind not in effects:
            reason = f"{UNSUITABLE[kind]}; " if kind in UNSUITABLE else ""
            raise PluginError(f"no effect {kind!r} of pedalboard: {reason}there are {', '.join(sorted(effects))}")
        effect: Any = effects[kind]()
        self._kinds: dict[str, type[Any]] = {}
        declared = []
        for name, _ in inspect.getmembers(type(effect), inspect.isdatadescriptor):
            value: Any = getattr(effect, name)
            if name in FIXED or name.startswith(("_", "is_")):
                continue
            if isinstance(value, bool):
                declared.append(Parameter(name, "", 0, 1, float(value), "", SWITCH))
            elif isinstance(value, enum.Enum) or hasattr(value, "__members__"):
                members = type(value).__members__
                choices = tuple(members)
                declared.append(Parameter(name, "", 0, len(choices) - 1, choices.index(value.name), "", choices))
            elif name in RANGES:
                unit, lowest, highest = RANGES[name]
                declared.append(Parameter(name, unit, lowest, highest, min(max(float(value), lowest), highest)))
            else:
                continue
            self._kinds[name] = type(value)
        super().__init__(_snake(kind), effect, declared)

    def _apply(self, name: str) -> None:
        value: Any = self.get(name)
        kind = self._kinds[name]
        if self.parameters[name].choices:
            value = bool(round(value)) if kind is bool else list(kind.__members__.values())[round(value)]
        elif self.parameters[name].unit == "Hz" and name != "rate_hz":
            value = min(value, HIGHEST_CUTOFF * self._sample_rate)
        setattr(self._effect, name, value)


class PluginFile(Effect):
    """A VST3 plugin or an Audio Unit.

    Parameters
    ----------
    path : str
        The file, or the folder that is a bundle.
    of_several : str
        The plugin's name where the file has several; else empty.

    Raises
    ------
    PluginError
        When the file is not there, is no plugin of this system, or makes sound rather than changing it.
    """

    def __init__(self, path: str, of_several: str = "") -> None:
        import pedalboard

        library: Any = pedalboard
        file = Path(path).expanduser()
        if not file.exists():
            raise PluginError(f"{path}: there is no such file")
        try:
            effect = library.load_plugin(str(file), plugin_name=of_several or None)
        except (ImportError, ValueError) as error:
            raise PluginError(f"{path}: {error}") from None
        if not effect.is_effect:
            raise PluginError(f"{path}: {effect.name} is an instrument: wanted an effect")
        found = ((name, getattr(effect, name), parameter) for name, parameter in effect.parameters.items())
        declared = [parameter for each in found if (parameter := _declare(*each)) is not None]
        super().__init__(_snake(effect.name), effect, declared)

    def _apply(self, name: str) -> None:
        parameter, found = self.parameters[name], self._effect.parameters[name]
        value = self.get(name)
        if found.type is bool:
            setattr(self._effect, name, bool(round(value)))
        elif parameter.choices:
            setattr(self._effect, name, found.valid_values[round(value)])
        elif _is_plain(found):
            setattr(self._effect, name, value)
        else:
            found.raw_value = value


def _declare(name: str, value: Any, found: Any) -> Parameter | None:
    """Our declaration of a parameter as pedalboard has found it, with its present value; None if it has no other."""
    if found.type is bool:
        return Parameter(name, "", 0, 1, float(bool(value)), "", SWITCH)
    if _is_plain(found):
        lowest, highest = float(found.min_value), float(found.max_value)
        if not lowest < highest:
            return None
        now = min(max(float(value), lowest), highest)
        return Parameter(name, (found.label or "").strip(), lowest, highest, now)
    choices = tuple(str(choice) for choice in found.valid_values)
    if len(choices) < 2:
        return None
    if len(choices) <= MOST_CHOICES and str(value) in choices:
        return Parameter(name, "", 0, len(choices) - 1, choices.index(str(value)), "", choices)
    return Parameter(name, "", 0.0, 1.0, float(found.raw_value), "the plugin's own scale, from 0 to 1")


def _is_plain(found: Any) -> bool:
    """Whether a parameter is a number with finite ends."""
    return (
        found.type is float
        and found.min_value is not None
        and math.isfinite(found.min_value)
        and math.isfinite(found.max_value)
    )


def _shipped(pedalboard: Any) -> dict[str, type[Any]]:
    """The effects of pedalboard that can be made without arguments and keep their latency."""
    found = {}
    for name, kind in inspect.getmembers(pedalboard, inspect.isclass):
        if issubclass(kind, pedalboard.Plugin) and name not in UNSUITABLE and not name.startswith("_"):
            try:
                made: Any = kind()
            except (TypeError, RuntimeError):  # abstract, or it wants a file
                continue
            if made.is_effect and not isinstance(made, pedalboard.PluginContainer):
                found[name] = kind
    return found


def _snake(name: str) -> str:
    """``PeakFilter`` as ``peak_filter``: the name under which its parameters are set."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"\W+", "_", words).strip("_").lower()
