"""The small parts of live: settings, budget, histogram, watchdog, recorder, priority."""

import os
import sys

import numpy as np
import pytest

from rtkaraoke.errors import LatencyBudgetError, LiveError
from rtkaraoke.live import budget, priority
from rtkaraoke.live.recorder import RING_S, Recorder
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.live.telemetry import Histogram, LiveStatus
from rtkaraoke.live.watchdog import Watchdog


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"channels_in": (0, 1)}, "counted from 1"),
        ({"channels_out": (1, 1)}, "different channels"),
        ({"channels_out": ()}, "no output channels"),
        ({"channels_in": (1,)}, "as many of each"),
        ({"voice_out": (3,)}, "as many channels as"),
        ({"voice_out": (2, 3)}, "share a channel"),
        ({"block": 8}, "16 to 8192"),
        ({"block": 9000}, "16 to 8192"),
        ({"prefill": 64}, "at least one block"),
        ({"prefill": 100_000}, "at most 65536"),
    ],
)
def test_settings_that_cannot_work_are_refused(values, says):
    with pytest.raises(LiveError, match=says):
        LiveSettings(**values)


def test_a_budget_is_a_contract():
    terms = {"vocal_remover": 512, "prefill": 256, "device out": 128}
    budget.check(terms, 44_100, None)
    budget.check(terms, 44_100, 20.4)
    with pytest.raises(LatencyBudgetError, match="896 samples"):
        budget.check(terms, 44_100, 20.3)


def test_a_histogram_s_percentiles_are_right_within_a_bin():
    rng = np.random.default_rng(0)
    values = rng.lognormal(-2, 1, 20_000)
    histogram = Histogram()
    assert histogram.summary() == {"p50": 0.0, "p99": 0.0, "p99.9": 0.0, "max": 0.0}
    for value in values:
        histogram.add(float(value))
    for percent in (50, 99, 99.9):
        assert histogram.percentile(percent) == pytest.approx(np.percentile(values, percent), rel=0.05)
    assert histogram.maximum == values.max()
    assert histogram.count == len(values)


def test_a_histogram_takes_any_value():
    histogram = Histogram()
    for value in (0.0, 1e-12, 1e12):
        histogram.add(value)
    assert histogram.count == 3
    assert histogram.percentile(100) <= 1e12


def test_a_status_adds_up_its_latency():
    status = LiveStatus(sample_rate=48_000, latency_terms={"a": 480, "b": 480})
    assert (status.latency, status.latency_ms, status.video_delay_ms) == (960, 20.0, 20)
    assert LiveStatus().latency_ms == 0.0


def test_the_watchdog_sees_a_driver_that_ends_and_a_counter_that_stops():
    watchdog = Watchdog(stalled_s=0.5)
    assert watchdog.check(0, True, 100.0) == ""
    assert watchdog.check(128, True, 101.0) == ""
    assert watchdog.check(128, True, 101.4) == ""
    assert "0.6 s" in watchdog.check(128, True, 101.6)
    assert watchdog.check(256, True, 101.7) == ""
    assert "ended the stream" in watchdog.check(384, False, 101.8)


def test_a_recording_is_whole_and_in_order(tmp_path):
    blocks = [np.full((n, 2), n, np.float32) for n in (1, 1000, 17, 30_000)]
    recorder = Recorder(tmp_path / "a.f32", 2, 8000)
    for block in blocks:
        recorder.write(block)
    recorder.close()
    recorder.close()
    assert np.array_equal(np.fromfile(tmp_path / "a.f32", np.float32).reshape(-1, 2), np.concatenate(blocks))
    assert (recorder.lost, recorder.error) == (0, "")


def test_a_recording_wraps_around_its_ring(tmp_path):
    rng = np.random.default_rng(0)
    blocks = [rng.random((100, 1), np.float32) for _ in range(50)]
    with Recorder(tmp_path / "a.f32", 1, 250) as recorder:  # a ring of 1000 samples
        for block in blocks:
            while recorder._written - recorder._stored > 800:
                recorder._wake.set()
            recorder.write(block)
    assert np.array_equal(np.fromfile(tmp_path / "a.f32", np.float32).reshape(-1, 1), np.concatenate(blocks))


def test_a_disk_that_is_too_slow_costs_the_recording_and_is_counted(tmp_path):
    recorder = Recorder(tmp_path / "a.f32", 1, 100)
    recorder.write(np.zeros((round(RING_S * 100) + 1, 1), np.float32))
    recorder.close()
    assert recorder.lost == RING_S * 100 + 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_ends_the_recording_and_is_told(tmp_path):
    from pathlib import Path

    recorder = Recorder(Path("/dev/full"), 1, 48_000)
    for _ in range(10):
        recorder.write(np.zeros((10_000, 1), np.float32))
    recorder.close()
    assert "recording ended (No space left" in recorder.error


def test_priority_is_asked_for_and_given_back(monkeypatch):
    before = os.sched_getscheduler(0) if sys.platform == "linux" else None
    assert isinstance(priority.realtime_allowed(), bool)
    if sys.platform == "linux":
        assert os.sched_getscheduler(0) == before

    def refuse(*arguments):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse, raising=False)
    assert not priority.realtime_allowed()
    assert not priority.raise_priority(3)
    priority.raise_network_priority()
    monkeypatch.setattr(sys, "platform", "win32")
    assert not priority.realtime_allowed()
    assert not priority.raise_priority(3)


def test_a_refused_priority_names_the_way_out(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    assert "limits.d" in priority.refusal(2048, 44_100)
    assert "46 ms" in priority.refusal(2048, 44_100)
