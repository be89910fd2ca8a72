"""Score a network on whole songs, streamed through the real engine."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from rtkaraoke.evaluate.data import Audio, Item, read_audio, read_manifest, read_pair, resample, select, stereo
from rtkaraoke.evaluate.metrics import SongScores, bootstrap_median, loss_of_music, score_song
from rtkaraoke.masks.protocol import MaskNetwork
from rtkaraoke.rendering import render_array

SAMPLE_RATE = 44_100
FIGURES = tuple(field.name for field in fields(SongScores))

Separator = Callable[[Audio, Audio], Audio]  #: voice and music, both true, to the voice found in their sum


@dataclass(frozen=True, slots=True)
class Figure:
    """A median over songs and its 95 % bootstrap interval, in dB."""

    median: float
    low: float
    high: float


def validation_songs(family: str = "musdb7s") -> list[Item]:
    """The pairs on which networks are chosen: 14 songs of MUSDB18's validation list."""
    return select(read_manifest(), kind="pair", split="valid", family=family)


def held_back_instrumentals() -> list[Item]:
    """Music without voice of a family that no network has heard."""
    return select(read_manifest(), kind="music", split="valid")


def through_engine(
    network: MaskNetwork, parameters: Mapping[str, float] | None = None, sample_rate: int = SAMPLE_RATE
) -> Separator:
    """A separator that streams the mixture through the engine at ``sample_rate`` (Hz).

    ``parameters`` are the vocal remover's. At another rate than that of the songs, the mixture is resampled, and the
    voice found in it resampled back.
    """

    def separate(voice: Audio, music: Audio) -> Audio:
        mixture = resample(voice + music, SAMPLE_RATE, sample_rate)
        found = render_array(mixture, sample_rate, network, stem="voice", parameters=parameters)
        back = resample(found, sample_rate, SAMPLE_RATE)
        return back[:, : voice.shape[1]]

    return separate


def score_songs(separate: Separator, songs: Iterable[Item]) -> list[SongScores]:
    """The figures of each song."""
    return [score_song(separate(voice, music), voice, music) for voice, music in map(read_pair, songs)]


def score_doing_nothing(songs: Iterable[Item]) -> list[SongScores]:
    """Both sources estimated by the mixture itself."""
    scores = []
    for voice, music in map(read_pair, songs):
        taken_for_voice = score_song(voice + music, voice, music)
        taken_for_music = score_song(np.zeros_like(voice), voice, music)
        scores.append(
            SongScores(
                taken_for_voice.voice_sdr, taken_for_music.music_sdr, taken_for_music.removal, taken_for_music.damage
            )
        )
    return scores


def score_instrumentals(separate: Separator, items: Iterable[Item], seconds: float) -> list[float]:
    """What each loses of ``seconds`` from its middle, in dB."""
    lost = []
    for item in items:
        music = stereo(read_audio(item.path))
        start = max(0, music.shape[1] // 2 - round(seconds * SAMPLE_RATE / 2))
        music = np.ascontiguousarray(music[:, start : start + round(seconds * SAMPLE_RATE)])
        lost.append(loss_of_music(separate(np.zeros_like(music), music), music))
    return lost


def summarise(scores: Sequence[SongScores]) -> dict[str, Figure]:
    """Median and interval of each figure."""
    return {name: Figure(*bootstrap_median([getattr(song, name) for song in scores])) for name in FIGURES}
