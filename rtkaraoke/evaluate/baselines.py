"""What a network is compared with, and the network itself: each takes a song apart, given the true parts.

Only the oracles may look at more than their sum. Networks and the centre mask stream through the engine.

================= ==============================================================================================
name              method
================= ==============================================================================================
``nothing``       the mixture for both sources: SDR is ``10 log10(|voice|^2 / |music|^2)`` and its negative
``centre``        the classical centre-channel mask (:mod:`rtkaraoke.masks.centre`)
``repet-sim``     what repeats is music: Z. Rafii and B. Pardo, "Music/voice separation using the similarity
                  matrix", ISMIR 2012. It sees the whole song at once, and is no live method.
``oracle-binary`` all of a bin to the louder source, through the streaming STFT (:mod:`rtkaraoke.evaluate.oracle`)
``oracle-ratio``  to each its share of the power; the ceiling of masks at this geometry
================= ==============================================================================================
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from rtkaraoke.errors import RtkaraokeError
from rtkaraoke.evaluate.extras import require
from rtkaraoke.evaluate.oracle import oracle_voice
from rtkaraoke.evaluate.readers import Audio, Sources
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks.centre import CentreNetwork
from rtkaraoke.masks.protocol import MaskNetwork
from rtkaraoke.rendering import render_array

ORACLES = {"oracle-binary": "binary", "oracle-ratio": "ratio"}  #: name -> kind of mask
BASELINES = ("nothing", "centre", "repet-sim", *ORACLES)

FRAME_S = 0.046  #: REPET-SIM's frame
SIMILAR_FRAMES = 100  #: of which the median is taken
APART_S = 1.0  #: frames nearer than this do not count as repetitions
LOWEST_VOICE_HZ = 100.0  #: below, everything is music
TINY = 1e-10


@dataclass(frozen=True, slots=True)
class Estimates:
    """What was found in a mixture, both float32 ``(channel, sample)``."""

    voice: Audio
    music: Audio


Method = Callable[[Sources], Estimates]


def baseline(name: str, geometry: StftGeometry) -> Method:
    """The method of that name; ``geometry`` is that of the oracles, at any rate.

    Raises
    ------
    RtkaraokeError
        When there is none, or the package that it needs is missing.
    """
    if name == "nothing":
        return do_nothing
    if name == "centre":
        return through_engine(CentreNetwork())
    if name == "repet-sim":
        require("librosa", "the baseline repet-sim")
        return repet_sim
    if name in ORACLES:
        return oracle(ORACLES[name], geometry)
    raise RtkaraokeError(f"baseline {name!r}: there are {', '.join(BASELINES)}")


def do_nothing(song: Sources) -> Estimates:
    """The mixture stands for both."""
    return Estimates(song.mixture, song.mixture)


def through_engine(network: MaskNetwork, parameters: Mapping[str, float] | None = None) -> Method:
    """Stream the mixture through the engine; ``parameters`` are the vocal remover's."""

    def separate(song: Sources) -> Estimates:
        mixture = song.mixture
        voice = render_array(mixture, song.sample_rate, network, stem="voice", parameters=parameters)
        return Estimates(voice, mixture - voice)

    return separate


def oracle(kind: str, geometry: StftGeometry) -> Method:
    """The ``ratio`` or ``binary`` mask, of whoever knows the answer, at the song's rate."""

    def separate(song: Sources) -> Estimates:
        # An oracle has no use for a look-ahead.
        here = replace(geometry, look_ahead=0).at_rate(song.sample_rate)
        voice = oracle_voice(song.voice, song.music, here, kind)
        return Estimates(voice, song.mixture - voice)

    return separate


def repet_sim(song: Sources) -> Estimates:
    """REPET-SIM: the repeating part of a frame is the median of the frames most like it, whenever they were.

    Raises
    ------
    RtkaraokeError
        When librosa is not installed.
    """
    librosa = require("librosa", "the baseline repet-sim")
    mixture = song.mixture
    n_fft = 2 ** round(np.log2(FRAME_S * song.sample_rate))
    hop = n_fft // 4
    if mixture.shape[1] < 2 * n_fft:  # nothing can repeat
        return Estimates(np.zeros_like(mixture), mixture)
    spectrum = librosa.stft(mixture, n_fft=n_fft, hop_length=hop)  # (channel, bin, frame)
    magnitude = np.abs(spectrum)
    n_frames = magnitude.shape[2]  # 9 or more
    width = min(round(APART_S * song.sample_rate / hop), n_frames // 4)  # librosa wants less than half
    similar = librosa.segment.recurrence_matrix(
        magnitude.mean(axis=0), k=SIMILAR_FRAMES, width=width, metric="cosine", sparse=True
    )
    repeating = librosa.decompose.nn_filter(magnitude, rec=similar, aggregate=np.median)
    music_mask = (np.minimum(repeating, magnitude) + TINY) / (magnitude + TINY)
    music_mask[:, : round(LOWEST_VOICE_HZ * n_fft / song.sample_rate)] = 1.0
    music = librosa.istft(music_mask * spectrum, hop_length=hop, n_fft=n_fft, length=mixture.shape[1])
    music = music.astype(np.float32)
    return Estimates(mixture - music, music)
