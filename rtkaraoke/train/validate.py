"""Score a network in torch on songs that training does not hear, in a few seconds, while it trains.

The figures that count come from :mod:`rtkaraoke.evaluate` through the real engine; these are its cheap twin.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rtkaraoke.evaluate.data import Audio, read_audio, read_manifest, read_pair, select, stereo
from rtkaraoke.evaluate.metrics import loss_of_music, score_song, sdr
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.train.generated import generated_songs
from rtkaraoke.train.pack import GENERATED, GENERATED_S, MANIFEST
from rtkaraoke.train.stft import TorchStft

EXCERPT = slice(20 * 44_100, 28 * 44_100)  # of each instrumental
N_HELD_OUT = 4  # generated songs

Songs = tuple[list[tuple[Audio, Audio]], list[Audio]]  #: pairs of voice and music, instrumentals


class Validation:
    """Songs that training does not hear: pairs ``(voice, music)`` and instrumentals, each float32 ``(2, sample)``."""

    def __init__(self, stft: TorchStft, data: str = MANIFEST) -> None:
        self.stft = stft
        self.songs, self.instrumentals = HELD_OUT[data]()

    def score(self, network: nn.Module, slope: float = 1.0, bias: float = 0.0) -> dict[str, float]:
        """Medians over the songs, in dB, at a strength of ``slope`` and ``bias``."""
        songs = [
            score_song(voice_of(network, self.stft, voice + music, slope, bias), *cut(self.stft, voice, music))
            for voice, music in self.songs
        ]
        lost = [
            loss_of_music(voice_of(network, self.stft, music, slope, bias), *cut(self.stft, music))
            for music in self.instrumentals
        ]
        names = ("voice_sdr", "music_sdr", "removal", "damage")
        scores = {name: float(np.median([getattr(song, name) for song in songs])) for name in names}
        means = {f"{name}_mean": float(np.mean([getattr(song, name) for song in songs])) for name in names[:2]}
        return {**scores, **means, "instrumental_loss": float(np.median(lost))}

    def doing_nothing(self) -> dict[str, float]:
        """What the mixture itself scores as voice and as music: medians over the songs, in dB."""
        return {
            "voice_sdr": float(np.median([sdr(voice + music, voice) for voice, music in self.songs])),
            "music_sdr": float(np.median([sdr(voice + music, music) for voice, music in self.songs])),
        }


def merit(scores: Mapping[str, float]) -> float:
    """The one figure by which the best of a run is chosen, in dB."""
    return 0.5 * (scores["voice_sdr"] + scores["music_sdr"])


def held_out_of_manifest() -> Songs:
    """The 14 validation songs of MUSDB18 and excerpts of the instrumentals held back from training."""
    items = read_manifest()
    songs = [read_pair(i) for i in select(items, kind="pair", split="valid", family="musdb7s")]
    return songs, [stereo(read_audio(i.path))[:, EXCERPT] for i in select(items, kind="music", split="valid")]


def held_out_of_generated() -> Songs:
    """Songs generated from another seed than those of the training; the band alone is an instrumental."""
    songs = list(generated_songs(N_HELD_OUT, GENERATED_S, seed=1))
    return songs, [music for _, music in songs]


HELD_OUT: dict[str, Callable[[], Songs]] = {MANIFEST: held_out_of_manifest, GENERATED: held_out_of_generated}


def cut(stft: TorchStft, *signals: Audio) -> Sequence[Audio]:
    """Each signal, shortened to what :meth:`TorchStft.waveform` returns."""
    hop = stft.geometry.hop
    return [signal[:, : (signal.shape[1] // hop - 1) * hop] for signal in signals]


@torch.no_grad()
def voice_of(network: nn.Module, stft: TorchStft, mixture: Audio, slope: float = 1.0, bias: float = 0.0) -> Audio:
    """The voice in a mixture ``(2, sample)``, shortened as by :func:`cut`."""
    spectrum = stft.spectrum(torch.from_numpy(mixture)[None].to(stft.analysis.device))
    logits = run_sequence(network, spectrum, stft.geometry)
    mask = torch.sigmoid(slope * logits.float() + bias)
    return np.asarray(stft.waveform(spectrum * mask)[0].cpu().numpy())


def run_sequence(network: nn.Module, spectrum: Tensor, geometry: StftGeometry) -> Tensor:
    """Mask logits ``(stream, 2, frame, bin)`` of a complex spectrum of the same shape, from silence on.

    After the last frame comes silence, for a network that looks ahead.
    """
    ahead = functional.pad(torch.view_as_real(spectrum), (0, 0, 0, 0, 0, geometry.look_ahead))
    logits, _ = network(geometry.level_scale * ahead, None)
    masked: Tensor = logits[:, :, geometry.look_ahead :]
    return masked
