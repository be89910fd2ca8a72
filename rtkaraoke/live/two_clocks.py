"""Input on one card, output on another: the input is brought to the output's clock, the latency stays what it was.

Both clocks are read at once, each as its last callback and the time since. With ``a`` and ``b`` the two device times
at one moment, the sample that is being played now is number ``k = b - prefill`` of the engine, and was number
``x(k)`` of the input: the latency is ``a - x(k)``, and a :class:`~rtkaraoke.dsp.drift.DriftController` holds it.

The first half second is silence, in which both cards get going; then the input is joined at the place that makes
the latency right at once.
"""

import time
from collections.abc import Callable, Mapping

import numpy as np

from rtkaraoke.dsp.drift import DriftController, DriftResampler
from rtkaraoke.live.backend import AudioStream, Device, Interleaved, StreamCounters
from rtkaraoke.live.timeline import CallbackClock, Capture, Playback

JOIN_S = 0.5
CHUNK = 1024


class TwoClockStream(AudioStream):
    """See :class:`~rtkaraoke.live.backend.AudioStream`; input sample ``k`` lies on the output's clock.

    Parameters
    ----------
    source, sink : Device
        Opened at the same nominal rate, not running: one captures, one plays.
    prefill : int
        As with one clock.
    slack : int
        Added to the latency, because the cards' callbacks do not come together: a period of the source.
    now_ns : callable
        The time; a test brings its own.
    """

    def __init__(
        self,
        source: Device,
        sink: Device,
        prefill: int,
        slack: int,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        assert source.capture is not None
        assert sink.playback is not None
        self._source, self._sink = source, sink
        self._in_port, self._out_port = source.capture, sink.playback
        self._prefill, self._slack = prefill, slack
        self._now_ns = now_ns
        self.sample_rate = sink.sample_rate
        self.input_name, self.output_name = source.input_name, sink.output_name
        self.n_inputs = self._in_port.n_channels
        self.n_outputs = self._out_port.n_channels
        self.counters = StreamCounters()
        self._capture = Capture(self._in_port, self.counters)
        self._playback = Playback(self._out_port, prefill, self.counters)
        self._in_clock, self._out_clock = CallbackClock(self.sample_rate), CallbackClock(self.sample_rate)
        self._resampler = DriftResampler(self.n_inputs)
        self._controller = DriftController(self.sample_rate)
        self._block = np.zeros((CHUNK, self.n_inputs), np.float32)
        self._ready = np.zeros((4 * self.sample_rate, self.n_inputs), np.float32)  # resampled, not yet read
        self._n_ready = 0
        self._n_out = 0  # samples handed out, silence and resampled
        self._taken = 0  # input samples used up, so the next is this number
        self._joined = False
        self._origin = 0.0  # input sample 0 of the resampler, as a number of the source

    @property
    def latency_terms(self) -> Mapping[str, int]:
        """Prefill, both drivers, the resampler and the slack."""
        return {
            "prefill": self._prefill,
            "drift resampler": self._resampler.latency,
            "clock phase": self._slack,
            "device out": self._sink.latency_out,
            "device in": self._source.latency_in,
        }

    @property
    def drift_ppm(self) -> float | None:
        """How much faster the input's clock runs than the output's."""
        return self._controller.drift_ppm if self._joined else None

    @property
    def active(self) -> bool:
        """Whether both drivers say that they run."""
        return self._source.active and self._sink.active

    @property
    def clock(self) -> int:
        """The lesser of both counts: it stands still when one of the cards does."""
        return min(self._in_port.clock, self._out_port.clock)

    @property
    def period(self) -> int:
        """Samples per callback of the output."""
        return self._sink.period

    @property
    def readable(self) -> int:
        """Input samples that can be read now, brought to the output's clock."""
        if not self._playback.maintain() or not self.clock:
            return 0
        now_ns = self._now_ns()
        captured = self._in_clock.position(self._in_port.clock, now_ns)
        played = self._out_clock.position(self._out_port.clock, now_ns)
        if self._joined:
            self._convert(captured, played)
            return self._n_ready
        if played >= JOIN_S * self.sample_rate and captured > self._latency:
            self._join(captured, played)
            return 0
        return max(0, self._out_port.clock - self._n_out)

    @property
    def writable(self) -> int:
        """Always 0: this stream has an input to be paced by."""
        return 0

    def read(self, out: Interleaved) -> int:
        """Fill ``out`` from the start; returns how many samples there were."""
        if not self._joined:
            n_samples = min(len(out), max(0, self._out_port.clock - self._n_out))
            out[:n_samples] = 0
        else:
            n_samples = min(len(out), self._n_ready)
            out[:n_samples] = self._ready[:n_samples]
            self._n_ready -= n_samples
            self._ready[: self._n_ready] = self._ready[n_samples : n_samples + self._n_ready]
        self._n_out += n_samples
        return n_samples

    def write(self, block: Interleaved) -> None:
        """Queue the next output samples."""
        self._playback.write(block)

    def dry_ns(self) -> int:
        """When the output queue fails a callback."""
        self._out_clock.observe(self._out_port.clock, self._now_ns())
        return self._playback.dry_ns(self._out_clock, self.period)

    def leaving(self, now_ns: int) -> float:
        """The number of the output sample that leaves the card at ``now_ns``."""
        return self._playback.leaving(self._out_clock, self._sink.latency_out, now_ns)

    def update_counters(self) -> None:
        """Collect what both drivers reported."""
        self._source.count_xruns(self.counters)
        self._sink.count_xruns(self.counters)

    def start(self) -> None:
        """Start the source, then the sink."""
        self._source.start()
        self._sink.start()

    def stop(self) -> None:
        """Stop both."""
        self._sink.stop()
        self._source.stop()

    def close(self) -> None:
        """Give both back."""
        self._sink.close()
        self._source.close()

    @property
    def _latency(self) -> int:
        """From the input's callback to the output's, in samples."""
        return self._prefill + self._resampler.latency + self._slack

    def _join(self, captured: float, played: float) -> None:
        """Begin to convert at the input sample that belongs to the next output sample."""
        due = captured + (self._n_out + self._prefill - played) - self._latency
        while (missing := round(due) - self._taken) > 0:
            n_samples = self._capture.read(self._block[: min(missing, CHUNK)]) if self._capture.readable else 0
            if not n_samples:
                return  # it has not been captured yet: join later
            self._taken += n_samples
        self._origin = self._taken
        self._joined = True

    def _convert(self, captured: float, played: float) -> None:
        while (n_samples := min(self._capture.readable, CHUNK)) > 0:
            block = self._block[: self._capture.read(self._block[:n_samples])]
            if not len(block):
                break
            out = self._resampler.process(block, self._controller.speed)
            n_samples = min(len(out), len(self._ready) - self._n_ready)
            self._ready[self._n_ready : self._n_ready + n_samples] = out[:n_samples]
            self._n_ready += n_samples
            produced = self._n_out + self._n_ready
            source = self._origin + self._resampler.position
            heard = source - (produced + self._prefill - played) * self._controller.speed
            self._controller.update(captured - heard - self._latency, n_samples)
