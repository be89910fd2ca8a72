"""Cheap variations of voices and backings. All take and give float32 ``(2, sample)`` at 44.1 kHz, on any device.

Variety of voices is what limits a network trained on this data, and on a CPU the mixing shares its cores with the
training: every effect here is a Fourier transform or two. Recursive filters are applied as their frequency responses,
over so many more samples that what comes around at the end is below hearing.

On a GPU all of it stays there. Chance is drawn by a numpy generator on the host, and no value of the audio is
ever read back: what depends on its level is computed beside it.
"""

import bisect
import functools
import math

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn.functional import pad

SAMPLE_RATE = 44_100
FRAME = 1024  # samples of a frame of shift_formants
N_CEPSTRUM = 60  # 1.4 ms: shorter than the period of nearly all sung notes, so that it keeps formants and no harmonics
MOST_DB = 18.0  # by which a formant that moves raises or lowers a bin
RINGING = 4_096  # samples after which a peak filter is silent, even one of 80 Hz
CODEC_FRAME = 2048
N_CODEC_BANDS = 22


def db_to_gain(db: float) -> float:
    """Amplitude factor of a level in dB."""
    return float(10 ** (db / 20))


def rms(audio: Tensor) -> Tensor:
    """Root mean square, a scalar, over the parts that sound: those within 30 dB of the loudest tenth of a second."""
    hop = SAMPLE_RATE // 10
    n_parts = audio.shape[1] // hop
    if not n_parts:
        return audio.new_zeros(())
    power = audio[:, : n_parts * hop].square().reshape(2, n_parts, hop).mean((0, 2))
    sounds = (power > 1e-3 * power.max()) & (power.max() > 1e-9)
    return ((power * sounds).sum() / sounds.sum().clamp(min=1)).sqrt()


@functools.cache
def fast_lengths(most: int) -> list[int]:
    """Lengths up to ``most`` whose prime factors are 2, 3, 5 and 7, rising: transforms of these are quick."""
    lengths = {1}
    for prime in (2, 3, 5, 7):
        powers = [prime**power for power in range(most.bit_length())]
        lengths = {length * power for length in lengths for power in powers if length * power <= most}
    return sorted(lengths)


@functools.lru_cache(4096)
def resampling_lengths(n_samples: int, factor: float) -> tuple[int, int]:
    """Two quick lengths whose quotient is near ``factor``, the first of them ``n_samples`` or a little more."""
    lengths = fast_lengths(1 << (2 * n_samples).bit_length() + 1)
    first = bisect.bisect_left(lengths, n_samples)
    pairs = []
    for before in lengths[first : first + 16]:
        above = bisect.bisect_left(lengths, before / factor)
        pairs += [(before, after) for after in lengths[max(above - 1, 0) : above + 1]]
    return min(pairs, key=lambda pair: abs(pair[0] / pair[1] - factor))


def change_speed(audio: Tensor, factor: float, n_samples: int) -> Tensor:
    """Play ``factor`` times as fast, to two thousandths, pitch, formants and all; cut or padded to ``n_samples``."""
    before, after = resampling_lengths(audio.shape[1], factor)
    spectrum = torch.fft.rfft(pad(audio, (0, before - audio.shape[1])))
    n_bins = min(before, after) // 2 + 1
    faster = torch.fft.irfft(spectrum[:, :n_bins], after) * (after / before)
    faster = faster[:, : math.ceil(audio.shape[1] * after / before)]
    return pad(faster, (0, n_samples - faster.shape[1]))  # a negative padding cuts


def analyse(audio: Tensor, n_fft: int) -> Tensor:
    """Spectra of frames of ``n_fft`` that overlap by half: complex ``(2, frame, bin)``.

    Not ``torch.stft``: its inverse looks at a value, for which the host would have to wait.
    """
    hop = n_fft // 2
    n_hops = math.ceil(audio.shape[1] / hop)
    frames = pad(audio, (hop, (n_hops + 1) * hop - audio.shape[1])).unfold(-1, n_fft, hop)
    return torch.fft.rfft(frames * torch.hann_window(n_fft, device=audio.device))


