import dataclasses
import gc
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from rtkaraoke.bench.hop import Feed, feeding
from rtkaraoke.bench.worst import card, collection, denormals, memory, processor, timer
from rtkaraoke.bench.worst.start import N_COLLECTIONS, Start, start_process, typical
from rtkaraoke.bench.worst.steps import step_times
from rtkaraoke.dsp import kernels
from rtkaraoke.engine import Engine
from rtkaraoke.live.child import SWITCH_INTERVAL_S
from rtkaraoke.live.host import POLL_S
from rtkaraoke.masks.centre import CentreNetwork
from rtkaraoke.plugins.limiter import Limiter

RATE = 44_100
TINY = np.finfo(np.float32).tiny
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


@pytest.fixture(scope="module")
def network() -> CentreNetwork:
    return CentreNetwork()


@linux
def test_faults_are_those_of_the_thread_that_touches_memory() -> None:
    before = memory.thread_faults()
    memory.touch_fresh_memory(63 * memory.PAGE + 1)  # part of a page is a page
    after = memory.thread_faults()
    assert before is not None
    assert after is not None
    assert after[0] - before[0] >= 64
    others: list[tuple[int, int] | None] = []
    thread = threading.Thread(target=lambda: others.append(memory.thread_faults()))
    thread.start()
    thread.join()
    assert others[0] is not None
    assert others[0][0] < after[0]


@pytest.mark.parametrize("warm", [False, True])
def test_a_process_tells_how_it_began(warm: bool) -> None:
    found = start_process("centre", "cpu", 20, warm=warm, compiling=warm)
    assert ("warm up" in found.stages_ms) == warm
    assert len(found.hops_ms) == len(found.steps_ms) == 20  # the steps of the warm-up are not among them
    assert all(step < hop for step, hop in zip(found.steps_ms, found.hops_ms, strict=True))
    assert found.n_objects > 1000
    assert found.collect_ms > 0
    assert found.collect_frozen_ms > 0
    assert (found.compile_ms > 0) == warm
    if sys.platform == "linux":
        assert len(found.minor_faults) == len(found.major_faults) == 20
        assert min(found.minor_faults + found.major_faults) >= 0


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        start_process("no such network", "cpu", 1, warm=False)
    assert "no such network" in caught.value.stderr


@pytest.mark.slow
@pytest.mark.skipif(bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="nothing is compiled without the JIT")
def test_an_empty_cache_of_kernels_is_filled(tmp_path: Path) -> None:
    start_process("centre", "cpu", 1, warm=False, cache=tmp_path)
    assert list(tmp_path.rglob("*.nbi"))


def test_several_starts_become_a_typical_one_with_the_most_faults() -> None:
    starts = [Start({"prepare": float(n)}, [n, 10.0 * n], [n, n], [n, 0], [0, n], n, n, n, n) for n in (1, 5, 2)]
    expected = Start({"prepare": 2.0}, [2, 20.0], [2, 2], [5, 0], [0, 5], 5, 5, 5, 2)
    assert json.dumps(dataclasses.asdict(typical(starts))) == json.dumps(dataclasses.asdict(expected))
    assert N_COLLECTIONS >= 2


@pytest.mark.parametrize("as_live", [False, True])
def test_collections_are_noted_and_the_collector_is_left_as_it_was(network: CentreNetwork, as_live: bool) -> None:
    interval_s, callbacks, frozen = sys.getswitchinterval(), list(gc.callbacks), gc.get_freeze_count()
    found = collection.measure(network, 20, as_live=as_live)
    assert len(found.hops_ms) == 20
    assert found.hops_ms.min() > 0
    assert bool(found.collections_ms) != as_live
    assert (found.longest_ms > 0) != as_live
    assert gc.isenabled()
    assert gc.callbacks == callbacks
    assert gc.get_freeze_count() <= frozen
    assert sys.getswitchinterval() == pytest.approx(interval_s)
    assert "allocating" not in {thread.name for thread in threading.enumerate()}


