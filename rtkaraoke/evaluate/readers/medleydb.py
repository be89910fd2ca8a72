"""MedleyDB: multitracks whose stems are described in a YAML file, 44.1 kHz.

::

    MedleyDB/Audio/ARTIST_TITLE/ARTIST_TITLE_STEMS/ARTIST_TITLE_STEM_01.wav ...
    MedleyDB/Audio/ARTIST_TITLE/ARTIST_TITLE_METADATA.yaml          version 1
    MedleyDB/Metadata/ARTIST_TITLE_METADATA.yaml                    version 2, where it is a repository of its own

A stem is voice when its ``instrument`` is. Songs without one are instrumentals, and good for what is lost of music
without voice. Songs whose stems bleed into each other have no true parts, and are left out. Source: R. Bittner et al.,
"MedleyDB: a multitrack dataset for annotation-intensive MIR research", ISMIR 2014.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rtkaraoke.errors import AudioFileError
from rtkaraoke.evaluate.extras import require
from rtkaraoke.evaluate.readers.songs import Dataset, Song, read_sources

SUFFIX = "_METADATA.yaml"
VOICES = frozenset(  # the taxonomy's "voices", but for the crowd, which is no singer
    (
        *("male singer", "female singer", "male speaker", "female speaker", "male rapper", "female rapper"),
        *("male screamer", "female screamer", "beatboxing", "vocalists", "choir"),
    )
)


def is_medleydb(root: Path) -> bool:
    """Whether there are songs with their metadata under ``Audio``, or metadata beside it."""
    return any(_metadata_files(root))


def read_medleydb(root: Path) -> Dataset:
    """All songs whose stems are there and clean.

    Raises
    ------
    AudioFileError
        When a metadata file is not what it should be.
    RtkaraokeError
        When PyYAML is not installed.
    """
    songs: dict[str, Song] = {}
    bleeding: list[str] = []
    for path in sorted(_metadata_files(root), key=lambda path: path.name):
        name = path.name.removesuffix(SUFFIX)
        folder = root / "Audio" / name
        if not folder.is_dir():  # the repository of metadata describes songs of both versions
            continue
        metadata = _read_yaml(path)
        try:
            if metadata["has_bleed"] in ("yes", True):
                bleeding.append(name)
                continue
            stems = folder / metadata["stem_dir"]
            voice = [stems / stem["filename"] for stem in metadata["stems"].values() if _is_voice(stem)]
            music = [stems / stem["filename"] for stem in metadata["stems"].values() if not _is_voice(stem)]
        except (KeyError, TypeError, AttributeError) as error:
            raise AudioFileError(
                f"{path}: no metadata of MedleyDB ({error!r}), wanted has_bleed, stem_dir and stems: "
                "copy or download it again"
            ) from error
        if music:
            songs[name] = Song(name, "", partial(read_sources, voice, music))
    notes = (f"{len(bleeding)} songs are left out, because their stems bleed: {', '.join(bleeding)}",)
    return Dataset("medleydb", tuple(songs.values()), notes=notes if bleeding else ())


def _metadata_files(root: Path) -> list[Path]:
    return [*root.glob(f"Audio/*/*{SUFFIX}"), *root.glob(f"Metadata/*{SUFFIX}")]


def _is_voice(stem: Mapping[str, Any]) -> bool:
    found = stem["instrument"]
    return not VOICES.isdisjoint(found if isinstance(found, list) else [found])


def _read_yaml(path: Path) -> Any:
    yaml = require("yaml", "MedleyDB's metadata")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise AudioFileError(f"{path}: cannot be read ({error}): copy or download it again") from error
