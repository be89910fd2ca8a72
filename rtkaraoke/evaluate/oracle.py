"""Masks that know the answer: the ceiling of everything that multiplies this STFT by a mask.

The ratio mask is ``|V|^2 / (|V|^2 + |M|^2)``, the binary one 1 where the voice is louder than the music.
Both run through the streaming STFT itself, so what its windows cost is in the figure.
"""

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.dsp.stft import StreamingStft
from rtkaraoke.evaluate.data import Audio
from rtkaraoke.geometry import StftGeometry

KINDS = ("ratio", "binary")
TINY = 1e-12


def oracle_voice(voice: Audio, music: Audio, geometry: StftGeometry, kind: str) -> Audio:
    """The voice that the oracle mask takes out of ``voice + music``, both ``(channel, sample)``, aligned with them."""
    if kind not in KINDS:
        raise ValueError(f"oracle mask {kind!r}: there are {', '.join(KINDS)}")
    n_channels, n_samples = voice.shape
    hop = geometry.hop
    n_hops = -(-n_samples // hop) + 1  # one more: a hop is complete when the frame after it has come
    sources = np.zeros((2, n_channels, n_hops * hop), np.float32)
    sources[0, :, :n_samples], sources[1, :, :n_samples] = voice, music
    signals = (sources[0], sources[1], sources[0] + sources[1])
    stfts = [StreamingStft(geometry, n_channels) for _ in signals]
    spectra = [np.zeros((n_channels, geometry.n_bins), np.complex64) for _ in signals]
    out = np.zeros((n_channels, n_hops * hop), np.float32)
    hop_out = np.zeros((n_channels, hop), np.float32)
    for t in range(n_hops):
        for signal, stft, spectrum in zip(signals, stfts, spectra, strict=True):
            stft.history[:, -hop:] = signal[:, t * hop : (t + 1) * hop]
            stft.analyse(spectrum)
        stfts[2].synthesise(spectra[2], _mask(spectra[0], spectra[1], kind), hop_out)
        out[:, t * hop : (t + 1) * hop] = hop_out
    return np.ascontiguousarray(out[:, hop : hop + n_samples])


def _mask(voice: NDArray[np.complex64], music: NDArray[np.complex64], kind: str) -> NDArray[np.float32]:
    voice_power, music_power = np.square(np.abs(voice)), np.square(np.abs(music))
    if kind == "binary":
        return (voice_power > music_power).astype(np.float32)
    return (voice_power / (voice_power + music_power + TINY)).astype(np.float32)
