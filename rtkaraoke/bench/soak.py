"""A long live run in which every sample is accounted for.

The whole live path is at work: PortAudio, the engine process, the network on its thread. A second client of the sound
server sends :mod:`rtkaraoke.bench.index_signal` through it with the voice at 0 dB, so that the output must be the
input, bit for bit, one latency later. Busy processes beside it take the processor away wherever they can.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context

import numpy as np
import psutil

from rtkaraoke.bench.index_signal import Accounts, encode
from rtkaraoke.bench.jack import DEVICE, dummy_server
from rtkaraoke.bench.load import busy
from rtkaraoke.bench.slow import SlowNetwork
from rtkaraoke.bench.stalls import Stalls, watched
from rtkaraoke.engine import Engine, music_engine
from rtkaraoke.errors import LiveError
from rtkaraoke.live.backend import AudioStream
from rtkaraoke.live.priority import raise_network_priority
from rtkaraoke.live.process import LiveSession
from rtkaraoke.live.rtmixer_backend import RtmixerBackend
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.live.telemetry import LiveStatus
from rtkaraoke.masks.models import load_model

SETTLE_S = 5.0  #: memory is compared with what it was so long after the start
POLL_S = 0.05
STATUS_S = 0.5  #: after so long the program's status covers all that has come back
RESERVE = 65_536  #: samples that the second client keeps queued, so that it never runs dry itself

Progress = Callable[[float, Accounts], None]


@dataclass(frozen=True, slots=True)
class Second:
    """What one second showed: samples that were lost, silent, repeated or displaced, late masks, and memory.

    ``at_s`` is its end by :func:`time.monotonic`. ``stall_ms`` is for how long, at most, a core of the machine stood
    still; see :mod:`rtkaraoke.bench.stalls`. None where nobody watched.
    """

    at_s: float
    flawed_samples: int
    late_hops: int
    memory_mb: float
    stall_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Soak:
    """What a run showed.

    ``came_back`` accounts for the program's output, ``sent`` for what reached its input. ``status`` is the program's
    own last word. ``history`` has an entry about every second.
    """

    seconds: float
    came_back: Accounts
    sent: Accounts
    status: LiveStatus
    memory_mb: float
    growth_mb: float
    history: tuple[Second, ...] = ()

    @property
    def latency(self) -> int | None:
        """Measured from input to output in samples, for most of the time: see :attr:`Accounts.displaced`."""
        if self.came_back.latency is None or self.sent.latency is None:
            return None
        return self.came_back.latency - self.sent.latency


def soak(
    *,
    seconds: float,
    period: int = 128,
    prefill: int = 512,
    sample_rate: int = 44_100,
    model: str = "centre",
    provider: str = "cpu",
    hogs: int = 2,
    step_hops: float = 0.0,
    stall_after: int | None = None,
    progress: Progress | None = None,
    on_wait: Callable[[float], None] | None = None,
) -> Soak:
    """Run for so many ``seconds`` on a JACK dummy of its own.

    Parameters
    ----------
    seconds : float
        Counted from when sound comes back.
    period, prefill, sample_rate : int
        Of the stream; in samples and Hz.
    model, provider : str
        The network, see :func:`rtkaraoke.load_model`.
    hogs : int
        Busy processes beside it.
    step_hops, stall_after
        Slow the network down; see :class:`rtkaraoke.bench.slow.SlowNetwork`.
    progress : callable, optional
        Gets the seconds done and the accounts, about once a second, in the measuring process: a function at the top
        of a module.
    on_wait : callable, optional
        Gets the seconds since the beginning, start-up included, twice a second, in the calling process.

    Raises
    ------
    LiveError
        When no server can be had, or the stream does not run.
    """
    settings = LiveSettings(
        input=DEVICE,
        output=DEVICE,
        channels_in=(1, 2),
        channels_out=(3, 4),
        sample_rate=sample_rate,
        block=period,
        prefill=prefill,
    )
    # In a process of its own: PortAudio sees only servers that were there when it was first used, and must have ended
    # before they do.
    with (
        dummy_server(period, sample_rate),
        busy(hogs),
        watched() as stalls,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process,
    ):
        running = process.submit(
            _run, settings, partial(engine, model, provider, step_hops, stall_after), seconds, progress
        )
        started = time.monotonic()
        while not wait([running], 0.5).done:
            if on_wait is not None:
                on_wait(time.monotonic() - started)
        result = running.result()
    return replace(result, history=_with_stalls(result.history, stalls)) if stalls.watched else result


def _with_stalls(history: Sequence[Second], stalls: Stalls) -> tuple[Second, ...]:
    """``history`` with the longest stall that what is told of each second may come from."""
    return tuple(
        replace(second, stall_ms=stalls.longest_ms(second.at_s - 1.0 - STATUS_S - POLL_S, second.at_s))
        for second in history
    )


def _run(settings: LiveSettings, factory: Callable[[], Engine], seconds: float, progress: Progress | None) -> Soak:
    with _second_client(settings) as client, LiveSession(settings, factory) as session:
        session.start()
        client.start()
        return _listen(client, session, seconds, progress)


def engine(model: str, provider: str, step_hops: float = 0.0, stall_after: int | None = None) -> Engine:
    """The default live engine with the voice untouched; made in the engine process."""
    network = load_model(model, provider)
    if step_hops or stall_after is not None:
        network = SlowNetwork(network, step_hops, stall_after)
    return music_engine(network, threaded=True, vocals_db=0.0, on_thread_start=raise_network_priority)


def _listen(client: AudioStream, session: LiveSession, seconds: float, progress: Progress | None) -> Soak:
    sent, came_back = Accounts(), Accounts()
    block = np.zeros((RESERVE, 4), np.float32)
    n_sent = 0
    ends = time.monotonic() + 10.0  # by then sound must have come back
    began = memory_mb = 0.0
    history: list[Second] = []
    flawed = late = second = 0
    while (now := time.monotonic()) < ends:
        while n_samples := client.read(block[: min(client.readable, RESERVE)]):
            received = block[:n_samples]
            sent.add(received[:, :2])
            came_back.add(received[:, 2:])
            out = np.zeros((n_samples, 4), np.float32)
            out[:, :2] = encode(n_sent, n_samples)
            client.write(out)
            n_sent += n_samples
        if came_back.started and not began:
            began, ends = now, now + seconds
        if began and not memory_mb and now - began > min(SETTLE_S, seconds / 2):
            memory_mb = _engine_memory_mb()
        if session.error is not None:
            raise session.error
        if began and now - began >= second:
            all_flawed, all_late = came_back.flawed, session.status().hops.get("late", 0)
            history.append(Second(now, max(all_flawed - flawed, 0), all_late - late, _engine_memory_mb()))
            flawed, late = all_flawed, all_late
            if progress is not None:
                progress(now - began, came_back)
            second += 1
        time.sleep(POLL_S)
    if not began:
        raise LiveError("no sound came back within 10 s")
    growth_mb = _engine_memory_mb() - memory_mb
    time.sleep(STATUS_S)
    return Soak(ends - began, came_back, sent, session.status(), memory_mb, growth_mb, tuple(history))


@contextmanager
def _second_client(program: LiveSettings) -> Iterator[AudioStream]:
    """A stream that plays to channels 1 and 2 and hears all four, with a second and a half in reserve."""
    every = (1, 2, 3, 4)
    settings = replace(program, channels_in=every, channels_out=every, prefill=RESERVE)
    stream = RtmixerBackend().open(settings, RESERVE)
    try:
        yield stream
    finally:
        stream.stop()
        stream.close()


def _engine_memory_mb() -> float:
    """Resident memory of the engine process: the largest of our children."""
    sizes = [child.memory_info().rss for child in psutil.Process().children()]
    return max(sizes, default=0) / 1e6
