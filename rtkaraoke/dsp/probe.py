"""A test signal that cannot be mistaken for another, and where it comes back in a recording, or why that is not known.

A maximum-length sequence is correlated with what was recorded (a matched filter, which gains 10 log10(length) dB over
noise) and the correlation, band-limited as the probe is, is interpolated to a small part of a sample.

Every probe is another one of the many sequences of its length (decimations of one, after Golomb, *Shift Register
Sequences*, 1967), so an answer to the one before, or to another measurement in the same room, is no answer to it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from rtkaraoke.errors import LiveError

Signal = NDArray[np.float32]
Curve = NDArray[np.float64]

Kind = Literal[
    "digital silence", "dc", "noise", "hum", "other signal", "clipping", "crosstalk", "feedback", "two answers",
    "lost samples", "too early", "too late", "varying", "xruns",
]  # fmt: skip

ORDERS = range(9, 19)  #: of the sequences; 15 is 0.74 s at 44.1 kHz
LOW_HZ, HIGH_HZ = 100.0, 18_000.0
HIGH_SHARE = 0.42  #: of the sample rate, where that is lower
EDGE = 1.3  #: the band's edges are this far apart, as a ratio
FADE = 64  #: samples
UPSAMPLE = 8
MAIN_LOBE_S = 1e-3  #: nearer than this, a second peak belongs to the first
KNOWN = 10.0  #: times the noise of the correlation: 1 in 10^18 by chance
SURE = 25.0  #: from here on the parts of the probe can be looked at one by one
EQUAL_SHARE = 0.7  #: of the first peak's height
LOOP_SHARE = 0.25  #: of an echo's height, from which on its own echo can be looked for
CROSSTALK_DB = -60.0
FULL_SCALE = 0.999
CLIPPED_SAMPLES = 8
PARTS = 4
PART_SHIFT = 0.5  #: samples by which the parts of one probe may disagree
QUIET_DB = -60.0
DC_RATIO = 3.0
HUM_SHARE = 0.7
HUM_HZ = 2000.0
FLATNESS = 0.2  #: of a spectrum, above which it is noise; music has less than 0.05


class CalibrationError(LiveError):
    """A measurement that gives no figure.

    Attributes
    ----------
    kind : str
        Which of the ghosts it was, for programs.
    """

    def __init__(self, kind: Kind, reason: str) -> None:
        super().__init__(kind, reason)
        self.kind: Kind = kind
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class Answer:
    """Where a probe came back: ``delay`` in samples, ``gain_db`` of the way, ``polarity`` 1 or -1.

    ``clearness_db`` is how far its peak stands out of the correlation's noise.
    """

    delay: float
    gain_db: float
    polarity: int
    clearness_db: float


def make_probes(n_probes: int, sample_rate: int, order: int = 15, seed: int | None = None) -> list[Signal]:
    """``n_probes`` different band-limited maximum-length sequences of 2^``order`` - 1 samples, with a peak of 1.

    Parameters
    ----------
    n_probes, order : int
    sample_rate : int
        In Hz.
    seed : int, optional
        Chooses among the sequences; another choice each time when left out.

    Raises
    ------
    LiveError
        For an order outside :data:`ORDERS`, or more probes than there are sequences.
    """
    from scipy.signal import max_len_seq

    if order not in ORDERS:
        raise LiveError(f"a sequence of order {order}: wanted {ORDERS.start} to {ORDERS.stop - 1}, 15 is a good value")
    base = 2.0 * max_len_seq(order)[0] - 1.0
    length = len(base)
    decimations = _decimations(length, order)
    if n_probes > len(decimations):
        raise LiveError(f"{n_probes} probes of order {order}: there are {len(decimations)}, a higher order has more")
    chosen = np.random.default_rng(seed).permutation(len(decimations))[:n_probes]
    band = _band(length, sample_rate)
    return [_shape(base[decimations[index] * np.arange(length) % length], band) for index in chosen]


def _decimations(length: int, order: int, wanted: int = 64) -> list[int]:
    """Steps through a sequence that give a different one: prime to its length, none another's times a power of 2."""
    found: list[int] = []
    seen: set[int] = set()
    for step in range(1, length, 2):
        if step in seen or np.gcd(step, length) != 1:
            continue
        seen |= {step * 2**power % length for power in range(order)}
        found.append(step)
        if len(found) == wanted:
            break
    return found


def _band(length: int, sample_rate: int) -> Curve:
    """The probe's magnitudes: flat from 100 Hz to 18 kHz, or what the rate allows, with rounded edges."""
    frequency = fft.rfftfreq(length, 1 / sample_rate)
    high = min(HIGH_HZ, HIGH_SHARE * sample_rate)
    rise = np.clip((frequency - LOW_HZ) / (LOW_HZ * (EDGE - 1)), 0, 1)
    fall = np.clip((high - frequency) / (high * (1 - 1 / EDGE)), 0, 1)
    return np.sin(0.5 * np.pi * np.minimum(rise, fall)) ** 2


