"""BSS-EVAL, as the field quotes it, computed by the ``museval`` package.

=======  ==========================================================================================================
version  what it is
=======  ==========================================================================================================
``v4``   SDR, SIR and SAR of 1 s frames against images of the sources (512 taps per channel, one filter for the whole
         song); a song's figure is the median of its frames. What SiSEC 2018 and most tables of MUSDB18 quote.
``v3``   SDR, SIR and SAR of the whole song against mono sources (512 taps). NSDR is the SDR minus that of the mixture
         taken for the source; G... is the mean over songs, weighted by their lengths. What iKala and MIR-1K are
         quoted in. A stereo song counts as the mean of its channels.
=======  ==========================================================================================================

Sources: E. Vincent, R. Gribonval, C. Févotte, "Performance measurement in blind audio source separation", IEEE TASLP
14(4), 2006; F.-R. Stöter, A. Liutkus, N. Ito, "The 2018 Signal Separation Evaluation Campaign", LVA/ICA 2018.
"""

import importlib.util
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.evaluate.extras import missing
from rtkaraoke.evaluate.readers import Audio, Sources

VERSIONS = ("v4", "v3")
SOURCES = ("voice", "music")
NOISE_DB = -70.0  #: of the noise in the references of v4, against the mixture
PURPOSE = "BSS-EVAL (leave it out with --bsseval none)"


def bsseval_v4(truth: Sources, voice: Audio, music: Audio) -> dict[str, float]:
    """``voice_sdr_v4``, ``voice_sir_v4``, ``voice_sar_v4`` and the same of ``music``, in dB.

    Parameters
    ----------
    truth : Sources
    voice, music : ndarray, float32 ``(channel, sample)``
        What was found.

    Returns
    -------
    dict
        Without what is not finite; empty for a silent source or estimate, and without a frame in which all sound.

    Raises
    ------
    RtkaraokeError
        When museval is not installed.
    """
    museval = _museval()
    if not _all_sound(truth.voice, truth.music, voice, music):
        return {}
    second = truth.sample_rate
    with np.errstate(all="ignore"):  # a perfect estimate divides by zero
        sdr, _, sir, sar, _ = museval.bss_eval(_references(truth), _images(voice, music), window=second, hop=second)
    if np.isnan(sdr).all():
        return {}
    medians = np.nanmedian([sdr, sir, sar], axis=2)  # (figure, source)
    return _named(medians, ("sdr_v4", "sir_v4", "sar_v4"))


def bsseval_v3(truth: Sources, voice: Audio, music: Audio) -> dict[str, float]:
    """``voice_nsdr``, ``voice_sir``, ``voice_sar`` and the same of ``music``, in dB; else as :func:`bsseval_v4`."""
    museval = _museval()
    mixture = truth.mixture
    channels = [
        channel
        for channel in range(len(mixture))
        if _all_sound(*(part[channel] for part in (truth.voice, truth.music, voice, music, mixture)))
    ]
    if not channels:
        return {}
    figures = np.zeros((3, len(SOURCES)))
    for channel in channels:
        reference = np.stack([truth.voice[channel], truth.music[channel]])
        sdr, sir, sar, _ = _v3(museval, reference, np.stack([voice[channel], music[channel]]))
        figures += np.stack([sdr - _mixture_sdr(reference.tobytes()), sir, sar]) / len(channels)
    return _named(figures, ("nsdr", "sir", "sar"))


def _v3(museval: ModuleType, reference: Audio, estimate: Audio) -> list[Audio]:
    """SDR, SIR and SAR, each ``(source,)``, and the order of the sources, of ``(source, sample)`` arrays."""
    with np.errstate(all="ignore"):  # as above
        return [np.ravel(figure) for figure in museval.bss_eval_sources(reference, estimate, compute_permutation=False)]


@lru_cache(maxsize=4)
def _mixture_sdr(reference: bytes) -> Audio:
    """The SDR of the sum of two sources, taken for each of them: once per song, however many methods are scored."""
    sources = np.frombuffer(reference, np.float32).reshape(len(SOURCES), -1)
    mixture = sources.sum(axis=0, dtype=np.float32)
    return _v3(_museval(), sources, np.stack([mixture, mixture]))[0]


def _references(truth: Sources) -> NDArray[np.float64]:
    """The images of the true sources with a trace of noise.

    Lossy files hold nothing above 16 kHz or so, and mono ones the same twice: there the filters of the projection are
    anything, up to 1e6, and whatever that does at the edges of a frame takes SIR and SAR to -20 dB. The noise keeps
    them down; SDR, which needs no filter, stays as it is to 0.01 dB.
    """
    images = _images(truth.voice, truth.music)
    level = 10 ** (NOISE_DB / 20) * np.sqrt(np.square(truth.mixture, dtype=np.float64).mean())
    noise = level * np.random.default_rng(0).standard_normal(images.shape)
    return np.where(images == 0, 0, images + noise)  # silence stays: its seconds do not count


def _images(voice: Audio, music: Audio) -> NDArray[np.float64]:
    """``(source, sample, channel)``, in double precision, as museval wants it."""
    return np.stack([voice.T, music.T]).astype(np.float64)


def _all_sound(*signals: Audio) -> bool:
    return all(signal.any() for signal in signals)


def _named(figures: np.ndarray, names: tuple[str, ...]) -> dict[str, float]:
    return {
        f"{source}_{name}": float(value)
        for name, values in zip(names, figures, strict=True)
        for source, value in zip(SOURCES, values, strict=True)
        if np.isfinite(value)
    }


@cache
def _museval() -> ModuleType:
    """``museval.metrics`` alone: importing museval as a whole fails on machines without the program ffmpeg."""
    package = importlib.util.find_spec("museval")
    if package is None or not package.submodule_search_locations:
        raise missing("museval", PURPOSE)
    path = Path(package.submodule_search_locations[0]) / "metrics.py"
    spec = importlib.util.spec_from_file_location("museval_metrics", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
