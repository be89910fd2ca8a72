"""Each kernel against its naive form in NumPy."""

import numpy as np
import pytest

from rtkaraoke.dsp import kernels
from rtkaraoke.dsp.dynamics import Ramp, db_to_gain
from rtkaraoke.dsp.meters import FLOOR_DB, Meter

pytestmark = pytest.mark.kernels
RNG = np.random.default_rng(0)


def shape(mask: np.ndarray, **options: float) -> np.ndarray:
    values = {"slope": 1.0, "bias": 0.0, "alpha": 0.0, "theta": 0.0, "smoothing": 0.0} | options
    shaped = np.array(mask, np.float32, ndmin=2)
    state = np.zeros_like(shaped)
    kernels.shape_mask(shaped, state, *values.values())
    return shaped


def test_take_in_replaces_and_counts_what_is_not_finite() -> None:
    block = RNG.standard_normal((2, 64)).astype(np.float32)
    block[0, 3], block[1, 5], block[1, 6] = np.nan, np.inf, -np.inf
    out, meter = np.empty_like(block), np.zeros((2, 2))
    assert kernels.take_in(block, out, meter) == 3
    np.testing.assert_array_equal(out, np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0))
    np.testing.assert_allclose(meter[:, 0], np.abs(out).max(axis=1))
    np.testing.assert_allclose(meter[:, 1], np.sum(out.astype(float) ** 2, axis=1), rtol=1e-5)


def test_take_in_reads_any_layout() -> None:
    block = RNG.standard_normal((64, 2)).astype(np.float32).T
    out = np.empty((2, 64), np.float32)
    kernels.take_in(block, out, np.zeros((2, 2)))
    np.testing.assert_array_equal(out, block)


@pytest.mark.parametrize(("slope", "bias"), [(1.5, 0.5), (0.5, 0.0), (1.0, -2.0)])
def test_strength_acts_on_the_logit(slope: float, bias: float) -> None:
    mask = RNG.uniform(0.01, 0.99, (2, 33)).astype(np.float32)
    wanted = 1 / (1 + np.exp(-(slope * np.log(mask / (1 - mask)) + bias)))
    np.testing.assert_allclose(shape(mask, slope=slope, bias=bias), wanted, rtol=1e-4)


def test_neutral_strength_leaves_the_bits() -> None:
    mask = RNG.uniform(0, 1, (2, 33)).astype(np.float32)
    np.testing.assert_array_equal(shape(mask), mask)


def test_alpha_makes_the_mask_binary() -> None:
    np.testing.assert_array_equal(shape([0.2, 0.5, 0.51, 0.9], alpha=0.5), [[0, 0, 1, 1]])


def test_theta_is_a_floor() -> None:
    np.testing.assert_allclose(shape([0.1, 0.15, 0.5], theta=0.15), [[0, 0.15, 0.5]])


def test_smoothing_is_a_one_pole_average() -> None:
    state, seen = np.zeros((1, 1), np.float32), []
    for value in [1, 1, 0, 0]:
        mask = np.array([[value]], np.float32)
        kernels.shape_mask(mask, state, 1.0, 0.0, 0.0, 0.0, 0.5)
        seen.append(float(mask[0, 0]))
    assert seen == [0.5, 0.75, 0.375, 0.1875]


def test_no_mask_value_leaves_zero_to_one() -> None:
    np.testing.assert_array_equal(shape([np.nan, -1, 2, np.inf, -np.inf]), [[0, 0, 1, 1, 0]])


def test_ramp_lands_on_its_target_and_starts_where_it_was() -> None:
    ramp = Ramp(0.0)
    ramp.move(1.0, 100)
    gains = np.array([kernels.next_gain(ramp.state) for _ in range(150)])
    np.testing.assert_allclose(gains[:100], np.arange(1, 101) / 100)
    assert (gains[99:] == 1.0).all()
    ramp.move(-0.5, 7)
    assert [kernels.next_gain(ramp.state) for _ in range(9)][-1] == -0.5
    ramp.move(0.3, 0)
    assert kernels.next_gain(ramp.state) == 0.3 == ramp.target


def test_a_gain_makes_silence_of_what_is_not_finite() -> None:
    block = np.array([[np.nan, np.inf, -np.inf, 0.5]], np.float32)
    kernels.ramp_gain(block, block, Ramp(2.0).state)
    np.testing.assert_array_equal(block, [[0, 0, 0, 1]])


def test_centre_mask_takes_the_middle_and_leaves_the_sides() -> None:
    spectrum = np.zeros((2, 8), np.complex64)
    spectrum[:, 2] = 1 + 1j  # middle
    spectrum[0, 3] = 1  # left only
    spectrum[:, 4] = [1, -1]  # out of phase
    spectrum[:, 7] = 1  # above the band
    mask = np.ones((2, 8), np.float32)
    kernels.centre_mask(spectrum, mask, 1, 7, 0.5)
    np.testing.assert_allclose(mask, [[0, 0, 0.5, 0, 0, 0, 0, 0]] * 2)
    mono = np.ones((1, 8), np.float32)
    kernels.centre_mask(spectrum[:1].copy(), mono, 1, 7, 0.5)
    assert not mono.any()


def test_meter_reads_peak_and_rms_and_starts_anew() -> None:
    meter = Meter(2)
    meter.add(np.array([[1.0, -0.5], [0.0, 0.0]], np.float32))
    level = meter.read()
    assert level.peak_db == (0.0, FLOOR_DB)
    assert level.rms_db[0] == pytest.approx(10 * np.log10(0.625))
    assert meter.read().peak_db == (FLOOR_DB, FLOOR_DB)


def test_decibels() -> None:
    assert db_to_gain(-20) == pytest.approx(0.1)
    assert db_to_gain(-np.inf) == 0.0
