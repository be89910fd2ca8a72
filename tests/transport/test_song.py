"""A song as a source: what is played is the file, and moving about in it does not click."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtkaraoke.errors import AudioFileError, RtkaraokeError
from rtkaraoke.transport import FADE_S, Song
from tests.support.transport import settled, sine, take

RATE = 16_000


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    """Ten seconds in which every sample says where it stands, the right channel upside down."""
    rising = np.linspace(0.0, 0.9, 10 * RATE, dtype=np.float32)
    path = tmp_path / "ramp.wav"
    soundfile.write(path, np.stack([rising, -rising], axis=1), RATE, subtype="FLOAT")
    return path


def test_what_is_played_is_the_file_then_silence(ramp: Path) -> None:
    expected = soundfile.read(ramp, dtype="float32")[0].T
    with Song(ramp) as song:
        song.prepare(RATE, 2)
        played = take(song, expected.shape[1] + 1000)
        assert song.status["ended"] == 1.0
        assert song.n_starved == 0
    np.testing.assert_array_equal(played[:, : expected.shape[1]], expected)
    assert not played[:, expected.shape[1] :].any()


def test_a_seek_fades_over_to_the_new_place(ramp: Path) -> None:
    expected = soundfile.read(ramp, dtype="float32")[0].T
    with Song(ramp) as song:
        song.prepare(RATE, 2)
        take(song, 1000)
        song.command("seek", 5.0)
        settled(song)
        take(song, 128 * 3)  # the fades
        assert song.status["position_s"] == pytest.approx(5.0, abs=0.05)
        at = round(song.position_s * RATE)
        np.testing.assert_array_equal(take(song, 2000)[:, 500:], expected[:, at + 500 : at + 2000])
        song.command("skip", -3.0)
        settled(song)
        take(song, 128 * 3)
        assert song.position_s == pytest.approx(2.1, abs=0.2)


def test_neither_pause_nor_seek_clicks(tmp_path: Path) -> None:
    path = sine(tmp_path / "tone.wav", RATE, 8.0, 2)
    with Song(path) as song:
        song.prepare(RATE, 2)
        parts = [take(song, 4000)]
        song.command("pause", 1.0)
        parts.append(take(song, 4000))
        position = song.position_s
        parts.append(take(song, 1280))
        assert song.position_s == position
        assert not parts[-1].any()
        song.command("pause", 0.0)
        parts.append(take(song, 4000))
        song.command("seek", 3.21)
        settled(song)
        parts.append(take(song, 4000))
    played = np.concatenate(parts, axis=1)[0]
    # A fade bends the tone a little more than the tone bends itself; a click would be a hundred times that.
    step = 2 * np.pi * 220 / RATE
    allowed = 0.5 * (step**2 + 2 * step / (FADE_S * RATE)) * 1.05 + 1.0 / (FADE_S * RATE) * 0.5
    assert np.abs(np.diff(played, 2)).max() < allowed


def test_another_rate_is_resampled(tmp_path: Path) -> None:
    path = sine(tmp_path / "tone.wav", 44_100, 2.0, 2)
    with Song(path) as song:
        song.prepare(48_000, 2)
        played = take(song, 90_000)
    expected = 0.5 * np.sin(2 * np.pi * 220 / 48_000 * np.arange(90_000))
    assert np.abs(played[0, 2000:88_000] - expected[2000:88_000]).max() < 1e-3


@pytest.mark.parametrize(("n_file", "n_card"), [(1, 2), (2, 1), (2, 2), (4, 2), (1, 1), (2, 4)])
def test_channels_fit_the_card(tmp_path: Path, n_file: int, n_card: int) -> None:
    path = sine(tmp_path / "tone.wav", RATE, 1.0, n_file)
    with Song(path) as song:
        song.prepare(RATE, n_card)
        played = take(song, 8000, n_card)
    assert played.shape[0] == n_card
    assert np.abs(played[: min(2, n_card)]).max() == pytest.approx(0.5, abs=0.01)


def test_a_place_beyond_the_end_is_the_end(ramp: Path) -> None:
    with Song(ramp, start_s=2.0) as song:
        song.prepare(RATE, 2)
        assert song.position_s == 2.0
        song.command("seek", 1e6)
        settled(song)
        take(song, 1280)
        assert song.status["ended"] == 1.0
        song.command("seek", 0.0)
        settled(song)
        take(song, 1280)
        assert song.status["ended"] == 0.0


def test_a_damaged_rest_is_told_when_it_is_reached(tmp_path: Path) -> None:
    path = tmp_path / "bad.wav"
    samples = np.zeros((2 * RATE, 2), np.float32)
    samples[RATE] = np.nan
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    with Song(path) as song:
        song.prepare(RATE, 2)
        with pytest.raises(AudioFileError, match="finite"):
            take(song, 2 * RATE)


def test_unknown_commands_and_missing_files_are_refused(ramp: Path, tmp_path: Path) -> None:
    with Song(ramp) as song, pytest.raises(RtkaraokeError, match="pause, seek, skip, key, tempo"):
        song.command("sing", 1.0)
    with pytest.raises(AudioFileError, match="no such file"):
        Song(tmp_path / "none.wav")
