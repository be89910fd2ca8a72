"""MIR-1K by the classical protocol: train on two amateur singers, test on the others, voice and music equally loud.

Source: C.-L. Hsu, J.-S. R. Jang, "On the improvement of singing voice separation for monaural recordings using the
MIR-1K dataset", IEEE TASLP 18(2), 2010. The data folder holds 450 of the 1000 clips: all 175 of the training singers,
and every third of the others.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rtkaraoke.errors import AudioFileError
from rtkaraoke.evaluate.data import Item, louder_by, read_audio, read_manifest, within_full_scale
from rtkaraoke.evaluate.readers import Sources
from rtkaraoke.evaluate.readers.clips import MIR1K_TRAINING

FAMILY = "mir1k"


def classical_clips(split: str, root: Path | None = None) -> list[Item]:
    """The clips of the protocol's ``split``, ``train`` or ``test``, in the manifest's order.

    Raises
    ------
    AudioFileError
        When there is no data folder, or it holds none of them.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split {split!r}: there are train and test")
    items = [item for item in read_manifest(root) if item.family == FAMILY]
    found = [item for item in items if (item.group.lower() in MIR1K_TRAINING) == (split == "train")]
    if not found:
        raise AudioFileError(f"the data folder holds no clips of MIR-1K for {split}: see its manifest.csv")
    return found


def of_singers(singers: Sequence[str], root: Path | None = None) -> list[Item]:
    """All clips of these singers.

    Raises
    ------
    AudioFileError
        When there is no data folder, or it holds none of them.
    """
    items = [item for item in read_manifest(root) if item.family == FAMILY and item.group in singers]
    if not items:
        raise AudioFileError(f"the data folder holds no clips of {', '.join(singers)}: see the manifest's column group")
    return items


def load_clip(item: Item, balance_db: float | None = 0.0) -> Sources:
    """Both parts, mono, the voice scaled to be ``balance_db`` louder than its music by energy; None leaves it.

    Where parts or their sum would exceed full scale, all are scaled down alike.

    Raises
    ------
    AudioFileError
        When a file cannot be read.
    """
    voice, music = (read_audio(item.path / name)[:1] for name in ("vocals.ogg", "accompaniment.ogg"))
    n_samples = min(voice.shape[1], music.shape[1])
    voice, music = voice[:, :n_samples], music[:, :n_samples]
    if balance_db is not None:
        voice = louder_by(voice, music, balance_db)
    voice, music = within_full_scale(voice, music)
    return Sources(np.ascontiguousarray(voice), np.ascontiguousarray(music), item.sample_rate)
