"""``night`` refuses what cannot work, with a way out, before anything sounds."""

import socket
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtkaraoke.cli import evening
from rtkaraoke.cli.options import Common
from rtkaraoke.errors import NightError
from rtkaraoke.web.serve import listen
from tests.cli.conftest import Run


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    folder = tmp_path / "songs"
    folder.mkdir()
    soundfile.write(folder / "song.wav", np.zeros((100, 2), np.float32), 44_100)
    return folder


def test_a_folder_that_is_missing_is_named(run: Run, tmp_path: Path) -> None:
    answer = run("night", tmp_path / "nothing")
    assert (answer.code, answer.out) == (2, "")
    assert "nothing: no such folder" in answer.err


def test_a_file_is_no_folder(run: Run, songs: Path) -> None:
    answer = run("night", songs / "song.wav")
    assert answer.code == 2
    assert "wanted a folder of songs" in answer.err


def test_without_the_extra_the_way_out_is_told(run: Run, songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evening, "NEEDED", ("starlette", "no_such_package"))
    answer = run("night", songs)
    assert answer.code == 2
    assert "no_such_package" in answer.err
    assert "pip install rtkaraoke[web]" in answer.err.replace("\n", " ")


def test_a_port_that_is_taken_is_told(run: Run, songs: Path) -> None:
    with listen(0) as other:
        other.listen()
        answer = run("night", songs, "--port", other.getsockname()[1])
    assert answer.code == 2
    assert "--port 0" in answer.err


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_port_that_cannot_be_is_told(run: Run, songs: Path, port: int) -> None:
    answer = run("night", songs, f"--port={port}")
    assert answer.code == 2
    assert str(port) in answer.err


@pytest.mark.parametrize("pin", ["1", "x" * 65])
def test_a_pin_that_is_too_short_or_too_long_is_told(run: Run, songs: Path, pin: str) -> None:
    answer = run("night", songs, "--host-pin", pin)
    assert answer.code == 2
    assert "--host-pin" in answer.err


def test_more_microphones_than_there_can_be_are_told(run: Run, songs: Path) -> None:
    answer = run("night", songs, "--mics", "99")
    assert answer.code == 2
    assert "wanted 0 to 8" in answer.err.replace("\n", " ")


@pytest.mark.parametrize("n_mics", [0, 1, 2])
def test_the_preset_of_a_night_builds_with_as_many_microphones_as_there_are(n_mics: int) -> None:
    from rtkaraoke.cli import build
    from rtkaraoke.masks.centre import CentreNetwork

    settings = evening.with_mics(Common().settings("night"), n_mics)
    with build.engine(settings, CentreNetwork(), mics=True) as engine:
        engine.prepare(44_100, 2, 256)
        names = {info.name for info in engine.layout()}
        assert {"vocal_remover", "reverb.reverb", "music", "limiter"} <= names
        assert ("mic1.echo" in names, "mic2.echo" in names, "duck" in names) == (n_mics > 0, n_mics > 1, n_mics > 0)
        assert all(mic.latency == 0 for mic in engine.mics)
    assert [mic.channels for mic in settings.config.mics.values()] == [(1,), (2,)][:n_mics]


def test_no_device_for_the_microphones_says_how_to_do_without(songs: Path, run: Run) -> None:
    answer = run("night", songs, "--port", 0, "--input", "kazoo", "--model", "centre")
    assert answer.code == 2
    assert "--mics" in answer.err or "PortAudio" in answer.err


def test_only_this_machine_is_listened_to_unless_asked_for() -> None:
    with listen(0) as alone, listen(0, lan=True) as lan:
        assert alone.getsockname()[0] == "127.0.0.1"
        assert lan.getsockname()[0] == "0.0.0.0"
        assert alone.proto == socket.IPPROTO_TCP  # without it every answer waits 40 ms


def test_every_folder_has_a_place_of_its_own(songs: Path, tmp_path: Path) -> None:
    def place(folder: Path) -> Path:
        return evening.Wishes(folder, False, 0, "", None, None).place

    assert place(songs) == place(songs / ".." / "songs")
    assert place(songs) != place(tmp_path)


def test_with_mics_leaves_a_preset_alone_that_nothing_was_said_about() -> None:
    settings = Common().settings("night")
    assert evening.with_mics(settings, None) is settings
    with pytest.raises(NightError, match="0 to 8"):
        evening.with_mics(settings, -1)
