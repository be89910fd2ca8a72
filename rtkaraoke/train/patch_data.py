"""Training data of networks over patches: magnitudes and ideal binary masks of whole clips, cut as they are drawn."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from rtkaraoke.evaluate.data import Item
from rtkaraoke.evaluate.mir1k import load_clip, of_singers
from rtkaraoke.evaluate.offline import fit_bins
from rtkaraoke.evaluate.patches import Matrix, ideal_binary_mask, mix_peaks
from rtkaraoke.evaluate.readers import Sources
from rtkaraoke.evaluate.spectrogram import HannStft
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.train.patch_config import PatchData, PatchTrainConfig


@dataclass(frozen=True, slots=True)
class Patches:
    """Frames of all clips one after another, and where patches begin.

    Attributes
    ----------
    magnitude : Tensor, float32 ``(frame, bin)``
        Of the mixture, at the level of a window of 2048 samples. Before each clip lie ``n_context`` silent frames.
    mask : Tensor, bool ``(frame, bin)``
        The ideal binary mask.
    starts : Tensor, int64 ``(patch,)``
        The first frame of each patch's context; the patch itself begins ``n_context`` later.
    n_context, n_frames : int
    """

    magnitude: Tensor
    mask: Tensor
    starts: Tensor
    n_context: int
    n_frames: int

    def batch(self, which: Tensor) -> tuple[Tensor, Tensor]:
        """Magnitudes and masks, both float32 ``(patch, n_context + n_frames, bin)``."""
        rows = self.starts[which][:, None] + torch.arange(self.n_context + self.n_frames, device=self.starts.device)
        return self.magnitude[rows], self.mask[rows].float()

    def to(self, device: torch.device) -> "Patches":
        """The same on ``device``."""
        return replace(
            self, magnitude=self.magnitude.to(device), mask=self.mask.to(device), starts=self.starts.to(device)
        )


def mix(item: Item, data: PatchData) -> Sources:
    """A clip, mixed by the recipe's rule."""
    if data.mixing == "sum":
        return load_clip(item, data.balance_db)
    clip = load_clip(item, None)
    voice, music = mix_peaks([clip.voice[0]], [clip.music[0]])
    return Sources(voice[None], music[None], clip.sample_rate)


def magnitudes(clip: Sources, geometry: StftGeometry, n_bins: int) -> tuple[Matrix, Matrix, Matrix]:
    """Levelled magnitudes ``(frame, n_bins)`` of voice, music and mixture, on the Hann STFT at the clip's rate."""
    stft = HannStft(geometry.at_rate(clip.sample_rate))
    scale = np.float32(stft.geometry.level_scale)
    found = (
        fit_bins(scale * np.abs(stft.spectrum(part[0])), n_bins) for part in (clip.voice, clip.music, clip.mixture)
    )
    voice, music, mixture = found
    return voice, music, mixture


def load_patches(config: PatchTrainConfig, n_context: int) -> tuple[Patches, Patches | None]:
    """The patches to learn from, and those of the clips held back to choose by, if any.

    Raises
    ------
    AudioFileError
        When the clips are not there.
    """
    data = config.data
    items = of_singers(data.singers)[: data.n_clips or None]
    held_back = items[data.valid_every - 1 :: data.valid_every] if data.valid_every else []
    train = _cut([item for item in items if item not in held_back], config, n_context)
    if data.n_patches and len(train.starts) > data.n_patches:
        generator = torch.Generator().manual_seed(config.fit.seed)
        chosen = torch.randperm(len(train.starts), generator=generator)[: data.n_patches]
        train = replace(train, starts=train.starts[chosen])
    return train, _cut(held_back, config, n_context) if held_back else None


def _cut(items: list[Item], config: PatchTrainConfig, n_context: int) -> Patches:
    n_bins, n_frames = config.network.n_bins, config.network.n_frames
    frames, masks, starts = [], [], []
    n_before = 0
    for item in items:
        voice, music, mixture = magnitudes(mix(item, config.data), config.stft_geometry, n_bins)
        silence = ((n_context, 0), (0, 0))
        frames.append(np.pad(mixture, silence))
        masks.append(np.pad(ideal_binary_mask(voice, music).astype(np.bool_), silence))
        starts.append(n_before + np.arange(0, len(mixture) - n_frames + 1, config.data.stride))
        n_before += n_context + len(mixture)
    return Patches(
        torch.from_numpy(np.concatenate(frames)),
        torch.from_numpy(np.concatenate(masks)),
        torch.from_numpy(np.concatenate(starts)),
        n_context,
        n_frames,
    )
