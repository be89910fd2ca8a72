"""Kernels of what is heard again: echo and reverb.

As all files of kernels this one is closed: its kernels call none of another file (decision 8).
"""

import numpy as np
from numba import njit

_SILENT = 1e-20  # a state this small is 0: it never becomes a denormal
_LOUDEST = 100.0  # +40 dB: nothing louder enters a delay line, whatever the feedback

#: Rows of the controls of :func:`echo`.
FEEDBACK, DAMPING, PING_PONG, ECHO_DRY, ECHO_WET = range(5)
#: Slots of the state of :func:`echo`: where the ring is written, the tap, the one it fades to, samples left of that.
AT, TAP, NEXT_TAP, FADE_LEFT = range(4)

N_LINES = 16  #: of the reverb
N_DIFFUSERS = 4  #: of the reverb, per channel
#: Rows of the controls of :func:`reverb`; LINE_GAIN and LINE_POLE are the first of N_LINES each.
REVERB_DRY, REVERB_WET, PRE_DELAY, SIZE, LOW_CUT, LINE_GAIN = range(6)
LINE_POLE = LINE_GAIN + N_LINES
N_REVERB_CONTROLS = LINE_POLE + N_LINES


@njit("float64(float64)", nogil=True, cache=True)
def bounded(value):
    """``value`` as a delay line takes it: never a denormal, never beyond bounds."""
    if abs(value) < _SILENT:
        return 0.0
    return min(max(value, -_LOUDEST), _LOUDEST)


@njit(
    "void(float32[:, ::1], float32[:, ::1], int64, float64[:, ::1], int64, int64, float64, int64[::1],"
    " float32[:, ::1], float64[:, ::1])",
    nogil=True,
    cache=True,
)
def echo(dry, wet, n_samples, controls, delay, fade, low_cut, state, lines, poles):
    """Repeats after ``delay`` samples, each duller than the one before, on their own side or from side to side.

    A new ``delay`` is reached by a fade of ``fade`` samples between two taps, so that no pitch bends. ``low_cut``
    is the coefficient of the one-pole that keeps rumble out of the loop. ``lines`` ``(channel, power of two)`` are
    rings, ``poles`` ``(channel, [damping, low cut])``; see FEEDBACK and AT for ``controls`` and ``state``.
    """
    n_channels, mask = lines.shape[0], lines.shape[1] - 1
    for i in range(n_samples):
        if state[FADE_LEFT] == 0 and state[TAP] != delay:
            state[NEXT_TAP], state[FADE_LEFT] = delay, fade
        at, share = state[AT], state[FADE_LEFT] / fade
        feedback, damping, ping_pong = controls[FEEDBACK, i], controls[DAMPING, i], controls[PING_PONG, i]
        for channel in range(n_channels):
            line = lines[channel]
            heard = np.float64(line[(at - state[TAP]) & mask])
            if state[FADE_LEFT] > 0:
                heard = share * heard + (1.0 - share) * line[(at - state[NEXT_TAP]) & mask]
            wet[channel, i] = np.float32(controls[ECHO_DRY, i] * dry[channel, i] + controls[ECHO_WET, i] * heard)
            poles[channel, 0] = bounded(poles[channel, 0] + damping * (heard - poles[channel, 0]))
            poles[channel, 1] = bounded(poles[channel, 1] + low_cut * (poles[channel, 0] - poles[channel, 1]))
        if n_channels == 2:
            left, right = poles[0, 0] - poles[0, 1], poles[1, 0] - poles[1, 1]
            left, right = left + ping_pong * (right - left), right + ping_pong * (left - right)
            middle = 0.5 * (np.float64(dry[0, i]) + dry[1, i])
            entering = dry[0, i] + ping_pong * (middle - dry[0, i])
            lines[0, at] = np.float32(bounded(entering + feedback * left))
            lines[1, at] = np.float32(bounded((1.0 - ping_pong) * dry[1, i] + feedback * right))
        else:
            for channel in range(n_channels):
                lines[channel, at] = np.float32(
                    bounded(dry[channel, i] + feedback * (poles[channel, 0] - poles[channel, 1]))
                )
        if state[FADE_LEFT] > 0:
            state[FADE_LEFT] -= 1
            if state[FADE_LEFT] == 0:
                state[TAP] = state[NEXT_TAP]
        state[AT] = (at + 1) & mask


