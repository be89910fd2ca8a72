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

from rtkaraoke.errors import LiveError

DEVICE = "loopback"  #: its name in PortAudio's list
READY_S = 10.0
SETTLE_S = 1.0
WAY_OUT = "on Debian or Ubuntu: apt-get install --no-install-recommends jackd2 libportaudio2"


@contextmanager
def dummy_server(period: int, sample_rate: int) -> Iterator[str]:
    """Run a server and make it the default of this process and its children. Yields its name.

    PortAudio must not have been initialised before, and must have closed its streams after: it lists JACK only when
    the server is up, and hangs when it has gone.

    Raises
    ------
    LiveError
        When there is no ``jackd``, or it does not start.
    """
    if shutil.which("jackd") is None:
        raise LiveError(f"no jackd on this machine: {WAY_OUT}")
    name = f"rtkaraoke-{uuid.uuid4().hex[:8]}"
    # -p 64: few ports, so that shared memory stays at 40 MB
    command = f"jackd -R -n {name} -p 64 -L 4 -d dummy -r {sample_rate} -p {period}".split()
    settings = {"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}
    before = {key: os.environ.get(key) for key in settings}
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        os.environ.update(settings)
        try:
            if not _ready(server, name):
                log.seek(0)
                raise LiveError(f"jackd does not start: {log.read()[-300:]}")
            yield name
        finally:
            for key, value in before.items():
                if value is None:
                    del os.environ[key]
                else:
                    os.environ[key] = value
            server.terminate()
            try:
                server.wait(5.0)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _ready(server: "subprocess.Popen[bytes]", name: str) -> bool:
    """Wait until clients can connect."""
    if shutil.which("jack_wait"):
        wait = ["jack_wait", "-s", name, "-w", "-t", f"{READY_S:.0f}"]
        subprocess.run(wait, check=False, capture_output=True)
    else:
        time.sleep(SETTLE_S)  # a package of its own on newer systems
    return server.poll() is None
