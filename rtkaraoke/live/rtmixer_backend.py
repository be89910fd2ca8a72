"""PortAudio by way of rtmixer: the callback is C and takes no lock, whatever Python does meanwhile.

rtmixer moves samples between the card and our rings by *actions*. Three are queued before the start, so that all
of them begin in the same callback: record, play, and a play action of no channels at all, which moves nothing but
counts every sample that the card asks for. That count is the device time of :mod:`rtkaraoke.live.timeline`, and it
goes on when an underrun or an overflow has removed one of the others.
"""

from typing import Any

from rtkaraoke.errors import DeviceError
from rtkaraoke.live import devices, measured
from rtkaraoke.live.backend import AudioStream, Interleaved, StreamCounters
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.live.stream import DeviceStream

SAMPLE_BYTES = 4
CAPTURE_SECONDS = 1.0
ENDLESS = 2**63  #: samples; more than a card plays in a million years


class _Port:
    """One direction of a running rtmixer stream."""

    def __init__(self, rtmixer: Any, stream: Any, clock: Any, channels: tuple[int, ...], size: int) -> None:
        self.n_channels = len(channels)
        self._channels = list(channels)
        self._stream = stream
        self._clock = clock
        self._ring = rtmixer.RingBuffer(SAMPLE_BYTES * self.n_channels, size)
        self._action = self._queue()

    def _queue(self) -> Any:
        raise NotImplementedError

    @property
    def clock(self) -> int:
        return int(self._clock.done_frames)

    @property
    def done(self) -> int:
        return int(self._action.done_frames)

    @property
    def running(self) -> bool:
        return self._action in self._stream.actions

    def flush(self) -> None:
        self._ring.flush()

    def restart(self) -> None:
        self._action = self._queue()


class _CapturePort(_Port):
    def _queue(self) -> Any:
        return self._stream.record_ringbuffer(self._ring, channels=self._channels)

    @property
    def available(self) -> int:
        return int(self._ring.read_available)

    def readinto(self, out: Interleaved) -> int:
        return int(self._ring.readinto(out))


class _PlaybackPort(_Port):
    def _queue(self) -> Any:
        return self._stream.play_ringbuffer(self._ring, channels=self._channels)

    def write(self, block: Interleaved) -> int:
        return int(self._ring.write(block))


