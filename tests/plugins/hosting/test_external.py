"""A plugin in a process of its own: exact when it answers, done without when it does not, gone when it is closed."""

import os
import signal
import subprocess
import sys
import textwrap
import time
import tracemalloc
from functools import partial
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np
import pytest

from rtkaraoke.engine import Engine
from rtkaraoke.errors import PluginError
from rtkaraoke.live import priority
from rtkaraoke.masks.runner import NO_DEADLINE
from rtkaraoke.plugins.gain import Gain
from rtkaraoke.plugins.hosting import external, keeper
from rtkaraoke.plugins.hosting.external import BLOCK, External
from rtkaraoke.plugins.protocol import DeadlineAware, Plugin
from tests.support import unruly
from tests.support.fake_live import FakeLive, noise
from tests.support.unruly import TROUBLES, Unruly

RATE = 44_100


@pytest.fixture
def contained():
    """Makes contained plugins; none outlives the test."""
    made = []

    def make(factory=Unruly, **options):
        made.append(External(factory, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def through(plugin, signal, sizes, changes=()):
    """``signal`` ``(channel, sample)`` through ``plugin`` in blocks of ``sizes``, again and again.

    ``changes`` are ``(sample, parameter, value)``, each at the start of a block.
    """
    changes = list(changes)
    out, start, turn = np.empty_like(signal), 0, 0
    while start < signal.shape[1]:
        stop = min(start + sizes[turn % len(sizes)], signal.shape[1])
        if changes and changes[0][0] <= start:
            plugin.set(*changes.pop(0)[1:])
        elif changes:
            stop = min(stop, changes[0][0])
        block = signal[:, start:stop].copy()
        plugin.process(block, block)
        out[:, start:stop] = block
        start, turn = stop, turn + 1
    return out


def until(condition, timeout_s=20.0):
    deadline_s = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.005)
    return result


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path("/proc").is_dir() or "zombie" not in Path(f"/proc/{pid}/status").read_text()


def test_it_shows_what_the_plugin_declares_and_a_switch_to_bypass_it(contained):
    plugin = contained()
    assert isinstance(plugin, Plugin)
    assert isinstance(plugin, DeadlineAware)
    assert plugin.name == "unruly"
    assert plugin.presets == {"quarter": {"gain": 0.25}}
    assert list(plugin.parameters) == ["gain", "trouble", "bypass"]
    assert plugin.parameters["trouble"].choices == TROUBLES
    assert plugin.get("gain") == 0.5
    with pytest.raises(PluginError, match="gain = 2"):
        plugin.set("gain", 2)


@pytest.mark.parametrize(("latency", "block"), [(0, BLOCK), (37, 64), (1000, BLOCK)])
def test_an_impulse_comes_out_one_exchanged_block_and_the_plugin_s_latency_later(contained, latency, block):
    plugin = contained(partial(Unruly, latency), block=block)
    plugin.prepare(RATE, 2, 1024)
    assert plugin.latency == block + latency
    signal = np.zeros((2, 3000), np.float32)
    signal[:, 700] = 0.5
    out = through(plugin, signal, [1024])
    assert np.flatnonzero(out[0]).tolist() == [700 + plugin.latency]
    assert out[0].max() == 0.25
    plugin.set("bypass", 1)
    plugin.reset()
    out = through(plugin, signal, [1024])
    assert np.flatnonzero(out[0]).tolist() == [700 + plugin.latency]
    assert out[0].max() == 0.5


def test_every_partition_gives_the_bits_of_the_plugin_itself_one_block_later(contained):
    signal = noise(20_000).T.copy()
    changes = [(4000, "level", -12.0), (9001, "level", 3.0)]
    plugin = contained(Gain)
    plugin.prepare(RATE, 2, 1024)
    results = []
    for sizes in ([1], [64], [BLOCK], [441], [1024], [7, 128, 300, 1]):
        plugin.set("level", 0.0)
        plugin.reset()
        results.append(through(plugin, signal, sizes, changes))
        assert plugin.counters == {"gain.late": 0, "gain.skipped": 0, "gain.dry": 0}
    for other in results[1:]:
        assert np.array_equal(other, results[0])

    itself = Gain()
    itself.prepare(RATE, 2, BLOCK)
    # A change holds from the exchanged block on in which it is made.
    aligned = [(at // BLOCK * BLOCK, name, value) for at, name, value in changes]
    expected = through(itself, signal, [BLOCK], aligned)
    assert np.array_equal(results[0][:, BLOCK:], expected[:, :-BLOCK])


def test_reset_forgets_the_signal_and_keeps_the_parameters(contained):
    plugin = contained(partial(Unruly, 500))
    plugin.prepare(RATE, 1, 256)
    signal = noise(3000, 1).T.copy()
    plugin.set("gain", 0.25)
    first = through(plugin, signal, [256])
    plugin.reset()
    assert np.array_equal(through(plugin, signal, [100]), first)
    plugin.close()
    plugin.prepare(48_000, 1, 256)
    assert np.array_equal(through(plugin, signal, [100]), first)
    assert not first[:, :628].any()
    assert np.array_equal(first[:, 628:], 0.25 * signal[:, :-628])


def test_what_is_no_number_never_reaches_the_plugin(contained):
    plugin = contained()
    plugin.prepare(RATE, 1, 256)
    signal = np.full((1, 1024), 0.5, np.float32)
    signal[0, 100:103] = np.nan, np.inf, -np.inf
    out = through(plugin, signal, [256])
    assert np.isfinite(out).all()
    assert np.flatnonzero(out[0, BLOCK:] == 0).tolist() == [100, 101, 102]


def test_bypass_is_cross_faded(contained):
    plugin = contained()
    plugin.prepare(RATE, 1, 256)
    signal = np.ones((1, 6000), np.float32)
    out = through(plugin, signal, [256], [(2000, "bypass", 1), (4000, "bypass", 0)])[0, BLOCK:]
    assert out[0] == 0.5
    assert out[2500] == 1.0
    assert out[-1] == 0.5
    assert np.abs(np.diff(out)).max() <= 0.5 / BLOCK + 1e-6


def test_exchanging_blocks_allocates_no_array(contained):
    plugin = contained()
    plugin.prepare(RATE, 2, 1024)
    block = noise(1024).T.copy()
    for _ in range(20):
        plugin.process(block, block)
    tracemalloc.start()
    try:
        for _ in range(20):
            plugin.process(block, block)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(500):
            plugin.process(block, block)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 4096  # a stereo block of 128 would be 1 024 bytes, one of 1 024 8 192
    assert after - before < 2048


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        (unruly.refusing, "OSError: no licence"),
        (unruly.vanishing, r"its process ended by itself \(exit code 3\)"),
        (unruly.nothing, "int is no plugin"),
    ],
)
def test_a_plugin_that_cannot_be_made_says_why(factory, words):
    with pytest.raises(PluginError, match=words):
        External(factory)


def test_a_plugin_that_does_not_get_ready_is_given_up(monkeypatch):
    monkeypatch.setattr("rtkaraoke.plugins.hosting.hosted.START_S", 0.2)
    with pytest.raises(PluginError, match=r"not ready after 0\.2 s"):
        External(partial(time.sleep, 60))


def test_a_plugin_that_refuses_to_be_prepared_says_why(contained):
    plugin = contained(partial(Unruly, -1_000_000))
    with pytest.raises(PluginError, match="plugin 'unruly': ValueError"):
        plugin.prepare(RATE, 1, 256)
    with pytest.raises(PluginError, match="a block of 0 samples"):
        External(Unruly, block=0)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("raise", "ZeroDivisionError: the singer is too good"),
        ("nan", "it returned 1 samples that are no numbers"),
        ("loud", r"it returned a peak of 1e\+30, where full scale is 1"),
        ("killed", "its process was ended by signal 9"),
        ("exit", r"its process ended by itself \(exit code 7\)"),
    ],
)
def test_in_a_file_a_failure_is_an_error(contained, trouble, words):
    plugin = contained()
    plugin.prepare(RATE, 1, 256)
    signal = np.full((1, 2000), 0.5, np.float32)
    assert through(plugin, signal, [256])[0, -1] == 0.25
    plugin.set("trouble", TROUBLES.index(trouble))
    with pytest.raises(PluginError, match=f"plugin 'unruly' failed: {words}$"):
        through(plugin, signal, [256])


