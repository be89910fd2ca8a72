"""The truth: PortAudio streams on a JACK server without a sound card."""

import signal
import sys
import time

import numpy as np
import pytest

from rtkaraoke.live.process import LiveSession
from rtkaraoke.live.settings import LiveSettings
from tests.support import engines
from tests.support.jack import ATTEMPTS, jack_server, run, run_in_time, start_server

pytestmark = [pytest.mark.jack, pytest.mark.skipif(sys.platform != "linux", reason="the dummy server is for Linux")]


@pytest.fixture(scope="module")
def calm_server():
    """A long period, so that a busy machine keeps up."""
    with jack_server(period=1024) as server:
        yield server


@pytest.fixture(scope="module")
def quick_server():
    with jack_server(period=128) as server:
        yield server


def test_live_equals_render_shifted_by_exactly_the_declared_latency(calm_server):
    found = run_in_time(calm_server, "exact", "centre", 4096)
    assert found["input_equal"]
    assert found["wrong"] == 0
    assert found["compared"] > 60_000
    assert found["quiet"] > 0.1
    assert found["terms"] == {"vocal_remover": 512, "limiter": 0, "prefill": 4096, "device out": 1024, "device in": 0}
    assert not any(found["xruns"].values())
    assert found["stop_s"] < 1.0


def test_with_late_hops_live_equals_render_replaying_the_decisions(calm_server):
    found = run_in_time(calm_server, "exact", "slow", 4096)
    assert found["late"] > 0
    assert found["input_equal"]
    assert found["wrong"] == 0
    assert found["xruns"]["silent_output"] == 0


@pytest.mark.parametrize(("prefill", "latency", "latency_ms"), [(256, 896, 20.3), (512, 1152, 26.1)])
def test_an_impulse_shows_the_declared_latency(quick_server, prefill, latency, latency_ms):
    for _ in range(ATTEMPTS):
        found = run(quick_server, "impulse", prefill)
        assert found["declared"] == latency
        assert round(found["latency_ms"], 1) == latency_ms
        if not found["realtime"]:
            pytest.skip("no permission for real-time priority: the prefill was raised")
        if found["measured"] == [latency] * 3:
            return
    pytest.fail(f"declared {latency}, measured {found['measured']}")


def test_an_impulse_into_the_microphone_waits_for_prefill_and_card_and_not_for_the_network(quick_server):
    """At period 128 and prefill 256: 384 samples, 8.7 ms."""
    for _ in range(ATTEMPTS):
        found = run(quick_server, "microphone", 256)
        if not found["realtime"]:
            pytest.skip("no permission for real-time priority: the prefill was raised")
        if found["measured"] == [384] * 3 and found["music"] > 0.05:
            break
    else:
        pytest.fail(f"384 samples are declared, measured {found['measured']}; music's peak {found['music']}")
    assert found["music_latency"] == 896
    assert found["mic_latency"] == 384
    assert found["hops"] > 0
    assert found["heard_s"] > 0.5
    assert found["layout"][:4] == ["vocal_remover", "music", "mic1.gain", "mic1"]
    assert found["levels"].keys() == {"input_peak_db", "input_rms_db", "peak_db", "rms_db"}


def test_a_stall_is_counted_to_the_sample_and_leaves_the_latency(calm_server):
    found = run_in_time(calm_server, "stall", 4096)
    assert found["wrong"] == found["silent_heard"] == found["xruns"]["silent_output"] > 4096
    assert found["wrong_at_the_end"] == 0
    assert found["xruns"]["underruns"] == 1


def test_two_streams_with_a_drift_corrector_keep_the_declared_latency(calm_server):
    for _ in range(ATTEMPTS):
        found = run(calm_server, "two_clocks", 4096)
        if not any(found["xruns"].values()):
            break
    else:
        pytest.skip(f"JACK's dummy driver lost time {ATTEMPTS} times: this machine is too busy")
    assert found["terms"]["drift resampler"] > 0
    # Both clocks are read by a worker of normal priority here; test_two_clocks.py shows what the loop can do.
    assert abs(found["measured"] - found["declared"]) <= 20
    assert found["drift_ppm"] is not None


def test_a_song_is_played_without_an_input(calm_server, tmp_path):
    import soundfile

    path = tmp_path / "song.wav"
    soundfile.write(path, np.full((30_000, 2), 0.25, np.float32), 44_100, subtype="FLOAT")
    found = run(calm_server, "song", path)
    assert found["heard"] > 20_000
    assert found["peak"] == 0.25


def test_messages_name_the_devices_and_the_way_out(calm_server):
    found = run(calm_server, "messages")
    assert "'kazoo'" in found["unknown"]
    assert "'loopback'" in found["unknown"]
    assert "99" in found["index"]
    assert "12345 Hz" in found["rate"]
    assert "44100 Hz" in found["rate"]
    assert "4 channels, 9 are wanted" in found["channels"]
    assert found["fine"] == 44_100


SETTINGS = LiveSettings(input="loopback", output="loopback", channels_out=(3, 4), prefill=4096, realtime=False)


def _wait_for(session, kind, timeout_s):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        for event in session.events():
            if event.kind == kind:
                return event
        time.sleep(0.01)
    return None


@pytest.fixture
def server(monkeypatch):
    """A server that a test may kill; this process is no client of it, its engine processes are."""
    server = start_server(period=256)
    for name in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER"):
        monkeypatch.setenv(name, server.environment[name])
    yield server
    server.stop()


def test_a_killed_server_is_told_within_two_seconds_and_nothing_hangs(server):
    with LiveSession(SETTINGS, engines.passthrough) as session:
        session.start()
        server.kill()
        event = _wait_for(session, "lost", 2.0)
        assert event is not None
        assert "server" in event.text
        assert session.wait(2.0)
        assert session.status().state == "failed"


def test_a_frozen_server_is_told_within_two_seconds(server):
    with LiveSession(SETTINGS, engines.passthrough) as session:
        session.start()
        server.process.send_signal(signal.SIGSTOP)
        event = _wait_for(session, "lost", 2.0)
        server.process.send_signal(signal.SIGCONT)
        assert event is not None


def test_reconnect_resumes_when_the_server_is_back(server):
    with LiveSession(SETTINGS, engines.passthrough, reconnect=True) as session:
        session.start()
        server.kill()
        assert _wait_for(session, "lost", 2.0) is not None
        again = start_server(period=256, name=server.name)
        server.killed = False
        try:
            assert _wait_for(session, "resumed", 20.0) is not None
            assert session.status().state == "running"
            session.stop()
            assert session.error is None
        finally:
            session.stop()
            again.stop()
