"""Figures of a separation, all in dB and over a whole song.

Only :func:`sdr` is the field's own; BSSEval's windowed median of the same name is slower, and no better as a guide
during development. Removal and damage split what SDR lumps together, because a listener does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.evaluate.data import Audio

TINY = 1e-10


@dataclass(frozen=True, slots=True)
class SongScores:
    """What one song scored. ``removal`` wants to be high, ``damage`` low."""

    voice_sdr: float
    music_sdr: float
    removal: float
    damage: float


def energy_db(ratio: float) -> float:
    """An energy ratio in dB, finite for zero."""
    return float(10 * np.log10(max(ratio, TINY)))


def sdr(estimate: Audio, target: Audio) -> float:
    """Signal to distortion ratio of the whole signal: the target's energy over the error's."""
    error = float(np.square(estimate - target, dtype=np.float64).sum())
    return energy_db(float(np.square(target, dtype=np.float64).sum()) / max(error, TINY))


def removal_and_damage(music_estimate: Audio, voice: Audio, music: Audio) -> tuple[float, float]:
    """How far the voice went down, and what came in that is neither voice nor music.

    The estimate is split by least squares into ``a * voice + b * music + rest``. Removal is ``-20 log10 |a|``,
    damage the energy of ``rest`` against that of ``b * music``.
    """
    sources = np.stack([voice.ravel(), music.ravel()]).astype(np.float64)
    estimate = music_estimate.ravel().astype(np.float64)
    share, *_ = np.linalg.lstsq(sources @ sources.T, sources @ estimate, rcond=None)
    rest = np.square(estimate - share @ sources).sum()
    kept = np.square(share[1] * sources[1]).sum()
    return -energy_db(float(share[0] ** 2)), energy_db(float(rest / max(kept, TINY)))


def score_song(voice_estimate: Audio, voice: Audio, music: Audio) -> SongScores:
    """All figures of one song, whose music is estimated as mixture minus voice."""
    music_estimate = voice + music - voice_estimate
    removal, damage = removal_and_damage(music_estimate, voice, music)
    return SongScores(sdr(voice_estimate, voice), sdr(music_estimate, music), removal, damage)


def loss_of_music(voice_estimate: Audio, music: Audio) -> float:
    """Energy taken from music without voice, against all of it: what an instrumental loses, in dB."""
    taken = float(np.square(voice_estimate, dtype=np.float64).sum())
    return energy_db(taken / max(float(np.square(music, dtype=np.float64).sum()), TINY))


def bootstrap_median(
    values: Sequence[float], n_draws: int = 10_000, level: float = 0.95, seed: int = 0
) -> NDArray[np.float64]:
    """Median and the ends of its bootstrap interval: ``(3,)``, median, low, high."""
    found = np.asarray(values, np.float64)
    draws = np.random.default_rng(seed).choice(found, (n_draws, len(found)))
    low, high = np.quantile(np.median(draws, axis=1), [(1 - level) / 2, (1 + level) / 2])
    return np.array([np.median(found), low, high])
