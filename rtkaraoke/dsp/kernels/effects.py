"""Kernels that every effect shares: an input without traps, controls that glide, and the way between dry and wet.

As all files of kernels this one is closed: its kernels call none of another file (decision 8).
"""

import math

import numpy as np
from numba import njit

#: Rows of the state of :func:`glide`: where a control is, where it goes, its step, and how many steps are left.
NOW, TARGET, STEP, LEFT = range(4)
LANDED = -1.0  #: in the row LEFT: the control rests, and its row of samples is filled
LOUDEST = 100.0  #: +40 dB; no input is taken louder, so that no state can run away
_QUIETEST = float(np.finfo(np.float32).tiny)


@njit("void(float32[:, ::1], float32[:, ::1])", nogil=True, cache=True)
def clean(block, out):
    """Copy ``block`` into the first columns of ``out``; NaN, Inf and denormals become 0, what exceeds LOUDEST, it."""
    for channel in range(block.shape[0]):
        for i in range(block.shape[1]):
            value = block[channel, i]
            size = abs(value)
            if not math.isfinite(value) or size < np.float32(_QUIETEST):
                value = np.float32(0.0)
            elif size > np.float32(LOUDEST):
                value = np.float32(LOUDEST) if value > 0 else np.float32(-LOUDEST)
            out[channel, i] = value


@njit("void(float64[:, ::1], float64[:, ::1], int64)", nogil=True, cache=True)
def glide(state, controls, n_samples):
    """Write the next ``n_samples`` values of every control into ``controls`` ``(control, max_block)``.

    A control moves along a straight line and lands on its target exactly. ``state`` is ``(4, control)``, see NOW.
    The row of a control that rests is filled to its end once and costs nothing from then on.
    """
    for control in range(controls.shape[0]):
        left = state[LEFT, control]
        if left == LANDED:
            continue
        now, step = state[NOW, control], state[STEP, control]
        i = 0
        while i < n_samples and left > 0.0:
            left -= 1.0
            now = state[TARGET, control] if left == 0.0 else now + step
            controls[control, i] = now
            i += 1
        if i == 0:  # it has rested since before this block
            for rest in range(controls.shape[1]):
                controls[control, rest] = now
            left = LANDED
        else:
            for rest in range(i, n_samples):
                controls[control, rest] = now
        state[NOW, control], state[LEFT, control] = now, left


@njit("void(float32[:, ::1], float32[:, ::1], float32[:, ::1], float64[::1])", nogil=True, cache=True)
def blend(dry, wet, out, wetness):
    """Fill ``out`` with the way from ``dry`` to ``wet``; a wetness of 0 or 1 copies the bits of that one."""
    for i in range(out.shape[1]):
        share = wetness[i]
        for channel in range(out.shape[0]):
            if share == 1.0:
                out[channel, i] = wet[channel, i]
            elif share == 0.0:
                out[channel, i] = dry[channel, i]
            else:
                low = np.float64(dry[channel, i])
                out[channel, i] = np.float32(low + share * (wet[channel, i] - low))
