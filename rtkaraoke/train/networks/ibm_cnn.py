"""The convolutional network over 9 frames, trained on the ideal binary mask with cross entropy.

Source: K. W. E. Lin, B. T. Balamurali, E. Koh, S. Lui, D. Herremans, "Singing Voice Separation Using a Deep
Convolutional Neural Network Trained by Ideal Binary Mask and Cross Entropy", Neural Computing and Applications 2018,
arXiv 1812.01278, and the authors' released code.

Four convolutions of 3 frames x 12 bins, each pair followed by a maximum over 12 bins, then three dense layers::

    9 x 2049 ─► 32 ─► 16 ─► 9 x 171 ─► 64 ─► 32 ─► 9 x 15 = 4320 ─► 2048 ─► 512 ─► 9 x 2049

"Same" padding as TensorFlow has it: where an even number cannot be shared equally, the upper side gets more.

:class:`IbmCnn` is the published form, whose convolutions see zeros beyond the patch on both sides. In
:class:`StreamingIbmCnn`, which has the same weights, they see the past only, and beyond the patch what was really
there: so every frame is convolved once, and a step costs a seventh.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtkaraoke.errors import ConfigError
from rtkaraoke.evaluate.patches import SMOOTHING

KERNEL = (3, 12)  # frames, bins
POOL = 12  # bins
BIAS = 0.1  # of every layer, at the start
PUBLISHED_PARAMETERS = 19_489_049


@dataclass(frozen=True, slots=True)
class IbmCnnConfig:
    """Sizes of the network; the defaults are the published ones.

    Parameters
    ----------
    n_bins : int
        Lowest bins of the spectrum that it sees and masks.
    n_frames : int
        Frames of a patch.
    channels : tuple of int
        Features after each of the four convolutions.
    dense : tuple of int
        Units of the two hidden dense layers.
    dropout : float
        Share of the values before each hidden dense layer that training leaves out.
    """

    n_bins: int = 2049
    n_frames: int = 9
    channels: tuple[int, ...] = (32, 16, 64, 32)
    dense: tuple[int, ...] = (2048, 512)
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if min(self.n_bins, self.n_frames - 1, *self.channels, *self.dense) < 1 or not 0 <= self.dropout < 1:
            raise ConfigError(f"{self}: frames must be 2 or more, other sizes 1, dropout from 0 to below 1")
        if len(self.channels) != 4 or len(self.dense) != 2:
            raise ConfigError(
                f"{len(self.channels)} convolutions and {len(self.dense)} hidden dense layers: wanted 4 and 2"
            )

    @property
    def pooled_bins(self) -> int:
        """Bins that are left after both pools."""
        return pooled(pooled(self.n_bins))

    @property
    def bins(self) -> tuple[int, ...]:
        """Bins that each convolution sees."""
        return (self.n_bins,) * 2 + (pooled(self.n_bins),) * 2


def pooled(n_bins: int) -> int:
    """Bins that are left of ``n_bins`` after a pool."""
    return -(-n_bins // POOL)


def same_padding(n_in: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros below and above ``n_in`` values so that ``ceil(n_in / stride)`` come out, as TensorFlow shares them."""
    total = max((-(-n_in // stride) - 1) * stride + kernel - n_in, 0)
    return total // 2, total - total // 2


BIN_PADDING = same_padding(KERNEL[1], KERNEL[1], 1)  # 5 below, 6 above, whatever the number of bins


def pool(x: Tensor, n_bins: int) -> Tensor:
    """Maximum over 12 bins of ``(..., n_bins)``, "same" padding: zeros, which no rectified value is below."""
    return functional.max_pool2d(functional.pad(x, same_padding(n_bins, POOL, POOL)), (1, POOL))


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean sigmoid cross entropy over all bins of all patches; ``labels`` are probabilities, of the same shape."""
    return functional.binary_cross_entropy_with_logits(logits, labels)


class IbmCnn(nn.Module):
    """The published network: ``forward`` takes patches of linear magnitudes and gives logits.

    Magnitudes are those of a window that sums to one: a full-scale sine has 0.5.
    """

    smoothing = SMOOTHING  # of its labels
    loss = staticmethod(cross_entropy)

    def __init__(self, config: IbmCnnConfig = IbmCnnConfig()) -> None:
        super().__init__()
        self.config = config
        self.n_bins, self.n_frames = config.n_bins, config.n_frames
        self.convolutions = nn.ModuleList(
            nn.Conv2d(n_in, n_out, KERNEL) for n_in, n_out in pairwise((1, *config.channels))
        )
        flat = config.n_frames * config.channels[-1] * config.pooled_bins
        sizes = (flat, *config.dense, config.n_frames * config.n_bins)
        self.dense = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in pairwise(sizes))
        self.dropout = nn.Dropout(config.dropout)
        for layer in (*self.convolutions, *self.dense):
            assert isinstance(layer, nn.Conv2d | nn.Linear)
            assert layer.bias is not None
            nn.init.xavier_uniform_(layer.weight)
            nn.init.constant_(layer.bias, BIAS)

    def forward(self, patches: Tensor, first_row: int = 0) -> Tensor:
        """Logits ``(patch, frame, bin)`` of magnitudes ``(patch, frame, bin)``, those of ``first_row`` and later."""
        x = patches.unsqueeze(1)
        for i, layer in enumerate(self.convolutions):
            x = torch.relu(layer(functional.pad(x, (*BIN_PADDING, 1, 1))))
            if i % 2:
                x = pool(x, self.config.bins[i])
        return self.read(x, first_row)

    def read(self, features: Tensor, first_row: int = 0) -> Tensor:
        """The dense layers: logits ``(patch, frame, bin)`` of pooled features ``(patch, channel, frame, band)``."""
        x = features.transpose(1, 2).flatten(1)
        for layer in self.dense[:-1]:
            x = torch.relu(layer(self.dropout(x)))
        last = self.dense[-1]
        assert isinstance(last, nn.Linear)
        start = first_row * self.n_bins
        logits = functional.linear(x, last.weight[start:], last.bias[start:])
        return logits.unflatten(1, (self.n_frames - first_row, self.n_bins))


class StreamingIbmCnn(IbmCnn):
    """The same weights with convolutions that look back only, so that none is computed twice.

    One ``forward`` runs whole sequences in training and single frames live. It must be trained in this form: the
    features of a frame no longer depend on where in the patch the frame stands.
    """

    @property
    def n_context(self) -> int:
        """Frames before a patch that its features depend on."""
        return (KERNEL[0] - 1) * len(self.convolutions)

    def initial_states(self, n_streams: int) -> dict[str, Tensor]:
        """What lies before the first frame, all zero: two frames per convolution, eight of pooled features."""
        config = self.config
        states = {
            f"conv{i}": torch.zeros(n_streams, n_in, KERNEL[0] - 1, n_bins)
            for i, (n_in, n_bins) in enumerate(zip((1, *config.channels[:-1]), config.bins, strict=True))
        }
        states["pooled"] = torch.zeros(n_streams, config.channels[-1], config.n_frames - 1, config.pooled_bins)
        return states

    def sequence(
        self, magnitudes: Tensor, states: dict[str, Tensor] | None = None, first_row: int = 0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits of the patch that ends with each frame, and the states after the last one.

        Parameters
        ----------
        magnitudes : Tensor ``(stream, frame, bin)``
        states : dict, optional
            From silence on when left out.
        first_row : int
            Rows of each patch before this one are not computed.

        Returns
        -------
        Tensor ``(stream, frame, row, bin)``, dict
        """
        states = states or {k: v.to(magnitudes.device) for k, v in self.initial_states(len(magnitudes)).items()}
        after: dict[str, Tensor] = {}
        x = magnitudes.unsqueeze(1)
        for i, layer in enumerate(self.convolutions):
            x = torch.cat([states[f"conv{i}"], x], dim=2)
            after[f"conv{i}"] = x[:, :, 1 - KERNEL[0] :]
            x = torch.relu(layer(functional.pad(x, BIN_PADDING)))
            if i % 2:
                x = pool(x, self.config.bins[i])
        x = torch.cat([states["pooled"], x], dim=2)
        after["pooled"] = x[:, :, 1 - self.n_frames :]
        n_patches = magnitudes.shape[1]
        rows = [self.read(x[:, :, t : t + self.n_frames], first_row) for t in range(n_patches)]
        return torch.stack(rows, dim=1), after

    def forward(self, patches: Tensor, first_row: int = 0) -> Tensor:
        """As :meth:`IbmCnn.forward`, of patches with :attr:`n_context` frames of the past before them."""
        x = patches.unsqueeze(1)
        for i, layer in enumerate(self.convolutions):
            x = torch.relu(layer(functional.pad(x, BIN_PADDING)))
            if i % 2:
                x = pool(x, self.config.bins[i])
        return self.read(x, first_row)
