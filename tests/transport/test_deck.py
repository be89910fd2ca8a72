"""An evening on a deck: songs follow each other without a gap or a click, and no file stops the sound."""

import gc
import json
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtkaraoke.errors import RtkaraokeError
from rtkaraoke.transport import FADE_S, Deck
from tests.support.transport import load, settled, sine, take, until

RATE = 16_000
FADE = round(FADE_S * RATE)


@pytest.fixture
def deck():
    with Deck() as deck:
        deck.prepare(RATE, 2)
        yield deck


@pytest.fixture
def levels(tmp_path: Path) -> list[Path]:
    """Three songs of three seconds, each of one value."""
    paths = [tmp_path / f"{number}.wav" for number in range(3)]
    for path, value in zip(paths, (0.5, 0.25, -0.5), strict=True):
        soundfile.write(path, np.full((3 * RATE, 2), value, np.float32), RATE, subtype="FLOAT")
    return paths


def test_an_empty_deck_plays_silence_and_says_so(deck: Deck) -> None:
    block = np.ones((2, 5000), np.float32)
    assert deck.read(block) == 0
    assert not block.any()
    status = deck.status
    assert (status["serial"], status["loaded"], status["failed"], status["key"], status["tempo"]) == (0, 0, 0, 0, 100)
    assert deck.heard(3000) == (0, 0.0)


def test_the_next_song_is_prepared_beside_the_one_that_plays(deck: Deck, levels: list[Path]) -> None:
    load(deck, levels[0], 7)
    assert deck.status["serial"] == 0
    assert not take(deck, 1000).any()
    deck.command("next", 0.0)
    assert (take(deck, 2000)[:, FADE:] == 0.5).all()
    load(deck, levels[1], 8, key=2, tempo=90)
    status = deck.status
    assert (status["serial"], status["loaded"], status["key"]) == (7, 8, 0)
    assert (take(deck, 1000) == 0.5).all()
    deck.command("next", 0.0)
    take(deck, 2000)
    status = deck.status
    assert (status["serial"], status["loaded"], status["key"], status["tempo"]) == (8, 0, 2, 90)
    assert [deck.heard(n)[0] for n in (999, 1000, 3999, 4000)] == [0, 7, 7, 8]
    assert deck.heard_s(2000) == 1000 / RATE


def test_next_may_come_before_the_song_is_ready(deck: Deck, levels: list[Path]) -> None:
    deck.command("load", 0, json.dumps({"path": str(levels[0]), "serial": 1}))
    deck.command("next", 0.0)
    until(lambda: take(deck, 128).any())
    assert deck.status["serial"] == 1


def test_what_is_loaded_after_next_does_not_take_its_place(deck: Deck, levels: list[Path]) -> None:
    for serial, path in enumerate(levels, 1):
        deck.command("load", 0.0, json.dumps({"path": str(path), "serial": serial}))
        if serial == 2:
            deck.command("next", 0.0)
    until(lambda: take(deck, 128).any() and deck.status["loaded"] == 3)
    assert deck.status["serial"] == 2