def test_hops_beside_the_allocating_thread_have_the_switch_interval_of_a_live_run(
    network: CentreNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(Feed, "run", lambda self: seen.append(sys.getswitchinterval()))
    collection.measure(network, 2, as_live=True)
    assert seen == pytest.approx([SWITCH_INTERVAL_S] * 2)


@linux
def test_timer_slack_is_set_for_one_thread_alone() -> None:
    before, seen = timer.timer_slack_ns(), []

    def work() -> None:
        assert timer.set_timer_slack_ns(1)
        seen.append(timer.timer_slack_ns())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [1]
    assert timer.timer_slack_ns() == before


def test_the_poll_is_watched_under_every_condition_that_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(timer, "lateness_ms", lambda *arguments: asked.append(arguments) or np.zeros(1))
    monkeypatch.setattr(timer, "set_timer_slack_ns", lambda slack_ns: True)
    monkeypatch.setattr(timer.priority, "raise_priority", lambda priority: False)
    assert list(timer.measure(0.25)) == [timer.DEFAULT, timer.LEAST]
    assert asked == [(POLL_S, 0.25)] * 2


def test_the_sounds_hold_denormal_numbers_and_the_first_one_none() -> None:
    sounds = denormals.sounds(4096)
    share = {name: np.mean((np.abs(signal) > 0) & (np.abs(signal) < TINY)) for name, signal in sounds.items()}
    assert share.pop(denormals.NORMAL) == 0
    assert share["denormal noise, 1e-40"] > 0.99
    assert 0.01 < share["a tail that dies away to 1e-45"] < 0.5
    assert not sounds["silence"].any()
    for signal in sounds.values():
        assert signal.dtype == np.float32
        assert signal.shape == (2, 4096)


def test_the_engine_is_timed_on_every_sound(network: CentreNetwork) -> None:
    cases = denormals.measure(network, 10)
    assert [case.sound for case in cases] == list(denormals.sounds(1))
    for case in cases:
        assert len(case.hops.wall_ms) == len(case.hops.cpu_ms) == len(case.steps_ms) == 10


def test_kernels_are_timed_on_denormal_numbers_throughout(
    network: CentreNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = []
    original = kernels.take_in

    def take_in(block, out, meter):
        levels.append(float(np.abs(block).max()))
        return original(block, out, meter)

    monkeypatch.setattr(kernels, "take_in", take_in)
    found = denormals.measure_kernels(network.info.geometry, 3)
    assert len(found) == 6
    assert all(normal > 0 and denormal > 0 for normal, denormal in found.values())
    assert max(levels[:3]) > 0.5
    assert 0 < max(levels[3:]) < TINY


def test_rests_are_slept_through_and_polled(network: CentreNetwork) -> None:
    found = processor.after_rest(network, (0, 1), 0.005, 4)
    assert [(each.rest_ms, each.polled) for each in found] == [(0, False), (1, False), (1, True)]
    assert [len(each.timing.wall_ms) for each in found] == [4, 4, 4]


def test_a_long_run_is_cut_into_windows(network: CentreNetwork) -> None:
    found = processor.drift(network, 2, 0.05)
    assert [window.ends_s for window in found.windows] == [0.05, 0.1]
    assert all(len(window.timing.wall_ms) for window in found.windows)
    assert found.stolen is None or 0 <= found.stolen <= 1


def test_what_the_machine_shows_is_told_and_what_it_hides_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, folder in (("CPU", "cpu"), ("THERMAL", "thermal"), ("STAT", "stat")):
        monkeypatch.setattr(processor, name, tmp_path / folder)
    assert set(processor.clock().values()) == {"not shown by this machine"}
    assert processor.temperature_c() is None
    assert processor.stolen_ticks() is None
    files = {
        "cpu/cpufreq/scaling_governor": "powersave",
        "cpu/cpufreq/scaling_cur_freq": "1200000",
        "cpu/cpufreq/cpuinfo_max_freq": "4800000",
        "cpu/cpuidle/state0/name": "POLL",
        "cpu/cpuidle/state0/latency": "0",
        "cpu/cpuidle/state1/name": "C6",
        "cpu/cpuidle/state1/latency": "133",
        "thermal/thermal_zone0/temp": "41000",
        "thermal/thermal_zone1/temp": "67500",
        "stat": "cpu  1 2 3 4 5 6 7 89 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert list(processor.clock().values()) == [
        "powersave",
        "1200 MHz",
        "4800 MHz",
        "POLL (0 us), C6 (133 us)",
        "68 °C",
    ]
    assert processor.stolen_ticks() == 89


def test_steps_are_timed_back_to_back_and_after_pauses(network: CentreNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "N_AFTER", 3)
    found = card.measure(network, 0.0, (0.0, 0.001), 2)
    assert len(found.back_to_back_ms) == 1
    assert {pause: times.shape for pause, times in found.after_ms.items()} == {0.0: (2, 3), 0.001: (2, 3)}
    assert all((times > 0).all() for times in found.after_ms.values())


@pytest.mark.gpu
def test_steps_on_a_card_are_timed() -> None:
    from rtkaraoke.errors import ProviderError
    from rtkaraoke.masks.models import load_model

    try:
        network = load_model("live", "cuda")
    except ProviderError as error:
        pytest.skip(str(error))
    assert len(card.measure(network, 0.1, (0.0,), 1).back_to_back_ms) > 1


def test_an_engine_without_a_network_has_no_steps(network: CentreNetwork) -> None:
    with feeding(network, RATE) as feed:
        before = step_times(feed.engine).n_steps
        feed.run()
        assert step_times(feed.engine).n_steps == before + 1
    with pytest.raises(ValueError, match="without a vocal remover: it has limiter"):
        step_times(Engine([Limiter()]))
