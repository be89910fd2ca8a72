import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import fft

from rtkaraoke.dsp.probe import CalibrationError, find, make_probes
from rtkaraoke.errors import LiveError

RATE = 44_100
LONGEST = 22_050
LEVEL = 0.25

Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def probe() -> Samples:
    return np.float32(LEVEL) * make_probes(1, RATE, seed=1)[0]


def way(signal: Samples, delay: float, gain: float = 1.0) -> Samples:
    """``signal`` that much later and louder, with time for the longest delay behind it."""
    n_samples = len(signal) + LONGEST
    size = fft.next_fast_len(2 * n_samples)
    shift = np.exp(-2j * np.pi * fft.rfftfreq(size) * delay)
    return (gain * fft.irfft(fft.rfft(signal, size) * shift, size)[:n_samples]).astype(np.float32)


def noise(n_samples: int, level: float, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).normal(0, level, n_samples).astype(np.float32)


def rms(signal: Samples) -> float:
    return float(np.sqrt(np.mean(signal.astype(np.float64) ** 2)))


def refusal(recorded: Samples, probe: Samples) -> CalibrationError:
    with pytest.raises(CalibrationError) as caught:
        find(recorded, probe, RATE)
    assert len(str(caught.value)) > 40  # a reason and a way out, not a code
    return caught.value


@pytest.mark.parametrize("delay", [0.0, 128.0, 128.3, 1000.5, 9999.85, 22_000.25])
@pytest.mark.parametrize("gain", [1.0, -0.5, 0.01])
def test_delay_level_and_polarity_are_found_to_a_part_of_a_sample(probe: Samples, delay: float, gain: float) -> None:
    answer = find(way(probe, delay, gain), probe, RATE)
    assert abs(answer.delay - delay) < 0.002
    assert abs(answer.gain_db - 20 * np.log10(abs(gain))) < 0.1
    assert answer.polarity == np.sign(gain)


@pytest.mark.parametrize("rate", [16_000, 48_000, 96_000, 192_000])
def test_every_rate_has_a_probe_that_is_found(rate: int) -> None:
    probe = make_probes(1, rate, order=13, seed=2)[0]
    assert np.abs(probe).max() == 1
    assert abs(find(way(probe, 300.6), probe, rate).delay - 300.6) < 0.002


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("order", [12, 13, 14, 15, 16])
def test_in_noise_20_db_above_the_probe_it_is_right_or_says_that_it_does_not_know(order: int, seed: int) -> None:
    probe = make_probes(1, RATE, order, seed)[0]
    delay = 777.0 + 0.17 * seed
    recorded = way(probe, delay, 0.02)
    recorded += noise(len(recorded), 0.2 * rms(probe), seed)
    try:
        answer = find(recorded, probe, RATE)
    except CalibrationError as error:
        kind, known = error.kind, order >= 15
        assert (kind, known) == ("noise", False)
    else:
        assert abs(answer.delay - delay) < 0.2  # of one probe; the mean of many is as much better


def test_noise_alone_is_never_an_answer(probe: Samples) -> None:
    for seed in range(20):
        assert refusal(noise(len(probe) + LONGEST, 0.01, seed), probe).kind == "noise"


def test_a_floating_input_with_the_converters_own_noise_is_refused(probe: Samples) -> None:
    assert refusal(noise(len(probe) + LONGEST, 1e-5), probe).kind == "noise"


def test_zeros_are_refused(probe: Samples) -> None:
    assert refusal(np.zeros(len(probe) + LONGEST, np.float32), probe).kind == "digital silence"


def test_hum_is_refused(probe: Samples) -> None:
    time_s = np.arange(len(probe) + LONGEST) / RATE
    hum = sum(0.1 / k * np.sin(2 * np.pi * 50 * k * time_s + k) for k in (1, 2, 3, 5))
    error = refusal(hum.astype(np.float32) + noise(len(time_s), 1e-4), probe)
    assert error.kind == "hum"
    assert "50 Hz" in error.reason


def test_a_standing_voltage_is_refused(probe: Samples) -> None:
    error = refusal(0.3 + noise(len(probe) + LONGEST, 1e-4), probe)
    assert error.kind == "dc"
    assert "+0.300" in error.reason


