import math

import numpy as np
import pytest

from rtkaraoke.bench.report import Figure
from rtkaraoke.bench.statistics import mean, per_hour, quantile, share


def test_no_miss_in_so_many_hops_means_fewer_than_three() -> None:
    found = share(0, 10_000)
    assert found.value == found.low == 0
    assert found.high == pytest.approx(3 / 10_000, rel=2e-3)
    hourly = per_hour(0, 1800)
    assert (hourly.value, hourly.low) == (0, 0)
    assert hourly.high == pytest.approx(-2 * math.log(0.05))


def test_misses_have_the_exact_interval_of_poisson() -> None:
    # Garwood 1936: 5 events, 95 %: 1.623 to 11.668.
    found = per_hour(5, 3600)
    assert found.value == 5
    assert (round(found.low, 3), round(found.high, 3)) == (1.623, 11.668)
    assert per_hour(5, 7200).high == pytest.approx(found.high / 2)


def test_a_share_is_between_0_and_1() -> None:
    assert share(10, 10).high == 1
    assert share(10, 10).low < 1
    assert share(3, 10).low < 0.3 < share(3, 10).high


def test_the_interval_of_a_percentile_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    truth = -math.log(0.1)  # of the exponential distribution, 90 %
    held = 0
    for _ in range(400):
        found = quantile(random.exponential(size=500), 90)
        assert found.low <= found.value <= found.high
        held += found.low <= truth <= found.high
    assert 0.92 < held / 400 < 0.99


def test_too_few_values_bound_no_percentile() -> None:
    found = quantile(np.arange(1000.0), 99.9)
    assert found.value == pytest.approx(998.0, abs=1)
    assert math.isnan(found.high)
    assert Figure.of(found) == Figure(found.value, None, None)
    assert not math.isnan(quantile(np.arange(5000.0), 99.9).high)


def test_a_mean_of_slow_noise_has_a_wide_interval() -> None:
    random = np.random.default_rng(0)
    quick, slow = random.normal(size=10_000), np.repeat(random.normal(size=100), 100)
    assert mean(slow).high - mean(slow).low > 3 * (mean(quick).high - mean(quick).low)
    assert mean(np.array([2.0])) == (2.0, 2.0, 2.0)
