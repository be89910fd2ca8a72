"""Training runs so small that each takes seconds: a recipe, a cache of noise, and a process that may kill itself.

``python -m tests.support.training RECIPE [--kill-at STEP] [--weights PREFIX]`` trains as `rtkaraoke train` does.
"""

import argparse
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rtkaraoke.train import fit, validate
from rtkaraoke.train.pack import Recording, pack

RATE = 44_100
RECIPE = """
run = "{folder}/{run}"
cache = "{folder}/cache"
data = "generated"
[card]
name = "tiny"
licence = "CC0-1.0"
training_data = "noise"
non_commercial = false
[network]
channels = [4, 4, 6, 6, 8]
back = [1, 0, 2, 1, 1]
hidden = 12
memory_s = [0.1]
[mix]
segment_s = 0.3
batch = {batch}
[mix.pairs]
noise = 1
[mix.voices]
noise = 1
[mix.musics]
noise = 1
[fit]
steps = {steps}
optimiser = "{optimiser}"
learning_rate = 1e-2
warm_up = 2
cool_down = 1
checkpoint_every = 2
validate_every = 3
devices = {devices}
machines = {machines}
threads = 1
workers = {workers}
accelerator = "cpu"
precision = "32-true"
"""


def tiny_recipe(folder: Path, run: str = "run", **options: Any) -> Path:
    """A recipe for a run in ``folder / run``; packs a cache of noise beside it when there is none."""
    if not (folder / "cache").exists():
        random = np.random.default_rng(7)
        voice, music = (0.1 * random.standard_normal((2, 2 * RATE)).astype(np.float32) for _ in range(2))
        pack(folder / "cache", [Recording("pair", "noise", "one", [("voice", voice), ("music", music)])])
    values = {"steps": 8, "batch": 2, "devices": 1, "machines": 1, "workers": 0, "optimiser": "muon"} | options
    path = folder / f"{run}.toml"
    path.write_text(RECIPE.format(folder=folder, run=run, **values))
    return path


def shorten_validation() -> None:
    """One held-out song of two seconds."""
    validate.N_HELD_OUT, validate.GENERATED_S = 1, 2.0


def _die_after(step: int) -> None:
    """Let the process be killed as soon as ``step`` is in the list of losses."""
    write = fit.append_row

    def append_row(path: Path, row: dict[str, float]) -> None:
        write(path, row)
        if path.name == fit.LOSSES and row["step"] == step:
            os.kill(os.getpid(), signal.SIGKILL)

    fit.append_row = append_row


def _forbid_writing() -> None:
    def forbidden(*_: Any) -> None:
        raise AssertionError("only the first process may write")

    fit.append_row = fit.keep_rows = fit.report = fit.Training._save = forbidden  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("recipe")
    parser.add_argument("--kill-at", type=int)
    parser.add_argument("--weights", help="where each process leaves its own: PREFIX and its rank")
    options = parser.parse_args()
    shorten_validation()
    if options.kill_at:
        _die_after(options.kill_at)
    if {os.environ.get(name, "0") for name in ("LOCAL_RANK", "NODE_RANK")} != {"0"}:
        _forbid_writing()
    training = fit.Training(options.recipe)
    training.run()
    if options.weights:
        torch.save(training.plain.state_dict(), f"{options.weights}{training.fabric.global_rank}")


if __name__ == "__main__":
    main()
