"""Training of networks over patches on the ideal binary mask, as both papers did it; resumable after every epoch.

A run lives in a folder: ``last.pt`` (weights, optimiser, the best epoch's weights, recipe) and ``loss.csv``. Every
epoch draws its order and its dropout from the seed and its own number, so a run that was interrupted ends with the same
bits. Why this loop stands beside that of :mod:`rtkaraoke.train.fit`: docs/decisions.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rtkaraoke.errors import ConfigError
from rtkaraoke.train.checkpoint import misfit, read_checkpoint
from rtkaraoke.train.config import read_recipe
from rtkaraoke.train.networks.deep_karaoke import DeepKaraoke
from rtkaraoke.train.networks.ibm_cnn import IbmCnn, StreamingIbmCnn
from rtkaraoke.train.patch_config import PatchTrainConfig, parse_patch_config
from rtkaraoke.train.patch_data import Patches, load_patches
from rtkaraoke.train.runs import (
    CHECKPOINT,
    LOSSES,
    append_row,
    keep_rows,
    make_fabric,
    make_optimiser,
    write_checkpoint,
)

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


def input_scale(config: PatchTrainConfig, train: Patches) -> float:
    """What magnitudes are multiplied with; see :class:`rtkaraoke.train.patch_config.PatchData`."""
    if config.data.input == "rms":
        return 1.0 / float(train.magnitude.square().mean().sqrt())
    return 1.0 / (float(train.magnitude.max()) if config.kind == "deep-karaoke" else float(np.hanning(2048).sum()))


def patch_loss(
    network: DeepKaraoke | IbmCnn,
    magnitude: Tensor,
    mask: Tensor,
    *,
    last_row: bool = False,
    autoencoder: bool = False,
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
        Give the network the voice's part of the mixture, mask x magnitude, and ask for the same back; what is above
        one, which no sigmoid reaches, counts as one.
    """
    n_frames = network.n_frames
    if autoencoder:
        magnitude = mask * magnitude
        target = magnitude[:, -n_frames:].clamp(max=1.0)
    else:
        target = network.smoothing + (1 - 2 * network.smoothing) * mask[:, -n_frames:]
    first_row = n_frames - 1 if last_row else 0
    loss: Tensor = network.loss(network(magnitude, first_row), target[:, first_row:])
    return loss


