"""The demo song: eight bars of pop in C, words and music made here, stems known, no recording involved."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.demo.band import play_band
from rtkaraoke.demo.singer import Syllable, sing
from rtkaraoke.demo.tools import Signal, fade_ends, reverb

BEAT_S = 0.625  # 96 beats a minute: eight bars of four are 20 s
N_BEATS = 32
PEAK = 0.89  # -1 dBFS
VOICE_TO_MUSIC_DB = 0.0  # while the voice sounds; between the -3 and +2 dB of usual mixes

# start and length in beats, MIDI note, phonemes (see singer.PHONEMES)
MELODY = (
    (0.5, 1.0, 64, "s I N"), (1.5, 0.5, 67, "m i"), (2.0, 0.5, 67, "D @"), (2.5, 1.5, 69, "m u n"),
    (4.0, 2.5, 67, "l a I t"),
    (8.0, 1.5, 72, "s O f"), (9.5, 0.5, 71, "t l i"), (10.0, 0.5, 69, "I t"), (10.5, 1.0, 67, "w I l"),
    (11.5, 2.75, 69, "r a I z"),
    (17.0, 1.0, 67, "t e I k"), (18.0, 0.5, 67, "D @"), (18.5, 1.5, 72, "v O I s"),
    (20.0, 0.5, 71, "@"), (20.5, 2.5, 74, "w e I"),
    (24.0, 1.0, 72, "l i v"), (25.0, 0.5, 71, "D @"), (25.5, 1.0, 69, "s t a z"), (26.5, 0.5, 67, "& n d"),
    (27.0, 0.5, 65, "D @"), (27.5, 3.5, 64, "s i"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stems:
    """A song taken apart: float32 ``(2, sample)`` each, and ``mixture`` is ``voice + music``."""

    voice: NDArray[np.float32]
    music: NDArray[np.float32]
    mixture: NDArray[np.float32]
    sample_rate: int


def demo_song(seconds: float = 20.0, sample_rate: int = 44_100, seed: int = 0) -> Stems:
    """Synthesise a song of ``seconds`` at ``sample_rate`` Hz; ``seed`` fixes every random detail.

    Drums, bass, pad and two guitars, and a sung formant voice with vibrato, glides, breath and consonants,
    from the first second on. Longer songs repeat the eight bars.
    """
    verse_s = N_BEATS * BEAT_S
    n_verses = max(1, int(np.ceil(seconds / verse_s)))
    syllables = [
        Syllable(verse * verse_s + start * BEAT_S, length * BEAT_S, note, tuple(phonemes.split()))
        for verse in range(n_verses)
        for start, length, note, phonemes in MELODY
        if verse * verse_s + start * BEAT_S < seconds
    ]
    return perform(syllables, round(seconds * sample_rate), sample_rate, BEAT_S, np.random.default_rng(seed))


def perform(syllables: list[Syllable], n: int, sample_rate: int, beat_s: float, rng: np.random.Generator) -> Stems:
    """``n`` samples of a song: ``syllables`` sung over the band, a beat of which lasts ``beat_s``."""
    seconds = n / sample_rate
    dry = sing(syllables, n, sample_rate, rng)
    voice = np.stack([dry, dry]) + 0.22 * reverb(dry, sample_rate, 1.4, rng)
    music = play_band(n, sample_rate, max(1, int(np.ceil(seconds / (N_BEATS * beat_s)))), beat_s, rng)
    voice *= _level_over(dry, music) * 10 ** (VOICE_TO_MUSIC_DB / 20)
    for part in (voice, music):
        fade_ends(part, round(min(0.5, seconds / 10) * sample_rate))
    scale = PEAK / max(1e-9, float(np.abs(voice + music).max()))
    voice32, music32 = (np.ascontiguousarray(scale * part, np.float32) for part in (voice, music))
    return Stems(voice32, music32, voice32 + music32, sample_rate)


def _level_over(dry: Signal, music: Signal) -> float:
    """Gain that makes the voice, where it sounds, as loud as the music."""
    sounding = np.abs(dry) > 0.01 * max(1e-9, float(np.abs(dry).max()))
    voice_rms = np.sqrt(np.mean(dry[sounding] ** 2)) if sounding.any() else 1.0
    return float(np.sqrt(np.mean(music**2)) / max(1e-9, voice_rms))
