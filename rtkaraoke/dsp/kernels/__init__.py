"""Every Numba kernel: here those of the engine and the vocal remover, beside it those of the effects, by purpose.

Numba's cache looks at the file that a function stands in and at no other, so kernels that call each other across
files would run stale code after an edit: every file here is closed, none of its kernels calls one of another.

All are ``nogil`` with explicit signatures (nothing compiles while sound runs) and cached on disk. None uses
``fastmath``: the same samples give the same bits however they are cut into blocks. Signals are float32
``(channel, sample)``, spectra complex64 ``(channel, bin)``. The FFT is pocketfft through rocket-fft, spelled
``scipy.fft.rfft`` so that the kernels also run with the JIT switched off.
"""

import math

import numpy as np
import scipy.fft
from numba import njit

#: Slots of the gain state of :func:`mix_hop` and :func:`ramp_gain`: where a gain is, where it goes, its step.
GAIN_NOW, GAIN_TARGET, GAIN_STEP = 0, 1, 2


@njit("int64(float32[:, :], float32[:, ::1], float64[:, ::1])", nogil=True, cache=True)
def take_in(block, out, meter):
    """Copy ``block`` to ``out``, replacing NaN and Inf by 0 (returns how many), and meter it.

    ``meter`` ``(channel, 2)`` gathers peak and sum of squares.
    """
    replaced = 0
    for channel in range(block.shape[0]):
        peak, energy = meter[channel, 0], meter[channel, 1]
        for i in range(block.shape[1]):
            value = block[channel, i]
            if not math.isfinite(value):
                value = np.float32(0.0)
                replaced += 1
            out[channel, i] = value
            peak = max(peak, abs(value))
            energy += value * value
        meter[channel, 0], meter[channel, 1] = peak, energy
    return replaced


@njit("void(float32[:, ::1], float64[:, ::1])", nogil=True, cache=True)
def measure(block, meter):
    """Gather peak and sum of squares of ``block`` per channel in ``meter`` ``(channel, 2)``."""
    for channel in range(block.shape[0]):
        peak, energy = meter[channel, 0], meter[channel, 1]
        for i in range(block.shape[1]):
            value = block[channel, i]
            peak = max(peak, abs(value))
            energy += value * value
        meter[channel, 0], meter[channel, 1] = peak, energy


@njit("float64(float64[::1])", nogil=True, cache=True, inline="always")
def next_gain(gain):
    """Advance a linear gain ramp by one sample and return its value; it lands on the target exactly."""
    now = gain[GAIN_NOW]
    if now != gain[GAIN_TARGET]:
        now += gain[GAIN_STEP]
        if (gain[GAIN_STEP] > 0) == (now >= gain[GAIN_TARGET]):
            now = gain[GAIN_TARGET]
        gain[GAIN_NOW] = now
    return now


@njit("void(float32[:, ::1], float32[:, ::1], float64[::1])", nogil=True, cache=True)
def ramp_gain(block, out, gain):
    """``out = gain x block`` along a linear ramp; a gain of 1 copies the bits. NaN and Inf count as 0."""
    for i in range(block.shape[1]):
        factor = np.float32(next_gain(gain))
        for channel in range(block.shape[0]):
            value = block[channel, i]
            out[channel, i] = factor * value if math.isfinite(value) else np.float32(0.0)


