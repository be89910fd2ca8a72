"""What :mod:`papers` trains: both papers' recipes, their variants, and the default architecture on the same clips.

A variant is its recipe with a few values changed. They lie in the runs' folder, where their training goes on.
"""

import csv
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from common import FOLDER

from rtkaraoke.evaluate.data import DATA_VARIABLE, Item, data_root
from rtkaraoke.evaluate.mir1k import of_singers
from rtkaraoke.evaluate.readers.clips import MIR1K_TRAINING
from rtkaraoke.train.export import export
from rtkaraoke.train.patch_config import PatchTrainConfig
from rtkaraoke.train.patch_fit import train_patches
from rtkaraoke.train.runs import CHECKPOINT

RECIPES = FOLDER.parent / "configs" / "train"
Changes = dict[str, dict[str, Any]]

#: name -> recipe it comes from, and what is changed in it, table by table
VARIANTS: dict[str, tuple[str, Changes]] = {
    "deep-karaoke": ("deep-karaoke", {}),
    "ibm-cnn": ("ibm-cnn", {}),
    "ibm-cnn-pretrained": ("ibm-cnn", {"fit": {"pretrain_epochs": 1}}),
    "ibm-cnn-slow": ("ibm-cnn", {"fit": {"learning_rate": 5e-4}}),
    "ibm-cnn-slow-pretrained": ("ibm-cnn", {"fit": {"learning_rate": 5e-4, "pretrain_epochs": 1}}),
    "ibm-cnn-last": ("ibm-cnn", {"fit": {"rows": "last"}}),
    "ibm-cnn-streaming": ("ibm-cnn", {"network": {"kind": "ibm-cnn-streaming"}}),
}
SMALL: dict[str, Changes] = {
    "deep-karaoke": {
        "geometry": {"n_fft": 1024, "hop": 256},
        "network": {"n_bins": 100, "n_frames": 4, "hidden": 16},
        "fit": {"epochs": 1},
    },
    "ibm-cnn": {
        "geometry": {"n_fft": 1024, "hop": 256, "window": 512},
        "network": {"n_bins": 150, "n_frames": 5, "channels": [2, 2, 3, 2], "dense": [8, 8]},
        "data": {"valid_every": 4},
        "fit": {"epochs": 2},
    },
}
DEFAULT_FIT = {
    "steps": 190,
    "warm_up": 10,
    "cool_down": 80,
    "ema": 0.99,
    "validate_every": 190,
    "devices": 1,
    "threads": 1,
}
DEFAULT_MIX = {
    "true_pair": 0.5,
    "voice_db": 0.0,
    **{part: {"mir1k": 1.0} for part in ("pairs", "voices", "musics")},
}


def train_all(runs: Path, miniature: bool) -> None:
    """Train every variant to its end, but in a miniature the default architecture; what is trained takes no time."""
    for name, (origin, changes) in VARIANTS.items():
        all_changes = [SMALL[origin] if miniature else {}, changes]
        print(f"training {name}", flush=True)
        train_patches(write_recipe(runs, name, origin, all_changes))
    if not miniature:
        train_default(runs)


def train_default(runs: Path) -> None:
    """The default architecture on the clips of the protocol's two singers, then its ONNX file."""
    data = narrowed_data(runs / "data")
    changes: Changes = {
        "card": {"name": "live-mir1k", "training_data": "MIR-1K, singers abjones and amy"},
        "mix": DEFAULT_MIX,
        "fit": DEFAULT_FIT,
    }
    recipe = write_recipe(runs, "live-mir1k", "live", [changes], cache=str(runs / "cache"))
    # A process of its own: one that trains on two processors starts its own program once more.
    command = [sys.executable, "-m", "rtkaraoke", "train", str(recipe)]
    subprocess.run(command, env=os.environ | {DATA_VARIABLE: str(data)}, check=True)
    export(runs / "live-mir1k" / CHECKPOINT, default_model(runs))


def default_model(runs: Path) -> Path:
    """Where the default architecture's file lies once it is trained."""
    return runs / "live-mir1k.onnx"


def narrowed_data(folder: Path) -> Path:
    """A data folder whose only training clips are the protocol's; two songs to validate on, which choose nothing."""
    source = data_root()
    folder.mkdir(parents=True, exist_ok=True)
    with (source / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    protocols = [row for row in rows if row["family"] == "mir1k" and row["group"].lower() in MIR1K_TRAINING]
    held_out = [row for row in rows if row["family"] != "mir1k" and row["split"] == "valid"]
    songs, instrumentals = ([row for row in held_out if row["kind"] == kind] for kind in ("pair", "music"))
    songs = [row for row in songs if row["family"] == "musdb7s"]
    rows = [row | {"split": "train"} for row in protocols] + songs[:1] + instrumentals[:1]
    for row in rows:
        row["path"] = str((source / row["path"]).resolve())
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def training_clips(config: PatchTrainConfig) -> list[Item]:
    """The clips of a run, those held back included."""
    return of_singers(config.data.singers)[: config.data.n_clips or None]


def write_recipe(runs: Path, name: str, origin: str, changes: list[Changes], **top: str) -> Path:
    """The recipe ``origin`` with ``changes``, its run in ``runs / name``; its path."""
    values = tomllib.loads((RECIPES / f"{origin}.toml").read_text(encoding="utf-8"))
    values |= {"run": str(runs / name), **top}
    for change in changes:
        for key, entries in change.items():
            values[key] = values.get(key, {}) | entries
    runs.mkdir(parents=True, exist_ok=True)
    path = runs / f"{name}.toml"
    path.write_text(to_toml(values), encoding="utf-8")
    return path


def to_toml(values: dict[str, Any], prefix: str = "") -> str:
    """TOML of nested tables whose values are numbers, strings, truth values and lists of them."""
    tables = {key: value for key, value in values.items() if isinstance(value, dict)}
    lines = [f"{key} = {_literal(value)}" for key, value in values.items() if key not in tables]
    parts = ["\n".join(lines)] if lines else []
    parts += [f"[{prefix}{key}]\n{to_toml(value, f'{prefix}{key}.')}" for key, value in tables.items()]
    return "\n\n".join(parts) + "\n"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list):
        return "[" + ", ".join(_literal(entry) for entry in value) + "]"
    return repr(value)
