"""Both papers, trained and measured here: MIR-1K by its classical protocol, voice and music equally loud.

    python benchmarks/papers.py [--runs FOLDER] [--clips N] [--only train|cost|curves|table] [--miniature]

Trains what has not been trained yet (recipes ``configs/train/deep-karaoke.toml`` and ``ibm-cnn.toml``, their variants,
and the default architecture on the same 175 clips), then takes the test clips apart and writes ``results/papers.json``
and the plots ``docs/papers-*.png``. Interrupted training goes on where it stopped. ``--miniature`` makes everything as
small as it can be and proves nothing but that it runs. Needs the data folder (RTKARAOKE_DATA).
"""

import argparse
import csv
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import papers_train
import torch
from common import FOLDER, Cell, Table, load, results_folder, save
from papers_cost import cost
from papers_plots import draw, draw_pre_training

from rtkaraoke.evaluate.baselines import Estimates, Method, do_nothing, oracle, through_engine
from rtkaraoke.evaluate.data import Item
from rtkaraoke.evaluate.mir1k import classical_clips, load_clip
from rtkaraoke.evaluate.nmf import PatchNmf
from rtkaraoke.evaluate.offline import OfflineSeparator, Rule, oracle_binary
from rtkaraoke.evaluate.patches import Matrix, alpha_masks, cut_patches, theta_masks
from rtkaraoke.evaluate.readers import Sources
from rtkaraoke.evaluate.report import Report, SongResult
from rtkaraoke.evaluate.run import score
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks.models import load_model
from rtkaraoke.train.patch_data import magnitudes, mix
from rtkaraoke.train.patch_fit import Trained, load_trained
from rtkaraoke.train.patch_use import Rows, export_patches, rows_of
from rtkaraoke.train.runs import CHECKPOINT, append_row

PARTS = ("train", "cost", "curves", "table")
KEYS = ("cost", "all", "curves", "pretraining")  # of the tables, in their order
TIMES = "times.csv"
CNN_PUBLISHED = "IBM CNN, as published"
PRE_TRAINED = {  # learning rate -> runs without and with, and what they are called
    "2e-3": {"ibm-cnn": CNN_PUBLISHED, "ibm-cnn-pretrained": "IBM CNN, pre-trained"},
    "5e-4": {"ibm-cnn-slow": "IBM CNN at 5e-4", "ibm-cnn-slow-pretrained": "IBM CNN at 5e-4, pre-trained"},
}
ALPHA, THETA = 0.5, 0.15
DEEP, CNN = StftGeometry(44_100, 2048, 512), StftGeometry(44_100, 8192, 512, window=2048)
FIGURES = {
    f"{part}_{name}": f"{part} G{name.upper()}" for part in ("voice", "music") for name in ("nsdr", "sir", "sar")
}


@dataclass(frozen=True)
class Sizes:
    """How much is done; of the test clips, ``table_clips`` and for curves ``sweep_clips``, evenly chosen."""

    table_clips: int = 34
    sweep_clips: int = 17
    alphas: tuple[float, ...] = tuple(round(0.01 + 0.1 * i, 2) for i in range(10))
    thetas: tuple[float, ...] = (0.0, 0.05, 0.15, 0.25, 0.35, 0.45)
    deep_look_ahead: tuple[int, ...] = (0, 1, 4, 19)
    cnn_look_ahead: tuple[int, ...] = (0, 1, 2, 4)
    bases: int = 50
    nmf_iterations: int = 60
    nmf_stride: int = 10  # frames between patches, of the published 1
    widths: tuple[int, ...] = (256, 512, 1024, 1536, 2048, 3072, 4096)


MINIATURE = Sizes(2, 2, (0.31, 0.51), (0.0, 0.35), (0, 1), (0, 1), 4, 5, 10, (16,))


