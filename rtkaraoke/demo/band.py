"""The band of the demo song: drums, bass, pad and two plucked guitars."""

import numpy as np
from scipy.signal import lfilter

from rtkaraoke.demo.tools import Signal, add, band, decay, midi_to_hz, reverb

# one chord a bar: C G Am F C G F C
CHORDS = (
    (60, 64, 67),
    (59, 62, 67),
    (57, 60, 64),
    (57, 60, 65),
    (60, 64, 67),
    (59, 62, 67),
    (57, 60, 65),
    (60, 64, 67),
)
ROOTS = (36, 43, 45, 41, 36, 43, 41, 36)
BASS_RHYTHM = ((0.0, 1.4), (1.5, 0.45), (2.0, 0.9), (3.0, 0.45), (3.5, 0.45))  # start and length in beats
TABLE = 1 << 15  # samples of a period, so many that the nearest one will do
PICKING = (0, 1, 2, 3, 2, 1, 3, 2)  # chord tones in eighths; 3 is the lowest an octave up


def play_band(n: int, sample_rate: int, n_verses: int, beat_s: float, rng: np.random.Generator) -> Signal:
    """All instruments together, ``(2, n)``, for ``n_verses`` times eight bars."""
    music = np.zeros((2, n))
    wet = np.zeros(n)
    bars = [(verse * len(CHORDS) + i, i) for verse in range(n_verses) for i in range(len(CHORDS))]
    bars = [(number, i) for number, i in bars if 4 * number * beat_s * sample_rate < n]
    kit, strings = _drum_kit(sample_rate, rng), _Strings(sample_rate, rng)
    for number, i in bars:
        start_s = 4 * number * beat_s
        _drum_bar(music, wet, start_s, beat_s, kit, sample_rate, fill=i == len(CHORDS) - 1)
        _bass_bar(music, start_s, beat_s, ROOTS[i], sample_rate)
        _pad_bar(music, start_s, beat_s, CHORDS[i], sample_rate)
        _guitar_bar(music, wet, start_s, beat_s, CHORDS[i], strings)
    return music + 0.5 * reverb(wet, sample_rate, 1.0, rng)


def _drum_kit(sample_rate: int, rng: np.random.Generator) -> dict[str, Signal]:
    n = round(0.4 * sample_rate)
    t = np.arange(n) / sample_rate
    noise = rng.standard_normal(n)
    kick_hz = 48 + 130 * np.exp(-t / 0.022)
    kick = np.sin(2 * np.pi * np.cumsum(kick_hz) / sample_rate) * decay(n, sample_rate, 0.35)
    kick += 0.25 * band(noise, sample_rate, 1500, 6000) * decay(n, sample_rate, 0.02)
    snare = 0.5 * np.sin(2 * np.pi * 186 * t) * decay(n, sample_rate, 0.14)
    snare += 0.45 * band(noise, sample_rate, 900, 9000) * decay(n, sample_rate, 0.22)
    metal = sum(np.sign(np.sin(2 * np.pi * hz * t)) for hz in (3127, 4269, 5393, 6521))
    hat = band(0.5 * metal + rng.standard_normal(n), sample_rate, 7000, None, 4) * 0.25
    return {
        "kick": 0.9 * kick,
        "snare": 0.8 * snare,
        "hat": hat * decay(n, sample_rate, 0.07),
        "open": hat * decay(n, sample_rate, 0.35),
    }


def _drum_bar(
    music: Signal, wet: Signal, start_s: float, beat_s: float, kit: dict[str, Signal], sample_rate: int, fill: bool
) -> None:
    def hit(name: str, beat: float, gain: float, left: float = 0.7, right: float = 0.7) -> None:
        add(music, start_s + beat * beat_s, np.outer((left, right), gain * kit[name]), sample_rate)
        if name == "snare":
            add(wet, start_s + beat * beat_s, 0.4 * gain * kit[name], sample_rate)

    for beat, gain in ((0.0, 1.0), (1.75, 0.5), (2.0, 0.95)):
        hit("kick", beat, gain)
    for beat, gain in ((1.0, 0.9), (3.0, 1.0)) + (((3.5, 0.5), (3.75, 0.7)) if fill else ()):
        hit("snare", beat, gain)
    for eighth in range(8):
        hit("open" if eighth == 7 else "hat", eighth / 2, 0.6 if eighth % 2 else 0.9, 0.4, 0.9)


