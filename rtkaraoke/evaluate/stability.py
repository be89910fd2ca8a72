"""Does a network stay itself? One minute over and over: whatever its state gathers, every pass must score alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rtkaraoke.errors import AudioFileError
from rtkaraoke.evaluate.metrics import SongScores, score_song
from rtkaraoke.evaluate.readers import Song, Sources
from rtkaraoke.masks.protocol import MaskNetwork
from rtkaraoke.rendering import render_array

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Stability:
    """What a loop showed.

    Attributes
    ----------
    scores : tuple of SongScores
        Of each pass.
    drift_db : tuple of float
        For each pass the energy of its voice minus that of the second pass, against the latter; -inf is bit for bit
        the same. The first pass starts from silence and may differ at its beginning.
    """

    scores: tuple[SongScores, ...]
    drift_db: tuple[float, ...]

    @property
    def change_db(self) -> float:
        """The largest change of any SDR from the second pass to the last."""
        second, last = self.scores[1], self.scores[-1]
        return max(abs(last.voice_sdr - second.voice_sdr), abs(last.music_sdr - second.music_sdr))


def loop(
    network: MaskNetwork, song: Sources, n_passes: int = 10, parameters: Mapping[str, float] | None = None
) -> Stability:
    """Stream ``song`` through one engine ``n_passes`` times without a break, and score each pass.

    Samples beyond the last whole hop are left out, so that every pass is cut into the same frames.
    """
    hop = network.info.geometry.at_rate(song.sample_rate).hop
    n_samples = song.voice.shape[1] // hop * hop
    true_voice, true_music = song.voice[:, :n_samples], song.music[:, :n_samples]
    looped = np.tile(true_voice + true_music, n_passes)
    voice = render_array(looped, song.sample_rate, network, stem="voice", parameters=parameters)
    passes = [voice[:, i * n_samples : (i + 1) * n_samples] for i in range(n_passes)]
    second = np.square(passes[1], dtype=np.float64).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        drift = [10 * np.log10(np.square(found - passes[1], dtype=np.float64).sum() / second) for found in passes]
    scores = tuple(score_song(found, true_voice, true_music) for found in passes)
    return Stability(scores, tuple(float(value) for value in drift))


def minute(songs: Sequence[Song], seconds: float = MINUTE_S) -> Sources:
    """The first ``seconds`` of the songs, one after the other, as far as they have the rate and form of the first.

    Raises
    ------
    AudioFileError
        When they are not long enough.
    """
    parts: list[Sources] = []
    length_s = 0.0
    for song in songs:
        found = song.load()
        if parts and (found.sample_rate, len(found.voice)) != (parts[0].sample_rate, len(parts[0].voice)):
            continue
        parts.append(found)
        length_s += found.voice.shape[1] / found.sample_rate
        if length_s >= seconds:
            n_samples = round(seconds * found.sample_rate)
            voice = np.concatenate([part.voice for part in parts], axis=1)[:, :n_samples]
            music = np.concatenate([part.music for part in parts], axis=1)[:, :n_samples]
            return Sources(np.ascontiguousarray(voice), np.ascontiguousarray(music), found.sample_rate)
    raise AudioFileError(
        f"the songs are {length_s:.1f} s long together, wanted {seconds:g} s: choose a larger data set"
    )
