"""``evaluate``: how good networks are, on songs whose parts are known."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from rtkaraoke.cli.console import note, show, show_json
from rtkaraoke.cli.options import OTHER, JsonFlag
from rtkaraoke.cli.progress import progress_bar

if TYPE_CHECKING:
    from rtkaraoke.evaluate.report import Report

WHAT = Group("What is compared", sort_key=1)
SONGS = Group("Songs", sort_key=2)
NONE = "none"


def _option(group: Group, text: str) -> Parameter:
    return Parameter(group=group, help=text, show_default=False, negative=())


def evaluate(
    dataset: Path | None = None,
    /,
    *,
    model: Annotated[
        tuple[str, ...], _option(WHAT, "A name from `rtkaraoke models`, or a file FILE.onnx; may be repeated.")
    ] = (),
    baseline: Annotated[
        tuple[str, ...],
        _option(WHAT, "One of nothing, centre, repet-sim, oracle-binary, oracle-ratio, or none; may be repeated."),
    ] = (),
    bsseval: Annotated[
        tuple[str, ...], _option(WHAT, "BSS-EVAL as well: v4, v3 or none; by default what is quoted for this data set.")
    ] = (),
    strength: Annotated[
        float | None, _option(WHAT, "How decided the networks are; each one's own when left out.")
    ] = None,
    bias: Annotated[float | None, _option(WHAT, "Above 0 removes more; each one's own when left out.")] = None,
    kind: Annotated[
        str,
        _option(SONGS, "manifest, musdb18, musdb18hq, dsd100, medleydb, ikala, mir1k or folder; told by the layout."),
    ] = "auto",
    split: Annotated[
        str | None, _option(SONGS, "train, valid, test or all; those that no network may learn from when left out.")
    ] = None,
    family: Annotated[
        tuple[str, ...], _option(SONGS, "A family of the manifest, or a singer of MIR-1K; may be repeated.")
    ] = (),
    songs: Annotated[int | None, _option(SONGS, "Only the first so many.")] = None,
    seconds: Annotated[float | None, _option(SONGS, "Only so much of the middle of each.")] = None,
    sample_rate: Annotated[int | None, _option(SONGS, "Resample them to this rate, in Hz.")] = None,
    balance: Annotated[
        float | None, _option(SONGS, "Scale each voice to be so many dB louder than its music; MIR-1K: 0, -5, 5.")
    ] = None,
    markdown: Annotated[
        bool, Parameter(group=OTHER, negative=(), show_default=False, help="Answer in Markdown.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Measure how well networks take songs apart: every song streams through the engine, hop by hop (extra: bench).

    Parameters
    ----------
    dataset
        A folder of songs, each a folder with `vocals` and `accompaniment` or stems; or MUSDB18, MUSDB18-HQ, DSD100,
        MedleyDB, iKala, MIR-1K. When left out: the project's own data (RTKARAOKE_DATA).
    """
    from rtkaraoke.evaluate.baselines import BASELINES
    from rtkaraoke.evaluate.data import data_root
    from rtkaraoke.evaluate.run import evaluate as run
    from rtkaraoke.masks.models import DEFAULT_MODEL

    more: dict[str, Any] = {"strength": strength, "bias": bias}
    with progress_bar(quiet=json) as bar:

        def on_song(number: int, total: int, name: str) -> None:
            bar.begin(number, total, Path(name))
            bar.advance(number, total)

        report = run(
            dataset or data_root(),
            model or (DEFAULT_MODEL,),
            kind=kind,
            split=split,
            families=family,
            baselines=[name for name in baseline or BASELINES if name != NONE],
            bsseval=[version for version in bsseval if version != NONE] if bsseval else None,
            parameters={name: value for name, value in more.items() if value is not None},
            sample_rate=sample_rate,
            balance_db=balance,
            seconds=seconds,
            n_songs=songs,
            on_song=on_song,
        )
    if json:
        show_json(report.to_dict())
    elif markdown:
        show(report.to_markdown())
    else:
        _show(report)


def _show(report: "Report") -> None:
    """Figures downward, methods across; on a terminal, which is narrow, each interval under its figure."""
    from rtkaraoke.cli.listing import table
    from rtkaraoke.evaluate.report import EXPLANATION, FIGURES

    space = "\n" if sys.stdout.isatty() else " "
    rows = []
    for name in report.figures:
        found = [report.figure(method, name) for method in report.methods]
        rows.append([FIGURES[name].heading, *("–" if f is None else str(f).replace(" (", space + "(") for f in found)])
    show(report.title(), "", table(["dB", *report.methods], rows))
    for comparison in report.comparisons():
        show(str(comparison))
    for line in (EXPLANATION, *report.notes):
        note(line)
