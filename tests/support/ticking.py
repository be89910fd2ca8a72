"""A fake sound card for the engine process: its callbacks come by themselves, its fate is a file.

A test steers it through the files of a folder, the one thing that it shares with the process.
"""

import threading
import time
from pathlib import Path

import numpy as np

from rtkaraoke.buses import Mic
from rtkaraoke.engine import Engine
from rtkaraoke.errors import DeviceError
from rtkaraoke.live.backend import AudioStream
from rtkaraoke.live.fake_backend import FakeDevice
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.live.stream import DeviceStream
from rtkaraoke.masks.centre import CentreNetwork
from rtkaraoke.plugins.duck import Duck
from rtkaraoke.plugins.gain import Gain
from rtkaraoke.plugins.limiter import Limiter
from rtkaraoke.plugins.vocal_remover import VocalRemover

RATE = 44_100


class _TickingDevice(FakeDevice):
    def __init__(self, folder: Path, settings: LiveSettings) -> None:
        signal = np.full((60 * RATE, len(settings.inputs)), 0.25, np.float32) if settings.inputs else None
        super().__init__(signal, len(settings.outputs), sample_rate=RATE, period=441)
        self._folder = folder

    def start(self) -> None:
        super().start()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        next_s = time.monotonic()
        while self.active:
            if (self._folder / "killed").exists():
                self.kill()
            elif not (self._folder / "vanished").exists():
                self.tick()
                self._played.clear()
            next_s += self.period / RATE
            time.sleep(max(0.0, next_s - time.monotonic()))

    def close(self) -> None:
        if (self._folder / "hangs").exists():
            time.sleep(60)
        super().close()


class TickingBackend:
    """Files in ``folder``: ``away`` (no such device), ``killed``, ``vanished`` (no callbacks), ``hangs`` (on close)."""

    name = "ticking"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def check(self, settings: LiveSettings) -> int:
        if (self._folder / "away").exists():
            raise DeviceError("no input device is called 'ticking'")
        return RATE

    def open(self, settings: LiveSettings, prefill: int) -> AudioStream:
        return DeviceStream(_TickingDevice(self._folder, settings), prefill)


class Fragile(Gain):
    """A plugin that fails at -40 dB, ends the process at -41 dB, and has something to say."""

    name = "fragile"

    class network:  # noqa: N801
        notes = ("the network has something to say",)
        provider = "paper"

    def set(self, name: str, value: float) -> None:
        super().set(name, value)
        if value == -41.0:
            import os

            os._exit(41)

    def process(self, block, out) -> None:
        if self.get("level") == -40.0:
            raise ZeroDivisionError("too fragile")
        super().process(block, out)


def fragile() -> Engine:
    return Engine([Fragile()])


def singing() -> Engine:
    """A microphone beside the music, and a duck."""
    remover = VocalRemover(CentreNetwork())
    return Engine([remover], [Limiter()], mics=[Mic("mic1", [Gain()])], duck=Duck())


def unwilling() -> Engine:
    raise ValueError("no engine today")


class Silence:
    """A source that notes what it was told."""

    def __init__(self) -> None:
        self._told = {}

    def prepare(self, sample_rate: int, n_channels: int) -> None:
        self._told["sample_rate"] = float(sample_rate)

    def read(self, out) -> int:
        out[:] = 0
        return out.shape[1]

    def command(self, name: str, value: float, text: str = "") -> None:
        if name != "seek":
            raise DeviceError(f"cannot {name} {text}".strip())
        self._told[name] = value

    def heard_s(self, sample: int) -> float:
        return sample / RATE

    @property
    def status(self) -> dict[str, float]:
        return dict(self._told)

    def close(self) -> None:
        pass
