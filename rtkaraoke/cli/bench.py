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

    json: Annotated[bool, _option(OTHER, "Answer in JSON, for programs and for `bench compare`.", name="--json")] = (
        False
    )
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
    settings = (common or Common()).settings("live", more)
    if engine and (settings.config.mics or settings.config.outputs):
        raise LiveError("--engine measures the way of the music: give a --preset without microphones and outputs")
    alone = {"channels_in": settings.config.live.channels_out, "mic_in": (), "more_out": (), "voice_out": ()}
    wanted = build.live_settings(settings, **alone)
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


@bench.command
def schedule(
    *,
    seconds: Annotated[float, _option(MEASURING, "Of each of six combinations per load: 5.")] = 5.0,
    load: Annotated[
        tuple[str, ...], _option(MEASURING, "idle, cpu, memory or disk: what runs beside it; all, or repeat.")
    ] = (),
    hogs: Annotated[int, _option(MEASURING, "Busy processes of a kind: 2.")] = 2,
    answer: Answer | None = None,
) -> None:
    """Measure how late the worker wakes up: real-time and normal priority, beside busy processes and threads."""
    from rtkaraoke.bench.load import LOADS
    from rtkaraoke.bench.schedule import schedule as run
    from rtkaraoke.errors import RtkaraokeError

    if not 0.1 <= seconds <= 3600 or not 0 <= hogs <= 64:
        raise RtkaraokeError(f"--seconds {seconds:g} --hogs {hogs}: wanted 0.1 to 3600 s and 0 to 64 processes")
    answer = answer or Answer()
    with answer.progress() as progress:
        report = run(seconds, load or LOADS, hogs, progress)
    answer.give(report)


@bench.command
def soak(
    *,
    seconds: Annotated[float, _option(MEASURING, "Length of a run: 60. An hour promises more.")] = 60.0,
    prefill: Annotated[tuple[int, ...], _option(MEASURING, "In samples; may be repeated. 512 when left out.")] = (),
    period: Annotated[int, _option(MEASURING, "Of the sound server, in samples: 128.")] = 128,
    hogs: Annotated[int, _option(MEASURING, "Busy processes beside it: 2.")] = 2,
    model: Annotated[str | None, _option(NETWORK, "A name from `rtkaraoke models`, or a file FILE.onnx.")] = None,
    provider: Annotated[Provider, _option(NETWORK, "What computes the network: cpu.")] = "cpu",
    answer: Answer | None = None,
) -> None:
    """Run the whole live path on a sound server of its own (JACK's dummy driver) and account for every sample."""
    from rtkaraoke.bench.soak_report import soak_report
    from rtkaraoke.errors import RtkaraokeError
    from rtkaraoke.evaluate.extras import require
    from rtkaraoke.masks.models import DEFAULT_MODEL

    if not 1 <= seconds <= 1e6 or not 0 <= hogs <= 64:
        raise RtkaraokeError(f"--seconds {seconds:g} --hogs {hogs}: wanted 1 to 1000000 s and 0 to 64 processes")
    require("psutil", "rtkaraoke bench soak")
    from rtkaraoke.bench.soak import soak as run

    answer = answer or Answer()
    prefills, name = prefill or (512,), model or DEFAULT_MODEL
    results = {}
    with answer.progress() as progress:
        for number, samples in enumerate(prefills):

            def advance(done_s: float, number: int = number, samples: int = samples) -> None:
                total = round(seconds * len(prefills))
                progress(round(number * seconds + min(done_s, seconds)), total, f"prefill {samples}")

            results[samples] = run(
                seconds=seconds, period=period, prefill=samples, model=name, provider=provider, hogs=hogs,
                on_wait=advance,
            )  # fmt: skip
    parameters = {"seconds": seconds, "period": period, "model": name, "provider": provider, "hogs": hogs}
    answer.give(soak_report(results, parameters))


@bench.command
def devices(
    *,
    input: Annotated[  # noqa: A002 - the option's name
        str | None, _option(SOUND_CARD, "Input device, as for --output.")
    ] = None,
    seconds: Annotated[float, _option(MEASURING, "For which each block must hold: 60.")] = 60.0,
    blocks: Annotated[
        tuple[int, ...], _option(MEASURING, "A block to be tried, in samples; may be repeated. 1024 to 32 by halves.")
    ] = (),
    write: Annotated[Path | None, _option(MEASURING, "Write the recommendation as a preset, FILE.toml.")] = None,
    card: SoundCard | None = None,
    common: Common | None = None,
    answer: Answer | None = None,
) -> int:
    """Find the smallest block that these sound cards hold with this network, and recommend settings. It is silent.

    The exit code is 2 when no block holds.
    """
    from rtkaraoke.bench import smallest
    from rtkaraoke.cli import build
    from rtkaraoke.errors import RtkaraokeError

    if not 1 <= seconds <= 1e6 or any(not 16 <= size <= 8192 for size in blocks):
        raise RtkaraokeError(f"--seconds {seconds:g} --blocks {blocks}: wanted 1 to 1000000 s and 16 to 8192 samples")
    if write is not None and write.exists():
        raise RtkaraokeError(f"{write} is there: give another name, or remove it first")
    card, answer = card or SoundCard(), answer or Answer()
    given = {
        "input": Option("--input", device(input)),
        "channels_in": Option("--channels", channels("--channels", card.channels)),
    }
    more = (*card.given(), *((("live", name), option) for name, option in given.items()))
    settings = (common or Common()).settings("live", more)
    wanted = build.live_settings(settings)
    with answer.progress() as progress:
        trials = smallest.smallest(
            wanted,
            build.EngineFactory(settings),
            seconds=seconds,
            blocks=blocks or smallest.BLOCKS,
            progress=progress,
        )
    names = f"{trials[0].status.input} -> {trials[0].status.output}"
    about = {"devices": names, "seconds": seconds, "model": settings.config.model.name}
    answer.give(smallest.devices_report(trials, about))
    if smallest.best(trials) is None:
        return 2
    if write is not None:
        description = f"{names}: the smallest block that held for {seconds:g} s, with reserve"
        smallest.write_preset(write, smallest.preset(wanted, trials, settings.config.model.name, description))
        note(f"wrote {write}: `rtkaraoke live --preset {write}`")
    return 0


@bench.command
def quality(
    dataset: Path | None = None,
    /,
    *,
    model: Annotated[
        tuple[str, ...], _option(NETWORK, "A name from `rtkaraoke models`, or a file FILE.onnx; may be repeated.")
    ] = (),
    baseline: Annotated[
        tuple[str, ...], _option(MEASURING, "As for `rtkaraoke evaluate`; nothing, centre and oracle-ratio.")
    ] = (),
    family: Annotated[
        tuple[str, ...], _option(MEASURING, "A family of the manifest, or a singer of MIR-1K; may be repeated.")
    ] = (),
    songs: Annotated[int | None, _option(MEASURING, "Only the first so many.")] = None,
    seconds: Annotated[float | None, _option(MEASURING, "Only so much of the middle of each.")] = None,
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


@bench.command
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
