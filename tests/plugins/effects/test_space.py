"""Echoes come when they shall; rooms ring as long as they shall, at the level they shall."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from rtkaraoke.plugins.effects.space import Echo, Reverb
from rtkaraoke.plugins.harness import noise, prepared, run

RATE = 48_000


def answer(
    effect: type[Echo | Reverb], seconds: float, n_channels: int = 2, sample_rate: int = RATE, **values: float
) -> NDArray[np.float32]:
    """The impulse response."""
    impulse = np.zeros((n_channels, round(seconds * sample_rate)), np.float32)
    impulse[:, 0] = 1.0
    with prepared(effect, sample_rate, n_channels, values) as plugin:
        return run(plugin, impulse, (4096,))


def energy_db(signal: NDArray) -> float:
    return float(10 * np.log10(np.sum(np.square(signal, dtype=np.float64))))


def decay_s(signal: NDArray, hz: float, sample_rate: int) -> float:
    """RT60 of an impulse response around ``hz``, from -5 to -35 dB of Schroeder's integral."""
    band = sosfilt(butter(4, [hz / 1.3, hz * 1.3], "band", fs=sample_rate, output="sos"), signal.astype(np.float64))
    left = np.cumsum(band[::-1] ** 2)[::-1]
    fallen_db = 10 * np.log10(left / left[0] + 1e-30)
    return 2 * (int(np.argmax(fallen_db < -35)) - int(np.argmax(fallen_db < -5))) / sample_rate


