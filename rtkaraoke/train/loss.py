"""What training minimises, by the names that a recipe knows.

``sdr``               the error of both waveforms, in decibels, through the inverse transform of the live path
``ibm``               cross-entropy on the ideal binary mask, every bin alike, as in the papers on binary masks
``ibm_weighted``      the same, each bin by the root of the mixture's magnitude
``magnitude``         difference of compressed magnitudes in the network's own bins, phase ignored
``multi_resolution``  the same on the finished waveforms, at three other resolutions

All are means over the examples, and all but the first are relative to the mixture, so that its level does not matter.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from rtkaraoke.train.stft import TorchStft

LOSSES = ("sdr", "ibm", "ibm_weighted", "magnitude", "multi_resolution")
FLOOR_DB = -30.0
POWER_FLOOR = 1e-4  # of a bin: some 90 dB below full scale; keeps the slope of a root finite
RESOLUTIONS = (512, 1024, 4096)  # samples


def combined_loss(
    weights: Mapping[str, float],
    stft: TorchStft,
    logits: Tensor,
    mixture: Tensor,
    voice: Tensor,
    music: Tensor,
    n_segments: int = 1,
) -> Tensor:
    """The weighted sum of the losses that ``weights`` names.

    Parameters
    ----------
    weights : mapping
        From names in ``LOSSES``.
    stft : TorchStft
        What ``mixture`` was made with.
    logits, mixture : Tensor
        Of the mask, and the complex spectrum that it masks: ``(example, channel, frame, bin)``.
    voice, music : Tensor
        The true waveforms ``(example, channel, sample)``.
    n_segments : int
        See :func:`two_source_sdr_loss`.
    """
    masked = mixture * torch.sigmoid(logits)
    estimate = stft.waveform(masked)
    waveforms = estimate, voice[..., : estimate.shape[-1]], music[..., : estimate.shape[-1]]
    parts = {
        "sdr": lambda: two_source_sdr_loss(*waveforms, n_segments),
        "ibm": lambda: binary_mask_loss(logits, mixture, stft.spectrum(voice), weighted=False),
        "ibm_weighted": lambda: binary_mask_loss(logits, mixture, stft.spectrum(voice), weighted=True),
        "magnitude": lambda: magnitude_loss(masked, stft.spectrum(voice), mixture),
        "multi_resolution": lambda: multi_resolution_loss(*waveforms),
    }
    return torch.stack([weight * parts[name]() for name, weight in weights.items() if weight > 0]).sum()


def two_source_sdr_loss(
    estimate: Tensor, voice: Tensor, music: Tensor, n_segments: int = 1, floor_db: float = FLOOR_DB
) -> Tensor:
    """Negative SDR, averaged over voice and music and over the examples, in dB.

    The estimates of voice and music sum to the mixture, so both have the same error and differ in what it is
    measured against. Every energy is floored at ``floor_db`` below the mixture's: a silent target would
    otherwise send the loss to infinity, and an example of one source alone drown all others.

    With ``n_segments`` above one, half of the loss is the same over equal parts of each example: what is taken from
    the music while the singer breathes vanishes in the error of the whole, but not in that of its second.

    Parameters
    ----------
    estimate, voice, music : Tensor
        Waveforms ``(example, channel, sample)``; ``estimate`` is the voice's.
    n_segments : int
        Parts of each example; what does not divide is left out.
    floor_db : float
        Relative to the mixture's energy in the whole example.
    """

    def energy(signal: Tensor) -> Tensor:
        return (
            signal.square()
            .sum(dim=-2)
            .unfold(-1, signal.shape[-1] // n_segments, signal.shape[-1] // n_segments)
            .sum(-1)
        )

    error, voice_energy, music_energy = (energy(signal) for signal in (estimate - voice, voice, music))
    floor = 10 ** (floor_db / 10) * energy(voice + music).mean(-1, keepdim=True) + 1e-6

    def in_db(error: Tensor, voice: Tensor, music: Tensor, floor: Tensor) -> Tensor:
        targets = 0.5 * ((voice + floor).log10() + (music + floor).log10())
        return 10.0 * ((error + floor).log10() - targets).mean()

    parts = in_db(error, voice_energy, music_energy, floor)
    if n_segments == 1:
        return parts
    whole = in_db(error.sum(-1), voice_energy.sum(-1), music_energy.sum(-1), n_segments * floor[:, 0])
    return 0.5 * (parts + whole)


def binary_mask_loss(logits: Tensor, mixture: Tensor, voice: Tensor, weighted: bool) -> Tensor:
    """Cross-entropy of mask logits against the mask that is one where the voice is the louder source.

    Parameters
    ----------
    logits : Tensor
        ``(example, channel, frame, bin)``.
    mixture, voice : Tensor
        Complex spectra of the same shape.
    weighted : bool
        Count each bin by the root of the mixture's magnitude, in an example whose mean weight is one: bins that
        nobody hears decide nothing.
    """
    target = (power(voice) > power(mixture - voice)).to(logits.dtype)
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if weighted:
        loudness = (power(mixture) + POWER_FLOOR) ** 0.25
        entropy = entropy * loudness / loudness.mean((1, 2, 3), keepdim=True)
    return entropy.mean()


def magnitude_loss(estimate: Tensor, voice: Tensor, mixture: Tensor) -> Tensor:
    """Mean difference of the roots of magnitudes, voice and music, against the mixture's.

    Parameters
    ----------
    estimate, voice, mixture : Tensor
        Complex spectra ``(example, channel, frame, bin)`` of the estimated voice, the true one, and all; their
        differences from the mixture are the music's.
    """
    error = (compressed(estimate) - compressed(voice)).abs()
    error = error + (compressed(mixture - estimate) - compressed(mixture - voice)).abs()
    return (error.sum((1, 2, 3)) / compressed(mixture).sum((1, 2, 3))).mean()


def multi_resolution_loss(estimate: Tensor, voice: Tensor, music: Tensor) -> Tensor:
    """The mean of :func:`magnitude_loss` over ``RESOLUTIONS``; waveforms as in :func:`two_source_sdr_loss`."""
    losses = []
    for n_fft in RESOLUTIONS:
        window = torch.hann_window(n_fft, device=estimate.device)
        spectra = [
            torch.stft(signal.flatten(0, 1), n_fft, n_fft // 4, window=window, center=False, return_complex=True)
            for signal in (estimate, voice, voice + music)
        ]
        losses.append(magnitude_loss(*(spectrum.unflatten(0, estimate.shape[:2]) for spectrum in spectra)))
    return torch.stack(losses).mean()


def power(spectrum: Tensor) -> Tensor:
    """Squared magnitude of a complex spectrum; unlike that of ``abs``, its gradient at zero is zero."""
    return spectrum.real.square() + spectrum.imag.square()


def compressed(spectrum: Tensor) -> Tensor:
    """The root of the magnitude, as loudness goes, rounded off at zero."""
    return (power(spectrum) + POWER_FLOOR) ** 0.25
