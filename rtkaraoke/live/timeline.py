"""A constant latency on top of actions that an underrun removes.

The card's callbacks count every sample that they move, whatever becomes of ours: that count is *device time*.
Everything is placed by it. The first sample of an action's ring met the callback at ``origin = clock - done``;
from there on the ring's samples follow each other, so the next one that we write will be played at
``origin + written``. Output sample ``k`` is due at ``k + prefill``. Earlier than due: zeros go before it. Later:
it is dropped. No sample is ever played at a time other than its own, so an underrun costs the samples that were
late and nothing else, and the latency afterwards is what it was, to the sample.

The callback may be at work while we read. rtmixer runs its actions in the order in which they were queued, and the
count was queued first: so between the two the origin looks too *late* by one callback, never too early once
``done`` has been read on both sides of ``clock`` and found the same. The least of several readings is the true one.
"""

import math

import numpy as np

from rtkaraoke.live.backend import CapturePort, Interleaved, PlaybackPort, Port, StreamCounters

ZEROS_LENGTH = 4096


class Origin:
    """Device time of the first sample of a port's present action."""

    def __init__(self) -> None:
        self.value = 0
        self.known = True  # the first action begins with the device
        self._fixed = True
        self._candidate = -1

    def forget(self) -> None:
        """A new action was queued."""
        self.known = self._fixed = False
        self._candidate = -1

    def observe(self, port: Port) -> None:
        """Look at the counters once; two readings that agree make the origin known, a lesser one corrects it."""
        if self._fixed:
            return
        done = port.done
        clock = port.clock
        if not done or port.done != done:
            return
        origin = clock - done
        if self.known:
            self.value = min(self.value, origin)
        else:
            self.known = origin == self._candidate
            self.value = self._candidate = origin


