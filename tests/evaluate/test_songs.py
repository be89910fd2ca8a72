"""Songs through the engine: at their own rate and at another."""

import numpy as np
import pytest

from rtkaraoke.evaluate.data import resample
from rtkaraoke.evaluate.metrics import score_song
from rtkaraoke.evaluate.songs import score_songs, summarise, through_engine
from rtkaraoke.masks.models import load_model


@pytest.fixture(scope="module")
def song():
    """A voice in the centre and music at the sides, three seconds of each."""
    random = np.random.default_rng(1)
    voice = np.repeat(0.1 * random.standard_normal((1, 3 * 44_100), np.float32), 2, axis=0)
    music = 0.1 * random.standard_normal((2, 3 * 44_100), np.float32)
    return voice, music - music.mean(axis=0)


def test_another_rate_changes_little(song):
    at = [score_song(through_engine(load_model("centre"), sample_rate=rate)(*song), *song) for rate in (44_100, 48_000)]
    assert at[1].voice_sdr == pytest.approx(at[0].voice_sdr, abs=0.2)
    assert at[1].music_sdr == pytest.approx(at[0].music_sdr, abs=0.2)


def test_resampling_there_and_back_changes_nothing(song):
    voice, _ = song
    assert resample(voice, 44_100, 44_100) is voice
    low = resample(resample(voice, 44_100, 22_050), 22_050, 44_100)  # only what is below 11 kHz from here on
    again = resample(resample(low, 44_100, 48_000), 48_000, 44_100)
    inside = slice(4000, -4000)
    assert np.abs(again - low)[:, inside].max() < 1e-3 * np.abs(low).max()


def test_figures_are_medians_over_songs(monkeypatch, song):
    monkeypatch.setattr("rtkaraoke.evaluate.songs.read_pair", lambda gain: (song[0] * gain, song[1]))
    scores = score_songs(lambda voice, music: voice + music, [0.5, 1.0, 2.0])
    figure = summarise(scores)["voice_sdr"]
    assert figure.low <= figure.median <= figure.high
    assert figure.median == sorted(each.voice_sdr for each in scores)[1]
