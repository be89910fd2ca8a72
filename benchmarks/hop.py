"""Time of one hop by stage, sample rate and provider.

    python benchmarks/hop.py [--hops 10000] [--models live centre] [--providers cpu cuda] [--name hop]

Pinned to one core. Writes ``results/NAME.json``.
"""

import argparse
import os

import numpy as np
from common import Cell, Table, save

from rtkaraoke import load_model
from rtkaraoke.bench.hop import BACK_TO_BACK, HopTimings, Timing, measure
from rtkaraoke.errors import ProviderError
from rtkaraoke.masks.models import DEFAULT_MODEL

LOAD_COLUMNS = {
    "network": "",
    "provider": "",
    "rate Hz": "",
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


def percentiles(times: Timing, scale: float = 1.0) -> list[Cell]:
    return [scale * float(value) for value in (*np.percentile(times.wall_ms, [50, 99, 99.9]), times.wall_ms.max())]


def load_rows(model: str, provider: str, rate: int, timings: HopTimings) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for pace, times in timings.whole.items():
        cpu = times.cpu_ms / timings.hop_ms
        shares = [float(cpu.mean()), float(np.percentile(cpu, 99.9))]
        late = int(np.count_nonzero(times.wall_ms > timings.hop_ms))
        rows.append([model, provider, rate, len(cpu), timings.hop_ms, pace, *shares, *percentiles(times), late])
    return rows


def summary_row(model: str, provider: str, rate: int, timings: HopTimings) -> list[Cell]:
    cpu_ms = timings.whole[BACK_TO_BACK].cpu_ms
    mean, most = float(cpu_ms.mean()), float(np.percentile(cpu_ms, 99.9))
    return [model, provider, rate, timings.hop_ms, mean, mean / timings.hop_ms, most / timings.hop_ms]


def stage_rows(model: str, provider: str, timings: HopTimings) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    whole = {f"whole hop, {pace}": times for pace, times in timings.whole.items()}
    for name, times in (timings.stages | whole).items():
        cpu = 1e3 * times.cpu_ms
        shares = [float(cpu.mean()), float(np.percentile(cpu, 99.9))]
        rows.append([model, provider, name, *shares, *percentiles(times, 1e3)])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hops", type=int, default=10_000)
    parser.add_argument("--models", nargs="+", default=[DEFAULT_MODEL, "centre"])
    parser.add_argument("--providers", nargs="+", default=["cpu", "cuda"])
    parser.add_argument("--rates", nargs="+", type=int, default=[44_100, 48_000, 96_000])
    parser.add_argument("--name", default="hop", help="of the result file")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    summary: list[list[Cell]] = []
    load: list[list[Cell]] = []
    stages: list[list[Cell]] = []
    for model in options.models:
        for provider in options.providers[:1] if model == "centre" else options.providers:
            try:
                network = load_model(model, provider)
            except ProviderError as error:
                print(f"{model} on {provider}: {error}")
                continue
            for rate in options.rates:
                timings = measure(network, rate, options.hops)
                summary.append(summary_row(model, provider, rate, timings))
                load += load_rows(model, provider, rate, timings)
                if rate == options.rates[0]:
                    stages += stage_rows(model, provider, timings)
    tables = [
        Table("summary", "In short: CPU time of a hop, one core", SUMMARY_COLUMNS, summary),
        Table(
            "load",
            "One hop against the time it has",
            LOAD_COLUMNS,
            load,
            "*As live*: each hop when its time has come; the processor has slept and its caches have served others. "
            "*CPU*: the thread's CPU time as a share of the hop. The other times are the wall's, other programs on the "
            "machine included; *would have missed* counts hops that took longer than a hop.",
        ),
        Table(
            "stages",
            f"One hop by stage, {options.rates[0]} Hz",
            STAGE_COLUMNS,
            stages,
            "The stages run back to back, one after the other; the whole hop is `Engine.process`.",
        ),
    ]
    for table in tables:
        print(f"\n{table.title}\n\n{table.markdown()}")
    print(f"\nwrote {save(options.name, tables, hops=options.hops)}")


if __name__ == "__main__":
    main()
