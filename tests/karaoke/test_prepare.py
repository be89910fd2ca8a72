"""Voices separated ahead: in another process, kept, and given to the deck."""

import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtkaraoke.errors import ModelError
from rtkaraoke.karaoke.prepare import Voices, main
from rtkaraoke.masks.centre import CentreNetwork
from rtkaraoke.rendering import render
from rtkaraoke.transport import Deck
from tests.support.transport import load, take, until

pytestmark = pytest.mark.timeout(300)  # a process that gives way to all others
RATE = 22_050


def song(path: Path, seed: int = 0, seconds: float = 1.0) -> Path:
    """Something in the middle, something else at the sides."""
    rng = np.random.default_rng(seed)
    middle, side = rng.uniform(-0.2, 0.2, (2, round(seconds * RATE)))
    soundfile.write(path, np.stack([middle + side, middle - side], axis=1), RATE)
    return path


@pytest.fixture
def voices(tmp_path: Path):
    with Voices(tmp_path / "voices", "centre") as voices:
        yield voices


def separate(voices: Voices, *songs: Path) -> None:
    """Until there is nothing more to be done."""

    def done() -> bool:
        voices.tick(songs)
        return voices.busy_with is None

    until(done, within_s=100)  # it gives way to whatever else the machine does


def test_the_voice_is_what_render_makes_of_the_song(voices: Voices, tmp_path: Path) -> None:
    path = song(tmp_path / "song.wav")
    assert voices.find(path) is None
    separate(voices, path)
    found = voices.find(path)
    assert found is not None
    render(path, tmp_path / "voice.flac", network=CentreNetwork(), stem="voice")
    np.testing.assert_array_equal(soundfile.read(found)[0], soundfile.read(tmp_path / "voice.flac")[0])
    with Deck() as deck:
        deck.prepare(RATE, 2)
        load(deck, path, 1, voice=str(found))
        deck.command("next", 0.0)
        take(deck, 1000)
        assert deck.status["prepared"] == 1
    # Another network and another file want other voices.
    with Voices(tmp_path / "voices", "playback") as others:
        assert others.find(path) is None
    assert voices.find(path) is not None
    song(path, seed=1, seconds=1.1)
    assert voices.find(path) is None
    path.unlink()
    assert voices.find(path) is None


def test_the_most_urgent_comes_first_and_what_is_unwanted_is_given_up(voices: Voices, tmp_path: Path) -> None:
    long, short = song(tmp_path / "long.wav", seconds=200.0), song(tmp_path / "short.wav")
    voices.tick([long, short])
    assert voices.busy_with == long
    voices.tick([short])
    assert voices.busy_with == short
    separate(voices, short)
    assert voices.find(long) is None
    assert voices.find(short) is not None
    assert not voices.notes
    assert len(list((tmp_path / "voices").glob("*.flac"))) == 1


def test_what_cannot_be_separated_is_told_once_and_the_next_one_goes_on(voices: Voices, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_text("no music")
    good = song(tmp_path / "good.wav")
    separate(voices, tmp_path / "missing.wav", bad, good)
    separate(voices, bad, good)
    assert voices.find(good) is not None
    assert len(voices.notes) == 1
    assert "bad.wav" in voices.notes[0]


def test_the_folder_stays_within_its_size(tmp_path: Path) -> None:
    songs = [song(tmp_path / f"{number}.wav", number) for number in range(3)]
    with Voices(tmp_path / "voices", "centre", max_bytes=200_000) as voices:
        for age, each in enumerate(songs[:2]):
            voices._voice(each).write_bytes(bytes(90_000))
            os.utime(voices._voice(each), (age, age))
        second = voices.find(songs[1])
        separate(voices, songs[2])
        assert voices.find(songs[0]) is None
        assert voices.find(songs[1]) == second
        assert voices.find(songs[2]) is not None


def test_closing_ends_the_process_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with path.open("wb") as file:  # two hours of silence, so that it cannot be done before it is closed
        n_bytes = 2 * 3600 * RATE * 2
        file.write(b"RIFF" + struct.pack("<I", 36 + n_bytes) + b"WAVEfmt ")
        file.write(struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16) + b"data" + struct.pack("<I", n_bytes))
        file.truncate(44 + n_bytes)  # takes no room on most disks
    voices = Voices(tmp_path / "voices", "centre")
    voices.tick([path])
    process = voices._running[0]
    until(lambda: bool(list((tmp_path / "voices").iterdir())), within_s=100)
    voices.close()
    voices.close()
    assert process.returncode is not None
    assert sys.platform == "win32" or not list((tmp_path / "voices").iterdir())


def test_what_a_killed_process_has_left_is_swept_up(tmp_path: Path) -> None:
    old, young = tmp_path / ".rtkaraoke-1.part", tmp_path / ".rtkaraoke-2.part"
    for path in (old, young):
        path.touch()
    os.utime(old, (1, 1))
    Voices(tmp_path, "centre").close()
    assert not old.exists()
    assert young.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there the process begins with its priority")
def test_it_has_the_lowest_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(os, "nice", asked.append)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main([str(song(tmp_path / "song.wav")), str(tmp_path / "voice.flac"), "centre"]) == 0
    assert asked == [19]


def test_a_network_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there are free, live, playback, ultra"):
        Voices(tmp_path / "voices", "future")
