"""Rendering: equal length, aligned, the same bits for every block size, in constant memory, all or nothing."""

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from rtkaraoke.errors import AudioFileError, GeometryError, PluginError
from rtkaraoke.files import probe
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks.onnx import load_model
from rtkaraoke.rendering import render, render_array, render_folder
from tests.support import interrupted, networks
from tests.support.models import constant

RATE = 44100


def song(seconds: float = 1.0, n_channels: int = 2, sample_rate: int = RATE) -> np.ndarray:
    rng = np.random.default_rng(1)
    return (0.2 * rng.standard_normal((n_channels, int(seconds * sample_rate)))).clip(-1, 1).astype(np.float32)


def write(path: Path, sound: np.ndarray, sample_rate: int = RATE, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, sound.T, sample_rate, subtype)
    return path


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


@pytest.fixture(scope="module")
def remembering(tmp_path_factory):
    """A real ONNX network whose mask depends on every frame so far."""
    path = networks.stateful_mask(tmp_path_factory.mktemp("network") / "stateful.onnx")
    return load_model(path, "cpu")


class TestWhatComesOut:
    @pytest.mark.parametrize("n_samples", [1, 255, 256, 4096, 44100, 50001])
    @pytest.mark.parametrize("n_channels", [1, 2])
    @pytest.mark.parametrize("stem", ["music", "voice"])
    def test_half_a_mask_gives_half_the_sound_in_place(self, n_samples, n_channels, stem):
        sound = song(2.0, n_channels)[:, :n_samples]
        out = render_array(sound, RATE, constant(0.5), stem=stem)
        assert out.shape == sound.shape
        np.testing.assert_allclose(out, 0.5 * sound, atol=1e-5)

    @pytest.mark.parametrize("sample_rate", [8000, 16000, 44100, 48000, 88200, 96000])
    @pytest.mark.parametrize("look_ahead", [0, 2])
    def test_aligned_at_every_rate_and_look_ahead(self, sample_rate, look_ahead):
        sound = song(0.3, 2, sample_rate)
        out = render_array(sound, sample_rate, constant(1.0, geometry=StftGeometry(44100, 2048, 256, look_ahead)))
        assert np.abs(out).max() < 1e-5
        voice = render_array(
            sound, sample_rate, constant(1.0, geometry=StftGeometry(44100, 2048, 256, look_ahead)), stem="voice"
        )
        np.testing.assert_allclose(voice, sound, atol=1e-5)

    @pytest.mark.parametrize("vocals_db", [-6.0, -20.0, -math.inf])
    def test_the_voice_has_the_level_asked_for(self, vocals_db):
        sound = song()
        out = render_array(sound, RATE, constant(1.0), vocals_db=vocals_db)
        np.testing.assert_allclose(out, 10 ** (vocals_db / 20) * sound, atol=1e-5)

    @pytest.mark.parametrize(("suffix", "subtype"), [(".wav", "PCM_16"), (".wav", "PCM_24"), (".flac", "PCM_24")])
    def test_at_0_db_a_file_comes_out_as_it_went_in(self, tmp_path, remembering, suffix, subtype):
        source = write(tmp_path / f"a{suffix}", song(), RATE, subtype)
        render(source, tmp_path / f"b{suffix}", network=remembering, vocals_db=0.0)
        np.testing.assert_array_equal(read(tmp_path / f"b{suffix}"), read(source))
        assert probe(tmp_path / f"b{suffix}").subtype == subtype

    def test_music_and_voice_sum_to_the_song(self, remembering):
        sound = song()
        parts = [render_array(sound, RATE, remembering, stem=stem) for stem in ("music", "voice")]
        assert all(np.abs(part).max() > 0.01 for part in parts)
        np.testing.assert_allclose(parts[0] + parts[1], sound, atol=1e-5)

    def test_a_file_gives_the_bits_of_an_array(self, tmp_path, remembering):
        sound = song(1.3)
        report = render(write(tmp_path / "a.wav", sound), tmp_path / "b.wav", network=remembering)
        np.testing.assert_array_equal(read(tmp_path / "b.wav"), render_array(sound, RATE, remembering))
        assert (report.n_samples, report.sample_rate, report.latency) == (57330, RATE, 512)
        assert report.audio_s == pytest.approx(1.3)
        assert report.real_time_factor > 0
        assert report.counters["hops"] == (57330 + 512) // 256
        assert report.counters["late"] == report.counters["nonfinite"] == 0
        assert report.notes == ()

    @settings(max_examples=12)
    @given(block=st.integers(1, 4096))
    def test_the_block_size_does_not_matter(self, remembering, block):
        sound = song(0.12)
        whole = render_array(sound, RATE, remembering)
        np.testing.assert_array_equal(render_array(sound, RATE, remembering, block=block), whole)

    def test_six_channels_keep_their_places(self, tmp_path, remembering):
        sound = song(0.5, 6)
        source = write(tmp_path / "a.wav", sound)
        report = render(source, tmp_path / "b.wav", network=remembering)
        out = read(tmp_path / "b.wav")
        np.testing.assert_array_equal(out[:2], render_array(sound[:2], RATE, remembering))
        np.testing.assert_array_equal(out[2:], sound[2:])
        assert len(report.notes) == 1
        assert "6 channels" in report.notes[0]
        voice = render_array(sound, RATE, remembering, stem="voice", block=100)
        np.testing.assert_allclose(out + voice, sound, atol=1e-5)

    def test_parameters_reach_the_remover(self, remembering):
        sound = song(0.2)
        bypassed = render_array(sound, RATE, remembering, parameters={"bypass": 1})
        np.testing.assert_array_equal(bypassed, sound)

    @pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
    def test_every_output_format_is_in_step_and_keeps_the_tags(self, tmp_path, suffix):
        sound = song()
        with soundfile.SoundFile(tmp_path / "a.flac", "w", RATE, 2) as file:
            file.title = "A song"
            file.write(sound.T)
        render(tmp_path / "a.flac", tmp_path / f"b{suffix}", network=constant(0.0))
        out = read(tmp_path / f"b{suffix}")
        assert out.shape == sound.shape
        assert np.argmax(np.correlate(out[0], sound[0, 5000:15000])) == 5000
        assert probe(tmp_path / f"b{suffix}").tags["title"] == "A song"

    def test_silence_stays_silence(self, remembering):
        assert not render_array(np.zeros((2, 5000), np.float32), RATE, remembering).any()

    def test_progress_ends_at_the_whole(self, tmp_path):
        seen = []
        render(
            write(tmp_path / "a.wav", song()),
            tmp_path / "b.wav",
            network=constant(0.5),
            progress=lambda done, total: seen.append((done, total)),
        )
        assert seen[-1] == (RATE, RATE)
        assert seen == sorted(seen)


