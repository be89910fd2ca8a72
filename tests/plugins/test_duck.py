"""The guide vocal falls while somebody sings, and comes back; what leaks in from the loudspeakers changes nothing."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from rtkaraoke.buses import Mic
from rtkaraoke.engine import Engine
from rtkaraoke.plugins.duck import CALIBRATION_S, Duck
from rtkaraoke.plugins.vocal_remover import VocalRemover
from tests.support.models import constant

RATE = 44_100
BLOCK = 441
FALL_S, RETURN_S = 0.06, 1.0
SILENCE_S = 1.0  # before the voice
BLEED = 0.1  # -20 dB
BLEED_DELAY = 1300  # the way through the card and the room

Signal = NDArray[np.float32]


def level(signal: Signal, rms_db: float) -> Signal:
    """``signal`` with this RMS over its louder parts."""
    frames = np.sqrt((signal[: len(signal) // BLOCK * BLOCK].reshape(-1, BLOCK) ** 2).mean(axis=1))
    active = frames[frames > 10 ** (-30 / 20) * frames.max()]
    return (signal * 10 ** (rms_db / 20) / np.sqrt((active**2).mean())).astype(np.float32)


def band(seconds: float, seed: int = 0) -> Signal:
    """Beats of noise over a chord, at -14 dB."""
    t = np.arange(round(seconds * RATE)) / RATE
    beat = np.exp(-12 * (2 * t % 1)) * np.random.default_rng(seed).standard_normal(len(t))
    chord = sum(np.sin(2 * np.pi * f * t) for f in (110, 220, 277, 330))
    return level(beat + 0.5 * chord, -14.0)


def singer(seconds: float) -> Signal:
    """A sung vowel with vibrato, at -18 dB."""
    t = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * 220 * t + 2 * np.sin(2 * np.pi * 5.5 * t)
    return level(sum(np.sin(h * phase) / h for h in range(1, 12)), -18.0)


def hum(n_samples: int) -> Signal:
    """The guide: a tone whose steps are small, so that a click would stand out. No bleed comes of it."""
    return (0.05 * np.sin(2 * np.pi * 60 * np.arange(n_samples) / RATE)).astype(np.float32)


def night() -> Engine:
    """The network takes half of everything for the voice, and it is left in: half of the music is the guide vocal."""
    remover = VocalRemover(constant(0.5))
    remover.set("vocals", 0.0)
    engine = Engine([remover], mics=[Mic("mic1")], duck=Duck())
    engine.prepare(RATE, 2, BLOCK)
    return engine


def guide(engine: Engine, music: Signal, mic: Signal) -> tuple[NDArray[np.float64], Signal]:
    """The guide vocal's gain at every 10 ms, and the music as it goes to the mix."""
    gains, songs = [], []
    out = np.zeros((2, BLOCK), np.float32)
    for start in range(0, len(mic) - BLOCK + 1, BLOCK):
        here = slice(start, start + BLOCK)
        engine.process(np.stack([music[here], music[here], mic[here]]), out)
        gains.append(10 ** (engine.duck.status["gain_db"] / 20) if engine.duck.status["gain_db"] > -90 else 0.0)
        songs.append(engine.stems(BLOCK)[0][0].copy())
    return np.array(gains), np.concatenate(songs)


def leak(music: Signal, gain: float = BLEED) -> Signal:
    return gain * np.concatenate([np.zeros(BLEED_DELAY, np.float32), music])[: len(music)]


