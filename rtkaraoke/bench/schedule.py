"""How late the worker wakes up, as it waits in a live run: a sleep of half a millisecond, over and over.

A wake-up that is later than the output queue is long is a gap in the sound. Measured at normal and at real-time
priority, in a process of its own and beside a busy thread of the same process, and beside busy processes of
several kinds. What follows for the program's defaults: :mod:`rtkaraoke.bench.defaults`.
"""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context

import numpy as np

from rtkaraoke.bench import defaults
from rtkaraoke.bench.histogram import bins
from rtkaraoke.bench.load import LOADS, busy
from rtkaraoke.bench.report import Cell, Figure, Histogram, Report, Table
from rtkaraoke.bench.statistics import per_hour, quantile
from rtkaraoke.bench.wake_ups import PLACES, PRIORITIES, Case, watch
from rtkaraoke.live import priority
from rtkaraoke.live.host import POLL_S

PREFILLS_MS = (5.8, 11.6)  #: 256 and 512 samples at 44.1 kHz
COLUMNS = {
    "beside it": "",
    "priority": "",
    "place": "",
    "wake-ups": "",
    "p50 ms": ".3f",
    "p99 ms": ".3f",
    "p99.9 ms": ".3f",
    "max ms": ".2f",
    "over 5.8 ms": "",
    "over 11.6 ms": "",
    "per hour, at most": ".0f",
}
NOTE = (
    "How much later than asked the worker woke from a sleep of 0.5 ms. *Process*: the worker in a process of its own, "
    "as rtkaraoke runs it. *Beside a busy thread*: with a Python thread computing in the same process, at the switch "
    "interval of 0.5 ms that rtkaraoke sets; *untuned*: at Python's 5 ms. *Over*: wake-ups later than the whole of a "
    "prefill of 256 or 512 samples at 44.1 kHz, a gap for certain; *per hour, at most*: of the latter, the upper end "
    "of the 95 % interval."
)


def schedule(
    seconds: float = 5.0,
    loads: Sequence[str] = LOADS,
    n_hogs: int = 2,
    progress: Callable[[int, int, str], None] | None = None,
) -> Report:
    """Measure every combination for so many ``seconds``.

    Parameters
    ----------
    seconds : float
        Of each of the combinations: loads x 2 priorities x 3 places.
    loads : sequence of str
        Of :data:`~rtkaraoke.bench.load.LOADS`.
    n_hogs : int
        Busy processes of each kind.
    progress : callable, optional
        Gets combinations done, all of them, and a name.

    Raises
    ------
    RtkaraokeError
        For an unknown load.
    """
    allowed = priority.realtime_allowed()
    priorities = PRIORITIES if allowed else PRIORITIES[1:]
    combinations = list(product(loads, priorities, PLACES))
    cases = []
    for number, (load, wanted, place) in enumerate(combinations):
        if progress is not None:
            progress(number, len(combinations), f"{load}, {wanted}, {place}")
        with busy(n_hogs, load), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            late_ms = process.submit(
                watch, POLL_S, seconds, wanted == "FIFO", place != PLACES[0], place == PLACES[2]
            ).result()
        cases.append(Case(load, wanted, place, seconds, late_ms))
    report = _assemble(cases, {"seconds": seconds, "hogs": n_hogs, "loads": list(loads)})
    if not allowed:
        report.notes.append(f"Real-time priority is not allowed here. {priority.WAY_OUT.get(sys.platform, '')}".strip())
    return report


def _assemble(cases: Sequence[Case], parameters: dict[str, object]) -> Report:
    rows: list[list[Cell]] = []
    figures: dict[str, Figure] = {}
    for case in cases:
        late = case.late_ms
        over = [int(np.count_nonzero(late > limit)) for limit in PREFILLS_MS]
        hourly = per_hour(over[1], case.seconds)
        rows.append(
            [
                case.load,
                case.priority,
                case.place,
                len(late),
                *(float(value) for value in np.percentile(late, [50, 99, 99.9])),
                float(late.max()),
                *over,
                hourly.high,
            ]
        )
        figures |= {
            f"{case.key}.p50_ms": Figure.of(quantile(late, 50)),
            f"{case.key}.p99_ms": Figure.of(quantile(late, 99)),
            f"{case.key}.p99_9_ms": Figure.of(quantile(late, 99.9)),
            f"{case.key}.max_ms": Figure(float(late.max())),
            f"{case.key}.over_11_6_ms_per_hour": Figure.of(hourly),
        }
    charts = [
        Histogram(
            f"Wake-ups {'at idle' if load == 'idle' else f'beside processes busy with {load}'}",
            "ms late",
            {f"{case.priority}, {case.place}": bins(case.late_ms) for case in cases if case.load == load},
            PREFILLS_MS[1],
            "prefill 512",
        )
        for load in dict.fromkeys(case.load for case in cases)
    ]
    needs = defaults.needs(cases)
    tables = [
        Table("schedule", "How late the worker wakes", COLUMNS, rows, NOTE),
        defaults.choices_table(cases),
        defaults.prefill_table(needs),
    ]
    figures |= defaults.figures(needs)
    notes = defaults.verdicts(needs)
    return Report("schedule", "Scheduling of the worker", dict(parameters), figures, tables, list(charts), notes)
