"""A second JACK client in a process of its own: sings into a microphone, writes down what is heard.

``python -m tests.support.ear FILE SECONDS [sing]`` records the program's output (loopback 3-4), ``(sample, 2)``.
"""

import sys

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from tests.support.loopback import Loopback

RATE = 44_100
BURST_AT_S, BURST_S = 0.5, 0.06
BINS_PER_SEMITONE = 4
WINDOW, REACH = RATE // 4, 8192


def burst(seconds: float) -> NDArray[np.float32]:
    """A short loud sound for microphone 1, then silence: ``(sample, 2)``."""
    signal = np.zeros((round(seconds * RATE), 2), np.float32)
    start, n_samples = round(BURST_AT_S * RATE), round(BURST_S * RATE)
    signal[start : start + n_samples, 0] = 0.4 * np.sin(2 * np.pi * 700 / RATE * np.arange(n_samples))
    return signal


def level_db(sound: NDArray[np.float32]) -> float:
    """RMS in dB, -120 for silence."""
    return 20 * np.log10(max(float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))), 1e-6))


def difference_db(sound: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """How loud ``sound - other`` is against ``sound``: the median over quarters of a second.

    Each of them is compared where it fits best, so that a period that a busy server has lost counts once, not from
    there to the end.
    """
    shift = _lag(other.sum(axis=1), sound.sum(axis=1))
    found = []
    for start in range(0, len(sound) - WINDOW, WINDOW):
        first = start + shift - REACH
        if first < 0 or first + WINDOW + 2 * REACH > len(other):
            continue
        window, around = sound[start : start + WINDOW], other[first : first + WINDOW + 2 * REACH]
        at = min(max(_lag(around.sum(axis=1), window.sum(axis=1)), 0), 2 * REACH)
        found.append(level_db(window - around[at : at + WINDOW]) - level_db(window))
    return float(np.median(found)) if found else 0.0


def _lag(long: NDArray[np.float32], short: NDArray[np.float32]) -> int:
    """Where in ``long`` ``short`` begins, as far as the two fit best; below 0 when before its start."""
    products = scipy.signal.correlate(long.astype(np.float64), short.astype(np.float64), "full", "fft")
    return int(np.argmax(products)) - len(short) + 1


def tail_db(sound: NDArray[np.float32]) -> float:
    """How loud what follows the loudest moment by 0.25 to 0.9 s is, against that moment."""
    power = np.convolve(np.square(sound[:, 0], dtype=np.float64), np.ones(441) / 441, "same")
    at = int(np.argmax(power))
    tail = power[at + RATE // 4 : at + 9 * RATE // 10]
    return 10 * np.log10(max(float(tail.max()), 1e-12) / max(float(power[at]), 1e-12))


def key_between(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """By how many semitones ``after`` is higher: where the spectra over pitch fit best."""
    one, other = _pitches(before), _pitches(after)
    reach = 8 * BINS_PER_SEMITONE
    fits = [
        float(np.corrcoef(one[reach:-reach], np.roll(other, -shift)[reach:-reach])[0, 1])
        for shift in range(-reach, reach + 1)
    ]
    return (int(np.argmax(fits)) - reach) / BINS_PER_SEMITONE


def _pitches(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """The average spectrum, in dB, over logarithmic frequency, without its slow course."""
    mono = sound.mean(axis=1, dtype=np.float64)
    size = 16_384
    frames = np.lib.stride_tricks.sliding_window_view(mono, size)[:: size // 4] * np.hanning(size)
    power = np.mean(np.abs(np.fft.rfft(frames)) ** 2, axis=0)
    pitches = 110 * 2 ** (np.arange(60 * BINS_PER_SEMITONE) / 12 / BINS_PER_SEMITONE)
    levels = 10 * np.log10(np.interp(pitches, np.fft.rfftfreq(size, 1 / RATE), power) + 1e-9)
    width = 6 * BINS_PER_SEMITONE
    padded = np.pad(levels, width, "edge")
    return levels - np.convolve(padded, np.ones(2 * width + 1) / (2 * width + 1), "valid")


if __name__ == "__main__":
    path, seconds, *what = sys.argv[1:]
    n_samples = round(float(seconds) * RATE)
    signal = burst(float(seconds)) if what else np.zeros((n_samples, 2), np.float32)
    np.save(path, Loopback(signal, n_samples).finish()[:, 2:])
