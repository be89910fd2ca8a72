"""``rtkaraoke train`` and ``rtkaraoke export``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rtkaraoke.train.export import export as export_network
from rtkaraoke.train.fit import train as train_network


def train(arguments: Sequence[str]) -> int:
    """Run with the command line's ``arguments``; returns the exit code."""
    parser = argparse.ArgumentParser("rtkaraoke train", description="Train a mask network; goes on where it stopped.")
    parser.add_argument("recipe", type=Path, help="a TOML file, such as configs/train/live.toml")
    parser.add_argument("--fresh", action="store_true", help="begin anew, even where a checkpoint lies")
    options = parser.parse_args(arguments)
    checkpoint = train_network(options.recipe, resume=not options.fresh)
    sys.stdout.write(f"{checkpoint}\n")
    return 0


def export(arguments: Sequence[str]) -> int:
    """Run with the command line's ``arguments``; returns the exit code."""
    parser = argparse.ArgumentParser("rtkaraoke export", description="Turn a checkpoint into an ONNX file.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("target", type=Path, help="the ONNX file to write")
    options = parser.parse_args(arguments)
    info = export_network(options.checkpoint, options.target)
    sys.stdout.write(f"{options.target}: {info.name}, revision {info.revision}\n")
    return 0
