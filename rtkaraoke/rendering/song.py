"""One song through the engine: the output is as long as the input and aligned with it, whatever the latency."""

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.engine import Engine, music_engine
from rtkaraoke.errors import PluginError
from rtkaraoke.files import AudioReader, AudioWriter, check_target
from rtkaraoke.masks.protocol import MaskNetwork
from rtkaraoke.plugins.protocol import Block
from rtkaraoke.plugins.vocal_remover import VocalRemover

BLOCK = 4096
STEMS = ("music", "voice")
Progress = Callable[[int, int | None], None]  #: called with the samples done and those in all, if known


@dataclass(frozen=True, slots=True)
class RenderReport:
    """What became of one file.

    ``latency`` is the engine's, in samples, already taken out of the file. ``notes`` are lines for the user.
    ``counters`` are those of the vocal remover, and ``nonfinite``.
    """

    source: Path
    target: Path
    sample_rate: int
    n_channels: int
    n_samples: int
    wall_s: float
    latency: int
    notes: tuple[str, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)

    @property
    def audio_s(self) -> float:
        """Seconds of sound."""
        return self.n_samples / self.sample_rate

    @property
    def real_time_factor(self) -> float:
        """Seconds of sound per second of work; start-up is not counted."""
        return self.audio_s / self.wall_s if self.wall_s > 0 else math.inf


def render(
    source: str | Path,
    target: str | Path,
    *,
    network: MaskNetwork,
    vocals_db: float = -math.inf,
    stem: str = "music",
    parameters: Mapping[str, float] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    block: int = BLOCK,
    engine_factory: Callable[[], Engine] | None = None,
) -> RenderReport:
    """Render the audio file ``source`` to ``target``, in memory that does not depend on its length.

    WAV and FLAC keep the source's sample format as near as they can. The file appears when it is complete.

    Parameters
    ----------
    source, target : str or Path
        What is read (:class:`~rtkaraoke.files.AudioReader`) and written (its suffix chooses the format).
    network : MaskNetwork
        From :func:`rtkaraoke.load_model`.
    vocals_db : float
        Level of the voice in dB: minus infinity takes it out, 0 leaves the music as it is.
    stem : str
        ``music``, or ``voice`` for the voice alone.
    parameters : mapping, optional
        Further parameters of the vocal remover by name.
    overwrite : bool
        Replace an existing ``target``.
    progress : callable, optional
        Called after each block with the samples written and those in all, None when unknown.
    block : int
        Samples at a time; the output does not depend on it.
    engine_factory : callable, optional
        Makes the engine, not yet prepared, in place of the default one; ``network``, ``vocals_db`` and
        ``parameters`` then go unused.

    Raises
    ------
    AudioFileError
        When either file cannot be used; nothing is left behind.
    GeometryError, PluginError
        When the network cannot run at the file's rate, or a parameter is wrong.
    """
    source, target = Path(source), Path(target)
    with AudioReader(source) as reader:
        info = reader.info
        check_target(target, overwrite, source)
        with (
            _engine(
                network, info.sample_rate, info.n_channels, block, vocals_db, stem, parameters, None, engine_factory
            ) as engine,
            AudioWriter(
                target,
                info.sample_rate,
                info.n_channels,
                _subtype(info.subtype, target),
                overwrite,
                info.tags,
                info.n_samples,
            ) as writer,
        ):
            started = time.perf_counter()
            done = 0
            for out in _aligned(engine, _blocks(reader, block), info.n_channels, stem):
                writer.write(out)
                done += out.shape[1]
                if progress is not None:
                    progress(done, info.n_samples)
            writer.close()
            return RenderReport(
                source,
                target,
                info.sample_rate,
                info.n_channels,
                done,
                time.perf_counter() - started,
                engine.latency,
                _notes(info.n_channels, stem),
                _counters(engine),
            )


