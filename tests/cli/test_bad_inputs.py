"""Whatever is wrong with the input: exit code 2, a clear message, no traceback, and not a byte changed on the disk."""

import errno
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile

from tests.cli.conftest import Run
from tests.cli.materials import make


class Case(NamedTuple):
    name: str
    argv: str
    fragments: tuple[str, ...]
    card: str = ""  # what tests/support/no_sound_card plays


CENTRE = "--model centre"
CASES = [
    # the song
    Case("missing", f"render nowhere.wav {CENTRE}", ("nowhere.wav", "no such file")),
    Case("missing folder", f"render nowhere/song.wav {CENTRE}", ("nowhere/song.wav", "no such file")),
    Case("empty", f"render empty.wav {CENTRE}", ("empty.wav", "empty (0 bytes)")),
    Case("no samples", f"render no_samples.wav {CENTRE}", ("no_samples.wav", "no samples")),
    Case("truncated wav", f"render truncated.wav {CENTRE}", ("truncated.wav", "truncated")),
    Case("truncated flac", f"render truncated.flac {CENTRE}", ("truncated.flac", "damaged|truncated")),
    Case("text", f"render text.mp3 {CENTRE}", ("text.mp3", "no sound")),
    Case("picture", f"render picture.wav {CENTRE}", ("picture.wav", "no sound")),
    Case("NaN", f"render nan.wav {CENTRE}", ("nan.wav", "1234", "channel 2", "nan")),
    Case("infinity", f"render inf.wav {CENTRE}", ("inf.wav", "1234", "inf")),
    Case("0 Hz", f"render zero_hz.wav {CENTRE}", ("zero_hz.wav", "0 Hz")),
    Case("1 GHz", f"render giga_hz.wav {CENTRE}", ("giga_hz.wav", "1000000000 Hz", "384000")),
    Case("300 channels", f"render wide.wav {CENTRE}", ("wide.wav", "300 channels", "64")),
    Case("empty folder", f"render nothing {CENTRE}", ("nothing", "no audio files")),
    Case("one bad file in a folder", f"render album out {CENTRE}", ("two.wav", "1 of 2 files written")),
    Case("demo of a missing song", f"demo nowhere.wav {CENTRE} --out nothing", ("nowhere.wav", "no such file")),
    # the target
    Case("target folder missing", f"render song.wav no/such/out.wav {CENTRE}", ("no/such", "does not exist")),
    Case("target exists", f"render song.wav there.wav {CENTRE}", ("there.wav", "exists already", "--force")),
    Case("target is the song", f"render song.wav song.wav --force {CENTRE}", ("song.wav", "input itself")),
    Case("target is the song by a link", f"render song.wav again.wav --force {CENTRE}", ("again.wav", "input itself")),
    Case("folder onto itself", f"render album album --force {CENTRE}", ("album", "input itself")),
    Case("folder onto a file", f"render album taken {CENTRE}", ("taken", "is a file")),
    Case("unknown format", f"render song.wav out.xyz {CENTRE}", ("out.xyz", ".xyz", ".flac")),
    Case("no format", f"render song.wav out {CENTRE}", ("out", "suffix", ".flac")),
    Case("demo would overwrite", f"demo song.wav --out album/one.wav {CENTRE}", ("album/one.wav", "cannot be made")),
    # the network
    Case("unknown network", "render song.wav --model nobody", ("nobody", "live")),
    Case("network file missing", "render song.wav --model no/such.onnx", ("no/such.onnx",)),
    Case("corrupt network", "render song.wav --model corrupt.onnx", ("corrupt.onnx", "cannot load")),
    Case("noise as network", "render song.wav --model noise.onnx", ("noise.onnx", "cannot load")),
    Case("text as network", "render song.wav --model words.onnx", ("words.onnx", "no ONNX file")),
    Case("song as network", "render song.wav --model there.wav", ("there.wav", "no ONNX file")),
    Case("empty network", "render song.wav --model empty.onnx", ("empty.onnx", "empty")),
    Case("foreign network", "render song.wav --model foreign.onnx", ("rtkaraoke.contract", "missing")),
    Case("hop missing", "render song.wav --model no_hop.onnx", ("rtkaraoke.hop", "missing")),
    Case("hop wrong", "render song.wav --model wrong_hop.onnx", ("rtkaraoke.hop", "'many'", "integer")),
    Case("rate wrong", "render song.wav --model wrong_rate.onnx", ("sample_rate", "'0'")),
    Case("contract of the future", "render song.wav --model wrong_version.onnx", ("version 99", "wanted 1")),
    Case("channels wrong", "render song.wav --model wrong_channels.onnx", ("n_channels", "7", "1 or 2")),
    Case("scores wrong", "render song.wav --model wrong_scores.onnx", ("scores", "JSON")),
    Case("bins wrong", "render song.wav --model wrong_bins.onnx", ("spectrum", "1025", "513")),
    Case("mask above 1", "render song.wav --model too_much.onnx", ("mask", "1.5", "0 to 1")),
    Case("no mask", "render song.wav --model no_mask.onnx", ("'mask'", "'answer'")),
    Case("unknown provider", f"render song.wav {CENTRE} --provider tpu", ("tpu", "auto", "cuda", "--help")),
    Case("no CUDA", "render song.wav --model good.onnx --provider cuda", ("CUDA|NVIDIA|cuda",)),
    # presets
    Case("unknown preset", f"render song.wav {CENTRE} --preset karaoke", ("'karaoke'", "live", "playback")),
    Case("preset file missing", f"render song.wav {CENTRE} --preset x/y.toml", ("x/y.toml", "no such preset")),
    Case("preset: syntax", f"render song.wav {CENTRE} --preset syntax.toml", ("syntax.toml", "line 2", "column 9")),
    Case("preset: key", f"render song.wav {CENTRE} --preset unknown_key.toml", ("line 3", "blok", "'block'")),
    Case("preset: type", f"render song.wav {CENTRE} --preset wrong_type.toml", ("line 2", "live.block", '"big"')),
    Case("preset: range", f"render song.wav {CENTRE} --preset out_of_range.toml", ("line 2", "live.prefill", "-1")),
    Case("preset: binary", f"render song.wav {CENTRE} --preset binary.toml", ("binary.toml", "UTF-8")),
    Case(
        "preset: plugin",
        f"render song.wav {CENTRE} --preset plugin.toml",
        ("plugin.toml:2", "autotune", "vocal_remover, compressor"),
    ),
    Case("preset: parameter", f"render song.wav {CENTRE} --preset parameter.toml", ("parameter.toml:2", "volume")),
    Case("preset: value", f"render song.wav {CENTRE} --preset value.toml", ("value.toml:3", "99", "0.25 to 4")),
    Case("preset: choice", f"render song.wav {CENTRE} --preset choice.toml", ("choice.toml:2", "prayer", "centre")),
    Case("preset: twice", f"render song.wav {CENTRE} --preset twice.toml", ("twice.toml:2", "two plugins")),
    Case("preset of live", "live --preset unknown_key.toml", ("unknown_key.toml, line 3", "blok")),
    # options
    Case("unknown command", "rendr song.wav", ("rendr", "render")),
    Case("unknown option", "render song.wav --vocal -3", ("--vocal", "--vocals", "render --help")),
    Case("no song", "render", ("SONG", "render --help")),
    Case("too many songs", f"render song.wav out.wav more.wav {CENTRE}", ("more than was expected: more.wav",)),
    Case("unknown stem", "render song.wav --stem drums", ("drums", "music", "voice")),
    Case("vocals too loud", f"render song.wav {CENTRE} --vocals 6", ("--vocals", "6", "-90 to 0")),
    Case("vocals no number", f"render song.wav {CENTRE} --vocals loud", ("--vocals", "loud")),
    Case("vocals NaN", f"render song.wav {CENTRE} --vocals nan", ("--vocals", "nan")),
    Case("strength too high", f"render song.wav {CENTRE} --strength 99", ("--strength", "99", "0.25 to 4")),
    Case("unknown plugin", f"render song.wav {CENTRE} --set reverb.mix=1", ("reverb", "vocal_remover")),
    Case("unknown parameter", f"render song.wav {CENTRE} --set limiter.colour=1", ("colour", "ceiling")),
    Case("no assignment", f"render song.wav {CENTRE} --set limiter", ("--set limiter", "PLUGIN.PARAMETER=VALUE")),
    Case("budget of no time", f"render song.wav {CENTRE} --latency-budget 0", ("--latency-budget", "greater than 0")),
    Case(
        "budget too small",
        f"render song.wav {CENTRE} --latency-budget 5",
        ("budget of 5 ms", "vocal_remover 512", "limiter 0", "11.6 ms"),
    ),
    Case("negative block", f"live {CENTRE} --block -128", ("--block", "-128", "greater than or equal to 16")),
    Case("prefill below block", f"live {CENTRE} --block 512 --prefill 128", ("prefill", "128", "512")),
    Case("channel 0", f"live {CENTRE} --channels 0,1", ("--channels", "0", "greater than or equal to 1")),
    Case("channels no numbers", f"live {CENTRE} --channels left", ("--channels left", "1,2")),
    Case("voice onto the music", f"live {CENTRE} --voice-out 1,2", ("voice_out", "share a channel")),
    Case("rate of 0 Hz", f"live {CENTRE} --sample-rate 0", ("--sample-rate", "0", "2000")),
    Case("rate of 1 GHz", f"play song.wav {CENTRE} --sample-rate 1000000000", ("--sample-rate", "384000")),
    Case("play: missing", f"play nowhere.wav {CENTRE}", ("nowhere.wav", "no such file")),
    Case("play: a folder", f"play album {CENTRE}", ("album", "is a folder")),
    Case("play: no sound", f"play text.mp3 {CENTRE}", ("text.mp3", "no sound")),
    # the sound card
    Case("no PortAudio: devices", "devices", ("apt-get install libportaudio2",), "missing"),
    Case("no PortAudio: live", f"live {CENTRE}", ("apt-get install libportaudio2",), "missing"),
    Case("no device", f"play song.wav {CENTRE}", ("no output device", "rtkaraoke render"), "none"),
    Case("unknown device", f"live {CENTRE} --output Loudhailer", ("'Loudhailer'", "'Card'"), "busy"),
    Case("unknown index", f"live {CENTRE} --input 17 --output 0", ("17", "'Card'"), "busy"),
    Case("too few channels", f"live {CENTRE} --channels 7,8", ("2 channels", "8", "--channels"), "busy"),
    Case("unsupported rate", f"live {CENTRE} --sample-rate 8000", ("8000 Hz", "Invalid sample rate", "44100"), "busy"),
    Case("own monitor", f"live {CENTRE} --input Monitor --output 0", ("monitor", "its own input"), "busy"),
    Case("busy device", f"live {CENTRE}", ("'Card'", "Device unavailable", "another program"), "busy"),
]


