"""Reading what a training run left: any of its checkpoints, whole and fitting, or a message that says why not."""

from pathlib import Path
from typing import Any

import torch

from rtkaraoke.errors import ConfigError, ModelError
from rtkaraoke.train.config import TrainConfig, parse_config

NEEDED = {"network", "average", "n_averaged", "optimiser", "step", "scores", "recipe"}


def read_checkpoint(path: Path | str, needed: set[str] = NEEDED) -> dict[str, Any]:
    """What a run has saved, all tensors on the CPU; ``needed`` are the keys that it must have.

    Raises
    ------
    ModelError
        When it is missing, damaged, or not the checkpoint of a run.
    """
    if not Path(path).is_file():
        raise ModelError(f"{path}: no such file: wanted a checkpoint of `rtkaraoke train`, best.pt or last.pt of a run")
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises whatever a damaged file makes it stumble on
        first = str(error).partition("\n")[0]
        raise ModelError(
            f"{path}: cannot be read as a checkpoint ({first}): it is damaged or of another program; "
            "take another one of the run, or train with --fresh"
        ) from error
    if not isinstance(saved, dict) or not needed <= set(saved):
        missing = sorted(needed - set(saved)) if isinstance(saved, dict) else sorted(needed)
        raise ModelError(f"{path}: not a checkpoint of `rtkaraoke train`: it lacks {', '.join(missing)}")
    return saved


def check_fits(saved: dict[str, Any], config: TrainConfig, path: Path) -> None:
    """Compare the recipe in a checkpoint with today's, as far as weights and optimiser depend on it.

    Raises
    ------
    ConfigError
        Naming what differs.
    """
    try:
        before = parse_config(saved["recipe"], str(path))
    except ConfigError:
        return  # an old recipe, with keys that are no more: whether the weights fit is then seen when they are loaded
    for what, old, new in (
        ("network", before.network, config.network),
        ("geometry", before.geometry, config.geometry),
        ("fit: optimiser", before.fit.optimiser, config.fit.optimiser),
    ):
        if old != new:
            raise ConfigError(
                f"{path} was trained with [{what}] {old}, the recipe says {new}: take the old values back, name "
                "another folder as `run`, or begin anew with --fresh"
            )


def misfit(path: Path, error: Exception) -> str:
    """The message for weights or an optimiser that today's recipe has no place for."""
    return (
        f"{path} does not fit the recipe: {error}: take the old values back, name another folder as `run`, "
        "or begin anew with --fresh"
    )
