"""What the host asks of a sound card, and the few integers that a sound card must tell.

A backend opens a :class:`Device`: callbacks in C (or in a test's own hands) that move samples between the card
and two rings, plus a count of the samples that they have moved. :mod:`rtkaraoke.live.timeline` makes of that an
:class:`AudioStream` whose latency is a constant. Arrays here are interleaved float32 ``(sample, channel)``.

A port's action (to borrow rtmixer's word) runs until its ring underruns or overflows once. It is then gone for
good, and the timeline starts another. Times are those of :func:`time.monotonic_ns`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rtkaraoke.live.settings import LiveSettings

Interleaved = NDArray[np.float32]  #: ``(sample, channel)``, C-contiguous


@dataclass(slots=True)
class StreamCounters:
    """What was lost, in samples of the stream and in events. Filled in place, never reset while live.

    ``lost_input`` samples never reached the engine (it was fed as many zeros, so time stands still for no one);
    ``silent_output`` samples were due and not there: the card played silence. ``underruns`` and ``overruns``
    count how often our rings ran dry or full, ``device_*`` what the driver itself owned up to.
    """

    lost_input: int = 0
    silent_output: int = 0
    overruns: int = 0
    underruns: int = 0
    device_input_underflows: int = 0
    device_input_overflows: int = 0
    device_output_underflows: int = 0
    device_output_overflows: int = 0

    def as_dict(self) -> dict[str, int]:
        """Every counter by name."""
        return asdict(self)

    @property
    def xruns(self) -> int:
        """Events of any kind."""
        return (
            self.overruns
            + self.underruns
            + self.device_input_underflows
            + self.device_input_overflows
            + self.device_output_underflows
            + self.device_output_overflows
        )


class Port(Protocol):
    """One direction of a device: a ring between us and the callback, and the action that works on it."""

    n_channels: int

    @property
    def clock(self) -> int:
        """Samples per channel that the card has asked for since the start. Never stops for an underrun."""
        ...

    @property
    def done(self) -> int:
        """Samples that the present action has moved through the ring; 0 until its first callback."""
        ...

    @property
    def running(self) -> bool:
        """False once the action has met an empty (playback) or a full (capture) ring."""
        ...

    def flush(self) -> None:
        """Empty the ring; only legal while not :attr:`running`."""
        ...

    def restart(self) -> None:
        """Queue a new action; only legal while not :attr:`running`."""
        ...


class CapturePort(Port, Protocol):
    """The card writes, we read."""

    @property
    def available(self) -> int:
        """Samples that :meth:`readinto` can give now."""
        ...

    def readinto(self, out: Interleaved) -> int:
        """Fill ``out`` from the start; returns the number of samples that there were."""
        ...


class PlaybackPort(Port, Protocol):
    """We write, the card reads."""

    def write(self, block: Interleaved) -> int:
        """Append ``block``; returns the number of samples that fitted."""
        ...


class Device(Protocol):
    """A card in use, in one direction or both."""

    sample_rate: int  #: in Hz
    input_name: str  #: empty for a direction that is not in use
    output_name: str
    latency_in: int  #: samples between the converter and the callback, as the driver declares them
    latency_out: int

    @property
    def capture(self) -> CapturePort | None:
        """None when nothing is recorded."""
        ...

    @property
    def playback(self) -> PlaybackPort | None:
        """None when nothing is played."""
        ...

    @property
    def active(self) -> bool:
        """False when the driver says that the stream has ended. True proves nothing: watch the clock too."""
        ...

    @property
    def period(self) -> int:
        """Mean samples per callback so far; 0 before the first."""
        ...

    def count_xruns(self, counters: StreamCounters) -> None:
        """Add what the driver itself reported since the last call to the ``device_*`` counters."""
        ...

    def start(self) -> None:
        """Let the callbacks run. Raises :class:`rtkaraoke.errors.DeviceError`."""
        ...

    def stop(self) -> None:
        """Stop the callbacks at once. May hang when the driver is dead: see :mod:`rtkaraoke.live.process`."""
        ...

    def close(self) -> None:
        """Give the card back. May be called twice; may hang as :meth:`stop` may."""
        ...


class AudioStream(Protocol):
    """A stream of constant latency: output sample ``k`` is played ``prefill`` samples after input sample ``k``.

    Input and output are numbered from 0 at the start and no number is ever left out: input that the card lost is
    read as zeros, output that comes too late is dropped and silence played in its place. Nothing here blocks.
    """

    sample_rate: int
    n_inputs: int  #: 0: nothing to read, the host brings its own source
    n_outputs: int
    input_name: str  #: the devices, as their driver calls them
    output_name: str
    counters: StreamCounters

    @property
    def drift_ppm(self) -> float | None:
        """How much faster the input's clock runs than the output's; None with one clock."""
        ...

    @property
    def latency_terms(self) -> Mapping[str, int]:
        """Every part of the stream's own latency by name, in samples."""
        ...

    @property
    def active(self) -> bool:
        """As :attr:`Device.active`."""
        ...

    @property
    def clock(self) -> int:
        """A count that moves while callbacks come: the heartbeat."""
        ...

    @property
    def period(self) -> int:
        """Samples per callback; 0 before the first."""
        ...

    @property
    def readable(self) -> int:
        """Input samples that :meth:`read` can give now."""
        ...

    @property
    def writable(self) -> int:
        """Output samples that are wanted now; what a stream without input is paced by."""
        ...

    def read(self, out: Interleaved) -> int:
        """Fill ``out`` ``(sample, n_inputs)`` from the start; returns how many samples there were."""
        ...

    def write(self, block: Interleaved) -> None:
        """Queue ``block`` ``(sample, n_outputs)`` as the next output samples."""
        ...

    def update_counters(self) -> None:
        """Add what the driver reported to :attr:`counters`; called now and then, by one thread."""
        ...

    def dry_ns(self) -> int:
        """When the callback comes that finds the output queue too short, if nothing is written until then."""
        ...

    def leaving(self, now_ns: int) -> float:
        """The number of the output sample that leaves the card at ``now_ns``, below 0 before the first.

        From any thread, once samples are being written.
        """
        ...

    def start(self) -> None:
        """Begin. Raises :class:`rtkaraoke.errors.DeviceError`."""
        ...

    def stop(self) -> None:
        """End at once."""
        ...

    def close(self) -> None:
        """Give everything back. May be called twice."""
        ...


class AudioBackend(Protocol):
    """Opens streams. It is pickled into the engine process, so it holds no open device."""

    name: str

    def check(self, settings: "LiveSettings") -> int:
        """See whether the devices are there, quickly; returns the sample rate that the stream will have, in Hz.

        Raises
        ------
        LiveError
            When they are not, or cannot do what is asked.
        """
        ...

    def open(self, settings: "LiveSettings", prefill: int) -> AudioStream:
        """Open the devices, not yet running. Raises :class:`rtkaraoke.errors.LiveError`."""
        ...
