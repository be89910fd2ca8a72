"""A JACK server for tests of a true PortAudio stream; where there can be none, the test is skipped."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rtkaraoke.bench import jack
from rtkaraoke.bench.jack import JackServer
from rtkaraoke.errors import LiveError

__all__ = ["ATTEMPTS", "JackServer", "jack_server", "run", "run_in_time", "start_server"]

ROOT = Path(__file__).resolve().parents[2]
ATTEMPTS = 3


def start_server(period: int = 128, sample_rate: int = 44_100, name: str = "") -> JackServer:
    """See :func:`rtkaraoke.bench.jack.start_server`."""
    try:
        return jack.start_server(period, sample_rate, name)
    except LiveError as error:
        pytest.skip(str(error))


@contextmanager
def jack_server(period: int = 128, sample_rate: int = 44_100) -> Iterator[JackServer]:
    """A server of its own name for the time of the block."""
    server = start_server(period, sample_rate)
    try:
        yield server
    finally:
        server.stop()


def run(server: JackServer, *arguments: object, timeout_s: float = 60, **variables: str) -> Any:
    """What a program of ``tests/live/jack_programs.py`` found; ``variables`` go into its environment."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.live.jack_programs", *map(str, arguments)],
        env=server.environment | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def run_in_time(
    server: JackServer, *arguments: object, without_xruns: bool = False, timeout_s: float = 60, **variables: str
) -> Any:
    """The same, again where the server itself lost time, as it does on a busy machine."""
    for _ in range(ATTEMPTS):
        found = run(server, *arguments, timeout_s=timeout_s, **variables)
        if found["kept_time"] and not (without_xruns and any(found["xruns"].values())):
            return found
    pytest.skip(f"sound was lost {ATTEMPTS} times: this machine is too busy for an exact comparison")
