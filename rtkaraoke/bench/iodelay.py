"""``jack_iodelay``, Fons Adriaensen's round trip by the phases of tones: an independent judge of ours."""

import os
import re
import shutil
import subprocess
import time

from rtkaraoke.bench.jack import DEVICE, JackServer
from rtkaraoke.errors import LiveError

CLIENT = "jack_delay"
READING = re.compile(r"([\d.]+) frames\s+[\d.]+ ms total roundtrip latency")
WAY_OUT = "on Debian or Ubuntu: apt-get install --no-install-recommends jackd2 (or jack-example-tools)"
TIMEOUT_S = 20.0
CONNECT_S = 2.0


def jack_iodelay(server: JackServer, channel: int = 1, device: str = DEVICE, n_readings: int = 5) -> list[float]:
    """What it says of a server's round trip, in samples, ``n_readings`` times.

    Parameters
    ----------
    server : JackServer
        Running.
    channel : int
        Of ``device``, counted from 1.
    device : str
        The JACK client whose ``playback`` and ``capture`` ports are measured.
    n_readings : int

    Raises
    ------
    LiveError
        Where it is not installed, or says nothing.
    """
    if shutil.which("jack_iodelay") is None:
        raise LiveError(f"no jack_iodelay on this machine: {WAY_OUT}")
    # It keeps its words to itself when it does not write to a terminal.
    ours, theirs = os.openpty()
    process = subprocess.Popen(["jack_iodelay"], env=server.environment, stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    os.set_blocking(ours, False)
    try:
        ends_s = time.monotonic() + TIMEOUT_S
        there = (f"{CLIENT}:out", f"{device}:playback_{channel}")
        back = (f"{device}:capture_{channel}", f"{CLIENT}:in")
        for ports in (there, back):
            while not _connected(server, *ports):
                if time.monotonic() > ends_s or process.poll() is not None:
                    raise LiveError(f"jack_iodelay cannot be connected from {ports[0]} to {ports[1]}")
                time.sleep(0.1)
        said = ""
        while len(READING.findall(said)) <= n_readings:
            if time.monotonic() > ends_s:
                raise LiveError(f"jack_iodelay found no round trip in {TIMEOUT_S:g} s; it said: {said[-200:]!r}")
            time.sleep(0.1)
            said += _read(ours)
    finally:
        process.terminate()
        process.wait()
        os.close(ours)
    return [float(reading) for reading in READING.findall(said)][1 : n_readings + 1]  # the first may be half a truth


def _connected(server: JackServer, source: str, sink: str) -> bool:
    # jack_connect waits for word of its connection, for ever where the server's message is lost: the ports are asked.
    _run(server, "jack_connect", "-s", server.name, source, sink)
    return sink in _run(server, "jack_lsp", "-s", server.name, "-c", source).split()


def _run(server: JackServer, *command: str) -> str:
    try:
        return subprocess.run(
            command, env=server.environment, capture_output=True, text=True, timeout=CONNECT_S, check=False
        ).stdout
    except subprocess.TimeoutExpired:
        return ""


def _read(descriptor: int) -> str:
    try:
        return os.read(descriptor, 65_536).decode(errors="replace")
    except BlockingIOError:
        return ""
