"""Kernels of filters whose coefficients may move with every sample.

As all files of kernels this one is closed: its kernels call none of another file (decision 8).
"""

import numpy as np
from numba import njit

#: Coefficients of a section of :func:`state_variable_filters`: cutoff, damping, and the shares of the three outputs.
G, K, M0, M1, M2 = range(5)
N_COEFFICIENTS = 5
_SILENT = 1e-20  # a state this small is 0: it never becomes a denormal


@njit(
    "void(float32[:, ::1], float32[:, ::1], int64, float64[:, ::1], float64[:, :, ::1])",
    nogil=True,
    cache=True,
)
def state_variable_filters(dry, wet, n_samples, coefficients, state):
    """``n_samples`` of ``dry`` through sections in a row, into ``wet``.

    Each section is a state-variable filter with trapezoidal integrators (A. Simper, *Linear trapezoidal integrated
    state variable filter*, Cytomic 2013; V. Zavalishin, *The art of VA filter design*), which stays stable while its
    coefficients move. ``coefficients`` is ``(5 x section, sample)``: g = tan(pi f / rate), k = 1 / Q, and the shares
    ``m0 x input + m1 x band pass + m2 x low pass``. ``state`` is ``(section, channel, 2)``. Shares of 1, 0, 0 copy
    the bits.
    """
    source = dry
    for section in range(state.shape[0]):
        row = N_COEFFICIENTS * section
        for i in range(n_samples):
            g, k = coefficients[row + G, i], coefficients[row + K, i]
            m0, m1, m2 = coefficients[row + M0, i], coefficients[row + M1, i], coefficients[row + M2, i]
            a1 = 1.0 / (1.0 + g * (g + k))
            a2 = g * a1
            a3 = g * a2
            for channel in range(dry.shape[0]):
                value = np.float64(source[channel, i])
                first, second = state[section, channel, 0], state[section, channel, 1]
                rest = value - second
                band = a1 * first + a2 * rest
                low = second + a2 * first + a3 * rest
                first, second = 2.0 * band - first, 2.0 * low - second
                state[section, channel, 0] = first if abs(first) > _SILENT else 0.0
                state[section, channel, 1] = second if abs(second) > _SILENT else 0.0
                wet[channel, i] = np.float32(m0 * value + m1 * band + m2 * low)
        source = wet
