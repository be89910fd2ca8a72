"""Spleeter's two-stem networks as a teacher: what a separator that has heard 24 000 songs would take for the voice.

R. Hennequin, A. Khlif, F. Voituret and M. Moussallam, "Spleeter: a fast and efficient music source separation tool
with pre-trained models", Journal of Open Source Software 5(50), 2020. Two U-nets of A. Jansson et al. (ISMIR 2017) on
magnitudes of 93 ms frames up to 11 kHz, which look six seconds ahead: far too late for live use. Their weights, MIT
licence, are fetched by ``scripts/spleeter.py``.

A small data set is soon known by heart; what a better-read teacher makes of endless mixtures of it is not
(L. Beyer et al., "Knowledge distillation: a good teacher is patient and consistent", CVPR 2022).
"""

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtkaraoke.errors import ConfigError, ModelError

N_FFT, HOP, N_BINS = 4096, 1024, 1024  # at 44.1 kHz
WIDTHS = (2, 16, 32, 64, 128, 256, 512)
N_FRAMES = 2 ** (len(WIDTHS) - 1)  # the network halves time as often as frequency
STEMS = ("voice", "music")
EPSILON = 1e-10


class Unet(nn.Module):
    """From magnitudes ``(example, channel, frame, bin)`` of a mixture to those of one stem."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(n, m, 5, stride=2) for n, m in pairwise(WIDTHS))
        self.down_norm = nn.ModuleList(nn.BatchNorm2d(n, eps=1e-3) for n in WIDTHS[1:-1])
        outs = (*WIDTHS[-2:0:-1], 1)
        ins = (WIDTHS[-1], *(2 * n for n in outs[:-1]))
        self.up = nn.ModuleList(nn.ConvTranspose2d(n, m, 5, stride=2) for n, m in zip(ins, outs, strict=True))
        self.up_norm = nn.ModuleList(nn.BatchNorm2d(n, eps=1e-3) for n in outs)
        self.top = nn.Conv2d(1, WIDTHS[0], 4, dilation=2, padding=3)

    def forward(self, magnitudes: Tensor) -> Tensor:
        """Frames and bins in multiples of 64."""
        x, skips = magnitudes, []
        for number, layer in enumerate(self.down):
            x = layer(functional.pad(x, (1, 2, 1, 2)))
            skips.append(x)
            if number < len(self.down_norm):
                x = functional.leaky_relu(self.down_norm[number](x), 0.2)
        x = skips.pop()
        for layer, norm in zip(self.up, self.up_norm, strict=True):
            x = norm(functional.relu(layer(x)[:, :, 1:-2, 1:-2]))
            if skips:
                x = torch.cat([skips.pop(), x], dim=1)
        return torch.sigmoid(self.top(x)) * magnitudes


class Teacher(nn.Module):
    """The two networks, and the Wiener filter between them.

    Parameters
    ----------
    path : Path
        What ``scripts/spleeter.py`` wrote.

    Raises
    ------
    ConfigError
        When there is no such file.
    ModelError
        When it holds something else.
    """

    window: Tensor

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.stems = nn.ModuleDict({name: Unet() for name in STEMS})
        if not path.is_file():
            raise ConfigError(
                f"teacher: weights is {str(path)!r}, and there is no such file: "
                "fetch it with `python scripts/spleeter.py FILE`, or take the table [teacher] away"
            )
        try:
            self.stems.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except Exception as error:  # the unpickler raises whatever a damaged file makes it stumble on
            first = str(error).partition("\n")[0]
            raise ModelError(
                f"{path}: not the weights of Spleeter ({first}): fetch them with `python scripts/spleeter.py FILE`"
            ) from error
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)
        self.eval().requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.no_grad()
    def forward(self, mixture: Tensor) -> Tensor:
        """The voice in ``(example, 2, sample)`` at 44.1 kHz, of the same shape."""
        n_samples = mixture.shape[-1]
        spectrum = torch.stft(
            mixture.flatten(0, 1), N_FFT, HOP, window=self.window, pad_mode="constant", return_complex=True
        )
        n_frames = spectrum.shape[-1]
        magnitudes = spectrum[:, :N_BINS].abs().unflatten(0, mixture.shape[:2]).transpose(2, 3)
        magnitudes = functional.pad(magnitudes, (0, 0, 0, -n_frames % N_FRAMES))
        voice, music = (self.stems[name](magnitudes).square() for name in STEMS)
        share = (voice + EPSILON / 2) / (voice + music + EPSILON)
        share = share[:, :, :n_frames].transpose(2, 3).flatten(0, 1)
        # above 11 kHz, where it is deaf, as on the average of the last kilohertz and a half
        above = share[:, -N_BINS // 8 :].mean(1, keepdim=True).expand(-1, spectrum.shape[1] - N_BINS, -1)
        masked = spectrum * torch.cat([share, above], dim=1)
        estimate = torch.istft(masked, N_FFT, HOP, window=self.window, length=n_samples)
        return estimate.unflatten(0, mixture.shape[:2])


def taught(teacher: nn.Module, voice: Tensor, music: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Voice and music to be learned: the truth, moved by ``share`` towards what the teacher makes of their sum.

    Where nobody sings the truth is kept: what a teacher takes from music alone need not be learned.
    """
    mixture = voice + music
    sung = voice.abs().amax((1, 2), keepdim=True) > 0
    target = torch.where(sung, torch.lerp(voice, teacher(mixture).to(voice.dtype), share), voice)
    return target, mixture - target
