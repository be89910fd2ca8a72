"""Whole songs as pairs for training, taken apart by the teacher of `train/teacher.py`.

    python scripts/song_stems.py TEACHER FOLDER [SONGS]

SONGS is a folder of music with voices, by default the songs of the data folder. Their stems are not known. A network
that learns from the same teacher does not need them, and their singers are others than those of the pairs. Writes Ogg
Vorbis and a ``manifest.csv``; a recipe takes them in by ``more_data = ["FOLDER"]``. A song under CC BY or CC
BY-SA is of the family ``songs-free``, the others of ``songs``.
"""

import re
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch
from data_folder import PairWriter

from rtkaraoke.evaluate.data import data_root, read_audio, stereo
from rtkaraoke.train.pack import SAMPLE_RATE, full_band
from rtkaraoke.train.teacher import Teacher

BLOCK, MARGIN = 40 * SAMPLE_RATE, 2 * SAMPLE_RATE
ENDINGS = {".flac", ".mp3", ".ogg", ".opus", ".wav"}
FREE = re.compile(r"by(-sa)?/\d")


def voice_of(teacher: Teacher, mixture: torch.Tensor) -> np.ndarray:
    """The voice in ``(2, sample)``, of the same shape, block by block."""
    blocks = []
    for start in range(0, mixture.shape[1], BLOCK):
        first = max(0, start - MARGIN)
        voice = teacher(mixture[None, :, first : start + BLOCK + MARGIN])[0]
        blocks.append(voice[:, start - first :][:, :BLOCK].numpy())
    return np.concatenate(blocks, axis=1)


def licence_of(song: Path) -> str:
    """Of the sound, which the ``license.txt`` beside it names first."""
    text = song.with_name("license.txt")
    found = re.search(r"creativecommons\.org/licenses/([a-z-]+/[\d.]+)", text.read_text() if text.is_file() else "")
    return f"CC {found[1]}" if found else "unknown"


def main() -> None:
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    teacher = Teacher(Path(sys.argv[1]).expanduser())
    songs = Path(sys.argv[3]).expanduser() if len(sys.argv) == 4 else data_root() / "songs"
    with PairWriter(Path(sys.argv[2]).expanduser()) as pairs:
        for path in sorted(path for path in songs.rglob("*") if path.suffix.lower() in ENDINGS):
            mixture = full_band(stereo(read_audio(path)), soundfile.info(path).samplerate)
            mixture = mixture / np.float32(max(1.0, np.abs(mixture).max()))  # what is beyond full scale would be cut
            voice = voice_of(teacher, torch.from_numpy(mixture))
            licence = licence_of(path)
            family = "songs-free" if FREE.search(licence) else "songs"
            name = path.parent.name if path.stem == "audio" else path.stem
            pairs.write(family, name, licence, voice, mixture - voice)


if __name__ == "__main__":
    main()