@pytest.fixture(scope="module")
def materials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("materials")
    make(folder)
    return folder


def disk(folder: Path) -> dict[str, str]:
    """Every file with its content's hash."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in folder.rglob("*")
    }


def test_there_are_enough_and_no_two_are_alike() -> None:
    assert len(CASES) >= 40
    assert (
        len({case.name for case in CASES})
        == len({case.argv for case in CASES if not case.card} | {case.argv + case.card for case in CASES if case.card})
        == len(CASES)
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_refused(
    case: Case, materials: Path, run: Run, card: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(materials)
    if case.card:
        card(case.card)
    before = disk(materials)
    answer = run(*case.argv.split())
    after = disk(materials)
    assert answer.code == 2
    assert answer.err.startswith("rtkaraoke: ")
    assert "Traceback" not in answer.err
    assert not re.search(r"\w(Error|Exception)\b", answer.err.replace("PaError", "")), "a Python name"
    for fragment in case.fragments:
        assert any(option in answer.err for option in fragment.split("|")), answer.err
    if case.name == "one bad file in a folder":  # the good one is there, whole
        assert set(after) - set(before) == {"out", "out/one.wav"}
        assert soundfile.info(materials / "out" / "one.wav").frames == 4_000
        (materials / "out" / "one.wav").unlink()
        (materials / "out").rmdir()
    else:
        assert after == before
        assert answer.out == ""


def test_a_full_disk_is_told_and_nothing_stays(materials: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from rtkaraoke.files import writer

    class FullDisk(writer.Sink):
        def write(self, data: bytes) -> int:
            self.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return len(data)

    monkeypatch.setattr(writer, "Sink", FullDisk)
    monkeypatch.chdir(materials)
    before = disk(materials)
    answer = run("render", "song.wav", "out.flac", "--model", "centre")
    assert answer.code == 2
    assert "the disk is full" in answer.err
    assert disk(materials) == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on file sizes")
def test_a_file_that_may_not_grow_is_told_and_nothing_stays(tmp_path: Path) -> None:
    import resource

    soundfile.write(tmp_path / "long.wav", np.zeros((60 * 16_000, 2)), 16_000)
    limit = 2_000_000
    done = subprocess.run(
        [sys.executable, "-m", "rtkaraoke", "render", "long.wav", "out.wav", "--model", "centre"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 2, done.stderr
    assert "out.wav: cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"home", "long.wav"}


@pytest.mark.skipif(sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may all")
def test_a_folder_without_permission_is_told(materials: Path, run: Run, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    answer = run("render", materials / "song.wav", closed / "out.wav", "--model", "centre")
    assert answer.code == 2
    assert "ermission" in answer.err


@pytest.mark.parametrize("argv", ["render nowhere.wav --model centre", "render song.wav --preset syntax.toml", "rendr"])
def test_the_true_program_answers_the_same(materials: Path, argv: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rtkaraoke", *argv.split()],
        cwd=materials,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("rtkaraoke: ")
    assert "Traceback" not in done.stderr
