"""What a trained network over patches is good for: whole songs as published, look-ahead by look-ahead, and export."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from rtkaraoke.dsp.windows import window_pair
from rtkaraoke.errors import ConfigError
from rtkaraoke.evaluate.offline import OfflineSeparator
from rtkaraoke.evaluate.patches import Matrix, average_votes, rescale
from rtkaraoke.masks.protocol import ModelInfo
from rtkaraoke.train.export import weights_hash, write
from rtkaraoke.train.networks.deep_karaoke import DeepKaraoke
from rtkaraoke.train.networks.ibm_cnn import StreamingIbmCnn
from rtkaraoke.train.networks.patch_mask import live_mask
from rtkaraoke.train.patch_fit import Trained, load_trained

BATCH = 64  # patches at a time


@dataclass(frozen=True, slots=True)
class Rows:
    """What all patches say of a song: patch ``i`` ends with frame ``i``, silence lies around the song.

    ``probability`` is float32 ``(n_total + n_frames - 1, n_frames, bin)``, ``votes`` whether patches are averaged.
    """

    probability: Matrix
    votes: bool

    @property
    def n_frames(self) -> int:
        """Frames of a patch."""
        return self.probability.shape[1]

    def at(self, look_ahead: int) -> Matrix:
        """Probabilities ``(frame, bin)`` when so many later frames may be seen; as live, whatever the patch length.

        Raises
        ------
        ConfigError
            When the patch has no such row.
        """
        n_frames = self.n_frames
        if not 0 <= look_ahead < n_frames:
            raise ConfigError(f"a look-ahead of {look_ahead} frames: a patch of {n_frames} has 0 to {n_frames - 1}")
        n_total = len(self.probability) - n_frames + 1
        if self.votes:
            return average_votes(self.probability, 1, look_ahead)[n_frames - 1 : n_frames - 1 + n_total]
        return self.probability[look_ahead : look_ahead + n_total, n_frames - 1 - look_ahead]

    def published(self) -> Matrix:
        """As published: all votes, stretched to [0, 1] (DK); the patch's middle frame (CNN)."""
        return rescale(self.at(self.n_frames - 1)) if self.votes else self.at(self.n_frames // 2)


@torch.no_grad()
def rows_of(trained: Trained, magnitude: Matrix) -> Rows:
    """Run the network over every patch of levelled Hann magnitudes ``(frame, bin)``."""
    network, n_frames = trained.network, trained.network.n_frames
    frames = trained.scale * torch.from_numpy(magnitude)
    after = functional.pad(frames, (0, 0, 0, n_frames - 1))
    if isinstance(network, StreamingIbmCnn):
        found = torch.sigmoid(network.sequence(after[None])[0][0])
    else:
        patches = functional.pad(after, (0, 0, n_frames - 1, 0)).unfold(0, n_frames, 1).transpose(1, 2)
        found = torch.cat([torch.sigmoid(network(batch)) for batch in patches.split(BATCH)])
    return Rows(found.numpy(), isinstance(network, DeepKaraoke))


def separator(trained: Trained, choose: Callable[[Rows], Matrix] = Rows.published) -> OfflineSeparator:
    """The whole-song separator that ``choose`` makes of the rows; ``rows.at(0)`` knows the past only."""
    geometry = trained.config.stft_geometry
    return OfflineSeparator(geometry, trained.network.n_bins, lambda magnitude: choose(rows_of(trained, magnitude)))


def export_patches(checkpoint: Path | str, out_path: Path | str, look_ahead: int = 0) -> ModelInfo:
    """Write the live form of a trained network, and return what it says of itself.

    The engine's window is not the Hann window of training: magnitudes are scaled by what the two windows sum to, so a
    steady tone has the level that the network knows.

    Raises
    ------
    ModelError
        When torch and ONNX Runtime differ.
    ConfigError
        When the patch has no row for this look-ahead.
    """
    trained = load_trained(checkpoint)
    config, network = trained.config, trained.network
    network.load_state_dict({name: value.half().float() for name, value in network.state_dict().items()})
    geometry = replace(config.stft_geometry, look_ahead=look_ahead)
    analysis, _ = window_pair(geometry)
    scale = trained.scale * float(np.hanning(geometry.window).sum() / analysis.sum(dtype=np.float64))
    info = ModelInfo(
        geometry=geometry,
        n_channels=1,
        revision=f"{trained.best_epoch}-{weights_hash(network)}",
        n_bins=network.n_bins,
        alpha=config.alpha,
        theta=config.theta,
        **asdict(config.card),
    )
    write(live_mask(network, look_ahead, scale), info, out_path)
    return info
