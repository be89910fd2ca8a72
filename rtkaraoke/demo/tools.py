"""What the band and the singer share: float64 signals, envelopes, filters, room."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, sosfilt

Signal = NDArray[np.float64]  #: ``(sample,)`` or ``(channel, sample)``, full scale 1


def midi_to_hz(note: float) -> float:
    """Frequency of a MIDI note; 69 is 440 Hz."""
    return float(440.0 * 2 ** ((note - 69) / 12))


def band(signal: Signal, sample_rate: int, low_hz: float | None, high_hz: float | None, order: int = 2) -> Signal:
    """Butterworth filter between two frequencies; None or beyond the Nyquist frequency leaves that side open."""
    for edge_hz, kind in ((low_hz, "highpass"), (high_hz, "lowpass")):
        if edge_hz is not None and edge_hz < 0.45 * sample_rate:
            signal = sosfilt(butter(order, edge_hz, kind, fs=sample_rate, output="sos"), signal)
    return signal


def decay(n: int, sample_rate: int, time_s: float, attack_s: float = 0.001) -> Signal:
    """Envelope that rises in ``attack_s`` and falls by 60 dB in ``time_s``."""
    t = np.arange(n) / sample_rate
    return np.asarray(np.minimum(1.0, t / attack_s) * 10 ** (-3 * t / time_s))


def add(target: Signal, start_s: float, sound: Signal, sample_rate: int) -> None:
    """Mix ``sound`` into ``target`` from ``start_s`` on; what sticks out at either end is cut off."""
    start = round(start_s * sample_rate)
    first, last = max(0, -start), min(sound.shape[-1], target.shape[-1] - start)
    if last > first:
        target[..., start + first : start + last] += sound[..., first:last]


def reverb(dry: Signal, sample_rate: int, time_s: float, rng: np.random.Generator) -> Signal:
    """The sound ``(2, sample)`` of ``dry`` ``(sample,)`` in a room that takes ``time_s`` to fade by 60 dB."""
    n = round(time_s * sample_rate)
    tail = rng.standard_normal((2, n)) * decay(n, sample_rate, time_s, 0.02)
    tail = band(tail, sample_rate, 250.0, 6000.0, 1)
    tail /= np.sqrt(np.sum(tail**2, axis=1, keepdims=True))
    return np.asarray(fftconvolve(dry[None], tail, axes=1)[:, : len(dry)])


def fade_ends(signal: Signal, n: int) -> None:
    """Fade the last ``n`` samples out, and a little of the first ones in, in place."""
    signal[..., signal.shape[-1] - n :] *= np.linspace(1, 0, n) ** 2
    n_in = min(n, 200)
    signal[..., :n_in] *= np.linspace(0, 1, n_in)
