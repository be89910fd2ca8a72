"""Cheap variations of voices and backings. All take and give float32 ``(2, sample)`` at 44.1 kHz.

Variety of voices is what limits a network trained on this data, and the processor shares its cores with the
training: every effect here is a recursive filter, a resampling, one FFT convolution or one short-time transform.
"""

import numpy as np
import soxr
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import ShortTimeFFT, fftconvolve, lfilter, sosfilt

from rtkaraoke.evaluate.data import Audio

SAMPLE_RATE = 44_100
FRAMES = ShortTimeFFT(np.hanning(1025)[:-1], hop=512, fs=SAMPLE_RATE)  # of shift_formants
N_CEPSTRUM = 60  # 1.4 ms: shorter than the period of nearly all sung notes, so that it keeps formants and no harmonics
MOST_DB = 18.0  # by which a formant that moves raises or lowers a bin


def db_to_gain(db: float) -> float:
    """Amplitude factor of a level in dB."""
    return float(10 ** (db / 20))


def rms(audio: Audio) -> float:
    """Root mean square over the parts that sound: those within 30 dB of the loudest tenth of a second."""
    hop = SAMPLE_RATE // 10
    power = np.square(audio[:, : audio.shape[1] // hop * hop]).reshape(2, -1, hop).mean(axis=(0, 2))
    if not power.size or power.max() < 1e-9:
        return 0.0
    return float(np.sqrt(power[power > 1e-3 * power.max()].mean()))


def change_speed(audio: Audio, factor: float, n_samples: int) -> Audio:
    """Play ``factor`` times as fast, pitch, formants and all; cut or padded to ``n_samples``."""
    faster = soxr.resample(audio.T, SAMPLE_RATE * factor, SAMPLE_RATE, quality="LQ").T
    out = np.zeros((2, n_samples), np.float32)
    out[:, : faster.shape[1]] = faster[:, :n_samples]
    return out


def shift_formants(audio: Audio, factor: float) -> Audio:
    """Move what the throat filters ``factor`` times as high and leave the notes: another singer sings the same.

    Each frame's smooth envelope, by the low part of its cepstrum, is replaced by itself stretched along frequency;
    both sides get the same gains. Perturbing the length of the vocal tract makes many speakers of few (N. Jaitly and G.
    Hinton, "Vocal Tract Length Perturbation (VTLP) improves speech recognition", 2013).
    """
    spectrum = FRAMES.stft(audio)
    log_power = np.log(np.square(np.abs(spectrum)).sum(axis=0) + 1e-6)
    cepstrum = np.fft.irfft(log_power, axis=0)
    cepstrum[N_CEPSTRUM:-N_CEPSTRUM] = 0.0
    envelope = np.fft.rfft(cepstrum, axis=0).real
    source = np.arange(len(envelope)) / factor
    below = np.minimum(source.astype(int), len(envelope) - 2)
    share = np.minimum(source - below, 1.0)[:, None]
    moved = (1 - share) * envelope[below] + share * envelope[below + 1]
    most = MOST_DB / 10 * np.log(10)
    gains = np.exp(0.5 * np.clip(moved - envelope, -most, most))
    return FRAMES.istft(spectrum * gains, k1=audio.shape[1]).astype(np.float32)


def peak_filter(hz: float, gain_db: float, q: float) -> NDArray[np.float64]:
    """Second-order section ``(1, 6)`` of a peaking equaliser (R. Bristow-Johnson's cookbook)."""
    amplitude, omega = 10 ** (gain_db / 40), 2 * np.pi * hz / SAMPLE_RATE
    alpha, cosine = np.sin(omega) / (2 * q), np.cos(omega)
    b = np.array([1 + alpha * amplitude, -2 * cosine, 1 - alpha * amplitude])
    a = np.array([1 + alpha / amplitude, -2 * cosine, 1 - alpha / amplitude])
    return (np.concatenate([b, a]) / a[0])[None]


def equalise(audio: Audio, random: Generator, depth_db: float = 6.0) -> Audio:
    """Two or three random peaks or dips and a tilt."""
    sections = [
        peak_filter(float(np.exp(random.uniform(np.log(80), np.log(14_000)))), random.normal(0, depth_db / 2), 0.7)
        for _ in range(random.integers(2, 4))
    ]
    return sosfilt(np.concatenate(sections), audio).astype(np.float32)


def pan(audio: Audio, random: Generator, width: float = 0.5) -> Audio:
    """Shift the balance at random, and sometimes swap the sides."""
    position = random.normal(0, width / 2)
    gains = np.clip([1 - position, 1 + position], 0.1, 1.6).astype(np.float32)
    return (audio[::-1] if random.random() < 0.5 else audio) * gains[:, None]


def reverberate(audio: Audio, random: Generator) -> Audio:
    """A room of decaying stereo noise with a random size, delay, colour and share."""
    decay_s = float(np.exp(random.uniform(np.log(0.15), np.log(2.0))))
    n_tail = int(min(decay_s, 1.5) * SAMPLE_RATE)
    envelope = np.exp(-6.9 * np.arange(n_tail) / (decay_s * SAMPLE_RATE))
    tail = random.standard_normal((2, n_tail), np.float32) * envelope
    tail = lfilter([1.0], [1.0, -random.uniform(0.3, 0.9)], tail)
    delay = int(random.uniform(0.0, 0.04) * SAMPLE_RATE)
    tail[:, :delay] = 0.0
    tail *= db_to_gain(random.uniform(-22, -6)) / np.sqrt(np.square(tail).sum(axis=1, keepdims=True) + 1e-9)
    wet = fftconvolve(audio, tail.astype(np.float32), axes=1)[:, : audio.shape[1]]
    return (audio + wet).astype(np.float32)


def compress(audio: Audio, random: Generator) -> Audio:
    """A feed-forward compressor whose detector is a smoothed square, 30 to 200 ms long."""
    pole = np.exp(-1.0 / (random.uniform(0.01, 0.06) * SAMPLE_RATE))
    power = lfilter([1 - pole], [1, -pole], np.square(audio).mean(axis=0)) + 1e-8
    threshold = np.square(rms(audio)) + 1e-8
    ratio = random.uniform(0.2, 0.7)
    return (audio * np.maximum(power / threshold, 0.01) ** (-0.5 * ratio)).astype(np.float32)


def saturate(audio: Audio, random: Generator) -> Audio:
    """Soft clipping, driven 3 to 15 dB into the curve, at the level it came with."""
    level = rms(audio)
    if level == 0.0:
        return audio
    driven = np.tanh(audio * (db_to_gain(random.uniform(-9, 3)) / level))
    return (driven * (level / max(rms(driven), 1e-6))).astype(np.float32)


def double(audio: Audio, random: Generator) -> Audio:
    """Add one or two slightly detuned, delayed copies at the sides, as when a singer records twice."""
    n_samples, out = audio.shape[1], audio.copy()
    for side in random.permutation(2)[: random.integers(1, 3)]:
        copy = change_speed(audio, 1 + random.normal(0, 0.004), n_samples)
        copy = np.roll(copy, int(random.uniform(0.008, 0.035) * SAMPLE_RATE), axis=1)
        gains = np.full((2, 1), db_to_gain(random.uniform(-14, -3)), np.float32)
        gains[side] *= random.uniform(0, 0.6)
        out += copy * gains
    return out


def dress_voice(audio: Audio, random: Generator, dry: bool) -> Audio:
    """Random studio treatment; a ``dry`` recording gets more of it than a mixed vocal track."""
    likely = 1.0 if dry else 0.35
    if random.random() < 0.6 * likely:
        audio = compress(audio, random)
    if random.random() < 0.2:
        audio = saturate(audio, random)
    if random.random() < 0.5:
        audio = equalise(audio, random)
    if random.random() < 0.35 * likely:
        audio = double(audio, random)
    if random.random() < 0.85 * likely:
        audio = reverberate(audio, random)
    return pan(audio, random, 0.3)


def dress_music(audio: Audio, random: Generator) -> Audio:
    """Random colour, balance and width of a backing."""
    if random.random() < 0.5:
        audio = equalise(audio, random)
    if random.random() < 0.3:
        mid, side = audio.mean(axis=0), 0.5 * (audio[0] - audio[1])
        side *= random.uniform(0.0, 1.6)
        audio = np.stack([mid + side, mid - side])
    return pan(audio, random, 0.3)