def render_array(
    audio: NDArray[np.float32],
    sample_rate: int,
    network: MaskNetwork,
    *,
    vocals_db: float = -math.inf,
    stem: str = "music",
    parameters: Mapping[str, float] | None = None,
    block: int = BLOCK,
    replay: bytes | None = None,
) -> NDArray[np.float32]:
    """Render ``audio`` ``(channel, sample)`` at ``sample_rate`` Hz to an array of the same shape, aligned with it.

    The other parameters are those of :func:`render`; ``replay`` is the decision log of a live run.

    Raises
    ------
    GeometryError, PluginError
        When the network cannot run at this rate, or a parameter is wrong.
    """
    audio = np.ascontiguousarray(audio, np.float32)
    if audio.ndim != 2:
        raise ValueError(f"audio has the shape {audio.shape}, wanted (channel, sample)")
    n_channels, n_samples = audio.shape
    result = np.empty_like(audio)
    done = 0
    with _engine(network, sample_rate, n_channels, block, vocals_db, stem, parameters, replay) as engine:
        blocks = (audio[:, start : start + block] for start in range(0, n_samples, block))
        for out in _aligned(engine, blocks, n_channels, stem):
            result[:, done : done + out.shape[1]] = out
            done += out.shape[1]
    return result


def _engine(
    network: MaskNetwork,
    sample_rate: int,
    n_channels: int,
    block: int,
    vocals_db: float,
    stem: str,
    parameters: Mapping[str, float] | None,
    replay: bytes | None,
    engine_factory: Callable[[], Engine] | None = None,
) -> Engine:
    """A prepared engine for the front pair."""
    if stem not in STEMS:
        raise PluginError(f"stem {stem!r}: there are {' and '.join(STEMS)}")
    if engine_factory is None:
        engine = music_engine(network, vocals_db=vocals_db, parameters=parameters, replay=replay)
    else:
        engine = engine_factory()
    try:
        if stem == "voice":
            engine.set(VocalRemover.name, "solo", 1.0)
        engine.prepare(sample_rate, min(n_channels, 2), block)
    except BaseException:
        engine.close()
        raise
    return engine


def _blocks(reader: AudioReader, block: int) -> Iterator[Block]:
    """The file in blocks of ``block`` samples, the last one shorter; each is overwritten by the next."""
    buffer = np.empty((reader.info.n_channels, block), np.float32)
    while n := reader.read(buffer):
        yield buffer if n == block else np.ascontiguousarray(buffer[:, :n])


def _aligned(engine: Engine, blocks: Iterable[Block], n_channels: int, stem: str) -> Iterator[Block]:
    """Run ``blocks`` ``(channel, n)`` and as much silence as the latency; leave the latency's samples out.

    Channels beyond the front pair pass through a delay of the same length; they hold none of the voice alone.
    """
    latency, n_front = engine.latency, engine.n_channels
    silence = (
        np.zeros((n_channels, min(engine.max_block, latency - start)), np.float32)
        for start in range(0, latency, engine.max_block)
    )
    waiting = np.zeros((n_channels - n_front, latency), np.float32)
    to_drop = latency
    for block in itertools.chain(blocks, silence):
        n = block.shape[1]
        out = np.empty((n_channels, n), np.float32)
        engine.process(np.ascontiguousarray(block[:n_front]), out[:n_front])
        if n_channels > n_front:
            delayed = np.concatenate([waiting, block[n_front:]], axis=1)
            out[n_front:] = delayed[:, :n] if stem == "music" else 0.0
            waiting = delayed[:, n:]
        drop = min(to_drop, n)
        to_drop -= drop
        if drop < n:
            yield out[:, drop:]


def _notes(n_channels: int, stem: str) -> tuple[str, ...]:
    if n_channels <= 2:
        return ()
    fate = "pass through unchanged" if stem == "music" else "are silent"
    return (f"{n_channels} channels: the first two are taken as the front pair and processed, the others {fate}",)


def _counters(engine: Engine) -> dict[str, int]:
    counters = {"nonfinite": engine.n_nonfinite}
    for plugin in engine.plugins.values():
        if isinstance(plugin, VocalRemover):
            counters.update(plugin.counters)
    return counters


def _subtype(source: str, target: Path) -> str | None:
    """The target's sample format that is nearest to the source's; None for the target's own."""
    suffix, name = target.suffix.lower(), source.upper()
    if suffix not in (".wav", ".flac"):
        return None
    if name in ("FLOAT", "DOUBLE") or name.startswith("PCM_F"):
        return "FLOAT" if suffix == ".wav" else "PCM_24"
    return "PCM_24" if name.startswith(("PCM_24", "PCM_32", "PCM_S24", "PCM_S32")) else "PCM_16"
