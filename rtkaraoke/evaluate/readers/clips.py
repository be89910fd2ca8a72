"""iKala and MIR-1K: mono karaoke clips with the music in the left channel and the voice in the right one.

::

    iKala/Wavfile/10161_chorus.wav, 10161_verse.wav, ...          252 clips of 30 s, 44.1 kHz
    MIR-1K/Wavfile/abjones_1_01.wav, ...                          1000 clips of 4 to 13 s, 16 kHz

Both are scored with BSS-EVAL v3 (GNSDR, GSIR, GSAR: means weighted by the clips' lengths). The classical protocol of
MIR-1K trains on the singers *abjones* and *amy* and tests on the others, mixed at equal energy (``balance_db`` 0).

Sources: T.-S. Chan et al., "Vocal activity informed singing voice separation with the iKala dataset", ICASSP 2015;
C.-L. Hsu and J.-S. R. Jang, "On the improvement of singing voice separation for monaural recordings using the MIR-1K
dataset", IEEE TASLP 18(2), 2010.
"""

import re
from functools import partial
from pathlib import Path

from rtkaraoke.errors import AudioFileError
from rtkaraoke.evaluate.readers.songs import Dataset, Song, Sources, read_file, sources

FOLDER = "Wavfile"
IKALA = re.compile(r"\d+_(verse|chorus)\.wav")
MIR1K = re.compile(r"([A-Za-z]+)_\d+_\d+\.wav")
MIR1K_TRAINING = ("abjones", "amy")


def is_ikala(root: Path) -> bool:
    """Whether there are clips named like those of iKala."""
    return any(IKALA.fullmatch(path.name) for path in (root / FOLDER).glob("*.wav"))


def is_mir1k(root: Path) -> bool:
    """Whether there are clips named like those of MIR-1K."""
    return any(MIR1K.fullmatch(path.name) for path in (root / FOLDER).glob("*.wav"))


def read_ikala(root: Path) -> Dataset:
    """All clips of iKala; it has no splits of its own."""
    paths = sorted(path for path in (root / FOLDER).glob("*.wav") if IKALA.fullmatch(path.name))
    return Dataset("ikala", tuple(Song(path.stem, "", partial(read_clip, path)) for path in paths), ("v3",))


def read_mir1k(root: Path) -> Dataset:
    """All clips of MIR-1K, in the splits of the classical protocol."""
    songs = []
    for path in sorted((root / FOLDER).glob("*.wav")):
        found = MIR1K.fullmatch(path.name)
        if found:
            split = "train" if found[1].lower() in MIR1K_TRAINING else "test"
            songs.append(Song(path.stem, split, partial(read_clip, path), found[1]))
    return Dataset("mir1k", tuple(songs), ("v3",))


def read_clip(path: Path) -> Sources:
    """One clip, both sources mono.

    Raises
    ------
    AudioFileError
        When it cannot be read, or is not stereo.
    """
    audio, rate = read_file(path)
    if len(audio) != 2:
        raise AudioFileError(
            f"{path}: {len(audio)} channel, wanted music in the left and voice in the right one: "
            "take the clips of the folder Wavfile as they are distributed"
        )
    return sources(audio[1:], audio[:1], rate)
