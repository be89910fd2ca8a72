"""Decode the training data once into one flat int16 array, so that a crop is one read from memory.

Ogg decodes at about a hundred times real time, and a training run reads each second many times. A *clip* is a
stretch of that array with a role, ``voice`` or ``music``; equal offsets in the clips of a pair are the same moment.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from rtkaraoke.errors import ConfigError
from rtkaraoke.evaluate.data import Audio, Item, read_audio, read_manifest, read_pair, stereo
from rtkaraoke.train.generated import generated_songs

SAMPLE_RATE = 44_100
HELD_BACK = ("valyriatear",)
INT16_SCALE = 32_000.0  # a little headroom for what a resampler adds
CLIPS, SAMPLES = "clips.json", "samples.int16"
MANIFEST, GENERATED = "manifest", "generated"  # where recordings come from
N_GENERATED, GENERATED_S = 16, 8.0


@dataclass(frozen=True, slots=True)
class Clip:
    """``n_samples`` stereo samples from ``start`` on; ``pair`` joins the two clips of a pair, -1 for singles."""

    kind: str
    family: str
    group: str
    role: str
    start: int
    n_samples: int
    pair: int


class Recording(NamedTuple):
    """What becomes clips: ``parts`` are ``(role, audio)``, and those of a ``pair`` belong together."""

    kind: str
    family: str
    group: str
    parts: list[tuple[str, Audio]]


@dataclass(frozen=True, slots=True)
class Packed:
    """``samples`` is int16 ``(sample, 2)``, memory-mapped: what is written to it stays in memory."""

    samples: NDArray[np.int16]
    clips: list[Clip]


def replicate_band(audio: Audio, edge_hz: float = 7600.0, sample_rate: int = SAMPLE_RATE) -> Audio:
    """Fill the empty band above ``edge_hz`` with weaker copies of the octave below it.

    A network that meets narrow voices over full-band music learns that high frequencies are music and leaves
    the sibilants. The copies follow the true envelope, which is what matters; they need not sound right.
    """
    shift = edge_hz / 2
    source = sosfilt(butter(4, [shift, edge_hz], "bandpass", fs=sample_rate, output="sos"), audio)
    high = butter(6, edge_hz, "highpass", fs=sample_rate, output="sos")
    n = np.arange(audio.shape[1])
    out = audio.copy()
    for copy, gain in ((1, 0.8), (2, 0.35)):
        carrier = np.cos(2 * np.pi * copy * shift / sample_rate * n)
        out += (gain * sosfilt(high, source * carrier)).astype(np.float32)
    return out


def full_band(audio: Audio, sample_rate: int) -> Audio:
    """``audio`` at 44.1 kHz, its empty top filled when it came at less than 32 kHz."""
    if sample_rate == SAMPLE_RATE:
        return audio
    audio = soxr.resample(audio.T, sample_rate, SAMPLE_RATE).T.astype(np.float32)
    return replicate_band(audio) if sample_rate < 32_000 else audio


def parts_of(item: Item) -> list[tuple[str, Audio]]:
    """The clips of an item as ``(role, audio)``."""
    if item.kind == "pair":
        voice, music = read_pair(item)
        return [("voice", full_band(voice, item.sample_rate)), ("music", full_band(music, item.sample_rate))]
    role = "music" if item.kind == "music" else "voice"
    return [(role, full_band(stereo(read_audio(item.path)), item.sample_rate))]


def recordings(folder: Path | None = None) -> Iterator[Recording]:
    """All training items of a folder with a manifest; of the data folder without one."""
    for item in read_manifest(folder):
        if item.split == "train" and item.family not in HELD_BACK:
            yield Recording(item.kind, item.family, item.group, parts_of(item))


def generated_recordings() -> Iterator[Recording]:
    """Songs of the package's own, all of the family ``generated``."""
    for number, (voice, music) in enumerate(generated_songs(N_GENERATED, GENERATED_S, seed=0)):
        yield Recording("pair", GENERATED, f"song {number}", [("voice", voice), ("music", music)])


SOURCES: dict[str, Callable[[], Iterator[Recording]]] = {MANIFEST: recordings, GENERATED: generated_recordings}


def pack(folder: Path, source: Iterable[Recording]) -> None:
    """Write ``samples.int16`` and ``clips.json`` of all recordings into ``folder``; whole, or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    clips: list[Clip] = []
    start = 0
    partial = folder / "samples.partial"
    with partial.open("wb") as file:
        for number, recording in enumerate(source):
            for role, audio in recording.parts:
                data = np.clip(audio.T * INT16_SCALE, -32768, 32767).astype(np.int16)
                data.tofile(file)
                pair = number if recording.kind == "pair" else -1
                clips.append(Clip(recording.kind, recording.family, recording.group, role, start, len(data), pair))
                start += len(data)
    partial.replace(folder / SAMPLES)
    listing = folder / "clips.partial"
    listing.write_text(json.dumps([asdict(clip) for clip in clips]))
    listing.replace(folder / CLIPS)


def ensure_packed(folder: Path, data: str, more_data: Sequence[Path] = ()) -> None:
    """Pack the source named ``data``, then the folders of ``more_data``, into ``folder``, unless something is there.

    Raises
    ------
    AudioFileError
        When there is nothing to pack.
    """
    if not (folder / CLIPS).is_file():
        pack(folder, chain(SOURCES[data](), *map(recordings, more_data)))


def load_packed(folder: Path) -> Packed:
    """Open what :func:`pack` wrote.

    Raises
    ------
    ConfigError
        When the folder does not hold it, or not all of it.
    """
    try:
        clips = [Clip(**fields) for fields in json.loads((folder / CLIPS).read_text())]
        samples = np.memmap(folder / SAMPLES, np.int16, "c").reshape(-1, 2)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{folder}: no cache of training data ({error}): delete it, and it is made again") from error
    wanted = max((clip.start + clip.n_samples for clip in clips), default=0)
    if len(samples) < wanted:
        raise ConfigError(
            f"{folder}: {SAMPLES} holds {len(samples)} of {wanted} samples: delete the folder, and it is made again"
        )
    return Packed(samples, clips)
