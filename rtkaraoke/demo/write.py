"""The demo's result: three sound files, a picture of them, and what was measured."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.demo.picture import Panel, draw
from rtkaraoke.demo.song import Stems, demo_song
from rtkaraoke.errors import AudioFileError
from rtkaraoke.files import AudioReader, AudioWriter, check_target, probe
from rtkaraoke.masks.protocol import MaskNetwork
from rtkaraoke.rendering import BLOCK, RenderReport, render

EXCERPT_S = 30.0  # as much of a longer song is drawn
PICTURE = "spectrograms.png"
SOUNDS = {"mixture": "mixture.wav", "music": "voice_removed.wav", "voice": "voice_alone.wav"}


@dataclass(frozen=True, slots=True)
class Quality:
    """What only known stems can tell, in dB."""

    music_sdr_before: float
    music_sdr_after: float
    voice_sdr_before: float
    voice_sdr_after: float
    removal_db: float  #: how much quieter the voice is in the result


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What the demo wrote and measured.

    ``taken_out_db`` is the level of what was taken out, against the whole song; ``quality`` is None for a song
    whose stems are not known.
    """

    folder: Path
    mixture: Path
    music: Path
    voice: Path
    picture: Path
    network: str
    audio_s: float
    latency_ms: float
    real_time_factor: float
    taken_out_db: float
    quality: Quality | None = None
    notes: tuple[str, ...] = ()

    @property
    def figures(self) -> list[tuple[str, str]]:
        """Every figure as label and value, for a table."""
        rows = [
            ("latency", f"{self.latency_ms:.1f} ms"),
            ("speed", f"{self.real_time_factor:.1f} × real time"),
        ]
        if self.quality is None:
            return [*rows, ("taken out", f"{self.taken_out_db:.1f} dB".replace("-", "−") + " of the song")]
        quality = self.quality
        return [
            ("voice lowered by", f"{quality.removal_db:.1f} dB"),
            ("SDR of the music", _change(quality.music_sdr_before, quality.music_sdr_after)),
            ("SDR of the voice", _change(quality.voice_sdr_before, quality.voice_sdr_after)),
            *rows,
        ]


def _change(before: float, after: float) -> str:
    return f"{before:.1f} → {after:.1f} dB".replace("-", "−")


def write_demo(
    folder: str | Path,
    network: MaskNetwork,
    song: str | Path | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int | None], None] | None = None,
) -> DemoReport:
    """Take the voice out of ``song`` and show it: mixture, voice removed and voice alone as WAV, and a picture.

    Parameters
    ----------
    folder : str or Path
        Where the four files go; made when it is missing.
    network : MaskNetwork
        From :func:`rtkaraoke.load_model`.
    song : str or Path, optional
        Any audio file. Without one the package synthesises a song of 20 s, whose stems are known.
    overwrite : bool
        Replace the files of an earlier demo.
    progress : callable, optional
        Called with the samples done and those in all, over both passes; None when unknown.

    Raises
    ------
    AudioFileError
        When the song cannot be read or the folder not be written.
    GeometryError
        When the network cannot run at the song's rate.
    """
    folder = Path(folder)
    n_channels = 2 if song is None else probe(song).n_channels  # a song that cannot be read leaves no folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AudioFileError(f"{folder}: cannot be made ({error.strerror}): choose another folder") from error
    paths = {name: folder / file for name, file in SOUNDS.items()}
    for path in paths.values():
        check_target(path, overwrite, song)
    picture = folder / PICTURE
    if picture.exists() and not overwrite:
        raise AudioFileError(f"{picture}: exists already: choose another folder, or allow overwriting (--force)")
    stems = demo_song() if song is None else None
    if stems is not None:
        with AudioWriter(paths["mixture"], stems.sample_rate, 2, overwrite=overwrite) as writer:
            writer.write(stems.mixture)
    else:
        _decode(Path(str(song)), paths["mixture"], overwrite)
    reports: dict[str, RenderReport] = {}
    for i, stem in enumerate(("music", "voice")):

        def both(done: int, total: int | None, passes: int = i) -> None:
            if progress is not None:
                progress(done if total is None else passes * total + done, None if total is None else 2 * total)

        reports[stem] = render(
            paths["mixture"], paths[stem], network=network, stem=stem, overwrite=overwrite, progress=both
        )
    music = reports["music"]
    powers = {name: _power_per_second(path) for name, path in paths.items()}
    report = DemoReport(
        folder,
        paths["mixture"],
        paths["music"],
        paths["voice"],
        picture,
        network.info.name,
        music.audio_s,
        1e3 * music.latency / music.sample_rate,
        music.real_time_factor,
        _ratio_db(float(powers["voice"].sum()), float(powers["mixture"].sum())),
        None if stems is None else measure(stems, _read(paths["music"]), _read(paths["voice"])),
        () if n_channels <= 2 else (f"{n_channels} channels: the demo takes the first two, the front pair",),
    )
    _draw(report, song, powers["voice"])
    return report


