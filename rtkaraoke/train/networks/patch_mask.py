"""How a network over patches becomes a mask per frame, live: what is remembered, which rows are read, how they vote.

Both modules here have the form that :mod:`rtkaraoke.train.export` wants: ``initial_states(n_streams)`` and
``forward(spectrum, states) -> mask, states``. Look-ahead ``k`` means that the mask that comes out with frame ``t``
is that of frame ``t - k``; every ``k`` is read from the same weights.
"""

import torch
from torch import Tensor, nn

from rtkaraoke.errors import ConfigError
from rtkaraoke.train.networks.deep_karaoke import DeepKaraoke
from rtkaraoke.train.networks.ibm_cnn import IbmCnn, StreamingIbmCnn


def magnitude(spectrum: Tensor, scale: float) -> Tensor:
    """Scaled magnitude ``(stream, frame, bin)`` of one channel's spectrum ``(stream, 1, frame, bin, 2)``."""
    return scale * (spectrum[:, 0, ..., 0].square() + spectrum[:, 0, ..., 1].square()).sqrt()


class LiveMask(nn.Module):
    """What both forms share: one channel in, the mask itself out (no logits, since votes are averaged as such).

    Parameters
    ----------
    network : DeepKaraoke or IbmCnn
    look_ahead : int
        Frames that come after the masked one, 0 to one less than the patch has.
    scale : float
        From a magnitude at the level of a window of 2048 samples to what the network was trained on.

    Raises
    ------
    ConfigError
        When the patch has no such row.
    """

    n_channels = 1

    def __init__(self, network: DeepKaraoke | IbmCnn, look_ahead: int = 0, scale: float = 1.0) -> None:
        super().__init__()
        if not 0 <= look_ahead < network.n_frames:
            raise ConfigError(
                f"a look-ahead of {look_ahead} frames: a patch of {network.n_frames} frames has room for "
                f"0 to {network.n_frames - 1}"
            )
        self.network = network
        self.look_ahead = look_ahead
        self.scale = scale
        self.first_row = network.n_frames - 1 - look_ahead

    @property
    def n_bins(self) -> int:
        """Lowest bins of the spectrum that it sees and masks."""
        return self.network.n_bins

    def initial_states(self, n_streams: int) -> dict[str, Tensor]:
        """States before the first frame, all zero, by name."""
        raise NotImplementedError


class PatchMask(LiveMask):
    """A network that runs over a whole patch with every frame.

    Parameters
    ----------
    network, look_ahead, scale
        See the module's docstring.
    votes : bool
        Average what all patches said of a frame by the time its mask is due, ``look_ahead + 1`` of them (Simpson et
        al. 2015), in place of reading its row of the last patch alone (Lin et al. 2018).
    """

    def __init__(
        self, network: DeepKaraoke | IbmCnn, look_ahead: int = 0, scale: float = 1.0, *, votes: bool = False
    ) -> None:
        super().__init__(network, look_ahead, scale)
        self.votes = votes and look_ahead > 0

    def initial_states(self, n_streams: int) -> dict[str, Tensor]:
        """The frames before the patch's last one, and the sums of the votes so far; all zero."""
        states = {"frames": torch.zeros(n_streams, self.network.n_frames - 1, self.n_bins)}
        if self.votes:
            states["votes"] = torch.zeros(n_streams, self.look_ahead, self.n_bins)
        return states

    def forward(self, spectrum: Tensor, states: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Mask ``(stream, 1, frame, bin)`` of a spectrum ``(stream, 1, frame, bin, 2)``, and the states after it."""
        states = states or {k: v.to(spectrum.device) for k, v in self.initial_states(len(spectrum)).items()}
        n_frames = self.network.n_frames
        frames = torch.cat([states["frames"], magnitude(spectrum, self.scale)], dim=1)
        after = {"frames": frames[:, 1 - n_frames :]}
        if n_frames == 1:
            after["frames"] = states["frames"]
        masks = []
        sums = states.get("votes")
        for t in range(spectrum.shape[2]):
            rows = torch.sigmoid(self.network(frames[:, t : t + n_frames], self.first_row))
            if sums is not None:
                rows = torch.cat([sums + rows[:, :-1], rows[:, -1:]], dim=1)
                sums = rows[:, 1:]
                rows = rows / (self.look_ahead + 1)
            masks.append(rows[:, 0])
        if sums is not None:
            after["votes"] = sums
        return torch.stack(masks, dim=1).unsqueeze(1), after


class CachedMask(LiveMask):
    """The streaming convolutional network: every frame is convolved once, the dense layers run with every frame."""

    network: StreamingIbmCnn

    def initial_states(self, n_streams: int) -> dict[str, Tensor]:
        """See :meth:`StreamingIbmCnn.initial_states`."""
        return self.network.initial_states(n_streams)

    def forward(self, spectrum: Tensor, states: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """As :meth:`PatchMask.forward`."""
        logits, after = self.network.sequence(magnitude(spectrum, self.scale), states, self.first_row)
        return torch.sigmoid(logits[:, :, 0]).unsqueeze(1), after


def live_mask(network: DeepKaraoke | IbmCnn, look_ahead: int = 0, scale: float = 1.0) -> LiveMask:
    """The form in which ``network`` runs live."""
    if isinstance(network, StreamingIbmCnn):
        return CachedMask(network, look_ahead, scale)
    return PatchMask(network, look_ahead, scale, votes=isinstance(network, DeepKaraoke))
