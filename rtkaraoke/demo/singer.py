"""A singer by source and filter: a glottal pulse, a vocal tract of formants, noise where the consonants are.

The pulse is the flow derivative of Liljencrants and Fant (1985), cut off below the Nyquist frequency by tables
with ever fewer harmonics; the tract is a cascade of resonators after Klatt (1980), redrawn every 2.5 ms.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import sosfilt

from rtkaraoke.demo.tools import Signal, add, band

STEP_S = 0.0025  # how often the tract moves
VIBRATO_HZ = 5.6
VIBRATO_CENTS = 50.0
GLIDE_S = 0.07  # portamento from note to note
N_FORMANTS = 12  # the fourth and higher ones stay where they are
TABLE = 2048


class Phoneme(NamedTuple):
    """Duration (0: a vowel, as long as the note lets it), formants, share of voicing, and noise.

    ``noise`` is (gain, lowest Hz, highest Hz). A ``stop`` is silent first and then bursts.
    """

    seconds: float
    formants: tuple[float, float, float]
    voicing: float = 1.0
    noise: tuple[float, float, float] = (0.0, 0.0, 0.0)
    stop: bool = False


PHONEMES = {
    "a": Phoneme(0, (780, 1250, 2700)), "&": Phoneme(0, (720, 1800, 2650)), "e": Phoneme(0, (540, 2050, 2750)),
    "i": Phoneme(0, (330, 2500, 3150)), "I": Phoneme(0, (430, 2200, 2850)), "O": Phoneme(0, (620, 980, 2700)),
    "u": Phoneme(0, (360, 950, 2550)), "@": Phoneme(0, (560, 1450, 2650)),
    "m": Phoneme(0.075, (280, 1000, 2300), 0.35), "n": Phoneme(0.07, (290, 1600, 2600), 0.38),
    "N": Phoneme(0.09, (300, 2200, 2700), 0.38), "l": Phoneme(0.07, (380, 1150, 2900), 0.6),
    "r": Phoneme(0.075, (400, 1200, 1750), 0.65), "w": Phoneme(0.07, (330, 720, 2400), 0.6),
    "D": Phoneme(0.05, (380, 1500, 2600), 0.4, (0.05, 3000, 9000)),
    "v": Phoneme(0.06, (320, 1300, 2500), 0.4, (0.06, 2500, 9000)),
    "z": Phoneme(0.09, (330, 1700, 2600), 0.3, (0.20, 5000, 12000)),
    "s": Phoneme(0.12, (400, 1700, 2600), 0.0, (0.42, 5200, 13000)),
    "f": Phoneme(0.09, (380, 1300, 2500), 0.0, (0.12, 2500, 11000)),
    "t": Phoneme(0.075, (400, 1800, 2700), 0.0, (0.5, 3200, 10000), True),
    "k": Phoneme(0.08, (400, 1900, 2500), 0.0, (0.45, 1500, 5000), True),
    "d": Phoneme(0.06, (350, 1700, 2600), 0.1, (0.3, 2800, 8000), True),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Syllable:
    """A note with its text: the vowel begins at ``start_s``, what stands before it sounds before it."""

    start_s: float
    length_s: float
    note: int
    phonemes: tuple[str, ...]


class Segment(NamedTuple):
    """A phoneme in its place."""

    start_s: float
    end_s: float
    phoneme: Phoneme


def sing(syllables: list[Syllable], n: int, sample_rate: int, rng: np.random.Generator) -> Signal:
    """The dry voice ``(n,)`` singing ``syllables``, which are in order."""
    segments = _place(syllables)
    n_steps = int(np.ceil(n / (STEP_S * sample_rate))) + 1
    formants, voicing = _tract(segments, n_steps)
    voicing *= _phrasing(syllables, n_steps)
    pitch_hz = _pitch(syllables, n_steps, rng)
    at_step = np.arange(n_steps) * STEP_S * sample_rate
    samples = np.arange(n)
    source = _glottis(np.interp(samples, at_step, pitch_hz), sample_rate, rng)
    shimmer = 1 + 0.03 * uniform_filter1d(rng.standard_normal(n_steps), 8) * np.sqrt(8)
    voice = _filter(source * np.interp(samples, at_step, voicing * shimmer), formants, sample_rate)
    voice /= max(1e-9, float(np.abs(voice).max()))
    for segment in segments:
        _add_noise(voice, segment, sample_rate, rng)
    return band(voice, sample_rate, 90.0, None)


def _place(syllables: list[Syllable]) -> list[Segment]:
    """Every phoneme's place; a syllable gives way to the consonants that lead into the next one."""
    segments: list[Segment] = []
    for i, syllable in enumerate(syllables):
        vowels = [k for k, name in enumerate(syllable.phonemes) if not PHONEMES[name].seconds]
        onset = [PHONEMES[name] for name in syllable.phonemes[: vowels[0]]]
        nucleus = [PHONEMES[syllable.phonemes[k]] for k in vowels]
        coda = [PHONEMES[name] for name in syllable.phonemes[vowels[-1] + 1 :]]
        end_s = syllable.start_s + 0.96 * syllable.length_s
        if i + 1 < len(syllables):
            following = syllables[i + 1]
            lead_s = sum(PHONEMES[name].seconds for name in following.phonemes[: _first_vowel(following)])
            end_s = min(end_s, following.start_s - lead_s)
        at_s = syllable.start_s - sum(phoneme.seconds for phoneme in onset)
        for phoneme in onset:
            segments.append(Segment(at_s, at_s + phoneme.seconds, phoneme))
            at_s += phoneme.seconds
        vowel_end_s = max(at_s + 0.06, end_s - sum(phoneme.seconds for phoneme in coda))
        # of a diphthong, the second vowel takes the last third
        middle_s = vowel_end_s if len(nucleus) == 1 else at_s + 0.66 * (vowel_end_s - at_s)
        segments.append(Segment(at_s, middle_s, nucleus[0]))
        if len(nucleus) > 1:
            segments.append(Segment(middle_s, vowel_end_s, nucleus[1]))
        at_s = vowel_end_s
        for phoneme in coda:
            segments.append(Segment(at_s, at_s + phoneme.seconds, phoneme))
            at_s += phoneme.seconds
    return segments


