"""What a live run is asked to do."""

from dataclasses import dataclass
from pathlib import Path

from rtkaraoke.errors import LiveError

DeviceName = str | int | None  #: part of a name, an index of the device list, or None for the default


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """Settings of one live run; plain data, so that it travels to the engine process.

    Parameters
    ----------
    input, output : str, int or None
        Device by part of its name, by index, or the default.
    channels_in, channels_out : tuple of int
        The card's channels of the music, counted from 1. Empty ``channels_in``: it comes from a source (``play``).
    voice_out : tuple of int
        Further output channels that get the voice alone; empty for none. As many as ``channels_out``.
    mic_in : tuple of int
        Input channels of the microphones, in the order of the engine's mics; none of the music's.
    more_out : tuple of int
        Output channels of the engine's further outputs, in their order.
    sample_rate : int or None
        In Hz; None takes the output device's own.
    block : int
        Samples per device block that are wished for. A JACK server decides by itself.
    prefill : int
        Samples queued for output at the start: must cover one period plus the time to compute. A term of the latency.
    prefill_without_realtime : int
        What the prefill is raised to where the worker may not run at real-time priority.
    realtime : bool
        Ask for that priority.
    latency_budget_ms : float or None
        The sum of all terms may not exceed it, or the run is refused.
    two_clocks : bool or None
        Correct the drift between two cards. None: when input and output are not one device.
    fade_in_ms : float
        The first samples rise from silence over this time.
    record : Path or None
        What the engine is fed goes to this file, raw interleaved float32, from sample 0; the log of the decisions
        goes beside it with the suffix ``.decisions``. Both repeat a run whose parameters were not moved, unless a
        source knew the voice (:class:`~rtkaraoke.plugins.protocol.VoiceTaker`), which is in neither.
    """

    input: DeviceName = None
    output: DeviceName = None
    channels_in: tuple[int, ...] = (1, 2)
    channels_out: tuple[int, ...] = (1, 2)
    voice_out: tuple[int, ...] = ()
    mic_in: tuple[int, ...] = ()
    more_out: tuple[int, ...] = ()
    sample_rate: int | None = None
    block: int = 128
    prefill: int = 512
    prefill_without_realtime: int = 2048
    realtime: bool = True
    latency_budget_ms: float | None = None
    two_clocks: bool | None = None
    fade_in_ms: float = 50.0
    record: Path | None = None

    def __post_init__(self) -> None:
        for name, channels in (
            ("channels_in", self.channels_in),
            ("channels_out", self.channels_out),
            ("voice_out", self.voice_out),
            ("mic_in", self.mic_in),
            ("more_out", self.more_out),
        ):
            if any(channel < 1 for channel in channels) or len(set(channels)) != len(channels):
                raise LiveError(f"{name} {channels}: wanted different channels, counted from 1")
        if not self.channels_out:
            raise LiveError("no output channels: name at least one")
        if self.voice_out and len(self.voice_out) != len(self.channels_out):
            raise LiveError(f"voice_out {self.voice_out}: wanted as many channels as channels_out {self.channels_out}")
        for one, other in (
            ("voice_out", "channels_out"),
            ("more_out", "channels_out"),
            ("more_out", "voice_out"),
            ("mic_in", "channels_in"),
        ):
            if shared := set(getattr(self, one)) & set(getattr(self, other)):
                raise LiveError(
                    f"{one} {getattr(self, one)} and {other} {getattr(self, other)} share a channel "
                    f"({', '.join(map(str, sorted(shared)))}): give each its own"
                )
        if self.channels_in and len(self.channels_in) != len(self.channels_out):
            raise LiveError(
                f"{len(self.channels_in)} input and {len(self.channels_out)} output channels: wanted as many of each"
            )
        if not 16 <= self.block <= 8192:
            raise LiveError(f"a block of {self.block} samples: wanted 16 to 8192, 128 or 256 are good values")
        if not self.block <= self.prefill <= 65536:
            raise LiveError(
                f"a prefill of {self.prefill} samples: wanted at least one block ({self.block}) and at most 65536"
            )

    @property
    def n_channels(self) -> int:
        """Channels of the music."""
        return len(self.channels_out)

    @property
    def inputs(self) -> tuple[int, ...]:
        """Every input channel, in the order of the stream: the music's, then the microphones'."""
        return self.channels_in + self.mic_in

    @property
    def outputs(self) -> tuple[int, ...]:
        """Every output channel, in the order of the stream: the music's, the voice's, the further outputs'."""
        return self.channels_out + self.voice_out + self.more_out
