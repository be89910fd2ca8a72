"""The training loop: one function, resumable at any time.

A run lives in a folder: ``last.pt`` (weights, their moving average, optimiser, step, recipe),
``loss.csv`` and ``scores.csv``. Killing a run costs at most ``checkpoint_every`` steps.
"""

import csv
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from rtkaraoke.geometry import StftGeometry
from rtkaraoke.train.config import FitConfig, parse_config, read_recipe
from rtkaraoke.train.data import training_batches
from rtkaraoke.train.loss import two_source_sdr_loss
from rtkaraoke.train.muon import Muon
from rtkaraoke.train.networks.gru_unet import GruUnet
from rtkaraoke.train.stft import TorchStft
from rtkaraoke.train.validate import Validation, run_sequence

CHECKPOINT = "last.pt"
OPTIMISERS: dict[str, Any] = {"adamw": torch.optim.AdamW, "muon": Muon}


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
        keep = min(decay, (1 + int(n_averaged)) / (10 + int(n_averaged)))
        return torch.lerp(average, value, 1 - keep)

    return update


def training_loss(network: nn.Module, stft: TorchStft, voice: Tensor, music: Tensor, n_segments: int) -> Tensor:
    """The loss of one batch ``(example, 2, sample)``, through the inverse transform of the live path."""
    spectrum = stft.spectrum(voice + music)
    mask = torch.sigmoid(run_sequence(network, spectrum, stft.geometry).float())
    estimate = stft.waveform(spectrum * mask)
    n_samples = estimate.shape[-1]
    return two_source_sdr_loss(estimate, voice[..., :n_samples], music[..., :n_samples], n_segments)


def train(config_path: Path | str, resume: bool = True) -> Path:
    """Train as the TOML file says; returns the checkpoint's path.

    Parameters
    ----------
    config_path : Path or str
        See :class:`rtkaraoke.train.config.TrainConfig`.
    resume : bool
        Go on from the run's checkpoint if there is one; its weights and step count, today's configuration.
    """
    recipe = read_recipe(config_path)
    config = parse_config(recipe, str(config_path))
    config.run.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(config.fit.threads)
    fabric = Fabric(
        accelerator=config.fit.accelerator,
        devices=config.fit.devices,
        strategy="ddp" if config.fit.devices > 1 else "auto",
        precision=config.fit.precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    fabric.seed_everything(config.fit.seed, verbose=False)
    geometry = StftGeometry(**asdict(config.geometry))
    stft = TorchStft(geometry).to(fabric.device)
    plain = GruUnet(config.network, geometry)
    plain.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser: Any = OPTIMISERS[config.fit.optimiser](
        plain.parameters(), lr=config.fit.learning_rate, weight_decay=config.fit.weight_decay
    )
    network, optimiser = fabric.setup(plain, optimiser)
    average = AveragedModel(plain, avg_fn=moving_average(config.fit.ema))
    checkpoint, step = config.run / CHECKPOINT, 0
    if resume and checkpoint.is_file():
        saved = torch.load(checkpoint, map_location=fabric.device, weights_only=True)
        plain.load_state_dict(saved["network"])
        average.module.load_state_dict(saved["average"])
        average.n_averaged.fill_(saved["n_averaged"])
        optimiser.load_state_dict(saved["optimiser"])
        step = saved["step"]

    scores: dict[str, float] = {}

    def save() -> None:
        partial = checkpoint.with_suffix(".partial")
        torch.save(
            {
                "network": plain.state_dict(),
                "average": average.module.state_dict(),
                "n_averaged": int(average.n_averaged),
                "optimiser": optimiser.state_dict(),
                "step": step,
                "scores": scores,
                "recipe": recipe,
            },
            partial,
        )
        partial.replace(checkpoint)

    validation = Validation(stft)
    n_samples = round(config.mix.segment_s * geometry.sample_rate / geometry.hop) * geometry.hop
    batches = iter(
        training_batches(config.cache, config.mix, n_samples, seed=(config.fit.seed, step, fabric.global_rank))
    )
    started, since = time.monotonic(), step
    while step < config.fit.steps:
        voice, music = (part.to(fabric.device) for part in next(batches))
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, config.fit)
        network.train()
        loss = training_loss(network, stft, voice, music, config.fit.loss_segments)
        fabric.backward(loss)
        norm = fabric.clip_gradients(network, optimiser, max_norm=config.fit.clip)
        optimiser.step()
        optimiser.zero_grad()
        average.update_parameters(plain)
        step += 1
        pace = (time.monotonic() - started) / (step - since)
        if not fabric.is_global_zero:
            continue
        row = {
            "step": step,
            "loss": loss.item(),
            "norm": float(norm if norm is not None else 0.0),
            "seconds_per_step": pace,
        }
        append_row(config.run / "loss.csv", row)
        if step % config.fit.validate_every == 0 or step == config.fit.steps:
            average.eval()
            with fabric.autocast():
                scores = validation.score(average)
            append_row(config.run / "scores.csv", {"step": step, **scores})
            left = pace * (config.fit.steps - step) / 60
            fabric.print(f"step {step}, {left:.0f} min left:", {k: round(v, 2) for k, v in scores.items()}, flush=True)
        if step % config.fit.checkpoint_every == 0 or step == config.fit.steps:
            save()
    return checkpoint


def append_row(path: Path, row: dict[str, float]) -> None:
    """Add a line to a CSV file; its first line names the columns."""
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow(row)
