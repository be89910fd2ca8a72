"""What a machine may be busy with beside the music, made on purpose."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rtkaraoke.errors import RtkaraokeError

_MEMORY = "import numpy as np\na, b = np.ones((2, 1 << 24), np.float32)\nwhile True: a[:] = b; b += a"
_DISK = (
    "import os, sys\nblock = os.urandom(1 << 20)\nwith open(sys.argv[1], 'wb') as file:\n    while True:\n"
    "        file.seek(0)\n        for _ in range(64): file.write(block)\n        file.flush(); os.fsync(file.fileno())"
)
PROGRAMS = {"cpu": "while True: pass", "memory": _MEMORY, "disk": _DISK}
IDLE = "idle"
LOADS = (IDLE, *PROGRAMS)


@contextmanager
def busy(n_processes: int, kind: str = "cpu") -> Iterator[None]:
    """Let so many processes run beside the block: busy with computing, with 128 MB of memory, or with a disk.

    Raises
    ------
    RtkaraokeError
        For an unknown kind.
    """
    if kind == IDLE:
        n_processes = 0
    elif kind not in PROGRAMS:
        raise RtkaraokeError(f"load {kind!r}: there are {', '.join(LOADS)}")
    with tempfile.TemporaryDirectory() as folder:
        hogs = [
            subprocess.Popen([sys.executable, "-c", PROGRAMS[kind], str(Path(folder) / f"{number}")])
            for number in range(n_processes)
        ]
        try:
            yield
        finally:
            for hog in hogs:
                hog.kill()
                hog.wait()


def _compute() -> None:
    sum(range(1000))


@contextmanager
def busy_thread(wanted: bool, work: Callable[[], object] = _compute, name: str = "busy") -> Iterator[None]:
    """Let a thread of this process do ``work`` over and over beside the block, where ``wanted``: compute in Python."""
    ending = threading.Event()

    def run() -> None:
        while not ending.is_set():
            work()

    thread = threading.Thread(target=run, name=name, daemon=True)
    if wanted:
        thread.start()
    try:
        yield
    finally:
        ending.set()
        if wanted:
            thread.join()
