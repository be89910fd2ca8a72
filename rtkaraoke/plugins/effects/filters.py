"""High pass and parametric equaliser: the same state-variable filters in a row."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from rtkaraoke.dsp.kernels import filters as kernels
from rtkaraoke.plugins.effects.base import FREQUENCY_RANGE, Effect
from rtkaraoke.plugins.protocol import Parameter

PEAKS = (1, 2, 3)
GAIN_RANGE = (-24.0, 24.0)
Q_RANGE = (0.1, 10.0)
SHELF_Q = math.sqrt(0.5)
_BUTTERWORTH_2 = math.sqrt(2.0)
_BUTTERWORTH_4 = (2.0 * math.cos(3 * math.pi / 8), 2.0 * math.cos(math.pi / 8))


class _Filters(Effect):
    """Sections of :func:`~rtkaraoke.dsp.kernels.filters.state_variable_filters`, five controls each."""

    def _allocate(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        n_sections = len(self._targets()) // kernels.N_COEFFICIENTS
        self._state = np.zeros((n_sections, n_channels, 2))

    def _clear(self) -> None:
        self._state.fill(0.0)

    def _apply(self, n_samples: int) -> None:
        kernels.state_variable_filters(self._dry, self._wet, n_samples, self._controls, self._state)


class HighPass(_Filters):
    """Butterworth high pass: takes rumble, handling noise and plosives out of a microphone."""

    name = "high_pass"
    presets: Mapping[str, Mapping[str, float]] = {
        "vocal": {"frequency": 90.0, "slope": 0},
        "rumble": {"frequency": 40.0, "slope": 1},
        "noisy room": {"frequency": 140.0, "slope": 1},
    }

    def __init__(self) -> None:
        super().__init__(
            [
                Parameter("frequency", "Hz", 20.0, 1000.0, 80.0, "what lies below is taken away; here it is 3 dB down"),
                Parameter("slope", "", 0, 1, 0, "how steeply", ("12 dB/octave", "24 dB/octave")),
            ]
        )

    def _targets(self) -> Sequence[float]:
        g = self._prewarped(self.get("frequency"))
        if self.get("slope") < 0.5:
            return (*_high_pass(g, _BUTTERWORTH_2), g, _BUTTERWORTH_4[1], 1.0, 0.0, 0.0)
        return (*_high_pass(g, _BUTTERWORTH_4[0]), *_high_pass(g, _BUTTERWORTH_4[1]))


class Equaliser(_Filters):
    """Parametric equaliser: low shelf, three peaks, high shelf. A band at 0 dB copies the bits.

    Its curves are those of R. Bristow-Johnson's *Cookbook formulae for audio equalizer biquad filter coefficients*.
    A band above 0.45 of the sample rate stands there.
    """

    name = "equaliser"

    def __init__(self) -> None:
        declared = [_frequency("low_frequency", 120.0, "low shelf: half of its gain"), _gain("low_gain", "low shelf")]
        for peak, hz in zip(PEAKS, (250.0, 1000.0, 3500.0), strict=True):
            declared += [
                _frequency(f"peak{peak}_frequency", hz, f"peak {peak}: its middle"),
                _gain(f"peak{peak}_gain", f"peak {peak}"),
                Parameter(f"peak{peak}_q", "", *Q_RANGE, 1.0, f"peak {peak}: high is narrow"),
            ]
        declared += [_frequency("high_frequency", 8000.0, "high shelf: half of its gain")]
        super().__init__([*declared, _gain("high_gain", "high shelf")])

    def _targets(self) -> Sequence[float]:
        targets: list[float] = []
        # Simper's forms of the cookbook's filters; A is the root of the gain.
        g, a = self._prewarped(self.get("low_frequency")), self._root_gain("low_gain")
        targets += (g / math.sqrt(a), 1 / SHELF_Q, 1.0, (a - 1) / SHELF_Q, a * a - 1)
        for peak in PEAKS:
            g, a = self._prewarped(self.get(f"peak{peak}_frequency")), self._root_gain(f"peak{peak}_gain")
            k = 1 / (self.get(f"peak{peak}_q") * a)
            targets += (g, k, 1.0, k * (a * a - 1), 0.0)
        g, a = self._prewarped(self.get("high_frequency")), self._root_gain("high_gain")
        targets += (g * math.sqrt(a), 1 / SHELF_Q, a * a, a * (1 - a) / SHELF_Q, 1 - a * a)
        return targets

    def _root_gain(self, name: str) -> float:
        return 10.0 ** (self.get(name) / 40)


def _high_pass(g: float, k: float) -> tuple[float, ...]:
    return (g, k, 1.0, -k, -1.0)


def _frequency(name: str, hz: float, description: str) -> Parameter:
    return Parameter(name, "Hz", *FREQUENCY_RANGE, hz, description)


def _gain(name: str, description: str) -> Parameter:
    return Parameter(name, "dB", *GAIN_RANGE, 0.0, description)


def _curve(
    low: tuple[float, float],
    peak1: tuple[float, float, float],
    peak2: tuple[float, float, float],
    peak3: tuple[float, float, float],
    high: tuple[float, float],
) -> dict[str, float]:
    """A preset of the equaliser: every band as frequency, gain and, for peaks, Q."""
    values = {"low_frequency": low[0], "low_gain": low[1], "high_frequency": high[0], "high_gain": high[1]}
    for peak, (hz, gain, q) in zip(PEAKS, (peak1, peak2, peak3), strict=True):
        values |= {f"peak{peak}_frequency": hz, f"peak{peak}_gain": gain, f"peak{peak}_q": q}
    return values


Equaliser.presets = {
    "flat": _curve((120, 0), (250, 0, 1), (1000, 0, 1), (3500, 0, 1), (8000, 0)),
    "vocal": _curve((120, -3), (250, -2.5, 1), (1000, 0, 1), (3500, 2.5, 0.9), (10_000, 2)),
    "warm": _curve((180, 2), (350, 1.5, 0.8), (1000, 0, 1), (3500, -1.5, 0.8), (8000, -3)),
    "bright": _curve((150, -2), (400, -1.5, 0.9), (1000, 0, 1), (4500, 2, 0.8), (9000, 4)),
    "telephone": _curve((450, -24), (450, -6, 0.7), (1500, 8, 0.7), (2500, 3, 1), (3200, -24)),
}
