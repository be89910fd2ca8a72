"""Separation quality on real music: the 14 validation songs of MUSDB18 and music without voice.

    python benchmarks/quality.py [--model live] [--instrumental-seconds 20]

Everything but the oracle masks streams through the engine. Needs the data folder (RTKARAOKE_DATA). Writes
``results/quality.json``.
"""

import argparse
from collections.abc import Sequence

from common import Cell, Table, save

from rtkaraoke.evaluate.metrics import SongScores, bootstrap_median
from rtkaraoke.evaluate.oracle import KINDS, oracle_voice
from rtkaraoke.evaluate.songs import (
    Separator,
    held_back_instrumentals,
    score_doing_nothing,
    score_instrumentals,
    score_songs,
    summarise,
    through_engine,
    validation_songs,
)
from rtkaraoke.masks.models import DEFAULT_MODEL, load_model
from rtkaraoke.masks.protocol import MaskNetwork

COLUMNS = {
    "mask": "",
    "voice SDR": ".1f",
    "95 %": "",
    "music SDR": ".1f",
    "95 % ": "",
    "removal": ".1f",
    "damage": ".1f",
    "loss of instrumentals": ".1f",
}
STRENGTHS = ((1.0, 0.0), (1.0, 0.5), (1.5, 0.0), (1.5, 0.5), (1.5, 1.0), (2.0, 0.0), (2.0, 1.0))
NOTE = (
    "Decibels, medians over songs, with 95 % bootstrap intervals. SDR: of the whole song. Removal: how much lower the "
    "true voice is afterwards, by least squares. Damage: what is neither voice nor music, against the music. Loss of "
    "instrumentals: what is taken from music without voice, against all of it."
)


def row(name: str, scores: Sequence[SongScores], lost: Sequence[float] | None) -> list[Cell]:
    found = summarise(scores)
    cells: list[Cell] = [name]
    for figure in (found["voice_sdr"], found["music_sdr"]):
        cells += [figure.median, f"{figure.low:.1f} … {figure.high:.1f}"]
    loss = float(bootstrap_median(lost)[0]) if lost else None
    damage = found["damage"].median
    return [*cells, found["removal"].median, damage if damage > -90 else None, loss]


def compare(network: MaskNetwork, instrumental_s: float) -> Table:
    """The network at its recommended strength, between doing nothing and knowing the answer."""
    songs, instrumentals = validation_songs(), held_back_instrumentals()
    rows = [row("do nothing", score_doing_nothing(songs), None)]
    for name, chosen in (("centre", load_model("centre")), (network.info.name, network)):
        separate = through_engine(chosen)
        rows.append(
            row(name, score_songs(separate, songs), score_instrumentals(separate, instrumentals, instrumental_s))
        )
        print(rows[-1], flush=True)
    geometry = network.info.geometry
    for kind in KINDS:

        def separate_knowing(voice, music, kind=kind):  # type: ignore[no-untyped-def]
            return oracle_voice(voice, music, geometry, kind)

        rows.append(row(f"oracle, {kind}", score_songs(separate_knowing, songs), None))
    return Table("default", "On 14 songs that no network was trained on", COLUMNS, rows, NOTE)


def sharpen(network: MaskNetwork, instrumental_s: float) -> Table:
    """The same network at several strengths."""
    songs, instrumentals = validation_songs(), held_back_instrumentals()
    rows = []
    for strength, bias in STRENGTHS:
        separate: Separator = through_engine(network, {"strength": strength, "bias": bias})
        name = f"strength {strength:g}, bias {bias:g}"
        rows.append(
            row(name, score_songs(separate, songs), score_instrumentals(separate, instrumentals, instrumental_s))
        )
        print(rows[-1], flush=True)
    info = network.info
    note = f"The network itself recommends strength {info.strength:g} and bias {info.bias:g}."
    return Table("strength", "What the strength control trades", COLUMNS, rows, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--instrumental-seconds", type=float, default=20.0, help="of each held-back instrumental")
    parser.add_argument("--name", default="quality", help="results/NAME.json")
    options = parser.parse_args()
    network = load_model(options.model, "cpu")
    tables = [compare(network, options.instrumental_seconds), sharpen(network, options.instrumental_seconds)]
    path = save(
        options.name,
        tables,
        model=network.info.name,
        model_revision=network.info.revision,
        songs=len(validation_songs()),
        instrumental_seconds=options.instrumental_seconds,
    )
    for table in tables:
        print(f"\n{table.title}\n\n{table.markdown()}")
    print(f"\nwrote {path.name}")


if __name__ == "__main__":
    main()
