"""How long one hop takes, stage by stage, and how many hops would have come too late.

Two clocks are read: the wall's, which a live stream obeys, and the thread's CPU time, which other programs on the
machine do not stretch. The stages are timed one by one in the order of the engine; the whole hop is then timed as
what it is in use, one call of :meth:`rtkaraoke.engine.Engine.process`.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.dsp import kernels
from rtkaraoke.dsp.stft import StreamingStft
from rtkaraoke.engine import music_engine
from rtkaraoke.masks.protocol import MaskNetwork
from rtkaraoke.plugins.limiter import Limiter

N_WARM_UP = 200
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
    come, as live. The processor has then slept and its caches have served others.
    """

    hop_ms: float
    stages: dict[str, Timing]
    whole: dict[str, Timing]


def measure(network: MaskNetwork, sample_rate: int, n_hops: int) -> HopTimings:
    """Run ``n_hops`` hops of stereo noise with pauses, three times: by stage, back to back, and at a live pace.

    Parameters
    ----------
    network : MaskNetwork
    sample_rate : int
        In Hz.
    n_hops : int
        Counted after a warm-up.
    """
    with _no_garbage_collection():
        stages = _measure_stages(network, sample_rate, n_hops)
        whole = {pace: _measure_whole(network, sample_rate, n_hops, pace == PACED) for pace in (BACK_TO_BACK, PACED)}
    return HopTimings(1e3 * network.info.geometry.at_rate(sample_rate).hop_s, stages, whole)


def noise(n_channels: int, n_samples: int) -> NDArray[np.float32]:
    """Noise at -20 dB; every fourth quarter second is silent, so that states decay to tiny numbers as in songs."""
    generator = np.random.default_rng(1)
    signal = generator.normal(0.0, 0.1, (n_channels, n_samples)).astype(np.float32)
    signal[:, (np.arange(n_samples) // 11_025) % 4 == 3] = 0.0
    return signal


class _Stopwatch:
    """Wall and CPU time of one stage, hop by hop."""

    def __init__(self, n_hops: int) -> None:
        self._times = np.zeros((2, N_WARM_UP + n_hops), np.int64)
        self._hop = 0

    def run(self, stage: Callable[[], object]) -> None:
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        stage()
        self._times[:, self._hop] = time.perf_counter_ns() - wall, time.thread_time_ns() - cpu
        self._hop += 1

    def timing(self) -> Timing:
        wall, cpu = self._times[:, N_WARM_UP:] * 1e-6
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
    watches = {name: _Stopwatch(n_hops) for name in stages}
    try:
        for number in range(N_WARM_UP + n_hops):
            start = number % 64 * hop
            np.copyto(block, signal[:, start : start + hop])
            for name, stage in stages.items():
                watches[name].run(stage)
    finally:
        model.close()
    return {name: watch.timing() for name, watch in watches.items()}


def _measure_whole(network: MaskNetwork, sample_rate: int, n_hops: int, paced: bool) -> Timing:
    geometry = network.info.geometry.at_rate(sample_rate)
    hop, watch = geometry.hop, _Stopwatch(n_hops)
    block, out = np.zeros((2, hop), np.float32), np.zeros((2, hop), np.float32)
    signal = noise(2, 64 * hop)
    with music_engine(network) as engine:
        engine.prepare(sample_rate, 2, hop)
        engine.warm_up()
        started = time.perf_counter()
        for number in range(N_WARM_UP + n_hops):
            start = number % 64 * hop
            np.copyto(block, signal[:, start : start + hop])
            if paced:
                time.sleep(max(0.0, started + number * geometry.hop_s - time.perf_counter()))
            watch.run(lambda: engine.process(block, out))
    return watch.timing()


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """As while live."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
