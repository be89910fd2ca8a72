"""The project's own data folder: a ``manifest.csv`` and what it lists (:mod:`rtkaraoke.evaluate.data`).

Pairs are songs, music without voice are instrumentals. What holds a voice alone is for training only.
"""

from functools import partial
from pathlib import Path

from rtkaraoke.evaluate.data import Item, read_audio, read_manifest, read_pair, stereo
from rtkaraoke.evaluate.readers.songs import Dataset, Song, Sources, sources


def is_manifest(root: Path) -> bool:
    """Whether there is a manifest."""
    return (root / "manifest.csv").is_file()


def read_manifest_folder(root: Path) -> Dataset:
    """All pairs and instrumentals; the family of a song is that of its row."""
    items = [item for item in read_manifest(root) if item.kind in ("pair", "music")]
    songs = (Song(f"{item.family}/{item.id}", item.split, partial(_load, item), item.family) for item in items)
    return Dataset("manifest", tuple(songs))


def _load(item: Item) -> Sources:
    if item.kind == "music":
        return sources(None, stereo(read_audio(item.path)), item.sample_rate)
    return Sources(*read_pair(item), item.sample_rate)
