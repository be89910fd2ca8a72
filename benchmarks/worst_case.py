"""The worst hop is hunted: what may make one late, each in a small experiment, and what the engine makes of it.

    python benchmarks/worst_case.py [--model live] [--windows 7] [--quick] [--name worst_case]

Page faults, garbage collection, timer slack, compiling, first inference, denormals, sleep states, heat, stolen time,
and a graphics card's stalls where there is one. Takes some 3 minutes and writes ``results/NAME.json``, which
``docs/worst-case.md`` shows. ``--quick`` takes less than 20 seconds, leaves the empty cache of kernels out and
writes to a temporary folder.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import Cell, Table, parse, save
from numpy.typing import NDArray

from rtkaraoke.bench.hop import no_garbage_collection, one_core
from rtkaraoke.bench.stalls import watched
from rtkaraoke.bench.worst import card, collection, denormals, processor, timer
from rtkaraoke.bench.worst.memory import touch_fresh_memory
from rtkaraoke.bench.worst.start import Start, start_process, typical
from rtkaraoke.errors import ProviderError
from rtkaraoke.masks.models import DEFAULT_MODEL, load_model
from rtkaraoke.masks.protocol import MaskNetwork

#: One line of the summary: cause, experiment, without what the engine does, with it, unit.
Cause = list[Cell]
Found = tuple[list[Cause], list[Table]]

SUMMARY = {"cause": "", "experiment": "", "without what the engine does": ".4g", "with it": ".4g", "unit": ""}
SUMMARY_NOTE = (
    "A dash on the right: the engine does nothing about it; on the left: nothing was taken away for comparison. "
    "A hop lasts {hop_ms:.1f} ms."
)
SPREAD = {"p50 ms": ".3f", "p99 ms": ".3f", "max ms": ".3f"}
RATE = 44_100
MIB = 1 << 20
FRESH_SIZE = 16 * MIB
N_FIRST = 10  #: hops that are not yet steady
SHOWN_HOPS = (1, 2, 3, 10, 100)
RESTS_MS = (0, 1, 5, 20, 100)
PAUSES_S = (0.0, 1.0, 10.0)
NO_CARD = "not measured: no CUDA device"


def beginnings(model: str, n_hops: int, n_starts: int, *, empty_cache: bool) -> Found:
    """Compiling, first inference, page faults and the collector's heap, in processes that begin anew."""
    cases: dict[str, Start] = {}
    if empty_cache:
        with tempfile.TemporaryDirectory() as cache:
            cases["no cache of kernels"] = start_process(model, "cpu", N_FIRST, warm=True, cache=Path(cache))
    cold, warm = (
        typical([start_process(model, "cpu", n_hops, warm=warm, compiling=not warm) for _ in range(n_starts)])
        for warm in (False, True)
    )
    cases |= {"kernels cached, not warmed up": cold, "kernels cached, warmed up": warm}
    stages = list(warm.stages_ms)
    began = [[name, *(found.stages_ms.get(stage) for stage in stages)] for name, found in cases.items()]
    shown = [number for number in SHOWN_HOPS if number <= n_hops]
    first: list[list[Cell]] = [
        [number, *(part[number - 1] for found in (cold, warm) for part in (found.hops_ms, found.steps_ms))]
        for number in shown
    ]
    first.append(["p50 of the rest", *(_steady(part) for s in (cold, warm) for part in (s.hops_ms, s.steps_ms))])
    pair = ("not warmed up", "warmed up")
    columns = {"hop": ""} | {f"{what}, {how} ms": ".3f" for how in pair for what in ("hop", "step")}
    faults = [
        [
            how,
            *(sum(part[:1]) if part else None for part in (found.minor_faults, found.major_faults)),
            *(sum(part[1:N_FIRST]) if part else None for part in (found.minor_faults, found.major_faults)),
            len(found.hops_ms) - N_FIRST,
            *(sum(part[N_FIRST:]) if part else None for part in (found.minor_faults, found.major_faults)),
            max(found.minor_faults[N_FIRST:], default=None),
        ]
        for how, found in zip(pair, (cold, warm), strict=True)
    ]
    fault_columns = ["", "first hop: minor", "major", f"hops 2 to {N_FIRST}: minor", "major ", "hops after them"]
    fresh = touch_fresh_memory(FRESH_SIZE)
    share = MIB / FRESH_SIZE
    heap = f"{cold.n_objects} objects, full collection"
    unfrozen, frozen = (
        max(getattr(each, part) for each in (cold, warm)) for part in ("collect_ms", "collect_frozen_ms")
    )
    causes: list[Cause] = [
        ["page faults", "minor faults in the first hop", *(row[1] for row in faults), "faults"],
        ["page faults", f"minor and major faults in {faults[1][5]} steady hops", None, _sum(faults[1][6:8]), "faults"],
        ["page faults", "one byte into each page of 1 MiB", share * fresh.fresh_ms, share * fresh.again_ms, "ms"],
        ["garbage collection", heap, unfrozen, frozen, "ms"],
        [
            "compiling",
            "the first call of a kernel without a signature; the first hop",
            cold.compile_ms,
            warm.hops_ms[0],
            "ms",
        ],
        ["first inference", "the network's first step", cold.steps_ms[0], warm.steps_ms[0], "ms"],
    ]
    tables = [
        Table("start", "Before the first hop, in ms", {"": ""} | dict.fromkeys(stages, ".0f"), began),
        Table("first_hops", "The first hops", columns, first),
        Table(
            "faults",
            "Page faults of the thread",
            dict.fromkeys([*fault_columns, "minor ", "major  ", "most in one hop"], ""),
            faults,
        ),
    ]
    return causes, tables


