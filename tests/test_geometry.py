"""One network serves every rate: hops, bins and latencies follow from its geometry in seconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtkaraoke.errors import GeometryError
from rtkaraoke.geometry import StftGeometry, largest_prime_factor, nearest_smooth

REFERENCE = StftGeometry(44_100, 2048, 256)


@pytest.mark.parametrize(
    ("sample_rate", "latency"),
    [(16_000, 186), (32_000, 372), (44_100, 512), (48_000, 558), (88_200, 1024), (96_000, 1116)],
)
def test_declared_latency_at_the_common_rates(sample_rate: int, latency: int) -> None:
    assert REFERENCE.at_rate(sample_rate).latency == latency


@given(st.integers(16_000, 192_000))
def test_hop_keeps_its_duration_and_has_a_fast_fft(sample_rate: int) -> None:
    geometry = REFERENCE.at_rate(sample_rate)
    assert geometry.hop_s == pytest.approx(REFERENCE.hop_s, rel=0.015)
    assert largest_prime_factor(geometry.n_fft) <= 31
    assert geometry.n_fft == 8 * geometry.hop
    assert geometry.level_scale * geometry.n_fft == pytest.approx(2048)


def test_prime_hop_is_avoided() -> None:
    assert nearest_smooth(557.28) == 558


def test_largest_prime_factor_is_that_of_trial_division() -> None:
    primes = [n for n in range(2, 500) if all(n % d for d in range(2, n))]
    for n in range(2, 500):
        assert largest_prime_factor(n) == max(p for p in primes if n % p == 0)


def test_look_ahead_is_part_of_the_latency() -> None:
    assert StftGeometry(44_100, 2048, 256, look_ahead=3).latency == 5 * 256
    assert StftGeometry(44_100, 2048, 256, look_ahead=3).at_rate(48_000).latency == 5 * 279


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0, 2048, 256), "sample rate of 0 Hz"),
        ((1_000_000_000, 2048, 256), "sample rate of 1000000000 Hz"),
        ((44_100, 2048, 0), "hop of 0"),
        ((44_100, 511, 256), "n_fft 511"),
        ((44_100, 2047, 256), "n_fft 2047"),
        ((44_100, 2048, 256, -1), "look-ahead of -1"),
        ((44_100, 2048, 256, 0, 511), "window of 511"),
        ((44_100, 2048, 256, 0, 2049), "window of 2049"),
    ],
)
def test_what_cannot_work_is_refused_with_value_and_rule(values: tuple[int, ...], words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        StftGeometry(*values)


def test_a_rate_out_of_range_names_the_way_out() -> None:
    with pytest.raises(GeometryError, match="convert the audio"):
        REFERENCE.at_rate(1_000)


def test_an_uneven_geometry_runs_at_its_own_rate_only() -> None:
    uneven = StftGeometry(44_100, 2048, 300)
    assert uneven.at_rate(44_100) is uneven
    with pytest.raises(GeometryError, match="its own 44100 Hz only"):
        uneven.at_rate(48_000)


@pytest.mark.parametrize("sample_rate", [16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000])
def test_common_rates_keep_half_a_percent(sample_rate: int) -> None:
    assert REFERENCE.at_rate(sample_rate).hop_s == pytest.approx(REFERENCE.hop_s, rel=0.005)


def test_a_window_shorter_than_the_transform_keeps_its_duration() -> None:
    padded = StftGeometry(44_100, 8192, 512, window=2048)
    assert (padded.n_bins, padded.latency, padded.level_scale) == (4097, 1024, 1.0)
    half = padded.at_rate(22_050)
    assert (half.n_fft, half.window, half.hop, half.level_scale) == (4096, 1024, 256, 2.0)
    assert padded.at_rate(48_000).window == 4 * padded.at_rate(48_000).hop
    assert REFERENCE.window == REFERENCE.n_fft
    with pytest.raises(GeometryError, match="window's length 2000"):
        StftGeometry(44_100, 8192, 512, window=2000).at_rate(48_000)
