"""The demo: a song whose voice is a voice, and what is written, measured and drawn of it."""

import math
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import soundfile
from scipy.signal import butter, hilbert, sosfiltfilt

from rtkaraoke.demo import demo_song, write_demo
from rtkaraoke.demo.picture import log_spectrogram
from rtkaraoke.demo.song import BEAT_S
from rtkaraoke.demo.write import measure, sdr_db
from rtkaraoke.errors import AudioFileError
from rtkaraoke.masks.models import DEFAULT_MODEL, load_model
from rtkaraoke.rendering import render_array
from tests.support.models import constant

RATE = 44100


@pytest.fixture(scope="module")
def stems():
    return demo_song()


def power(sound: np.ndarray, start_s: float, end_s: float) -> float:
    return float(np.mean(sound[:, int(start_s * RATE) : int(end_s * RATE)].astype(float) ** 2))


class TestSong:
    def test_the_stems_sum_to_the_mixture_below_full_scale(self, stems):
        assert stems.mixture.shape == (2, 20 * RATE)
        assert stems.mixture.dtype == np.float32
        np.testing.assert_array_equal(stems.mixture, stems.voice + stems.music)
        assert 0.85 < np.abs(stems.mixture).max() < 0.95
        assert -3 < sdr_db(stems.music, stems.mixture) < 3  # voice and music are about as loud

    def test_the_seed_decides_every_sample(self):
        first, second, other = (demo_song(1.0, 16000, seed) for seed in (0, 0, 1))
        np.testing.assert_array_equal(first.mixture, second.mixture)
        assert np.abs(first.mixture - other.mixture).max() > 0.01

    @pytest.mark.parametrize("sample_rate", [8000, 16000, 48000, 96000])
    @pytest.mark.parametrize("seconds", [0.1, 1.0])
    def test_any_rate_and_length(self, sample_rate, seconds):
        song = demo_song(seconds, sample_rate)
        assert song.mixture.shape == (2, round(seconds * sample_rate))
        assert np.isfinite(song.mixture).all()
        assert song.music.any()
        assert song.voice.any() == (seconds > 0.3)

    def test_a_longer_song_goes_on(self):
        song = demo_song(21.5, 8000)
        assert np.abs(song.voice[:, 165_000:170_000]).max() > 0.05
        assert np.abs(song.music[:, 165_000:170_000]).max() > 0.05

    def test_the_voice_sings_in_its_bars_and_rests_in_the_fourth(self, stems):
        sung = power(stems.voice, 20.5 * BEAT_S, 22.5 * BEAT_S)
        assert power(stems.voice, 15.0 * BEAT_S, 16.5 * BEAT_S) < 1e-4 * sung
        assert power(stems.music, 15.0 * BEAT_S, 16.5 * BEAT_S) > 0.1 * sung

    def test_a_long_note_has_a_singers_vibrato(self, stems):
        """The last note, E4: 5 to 6 times a second, some 50 cents to either side."""
        note = stems.voice.mean(axis=0)[int(29.0 * BEAT_S * RATE) : int(30.8 * BEAT_S * RATE)]
        fundamental = sosfiltfilt(butter(4, (230, 450), "bandpass", fs=RATE, output="sos"), note)
        hz = np.diff(np.unwrap(np.angle(hilbert(fundamental)))) * RATE / (2 * np.pi)
        cents = 1200 * np.log2(sosfiltfilt(butter(2, 15, fs=RATE, output="sos"), hz)[4000:-4000] / 329.63)
        assert abs(cents.mean()) < 25
        cents -= cents.mean()
        assert 25 < cents.std() * math.sqrt(2) < 75
        spectrum = np.abs(np.fft.rfft(cents * np.hanning(len(cents)), 1 << 18))
        assert 5.0 < np.argmax(spectrum) * RATE / (1 << 18) < 6.2

    def test_a_vowel_is_harmonic_and_a_sibilant_is_not(self, stems):
        voice = stems.voice.mean(axis=0)

        def share_above_5_khz(start_s: float, end_s: float) -> float:
            spectrum = np.abs(np.fft.rfft(voice[int(start_s * RATE) : int(end_s * RATE)])) ** 2
            hz = np.linspace(0, RATE / 2, len(spectrum))
            return float(spectrum[hz > 5000].sum() / spectrum.sum())

        assert share_above_5_khz(0.5 * BEAT_S - 0.1, 0.5 * BEAT_S - 0.03) > 0.9  # the s of "sing"
        assert share_above_5_khz(21.0 * BEAT_S, 22.0 * BEAT_S) < 0.02


