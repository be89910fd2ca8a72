"""MUSDB18 and MUSDB18-HQ: 150 songs, 100 to train and 50 to test, 44.1 kHz stereo.

::

    musdb18/{train,test}/ARTIST - TITLE.stem.mp4                                        AAC, five sound tracks
    musdb18hq/{train,test}/ARTIST - TITLE/{mixture,vocals,bass,drums,other}.wav

The validation list is that of the ``musdb`` package. Source: Z. Rafii, A. Liutkus, F.-R. Stöter, S. I. Mimilakis,
R. Bittner, "The MUSDB18 corpus for music separation", 2017, doi 10.5281/zenodo.1117372.
"""

from collections import defaultdict
from dataclasses import replace
from functools import partial
from pathlib import Path

import av
import numpy as np

from rtkaraoke.errors import AudioFileError
from rtkaraoke.evaluate.readers.folder import read_folder
from rtkaraoke.evaluate.readers.songs import Audio, Dataset, Song, Sources, add, sources

SUFFIX = ".stem.mp4"
STREAMS = ("mixture", "drums", "bass", "other", "vocals")  #: the sound tracks of a file, in this order
VALIDATION = frozenset(
    (
        *("ANiMAL - Rockshow", "Actions - One Minute Smile", "Alexander Ross - Goodbye Bolero"),
        *("Clara Berry And Wooldog - Waltz For My Victims", "Fergessen - Nos Palpitants", "James May - On The Line"),
        *("Johnny Lokke - Promises & Lies", "Leaf - Summerghost", "Meaxic - Take A Step"),
        *("Patrick Talbot - A Reason To Leave", "Skelpolu - Human Mistakes", "Traffic Experiment - Sirens"),
        *("Triviul - Angelsaint", "Young Griffo - Pennies"),
    )
)


def is_musdb18(root: Path) -> bool:
    """Whether there are files of stems in ``train`` or ``test``."""
    return any(any((root / split).glob("*" + SUFFIX)) for split in ("train", "test"))


def is_musdb18_hq(root: Path) -> bool:
    """Whether there are songs with the four stems and the mixture in ``train`` or ``test``."""
    names = ("mixture.wav", "vocals.wav", "bass.wav", "drums.wav", "other.wav")
    first = (next((root / split).glob("*/vocals.wav"), None) for split in ("train", "test"))
    return any(path is not None and all((path.parent / name).is_file() for name in names) for path in first)


def read_musdb18(root: Path) -> Dataset:
    """The songs of MUSDB18 as it is distributed, in files of stems."""
    songs = []
    for folder in ("train", "test"):
        for path in sorted((root / folder).glob("*" + SUFFIX)):
            name = path.name.removesuffix(SUFFIX)
            songs.append(Song(name, _split(name, folder), partial(read_stems, path)))
    return Dataset("musdb18", tuple(songs))


def read_musdb18_hq(root: Path) -> Dataset:
    """The songs of MUSDB18-HQ, the same in WAV files."""
    dataset = read_folder(root, "musdb18hq")
    return replace(dataset, songs=tuple(replace(song, split=_split(song.name, song.split)) for song in dataset.songs))


def read_stems(path: Path) -> Sources:
    """One file of stems: its last sound track is the voice, the others but the first are the music.

    Raises
    ------
    AudioFileError
        When it cannot be read, or holds other sound tracks.
    """
    try:
        parts, rate = _decode(path)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise AudioFileError(
            f"{path}: cannot be read as a file of stems ({error}): copy or download it again"
        ) from error
    return sources(parts[-1], add(parts[:-1]), rate)


def _decode(path: Path) -> tuple[list[Audio], int]:
    """All sound tracks but the first, float32 ``(channel, sample)``, and their rate."""
    with av.open(f"file:{path}") as container:
        streams = list(container.streams.audio)
        if len(streams) != len(STREAMS):
            raise ValueError(f"{len(streams)} sound tracks, wanted {len(STREAMS)}: {', '.join(STREAMS)}")
        blocks: defaultdict[int, list[Audio]] = defaultdict(list)
        for packet in container.demux(streams[1:]):
            for frame in packet.decode():
                if not isinstance(frame, av.AudioFrame) or frame.format.name != "fltp":
                    raise ValueError("a sound track that is not AAC")
                blocks[packet.stream.index].append(np.asarray(frame.to_ndarray(), np.float32))
        if len(blocks) != len(streams) - 1:
            raise ValueError("an empty sound track")
        return [np.concatenate(blocks[stream.index], axis=1) for stream in streams[1:]], streams[0].rate


def _split(name: str, folder: str) -> str:
    return "valid" if folder == "train" and name in VALIDATION else folder
