import sys
from concurrent.futures import Future

import numpy as np
import pytest

from rtkaraoke.bench import schedule as module
from rtkaraoke.bench.load import LOADS, PROGRAMS, busy, busy_thread
from rtkaraoke.bench.schedule import PLACES, PRIORITIES, schedule
from rtkaraoke.errors import RtkaraokeError
from rtkaraoke.live import priority
from tests.support.transport import until


class Canned:
    """An executor that measures nothing."""

    def __init__(self, *_args: object, **_more: object) -> None:
        pass

    def __enter__(self) -> "Canned":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, *_arguments: object) -> Future[np.ndarray]:
        future: Future[np.ndarray] = Future()
        future.set_result(np.full(100, 0.25))
        return future


def test_every_combination_is_measured_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ProcessPoolExecutor", Canned)
    monkeypatch.setattr(priority, "realtime_allowed", lambda: True)
    seen = []
    report = schedule(1.0, ["idle", "cpu"], n_hogs=0, progress=lambda *at: seen.append(at))
    names = [f"{load}, {wanted}, {place}" for load in ("idle", "cpu") for wanted in PRIORITIES for place in PLACES]
    assert [name for _, _, name in seen] == names
    assert [table.key for table in report.tables] == ["schedule", "choices", "prefill"]
    assert len(report.tables[0].rows) == len(names)
    assert len(report.charts) == 2
    assert {name for name in report.figures if name.startswith("schedule.cpu") and name.endswith("max_ms")} == {
        f"schedule.cpu.{wanted}.{place}.max_ms"
        for wanted in ("fifo", "normal")
        for place in ("process", "thread", "thread_untuned")
    }


def test_without_permission_only_normal_priority_is_measured_and_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(priority, "realtime_allowed", lambda: False)
    report = schedule(0.1, ["idle"])
    assert all(row[3] > 0 for row in report.tables[0].rows)
    assert not any(".fifo." in name for name in report.figures)
    assert "not allowed" in report.notes[-1]
    assert report.tables[1].rows[0][2] is None  # nothing is known of the real-time priority


def test_an_unknown_load_is_refused() -> None:
    with pytest.raises(RtkaraokeError, match="there are idle, cpu, memory, disk"), busy(1, "rain"):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize("kind", LOADS)
def test_hogs_run_for_the_time_of_the_block_and_no_longer(kind: str) -> None:
    import psutil

    def hogs() -> list[psutil.Process]:
        children = psutil.Process().children()
        return [child for child in children if PROGRAMS.get(kind, "\0") in " ".join(child.cmdline())]

    with busy(2, kind):
        until(lambda: len(hogs()) == (0 if kind == "idle" else 2))  # a process has no command line yet while it begins
        running = hogs()
    assert not any(hog.is_running() for hog in running)


def test_a_busy_thread_ends_with_the_block() -> None:
    import threading

    before = threading.active_count()
    with busy_thread(True):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    with busy_thread(False):
        assert threading.active_count() == before
