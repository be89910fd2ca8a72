"""A plugin in a child of the engine's process: what happens to it is told, the sound goes on, and nothing is left."""

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from rtkaraoke.buses import Mic
from rtkaraoke.engine import Engine
from rtkaraoke.live.process import LiveSession
from rtkaraoke.live.reporting import Reporter
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.plugins.gain import Gain
from rtkaraoke.plugins.hosting.external import External
from tests.support import unruly
from tests.support.fake_live import FakeLive
from tests.support.ticking import TickingBackend
from tests.support.unruly import TROUBLES, Unruly

# A second is queued, so that a busy machine gives no gaps of its own.
SETTINGS = LiveSettings(prefill=44_100, block=1024, realtime=False, fade_in_ms=0.0)
WET_DB, DRY_DB = -18.06, -12.04  # of the fake card's input, halved and as it is

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are killed otherwise there")


def until(condition, timeout_s=30.0):
    deadline_s = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.01)
    return result


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path("/proc").is_dir() or "zombie" not in Path(f"/proc/{pid}/status").read_text()


class Run:
    """A session with one contained plugin, and everything that it has told."""

    def __init__(self, folder, **options):
        self._pids = folder / "pids"
        factory = partial(unruly.engine, pid_file=str(self._pids), **options)
        self.session = LiveSession(SETTINGS, factory, backend=TickingBackend(folder))
        self.session.start()
        self._told = []

    @property
    def children(self):
        return [int(pid) for pid in self._pids.read_text().split()]

    def told(self, words):
        self._told += [event.text for event in self.session.events()]
        return [text for text in self._told if words in text]

    def sounds(self, level_db):
        return self.session.status().output_peak_db[:1] == (pytest.approx(level_db, abs=0.01),)


@pytest.fixture
def run(tmp_path):
    made = []

    def make(**options):
        made.append(Run(tmp_path, **options))
        return made[-1]

    yield make
    for each in made:
        each.session.stop()


def test_a_plugin_that_fails_is_bypassed_and_told_and_the_sound_goes_on(run):
    live = run()
    until(lambda: live.sounds(WET_DB))
    assert live.session.status().latency_terms["unruly"] == 128
    live.session.set("unruly", "trouble", TROUBLES.index("raise"))
    until(lambda: live.told("unruly: ZeroDivisionError: the singer is too good. The plugin is bypassed"))
    until(lambda: live.sounds(DRY_DB))
    n_samples = live.session.status().n_samples
    until(lambda: live.session.status().n_samples > n_samples + 10_000)
    status = live.session.status()
    assert status.state == "running"
    assert status.xruns["silent_output"] == status.xruns["lost_input"] == 0
    assert status.latency_terms["unruly"] == 128
    assert live.sounds(DRY_DB)
    live.session.stop()
    assert live.session.error is None
    assert not any(alive(pid) for pid in live.children)


def test_a_plugin_that_was_killed_is_started_again(run):
    live = run(restarts=1)
    until(lambda: live.sounds(WET_DB))
    os.kill(live.children[0], signal.SIGKILL)
    until(lambda: live.told("unruly: its process was ended by signal 9. The plugin is bypassed and started again"))
    until(lambda: live.told("unruly: the plugin runs again (1 of 1)"))
    until(lambda: live.sounds(WET_DB))
    assert live.session.status().xruns["silent_output"] == 0
    assert len(live.children) == 2
    live.session.stop()
    assert not any(alive(pid) for pid in live.children)


def test_late_answers_are_told_and_counted(run):
    live = run(hang_s=0.05)
    until(lambda: live.sounds(WET_DB))
    live.session.set("unruly", "trouble", TROUBLES.index("hang"))
    until(lambda: live.told("unruly: its answers come late"))
    until(lambda: live.session.status().hops["unruly.late"] > 0)
    until(lambda: live.session.status().hops["unruly.skipped"] > 0)
    until(lambda: live.sounds(DRY_DB))
    live.session.set("unruly", "trouble", 0)
    until(lambda: live.sounds(WET_DB))
    assert live.session.error is None


def test_late_answers_are_counted_for_each_microphone():
    plugins = [External(Unruly) for _ in range(2)]
    mics = [Mic(f"mic{number}", [plugin], max_latency=128) for number, plugin in enumerate(plugins, 1)]
    with Engine([Gain()], mics=mics) as engine:
        live = FakeLive(engine, np.zeros((1000, 4), np.float32), mic_in=(3, 4))
        plugins[0].n_late, plugins[1].n_late = 1, 2
        status = Reporter(live.host, live.settings, realtime=False).status("running", None)
    assert (status.hops["mic1.unruly.late"], status.hops["mic2.unruly.late"]) == (1, 2)


@pytest.mark.parametrize("trouble", ["none", "hang"])
def test_its_process_ends_when_the_engine_is_killed(run, trouble, tmp_path):
    live = run()
    (child,) = live.children
    live.session.set("unruly", "trouble", TROUBLES.index(trouble))
    engine = int(Path(f"/proc/{child}/stat").read_text().split()[3]) if Path("/proc").is_dir() else None
    if engine is None:
        (tmp_path / "killed").touch()  # the engine's process ends at once when its card is lost
    else:
        os.kill(engine, signal.SIGKILL)
    assert live.session.wait(20)
    until(lambda: not alive(child))
