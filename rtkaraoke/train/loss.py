"""What training minimises: the error of both waveforms, in decibels."""

from torch import Tensor

FLOOR_DB = -30.0


def two_source_sdr_loss(estimate: Tensor, voice: Tensor, music: Tensor, floor_db: float = FLOOR_DB) -> Tensor:
    """Negative SDR, averaged over voice and music and over the examples, in dB.

    The estimates of voice and music sum to the mixture, so both have the same error and differ in what it is
    measured against. Every energy is floored at ``floor_db`` below the mixture's: a silent target would
    otherwise send the loss to infinity, and an example of one source alone drown all others.

    Parameters
    ----------
    estimate, voice, music : Tensor
        Waveforms ``(example, channel, sample)``; ``estimate`` is the voice's.
    floor_db : float
        Relative to the mixture's energy.
    """

    def energy(signal: Tensor) -> Tensor:
        return signal.square().sum(dim=(-2, -1))

    floor = 10 ** (floor_db / 10) * energy(voice + music) + 1e-6
    error = (energy(estimate - voice) + floor).log10()
    targets = 0.5 * ((energy(voice) + floor).log10() + (energy(music) + floor).log10())
    return 10.0 * (error - targets).mean()