def test_music_from_another_cable_is_refused(probe: Samples) -> None:
    time_s = np.arange(len(probe) + LONGEST) / RATE
    vibrato = 6 * np.sin(2 * np.pi * 5.5 * time_s)
    music = sum(0.3 / k * np.sin(2 * np.pi * k * 330 * time_s + k * vibrato) for k in range(1, 30)) * np.sin(3 * time_s)
    assert refusal(0.2 * music.astype(np.float32), probe).kind == "other signal"


def test_the_probe_of_another_measurement_is_not_taken_for_ours(probe: Samples) -> None:
    other = np.float32(LEVEL) * make_probes(1, RATE, seed=2)[0]
    assert not np.array_equal(other, probe)
    assert refusal(way(other, 500), probe).kind in ("noise", "other signal")


def test_clipping_at_full_scale_is_refused(probe: Samples) -> None:
    assert refusal(np.clip(way(probe, 500, 12.0), -1, 1), probe).kind == "clipping"


def test_clipping_before_the_converter_is_refused(probe: Samples) -> None:
    recorded = np.clip(way(probe, 500), -0.4 * LEVEL, 0.4 * LEVEL)
    assert refusal(recorded, probe).kind == "clipping"


def test_crosstalk_inside_the_card_is_refused(probe: Samples) -> None:
    assert refusal(way(probe, 500, 10 ** (-75 / 20)), probe).kind == "crosstalk"


def test_a_feedback_loop_is_refused(probe: Samples) -> None:
    recorded = sum(way(probe, 500 + 1700 * k, 0.5**k) for k in range(8))
    error = refusal(recorded, probe)
    assert error.kind == "feedback"
    assert "every 38.55 ms" in error.reason


@pytest.mark.parametrize("apart", [300.0, -4000.5])
def test_two_equal_ways_are_refused(probe: Samples, apart: float) -> None:
    error = refusal(way(probe, 5000) + way(probe, 5000 + apart, -0.95), probe)
    assert error.kind == "two answers"


@pytest.mark.parametrize("lost", [1, 3, 128, 2000, -1, -128])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_samples_lost_or_repeated_in_the_middle_are_refused(probe: Samples, lost: int, share: float) -> None:
    recorded = way(probe, 500)
    at = 500 + round(share * len(probe))
    rest = recorded[at + lost :]
    recorded = np.concatenate([recorded[:at], rest])[: len(probe) + LONGEST - max(lost, 0)]
    assert refusal(recorded, probe).kind in ("lost samples", "two answers")


def test_an_answer_after_the_window_is_none(probe: Samples) -> None:
    assert refusal(way(probe, 400)[: len(probe) + 300] * 0, probe).kind == "digital silence"
    late = np.concatenate([np.zeros(LONGEST + len(probe) // 2, np.float32), probe])[: len(probe) + LONGEST]
    with pytest.raises(CalibrationError):
        find(late[: len(probe) + 1000], probe, RATE)


def test_a_room_with_echoes_and_noise_is_measured_by_its_direct_sound(probe: Samples) -> None:
    recorded = way(probe, 600.4, 0.1)
    random = np.random.default_rng(3)
    for _ in range(40):
        delay = random.uniform(700, 6000)
        recorded += way(probe, delay, float(random.choice([-1, 1]) * 0.05 * np.exp(-delay / 2000)))
    recorded += noise(len(recorded), 0.2 * rms(recorded))
    assert abs(find(recorded, probe, RATE).delay - 600.4) < 0.1


def test_probes_differ_from_each_other_and_from_those_of_another_time() -> None:
    first, second = make_probes(8, RATE, seed=1), make_probes(8, RATE, seed=None)
    for number, probe in enumerate(first):
        assert not any(np.array_equal(probe, other) for other in first[:number])
    assert any(not any(np.array_equal(probe, other) for other in first) for probe in second)


@pytest.mark.parametrize(("n_probes", "order"), [(1, 8), (1, 19), (1000, 9)])
def test_what_cannot_be_made_is_refused(n_probes: int, order: int) -> None:
    with pytest.raises(LiveError, match="order"):
        make_probes(n_probes, RATE, order)