class TestFigures:
    def test_a_perfect_separation(self, stems):
        quality = measure(stems, stems.music, stems.voice)
        assert min(quality.music_sdr_after, quality.voice_sdr_after, quality.removal_db) > 80
        assert quality.music_sdr_before == pytest.approx(-quality.voice_sdr_before, abs=0.5)

    def test_half_the_voice_left_is_six_db(self, stems):
        quality = measure(stems, stems.music + 0.5 * stems.voice, 0.5 * stems.voice)
        assert quality.removal_db == pytest.approx(6.02, abs=0.01)
        assert quality.voice_sdr_after == pytest.approx(6.02, abs=0.01)
        assert quality.music_sdr_after == pytest.approx(quality.music_sdr_before + 6.02, abs=0.01)

    def test_a_tone_is_drawn_at_its_frequency(self):
        t = np.arange(RATE) / RATE
        rows = log_spectrogram(np.sin(2 * np.pi * 1000 * t).astype(np.float32), RATE)
        strongest = np.argmax(rows[:, rows.shape[1] // 2]) + 0.5
        assert 70 * (16000 / 70) ** (strongest / len(rows)) == pytest.approx(1000, rel=0.02)


def test_the_shipped_network_hears_the_voice_and_takes_it_out():
    song = demo_song(9.0)  # the first half, all of it sung
    music = render_array(song.mixture, song.sample_rate, load_model(DEFAULT_MODEL, "cpu"))
    quality = measure(song, music, song.mixture - music)
    assert quality.removal_db > 10
    assert quality.music_sdr_after > quality.music_sdr_before + 5
    assert quality.voice_sdr_after > quality.voice_sdr_before + 6


class TestWriting:
    def test_without_a_song_it_sings_one_and_knows_the_stems(self, tmp_path, stems):
        seen = []
        report = write_demo(
            tmp_path / "new" / "demo", constant(0.5), progress=lambda done, total: seen.append((done, total))
        )
        assert sorted(path.name for path in report.folder.iterdir()) == [
            "mixture.wav", "spectrograms.png", "voice_alone.wav", "voice_removed.wav",
        ]  # fmt: skip
        mixture, music, voice = (
            soundfile.read(path, dtype="float32")[0].T for path in (report.mixture, report.music, report.voice)
        )
        np.testing.assert_allclose(mixture, stems.mixture, atol=1e-4)
        np.testing.assert_allclose(music, 0.5 * mixture, atol=1e-4)
        np.testing.assert_allclose(voice, 0.5 * mixture, atol=1e-4)
        assert report.latency_ms == pytest.approx(11.61, abs=0.01)
        assert report.audio_s == 20.0
        assert report.taken_out_db == pytest.approx(-6.02, abs=0.01)
        assert report.quality.removal_db == pytest.approx(6.02, abs=0.01)
        assert [label for label, _ in report.figures] == [
            "voice lowered by", "SDR of the music", "SDR of the voice", "latency", "speed",
        ]  # fmt: skip
        assert seen[-1] == (40 * RATE, 40 * RATE)
        assert seen == sorted(seen)
        assert matplotlib.image.imread(report.picture).shape[:2] == (1275, 1600)

    @pytest.mark.parametrize(
        ("n_channels", "n_samples", "sample_rate"),
        [(1, 1, 44100), (2, 8000, 8000), (6, 48000, 48000), (1, 280_000, 8000)],
    )
    def test_of_a_users_song_it_tells_what_can_be_known(self, tmp_path, n_channels, n_samples, sample_rate):
        sound = 0.1 * np.random.default_rng(0).standard_normal((n_samples, n_channels))
        soundfile.write(tmp_path / "my song.flac", sound, sample_rate)
        report = write_demo(tmp_path / "demo", constant(0.5), tmp_path / "my song.flac")
        assert report.quality is None
        assert dict(report.figures).keys() == {"latency", "speed", "taken out"}
        assert soundfile.info(report.music).frames == n_samples
        assert soundfile.info(report.music).channels == min(2, n_channels)
        assert report.picture.stat().st_size > 10_000
        assert len(report.notes) == (n_channels > 2)

    def test_silence_is_no_error(self, tmp_path):
        soundfile.write(tmp_path / "silence.wav", np.zeros((8000, 2)), 8000)
        report = write_demo(tmp_path / "demo", constant(0.5), tmp_path / "silence.wav")
        assert math.isfinite(report.taken_out_db)

    def test_an_earlier_demo_is_kept_unless_allowed(self, tmp_path):
        song = tmp_path / "song.wav"
        soundfile.write(song, np.full((1000, 1), 0.1), 8000)
        first = write_demo(tmp_path, constant(0.5), song)
        stamp = first.picture.stat().st_mtime_ns
        with pytest.raises(AudioFileError, match="exists already"):
            write_demo(tmp_path, constant(0.5), song)
        first.mixture.unlink(), first.music.unlink(), first.voice.unlink()
        with pytest.raises(AudioFileError, match=r"spectrograms.png: exists already"):
            write_demo(tmp_path, constant(0.5), song)
        assert first.picture.stat().st_mtime_ns == stamp
        write_demo(tmp_path, constant(0.5), song, overwrite=True)

    def test_what_cannot_be_used_is_told(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(AudioFileError, match="cannot be made"):
            write_demo(tmp_path / "file" / "demo", constant(0.5))
        with pytest.raises(AudioFileError, match="no such file"):
            write_demo(tmp_path / "demo", constant(0.5), tmp_path / "nowhere.wav")
        assert not (tmp_path / "demo").exists()
        song = tmp_path / "mixture.wav"
        soundfile.write(song, np.full((1000, 1), 0.1), 8000)
        with pytest.raises(AudioFileError, match="the input itself"):
            write_demo(tmp_path, constant(0.5), song, overwrite=True)
        assert soundfile.info(song).frames == 1000

    def test_a_picture_that_cannot_be_written_is_told_and_not_left(self, tmp_path, monkeypatch):
        def full(path, data):
            path.touch()
            raise OSError(28, "No space left on device")

        soundfile.write(tmp_path / "song.wav", np.full((1000, 1), 0.1), 8000)
        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(AudioFileError, match=r"spectrograms.png: cannot be written"):
            write_demo(tmp_path / "demo", constant(0.5), tmp_path / "song.wav")
        assert not (tmp_path / "demo" / "spectrograms.png").exists()
