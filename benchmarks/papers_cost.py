"""What a step of both papers' live forms costs on one core of this machine, beside the time that it has."""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from common import Cell, Table

from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks.models import load_model
from rtkaraoke.masks.protocol import ModelInfo
from rtkaraoke.train.export import write
from rtkaraoke.train.networks.deep_karaoke import PUBLISHED_PARAMETERS, DeepKaraoke, DeepKaraokeConfig
from rtkaraoke.train.networks.ibm_cnn import IbmCnn, IbmCnnConfig, StreamingIbmCnn
from rtkaraoke.train.networks.patch_mask import live_mask

DEEP, CNN = StftGeometry(44_100, 2048, 512), StftGeometry(44_100, 8192, 512, window=2048)
COLUMNS = {
    "network": "",
    "parameters, millions": ".2f",
    "MMAC a hop": ".1f",
    "a hop lasts ms": ".1f",
    "median ms": ".2f",
    "p99 ms": ".2f",
}
NOTE = (
    "Random weights, one thread, look-ahead 0, CPU; at 44.1 kHz, every bin; processor time. Deep Karaoke at full width "
    "has no row: it multiplies 441 million numbers a hop and reads as many weights, 1.8 GB in single precision, 86 "
    "times a second."
)


def cost(widths: tuple[int, ...], n_steps: int, small: bool = False) -> Table:
    """Both networks by size; ``small`` for a miniature."""
    sizes = [
        IbmCnnConfig(channels=(8, 4, 16, 8), dense=(512, 128)),
        IbmCnnConfig(channels=(16, 8, 32, 16), dense=(1024, 256)),
        IbmCnnConfig(),
    ]
    if small:
        sizes = [IbmCnnConfig(n_bins=300, channels=(2, 1, 2, 1), dense=(8, 8))]
    rows = [
        _row(f"Deep Karaoke, {width} hidden", DeepKaraoke(DeepKaraokeConfig(hidden=width)), n_steps) for width in widths
    ]
    for config in sizes:
        label = "channels " + " ".join(map(str, config.channels))
        rows.append(_row(f"IBM CNN, cached, {label}", StreamingIbmCnn(config), n_steps))
        rows.append(_row(f"IBM CNN, whole patch, {label}", IbmCnn(config), n_steps))
    assert PUBLISHED_PARAMETERS == 2 * 20_500 * 20_501  # what the note's figures come from
    return Table("cost", "A step of the live forms", COLUMNS, rows, NOTE)


def _row(label: str, network: DeepKaraoke | IbmCnn, n_steps: int) -> list[Cell]:
    network.requires_grad_(False).half().float().eval()
    geometry = DEEP if isinstance(network, DeepKaraoke) else CNN
    mask = live_mask(network)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        write(mask, ModelInfo("cost", geometry, 1, n_bins=mask.n_bins), path)
        times = step_times_s(path, n_steps)
    p50, p99 = 1e3 * np.percentile(times, [50, 99])
    n_parameters = sum(value.numel() for value in network.parameters())
    cells: list[Cell] = [label, 1e-6 * n_parameters, 1e-6 * products(network), 1e3 * geometry.hop_s]
    cells += [float(p50), float(p99)]
    print(cells, flush=True)
    return cells


def step_times_s(path: Path, n_steps: int) -> list[float]:
    """Seconds that each step of the file takes of a core, on noise, after a few that do not count.

    It is the thread's processor time: what else runs on the machine does not count.
    """
    model = load_model(path, "cpu").open(44_100)
    n_bins = model.geometry.n_bins
    noise = np.random.default_rng(0).standard_normal((64, 1, n_bins, 2)).astype(np.float32)
    spectra = noise.view(np.complex64)[..., 0]
    mask = np.zeros((1, n_bins), np.float32)
    times = []
    for number in range(n_steps + 10):
        started = time.thread_time()
        model.step(spectra[number % 64], mask)
        times.append(time.thread_time() - started)
    model.close()
    return times[10:]


def products(network: DeepKaraoke | IbmCnn) -> int:
    """Multiplications of one live step without look-ahead."""
    if isinstance(network, DeepKaraoke):
        return network.inner.weight.numel() + network.n_bins * network.outer.in_features
    config = network.config
    frames = 1 if isinstance(network, StreamingIbmCnn) else config.n_frames
    convolutions = sum(
        frames * n_bins * layer.weight.numel()
        for layer, n_bins in zip(network.convolutions, config.bins, strict=True)
        if isinstance(layer, torch.nn.Conv2d)
    )
    first, second, last = (layer for layer in network.dense if isinstance(layer, torch.nn.Linear))
    return convolutions + first.weight.numel() + second.weight.numel() + config.n_bins * last.in_features
