"""The report of :mod:`rtkaraoke.bench.hop`: every combination of network, provider, rate and block."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from rtkaraoke.bench import rooms
from rtkaraoke.bench.histogram import bins
from rtkaraoke.bench.hop import BACK_TO_BACK, PACED, HopTimings, Timing, measure, one_core
from rtkaraoke.bench.report import Cell, Figure, Histogram, Report, Stack, Table
from rtkaraoke.bench.statistics import mean, quantile, share
from rtkaraoke.errors import ProviderError, RtkaraokeError
from rtkaraoke.masks.models import load_model
from rtkaraoke.masks.onnx import Network

LOAD_COLUMNS = {
    "network": "",
    "provider": "",
    "rate Hz": "",
    "block": "",
    "hops": "",
    "hop ms": ".2f",
    "run": "",
    "mean CPU": ".1%",
    "p99.9 CPU": ".1%",
    "p50 ms": ".2f",
    "p99 ms": ".2f",
    "p99.9 ms": ".2f",
    "max ms": ".2f",
    "would have missed": "",
    "of all, at most": ".2%",
}
STAGE_COLUMNS = {
    "network": "",
    "provider": "",
    "stage": "",
    "CPU mean µs": ".0f",
    "CPU p99.9 µs": ".0f",
    "p50 µs": ".0f",
    "p99 µs": ".0f",
    "p99.9 µs": ".0f",
    "max µs": ".0f",
}
SUMMARY_COLUMNS = {
    "network": "",
    "provider": "",
    "rate Hz": "",
    "a hop lasts ms": ".2f",
    "and takes ms": ".2f",
    "mean": ".1%",
    "p99.9": ".1%",
}
CHECK_COLUMNS = {
    "network": "",
    "provider": "",
    "rate Hz": "",
    "hop by hop ms": ".3f",
    "in a loop ms": ".3f",
    "difference": "+.1%",
    "noise of the first": ".1%",
    "clocks, of a hop": ".3%",
}
LOAD_NOTE = (
    "*As live*: each hop when its time has come; the processor has slept and its caches have served others. *CPU*: the "
    "thread's CPU time as a share of the hop. The other times are the wall's, other programs on the machine included; "
    "*would have missed* counts hops that took longer than a hop, *at most* is the upper end of that share's 95 % "
    "interval."
)
CHECK_NOTE = (
    "Mean CPU time of the same hops, read at each of them and, independently, at both ends of a loop; the two take "
    "turns. *Noise*: half of the first's 95 % interval. *Clocks*: what reading them takes of the time that a hop lasts."
)
NAMES = {BACK_TO_BACK: "back_to_back", PACED: "as_live"}


@dataclass(frozen=True, slots=True)
class Case:
    """What was measured, and the timings."""

    network: str
    provider: str
    sample_rate: int
    timings: HopTimings

    @property
    def label(self) -> str:
        """For a chart."""
        block = f", block {self.timings.block}" if self.timings.block else ""
        return f"{self.network}, {self.provider}, {self.sample_rate / 1000:g} kHz{block}"

    @property
    def key(self) -> str:
        """For names of figures."""
        parts = [self.network, self.provider, str(self.sample_rate)]
        return ".".join(parts + ([f"block{self.timings.block}"] if self.timings.block else []))


def hop_report(
    models: Sequence[str],
    providers: Sequence[str],
    rates: Sequence[int],
    blocks: Sequence[int] = (0,),
    n_hops: int = 10_000,
    progress: Callable[[int, int, str], None] | None = None,
    streams: Sequence[int] = (),
    graphs: bool = True,
) -> Report:
    """Measure every combination on one core.

    Parameters
    ----------
    models, providers : sequence of str
        As :func:`rtkaraoke.load_model` knows them. What a machine cannot do is left out with a note, as long as
        something is left.
    rates : sequence of int
        In Hz.
    blocks : sequence of int
        Samples that the engine is given at a time; 0 for a hop.
    n_hops : int
        Of each.
    progress : callable, optional
        Gets passes done, passes in all, and a name.
    streams : sequence of int
        Numbers of rooms that one run of the network serves, for how many a core or a card carries.
    graphs : bool
        As :func:`rtkaraoke.load_model` takes it; without, the report's parameters say so.

    Raises
    ------
    RtkaraokeError
        When nothing can be measured.
    """
    cases: list[Case] = []
    served: list[rooms.RoomTimings] = []
    notes: list[str] = []
    wanted = [(model, provider) for model in models for provider in (providers[:1] if model == "centre" else providers)]
    of_each = len(rates) * (4 * len(blocks) + len(streams))
    n_passes, done, name = of_each * len(wanted), 0, ""

    def advance(*passes: int) -> None:
        nonlocal done
        done += bool(passes)
        if progress is not None:
            progress(done, n_passes, name)

    with one_core():
        for model, provider in wanted:
            try:
                network = load_model(model, provider, graphs)
            except ProviderError as error:
                notes.append(f"{model} on {provider}: not measured: {error}")
                done += of_each
                continue
            # Files that are compared often say the same of themselves.
            name = Path(model).stem if model.endswith(".onnx") else network.info.name
            shared = network if isinstance(network, Network) else None  # the centre mask has no runs to share
            n_said = len(shared.notes) if shared else 0
            advance()
            for rate, block in product(rates, blocks):
                cases.append(Case(name, provider, rate, measure(network, rate, n_hops, block, advance)))
            for rate, n_streams in product(rates, streams):
                if shared:
                    served.append(rooms.measure(shared, n_streams, n_hops, rate, name))
                advance(1)
            if shared:  # a card that failed and left its work to the CPU says so here
                notes += [f"{name} on {provider}: {line}" for line in shared.notes[n_said:]]
    if not cases:
        raise RtkaraokeError("nothing was measured. " + " ".join(notes))
    if streams and not served:
        notes.append("no streams: the centre mask runs no network that rooms could share; name one with --model")
    report = _assemble(cases, n_hops, notes, rates[0], served)
    if not graphs:
        report.parameters["cuda_graphs"] = False
    return report


def _assemble(
    cases: Sequence[Case],
    n_hops: int,
    notes: list[str],
    first_rate: int,
    served: Sequence[rooms.RoomTimings] = (),
) -> Report:
    figures: dict[str, Figure] = {}
    for case in cases:
        figures |= _figures(case)
    figures |= rooms.figures(served)
    first = [case for case in cases if case.sample_rate == first_rate and case.timings.block == cases[0].timings.block]
    return Report(
        "hop",
        "Time of a hop",
        {"hops": n_hops},
        figures,
        [
            Table("summary", "In short: CPU time of a hop, one core", SUMMARY_COLUMNS, [_summary(c) for c in cases]),
            Table("load", "One hop against the time it has", LOAD_COLUMNS, _load(cases), LOAD_NOTE),
            Table(
                "stages",
                f"One hop by stage, {first_rate} Hz",
                STAGE_COLUMNS,
                [row for case in first for row in _stages(case)],
                "The stages run back to back, one after the other; the whole hop is `Engine.process`.",
            ),
            Table("check", "The same work, timed independently", CHECK_COLUMNS, [_check(c) for c in cases], CHECK_NOTE),
            *([rooms.table("streams", "Streams in one run of the network", served)] if served else []),
        ],
        [
            Histogram(
                "Wall time of a hop, as live",
                "ms",
                {case.label: bins(case.timings.whole[PACED].wall_ms) for case in cases},
                first[0].timings.hop_ms,
                "a hop lasts",
            ),
            Stack(
                "Mean CPU time of a hop by stage",
                "ms",
                {c.label: {name: float(t.cpu_ms.mean()) for name, t in c.timings.stages.items()} for c in cases},
            ),
            *rooms.charts(served),
        ],
        notes + rooms.notes(served),
    )


def _figures(case: Case) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for pace, times in case.timings.whole.items():
        key = f"hop.{case.key}.{NAMES[pace]}"
        late = int(np.count_nonzero(times.wall_ms > case.timings.hop_ms))
        figures |= {
            f"{key}.cpu_mean_ms": Figure.of(mean(times.cpu_ms)),
            f"{key}.p50_ms": Figure.of(quantile(times.wall_ms, 50)),
            f"{key}.p99_ms": Figure.of(quantile(times.wall_ms, 99)),
            f"{key}.p99_9_ms": Figure.of(quantile(times.wall_ms, 99.9)),
            f"{key}.max_ms": Figure(float(times.wall_ms.max())),
            f"{key}.missed_share": Figure.of(share(late, len(times.wall_ms))),
        }
    return figures


def _percentiles(times: Timing, scale: float = 1.0) -> list[Cell]:
    return [scale * float(value) for value in (*np.percentile(times.wall_ms, [50, 99, 99.9]), times.wall_ms.max())]


def _load(cases: Sequence[Case]) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for case in cases:
        timings = case.timings
        for pace, times in timings.whole.items():
            cpu = times.cpu_ms / timings.hop_ms
            late = int(np.count_nonzero(times.wall_ms > timings.hop_ms))
            head: list[Cell] = [case.network, case.provider, case.sample_rate, timings.block or "hop", len(cpu)]
            shares: list[Cell] = [timings.hop_ms, pace, float(cpu.mean()), float(np.percentile(cpu, 99.9))]
            rows.append([*head, *shares, *_percentiles(times), late, share(late, len(cpu)).high])
    return rows


def _summary(case: Case) -> list[Cell]:
    hop_ms, cpu_ms = case.timings.hop_ms, case.timings.whole[BACK_TO_BACK].cpu_ms
    average, most = float(cpu_ms.mean()), float(np.percentile(cpu_ms, 99.9))
    return [case.network, case.provider, case.sample_rate, hop_ms, average, average / hop_ms, most / hop_ms]


def _stages(case: Case) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    whole = {f"whole hop, {pace}": times for pace, times in case.timings.whole.items()}
    for name, times in (case.timings.stages | whole).items():
        cpu = 1e3 * times.cpu_ms
        shares: list[Cell] = [float(cpu.mean()), float(np.percentile(cpu, 99.9))]
        rows.append([case.network, case.provider, name, *shares, *_percentiles(times, 1e3)])
    return rows


def _check(case: Case) -> list[Cell]:
    timings = case.timings
    ours = mean(timings.whole[BACK_TO_BACK].cpu_ms)
    return [
        case.network,
        case.provider,
        case.sample_rate,
        ours.value,
        timings.loop_ms,
        (ours.value - timings.loop_ms) / timings.loop_ms,
        (ours.high - ours.value) / ours.value,
        timings.clocks_ms / timings.hop_ms,
    ]
