"""How late a thread wakes from the sleep that the worker of a live run sleeps over and over.

Each combination is watched in a fresh process, which imports this file and little more.
"""

import gc
import sys
import threading
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.bench.load import busy_thread
from rtkaraoke.live import priority
from rtkaraoke.live.child import SWITCH_INTERVAL_S

PYTHON_SWITCH_INTERVAL_S = 0.005  #: Python's own default
PRIORITIES = ("FIFO", "normal")
PLACES = ("process", "beside a busy thread", "beside a busy thread, untuned")


@dataclass(frozen=True, slots=True)
class Case:
    """One combination and how late each wake-up was."""

    load: str
    priority: str
    place: str
    seconds: float
    late_ms: NDArray[np.float64]

    @property
    def key(self) -> str:
        """For the names of figures."""
        place = {PLACES[0]: "process", PLACES[1]: "thread", PLACES[2]: "thread_untuned"}[self.place]
        return f"schedule.{self.load}.{self.priority.lower()}.{place}"


def watch(poll_s: float, seconds: float, realtime: bool, thread: bool, untuned: bool) -> NDArray[np.float64]:
    """Sleep ``poll_s`` over and over on a thread that is set up as :mod:`rtkaraoke.live.child` sets up its worker.

    To be called in a process of its own: priorities, switch interval and garbage collection stay as they are set here.

    Parameters
    ----------
    poll_s, seconds : float
        The sleep that is asked for, and for how long it is repeated.
    realtime : bool
        At real-time priority.
    thread : bool
        Beside a thread of the same process that computes in Python.
    untuned : bool
        With Python's own switch interval, and the other thread at normal priority.

    Returns
    -------
    array ``(wake-up,)``
        How much later than asked it woke, in ms.
    """
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
        found.append(lateness_ms(poll_s, seconds))

    worker = threading.Thread(target=work, name="worker")
    with busy_thread(thread):
        worker.start()
        worker.join()
    return found[0]


def lateness_ms(poll_s: float, seconds: float) -> NDArray[np.float64]:
    """Sleep for ``poll_s`` over and over: by how many ms the calling thread woke late, each time."""
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
