"""``rtkaraoke train`` and ``rtkaraoke export``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rtkaraoke.errors import ConfigError
from rtkaraoke.train.checkpoint import read_checkpoint
from rtkaraoke.train.config import read_recipe
from rtkaraoke.train.export import export as export_network
from rtkaraoke.train.fit import train as train_network
from rtkaraoke.train.patch_config import is_patch_recipe
from rtkaraoke.train.patch_fit import train_patches
from rtkaraoke.train.patch_use import export_patches

TRAIN_NOTES = """\
the recipe names two folders:
  run     last.pt, best.pt (by the mean of voice and music SDR), loss.csv, scores.csv
  cache   the training data, decoded once, from the data folder (RTKARAOKE_DATA); with data = "generated" from
          songs that the package makes itself

configs/train/smoke.toml needs no data and takes a minute. [fit] devices = 2 trains in two processes, or on two GPUs.
[fit] machines = 2 trains on two machines, with the same recipe and data on both. On each, NODE_RANK counts from 0:
  MASTER_ADDR=ADDRESS_OF_THE_FIRST MASTER_PORT=29500 NODE_RANK=0 rtkaraoke train RECIPE
Only the first writes checkpoints and curves.
Every checkpoint can be exported: rtkaraoke export RUN/best.pt NAME.onnx"""


def train(arguments: Sequence[str]) -> int:
    """Run with the command line's ``arguments``; returns the exit code."""
    parser = argparse.ArgumentParser(
        "rtkaraoke train",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train a mask network; goes on where it stopped, as if it had not been stopped.",
        epilog=TRAIN_NOTES,
    )
    parser.add_argument("recipe", type=Path, help="a TOML file, such as configs/train/live.toml")
    parser.add_argument(
        "--fresh", action="store_true", help="begin anew: the run's checkpoints and curves are removed first"
    )
    options = parser.parse_args(arguments)
    train_it = train_patches if is_patch_recipe(read_recipe(options.recipe)) else train_network
    checkpoint = train_it(options.recipe, resume=not options.fresh)
    sys.stdout.write(f"{checkpoint}\n")
    return 0


def export(arguments: Sequence[str]) -> int:
    """Run with the command line's ``arguments``; returns the exit code."""
    parser = argparse.ArgumentParser(
        "rtkaraoke export", description="Turn a checkpoint into an ONNX file, checked step by step against torch."
    )
    parser.add_argument("checkpoint", type=Path, help="best.pt or last.pt of a run")
    parser.add_argument("target", type=Path, help="the ONNX file to write")
    parser.add_argument(
        "--look-ahead", type=int, help="of a network over patches: later frames that a mask may wait for, 0 by default"
    )
    parser.add_argument("--blend", type=Path, help="a checkpoint that was trained on from the other: the mean of both")
    parser.add_argument(
        "--share", type=float, default=0.5, help="of the weights of --blend in the mean, 0.5 by default"
    )
    options = parser.parse_args(arguments)
    recipe = read_checkpoint(options.checkpoint, {"recipe"})["recipe"]
    if is_patch_recipe(recipe):
        if options.blend is not None:
            raise ConfigError(f"--blend {options.blend}: networks over patches are exported as they are")
        info = export_patches(options.checkpoint, options.target, options.look_ahead or 0)
    elif options.look_ahead is not None:
        raise ConfigError(
            f"--look-ahead {options.look_ahead}: only a network over patches can choose it when it is exported; "
            "this one was trained with its own"
        )
    else:
        info = export_network(options.checkpoint, options.target, options.blend, options.share)
    sys.stdout.write(f"{options.target}: {info.name}, revision {info.revision}\n")
    return 0