def times(voice: Signal, music: Signal) -> tuple[float, float]:
    """Seconds from the voice's start until the guide is gone, and from its end until it is back; bleed all the time."""
    before, after = np.zeros(round(SILENCE_S * RATE), np.float32), np.zeros(2 * RATE, np.float32)
    mic = np.concatenate([before, voice, after])
    music = np.resize(music, len(mic))
    frames = np.sqrt((voice[: len(voice) // BLOCK * BLOCK].reshape(-1, BLOCK) ** 2).mean(axis=1))
    active = np.sqrt((frames[frames > 10 ** (-30 / 20) * frames.max()] ** 2).mean())
    first, last = (np.flatnonzero(frames > 10 ** (-10 / 20) * active) + len(before) // BLOCK)[[0, -1]]
    with night() as engine:
        gains, _ = guide(engine, music, mic + leak(music))
    assert (gains[: len(before) // BLOCK] == 1.0).all()
    assert gains[-1] == 1.0
    down = np.flatnonzero(gains == 0.0)
    up = down[-1] + np.flatnonzero(gains[down[-1] :] == 1.0)[0]
    return (down[0] + 1 - first) * BLOCK / RATE, (up - last) * BLOCK / RATE


def test_a_voice_takes_the_guide_away_in_60_ms_and_gives_it_back_within_a_second() -> None:
    fall_s, return_s = times(singer(1.5), band(5.0))
    assert fall_s <= FALL_S
    assert return_s <= RETURN_S


def load(path: Path, seconds: float) -> Signal:
    rate = soundfile.info(path).samplerate
    audio, _ = soundfile.read(path, dtype="float32", always_2d=True, frames=round(seconds * rate))
    return np.asarray(soxr.resample(audio.mean(axis=1), rate, RATE), np.float32)


def some(folder: Path, n_files: int) -> list[Path]:
    """Files from all over ``folder``, always the same."""
    files = sorted(folder.rglob("*.ogg"))
    return files[:: max(len(files) // n_files, 1)][:n_files]


def test_real_voices_take_the_guide_away_in_time(music_data: Path) -> None:
    music = [level(load(path, 10.0), -14.0) for path in some(music_data / "music", 4)]
    voices = [*some(music_data / "speech", 8), *some(music_data / "singing", 12)]
    found = [times(level(load(path, 5.0), -18.0), music[number % len(music)]) for number, path in enumerate(voices)]
    fall_s, return_s = np.array(found).T
    assert fall_s.max() <= FALL_S
    assert return_s.max() <= RETURN_S


def test_real_music_that_leaks_into_the_microphone_is_no_singer(music_data: Path) -> None:
    for path in some(music_data / "music", 12):
        music = level(load(path, 6.0), -14.0)
        with night() as engine:
            gains, _ = guide(engine, music, leak(music))
        assert (gains == 1.0).all(), path


def test_music_that_leaks_in_is_no_singer_whatever_its_level() -> None:
    for level_db in (-30.0, -14.0, -8.0):
        music = level(band(3.0), level_db)
        with night() as engine:
            assert (guide(engine, music, leak(music))[0] == 1.0).all()


def test_the_guide_moves_without_a_click() -> None:
    mic = np.concatenate([np.zeros(RATE // 2), singer(0.5), np.zeros(RATE)]).astype(np.float32)
    music = hum(len(mic))
    with night() as engine:
        gains, songs = guide(engine, music, mic)
    assert gains.min() == 0.0
    own = 0.05 * 2 * np.pi * 60 / RATE
    assert np.abs(np.diff(songs[4 * BLOCK :])).max() < own + 0.05 / (0.02 * RATE)
    np.testing.assert_allclose(np.abs(songs[RATE // 2 + 5000 : RATE // 2 + 12_000]).max(), 0.025, rtol=0.01)


def test_short_pauses_are_sung_over_and_long_ones_are_not() -> None:
    sung = singer(0.4)
    for pause_s, back in ((0.25, False), (1.2, True)):
        pause = np.zeros(round(pause_s * RATE), np.float32)
        with night() as engine:
            mic = np.concatenate([sung, pause, sung])
            gains, _ = guide(engine, hum(len(mic)), mic)
        between = gains[len(sung) // BLOCK : (len(sung) + len(pause)) // BLOCK]
        assert (between.max() == 1.0) == back
        assert gains[-1] == 0.0


@pytest.mark.parametrize(
    ("setting", "gain"),
    [
        (("mic1", "mute", 1.0), 1.0),
        (("mic1", "level", -90.0), 1.0),
        (("duck", "on", 0.0), 1.0),
        (("duck", "threshold", 0.0), 1.0),
        (("duck", "depth", 12.0), 10 ** (-12 / 20)),
        (("duck", "attack", 5.0), 0.0),
    ],
)
def test_the_guide_falls_as_far_as_it_is_told(setting: tuple[str, str, float], gain: float) -> None:
    with night() as engine:
        engine.set(*setting)
        gains, _ = guide(engine, hum(RATE), singer(1.0))
    assert gains[-1] == pytest.approx(gain, abs=1e-6)


def test_a_duck_that_is_switched_off_while_it_ducks_lets_the_guide_come_back() -> None:
    with night() as engine:
        assert guide(engine, hum(RATE), singer(1.0))[0][-1] == 0.0
        engine.set("duck", "depth", 6.0)
        assert guide(engine, hum(RATE), singer(1.0))[0][-1] == pytest.approx(10 ** (-6 / 20))
        engine.set("duck", "on", 0.0)
        assert guide(engine, hum(RATE), singer(1.0))[0][-1] == 1.0


def test_calibration_learns_what_leaks_in_and_how_loud_the_room_is() -> None:
    music = band(3.0)
    noisy = leak(music, 0.5) + level(np.random.default_rng(3).standard_normal(len(music)), -40.0)
    with night() as engine:
        assert guide(engine, music, noisy)[0].min() == 0.0  # half of the music is more than the default expects
        engine.set("duck", "calibrate", 1.0)
        guide(engine, music, noisy)
        assert engine.get("duck", "calibrate") == 0.0
        (text,) = engine.duck.news()
        assert text.startswith("the duck is calibrated: threshold -")
        assert "bleed" in text
        assert engine.duck.news() == []
        assert -6.0 < engine.get("duck", "bleed") < 6.0
        engine.reset()
        assert (guide(engine, music, noisy)[0] == 1.0).all()
        loud = np.concatenate([np.zeros(RATE, np.float32), level(singer(1.0), -6.0), np.zeros(RATE, np.float32)])
        assert guide(engine, music, noisy + loud)[0].min() == 0.0


def test_calibration_without_music_leaves_the_bleed_alone_and_takes_two_seconds() -> None:
    duck = Duck()
    duck.prepare(RATE, 1, 1)
    bleed = duck.get("bleed")
    noise = level(np.random.default_rng(0).standard_normal(round(CALIBRATION_S * RATE)), -50.0)
    block = np.stack([np.zeros_like(noise), noise])
    out = np.zeros(len(noise), np.float32)
    duck.set("calibrate", 1.0)
    duck.listen(np.ascontiguousarray(block[:, 1:]), out)
    assert duck.status["calibrating"] == 1.0
    duck.listen(np.ascontiguousarray(block[:, :1]), out)
    assert duck.status["calibrating"] == 0.0
    assert -45.0 < duck.get("threshold") < -35.0
    assert duck.get("bleed") == bleed
    duck.reset()
    duck.set("calibrate", 1.0)
    duck.listen(np.zeros_like(block), out)  # a microphone that is not plugged in
    assert duck.get("threshold") == duck.parameters["threshold"].minimum
    duck.close()


def test_silence_and_full_scale_leave_no_strange_numbers() -> None:
    duck = Duck()
    duck.prepare(16_000, 2, 2)
    out = np.zeros(16_000, np.float32)
    for block in (np.zeros((4, 16_000)), np.ones((4, 16_000)), np.full((4, 16_000), 1e-40), np.zeros((4, 16_000))):
        duck.listen(block.astype(np.float32), out)
        assert np.isfinite(out).all()
        assert -1.0 <= out.min() <= out.max() <= 0.0