def _first_vowel(syllable: Syllable) -> int:
    return next(k for k, name in enumerate(syllable.phonemes) if not PHONEMES[name].seconds)


def _smooth(track: Signal, seconds: float) -> Signal:
    """Two moving averages: the track turns its corners in ``seconds``."""
    size = max(1, round(seconds / 2 / STEP_S))
    return np.asarray(uniform_filter1d(uniform_filter1d(track, size, axis=-1), size, axis=-1))


def _tract(segments: list[Segment], n_steps: int) -> tuple[Signal, Signal]:
    """Formants ``(3, step)`` in Hz and voicing ``(step,)``: targets in their places, then rounded off."""
    formants = np.tile(np.array(PHONEMES["@"].formants, float)[:, None], n_steps)
    voicing = np.zeros(n_steps)
    for segment in segments:
        first, last = (round(max(0.0, t) / STEP_S) for t in (segment.start_s, segment.end_s))
        formants[:, first:] = np.array(segment.phoneme.formants)[:, None]  # held in pauses
        voicing[first:last] = segment.phoneme.voicing
    return _smooth(formants, 0.06), _smooth(voicing, 0.03)


def _phrasing(syllables: list[Syllable], n_steps: int) -> Signal:
    """Long notes swell and fade a little; high ones are louder."""
    t = np.arange(n_steps) * STEP_S
    level = np.ones(n_steps)
    for syllable in syllables:
        inside = (t >= syllable.start_s) & (t < syllable.start_s + syllable.length_s)
        share = (t[inside] - syllable.start_s) / syllable.length_s
        level[inside] = (0.75 + 0.45 * np.sin(np.pi * np.sqrt(share))) * 1.03 ** (syllable.note - 67)
    return _smooth(level, 0.08)


def _pitch(syllables: list[Syllable], n_steps: int, rng: np.random.Generator) -> Signal:
    """Fundamental in Hz per step: notes joined by glides, scooped from below, vibrato that sets in late, jitter."""
    t = np.arange(n_steps) * STEP_S
    note = np.full(n_steps, float(syllables[0].note) if syllables else 60.0)
    depth = np.zeros(n_steps)
    ended_s = -1.0
    for syllable in syllables:
        since = t - syllable.start_s
        note[since >= -0.03] = syllable.note
        if syllable.start_s - ended_s > 0.2:  # a new phrase
            scoop = (since >= -0.1) & (since < 0.09)
            note[scoop] = syllable.note - 1.5
        inside = (since >= 0) & (since < syllable.length_s)
        depth[inside] = np.clip((since[inside] - 0.22) / 0.35, 0, 1)
        ended_s = syllable.start_s + syllable.length_s
    note = _smooth(note, 2 * GLIDE_S)
    rate = VIBRATO_HZ * (1 + 0.05 * _smooth(rng.standard_normal(n_steps), 0.4) * 10)
    vibrato = _smooth(depth, 0.15) * np.sin(2 * np.pi * np.cumsum(rate) * STEP_S)
    drift = 12 * _smooth(rng.standard_normal(n_steps), 0.3) * 8 + 4 * _smooth(rng.standard_normal(n_steps), 0.012)
    cents = VIBRATO_CENTS * vibrato + drift
    return np.asarray(440.0 * 2 ** ((note - 69 + cents / 100) / 12))


