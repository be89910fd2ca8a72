"""DSD100: 100 songs, 50 to train (``Dev``) and 50 to test, 44.1 kHz stereo.

::

    DSD100/Mixtures/{Dev,Test}/NNN - ARTIST - TITLE/mixture.wav
    DSD100/Sources/{Dev,Test}/NNN - ARTIST - TITLE/{bass,drums,other,vocals}.wav

Source: A. Liutkus et al., "The 2016 Signal Separation Evaluation Campaign", LVA/ICA 2017.
"""

from functools import partial
from pathlib import Path

from rtkaraoke.evaluate.readers.songs import Dataset, Song, read_sources

SPLITS = {"Dev": "train", "Test": "test"}
MUSIC = ("bass", "drums", "other")


def is_dsd100(root: Path) -> bool:
    """Whether there are sources in ``Dev`` or ``Test``."""
    return any((root / "Sources" / folder).is_dir() for folder in SPLITS)


def read_dsd100(root: Path) -> Dataset:
    """All songs that have sources; the mixtures are not needed."""
    songs = [
        Song(
            path.name,
            split,
            partial(read_sources, [path / "vocals.wav"], [path / f"{name}.wav" for name in MUSIC]),
        )
        for folder, split in SPLITS.items()
        for path in sorted((root / "Sources" / folder).glob("*/"))
    ]
    return Dataset("dsd100", tuple(songs))
