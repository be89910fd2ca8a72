"""What follows from how late the worker wakes: for the program's defaults, and on this machine.

A sample that comes in waits for at most one poll, then for the worker to wake, then to be worked on. What the output
queue began with, the *prefill*, must last for all of it. For the work one period of the card is set aside, as the
engine does when it decides how long to wait for a mask (:mod:`rtkaraoke.live.host`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.bench.report import Cell, Figure, Table
from rtkaraoke.bench.wake_ups import PLACES, PYTHON_SWITCH_INTERVAL_S, Case
from rtkaraoke.live.child import SWITCH_INTERVAL_S
from rtkaraoke.live.host import POLL_S
from rtkaraoke.live.priority import WORKER_PRIORITY
from rtkaraoke.live.settings import LiveSettings

SAMPLE_RATE = 44_100
CANDIDATES = (256, 512, 1024, 2048, 4096)  #: prefills in samples
SETTINGS = LiveSettings()  #: as the program runs when nothing is asked for
DEFAULTS = {"FIFO": SETTINGS.prefill, "normal": SETTINGS.prefill_without_realtime}
ALL_LOADS = "everything"
CHOICES_COLUMNS = {
    "default": "",
    "instead": "",
    "p99.9 ms": ".3f",
    "instead: p99.9 ms": ".3f",
    "max ms": ".2f",
    "instead: max ms": ".2f",
}
CHOICES_NOTE = (
    "How late the worker wakes with each default and, *instead*, without it; of everything that was busy beside it, "
    "the worst."
)
PREFILL_COLUMNS = {
    "priority": "",
    "beside it": "",
    "wake-ups": "",
    "p99.99 ms": ".2f",
    "prefill for it": "",
    "max ms": ".2f",
    "prefill for all": "",
    "default": "",
    "lasts for ms": ".1f",
    "covers": "",
}
PREFILL_NOTE = (
    "The worker in a process of its own. *Prefill*: the smallest of "
    f"{', '.join(map(str, CANDIDATES))} samples at 44.1 kHz that lasts for a poll of {1e3 * POLL_S:g} ms, the late "
    f"wake-up, and one period of {SETTINGS.block} samples for the work; a dash: none "
    "of them does. *Lasts for*: how late a wake-up the default of the program leaves room for."
)


@dataclass(frozen=True, slots=True)
class Need:
    """What wake-ups at one priority, beside one load or all of them, ask of the prefill. None: more than any has."""

    priority: str
    load: str
    late_ms: NDArray[np.float64]

    @property
    def p99_99_ms(self) -> float:
        """What one wake-up in 10 000 exceeds."""
        return float(np.percentile(self.late_ms, 99.99))

    @property
    def max_ms(self) -> float:
        """The latest."""
        return float(self.late_ms.max())

    @property
    def for_most(self) -> int | None:
        """The smallest prefill that covers all but one in 10 000, in samples."""
        return smallest_prefill(self.p99_99_ms)

    @property
    def for_all(self) -> int | None:
        """The smallest prefill that covers every one, in samples."""
        return smallest_prefill(self.max_ms)

    @property
    def default(self) -> int:
        """The prefill that the program takes at this priority, in samples."""
        return DEFAULTS[self.priority]

    @property
    def covered(self) -> str:
        """How much of it the default covers."""
        room_ms = covered_ms(self.default)
        if self.max_ms <= room_ms:
            return "all"
        return "99.99 %" if self.p99_99_ms <= room_ms else f"{100 * np.mean(self.late_ms <= room_ms):.2f} %"


def covered_ms(prefill: int) -> float:
    """How late a wake-up may be, in ms, at a ``prefill`` in samples."""
    return 1e3 * (prefill - SETTINGS.block) / SAMPLE_RATE - 1e3 * POLL_S


def smallest_prefill(late_ms: float) -> int | None:
    """The least of :data:`CANDIDATES` that covers a wake-up so late; None when none does."""
    return next((prefill for prefill in CANDIDATES if covered_ms(prefill) >= late_ms), None)


def needs(cases: Sequence[Case]) -> list[Need]:
    """For each priority, in a process of its own: beside each load, then beside all of them."""
    found: list[Need] = []
    own = [case for case in cases if case.place == PLACES[0]]
    for priority in dict.fromkeys(case.priority for case in own):
        seen = [case for case in own if case.priority == priority]
        found += [Need(priority, case.load, case.late_ms) for case in seen]
        if len(seen) > 1:
            found.append(Need(priority, ALL_LOADS, np.concatenate([case.late_ms for case in seen])))
    return found


def verdicts(found: Sequence[Need]) -> list[str]:
    """One line for each priority: whether its default is enough here, and the way out where it is not."""
    worst = {need.priority: need for need in found}  # the last of a priority is that beside everything
    return [f"{need.priority}: {_verdict(need)}" for need in worst.values()]


def _verdict(need: Need) -> str:
    default = f"the default prefill of {need.default} samples"
    if need.covered == "all":
        least = "" if need.for_all == need.default else f"; {need.for_all} would do"
        return f"{default} covers every wake-up that was seen{least}"
    way_out = "end what is busy" if need.for_all is None else f"--prefill {need.for_all} does"
    return f"{default} covers {need.covered} of the wake-ups, the latest of {need.max_ms:.1f} ms not: {way_out}"


def prefill_table(found: Sequence[Need]) -> Table:
    """Which prefill the wake-ups ask for, beside the default."""
    rows: list[list[Cell]] = [
        [
            need.priority,
            need.load,
            len(need.late_ms),
            need.p99_99_ms,
            need.for_most,
            need.max_ms,
            need.for_all,
            need.default,
            covered_ms(need.default),
            need.covered,
        ]
        for need in found
    ]
    return Table("prefill", "What follows for the prefill", PREFILL_COLUMNS, rows, PREFILL_NOTE)


def choices_table(cases: Sequence[Case]) -> Table:
    """What each default is worth: the worst with it and with what stands in its place."""
    best = cases[0].priority  # real-time where it is allowed
    process, thread, untuned = PLACES
    fifo = f"SCHED_FIFO {WORKER_PRIORITY}"
    choices = (
        (fifo, "normal priority", ("FIFO", process), ("normal", process)),
        ("a process of its own", "a thread in a busy Python program", (best, process), (best, untuned)),
        (
            f"a switch interval of {1e3 * SWITCH_INTERVAL_S:g} ms, every thread raised",
            f"Python's {1e3 * PYTHON_SWITCH_INTERVAL_S:g} ms, the worker alone",
            (best, thread),
            (best, untuned),
        ),
    )
    rows: list[list[Cell]] = []
    for name, other, ours, theirs in choices:
        (p99_9_ms, max_ms), (other_p99_9_ms, other_max_ms) = _worst(cases, *ours), _worst(cases, *theirs)
        rows.append([name, other, p99_9_ms, other_p99_9_ms, max_ms, other_max_ms])
    return Table("choices", "What the defaults are worth", CHOICES_COLUMNS, rows, CHOICES_NOTE)


def _worst(cases: Sequence[Case], priority: str, place: str) -> tuple[float | None, float | None]:
    """p99.9 and maximum beside the load where they are worst; None where nothing was measured."""
    late = [case.late_ms for case in cases if (case.priority, case.place) == (priority, place)]
    if not late:
        return None, None
    return max(float(np.percentile(each, 99.9)) for each in late), max(float(each.max()) for each in late)


def figures(found: Sequence[Need]) -> dict[str, Figure]:
    """The prefills for programs; those that no candidate is enough for are left out."""
    values = {}
    for need in found:
        key = f"schedule.{need.load.replace(' ', '_')}.{need.priority.lower()}.prefill"
        for name, samples in (("for_99_99_percent", need.for_most), ("for_all", need.for_all)):
            if samples is not None:
                values[f"{key}_{name}_samples"] = Figure(samples)
    return values
