"""The training loop, resumable at any time.

A run lives in a folder: ``last.pt`` (weights, their moving average, optimiser, step, recipe), ``best.pt`` (the same
when it scored best), ``loss.csv`` and ``scores.csv``. Killing a run costs at most ``checkpoint_every`` steps, and
changes nothing: the examples of a step, and all else that is random, follow from the seed and the step's number.
"""

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from rtkaraoke.errors import ConfigError
from rtkaraoke.evaluate.data import data_root
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.train.checkpoint import check_fits, misfit, read_checkpoint
from rtkaraoke.train.config import FitConfig, parse_config, read_recipe
from rtkaraoke.train.data import MixDataset, Mixer, batch_numbers, training_batches
from rtkaraoke.train.loss import combined_loss
from rtkaraoke.train.networks.gru_unet import GruUnet
from rtkaraoke.train.pack import MANIFEST, ensure_packed, load_packed
from rtkaraoke.train.runs import (
    BEST,
    CHECKPOINT,
    LOSSES,
    SCORES,
    append_row,
    keep_rows,
    make_fabric,
    make_optimiser,
    write_checkpoint,
)
from rtkaraoke.train.stft import TorchStft
from rtkaraoke.train.teacher import Teacher, taught
from rtkaraoke.train.validate import Validation, merit, run_sequence

OPTIMISERS = ("adamw", "muon")


def learning_rate(step: int, config: FitConfig) -> float:
    """Linear warm-up, constant, linear down over the last ``cool_down`` steps.

    A run that ends nowhere in particular can be cooled down from any of its checkpoints (A. Haegele et al. 2024).
    """
    up = (step + 1) / max(1, config.warm_up)
    down = (config.steps - step) / max(1, config.cool_down)
    return config.learning_rate * min(1.0, up, down)


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential average that forgets the first steps quickly: its memory grows with the run."""

    def update(average: Tensor, value: Tensor, n_averaged: Tensor | int) -> Tensor:
        n = torch.as_tensor(n_averaged)  # on the device: the host shall not wait for it
        return torch.lerp(average, value, 1 - ((1 + n) / (10 + n)).clamp(max=decay))

    return update


def training_loss(
    network: nn.Module,
    stft: TorchStft,
    voice: Tensor,
    music: Tensor,
    n_segments: int,
    weights: Mapping[str, float] = {"sdr": 1.0},
) -> Tensor:
    """The loss of one batch ``(example, 2, sample)``; see :func:`rtkaraoke.train.loss.combined_loss`."""
    spectrum = stft.spectrum(voice + music)
    logits = run_sequence(network, spectrum, stft.geometry).float()
    return combined_loss(weights, stft, logits, spectrum, voice, music, n_segments)


def mixing_device(device: torch.device) -> torch.device:
    """Where examples for ``device`` are made: on it, if it is CUDA's."""
    return device if device.type == "cuda" else torch.device("cpu")