def _steady(times: Sequence[float]) -> float:
    return float(np.median(times[N_FIRST:]))


def _sum(cells: Sequence[Cell]) -> Cell:
    numbers = [cell for cell in cells if isinstance(cell, int)]
    return sum(numbers) if numbers else None


def collections(network: MaskNetwork, n_hops: int) -> Found:
    """The garbage collector beside an allocating thread."""
    names = ("as Python has it", "frozen and off, as the engine has it")
    found = [collection.measure(network, n_hops, as_live=as_live) for as_live in (False, True)]
    rows = [
        [name, n_hops, *processor.percentiles(each.hops_ms), len(each.collections_ms), each.longest_ms]
        for name, each in zip(names, found, strict=True)
    ]
    columns = {"collector": "", "hops": "", **SPREAD, "collections": "", "longest ms": ".2f"}
    note = (
        "Hops at the pace of live sound, each from when it was due until it was done, while another thread of the "
        f"process makes and drops {collection.BURST} lists at a time. Every thread of Python waits for a collection."
    )
    table = Table("collection", "The garbage collector beside the hops", columns, rows, note)
    cause = "the longest collection beside a thread that allocates"
    return [["garbage collection", cause, *(each.longest_ms for each in found), "ms"]], [table]


def timers(seconds: float) -> Found:
    """Timer slack."""
    found = timer.measure(seconds)
    rows = [[name, len(late), *processor.percentiles(late)] for name, late in found.items()]
    slack_ns = timer.timer_slack_ns()
    given = "" if slack_ns is None else f" The slack as given is {slack_ns / 1000:g} us."
    table = Table(
        "timer",
        "How late a sleep of 0.5 ms ends",
        {"": "", "wake-ups": "", **SPREAD},
        rows,
        f"Threads of their own, nothing beside them.{given}",
    )
    p50 = {name: float(np.median(late)) for name, late in found.items()}
    return [["timer slack", "median lateness of the worker's poll", p50[timer.DEFAULT], p50.get(timer.FIFO), "ms"]], [
        table
    ]


