"""Page faults: how many a thread takes, and what touching fresh memory costs."""

import mmap
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

PAGE = mmap.PAGESIZE


def thread_faults() -> tuple[int, int] | None:
    """Minor and major page faults of the calling thread so far; None where the system does not tell."""
    if sys.platform != "linux":
        return None
    import resource

    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return usage.ru_minflt, usage.ru_majflt


@dataclass(frozen=True, slots=True)
class Touched:
    """What writing one byte into each page of new memory took, and doing so once more."""

    fresh_ms: float
    again_ms: float


def touch_fresh_memory(size: int) -> Touched:
    """Get ``size`` bytes from the system and touch every page twice.

    Huge pages are switched off for it where they can be: they are not promised to anybody.
    """
    n_pages = -(-size // PAGE)
    ones = bytes([1]) * n_pages
    with mmap.mmap(-1, n_pages * PAGE) as memory:
        if hasattr(mmap, "MADV_NOHUGEPAGE"):
            with suppress(OSError):  # a kernel without huge pages
                memory.madvise(mmap.MADV_NOHUGEPAGE)
        times = []
        for _ in range(2):
            started = time.perf_counter_ns()
            memory[::PAGE] = ones
            times.append(1e-6 * (time.perf_counter_ns() - started))
    return Touched(*times)
