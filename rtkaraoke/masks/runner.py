"""How a mask is computed for a hop: at once, on a thread with a deadline, or as a log says that it once was.

All three have the same two verbs. ``submit`` hands over a spectrum and says whether the network will see it;
``collect`` fetches that hop's mask, or says that it is late. They alternate, one hop at a time.
"""

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.masks.deadline import FED, FRESH
from rtkaraoke.masks.protocol import Mask, MaskModel, Spectrum

NO_DEADLINE = 2**63 - 1  #: nanoseconds of ``time.monotonic_ns``: wait as long as it takes
_LONGEST_WAIT_NS = 60 * 10**9  # a network that answers nothing for a minute is as good as dead
_LONGEST_STOP_S = 2.0  # a thread stuck in a driver is left behind: it is a daemon


class MaskRunner(Protocol):
    """Computes one mask per hop with a :class:`~rtkaraoke.masks.protocol.MaskModel`."""

    def submit(self, spectrum: Spectrum) -> bool:
        """Hand over this hop's ``spectrum`` ``(channel, bin)``; False when the network is too busy to see it."""
        ...

    def collect(self, mask: Mask, deadline_ns: int) -> bool:
        """Fill ``mask`` ``(channel, bin)`` for the hop just submitted; False, ``mask`` untouched, when it is late.

        ``deadline_ns`` is a time of ``time.monotonic_ns``.
        """
        ...

    def reset(self) -> None:
        """Forget everything in flight and the network's state."""
        ...

    def close(self) -> None:
        """End threads and close the model."""
        ...


class BlockingRunner:
    """Waits for every mask: for files."""

    def __init__(self, model: MaskModel, times: "StepTimes", n_channels: int) -> None:
        self._model = model
        self._times = times
        self._mask = np.zeros((n_channels, model.geometry.n_bins), np.float32)

    def submit(self, spectrum: Spectrum) -> bool:
        """See :class:`MaskRunner`."""
        started = time.perf_counter_ns()
        self._model.step(spectrum, self._mask)
        self._times.add(time.perf_counter_ns() - started)
        return True

    def collect(self, mask: Mask, deadline_ns: int) -> bool:
        """See :class:`MaskRunner`."""
        np.copyto(mask, self._mask)
        return True

    def reset(self) -> None:
        """See :class:`MaskRunner`."""
        self._model.reset()

    def close(self) -> None:
        """See :class:`MaskRunner`."""
        self._model.close()


class ReplayRunner(BlockingRunner):
    """Repeats the decisions of a live run; past the end of the log every hop is fresh.

    A hop that the network did not see then is not shown to it now, one whose mask was late is late again.
    """

    def __init__(self, model: MaskModel, times: "StepTimes", n_channels: int, decisions: bytes) -> None:
        super().__init__(model, times, n_channels)
        self._decisions = decisions
        self._hop = -1

    def submit(self, spectrum: Spectrum) -> bool:
        """See :class:`MaskRunner`."""
        self._hop += 1
        return bool(self._decision() & FED) and super().submit(spectrum)

    def collect(self, mask: Mask, deadline_ns: int) -> bool:
        """See :class:`MaskRunner`."""
        return bool(self._decision() & FRESH) and super().collect(mask, deadline_ns)

    def reset(self) -> None:
        """See :class:`MaskRunner`."""
        super().reset()
        self._hop = -1

    def _decision(self) -> int:
        return self._decisions[self._hop] if self._hop < len(self._decisions) else FED | FRESH


