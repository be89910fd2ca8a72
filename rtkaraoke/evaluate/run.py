"""Evaluate networks on a data set: every song through the real engine, beside what it is to be compared with.

::

    from rtkaraoke.evaluate.run import evaluate

    report = evaluate("musdb18hq", ["live", "playback"])
    print(report.to_markdown())
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.errors import AudioFileError, RtkaraokeError
from rtkaraoke.evaluate.baselines import BASELINES, ORACLES, Estimates, Method, baseline, through_engine
from rtkaraoke.evaluate.bsseval import VERSIONS, bsseval_v3, bsseval_v4
from rtkaraoke.evaluate.data import louder_by, resample, within_full_scale
from rtkaraoke.evaluate.metrics import loss_of_music, removal_and_damage, sdr
from rtkaraoke.evaluate.readers import Audio, Dataset, Song, Sources, open_dataset
from rtkaraoke.evaluate.report import Report, SongResult
from rtkaraoke.masks.models import DEFAULT_MODEL, load_model
from rtkaraoke.masks.protocol import MaskNetwork

FRAME_S = 0.02  #: of the search for passages without voice
SILENT = 1e-6  #: a frame's energy against that of the loudest one: -60 dB
SHORTEST_S = 1.0  #: a shorter gap between words is no passage without voice

BSSEVAL = {"v4": bsseval_v4, "v3": bsseval_v3}


def evaluate(
    dataset: str | Path,
    models: Sequence[str | Path | MaskNetwork] = (DEFAULT_MODEL,),
    *,
    kind: str = "auto",
    split: str | None = None,
    families: Sequence[str] = (),
    baselines: Sequence[str] = BASELINES,
    bsseval: Sequence[str] | None = None,
    parameters: Mapping[str, float] | None = None,
    sample_rate: int | None = None,
    balance_db: float | None = None,
    seconds: float | None = None,
    n_songs: int | None = None,
    on_song: Callable[[int, int, str], None] | None = None,
) -> Report:
    """Take every song of a data set apart with every method, and score the parts.

    Parameters
    ----------
    dataset : str or Path
        The folder of the data set.
    models : sequence of str, Path or MaskNetwork
        Names of shipped networks, ONNX files, or loaded networks. The first sets the oracles' geometry, and is what
        the others are compared with.
    kind : str
        Which reader; ``auto`` tells by the folder's layout.
    split : str, optional
        Which songs: ``train``, ``valid``, ``test`` or ``all``; by default those that no network may learn from.
    families : sequence of str
        Only these families of the project's own data, or these singers of MIR-1K.
    baselines : sequence of str
        Of :data:`~rtkaraoke.evaluate.baselines.BASELINES`.
    bsseval : sequence of str, optional
        Versions of BSS-EVAL, ``v4`` and ``v3``; by default what the literature quotes for this data set.
    parameters : mapping, optional
        Parameters of the vocal remover for all models, such as ``strength``.
    sample_rate : int, optional
        Resample the songs to this rate, in Hz.
    balance_db : float, optional
        Scale each voice to be so much louder than its music, by energy; MIR-1K is quoted at 0, -5 and 5.
    seconds : float, optional
        Take this much from the middle of each song.
    n_songs : int, optional
        Take only the first so many songs.
    on_song : callable, optional
        Called before each song with its number from 0, the number of songs and its name.

    Raises
    ------
    AudioFileError
        When the data set or one of its files cannot be read, or the choice leaves no song.
    ModelError, PluginError, RtkaraokeError
        For an unknown network, parameter, baseline or version, or a package that is missing.
    """
    found = open_dataset(dataset, kind)
    split = split or found.default_split
    songs = _select(found, dataset, split, families)[:n_songs]
    versions = found.bsseval if bsseval is None else tuple(bsseval)
    for version in versions:
        if version not in BSSEVAL:
            raise RtkaraokeError(f"BSS-EVAL {version!r}: there are {' and '.join(VERSIONS)}")
    labels, methods = _methods(models, baselines, parameters)
    results = []
    for number, song in enumerate(songs):
        if on_song is not None:
            on_song(number, len(songs), song.name)
        truth = _prepare(song.load(), seconds, balance_db, sample_rate)
        length_s = truth.voice.shape[1] / truth.sample_rate
        label = f"{song.split}/{song.name}" if split == "all" and song.split else song.name
        for name, method in methods.items():
            results.append(SongResult(name, label, length_s, score(truth, method(truth), versions)))
    chosen = {
        "families": " ".join(families) or None,
        "sample_rate": sample_rate,
        "balance_db": balance_db,
        "seconds": seconds,
        **(parameters or {}),
    }
    settings = {name: value for name, value in chosen.items() if value is not None}
    name = Path(dataset).resolve().name
    return Report(name, found.kind, split, tuple(methods), labels, tuple(results), settings, found.notes)


def score(truth: Sources, found: Estimates, versions: Sequence[str] = ()) -> dict[str, float]:
    """The figures of one song, by the keys of :data:`~rtkaraoke.evaluate.report.FIGURES`.

    A song without voice has only its ``loss``, one without music only the SDR of its voice; ``leak`` needs a passage
    without voice.
    """
    if not truth.music.any():
        return {"voice_sdr": sdr(found.voice, truth.voice)}
    if not truth.voice.any():
        return {"loss": loss_of_music(truth.music - found.music, truth.music)}
    removal, damage = removal_and_damage(found.music, truth.voice, truth.music)
    figures = {
        "voice_sdr": sdr(found.voice, truth.voice),
        "music_sdr": sdr(found.music, truth.music),
        "removal": removal,
        "damage": damage,
    }
    quiet = voice_free(truth.voice, truth.sample_rate)
    if truth.music[:, quiet].any():
        figures["leak"] = loss_of_music((truth.mixture - found.music)[:, quiet], truth.music[:, quiet])
    for version in versions:
        figures |= BSSEVAL[version](truth, found.voice, found.music)
    return figures


def voice_free(voice: Audio, sample_rate: int) -> NDArray[np.bool_]:
    """Which samples ``(sample,)`` lie in passages of a second or more in which the voice is 60 dB below its loudest."""
    frame = round(FRAME_S * sample_rate)
    n_frames = voice.shape[1] // frame
    energy = np.square(voice[:, : n_frames * frame], dtype=np.float64).reshape(len(voice), n_frames, frame).sum((0, 2))
    silent = energy <= SILENT * energy.max(initial=0.0)
    edges = np.flatnonzero(np.diff(silent, prepend=False, append=False))
    result = np.zeros(voice.shape[1], np.bool_)
    for start, end in edges.reshape(-1, 2):
        if (end - start) * frame >= SHORTEST_S * sample_rate:
            result[start * frame : end * frame] = True
    return result


def _select(dataset: Dataset, path: str | Path, split: str, families: Sequence[str]) -> list[Song]:
    songs = [s for s in dataset.songs if split in ("all", s.split) and (not families or s.family in families)]
    if not songs:
        splits = ", ".join(sorted({song.split for song in dataset.songs} - {""})) or "none but all"
        known = ", ".join(sorted({song.family for song in dataset.songs} - {""})) or "none"
        wanted = f"split {split}" + (f", families {' '.join(families)}" if families else "")
        raise AudioFileError(f"{path}: no songs of {wanted}: there are the splits {splits}, the families {known}")
    return songs


def _methods(
    models: Sequence[str | Path | MaskNetwork], baselines: Sequence[str], parameters: Mapping[str, float] | None
) -> tuple[tuple[str, ...], dict[str, Method]]:
    """The models' labels, and all methods by name, in the order of the table: baselines, models, oracles."""
    networks: dict[str, MaskNetwork] = {}
    for model in models:
        network = load_model(model, "cpu") if isinstance(model, str | Path) else model
        label = Path(model).stem if isinstance(model, str | Path) else network.info.name
        if label in networks:
            raise RtkaraokeError(f"two networks are named {label!r}: rename one of the files")
        networks[label] = network
    if not networks:
        raise RtkaraokeError("no network to evaluate: name one, or the classical mask `centre`")
    geometry = next(iter(networks.values())).info.geometry
    compared = {name: baseline(name, geometry) for name in baselines if name not in networks}
    learned = {label: through_engine(network, parameters) for label, network in networks.items()}
    ceilings = {name: compared.pop(name) for name in ORACLES if name in compared}
    return tuple(networks), compared | learned | ceilings


def _prepare(song: Sources, seconds: float | None, balance_db: float | None, sample_rate: int | None) -> Sources:
    voice, music, rate = song.voice, song.music, song.sample_rate
    if seconds is not None:
        start = max(0, (voice.shape[1] - round(seconds * rate)) // 2)
        voice, music = (part[:, start : start + round(seconds * rate)] for part in (voice, music))
    if balance_db is not None and voice.any() and music.any():
        voice, music = within_full_scale(louder_by(voice, music, balance_db), music)
    if sample_rate is not None:
        voice, music = (resample(part, rate, sample_rate) for part in (voice, music))
        rate = sample_rate
    return Sources(np.ascontiguousarray(voice), np.ascontiguousarray(music), rate)
