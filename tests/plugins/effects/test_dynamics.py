"""Gate, compressor, de-esser and limiter turn down what they shall, when they shall, and nothing else."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rtkaraoke.plugins.effects.dynamics import Compressor, DeEsser, Gate
from rtkaraoke.plugins.harness import noise, run
from rtkaraoke.plugins.limiter import Limiter
from rtkaraoke.plugins.protocol import Plugin

RATE = 48_000


def ready(plugin: Plugin, n_channels: int = 1, **values: float) -> Plugin:
    for name, value in values.items():
        plugin.set(name, value)
    plugin.prepare(RATE, n_channels, 4096)
    return plugin


def tone(level_db: float, seconds: float, hz: float = 400.0) -> NDArray[np.float32]:
    return (10 ** (level_db / 20) * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def level_db(signal: NDArray) -> float:
    """Peak level."""
    return float(20 * np.log10(np.abs(signal).max() + 1e-12))


def burst(*parts: tuple[float, float]) -> NDArray[np.float32]:
    return np.concatenate([tone(*part) for part in parts])[None]


class TestGate:
    def test_opens_above_the_threshold_and_closes_hold_later(self) -> None:
        gate = ready(Gate(), threshold=-30, hysteresis=6, attack=1, hold=100, release=10, range=-90)
        out = run(gate, burst((-50, 0.2), (-10, 0.2), (-50, 0.5)))[0]
        assert not out[: RATE // 5].any()
        np.testing.assert_array_equal(out[RATE // 5 + 960 : 2 * RATE // 5], tone(-10, 0.2)[960:])
        held = slice(int(0.4 * RATE) + 200, int(0.5 * RATE))
        assert level_db(out[held]) == pytest.approx(-50, abs=0.1)
        assert not out[int(0.75 * RATE) :].any()

    def test_does_not_flutter_between_its_two_thresholds(self) -> None:
        values = {"threshold": -30.0, "hysteresis": 10.0, "hold": 0.0, "range": -90.0}
        opened = run(ready(Gate(), **values), burst((-20, 0.2), (-35, 1.0)))[0]
        assert level_db(opened[-RATE // 2 :]) == pytest.approx(-35, abs=0.1)  # stays open
        closed = run(ready(Gate(), **values), burst((-60, 0.2), (-35, 1.0)))[0]
        assert not closed.any()  # and stays closed

    def test_closed_it_lets_the_range_through(self) -> None:
        out = run(ready(Gate(), threshold=-20, range=-12), burst((-40, 0.5)))[0]
        assert level_db(out[RATE // 4 :]) == pytest.approx(-52, abs=0.1)

    def test_one_channel_opens_both(self) -> None:
        gate = ready(Gate(), 2, threshold=-30, range=-90)
        out = run(gate, np.stack([tone(-10, 0.3), tone(-50, 0.3)]))
        assert level_db(out[1, RATE // 5 :]) == pytest.approx(-50, abs=0.1)


class TestCompressor:
    @pytest.mark.parametrize(("level", "expected"), [(-40, -40), (-26, -26), (-14, -18), (-2, -14)])
    def test_above_the_threshold_a_third_is_left(self, level: float, expected: float) -> None:
        compressor = ready(Compressor(), threshold=-20, ratio=3, knee=0, attack=0.1, release=1000)
        out = run(compressor, burst((level, 0.5)))[0]
        assert level_db(out[RATE // 4 :]) == pytest.approx(expected, abs=0.3)

    def test_below_the_knee_it_copies_the_bits(self) -> None:
        quiet = burst((-30, 0.2))
        np.testing.assert_array_equal(run(ready(Compressor(), threshold=-20, knee=12), quiet), quiet)

    def test_make_up_is_a_gain(self) -> None:
        out = run(ready(Compressor(), makeup=6.0), burst((-40, 0.3)))[0]
        assert level_db(out) == pytest.approx(-34, abs=0.01)

    def test_attack_and_release_take_their_time(self) -> None:
        steady = np.concatenate([np.full(RATE // 2, 1.0), np.full(RATE, 0.01)]).astype(np.float32)[None]
        values = {"threshold": -20.0, "ratio": 20.0, "knee": 0.0, "attack": 20.0, "release": 200.0}
        out = run(ready(Compressor(), **values), steady)[0]
        reduction = 20 * np.log10(steady[0] / out)
        assert reduction[RATE // 2 - 1] == pytest.approx(19, abs=0.01)
        assert reduction[round(0.02 * RATE)] == pytest.approx(19 * (1 - 1 / np.e), abs=0.1)
        assert reduction[RATE // 2 + round(0.2 * RATE)] == pytest.approx(19 / np.e, abs=1.0)

    def test_both_channels_get_the_same_gain(self) -> None:
        compressor = ready(Compressor(), 2, threshold=-40)
        out = run(compressor, np.stack([tone(-6, 0.3), tone(-26, 0.3)]))
        assert level_db(out[0]) - level_db(out[1]) == pytest.approx(20, abs=0.01)


class TestDeEsser:
    def test_leaves_the_level_of_every_frequency_alone_while_idle(self) -> None:
        impulse = np.zeros((1, 8192), np.float32)
        impulse[0, 0] = 1e-3
        answer = np.abs(np.fft.rfft(run(ready(DeEsser()), impulse)[0])) / 1e-3
        np.testing.assert_allclose(20 * np.log10(answer), 0, atol=0.01)

    def test_turns_an_s_down_and_not_the_voice(self) -> None:
        values = {"frequency": 5000.0, "threshold": -30.0, "ratio": 20.0, "range": 12.0}
        out = run(ready(DeEsser(), **values), (tone(-10, 0.5) + tone(-12, 0.5, 9000.0))[None])[0]
        spectrum = np.abs(np.fft.rfft(out[-RATE // 4 :] * np.hanning(RATE // 4))) / (RATE / 16)
        assert 20 * np.log10(spectrum[100]) == pytest.approx(-10, abs=0.2)
        assert 20 * np.log10(spectrum[2250]) == pytest.approx(-24, abs=2)  # the low band leaks a little

    def test_a_loud_voice_without_an_s_is_left_alone(self) -> None:
        out = run(ready(DeEsser(), frequency=6000.0, threshold=-30.0), burst((-1, 0.5)))[0]
        assert level_db(out[RATE // 4 :]) == pytest.approx(-1, abs=0.05)


class TestLimiter:
    @pytest.mark.parametrize("ceiling", [-24.0, -6.0, 0.0])
    def test_nothing_exceeds_the_ceiling(self, ceiling: float) -> None:
        out = run(ready(Limiter(), 2, ceiling=ceiling), 10 * noise(RATE))
        assert np.abs(out).max() <= np.float32(10 ** (ceiling / 20))

    def test_below_the_ceiling_it_copies_the_bits(self) -> None:
        quiet = np.clip(noise(RATE), -1, 1)
        np.testing.assert_array_equal(run(ready(Limiter(), 2), quiet), quiet)
