"""The fully connected network over 20 frames that answers with a probability for every bin of them.

Source: A. J. R. Simpson, G. Roma, M. D. Plumbley, "Deep Karaoke: Extracting Vocals from Musical Mixtures Using a
Convolutional Deep Neural Network", LVA/ICA 2015, arXiv 1504.04658, and the authors' released code. "Convolutional"
because the window of 20 frames slides by one: every frame is seen, and voted on, by 20 patches.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtkaraoke.errors import ConfigError

HIDDEN_BIAS = -6.0  # at the start nearly all hidden units are silent, which makes the code sparse
PUBLISHED_PARAMETERS = 840_541_000


@dataclass(frozen=True, slots=True)
class DeepKaraokeConfig:
    """Sizes of the network; the defaults are the published ones.

    Parameters
    ----------
    n_bins : int
        Lowest bins of the spectrum that it sees and masks.
    n_frames : int
        Frames of a patch.
    hidden : int
        Hidden units; 0 for as many as the patch has values.
    """

    n_bins: int = 1025
    n_frames: int = 20
    hidden: int = 0

    def __post_init__(self) -> None:
        if self.n_bins < 1 or self.n_frames < 1 or self.hidden < 0:
            raise ConfigError(
                f"a network of {self.n_bins} bins, {self.n_frames} frames and {self.hidden} hidden units: "
                "bins and frames must be 1 or more, hidden units 0 (as many as values) or more"
            )


def squared_error(logits: Tensor, target: Tensor) -> Tensor:
    """Half the squared error of the sigmoids, summed over a patch and averaged over patches: the published loss.

    ``logits`` and the hard binary ``target`` are ``(patch, frame, bin)``.
    """
    return 0.5 * (torch.sigmoid(logits) - target).square().flatten(1).sum(1).mean()


class DeepKaraoke(nn.Module):
    """Two layers of sigmoids, the hidden ones with a bias of -6: ``sigmoid(W2 sigmoid(W1 x + b1 - 6) + b2)``.

    ``forward`` takes patches of linear magnitudes on the scale of the training data's maximum, and gives logits.
    """

    smoothing = 0.0  # of its labels
    loss = staticmethod(squared_error)

    def __init__(self, config: DeepKaraokeConfig = DeepKaraokeConfig()) -> None:
        super().__init__()
        self.config = config
        self.n_bins, self.n_frames = config.n_bins, config.n_frames
        size = config.n_bins * config.n_frames
        self.inner = nn.Linear(size, config.hidden or size)
        self.outer = nn.Linear(config.hidden or size, size)
        for layer in (self.inner, self.outer):
            bound = 4 * math.sqrt(6 / (layer.in_features + layer.out_features))
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.zeros_(layer.bias)

    def forward(self, patches: Tensor, first_row: int = 0) -> Tensor:
        """Logits ``(patch, frame, bin)`` of magnitudes ``(patch, frame, bin)``.

        Only the frames from ``first_row`` on are computed: a live step needs the last ones alone.
        """
        hidden = torch.sigmoid(self.inner(patches.flatten(1)) + HIDDEN_BIAS)
        start = first_row * self.n_bins
        logits = functional.linear(hidden, self.outer.weight[start:], self.outer.bias[start:])
        return logits.unflatten(1, (self.n_frames - first_row, self.n_bins))
