"""The vocal remover's parameters, and the gains that they mean for music and voice.

Music with the voice at ``level`` is ``1 x delayed input + (level - 1) x voice``; the voice alone is 0 and 1. The guide
vocal is the voice at its level: what a duck may take away.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rtkaraoke.dsp.dynamics import Ramp, db_to_gain
from rtkaraoke.dsp.meters import power_db
from rtkaraoke.masks.protocol import BIAS_RANGE, STRENGTH_RANGE, ModelInfo
from rtkaraoke.plugins.protocol import Parameter

REMOVED_DB = -90.0  #: a vocal level this low is none at all
RAMP_S = 0.03  #: a change of level takes this long
FALLBACKS = ("mixture", "centre", "average")
_OFF_ON = ("off", "on")


def declared(info: ModelInfo, fallback: str) -> list[Parameter]:
    """The vocal remover's parameters for a network."""
    return [
        Parameter("vocals", "dB", REMOVED_DB, 0.0, REMOVED_DB, "level of the voice; the lowest is none"),
        Parameter("strength", "", *STRENGTH_RANGE, info.strength, "slope of the mask's logit"),
        Parameter("bias", "", *BIAS_RANGE, info.bias, "bias of the mask's logit: above 0 removes more"),
        Parameter("alpha", "", 0.0, 1.0, info.alpha, "confidence threshold of a binary mask; 0 keeps it soft"),
        Parameter("theta", "", 0.0, 1.0, info.theta, "floor under which the mask is 0"),
        Parameter("smoothing", "ms", 0.0, 500.0, 0.0, "time constant of the mask's average over time"),
        Parameter("solo", "", 0, 1, 0, "the voice alone", _OFF_ON),
        Parameter("bypass", "", 0, 1, 0, "the input, delayed", _OFF_ON),
        Parameter(
            "fallback",
            "",
            0,
            len(FALLBACKS) - 1,
            FALLBACKS.index(fallback),
            "what stands in when masks stay away",
            FALLBACKS,
        ),
    ]


class VoiceLevels(NamedTuple):
    """RMS levels in dB: of the voice that was found, and of what was taken out of the music."""

    found_db: float
    removed_db: float


class VoiceMix:
    """The gains, each moving along a ramp, and how much voice went through them.

    Attributes
    ----------
    dry_gain, voice_gain, guide_gain : Ramp
        As :func:`rtkaraoke.dsp.kernels.mix_hop` wants them.
    energies : ndarray, float64 ``(2,)``
        Sums of squares that it gathers.
    n_values : int
        Over how many samples, of all channels.
    """

    def __init__(self) -> None:
        self.dry_gain, self.voice_gain, self.guide_gain = Ramp(1.0), Ramp(-1.0), Ramp(0.0)
        self.energies = np.zeros(2)
        self.n_values = 0
        self._ramp_samples = 0
        self._alone = False

    def prepare(self, sample_rate: int) -> None:
        """Know the rate in Hz."""
        self._ramp_samples = round(RAMP_S * sample_rate)

    def move(self, get: Callable[[str], float]) -> None:
        """Go where the parameters, read by ``get``, want the gains."""
        self._move(get, self._ramp_samples)

    def reset(self, get: Callable[[str], float]) -> None:
        """Be there at once, and forget the levels."""
        self._move(get, 0)
        self.read()

    def read(self) -> VoiceLevels:
        """The levels since the last call."""
        found, added = (self.energies / max(self.n_values, 1)).tolist()
        self.energies.fill(0.0)
        self.n_values = 0
        return VoiceLevels(power_db(found), power_db(0.0 if self._alone else added))

    def _move(self, get: Callable[[str], float], n_samples: int) -> None:
        level = 0.0 if get("vocals") <= REMOVED_DB else db_to_gain(get("vocals"))
        self._alone = get("solo") >= 0.5 and get("bypass") < 0.5
        if get("bypass") >= 0.5:
            dry, voice, guide = 1.0, 0.0, 0.0
        elif self._alone:
            dry, voice, guide = 0.0, 1.0, 0.0
        else:
            dry, voice, guide = 1.0, level - 1.0, level
        self.dry_gain.move(dry, n_samples)
        self.voice_gain.move(voice, n_samples)
        self.guide_gain.move(guide, n_samples)