@njit("float64(float32[::1], int64, float64)", nogil=True, cache=True)
def between(line, at, delay):
    """The ring ``line`` ``delay`` samples (2 or more) before ``at``: Lagrange's cubic, whose gain is never above 1."""
    mask = line.shape[0] - 1
    whole = np.int64(delay)
    x = delay - whole
    start = at - whole
    newer, first = np.float64(line[(start + 1) & mask]), np.float64(line[start & mask])
    second, older = np.float64(line[(start - 1) & mask]), np.float64(line[(start - 2) & mask])
    a, b, c = x + 1.0, x - 1.0, x - 2.0
    return (a * c * (0.5 * first * b - 0.5 * second * x)) + x * b * (older * a - newer * c) / 6.0


@njit("void(float64[::1])", nogil=True, cache=True)
def hadamard(values):
    """Multiply 16 ``values`` with the orthogonal Hadamard matrix, in place."""
    width = 1
    while width < N_LINES:
        for start in range(0, N_LINES, 2 * width):
            for k in range(start, start + width):
                first, second = values[k], values[k + width]
                values[k], values[k + width] = first + second, first - second
        width *= 2
    for k in range(N_LINES):
        values[k] *= 0.25


@njit(
    "void(float32[:, ::1], float32[:, ::1], int64, float64[:, ::1], int64[::1], float32[:, ::1], float64[::1],"
    " int64[:, ::1], float64[::1], float32[:, ::1], float64[::1], float64, float64[:, ::1], float32[:, ::1],"
    " float64[:, ::1])",
    nogil=True,
    cache=True,
)
def reverb(
    dry, wet, n_samples, controls, at, pre_delays, low_poles, diffuser_lengths, diffuser_gains, diffusers,
    line_lengths, depth, vibrato, lines, scratch,
):  # fmt: skip
    """A room: pre-delay, low cut, diffusion, and 16 delay lines that feed each other.

    The feedback delay network of J.-M. Jot and A. Chaigne (*Digital delay networks for designing artificial
    reverberators*, AES 90, 1991): an orthogonal (Hadamard) matrix between the lines, and in each a gain and a one-pole
    that make every frequency decay in the time it is meant to. The series of allpasses before it and the slow
    vibrato of the lines, against ringing, are those of J. Dattorro's plate (*Effect design, part 1*, JAES 45(9), 1997).

    Line ``k`` belongs to channel ``k`` modulo their number. All rings are powers of two long and written at
    ``at[0]``. ``line_lengths`` and ``depth`` are in samples, the former at size 1; ``vibrato`` ``(line, [sine, cosine,
    and those of its step])``; ``scratch`` ``([filter states, values], line)``. See REVERB_DRY for ``controls``.
    """
    n_channels = dry.shape[0]
    poles, values = scratch[0], scratch[1]
    for i in range(n_samples):
        now, size = at[0], controls[SIZE, i]
        for k in range(N_LINES):
            sine, cosine = vibrato[k, 0], vibrato[k, 1]
            vibrato[k, 0] = sine * vibrato[k, 3] + cosine * vibrato[k, 2]
            vibrato[k, 1] = cosine * vibrato[k, 3] - sine * vibrato[k, 2]
            heard = between(lines[k], now, line_lengths[k] * size + depth * (1.0 + sine))
            pole = controls[LINE_POLE + k, i]
            poles[k] = bounded(heard + pole * (poles[k] - heard))
            values[k] = controls[LINE_GAIN + k, i] * poles[k]
        for channel in range(n_channels):
            sound, sign = 0.0, 1.0
            for k in range(channel, N_LINES, n_channels):
                sound += sign * values[k]
                sign = -sign
            wet[channel, i] = np.float32(controls[REVERB_DRY, i] * dry[channel, i] + controls[REVERB_WET, i] * sound)
        hadamard(values)
        for channel in range(n_channels):
            pre_delays[channel, now & (pre_delays.shape[1] - 1)] = dry[channel, i]
            sound = between(pre_delays[channel], now, controls[PRE_DELAY, i])
            low_poles[channel] = bounded(low_poles[channel] + controls[LOW_CUT, i] * (sound - low_poles[channel]))
            sound -= low_poles[channel]
            for stage in range(N_DIFFUSERS):
                ring = diffusers[N_DIFFUSERS * channel + stage]
                mask = diffusers.shape[1] - 1
                held = np.float64(ring[(now - diffuser_lengths[channel, stage]) & mask])
                entering = bounded(sound - diffuser_gains[stage] * held)
                ring[now & mask] = np.float32(entering)
                sound = held + diffuser_gains[stage] * entering
            for k in range(channel, N_LINES, n_channels):
                lines[k, now & (lines.shape[1] - 1)] = np.float32(bounded(values[k] + sound))
        at[0] = now + 1
