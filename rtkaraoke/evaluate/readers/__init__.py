"""Data sets of songs whose voice and accompaniment are known, read from where they lie.

A reader is two functions: one that tells whether a folder is its data set, one that lists its songs. No audio is read
before :attr:`Song.load` is called.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rtkaraoke.errors import AudioFileError
from rtkaraoke.evaluate.readers.clips import is_ikala, is_mir1k, read_ikala, read_mir1k
from rtkaraoke.evaluate.readers.dsd100 import is_dsd100, read_dsd100
from rtkaraoke.evaluate.readers.folder import read_folder
from rtkaraoke.evaluate.readers.manifest import is_manifest, read_manifest_folder
from rtkaraoke.evaluate.readers.medleydb import is_medleydb, read_medleydb
from rtkaraoke.evaluate.readers.musdb18 import is_musdb18, is_musdb18_hq, read_musdb18, read_musdb18_hq
from rtkaraoke.evaluate.readers.songs import Audio, Dataset, Song, Sources

__all__ = ["READERS", "Audio", "Dataset", "Song", "Sources", "open_dataset"]


class Reader(NamedTuple):
    """How a data set is recognised and read."""

    recognises: Callable[[Path], bool]
    read: Callable[[Path], Dataset]


#: The first that recognises a folder reads it.
READERS = {
    "manifest": Reader(is_manifest, read_manifest_folder),
    "musdb18": Reader(is_musdb18, read_musdb18),
    "musdb18hq": Reader(is_musdb18_hq, read_musdb18_hq),
    "dsd100": Reader(is_dsd100, read_dsd100),
    "medleydb": Reader(is_medleydb, read_medleydb),
    "ikala": Reader(is_ikala, read_ikala),
    "mir1k": Reader(is_mir1k, read_mir1k),
    "folder": Reader(lambda _: True, read_folder),
}


def open_dataset(path: str | Path, kind: str = "auto") -> Dataset:
    """List the songs of the data set in the folder ``path``.

    Parameters
    ----------
    path : str or Path
    kind : str
        A key of :data:`READERS`, or ``auto`` to tell by the folder's layout.

    Raises
    ------
    AudioFileError
        When there is no such folder, no such kind, or no song.
    """
    root = Path(path)
    if not root.is_dir():
        raise AudioFileError(f"{root}: no such folder: name the folder of a data set")
    if kind == "auto":
        kind = next(name for name, reader in READERS.items() if reader.recognises(root))
    elif kind not in READERS:
        raise AudioFileError(f"data set {kind!r}: there are {', '.join(READERS)}, or auto to tell by the folder")
    dataset = READERS[kind].read(root)
    if not dataset.songs:
        wanted = "songs with files named vocals and accompaniment" if kind == "folder" else f"songs of {kind}"
        raise AudioFileError(
            f"{root}: holds no {wanted}{''.join('; ' + note for note in dataset.notes)}: "
            f"name the folder that holds the data set, or its kind: {', '.join(READERS)}"
        )
    return dataset