@pytest.mark.parametrize("trouble", ["hang", "babble"])
def test_a_file_waits_for_what_takes_its_time(contained, trouble):
    plugin = contained(partial(Unruly, 0, 0.7))
    plugin.prepare(RATE, 1, 256)
    plugin.set("trouble", TROUBLES.index(trouble))
    out = through(plugin, np.ones((1, 3 * BLOCK - 1), np.float32), [50])
    assert (out[0, BLOCK:] == 0.5).all()
    assert plugin.error is None


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("raise", "ZeroDivisionError: the singer is too good"),
        ("hang", "it has not answered for"),
        ("hang in C", "it has not answered for"),
        ("nan", "it returned 1 samples that are no numbers"),
        ("loud", "it returned a peak of"),
        ("killed", "its process was ended by signal 9"),
        ("exit", "exit code 7"),
    ],
)
def test_live_a_plugin_that_fails_is_bypassed_with_a_message_and_the_sound_goes_on(contained, trouble, words):
    plugin = contained(partial(Unruly, 100, 5.0), restarts=0)
    live = FakeLive(Engine([plugin]), np.full((2_000_000, 2), 0.5, np.float32), prefill=1024)
    at = 1024 + plugin.latency
    until(lambda: live.play(20) or live.device.played[-1, 0] == 0.25)
    live.host.set("unruly", "trouble", TROUBLES.index(trouble))
    until(lambda: live.play(1) or plugin.error is not None)
    live.play(50)
    played = live.device.played[:, 0]
    assert live.stream.counters.xruns == 0
    assert not played[:at].any()
    assert ((played[at + 2 * BLOCK :] >= 0.25) & (played[at + 2 * BLOCK :] <= 0.5)).all()
    assert np.abs(np.diff(played[at + 2 * BLOCK :])).max() <= 0.25 / BLOCK + 1e-6
    assert (played[-20 * BLOCK :] == 0.5).all()
    assert words in str(plugin.error)
    assert "bypassed" in str(plugin.error)
    assert plugin.latency == BLOCK + 100