class TestAllOrNothing:
    @pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
    def test_an_interrupted_render_leaves_nothing(self, tmp_path, error):
        def interrupt(done, total):
            if done > 10_000:
                raise error

        source = write(tmp_path / "a.wav", song())
        with pytest.raises(error):
            render(source, tmp_path / "b.wav", network=constant(0.5), progress=interrupt)
        assert list(tmp_path.iterdir()) == [source]

    def test_an_interrupted_process_leaves_nothing(self, tmp_path, root):
        source = write(tmp_path / "a.wav", song(60.0), subtype="PCM_16")
        code = (
            "import sys; from rtkaraoke.rendering import render; from rtkaraoke.masks.centre import CentreNetwork\n"
            "render(sys.argv[1], sys.argv[2], network=CentreNetwork(), block=64,\n"
            "       progress=lambda done, total: print(done, flush=True) if done < 20000 else None)"
        )
        command = [sys.executable, "-c", code, str(source), str(tmp_path / "b.wav")]
        with subprocess.Popen(
            command, cwd=root, env=interrupted.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as child:
            child.stdout.readline()
            time.sleep(0.1)
            child.send_signal(signal.SIGINT)
            error = child.communicate(timeout=30)[1]
        assert child.returncode != 0
        assert b"KeyboardInterrupt" in error
        assert list(tmp_path.iterdir()) == [source]

    @pytest.mark.parametrize("position", [0, 22050, 44099])
    def test_a_bad_sample_leaves_nothing(self, tmp_path, position):
        sound = song()
        sound[0, position] = np.nan
        source = write(tmp_path / "a.wav", sound)
        with pytest.raises(AudioFileError, match=f"sample {position} "):
            render(source, tmp_path / "b.wav", network=constant(0.5))
        assert list(tmp_path.iterdir()) == [source]

    def test_an_existing_file_is_kept_unless_allowed(self, tmp_path):
        source, target = write(tmp_path / "a.wav", song()), tmp_path / "b.wav"
        target.write_bytes(b"precious")
        with pytest.raises(AudioFileError, match="exists already"):
            render(source, target, network=constant(0.5))
        assert target.read_bytes() == b"precious"
        render(source, target, network=constant(0.5), overwrite=True)
        assert probe(target).n_samples == RATE

    def test_the_input_is_kept_even_when_overwriting(self, tmp_path):
        source = write(tmp_path / "a.wav", song())
        before = source.read_bytes()
        (tmp_path / "b.wav").symlink_to(source)
        for target in (source, tmp_path / "b.wav"):
            with pytest.raises(AudioFileError, match="input itself"):
                render(source, target, network=constant(0.5), overwrite=True)
        assert source.read_bytes() == before

    def test_what_the_engine_refuses_leaves_nothing(self, tmp_path):
        source, target = write(tmp_path / "a.wav", song()), tmp_path / "b.wav"
        with pytest.raises(PluginError, match="stem 'drums': there are music and voice"):
            render(source, target, network=constant(0.5), stem="drums")
        with pytest.raises(PluginError, match="nonsense"):
            render(source, target, network=constant(0.5), parameters={"nonsense": 1})
        with pytest.raises(PluginError, match="vocals"):
            render(source, target, network=constant(0.5), vocals_db=40)
        with pytest.raises(GeometryError, match="its own 48000 Hz only"):
            render(source, target, network=constant(0.5, geometry=StftGeometry(48000, 2000, 256)))
        assert list(tmp_path.iterdir()) == [source]

    def test_shapes_are_the_programmers_affair(self):
        with pytest.raises(ValueError, match=r"wanted \(channel, sample\)"):
            render_array(np.zeros(100, np.float32), RATE, constant(0.5))


class TestFolders:
    def test_a_folder_renders_as_a_folder(self, tmp_path):
        source, target = tmp_path / "songs", tmp_path / "out"
        (source / "deep" / "er").mkdir(parents=True)
        write(source / "one.wav", song(0.1))
        write(source / "deep" / "two.flac", song(0.1), subtype="PCM_16")
        write(source / "deep" / "er" / "three.aiff", song(0.1))
        write(source / "deep" / "er" / "three.au", song(0.1))
        (source / "cover.jpg").write_bytes(b"no sound")
        (source / "broken.mp3").write_bytes(b"no sound")
        (source / ".hidden.wav").write_bytes(b"no sound")
        seen = []
        report = render_folder(
            source, target, network=constant(0.5), on_file=lambda i, n, path: seen.append((i, n, path.name))
        )
        written = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
        assert written == ["deep/er/three.au.flac", "deep/er/three.flac", "deep/two.flac", "one.wav"]
        assert len(report.reports) == 4
        assert [path.name for path, _ in report.failures] == ["broken.mp3"]
        assert "holds no sound" in str(report.failures[0][1])
        assert [entry[:2] for entry in seen] == [(i, 5) for i in range(5)]

    def test_a_second_run_keeps_what_is_there_and_does_not_render_its_own_output(self, tmp_path):
        write(tmp_path / "one.wav", song(0.1))
        target = tmp_path / "no voice"
        first = render_folder(tmp_path, target, network=constant(0.5))
        stamp = (target / "one.wav").stat().st_mtime_ns
        second = render_folder(tmp_path, target, network=constant(0.5))
        assert (len(first.reports), len(first.failures)) == (1, 0)
        assert (len(second.reports), len(second.failures)) == (0, 1)
        assert (target / "one.wav").stat().st_mtime_ns == stamp
        assert len(render_folder(tmp_path, target, network=constant(0.5), overwrite=True).reports) == 1

    def test_folders_that_cannot_be_used(self, tmp_path):
        (tmp_path / "file").touch()
        (tmp_path / "empty").mkdir()
        for source, target, message in (
            ("nowhere", "out", "no such folder"),
            ("empty", "out", "holds no audio files"),
            ("empty", "file", "is a file"),
            ("empty", "empty", "input itself"),
        ):
            with pytest.raises(AudioFileError, match=message):
                render_folder(tmp_path / source, tmp_path / target, network=constant(0.5))


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs a child's peak memory")
def test_memory_does_not_depend_on_the_length(tmp_path, root):
    def peak_mb(minutes: int) -> float:
        source = tmp_path / f"{minutes}.flac"
        part = song(60.0, 2, 8000)
        with soundfile.SoundFile(source, "w", 8000, 2) as file:
            for _ in range(minutes):
                file.write(part.T)
        code = (
            "import sys; from rtkaraoke.rendering import render; from rtkaraoke.masks.centre import CentreNetwork\n"
            "print(render(sys.argv[1], sys.argv[2], network=CentreNetwork()).n_samples)"
        )
        child = subprocess.Popen([sys.executable, "-c", code, str(source), str(tmp_path / f"{minutes}.wav")], cwd=root)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        assert probe(tmp_path / f"{minutes}.wav").n_samples == minutes * 60 * 8000
        return usage.ru_maxrss / 1024

    assert abs(peak_mb(10) - peak_mb(1)) < 10  # held whole, nine minutes would take 35 MB
