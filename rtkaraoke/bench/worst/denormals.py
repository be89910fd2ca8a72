"""Denormal numbers, below 1.2e-38, which some processors calculate a hundred times more slowly with."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.bench.hop import Stopwatch, Timing, feeding
from rtkaraoke.bench.worst.steps import step_times
from rtkaraoke.dsp import kernels
from rtkaraoke.dsp.stft import StreamingStft
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks.protocol import MaskNetwork

LEVEL = 0.1
DENORMAL = 1e-40
NORMAL = "noise at -20 dB"
N_SETTLING = 100  #: hops before those that count


@dataclass(frozen=True, slots=True)
class Case:
    """Times of hops, and wall time of the network's steps within them, for one kind of sound."""

    sound: str
    hops: Timing
    steps_ms: NDArray[np.float64]


def sounds(n_samples: int) -> dict[str, NDArray[np.float32]]:
    """The sounds to compare, float32 ``(2, n_samples)``, by name."""
    noise = np.random.default_rng(1).normal(0.0, 1.0, (2, n_samples))
    dying = np.geomspace(LEVEL, 1e-45, n_samples)
    silenced = np.where(np.arange(n_samples) < n_samples // 8, LEVEL, 0.0)
    levels: dict[str, NDArray[np.float64] | float] = {
        NORMAL: LEVEL,
        "silence": 0.0,
        "noise, then silence": silenced,
        "a tail that dies away to 1e-45": dying,
        "denormal noise, 1e-40": DENORMAL,
    }
    return {name: np.multiply(level, noise).astype(np.float32) for name, level in levels.items()}


def measure(network: MaskNetwork, n_hops: int, sample_rate: int = 44_100) -> list[Case]:
    """Run the whole engine on each of the sounds, with masks smoothed over time: a state that decays."""
    geometry = network.info.geometry.at_rate(sample_rate)
    cases = []
    for name, signal in sounds((N_SETTLING + n_hops) * geometry.hop).items():
        watch = Stopwatch(n_hops, N_SETTLING)
        with feeding(network, sample_rate, signal=signal) as feed:
            feed.engine.set("vocal_remover", "smoothing", 20.0)
            for _ in range(N_SETTLING + n_hops):
                watch.run(feed.run)
            steps_ms = step_times(feed.engine).kept_ms()[-n_hops:]
        cases.append(Case(name, watch.timing(), steps_ms))
    return cases


def measure_kernels(geometry: StftGeometry, n_calls: int) -> dict[str, tuple[float, float]]:
    """Median time of the hop's kernels in ms, for numbers around 1 and for denormal ones."""
    normal, denormal = (_kernel_times(geometry, n_calls, level) for level in (1.0, DENORMAL))
    return {name: (normal[name], denormal[name]) for name in normal}


def _kernel_times(geometry: StftGeometry, n_calls: int, level: float) -> dict[str, float]:
    """Median time of each kernel in ms, with every one of its states and inputs around ``level``."""
    rng = np.random.default_rng(1)

    def numbers(*shape: int) -> NDArray[np.float32]:
        return (level * rng.uniform(0.1, 1.0, shape)).astype(np.float32)

    n_bins, one, none = geometry.n_bins, np.float32(1.0), np.float32(0.0)
    stft = StreamingStft(geometry, 2)
    stft.history[:] = numbers(*stft.history.shape)
    spectrum = np.zeros((2, n_bins), np.complex64)
    input_spectrum = (numbers(2, n_bins) + 1j * numbers(2, n_bins)).astype(np.complex64)
    mask, smoothed, average, held, hop = (numbers(2, n) for n in (n_bins, n_bins, n_bins, n_bins, geometry.hop))
    taken, whole, meter = np.zeros_like(hop), np.ones((2, n_bins), np.float32), np.zeros((2, 2))
    calls: dict[str, Callable[[], object]] = {
        "take in": lambda: kernels.take_in(hop, taken, meter),
        "analyse": lambda: stft.analyse(spectrum),
        "scale": lambda: kernels.scale_spectrum(input_spectrum, one, spectrum),
        "shape and smooth the mask": lambda: kernels.shape_mask(mask, smoothed, one, none, none, none, np.float32(0.9)),
        "average mask": lambda: kernels.blend_into(average, held, np.float32(0.01)),
        "synthesise": lambda: stft.synthesise(input_spectrum, whole, hop),
    }
    return {name: _median_ms(call, n_calls) for name, call in calls.items()}


def _median_ms(call: Callable[[], object], n_calls: int) -> float:
    times = np.zeros(n_calls, np.int64)
    for number in range(n_calls):
        started = time.perf_counter_ns()
        call()
        times[number] = time.perf_counter_ns() - started
    return 1e-6 * float(np.median(times))
