"""A folder of songs, each a folder of its own with its parts as audio files. MUSDB18-HQ looks like this as well.

::

    ROOT/[train|valid|test/]SONG/vocals.wav + accompaniment.wav
    ROOT/[train|valid|test/]SONG/vocals.wav + bass.wav + drums.wav + ...      the others are summed
    ROOT/[train|valid|test/]SONG/accompaniment.wav                            an instrumental

Any audio format will do. ``mixture`` and ``mix`` are left aside: the mixture is the sum of the parts.
"""

import os
from functools import partial
from pathlib import Path

from rtkaraoke.evaluate.readers.songs import Dataset, Song, read_sources
from rtkaraoke.rendering import INPUT_SUFFIXES

VOICE = ("vocals", "voice")
MUSIC = ("accompaniment", "instrumental")
MIXTURE = ("mixture", "mix")
SPLITS = ("train", "valid", "test")


def read_folder(root: Path, kind: str = "folder") -> Dataset:
    """All songs under ``root``, named by their folders; folders without a voice or an accompaniment are passed by."""
    songs: list[Song] = []
    notes: list[str] = []
    for folder, folders, names in os.walk(root):
        folders.sort()
        here = Path(folder)
        parts = {(here / name).stem.lower(): here / name for name in sorted(names) if _is_audio(name)}
        voice = [parts[name] for name in VOICE if name in parts][:1]
        music = [parts[name] for name in MUSIC if name in parts][:1]
        if not voice and not music:
            continue
        music = music or [path for name, path in parts.items() if name not in (*VOICE, *MIXTURE)]
        name = here.relative_to(root).as_posix() if here != root else here.resolve().name
        if not music:
            notes.append(f"{name} is left out: a voice, but neither accompaniment nor stems beside it")
            continue
        top, _, rest = name.partition("/")
        split = top.lower() if rest and top.lower() in SPLITS else ""
        songs.append(Song(rest if split else name, split, partial(read_sources, voice, music)))
    return Dataset(kind, tuple(songs), notes=tuple(notes))


def _is_audio(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in INPUT_SUFFIXES
