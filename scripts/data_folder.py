"""Data folders as the reader of `rtkaraoke.evaluate.data` wants them: sound files and a ``manifest.csv``."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np

from rtkaraoke.files.writer import AudioWriter
from rtkaraoke.train.pack import SAMPLE_RATE

COLUMNS = ("kind", "family", "id", "group", "split", "sample_rate", "channels", "seconds", "path", "licence")


def write_manifest(folder: Path, rows: Iterable[tuple[object, ...]]) -> None:
    """``rows`` have the order of :data:`COLUMNS`, and paths relative to ``folder``."""
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


class PairWriter:
    """Writes pairs below ``folder``, and at the end of a ``with`` block their manifest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[tuple[object, ...]] = []

    def write(self, family: str, name: str, licence: str, voice: np.ndarray, music: np.ndarray) -> None:
        """One pair of float32 ``(2, sample)`` at 44.1 kHz, within full scale, as Ogg Vorbis."""
        target = self.folder / family / f"{len(self.rows):03d}"
        target.mkdir(parents=True, exist_ok=True)
        for part, audio in (("vocals", voice), ("accompaniment", music)):
            with AudioWriter(target / f"{part}.ogg", SAMPLE_RATE, 2, overwrite=True) as file:
                file.write(audio)
        seconds, place = f"{voice.shape[1] / SAMPLE_RATE:.3f}", target.relative_to(self.folder).as_posix()
        self.rows.append(("pair", family, name, name, "train", SAMPLE_RATE, 2, seconds, place, licence))
        print(f"{family}: {name}, {seconds} s", flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            write_manifest(self.folder, self.rows)
