"""Training of networks over patches on the ideal binary mask, as both papers did it; resumable after every epoch.

A run lives in a folder: ``last.pt`` (weights, optimiser, the best epoch's weights, recipe) and ``loss.csv``. Every
epoch draws its order and its dropout from the seed and its own number, so a run that was interrupted ends with the same
bits (on one thread; several add up in an order of their own).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rtkaraoke.evaluate.patches import SMOOTHING
from rtkaraoke.train.checkpoint import read_checkpoint
from rtkaraoke.train.config import read_recipe
from rtkaraoke.train.fit import CHECKPOINT, append_row
from rtkaraoke.train.networks.deep_karaoke import DeepKaraoke, squared_error
from rtkaraoke.train.networks.ibm_cnn import IbmCnn, StreamingIbmCnn, cross_entropy
from rtkaraoke.train.patch_config import PatchTrainConfig, parse_patch_config
from rtkaraoke.train.patch_data import Patches, load_patches

SAVED = {"network", "optimiser", "epoch", "best_epoch", "best_loss", "best", "recipe", "scale"}  # of a checkpoint


@dataclass(frozen=True, slots=True)
class Trained:
    """A network out of a checkpoint, ready to be used.

    ``scale`` brings a magnitude of the Hann STFT, at the level of a window of 2048 samples, to what it was trained on.
    """

    network: DeepKaraoke | IbmCnn
    config: PatchTrainConfig
    scale: float
    epoch: int
    best_epoch: int


def input_scale(network: DeepKaraoke | IbmCnn, train: Patches) -> float:
    """What magnitudes are multiplied with: so that the largest is one (DK), or a full-scale sine a half (CNN)."""
    if isinstance(network, DeepKaraoke):
        return 1.0 / float(train.magnitude.max())
    return 1.0 / float(np.hanning(2048).sum())


def patch_loss(
    network: DeepKaraoke | IbmCnn, magnitude: Tensor, mask: Tensor, *, last_row: bool = False, autoencoder: bool = False
) -> Tensor:
    """The network's own loss on one batch.

    Parameters
    ----------
    network : DeepKaraoke or IbmCnn
    magnitude, mask : Tensor ``(patch, n_context + n_frames, bin)``
        Scaled magnitudes of the mixture, and its ideal binary mask.
    last_row : bool
        Count the last frame alone.
    autoencoder : bool
        Give the network the voice's part of the mixture, mask x magnitude, and ask for the same back.
    """
    n_frames = network.n_frames
    if autoencoder:
        magnitude = mask * magnitude
        target = magnitude[:, -n_frames:].clamp(max=1.0)
    elif isinstance(network, DeepKaraoke):
        target = mask[:, -n_frames:]
    else:
        target = SMOOTHING + (1 - 2 * SMOOTHING) * mask[:, -n_frames:]
    first_row = n_frames - 1 if last_row else 0
    logits = network(magnitude, first_row)
    loss = squared_error if isinstance(network, DeepKaraoke) else cross_entropy
    return loss(logits, target[:, first_row:])


def train_patches(recipe_path: Path | str, resume: bool = True, say: Callable[[str], None] = print) -> Path:
    """Train as the TOML file says; returns the checkpoint's path.

    Raises
    ------
    ConfigError
        When the recipe cannot be.
    AudioFileError
        When the clips are not there.
    """
    recipe = read_recipe(recipe_path)
    config = parse_patch_config(recipe, str(recipe_path))
    fit = config.fit
    config.run.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(fit.threads)
    torch.manual_seed(fit.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = config.build().to(device)
    n_context = network.n_context if isinstance(network, StreamingIbmCnn) else 0
    train, valid = load_patches(config, n_context)
    train, valid = train.to(device), valid.to(device) if valid else None
    scale = input_scale(network, train)
    optimiser: torch.optim.Optimizer
    if fit.optimiser == "sgd":
        optimiser = torch.optim.SGD(network.parameters(), lr=fit.learning_rate, momentum=fit.momentum)
    else:
        optimiser = torch.optim.Adam(network.parameters(), lr=fit.learning_rate)
    state: dict[str, Any] = {"epoch": 0, "best_epoch": 0, "best_loss": float("inf"), "best": None}
    checkpoint = config.run / CHECKPOINT
    if resume and checkpoint.is_file():
        saved = read_checkpoint(checkpoint, SAVED)
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        state = {name: saved[name] for name in state}
    elif (config.run / "loss.csv").exists():
        (config.run / "loss.csv").unlink()
    while state["epoch"] < fit.epochs:
        epoch = state["epoch"]
        autoencoder = epoch < fit.pretrain_epochs
        started = time.monotonic()
        torch.manual_seed(fit.seed * 1_000_003 + epoch)  # also that of dropout
        order = torch.randperm(len(train.starts)).to(device)
        options = {"last_row": fit.rows == "last" and not autoencoder, "autoencoder": autoencoder}
        network.train()
        total = torch.zeros((), device=device)
        for which in order.split(fit.batch):
            magnitude, mask = train.batch(which)
            loss = patch_loss(network, scale * magnitude, mask, **options)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.detach() * len(which)
        found = validate(network, valid, scale, fit.batch, **options) if valid else None
        state["epoch"] = epoch + 1
        if found is None:
            state["best_epoch"] = epoch + 1
        elif not autoencoder and found < state["best_loss"]:
            weights = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
            state |= {"best": weights, "best_epoch": epoch + 1, "best_loss": found}
        row = {
            "epoch": epoch + 1,
            "phase": float(not autoencoder),
            "loss": float(total) / len(order),
            "valid": float("nan") if found is None else found,
            "seconds": time.monotonic() - started,
        }
        append_row(config.run / "loss.csv", row)
        say(", ".join(f"{name} {value:.5g}" for name, value in row.items()))
        _save(checkpoint, state | {"network": network.state_dict(), "optimiser": optimiser.state_dict()}, recipe, scale)
    return checkpoint


@torch.no_grad()
def validate(network: DeepKaraoke | IbmCnn, valid: Patches, scale: float, batch: int, **options: bool) -> float:
    """The mean loss over all patches of ``valid``; the network is left in evaluation mode."""
    network.eval()
    total = 0.0
    for which in torch.arange(len(valid.starts), device=valid.starts.device).split(batch):
        magnitude, mask = valid.batch(which)
        total += float(patch_loss(network, scale * magnitude, mask, **options)) * len(which)
    return total / len(valid.starts)


def load_trained(checkpoint: Path | str) -> Trained:
    """The best epoch's network of a checkpoint, on the CPU and in evaluation mode."""
    saved = read_checkpoint(checkpoint, SAVED)
    config = parse_patch_config(saved["recipe"], str(checkpoint))
    network = config.build()
    network.load_state_dict(saved["best"] or saved["network"])
    network.requires_grad_(False).eval()
    return Trained(network, config, saved["scale"], saved["epoch"], saved["best_epoch"])


def _save(checkpoint: Path, content: dict[str, Any], recipe: str, scale: float) -> None:
    partial = checkpoint.with_suffix(".partial")
    torch.save(content | {"recipe": recipe, "scale": scale}, partial)
    partial.replace(checkpoint)
