"""Take a song apart as the two papers do: the whole of it at once, with their own window and their own masks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.evaluate.baselines import Estimates, Method
from rtkaraoke.evaluate.patches import Masks, Matrix, ideal_binary_mask
from rtkaraoke.evaluate.readers import Sources
from rtkaraoke.evaluate.spectrogram import HannStft
from rtkaraoke.geometry import StftGeometry

Probability = Callable[[Matrix], Matrix]  #: levelled magnitudes ``(frame, bin)`` to the probability of voice
Rule = Callable[[Matrix], Masks]  #: that probability to masks


@dataclass(frozen=True, slots=True)
class Analysed:
    """One channel of a song, and what a network said of it.

    ``spectrum`` is complex64 ``(frame, bin)``, ``probability`` float32 of the same shape.
    """

    spectrum: NDArray[np.complex64]
    probability: Matrix


@dataclass(frozen=True, slots=True)
class OfflineSeparator:
    """Masks on the Hann STFT.

    Parameters
    ----------
    geometry : StftGeometry
        At the network's reference rate; songs of other rates are analysed at the same durations, without a resampler.
    n_bins : int
        Lowest bins that ``probability`` sees; what a song's spectrum lacks of them is silent, what it has beyond them
        gets the last one's probability.
    probability : callable
        From magnitudes ``(frame, n_bins)`` at the level of a window of 2048 samples to probabilities of that shape.
    """

    geometry: StftGeometry
    n_bins: int
    probability: Probability

    def analyse(self, song: Sources) -> list[Analysed]:
        """What the network says of each channel of the mixture."""
        stft = HannStft(self.geometry.at_rate(song.sample_rate))
        found = []
        for channel in song.mixture:
            spectrum = stft.spectrum(channel)
            magnitude = np.abs(spectrum) * np.float32(stft.geometry.level_scale)
            probability = self.probability(fit_bins(magnitude, self.n_bins))
            found.append(Analysed(spectrum, extend_bins(probability, spectrum.shape[1])))
        return found

    def separate(self, song: Sources, analysed: list[Analysed], rule: Rule) -> Estimates:
        """Cut masks by ``rule`` and resynthesise; one analysis serves any number of rules."""
        stft = HannStft(self.geometry.at_rate(song.sample_rate))
        return resynthesise(stft, [(channel.spectrum, rule(channel.probability)) for channel in analysed], song)

    def method(self, rule: Rule) -> Method:
        """Analysis and separation in one, for :mod:`rtkaraoke.evaluate.run`."""
        return lambda song: self.separate(song, self.analyse(song), rule)


def fit_bins(magnitude: Matrix, n_bins: int) -> Matrix:
    """The lowest ``n_bins`` of ``(frame, bin)``, silence where there are fewer."""
    missing = max(0, n_bins - magnitude.shape[1])
    return np.ascontiguousarray(np.pad(magnitude[:, :n_bins], ((0, 0), (0, missing))), np.float32)


def extend_bins(probability: Matrix, n_bins: int) -> Matrix:
    """``(frame, n_bins)``: the last bin repeated where there are fewer, the highest left out where there are more."""
    missing = max(0, n_bins - probability.shape[1])
    return np.pad(probability[:, :n_bins], ((0, 0), (0, missing)), mode="edge")


def resynthesise(stft: HannStft, channels: list[tuple[NDArray[np.complex64], Masks]], song: Sources) -> Estimates:
    """Voice and music of ``song``, by the spectrum of each channel of its mixture and the masks for that."""
    n_samples = song.mixture.shape[1]
    voice = [stft.signal(spectrum * masks.voice, n_samples) for spectrum, masks in channels]
    music = [stft.signal(spectrum * masks.music, n_samples) for spectrum, masks in channels]
    return Estimates(np.stack(voice), np.stack(music))


def oracle_binary(geometry: StftGeometry) -> Method:
    """The ideal binary mask of whoever knows the answer, on the same STFT: the ceiling of both papers."""

    def separate(song: Sources) -> Estimates:
        stft = HannStft(geometry.at_rate(song.sample_rate))
        channels = []
        for voice, music, mixture in zip(song.voice, song.music, song.mixture, strict=True):
            mask = ideal_binary_mask(*(np.abs(stft.spectrum(part)) for part in (voice, music)))
            channels.append((stft.spectrum(mixture), Masks(mask, 1 - mask)))
        return resynthesise(stft, channels, song)

    return separate