@njit(
    "void(float32[:, ::1], float32[:, ::1], float32[:, ::1], int64, int64, float32[:, ::1], int64,"
    " float32[:, ::1], int64, float32[:, ::1], float64[::1], float64[::1], float64[::1], float32[::1], float64[::1])",
    nogil=True,
    cache=True,
)
def mix_hop(
    block,
    out,
    voice_out,
    start,
    run,
    delay,
    delay_at,
    history,
    history_at,
    voice,
    dry_gain,
    voice_gain,
    guide_gain,
    duck,
    energies,
):
    """Samples ``start`` to ``start + run`` of a block, all within one hop.

    The input enters the ``delay`` ring at ``delay_at`` and the analysis ``history`` at ``history_at``; what leaves the
    ring is the music that belongs to ``voice[:, history_at - (window - hop):]``:
    ``out = dry_gain x delayed + (voice_gain + guide_gain x duck) x voice``. With gains 1 and 0 the delayed input is
    copied, bit for bit. ``duck`` holds a value for each sample of the block: 0 changes nothing, -1 takes all of
    ``guide_gain`` away. ``energies`` gathers the sums of squares of the voice and of the voice in the output. NaN and
    Inf count as 0.
    """
    voice_at = history_at - (history.shape[1] - voice.shape[1])
    found, mixed_in = energies[0], energies[1]
    for i in range(run):
        dry = np.float32(next_gain(dry_gain))
        wet = np.float32(next_gain(voice_gain))
        wet += np.float32(next_gain(guide_gain)) * duck[start + i]
        for channel in range(block.shape[0]):
            sample = block[channel, start + i]
            if not math.isfinite(sample):
                sample = np.float32(0.0)
            delayed = delay[channel, delay_at + i]
            delay[channel, delay_at + i] = sample
            history[channel, history_at + i] = sample
            singer = voice[channel, voice_at + i]
            voice_out[channel, start + i] = singer
            mixed = dry * delayed
            if wet != 0:
                added = wet * singer
                mixed += added
                mixed_in += added * added
            found += singer * singer
            out[channel, start + i] = mixed
    energies[0], energies[1] = found, mixed_in


@njit(
    "void(float32[:, ::1], float32[::1], float32[:, ::1], complex64[:, ::1])",
    nogil=True,
    cache=True,
)
def analyse(history, window, frame, spectrum):
    """Spectrum of the windowed ``history`` ``(channel, window)`` at the end of ``frame`` ``(channel, n_fft)``.

    What ``frame`` has before that is left as it is: zeros.
    """
    start = frame.shape[1] - history.shape[1]
    for channel in range(history.shape[0]):
        for i in range(history.shape[1]):
            frame[channel, start + i] = history[channel, i] * window[i]
    spectrum[:] = scipy.fft.rfft(frame)


@njit("void(float32[:, ::1], int64)", nogil=True, cache=True)
def shift_left(history, n_samples):
    """Drop the oldest ``n_samples`` of ``history``; the last ones are left to be overwritten."""
    length = history.shape[1]
    for channel in range(history.shape[0]):
        for i in range(length - n_samples):
            history[channel, i] = history[channel, i + n_samples]


@njit("void(complex64[:, ::1], float32, complex64[:, ::1])", nogil=True, cache=True)
def scale_spectrum(spectrum, scale, out):
    """``out = scale x spectrum``."""
    for channel in range(spectrum.shape[0]):
        for k in range(spectrum.shape[1]):
            out[channel, k] = spectrum[channel, k] * scale


@njit(
    "void(complex64[:, ::1], float32[:, ::1], float32[::1], complex64[:, ::1], float32[:, ::1], float32[:, ::1])",
    nogil=True,
    cache=True,
)
def synthesise(spectrum, mask, window, masked, overlap, hop_out):
    """Inverse transform of ``mask x spectrum``, windowed and overlap-added.

    ``window`` is the synthesis window over the last two hops, ``overlap`` ``(channel, hop)`` what the frame before
    left over, ``hop_out`` ``(channel, hop)`` the finished samples, ``masked`` scratch like ``spectrum``.
    """
    hop = overlap.shape[1]
    for channel in range(spectrum.shape[0]):
        for k in range(spectrum.shape[1]):
            masked[channel, k] = spectrum[channel, k] * mask[channel, k]
    n_fft = 2 * (spectrum.shape[1] - 1)
    frame = scipy.fft.irfft(masked, n_fft)
    start = n_fft - 2 * hop
    for channel in range(spectrum.shape[0]):
        for i in range(hop):
            hop_out[channel, i] = overlap[channel, i] + frame[channel, start + i] * window[i]
            overlap[channel, i] = frame[channel, start + hop + i] * window[hop + i]


