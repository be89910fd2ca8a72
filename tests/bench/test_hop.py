from pathlib import Path

import numpy as np
import pytest

from rtkaraoke.bench import hop
from rtkaraoke.bench.hop import BACK_TO_BACK, N_TURNS, N_WARM_UP, PACED, measure
from rtkaraoke.bench.hop_report import hop_report
from rtkaraoke.bench.machine import describe_machine, describe_revision, describe_versions
from rtkaraoke.errors import ProviderError, RtkaraokeError
from rtkaraoke.masks.centre import CentreNetwork

N_HOPS = 50
READ_US = 2.0  #: more than a clock takes on any machine that can play music


class Clock:
    """Time that passes only when told to, and counts who asks."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.reads = 0

    def _read(self) -> int:
        self.reads += 1
        return self.now_ns

    perf_counter_ns = thread_time_ns = _read

    def perf_counter(self) -> float:
        return 1e-9 * self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(1e9 * seconds)


class Counted(CentreNetwork):
    """A network whose step number ``k`` takes ``1 ms + k us`` of that time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def open(self, sample_rate: int):
        model, clock, original, steps = super().open(sample_rate), self._clock, None, iter(range(10**9))
        original = model.step

        def step(spectrum, mask) -> None:
            clock.now_ns += 1_000_000 + 1000 * next(steps)
            original(spectrum, mask)

        model.step = step
        return model


def test_every_hop_of_every_stage_is_timed() -> None:
    timings = measure(CentreNetwork(), 48_000, n_hops=N_HOPS)
    assert timings.hop_ms == 1e3 * 279 / 48_000
    assert set(timings.whole) == {BACK_TO_BACK, PACED}
    assert "inference" in timings.stages
    assert timings.loop_ms > 0
    for times in (*timings.stages.values(), *timings.whole.values()):
        assert times.wall_ms.shape == times.cpu_ms.shape == (N_HOPS,)
        assert np.all(times.wall_ms > 0)
        assert np.all(times.cpu_ms >= 0)


def test_the_figures_are_those_of_an_independent_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(hop, "time", clock)
    timings = measure(Counted(clock), 44_100, n_hops=N_HOPS)
    # In the engine the first mask is wanted a hop after the first samples; the warm-up ran with the clock as well.
    for times in (timings.stages["inference"], *timings.whole.values()):
        np.testing.assert_allclose(np.diff(times.wall_ms), 0.001, atol=1e-9)
        np.testing.assert_array_equal(times.wall_ms, times.cpu_ms)
    assert timings.stages["inference"].wall_ms[0] == pytest.approx(1 + 0.001 * N_WARM_UP)
    assert all(not times.wall_ms.any() for name, times in timings.stages.items() if name != "inference")
    assert timings.loop_ms == pytest.approx(float(timings.whole[BACK_TO_BACK].cpu_ms.mean()), rel=1e-6)


def test_reading_the_clocks_takes_less_than_a_hundredth_of_a_hop(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(hop, "time", clock)
    monkeypatch.setattr(hop, "clock_reading_ns", lambda: 0.0)
    timings = measure(CentreNetwork(), 44_100, n_hops=N_HOPS)
    runs = (len(timings.stages) + 2) * (N_WARM_UP + N_HOPS)  # each stage, and the whole hop at two paces
    assert clock.reads == 4 * runs + 2 * N_TURNS
    read_ms = 1e-3 * READ_US
    assert 4 * read_ms / timings.hop_ms < 0.01


def test_a_machine_that_grows_slower_is_slower_for_both_timings(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slowing(CentreNetwork):
        def open(self, sample_rate: int):
            model = super().open(sample_rate)
            original = model.step

            def step(spectrum, mask) -> None:
                clock.now_ns += 1_000_000 + clock.now_ns // 500
                original(spectrum, mask)

            model.step = step
            return model

    clock = Clock()
    monkeypatch.setattr(hop, "time", clock)
    monkeypatch.setattr(hop, "N_WARM_UP", 2)
    timings = measure(Slowing(), 44_100, n_hops=4 * N_HOPS)
    times = timings.whole[BACK_TO_BACK].cpu_ms
    assert times[-1] > 1.5 * times[0]
    assert timings.loop_ms == pytest.approx(times.mean(), rel=0.03)


@pytest.mark.parametrize("block", [64, 100, 256, 1000])
def test_any_block_is_accounted_by_the_hop(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    clock = Clock()
    monkeypatch.setattr(hop, "time", clock)
    network = Counted(clock)
    timings = measure(network, 44_100, n_hops=N_HOPS, block=block)
    times = timings.whole[BACK_TO_BACK].wall_ms
    hops_of_a_run = -(-256 // block) * block / 256
    assert times.mean() * hops_of_a_run == pytest.approx(hops_of_a_run * timings.loop_ms, rel=0.02)


def test_the_measuring_stays_on_one_core_and_goes_back() -> None:
    os = pytest.importorskip("os")
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system does not tell its cores")
    before = os.sched_getaffinity(0)
    with hop.one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_the_report_has_every_combination() -> None:
    seen = []
    report = hop_report(["centre"], ["cpu"], [44_100, 48_000], [0, 64], 20, lambda *at: seen.append(at))
    assert seen[-1] == (16, 16, "centre")
    assert {name for name in report.figures if name.endswith("as_live.p99_9_ms")} == {
        f"hop.centre.cpu.{rate}{block}.as_live.p99_9_ms" for rate in (44_100, 48_000) for block in ("", ".block64")
    }
    for figure in report.figures.values():
        assert figure.low is None or figure.low <= figure.value <= figure.high
    assert [table.key for table in report.tables] == ["summary", "load", "stages", "check"]


def test_what_a_machine_cannot_do_is_left_out_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    from rtkaraoke.bench import hop_report as module

    def refuse(name: str, provider: str, graphs: bool):
        raise ProviderError("no card")

    monkeypatch.setattr(module, "load_model", refuse)
    with pytest.raises(RtkaraokeError, match="live on cuda: not measured: no card"):
        hop_report(["live"], ["cuda"], [44_100])


def test_a_figure_knows_its_machine_versions_and_revision(root: Path) -> None:
    machine = describe_machine()
    assert machine["cpu"]
    assert int(machine["cores"]) >= 1
    assert "numpy" in describe_versions()
    revision = describe_revision(root)
    assert revision == "unknown" or int(revision.rstrip("+"), 16) >= 0
    assert describe_revision(root / "no such folder") == "unknown"
