"""Slower and faster: the pitch stays, moments are where the map says, channels keep together."""

import numpy as np
import pytest

from rtkaraoke.dsp.stretch import Stretcher

RATE = 16_000
SPEEDS = [0.5, 0.7, 0.93, 1.3, 1.84]


def stretched(signal: np.ndarray, speed: float) -> np.ndarray:
    stretcher = Stretcher(len(signal), RATE, speed)
    room = 3 * stretcher.n_fft
    padded = np.pad(signal, ((0, 0), (room, room))).astype(np.float32)
    parts = []
    while sum(part.shape[1] for part in parts) < signal.shape[1] / speed:
        start = room + stretcher.wanted
        parts.append(stretcher.process(np.ascontiguousarray(padded[:, start : start + stretcher.n_fft])))
    return np.concatenate(parts, axis=1)[:, : round(signal.shape[1] / speed)]


@pytest.mark.kernels
def test_speed_one_changes_nothing() -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 6000)).astype(np.float32)
    np.testing.assert_allclose(stretched(noise, 1.0), noise, atol=1e-6)


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_tone_keeps_pitch_and_level_and_stays_smooth(speed: float) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 / RATE * np.arange(2 * RATE))
    out = stretched(tone[None], speed)[0, 2000:-2000].astype(float)
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out))))
    at = int(spectrum.argmax())
    assert at * RATE / len(out) == pytest.approx(440, abs=1.0)
    rest = spectrum.copy()
    rest[at - 10 : at + 11] = 0
    assert 10 * np.log10(np.sum(rest**2) / np.sum(spectrum**2)) < -40
    assert np.sqrt(2 * np.mean(out**2)) == pytest.approx(0.5, rel=0.02)
    assert np.abs(np.diff(out, 2)).max() < 1.05 * 0.5 * (2 * np.pi * 440 / RATE) ** 2


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_click_stays_a_click_and_is_where_the_map_says(speed: float) -> None:
    clicks = np.zeros((1, 3 * RATE))
    places = np.arange(RATE // 2, 3 * RATE - RATE // 2, RATE // 3)
    clicks[0, places] = 0.9
    out = np.abs(stretched(clicks, speed)[0])
    for place in places:
        due = place / speed
        near = out[int(due) - 500 : int(due) + 501]
        assert abs(int(due) - 500 + int(near.argmax()) - due) < 1.6  # samples
        assert np.sum(near[490:512] ** 2) > 0.5 * np.sum(near**2)


@pytest.mark.kernels
def test_what_is_stretched_together_can_be_subtracted_afterwards() -> None:
    rng = np.random.default_rng(1)
    music, voice = rng.uniform(-0.3, 0.3, (2, 8000)), rng.uniform(-0.3, 0.3, (2, 8000))
    both = stretched(np.concatenate([music + voice, voice, music]), 0.8)
    np.testing.assert_allclose(both[:2] - both[2:4], both[4:], atol=1e-5)


def test_after_silence_it_starts_afresh() -> None:
    tone = np.sin(2 * np.pi * 440 / RATE * np.arange(RATE))
    signal = np.concatenate([np.zeros(RATE), tone, np.zeros(RATE), tone])[None]
    out = stretched(signal, 0.8)[0]
    assert np.isfinite(out).all()
    assert not out[: int(0.9 * RATE / 0.8)].any()