def numbers(network: MaskNetwork, n_hops: int) -> Found:
    """Denormals."""
    cases = denormals.measure(network, n_hops)
    hop, step = (float(np.median(part)) for part in (cases[0].hops.cpu_ms, cases[0].steps_ms))
    rows: list[list[Cell]] = []
    for case in cases:
        hop_ms, step_ms = float(np.median(case.hops.cpu_ms)), float(np.median(case.steps_ms))
        rows.append([case.sound, hop_ms, hop_ms / hop, step_ms, step_ms / step])
    kernels = denormals.measure_kernels(network.info.geometry.at_rate(RATE), n_hops)
    kernel_rows = [[name, 1e3 * normal, 1e3 * tiny, tiny / normal] for name, (normal, tiny) in kernels.items()]
    columns = {"sound": "", "hop, CPU ms": ".3f", "x noise": ".2f", "step ms": ".3f", "x noise ": ".2f"}
    tables = [
        Table("denormals", "Denormal sound, the whole engine", columns, rows, "Medians; masks smoothed over 20 ms."),
        Table(
            "denormal_kernels",
            "Denormal numbers in every input and state of a kernel",
            {"kernel": "", "around 1, us": ".2f", "around 1e-40, us": ".2f", "ratio": ".2f"},
            kernel_rows,
        ),
    ]
    worst = max(float(row[2]) for row in rows[1:] if isinstance(row[2], float))
    slowest = sum(tiny - normal for normal, tiny in kernels.values())
    return [
        ["denormals", "a hop of the worst of four kinds of denormal sound, over one of noise", worst, None, "x"],
        ["denormals", "what all kernels of a hop take longer in the worst case", slowest, None, "ms"],
    ], tables


def rests(network: MaskNetwork, seconds: float, n_hops: int) -> Found:
    """The core's clock, sleep states and caches after a rest."""
    found = processor.after_rest(network, RESTS_MS, seconds, n_hops)
    rows = [
        [
            "back to back" if not each.rest_ms else f"{each.rest_ms:g} ms {'polled' if each.polled else 'asleep'}",
            len(each.timing.wall_ms),
            *processor.percentiles(each.timing.wall_ms),
            float(np.median(each.timing.cpu_ms)),
        ]
        for each in found
    ]
    p50 = {(each.rest_ms, each.polled): float(np.median(each.timing.wall_ms)) for each in found}
    tables = [
        Table("rest", "A hop after a rest", {"rest": "", "hops": "", **SPREAD, "CPU p50 ms": ".3f"}, rows),
        Table("clock", "What the machine shows of its clock", {"": "", "value": ""}, [*processor.clock().items()]),
    ]
    return [
        [
            "clock, sleep states, caches",
            "median of a hop after 100 ms asleep; polled for 5 ms",
            p50[100, False],
            p50[5, True],
            "ms",
        ],
        [
            "clock, sleep states, caches",
            "median of a hop after 5 ms asleep; polled for 5 ms",
            p50[5, False],
            p50[5, True],
            "ms",
        ],
    ], tables


def heat(network: MaskNetwork, n_windows: int, window_s: float) -> Found:
    """Thermal drift and stolen time."""
    with watched() as machine:
        begin_s = time.monotonic()
        found = processor.drift(network, n_windows, window_s)
        end_s = time.monotonic()
    still: Cell = machine.longest_ms(begin_s, end_s) if machine.watched else "not watched: no real-time priority"
    rows = [
        [
            f"{each.ends_s - window_s:g} to {each.ends_s:g} s",
            len(each.timing.wall_ms),
            *processor.percentiles(each.timing.wall_ms),
            float(np.median(each.timing.cpu_ms)),
            "not shown" if each.temperature_c is None else f"{each.temperature_c:.0f}",
        ]
        for each in found.windows
    ]
    p50 = [float(np.median(each.timing.cpu_ms)) for each in found.windows]
    columns = {"time": "", "hops": "", **SPREAD, "CPU p50 ms": ".3f", "°C": ""}
    span = f"{n_windows * window_s:g} s back to back"
    stolen: Cell = "not shown by this machine" if found.stolen is None else 100 * found.stolen
    return [
        [
            "heat",
            f"median CPU time of a hop in the last {window_s:g} s over that of the first, {span}",
            p50[-1] / p50[0],
            None,
            "x",
        ],
        ["stolen time", f"share of all cores' time given to others by the host, {span}", stolen, None, "%"],
        [
            "stolen time",
            "the longest wait of a hop for its core, at normal priority",
            found.longest_wait_ms,
            None,
            "ms",
        ],
        ["stolen time", "the longest that this core ran nobody, by a watchdog above everything", still, None, "ms"],
    ], [Table("drift", "Hops without a pause", columns, rows)]


