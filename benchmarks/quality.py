"""Separation quality on real music: the 14 validation songs of MUSDB18 and music without voice.

    python benchmarks/quality.py [--model live] [--instrumental-seconds 10]

Everything but the oracle masks streams through the engine. Needs the data folder (RTKARAOKE_DATA). Writes
``results/quality.json``.
"""

import argparse
from collections.abc import Sequence
from functools import partial

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
STRENGTHS = ((1.0, 0.0), (1.0, 0.5), (1.0, 1.0), (1.5, 1.0), (1.0, 2.0))
NO_DAMAGE_DB = -90.0  # where nothing is done, there is none
NOTE = (
    "Decibels, medians over songs, with 95 % bootstrap intervals. SDR: of the whole song. Removal: how much lower the "
    "true voice is afterwards, by least squares. Damage: what is neither voice nor music, against the music. Loss of "
    "instrumentals: what is taken from music without voice, against all of it."
)


Measured = tuple[list[SongScores], list[float]]


class Judge:
    """Scores separators on the same songs, and the network once per strength."""

    def __init__(self, network: MaskNetwork, instrumental_s: float) -> None:
        self.network = network
        self.instrumental_s = instrumental_s
        self.songs, self.instrumentals = validation_songs(), held_back_instrumentals()
        self._at: dict[tuple[float, float], Measured] = {}

    def measure(self, separate: Separator) -> Measured:
        """The scores of the songs, and what the instrumentals lose."""
        lost = score_instrumentals(separate, self.instrumentals, self.instrumental_s)
        return score_songs(separate, self.songs), lost

    def at_strength(self, strength: float, bias: float) -> Measured:
        """The same for the network; measured once."""
        if (strength, bias) not in self._at:
            parameters = {"strength": strength, "bias": bias}
            self._at[strength, bias] = self.measure(through_engine(self.network, parameters))
        return self._at[strength, bias]


def row(name: str, scores: Sequence[SongScores], lost: Sequence[float] = ()) -> list[Cell]:
    found = summarise(scores)
    cells: list[Cell] = [name]
    for figure in (found["voice_sdr"], found["music_sdr"]):
        cells += [figure.median, f"{figure.low:.1f} … {figure.high:.1f}"]
    loss = float(bootstrap_median(lost)[0]) if lost else None
    damage = found["damage"].median
    removal = round(found["removal"].median, 3) + 0.0  # no "-0.0"
    cells += [removal, damage if damage > NO_DAMAGE_DB else None, loss]
    print(cells, flush=True)
    return cells


def compare(judge: Judge) -> Table:
    """The network at its recommended strength, between doing nothing and knowing the answer."""
    info = judge.network.info
    rows = [
        row("do nothing", score_doing_nothing(judge.songs)),
        row("centre", *judge.measure(through_engine(load_model("centre")))),
        row(info.name, *judge.at_strength(info.strength, info.bias)),
    ]
    for kind in KINDS:
        knowing = partial(oracle_voice, geometry=info.geometry, kind=kind)
        rows.append(row(f"oracle, {kind}", score_songs(knowing, judge.songs)))
    return Table("default", "On 14 songs that no network was trained on", COLUMNS, rows, NOTE)


def sharpen(judge: Judge) -> Table:
    """The same network at several strengths."""
    info = judge.network.info
    rows = [
        row(f"strength {strength:g}, bias {bias:g}", *judge.at_strength(strength, bias)) for strength, bias in STRENGTHS
    ]
    note = f"The network itself recommends strength {info.strength:g} and bias {info.bias:g}."
    return Table("strength", "What the strength control trades", COLUMNS, rows, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--instrumental-seconds", type=float, default=10.0, help="of each held-back instrumental")
    parser.add_argument("--name", default="quality", help="results/NAME.json")
    options = parser.parse_args()
    network = load_model(options.model, "cpu")
    judge = Judge(network, options.instrumental_seconds)
    tables = [compare(judge), sharpen(judge)]
    path = save(
        options.name,
        tables,
        model=network.info.name,
        model_revision=network.info.revision,
        songs=len(judge.songs),
        instrumental_seconds=options.instrumental_seconds,
    )
    for table in tables:
        print(f"\n{table.title}\n\n{table.markdown()}")
    print(f"\nwrote {path.name}")


if __name__ == "__main__":
    main()
