"""The rules by which the two papers make labels, cut patches, count votes and cut masks; plain NumPy.

Magnitudes, labels, probabilities and masks are float32 ``(frame, bin)``; patches ``(patch, frame, bin)``.

=====  ==============================================================================================================
DK     A. J. R. Simpson, G. Roma, M. D. Plumbley, "Deep Karaoke", LVA/ICA 2015, arXiv 1504.04658
CNN    K. W. E. Lin et al., "Singing Voice Separation Using a Deep Convolutional Neural Network Trained by Ideal
       Binary Mask and Cross Entropy", Neural Computing and Applications 2018, arXiv 1812.01278
=====  ==============================================================================================================

Both papers mask the voice and the music each by a rule of its own, so the two need not add up to the mixture.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SMOOTHING = 0.02  # CNN: labels are 0.02 and 0.98

Matrix = NDArray[np.float32]


class Masks(NamedTuple):
    """Shares of each bin, both ``(frame, bin)`` in [0, 1]."""

    voice: Matrix
    music: Matrix


def ideal_binary_mask(voice: Matrix, music: Matrix) -> Matrix:
    """1 where the voice's magnitude is strictly above the music's, else 0."""
    return (voice > music).astype(np.float32)


def smooth_labels(labels: Matrix, smoothing: float = SMOOTHING) -> Matrix:
    """Labels moved by ``smoothing`` towards each other: 0 and 1 become 0.02 and 0.98 (CNN)."""
    return (smoothing + (1 - 2 * smoothing) * labels).astype(np.float32)


def cut_patches(frames: Matrix, n_frames: int, stride: int = 1) -> Matrix:
    """All patches of ``n_frames`` frames that lie inside ``frames`` ``(frame, bin)``, ``stride`` frames apart.

    A view ``(patch, frame, bin)``; empty when there are fewer frames.
    """
    if len(frames) < n_frames:
        return np.zeros((0, n_frames, frames.shape[1]), frames.dtype)
    return np.lib.stride_tricks.sliding_window_view(frames, n_frames, axis=0)[::stride].transpose(0, 2, 1)


def average_votes(patches: Matrix, stride: int = 1, look_ahead: int | None = None) -> Matrix:
    """The mean over all patches that cover a frame, of what they say of it (DK).

    Parameters
    ----------
    patches : ndarray ``(patch, frame, bin)``
        Patch ``i`` begins with frame ``i * stride``.
    stride : int
        In frames, at most as many as a patch votes on: so every frame has a vote.
    look_ahead : int, optional
        Only votes of patches that end at most so many frames after the frame: what can be known by then. All when left
        out. Frames before the first such patch has ended have what the earliest ones say.

    Returns
    -------
    ndarray, float32 ``(frame, bin)``
    """
    n_patches, n_frames, n_bins = patches.shape
    first_row = 0 if look_ahead is None else max(0, n_frames - 1 - look_ahead)
    if not 1 <= stride <= n_frames - first_row:
        raise ValueError(f"a stride of {stride} with votes on {n_frames - first_row} frames: those between have none")
    n_total = (n_patches - 1) * stride + n_frames
    sums, counts = np.zeros((n_total, n_bins)), np.zeros((n_total, 1))
    for i, patch in enumerate(patches):
        first = 0 if i == 0 else first_row
        sums[i * stride + first : i * stride + n_frames] += patch[first:]
        counts[i * stride + first : i * stride + n_frames] += 1
    return (sums / counts).astype(np.float32)


def rescale(probability: Matrix) -> Matrix:
    """Stretch to the whole of [0, 1] (DK); not causal. What is constant stays as it is."""
    low, high = probability.min(), probability.max()
    return probability if high == low else ((probability - low) / (high - low)).astype(np.float32)


def alpha_masks(probability: Matrix, alpha: float) -> Masks:
    """Binary masks at confidence ``alpha`` in [0, 1]: voice where p > alpha, music where p < 1 - alpha (DK).

    At 0.5 they are complementary, but for bins of exactly 0.5; above it some bins go to neither, below it some go to
    both.
    """
    return Masks((probability > alpha).astype(np.float32), (probability < 1 - alpha).astype(np.float32))


def theta_masks(probability: Matrix, theta: float) -> Masks:
    """Soft masks with a floor ``theta`` in [0, 1]: p where p >= theta, 1 - p where 1 - p >= theta, else 0 (CNN)."""
    other = 1 - probability
    voice = np.where(probability >= theta, probability, 0).astype(np.float32)
    return Masks(voice, np.where(other >= theta, other, 0).astype(np.float32))


def mix_peaks(voices: list[Matrix], musics: list[Matrix]) -> tuple[Matrix, Matrix]:
    """Voice and music as the first paper mixes them: their sum is the mixture (DK).

    Every stem ``(sample,)`` is brought to a peak of 1; stems of a class are summed and divided by their number;
    mixture = 0.5 voice + 0.5 music. A silent stem stays silent.
    """

    def half(stems: list[Matrix]) -> Matrix:
        peaks = [float(np.abs(stem).max(initial=0.0)) or 1.0 for stem in stems]
        total = sum(stem / np.float32(peak) for stem, peak in zip(stems, peaks, strict=True))
        return np.asarray(0.5 * total / len(stems), np.float32)

    return half(voices), half(musics)
