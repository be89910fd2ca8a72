"""The figures mean what their names say."""

import numpy as np
import pytest

from rtkaraoke.evaluate.metrics import bootstrap_median, loss_of_music, removal_and_damage, score_song, sdr

RANDOM = np.random.default_rng(0)
VOICE, MUSIC, NOISE = (RANDOM.standard_normal((2, 50_000)).astype(np.float32) for _ in range(3))


def test_sdr_of_a_known_error() -> None:
    assert sdr(MUSIC + 0.1 * NOISE, MUSIC) == pytest.approx(20.0, abs=0.1)


def test_removal_is_how_far_the_voice_went_down() -> None:
    removal, damage = removal_and_damage(MUSIC + 0.25 * VOICE, VOICE, MUSIC)
    assert removal == pytest.approx(12.04, abs=0.01)
    assert damage < -60


def test_damage_is_what_is_neither_voice_nor_music() -> None:
    removal, damage = removal_and_damage(0.9 * MUSIC + 0.1 * VOICE + 0.09 * NOISE, VOICE, MUSIC)
    assert removal == pytest.approx(20.0, abs=0.6)
    assert damage == pytest.approx(-20.0, abs=0.1)


def test_doing_nothing_removes_nothing() -> None:
    scores = score_song(np.zeros_like(VOICE), VOICE, MUSIC)
    assert scores.removal == pytest.approx(0.0, abs=1e-3)
    assert scores.voice_sdr == pytest.approx(0.0, abs=1e-3)


def test_a_silent_source_leaves_figures_finite() -> None:
    scores = score_song(np.zeros_like(VOICE), np.zeros_like(VOICE), MUSIC)
    assert all(np.isfinite([scores.voice_sdr, scores.music_sdr, scores.removal, scores.damage]))


def test_loss_of_music() -> None:
    assert loss_of_music(0.1 * MUSIC, MUSIC) == pytest.approx(-20.0, abs=1e-3)


def test_bootstrap_interval_holds_the_median() -> None:
    values = RANDOM.standard_normal(40)
    median, low, high = bootstrap_median(values)
    assert median == pytest.approx(np.median(values))
    assert low <= median <= high
    assert (low, high) == tuple(bootstrap_median(values)[1:])
