"""``rtkaraoke evaluate``: the figures of one network on the validation songs."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from rtkaraoke.evaluate.metrics import bootstrap_median
from rtkaraoke.evaluate.songs import (
    Figure,
    held_back_instrumentals,
    score_instrumentals,
    score_songs,
    summarise,
    through_engine,
    validation_songs,
)
from rtkaraoke.masks.models import DEFAULT_MODEL, load_model


def evaluate(arguments: Sequence[str]) -> int:
    """Run with the command line's ``arguments``; returns the exit code."""
    parser = argparse.ArgumentParser(
        "rtkaraoke evaluate", description="Separation quality on the validation songs, in dB."
    )
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped network's name, or an ONNX file")
    parser.add_argument("--strength", type=float, help="slope of the mask's logit; default: the network's own")
    parser.add_argument("--bias", type=float, help="bias of the mask's logit; default: the network's own")
    parser.add_argument("--instrumentals", type=float, default=0.0, metavar="SECONDS", help="of each, also measured")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    given = {name: getattr(options, name) for name in ("strength", "bias") if getattr(options, name) is not None}
    separate = through_engine(load_model(options.model, "cpu"), given)
    figures = summarise(score_songs(separate, validation_songs()))
    if options.instrumentals > 0:
        lost = score_instrumentals(separate, held_back_instrumentals(), options.instrumentals)
        figures["loss_of_instrumentals"] = Figure(*bootstrap_median(lost))
    if options.json:
        text = json.dumps({name: asdict(figure) for name, figure in figures.items()}, indent=1)
    else:
        text = "\n".join(f"{n:22} {f.median:6.2f} dB  ({f.low:.2f} to {f.high:.2f})" for n, f in figures.items())
    sys.stdout.write(text + "\n")
    return 0
