"""The curves of :mod:`papers` as pictures: alpha and theta, look-ahead, pre-training."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from rtkaraoke.evaluate.report import Report
from rtkaraoke.train.runs import LOSSES

HOP_MS = 1e3 * 512 / 44_100
MEASURES = {"nsdr": "SDR gain", "sir": "SIR", "sar": "SAR"}
PARTS = ("voice", "music")
HIGHEST_DB = 25  # shown; what hardly differs from the mixture has a SAR far above


def points(report: Report, network: str, setting: str, figure: str) -> tuple[list[float], list[float]]:
    """Where ``network`` has been measured at values of ``setting``, and what it scored, in dB."""
    xs, ys = [], []
    for method in report.methods:
        found = re.fullmatch(rf"{network}, {setting} ([\d.]+)", method)
        value = report.figure(method, figure)
        if found and value is not None:
            xs.append(float(found[1]))
            ys.append(value.value)
    return xs, ys


def draw(report: Report, folder: Path) -> None:
    """Write ``papers-alpha.png``, ``papers-theta.png`` and ``papers-look-ahead.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    _curves(report, folder / "papers-alpha.png", "alpha", ("Deep Karaoke", "NMF"))
    _curves(report, folder / "papers-theta.png", "theta", ("IBM CNN",))
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for axis, part in zip(axes, PARTS, strict=True):
        for network in ("Deep Karaoke", "IBM CNN"):
            xs, ys = points(report, network, "look-ahead", f"{part}_nsdr")
            axis.plot([HOP_MS * k for k in xs], ys, "o-", label=network)
        axis.set(title=part, xlabel="look-ahead in ms", ylabel="GNSDR in dB")
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(folder / "papers-look-ahead.png", dpi=110)
    plt.close(figure)


def draw_pre_training(runs: Mapping[str, Path], folder: Path) -> None:
    """Write ``papers-pre-training.png``: the loss on the clips held back by epoch, of the runs by their labels."""
    folder.mkdir(parents=True, exist_ok=True)
    figure, axis = plt.subplots(figsize=(5, 3.2), layout="constrained")
    for label, run in runs.items():
        with (run / LOSSES).open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if float(row["phase"])]
        epochs, losses = [int(row["epoch"]) for row in rows], [float(row["valid"]) for row in rows]
        axis.plot(epochs, losses, "o--" if "pre-trained" in label else "o-", label=label)
    axis.set(xlabel="epoch, pre-training included", ylabel="cross entropy, clips held back", xlim=(0, None))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)
    figure.savefig(folder / "papers-pre-training.png", dpi=110)
    plt.close(figure)


def _curves(report: Report, path: Path, setting: str, networks: tuple[str, ...]) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, part in zip(axes, PARTS, strict=True):
        for network, style in zip(networks, ("o-", "s--"), strict=False):
            for number, (name, label) in enumerate(MEASURES.items()):
                xs, ys = points(report, network, setting, f"{part}_{name}")
                axis.plot(xs, ys, style, color=f"C{number}", label=f"{network}, {label}", markersize=4)
        axis.set(title=part, xlabel=setting, ylabel="dB", ylim=(None, HIGHEST_DB))
        axis.grid(alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    figure.savefig(path, dpi=110)
    plt.close(figure)
