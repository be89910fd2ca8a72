"""Gate, compressor and de-esser. None looks ahead; all channels get the same gain."""

from collections.abc import Mapping, Sequence

import numpy as np

from rtkaraoke.dsp.dynamics import db_to_gain
from rtkaraoke.dsp.kernels import compression as kernels
from rtkaraoke.plugins.effects.base import Effect
from rtkaraoke.plugins.protocol import Parameter

SILENT_DB = -90.0  #: a level this low is silence
DETECTOR_S = 0.01  #: of the gate: holds a peak over the valleys of a low voice
KNEE_DB = 6.0  #: of the de-esser


class Gate(Effect):
    """Turns the microphone down while nobody sings, with hysteresis and hold, so that it does not flutter."""

    name = "gate"
    presets: Mapping[str, Mapping[str, float]] = {
        "vocal": {
            "threshold": -45.0, "hysteresis": 6.0, "attack": 2.0, "hold": 150.0, "release": 200.0, "range": -40.0,
        },
        "gentle": {
            "threshold": -52.0, "hysteresis": 8.0, "attack": 4.0, "hold": 250.0, "release": 400.0, "range": -12.0,
        },
        "loud stage": {
            "threshold": -32.0, "hysteresis": 5.0, "attack": 1.0, "hold": 100.0, "release": 120.0, "range": -90.0,
        },
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__(
            [
                Parameter("threshold", "dB", -80.0, 0.0, -48.0, "opens at this peak level"),
                Parameter("hysteresis", "dB", 0.0, 24.0, 6.0, "closes this much lower"),
                Parameter("attack", "ms", 1.0, 100.0, 2.0, "time in which it opens"),
                Parameter("hold", "ms", 0.0, 2000.0, 150.0, "stays open this long after the last sound"),
                Parameter("release", "ms", 5.0, 2000.0, 200.0, "time in which it closes"),
                Parameter("range", "dB", SILENT_DB, 0.0, -60.0, "level while closed; the lowest is silence"),
            ]
        )

    def _allocate(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        self._state = np.zeros(4)

    def _clear(self) -> None:
        self._state.fill(0.0)
        self._state[kernels.GAIN] = self._targets()[2]  # closed

    def _targets(self) -> Sequence[float]:
        threshold = self.get("threshold")
        closed = self.get("range")
        self._decay = self._shrinkage(DETECTOR_S)
        self._attack = self._shrinkage(1e-3 * self.get("attack"))
        self._release = self._shrinkage(1e-3 * self.get("release"))
        self._hold = round(1e-3 * self.get("hold") * self._sample_rate)
        return (
            db_to_gain(threshold),
            db_to_gain(threshold - self.get("hysteresis")),
            0.0 if closed <= SILENT_DB else db_to_gain(closed),
        )

    def _apply(self, n_samples: int) -> None:
        kernels.gate(
            self._dry,
            self._wet,
            n_samples,
            self._controls,
            self._decay,
            self._attack,
            self._release,
            self._hold,
            self._state,
        )


class Compressor(Effect):
    """Evens out a voice: feed-forward, soft knee, in the log domain.

    D. Giannoulis, M. Massberg, J. D. Reiss, *Digital dynamic range compressor design: a tutorial and analysis*, JAES
    60(6), 2012: the smooth decoupled detector.
    """

    name = "compressor"
    presets: Mapping[str, Mapping[str, float]] = {
        "vocal": {
            "threshold": -22.0, "ratio": 3.0, "knee": 8.0, "attack": 5.0, "release": 120.0, "makeup": 5.0,
        },
        "gentle": {
            "threshold": -24.0, "ratio": 1.8, "knee": 12.0, "attack": 15.0, "release": 250.0, "makeup": 3.0,
        },
        "firm": {
            "threshold": -28.0, "ratio": 6.0, "knee": 6.0, "attack": 2.0, "release": 90.0, "makeup": 9.0,
        },
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__(
            [
                Parameter("threshold", "dB", -60.0, 0.0, -20.0, "peak level above which it works"),
                Parameter("ratio", "", 1.0, 20.0, 3.0, "dB more in for one dB more out"),
                Parameter("knee", "dB", 0.0, 24.0, 6.0, "width of the bend around the threshold"),
                Parameter("attack", "ms", 0.1, 200.0, 5.0, "time in which it turns down"),
                Parameter("release", "ms", 10.0, 2000.0, 120.0, "time in which it lets go"),
                Parameter("makeup", "dB", -12.0, 24.0, 0.0, "gain behind it"),
            ]
        )

    def _allocate(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        self._state = np.zeros(2)

    def _clear(self) -> None:
        self._state.fill(0.0)

    def _targets(self) -> Sequence[float]:
        self._attack = self._shrinkage(1e-3 * self.get("attack"))
        self._release = self._shrinkage(1e-3 * self.get("release"))
        return (self.get("threshold"), 1.0 - 1.0 / self.get("ratio"), self.get("knee"), self.get("makeup"))

    def _apply(self, n_samples: int) -> None:
        kernels.compress(self._dry, self._wet, n_samples, self._controls, self._attack, self._release, self._state)


class DeEsser(Effect):
    """Turns down sharp s sounds: a compressor on what lies above a Linkwitz-Riley crossover of fourth order."""

    name = "de_esser"
    presets: Mapping[str, Mapping[str, float]] = {
        "gentle": {
            "frequency": 6500.0, "threshold": -30.0, "ratio": 3.0, "range": 6.0, "attack": 1.0, "release": 60.0,
        },
        "vocal": {
            "frequency": 6000.0, "threshold": -34.0, "ratio": 4.0, "range": 10.0, "attack": 1.0, "release": 50.0,
        },
        "strong": {
            "frequency": 5000.0, "threshold": -40.0, "ratio": 8.0, "range": 18.0, "attack": 0.5, "release": 40.0,
        },
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__(
            [
                Parameter("frequency", "Hz", 2000.0, 12_000.0, 6000.0, "what lies above is watched and turned down"),
                Parameter("threshold", "dB", -60.0, 0.0, -30.0, "peak level of that band above which it works"),
                Parameter("ratio", "", 1.0, 20.0, 4.0, "dB more in for one dB more out"),
                Parameter("range", "dB", 0.0, 24.0, 10.0, "turns down by this at most"),
                Parameter("attack", "ms", 0.1, 50.0, 1.0, "time in which it turns down"),
                Parameter("release", "ms", 5.0, 500.0, 60.0, "time in which it lets go"),
            ]
        )

    def _allocate(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        self._filters = np.zeros((n_channels, 3, 2))
        self._bands = np.zeros((n_channels, 2))
        self._state = np.zeros(2)

    def _clear(self) -> None:
        self._filters.fill(0.0)
        self._state.fill(0.0)

    def _targets(self) -> Sequence[float]:
        self._attack = self._shrinkage(1e-3 * self.get("attack"))
        self._release = self._shrinkage(1e-3 * self.get("release"))
        return (
            self._prewarped(self.get("frequency")),
            self.get("threshold"),
            1.0 - 1.0 / self.get("ratio"),
            self.get("range"),
        )

    def _apply(self, n_samples: int) -> None:
        kernels.de_ess(
            self._dry,
            self._wet,
            n_samples,
            self._controls,
            KNEE_DB,
            self._attack,
            self._release,
            self._filters,
            self._bands,
            self._state,
        )