def _bass_bar(music: Signal, start_s: float, beat_s: float, root: int, sample_rate: int) -> None:
    for beat, length in BASS_RHYTHM:
        n = round(length * beat_s * sample_rate)
        phase = 2 * np.pi * midi_to_hz(root) * np.arange(n) / sample_rate
        tone = sum(np.sin(k * phase) * np.exp(-0.35 * k) / k**0.5 for k in range(1, 13))
        tone *= decay(n, sample_rate, 2.0, 0.006) * np.minimum(1, np.arange(n)[::-1] / (0.02 * sample_rate))
        add(music, start_s + beat * beat_s, np.outer((0.7, 0.7), 0.55 * tone), sample_rate)


def _pad_bar(music: Signal, start_s: float, beat_s: float, chord: tuple[int, ...], sample_rate: int) -> None:
    n = round(4.3 * beat_s * sample_rate)  # into the next bar: the chords melt into each other
    edge = 0.3 * beat_s * sample_rate
    swell = np.minimum(1, np.arange(n) / edge) * np.minimum(1, np.arange(n)[::-1] / edge)
    for side, cents in ((0, -7), (1, 7)):
        tone = np.zeros(n)
        for note in chord:
            hz = midi_to_hz(note + cents / 100)
            period = np.arange(TABLE) / TABLE
            wave = sum(
                np.sin(2 * np.pi * k * period + 1.7 * k * k + note) / k**1.5
                for k in range(1, min(14, int(0.45 * sample_rate / hz)))
            )
            tone += wave[(np.arange(n) * (hz / sample_rate * TABLE)).astype(int) % TABLE]
        add(music[side], start_s, 0.06 * swell * tone, sample_rate)


def _guitar_bar(
    music: Signal, wet: Signal, start_s: float, beat_s: float, chord: tuple[int, ...], strings: "_Strings"
) -> None:
    """Picked eighths from the left, strummed off-beats from the right."""
    notes = (*chord, chord[0] + 12)
    for eighth, tone in enumerate(PICKING):
        sound = strings.pluck(notes[tone], 1.2)
        add(music, start_s + eighth * beat_s / 2, np.outer((0.8, 0.25), 0.42 * sound), strings.sample_rate)
        add(wet, start_s + eighth * beat_s / 2, 0.1 * sound, strings.sample_rate)
    for beat in (0.5, 1.5, 2.5, 3.5):
        for i, note in enumerate(chord):
            sound = strings.pluck(note + 12, 0.5)
            add(music, start_s + beat * beat_s + 0.012 * i, np.outer((0.15, 0.7), 0.2 * sound), strings.sample_rate)


class _Strings:
    """Plucked strings after Karplus and Strong (1983): a burst of noise in a damped loop of one period."""

    def __init__(self, sample_rate: int, rng: np.random.Generator) -> None:
        self.sample_rate = sample_rate
        self._rng = rng
        self._sounds: dict[tuple[int, float], Signal] = {}

    def pluck(self, note: int, seconds: float) -> Signal:
        """The sound of ``note``, made when it is first played."""
        if (note, seconds) not in self._sounds:
            self._sounds[note, seconds] = self._make(note, seconds)
        return self._sounds[note, seconds]

    def _make(self, note: int, seconds: float) -> Signal:
        n, period = round(seconds * self.sample_rate), round(self.sample_rate / midi_to_hz(note) - 0.5)
        burst = np.zeros(n)
        burst[:period] = self._rng.uniform(-1, 1, period)[:n]
        burst = lfilter([0.6], [1, -0.4], burst)  # a soft pick
        loop = np.zeros(period + 2)
        loop[0], loop[period], loop[period + 1] = 1.0, -0.498, -0.498
        sound = lfilter([1.0], loop, burst) * decay(n, self.sample_rate, 2.5 * seconds)
        return np.asarray(sound * np.minimum(1, np.arange(n)[::-1] / (0.02 * self.sample_rate)))