def test_live_late_answers_are_done_without_and_the_plugin_comes_back(contained):
    plugin = contained(partial(Unruly, 0, 0.05))
    plugin.prepare(RATE, 1, BLOCK)
    block, out = np.ones((1, BLOCK), np.float32), np.zeros((1, BLOCK), np.float32)

    def play(n_blocks, wait_ns):
        for _ in range(n_blocks):
            plugin.deadline_ns = time.monotonic_ns() + wait_ns
            plugin.process(block, out)
            yield out[0].copy()

    patient_ns = 10**9  # cut short to the length of a block
    list(until(lambda: [each[-1] for each in play(50, patient_ns)][-1] == 0.5 and [1]))
    plugin.set("trouble", TROUBLES.index("hang"))
    late = np.concatenate(list(play(5, 0)))
    assert plugin.counters["unruly.late"] >= 1
    assert plugin.counters["unruly.skipped"] >= 1
    (told,) = plugin.news()
    assert told.startswith("unruly: its answers come late. ")
    assert late[-1] == 1.0
    assert np.abs(np.diff(late)).max() <= 0.5 / BLOCK + 1e-6
    plugin.set("trouble", 0)
    until(lambda: list(play(20, patient_ns))[-1][-1] == 0.5)
    assert plugin.error is None
    assert plugin.notes == []


def test_late_answers_are_told_once_for_each_burst(contained, monkeypatch):
    plugin = contained()
    assert plugin.news() == []
    told = []
    for burst_s, n_late in ((1e9, 3), (1e9, 4), (1e9, 4), (0.0, 6), (1e9, 8), (1e9, 0), (0.0, 1)):
        monkeypatch.setattr(external, "BURST_S", burst_s)
        plugin.n_late = n_late
        told.append(len(plugin.news()))
    assert told == [1, 0, 0, 1, 0, 0, 1]