def _glottis(pitch_hz: Signal, sample_rate: int, rng: np.random.Generator) -> Signal:
    """The pulse train at ``pitch_hz`` (per sample), with breath that comes with each opening."""
    spectrum = np.fft.rfft(_pulse())
    counts = [int(c) for c in 8 * 1.25 ** np.arange(14)]
    tables = np.stack([np.fft.irfft(np.where(np.arange(len(spectrum)) <= c, spectrum, 0)) for c in counts])
    allowed = np.minimum(0.45 * sample_rate, 16_000.0) / pitch_hz
    table = np.maximum(0, np.searchsorted(counts, allowed, side="right") - 1)
    phase = np.cumsum(pitch_hz) / sample_rate % 1.0 * TABLE
    index = phase.astype(np.int64)
    share = phase - index
    pulse = (1 - share) * tables[table, index % TABLE] + share * tables[table, (index + 1) % TABLE]
    opening = 0.5 - 0.5 * np.cos(2 * np.pi * phase / TABLE)
    breath = band(rng.standard_normal(len(pitch_hz)), sample_rate, 1200.0, None, 1)
    return np.asarray(pulse / np.abs(tables).max() + 0.02 * opening * breath)


def _pulse() -> Signal:
    """One period of the glottal flow's derivative: growing sine while open, abrupt closure, short return."""
    t = np.arange(TABLE) / TABLE
    peak, closing, back = 0.42, 0.58, 0.018
    growth = 4.0
    shape = np.exp(growth * t) * np.sin(np.pi * t / peak)
    at_closing = np.exp(growth * closing) * np.sin(np.pi * closing / peak)
    shape = np.where(t < closing, shape, at_closing * np.exp(-(t - closing) / back))
    return np.asarray(shape - shape.mean())


def _filter(source: Signal, formants: Signal, sample_rate: int) -> Signal:
    """Send ``source`` through the moving tract."""
    upper_hz = np.array([3500.0, 4500.0, *(5500.0 + 1000.0 * np.arange(N_FORMANTS - 5))])
    upper_hz = upper_hz[upper_hz < 0.47 * sample_rate]
    n_steps = formants.shape[1]
    hz = np.concatenate([formants, np.tile(upper_hz[:, None], n_steps)])
    hz[2:4] = 0.6 * hz[2:4] + 0.4 * np.array([[2750.0], [3150.0]])  # drawn together: the singer's formant
    hz = np.minimum(hz, 0.47 * sample_rate)
    width_hz = 55.0 + 0.03 * hz + 1.2e-5 * hz**2
    radius = np.exp(-np.pi * width_hz / sample_rate)
    b, c = 2 * radius * np.cos(2 * np.pi * hz / sample_rate), -(radius**2)
    sections = np.zeros((n_steps, len(hz), 6))
    sections[:, :, 0] = (1 - b - c).T
    sections[:, :, 3] = 1.0
    sections[:, :, 4], sections[:, :, 5] = -b.T, -c.T
    out, state = np.empty_like(source), np.zeros((len(hz), 2))
    edges = np.round(np.arange(n_steps + 1) * STEP_S * sample_rate).astype(int)
    for step in range(n_steps):
        part = source[edges[step] : edges[step + 1]]
        if len(part):
            out[edges[step] : edges[step] + len(part)], state = sosfilt(sections[step], part, zi=state)
    return out


def _add_noise(voice: Signal, segment: Segment, sample_rate: int, rng: np.random.Generator) -> None:
    """The hiss of a fricative, or the burst of a stop at the end of its silence."""
    gain, low_hz, high_hz = segment.phoneme.noise
    if not gain:
        return
    length_s = segment.end_s - segment.start_s
    n = round((length_s + 0.03) * sample_rate)
    t = np.arange(n) / sample_rate
    if segment.phoneme.stop:
        since = t - 0.6 * length_s
        shape = np.where(
            since < 0, 0.0, np.exp(-np.maximum(0, since) / 0.012) + 0.15 * np.exp(-np.maximum(0, since) / 0.04)
        )
    else:
        shape = np.clip(np.minimum(t / 0.03, (t[-1] - t) / 0.03), 0, 1)
    noise = band(rng.standard_normal(n), sample_rate, low_hz, high_hz)
    add(voice, segment.start_s, gain * 0.5 * shape * noise, sample_rate)