class PatchTraining:
    """A run, set up and brought to where its checkpoint stands; :meth:`run` carries it on.

    Parameters
    ----------
    recipe_path : Path or str
        See :class:`rtkaraoke.train.patch_config.PatchTrainConfig`.
    resume : bool
        Go on from the run's checkpoint if there is one; otherwise an earlier run's files are removed.

    Raises
    ------
    ConfigError
        When the recipe cannot be.
    ModelError
        When the checkpoint is damaged.
    """

    def __init__(self, recipe_path: Path | str, resume: bool = True) -> None:
        self.recipe = read_recipe(recipe_path)
        self.config = config = parse_patch_config(self.recipe, str(recipe_path))
        fit, self.checkpoint = config.fit, config.run / CHECKPOINT
        saved = read_checkpoint(self.checkpoint, SAVED) if resume and self.checkpoint.is_file() else None
        torch.set_num_threads(fit.threads)
        self.fabric = make_fabric(fit.accelerator, 1, fit.precision)
        self.fabric.seed_everything(fit.seed, verbose=False)
        self.plain = config.build()
        self.plain.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        options = {"momentum": fit.momentum} if fit.optimiser == "sgd" else {}
        optimiser = make_optimiser(fit.optimiser, self.plain.parameters(), fit.learning_rate, **options)
        self.network, self.optimiser = self.fabric.setup(self.plain, optimiser)
        self.state: dict[str, Any] = {"epoch": 0, "best_epoch": 0, "best_loss": float("inf"), "best": None}
        if saved is not None:
            self._restore(saved)

    def _restore(self, saved: dict[str, Any]) -> None:
        try:
            self.plain.load_state_dict(saved["network"])
            self.optimiser.load_state_dict(saved["optimiser"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise ConfigError(misfit(self.checkpoint, error)) from error
        self.state = {name: saved[name] for name in self.state}

    def run(self, say: Callable[[str], None] = print) -> Path:
        """Train to the recipe's last epoch; returns the checkpoint's path.

        Raises
        ------
        AudioFileError
            When the clips are not there.
        """
        if self.state["epoch"] < self.config.fit.epochs:
            self._load()
            self.config.run.mkdir(parents=True, exist_ok=True)
            if not self.state["epoch"]:
                self.checkpoint.unlink(missing_ok=True)
            keep_rows(self.config.run / LOSSES, self.state["epoch"])
        while self.state["epoch"] < self.config.fit.epochs:
            row = self._epoch(self.state["epoch"])
            append_row(self.config.run / LOSSES, row)
            say(", ".join(f"{name} {value:.5g}" for name, value in row.items()))
            content = {"network": self.plain.state_dict(), "optimiser": self.optimiser.state_dict()}
            write_checkpoint(self.checkpoint, self.state | content | {"recipe": self.recipe, "scale": self.scale})
        return self.checkpoint

    def _load(self) -> None:
        n_context = self.plain.n_context if isinstance(self.plain, StreamingIbmCnn) else 0
        train, valid = load_patches(self.config, n_context)
        self.scale = input_scale(self.config, train)
        self.patches = train.to(self.fabric.device)
        self.held_back = valid.to(self.fabric.device) if valid else None

    def _epoch(self, epoch: int) -> dict[str, float]:
        """Once through the patches; the line for ``loss.csv``."""
        fit, train = self.config.fit, self.patches
        started = time.monotonic()
        autoencoder = epoch < fit.pretrain_epochs
        options = {"last_row": fit.rows == "last" and not autoencoder, "autoencoder": autoencoder}
        torch.manual_seed(fit.seed * 1_000_003 + epoch)  # also that of dropout
        order = torch.randperm(len(train.starts)).to(self.fabric.device)
        self.network.train()
        total = torch.zeros((), device=self.fabric.device)
        for which in order.split(fit.batch):
            magnitude, mask = train.batch(which)
            loss = patch_loss(self.network, self.scale * magnitude, mask, **options)
            self.optimiser.zero_grad()
            self.fabric.backward(loss)
            self.optimiser.step()
            total += loss.detach() * len(which)
        found = self._validate(**options)
        self.state["epoch"] = epoch + 1
        if found is None:
            self.state["best_epoch"] = epoch + 1
        elif not autoencoder and found < self.state["best_loss"]:
            weights = {name: value.detach().cpu().clone() for name, value in self.plain.state_dict().items()}
            self.state |= {"best": weights, "best_epoch": epoch + 1, "best_loss": found}
        return {
            "epoch": epoch + 1,
            "phase": float(not autoencoder),
            "loss": float(total) / len(order),
            "valid": float("nan") if found is None else found,
            "seconds": time.monotonic() - started,
        }

    @torch.no_grad()
    def _validate(self, **options: bool) -> float | None:
        """The mean loss over all patches that are held back, if any."""
        valid = self.held_back
        if valid is None:
            return None
        self.network.eval()
        total = 0.0
        for which in torch.arange(len(valid.starts), device=valid.starts.device).split(self.config.fit.batch):
            magnitude, mask = valid.batch(which)
            total += float(patch_loss(self.network, self.scale * magnitude, mask, **options)) * len(which)
        return total / len(valid.starts)


def train_patches(recipe_path: Path | str, resume: bool = True, say: Callable[[str], None] = print) -> Path:
    """Train as the TOML file says; returns the checkpoint's path. See :class:`PatchTraining`."""
    return PatchTraining(recipe_path, resume).run(say)


def load_trained(checkpoint: Path | str) -> Trained:
    """The best epoch's network of a checkpoint, on the CPU and in evaluation mode."""
    saved = read_checkpoint(checkpoint, SAVED)
    config = parse_patch_config(saved["recipe"], str(checkpoint))
    network = config.build()
    network.load_state_dict(saved["best"] or saved["network"])
    network.requires_grad_(False).eval()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Trained(network, config, saved["scale"], saved["epoch"], saved["best_epoch"])