class RtmixerDevice:
    """An opened PortAudio stream; see :class:`rtkaraoke.live.backend.Device`.

    Parameters
    ----------
    choice : devices.Choice
        Which devices, resolved and checked.
    settings : LiveSettings
        Channels and the block wished for.
    prefill : int
        Samples that the playback ring must hold, in addition to a second of slack.
    capture, playback : bool
        The directions wanted.

    Raises
    ------
    DeviceError
        When PortAudio refuses.
    """

    def __init__(
        self, choice: devices.Choice, settings: LiveSettings, prefill: int, *, capture: bool, playback: bool
    ) -> None:
        rtmixer = devices.import_rtmixer()
        latency = settings.block / choice.sample_rate
        inputs, outputs = settings.inputs, settings.outputs
        common: dict[str, Any] = {
            "samplerate": choice.sample_rate,
            "blocksize": 0,  # whatever comes: a fixed size would add a buffer of that size
            "latency": latency,
            "extra_settings": devices.extra_settings(choice.host_api),
        }
        with devices.errors_of("open", choice):
            if capture and playback:
                stream = rtmixer.MixerAndRecorder(
                    device=(choice.input, choice.output), channels=(max(inputs), max(outputs)), **common
                )
            elif playback:
                stream = rtmixer.Mixer(device=choice.output, channels=max(outputs), **common)
            else:
                stream = rtmixer.Recorder(device=choice.input, channels=max(inputs), **common)
        self._choice = choice
        self._stream = stream
        self._counted = [0, 0, 0, 0]
        self._closed = False
        self.input_name = choice.input_name if capture else ""
        self.output_name = choice.output_name if playback else ""
        self.sample_rate = round(stream.samplerate)
        latency_s = stream.latency if capture and playback else (stream.latency, stream.latency)
        self.latency_in = round(latency_s[0] * self.sample_rate) if capture else 0
        self.latency_out = round(latency_s[1] * self.sample_rate) if playback else 0
        # Queued first, it moves first: the timeline counts on that.
        ffi = rtmixer._ffi
        self._clock = ffi.new(
            "struct action*",
            {
                "type": rtmixer.PLAY_BUFFER,
                "actual_time": -1.0,
                "requested_time": 0.0,
                "buffer": ffi.NULL,
                "total_frames": ENDLESS,
                "channels": 0,
                "mapping": (),
            },
        )
        stream._enqueue(self._clock)
        size_in = _power_of_two(CAPTURE_SECONDS * self.sample_rate)
        size_out = _power_of_two(2 * prefill + self.sample_rate / 4)
        self.capture = _CapturePort(rtmixer, stream, self._clock, inputs, size_in) if capture else None
        self.playback = _PlaybackPort(rtmixer, stream, self._clock, outputs, size_out) if playback else None

    @property
    def active(self) -> bool:
        """Whether PortAudio says that the stream runs."""
        return not self._closed and bool(self._stream.active)

    @property
    def period(self) -> int:
        """Mean samples per callback."""
        blocks = int(self._clock.stats.blocks)
        return int(self._clock.done_frames) // blocks if blocks else 0

    def count_xruns(self, counters: StreamCounters) -> None:
        """Add the status flags that PortAudio has given to the callback since the last call."""
        stats = self._clock.stats
        seen = [stats.input_underflows, stats.input_overflows, stats.output_underflows, stats.output_overflows]
        counters.device_input_underflows += seen[0] - self._counted[0]
        counters.device_input_overflows += seen[1] - self._counted[1]
        counters.device_output_underflows += seen[2] - self._counted[2]
        counters.device_output_overflows += seen[3] - self._counted[3]
        self._counted = seen

    def start(self) -> None:
        """Let the callbacks run."""
        with devices.errors_of("start", self._choice):
            self._stream.start()

    def stop(self) -> None:
        """Abort the stream; hangs when the server has gone."""
        if not self._closed:
            self._stream.abort(ignore_errors=True)

    def close(self) -> None:
        """Close the stream; hangs when the server has gone."""
        if not self._closed:
            self._closed = True
            self._stream.close(ignore_errors=True)


class RtmixerBackend:
    """The real sound cards.

    Parameters
    ----------
    use_measured : bool
        Declare what was measured of a pair of devices, where it was; False is for measuring.
    """

    name = "rtmixer"

    def __init__(self, *, use_measured: bool = True) -> None:
        self._use_measured = use_measured

    def check(self, settings: LiveSettings) -> int:
        """Resolve the devices; the sample rate in Hz. Raises :class:`rtkaraoke.errors.LiveError`."""
        return devices.choose(settings).sample_rate

    def open(self, settings: LiveSettings, prefill: int) -> AudioStream:
        """Open the devices; two streams with a drift corrector between them when there are two clocks."""
        choice = devices.choose(settings)
        if not settings.inputs:
            return DeviceStream(RtmixerDevice(choice, settings, prefill, capture=False, playback=True), prefill)
        if choice.two_clocks:
            from rtkaraoke.live.two_clocks import TwoClockStream

            source = RtmixerDevice(choice, settings, prefill, capture=True, playback=False)
            try:
                sink = RtmixerDevice(choice, settings, prefill, capture=False, playback=True)
            except DeviceError:
                source.close()
                raise
            return TwoClockStream(source, sink, prefill, slack=max(settings.block, source.latency_in))
        device = RtmixerDevice(choice, settings, prefill, capture=True, playback=True)
        if self._use_measured:
            _declare_measured(device, choice, settings.block)
        return DeviceStream(device, prefill)


def _declare_measured(device: RtmixerDevice, choice: devices.Choice, block: int) -> None:
    """Where `rtkaraoke bench loopback --save` has measured this pair, declare that in place of the driver's word."""
    pair = measured.Pair(choice.input_name, choice.output_name, choice.host_api, device.sample_rate, block)
    round_trip = measured.round_trip(pair, device.latency_in + device.latency_out)
    if round_trip is not None:
        device.latency_in = min(device.latency_in, round_trip)
        device.latency_out = round_trip - device.latency_in


def _power_of_two(n_samples: float) -> int:
    size = 1
    while size < n_samples:
        size *= 2
    return size
