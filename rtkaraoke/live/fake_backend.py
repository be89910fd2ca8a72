"""A sound card made of arrays: time passes when a test says so.

It does what rtmixer's callback does, down to the action that an underrun removes, so the code that runs on real
cards is what a test sees. Stalls are scripted by ticking without letting the host work, a lost card by
:meth:`FakeDevice.vanish`, a dead server by :meth:`FakeDevice.kill`.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.errors import DeviceError
from rtkaraoke.live.backend import AudioStream, Interleaved, StreamCounters
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.live.stream import DeviceStream


class _FakePort:
    def __init__(self, n_channels: int, size: int) -> None:
        self.n_channels = n_channels
        self.clock = 0
        self.done = 0
        self.running = True
        self._size = size
        self._ring = np.zeros((0, n_channels), np.float32)

    def flush(self) -> None:
        assert not self.running
        self._ring = self._ring[:0]

    def restart(self) -> None:
        assert not self.running
        self.running = True
        self.done = 0


class _FakeCapture(_FakePort):
    @property
    def available(self) -> int:
        return len(self._ring)

    def readinto(self, out: Interleaved) -> int:
        n_samples = min(len(out), len(self._ring))
        out[:n_samples] = self._ring[:n_samples]
        self._ring = self._ring[n_samples:]
        return n_samples

    def callback(self, block: Interleaved) -> None:
        if self.running:
            n_samples = min(len(block), self._size - len(self._ring))
            self._ring = np.concatenate([self._ring, block[:n_samples]])
            self.done += n_samples
            self.running = n_samples == len(block)
        self.clock += len(block)


class _FakePlayback(_FakePort):
    def write(self, block: Interleaved) -> int:
        n_samples = min(len(block), self._size - len(self._ring))
        self._ring = np.concatenate([self._ring, block[:n_samples]])
        return n_samples

    def callback(self, n_samples: int) -> Interleaved:
        played = np.zeros((n_samples, self.n_channels), np.float32)
        if self.running:
            n_queued = min(n_samples, len(self._ring))
            played[:n_queued] = self._ring[:n_queued]
            self._ring = self._ring[n_queued:]
            self.done += n_queued
            self.running = n_queued == n_samples
        self.clock += n_samples
        return played


class FakeDevice:
    """A card whose callbacks are calls of :meth:`tick`.

    Parameters
    ----------
    signal : array ``(sample, channel)`` or None
        What is to be captured, from device time 0, then silence; None for a card that only plays.
    n_outputs : int
        Channels played.
    sample_rate, period : int
        In Hz; samples per callback.
    ring : int
        Samples that each ring holds.
    """

    def __init__(
        self,
        signal: NDArray[np.float32] | None,
        n_outputs: int,
        *,
        sample_rate: int = 44_100,
        period: int = 128,
        ring: int = 1 << 16,
    ) -> None:
        self.sample_rate = sample_rate
        self.input_name = "" if signal is None else "fake input"
        self.output_name = "fake output"
        self.capture = None if signal is None else _FakeCapture(signal.shape[1], ring)
        self.playback = _FakePlayback(n_outputs, ring)
        self.latency_in = 0
        self.latency_out = period
        self.active = False
        self.period = period
        self.closed = False
        self.xruns = 0
        self._signal = signal
        self._time = 0
        self._routed = True
        self._played: list[Interleaved] = []

    @property
    def played(self) -> Interleaved:
        """Everything that has left the card, ``(sample, channel)``, from device time 0."""
        return np.concatenate([np.zeros((0, self.playback.n_channels), np.float32), *self._played])

    def tick(self, n_callbacks: int = 1, n_samples: int = 0) -> None:
        """Let callbacks come, each of ``n_samples`` (the period when 0)."""
        for _ in range(n_callbacks):
            if self.active and self._routed:
                self._callback(n_samples or self.period)

    def _callback(self, n_samples: int) -> None:
        if self.capture is not None and self._signal is not None:
            block = np.zeros((n_samples, self.capture.n_channels), np.float32)
            part = self._signal[self._time : self._time + n_samples]
            block[: len(part)] = part
            self.capture.callback(block)
        self._played.append(self.playback.callback(n_samples))
        self._time += n_samples

    def kill(self) -> None:
        """The server dies: no more callbacks, and the driver says so."""
        self.active = False

    def vanish(self) -> None:
        """The card is unplugged: no more callbacks, and the driver says nothing."""
        self._routed = False

    def count_xruns(self, counters: StreamCounters) -> None:
        """Report what a test has put into :attr:`xruns` as output underflows."""
        counters.device_output_underflows += self.xruns
        self.xruns = 0

    def start(self) -> None:
        """Become active."""
        self.active = True

    def stop(self) -> None:
        """Become inactive."""
        self.active = False

    def close(self) -> None:
        """Be closed."""
        self.active = False
        self.closed = True


class FakeBackend:
    """Opens :class:`FakeDevice`, made anew by ``make`` for every stream.

    Parameters
    ----------
    make : callable
        Gets the settings, returns the device.
    failures : sequence of str
        The first streams are refused with these messages, one each: a server that comes back later.
    """

    name = "fake"

    def __init__(self, make: Callable[[LiveSettings], FakeDevice], failures: Sequence[str] = ()) -> None:
        self._make = make
        self._failures = list(failures)
        self.devices: list[FakeDevice] = []

    def check(self, settings: LiveSettings) -> int:
        """Refuse as often as there are failures. Raises :class:`DeviceError`."""
        if self._failures:
            raise DeviceError(self._failures.pop(0))
        return settings.sample_rate or 44_100

    def open(self, settings: LiveSettings, prefill: int) -> AudioStream:
        """A stream over a new device, found in :attr:`devices`."""
        device = self._make(settings)
        self.devices.append(device)
        return DeviceStream(device, prefill)
