"""How many rooms one core or one card carries: what is counted, and what follows."""

from pathlib import Path

import numpy as np
import pytest

from rtkaraoke import load_model
from rtkaraoke.bench import hop
from rtkaraoke.bench.hop import N_WARM_UP, Timing
from rtkaraoke.bench.hop_report import hop_report
from rtkaraoke.bench.rooms import RoomTimings, figures, held, measure, notes, table
from rtkaraoke.masks.batch import Batch
from tests.support.networks import stateful_mask

HOP_MS = 5.8
N_HOPS = 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return stateful_mask(tmp_path / "network.onnx")


def served(n_rooms: int, p99_9_ms: float, provider: str = "cpu", rate: int = 44_100) -> RoomTimings:
    times = Timing(np.full(4000, p99_9_ms), np.full(4000, p99_9_ms))
    return RoomTimings("live", provider, rate, n_rooms, HOP_MS, times, times)


def test_one_run_per_hop_answers_all_rooms(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    monkeypatch.setattr(Batch, "run", lambda batch, run=Batch.run: (runs.append(sum(batch._fed)), run(batch)))
    timings = measure(load_model(file, "cpu"), 3, N_HOPS)
    # The run alone, then in use, where the first hop's mask is wanted a hop later.
    assert runs == [3] * (2 * (N_WARM_UP + N_HOPS) - 1)
    assert timings.hop_ms == pytest.approx(1e3 * 256 / 44_100)
    for times in (timings.run, timings.hop):
        assert times.wall_ms.shape == times.cpu_ms.shape == (N_HOPS,)
        assert np.all(times.wall_ms > 0)


def test_the_time_of_a_hop_holds_the_run_and_the_engines(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now_ns = 0

        def read(self) -> int:
            return self.now_ns

        perf_counter_ns = thread_time_ns = read

    clock = Clock()
    original = Batch.run

    def run(batch: Batch) -> None:
        clock.now_ns += 2_000_000
        original(batch)

    feed = Batch.feed

    def slow_feed(batch: Batch, *arguments) -> None:
        clock.now_ns += 500_000
        feed(batch, *arguments)

    monkeypatch.setattr(hop, "time", clock)
    monkeypatch.setattr(Batch, "run", run)
    monkeypatch.setattr(Batch, "feed", slow_feed)
    timings = measure(load_model(file, "cpu"), 2, N_HOPS)
    np.testing.assert_allclose(timings.run.wall_ms, 2.0)
    np.testing.assert_allclose(timings.hop.wall_ms, 3.0)
    assert table("streams", "", [timings]).rows[0][-2:] == pytest.approx([3.0 / timings.hop_ms, 1.5])


def test_rooms_are_held_up_to_the_first_number_that_misses() -> None:
    found = [served(8, 5.0), served(1, 1.0), served(4, 5.81), served(2, HOP_MS)]
    assert held(found) == 2
    assert held(found[2:3]) == held([]) == 0
    assert table("streams", "", found).rows[2][-3] == 4000  # missed


def test_each_network_provider_and_rate_has_its_own_figure() -> None:
    found = [served(1, 1.0), served(4, 4.0), served(64, 4.0, "cuda"), served(1, 9.0, rate=48_000)]
    counts = {name: figure.value for name, figure in figures(found).items() if name.endswith("count")}
    assert counts == {
        "hop.live.cpu.44100.streams_on_one_core_count": 4,
        "hop.live.cuda.44100.streams_on_one_card_count": 64,
        "hop.live.cpu.48000.streams_on_one_core_count": 0,
    }
    assert notes(found)[0] == "live, cpu, 44.1 kHz: 4 streams on one core with p99.9 within the hop, of 1, 4"


def test_the_report_of_a_hop_has_the_streams_that_were_asked_for(file: Path) -> None:
    seen = []
    report = hop_report([str(file), "centre"], ["cpu"], [44_100], [0], N_HOPS, lambda *at: seen.append(at), (1, 2))
    assert seen[0] == (0, 12, "network")
    assert seen[-1] == (12, 12, "centre")
    streams = report.tables[-1]
    assert streams.key == "streams"
    assert [row[:4] for row in streams.rows] == [["network", "cpu", 44_100, 1], ["network", "cpu", 44_100, 2]]
    assert "hop.network.cpu.44100.streams2.p99_9_ms" in report.figures
    assert "streams on one core" in report.notes[0]


def test_where_no_network_is_measured_there_are_no_streams_and_it_says_so() -> None:
    report = hop_report(["centre"], ["cpu"], [44_100], n_hops=N_HOPS, streams=(1,))
    assert [table.key for table in report.tables] == ["summary", "load", "stages", "check"]
    assert "no streams" in report.notes[0]


def test_without_cuda_graphs_the_report_says_so(file: Path) -> None:
    assert "cuda_graphs" not in hop_report(["centre"], ["cpu"], [44_100], n_hops=N_HOPS).parameters
    assert hop_report(["centre"], ["cpu"], [44_100], n_hops=N_HOPS, graphs=False).parameters["cuda_graphs"] is False


def test_a_card_that_leaves_its_work_to_the_cpu_is_told_of(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rtkaraoke.bench import hop_report as module

    def fail(network, *_: object):
        network.notes.append("the provider cuda failed: the CPU goes on")
        return hop.measure(network, 44_100, N_HOPS)

    monkeypatch.setattr(module, "measure", fail)
    report = hop_report([str(file)], ["cpu"], [44_100], n_hops=N_HOPS)
    assert report.notes == ["network on cpu: the provider cuda failed: the CPU goes on"]
