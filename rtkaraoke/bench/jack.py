"""A JACK server without a sound card, so that a true PortAudio stream can be measured anywhere.

Its dummy driver keeps the time of a sound card. The loopback (``-L 4``) is a device of four channels, each of which
brings back what is sent to it, bit for bit, one period later.
"""

import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from rtkaraoke.errors import LiveError

DEVICE = "loopback"  #: its name in PortAudio's list
READY_S = 10.0
SETTLE_S = 1.0
STOP_S = 5.0
WAY_OUT = "on Debian or Ubuntu: apt-get install --no-install-recommends jackd2 libportaudio2"


@dataclass
class JackServer:
    """A running server; see :func:`start_server`."""

    name: str
    period: int
    sample_rate: int
    process: "subprocess.Popen[bytes]"
    log: IO[bytes]
    killed: bool = False

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables that make it a program's default server."""
        return {"JACK_DEFAULT_SERVER": self.name, "JACK_NO_START_SERVER": "1"}

    @property
    def environment(self) -> dict[str, str]:
        """For a process that is to be its client. PortAudio lists JACK only if the server is up when it starts."""
        return {**os.environ, **self.settings}

    def kill(self) -> None:
        """End the server under its clients, as a crash would."""
        self.killed = True
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End the server in order. Its clients must have closed: PortAudio hangs otherwise."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
        self.log.close()
        if self.killed:
            # JACK knows eight servers, and one that was killed keeps its place until it has run once more.
            self.killed = False
            start_server(self.period, self.sample_rate, self.name).stop()


def start_server(period: int = 128, sample_rate: int = 44_100, name: str = "") -> JackServer:
    """Start a server, with a name of its own when none is given, and wait until clients can connect.

    Raises
    ------
    LiveError
        When there is no ``jackd``, or it does not start.
    """
    if shutil.which("jackd") is None:
        raise LiveError(f"no jackd on this machine: {WAY_OUT}")
    name = name or f"rtkaraoke-{uuid.uuid4().hex[:12]}"
    # -p 64: few ports, so that shared memory stays at 40 MB
    command = f"jackd -R -n {name} -p 64 -L 4 -d dummy -r {sample_rate} -p {period}".split()
    log = tempfile.TemporaryFile()  # noqa: SIM115  a pipe that nobody reads would stop the server when it is full
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    server = JackServer(name, period, sample_rate, process, log)
    if not _wait(server):
        time.sleep(SETTLE_S)
    if process.poll() is not None:
        log.seek(0)
        said = log.read().decode(errors="replace")
        log.close()
        raise LiveError(f"jackd does not start: {said[:300]}")
    return server


@contextmanager
def dummy_server(period: int, sample_rate: int) -> Iterator[JackServer]:
    """Run a server and make it the default of this process and its children.

    PortAudio must not have been initialised before in any process that is to see it.

    Raises
    ------
    LiveError
        When there is no ``jackd``, or it does not start.
    """
    server = start_server(period, sample_rate)
    before = {key: os.environ.get(key) for key in server.settings}
    os.environ.update(server.settings)
    try:
        yield server
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
        server.stop()


def _wait(server: JackServer) -> bool:
    """Wait until clients can connect; False where ``jack_wait``, a package of its own on newer systems, cannot tell."""
    if shutil.which("jack_wait") is None:
        return False
    wait = ["jack_wait", "-s", server.name, "-w", "-t", f"{READY_S:.0f}"]
    return subprocess.run(wait, env=server.environment, check=False, capture_output=True).returncode == 0
