"""``demo``: the main job with nothing to prepare. Needs no sound card, and no song."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rtkaraoke.cli.console import note, show, show_json
from rtkaraoke.cli.listing import table
from rtkaraoke.cli.options import NETWORK, OTHER, ForceFlag, JsonFlag, Provider
from rtkaraoke.cli.progress import progress_bar
from rtkaraoke.config import ModelConfig


def demo(
    song: Path | None = None,
    /,
    *,
    out: Annotated[Path, Parameter(group=OTHER, help="Folder for the results.")] = Path("demo"),
    model: Annotated[
        str, Parameter(group=NETWORK, help="A name from `rtkaraoke models`, or a file FILE.onnx.")
    ] = ModelConfig().name,
    provider: Annotated[Provider, Parameter(group=NETWORK, help="What computes the network.")] = "auto",
    force: ForceFlag = False,
    json: JsonFlag = False,
) -> None:
    """Take the voice out of SONG, or of a song that is synthesised on the spot, and show what came out.

    Writes the mixture, the music without its voice, the voice alone, and a picture of the three.

    Parameters
    ----------
    song
        A sound or video file; left out, the program sings one itself, and can then measure against the true stems.
    """
    from rtkaraoke.cli import build
    from rtkaraoke.config import Config
    from rtkaraoke.demo import write_demo

    network = build.network(Config(model=ModelConfig(model, provider)))
    with progress_bar(quiet=json) as bar:
        bar.begin(0, 1, song or Path("demo song"))
        report = write_demo(out, network, song, overwrite=force, progress=bar.advance)
    if json:
        show_json(asdict(report))
        return
    for line in report.notes:
        note(line)
    files = [
        ("mixture", report.mixture),
        ("voice removed", report.music),
        ("voice alone", report.voice),
        ("picture", report.picture),
    ]
    show(table((), files), "", table((), report.figures))
