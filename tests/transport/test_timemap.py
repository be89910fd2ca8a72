"""The map from a sample of the output to the moment of the song that it is: exact, whatever was done in between."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtkaraoke.engine import Engine, music_engine
from rtkaraoke.transport import FADE_S, Deck, Song
from rtkaraoke.transport.timemap import KEPT_S, MAX_SEGMENTS, TimeMap
from tests.support.fake_live import FakeLive
from tests.support.models import constant
from tests.support.networks import GEOMETRY
from tests.support.transport import load, ready, settled, take, until

RATE = 44_100
LENGTH_S = 20
CLICKS_S = np.arange(0.25, LENGTH_S, 0.25)


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A song in which every sample says which it is."""
    path = tmp_path_factory.mktemp("songs") / "counting.wav"
    count = np.arange(LENGTH_S * RATE, dtype=np.float32) / 2**20
    soundfile.write(path, np.stack([count, count], axis=1), RATE, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def clicking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A song that clicks every quarter of a second."""
    path = tmp_path_factory.mktemp("songs") / "clicking.wav"
    clicks = np.zeros((LENGTH_S * RATE, 2), np.float32)
    clicks[np.rint(CLICKS_S * RATE).astype(int)] = 0.9
    soundfile.write(path, clicks, RATE, subtype="FLOAT")
    return path


def test_the_map_is_exact_to_the_sample_through_seeks_and_pauses(counting: Path) -> None:
    with Song(counting) as song:
        song.prepare(RATE, 2)
        parts = [take(song, 5000)]
        for name, value in [("seek", 12.3), ("pause", 1), ("pause", 0), ("skip", -5.0), ("seek", 1.0)]:
            song.command(name, value)
            settled(song)
            parts.append(take(song, 7001, block=333))
        heard = [song.heard_s(n) for n in range(5000 + 5 * 7001)]
    played = np.concatenate(parts, axis=1)[0] * 2.0**20
    wrong = np.flatnonzero(np.abs(np.array(heard) * RATE - played) > 0.01)
    # Where it differs a fade is under way, or there is silence.
    fade = round(FADE_S * RATE)
    starts = [5000, 12001, 19002, 26003, 33004]
    allowed = {n for start in (starts[0], starts[3], starts[4]) for n in range(start, start + fade + 1)}
    allowed |= set(range(12001, 19002 + fade + 1))
    assert set(wrong.tolist()) <= allowed
    paused = [heard[n] for n in range(12001 + fade, 19002)]
    assert max(paused) == min(paused)


def clicks_off(played: np.ndarray, heard_s: np.ndarray) -> np.ndarray:
    """By how many ms of the song each click that is played lies beside the click that the map names."""
    loud = np.flatnonzero(played > 0.2)
    at = np.array([n for n in loud if played[n] == played[max(0, n - 600) : n + 600].max()])
    times = heard_s[at]
    return 1e3 * (times - CLICKS_S[np.abs(times[:, None] - CLICKS_S).argmin(axis=1)])


@pytest.mark.parametrize(("key", "tempo"), [(0, 100), (-6, 100), (6, 100), (0, 70), (0, 130), (5, 77)])
def test_with_key_and_tempo_every_click_is_where_the_map_says(clicking: Path, key: float, tempo: float) -> None:
    with Song(clicking, 2.0, key, tempo) as song:
        song.prepare(RATE, 2)
        played = np.abs(take(song, 6 * RATE, block=512)[0])
        off_ms = clicks_off(played, np.array([song.heard_s(n) for n in range(len(played))]))
    assert len(off_ms) >= 6 / 0.25 * 0.7 - 2
    print(f"key {key:+} tempo {tempo}: {len(off_ms)} clicks, worst {np.abs(off_ms).max():.4f} ms")
    assert np.abs(off_ms).max() < (0.001 if (key, tempo) == (0, 100) else 0.1)


class Delayed(FakeLive):
    """The deck through an engine onto the fake card, with a wait for the reader thread before every callback."""

    def play(self, n_callbacks: int) -> None:
        for _ in range(n_callbacks):
            present = self.host.source._present
            if present is not None:
                until(lambda song=present.song: ready(song, 2048))
            super().play(1)


@pytest.mark.parametrize(("prefill", "look_ahead"), [(256, 0), (512, 2), (2048, 7)])
def test_what_leaves_the_card_is_what_the_map_says_at_three_latencies(
    clicking: Path, prefill: int, look_ahead: int
) -> None:
    network = constant(0.0, geometry=replace(GEOMETRY, look_ahead=look_ahead))
    engine = music_engine(network) if look_ahead else Engine(())
    deck = Deck()
    deck.prepare(RATE, 2)
    live = Delayed(engine, None, source=deck, prefill=prefill)
    latency = prefill + engine.latency  # up to the callback; behind it comes what the driver declares
    try:
        load(deck, clicking, 1)
        deck.command("next", 0.0)
        live.play(300)
        for name, value in [("key", 4), ("tempo", 80), ("seek", 11.0), ("tempo", 120), ("key", 0), ("tempo", 100)]:
            deck.command(name, value)
            settled(deck)
            live.play(300)
        load(deck, clicking, 2, tempo=90)
        deck.command("next", 0.5)
        live.play(600)
    finally:
        deck.close()
    played = np.abs(live.device.played[:, 0])
    played[: 2 * latency] = 0
    heard = [deck.heard(n - latency) for n in range(len(played))]
    assert {serial for serial, _ in heard} == {0, 1, 2}
    fading = np.flatnonzero(np.array([serial for serial, _ in heard]) == 2)[0]
    played[fading : fading + RATE // 2] = 0  # the clicks of both songs
    off_ms = clicks_off(played, np.array([second for _, second in heard]))
    assert len(off_ms) > 15
    print(f"latency {latency}: {len(off_ms)} clicks, worst {np.abs(off_ms).max():.4f} ms")
    assert np.abs(off_ms).max() < 0.1


def test_the_map_forgets_what_is_older_than_it_keeps_and_stays_small() -> None:
    times = TimeMap(1000)
    for n in range(0, 100_000, 10):
        times.mark(n, float(n % 70), 0.0)
    assert len(times._segments) <= MAX_SEGMENTS
    times = TimeMap(1000)
    for n in range(0, 100_000, 500):
        times.mark(n, float(n % 70), 0.0)
    for n in range(100_000 - int(KEPT_S * 1000), 100_000, 500):
        assert times.song_s(n) == float(n % 70)
    assert len(times._segments) <= KEPT_S * 2 + 2
    assert times.song_s(-5) == times.song_s(0)
    assert TimeMap(1000).song_s(5) == 0.0
