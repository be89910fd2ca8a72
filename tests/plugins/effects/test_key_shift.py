"""Another key: every pitch where it belongs, at the level it had, exactly as late as declared."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rtkaraoke.plugins.effects.key_shift import KeyShift
from rtkaraoke.plugins.harness import noise, prepared, run

RATE = 48_000


def shifted(signal: NDArray, semitones: float, sample_rate: int = RATE) -> tuple[NDArray[np.float32], int]:
    """``signal`` ``(channel, sample)`` in another key, and the latency."""
    with prepared(KeyShift, sample_rate, signal.shape[0], {"semitones": semitones}) as plugin:
        return run(plugin, signal.astype(np.float32)), plugin.latency


def tone(hz: float, seconds: float = 2.0, sample_rate: int = RATE) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * sample_rate)) / sample_rate)


@pytest.mark.parametrize("hz", [110.0, 441.3, 3000.0])
@pytest.mark.parametrize("semitones", [-6, -1, 0.5, 6])
@pytest.mark.parametrize("sample_rate", [16_000, 44_100])
def test_a_tone_lies_where_it_belongs_and_is_clean(hz: float, semitones: float, sample_rate: int) -> None:
    out, _ = shifted(tone(hz, 2.0, sample_rate)[None], semitones, sample_rate)
    last = out[0, -sample_rate:].astype(np.float64)
    power = np.abs(np.fft.rfft(last * np.hanning(sample_rate))) ** 2
    wanted = hz * 2 ** (semitones / 12)
    assert np.argmax(power) == pytest.approx(wanted, abs=1)
    around = slice(max(0, round(wanted) - 4), round(wanted) + 5)
    assert 10 * np.log10(power[around].sum() / (power.sum() - power[around].sum())) > 40
    assert np.abs(last).max() == pytest.approx(0.5, rel=0.05)


def test_a_chord_stays_a_chord() -> None:
    chord = sum(tone(hz) for hz in (220.0, 277.2, 329.6, 440.0)) / 2
    out, _ = shifted(chord[None], 3)
    power = np.abs(np.fft.rfft(out[0, -RATE:] * np.hanning(RATE))) ** 2
    for hz in (220.0, 277.2, 329.6, 440.0):
        wanted = round(hz * 2**0.25)
        assert power[wanted - 3 : wanted + 4].max() > 0.5 * power.max()


def test_no_shift_is_the_input_delayed_bit_for_bit() -> None:
    out, latency = shifted(noise(30_000), 0)
    np.testing.assert_array_equal(out[:, latency:], noise(30_000)[:, :-latency])


@pytest.mark.parametrize("semitones", [-5, 4])
def test_a_shifted_sound_begins_when_the_latency_says(semitones: float) -> None:
    begins = RATE // 2
    sound = tone(440.0, 1.5)
    sound[:begins] = 0.0
    out, latency = shifted(sound[None], semitones)
    onset = int(np.argmax(np.abs(out[0]) > 0.25))
    assert onset - begins == pytest.approx(latency, abs=0.005 * RATE)


def test_the_latency_is_below_a_tenth_of_a_second_at_every_rate() -> None:
    for sample_rate in (16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000):
        plugin = KeyShift()
        plugin.prepare(sample_rate, 2, 128)
        assert 0.08 < plugin.latency / sample_rate < 0.1


def test_the_stereo_image_stays() -> None:
    sides = np.stack([tone(300.0), 0.25 * tone(300.0)])
    out, _ = shifted(sides, 5)
    np.testing.assert_allclose(out[1, -RATE:], 0.25 * out[0, -RATE:], atol=1e-4)


def test_a_key_that_changes_while_it_sounds_arrives() -> None:
    with prepared(KeyShift, n_channels=1) as plugin:
        changes = [(RATE // 2, "semitones", 2.0), (RATE, "semitones", -3.0), (3 * RATE // 2, "semitones", 0.0)]
        sound = tone(440.0, 2.5).astype(np.float32)[None]
        out = run(plugin, sound, (128,), changes)[0]
        latency = plugin.latency
    for second, semitones in ((0.75, 2.0), (1.25, -3.0)):
        part = out[int(second * RATE) : int(second * RATE) + RATE // 5]
        power = np.abs(np.fft.rfft(part * np.hanning(len(part))))
        assert 5 * np.argmax(power) == pytest.approx(440 * 2 ** (semitones / 12), abs=5)
    np.testing.assert_array_equal(out[2 * RATE :], sound[0, 2 * RATE - latency : -latency])
