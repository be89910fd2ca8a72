"""A causal U-shaped network over frequency with a recurrent bottleneck.

One ``forward`` serves training (whole sequences) and streaming (one frame at a time): every layer that looks back
takes what it remembers as an argument and returns it, so there is no second implementation to keep in step.

Path of a frame: the powers of left, right, mid and side, the bins below 11 kHz as they are (so that harmonics
stay apart), those above averaged; their logarithms split by running means into what is new within a few hundredths
of a second, a few tenths, a second; dense strided convolutions over frequency, at 46 ms 640 -> 160 -> 80 -> 40 -> 20
-> 10, each beside the present frame seeing one that lies further back the deeper it is; a GRU over everything for
the long context; back up with skips; a sigmoid per channel and bin.

With a look-ahead, the frame on that path is the one to be masked, and some frames after it are features too.

Tensors are laid out ``(stream, feature, frame, band)``: frequency innermost is what ONNX Runtime's blocked convolutions
want.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtkaraoke.errors import ConfigError
from rtkaraoke.geometry import StftGeometry

POWER_FLOOR = 1e-4  # of |X|^2; full scale is about 2.5e5, so this lies 94 dB below it
N_VIEWS = 4  # left, right, mid, side
CHUNK = 64  # frames of a running mean in one matrix product
LEAK = 0.05
LIVE = StftGeometry(44_100, 2048, 256)


@dataclass(frozen=True, slots=True)
class Bands:
    """How the bins of a geometry are laid out for the network: the same in Hz whatever the transform.

    ``fine`` bins as they are, up to 11 kHz; above that ``coarse`` bins averaged into one band; the highest is left
    out. ``stride`` of the first convolution.
    """

    n_bins: int
    fine: int
    coarse: int
    stride: int

    @classmethod
    def of(cls, geometry: StftGeometry) -> "Bands":
        """Raises :class:`ConfigError` when the transform is no multiple of 1024."""
        if geometry.n_fft % 1024:
            raise ConfigError(f"n_fft {geometry.n_fft}: this network wants a multiple of 1024")
        ratio = geometry.n_fft / 2048
        return cls(geometry.n_bins, geometry.n_fft // 4, round(4 * ratio), round(4 * ratio))

    @property
    def n_bands(self) -> int:
        """Bands at the first convolution's input: 640 at 46 ms."""
        return self.fine + (self.n_bins - 1 - self.fine) // self.coarse

    @property
    def sizes(self) -> tuple[int, ...]:
        """Bands at the input of each of the five convolutions, and after the last."""
        return self.n_bands, *(self.n_bands // self.stride // 2**i for i in range(5))

    def typical_log_power(self) -> Tensor:
        """Mean log power of music per band ``(band,)`` at the level of n_fft 2048, so that features lie around zero.

        A curve through the means of 60 mixtures, not learned: a gradient for the input of the first convolution
        would cost a quarter of the training time.
        """
        fine = torch.arange(self.fine, dtype=torch.float32)
        coarse = self.fine + self.coarse * (torch.arange(self.n_bands - self.fine, dtype=torch.float32) + 0.375)
        return 4.0 - 2.1 * torch.log1p(torch.cat([fine, coarse]) / (2 * self.stride))


def static_shape(x: Tensor) -> list[int]:
    """Shape of ``x`` as numbers, which an exported graph then need not work out in every step."""
    return [int(size) for size in x.shape]


def activate(x: Tensor) -> Tensor:
    """A rectifier that leaks: without normalisation, a third of the deep units of a tight one die early."""
    return functional.leaky_relu(x, LEAK)


def running_means(x: Tensor, before: Tensor, times: Tensor) -> Tensor:
    """Exponential means over the frames of ``x`` ``(stream, feature, frame, band)``, one for each of ``times``.

    ``times`` are time constants in frames; ``before`` ``(stream, time * feature, 1, band)`` holds the means before the
    first frame, and what is returned is laid out likewise. In chunks, each a product with a triangular matrix: quick
    for a sequence, and the plain recursion for a single frame.
    """
    _, n_features, n_frames, n_bands = static_shape(x)
    times = times.view(-1, 1, 1, 1)
    means = []
    for start in range(0, n_frames, CHUNK):
        chunk = x[:, None, :, start : start + CHUNK]
        age = torch.arange(min(CHUNK, n_frames - start), device=x.device, dtype=x.dtype)
        weights = torch.tril(-torch.expm1(-1.0 / times) * torch.exp((age - age[:, None]).clamp(max=0.0) / times))
        fades = torch.exp(-(age[:, None] + 1.0) / times).repeat_interleave(n_features, 0).flatten(0, 1)
        mean = (weights @ chunk).reshape(-1, len(fades), len(age), n_bands) + fades * before
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
    pace : int
        Frames from one step of the GRU to the next: with 2, even and odd frames have states of their own, and weights
        learned at twice the hop keep their meaning.
    memory_s : tuple of float
        Time constants of the running means, in seconds, rising.
    dropout : float
        Share of the GRU's inputs and outputs, and of the whole channels between the convolutions, that training leaves
        out at random.
    """

    channels: tuple[int, ...] = (48, 64, 96, 128, 128)
    back: tuple[int, ...] = (0, 2, 4, 6, 8)
    hidden: int = 256
    pace: int = 1
    memory_s: tuple[float, ...] = (0.012, 0.046, 0.19, 1.0)
    dropout: float = 0.0


class GruUnet(nn.Module):
    """Mask network; see the module's docstring.

    ``forward`` takes a spectrum ``(stream, 2, frame, bin, 2)`` and the states of :meth:`initial_states`.
    """

    tilt: Tensor
    ramp: Tensor
    times: Tensor

    def __init__(self, config: GruUnetConfig = GruUnetConfig(), geometry: StftGeometry = LIVE) -> None:
        super().__init__()
        self.config, self.geometry, self.bands = config, geometry, Bands.of(geometry)
        self.ahead = frames_ahead(geometry.look_ahead)
        n_bands = self.bands.n_bands
        n_features = N_VIEWS * (1 + len(config.memory_s)) + 2 * len(self.ahead) + 1
        self.widths = (n_features, *config.channels)
        strides = (self.bands.stride, 2, 2, 2, 2)
        kernels = (2 * self.bands.stride + 1, 4, 4, 4, 4)
        self.register_buffer("tilt", self.bands.typical_log_power(), persistent=False)
        self.register_buffer("times", torch.tensor(config.memory_s) / geometry.hop_s, persistent=False)
        self.register_buffer("ramp", torch.linspace(-1.0, 1.0, n_bands).view(1, 1, 1, n_bands), persistent=False)
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
                self.widths, config.channels, config.back, kernels, strides, strict=False
            )
        )
        flat = config.channels[-1] * self.bands.sizes[-1]
        self.squeeze = nn.Linear(flat, config.hidden)
        self.norm = nn.LayerNorm(config.hidden)  # without it the GRU saturates within a hundred steps and stays so
        self.gru = nn.GRU(config.hidden, config.hidden, batch_first=True)
        self.expand = nn.Linear(config.hidden, flat)
        outs = (*config.channels[-2::-1], config.channels[0])
        self.up = nn.ModuleList(
            nn.Conv2d(n_in, 2 * n_out, (1, 3), padding=(0, 1))
            for n_in, n_out in zip(config.channels[::-1], outs[:-1], strict=False)
        )
        self.drop, self.drop_channels = nn.Dropout(config.dropout), nn.Dropout2d(config.dropout)
        self.top = nn.Conv2d(config.channels[0], 2 * self.bands.stride, (1, 3), padding=(0, 1))

    def initial_states(self, n_streams: int) -> dict[str, Tensor]:
        """States before the first frame, all zero, by name."""
        sizes = self.bands.sizes
        states = {
            f"down{i}": torch.zeros(n_streams, self.widths[i], back, sizes[i])
            for i, back in enumerate(self.config.back)
            if back
        }
        if self.config.memory_s:
            states["means"] = torch.zeros(n_streams, N_VIEWS * len(self.config.memory_s), 1, sizes[0])
        if self.geometry.look_ahead:
            states["ahead"] = torch.zeros(n_streams, N_VIEWS, self.geometry.look_ahead, sizes[0])
        states["gru"] = torch.zeros(n_streams, self.config.pace, self.config.hidden)
        return states

    def log_power(self, spectrum: Tensor) -> Tensor:
        """``(stream, view, frame, band)``: log power of left, right, mid and side, around zero for music."""
        half = 0.5 * spectrum
        left, right = half[:, :1], half[:, 1:]
        # mid and side as signals, not from the cross spectrum: the side of a mono song is then exactly zero
        power = torch.cat([spectrum, left + right, left - right], dim=1).square().sum(-1)
        bands = self.bands
        fine, coarse = power[..., : bands.fine], power[..., bands.fine : bands.n_bins - 1]
        coarse = coarse.reshape(-1, *static_shape(coarse)[1:3], bands.n_bands - bands.fine, bands.coarse).mean(-1)
        return (torch.log(torch.cat([fine, coarse], dim=-1) + POWER_FLOOR) - self.tilt) / 3.0

    def features(self, spectrum: Tensor, states: dict[str, Tensor], after: dict[str, Tensor]) -> Tensor:
        """``(stream, feature, frame, band)``; the states it uses are written to ``after``.

        The slowest mean of each view's log power, what each quicker mean adds to the next slower one, what the
        frame itself adds to the quickest, mid and side of some later frames, and where the band lies.
        """
        x = self.log_power(spectrum)
        n_ahead, n_frames = self.geometry.look_ahead, static_shape(x)[2]
        later = []
        if n_ahead:
            known = torch.cat([states["ahead"], x], dim=2)
            after["ahead"] = known[:, :, n_frames:]
            x = known[:, :, :n_frames]
            later = [known[:, 2:, i : i + n_frames] for i in self.ahead]
        where = self.ramp + 0.0 * x[:, :1]  # expand() would fix the number of streams on export
        if "means" in states:
            means = running_means(x, states["means"], self.times)
            after["means"] = means[:, :, -1:]
            levels = torch.cat([x, means], dim=1)
            x = torch.cat([levels[:, :-N_VIEWS] - means, levels[:, -N_VIEWS:]], dim=1)
        return torch.cat([x, *later, where], dim=1)

    def recur(self, x: Tensor, before: Tensor) -> Tensor:
        """The GRU over ``x`` ``(stream, frame, unit)``, each frame going on from the one ``pace`` frames before it."""
        pace, n_frames = self.config.pace, static_shape(x)[1]
        outs = [
            self.gru(x[:, i::pace], before[:, i : i + 1].transpose(0, 1).contiguous())[0]
            for i in range(min(pace, n_frames))
        ]
        if len(outs) == 1:
            return outs[0]
        outs = [functional.pad(out, (0, 0, 0, outs[0].shape[1] - out.shape[1])) for out in outs]
        return torch.stack(outs, dim=2).flatten(1, 2)[:, :n_frames]

    def forward(self, spectrum: Tensor, states: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Mask logits ``(stream, 2, frame, bin)`` and the states after the last frame; from silence without states.

        With a look-ahead, the logits at frame ``t`` are for frame ``t - look_ahead``.
        """
        states = states or {k: v.to(spectrum.device) for k, v in self.initial_states(len(spectrum)).items()}
        after: dict[str, Tensor] = {}
        with torch.autocast(spectrum.device.type, enabled=False):  # half precision would blur the running means
            x = self.features(spectrum, states, after)
        n_frames = static_shape(x)[2]
        skips = []
        for i, layer in enumerate(self.down):
            assert isinstance(layer, nn.Conv2d)
            if self.config.back[i]:
                before = states[f"down{i}"].to(x.dtype).contiguous(memory_format=torch.channels_last)
                known = torch.cat([before, x], dim=2)
                after[f"down{i}"] = known[:, :, n_frames:]
                if n_frames == 1:  # live: spare it the frames between the two that it sees
                    pair = torch.cat([before[:, :, :1], x], dim=2)
                    x = functional.conv2d(pair, layer.weight, layer.bias, layer.stride, layer.padding)
                else:
                    x = layer(known)
            else:
                x = layer(x)
            x = self.drop_channels(activate(x))
            skips.append(x)
        flat = self.drop(self.norm(self.squeeze(x.transpose(1, 2).reshape(-1, n_frames, self.squeeze.in_features))))
        flat = self.recur(flat, states["gru"])
        after["gru"] = torch.cat([states["gru"].to(flat.dtype), flat], dim=1)[:, n_frames:]
        flat = self.drop(flat)
        x = self.expand(flat).reshape(-1, n_frames, self.config.channels[-1], self.bands.sizes[-1]).transpose(1, 2)
        for layer, skip in zip(self.up, skips[:0:-1], strict=True):
            x = interleave(activate(layer(x + skip)), 2)
        logits = interleave(self.top(x + skips[0]), self.bands.stride)
        fine, coarse = logits[..., : self.bands.fine], logits[..., self.bands.fine :]
        coarse = interleave(torch.cat([coarse] * self.bands.coarse, dim=1), self.bands.coarse)
        return torch.cat([fine, coarse, coarse[..., -1:]], dim=-1), after


def frames_ahead(look_ahead: int) -> list[int]:
    """Which of the frames after the one to be masked are features: 1, 2, 4 and so on, and the last."""
    return sorted({min(2**i, look_ahead) for i in range(look_ahead.bit_length() + 1)} - {0})


def interleave(x: Tensor, n: int) -> Tensor:
    """``(stream, n * feature, frame, band)`` to ``(stream, feature, frame, n * band)``.

    A convolution followed by this does what a transposed one does, and trains three times as fast on a CPU.
    """
    _, n_features, n_frames, n_bands = static_shape(x)
    x = x.reshape(-1, n, n_features // n, n_frames, n_bands)
    return x.permute(0, 2, 3, 4, 1).reshape(-1, n_features // n, n_frames, n_bands * n)
