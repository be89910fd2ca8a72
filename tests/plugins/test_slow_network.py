"""A network that takes 0.25, 1 or 4 hops for a step, or stalls once for 300 ms, on the true thread in virtual time.

The thread really runs; a gate lets each step end when it would have ended. A step that was submitted at hop ``n``
starts then or when the one before it ends, and is in time when it ends within ``SLACK`` hops of its submission: what
a stream with a period of 128 and a prefill of 256 leaves.
"""

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from rtkaraoke.masks.protocol import Mask, Spectrum
from rtkaraoke.masks.runner import NO_DEADLINE, ThreadedRunner
from rtkaraoke.plugins.vocal_remover import VocalRemover
from tests.support.models import FakeNetwork, Gate

RATE, HOP = 44_100, 256
SLACK = 1.4  # hops
PROBE_HZ = 220


class VirtualTime:
    """A threaded :class:`~rtkaraoke.masks.runner.MaskRunner` whose steps take as many hops as ``step_hops`` says."""

    def __init__(self, runner: ThreadedRunner, gate: Gate, step_hops: NDArray[np.float64]) -> None:
        self._runner, self._gate, self._step_hops = runner, gate, step_hops
        self._now = -1.0
        self._ends: list[float] = []  # of every step that was fed
        self._opened = 0

    def submit(self, spectrum: Spectrum) -> bool:
        self._now += 1.0
        self._let_through(self._now)
        fed = self._runner.submit(spectrum)
        if fed:
            begins = max(self._now, self._ends[-1] if self._ends else 0.0)
            self._ends.append(begins + self._step_hops[int(self._now)])
        self._fed = fed
        return fed

    def collect(self, mask: Mask, deadline_ns: int) -> bool:
        if self._fed and self._ends[-1] <= self._now + SLACK:
            self._let_through(self._ends[-1])
            return self._runner.collect(mask, NO_DEADLINE)
        return self._runner.collect(mask, 0)

    def reset(self) -> None:
        self._runner.reset()

    def close(self) -> None:
        self._gate.open(10)
        self._runner.close()

    def _let_through(self, now: float) -> None:
        """End the steps that end by ``now`` and wait until the thread has done so."""
        ended = max(self._opened, sum(end <= now for end in self._ends))
        self._gate.open(ended - self._opened)
        self._opened = ended
        while sum(slot.busy for slot in self._runner._slots) > len(self._ends) - ended:
            time.sleep(0)


def run(step_hops: float | NDArray[np.float64], seconds: float = 3.0) -> tuple[NDArray, NDArray, VocalRemover]:
    """220 Hz through a network that takes 0.9 of it; the input and the output, both ``(sample,)``."""
    n_hops = int(seconds * RATE / HOP)
    gate = Gate(0.9)
    remover = VocalRemover(FakeNetwork(gate), threaded=True)
    remover.prepare(RATE, 1, HOP)
    runner = remover._runner
    assert isinstance(runner, ThreadedRunner)
    remover._runner = VirtualTime(runner, gate, np.broadcast_to(step_hops, (n_hops + 1,)))
    tone = np.sin(2 * np.pi * PROBE_HZ * np.arange(n_hops * HOP) / RATE).astype(np.float32)
    out = np.empty_like(tone)
    for start in range(0, len(tone), HOP // 2):  # two device blocks a hop
        remover.process(tone[None, start : start + HOP // 2].copy(), out[None, start : start + HOP // 2])
    remover.close()
    return tone, out, remover


def removed(out: NDArray) -> NDArray[np.bool_]:
    """Whether the voice is gone, in steps of 20 ms."""
    steps = out[: len(out) // 882 * 882].reshape(-1, 882)
    return np.abs(steps).max(axis=1) < 0.5


def assert_no_click(out: NDArray) -> None:
    plain = (2 * np.pi * PROBE_HZ / RATE) ** 2  # of the probe itself, and so of any cross-fade between its levels
    assert np.abs(np.diff(out[HOP * 20 :], 2)).max() <= 1.05 * plain + 1e-5


@pytest.mark.parametrize("step_hops", [0.25, 1.0])
def test_a_network_within_its_time_is_never_late(step_hops: float) -> None:
    _, out, remover = run(step_hops)
    assert remover.counters["late"] == 0
    assert removed(out)[10:].all()
    assert_no_click(out)


def test_four_hops_a_step_give_the_mixture_at_the_same_latency_and_no_pumping() -> None:
    tone, out, remover = run(4.0)
    counters = remover.counters
    assert counters["late"] == counters["hops"]
    assert 0.7 < counters["skipped"] / counters["hops"] < 0.8
    np.testing.assert_array_equal(out[remover.latency + RATE :], tone[RATE : -remover.latency])
    assert not removed(out)[10:].any()
    assert_no_click(out)


def test_one_and_a_half_hops_a_step_still_remove_with_every_other_mask() -> None:
    _, out, remover = run(1.39)
    assert remover.counters["fallback"] == 0
    assert remover.counters["late"] < 0.7 * remover.counters["hops"]
    assert removed(out)[10:].all()
    assert_no_click(out)


def test_a_stall_of_300_ms_is_counted_and_recovered_from_once() -> None:
    step_hops = np.full(int(3.0 * RATE / HOP) + 1, 0.25)
    step_hops[100] = 0.3 * RATE / HOP
    _, out, remover = run(step_hops)
    counters = remover.counters
    assert 50 <= counters["late"] <= 53
    assert counters["held"] == 18
    gone = removed(out)[10:]
    assert gone[0]
    assert gone[-1]
    assert np.count_nonzero(np.diff(gone.astype(int))) == 2
    assert_no_click(out)
