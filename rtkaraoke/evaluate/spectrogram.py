"""The whole-song STFT of the two papers: symmetric Hann window, zeros behind it, overlap-add divided by the windows.

The streaming STFT of the engine has another window and a shorter latency; its geometry holds here too.
"""

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.geometry import StftGeometry

TINY = 1e-3  # of the summed window: at the very ends, where next to nothing was seen, nothing is blown up


class HannStft:
    """Analysis and synthesis of one channel.

    Parameters
    ----------
    geometry : StftGeometry
        Its look-ahead does not matter. Frame ``t`` begins with sample ``t * hop - (window - hop)``, as if silence came
        before: so it ends where the engine's frame ``t`` ends.
    """

    def __init__(self, geometry: StftGeometry) -> None:
        self.geometry = geometry
        self.window = np.hanning(geometry.window)

    @property
    def gain(self) -> float:
        """Sum of the window: a full-scale sine has half of it as magnitude."""
        return float(self.window.sum())

    def spectrum(self, signal: NDArray[np.float32]) -> NDArray[np.complex64]:
        """Complex ``(frame, bin)`` of ``(sample,)``; the last frames hold silence after the end."""
        geometry = self.geometry
        before = geometry.window - geometry.hop
        n_frames = -(-(len(signal) + before) // geometry.hop)
        padded = np.zeros(before + n_frames * geometry.hop)
        padded[before : before + len(signal)] = signal
        frames = np.lib.stride_tricks.sliding_window_view(padded, geometry.window)[:: geometry.hop]
        return np.fft.rfft(frames * self.window, geometry.n_fft).astype(np.complex64)

    def signal(self, spectrum: NDArray[np.complex64], n_samples: int) -> NDArray[np.float32]:
        """``(n_samples,)`` of ``(frame, bin)``: inverse transforms added up, divided by the summed window."""
        geometry = self.geometry
        before = geometry.window - geometry.hop
        frames = np.fft.irfft(spectrum, geometry.n_fft)[:, : geometry.window]
        n_total = (len(frames) - 1) * geometry.hop + geometry.window
        total, weight = np.zeros(n_total), np.zeros(n_total)
        for t, frame in enumerate(frames):
            at = slice(t * geometry.hop, t * geometry.hop + geometry.window)
            total[at] += frame
            weight[at] += self.window
        found = total / np.maximum(weight, TINY * weight.max(initial=1.0))
        return found[before : before + n_samples].astype(np.float32)
