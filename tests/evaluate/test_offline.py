"""The papers' own way of taking a song apart: their window, whole songs, NMF; against independent computations."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.signal

from rtkaraoke.evaluate.baselines import do_nothing
from rtkaraoke.evaluate.mir1k import classical_clips, load_clip
from rtkaraoke.evaluate.nmf import PatchNmf
from rtkaraoke.evaluate.offline import OfflineSeparator, extend_bins, fit_bins, oracle_binary
from rtkaraoke.evaluate.patches import Masks, alpha_masks, cut_patches, theta_masks
from rtkaraoke.evaluate.readers import Sources
from rtkaraoke.evaluate.run import score
from rtkaraoke.evaluate.spectrogram import HannStft
from rtkaraoke.geometry import StftGeometry

DEEP = StftGeometry(44_100, 2048, 512)
CNN = StftGeometry(22_050, 4096, 256, window=1024)


def song(seconds: float = 1.5, rate: int = 16_000, n_channels: int = 1) -> Sources:
    """A gliding tone over noise and a beat."""
    rng = np.random.default_rng(0)
    t = np.arange(round(seconds * rate)) / rate
    voice = 0.3 * np.sin(2 * np.pi * (300 * t + 40 * np.sin(5 * t))) * (np.sin(3 * t) > 0)
    music = 0.05 * rng.standard_normal(len(t)) + 0.2 * np.sin(2 * np.pi * 1000 * t) * (np.sin(20 * t) > 0.5)
    return Sources(*(np.tile(part.astype(np.float32), (n_channels, 1)) for part in (voice, music)), rate)


@pytest.mark.parametrize("geometry", [DEEP, CNN, DEEP.at_rate(16_000)])
@pytest.mark.parametrize("n_samples", [1, 700, 10_007])
def test_a_mask_of_ones_gives_the_signal_back(geometry: StftGeometry, n_samples: int) -> None:
    signal = np.random.default_rng(1).uniform(-1, 1, n_samples).astype(np.float32)
    stft = HannStft(geometry)
    np.testing.assert_allclose(stft.signal(stft.spectrum(signal), n_samples), signal, atol=1e-5)


def test_spectra_are_those_of_scipy() -> None:
    signal = np.random.default_rng(2).uniform(-1, 1, 9_000).astype(np.float32)
    stft = HannStft(CNN)
    window = scipy.signal.windows.hann(1024, sym=True)
    twin = scipy.signal.ShortTimeFFT(window, 256, 22_050, mfft=4096)
    wanted = np.abs(twin.stft(signal, p0=0, p1=20)).T  # frame p is centred on sample 256 p
    found = np.abs(stft.spectrum(signal))[1 : 1 + len(wanted)]  # frame t begins with sample 256 t - 768
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_levels_are_those_of_the_papers() -> None:
    tone = np.sin(2 * np.pi * 22_050 / 4096 * 400 * np.arange(8192) / 22_050).astype(np.float32)
    stft = HannStft(CNN)
    magnitude = np.abs(stft.spectrum(tone))[8] / stft.gain
    assert magnitude.max() == pytest.approx(0.5, rel=1e-3)
    assert stft.gain * stft.geometry.level_scale == pytest.approx(np.hanning(2048).sum(), rel=2e-3)


@pytest.mark.parametrize("n_bins", [1, 200, 2049])
def test_masks_reach_every_bin_whatever_the_network_sees(n_bins: int) -> None:
    truth = song(n_channels=2)
    separator = OfflineSeparator(CNN, n_bins, lambda magnitude: np.full_like(magnitude, 0.75))
    found = separator.method(lambda p: theta_masks(p, 0.0))(truth)
    np.testing.assert_allclose(found.voice, 0.75 * truth.mixture, atol=1e-5)
    np.testing.assert_allclose(found.music, 0.25 * truth.mixture, atol=1e-5)
    binary = separator.method(lambda p: alpha_masks(p, 0.5))(truth)
    np.testing.assert_allclose(binary.voice, truth.mixture, atol=1e-5)
    assert not binary.music.any()


def test_bins_are_cut_padded_and_extended() -> None:
    matrix = np.array([[1, 2, 3]], np.float32)
    np.testing.assert_array_equal(fit_bins(matrix, 2), [[1, 2]])
    np.testing.assert_array_equal(fit_bins(matrix, 4), [[1, 2, 3, 0]])
    np.testing.assert_array_equal(extend_bins(matrix, 5), [[1, 2, 3, 3, 3]])
    np.testing.assert_array_equal(extend_bins(matrix, 2), [[1, 2]])


def by_mir_eval(truth: Sources, voice: np.ndarray, music: np.ndarray) -> dict[str, float]:
    """Figures of estimates ``(sample,)`` by mir_eval alone."""
    mir_eval = pytest.importorskip("mir_eval")
    reference = np.stack([truth.voice[0], truth.music[0]])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # mir_eval announces that it will drop it
        sdr, sir, sar, _ = mir_eval.separation.bss_eval_sources(reference, np.stack([voice, music]), False)
        before, *_ = mir_eval.separation.bss_eval_sources(reference, np.stack([truth.mixture[0]] * 2), False)
    names = ("voice_nsdr", "music_nsdr", "voice_sir", "music_sir", "voice_sar", "music_sar")
    return dict(zip(names, (*(sdr - before), *sir, *sar), strict=True))


def by_scipy(truth: Sources, geometry: StftGeometry) -> tuple[np.ndarray, np.ndarray]:
    """The oracle's voice and music, by SciPy's transform and a resynthesis that does not window a second time."""
    window = scipy.signal.windows.hann(geometry.window, sym=True)
    once = np.full(geometry.window, geometry.hop / window.sum())
    stft = scipy.signal.ShortTimeFFT(window, geometry.hop, truth.sample_rate, mfft=geometry.n_fft, dual_win=once)
    voice, music, mixture = (stft.stft(part[0].astype(float)) for part in (truth.voice, truth.music, truth.mixture))
    mask = np.abs(voice) > np.abs(music)
    n_samples = truth.mixture.shape[1]
    found, rest = (stft.istft(mixture * share, k1=n_samples) for share in (mask, ~mask))
    return found, rest


@pytest.mark.parametrize("geometry", [DEEP, CNN])
def test_the_oracle_scores_as_by_an_independent_computation(geometry: StftGeometry) -> None:
    truth = song()
    found = score(truth, oracle_binary(geometry)(truth), ("v3",))
    for name, value in by_mir_eval(truth, *by_scipy(truth, geometry.at_rate(truth.sample_rate))).items():
        assert found[name] == pytest.approx(value, abs=0.1)
    assert found["voice_nsdr"] > 5


def test_the_oracle_on_mir1k_scores_as_by_an_independent_computation(music_data: Path) -> None:
    for item in classical_clips("test", music_data)[::140]:
        truth = load_clip(item, 0.0)
        found = score(truth, oracle_binary(DEEP)(truth), ("v3",))
        for name, value in by_mir_eval(truth, *by_scipy(truth, DEEP.at_rate(16_000))).items():
            assert found[name] == pytest.approx(value, abs=0.1)
        nothing = score(truth, do_nothing(truth), ("v3",))
        assert nothing["voice_nsdr"] == nothing["music_nsdr"] == 0  # by definition


def test_nmf_tells_apart_what_it_has_learned() -> None:
    pytest.importorskip("sklearn")
    truth = song()
    stft = HannStft(DEEP.at_rate(16_000))
    voice, music, mixture = (np.abs(stft.spectrum(part[0])) for part in (truth.voice, truth.music, truth.mixture))
    nmf = PatchNmf(n_bases=8, n_frames=4, n_iterations=60, stride=2)
    nmf.fit(cut_patches(voice, 4, 2), cut_patches(music, 4, 2))
    assert nmf.bases.shape == (16, 4 * voice.shape[1])
    probability = nmf.probability(mixture)
    assert probability.shape == mixture.shape
    assert 0 <= probability.min() <= probability.max() <= 1
    louder = voice > 2 * music + 0.1
    softer = music > 2 * voice + 0.1
    assert probability[louder].mean() > 0.8
    assert probability[softer].mean() < 0.3
    for n_frames in (1, 3, 4, 5):
        assert nmf.probability(mixture[:n_frames]).shape == (n_frames, mixture.shape[1])


def test_rules_may_leave_bins_to_neither() -> None:
    truth = song()
    separator = OfflineSeparator(DEEP, 1025, lambda magnitude: np.full_like(magnitude, 0.5))
    found = separator.method(lambda p: Masks(0 * p, 0 * p))(truth)
    assert not found.voice.any()
    assert not found.music.any()
