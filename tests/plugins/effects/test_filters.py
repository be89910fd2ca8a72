"""High pass and equaliser have the curves that they promise."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import freqz

from rtkaraoke.plugins.effects.filters import Equaliser, HighPass
from rtkaraoke.plugins.harness import noise, run
from rtkaraoke.plugins.protocol import Plugin

RATE = 48_000
HZ = np.geomspace(30, 20_000, 60)


def curve_db(plugin: Plugin, hz: NDArray = HZ, sample_rate: int = RATE, **values: float) -> NDArray[np.float64]:
    """The magnitude response of ``plugin`` with ``values`` at ``hz``, by its impulse response."""
    for name, value in values.items():
        plugin.set(name, value)
    plugin.prepare(sample_rate, 1, 4096)
    impulse = np.zeros((1, 1 << 15), np.float32)
    impulse[0, 0] = 1.0
    answer = run(plugin, impulse, (4096,))[0].astype(np.float64)
    spectrum = np.exp(-2j * np.pi * np.outer(hz / sample_rate, np.arange(len(answer)))) @ answer
    return 20 * np.log10(np.abs(spectrum))


def cookbook_db(kind: str, hz: float, gain_db: float, q: float, sample_rate: int = RATE) -> NDArray[np.float64]:
    """R. Bristow-Johnson's filters, as the cookbook has them."""
    a, w = 10 ** (gain_db / 40), 2 * np.pi * hz / sample_rate
    alpha, cosine = np.sin(w) / (2 * q), np.cos(w)
    if kind == "peak":
        b = [1 + alpha * a, -2 * cosine, 1 - alpha * a]
        c = [1 + alpha / a, -2 * cosine, 1 - alpha / a]
    else:
        s = 1 if kind == "low" else -1
        root = 2 * np.sqrt(a) * alpha
        b = [
            a * ((a + 1) - s * (a - 1) * cosine + root),
            s * 2 * a * ((a - 1) - s * (a + 1) * cosine),
            a * ((a + 1) - s * (a - 1) * cosine - root),
        ]
        c = [
            (a + 1) + s * (a - 1) * cosine + root,
            -s * 2 * ((a - 1) + s * (a + 1) * cosine),
            (a + 1) + s * (a - 1) * cosine - root,
        ]
    return 20 * np.log10(np.abs(freqz(b, c, HZ, fs=sample_rate)[1]))


@pytest.mark.parametrize("hz", [60.0, 1000.0, 9000.0])
@pytest.mark.parametrize("gain_db", [-18.0, 3.0, 12.0])
def test_the_equaliser_has_the_cookbook_s_curves(hz: float, gain_db: float) -> None:
    low = curve_db(Equaliser(), low_frequency=hz, low_gain=gain_db)
    np.testing.assert_allclose(low, cookbook_db("low", hz, gain_db, 0.5**0.5), atol=0.02)
    high = curve_db(Equaliser(), high_frequency=hz, high_gain=gain_db)
    np.testing.assert_allclose(high, cookbook_db("high", hz, gain_db, 0.5**0.5), atol=0.02)
    for q in (0.5, 4.0):
        peak = curve_db(Equaliser(), peak2_frequency=hz, peak2_gain=gain_db, peak2_q=q)
        np.testing.assert_allclose(peak, cookbook_db("peak", hz, gain_db, q), atol=0.02)


def test_a_flat_equaliser_copies_the_bits() -> None:
    plugin = Equaliser()
    plugin.prepare(RATE, 2, 4096)
    np.testing.assert_array_equal(run(plugin, noise(9000)), noise(9000))


def test_the_bands_add_up() -> None:
    values = {"low_gain": 4.0, "peak1_gain": -3.0, "peak3_gain": 5.0, "high_gain": -6.0}
    alone = [curve_db(Equaliser(), **{name: value}) for name, value in values.items()]
    np.testing.assert_allclose(curve_db(Equaliser(), **values), np.sum(alone, axis=0), atol=0.02)


def test_a_telephone_passes_the_middle_only() -> None:
    telephone = Equaliser()
    telephone.use_preset("telephone")
    low, middle, high = curve_db(telephone, np.array([80.0, 1500.0, 10_000.0]))
    assert middle > 3
    assert low < -15
    assert high < -12


@pytest.mark.parametrize(("slope", "expected"), [(0, (-24.1, -12.3, -3.01, 0)), (1, (-48.2, -24.1, -3.01, 0))])
@pytest.mark.parametrize("sample_rate", [16_000, 48_000, 96_000])
def test_the_high_pass_is_butterworth_s(slope: int, expected: tuple[float, ...], sample_rate: int) -> None:
    found = curve_db(HighPass(), np.array([50.0, 100.0, 200.0, 2000.0]), sample_rate, frequency=200.0, slope=slope)
    np.testing.assert_allclose(found, expected, atol=0.1)


def test_a_band_above_the_rate_stands_below_half_of_it() -> None:
    plugin = Equaliser()
    plugin.set("high_frequency", 20_000.0)
    plugin.set("high_gain", 24.0)
    plugin.prepare(16_000, 1, 4096)
    out = run(plugin, noise(16_000, 1))
    assert np.isfinite(out).all()
    assert np.abs(out).max() < 16 * np.abs(noise(16_000, 1)).max()
