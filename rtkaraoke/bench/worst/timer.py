"""Timer slack: how much later than asked Linux may wake a thread so that it can wake several at once."""

import ctypes
import os
import sys
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.bench.wake_ups import lateness_ms
from rtkaraoke.live import priority
from rtkaraoke.live.host import POLL_S

PR_SET_TIMERSLACK, PR_GET_TIMERSLACK = 29, 30  # linux/prctl.h; of the calling thread alone
DEFAULT, LEAST, FIFO = "normal priority, slack as given", "normal priority, slack 1 ns", "SCHED_FIFO"


def timer_slack_ns() -> int | None:
    """The calling thread's; None on systems without."""
    return ctypes.CDLL(None).prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0) if sys.platform == "linux" else None


def set_timer_slack_ns(slack_ns: int) -> bool:
    """Set the calling thread's; False where that is not to be had."""
    if sys.platform != "linux":
        return False
    return ctypes.CDLL(None, use_errno=True).prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(slack_ns), 0, 0, 0) == 0


def measure(seconds: float) -> dict[str, NDArray[np.float64]]:
    """How late the worker's poll wakes, in ms, under each of the conditions that can be had here."""
    conditions: dict[str, Callable[[], bool]] = {
        DEFAULT: _normal,
        LEAST: lambda: _normal() and set_timer_slack_ns(1),
        FIFO: lambda: priority.raise_priority(priority.WORKER_PRIORITY),
    }
    found: dict[str, NDArray[np.float64]] = {}
    for name, condition in conditions.items():

        def watch(name: str = name, condition: Callable[[], bool] = condition) -> None:
            if condition():
                found[name] = lateness_ms(POLL_S, seconds)

        # A thread of its own: priority and slack are a thread's, and end with it.
        thread = threading.Thread(target=watch, name="poll")
        thread.start()
        thread.join()
    return found


def _normal() -> bool:
    """Normal priority, also where the process was started with a higher one."""
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True
