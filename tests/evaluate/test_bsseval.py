"""BSS-EVAL is the published one: a least-squares projection onto delayed sources, computed here a second time."""

import importlib.util

import numpy as np
import pytest

from rtkaraoke.errors import RtkaraokeError
from rtkaraoke.evaluate import bsseval
from rtkaraoke.evaluate.bsseval import bsseval_v3, bsseval_v4
from rtkaraoke.evaluate.readers import Sources

RATE = 4_000
TAPS = 512


def song(seed: int, n_channels: int, seconds: float) -> tuple[Sources, np.ndarray, np.ndarray]:
    """A song of noise, and estimates with leak, filtering and artefacts."""
    random = np.random.default_rng(seed)
    voice, music, noise = random.standard_normal((3, n_channels, round(seconds * RATE))).astype(np.float32)
    found_voice = 0.9 * voice + 0.2 * np.roll(voice, 3, axis=1) + 0.3 * music + 0.1 * noise
    found_music = 0.8 * music + 0.2 * voice - 0.1 * noise
    return Sources(voice, music, RATE), found_voice, found_music


def delayed(signal: np.ndarray) -> np.ndarray:
    """``(sample + TAPS - 1, TAPS)``: the signal, delayed by 0 to 511 samples."""
    columns = np.zeros((len(signal) + TAPS - 1, TAPS))
    for i in range(TAPS):
        columns[i : i + len(signal), i] = signal
    return columns


def decompose(estimate: np.ndarray, target: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Target, interference and artefacts of a mono estimate, as BSS-EVAL defines them."""
    padded = np.concatenate([estimate, np.zeros(TAPS - 1)])

    def project(columns: np.ndarray) -> np.ndarray:
        return columns @ np.linalg.solve(columns.T @ columns, columns.T @ padded)

    on_target = project(delayed(target))
    on_both = project(np.hstack([delayed(target), delayed(other)]))
    return on_target, on_both - on_target, padded - on_both


def db(above: np.ndarray, below: np.ndarray) -> float:
    return float(10 * np.log10(np.square(above).sum() / np.square(below).sum()))


def test_v3_is_the_projection_on_delayed_sources() -> None:
    truth, voice, music = song(0, 1, 0.5)
    found = bsseval_v3(truth, voice, music)
    for name, estimate, target, other in (
        ("voice", voice[0], truth.voice[0], truth.music[0]),
        ("music", music[0], truth.music[0], truth.voice[0]),
    ):
        wanted, interference, artefacts = decompose(estimate.astype(float), target, other)
        before, leak, rest = decompose(truth.mixture[0].astype(float), target, other)
        nsdr = db(wanted, interference + artefacts) - db(before, leak + rest)
        assert found[f"{name}_nsdr"] == pytest.approx(nsdr, abs=0.02)
        assert found[f"{name}_sir"] == pytest.approx(db(wanted, interference), abs=0.02)
        assert found[f"{name}_sar"] == pytest.approx(db(wanted + interference, artefacts), abs=0.02)


def test_v3_of_stereo_is_the_mean_of_its_channels() -> None:
    truth, voice, music = song(1, 2, 1.0)
    both = bsseval_v3(truth, voice, music)
    each = [
        bsseval_v3(Sources(truth.voice[c], truth.music[c], RATE), voice[c], music[c])
        for c in (slice(0, 1), slice(1, 2))
    ]
    assert both == {name: pytest.approx(np.mean([one[name] for one in each])) for name in both}


def test_v4_is_the_median_of_seconds() -> None:
    """For images the target itself is the reference, so the SDR of a frame is plain."""
    truth, voice, music = song(2, 2, 5.0)
    found = bsseval_v4(truth, voice, music)
    for name, estimate, target in (("voice", voice, truth.voice), ("music", music, truth.music)):
        frames = range(0, 5 * RATE, RATE)
        wanted = [db(target[:, t : t + RATE], (estimate - target)[:, t : t + RATE]) for t in frames]
        assert found[f"{name}_sdr_v4"] == pytest.approx(np.median(wanted), abs=0.1)
    assert set(found) == {f"{source}_{figure}_v4" for source in ("voice", "music") for figure in ("sdr", "sir", "sar")}


def test_v4_bears_mono_and_lossy_files() -> None:
    """Twice the same channel, and nothing in the upper half of the band, leave the filters without a rule."""
    parts = np.fft.rfft(np.random.default_rng(7).standard_normal((3, 1, 5 * RATE)))
    parts[..., parts.shape[-1] // 2 :] = 0
    voice, music, noise = np.fft.irfft(parts).astype(np.float32).repeat(2, axis=1)
    found = bsseval_v4(Sources(voice, music, RATE), 0.9 * voice + 0.3 * music + 0.1 * noise, 0.8 * music + 0.1 * noise)
    assert found["voice_sir_v4"] == pytest.approx(20 * np.log10(0.9 / 0.3), abs=1.0)
    assert found["voice_sar_v4"] > 12  # 19.5 without the frames' edges, 0 without the trace of noise


def test_v4_leaves_out_seconds_without_a_voice() -> None:
    truth, voice, music = song(3, 1, 4.0)
    truth.voice[:, : 2 * RATE] = 0.0
    found = bsseval_v4(truth, voice, music)
    assert np.isfinite(list(found.values())).all()
    assert found["voice_sdr_v4"] > 5


def test_silence_has_no_figures() -> None:
    truth, voice, music = song(4, 1, 1.0)
    silence = np.zeros_like(voice)
    for measure in (bsseval_v3, bsseval_v4):
        assert measure(truth, silence, music) == {}
        assert measure(Sources(silence, truth.music, RATE), voice, music) == {}


def test_voice_and_music_that_never_sound_together_have_no_frames() -> None:
    truth, voice, music = song(5, 1, 2.0)
    truth.voice[:, RATE:] = 0.0
    truth.music[:, :RATE] = 0.0
    assert bsseval_v4(truth, voice, music) == {}


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    bsseval._museval.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    truth, voice, music = song(6, 1, 1.0)
    with pytest.raises(RtkaraokeError, match=r"museval.*rtkaraoke\[bench\]"):
        bsseval_v4(truth, voice, music)
