"""A data folder of pairs, as the reader of `rtkaraoke.evaluate.data` wants it: Ogg Vorbis and a ``manifest.csv``."""

import csv
from pathlib import Path
from typing import Self

import numpy as np
import soundfile

SAMPLE_RATE = 44_100
COLUMNS = ("kind", "family", "id", "group", "split", "sample_rate", "channels", "seconds", "path", "licence")


class PairWriter:
    """Writes pairs below ``folder``, and at the end of a ``with`` block their manifest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[tuple[object, ...]] = []

    def write(self, family: str, name: str, licence: str, voice: np.ndarray, music: np.ndarray) -> None:
        """One pair of float32 ``(2, sample)`` at 44.1 kHz, within full scale."""
        target = self.folder / family / f"{len(self.rows):03d}"
        target.mkdir(parents=True, exist_ok=True)
        write_audio(target / "vocals.ogg", voice)
        write_audio(target / "accompaniment.ogg", music)
        seconds, place = f"{voice.shape[1] / SAMPLE_RATE:.3f}", target.relative_to(self.folder).as_posix()
        self.rows.append(("pair", family, name, name, "train", SAMPLE_RATE, 2, seconds, place, licence))
        print(f"{family}: {name}, {seconds} s", flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            with (self.folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([COLUMNS, *self.rows])


def write_audio(path: Path, audio: np.ndarray) -> None:
    """``(2, sample)`` as Ogg Vorbis; in blocks, as libsndfile overflows its stack with a whole song."""
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 2, format="OGG", subtype="VORBIS") as file:
        for start in range(0, audio.shape[1], SAMPLE_RATE):
            file.write(audio[:, start : start + SAMPLE_RATE].T)