@dataclass
class CachedRows:
    """A trained network that runs once per song, however many readings are made of it."""

    trained: Trained
    _magnitude: Matrix = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    _rows: Rows | None = None

    def separator(self, choose: Callable[[Rows], Matrix] = Rows.published) -> OfflineSeparator:
        """As :func:`rtkaraoke.train.patch_use.separator`."""

        def probability(magnitude: Matrix) -> Matrix:
            if self._rows is None or not np.array_equal(magnitude, self._magnitude):
                self._rows, self._magnitude = rows_of(self.trained, magnitude), magnitude
            return choose(self._rows)

        return OfflineSeparator(self.trained.config.stft_geometry, self.trained.network.n_bins, probability)

    def method(self, rule: Rule, look_ahead: int | None = None) -> Method:
        """As published, or with so many later frames."""
        choose = Rows.published if look_ahead is None else partial(Rows.at, look_ahead=look_ahead)
        return self.separator(choose).method(rule)


def evenly(clips: Sequence[Item], n: int) -> Sequence[Item]:
    """``n`` of the clips, or all where there are fewer, spread over all singers."""
    return [clips[int(i)] for i in np.linspace(0, len(clips), min(n, len(clips)), endpoint=False)]


@contextmanager
def timed(runs: Path, part: str) -> Iterator[None]:
    """Note the processor time of a part in ``runs / times.csv``, where later invocations add theirs."""
    before = sum(os.times()[:4])
    yield
    runs.mkdir(parents=True, exist_ok=True)
    append_row(runs / TIMES, {"part": part, "processor_seconds": sum(os.times()[:4]) - before})


def processor_minutes(runs: Path) -> float:
    """Of all parts together, training that was interrupted included."""
    with (runs / TIMES).open(newline="", encoding="utf-8") as file:
        return sum(float(row["processor_seconds"]) for row in csv.DictReader(file)) / 60


def by_alpha(alpha: float = ALPHA) -> Rule:
    return partial(alpha_masks, alpha=alpha)


def by_theta(theta: float = THETA) -> Rule:
    return partial(theta_masks, theta=theta)


class LastProbability:
    """NMF runs once per song, too."""

    def __init__(self, nmf: PatchNmf) -> None:
        self.nmf, self._magnitude, self._found = nmf, np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32)

    def __call__(self, magnitude: Matrix) -> Matrix:
        """As :meth:`PatchNmf.probability`."""
        if not np.array_equal(magnitude, self._magnitude):
            self._found, self._magnitude = self.nmf.probability(magnitude), magnitude
        return self._found


def trained(runs: Path, name: str) -> Trained:
    return load_trained(runs / name / CHECKPOINT)


def fit_nmf(deep: Trained, sizes: Sizes) -> OfflineSeparator:
    """Bases from the very patches that the first network learned from, a fifteenth as densely."""
    config, n_frames = deep.config, deep.network.n_frames
    voices, musics = [], []
    for item in papers_train.training_clips(config):
        voice, music, _ = magnitudes(mix(item, config.data), config.stft_geometry, config.network.n_bins)
        voices.append(cut_patches(voice, n_frames, 15 * config.data.stride))
        musics.append(cut_patches(music, n_frames, 15 * config.data.stride))
    nmf = PatchNmf(sizes.bases, n_frames, sizes.nmf_iterations, min(sizes.nmf_stride, n_frames))
    nmf.fit(np.concatenate(voices), np.concatenate(musics))
    return OfflineSeparator(config.stft_geometry, config.network.n_bins, LastProbability(nmf))


def measure(methods: dict[str, Method], clips: Sequence[Item], title: str) -> Report:
    """BSS-EVAL v3 of every method on every clip; says how far it is."""
    results, started = [], time.monotonic()
    for number, item in enumerate(clips):
        truth = load_clip(item, 0.0)
        seconds = truth.voice.shape[1] / truth.sample_rate
        for name, method in methods.items():
            results.append(SongResult(name, item.id, seconds, score(truth, audible(method(truth), truth), ("v3",))))
        left = (time.monotonic() - started) / (number + 1) * (len(clips) - number - 1)
        print(f"{title}: {number + 1} of {len(clips)} clips, {left / 60:.0f} min left", flush=True)
    return Report("MIR-1K", "mir1k", "test", tuple(methods), tuple(methods), tuple(results))


