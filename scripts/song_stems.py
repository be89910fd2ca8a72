"""The whole songs of the data folder as pairs for training, taken apart by the teacher of `train/teacher.py`.

    python scripts/song_stems.py TEACHER FOLDER

Their stems are not known. A network that learns from the same teacher does not need them, and their singers are others
than those of the pairs. Writes Ogg Vorbis and a ``manifest.csv``; a recipe takes them in by ``more_data = ["FOLDER"]``.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch

from rtkaraoke.evaluate.data import data_root, read_audio, stereo
from rtkaraoke.train.pack import SAMPLE_RATE, full_band
from rtkaraoke.train.teacher import Teacher

FAMILY = "songs"
BLOCK, MARGIN = 40 * SAMPLE_RATE, 2 * SAMPLE_RATE
COLUMNS = ("kind", "family", "id", "group", "split", "sample_rate", "channels", "seconds", "path", "licence")


def voice_of(teacher: Teacher, mixture: torch.Tensor) -> np.ndarray:
    """The voice in ``(2, sample)``, of the same shape, block by block."""
    blocks = []
    for start in range(0, mixture.shape[1], BLOCK):
        first = max(0, start - MARGIN)
        voice = teacher(mixture[None, :, first : start + BLOCK + MARGIN])[0]
        blocks.append(voice[:, start - first :][:, :BLOCK].numpy())
    return np.concatenate(blocks, axis=1)


def write(path: Path, audio: np.ndarray) -> None:
    """``(2, sample)`` as Ogg Vorbis; in blocks, as libsndfile overflows its stack with a whole song."""
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 2, format="OGG", subtype="VORBIS") as file:
        for start in range(0, audio.shape[1], SAMPLE_RATE):
            file.write(audio[:, start : start + SAMPLE_RATE].T)


def main() -> None:
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    teacher, folder = Teacher(Path(sys.argv[1]).expanduser()), Path(sys.argv[2]).expanduser()
    rows = []
    for number, path in enumerate(sorted((data_root() / "songs").glob("*/audio.ogg"))):
        rate = soundfile.info(path).samplerate
        mixture = full_band(stereo(read_audio(path)), rate)
        peak = max(1.0, float(np.abs(mixture).max()))  # what goes beyond full scale would be clipped
        mixture = mixture / np.float32(peak)
        voice = voice_of(teacher, torch.from_numpy(mixture))
        target = folder / FAMILY / f"{number:02d}"
        target.mkdir(parents=True, exist_ok=True)
        for name, signal in (("vocals", voice), ("accompaniment", mixture - voice)):
            write(target / f"{name}.ogg", signal)
        seconds = f"{mixture.shape[1] / SAMPLE_RATE:.3f}"
        name, licence = path.parent.name, "Creative Commons, see license.txt of the song"
        place = target.relative_to(folder).as_posix()
        rows.append(("pair", FAMILY, name, name, "train", SAMPLE_RATE, 2, seconds, place, licence))
        print(f"{name}: {seconds} s", flush=True)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
