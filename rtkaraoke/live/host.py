"""The worker: from the input ring through the engine to the output ring, block by block, on time.

It polls every half millisecond rather than waiting for a signal: rtmixer's callback, being free of locks, signals
nobody. Blocks are as large as what has arrived. Until the output queue runs dry there is a deadline, which goes
down to the mask network: a mask that is late is done without.
"""

import time
from collections import deque
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from rtkaraoke.dsp import kernels
from rtkaraoke.dsp.dynamics import Ramp
from rtkaraoke.engine import Engine
from rtkaraoke.errors import LiveError
from rtkaraoke.live import budget
from rtkaraoke.live.backend import AudioStream, Interleaved
from rtkaraoke.live.recorder import Recorder, Recording
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.live.telemetry import Histogram
from rtkaraoke.plugins.protocol import Block, VoiceTaker

POLL_S = 0.0005
#: From the end of the wait for a mask until the output must be in the ring: at least this, and one period of the card.
#: With a network four times too slow, 1 ms cost 2 to 6 underruns in 12 s on a busy machine, a period of 2.9 ms 0 or 1.
MARGIN_NS = 1_000_000
MUTE_S = 0.02
MAX_BLOCK = 1024
MAX_STREAK = 64  #: blocks without a pause; a machine that cannot keep up must stay usable


class Source(Protocol):
    """Where the sound comes from when it is no input device, such as :class:`rtkaraoke.transport.Song`."""

    def read(self, out: Block) -> int:
        """Fill ``out`` ``(channel, sample)``, with silence where there is nothing. Realtime safe.

        Returns
        -------
        int
            Samples that came from the source.
        """
        ...

    def command(self, name: str, value: float, text: str = "") -> None:
        """A wish of the user, such as ``seek`` to a second. Raises :class:`rtkaraoke.errors.RtkaraokeError`."""
        ...

    @property
    def status(self) -> dict[str, float]:
        """Numbers for the view, such as the position in seconds."""
        ...

    def prepare(self, sample_rate: int, n_channels: int) -> None:
        """Get ready to be read. Raises :class:`rtkaraoke.errors.RtkaraokeError`."""
        ...

    def close(self) -> None:
        """End threads and files. May be called twice."""
        ...


@runtime_checkable
class Timed(Protocol):
    """A source that knows which time of a song its samples are."""

    def heard_s(self, sample: int) -> float:
        """The song's time in seconds of the ``sample``-th that :meth:`Source.read` has given, from 0; from any thread.

        Pauses count: every sample that was read has a number, silent or not.
        """
        ...


@runtime_checkable
class Voiced(Protocol):
    """A source that may know the voice of what it plays."""

    def share_voice(self, memory: Block) -> None:
        """Leave it there with every read from now on: see :class:`rtkaraoke.plugins.protocol.VoiceTaker`."""
        ...


class _Views(NamedTuple):
    """The preallocated memory, cut to one block size."""

    fed: Interleaved  #: all that the engine is fed
    captured: Interleaved  #: what the stream gives of it
    captured_rows: Block  #: where that goes
    planar: Block
    music: Block
    out: Block
    voice: Block | None
    voice_out: Block
    interleaved_out: Interleaved
    music_columns: Block
    voice_columns: Block
    more_columns: Block


