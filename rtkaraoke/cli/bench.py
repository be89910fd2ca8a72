"""``bench``: what this machine, these sound cards and these networks can do, in figures."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Group, Parameter

from rtkaraoke.cli.console import error, note, show, show_json
from rtkaraoke.cli.options import NETWORK, OTHER, SOUND_CARD, Common, Provider, SoundCard, channels, device
from rtkaraoke.cli.progress import progress_bar
from rtkaraoke.config import Option

if TYPE_CHECKING:
    from rtkaraoke.bench.report import Report

MEASURING = Group("Measuring", sort_key=0)
Progress = Callable[[int, int, str], None]

bench = App(
    name="bench",
    help="Measure latency, load and quality (extra: bench). Reports: a table, JSON, or one HTML file with plots.",
    help_format="plaintext",
)


def _option(group: Group, text: str, **more: Any) -> Parameter:
    return Parameter(group=group, help=text, show_default=False, negative=(), **more)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """How a benchmark answers."""

    json: Annotated[bool, _option(OTHER, "Answer in JSON, for programs and for `bench compare`.", name="--json")] = False
    report: Annotated[
        Path | None, _option(OTHER, "Write a page with plots to this file, FILE.html; it needs no network.")
    ] = None

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """A bar on a terminal."""
        with progress_bar(quiet=self.json) as bar:
            names: list[str] = []

            def advance(done: int, total: int, name: str) -> None:
                if names != [name]:
                    names[:] = [name]
                    bar.begin(0, 1, Path(name))
                bar.advance(done, total)

            yield advance

    def give(self, report: "Report") -> None:
        """Show a report and write its page."""
        content = report.to_dict()
        if self.report is not None:
            from rtkaraoke.bench.html import write

            write(content, self.report)
        if self.json:
            show_json(content)
        else:
            _show(report)
            if self.report is not None:
                note(f"wrote {self.report}")


def _show(report: "Report") -> None:
    """Tables for a terminal."""
    from rtkaraoke.cli.listing import table

    for number, part in enumerate(report.tables):
        show(*([""] if number else []), part.title, "", table(list(part.columns), part.texts()))
        if part.note and sys.stderr.isatty():
            note(part.note)
    for line in report.notes:
        note(line)


@bench.command
def loopback(
    *,
    input: Annotated[  # noqa: A002 - the option's name
        str | None, _option(SOUND_CARD, "Input device, as for --output.")
    ] = None,
    channels_in: Annotated[
        str | None, _option(SOUND_CARD, "Input channels to be measured, one after the other; 1 when left out.")
    ] = None,
    engine: Annotated[
        bool, _option(MEASURING, "Through the whole engine, as `live` runs it, with the voice untouched.")
    ] = False,
    save: Annotated[
        bool, _option(MEASURING, "Keep the figure: `live` then declares it for these devices, rate and block.")
    ] = False,
    runs: Annotated[int, _option(MEASURING, "Streams opened one after the other: 5.")] = 5,
    probes: Annotated[int, _option(MEASURING, "Test signals in each: 3.")] = 3,
    order: Annotated[
        int, _option(MEASURING, "Length of a test signal, as a power of 2 in samples: 15. More finds it in more noise.")
    ] = 15,
    longest: Annotated[float, _option(MEASURING, "The longest round trip that is looked for, in ms: 500.")] = 500.0,
    level: Annotated[float, _option(MEASURING, "Peak of the test signal, in dB of full scale: -12.")] = -12.0,
    card: SoundCard | None = None,
    common: Common | None = None,
    answer: Answer | None = None,
) -> int:
    """Measure the round trip: connect an output to an input by a cable, or put a microphone before a loudspeaker.

    The figure has an interval over several starts of the stream. What is no answer to the test signal - hum, noise,
    another signal, feedback, crosstalk - is refused with the reason. The exit code is 2 when a channel has no figure.
    """
    from rtkaraoke.bench import loopback as bench_loopback
    from rtkaraoke.cli import build
    from rtkaraoke.dsp.probe import CalibrationError
    from rtkaraoke.errors import LiveError

    if not (1 <= runs <= 100 and 1 <= probes <= 20 and 1 <= longest <= 5000 and -90 <= level <= 0):
        raise LiveError(
            f"--runs {runs} --probes {probes} --longest {longest:g} --level {level:g}: "
            "wanted 1 to 100 runs, 1 to 20 probes, 1 to 5000 ms and -90 to 0 dB"
        )
    if engine and save:
        raise LiveError("--engine with --save: what is kept is the part of the devices: measure it without --engine")
    card, answer = card or SoundCard(), answer or Answer()
    inputs = channels("--channels-in", channels_in) or (1,)
    given = {
        "input": Option("--input", device(input)),
        "channels_out": Option("--channels", channels("--channels", card.channels) or ((1, 2) if engine else (1,))),
    }
    more = (*card.given(), *((("live", name), option) for name, option in given.items()))
    settings = (common or Common(vocals=0.0)).settings("live", more)
    wanted = build.live_settings(settings, channels_in=settings.config.live.channels_out)
    factory = build.EngineFactory(build.with_voice_untouched(settings)) if engine else None
    with answer.progress() as progress:
        found = bench_loopback.loopback(
            wanted,
            inputs,
            engine_factory=factory,
            progress=progress,
            n_runs=runs,
            n_probes=probes,
            order=order,
            longest_s=1e-3 * longest,
            level_db=level,
        )
    parameters = {"runs": runs, "probes": probes, "order": order, "longest_ms": longest, "level_db": level}
    parameters |= {"block": wanted.block, "prefill": wanted.prefill, "engine": engine}
    answer.give(bench_loopback.loopback_report(found, parameters))
    if save and (path := bench_loopback.save(wanted, found)):
        note(f"kept in {path}: `rtkaraoke live` declares it from now on for these devices, rate and block")
    refused = {channel: result for channel, result in found.items() if isinstance(result, CalibrationError)}
    for channel, reason in refused.items():
        error(f"channel {channel}: {reason}")
    return 2 if refused else 0


@bench.command
def hop(
    *,
    model: Annotated[
        tuple[str, ...], _option(NETWORK, "A name from `rtkaraoke models`, or a file FILE.onnx; may be repeated.")
    ] = (),
    provider: Annotated[
        tuple[Provider, ...], _option(NETWORK, "What computes the network; may be repeated. cpu when left out.")
    ] = (),
    sample_rate: Annotated[tuple[int, ...], _option(MEASURING, "In Hz; may be repeated. 44100 when left out.")] = (),
    block: Annotated[
        tuple[int, ...], _option(MEASURING, "Samples that the engine is given at a time, a hop when left out; repeat.")
    ] = (),
    hops: Annotated[int, _option(MEASURING, "Hops of each combination: 2000.")] = 2000,
    answer: Answer | None = None,
) -> None:
    """Measure how long one hop takes, stage by stage, and how many would have come too late."""
    from rtkaraoke.bench.hop_report import hop_report
    from rtkaraoke.errors import RtkaraokeError
    from rtkaraoke.masks.onnx import shipped_models

    if hops < 20 or any(not 1 <= size <= 65_536 for size in block):
        raise RtkaraokeError(f"--hops {hops}, --block {block}: wanted at least 20 hops, and 1 to 65536 samples")
    answer = answer or Answer()
    models = model or (*shipped_models(), "centre")
    with answer.progress() as progress:
        report = hop_report(models, provider or ("cpu",), sample_rate or (44_100,), block or (0,), hops, progress)
    answer.give(report)
