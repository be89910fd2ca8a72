"""Kernels of the time stretcher; they call none of another file (Numba's cache looks at one file at a time)."""

import math

import numpy as np
import scipy.fft
from numba import njit

OVERLAP = 8  #: frames that cover a sample
TOLERANCE = 1e-12  #: of the loudest bin's energy; below it a phase is noise and steers no other


@njit("void(float64[::1], int64[::1], int64, float64, int64)", nogil=True, cache=True)
def push(keys, values, size, key, value):
    """Add an entry to the binary heap of ``size`` entries whose greatest key is on top."""
    child = size
    while child > 0:
        parent = (child - 1) >> 1
        if keys[parent] >= key:
            break
        keys[child], values[child] = keys[parent], values[parent]
        child = parent
    keys[child], values[child] = key, value


@njit("void(float64[::1], int64[::1], int64)", nogil=True, cache=True)
def drop_top(keys, values, size):
    """Remove the top of the heap of ``size`` entries."""
    last = size - 1
    key, value = keys[last], values[last]
    parent, child = 0, 1
    while child < last:
        if child + 1 < last and keys[child + 1] > keys[child]:
            child += 1
        if key >= keys[child]:
            break
        keys[parent], values[parent] = keys[child], values[child]
        parent, child = child, 2 * child + 1
    keys[parent], values[parent] = key, value


@njit("float64(float64)", nogil=True, cache=True)
def nearest_turn(angle):
    """The same angle between -pi and pi."""
    return angle - 2.0 * math.pi * math.floor(angle / (2.0 * math.pi) + 0.5)


@njit(
    "void(float32[:, ::1], float32[::1], complex64[:, ::1], float64[::1], int64, float32[:, ::1])",
    nogil=True,
    cache=True,
)
def stretch_frame(frame, window, before, rotation, advance, overlap):
    """Add one frame of a phase vocoder to ``overlap``, both ``(channel, n_fft)``.

    ``before`` ``(channel, bin)`` is the spectrum of the frame ``advance`` samples ago and becomes that of this one;
    0 when there was none. ``rotation`` ``(bin,)`` is what the phases were turned by, alike in all channels, and what
    they are turned by now. ``overlap`` is first moved on by ``n_fft / OVERLAP``, the step of the output.

    Phases are integrated from the loudest bin down, over time or over frequency, whichever neighbour is the louder
    (Prusa & Holighaus, Phase Vocoder Done Right, EUSIPCO 2017, arXiv 2202.07382), as rotations of what was measured,
    so that channels keep their phases to each other and an advance of the output's step turns nothing.
    """
    n_channels, n_fft = frame.shape
    half, hop = n_fft // 2, n_fft // OVERLAP
    n_bins = half + 1
    centred = np.empty((n_channels, n_fft), np.float32)  # time 0 is the middle of the window
    for channel in range(n_channels):
        for i in range(half):
            centred[channel, i] = frame[channel, half + i] * window[half + i]
            centred[channel, half + i] = frame[channel, i] * window[i]
    spectrum = scipy.fft.rfft(centred)

    now, then = np.zeros(n_bins), np.zeros(n_bins)
    along_time = np.zeros(n_bins, np.complex128)
    along_frequency = np.zeros(n_bins, np.complex128)
    loudest = 0.0
    for channel in range(n_channels):
        for k in range(n_bins):
            value, old = spectrum[channel, k], before[channel, k]
            now[k] += value.real * value.real + value.imag * value.imag
            then[k] += old.real * old.real + old.imag * old.imag
            along_time[k] += value * np.conj(old)
            if k + 1 < n_bins:
                along_frequency[k] += spectrum[channel, k + 1] * np.conj(value)
            before[channel, k] = value
    for k in range(n_bins):
        loudest = max(loudest, now[k])

    turned = np.zeros(n_bins)  # after silence nothing is turned yet
    if then.any():
        for k in range(n_bins):  # by the frequency measured since the frame before
            expected = 2.0 * math.pi * k * advance / n_fft
            deviation = nearest_turn(math.atan2(along_time[k].imag, along_time[k].real) - expected)
            turned[k] = rotation[k] + (hop - advance) * (expected + deviation) / advance

    keys, values = np.empty(2 * n_bins), np.empty(2 * n_bins, np.int64)
    size = 0
    known = np.zeros(n_bins, np.bool_)
    for k in range(n_bins):
        if now[k] <= TOLERANCE * loudest:
            known[k] = True
            rotation[k] = turned[k]
        else:
            push(keys, values, size, then[k], k)
            size += 1
    spread = hop / advance - 1.0
    while size > 0:
        k = values[0]
        drop_top(keys, values, size)
        size -= 1
        if k < n_bins:  # a bin of the frame before
            if not known[k]:
                known[k] = True
                rotation[k] = turned[k]
                push(keys, values, size, now[k], k + n_bins)
                size += 1
            continue
        k -= n_bins
        if k + 1 < n_bins and not known[k + 1]:
            known[k + 1] = True
            rotation[k + 1] = rotation[k] + spread * math.atan2(along_frequency[k].imag, along_frequency[k].real)
            push(keys, values, size, now[k + 1], k + 1 + n_bins)
            size += 1
        if k > 0 and not known[k - 1]:
            known[k - 1] = True
            slope = math.atan2(along_frequency[k - 1].imag, along_frequency[k - 1].real)
            rotation[k - 1] = rotation[k] - spread * slope
            push(keys, values, size, now[k - 1], k - 1 + n_bins)
            size += 1

    for k in range(n_bins):
        rotation[k] = nearest_turn(rotation[k])
        turn = complex(math.cos(rotation[k]), math.sin(rotation[k]))
        for channel in range(n_channels):
            spectrum[channel, k] *= np.complex64(turn)
    centred = scipy.fft.irfft(spectrum, n_fft)
    scale = np.float32(8.0 / (3.0 * OVERLAP))  # the sum of the squared Hann windows, inverted
    for channel in range(n_channels):
        for i in range(n_fft - hop):
            overlap[channel, i] = overlap[channel, i + hop]
        for i in range(n_fft - hop, n_fft):
            overlap[channel, i] = np.float32(0.0)
        for i in range(half):
            overlap[channel, half + i] += scale * window[half + i] * centred[channel, i]
            overlap[channel, i] += scale * window[i] * centred[channel, half + i]