def resynthesise(spectra: Tensor, n_samples: int) -> Tensor:
    """The first ``n_samples`` of the signal whose :func:`analyse` comes nearest to ``spectra``."""
    n_fft = 2 * (spectra.shape[2] - 1)
    window = torch.hann_window(n_fft, device=spectra.device)
    frames = torch.fft.irfft(spectra, n_fft) * (window / (window.square() + window.square().roll(n_fft // 2)))
    rising, falling = frames.unflatten(-1, (2, -1)).unbind(-2)
    return (rising[:, 1:] + falling[:, :-1]).flatten(1)[:, :n_samples]


def shift_formants(audio: Tensor, factor: float) -> Tensor:
    """Move what the throat filters ``factor`` times as high and leave the notes: another singer sings the same.

    Each frame's smooth envelope, by the low part of its cepstrum, is replaced by itself stretched along frequency;
    both sides get the same gains. Perturbing the length of the vocal tract makes many speakers of few (N. Jaitly and G.
    Hinton, "Vocal Tract Length Perturbation (VTLP) improves speech recognition", 2013).
    """
    spectra = analyse(audio, FRAME)
    log_power = torch.log(spectra.abs().square().sum(0) + 1e-6)
    cepstrum = torch.fft.irfft(log_power)
    cepstrum[:, N_CEPSTRUM : FRAME - N_CEPSTRUM] = 0.0
    envelope = torch.fft.rfft(cepstrum).real
    source = torch.arange(envelope.shape[1], device=audio.device) / factor
    below = source.long().clamp(max=envelope.shape[1] - 2)
    moved = torch.lerp(envelope[:, below], envelope[:, below + 1], (source - below).clamp(max=1.0).expand_as(envelope))
    most = MOST_DB / 10 * math.log(10)
    gains = torch.exp(0.5 * (moved - envelope).clamp(-most, most))
    return resynthesise(spectra * gains, audio.shape[1])


def peak_filter(hz: float, gain_db: float, q: float) -> list[float]:
    """``b0 b1 b2 a0 a1 a2`` of a peaking equaliser (R. Bristow-Johnson's cookbook)."""
    amplitude, omega = 10 ** (gain_db / 40), 2 * math.pi * hz / SAMPLE_RATE
    alpha, cosine = math.sin(omega) / (2 * q), math.cos(omega)
    numerator = [1 + alpha * amplitude, -2 * cosine, 1 - alpha * amplitude]
    return [*numerator, 1 + alpha / amplitude, -2 * cosine, 1 - alpha / amplitude]


def delays(n_fft: int, device: torch.device) -> Tensor:
    """The transfer function of a delay by one sample: ``exp(-j omega)`` of each bin."""
    omega = torch.arange(n_fft // 2 + 1, device=device) * (2 * math.pi / n_fft)
    return torch.complex(omega.cos(), -omega.sin())


def long_enough(n_samples: int) -> int:
    """A quick length of at least ``n_samples``."""
    lengths = fast_lengths(1 << n_samples.bit_length())
    return lengths[bisect.bisect_left(lengths, n_samples)]


def equalise(audio: Tensor, random: Generator, depth_db: float = 6.0) -> Tensor:
    """Two or three random peaks or dips."""
    n_fft = long_enough(audio.shape[1] + RINGING)
    z = delays(n_fft, audio.device)
    spectrum = torch.fft.rfft(audio, n_fft)
    for _ in range(random.integers(2, 4)):
        hz = float(np.exp(random.uniform(np.log(80), np.log(14_000))))
        b0, b1, b2, a0, a1, a2 = peak_filter(hz, float(random.normal(0, depth_db / 2)), 0.7)
        spectrum = spectrum * ((b0 + z * (b1 + z * b2)) / (a0 + z * (a1 + z * a2)))
    return torch.fft.irfft(spectrum, n_fft)[:, : audio.shape[1]]


def balance(audio: Tensor, left: float, right: float) -> Tensor:
    """Each side with a gain of its own."""
    return torch.stack([audio[0] * left, audio[1] * right])


def pan(audio: Tensor, random: Generator, width: float = 0.5) -> Tensor:
    """Shift the balance at random, and sometimes swap the sides."""
    position = random.normal(0, width / 2)
    gains = np.clip([1 - position, 1 + position], 0.1, 1.6)
    return balance(audio.flip(0) if random.random() < 0.5 else audio, *gains.tolist())


@functools.cache
def noise(device: torch.device) -> Tensor:
    """Fifty seconds of white noise ``(2, sample)``, always the same, to take pieces of."""
    return torch.randn(2, 50 * SAMPLE_RATE, generator=torch.Generator().manual_seed(0)).to(device)


def reverberate(audio: Tensor, random: Generator) -> Tensor:
    """A room of decaying stereo noise with a random size, delay, colour and share."""
    decay_s = float(np.exp(random.uniform(np.log(0.15), np.log(2.0))))
    n_tail = int(min(decay_s, 1.5) * SAMPLE_RATE)
    pole, delay = float(random.uniform(0.3, 0.9)), int(random.uniform(0.0, 0.04) * SAMPLE_RATE)
    share = db_to_gain(random.uniform(-22, -6))
    begin = int(random.integers(50 * SAMPLE_RATE - n_tail))
    age = torch.arange(n_tail, device=audio.device) / (decay_s * SAMPLE_RATE)
    tail = noise(audio.device)[:, begin : begin + n_tail] * torch.exp(-6.9 * age)
    tail[:, :delay] = 0.0
    n_fft = long_enough(audio.shape[1] + n_tail)
    room = torch.fft.rfft(tail, n_fft) / (1 - pole * delays(n_fft, audio.device))
    energy = 2 * room.abs().square().sum(1, keepdim=True) / n_fft  # Parseval
    wet = torch.fft.irfft(torch.fft.rfft(audio, n_fft) * room * (share / (energy + 1e-9).sqrt()), n_fft)
    return audio + wet[:, : audio.shape[1]]


def compress(audio: Tensor, random: Generator) -> Tensor:
    """A feed-forward compressor whose detector is a smoothed square, 10 to 60 ms long."""
    time = random.uniform(0.01, 0.06) * SAMPLE_RATE
    ratio = random.uniform(0.2, 0.7)
    pole = math.exp(-1.0 / time)
    n_fft = long_enough(audio.shape[1] + int(10 * time))
    smooth = (1 - pole) / (1 - pole * delays(n_fft, audio.device))
    power = torch.fft.irfft(torch.fft.rfft(audio.square().mean(0), n_fft) * smooth, n_fft)[: audio.shape[1]]
    threshold = rms(audio).square() + 1e-8
    return audio * ((power.clamp(min=0.0) + 1e-8) / threshold).clamp(min=0.01) ** (-0.5 * ratio)


def saturate(audio: Tensor, random: Generator) -> Tensor:
    """Soft clipping, driven 9 dB below the curve's knee to 3 dB above, at the level it came with."""
    level = rms(audio)
    driven = torch.tanh(audio * (db_to_gain(random.uniform(-9, 3)) / level.clamp(min=1e-6)))
    return torch.where(level > 0, driven * (level / rms(driven).clamp(min=1e-6)), audio)


def double(audio: Tensor, random: Generator) -> Tensor:
    """Add one or two slightly detuned, delayed copies at the sides, as when a singer records twice."""
    out = audio
    for side in random.permutation(2)[: random.integers(1, 3)]:
        copy = change_speed(audio, 1 + float(random.normal(0, 0.004)), audio.shape[1])
        copy = copy.roll(int(random.uniform(0.008, 0.035) * SAMPLE_RATE), 1)
        gains = [db_to_gain(random.uniform(-14, -3))] * 2
        gains[side] *= random.uniform(0, 0.6)
        out = out + balance(copy, *gains)
    return out


def dress_voice(audio: Tensor, random: Generator, dry: bool) -> Tensor:
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


def dress_music(audio: Tensor, random: Generator) -> Tensor:
    """Random colour, balance and width of a backing."""
    if random.random() < 0.5:
        audio = equalise(audio, random)
    if random.random() < 0.3:
        mid, side = audio.mean(0), 0.5 * (audio[0] - audio[1])
        side = side * random.uniform(0.0, 1.6)
        audio = torch.stack([mid + side, mid - side])
    return pan(audio, random, 0.3)


def lose_to_codec(voice: Tensor, music: Tensor, random: Generator) -> tuple[Tensor, Tensor]:
    """What a lossy codec of a random rate leaves of both, when it has coded their sum.

    In frames of 46 ms the sum is quantised as in MPEG layer 3 (ISO 11172-3: magnitudes to the power 3/4, rounded), with
    steps that follow each band's level and are coarser above; what rounds to zero leaves a hole; nothing is left
    above a cut-off of 11 to 19 kHz. What it does to a song lies 16 to 28 dB below it; MP3 of 48 to 192 kbit/s, 19 to
    29 dB. The gain of each bin is that of voice and music alike, so they still are the parts of what is heard.
    """
    cutoff_hz, coarse = random.uniform(11_000, 19_000), db_to_gain(random.uniform(-18, -2))
    voices, musics = analyse(voice, CODEC_FRAME), analyse(music, CODEC_FRAME)
    magnitude = (voices + musics).abs()
    bins = torch.arange(magnitude.shape[2], device=voice.device)
    # of even width up to some hundred hertz and then in octaves, as scale factor bands are
    band = (torch.log1p(bins / 6) / math.log1p(len(bins) / 6) * N_CODEC_BANDS).long()
    sums = magnitude.new_zeros(2, magnitude.shape[1], N_CODEC_BANDS).index_add(2, band, magnitude.square())
    counts = magnitude.new_zeros(N_CODEC_BANDS).index_add(0, band, torch.ones_like(bins, dtype=magnitude.dtype))
    level = (sums / counts.clamp(min=1)).sqrt()[:, :, band] + 1e-7
    steps = coarse * (0.5 + 1.5 * bins / len(bins)) * level
    coded = torch.floor((magnitude / steps) ** 0.75 + 0.4054) ** (4 / 3) * steps
    gains = (coded / (magnitude + 1e-9)).clamp(max=2.0) * (bins * (SAMPLE_RATE / CODEC_FRAME) < cutoff_hz)
    return resynthesise(voices * gains, voice.shape[1]), resynthesise(musics * gains, music.shape[1])
