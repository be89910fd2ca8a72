"""What every training run has, whatever it trains: its files, its optimiser, the machine that it runs on.

A run lives in a folder: ``last.pt`` and where there is a choice ``best.pt``, ``loss.csv`` and ``scores.csv``. Reading a
checkpoint is :mod:`rtkaraoke.train.checkpoint`'s.
"""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from rtkaraoke.errors import ConfigError
from rtkaraoke.train.muon import Muon

CHECKPOINT, BEST = "last.pt", "best.pt"
LOSSES, SCORES = "loss.csv", "scores.csv"
OPTIMISERS: dict[str, Any] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "muon": Muon,
    "sgd": torch.optim.SGD,
}


def make_optimiser(
    name: str, parameters: Iterable[nn.Parameter], learning_rate: float, **options: float
) -> torch.optim.Optimizer:
    """The optimiser of that name; ``options`` are its own, such as ``weight_decay`` or ``momentum``."""
    made: torch.optim.Optimizer = OPTIMISERS[name](parameters, lr=learning_rate, **options)
    return made


def make_fabric(accelerator: str, devices: int, precision: str, machines: int = 1) -> Fabric:
    """What starts the ``devices`` processes that a run has on each of ``machines``, and lets them work together.

    Raises
    ------
    ConfigError
        When this machine does not have what the recipe asks for.
    """
    try:
        return Fabric(
            accelerator=accelerator,
            devices=devices,
            num_nodes=machines,
            strategy="ddp" if devices * machines > 1 else "auto",
            precision=precision,  # type: ignore[arg-type]
        )
    except (ValueError, RuntimeError) as error:
        raise ConfigError(
            f"fit: accelerator {accelerator!r}, devices {devices}, precision {precision!r}: {error}"
        ) from error


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all."""
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    partial.replace(path)


def append_row(path: Path, row: Mapping[str, float | str]) -> None:
    """Add a line to a CSV file; its first line names the columns."""
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def keep_rows(path: Path, last: int) -> None:
    """Take from a CSV file the rows after step (or epoch) ``last``, which the run is about to write again.

    With none left, the file goes too.
    """
    if not path.exists():
        return
    header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [row for row in rows if int(row.partition(",")[0]) <= last]
    if not kept:
        path.unlink()
    elif len(kept) < len(rows):
        partial = path.with_suffix(".partial")
        partial.write_text("".join([header, *kept]), encoding="utf-8", newline="")
        partial.replace(path)
