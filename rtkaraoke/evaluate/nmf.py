"""Supervised non-negative factorisation of patches: the baseline of the first paper.

Bases of voice and of music are learned apart from stacked patches of their magnitudes, both minimising the generalised
Kullback-Leibler divergence by multiplicative updates (D. D. Lee, H. S. Seung 2001). A mixture is then explained by
all of them together, and what the voice's bases explain, of the whole, is the voice's probability.

Source: A. J. R. Simpson, G. Roma, M. D. Plumbley, "Deep Karaoke", LVA/ICA 2015: 1500 bases per class, 100 iterations to
learn and 100 to explain. Computed by scikit-learn.
"""

from typing import Any

import numpy as np

from rtkaraoke.evaluate.extras import require
from rtkaraoke.evaluate.patches import Matrix, average_votes, cut_patches

TINY = 1e-12
PURPOSE = "the baseline NMF"


class PatchNmf:
    """Bases of voice and music, and the probabilities that follow.

    Parameters
    ----------
    n_bases : int
        Per class.
    n_frames : int
        Of a patch.
    n_iterations : int
        To learn, and again to explain.
    stride : int
        Between the patches of a mixture, in frames; 1 gives every frame ``n_frames`` votes and takes longest.
    seed : int

    Raises
    ------
    RtkaraokeError
        When scikit-learn is not installed.
    """

    def __init__(
        self, n_bases: int = 1500, n_frames: int = 20, n_iterations: int = 100, stride: int = 1, seed: int = 0
    ) -> None:
        self.n_bases = n_bases
        self.n_frames = n_frames
        self.n_iterations = n_iterations
        self.stride = stride
        self.seed = seed
        self._sklearn = require("sklearn.decomposition", PURPOSE)
        self.bases: Matrix = np.zeros((0, 0), np.float32)  # (2 * n_bases, frame * bin), voice first

    def fit(self, voice: Matrix, music: Matrix) -> "PatchNmf":
        """Learn from patches ``(patch, frame, bin)`` of each class alone."""
        self.bases = np.concatenate([self._learn(voice), self._learn(music)])
        return self

    def probability(self, magnitude: Matrix) -> Matrix:
        """The voice's share of each bin of ``(frame, bin)``, averaged over the patches that cover it."""
        n_frames = len(magnitude)
        # Whole strides, and a whole patch after the last frame's first: zeros explain themselves.
        n_patches = max(0, -(-(n_frames - self.n_frames) // self.stride)) + 1
        padded = np.pad(magnitude, ((0, (n_patches - 1) * self.stride + self.n_frames - n_frames), (0, 0)))
        patches = cut_patches(padded, self.n_frames, self.stride)
        share = self._share(patches.reshape(len(patches), -1)).reshape(patches.shape)
        return average_votes(share, self.stride)[:n_frames]

    def _learn(self, patches: Matrix) -> Matrix:
        model = self._sklearn.NMF(self.n_bases, init="random", random_state=self.seed, **self._options())
        model.fit(patches.reshape(len(patches), -1))
        return np.asarray(model.components_, np.float32)

    def _share(self, rows: Matrix) -> Matrix:
        activations, _, _ = self._sklearn.non_negative_factorization(
            rows, H=self.bases, n_components=len(self.bases), update_H=False, **self._options()
        )
        n_voice = len(self.bases) // 2
        voice = activations[:, :n_voice] @ self.bases[:n_voice]
        music = activations[:, n_voice:] @ self.bases[n_voice:]
        return np.asarray((voice + TINY) / (voice + music + 2 * TINY), np.float32)

    def _options(self) -> dict[str, Any]:
        return {"solver": "mu", "beta_loss": "kullback-leibler", "max_iter": self.n_iterations, "tol": 0.0}