def measure(stems: Stems, music: NDArray[np.float32], voice: NDArray[np.float32]) -> Quality:
    """Compare what came out, ``(channel, sample)`` each, with the stems."""
    # The result as a weighted sum of the true stems: the weight of the voice is how much of it is left.
    basis = np.stack([stems.voice.ravel(), stems.music.ravel()]).astype(np.float64)
    left = np.linalg.solve(basis @ basis.T, basis @ music.ravel().astype(np.float64))[0]
    return Quality(
        sdr_db(stems.music, stems.mixture),
        sdr_db(stems.music, music),
        sdr_db(stems.voice, stems.mixture),
        sdr_db(stems.voice, voice),
        -20 * math.log10(max(1e-6, abs(float(left)))),
    )


def sdr_db(reference: NDArray[np.float32], estimate: NDArray[np.float32]) -> float:
    """Signal-to-distortion ratio in dB: every difference counts as distortion."""
    error = reference.astype(np.float64) - estimate
    return _ratio_db(float(np.sum(reference.astype(np.float64) ** 2)), float(np.sum(error**2)))


def _ratio_db(a: float, b: float) -> float:
    return 10 * math.log10(max(a, 1e-12) / max(b, 1e-12))


def _decode(source: Path, target: Path, overwrite: bool) -> None:
    """Write ``source`` as WAV, so that all three sounds are of a kind; at most its front pair."""
    with AudioReader(source) as reader:
        info = reader.info
        n_channels = min(2, info.n_channels)
        buffer = np.empty((info.n_channels, BLOCK), np.float32)
        with AudioWriter(target, info.sample_rate, n_channels, overwrite=overwrite, tags=info.tags) as writer:
            while n := reader.read(buffer):
                writer.write(buffer[:n_channels, :n])


def _power_per_second(path: Path) -> NDArray[np.float64]:
    """Energy of every second of a file."""
    powers = []
    with AudioReader(path) as reader:
        buffer = np.empty((reader.info.n_channels, reader.info.sample_rate), np.float32)
        while n := reader.read(buffer):
            powers.append(float(np.sum(buffer[:, :n].astype(np.float64) ** 2)))
    return np.array(powers)


def _read(path: Path, start: int = 0, n_samples: int | None = None) -> NDArray[np.float32]:
    """Read a part of a file, ``(channel, sample)``."""
    with AudioReader(path) as reader:
        left = (reader.info.n_samples or 0) - start
        sound = np.empty((reader.info.n_channels, left if n_samples is None else min(left, n_samples)), np.float32)
        reader.seek(start)
        reader.read(sound)
    return sound


def _draw(report: DemoReport, song: str | Path | None, voice_powers: NDArray[np.float64]) -> None:
    """Draw the song, or of a long one the part with the most voice in it."""
    start_s, length = 0, round(EXCERPT_S)
    if len(voice_powers) > length:
        start_s = int(np.argmax(np.convolve(voice_powers, np.ones(length), "valid")))
    with AudioReader(report.mixture) as reader:
        sample_rate = reader.info.sample_rate
    panels = [
        Panel(title, _read(path, start_s * sample_rate, length * sample_rate).mean(axis=0))
        for title, path in (
            ("Mixture", report.mixture),
            ("Voice removed", report.music),
            ("Voice alone", report.voice),
        )
    ]
    name = "demo song" if song is None else Path(song).stem
    draw(report.picture, panels, sample_rate, float(start_s), f"{name}  ·  network “{report.network}”", report.figures)
