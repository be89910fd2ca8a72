"""The kernel that hears whether somebody sings; calls no kernel of another file."""

import numpy as np
from numba import njit

#: Slots of the state of :func:`duck`: the music's held power; whether someone sings; samples of hold that are left;
#: the gain; samples of a measurement that are left, the highest power of a microphone in it and the highest ratio of
#: a microphone's power to the music's.
DUCK_MUSIC, DUCK_SINGING, DUCK_HOLD, DUCK_GAIN, DUCK_MEASURE, DUCK_MIC_MAX, DUCK_RATIO_MAX = range(7)
DUCK_STATE = 7
#: Rows of the state of one channel of :func:`duck`: the high-pass filter's two memories and the power.
DUCK_CHANNEL_STATE = 3
#: Slots of what :func:`duck` is set to: powers of the threshold, of the bleed ratio; the factor of both under which
#: singing has ended; samples of hold; the lowest gain; steps of the gain down and up per sample; coefficients of the
#: power's rise and fall and of the music's fall; the power below which music is none.
(
    DUCK_THRESHOLD,
    DUCK_BLEED,
    DUCK_HYSTERESIS,
    DUCK_HOLD_SAMPLES,
    DUCK_FLOOR,
    DUCK_DOWN,
    DUCK_UP,
    DUCK_RISE,
    DUCK_FALL,
    DUCK_MUSIC_FALL,
    DUCK_SILENCE,
) = range(11)
DUCK_SETTINGS = 11


@njit(
    "void(float32[:, ::1], int64, float64[::1], float64[::1], float64[:, ::1], float64[::1], float64[::1],"
    " float32[::1])",
    nogil=True,
    cache=True,
)
def duck(block, n_music, weights, filter_, channels, state, settings, out):
    """Where someone sings into a microphone: ``out[i]`` = gain - 1, from 0 (nobody) to the floor - 1.

    ``block`` has ``n_music`` channels of music first, then those of the microphones; ``weights`` is a factor of power
    for each (0: a microphone that is off). Every channel goes through a high-pass ``filter_`` (b0, b1, b2, a1, a2) and
    a detector of power that rises fast and falls slower. The music's power is held, since what microphones hear of it
    comes later. A microphone above both the threshold and the music's power times the bleed ratio opens; all of
    them below a share of that for the time of hold close. The gain moves in a straight line.
    """
    b0, b1, b2, a1, a2 = filter_[0], filter_[1], filter_[2], filter_[3], filter_[4]
    rise, fall = settings[DUCK_RISE], settings[DUCK_FALL]
    for i in range(block.shape[1]):
        music, mic = 0.0, 0.0
        for channel in range(block.shape[0]):
            value = np.float64(block[channel, i])
            own = channels[channel]
            filtered = b0 * value + own[0]
            own[0] = b1 * value - a1 * filtered + own[1]
            own[1] = b2 * value - a2 * filtered
            power = filtered * filtered + 1e-30  # keeps every state clear of denormals
            own[2] += (rise if power > own[2] else fall) * (power - own[2])
            weighted = own[2] * weights[channel]
            if channel < n_music:
                music = max(music, weighted)
            else:
                mic = max(mic, weighted)
        held = state[DUCK_MUSIC]
        held = max(music, held - settings[DUCK_MUSIC_FALL] * held)
        state[DUCK_MUSIC] = held
        wanted = max(settings[DUCK_THRESHOLD], held * settings[DUCK_BLEED])
        if mic > wanted:
            state[DUCK_SINGING] = 1.0
            state[DUCK_HOLD] = settings[DUCK_HOLD_SAMPLES]
        elif state[DUCK_SINGING] > 0.0:
            if mic > wanted * settings[DUCK_HYSTERESIS]:
                state[DUCK_HOLD] = settings[DUCK_HOLD_SAMPLES]
            elif state[DUCK_HOLD] > 0.0:
                state[DUCK_HOLD] -= 1.0
            else:
                state[DUCK_SINGING] = 0.0
        gain = state[DUCK_GAIN]
        if state[DUCK_SINGING] > 0.0 and settings[DUCK_FLOOR] < 1.0:
            if gain > settings[DUCK_FLOOR]:
                gain = max(settings[DUCK_FLOOR], gain - settings[DUCK_DOWN])
            else:
                gain = min(settings[DUCK_FLOOR], gain + settings[DUCK_UP])
        else:
            gain = min(1.0, gain + settings[DUCK_UP])
        state[DUCK_GAIN] = gain
        out[i] = np.float32(gain - 1.0)
        if state[DUCK_MEASURE] > 0.0:
            state[DUCK_MEASURE] -= 1.0
            state[DUCK_MIC_MAX] = max(state[DUCK_MIC_MAX], mic)
            if held > settings[DUCK_SILENCE]:
                state[DUCK_RATIO_MAX] = max(state[DUCK_RATIO_MAX], mic / held)