def _shape(sequence: Curve, band: Curve) -> Signal:
    shaped = fft.irfft(fft.rfft(sequence) * band, len(sequence))
    fade = np.sin(0.5 * np.pi * (np.arange(FADE) + 0.5) / FADE) ** 2
    shaped[:FADE] *= fade
    shaped[-FADE:] *= fade[::-1]
    return (shaped / np.abs(shaped).max()).astype(np.float32)


def find(recorded: Signal, probe: Signal, sample_rate: int) -> Answer:
    """Where ``probe`` begins in ``recorded``.

    Parameters
    ----------
    recorded : array ``(sample,)``
        From the moment at which the probe was sent; the longest delay that is found is ``len(recorded) - len(probe)``.
    probe : array ``(sample,)``
        As it was sent, level included.
    sample_rate : int
        In Hz.

    Raises
    ------
    CalibrationError
        Where there is no answer, or one that is not to be believed, with the reason.
    """
    if _is_clipped(recorded):
        raise CalibrationError(
            "clipping",
            f"the input is clipped at {_db(np.abs(recorded).max()):.1f} dBFS: turn its level or --level down",
        )
    if not recorded.any():
        raise CalibrationError(
            "digital silence",
            "the input delivers zeros only: it is muted, switched off or not connected to anything. Look at the mixer "
            "and at the channel's number",
        )
    impulse_response = _correlate(recorded, probe)
    window = impulse_response[: UPSAMPLE * (len(recorded) - len(probe)) + 1]
    height = np.abs(window)
    peak = int(height.argmax())
    gain = float(height[peak])
    noise = max(float(np.median(height[::UPSAMPLE])) / 0.6745, _chance(recorded, probe, sample_rate))
    clearness = gain / noise if noise else 0.0
    if clearness < KNOWN:
        raise _explain_absence(recorded, sample_rate)
    answer = Answer(
        _refine(window, peak) / UPSAMPLE, _db(gain), 1 if window[peak] > 0 else -1, 20 * float(np.log10(clearness))
    )
    _check_credible(answer, height, peak, KNOWN * noise, sample_rate)
    _check_whole(recorded, probe, answer, sure=clearness > SURE)
    return answer


def _correlate(recorded: Signal, probe: Signal) -> Curve:
    """The way's impulse response, seen through the probe's band, from lag 0 on at :data:`UPSAMPLE` times the rate.

    Negative lags are at the end.
    """
    size = fft.next_fast_len(len(recorded) + len(probe), real=True)
    size += size % 2
    product = fft.rfft(recorded.astype(np.float64), size) * fft.rfft(probe.astype(np.float64), size).conj()
    product[-1] = 0.0  # Nyquist: outside the band
    energy = float(np.sum(probe.astype(np.float64) ** 2))
    return UPSAMPLE * fft.irfft(product, UPSAMPLE * size) / energy


def _chance(recorded: Signal, probe: Signal, sample_rate: int) -> float:
    """The standard deviation that the correlation has with as loud a noise as the loudest stretch of ``recorded``.

    Where the recording is silent in part, the correlation's own median would promise too much.
    """
    spectrum = fft.rfft(recorded.astype(np.float64))
    spectrum[: round(LOW_HZ * len(recorded) / sample_rate)] = 0.0
    energy = np.cumsum(np.concatenate([[0.0], fft.irfft(spectrum, len(recorded)) ** 2]))
    loudest = float((energy[len(probe) :] - energy[: -len(probe)]).max())
    return (loudest / len(probe) / float(np.sum(probe.astype(np.float64) ** 2))) ** 0.5


def _refine(curve: Curve, peak: int) -> float:
    """The top of the parabola through ``peak`` and its neighbours."""
    if not 0 < peak < len(curve) - 1:
        return float(peak)
    before, top, after = np.abs(curve[peak - 1 : peak + 2])
    bend = before - 2 * top + after
    return peak + float(0.5 * (before - after) / bend) if bend else float(peak)


