"""A device as a stream of constant latency: the shared part of every backend."""

import time
from collections.abc import Mapping

from rtkaraoke.live.backend import AudioStream, Device, Interleaved, StreamCounters
from rtkaraoke.live.timeline import CallbackClock, Capture, Playback


class DeviceStream(AudioStream):
    """One device, both directions on one clock, or output alone.

    Parameters
    ----------
    device : Device
        Opened, not running. It must have playback.
    prefill : int
        Samples queued at the start: output ``k`` is played that long after input ``k``.
    """

    def __init__(self, device: Device, prefill: int) -> None:
        assert device.playback is not None
        self._device = device
        self._prefill = prefill
        self.sample_rate = device.sample_rate
        self.input_name, self.output_name = device.input_name, device.output_name
        self.counters = StreamCounters()
        self._capture = None if device.capture is None else Capture(device.capture, self.counters)
        self._port = device.playback
        self._playback = Playback(self._port, prefill, self.counters, locked=self._capture is not None)
        self.n_inputs = 0 if device.capture is None else device.capture.n_channels
        self.n_outputs = self._port.n_channels
        self._callbacks = CallbackClock(self.sample_rate)

    @property
    def latency_terms(self) -> Mapping[str, int]:
        """Prefill and what the driver declares."""
        terms = {"prefill": self._prefill, "device out": self._device.latency_out}
        if self._capture is not None:
            terms["device in"] = self._device.latency_in
        return terms

    @property
    def drift_ppm(self) -> float | None:
        """None: there is one clock."""
        return None

    @property
    def active(self) -> bool:
        """Whether the driver says that the stream runs."""
        return self._device.active

    @property
    def clock(self) -> int:
        """Device time in samples."""
        return self._port.clock

    @property
    def period(self) -> int:
        """Samples per callback."""
        return self._device.period

    @property
    def readable(self) -> int:
        """Input samples that can be read now; none for a callback or two after an underrun, then all that came."""
        return self._capture.readable if self._capture is not None and self._playback.maintain() else 0

    @property
    def writable(self) -> int:
        """Samples by which the output queue has sunk below the prefill."""
        return self._prefill - self._playback.queued if self._playback.maintain() else 0

    def read(self, out: Interleaved) -> int:
        """Fill ``out`` from the start; returns how many samples there were."""
        return 0 if self._capture is None else self._capture.read(out)

    def write(self, block: Interleaved) -> None:
        """Queue the next output samples."""
        self._playback.write(block)

    def dry_ns(self) -> int:
        """When the output queue fails a callback."""
        self._callbacks.observe(self._port.clock, time.monotonic_ns())
        return self._playback.dry_ns(self._callbacks, self.period)

    def leaving(self, now_ns: int) -> float:
        """The number of the output sample that leaves the card at ``now_ns``."""
        return self._playback.leaving(self._callbacks, self._device.latency_out, now_ns)

    def update_counters(self) -> None:
        """Collect what the driver reported."""
        self._device.count_xruns(self.counters)

    def start(self) -> None:
        """Let the callbacks run."""
        self._device.start()

    def stop(self) -> None:
        """Stop the callbacks."""
        self._device.stop()

    def close(self) -> None:
        """Give the device back."""
        self._device.close()