@njit(
    "void(float32[:, ::1], float32[:, ::1], float32, float32, float32, float32, float32)",
    nogil=True,
    cache=True,
)
def shape_mask(mask, smoothed, slope, bias, alpha, theta, smoothing):
    """Sharpen ``mask`` in place; what is not a number from 0 to 1 becomes one.

    In this order: ``sigmoid(slope x logit(mask) + bias)``; the binary mask ``mask > alpha`` (Simpson et al. 2015)
    where alpha is above 0; 0 where the mask is below the floor ``theta`` (Lin et al. 2018); a one-pole
    average over frames with the coefficient ``smoothing``, whose state is ``smoothed``.
    """
    nearest = np.float32(1e-6)
    one = np.float32(1.0)
    zero = np.float32(0.0)
    sharpen = slope != one or bias != zero
    for channel in range(mask.shape[0]):
        for k in range(mask.shape[1]):
            value = mask[channel, k]
            if not value > zero:  # also for NaN
                value = zero
            elif value > one:
                value = one
            if sharpen:
                inside = min(max(value, nearest), one - nearest)
                logit = np.log(inside / (one - inside))
                value = one / (one + np.exp(-(slope * logit + bias)))
            if alpha > zero:
                value = one if value > alpha else zero
            if value < theta:
                value = zero
            if smoothing > zero:
                value += smoothing * (smoothed[channel, k] - value)
            smoothed[channel, k] = value
            mask[channel, k] = value


@njit("void(float32[:, ::1], float32[:, ::1], float32)", nogil=True, cache=True)
def blend_into(target, source, weight):
    """``target += weight x (source - target)``: a cross-fade towards ``source``, or a running average."""
    for channel in range(target.shape[0]):
        for k in range(target.shape[1]):
            target[channel, k] += weight * (source[channel, k] - target[channel, k])


@njit("void(complex64[:, ::1], float32[:, ::1], int64, int64, float32)", nogil=True, cache=True)
def centre_mask(spectrum, mask, lowest, highest, most):
    """Soft mask of what is alike in both channels, for bins ``lowest`` to ``highest``; 0 elsewhere and for mono.

    The likeness ``2 Re(L R*) / (|L|^2 + |R|^2)`` is 1 for a source in the middle and falls with level and phase
    difference; its square times ``most`` is the mask.
    """
    mask[:] = np.float32(0.0)
    if spectrum.shape[0] == 2:
        for k in range(lowest, min(highest, spectrum.shape[1])):
            left, right = spectrum[0, k], spectrum[1, k]
            common = left.real * right.real + left.imag * right.imag
            energy = left.real * left.real + left.imag * left.imag + right.real * right.real + right.imag * right.imag
            if common > np.float32(0.0):
                likeness = np.float32(2.0) * common / energy
                mask[0, k] = most * likeness * likeness
                mask[1, k] = mask[0, k]


@njit("void(float32[:, ::1], float32[:, ::1], float64[:, :, ::1], float64[:, ::1])", nogil=True, cache=True)
def mix_into(block, out, gains, meter):
    """``out += gains x block``: a matrix ``(out channel, block channel, 3)`` of linear ramps.

    ``meter`` ``(out channel, 2)`` gathers peak and sum of squares of what is added. Where one input channel feeds an
    output channel with the gain 1 its bits are added as they are.
    """
    for to in range(out.shape[0]):
        peak, energy = meter[to, 0], meter[to, 1]
        for i in range(block.shape[1]):
            value = np.float32(0.0)
            for channel in range(block.shape[0]):
                factor = np.float32(next_gain(gains[to, channel]))
                if factor != 0:
                    value += factor * block[channel, i]
            out[to, i] += value
            peak = max(peak, abs(value))
            energy += value * value
        meter[to, 0], meter[to, 1] = peak, energy


@njit("void(float32[:, ::1], float32[:, ::1], int64, float32[:, ::1])", nogil=True, cache=True)
def delay_into(block, ring, at, out):
    """``out`` = ``block`` as it was ``ring.shape[1]`` samples ago; ``at`` is where the ring stands."""
    size = ring.shape[1]
    for channel in range(block.shape[0]):
        here = at
        for i in range(block.shape[1]):
            sample = block[channel, i]
            out[channel, i] = ring[channel, here]
            ring[channel, here] = sample
            here += 1
            if here == size:
                here = 0


@njit("void(float32[:, ::1], float32[:, ::1], float64[::1])", nogil=True, cache=True)
def fade_between(dry, wet, gain):
    """Move ``wet`` in place to ``dry + gain x (wet - dry)`` along a ramp; gains of 0 and 1 copy the bits."""
    for i in range(dry.shape[1]):
        share = np.float32(next_gain(gain))
        if share == np.float32(0.0):
            for channel in range(dry.shape[0]):
                wet[channel, i] = dry[channel, i]
        elif share != np.float32(1.0):
            for channel in range(dry.shape[0]):
                wet[channel, i] = dry[channel, i] + share * (wet[channel, i] - dry[channel, i])
