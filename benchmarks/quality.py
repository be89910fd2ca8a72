"""Separation quality on real music: the 14 validation songs of MUSDB18 and music without voice.

    python benchmarks/quality.py [--model live playback ...] [--songs 14]
        [--instrumental-seconds 10] [--quick]

The shipped networks, or those named; the first is what the others are compared with. Everything but the oracle masks
streams through the engine. Needs the data folder (RTKARAOKE_DATA). Writes ``results/quality.json``.
"""

import argparse
from collections.abc import Mapping, Sequence
from functools import partial

from common import Cell, Table, parse, save

from rtkaraoke.evaluate.metrics import SongScores, bootstrap_median
from rtkaraoke.evaluate.oracle import KINDS, oracle_voice
from rtkaraoke.evaluate.songs import (
    SAMPLE_RATE,
    Figure,
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
from rtkaraoke.masks.onnx import shipped_models
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
    """Scores separators on the same songs, and each network once per strength and rate."""

    def __init__(self, instrumental_s: float, n_songs: int | None = None) -> None:
        self.instrumental_s = instrumental_s
        self.songs, self.instrumentals = validation_songs()[:n_songs], held_back_instrumentals()[:n_songs]
        self._done: dict[tuple[str, float, float, int], Measured] = {}

    def measure(self, separate: Separator) -> Measured:
        """The scores of the songs, and what the instrumentals lose."""
        lost = score_instrumentals(separate, self.instrumentals, self.instrumental_s)
        return score_songs(separate, self.songs), lost

    def at_strength(self, network: MaskNetwork, strength: float, bias: float, rate: int = SAMPLE_RATE) -> Measured:
        """The same for a network; measured once."""
        key = (network.info.name, strength, bias, rate)
        if key not in self._done:
            parameters = {"strength": strength, "bias": bias}
            separate = through_engine(network, parameters, rate)
            # What another rate takes from instrumentals is shown nowhere.
            self._done[key] = self.measure(separate) if rate == SAMPLE_RATE else (score_songs(separate, self.songs), [])
        return self._done[key]

    def as_recommended(self, network: MaskNetwork, rate: int = SAMPLE_RATE) -> Measured:
        """At the strength and bias that the network itself recommends."""
        return self.at_strength(network, network.info.strength, network.info.bias, rate)


def sides(found: Mapping[str, Figure]) -> list[Cell]:
    """SDR of voice and of music, each with its interval."""
    figures = (found["voice_sdr"], found["music_sdr"])
    return [cell for figure in figures for cell in (figure.median, f"{figure.low:.1f} … {figure.high:.1f}")]


def row(name: str, scores: Sequence[SongScores], lost: Sequence[float] = ()) -> list[Cell]:
    found = summarise(scores)
    cells: list[Cell] = [name, *sides(found)]
    loss = float(bootstrap_median(lost)[0]) if lost else None
    damage = found["damage"].median
    removal = round(found["removal"].median, 3) + 0.0  # no "-0.0"
    cells += [removal, damage if damage > NO_DAMAGE_DB else None, loss]
    print(cells, flush=True)
    return cells


def compare(judge: Judge, networks: Sequence[MaskNetwork]) -> Table:
    """The networks at their recommended strengths, between doing nothing and knowing the answer."""
    rows = [
        row("do nothing", score_doing_nothing(judge.songs)),
        row("centre", *judge.measure(through_engine(load_model("centre")))),
    ]
    rows += [row(network.info.name, *judge.as_recommended(network)) for network in networks]
    for kind in KINDS:
        knowing = partial(oracle_voice, geometry=networks[0].info.geometry, kind=kind)
        rows.append(row(f"oracle, {kind}", score_songs(knowing, judge.songs)))
    return Table("default", f"On {len(judge.songs)} songs that no network was trained on", COLUMNS, rows, NOTE)


def pair_up(judge: Judge, networks: Sequence[MaskNetwork]) -> Table:
    """Song by song: the other networks, and every network at 48 kHz, against the first."""
    first = networks[0]
    pairs = [(f"{n.info.name} against {first.info.name}", n, SAMPLE_RATE, first) for n in networks[1:]]
    pairs += [(f"{n.info.name} at 48 kHz against itself at 44.1 kHz", n, 48_000, n) for n in networks]
    rows: list[list[Cell]] = []
    for name, network, rate, other in pairs:
        (scores, _), (others, _) = judge.as_recommended(network, rate), judge.as_recommended(other)
        cells: list[Cell] = [name]
        for figure in ("voice_sdr", "music_sdr"):
            gains = [getattr(a, figure) - getattr(b, figure) for a, b in zip(scores, others, strict=True)]
            median, low, high = bootstrap_median(gains)
            cells += [median, f"{low:+.2f} … {high:+.2f}", sum(gain > 0 for gain in gains)]
        rows.append(cells)
        print(cells, flush=True)
    columns = {"": "", "voice SDR": "+.2f", "95 %": "", "songs better": "d"}
    columns |= {"music SDR": "+.2f", "95 % ": "", "songs better ": "d"}
    note = "Medians of the differences song by song, in dB, with 95 % bootstrap intervals."
    return Table("paired", "Against each other", columns, rows, note)


def sharpen(judge: Judge, network: MaskNetwork) -> Table:
    """The same network at several strengths."""
    info = network.info
    rows = [
        row(f"strength {strength:g}, bias {bias:g}", *judge.at_strength(network, strength, bias))
        for strength, bias in STRENGTHS
    ]
    note = f"The network {info.name}, which itself recommends strength {info.strength:g} and bias {info.bias:g}."
    return Table("strength", "What the strength control trades", COLUMNS, rows, note)


def shipped_by_default_first() -> list[str]:
    """The default network, then the others by name."""
    return sorted(shipped_models(), key=lambda name: (name != DEFAULT_MODEL, name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=shipped_by_default_first())
    parser.add_argument("--instrumental-seconds", type=float, default=10.0, help="of each held-back instrumental")
    parser.add_argument("--songs", type=int, help="with voice and without, at most; all when left out")
    parser.add_argument("--name", default="quality", help="results/NAME.json")
    options = parse(parser, model=[DEFAULT_MODEL], songs=1, instrumental_seconds=1.0)
    networks = [load_model(name, "cpu") for name in options.model]
    judge = Judge(options.instrumental_seconds, options.songs)
    tables = [compare(judge, networks), pair_up(judge, networks), sharpen(judge, networks[0])]
    path = save(
        options.name,
        tables,
        revisions={network.info.name: network.info.revision for network in networks},
        songs=len(judge.songs),
        instrumental_seconds=options.instrumental_seconds,
    )
    for table in tables:
        print(f"\n{table.title}\n\n{table.markdown()}")
    print(f"\nwrote {path.name}")


if __name__ == "__main__":
    main()
