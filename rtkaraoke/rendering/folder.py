"""A folder of songs, rendered as a folder."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rtkaraoke.engine import Engine
from rtkaraoke.errors import AudioFileError, RtkaraokeError
from rtkaraoke.files import INPUT_SUFFIXES, OUTPUT_SUFFIXES
from rtkaraoke.masks.protocol import MaskNetwork
from rtkaraoke.rendering.song import Progress, RenderReport, render


@dataclass(frozen=True, slots=True)
class FolderReport:
    """What became of a folder: a report for each file, or the error that it met."""

    reports: tuple[RenderReport, ...]
    failures: tuple[tuple[Path, RtkaraokeError], ...]


def render_folder(
    source: str | Path,
    target: str | Path,
    *,
    network: MaskNetwork,
    vocals_db: float = -math.inf,
    stem: str = "music",
    parameters: Mapping[str, float] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    on_file: Callable[[int, int, Path], None] | None = None,
    engine_factory: Callable[[], Engine] | None = None,
) -> FolderReport:
    """Render every audio file of the folder ``source`` into the same tree under ``target``.

    A file that fails does not stop the others. A format that cannot be written becomes FLAC.

    Parameters
    ----------
    source, target : str or Path
        Folders; ``target`` is made when it is missing.
    on_file : callable, optional
        Called before each file with its number from 0, the number of files and its path.
    network, vocals_db, stem, parameters, overwrite, progress, engine_factory
        As for :func:`render`, for each file.

    Raises
    ------
    AudioFileError
        When a folder cannot be used, or there is nothing to render.
    """
    source, target = Path(source), Path(target)
    if not source.is_dir():
        raise AudioFileError(f"{source}: no such folder: check the spelling")
    if target.exists() and not target.is_dir():
        raise AudioFileError(f"{target}: is a file, wanted a folder for the files of {source}: choose another name")
    if target.exists() and target.samefile(source):
        raise AudioFileError(f"{target}: is the input itself, which is never overwritten: choose another folder")
    jobs = _folder_jobs(source, target)
    if not jobs:
        raise AudioFileError(f"{source}: holds no audio files ({' '.join(sorted(INPUT_SUFFIXES))}): check the folder")
    reports: list[RenderReport] = []
    failures: list[tuple[Path, RtkaraokeError]] = []
    for number, (song, out) in enumerate(jobs):
        if on_file is not None:
            on_file(number, len(jobs), song)
        try:
            _make_folder(out.parent)
            reports.append(
                render(
                    song,
                    out,
                    network=network,
                    vocals_db=vocals_db,
                    stem=stem,
                    parameters=parameters,
                    overwrite=overwrite,
                    progress=progress,
                    engine_factory=engine_factory,
                )
            )
        except RtkaraokeError as error:
            failures.append((song, error))
    return FolderReport(tuple(reports), tuple(failures))


def _folder_jobs(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Pairs of files to read and to write, in order; what lies in ``target`` already is not read."""
    jobs: dict[Path, Path] = {}
    for folder, folders, names in os.walk(source):
        folders.sort()
        here = Path(folder)
        if target.exists() and here.samefile(target):
            folders.clear()
            continue
        for name in sorted(names):
            song = here / name
            if song.suffix.lower() not in INPUT_SUFFIXES or name.startswith("."):
                continue
            out = target / song.relative_to(source)
            if out.suffix.lower() not in OUTPUT_SUFFIXES:
                out = out.with_suffix(".flac")
            if out in jobs:  # song.m4a beside song.mp4
                out = out.with_name(f"{name}.flac")
            jobs[out] = song
    return [(song, out) for out, song in jobs.items()]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AudioFileError(f"{folder}: cannot be made ({error.strerror}): choose another folder") from error