class Training:
    """A run, set up and brought to where its checkpoint stands; :meth:`run` carries it on.

    Parameters
    ----------
    config_path : Path or str
        See :class:`rtkaraoke.train.config.TrainConfig`.
    resume : bool
        Go on from the run's checkpoint if there is one; its weights and step count, today's configuration.
        Otherwise the files of an earlier run are removed.

    Raises
    ------
    ConfigError
        When the recipe is wrong or does not fit the data or the checkpoint.
    ModelError
        When the checkpoint is damaged.
    AudioFileError
        When the data folder is missing.
    """

    def __init__(self, config_path: Path | str, resume: bool = True) -> None:
        self.recipe = read_recipe(config_path)
        self.config = config = parse_config(self.recipe, str(config_path))
        fit, checkpoint = config.fit, config.run / CHECKPOINT
        if fit.optimiser not in OPTIMISERS:
            wanted = ", ".join(OPTIMISERS)
            raise ConfigError(f"{config_path}: fit: optimiser is {fit.optimiser!r}, wanted one of {wanted}")
        geometry = StftGeometry(**asdict(config.geometry))
        n_samples = round(config.mix.segment_s * geometry.sample_rate / geometry.hop) * geometry.hop
        # What can go wrong shall go wrong here, before there are several processes to end.
        saved = read_checkpoint(checkpoint) if resume and checkpoint.is_file() else None
        if saved is not None:
            check_fits(saved, config, checkpoint)
        start = read_checkpoint(config.start, {"average"}) if saved is None and config.start != Path() else None
        if config.data == MANIFEST:
            data_root()
        ensure_packed(config.cache, config.data, config.more_data)
        teacher = Teacher(config.teacher.weights) if config.teacher.share else None
        Mixer(load_packed(config.cache), config.mix, n_samples, np.random.default_rng())

        torch.set_num_threads(fit.threads)
        self.fabric = make_fabric(fit.accelerator, fit.devices, fit.precision, fit.machines)
        self.fabric.seed_everything(fit.seed, verbose=False)
        self.plain = GruUnet(config.network, geometry)
        self.fabric.launch()  # from here on in several processes
        saved = self.fabric.broadcast(saved)  # other machines need not see the first one's folder
        self.dataset = MixDataset(config.cache, config.mix, n_samples, fit.seed, mixing_device(self.fabric.device))
        self.stft = TorchStft(geometry).to(self.fabric.device)
        self.plain.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.teacher = teacher.to(self.fabric.device) if teacher is not None else None
        optimiser = make_optimiser(
            fit.optimiser, self.plain.parameters(), fit.learning_rate, weight_decay=fit.weight_decay
        )
        self.network, self.optimiser = self.fabric.setup(self.plain, optimiser)
        self.average = AveragedModel(self.plain, avg_fn=moving_average(fit.ema))
        self.average.eval()
        self.step, self.scores, self.best = 0, dict[str, float](), -np.inf
        if saved is not None:
            self._restore(saved, checkpoint)
        elif start is not None:
            self._begin_from(start, config.start)
        if self.fabric.is_global_zero:
            config.run.mkdir(parents=True, exist_ok=True)
            if saved is None:
                for name in (CHECKPOINT, BEST):
                    (config.run / name).unlink(missing_ok=True)
            for name in (LOSSES, SCORES):
                keep_rows(config.run / name, self.step)

    def _restore(self, saved: dict[str, Any], path: Path) -> None:
        own = set(self.optimiser.defaults) - {"lr", "weight_decay"}
        try:
            if not own & set(saved["optimiser"]["param_groups"][0]):
                raise ValueError(f"its optimiser is not {self.config.fit.optimiser}")
            self.plain.load_state_dict(saved["network"])
            self.average.module.load_state_dict(saved["average"])
            self.optimiser.load_state_dict(saved["optimiser"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise ConfigError(misfit(path, error)) from error
        self.average.n_averaged.fill_(saved["n_averaged"])
        self.step, self.scores = saved["step"], saved["scores"]
        self.best = saved.get("best", -np.inf)  # the first runs kept none

    def _begin_from(self, start: dict[str, Any], path: Path) -> None:
        try:
            self.plain.load_state_dict(start["average"])
            self.average.module.load_state_dict(start["average"])
        except RuntimeError as error:
            raise ConfigError(
                f"{path}, named as `start`, does not fit the recipe: {error}: take [network] values that leave its "
                "shapes, or begin without"
            ) from error

    def run(self) -> Path:
        """Train to the recipe's last step; returns the last checkpoint's path."""
        config, fit, fabric = self.config, self.config.fit, self.fabric
        checkpoint = config.run / CHECKPOINT
        if self.step >= fit.steps:
            return checkpoint
        validation = Validation(self.stft, config.data) if fabric.is_global_zero else None
        steps = range(self.step, fit.steps)
        numbers = batch_numbers(steps, config.mix.batch, fabric.global_rank, fabric.world_size)
        started, since = time.monotonic(), self.step
        with progress_bar(fabric.is_global_zero) as bar:
            task = bar.add_task("training", total=fit.steps, completed=self.step, loss="")
            if validation is not None:
                report("doing nothing", validation.doing_nothing())
            batches = iter(training_batches(self.dataset, numbers, fit.workers))
            batch = next(batches, None)
            while batch is not None:
                loss_of_step, norm_of_step = self._learn(*(part.to(fabric.device) for part in batch))
                batch = next(batches, None)  # on a GPU, drawn and sent there while it learns
                loss, norm = float(loss_of_step), float(norm_of_step)
                if not math.isfinite(norm):
                    raise ConfigError(
                        f"step {self.step}: the gradient is not finite, and the run ends at its last checkpoint: try "
                        f"a learning_rate under {fit.learning_rate}, or precision 32-true instead of {fit.precision}, "
                        "whose convolutions err on some processors where [network] channels are no multiples of 16"
                    )
                pace = (time.monotonic() - started) / (self.step - since)
                if validation is None:
                    continue
                row = {"step": self.step, "loss": loss, "norm": norm, "seconds_per_step": pace}
                append_row(config.run / LOSSES, row)
                bar.update(task, completed=self.step, loss=f"loss {loss:.2f}")
                last = self.step == fit.steps
                if self.step % fit.validate_every == 0 or last:
                    with fabric.autocast():
                        self.scores = validation.score(self.average)
                    append_row(config.run / SCORES, {"step": self.step, **self.scores})
                    left_min = pace * (fit.steps - self.step) / 60
                    report(f"step {self.step}, {left_min:.0f} min left", self.scores)
                    if merit(self.scores) > self.best:
                        self.best = merit(self.scores)
                        self._save(config.run / BEST)
                if self.step % fit.checkpoint_every == 0 or last:
                    self._save(checkpoint)
        return checkpoint

    def _learn(self, voice: Tensor, music: Tensor) -> tuple[Tensor, Tensor]:
        """One step on a batch ``(example, 2, sample)``; the loss over all processes, and the gradient's norm.

        Reads no value, so that on a GPU it returns before the work is done.
        """
        fit = self.config.fit
        # whatever a network draws at random shall not depend on where the run was interrupted
        seeds = np.random.SeedSequence((fit.seed, self.step, self.fabric.global_rank))
        torch.manual_seed(int(seeds.generate_state(1)[0]))
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, fit)
        if self.teacher is not None:
            voice, music = taught(self.teacher, voice, music, self.config.teacher.share)
        self.network.train()
        loss = training_loss(self.network, self.stft, voice, music, fit.loss_segments, fit.loss)
        self.fabric.backward(loss)
        norm = self.fabric.clip_gradients(self.network, self.optimiser, max_norm=fit.clip, error_if_nonfinite=False)
        assert norm is not None  # as by Fabric's strategies for one device and for several
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.average.update_parameters(self.plain)
        self.step += 1
        mean = self.fabric.all_reduce(loss.detach(), reduce_op="mean")
        assert isinstance(mean, Tensor)
        return mean, norm

    def _save(self, path: Path) -> None:
        """Write a checkpoint."""
        content = {
            "network": self.plain.state_dict(),
            "average": self.average.module.state_dict(),
            "n_averaged": int(self.average.n_averaged),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "scores": self.scores,
            "best": self.best,
            "recipe": self.recipe,
        }
        write_checkpoint(path, content)


def train(config_path: Path | str, resume: bool = True) -> Path:
    """Train as the TOML file says; returns the last checkpoint's path. See :class:`Training`."""
    return Training(config_path, resume).run()


def progress_bar(wanted: bool) -> Progress:
    """A bar with the time that is left, where stderr is a terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
        console=console,
        redirect_stdout=sys.stdout.isatty(),  # else lines meant for a file would land in the terminal
        disable=not (wanted and console.is_terminal),
    )


def report(what: str, scores: dict[str, float]) -> None:
    """One line on stdout."""
    figures = ", ".join(f"{name} {value:.2f}" for name, value in scores.items())
    sys.stdout.write(f"{what}: {figures}\n")
    sys.stdout.flush()