class ThreadedRunner:
    """Runs the network on a thread of its own, so that a stall delays neither the sound nor a microphone.

    Hops reach the network in their order. While its last answer was late only one hop is in flight: a queue in
    front of a slow network would make every answer late, where a skipped hop makes every second one good.

    Parameters
    ----------
    model : MaskModel
        Used by the thread alone from here on.
    times : StepTimes
        Where the thread notes how long each step took.
    n_channels : int
    on_thread_start : callable, optional
        Run once on the thread, to raise its priority.
    """

    SLOTS = 3

    def __init__(
        self,
        model: MaskModel,
        times: "StepTimes",
        n_channels: int,
        on_thread_start: Callable[[], None] | None = None,
    ) -> None:
        self._model = model
        self._times = times
        self._on_thread_start = on_thread_start
        self.error: BaseException | None = None
        self._slots = [_Slot(n_channels, model.geometry.n_bins) for _ in range(self.SLOTS)]
        self._queue: SimpleQueue[_Slot | threading.Event | None] = SimpleQueue()
        self._current: _Slot | None = None
        self._next = 0
        self._was_late = False
        self._thread = threading.Thread(target=self._run, name="rtkaraoke-mask", daemon=True)
        self._thread.start()

    def submit(self, spectrum: Spectrum) -> bool:
        """See :class:`MaskRunner`."""
        self._current = None
        in_flight = sum(slot.busy for slot in self._slots)
        if in_flight >= (1 if self._was_late else 2):
            return False
        slot = self._slots[self._next]
        self._next = (self._next + 1) % self.SLOTS
        slot.ready.acquire(blocking=False)  # a late answer left it released
        np.copyto(slot.spectrum, spectrum)
        slot.busy = True
        self._current = slot
        self._queue.put(slot)
        return True

    def collect(self, mask: Mask, deadline_ns: int) -> bool:
        """See :class:`MaskRunner`."""
        slot = self._current
        if slot is None:
            self._was_late = True
            return False
        wait_ns = min(max(deadline_ns - time.monotonic_ns(), 0), _LONGEST_WAIT_NS)
        in_time = slot.ready.acquire(timeout=wait_ns * 1e-9) and not slot.failed
        self._was_late = not in_time
        if in_time:
            np.copyto(mask, slot.mask)
        return in_time

    def reset(self) -> None:
        """See :class:`MaskRunner`."""
        idle = threading.Event()
        self._queue.put(idle)
        idle.wait()
        self._model.reset()
        self._current = None
        self._was_late = False

    def close(self) -> None:
        """See :class:`MaskRunner`."""
        self._queue.put(None)
        self._thread.join(_LONGEST_STOP_S)
        if not self._thread.is_alive():
            self._model.close()

    def _run(self) -> None:
        if self._on_thread_start is not None:
            self._on_thread_start()
        while (job := self._queue.get()) is not None:
            if isinstance(job, threading.Event):
                job.set()
                continue
            started = time.perf_counter_ns()
            try:
                self._model.step(job.spectrum, job.mask)
                job.failed = False
            except Exception as error:  # noqa: BLE001  whatever it is, the sound goes on and the host shows it
                self.error = error
                job.failed = True
            self._times.add(time.perf_counter_ns() - started)
            job.busy = False
            job.ready.release()


class _Slot:
    """One hop in flight. ``ready`` is held until its answer is there."""

    def __init__(self, n_channels: int, n_bins: int) -> None:
        self.spectrum = np.zeros((n_channels, n_bins), np.complex64)
        self.mask = np.zeros((n_channels, n_bins), np.float32)
        self.ready = threading.Lock()
        self.busy = False
        self.failed = False


class StepTimes:
    """How long the last steps took, in nanoseconds, in a ring that never grows."""

    def __init__(self, capacity: int = 4096) -> None:
        self._ring = np.zeros(capacity, np.int64)
        self.n_steps = 0

    def add(self, elapsed_ns: int) -> None:
        """Note one step. Realtime safe."""
        self._ring[self.n_steps % len(self._ring)] = elapsed_ns
        self.n_steps += 1

    def percentiles_ms(self) -> dict[str, float]:
        """``p50``, ``p99``, ``max`` in milliseconds over the steps in the ring; empty before the first."""
        kept = self.kept_ms()
        if not len(kept):
            return {}
        p50, p99 = np.percentile(kept, [50, 99])
        return {"p50": float(p50), "p99": float(p99), "max": float(kept.max())}

    def kept_ms(self) -> NDArray[np.float64]:
        """The steps in the ring in milliseconds, in their order until it is full."""
        return np.multiply(self._ring[: min(self.n_steps, len(self._ring))], 1e-6, dtype=np.float64)
