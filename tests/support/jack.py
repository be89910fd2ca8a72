"""A JACK server without a sound card: the dummy driver with a loopback, for tests of a true PortAudio stream."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import pytest

READY_S = 10.0


@dataclass
class JackServer:
    """A running server. PortAudio knows its loopback as the device ``loopback``, four channels each way."""

    name: str
    period: int
    sample_rate: int
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    killed: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """For a process that is to be its client. PortAudio lists JACK only if the server is up when it starts."""
        return {**os.environ, "JACK_DEFAULT_SERVER": self.name, "JACK_NO_START_SERVER": "1"}

    def kill(self) -> None:
        """End the server under its clients, as a crash would."""
        self.killed = True
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End the server in order. Its clients must have closed: PortAudio hangs otherwise."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()
        self.log.close()
        if self.killed:
            # JACK knows eight servers, and one that was killed keeps its place until it has run once more.
            self.killed = False
            start_server(self.period, self.sample_rate, self.name).stop()


def start_server(period: int = 128, sample_rate: int = 44_100, name: str = "") -> JackServer:
    """Start a server and wait until clients can connect; the test is skipped where there is no jackd."""
    for program in ("jackd", "jack_wait"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}: apt-get install --no-install-recommends jackd2 libportaudio2")
    name = name or f"rtkaraoke-{uuid.uuid4().hex[:12]}"
    command = f"jackd -R -n {name} -p 64 -L 4 -d dummy -r {sample_rate} -p {period}".split()
    log = tempfile.TemporaryFile()  # noqa: SIM115  a pipe that nobody reads would stop the server when it is full
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    server = JackServer(name, period, sample_rate, process, log)
    ready = subprocess.run(
        ["jack_wait", "-s", name, "-w", "-t", str(int(READY_S))],
        env=server.environment,
        capture_output=True,
        check=False,
    )
    if process.poll() is not None:
        log.seek(0)
        said = log.read().decode(errors="replace")
        log.close()
        pytest.skip(f"jackd does not start here: {said[:300]}")
    if ready.returncode:
        time.sleep(1.0)  # a jack_wait that cannot tell: give the server its time
    return server


@contextmanager
def jack_server(period: int = 128, sample_rate: int = 44_100) -> Iterator[JackServer]:
    """A server of its own name for the time of the block."""
    server = start_server(period, sample_rate)
    try:
        yield server
    finally:
        server.stop()