class TestEcho:
    @pytest.mark.parametrize("sample_rate", [16_000, 44_100, 96_000])
    def test_comes_at_its_time_to_the_sample(self, sample_rate: int) -> None:
        out = answer(Echo, 0.7, 1, sample_rate, time=200.0, feedback=50.0, mix=50.0)[0]
        delay = round(0.2 * sample_rate)
        assert out[0] == out[delay] == 1.0
        assert set(np.flatnonzero(np.abs(out) > 1e-3)[:2]) == {0, delay}
        later = [energy_db(out[n * delay : (n + 1) * delay]) for n in (1, 2, 3)]
        assert later[0] > later[1] + 5 > later[2] + 10

    def test_repeats_get_duller(self) -> None:
        out = answer(Echo, 1.0, 1, time=200.0, feedback=90.0, damping=2000.0, mix=100.0)[0]
        delay = round(0.2 * RATE)
        highs = []
        for n in (1, 2, 3):
            spectrum = np.abs(np.fft.rfft(out[n * delay : (n + 1) * delay]))
            highs.append(spectrum[8000 // 5] / spectrum[500 // 5])
        assert highs[0] > 3 * highs[1] > 9 * highs[2]

    def test_ping_pong_goes_from_side_to_side(self) -> None:
        signal = np.zeros((2, RATE), np.float32)
        signal[1, 0] = 1.0
        with prepared(Echo, values={"time": 200.0, "feedback": 80.0, "ping_pong": 1, "mix": 100.0}) as plugin:
            out = run(plugin, signal)
        delay = round(0.2 * RATE)
        loud = [np.sum(out[:, n * delay : (n + 1) * delay] ** 2, axis=1) for n in (1, 2, 3)]
        assert loud[0][0] > 0 == loud[0][1]
        assert loud[1][1] > 0 == loud[1][0]
        assert loud[2][0] > 0 == loud[2][1]

    def test_another_time_bends_no_pitch(self) -> None:
        tone = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE)).astype(np.float32)[None]
        with prepared(Echo, n_channels=1, values={"feedback": 0.0, "mix": 100.0, "time": 100.0}) as plugin:
            out = run(plugin, tone, changes=[(RATE // 2, "time", 151.0), (RATE // 2 + 500, "time", 700.0)])[0]
        spectrum = np.abs(np.fft.rfft(out[RATE // 2 : 3 * RATE // 2] * np.hanning(RATE)))
        assert spectrum[1100:].max() < 3e-3 * spectrum[1000]  # the fade itself reaches that far
        np.testing.assert_allclose(out[-1000:], tone[0, -1000 - round(0.7 * RATE) :][:1000], atol=1e-6)

    def test_the_highest_feedback_stays_in_bounds_and_dies_away(self) -> None:
        signal = np.zeros((2, 30 * RATE), np.float32)
        signal[:, : 5 * RATE] = np.sign(noise(5 * RATE))
        for ping_pong in (0, 1):
            values = {"feedback": 95.0, "damping": 20_000.0, "mix": 100.0, "ping_pong": ping_pong, "time": 100.0}
            with prepared(Echo, values=values) as plugin:
                out = run(plugin, signal, (4096,))
            assert np.abs(out).max() < 25
            assert np.abs(out[:, -RATE:]).max() < 1e-2

    def test_in_the_middle_of_the_mix_both_are_whole(self) -> None:
        out = answer(Echo, 0.3, 1, mix=50.0, time=100.0, feedback=0.0)[0]
        assert out[0] == out[4800] == 1.0
        assert answer(Echo, 0.3, 1, mix=75.0, time=100.0, feedback=0.0)[0, 0] == pytest.approx(0.5)
        assert not answer(Echo, 0.3, 1, mix=0.0)[0, 1:].any()


class TestReverb:
    @pytest.mark.parametrize(("decay", "size"), [(0.4, 20.0), (1.5, 50.0), (4.0, 100.0)])
    @pytest.mark.parametrize("sample_rate", [16_000, 48_000])
    def test_rings_as_long_as_it_shall(self, decay: float, size: float, sample_rate: int) -> None:
        out = answer(Reverb, 1.5 * decay, 2, sample_rate, mix=100.0, decay=decay, size=size, damping=0.0, low_cut=20.0)
        for hz in (400.0, 1000.0, 4000.0) if sample_rate == RATE else (400.0, 1000.0):
            assert decay_s(out[0], hz, sample_rate) == pytest.approx(decay, rel=0.12)

    def test_damping_shortens_the_highs(self) -> None:
        out = answer(Reverb, 4.0, mix=100.0, decay=2.0, damping=50.0)[0]
        assert decay_s(out, 300.0, RATE) == pytest.approx(2.0, rel=0.12)
        assert decay_s(out, 5000.0, RATE) == pytest.approx(1.0, rel=0.15)

    @pytest.mark.parametrize("n_channels", [1, 2])
    @pytest.mark.parametrize(("decay", "size"), [(0.3, 15.0), (2.0, 60.0), (8.0, 100.0)])
    def test_is_about_as_loud_as_the_voice_whatever_its_decay(self, decay: float, size: float, n_channels: int) -> None:
        out = answer(Reverb, 2 * decay, n_channels, mix=100.0, decay=decay, size=size, damping=0.0, low_cut=20.0)
        assert [energy_db(channel) for channel in out] == pytest.approx([0.0] * n_channels, abs=2.5)

    def test_is_as_wide_as_two_rooms(self) -> None:
        out = answer(Reverb, 1.5, mix=100.0)
        assert abs(np.corrcoef(out)[0, 1]) < 0.15

    def test_soon_has_more_echoes_than_the_ear_can_count(self) -> None:
        # Abel and Huang's echo density: 1 where the samples are distributed as those of noise.
        out = answer(Reverb, 0.5, mix=100.0, size=50.0, pre_delay=0.0)[0].astype(np.float64)
        window = out[round(0.12 * RATE) : round(0.16 * RATE)]
        assert np.mean(np.abs(window) > window.std()) / 0.3173 > 0.85

    def test_rings_at_no_pitch_of_its_own(self) -> None:
        out = answer(Reverb, 3.0, mix=100.0, decay=3.0, damping=0.0, size=40.0)[0]
        tail = out[RATE : 2 * RATE].astype(np.float64)
        power = np.abs(np.fft.rfft(tail * np.hanning(len(tail)))) ** 2
        middle = power[200:8000]
        assert middle.max() < 60 * np.median(middle)  # of noise: about 14

    def test_answers_after_the_pre_delay(self) -> None:
        soon, late = (answer(Reverb, 0.6, mix=100.0, size=20.0, pre_delay=ms) for ms in (0.0, 150.0))
        first = [int(np.flatnonzero(np.abs(out[0]) > 1e-4)[0]) for out in (soon, late)]
        assert first[1] - first[0] == pytest.approx(0.15 * RATE, abs=3)

    def test_is_silent_where_nothing_was_sung(self) -> None:
        out = answer(Reverb, 20.0, mix=100.0, decay=0.5)
        assert not out[:, -RATE:].any()
