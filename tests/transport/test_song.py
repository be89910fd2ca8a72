"""A song as a source: what is played is the file, and moving about in it does not click."""

import tracemalloc
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


def test_key_and_tempo_change_within_a_fraction_of_a_second_and_back_to_the_same_bits(ramp: Path) -> None:
    expected = soundfile.read(ramp, dtype="float32")[0].T
    with Song(ramp) as song:
        song.prepare(RATE, 2)
        take(song, 4000)
        song.command("key", 3.0)
        song.command("tempo", 90.0)
        settled(song)
        assert (song._next.join_at - song._ring.n_read) / RATE < 0.5
        before_s = song.position_s
        take(song, RATE)
        assert song.status["key"] == 3.0
        assert song.status["tempo"] == 90.0
        assert before_s + 0.9 <= song.position_s < before_s + 1.0
        song.command("key", 0.0)
        song.command("tempo", 100.0)
        settled(song)
        take(song, RATE)
        at = round(song.position_s * RATE)
        assert song.position_s * RATE == pytest.approx(at, abs=1e-6)
        np.testing.assert_array_equal(take(song, 2000), expected[:, at : at + 2000])
        assert song.n_starved == 0


@pytest.mark.parametrize(("key", "tempo"), [(-6, 100), (6, 100), (0, 70), (0, 130), (5, 80)])
def test_key_moves_the_pitch_and_tempo_the_speed(tmp_path: Path, key: float, tempo: float) -> None:
    path = sine(tmp_path / "tone.wav", RATE, 4.0)
    with Song(path, key=key, tempo=tempo) as song:
        song.prepare(RATE, 2)
        played = take(song, round(4.0 * RATE * 100 / tempo) + 1000)[0]
        assert song.status["ended"] == 1.0
    n_sounding = int(np.flatnonzero(np.abs(played) > 1e-3)[-1])
    assert n_sounding == pytest.approx(4.0 * RATE * 100 / tempo, abs=0.02 * RATE)
    middle = played[2000 : n_sounding - 2000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert spectrum.argmax() * RATE / len(middle) == pytest.approx(220 * 2 ** (key / 12), rel=0.003)


def test_neither_key_nor_tempo_clicks(tmp_path: Path) -> None:
    path = sine(tmp_path / "tone.wav", RATE, 12.0)
    with Song(path) as song:
        song.prepare(RATE, 2)
        parts = [take(song, 4000)]
        for name, value in [("key", 2), ("tempo", 85), ("key", -6), ("tempo", 130), ("key", 0), ("tempo", 100)]:
            song.command(name, value)
            settled(song)
            parts.append(take(song, 8000))
        song.command("pause", 1.0)
        song.command("key", 4)
        settled(song)
        parts += [take(song, 2000)]
        song.command("pause", 0.0)
        parts += [take(song, 8000)]
    played = np.concatenate(parts, axis=1)[0]
    step = 2 * np.pi * 220 * 2**0.5 / RATE
    assert np.abs(np.diff(played)).max() < 2**0.5 * 0.5 * step * 1.1  # two tones fade at constant power
    assert np.abs(np.diff(played, 2)).max() < 0.02


@pytest.mark.parametrize("name", ["key", "tempo"])
def test_a_change_while_paused_stays_where_it_is(ramp: Path, name: str) -> None:
    with Song(ramp) as song:
        song.prepare(RATE, 2)
        take(song, 4000)
        song.command("pause", 1.0)
        take(song, 1000)
        position_s = song.position_s
        song.command(name, 110.0 if name == "tempo" else 1.0)
        settled(song)
        take(song, 1000)
        assert song.position_s == pytest.approx(position_s, abs=1 / RATE)


@pytest.mark.parametrize(("name", "value"), [("key", 6.5), ("key", -7), ("tempo", 69), ("tempo", 131), ("key", np.nan)])
def test_key_and_tempo_beyond_their_range_are_refused(ramp: Path, name: str, value: float) -> None:
    with Song(ramp) as song, pytest.raises(RtkaraokeError, match="wanted a number from"):
        song.command(name, value)


def test_what_is_played_does_not_depend_on_the_blocks(tmp_path: Path) -> None:
    path = tmp_path / "noise.wav"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (3 * RATE, 2))
    soundfile.write(path, noise, RATE, subtype="FLOAT")
    played = []
    for block in (64, 1000, 4096):
        with Song(path, key=2) as song:
            song.prepare(RATE, 2)
            parts = [take(song, 8192, block=block)]
            song.command("pause", 1.0)
            parts.append(take(song, 4096, block=block))
            song.command("pause", 0.0)
            parts.append(take(song, 4096, block=block))
            played.append(np.concatenate(parts, axis=1))
    np.testing.assert_array_equal(played[0], played[1])
    np.testing.assert_array_equal(played[0], played[2])


def test_after_a_damaged_place_another_can_be_sought(tmp_path: Path) -> None:
    path = tmp_path / "bad.wav"
    samples = np.full((8 * RATE, 2), 0.25, np.float32)
    samples[RATE] = np.nan
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    with Song(path) as song:
        song.prepare(RATE, 2)
        with pytest.raises(AudioFileError, match="finite"):
            take(song, 2 * RATE)
        song.command("seek", 4.0)
        settled(song)
        take(song, 1000)
        assert (take(song, 1000) == 0.25).all()


def test_reading_allocates_no_array(ramp: Path) -> None:
    with Song(ramp) as song:
        song.prepare(RATE, 2)
        block = np.empty((2, 512), np.float32)
        take(song, 1280)
        song.close()  # the reader thread does allocate
        tracemalloc.start()
        try:
            song.read(block)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(20):
                song.read(block)
            assert tracemalloc.get_traced_memory()[1] - before < block.nbytes
        finally:
            tracemalloc.stop()
