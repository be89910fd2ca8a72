"""Plugins that misbehave in every way, importable so that they can be made in a child process."""

import ctypes
import os
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from rtkaraoke.plugins.protocol import Parameter, Parameters

TROUBLES = (
    "none",
    "raise",
    "hang",
    "hang in C",
    "nan",
    "loud",
    "killed",
    "exit",
    "babble",
)


class Unruly(Parameters):
    """Halves its input, as late as told, until ``trouble`` is set to the index of one of :data:`TROUBLES`."""

    name = "unruly"
    presets = {"quarter": {"gain": 0.25}}  # noqa: RUF012

    def __init__(self, latency: int = 0, hang_s: float = 1.0, pid_file: str = "") -> None:
        super().__init__(
            [
                Parameter("gain", "", 0.0, 1.0, 0.5, "what the input is multiplied with"),
                Parameter("trouble", "", 0, len(TROUBLES) - 1, 0, "what goes wrong", TROUBLES),
            ]
        )
        self.latency = latency
        self._hang_s = hang_s
        if pid_file:
            with Path(pid_file).open("a", encoding="utf-8") as file:
                file.write(f"{os.getpid()}\n")

    def prepare(self, sample_rate, n_channels, max_block):
        self._delay = np.zeros((n_channels, self.latency + max_block), np.float32)

    def process(self, block, out):
        n_samples = block.shape[1]
        self._delay[:, :-n_samples] = self._delay[:, n_samples:].copy()
        self._delay[:, -n_samples:] = block
        np.multiply(self._delay[:, :n_samples], np.float32(self.get("gain")), out=out)
        self._make_trouble(TROUBLES[int(self.get("trouble"))], out)

    def _make_trouble(self, trouble, out):
        if trouble == "raise":
            raise ZeroDivisionError("the singer is too good")
        if trouble == "hang":
            time.sleep(self._hang_s)
        elif trouble == "hang in C":
            ctypes.PyDLL(None).sleep(int(self._hang_s))  # with the interpreter's lock held
        elif trouble == "nan":
            out[0, 3] = np.nan
        elif trouble == "loud":
            out[:] = 1e30
        elif trouble == "killed":
            os.kill(os.getpid(), 9)
        elif trouble == "exit":
            sys.exit(7)
        elif trouble == "babble":
            os.write(1, 100_000 * b"All work and no play\n")
            os.write(2, 100_000 * b"makes Jack a dull boy\n")
            print(100_000 * "and so on\n")

    def reset(self):
        self._delay.fill(0.0)

    def close(self):
        pass


def refusing():
    raise OSError("no licence")


def vanishing():
    os._exit(3)


def nothing():
    return 42


def engine(restarts: int = 0, pid_file: str = "", hang_s: float = 1.0):
    """An engine of one unruly plugin in a process of its own."""
    from rtkaraoke.engine import Engine
    from rtkaraoke.plugins.hosting.external import External

    return Engine([External(partial(Unruly, 0, hang_s, pid_file), restarts=restarts)])
