"""The torch twin of the streaming STFT, for training through the very path that plays live.

Frame ``t`` ends with sample ``(t + 1) * hop``; before the first sample lies silence, as in a stream that has
just begun. A test ties it to the real one.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtkaraoke.dsp.windows import window_pair
from rtkaraoke.geometry import StftGeometry


class TorchStft(nn.Module):
    """Analysis and synthesis of whole signals with the asymmetric window pair."""

    analysis: Tensor
    synthesis: Tensor

    def __init__(self, geometry: StftGeometry) -> None:
        super().__init__()
        self.geometry = geometry
        analysis, synthesis = window_pair(geometry)
        self.register_buffer("analysis", torch.from_numpy(analysis), persistent=False)
        self.register_buffer("synthesis", torch.from_numpy(synthesis), persistent=False)

    def spectrum(self, audio: Tensor) -> Tensor:
        """Complex ``(..., frame, bin)`` of real ``(..., sample)``; whole hops only, the rest is dropped."""
        n_fft, window, hop = self.geometry.n_fft, self.geometry.window, self.geometry.hop
        frames = functional.pad(audio, (window - hop, 0)).unfold(-1, window, hop)
        windowed = frames * self.analysis
        return torch.fft.rfft(functional.pad(windowed, (n_fft - window, 0)) if window < n_fft else windowed)

    def waveform(self, spectrum: Tensor) -> Tensor:
        """Real ``(..., (frame - 1) * hop)`` of ``(..., frame, bin)``, in time with the analysed signal.

        The last hop is missing, because only the frame after it would complete it.
        """
        n_fft, hop = self.geometry.n_fft, self.geometry.hop
        tail = torch.fft.irfft(spectrum, n=n_fft)[..., -2 * hop :] * self.synthesis
        return (tail[..., :-1, hop:] + tail[..., 1:, :hop]).flatten(-2)