def audible(found: Estimates, truth: Sources) -> Estimates:
    """What is digital silence has no SDR: a trace of the mixture, 120 dB down, gives it its (low) one."""
    trace = np.float32(1e-6) * truth.mixture
    return Estimates(*(part if part.any() else trace for part in (found.voice, found.music)))


def figures(report: Report, method: str) -> list[Cell]:
    found = [report.figure(method, name) for name in FIGURES]
    return [None if figure is None else figure.value for figure in found]


def table(report: Report, key: str, title: str, first: str, names: Iterable[str], note: str = "") -> Table:
    columns = {first: "", **dict.fromkeys(FIGURES.values(), ".2f")}
    return Table(key, title, columns, [[name, *figures(report, name)] for name in names], note)


def main_methods(runs: Path, nmf: OfflineSeparator) -> dict[str, Method]:
    """The rows of the table that compares everything."""
    deep, cnn = CachedRows(trained(runs, "deep-karaoke")), CachedRows(trained(runs, "ibm-cnn"))
    methods: dict[str, Method] = {
        "do nothing": do_nothing,
        "NMF": nmf.method(by_alpha()),
        "Deep Karaoke, as published": deep.method(by_alpha()),
        "Deep Karaoke, causal": deep.method(by_alpha(), 0),
        "Deep Karaoke, in the engine": in_engine(runs, "deep-karaoke"),
        CNN_PUBLISHED: cnn.method(by_theta()),
        "IBM CNN, causal": cnn.method(by_theta(), 0),
        "IBM CNN, causal, trained for it": CachedRows(trained(runs, "ibm-cnn-last")).method(by_theta(), 0),
        "IBM CNN, streaming": CachedRows(trained(runs, "ibm-cnn-streaming")).method(by_theta(), 0),
        "IBM CNN, streaming, in the engine": in_engine(runs, "ibm-cnn-streaming"),
    }
    compared = {label: name for pair in PRE_TRAINED.values() for name, label in pair.items() if label not in methods}
    methods |= {label: CachedRows(trained(runs, name)).method(by_theta()) for label, name in compared.items()}
    default = papers_train.default_model(runs)
    if default.is_file():
        methods["live architecture, in the engine"] = through_engine(load_model(default, "cpu"))
    return methods | {
        "oracle, binary, 2048/512": oracle_binary(DEEP),
        "oracle, binary, 2048 in 8192/512": oracle_binary(CNN),
        "oracle, binary, live": oracle("binary", StftGeometry(44_100, 2048, 256)),
    }


def in_engine(runs: Path, name: str) -> Method:
    target = runs / f"{name}.onnx"
    export_patches(runs / name / CHECKPOINT, target)
    return through_engine(load_model(target, "cpu"))


def sweep_methods(runs: Path, nmf: OfflineSeparator, sizes: Sizes) -> dict[str, Method]:
    """The points of all curves."""
    deep, cnn = CachedRows(trained(runs, "deep-karaoke")), CachedRows(trained(runs, "ibm-cnn"))
    return {
        **{f"Deep Karaoke, alpha {alpha:g}": deep.method(by_alpha(alpha)) for alpha in sizes.alphas},
        **{f"NMF, alpha {alpha:g}": nmf.method(by_alpha(alpha)) for alpha in sizes.alphas},
        **{f"IBM CNN, theta {theta:g}": cnn.method(by_theta(theta)) for theta in sizes.thetas},
        **{f"Deep Karaoke, look-ahead {k}": deep.method(by_alpha(), k) for k in sizes.deep_look_ahead},
        **{f"IBM CNN, look-ahead {k}": cnn.method(by_theta(), k) for k in sizes.cnn_look_ahead},
    }


