"""Whether the machine itself stood still: watchdogs above everything that plays, one on each core.

A program cannot be on time on a core that runs nobody: where a virtual machine's host takes the processor away, or
the kernel keeps it. A watchdog of a priority above the sound server's that wakes late shows that, and knows nothing of
sound. So what was missed while one stood still is the machine's, and what was missed while none did is ours.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

from rtkaraoke.live.priority import raise_priority

PRIORITY = 50  #: JACK's server runs at 10, its clients at 5, the engine below
POLL_S = 0.001
KEPT_MS = 0.3  #: shorter ones are nobody's fault
ENDS_WITHIN_S = 10.0


class Stalls:
    """What the watchdogs of :func:`watched` saw; complete once that has ended.

    Attributes
    ----------
    watched : bool
        Whether there were watchdogs: only Linux has them, and where real-time priority is allowed.
    """

    def __init__(self, watched: bool) -> None:
        self.watched = watched
        self._seen: list[tuple[float, float]] = []

    def add(self, seen: list[tuple[float, float]]) -> None:
        """Take what one watchdog saw: ``(end in s of time.monotonic, how late in ms)``."""
        self._seen += seen

    def longest_ms(self, begin_s: float, end_s: float) -> float:
        """The longest stall of any core that touches this stretch of :func:`time.monotonic`; 0 where there is none."""
        return max(self._within(begin_s, end_s), default=0.0)

    def longer_than(self, limit_ms: float, begin_s: float, end_s: float) -> int:
        """How many stalls that touch this stretch were longer than ``limit_ms``, all cores together."""
        return sum(ms > limit_ms for ms in self._within(begin_s, end_s))

    def _within(self, begin_s: float, end_s: float) -> list[float]:
        return [ms for at_s, ms in self._seen if at_s > begin_s and at_s - 1e-3 * ms < end_s]


@contextmanager
def watched(priority: int = PRIORITY) -> Iterator[Stalls]:
    """Let a watchdog run on every core beside the block."""
    context = get_context("spawn")
    pipes: list[Connection] = []
    processes = []
    for core in sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else ():
        ours, theirs = context.Pipe()
        process = context.Process(target=_watch, args=(theirs, core, priority), daemon=True)
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    allowed = [pipe.recv() for pipe in pipes]
    stalls = Stalls(bool(allowed) and all(allowed))
    try:
        yield stalls
    finally:
        for pipe, process in zip(pipes, processes, strict=True):
            pipe.send("end")
            if pipe.poll(ENDS_WITHIN_S):
                stalls.add(pipe.recv())
            process.join(ENDS_WITHIN_S)
            pipe.close()


def _watch(pipe: Connection, core: int, priority: int) -> None:
    """In a process of its own, on one core."""
    os.sched_setaffinity(0, {core})
    allowed = raise_priority(priority)
    pipe.send(allowed)
    seen: list[tuple[float, float]] = []
    if not allowed:
        pipe.recv()
    while allowed and not pipe.poll():
        before_s = time.monotonic()
        time.sleep(POLL_S)
        now_s = time.monotonic()
        late_ms = 1e3 * (now_s - before_s - POLL_S)
        if late_ms > KEPT_MS:
            seen.append((now_s, late_ms))
    pipe.send(seen)
