"""Masks at once, on a thread with a deadline, or as a log says."""

import time

import numpy as np
import pytest

from rtkaraoke.masks.deadline import FED, FRESH
from rtkaraoke.masks.protocol import Mask, Spectrum
from rtkaraoke.masks.runner import NO_DEADLINE, BlockingRunner, ReplayRunner, StepTimes, ThreadedRunner
from tests.support.models import FakeNetwork, Gate

N_BINS = 1025
SPECTRUM = np.zeros((2, N_BINS), np.complex64)


def counted(spectrum: Spectrum, mask: Mask, step: int) -> None:
    mask.fill(step + 1)


def new_mask() -> Mask:
    return np.zeros((2, N_BINS), np.float32)


def passed() -> int:
    return time.monotonic_ns()


def test_blocking_answers_every_hop() -> None:
    times = StepTimes()
    runner = BlockingRunner(FakeNetwork(counted).open(44_100), times, 2)
    mask = new_mask()
    for step in (1, 2, 3):
        assert runner.submit(SPECTRUM)
        assert runner.collect(mask, 0)
        assert (mask == step).all()
    assert times.n_steps == 3


def test_replay_feeds_and_answers_as_logged_and_is_fresh_past_the_end() -> None:
    log = bytes([FED | FRESH, FED, 0, FED | FRESH])
    runner = ReplayRunner(FakeNetwork(counted).open(44_100), StepTimes(), 2, log)
    mask, seen = new_mask(), []
    for _ in range(6):
        fed = runner.submit(SPECTRUM)
        fresh = runner.collect(mask, 0)
        seen.append((fed, fresh, int(mask[0, 0])))
    assert seen == [
        (True, True, 1),
        (True, False, 1),
        (False, False, 1),
        (True, True, 3),
        (True, True, 4),
        (True, True, 5),
    ]
    runner.reset()
    assert runner.submit(SPECTRUM)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def threaded(gate: Gate):
    runner = ThreadedRunner(FakeNetwork(gate).open(44_100), StepTimes(), 2)
    yield runner
    gate.open(100)
    runner.close()


def test_thread_answers_in_order(threaded: ThreadedRunner, gate: Gate) -> None:
    gate.open(10)
    mask = new_mask()
    for step in range(1, 11):
        assert threaded.submit(SPECTRUM)
        assert threaded.collect(mask, NO_DEADLINE)
        assert (mask == step).all()


def test_a_late_answer_updates_the_state_and_is_never_played(threaded: ThreadedRunner, gate: Gate) -> None:
    mask = new_mask()
    assert threaded.submit(SPECTRUM)
    assert not threaded.collect(mask, passed())
    assert not mask.any()
    gate.open(2)
    threaded.submit(SPECTRUM)  # skipped or not, depending on how far the thread is
    threaded.reset()  # waits until the thread is idle
    gate.open()
    assert threaded.submit(SPECTRUM)
    assert threaded.collect(mask, NO_DEADLINE)
    assert mask[0, 0] >= 1


def test_a_busy_network_is_not_queued_up_behind_a_late_answer(threaded: ThreadedRunner, gate: Gate) -> None:
    mask = new_mask()
    assert threaded.submit(SPECTRUM)
    gate.wait_entered()
    assert not threaded.collect(mask, passed())
    assert not threaded.submit(SPECTRUM)  # its answer was late: one in flight at most
    assert not threaded.collect(mask, NO_DEADLINE)  # and nothing to wait for
    gate.open()
    while not threaded.submit(SPECTRUM):  # as soon as it is free, it sees a hop again
        time.sleep(0)
    gate.open()
    assert threaded.collect(mask, NO_DEADLINE)
    assert mask[0, 0] == 2


def test_a_jitter_is_queued(threaded: ThreadedRunner, gate: Gate) -> None:
    mask = new_mask()
    gate.open()
    assert threaded.submit(SPECTRUM)
    assert threaded.collect(mask, NO_DEADLINE)
    assert threaded.submit(SPECTRUM)  # not collected in time to know that it is late
    gate.wait_entered()
    gate.wait_entered()
    assert threaded.submit(SPECTRUM)  # waits its turn
    gate.open(2)
    assert threaded.collect(mask, NO_DEADLINE)
    assert mask[0, 0] == 3


def test_an_error_on_the_thread_is_a_late_hop_and_is_kept() -> None:
    def broken(spectrum: Spectrum, mask: Mask, step: int) -> None:
        if step == 0:
            runner_model.n_steps = 1
            raise ValueError("broken card")
        mask.fill(0.5)

    network = FakeNetwork(broken)
    runner_model = network.open(44_100)
    runner = ThreadedRunner(runner_model, StepTimes(), 2)
    mask = new_mask()
    assert runner.submit(SPECTRUM)
    assert not runner.collect(mask, NO_DEADLINE)
    assert isinstance(runner.error, ValueError)
    assert runner.submit(SPECTRUM)
    assert runner.collect(mask, NO_DEADLINE)
    runner.close()
    assert runner_model.closed


def test_thread_start_hook_runs_on_the_thread() -> None:
    import threading

    names: list[str] = []
    runner = ThreadedRunner(
        FakeNetwork(counted).open(44_100), StepTimes(), 2, lambda: names.append(threading.current_thread().name)
    )
    runner.reset()
    runner.close()
    runner.close()
    assert names == ["rtkaraoke-mask"]


def test_step_times_keep_the_last_ones() -> None:
    times = StepTimes(capacity=4)
    assert times.percentiles_ms() == {}
    for elapsed in (9_000_000, 1_000_000, 2_000_000, 3_000_000, 4_000_000):
        times.add(elapsed)
    assert times.percentiles_ms()["max"] == 4.0
    assert times.percentiles_ms()["p50"] == 2.5
