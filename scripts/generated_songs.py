"""Songs that the package sings and plays itself, as pairs for training: voices that nobody owns.

    python scripts/generated_songs.py FOLDER

Writes 80 songs of 16 s as Ogg Vorbis and a ``manifest.csv``; a recipe takes them in by ``more_data = ["FOLDER"]``.
"""

import sys
from pathlib import Path

from data_folder import PairWriter

from rtkaraoke.train.generated import generated_songs

N_SONGS, SECONDS = 80, 16.0
SEED = 2  # not those of the smoke test


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    with PairWriter(Path(sys.argv[1]).expanduser()) as pairs:
        for number, (voice, music) in enumerate(generated_songs(N_SONGS, SECONDS, SEED)):
            pairs.write("generated", f"song {number}", "BSD-3-Clause, as the package", voice, music)


if __name__ == "__main__":
    main()
