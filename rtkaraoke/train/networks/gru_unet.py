"""A causal U-shaped network over frequency with a recurrent bottleneck.

One ``forward`` serves training (whole sequences) and streaming (one frame at a time): every layer that looks back
takes what it remembers as an argument and returns it, so there is no second implementation to keep in step.

Path of a frame: the powers of left, right, mid and side, the bins below 11 kHz as they are (so that harmonics
stay apart), those above averaged by four; their logarithms split by running means into what is new within a
few frames, a few tenths of a second, a second; dense strided convolutions over frequency, 640 -> 160 -> 80 -> 40 -> 20
-> 10, each beside the present frame seeing one that lies further back the deeper it is; a GRU over everything for
the long context; back up with skips; a sigmoid per channel and bin.

Tensors are laid out ``(stream, feature, frame, band)``: frequency innermost is what ONNX Runtime's blocked convolutions
want.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

N_BINS = 1025
FINE_BINS = 512  # kept as they are: 0 to 11 kHz
COARSE = 4  # bins averaged into one band above that
N_BANDS = FINE_BINS + (N_BINS - 1 - FINE_BINS) // COARSE  # 640
POWER_FLOOR = 1e-4  # of |X|^2; full scale is about 2.5e5, so this lies 94 dB below it
N_VIEWS = 4  # left, right, mid, side
MEMORY_FRAMES = (2.0, 8.0, 32.0, 170.0)  # time constants of the running means: 12 ms, 46 ms, 0.2 s, 1 s at hop 256
N_FEATURES = N_VIEWS * (1 + len(MEMORY_FRAMES)) + 1
CHUNK = 64  # frames of a running mean in one matrix product
LEAK = 0.05
STRIDES = (4, 2, 2, 2, 2)
BAND_LEVEL = 3  # after the fourth convolution: 20 bands


def typical_log_power() -> Tensor:
    """Mean log power of music per band ``(band,)``, so that features lie around zero.

    A curve through the means of 60 mixtures, not learned: a gradient for the input of the first convolution would
    cost a quarter of the training time.
    """
    fine = torch.arange(FINE_BINS, dtype=torch.float32)
    coarse = FINE_BINS + COARSE * (torch.arange(N_BANDS - FINE_BINS, dtype=torch.float32) + 0.375)
    return 4.0 - 2.1 * torch.log1p(torch.cat([fine, coarse]) / 8.0)


def activate(x: Tensor) -> Tensor:
    """A rectifier that leaks: without normalisation, a third of the deep units of a tight one die early."""
    return functional.leaky_relu(x, LEAK)


def running_mean(x: Tensor, before: Tensor, frames: float) -> Tensor:
    """Exponential mean over the frames of ``x`` ``(stream, feature, frame, band)``.

    ``before`` ``(stream, feature, 1, band)`` is the mean before the first of them. In chunks, each a product with a
    triangular matrix: quick for a sequence, and the plain recursion for a single frame.
    """
    keep = math.exp(-1.0 / frames)
    means = []
    for start in range(0, x.shape[2], CHUNK):
        chunk = x[:, :, start : start + CHUNK]
        age = torch.arange(chunk.shape[2], device=x.device, dtype=x.dtype)
        weights = torch.tril((1.0 - keep) * torch.exp((age - age[:, None]).clamp(max=0.0) / frames))
        mean = weights @ chunk + torch.exp(-(age[:, None] + 1.0) / frames) * before
        before = mean[:, :, -1:]
        means.append(mean)
    return torch.cat(means, dim=2)


@dataclass(frozen=True, slots=True)
class GruUnetConfig:
    """Sizes of the network.

    Parameters
    ----------
    channels : tuple of int
        Features after each of the five strided convolutions.
    back : tuple of int
        How many frames before the present one the second frame lies that each of them sees; 0 for none.
    hidden : int
        Units of the GRU; its state is bounded by one.
    band_hidden : int
        Units of the GRU that runs over the frames of each of 20 bands, the same for all; 0 for none.
    """

    channels: tuple[int, ...] = (48, 64, 96, 128, 128)
    back: tuple[int, ...] = (0, 2, 4, 6, 8)
    hidden: int = 256
    band_hidden: int = 0


class GruUnet(nn.Module):
    """Mask network; see the module's docstring.

    ``forward`` takes a spectrum ``(stream, 2, frame, bin, 2)`` and the states of :meth:`initial_states`.
    """

    n_bins = N_BINS
    tilt: Tensor
    ramp: Tensor

    def __init__(self, config: GruUnetConfig = GruUnetConfig()) -> None:
        super().__init__()
        self.config = config
        widths = (N_FEATURES, *config.channels)
        kernels = (9, 4, 4, 4, 4)
        self.register_buffer("tilt", typical_log_power(), persistent=False)
        self.register_buffer("ramp", torch.linspace(-1.0, 1.0, N_BANDS).view(1, 1, 1, N_BANDS), persistent=False)
        self.down = nn.ModuleList(
            nn.Conv2d(
                n_in,
                n_out,
                (2 if back else 1, kernel),
                stride=(1, stride),
                padding=(0, (kernel - stride + 1) // 2),
                dilation=(max(back, 1), 1),
            )
            for n_in, n_out, back, kernel, stride in zip(
                widths, widths[1:], config.back, kernels, STRIDES, strict=False
            )
        )
        if config.band_hidden:
            width = config.channels[BAND_LEVEL]
            self.band_norm = nn.LayerNorm(width)
            self.band_gru = nn.GRU(width, config.band_hidden, batch_first=True)
            self.band_out = nn.Linear(config.band_hidden, width)
        self.n_deep = N_BANDS // 64
        flat = config.channels[-1] * self.n_deep
        self.squeeze = nn.Linear(flat, config.hidden)
        self.norm = nn.LayerNorm(config.hidden)  # without it the GRU saturates within a hundred steps and stays so
        self.gru = nn.GRU(config.hidden, config.hidden, batch_first=True)
        self.expand = nn.Linear(config.hidden, flat)
        outs = (*config.channels[-2::-1], config.channels[0])
        self.up = nn.ModuleList(
            nn.Conv2d(n_in, 2 * n_out, (1, 3), padding=(0, 1))
            for n_in, n_out in zip(config.channels[::-1], outs[:-1], strict=False)
        )
        self.top = nn.Conv2d(config.channels[0], 2 * STRIDES[0], (1, 3), padding=(0, 1))

    def initial_states(self, n_streams: int) -> dict[str, Tensor]:
        """States before the first frame, all zero, by name."""
        sizes = [N_BANDS, *(N_BANDS // 4 // 2**i for i in range(4))]
        widths = (N_FEATURES, *self.config.channels)
        states = {
            f"down{i}": torch.zeros(n_streams, widths[i], back, sizes[i])
            for i, back in enumerate(self.config.back)
            if back
        }
        states["means"] = torch.zeros(n_streams, N_VIEWS * len(MEMORY_FRAMES), 1, N_BANDS)
        if self.config.band_hidden:
            states["bands"] = torch.zeros(n_streams, sizes[BAND_LEVEL + 1], self.config.band_hidden)
        states["gru"] = torch.zeros(n_streams, 1, self.config.hidden)
        return states

    def features(self, spectrum: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
        """``(stream, feature, frame, band)`` and the running means after the last frame.

        The slowest mean of each view's log power, what each quicker mean adds to the next slower one, what the
        frame itself adds to the quickest, and where the band lies.
        """
        left, right = spectrum[:, :1], spectrum[:, 1:]
        # mid and side as signals, not from the cross spectrum: the side of a mono song is then exactly zero
        views = (left, right, 0.5 * (left + right), 0.5 * (left - right))
        power = torch.cat([view[..., 0].square() + view[..., 1].square() for view in views], dim=1)
        fine, coarse = power[..., :FINE_BINS], power[..., FINE_BINS : N_BINS - 1]
        coarse = coarse.unflatten(-1, (N_BANDS - FINE_BINS, COARSE)).mean(-1)
        x = (torch.log(torch.cat([fine, coarse], dim=-1) + POWER_FLOOR) - self.tilt) / 3.0
        levels = [x]
        for frames, before in zip(MEMORY_FRAMES, means.chunk(len(MEMORY_FRAMES), dim=1), strict=True):
            levels.append(running_mean(x, before, frames))
        after = torch.cat([level[:, :, -1:] for level in levels[1:]], dim=1)
        news = [quick - slow for quick, slow in pairwise(levels)]
        where = self.ramp + 0.0 * x[:, :1]  # expand() would fix the number of streams on export
        return torch.cat([*news, levels[-1], where], dim=1), after

    def forward(self, spectrum: Tensor, states: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Mask logits ``(stream, 2, frame, bin)`` and the states after the last frame; from silence without states."""
        states = states or {k: v.to(spectrum.device) for k, v in self.initial_states(len(spectrum)).items()}
        after: dict[str, Tensor] = {}
        with torch.autocast(spectrum.device.type, enabled=False):  # half precision would blur the running means
            x, after["means"] = self.features(spectrum, states["means"])
        skips = []
        for i, layer in enumerate(self.down):
            if back := self.config.back[i]:
                x = torch.cat([states[f"down{i}"].to(x.dtype).contiguous(memory_format=torch.channels_last), x], dim=2)
                after[f"down{i}"] = x.narrow(2, x.shape[2] - back, back)
            x = activate(layer(x))
            if i == BAND_LEVEL and self.config.band_hidden:
                memory, after["bands"] = self.over_time(x, states["bands"])
                x = x + memory
            skips.append(x)
        flat = self.norm(self.squeeze(x.transpose(1, 2).flatten(2)))
        flat, hidden = self.gru(flat, states["gru"].transpose(0, 1).contiguous())
        after["gru"] = hidden.transpose(0, 1)
        x = self.expand(flat).unflatten(2, (-1, self.n_deep)).transpose(1, 2)
        for layer, skip in zip(self.up, skips[:0:-1], strict=True):
            x = interleave(activate(layer(x + skip)), 2)
        logits = interleave(self.top(x + skips[0]), STRIDES[0])
        fine, coarse = logits[..., :FINE_BINS], logits[..., FINE_BINS:]
        coarse = torch.stack([coarse] * COARSE, dim=-1).flatten(-2)
        return torch.cat([fine, coarse, coarse[..., -1:]], dim=-1), after

    def over_time(self, x: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """What the GRU of the bands makes of ``x`` ``(stream, feature, frame, band)``, and its state after that."""
        n_bands = x.shape[3]
        rows = self.band_norm(x.permute(0, 3, 2, 1)).flatten(0, 1)
        rows, hidden = self.band_gru(rows, before.flatten(0, 1)[None])
        memory = self.band_out(rows).unflatten(0, (-1, n_bands)).permute(0, 3, 2, 1)
        return memory, hidden[0].unflatten(0, (-1, n_bands))


def interleave(x: Tensor, n: int) -> Tensor:
    """``(stream, n * feature, frame, band)`` to ``(stream, feature, frame, n * band)``.

    A convolution followed by this does what a transposed one does, and trains three times as fast on a CPU.
    """
    return torch.stack(x.chunk(n, dim=1), dim=-1).flatten(-2)
