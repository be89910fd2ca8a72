"""The loop that holds the latency between two clocks, against a simulated pair of them."""

import numpy as np
import pytest

from rtkaraoke.dsp.drift import LIMIT, DriftController, DriftResampler
from rtkaraoke.errors import GeometryError

RATE = 44_100
BLOCK = 128


def hold(ppm, seconds, *, jitter=0.0, start=0.0, block=BLOCK):
    """The latency's error over time, for an input clock that is ``ppm`` faster than the output's."""
    rng = np.random.default_rng(0)
    controller = DriftController(RATE)
    error, errors = start, []
    for _ in range(round(seconds * RATE / block)):
        speed = controller.update(error + rng.uniform(-jitter, jitter), block)
        error += block * (1 + 1e-6 * ppm - speed)
        errors.append(error)
    return np.array(errors), controller


@pytest.mark.parametrize("ppm", [-100.0, -10.0, 30.0, 100.0])
def test_an_hour_of_drift_moves_the_latency_by_less_than_a_sample(ppm):
    errors, controller = hold(ppm, 3600.0, block=1024)
    assert np.abs(errors).max() < 1.0
    assert np.abs(errors[-1000:]).max() < 1e-3
    assert controller.drift_ppm == pytest.approx(ppm, abs=0.01)


def test_jitter_of_the_measurement_hardly_reaches_the_pitch():
    errors, controller = hold(50.0, 300.0, jitter=10.0)
    assert np.abs(errors).max() < 4.0
    assert np.abs(errors[len(errors) // 2 :]).max() < 1.0
    assert controller.drift_ppm == pytest.approx(50.0, abs=3.0)


def test_a_large_error_is_taken_back_at_the_limit_and_without_overshoot():
    errors, _ = hold(0.0, 60.0, start=400.0)
    assert np.abs(np.diff(errors)).max() <= 1.001 * LIMIT * BLOCK
    assert errors.min() > -40.0
    assert abs(errors[-1]) < 1.0


@pytest.mark.parametrize("block", [64, 128, 441, 1024])
@pytest.mark.parametrize("speed", [1.0, 1.0005, 0.9995])
def test_the_resampler_knows_which_input_sample_comes_next(block, speed):
    """An input that counts its samples comes out as the positions, once the filter has filled."""
    resampler = DriftResampler(1)
    signal = (np.arange(60 * block, dtype=np.float32) * 1e-4).reshape(-1, 1)
    for start in range(0, len(signal) - block, block):
        position = resampler.position
        out = resampler.process(signal[start : start + block], speed)
        expected = 1e-4 * (position + speed * np.arange(len(out)))
        if start > 4 * resampler.latency:
            np.testing.assert_allclose(out[:, 0], expected, atol=1.01e-4)


def test_the_resampler_keeps_back_as_much_as_it_declares():
    resampler = DriftResampler(2)
    given = sum(len(resampler.process(np.zeros((BLOCK, 2), np.float32), 1.0)) for _ in range(10))
    assert 10 * BLOCK - given == resampler.latency
    assert resampler.position == given


def test_a_sine_stays_a_sine_while_the_ratio_moves():
    resampler = DriftResampler(1)
    frequency = 1000 / RATE
    sine = np.sin(2 * np.pi * frequency * np.arange(200 * BLOCK)).astype(np.float32).reshape(-1, 1)
    rng = np.random.default_rng(0)
    out = np.concatenate(
        [
            resampler.process(sine[i : i + BLOCK], 1 + LIMIT * rng.uniform(-1, 1))[:, 0]
            for i in range(0, len(sine), BLOCK)
        ]
    )[500:]
    curvature = np.abs(np.diff(out, 2)).max()
    assert curvature == pytest.approx((2 * np.pi * frequency) ** 2, rel=0.02)


def test_no_channels_are_refused():
    with pytest.raises(GeometryError, match="0 channels"):
        DriftResampler(0)