def test_live_a_plugin_that_failed_is_started_again_a_few_times(contained, monkeypatch):
    monkeypatch.setattr(keeper, "RESTART_S", 0.01)
    plugin = contained(restarts=1)
    plugin.set("gain", 0.75)
    plugin.prepare(RATE, 1, BLOCK)
    block, out = np.ones((1, BLOCK), np.float32), np.zeros((1, BLOCK), np.float32)

    def play():
        plugin.deadline_ns = time.monotonic_ns() + 10**9
        plugin.process(block, out)
        return out[0, -1]

    until(lambda: play() == 0.75)
    plugin.set("trouble", TROUBLES.index("raise"))
    until(lambda: play() and plugin.notes)
    plugin.set("trouble", 0)
    until(lambda: len(plugin.notes) == 2)
    until(lambda: play() == 0.75)
    assert (
        "ZeroDivisionError: the singer is too good. The plugin is bypassed and started again (1 of 1)"
        in (plugin.notes[0])
    )
    assert plugin.notes[1] == "unruly: the plugin runs again (1 of 1)"
    plugin.set("trouble", TROUBLES.index("nan"))
    until(lambda: play() and plugin.error is not None)
    assert play() == 1.0


def test_its_process_runs_at_the_priority_below_the_worker_s(contained, tmp_path):
    if not priority.realtime_allowed():
        pytest.skip("no permission for real-time priority here")
    pids = tmp_path / "pids"
    plugin = contained(partial(Unruly, pid_file=str(pids)), on_start=priority.raise_network_priority)
    child = int(pids.read_text())
    assert os.sched_getscheduler(child) == os.SCHED_OTHER
    plugin.prepare(RATE, 1, 256)
    assert os.sched_getscheduler(child) == os.SCHED_FIFO
    assert os.sched_getparam(child).sched_priority == priority.WORKER_PRIORITY - 1


@pytest.mark.skipif(sys.platform == "win32", reason="processes are seen otherwise there")
def test_nothing_is_left_when_it_is_closed(contained, tmp_path):
    pids = tmp_path / "pids"
    plugin = contained(partial(Unruly, pid_file=str(pids)))
    child = int(pids.read_text())
    plugin.prepare(RATE, 1, 256)
    memory = plugin._keeper.hosted.exchange.name
    with pytest.raises(FileNotFoundError):
        SharedMemory(memory)  # the name goes as soon as both sides have it
    assert alive(child)
    plugin.close()
    plugin.close()
    assert not alive(child)
    plugin.prepare(RATE, 1, 256)
    assert len(pids.read_text().split()) == 2


PROGRAM = """
import sys
from functools import partial
import numpy as np
from rtkaraoke.plugins.hosting.external import External
from tests.support.unruly import TROUBLES, Unruly

if __name__ == "__main__":
    plugin = External(partial(Unruly, 0, 60.0, sys.argv[1]))
    plugin.prepare(44_100, 1, 256)
    plugin.deadline_ns = 0
    plugin.set("trouble", TROUBLES.index(sys.argv[2]))
    plugin.process(np.ones((1, 256), np.float32), np.ones((1, 256), np.float32))
    print(plugin._keeper.hosted.exchange.name, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="processes are seen otherwise there")
@pytest.mark.parametrize("trouble", ["none", "hang in C"])
def test_nothing_is_left_when_the_host_is_killed(tmp_path, trouble):
    script, pids = tmp_path / "program.py", tmp_path / "pids"
    script.write_text(textwrap.dedent(PROGRAM))
    root = str(Path(__file__).resolve().parents[3])
    program = subprocess.Popen(
        [sys.executable, script, pids, trouble],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    memory = program.stdout.readline().strip()
    child = int(pids.read_text())
    assert alive(child)
    program.send_signal(signal.SIGKILL)
    program.communicate()
    until(lambda: not alive(child))
    with pytest.raises(FileNotFoundError):
        SharedMemory(memory)


def test_the_longest_wait_of_a_file_is_not_that_of_a_stream():
    assert NO_DEADLINE > 10**9 * keeper.LONGEST_WAIT_S
    assert keeper.HANG_S < 1.0
