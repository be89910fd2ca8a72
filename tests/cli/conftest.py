"""A user of their own for every test: a folder to be in, nothing remembered, no sound server."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from rtkaraoke.cli import main

STUB = Path(__file__).parent.parent / "support" / "no_sound_card"


class Answer(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Answer]


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "none-of-that-name")
    monkeypatch.setenv("COLUMNS", "80")
    return home


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: ``run("render", "song.wav") -> (code, out, err)``."""

    def call(*argv: object) -> Answer:
        code = main([str(word) for word in argv])
        return Answer(code, *capsys.readouterr())

    return call


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put an imaginary sound card in the place of PortAudio, here and in processes that are started."""

    def place(kind: str) -> None:
        monkeypatch.setenv("RTKARAOKE_TEST_CARD", kind)
        monkeypatch.syspath_prepend(str(STUB))
        for name in ("sounddevice", "rtmixer"):
            monkeypatch.delitem(sys.modules, name, raising=False)

    return place
