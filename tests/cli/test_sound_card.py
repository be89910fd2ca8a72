"""``live`` and ``play`` as a user starts them, on a true PortAudio stream: JACK's dummy driver with its loopback."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.jack import JackServer, jack_server

pytestmark = [pytest.mark.jack, pytest.mark.skipif(sys.platform != "linux", reason="JACK's dummy driver")]

CENTRE = ("--model", "centre")
ROOT = Path(__file__).parents[2]
STOP_S = 2.0  # a busy machine's second
PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23


@pytest.fixture(scope="module")
def server() -> Iterator[JackServer]:
    with jack_server() as running:
        yield running


def start(server: JackServer, *argv: object, **more: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rtkaraoke", *map(str, argv)],
        env=server.environment | {"PYTHONPATH": str(ROOT), "HOME": os.environ["HOME"]},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more,
    )  # fmt: skip


def first_status(running: subprocess.Popen[str]) -> dict:
    """The first line of JSON that is a status."""
    assert running.stdout is not None
    for line in running.stdout:
        entry = json.loads(line)
        if entry["kind"] == "status":
            return entry
    raise AssertionError(running.communicate()[1])


def test_live_runs_until_ctrl_c_with_the_latency_that_it_names(server: JackServer) -> None:
    running = start(
        server, "live", *CENTRE, "--output", "loopback", "--input", "loopback", "--latency-budget", 80, "--json"
    )
    status = first_status(running)
    assert status["state"] == "running"
    assert status["sample_rate"] == 44_100
    assert status["latency_terms"]["vocal_remover"] == 512
    assert status["latency_budget_ms"] == 80.0
    asked_at = time.monotonic()
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=20)
    assert time.monotonic() - asked_at < STOP_S
    assert (running.returncode, err) == (130, "")


def test_a_budget_that_cannot_be_kept_is_refused_naming_every_term(server: JackServer) -> None:
    running = start(server, "live", *CENTRE, "--latency-budget", 10)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out) == (2, "")
    for term in ("budget of 10 ms", "vocal_remover 512", "limiter 0", "prefill", "device out 128", "device in"):
        assert term in err


def test_a_song_is_played_to_its_end(server: JackServer, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", 0.1 * np.ones((22_050, 2)), 22_050)
    running = start(server, "play", tmp_path / "song.wav", *CENTRE, "--output", "loopback")
    out, err = running.communicate(timeout=30)
    assert running.returncode == 0, err
    assert "0:00 / 0:01" in out
    assert "stopped" in out


def test_without_permission_for_real_time_it_runs_and_says_so(server: JackServer) -> None:
    import resource

    def be_nobody() -> None:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_NICE)
        resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))

    running = start(server, "live", *CENTRE, "--json", preexec_fn=be_nobody)
    status = first_status(running)
    running.send_signal(signal.SIGTERM)
    _, err = running.communicate(timeout=20)
    assert (running.returncode, err) == (143, "")
    assert not status["realtime"]
    assert status["latency_terms"]["prefill"] == 2048


def test_the_server_s_end_is_told(tmp_path: Path) -> None:
    with jack_server() as mortal:
        running = start(mortal, "live", *CENTRE, "--json")
        first_status(running)
        mortal.kill()
        _, err = running.communicate(timeout=20)
    assert running.returncode == 2
    assert "JACK or PipeWire server" in err
    assert "--reconnect" in err
