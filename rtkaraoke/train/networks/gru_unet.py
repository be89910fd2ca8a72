"""A causal U-shaped network over frequency with a recurrent bottleneck.

One ``forward`` serves training (whole sequences) and streaming (one frame at a time): every layer that looks back
takes what it remembers as an argument and returns it, so there is no second implementation to keep in step.

Path of a frame: the magnitudes of left, right, mid and side, the bins below 11 kHz as they are (so that harmonics
stay apart), those above averaged by four; dense strided convolutions over frequency, 640 -> 160 -> 80 -> 40 -> 20
-> 10, each seeing one or two frames of the past; a GRU over everything for the long context; back up by transposed
convolutions with skips; a sigmoid per channel and bin.

Tensors are laid out ``(stream, feature, frame, band)``: frequency innermost is what ONNX Runtime's blocked convolutions
want.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

N_BINS = 1025
FINE_BINS = 512  # kept as they are: 0 to 11 kHz
COARSE = 4  # bins averaged into one band above that
N_BANDS = FINE_BINS + (N_BINS - 1 - FINE_BINS) // COARSE  # 640
POWER_FLOOR = 1e-4  # of |X|^2; full scale is about 2.5e5, so this lies 94 dB below it
N_FEATURES = 5
LEAK = 0.05
STRIDES = (4, 2, 2, 2, 2)


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


@dataclass(frozen=True, slots=True)
class GruUnetConfig:
    """Sizes of the network.

    Parameters
    ----------
    channels : tuple of int
        Features after each of the five strided convolutions.
    past : tuple of int
        Frames of the past that each of them sees beside the present one.
    hidden : int
        Units of the GRU; its state is bounded by one.
    """

    channels: tuple[int, ...] = (32, 48, 64, 96, 128)
    past: tuple[int, ...] = (2, 1, 1, 1, 1)
    hidden: int = 256


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
            nn.Conv2d(n_in, n_out, (past + 1, kernel), stride=(1, stride), padding=(0, (kernel - stride + 1) // 2))
            for n_in, n_out, past, kernel, stride in zip(
                widths, widths[1:], config.past, kernels, STRIDES, strict=False
            )
        )
        self.n_deep = N_BANDS // 64
        flat = config.channels[-1] * self.n_deep
        self.squeeze = nn.Linear(flat, config.hidden)
        self.norm = nn.LayerNorm(config.hidden)  # without it the GRU saturates within a hundred steps and stays so
        self.gru = nn.GRU(config.hidden, config.hidden, batch_first=True)
        self.expand = nn.Linear(config.hidden, flat)
        outs = (*config.channels[-2::-1], config.channels[0])
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(n_in, n_out, (1, 4), stride=(1, 2), padding=(0, 1))
            for n_in, n_out in zip(config.channels[::-1], outs[:-1], strict=False)
        )
        self.top = nn.ConvTranspose2d(config.channels[0], 2, (1, 8), stride=(1, 4), padding=(0, 2))

    def initial_states(self, n_streams: int) -> dict[str, Tensor]:
        """States before the first frame, all zero, by name."""
        sizes = [N_BANDS, *(N_BANDS // 4 // 2**i for i in range(4))]
        widths = (N_FEATURES, *self.config.channels)
        states = {
            f"down{i}": torch.zeros(n_streams, widths[i], past, sizes[i])
            for i, past in enumerate(self.config.past)
            if past
        }
        states["gru"] = torch.zeros(n_streams, 1, self.config.hidden)
        return states

    def features(self, spectrum: Tensor) -> Tensor:
        """``(stream, 5, frame, band)``: log power of left, right, mid and side, and where the band lies."""
        left, right = spectrum[:, :1], spectrum[:, 1:]
        # mid and side as signals, not from the cross spectrum: the side of a mono song is then exactly zero
        views = (left, right, 0.5 * (left + right), 0.5 * (left - right))
        power = torch.cat([view.square().sum(-1) for view in views], dim=1)
        fine, coarse = power[..., :FINE_BINS], power[..., FINE_BINS : N_BINS - 1]
        coarse = coarse.unflatten(-1, (N_BANDS - FINE_BINS, COARSE)).mean(-1)
        log_power = torch.log(torch.cat([fine, coarse], dim=-1) + POWER_FLOOR)
        where = self.ramp + 0.0 * log_power[:, :1]  # expand() would fix the number of streams on export
        return torch.cat([(log_power - self.tilt) / 3.0, where], dim=1)

    def forward(self, spectrum: Tensor, states: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Mask logits ``(stream, 2, frame, bin)`` and the states after the last frame; from silence without states."""
        states = states or {k: v.to(spectrum.device) for k, v in self.initial_states(len(spectrum)).items()}
        after: dict[str, Tensor] = {}
        x = self.features(spectrum)
        skips = []
        for i, layer in enumerate(self.down):
            if past := self.config.past[i]:
                x = torch.cat([states[f"down{i}"].to(x.dtype).contiguous(memory_format=torch.channels_last), x], dim=2)
                after[f"down{i}"] = x.narrow(2, x.shape[2] - past, past)
            x = activate(layer(x))
            skips.append(x)
        flat = self.norm(self.squeeze(x.transpose(1, 2).flatten(2)))
        flat, hidden = self.gru(flat, states["gru"].transpose(0, 1).contiguous())
        after["gru"] = hidden.transpose(0, 1)
        x = self.expand(flat).unflatten(2, (-1, self.n_deep)).transpose(1, 2)
        for layer, skip in zip(self.up, skips[:0:-1], strict=True):
            x = activate(layer(x + skip))
        logits = self.top(x + skips[0])
        fine, coarse = logits[..., :FINE_BINS], logits[..., FINE_BINS:]
        coarse = torch.stack([coarse] * COARSE, dim=-1).flatten(-2)
        return torch.cat([fine, coarse, coarse[..., -1:]], dim=-1), after
