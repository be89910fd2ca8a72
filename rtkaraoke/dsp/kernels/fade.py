"""How songs fade into each other, and a known voice into one that was found; calls no kernel of another file."""

import math

import numpy as np
from numba import njit


@njit("void(float32[:, :], int64, int64, int64)", nogil=True, cache=True)
def fade(block, at, step, length):
    """Multiply ``block`` in place by ``cos(pi/2 x at / length)``, ``at`` moving on by ``step`` with every sample.

    A step of 1 fades out from ``at`` 0 to ``length``, -1 fades in; both together keep the power.
    """
    for i in range(block.shape[1]):
        place = min(max(at, 0), length)
        gain = np.float32(math.cos(0.5 * math.pi * place / length) if place < length else 0.0)
        for channel in range(block.shape[0]):
            block[channel, i] *= gain
        at += step


@njit("void(float32[:, ::1], float32[:, ::1], int64)", nogil=True, cache=True)
def substitute(voice, known, start):
    """Put ``known[:-1, start:]`` in the place of ``voice`` ``(channel, hop)`` where its last row, a weight, is 1.

    Where that is 0 nothing changes; in between they fade.
    """
    for i in range(voice.shape[1]):
        weight = known[-1, start + i]
        for channel in range(voice.shape[0]):
            if weight == 1:
                voice[channel, i] = known[channel, start + i]
            elif weight != 0:
                voice[channel, i] += weight * (known[channel, start + i] - voice[channel, i])
