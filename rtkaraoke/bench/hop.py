"""How long one hop takes, stage by stage, and how many hops would have come too late.

Two clocks are read: the wall's, which a live stream obeys, and the thread's CPU time, which other programs on the
machine do not stretch. The stages are timed one by one in the order of the engine; the whole hop is then timed as
what it is in use, calls of :meth:`rtkaraoke.engine.Engine.process`, and once more as a loop with a clock at either end:
an independent timing of the same work, which shows what reading the clocks costs.
"""

import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.dsp import kernels
from rtkaraoke.dsp.stft import StreamingStft
from rtkaraoke.engine import Engine, music_engine
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks.protocol import MaskNetwork
from rtkaraoke.plugins.limiter import Limiter

N_WARM_UP = 200
N_TURNS = 20
BACK_TO_BACK = "back to back"
PACED = "as live"


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of one stage in milliseconds, one value per hop."""

    wall_ms: NDArray[np.float64]
    cpu_ms: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HopTimings:
    """What :func:`measure` returns.

    ``whole`` has the hop as the engine runs it, :data:`BACK_TO_BACK` and :data:`PACED`: one hop when its time has
    come, as live. The processor has then slept and its caches have served others. ``loop_ms`` is the mean CPU time
    of a hop in a loop without a clock, ``clocks_ms`` the wall time that a hop's clock readings take.
    """

    hop_ms: float
    block: int
    stages: dict[str, Timing]
    whole: dict[str, Timing]
    loop_ms: float
    clocks_ms: float


def measure(
    network: MaskNetwork,
    sample_rate: int,
    n_hops: int,
    block: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> HopTimings:
    """Run ``n_hops`` hops of stereo noise with pauses, four times: by stage, back to back, in a loop, at a live pace.

    Parameters
    ----------
    network : MaskNetwork
    sample_rate : int
        In Hz.
    n_hops : int
        Counted after a warm-up.
    block : int
        Samples that the engine is given at a time; a hop when 0. The stages are always timed by the hop. Where hops
        and blocks do not fit into each other, a hop's time is that of as many blocks as last for a hop or longer,
        in proportion, as a live run counts its load.
    progress : callable, optional
        Gets the number of passes done and the number of all.
    """
    passes = iter(range(1, 5))

    def advance() -> None:
        if progress is not None:
            progress(next(passes), 4)

    hop_ms = 1e3 * network.info.geometry.at_rate(sample_rate).hop_s
    with no_garbage_collection():
        stages = _measure_stages(network, sample_rate, n_hops)
        advance()
        back_to_back, loop_ms = _measure_in_turns(network, sample_rate, n_hops, block)
        advance()
        advance()
        paced = _measure_paced(network, sample_rate, n_hops, block)
        advance()
    whole = {BACK_TO_BACK: back_to_back, PACED: paced}
    return HopTimings(hop_ms, block, stages, whole, loop_ms, 1e-6 * clock_reading_ns())


def clock_reading_ns() -> float:
    """What one reading by the stopwatch, of both clocks before and after, takes: the least of several means."""
    means = []
    for _ in range(10):
        watch = Stopwatch(1000 - N_WARM_UP)
        started = time.perf_counter_ns()
        for _ in range(1000):
            watch.run(_nothing)
        means.append((time.perf_counter_ns() - started) / 1000)
    return min(means)


def _nothing() -> None:
    pass


@contextmanager
def one_core() -> Iterator[None]:
    """Stay on one processor core, the last that there is, so that the figures are those of one."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def noise(n_channels: int, n_samples: int) -> NDArray[np.float32]:
    """Noise at -20 dB; every fourth quarter second is silent, so that states decay to tiny numbers as in songs."""
    generator = np.random.default_rng(1)
    signal = generator.normal(0.0, 0.1, (n_channels, n_samples)).astype(np.float32)
    signal[:, (np.arange(n_samples) // 11_025) % 4 == 3] = 0.0
    return signal


class Stopwatch:
    """Wall and CPU time of one stage, hop by hop; the first ``n_warm_up``, or :data:`N_WARM_UP`, do not count."""

    def __init__(self, n_hops: int, n_warm_up: int | None = None) -> None:
        self._n_warm_up = N_WARM_UP if n_warm_up is None else n_warm_up
        self._times = np.zeros((2, self._n_warm_up + n_hops), np.int64)
        self._hop = 0

    def run(self, stage: Callable[[], object]) -> None:
        """Time one call of ``stage``."""
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        stage()
        self._times[:, self._hop] = time.perf_counter_ns() - wall, time.thread_time_ns() - cpu
        self._hop += 1

    def timing(self, scale: float = 1.0) -> Timing:
        """What was timed so far, times ``scale``."""
        wall, cpu = self._times[:, self._n_warm_up : self._hop] * 1e-6 * scale
        return Timing(wall, cpu)


def _measure_stages(network: MaskNetwork, sample_rate: int, n_hops: int) -> dict[str, Timing]:
    model = network.open(sample_rate)
    geometry, n_channels = model.geometry, 2
    hop, n_bins = geometry.hop, geometry.n_bins
    stft = StreamingStft(geometry, n_channels)
    signal = noise(n_channels, 64 * hop)
    block, out, voice, voice_hop = (np.zeros((n_channels, hop), np.float32) for _ in range(4))
    delay = np.zeros((n_channels, geometry.latency), np.float32)
    spectrum, levelled = (np.zeros((n_channels, n_bins), np.complex64) for _ in range(2))
    mask, smoothed = (np.zeros((n_channels, n_bins), np.float32) for _ in range(2))
    meter = np.zeros((n_channels, 2))
    dry_gain, voice_gain = np.array([1.0, 1.0, 0.0]), np.array([-1.0, -1.0, 0.0])
    guide_gain, duck, energies = np.zeros(3), np.zeros(hop, np.float32), np.zeros(2)
    info = network.info
    shape = info.strength, info.bias, info.alpha, info.theta
    limiter = Limiter()
    limiter.prepare(sample_rate, n_channels, hop)

    def copy() -> None:
        kernels.take_in(block, out, meter)
        kernels.mix_hop(
            out,
            out,
            voice,
            0,
            hop,
            delay,
            0,
            stft.history,
            geometry.window - hop,
            voice_hop,
            dry_gain,
            voice_gain,
            guide_gain,
            duck,
            energies,
        )
        limiter.process(out, out)
        kernels.measure(out, meter)

    def analyse() -> None:
        stft.analyse(spectrum)
        kernels.scale_spectrum(spectrum, geometry.level_scale, levelled)

    def synthesise() -> None:
        kernels.shape_mask(mask, smoothed, *shape, 0.0)
        stft.synthesise(spectrum, mask, voice_hop)

    stages = {
        "copy, mix, limit, meter": copy,
        "window + FFT": analyse,
        "inference": lambda: model.step(levelled, mask),
        "mask + inverse FFT": synthesise,
    }
    watches = {name: Stopwatch(n_hops) for name in stages}
    try:
        for number in range(N_WARM_UP + n_hops):
            start = number % 64 * hop
            np.copyto(block, signal[:, start : start + hop])
            for name, stage in stages.items():
                watches[name].run(stage)
    finally:
        model.close()
    return {name: watch.timing() for name, watch in watches.items()}


class Feed:
    """An engine and endless sound for it, hop after hop in blocks of one size.

    Parameters
    ----------
    engine : Engine
        Prepared for two channels.
    geometry : StftGeometry
        Of its network.
    block : int
        Samples that the engine is given at a time; a hop when 0.
    signal : ndarray, float32 ``(2, sample)``, optional
        Goes round for ever; without it, 64 hops of :func:`noise`.
    """

    def __init__(
        self, engine: Engine, geometry: StftGeometry, block: int = 0, signal: NDArray[np.float32] | None = None
    ) -> None:
        self.engine = engine
        self._hop, self._block_size = geometry.hop, block or geometry.hop
        if signal is None:
            signal = noise(2, 64 * geometry.hop)
        self._signal = np.tile(signal, -(-self._block_size // signal.shape[1]) + 1)
        self._length = signal.shape[1]
        self._block, self._out = (np.zeros((2, self._block_size), np.float32) for _ in range(2))
        self._at = 0
        #: samples of one :meth:`run`: as many blocks as last for a hop or longer
        self.n_samples = -(-self._hop // self._block_size) * self._block_size

    def run(self) -> None:
        """One hop, or as many blocks as last for one or longer."""
        for _ in range(self.n_samples // self._block_size):
            np.copyto(self._block, self._signal[:, self._at : self._at + self._block_size])
            self._at = (self._at + self._block_size) % self._length
            self.engine.process(self._block, self._out)


@contextmanager
def feeding(
    network: MaskNetwork, sample_rate: int, block: int = 0, signal: NDArray[np.float32] | None = None
) -> Iterator[Feed]:
    """The default engine with ``network``, prepared and warm, and sound for it; see :class:`Feed`."""
    geometry = network.info.geometry.at_rate(sample_rate)
    with music_engine(network) as engine:
        engine.prepare(sample_rate, 2, max(geometry.hop, block))
        engine.warm_up()
        yield Feed(engine, geometry, block, signal)


def _measure_in_turns(network: MaskNetwork, sample_rate: int, n_hops: int, block: int) -> tuple[Timing, float]:
    """Each hop, back to back; and their mean CPU time in ms in another engine, from clocks at the ends of a loop.

    The two take turns, so that both meet the same machine: one that grows slower meanwhile is slower for both.
    """
    watch, loop_ns, hop = Stopwatch(n_hops), 0, network.info.geometry.at_rate(sample_rate).hop
    with feeding(network, sample_rate, block) as feed, feeding(network, sample_rate, block) as other:
        for _ in range(N_WARM_UP):
            watch.run(feed.run)
            other.run()
        for turn in range(N_TURNS):
            n_runs = (turn + 1) * n_hops // N_TURNS - turn * n_hops // N_TURNS
            for _ in range(n_runs):
                watch.run(feed.run)
            started_ns = time.thread_time_ns()
            for _ in range(n_runs):
                other.run()
            loop_ns += time.thread_time_ns() - started_ns
    scale = hop / feed.n_samples
    return watch.timing(scale), 1e-6 * loop_ns / n_hops * scale


def _measure_paced(network: MaskNetwork, sample_rate: int, n_hops: int, block: int) -> Timing:
    watch, hop = Stopwatch(n_hops), network.info.geometry.at_rate(sample_rate).hop
    with feeding(network, sample_rate, block) as feed:
        duration_s = feed.n_samples / sample_rate
        started = time.perf_counter()
        for number in range(N_WARM_UP + n_hops):
            time.sleep(max(0.0, started + number * duration_s - time.perf_counter()))
            watch.run(feed.run)
    return watch.timing(hop / feed.n_samples)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """As while live."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