def test_a_cross_fade_keeps_the_power_and_does_not_click(deck: Deck, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(2):
        noise = 0.2 * rng.standard_normal((6 * RATE, 2))
        soundfile.write(tmp_path / f"noise{number}.wav", noise, RATE, subtype="FLOAT")
    load(deck, tmp_path / "noise0.wav", 1)
    deck.command("next", 0.0)
    take(deck, RATE)
    load(deck, tmp_path / "noise1.wav", 2)
    deck.command("next", 2.0)
    played = take(deck, 3 * RATE, block=500)
    power = [np.mean(part**2) for part in np.array_split(played[0], 12)]
    np.testing.assert_allclose(power, 0.04, rtol=0.15)
    expected = soundfile.read(tmp_path / "noise1.wav", dtype="float32")[0].T
    np.testing.assert_array_equal(played[:, 2 * RATE :], expected[:, 2 * RATE : 3 * RATE])


def test_nothing_that_is_done_clicks(deck: Deck, tmp_path: Path) -> None:
    paths = [sine(tmp_path / f"{hz}.wav", RATE, 20.0, hz=hz) for hz in (110, 150, 190)]
    load(deck, paths[0], 1)
    deck.command("next", 0.0)
    parts = [take(deck, 1777)]
    for number, seconds in enumerate((0.0, 1.0, 0.5, 0.0, 3.0, 3.0)):
        load(deck, paths[number % 3], number + 2)
        deck.command("next", seconds)
        parts.append(take(deck, 1777))  # often before the cross-fade is over
        deck.command("seek", 3.3)
        settled(deck)
        parts.append(take(deck, 1777))
        deck.command("pause", 1.0)
        parts.append(take(deck, 777))
        deck.command("pause", 0.0)
        deck.command("tempo", 90.0 + number)
        settled(deck)
        parts.append(take(deck, 1777))
    deck.command("stop", 0.0)
    parts.append(take(deck, 1777))
    assert not parts[-1][:, -100:].any()
    assert deck.status["serial"] == 0
    played = np.concatenate(parts, axis=1)[0]
    loudest = np.abs(played).max()
    step = loudest * 2 * np.pi * 190 / RATE + loudest * np.pi / FADE
    assert np.abs(np.diff(played)).max() < step


def test_a_song_follows_by_itself_without_a_gap(deck: Deck, levels: list[Path]) -> None:
    deck.command("follow", 0.0)
    load(deck, levels[0], 1)
    deck.command("next", 0.0)
    take(deck, RATE)
    load(deck, levels[1], 2)
    played = take(deck, 3 * RATE, block=333)[0]
    assert (played[: 2 * RATE] == 0.5).all()
    assert (played[2 * RATE + FADE :] == 0.25).all()
    assert [deck.heard(n)[0] for n in (3 * RATE - 1, 3 * RATE)] == [1, 2]


def test_a_seek_beside_a_song_that_follows_goes_on_playing(deck: Deck, levels: list[Path]) -> None:
    deck.command("follow", 0.5)
    load(deck, levels[0], 1)
    deck.command("next", 0.0)
    take(deck, RATE)
    load(deck, levels[1], 2)
    deck.command("seek", 0.5)
    settled(deck)
    played = take(deck, RATE, block=333)
    assert (played[:, FADE:] == 0.5).all()
    assert (played >= 0.5).all()  # one place fades into the other with constant power
    assert deck.status["serial"] == 1


@pytest.mark.parametrize("block", [128, 1000])
def test_a_song_follows_cross_fading_so_long_before_the_end(deck: Deck, levels: list[Path], block: int) -> None:
    deck.command("follow", 1.0)
    load(deck, levels[0], 1)
    deck.command("next", 0.0)
    take(deck, RATE, block=block)
    load(deck, levels[1], 2)
    take(deck, 3 * RATE, block=block)
    assert [deck.heard(n)[0] for n in (2 * RATE - 1, 2 * RATE)] == [1, 2]
    deck.command("follow", -1.0)
    load(deck, levels[2], 3)
    take(deck, 3 * RATE, block=block)
    assert (deck.status["serial"], deck.status["ended"]) == (2, 1)


def test_a_paused_deck_stays_paused_with_the_next_song(deck: Deck, levels: list[Path]) -> None:
    load(deck, levels[0], 1)
    deck.command("next", 0.0)
    take(deck, 2000)
    deck.command("pause", 1.0)
    take(deck, 1000)
    load(deck, levels[1], 2)
    deck.command("next", 0.0)
    assert not take(deck, 4000).any()
    assert (deck.status["serial"], deck.status["paused"], deck.status["position_s"]) == (2, 1, 0)
    deck.command("pause", 0.0)
    assert (take(deck, 2000)[:, FADE:] == 0.25).all()


def test_a_file_that_cannot_be_played_is_told_and_nothing_stops(deck: Deck, levels: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    samples = np.full((3 * RATE, 2), 0.3, np.float32)
    samples[2 * RATE] = np.nan
    soundfile.write(bad, samples, RATE, subtype="FLOAT")
    (tmp_path / "text.mp3").write_text("no music")
    load(deck, levels[0], 1)
    deck.command("next", 0.0)
    take(deck, 1000)
    for serial, name in [(2, "text.mp3"), (3, "none.wav")]:
        load(deck, tmp_path / name, serial)
        assert deck.status["failed"] == serial
        assert deck.status["loaded"] == 0
        assert name in deck.news()[0]
        assert not deck.news()
        take(deck, 1000)
        with pytest.raises(RtkaraokeError, match="load one first"):
            deck.command("next", 0.0)
    load(deck, bad, 4)
    deck.command("next", 0.0)
    played = take(deck, 3 * RATE)
    assert deck.status["ended"] == 1
    assert "finite" in deck.news()[0]
    assert not played[:, -1000:].any()
    load(deck, levels[1], 5)
    deck.command("next", 0.0)
    assert (take(deck, 2000)[:, FADE:] == 0.25).all()


def test_a_newer_song_takes_the_place_of_the_loaded_one_and_an_empty_text_lets_go_of_it(
    deck: Deck, levels: list[Path]
) -> None:
    load(deck, levels[0], 1)
    load(deck, levels[1], 2)
    assert deck.status["loaded"] == 2
    deck.command("load", 0.0, "")
    assert deck.status["loaded"] == 0
    with pytest.raises(RtkaraokeError, match="load one first"):
        deck.command("next", 0.0)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "3",
        '{"path": "a.wav"}',
        '{"path": 3, "serial": 1}',
        '{"path": "a.wav", "serial": 0}',
        '{"path": "a.wav", "serial": true}',
        '{"path": "a.wav", "serial": 1, "key": 7}',
        '{"path": "a.wav", "serial": 1, "tempo": "fast"}',
        '{"path": "a.wav", "serial": 1, "pitch": 2}',
    ],
)
def test_a_wrong_text_is_refused(deck: Deck, text: str) -> None:
    with pytest.raises(RtkaraokeError):
        deck.command("load", 0.0, text)
    assert deck.status["failed"] == 0


