"""A host on a fake card, driven step by step."""

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.engine import Engine
from rtkaraoke.live.fake_backend import FakeDevice
from rtkaraoke.live.host import MAX_BLOCK, Host
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.live.stream import DeviceStream


def noise(n_samples: int, n_channels: int = 2, seed: int = 0) -> NDArray[np.float32]:
    """``(sample, channel)``, no two samples alike."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (n_samples, n_channels)).astype(np.float32)


class FakeLive:
    """Engine, host and card; ``play`` lets time pass with the worker at work, ``stall`` without."""

    def __init__(self, engine: Engine, signal: NDArray[np.float32] | None, *, source=None, period=128, **settings):
        self.settings = LiveSettings(
            **{"fade_in_ms": 0.0, "prefill": 512, **({} if signal is not None else {"channels_in": ()}), **settings}
        )
        self.device = FakeDevice(signal, len(self.settings.outputs), period=period)
        engine.prepare(44_100, self.settings.n_channels, MAX_BLOCK)
        self.stream = DeviceStream(self.device, self.settings.prefill)
        self.host = Host(engine, self.stream, self.settings, source)
        self.stream.start()

    def work(self) -> None:
        """As often as there is something to do."""
        while self.host.poll():
            pass

    def play(self, n_callbacks: int) -> None:
        for _ in range(n_callbacks):
            self.work()
            self.device.tick()
        self.work()

    def stall(self, n_callbacks: int) -> None:
        self.device.tick(n_callbacks)


def offline(engine: Engine, signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """What ``engine`` makes of ``signal`` ``(sample, channel)``, its latency included."""
    engine.prepare(44_100, signal.shape[1], max(len(signal), 1))
    out = np.zeros((signal.shape[1], len(signal)), np.float32)
    engine.process(np.ascontiguousarray(signal.T), out)
    return np.ascontiguousarray(out.T)


def delayed(signal: NDArray[np.float32], n_samples: int, length: int) -> NDArray[np.float32]:
    """``signal`` after ``n_samples`` of silence, cut to ``length``."""
    out = np.zeros((length, signal.shape[1]), np.float32)
    kept = signal[: max(length - n_samples, 0)]
    out[n_samples : n_samples + len(kept)] = kept
    return out
