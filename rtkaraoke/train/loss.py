"""What training minimises: the error of both waveforms, in decibels."""

from torch import Tensor

FLOOR_DB = -30.0


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
