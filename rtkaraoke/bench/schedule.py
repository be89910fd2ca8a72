"""How late the worker wakes up, as it waits in a live run: a sleep of half a millisecond, over and over.

A wake-up that is later than the output queue is long is a gap in the sound. Measured at normal and at real-time
priority, in a process of its own and beside a busy thread of the same process, and beside busy processes of
several kinds.
"""

import gc
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.bench.histogram import bins
from rtkaraoke.bench.load import LOADS, busy, busy_thread
from rtkaraoke.bench.report import Cell, Figure, Histogram, Report, Table
from rtkaraoke.bench.statistics import per_hour, quantile
from rtkaraoke.live import priority
from rtkaraoke.live.child import SWITCH_INTERVAL_S

PYTHON_SWITCH_INTERVAL_S = 0.005  #: Python's own default
PREFILLS_MS = (5.8, 11.6)  #: 256 and 512 samples at 44.1 kHz
PRIORITIES = ("FIFO", "normal")
PLACES = ("process", "beside a busy thread", "beside a busy thread, untuned")
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
    "interval of 0.5 ms that rtkaraoke sets; *untuned*: at Python's 5 ms. *Over*: wake-ups that a prefill of 256 or "
    "512 samples at 44.1 kHz does not cover; *per hour, at most*: of the latter, the upper end of the 95 % interval."
)


@dataclass(frozen=True, slots=True)
class Case:
    """One combination and how late each wake-up was."""

    load: str
    priority: str
    place: str
    seconds: float
    late_ms: NDArray[np.float64]

    @property
    def label(self) -> str:
        """For a chart."""
        return f"{self.load}, {self.priority}, {self.place}"

    @property
    def key(self) -> str:
        """For the names of figures."""
        place = {PLACES[0]: "process", PLACES[1]: "thread", PLACES[2]: "thread_untuned"}[self.place]
        return f"schedule.{self.load}.{self.priority.lower()}.{place}"


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
    from rtkaraoke.live.host import POLL_S  # here, where the watched processes need not import the engine for it

    allowed = priority.realtime_allowed()
    priorities = PRIORITIES if allowed else PRIORITIES[1:]
    combinations = list(product(loads, priorities, PLACES))
    cases = []
    for number, (load, wanted, place) in enumerate(combinations):
        if progress is not None:
            progress(number, len(combinations), f"{load}, {wanted}, {place}")
        with busy(n_hogs, load), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            late_ms = process.submit(
                _watch, POLL_S, seconds, wanted == "FIFO", place != PLACES[0], place == PLACES[2]
            ).result()
        cases.append(Case(load, wanted, place, seconds, late_ms))
    report = _assemble(cases, {"seconds": seconds, "hogs": n_hogs, "loads": list(loads)})
    if not allowed:
        report.notes.append(f"Real-time priority is not allowed here. {priority.WAY_OUT.get(sys.platform, '')}".strip())
    return report


def _watch(poll_s: float, seconds: float, realtime: bool, thread: bool, untuned: bool) -> NDArray[np.float64]:
    """In a process of its own: a worker thread as :mod:`rtkaraoke.live.child` has it, and what it saw, in ms."""
    found: list[NDArray[np.float64]] = []
    sys.setswitchinterval(PYTHON_SWITCH_INTERVAL_S if untuned else SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    gc.disable()
    # The child of a live run raises its other threads too: one that holds the interpreter's lock must get to run.
    if realtime and not untuned:
        priority.raise_priority(priority.CONTROL_PRIORITY)

    def work() -> None:
        if realtime:
            priority.raise_priority(priority.WORKER_PRIORITY)
        found.append(_sleep(poll_s, seconds))

    worker = threading.Thread(target=work, name="worker")
    with busy_thread(thread):
        worker.start()
        worker.join()
    return found[0]


def _sleep(poll_s: float, seconds: float) -> NDArray[np.float64]:
    late_ns = np.zeros(round(1.2 * seconds / poll_s) + 1, np.int64)
    ends_ns = time.monotonic_ns() + round(1e9 * seconds)
    asked_ns = round(1e9 * poll_s)
    n_sleeps = 0
    while n_sleeps < len(late_ns):
        before_ns = time.monotonic_ns()
        if before_ns >= ends_ns:
            break
        time.sleep(poll_s)
        late_ns[n_sleeps] = time.monotonic_ns() - before_ns - asked_ns
        n_sleeps += 1
    return np.maximum(1e-6 * late_ns[:n_sleeps], 0.0)


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
    table = Table("schedule", "How late the worker wakes", COLUMNS, rows, NOTE)
    return Report("schedule", "Scheduling of the worker", dict(parameters), figures, [table], list(charts))
