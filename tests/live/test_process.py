"""The engine's process and its parent, with a fake card: nothing hangs, everything is told."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtkaraoke.errors import DeviceError, LatencyBudgetError, LiveError
from rtkaraoke.live.process import LiveSession
from rtkaraoke.live.settings import LiveSettings
from tests.support import interrupted, ticking
from tests.support.engines import passthrough

SETTINGS = LiveSettings(prefill=8192, block=1024, realtime=False, fade_in_ms=0.0)


@pytest.fixture
def session(tmp_path):
    """Makes sessions on a card that is steered by files in ``tmp_path``; none outlives the test."""
    made = []

    def make(factory=ticking.fragile, settings=SETTINGS, **options):
        made.append(LiveSession(settings, factory, backend=ticking.TickingBackend(tmp_path), **options))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def until(condition, timeout_s=20.0):
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)
    return result


def test_a_session_runs_obeys_and_stops(session):
    run = session()
    status = run.start()
    assert status.state == "running"
    assert status.latency == sum(status.latency_terms.values()) == 8192 + 441
    assert status.video_delay_ms == 196
    assert (status.input, status.output) == ("fake input", "fake output")
    run.set("fragile", "level", -6.0)
    run.mute(True)
    status = until(lambda: s if (s := run.status()).muted and s.parameters["fragile.level"] == -6.0 else None)
    assert status.provider == "paper"
    assert "the network has something to say" in [event.text for event in run.events()]
    until(lambda: run.status().n_samples > 10_000)
    assert until(lambda: run.status().input_peak_db)[0] == pytest.approx(-12.04, abs=0.01)
    assert not run.wait(0.01)
    started = time.monotonic()
    run.stop()
    assert time.monotonic() - started < 1.0
    assert run.status().state == "stopped"
    assert run.error is None
    assert run.wait(0)


def test_wishes_before_the_start_are_granted_and_wrong_ones_are_told(session):
    run = session()
    run.set("fragile", "level", -9.0)
    run.set("fragile", "colour", 1.0)
    run.start()
    assert until(lambda: run.status().parameters["fragile.level"] == -9.0)
    error = until(lambda: [event for event in run.events() if event.kind == "error"])
    assert "colour" in error[0].text


def test_a_source_is_told_and_tells(session):
    run = session(
        passthrough, LiveSettings(channels_in=(), prefill=8192, realtime=False), source_factory=ticking.Silence
    )
    run.start()
    run.command("seek", 12.5)
    run.command("fly", text="away")
    until(lambda: run.status().source.get("seek") == 12.5)
    assert run.status().source["sample_rate"] == 44_100
    assert "cannot fly away" in until(run.events)[0].text


def test_the_song_s_time_that_is_heard_goes_on_with_the_clock(session):
    run = session(
        passthrough, LiveSettings(channels_in=(), prefill=8192, realtime=False), source_factory=ticking.Silence
    )
    run.start()
    first = until(lambda: s if (s := run.status()).source["heard_s"] > 0 else None)
    later = until(lambda: s if (s := run.status()).source["heard_s"] > first.source["heard_s"] + 0.5 else None)
    elapsed_s = 1e-9 * (later.time_ns - first.time_ns)
    assert later.source["heard_s"] - first.source["heard_s"] == pytest.approx(elapsed_s, abs=0.1)
    assert later.time_ns <= time.monotonic_ns()
    assert later.source["heard_s"] < later.n_samples / later.sample_rate


SINGING = LiveSettings(channels_in=(), mic_in=(1,), prefill=8192, realtime=False, fade_in_ms=0.0)


@pytest.fixture
def karaoke(session):
    """A session with a microphone that hears a constant of -12 dB, and silent music."""
    run = session(ticking.singing, SINGING, source_factory=ticking.Silence)
    assert run.layout() == ()
    run.start()
    return run


def test_a_session_shows_everything_that_can_be_set_and_how_loud_it_is(karaoke):
    names = [part.name for part in karaoke.layout()]
    assert names == ["vocal_remover", "music", "mic1.gain", "mic1", "duck", "limiter"]
    for part in karaoke.layout():
        for parameter in part.parameters:
            karaoke.set(part.name, parameter.name, parameter.default)
    karaoke.set("mic1", "level", -6.0)
    status = until(lambda: s if (s := karaoke.status()).parameters.get("mic1.level") == -6.0 else None)
    assert "mic1.gain.bypass" in status.parameters
    status = until(lambda: s if (s := karaoke.status()).buses["mic1"]["peak_db"] < -17 else None)
    assert status.buses["mic1"] == pytest.approx(
        {"input_peak_db": -12.04, "input_rms_db": -12.04, "peak_db": -18.04, "rms_db": -18.04}, abs=0.01
    )
    assert status.buses["music"]["peak_db"] == status.voice["found_db"] == status.voice["removed_db"] == -120.0
    assert status.input_peak_db == (-120.0, -120.0)
    assert status.buses["master"]["peak_db"] == pytest.approx(-18.04, abs=0.01)
    assert (status.mic_latency, status.latency) == (8192 + 441, 512 + 8192 + 441)
    until(lambda: karaoke.status().duck["singing"] == 0.0)  # a constant is no voice, its beginning may be
    assert karaoke.events() == []


def test_a_calibration_is_told_when_it_is_done(karaoke):
    until(lambda: karaoke.status().n_samples > 20_000)
    until(lambda: karaoke.status().duck["singing"] == 0.0)
    karaoke.set("duck", "calibrate", 1.0)
    until(lambda: karaoke.status().duck["calibrating"])
    events = until(karaoke.events)
    assert "the duck is calibrated: threshold -" in events[0].text
    until(lambda: karaoke.status().parameters["duck.threshold"] < -50.0)


def test_a_session_records_while_it_runs(karaoke, tmp_path):
    def recording(name):
        status = karaoke.status()
        return status.recording == str(tmp_path / name) and status.recorded_s > 0.3

    karaoke.record(tmp_path / "first.flac")
    until(lambda: recording("first.flac"))
    karaoke.record(tmp_path / "second.flac", apart=True)
    assert f"to {tmp_path / 'first.flac'}" in until(karaoke.events)[0].text
    until(lambda: recording("second.flac"))
    karaoke.record(None)
    assert "second.flac" in until(karaoke.events)[0].text
    until(lambda: karaoke.status().recording == "")
    karaoke.record(tmp_path / "first.flac")
    event = until(karaoke.events)[0]
    assert (event.kind, "exists already" in event.text) == ("error", True)
    karaoke.record(tmp_path / "third.flac")
    until(lambda: recording("third.flac"))
    karaoke.stop()
    for name, peak in (("first", 0.25), ("second.music", 0.0), ("second.voices", 0.25), ("third", 0.25)):
        recorded, _ = soundfile.read(tmp_path / f"{name}.flac", dtype="float32")
        assert len(recorded) > 0.3 * 44_100
        assert np.abs(recorded).max() == peak


def test_a_prefill_that_the_card_s_blocks_exceed_is_told_once(session):
    run = session(passthrough, LiveSettings(prefill=512, realtime=False))
    run.start()
    notices = until(lambda: [event.text for event in run.events()])
    assert "441 samples at a time" in notices[0]
    assert "882 or more" in notices[0]
    until(lambda: run.status().n_samples > 20_000)
    assert run.events() == []


def test_what_was_fed_is_recorded_with_its_decisions(session, tmp_path):
    settings = LiveSettings(prefill=8192, realtime=False, fade_in_ms=0.0, record=tmp_path / "in.f32")
    run = session(passthrough, settings)
    run.start()
    until(lambda: run.status().n_samples > 5000)
    run.stop()
    recorded = np.fromfile(tmp_path / "in.f32", np.float32)
    assert len(recorded) == 2 * run.status().n_samples
    assert (recorded == 0.25).all()
    assert (tmp_path / "in.decisions").read_bytes() == b""


@pytest.mark.parametrize(
    ("factory", "settings", "error", "text"),
    [
        (
            ticking.fragile,
            LiveSettings(prefill=4096, realtime=False, latency_budget_ms=20),
            LatencyBudgetError,
            "prefill",
        ),
        (ticking.unwilling, SETTINGS, LiveError, "ValueError: no engine today"),
        (passthrough, LiveSettings(realtime=False, voice_out=(3, 4)), LiveError, "voice"),
        (passthrough, LiveSettings(realtime=False, record=Path("/nowhere/in.f32")), LiveError, "cannot record"),
    ],
)
def test_a_run_that_cannot_start_says_why(session, factory, settings, error, text, capfd):
    run = session(factory, settings)
    with pytest.raises(error, match=text):
        run.start()
    assert run.status().state == "failed"
    assert run.wait(0)


def test_a_missing_device_is_told_before_the_engine_is_made(session, tmp_path):
    (tmp_path / "away").touch()
    run = session(ticking.unwilling)
    with pytest.raises(DeviceError, match="ticking"):
        run.start()


def test_a_session_starts_once(session):
    run = session()
    run.start()
    with pytest.raises(LiveError, match="before"):
        run.start()


@pytest.mark.parametrize("fate", ["killed", "vanished"])
def test_a_lost_card_is_told_within_two_seconds(session, tmp_path, fate):
    run = session()
    run.start()
    (tmp_path / fate).touch()
    started = time.monotonic()
    assert run.wait(5)
    assert time.monotonic() - started < 2.0
    assert run.status().state == "failed"
    assert isinstance(run.error, DeviceError)
    assert "fake input -> fake output" in str(run.error)
    assert "--reconnect" in str(run.error)
    assert [event.kind for event in run.events() if event.kind != "notice"] == ["lost"]


def test_reconnect_waits_for_the_card_and_restores_the_wishes(session, tmp_path):
    settings = LiveSettings(prefill=8192, realtime=False, record=tmp_path / "in.f32")
    run = session(settings=settings, reconnect=True)
    run.start()
    run.set("fragile", "level", -3.0)
    until(lambda: run.status().n_samples)
    (tmp_path / "away").touch()
    (tmp_path / "killed").touch()
    assert "Waiting" in until(lambda: [e for e in run.events() if e.kind == "lost"])[0].text
    until(lambda: run.status().state == "waiting")
    (tmp_path / "killed").unlink()
    time.sleep(0.5)
    assert run.status().state == "waiting"
    (tmp_path / "away").unlink()
    until(lambda: [event for event in run.events() if event.kind == "resumed"], timeout_s=60.0)
    until(lambda: run.status().parameters["fragile.level"] == -3.0)
    assert run.status().state == "running"
    run.stop()
    assert run.error is None
    assert (tmp_path / "in.f32").stat().st_size
    assert list(tmp_path.glob("in.*.f32"))


def test_a_recording_goes_on_in_another_file_when_the_card_is_back(session, tmp_path):
    run = session(ticking.singing, SINGING, source_factory=ticking.Silence, reconnect=True)
    run.record(tmp_path / "night.flac")  # before the start: it begins with the sound
    run.start()
    until(lambda: run.status().recorded_s > 0.2)
    (tmp_path / "killed").touch()
    until(lambda: run.status().state == "waiting")
    (tmp_path / "killed").unlink()
    until(lambda: run.status().recording.endswith("night.2.flac") and run.status().recorded_s > 0.2, timeout_s=60.0)
    run.record(None)
    until(lambda: run.status().recording == "")
    run.stop()
    for name in ("night.flac", "night.2.flac"):
        assert soundfile.info(tmp_path / name).frames > 0.2 * 44_100


def test_stop_ends_the_wait_for_a_card(session, tmp_path):
    run = session(reconnect=True)
    run.start()
    (tmp_path / "away").touch()
    (tmp_path / "vanished").touch()
    until(lambda: run.status().state == "waiting")
    started = time.monotonic()
    run.stop()
    assert time.monotonic() - started < 1.0
    assert run.status().state == "stopped"


def test_a_close_that_hangs_does_not_hang_the_stop(session, tmp_path):
    (tmp_path / "hangs").touch()
    run = session()
    run.start()
    started = time.monotonic()
    run.stop()
    assert time.monotonic() - started < 1.0
    assert run.wait(0)


def test_a_plugin_that_fails_ends_the_run_with_its_error(session, capfd):
    run = session()
    run.start()
    run.set("fragile", "level", -40.0)
    assert run.wait(10)
    assert "ZeroDivisionError: too fragile" in str(run.error)


def test_a_process_that_dies_is_told(session):
    run = session()
    run.start()
    run.set("fragile", "level", -41.0)
    assert run.wait(10)
    assert "exit code 41" in str(run.error)


def test_the_engine_process_ends_when_its_parent_is_killed(tmp_path):
    program = _start_program(tmp_path)
    child = int(program.stdout.readline())
    program.kill()
    program.communicate()
    until(lambda: not _alive(child))


@pytest.mark.skipif(sys.platform == "win32", reason="process groups work otherwise there")
@pytest.mark.parametrize("fate", ["", "hangs"])
def test_ctrl_c_ends_the_program_within_a_second(tmp_path, fate):
    if fate:
        (tmp_path / fate).touch()
    program = _start_program(tmp_path)
    child = int(program.stdout.readline())
    os.killpg(program.pid, signal.SIGINT)
    out, errors = program.communicate(timeout=10)
    assert float(out) < 1.0
    assert program.returncode == 130
    assert errors == ""
    assert not _alive(child)


@pytest.mark.skipif(sys.platform == "win32", reason="process groups work otherwise there")
def test_ctrl_c_while_starting_ends_the_program(tmp_path):
    program = _start_program(tmp_path, tell="starting")
    assert program.stdout.readline() == "starting\n"
    time.sleep(0.3)
    os.killpg(program.pid, signal.SIGINT)
    _, errors = program.communicate(timeout=10)
    assert program.returncode == 130
    assert errors == ""


PROGRAM = """
import multiprocessing, signal, sys, time
from pathlib import Path
from rtkaraoke.live.process import LiveSession
from rtkaraoke.live.settings import LiveSettings
from tests.support.ticking import TickingBackend, fragile

began = []

def interrupt(number, frame):
    began.append(time.monotonic())
    raise KeyboardInterrupt

def main():
    signal.signal(signal.SIGINT, interrupt)
    backend = TickingBackend(Path(sys.argv[1]))
    session = LiveSession(LiveSettings(prefill=8192, realtime=False), fragile, backend=backend)
    try:
        with session:
            if sys.argv[2] == "starting":
                print("starting", flush=True)
            session.start()
            print(multiprocessing.active_children()[0].pid, flush=True)
            session.wait()
    except KeyboardInterrupt:
        print(time.monotonic() - began[0])
        sys.exit(130)

if __name__ == "__main__":
    main()
"""


def _start_program(folder, tell="pid"):
    script = folder / "program.py"
    script.write_text(textwrap.dedent(PROGRAM))
    return subprocess.Popen(
        [sys.executable, script, folder, tell],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**interrupted.environment(), "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "zombie" not in Path(f"/proc/{pid}/status").read_text()
