"""``quality``, which measures what networks are worth, and ``compare``, which reads what the others wrote."""

from pathlib import Path
from typing import Annotated

from rtkaraoke.cli.bench.answer import MEASURING, Answer, option
from rtkaraoke.cli.options import NETWORK


def quality(
    dataset: Path | None = None,
    /,
    *,
    model: Annotated[
        tuple[str, ...], option(NETWORK, "A name from `rtkaraoke models`, or a file FILE.onnx; may be repeated.")
    ] = (),
    baseline: Annotated[
        tuple[str, ...], option(MEASURING, "As for `rtkaraoke evaluate`; nothing, centre and oracle-ratio.")
    ] = (),
    family: Annotated[
        tuple[str, ...], option(MEASURING, "A family of the manifest, or a singer of MIR-1K; may be repeated.")
    ] = (),
    songs: Annotated[int | None, option(MEASURING, "Only the first so many.")] = None,
    seconds: Annotated[float | None, option(MEASURING, "Only so much of the middle of each.")] = None,
    answer: Answer | None = None,
) -> None:
    """Measure quality beside latency: `evaluate`'s table with the milliseconds of each mode, and the curve of both.

    Parameters
    ----------
    dataset
        As for `rtkaraoke evaluate`; the project's own data (RTKARAOKE_DATA) when left out.
    """
    from rtkaraoke.bench.quality import model_infos, quality_report
    from rtkaraoke.evaluate.data import data_root
    from rtkaraoke.evaluate.run import evaluate
    from rtkaraoke.masks.onnx import shipped_models

    answer = answer or Answer()
    models = model or tuple(shipped_models())
    infos = model_infos(models)
    with answer.progress() as progress:
        found = evaluate(
            dataset or data_root(),
            models,
            baselines=baseline or ("nothing", "centre", "oracle-ratio"),
            families=family,
            bsseval=(),
            seconds=seconds,
            n_songs=songs,
            on_song=progress,
        )
    about = {"dataset": found.dataset, "songs": found.n_songs, "seconds": round(found.seconds, 1)}
    answer.give(quality_report(found, infos, about))


def compare(before: Path, after: Path, /, *, answer: Answer | None = None) -> None:
    """Compare two reports that were written with --json, and say which differences are more than noise.

    Parameters
    ----------
    before, after
        Files of one benchmark's JSON.
    """
    from rtkaraoke.bench.compare import compare as run
    from rtkaraoke.bench.report import load

    (answer or Answer()).give(run(load(before), load(after), (before.name, after.name)))