class Playback:
    """Output samples by number, each played at its own device time or not at all.

    Parameters
    ----------
    port : PlaybackPort
        Not running yet; its ring empty.
    prefill : int
        Sample ``k`` is played at device time ``k + prefill``.
    counters : StreamCounters
        Gets ``underruns`` and ``silent_output``.
    locked : bool
        False for a source that can wait (a song): after an underrun it goes on where it stopped.
    """

    def __init__(self, port: PlaybackPort, prefill: int, counters: StreamCounters, *, locked: bool = True) -> None:
        self._port = port
        self._prefill = prefill
        self._counters = counters
        self._locked = locked
        self._zeros = np.zeros((ZEROS_LENGTH, port.n_channels), np.float32)
        self._origin = Origin()
        self._written = 0
        self._next = 0
        self._offset = prefill
        self._gap_from = -1  # device time since which nothing of ours was played; -1: all is well
        self._fill(prefill)

    @property
    def end(self) -> int:
        """Device time of the first sample after those queued."""
        return self._origin.value + self._written

    def leaving(self, clock: "CallbackClock", latency_out: int, now_ns: int) -> float:
        """The number of the sample that leaves the card at ``now_ns``; from any thread.

        ``latency_out`` is the driver's, behind the callback. Below 0 before the first.
        """
        count, time_ns = clock.sighting
        if not count:
            return float(-self._offset)
        return clock.after(count, now_ns - time_ns) - latency_out - self._offset

    @property
    def queued(self) -> int:
        """Samples between now and the end of the queue; 0 while the action is being replaced."""
        return max(0, self.end - self._port.clock) if self._origin.known else 0

    def maintain(self) -> bool:
        """Notice an underrun and recover from it; True when the place of the next sample is known. Once per poll."""
        port = self._port
        if not port.running:
            if self._gap_from < 0:
                self._gap_from = self._origin.value + port.done
            self._counters.underruns += 1
            self._origin.forget()
            self._written = 0
            port.flush()
            self._fill(self._prefill)
            port.restart()
        self._origin.observe(port)
        return self._origin.known

    def write(self, block: Interleaved) -> None:
        """Take ``block`` as the next output samples; only while :meth:`maintain` says that their place is known."""
        if not self._locked and self._gap_from >= 0:
            self._offset = self.end - self._next
        late = self.end - (self._next + self._offset)
        if late < 0:
            if self._gap_from < 0:
                self._gap_from = self.end
            self._fill(-late)
            late = 0
        self._next += len(block)
        block = block[late:]
        if not len(block):
            if self._gap_from < 0:
                self._gap_from = self.end
            return
        if self._gap_from >= 0:
            self._counters.silent_output += self.end - self._gap_from
            self._gap_from = -1
        self._written += self._port.write(block)

    def dry_ns(self, clock: "CallbackClock", period: int) -> int:
        """When the callback comes that will find too few samples, in ns.

        The callback after the one that ``clock`` has last observed takes ``period`` samples, and so on.
        """
        period = max(period, 1)
        return clock.time_of((self.queued // period + 1) * period)

    def _fill(self, n_samples: int) -> None:
        while n_samples > 0:
            n_samples -= ZEROS_LENGTH
            self._written += self._port.write(self._zeros[: min(ZEROS_LENGTH, n_samples + ZEROS_LENGTH)])


class Capture:
    """Input samples by number: what the card lost is read as zeros.

    The ring holds a second, so an overflow means that nobody has looked for that long: all of it is stale and
    given up at once.
    """

    def __init__(self, port: CapturePort, counters: StreamCounters) -> None:
        self._port = port
        self._counters = counters
        self._next = 0  # device time of the next sample to be read from this class
        self._origin = Origin()
        self._taken = 0

    def maintain(self) -> bool:
        """Notice an overflow and recover from it; True when the place of the next sample is known. Once per poll."""
        port = self._port
        if not port.running:
            self._counters.overruns += 1
            self._origin.forget()
            self._taken = 0
            port.flush()
            port.restart()
        self._origin.observe(port)
        return self._origin.known

    @property
    def readable(self) -> int:
        """Samples that :meth:`read` can give now."""
        return self._lost() + self._port.available if self.maintain() else 0

    def read(self, out: Interleaved) -> int:
        """Fill ``out`` from the start; returns the number of samples."""
        lost = min(self._lost(), len(out))
        if lost:
            out[:lost] = 0
            self._counters.lost_input += lost
            self._next += lost
        n_samples = self._port.readinto(out[lost:]) if lost < len(out) else 0
        self._taken += n_samples
        self._next += n_samples
        return lost + n_samples

    def _lost(self) -> int:
        return max(0, self._origin.value + self._taken - self._next)


class CallbackClock:
    """When the latest callback ran, from polls that are always somewhat late.

    The earliest sighting is the best one: every callback is taken to come a block after the one before it, an
    earlier sighting puts that right at once, and the least lateness of the last quarter of a second is made up for.
    """

    WINDOW_NS = 0.25e9

    def __init__(self, sample_rate: int) -> None:
        self._ns_per_sample = 1e9 / sample_rate
        self._clock = 0
        self._time_ns = 0.0
        self._least_ns = math.inf
        self._window_end_ns = 0.0
        self.sighting = (0, 0.0)  #: count and time of the latest callback, for another thread

    def observe(self, clock: int, now_ns: int) -> float:
        """The time of the callback that brought the count to ``clock``; of no use before the first."""
        if clock == self._clock:
            return self._time_ns
        late_ns = now_ns - (self._time_ns + (clock - self._clock) * self._ns_per_sample)
        if self._clock == 0 or late_ns < 0:
            self._time_ns = now_ns
            self._least_ns = math.inf
            self._window_end_ns = now_ns + self.WINDOW_NS
        else:
            self._time_ns = now_ns - late_ns
            self._least_ns = min(self._least_ns, late_ns)
            if now_ns >= self._window_end_ns:
                self._time_ns += self._least_ns
                self._least_ns = math.inf
                self._window_end_ns = now_ns + self.WINDOW_NS
        self._clock = clock
        self.sighting = (clock, self._time_ns)
        return self._time_ns

    def position(self, clock: int, now_ns: int) -> float:
        """Device time between callbacks: ``clock`` at the time of its callback, growing since."""
        return self.after(clock, now_ns - self.observe(clock, now_ns))

    def after(self, clock: int, ns: float) -> float:
        """Device time ``ns`` nanoseconds after it was ``clock``."""
        return clock + ns / self._ns_per_sample

    def time_of(self, samples_ahead: int) -> int:
        """When the callback comes that starts ``samples_ahead`` samples after the one last observed began, in ns."""
        return int(self._time_ns + samples_ahead * self._ns_per_sample)
