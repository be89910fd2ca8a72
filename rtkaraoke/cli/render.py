"""``render``: a file, or a folder of files, without the voice."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from rtkaraoke.cli.console import error, note, show, show_json
from rtkaraoke.cli.options import VOICE, Common, ForceFlag, JsonFlag
from rtkaraoke.cli.progress import progress_bar

if TYPE_CHECKING:
    from rtkaraoke.rendering import RenderReport

Stem = Literal["music", "voice"]
LABELS: dict[Stem, str] = {"music": "no voice", "voice": "voice"}


def render(
    song: Path,
    out: Path | None = None,
    /,
    *,
    stem: Annotated[Stem, Parameter(group=VOICE, help="Which side to write.")] = "music",
    force: ForceFlag = False,
    common: Common | None = None,
    json: JsonFlag = False,
) -> int:
    """Write SONG without its voice: as long as the original, sample for sample in step with it.

    Without --preset the preset `playback` holds, whose network looks ahead.

    Parameters
    ----------
    song
        A sound or video file, or a folder, which renders as a folder.
    out
        A file (.wav, .flac, .ogg, .mp3) or a folder. When left out: "SONG (no voice)" beside the song, in its own
        format where that can be written, else as FLAC.
    """
    from rtkaraoke.files import check_target, probe

    settings = (common or Common()).settings("playback")
    whole_folder = song.is_dir()
    target = out or default_target(song, stem)
    if not whole_folder:
        if target.is_dir():
            target /= default_target(song, stem).name
        probe(song)  # both are looked at before the engine is imported and a network loaded
        check_target(target, force, song)

    from rtkaraoke.cli import build
    from rtkaraoke.rendering import render as render_file
    from rtkaraoke.rendering import render_folder

    network = build.network(settings.config)
    build.check_budget(settings, network)
    common_arguments: dict[str, Any] = {
        "network": network,
        "engine_factory": lambda: build.engine(settings, network),
        "stem": stem,
        "overwrite": force,
    }
    with progress_bar(quiet=json) as bar:
        if not whole_folder:
            bar.begin(0, 1, song)
            reports = [render_file(song, target, progress=bar.advance, **common_arguments)]
            failures = []
        else:
            result = render_folder(song, target, progress=bar.advance, on_file=bar.begin, **common_arguments)
            reports, failures = list(result.reports), list(result.failures)
    for report in reports:
        _tell(report, json)
    for path, problem in failures:
        error(str(problem) if str(path) in str(problem) else f"{path}: {problem}")
    if failures:
        note(f"{len(reports)} of {len(reports) + len(failures)} files written")
    return 2 if failures else 0


def default_target(song: Path, stem: Stem) -> Path:
    """Where ``song`` goes when nobody says: beside it, in its own format where that can be written, else as FLAC."""
    from rtkaraoke.files import OUTPUT_SUFFIXES

    song = song if song.name else song.resolve()
    if song.is_dir():
        return song.with_name(f"{song.name} ({LABELS[stem]})")
    suffix = song.suffix if song.suffix.lower() in OUTPUT_SUFFIXES else ".flac"
    return song.with_name(f"{song.stem} ({LABELS[stem]}){suffix}")


def _tell(report: "RenderReport", json: bool) -> None:
    if json:
        show_json({**asdict(report), "audio_s": report.audio_s, "real_time_factor": report.real_time_factor})
        return
    for line in report.notes:
        note(line)
    speed = f"{report.audio_s:.1f} s of sound in {report.wall_s:.1f} s, {report.real_time_factor:.0f} x real time"
    show(f"{report.target}  ({speed})")
