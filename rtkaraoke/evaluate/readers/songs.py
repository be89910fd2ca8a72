"""What every reader hands out: songs whose voice and accompaniment are known, loaded one at a time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.errors import AudioFileError
from rtkaraoke.files import AudioReader

CHUNK = 1 << 16

Audio = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sources:
    """The two halves of a song, both float32 ``(channel, sample)`` of one shape, at ``sample_rate`` Hz.

    The mixture is their plain sum, in every data set: a mastered mix has no exact parts to compare with.
    """

    voice: Audio
    music: Audio
    sample_rate: int

    @property
    def mixture(self) -> Audio:
        """What a listener hears, and a network gets."""
        return self.voice + self.music


@dataclass(frozen=True, slots=True)
class Song:
    """One song of a data set. ``split`` is ``train``, ``valid``, ``test``, or empty where the set has none."""

    name: str
    split: str
    load: Callable[[], Sources]
    family: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set that lies on disk.

    Attributes
    ----------
    kind : str
        Which reader read it, such as ``musdb18``.
    songs : tuple of Song
        In the order of their names.
    bsseval : tuple of str
        Which versions of BSS-EVAL the literature quotes for it: ``v4``, ``v3``.
    notes : tuple of str
        Lines for the user: what was left out, and why.
    """

    kind: str
    songs: tuple[Song, ...]
    bsseval: tuple[str, ...] = ("v4",)
    notes: tuple[str, ...] = ()

    @property
    def default_split(self) -> str:
        """The songs that figures are quoted for: those that no network may learn from."""
        splits = {song.split for song in self.songs}
        return next((split for split in ("test", "valid") if split in splits), "all")


def read_file(path: Path) -> tuple[Audio, int]:
    """One audio file of any format as float32 ``(channel, sample)``, front pair only, and its rate in Hz.

    Raises
    ------
    AudioFileError
        When it cannot be read.
    """
    blocks: list[Audio] = []
    with AudioReader(path) as reader:
        n = CHUNK
        while n == CHUNK:
            block = np.empty((reader.info.n_channels, CHUNK), np.float32)
            n = reader.read(block)
            blocks.append(block[:2, :n])
        return np.concatenate(blocks, axis=1), reader.info.sample_rate


def read_sum(paths: Iterable[Path]) -> tuple[Audio, int]:
    """The sum of several files: mono ones go to both channels, all are cut to the shortest.

    Raises
    ------
    AudioFileError
        When one cannot be read, or their rates differ.
    """
    files = {path: read_file(path) for path in paths}
    rates = {rate for _, rate in files.values()}
    if len(rates) > 1:
        found = ", ".join(f"{path.name} {rate} Hz" for path, (_, rate) in files.items())
        raise AudioFileError(
            f"{next(iter(files)).parent}: stems of different rates ({found}), wanted one: "
            "resample them with `ffmpeg -i IN -ar 44100 OUT.wav`"
        )
    return add([audio for audio, _ in files.values()]), rates.pop()


def add(parts: Iterable[Audio]) -> Audio:
    """The sum of ``(channel, sample)`` arrays, mono ones in all channels, cut to the shortest."""
    parts = list(parts)
    n_samples = min(part.shape[1] for part in parts)
    total = np.zeros((max(len(part) for part in parts), n_samples), np.float32)
    for part in parts:
        total += part[:, :n_samples]
    return total


def sources(voice: Audio | None, music: Audio, sample_rate: int) -> Sources:
    """Voice and music of one shape: cut to the shorter, mono doubled beside stereo; None is a silent voice."""
    if voice is None:
        return Sources(np.zeros_like(music), music, sample_rate)
    shape = max(len(voice), len(music)), min(voice.shape[1], music.shape[1])
    return Sources(
        np.ascontiguousarray(np.broadcast_to(voice[:, : shape[1]], shape)),
        np.ascontiguousarray(np.broadcast_to(music[:, : shape[1]], shape)),
        sample_rate,
    )


def read_sources(voice: Iterable[Path], music: Iterable[Path]) -> Sources:
    """A song from the files of its voice (none: an instrumental) and those of its music.

    Raises
    ------
    AudioFileError
        When one cannot be read, or their rates differ.
    """
    voice, music = tuple(voice), tuple(music)
    music_sum, rate = read_sum(music)
    if not voice:
        return sources(None, music_sum, rate)
    voice_sum, voice_rate = read_sum(voice)
    if voice_rate != rate:
        raise AudioFileError(
            f"{voice[0]}: {voice_rate} Hz beside {music[0].name} of {rate} Hz, wanted one rate: "
            "resample one of them with `ffmpeg -i IN -ar 44100 OUT.wav`"
        )
    return sources(voice_sum, music_sum, rate)
