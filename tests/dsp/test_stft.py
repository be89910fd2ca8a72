"""The streaming STFT is the plain windowed FFT, and the window pair gives the signal back."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rtkaraoke.dsp.stft import StreamingStft
from rtkaraoke.dsp.windows import window_pair
from rtkaraoke.geometry import StftGeometry

pytestmark = pytest.mark.kernels
REFERENCE = StftGeometry(44_100, 2048, 256)
PADDED = StftGeometry(44_100, 8192, 512, window=2048)  # of the CNN with ideal binary mask (Lin et al. 2018)
RATES = [16_000, 32_000, 44_100, 48_000, 96_000]


def stream(stft: StreamingStft, audio: NDArray[np.float32], mask: float) -> tuple[list[NDArray[np.complex64]], NDArray]:
    geometry = stft.geometry
    spectrum = np.zeros((audio.shape[0], geometry.n_bins), np.complex64)
    masks = np.full(spectrum.shape, mask, np.float32)
    hop_out = np.zeros((audio.shape[0], geometry.hop), np.float32)
    spectra, hops = [], []
    for start in range(0, audio.shape[1] - geometry.hop + 1, geometry.hop):
        stft.history[:, -geometry.hop :] = audio[:, start : start + geometry.hop]
        stft.analyse(spectrum)
        spectra.append(spectrum.copy())
        stft.synthesise(spectrum, masks, hop_out)
        hops.append(hop_out.copy())
    return spectra, np.concatenate(hops, axis=1)


@pytest.mark.parametrize("sample_rate", RATES)
@pytest.mark.parametrize("reference", [REFERENCE, PADDED, StftGeometry(44_100, 2048, 512)])
def test_window_pair_reconstructs_one_hop_later(reference: StftGeometry, sample_rate: int) -> None:
    geometry = reference.at_rate(sample_rate)
    audio = np.random.default_rng(0).standard_normal((2, 40 * geometry.hop)).astype(np.float32)
    _, voice = stream(StreamingStft(geometry, 2), audio, 1.0)
    error = voice[:, geometry.hop :] - audio[:, : voice.shape[1] - geometry.hop]
    assert 10 * np.log10(np.mean(error**2) / np.mean(audio**2)) < -120


def test_window_products_sum_to_one() -> None:
    analysis, synthesis = window_pair(REFERENCE)
    product = analysis[-512:] * synthesis
    np.testing.assert_allclose(product[:256] + product[256:], 1.0, atol=2e-7)
    assert synthesis.max() <= 1.0


def test_spectra_are_those_of_numpy() -> None:
    audio = np.random.default_rng(1).standard_normal((2, 20 * 256)).astype(np.float32)
    spectra, _ = stream(StreamingStft(REFERENCE, 2), audio, 1.0)
    analysis, _ = window_pair(REFERENCE)
    padded = np.pad(audio, ((0, 0), (2048, 0)))
    for n, spectrum in enumerate(spectra):
        end = 2048 + (n + 1) * 256
        np.testing.assert_allclose(spectrum, np.fft.rfft(padded[:, end - 2048 : end] * analysis), atol=2e-4)


def test_zeros_come_before_a_window_shorter_than_the_transform() -> None:
    audio = np.random.default_rng(1).standard_normal((2, 10 * 512)).astype(np.float32)
    spectra, _ = stream(StreamingStft(PADDED, 2), audio, 1.0)
    analysis, _ = window_pair(PADDED)
    padded = np.pad(audio, ((0, 0), (2048, 0)))
    for n, spectrum in enumerate(spectra):
        end = 2048 + (n + 1) * 512
        frame = np.pad(padded[:, end - 2048 : end] * analysis, ((0, 0), (8192 - 2048, 0)))
        np.testing.assert_allclose(spectrum, np.fft.rfft(frame), atol=2e-4)


def test_mask_scales_the_voice() -> None:
    audio = np.random.default_rng(2).standard_normal((1, 20 * 256)).astype(np.float32)
    _, whole = stream(StreamingStft(REFERENCE, 1), audio, 1.0)
    _, half = stream(StreamingStft(REFERENCE, 1), audio, 0.5)
    np.testing.assert_allclose(half, 0.5 * whole, atol=1e-6)


def test_reset_forgets_everything() -> None:
    audio = np.random.default_rng(3).standard_normal((1, 20 * 256)).astype(np.float32)
    stft = StreamingStft(REFERENCE, 1)
    _, first = stream(stft, audio, 1.0)
    stft.reset()
    _, second = stream(stft, audio, 1.0)
    np.testing.assert_array_equal(first, second)
