"""Baselines are what their names say; the oracles agree with a second computation in plain NumPy."""

import sys

import numpy as np
import pytest

from rtkaraoke.errors import RtkaraokeError
from rtkaraoke.evaluate.baselines import BASELINES, baseline, do_nothing, oracle, repet_sim, through_engine
from rtkaraoke.evaluate.metrics import energy_db, sdr
from rtkaraoke.evaluate.readers import Sources
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks.centre import CentreNetwork
from rtkaraoke.rendering import render_array
from tests.support.datasets import noise

RATE = 44_100
GEOMETRY = StftGeometry(RATE, 2048, 256)


def song(seconds: float = 1.0, n_channels: int = 2, rate: int = RATE) -> Sources:
    """A gliding tone over noise that fades: masks between 0 and 1 everywhere."""
    t = np.arange(round(seconds * rate)) / rate
    voice = 0.2 * np.sin(2 * np.pi * (300 * t + 200 * t**2)) * np.ones((n_channels, 1))
    music = noise(3, n_channels, len(t)) * np.exp(-t)
    return Sources(voice.astype(np.float32), music.astype(np.float32), rate)


def oracle_in_numpy(song: Sources, kind: str, n_fft: int, hop: int) -> np.ndarray:
    """All frames at once, in double precision: frame t ends with sample (t + 1) * hop."""
    n_samples = song.voice.shape[1]
    n_frames = -(-n_samples // hop) + 1
    rise, fall = np.arange(n_fft - hop) + 0.5, np.arange(hop) + 0.5
    analysis = np.concatenate([np.sin(np.pi / 2 * rise / (n_fft - hop)), np.cos(np.pi / 2 * fall / hop)])
    synthesis = np.zeros(n_fft)
    synthesis[-2 * hop :] = np.sin(np.pi * (np.arange(2 * hop) + 0.5) / (2 * hop)) ** 2 / analysis[-2 * hop :]

    def spectra(signal: np.ndarray) -> np.ndarray:
        padded = np.pad(signal.astype(np.float64), ((0, 0), (n_fft - hop, n_frames * hop - n_samples)))
        frames = np.stack([padded[:, t * hop : t * hop + n_fft] for t in range(n_frames)])
        return np.fft.rfft(frames * analysis)

    voice, music = spectra(song.voice), spectra(song.music)
    voice_power, music_power = np.abs(voice) ** 2, np.abs(music) ** 2
    mask = voice_power > music_power if kind == "binary" else voice_power / (voice_power + music_power + 1e-12)
    out = np.zeros((len(song.voice), n_fft - hop + n_frames * hop))
    for t, frame in enumerate(np.fft.irfft(mask * (voice + music)) * synthesis):
        out[:, t * hop : t * hop + n_fft] += frame
    return out[:, n_fft - hop : n_fft - hop + n_samples]


@pytest.mark.parametrize("kind", ["binary", "ratio"])
@pytest.mark.parametrize(("rate", "n_fft", "hop"), [(44_100, 2048, 256), (48_000, 2232, 279)])
def test_oracles_agree_with_numpy(kind: str, rate: int, n_fft: int, hop: int) -> None:
    truth = song(0.5, rate=rate)
    found = oracle(kind, GEOMETRY)(truth)
    wanted = oracle_in_numpy(truth, kind, n_fft, hop)
    # A bin of equal shares may fall to either side in single precision: the figures, then, and nearly every sample.
    assert sdr(found.voice, truth.voice) == pytest.approx(sdr(wanted, truth.voice), abs=0.01)
    assert np.median(np.abs(found.voice - wanted)) < 1e-6
    np.testing.assert_array_equal(found.music, truth.mixture - found.voice)


def test_the_oracles_have_no_use_for_look_ahead() -> None:
    truth = song(0.2)
    ahead = StftGeometry(RATE, 2048, 256, look_ahead=8)
    np.testing.assert_array_equal(oracle("ratio", ahead)(truth).voice, oracle("ratio", GEOMETRY)(truth).voice)


def test_doing_nothing_scores_the_ratio_of_energies() -> None:
    truth = song()
    found = do_nothing(truth)
    ratio = float(np.square(truth.voice, dtype=float).sum() / np.square(truth.music, dtype=float).sum())
    assert sdr(found.voice, truth.voice) == pytest.approx(energy_db(ratio), abs=1e-3)
    assert sdr(found.music, truth.music) == pytest.approx(-energy_db(ratio), abs=1e-3)


def test_the_centre_mask_streams_through_the_engine() -> None:
    truth = song(0.3)
    found = baseline("centre", GEOMETRY)(truth)
    np.testing.assert_array_equal(found.voice, render_array(truth.mixture, RATE, CentreNetwork(), stem="voice"))
    np.testing.assert_allclose(found.music, render_array(truth.mixture, RATE, CentreNetwork()), atol=1e-6)


def test_parameters_reach_the_engine() -> None:
    bypassed = through_engine(CentreNetwork(), {"theta": 1.0})(song(0.2))
    assert not bypassed.voice.any()


@pytest.mark.slow
@pytest.mark.timeout(400)  # librosa compiles its kernels when it is first used
def test_repet_sim_finds_what_repeats() -> None:
    pytest.importorskip("librosa", reason="REPET-SIM needs librosa (extra: bench)")
    rate = 8_000
    bar = noise(0, 1, rate // 2)
    music = np.tile(bar, 12)
    t = np.arange(music.shape[1]) / rate
    voice = 0.1 * np.sin(2 * np.pi * np.cumsum(300 + 250 * np.sin(0.7 * t) + 40 * t) / rate)[None].astype(np.float32)
    truth = Sources(voice, music, rate)
    found, nothing = repet_sim(truth), do_nothing(truth)
    assert found.voice.shape == found.music.shape == music.shape
    assert found.voice.dtype == found.music.dtype == np.float32
    np.testing.assert_allclose(found.voice + found.music, truth.mixture, atol=1e-6)
    assert sdr(found.music, truth.music) > sdr(nothing.music, truth.music) + 5
    assert sdr(found.voice, truth.voice) > sdr(nothing.voice, truth.voice) + 5


@pytest.mark.slow
@pytest.mark.timeout(400)  # as above
def test_repet_sim_of_next_to_nothing() -> None:
    pytest.importorskip("librosa", reason="REPET-SIM needs librosa (extra: bench)")
    truth = song(0.02, 1)
    np.testing.assert_array_equal(repet_sim(truth).music, truth.mixture)
    assert np.isfinite(repet_sim(song(0.1)).voice).all()


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(RtkaraokeError, match=r"librosa.*rtkaraoke\[bench\]"):
        baseline("repet-sim", GEOMETRY)


def test_an_unknown_baseline_is_refused() -> None:
    with pytest.raises(RtkaraokeError, match=", ".join(BASELINES)):
        baseline("magic", GEOMETRY)
