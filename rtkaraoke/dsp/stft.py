"""The streaming STFT: a hop of samples in, a spectrum out; a spectrum and a mask in, a hop of samples out."""

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.dsp import kernels
from rtkaraoke.dsp.windows import window_pair
from rtkaraoke.geometry import StftGeometry


class StreamingStft:
    """Analysis and synthesis with the asymmetric window pair, one hop at a time.

    The caller writes the newest hop into ``history[:, -hop:]``, then calls :meth:`analyse`. What
    :meth:`synthesise` returns for a frame is the hop *before* the newest one of that frame: with a mask of ones it
    is the input, one hop later, to -120 dB. Where the transform is longer than the window, zeros come first, so that
    the newest sample is the last of the frame in any case.

    Parameters
    ----------
    geometry : StftGeometry
    n_channels : int

    Attributes
    ----------
    history : ndarray, float32 ``(channel, window)``
        The samples under the analysis window, newest last.
    """

    def __init__(self, geometry: StftGeometry, n_channels: int) -> None:
        self.geometry = geometry
        self.history = np.zeros((n_channels, geometry.window), np.float32)
        self._analysis, self._synthesis = window_pair(geometry)
        self._frame = np.zeros((n_channels, geometry.n_fft), np.float32)
        self._masked = np.zeros((n_channels, geometry.n_bins), np.complex64)
        self._overlap = np.zeros((n_channels, geometry.hop), np.float32)

    def analyse(self, spectrum: NDArray[np.complex64]) -> None:
        """Fill ``spectrum`` ``(channel, bin)`` from the history and make room for the next hop."""
        kernels.analyse(self.history, self._analysis, self._frame, spectrum)
        kernels.shift_left(self.history, self.geometry.hop)

    def synthesise(
        self, spectrum: NDArray[np.complex64], mask: NDArray[np.float32], hop_out: NDArray[np.float32]
    ) -> None:
        """Fill ``hop_out`` ``(channel, hop)`` with what ``mask x spectrum`` and the frames before it complete."""
        kernels.synthesise(spectrum, mask, self._synthesis, self._masked, self._overlap, hop_out)

    def reset(self) -> None:
        """Silence in all memories."""
        self.history.fill(0.0)
        self._overlap.fill(0.0)