def graphics_card(model: str, seconds: float, pauses_s: Sequence[float], n_pauses: int) -> Found:
    """A graphics card's stalls and clock ramps, where there is a card."""
    experiments = (
        f"the worst step in {seconds:g} s back to back",
        f"median of the first step after a pause of {pauses_s[-1]:g} s; at the pace of live sound",
    )
    try:
        found = card.measure(load_model(model, "cuda"), seconds, pauses_s, n_pauses)
    except ProviderError as error:
        causes: list[Cause] = [
            [name, experiment, NO_CARD, None, "ms"]
            for name, experiment in zip(("GPU stalls", "GPU clock ramps"), experiments, strict=True)
        ]
        return causes, [Table("card", "Steps on a graphics card", {"": ""}, [[NO_CARD]], str(error))]
    rows = [["back to back", *_card_row(found.back_to_back_ms)]]
    for pause_s, times in found.after_ms.items():
        after = f"after {pause_s:g} s" if pause_s else "without a pause"
        rows += [[f"{after}: first step", *_card_row(times[:, 0])], [f"{after}: all", *_card_row(times)]]
    first, live = float(np.median(found.after_ms[pauses_s[-1]][:, 0])), float(np.median(found.after_ms[0.0]))
    table = Table("card", "Steps on a graphics card", {"": "", "steps": "", **SPREAD}, rows)
    return [
        ["GPU stalls", experiments[0], float(found.back_to_back_ms.max()), None, "ms"],
        ["GPU clock ramps", experiments[1], first, live, "ms"],
    ], [table]


def _card_row(times: NDArray[np.float64]) -> list[Cell]:
    return [times.size, *processor.percentiles(times)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--windows", type=int, default=7, help="of ten seconds, for heat")
    parser.add_argument("--name", default="worst_case", help="results/NAME.json")
    options = parse(parser, windows=2)
    quick, window_s = options.quick, 1.0 if options.quick else 10.0
    network = load_model(options.model, "cpu")
    found = []
    with one_core():
        found.append(beginnings(options.model, 200 if quick else 3000, 1 if quick else 3, empty_cache=not quick))
    found += [collections(network, 150 if quick else 1000), timers(0.3 if quick else 4.0)]
    with no_garbage_collection(), one_core():
        found.append(numbers(network, 150 if quick else 1000))
        found.append(rests(network, 0.2 if quick else 4.0, 500))
        found.append(heat(network, options.windows, window_s))
        found.append(graphics_card(options.model, window_s, PAUSES_S[:2] if quick else PAUSES_S, 1 if quick else 3))
    causes = [cause for part, _ in found for cause in part]
    note = SUMMARY_NOTE.format(hop_ms=1e3 * network.info.geometry.at_rate(RATE).hop_s)
    tables = [Table("causes", "What may make a hop late", SUMMARY, causes, note)]
    tables += [table for _, part in found for table in part]
    for table in tables:
        print(f"\n{table.title}\n\n{table.markdown()}\n{table.note}")
    print(f"\nwrote {save(options.name, tables, model=options.model).name}")


if __name__ == "__main__":
    main()
