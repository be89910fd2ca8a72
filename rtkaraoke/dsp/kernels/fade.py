"""The curve along which songs fade into each other; calls no kernel of another file."""

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
        gain = np.float32(math.cos(0.5 * math.pi * place / length))
        for channel in range(block.shape[0]):
            block[channel, i] *= gain
        at += step
