"""A song that brings its voice: the vocal remover takes it from the deck, to the sample."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtkaraoke.engine import music_engine
from rtkaraoke.errors import AudioFileError
from rtkaraoke.plugins.vocal_remover import VocalRemover
from rtkaraoke.transport import FADE_S, Deck, Song
from tests.support.fake_live import FakeLive
from tests.support.models import constant
from tests.support.transport import load, ready, settled, take, until

RATE = 44_100
RNG = np.random.default_rng(0)
LENGTH = 6 * RATE


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Music with its voice, the voice, and the music alone."""
    folder = tmp_path_factory.mktemp("songs")
    signals = {"band": RNG.uniform(-0.3, 0.3, (LENGTH, 2)), "voice": RNG.uniform(-0.3, 0.3, (LENGTH, 2))}
    signals["song"] = signals["band"] + signals["voice"]
    for name, signal in signals.items():
        soundfile.write(folder / f"{name}.wav", signal, RATE, subtype="FLOAT")
    return {name: folder / f"{name}.wav" for name in signals}


class Evening(FakeLive):
    """A deck on the fake card, through a vocal remover whose network finds ``mask`` of everything to be voice."""

    def __init__(self, mask: float) -> None:
        self.deck = Deck()
        self.deck.prepare(RATE, 2)
        super().__init__(music_engine(constant(mask)), None, source=self.deck, prefill=512)
        self.latency = 512 + self.host.engine.latency

    def play(self, n_callbacks: int) -> np.ndarray:
        """What leaves the card meanwhile, ``(channel, sample)``."""
        before = len(self.device.played)
        for _ in range(n_callbacks):
            for song in (self.deck._present and self.deck._present.song, self.deck._leaving):
                if song is not None:
                    until(lambda song=song: ready(song, 1024))
            super().play(1)
        return self.device.played[before:].T

    def start(self, path: Path, serial: int, seconds: float = 0.0, **fields: object) -> None:
        load(self.deck, path, serial, **fields)
        self.deck.command("next", seconds)


@pytest.fixture
def evening(request: pytest.FixtureRequest):
    evening = Evening(request.param)
    yield evening
    evening.deck.close()


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32")[0].T


@pytest.mark.parametrize("evening", [0.0, 0.5], indirect=True)
def test_the_voice_that_is_known_is_taken_out_whatever_the_network_finds(evening: Evening, songs) -> None:
    evening.start(songs["song"], 1, voice=str(songs["voice"]))
    played = evening.play(400)
    assert evening.deck.status["prepared"] == 1
    n_samples = played.shape[1] - evening.latency
    start = round(FADE_S * RATE) + evening.host.engine.plugins[VocalRemover.name].geometry.hop
    np.testing.assert_allclose(played[:, evening.latency + start :], read(songs["band"])[:, start:n_samples], atol=1e-6)


@pytest.mark.parametrize("evening", [0.0], indirect=True)
def test_level_and_solo_act_on_the_known_voice(evening: Evening, songs) -> None:
    evening.host.set("vocal_remover", "vocals", 0.0)
    evening.start(songs["song"], 1, voice=str(songs["voice"]))
    played = evening.play(200)
    at = played.shape[1] - evening.latency
    np.testing.assert_allclose(played[:, -5000:], read(songs["song"])[:, at - 5000 : at], atol=1e-6)
    evening.host.set("vocal_remover", "solo", 1.0)
    played = evening.play(200)
    at += played.shape[1]
    np.testing.assert_allclose(played[:, -5000:], read(songs["voice"])[:, at - 5000 : at], atol=1e-6)


@pytest.mark.parametrize("evening", [0.0], indirect=True)
def test_key_tempo_and_seek_leave_nothing_of_the_known_voice(evening: Evening, songs) -> None:
    evening.start(songs["voice"], 1, voice=str(songs["voice"]))  # a song that is all voice
    evening.play(200)
    parts = []
    for name, value in [
        ("key", 3),
        ("tempo", 85),
        ("seek", 3.0),
        ("pause", 1),
        ("pause", 0),
        ("key", 0),
        ("tempo", 100),
    ]:
        evening.deck.command(name, value)
        settled(evening.deck)
        parts.append(evening.play(60))
    assert np.abs(np.concatenate(parts, axis=1)).max() < 1e-4


@pytest.mark.parametrize("evening", [1.0], indirect=True)
def test_between_songs_with_and_without_a_voice_no_full_voice_returns(evening: Evening, songs) -> None:
    """The network finds everything to be voice, and both songs are all voice: nothing should ever be heard."""
    voice = songs["voice"]
    evening.start(voice, 1)
    evening.play(100)
    parts = []
    for serial, seconds, fields in [
        (2, 0.3, {"voice": str(voice)}),
        (3, 0.3, {}),
        (4, 0.0, {"voice": str(voice)}),
        (5, 0.0, {}),
    ]:
        evening.start(voice, serial, seconds, **fields)
        parts.append(evening.play(200))
    played = np.concatenate(parts, axis=1)
    full = np.sqrt(np.mean(read(voice) ** 2))
    rms = [np.sqrt(np.mean(part**2)) / full for part in np.array_split(played, played.shape[1] // 128, axis=1)]
    # For 15 ms, in which one song fades out and the other in, half of it may be there.
    assert max(rms) < 0.7
    assert np.count_nonzero(np.array(rms) > 1e-3) < 5 * FADE_S * RATE / 128 + 10


def test_a_deck_without_a_listener_plays_a_song_with_its_voice(songs) -> None:
    with Deck() as deck:
        deck.prepare(RATE, 2)
        load(deck, songs["song"], 1, voice=str(songs["voice"]))
        deck.command("next", 0.0)
        played = take(deck, 5000)
    np.testing.assert_array_equal(played[:, 1000:], read(songs["song"])[:, 1000:5000])


def test_a_voice_of_another_rate_is_refused(songs, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "slow.wav", np.zeros((1000, 2)), 48_000)
    with pytest.raises(AudioFileError, match="separate it again"):
        Song(songs["song"], voice=tmp_path / "slow.wav")
    with pytest.raises(AudioFileError, match="no such file"):
        Song(songs["song"], voice=tmp_path / "none.wav")