def pre_training(report: Report) -> Table:
    """By how much, clip by clip, pre-training is better."""
    rows: list[list[Cell]] = []
    for rate, pair in PRE_TRAINED.items():
        without, pretrained = pair.values()
        for name, heading in FIGURES.items():
            found = report.compare(pretrained, without, name)
            if found is not None:
                interval = f"{found.difference.low:+.2f} … {found.difference.high:+.2f}"
                better = f"{found.n_better} of {found.difference.n_songs}"
                rows.append([rate, heading, found.difference.value, interval, better])
    columns = {"learning rate": "", "figure": "", "difference": "+.2f", "95 %": "", "better on": ""}
    note = "With minus without, the same seed and as many epochs in all."
    return Table("pretraining", "What pre-training as an autoencoder changes", columns, rows, note)


def pre_training_runs(runs: Path) -> dict[str, Path]:
    """Where the runs lie that are compared, by learning rate and whether pre-trained."""
    labels = ("", ", pre-trained")
    return {
        rate + label: runs / name
        for rate, pair in PRE_TRAINED.items()
        for name, label in zip(pair, labels, strict=True)
    }


def evaluate(runs: Path, part: str, sizes: Sizes, plots: Path) -> list[Table]:
    """The tables of ``part``, ``curves`` or ``table``, of what was trained; the plots go to the folder ``plots``."""
    nmf = fit_nmf(trained(runs, "deep-karaoke"), sizes)
    clips = evenly(classical_clips("test"), sizes.table_clips if part == "table" else sizes.sweep_clips)
    if part == "table":
        found = measure(main_methods(runs, nmf), clips, part)
        draw_pre_training(pre_training_runs(runs), plots)
        title = f"MIR-1K, 0 dB, {len(clips)} clips"
        return [table(found, "all", title, "method", found.methods), pre_training(found)]
    found = measure(sweep_methods(runs, nmf, sizes), clips, part)
    draw(found, plots)
    title = f"The same, {len(clips)} clips, one setting changed"
    return [table(found, "curves", title, "setting", found.methods)]


def merge(path: Path, tables: Iterable[Table]) -> list[Table]:
    """``tables`` and those others that an earlier invocation has left in ``path``."""
    found = {kept.key: kept for kept in load(path)[1]} if path.exists() else {}
    found |= {table.key: table for table in tables}
    return [found[key] for key in KEYS if key in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("~/rtkaraoke-runs/papers"), help="where training lies")
    parser.add_argument("--clips", type=int, help="test clips of the table, of 275")
    parser.add_argument("--only", choices=PARTS, help="a part; all when left out")
    parser.add_argument("--miniature", action="store_true", help="no default architecture, and all else tiny")
    parser.add_argument("--results", type=Path, default=results_folder())
    parser.add_argument("--plots", type=Path, default=FOLDER.parent / "docs")
    parser.add_argument("--name", default="papers", help="results/NAME.json")
    options = parser.parse_args()
    runs, sizes = options.runs.expanduser(), MINIATURE if options.miniature else Sizes()
    if options.clips:
        sizes = replace(sizes, table_clips=options.clips)
    torch.set_num_threads(1)
    for part in PARTS if options.only is None else (options.only,):
        tables: list[Table] = []
        with timed(runs, part):
            if part == "train":
                papers_train.train_all(runs, options.miniature)
            elif part == "cost":
                tables = [cost(sizes.widths, n_steps=20 if options.miniature else 500, small=options.miniature)]
            else:
                tables = evaluate(runs, part, sizes, options.plots)
        if tables:
            minutes = round(processor_minutes(runs))
            kept = merge(options.results / f"{options.name}.json", tables)
            path = save(options.name, kept, results=options.results, processor_minutes_in_all=minutes)
            print(f"wrote {path.name}: {minutes} minutes of processor time in all", flush=True)


if __name__ == "__main__":
    main()
