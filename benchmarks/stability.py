"""One minute of music looped for ten: the state stays bounded, the tenth pass scores as the second.

    python benchmarks/stability.py [DATASET] [--model live ...] [--passes 10] [--quick]

The minute is made of the validation songs, one after the other, and streams through one engine without a break. Without
a DATASET it needs the data folder (RTKARAOKE_DATA). Writes ``results/stability.json``, and fails when an SDR changes by
more than 0.1 dB.
"""

import argparse
from pathlib import Path

from common import Cell, Table, parse, save

from rtkaraoke.evaluate.data import data_root
from rtkaraoke.evaluate.readers import open_dataset
from rtkaraoke.evaluate.stability import loop, minute
from rtkaraoke.masks.models import DEFAULT_MODEL, load_model

LIMIT_DB = 0.1
NOTE = (
    "Change: the largest of the two SDRs' from the second pass to the last. Drift: the energy of what the pass before "
    "the last found differently from the second, against that of the voice found; the last one ends in silence."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", type=Path)
    parser.add_argument("--family", default="musdb7s", help="of the project's own data")
    parser.add_argument("--model", nargs="+", default=[DEFAULT_MODEL])
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of a pass")
    options = parse(parser, passes=3, seconds=5.0)
    dataset = open_dataset(options.dataset or data_root())
    songs = [
        song
        for song in dataset.songs
        if dataset.default_split in ("all", song.split) and song.family in ("", options.family)
    ]
    music = minute(songs, options.seconds)
    rows: list[list[Cell]] = []
    worst = 0.0
    for name in options.model:
        found = loop(load_model(name, "cpu"), music, options.passes)
        second, last = found.scores[1], found.scores[-1]
        cells = (second.voice_sdr, last.voice_sdr, second.music_sdr, last.music_sdr, found.change_db)
        rows.append([Path(name).stem, *cells, found.drift_db[-2]])
        worst = max(worst, found.change_db)
    columns = {
        "network": "",
        "voice SDR, pass 2": ".3f",
        f"pass {options.passes}": ".3f",
        "music SDR, pass 2": ".3f",
        f"pass {options.passes} ": ".3f",
        "change dB": ".4f",
        "drift dB": ".0f",
    }
    table = Table("stability", f"{options.seconds:g} s of music, {options.passes} times over", columns, rows, NOTE)
    print(f"{table.title}\n\n{table.markdown()}\n\n{table.note}")
    print(
        f"wrote {save('stability', [table], dataset=dataset.kind, passes=options.passes, seconds=options.seconds).name}"
    )
    if worst > LIMIT_DB:
        raise SystemExit(f"an SDR changed by {worst:.2f} dB, at most {LIMIT_DB} dB is wanted")


if __name__ == "__main__":
    main()