@pytest.mark.parametrize(("name", "value"), [("next", -1.0), ("next", 31.0), ("follow", 31.0), ("sing", 1.0)])
def test_wrong_commands_are_refused(deck: Deck, levels: list[Path], name: str, value: float) -> None:
    load(deck, levels[0], 1)
    with pytest.raises(RtkaraokeError, match=r"wanted|there are"):
        deck.command(name, value)


@pytest.mark.parametrize("name", ["seek", "skip", "key", "tempo"])
def test_what_needs_a_song_says_so(deck: Deck, name: str) -> None:
    with pytest.raises(RtkaraokeError, match="no song plays"):
        deck.command(name, 1.0)


def test_what_is_played_does_not_depend_on_the_blocks(levels: list[Path]) -> None:
    played = []
    for block in (1, 128, 3000):  # a song that has just been loaded holds 0.2 s
        with Deck() as deck:
            deck.prepare(RATE, 2)
            deck.command("follow", 0.7)
            load(deck, levels[0], 1)
            deck.command("next", 0.0)
            parts = [take(deck, 5000, block=block)]
            load(deck, levels[1], 2)
            parts.append(take(deck, 45_000, block=max(block, 8)))
            played.append(np.concatenate(parts, axis=1))
    np.testing.assert_array_equal(played[0], played[1])
    np.testing.assert_array_equal(played[0], played[2])


def test_songs_that_are_over_are_let_go_of_without_the_garbage_collector(deck: Deck, levels: list[Path]) -> None:
    before = threading.active_count()
    gc.disable()  # as while live
    try:
        songs = []
        for serial in range(1, 4):
            load(deck, levels[serial % 3], serial)
            deck.command("next", 0.0)
            take(deck, 2000)
            songs.append(weakref.ref(deck._present.song))
        deck.command("stop", 0.0)
        take(deck, 2000)
        until(lambda: all(song() is None for song in songs))
        until(lambda: threading.active_count() <= before)
    finally:
        gc.enable()