def _check_credible(answer: Answer, height: Curve, peak: int, limit: float, sample_rate: int) -> None:
    """Refuse crosstalk, answers that come twice, and loops."""
    if answer.gain_db < CROSSTALK_DB:
        raise CalibrationError(
            "crosstalk",
            f"the answer is {-answer.gain_db:.0f} dB down: that is what one channel hears of another inside a card. "
            "Connect the cable, or turn the level of the input or of the output up",
        )
    lobe = round(UPSAMPLE * MAIN_LOBE_S * sample_rate)
    others = height.copy()
    others[max(peak - lobe, 0) : peak + lobe] = 0.0
    second = int(others.argmax())
    apart_ms = 1e3 * abs(second - peak) / UPSAMPLE / sample_rate
    top = height[peak]
    share = others[second] / top
    third = 2 * second - peak
    if second > peak and share > LOOP_SHARE and third + lobe < len(others):
        again = others[third - lobe // 4 : third + lobe // 4].max() / top
        if again * top > limit and 0.5 < again / share**2 < 2.0:
            raise CalibrationError(
                "feedback",
                f"the answer repeats every {apart_ms:.2f} ms at {_db(share):.1f} dB each time: what is recorded is "
                "played again. Switch off the monitoring of the input in the card's or the system's mixer",
            )
    if share > EQUAL_SHARE:
        raise CalibrationError(
            "two answers",
            f"two answers come {apart_ms:.2f} ms apart and as loud ({_db(share):+.1f} dB): there are two ways from the "
            "output to the input. Leave one: one cable, one loudspeaker, no second monitor path",
        )


def _check_whole(recorded: Signal, probe: Signal, answer: Answer, *, sure: bool) -> None:
    """Refuse a recording whose parts do not belong together: samples were lost or repeated on the way."""
    margin, length = 32, len(probe) // PARTS
    delays, gains = [], []
    at = round(answer.delay)
    padded = np.concatenate([np.zeros(margin, np.float32), recorded, np.zeros(margin, np.float32)])
    for start in range(0, PARTS * length, length):
        part = probe[start : start + length]
        curve = _correlate(padded[at + start : at + start + length + 2 * margin], part)[: UPSAMPLE * 2 * margin + 1]
        centre = UPSAMPLE * margin
        near = np.abs(curve[centre - 4 * UPSAMPLE : centre + 4 * UPSAMPLE + 1])
        delays.append(_refine(curve, centre - 4 * UPSAMPLE + int(near.argmax())) / UPSAMPLE)
        gains.append(float(near.max()))
    lost = min(gains) < 0.5 * max(gains) or max(delays) - min(delays) > PART_SHIFT
    if lost and sure:
        raise CalibrationError(
            "lost samples",
            "the beginning and the end of the test signal do not come back with one delay: samples were lost or "
            "repeated on the way, or the two clocks run apart. Take a larger block, and one card for both directions",
        )
    if lost:
        raise CalibrationError(
            "noise", "the test signal is so deep in noise that it is not certain: turn it up, or the noise down"
        )


def _explain_absence(recorded: Signal, sample_rate: int) -> CalibrationError:
    """What came instead of the probe."""
    mean = float(recorded.mean())
    signal = recorded.astype(np.float64) - mean
    level_db = _db(float(np.sqrt(np.mean(signal**2))))
    if abs(mean) > DC_RATIO * float(signal.std()):
        return CalibrationError(
            "dc", f"the input stands still at {mean:+.3f} of full scale (DC): the cable or the input is broken"
        )
    power = np.abs(fft.rfft(signal * np.hanning(len(signal)))) ** 2
    frequency = fft.rfftfreq(len(signal), 1 / sample_rate)
    lines, strongest_hz = _lines(power, frequency)
    if lines > HUM_SHARE:
        return CalibrationError(
            "hum",
            f"only hum comes in ({strongest_hz:.0f} Hz and its harmonics at {level_db:.0f} dBFS): the cable is open or "
            "has no ground. Plug it in at both ends",
        )
    inside = power[(frequency > LOW_HZ) & (frequency < HIGH_SHARE * sample_rate)] + 1e-30
    smooth = inside[: len(inside) // 16 * 16].reshape(-1, 16).mean(axis=1)
    flatness = float(np.exp(np.log(smooth).mean()) / smooth.mean())
    if level_db < QUIET_DB or flatness > FLATNESS:
        return CalibrationError(
            "noise",
            f"only noise comes in ({level_db:.0f} dBFS): nothing is connected, the wrong input or output was chosen, "
            "or the test signal is too soft in it. Check cable and channels, or raise --level",
        )
    return CalibrationError(
        "other signal",
        f"another signal comes in ({level_db:.0f} dBFS), not the test signal: this is the wrong input, or something "
        "else plays. Check the cable and end other programs",
    )


def _lines(power: Curve, frequency: Curve) -> tuple[float, float]:
    """The share of a few narrow lines below 2 kHz in the whole power, and the strongest one's frequency in Hz."""
    left = power.copy()
    low = int(np.searchsorted(frequency, HUM_HZ))
    found, strongest = 0.0, int(left[:low].argmax())
    for _ in range(8):
        peak = int(left[:low].argmax())
        around = slice(max(peak - 3, 0), peak + 4)
        found += float(left[around].sum())
        left[around] = 0.0
    return found / float(power.sum() or 1.0), float(frequency[strongest])


def _is_clipped(recorded: Signal) -> bool:
    """Whether the signal stands at its limit, at full scale or, cut by something before the converter, below it."""
    if np.count_nonzero(np.abs(recorded) >= FULL_SCALE) >= CLIPPED_SAMPLES:
        return True
    signal = recorded - recorded.mean()
    top = float(np.abs(signal).max(initial=0.0))
    at_top = np.abs(signal) >= FULL_SCALE * top
    flat = int(np.count_nonzero(at_top[1:] & at_top[:-1] & (np.abs(np.diff(signal)) < 0.5 * top)))
    return top > 0 and flat >= CLIPPED_SAMPLES and _wide_band(signal)


def _wide_band(signal: Signal) -> bool:
    """Whether a signal changes so quickly that it does not stay at its top by itself, as a hum does."""
    return float(np.mean(np.diff(signal) ** 2)) > 0.1 * float(np.mean(signal**2))


def _db(amplitude: float) -> float:
    return 20 * float(np.log10(max(amplitude, 1e-10)))
