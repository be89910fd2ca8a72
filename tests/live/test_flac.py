"""Recordings: what was heard is in the file, and a disk that gives up stops nothing else."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtkaraoke.buses import Mic
from rtkaraoke.engine import Engine
from rtkaraoke.errors import AudioFileError, LiveError
from rtkaraoke.live import flac
from rtkaraoke.live.flac import FlacRecorder, FlacRecording
from rtkaraoke.plugins.gain import Gain
from tests.support.fake_live import FakeLive, noise

RATE = 44_100
STEP = 2.0**-23  # of 24 bits


def singing(signal) -> FakeLive:
    return FakeLive(Engine([], mics=[Mic("mic1", [Gain()])]), signal, mic_in=(3,))


def test_what_is_heard_is_in_the_file(tmp_path):
    live = singing(noise(40_000, 3))
    with FlacRecording(tmp_path / "night.flac", live.host.engine) as recording:
        live.play(20)
        live.host.recording = recording
        live.play(100)
        live.host.recording = None
        live.play(20)
    heard = live.device.played[512:]
    recorded, rate = soundfile.read(tmp_path / "night.flac", dtype="float32")
    start = 20 * 128
    np.testing.assert_allclose(recorded, np.clip(heard[start : start + len(recorded)], -1, 1), atol=STEP)
    assert len(recorded) == 100 * 128
    assert rate == RATE
    assert recording.seconds == len(recorded) / RATE
    assert (recording.error, recording.lost) == ("", 0)


def test_music_and_voices_go_to_files_of_their_own(tmp_path):
    signal = noise(40_000, 3)
    live = singing(signal)
    with FlacRecording(tmp_path / "night.flac", live.host.engine, apart=True) as recording:
        live.host.recording = recording
        live.play(100)
    music, _ = soundfile.read(tmp_path / "night.music.flac", dtype="float32")
    voices, _ = soundfile.read(tmp_path / "night.voices.flac", dtype="float32")
    n_samples = 100 * 128
    np.testing.assert_allclose(music, signal[:n_samples, :2], atol=STEP)
    np.testing.assert_allclose(voices, np.repeat(signal[:n_samples, 2:], 2, axis=1), atol=STEP)
    assert not (tmp_path / "night.flac").exists()


def test_voices_apart_need_microphones(tmp_path):
    with Engine([Gain()]) as engine:
        engine.prepare(RATE, 2, 256)
        with pytest.raises(LiveError, match="nobody sings here"):
            FlacRecording(tmp_path / "night.flac", engine, apart=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("night.wav", LiveError, r"recordings are \.flac files"),
        ("there.flac", AudioFileError, "exists already"),
        ("nowhere/night.flac", AudioFileError, "does not exist"),
    ],
)
def test_a_file_that_cannot_be_is_refused(tmp_path, name, error, words):
    (tmp_path / "there.flac").touch()
    with pytest.raises(error, match=words):
        FlacRecorder(tmp_path / name, 2, RATE)


def test_the_second_of_two_files_that_cannot_be_leaves_no_thread(tmp_path):
    (tmp_path / "night.voices.flac").touch()
    live = singing(noise(1_000, 3))
    with pytest.raises(AudioFileError, match="exists already"):
        FlacRecording(tmp_path / "night.flac", live.host.engine, apart=True)


def until(condition, timeout_s=20.0):
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)
    return result


def test_a_disk_that_gets_full_ends_the_recording_and_keeps_what_there_is(tmp_path, monkeypatch):
    monkeypatch.setattr(flac, "LOOK_S", 0.0)
    signal = noise(80_000, 3)
    live = singing(signal)
    with FlacRecording(tmp_path / "night.flac", live.host.engine) as recording:
        live.host.recording = recording
        live.play(100)
        until(lambda: recording.seconds >= 100 * 128 / RATE)
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(flac.shutil, "disk_usage", lambda _: usage._replace(free=1 << 20))
        live.play(100)
        assert "the recording ended, the music goes on (the disk has only 1 MiB left" in until(lambda: recording.error)
        live.play(100)
    assert live.stream.counters.xruns == 0
    recorded, _ = soundfile.read(tmp_path / "night.flac", dtype="float32")
    assert len(recorded) == 100 * 128
    with pytest.raises(LiveError, match="only 1 MiB left"):
        FlacRecorder(tmp_path / "another.flac", 2, RATE)


PROGRAM = """
import resource, sys
from pathlib import Path
import numpy as np
from rtkaraoke.live.flac import FlacRecorder
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
noise = np.random.default_rng(0).uniform(-0.5, 0.5, (44_100, 2)).astype(np.float32)
with FlacRecorder(Path(sys.argv[1]), 2, 44_100) as recorder:
    for _ in range(3):
        recorder.write(noise)
print(recorder.error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a file's size are Unix's")
def test_a_file_that_may_not_grow_keeps_what_was_written(tmp_path):
    path = tmp_path / "night.flac"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, path],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert "the recording ended, the music goes on" in done.stdout
    assert done.stderr == ""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (44_100, 2)).astype(np.float32)
    with soundfile.SoundFile(path) as file:
        recorded = file.read(20_000, dtype="float32")
    np.testing.assert_allclose(recorded, noise[:20_000], atol=STEP)


def test_what_the_disk_is_too_slow_for_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(FlacRecorder, "_run", lambda self: None)
    with FlacRecorder(tmp_path / "slow.flac", 1, 1000) as recorder:
        recorder.write(np.zeros((3_900, 1), np.float32))
        recorder.write(np.zeros((200, 1), np.float32))
        assert recorder.lost == 200
