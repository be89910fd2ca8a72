"""A stream that carries a probe: what the engine is fed is ours, what the card gives instead is kept."""

import threading
import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.dsp.probe import CalibrationError
from rtkaraoke.engine import Engine
from rtkaraoke.live import priority
from rtkaraoke.live.backend import AudioStream, Interleaved, StreamCounters
from rtkaraoke.live.host import Host
from rtkaraoke.live.settings import LiveSettings

PATIENCE_S = 10.0  #: beyond its length, until a stream that gives nothing is given up


class ProbedStream(AudioStream):
    """A stream whose input is ``signal``; what the card gives in its place is kept in :attr:`recorded`."""

    def __init__(self, inner: AudioStream, signal: NDArray[np.float32]) -> None:
        self.inner = inner
        self.recorded = np.zeros(len(signal), np.float32)
        self.counters: StreamCounters = inner.counters
        self.sample_rate, self.n_inputs, self.n_outputs = inner.sample_rate, inner.n_inputs, inner.n_outputs
        self.input_name, self.output_name = inner.input_name, inner.output_name
        self._signal = signal
        self._at = 0

    @property
    def complete(self) -> bool:
        """Whether all of the signal has had its time."""
        return self._at >= len(self._signal)

    @property
    def drift_ppm(self) -> float | None:
        """The inner stream's."""
        return self.inner.drift_ppm

    @property
    def latency_terms(self) -> Mapping[str, int]:
        """The inner stream's."""
        return self.inner.latency_terms

    @property
    def active(self) -> bool:
        """The inner stream's."""
        return self.inner.active

    @property
    def clock(self) -> int:
        """The inner stream's."""
        return self.inner.clock

    @property
    def period(self) -> int:
        """The inner stream's."""
        return self.inner.period

    @property
    def readable(self) -> int:
        """The inner stream's."""
        return self.inner.readable

    @property
    def writable(self) -> int:
        """The inner stream's."""
        return self.inner.writable

    def read(self, out: Interleaved) -> int:
        """Keep what was recorded, give the signal in its place."""
        n_samples = self.inner.read(out)
        n_kept = max(min(n_samples, len(self._signal) - self._at), 0)
        self.recorded[self._at : self._at + n_kept] = out[:n_kept, 0]
        out[:n_kept] = self._signal[self._at : self._at + n_kept, None]
        out[n_kept:n_samples] = 0.0
        self._at += n_samples
        return n_samples

    def write(self, block: Interleaved) -> None:
        """Queue the next output samples."""
        self.inner.write(block)

    def update_counters(self) -> None:
        """Collect what the driver reported."""
        self.inner.update_counters()

    def dry_ns(self) -> int:
        """The inner stream's."""
        return self.inner.dry_ns()

    def leaving(self, now_ns: int) -> float:
        """The inner stream's."""
        return self.inner.leaving(now_ns)

    def start(self) -> None:
        """Begin."""
        self.inner.start()

    def stop(self) -> None:
        """End."""
        self.inner.stop()

    def close(self) -> None:
        """Give everything back."""
        self.inner.close()


def play(engine: Engine, stream: ProbedStream, settings: LiveSettings) -> None:
    """Run the worker until the signal has had its time, and close the stream.

    Raises
    ------
    CalibrationError
        When samples were lost, or the card gives none.
    """
    try:
        host = Host(engine, stream, settings)
        worker = threading.Thread(target=_work, args=(host, settings.realtime), name="rtkaraoke-probe", daemon=True)
        worker.start()
        try:
            stream.start()
            ends_s = time.monotonic() + len(stream.recorded) / stream.sample_rate + PATIENCE_S
            while not stream.complete and host.error is None and time.monotonic() < ends_s:
                time.sleep(0.02)
        finally:
            host.stop()
            worker.join()
        stream.update_counters()
    finally:
        stream.stop()
        stream.close()
    if host.error is not None:
        raise host.error
    if not stream.complete:
        raise CalibrationError("digital silence", "the sound card gives no samples: is it in use or unplugged?")
    # What the driver alone complains of need not have reached the sound: the probe itself shows whether it did.
    lost = {name: n for name, n in stream.counters.as_dict().items() if n and not name.startswith("device")}
    if lost:
        listed = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in lost.items())
        raise CalibrationError(
            "xruns",
            f"samples were lost on the way ({listed}): take a larger --block and --prefill, or end what keeps the "
            "machine busy",
        )


def _work(host: Host, realtime: bool) -> None:
    if realtime:
        priority.raise_priority(priority.WORKER_PRIORITY)
    host.run()
