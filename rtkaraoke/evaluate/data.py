"""The data folder: its manifest, and the pairs of voice and accompaniment in it.

The folder lies outside the repository, because its licences forbid to pass it on. It is looked for under the
environment variable ``RTKARAOKE_DATA`` and then beside the repository as ``../shared/data``.
"""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from rtkaraoke.errors import AudioFileError

DATA_VARIABLE = "RTKARAOKE_DATA"
BESIDE_REPOSITORY = Path(__file__).resolve().parents[2].parent / "shared" / "data"

Audio = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the manifest; ``path`` is absolute: a folder for pairs, a file for everything else."""

    kind: str
    family: str
    id: str
    group: str
    split: str
    sample_rate: int
    seconds: float
    path: Path
    licence: str


def data_root() -> Path:
    """The data folder.

    Raises
    ------
    AudioFileError
        When it is in neither place.
    """
    named = os.environ.get(DATA_VARIABLE)
    root = Path(named) if named else BESIDE_REPOSITORY
    if not (root / "manifest.csv").is_file():
        raise AudioFileError(f"no data folder with a manifest.csv at {root}: set {DATA_VARIABLE} to where it lies")
    return root


def read_manifest(root: Path | None = None) -> list[Item]:
    """All items of a folder with a manifest, in its order; of the data folder when none is named.

    Raises
    ------
    AudioFileError
        When there is no manifest.
    """
    root = root or data_root()
    if not (root / "manifest.csv").is_file():
        raise AudioFileError(
            f"{root}: no manifest.csv in it: name a folder that has one, with a row for every recording"
        )
    with (root / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return [
            Item(
                kind=row["kind"],
                family=row["family"],
                id=row["id"],
                group=row["group"],
                split=row["split"],
                sample_rate=int(row["sample_rate"]),
                seconds=float(row["seconds"]),
                path=root / row["path"],
                licence=row["licence"],
            )
            for row in csv.DictReader(file)
        ]


def select(items: list[Item], *, kind: str, split: str, family: str | None = None) -> list[Item]:
    """The items of one kind and split, of one family or of all."""
    return [i for i in items if i.kind == kind and i.split == split and family in (None, i.family)]


def read_audio(path: Path) -> Audio:
    """One file as float32 ``(channel, sample)``, at its own rate, full scale +-1.

    Raises
    ------
    AudioFileError
        When it cannot be read.
    """
    try:
        audio, _ = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioFileError(f"{path} cannot be read: {error}") from error
    return np.ascontiguousarray(audio.T)


def read_pair(item: Item) -> tuple[Audio, Audio]:
    """Voice and accompaniment of a pair, both float32 ``(2, sample)``, cut to the shorter; mono is doubled."""
    voice, music = (read_audio(item.path / name) for name in ("vocals.ogg", "accompaniment.ogg"))
    n_samples = min(voice.shape[1], music.shape[1])
    return stereo(voice[:, :n_samples]), stereo(music[:, :n_samples])


def stereo(audio: Audio) -> Audio:
    """The first two channels, or the only one twice."""
    return np.ascontiguousarray(np.broadcast_to(audio, (2, audio.shape[1])) if len(audio) == 1 else audio[:2])


def resample(audio: Audio, rate: int, to_rate: int) -> Audio:
    """``(channel, sample)`` from one rate to another, in Hz; untouched where they are the same."""
    if rate == to_rate:
        return audio
    return np.ascontiguousarray(soxr.resample(audio.T, rate, to_rate, quality="VHQ").T)


def louder_by(voice: Audio, music: Audio, balance_db: float) -> Audio:
    """``voice``, scaled to be ``balance_db`` louder than ``music`` by energy; untouched where one of them is silent."""
    if not (voice.any() and music.any()):
        return voice
    energy = [float(np.square(part, dtype=np.float64).sum()) for part in (voice, music)]
    return voice * np.float32(np.sqrt(energy[1] / energy[0] * 10 ** (balance_db / 10)))


def within_full_scale(voice: Audio, music: Audio) -> tuple[Audio, Audio]:
    """Both scaled down alike, as far as it takes for neither them nor their sum to meet a limiter."""
    peak = np.float32(max(1.0, *(float(np.abs(part).max(initial=0.0)) for part in (voice, music, voice + music))))
    return voice / peak, music / peak
