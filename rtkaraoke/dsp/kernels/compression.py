"""Kernels of what turns loud or quiet parts down: gate, compressor, de-esser, limiter.

All channels get the same gain, so that nothing wanders between them. As all files of kernels this one is closed: its
kernels call none of another file (decision 8).
"""

import math

import numpy as np
from numba import njit

_SILENT = 1e-20  # a state this small is 0: it never becomes a denormal
_NEPER_PER_DB = math.log(10.0) / 20.0
_LOWEST_DB = -200.0
_NEAR = 1e-6  # a gain this near to its target has arrived; so the bits are copied when nothing is to be done
_BUTTERWORTH = math.sqrt(2.0)  # damping of each half of a Linkwitz-Riley crossover

#: Slots of the state of :func:`gate`.
ENVELOPE, GAIN, OPEN, HOLD = range(4)
#: Slots of the state of :func:`compress` and, for its gain, of :func:`de_ess`.
PEAK, REDUCTION = range(2)


@njit("float64(float64, float64, float64, float64)", nogil=True, cache=True)
def excess(peak, threshold, slope, knee):
    """Reduction in dB that ``peak`` (amplitude) asks for: ``slope`` times what exceeds ``threshold``, softly.

    Equation 4 of Giannoulis, Massberg and Reiss (2012) with ``slope = 1 - 1 / ratio``; ``knee`` is its width in dB.
    """
    level = math.log(peak) / _NEPER_PER_DB if peak > 1e-10 else _LOWEST_DB
    over = level - threshold
    if 2.0 * over <= -knee:
        return 0.0
    if 2.0 * over < knee:
        return slope * (over + 0.5 * knee) ** 2 / (2.0 * knee)
    return slope * over


@njit("float64(float64, float64[::1], float64, float64)", nogil=True, cache=True)
def follow(wanted, state, attack, release):
    """Move the reduction in ``state`` towards ``wanted``, and return it: the paper's smooth decoupled detector.

    ``attack`` and ``release`` are the factors by which a distance shrinks per sample.
    """
    peak = max(wanted, release * state[PEAK] + (1.0 - release) * wanted)
    reduction = attack * state[REDUCTION] + (1.0 - attack) * peak
    state[PEAK] = peak if peak > _NEAR else 0.0
    state[REDUCTION] = reduction if reduction > _NEAR else 0.0
    return state[REDUCTION]


@njit(
    "void(float32[:, ::1], float32[:, ::1], int64, float64[:, ::1], float64, float64, float64, int64, float64[::1])",
    nogil=True,
    cache=True,
)
def gate(dry, wet, n_samples, controls, decay, attack, release, hold, state):
    """Turn down what stays below a threshold.

    ``controls``: the amplitudes at which it opens and closes, and the gain while closed. ``decay`` is the factor per
    sample of the peak detector, ``attack`` and ``release`` of the gain's distance from its target; ``hold``, in
    samples, is how long it stays open below the lower threshold.
    """
    for i in range(n_samples):
        peak = 0.0
        for channel in range(dry.shape[0]):
            peak = max(peak, abs(np.float64(dry[channel, i])))
        envelope = max(peak, decay * state[ENVELOPE])
        state[ENVELOPE] = envelope if envelope > _SILENT else 0.0
        if envelope >= controls[0, i]:
            state[OPEN] = 1.0
        if state[OPEN] == 1.0:
            if envelope >= controls[1, i]:
                state[HOLD] = hold
            elif state[HOLD] > 0.0:
                state[HOLD] -= 1.0
            else:
                state[OPEN] = 0.0
        target = 1.0 if state[OPEN] == 1.0 else controls[2, i]
        factor = attack if target > state[GAIN] else release
        gain = target + factor * (state[GAIN] - target)
        if abs(gain - target) < _NEAR:
            gain = target
        state[GAIN] = gain
        for channel in range(dry.shape[0]):
            wet[channel, i] = np.float32(gain * dry[channel, i])


