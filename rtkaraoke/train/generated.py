"""Songs that the package makes itself, for runs that need no data folder, such as the smoke test.

Singer and band are those of the demo. Melody, words, tempo, key and the size of the singer are drawn at random.
"""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from rtkaraoke.demo.singer import Syllable
from rtkaraoke.demo.song import MELODY, perform
from rtkaraoke.evaluate.data import Audio

SAMPLE_RATE = 44_100
SCALE = (60, 62, 64, 65, 67, 69, 71, 72, 74, 76)  # the band plays in C major
WORDS = tuple(tuple(phonemes.split()) for *_, phonemes in MELODY)
LENGTHS = (0.5, 1.0, 1.0, 1.5, 2.5)  # of a syllable, in beats


def generated_songs(n_songs: int, seconds: float, seed: int) -> Iterator[tuple[Audio, Audio]]:
    """Voice and music of ``n_songs``, each float32 ``(2, sample)`` at 44.1 kHz; each ``seed`` has songs of its own."""
    for number in range(n_songs):
        random = np.random.default_rng((seed, number))
        beat_s = random.uniform(0.45, 0.75)
        # Made for one rate and played at another, a song changes its key and its singer's size together.
        made_for = round(SAMPLE_RATE * random.uniform(0.8, 1.2))
        n_samples = round(seconds * SAMPLE_RATE)
        song = perform(melody(n_samples / made_for, beat_s, random), n_samples, made_for, beat_s, random)
        yield song.voice, song.music


def melody(seconds: float, beat_s: float, random: Generator) -> list[Syllable]:
    """Phrases of a few syllables and pauses between them; the tune walks up and down the scale."""
    syllables: list[Syllable] = []
    octave = 12 * int(random.integers(-1, 1))
    place = int(random.integers(len(SCALE)))
    beat = float(random.choice((0.5, 1.0, 2.0)))
    while beat * beat_s < seconds:
        for _ in range(random.integers(3, 8)):
            length = float(random.choice(LENGTHS))
            place = int(np.clip(place + random.integers(-2, 3), 0, len(SCALE) - 1))
            word = WORDS[random.integers(len(WORDS))]
            syllables.append(Syllable(beat * beat_s, length * beat_s, SCALE[place] + octave, word))
            beat += length
        beat += float(random.choice((1.0, 2.0, 3.0)))
    return syllables
