"""Kernels of the live key shift: a phase vocoder that moves the peaks of the spectrum.

As all files of kernels this one is closed: its kernels call none of another file (decision 8).
"""

import math

import numpy as np
import scipy.fft
from numba import njit

REACH = 3  #: a bin is a peak when it is above this many on each side
_SILENT = 1e-20  # a sample this small is 0: it never becomes a denormal
_ONSET = 8.0  # a peak whose power has grown by this factor since the frame before is a new sound


@njit(
    "void(float32[:, ::1], float32[:, ::1], int64, int64, float32[:, ::1], int64, float32[:, ::1], int64,"
    " float32[:, ::1])",
    nogil=True,
    cache=True,
)
def exchange(dry, wet, start, run, delay, delay_at, history, fill, ready):
    """Samples ``start`` to ``start + run`` of a block, all within one hop.

    ``dry`` enters the analysis ``history`` and the ring ``delay``, and becomes what leaves that; ``wet`` is taken from
    the finished hop ``ready``, from ``fill`` on.
    """
    newest = history.shape[1] - ready.shape[1] + fill
    for channel in range(dry.shape[0]):
        for i in range(run):
            value = dry[channel, start + i]
            history[channel, newest + i] = value
            dry[channel, start + i] = delay[channel, delay_at + i]
            delay[channel, delay_at + i] = value
            wet[channel, start + i] = ready[channel, fill + i]


@njit("boolean(float64[::1], int64)", nogil=True, cache=True)
def is_peak(powers, k):
    """Whether bin ``k`` stands above its neighbours."""
    for near in range(max(0, k - REACH), min(len(powers), k + REACH + 1)):
        if powers[near] > powers[k] or (powers[near] == powers[k] and near != k):
            return False
    return True


@njit("float64(float64[::1], int64)", nogil=True, cache=True)
def offset(powers, k):
    """How far the true peak lies from bin ``k``, at most half a bin: a parabola through the logarithms."""
    if k < 1 or k > len(powers) - 2 or powers[k - 1] <= 0.0 or powers[k + 1] <= 0.0:
        return 0.0
    left, middle, right = math.log(powers[k - 1]), math.log(powers[k]), math.log(powers[k + 1])
    bend = left - 2.0 * middle + right
    return min(max(0.5 * (left - right) / bend, -0.5), 0.5) if bend < 0.0 else 0.0


@njit(
    "void(float32[:, ::1], float32[::1], float64, float32[:, ::1], float64[:, ::1], float64[:, ::1], int64[::1],"
    " complex64[:, ::1], float32[:, ::1], float32[:, ::1])",
    nogil=True,
    cache=True,
)
def shift_frame(history, window, ratio, frame, powers, turns, valleys, shifted, overlap, ready):
    """Move every peak of a frame's spectrum, with the bins around it, to ``ratio`` times its frequency.

    J. Laroche, M. Dolson, *New phase-vocoder techniques for pitch-shifting, harmonizing and other exotic effects*,
    WASPAA 1999: the bins of a peak move together and keep their phases towards each other, and all are turned by
    what the new frequency gains over the old from frame to frame. Channels move alike, so that the image stays. A
    peak that has just begun starts without a turn, so that an attack keeps its shape.

    ``history`` ``(channel, window)`` is shifted by a hop afterwards; ``window`` weighs analysis and synthesis.
    ``powers`` and ``turns`` are ``([this frame, the one before], bin)``, ``valleys`` and ``shifted`` scratch;
    ``overlap`` ``(channel, window)`` gathers the frames and ``ready`` ``(channel, hop)`` is the next hop of sound.
    """
    n_channels, length, hop = history.shape[0], history.shape[1], ready.shape[1]
    n_fft, n_bins = frame.shape[1], powers.shape[1]
    for channel in range(n_channels):
        for i in range(length):
            value = history[channel, i] * window[i]
            frame[channel, i] = value if abs(value) > np.float32(_SILENT) else np.float32(0.0)
    spectrum = scipy.fft.rfft(frame)
    for k in range(n_bins):
        powers[1, k], turns[1, k] = powers[0, k], turns[0, k]
        power = 0.0
        for channel in range(n_channels):
            real, imag = np.float64(spectrum[channel, k].real), np.float64(spectrum[channel, k].imag)
            power += real * real + imag * imag
            shifted[channel, k] = np.complex64(0.0)
        powers[0, k] = power

    # valleys[0] to valleys[1] is around the first peak, and so on; the peaks themselves are found again below.
    n_peaks, last = 0, 0
    for k in range(1, n_bins - 1):
        if is_peak(powers[0], k):
            lowest = last
            if n_peaks > 0:
                for between in range(last, k):
                    if powers[0, between] < powers[0, lowest]:
                        lowest = between
            valleys[n_peaks] = lowest if n_peaks > 0 else 0
            n_peaks, last = n_peaks + 1, k
    valleys[n_peaks] = n_bins

    step = 2.0 * math.pi / n_fft
    for peak in range(n_peaks):
        first, end = valleys[peak], valleys[peak + 1]
        top, before = first, 0.0
        for k in range(first, end):
            if powers[0, k] > powers[0, top]:
                top = k
            before = max(before, powers[1, k])
        moved = (ratio - 1.0) * (top + offset(powers[0], top))
        bins = round(moved)
        turn = 0.0 if powers[0, top] > _ONSET * before else turns[1, top] + moved * step * hop
        turn -= 2.0 * math.pi * math.floor(turn / (2.0 * math.pi))
        # Whole bins move the sound by a little more or less than wanted: right in the middle of the window.
        angle = turn + (moved - bins) * step * 0.5 * length
        factor = np.complex64(complex(math.cos(angle), math.sin(angle)))
        for k in range(first, end):
            turns[0, k] = turn
            if 0 < k + bins < n_bins:
                for channel in range(n_channels):
                    shifted[channel, k + bins] += spectrum[channel, k] * factor

    sound = scipy.fft.irfft(shifted, n_fft)
    for channel in range(n_channels):
        for i in range(length):
            old = overlap[channel, i + hop] if i + hop < length else np.float32(0.0)
            overlap[channel, i] = old
        for i in range(length):
            overlap[channel, i] += sound[channel, i] * window[i]
        for i in range(hop):
            ready[channel, i] = overlap[channel, i]
        for i in range(length - hop):
            history[channel, i] = history[channel, i + hop]