@njit(
    "void(float32[:, ::1], float32[:, ::1], int64, float64[:, ::1], float64, float64, float64[::1])",
    nogil=True,
    cache=True,
)
def compress(dry, wet, n_samples, controls, attack, release, state):
    """Feed-forward compressor in the log domain (Giannoulis, Massberg and Reiss 2012, figure 7c).

    ``controls``: threshold in dB, slope, knee in dB, make-up gain in dB. See :func:`excess` and :func:`follow`.
    """
    for i in range(n_samples):
        peak = 0.0
        for channel in range(dry.shape[0]):
            peak = max(peak, abs(np.float64(dry[channel, i])))
        wanted = excess(peak, controls[0, i], controls[1, i], controls[2, i])
        gain_db = controls[3, i] - follow(wanted, state, attack, release)
        gain = math.exp(_NEPER_PER_DB * gain_db) if gain_db != 0.0 else 1.0
        for channel in range(dry.shape[0]):
            wet[channel, i] = np.float32(gain * dry[channel, i])


@njit("void(float64, float64, float64[::1], float64[::1])", nogil=True, cache=True)
def split(value, g, state, bands):
    """Fill ``bands`` with low and high pass of ``value``: one half of a crossover, as in ``filters.py``."""
    a1 = 1.0 / (1.0 + g * (g + _BUTTERWORTH))
    rest = value - state[1]
    band = a1 * (state[0] + g * rest)
    low = state[1] + g * band
    first, second = 2.0 * band - state[0], 2.0 * low - state[1]
    state[0] = first if abs(first) > _SILENT else 0.0
    state[1] = second if abs(second) > _SILENT else 0.0
    bands[0], bands[1] = low, value - _BUTTERWORTH * band - low


@njit(
    "void(float32[:, ::1], float32[:, ::1], int64, float64[:, ::1], float64, float64, float64,"
    " float64[:, :, ::1], float64[:, ::1], float64[::1])",
    nogil=True,
    cache=True,
)
def de_ess(dry, wet, n_samples, controls, knee, attack, release, filters, bands, state):
    """Compress what lies above a crossover and leave the rest alone.

    The crossover is Linkwitz-Riley's of fourth order: while nothing is turned down, low and high add up to the input
    with every frequency at its level. ``controls``: g of the crossover, threshold in dB, slope,
    largest reduction in dB.
    ``filters`` ``(channel, 3, 2)`` is its state, ``bands`` ``(channel, 2)`` scratch.
    """
    for i in range(n_samples):
        g = controls[0, i]
        peak = 0.0
        for channel in range(dry.shape[0]):
            split(np.float64(dry[channel, i]), g, filters[channel, 0], bands[channel])
            half = bands[channel]
            low, high = half[0], half[1]
            split(low, g, filters[channel, 1], half)
            low = half[0]
            split(high, g, filters[channel, 2], half)
            half[0] = low
            peak = max(peak, abs(half[1]))
        wanted = min(excess(peak, controls[1, i], controls[2, i], knee), controls[3, i])
        gain = math.exp(-_NEPER_PER_DB * follow(wanted, state, attack, release))
        for channel in range(dry.shape[0]):
            wet[channel, i] = np.float32(bands[channel, 0] + gain * bands[channel, 1])


@njit(
    "void(float32[:, ::1], float32[:, ::1], int64, float64[:, ::1], float64, float64[::1])",
    nogil=True,
    cache=True,
)
def limit(dry, wet, n_samples, controls, release, state):
    """Peak limiter without look-ahead; below the ceiling, its one control, it copies the bits.

    ``state[0]`` is the gain, ``release`` the factor by which the reduction ``1 - gain`` shrinks per sample.
    """
    gain = state[0]
    for i in range(n_samples):
        gain = 1.0 - (1.0 - gain) * release
        if gain > 1.0 - _NEAR:
            gain = 1.0
        peak = 0.0
        for channel in range(dry.shape[0]):
            peak = max(peak, abs(np.float64(dry[channel, i])))
        if peak * gain > controls[0, i]:
            gain = controls[0, i] / peak
        for channel in range(dry.shape[0]):
            wet[channel, i] = np.float32(gain * dry[channel, i])
    state[0] = gain