class Host:
    """One engine on one stream.

    Parameters
    ----------
    engine : Engine
        Prepared for the stream's rate, ``settings.n_channels`` and at least :data:`MAX_BLOCK`, and warm.
        Microphones and further outputs are those of ``settings.mic_in`` and ``settings.more_out``.
    stream : AudioStream
        Opened, not running.
    settings : LiveSettings
    source : Source, optional
        Where the music comes from when ``settings.channels_in`` is empty; prepared.
    recorder : Recorder, optional
        Gets what the engine is fed.

    Raises
    ------
    LatencyBudgetError
        When the latency's terms do not fit ``settings.latency_budget_ms``.
    LiveError
        When the voice is wanted on channels of its own and the engine cannot give it, or when channels are missing.
    """

    def __init__(
        self,
        engine: Engine,
        stream: AudioStream,
        settings: LiveSettings,
        source: Source | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        if (source is None) != bool(settings.channels_in):
            raise LiveError("music without input channels needs a source, music with some takes none")
        _check_channels(engine, settings)
        _share_voice(source, engine)
        self.engine = engine
        self.stream = stream
        self.source = source
        self.load = Histogram()
        self.n_samples = 0
        self.error: BaseException | None = None
        self.recording: Recording | None = None  #: gets what is heard; set from any thread
        self._recorder = recorder
        self._margin_ns = max(MARGIN_NS, round(1e9 * settings.block / stream.sample_rate))
        self._hop = _hop(engine, settings.block)
        self._voice = _voice(engine) if settings.voice_out else None
        self._max_block = max_block = engine.max_block
        self._n_channels = settings.n_channels
        self._in = np.zeros((max_block, engine.n_inputs), np.float32)
        self._captured = self._in if source is None else np.zeros((max_block, len(settings.mic_in)), np.float32)
        self._out = np.zeros((max_block, len(settings.outputs)), np.float32)
        self._planar = np.zeros((3, max(engine.n_inputs, engine.n_outputs) * max_block), np.float32)
        self._views: dict[int, _Views] = {}
        self._gain, self._voice_gain = Ramp(0.0), Ramp(0.0)
        self._move_gain(1.0, 1e-3 * settings.fade_in_ms)
        self._wishes: deque[tuple[str, str, float]] = deque()
        self.muted = False
        warm = self._view(1)
        kernels.ramp_gain(warm.out, warm.out, Ramp(1.0).state)
        self._busy_ns = 0
        self._busy_samples = 0
        self._stopping = False
        budget.check(self.latency_terms, stream.sample_rate, settings.latency_budget_ms)

    @property
    def latency_terms(self) -> dict[str, int]:
        """Every term of the music's latency from input to output, in samples."""
        return {**self.engine.latency_terms, **self.stream.latency_terms}

    @property
    def mic_latency(self) -> int:
        """Samples from a microphone to the output: what the stream itself takes, and chains that may be late."""
        own = max((mic.latency for mic in self.engine.mics), default=0)
        return own + sum(self.stream.latency_terms.values())

    def leaving(self, now_ns: int) -> int:
        """The number of the source's sample that leaves the card at ``now_ns``; from any thread."""
        return max(0, round(self.stream.leaving(now_ns)) - self.engine.latency)

    def set(self, plugin: str, parameter: str, value: float) -> None:
        """Move a parameter of the engine before the next block; from any thread.

        Raises
        ------
        PluginError
            When it is unknown or out of range.
        """
        self.engine.get(plugin, parameter)
        value = self.engine.plugins[plugin].parameters[parameter].check(value)
        self._wishes.append((plugin, parameter, value))

    def mute(self, muted: bool) -> None:
        """Silence the output, or let it be heard again, within 20 ms; from any thread."""
        self.muted = muted

    def poll(self) -> bool:
        """Move one block through the engine if there is one; False when there was none. Never waits for a device."""
        stream = self.stream
        ready = stream.readable if stream.n_inputs else stream.writable
        if ready <= 0:
            return False
        started_ns = time.monotonic_ns()
        self._grant_wishes()
        views = self._view(min(ready, self._max_block))
        if stream.n_inputs:
            n_samples = stream.read(views.captured)
            if n_samples < len(views.captured):
                if not n_samples:
                    return False
                views = self._view(n_samples)
            np.copyto(views.captured_rows, views.captured.T)
        if self.source is not None:
            self.source.read(views.music)
            np.copyto(views.fed, views.planar.T)
        n_samples = len(views.fed)
        if self._recorder is not None:
            self._recorder.write(views.fed)
        self.engine.process(views.planar, views.out, stream.dry_ns() - self._margin_ns)
        if views.voice is not None:
            np.copyto(views.voice_out, views.voice)
            kernels.ramp_gain(views.voice_out, views.voice_out, self._voice_gain.state)
            np.copyto(views.voice_columns, views.voice_out)
        kernels.ramp_gain(views.out, views.out, self._gain.state)
        if (recording := self.recording) is not None:
            recording.write(self.engine, views.out)
        np.copyto(views.music_columns, views.out[: self._n_channels])
        if views.more_columns.size:
            np.copyto(views.more_columns, views.out[self._n_channels :])
        stream.write(views.interleaved_out)
        self.n_samples += n_samples
        self._count_load(n_samples, time.monotonic_ns() - started_ns)
        return True

    def run(self) -> None:
        """Poll until :meth:`stop`, on the calling thread. An exception ends it and is kept in :attr:`error`."""
        streak = 0
        try:
            while not self._stopping:
                streak = streak + 1 if self.poll() else 0
                if streak == 0 or streak >= MAX_STREAK:
                    streak = 0
                    time.sleep(POLL_S)
        except Exception as error:  # noqa: BLE001  the control thread reports it, whatever it is
            self.error = error

    def stop(self) -> None:
        """End :meth:`run` after its present block."""
        self._stopping = True

    def _grant_wishes(self) -> None:
        while self._wishes:
            self.engine.set(*self._wishes.popleft())
        gain = 0.0 if self.muted else 1.0
        if gain != self._gain.target:
            self._move_gain(gain, MUTE_S)

    def _move_gain(self, gain: float, seconds: float) -> None:
        n_samples = round(seconds * self.stream.sample_rate)
        self._gain.move(gain, n_samples)
        self._voice_gain.move(gain, n_samples)

    def _count_load(self, n_samples: int, busy_ns: int) -> None:
        self._busy_ns += busy_ns
        self._busy_samples += n_samples
        if self._busy_samples >= self._hop:
            self.load.add(1e-9 * self._busy_ns * self.stream.sample_rate / self._busy_samples)
            self._busy_ns = self._busy_samples = 0

    def _view(self, n_samples: int) -> _Views:
        views = self._views.get(n_samples)
        if views is None:
            n_channels, n_inputs, n_outputs = self._n_channels, self.engine.n_inputs, self.engine.n_outputs
            n_captured = self._captured.shape[1]
            n_voice = self._out.shape[1] - n_outputs
            out = self._out[:n_samples]
            planar = self._planar[0, : n_inputs * n_samples].reshape(n_inputs, n_samples)
            views = self._views[n_samples] = _Views(
                fed=self._in[:n_samples],
                captured=self._captured[:n_samples],
                captured_rows=planar[n_inputs - n_captured :],
                planar=planar,
                music=planar[:n_channels],
                out=self._planar[1, : n_outputs * n_samples].reshape(n_outputs, n_samples),
                voice=None if self._voice is None else self._voice[:, :n_samples],
                voice_out=self._planar[2, : n_channels * n_samples].reshape(n_channels, n_samples),
                interleaved_out=out,
                music_columns=out[:, :n_channels].T,
                voice_columns=out[:, n_channels : n_channels + n_voice].T,
                more_columns=out[:, n_channels + n_voice :].T,
            )
        return views


def _check_channels(engine: Engine, settings: LiveSettings) -> None:
    for what, wanted, given in (
        ("microphones", engine.n_inputs - engine.n_channels, settings.mic_in),
        ("further outputs", engine.n_outputs - engine.n_channels, settings.more_out),
    ):
        if wanted != len(given):
            raise LiveError(f"the engine's {what} have {wanted} channels, the card gives them {given}: as many of each")


def _share_voice(source: object, engine: Engine) -> None:
    """Let the music's first plugin that takes a voice out have the one that the source knows."""
    takers = [plugin for plugin in engine.music.plugins if isinstance(plugin, VoiceTaker)]
    if takers and isinstance(source, Voiced):
        source.share_voice(takers[0].known_voice())


def _hop(engine: Engine, block: int) -> int:
    """The hop of the engine's network, over which the load is measured; the block where it has none."""
    for plugin in engine.plugins.values():
        geometry = getattr(plugin, "geometry", None)
        if geometry is not None:
            return int(geometry.hop)
    return block


def _voice(engine: Engine) -> Block:
    """Where the engine leaves the voice of each block, in step with its output."""
    path = {name: plugin for bus in (engine.music, engine.master) for name, plugin in bus.named()}
    names = list(path)
    for index, name in enumerate(names):
        voice = getattr(path[name], "voice", None)
        if isinstance(voice, np.ndarray):
            if late := [n for n in names[index + 1 :] if path[n].latency]:
                raise LiveError(f"the voice cannot have channels of its own before plugins that delay: {late}")
            return voice
    raise LiveError(f"no plugin of the chain gives the voice alone: there are {', '.join(names) or 'none'}")
