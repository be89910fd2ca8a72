"""Runs a plugin outside of an engine: over a signal cut in any way, with parameters that move; against the clock."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.plugins.protocol import Plugin

Create = Callable[[], Plugin]
Signal = NDArray[np.float32]  #: ``(channel, sample)``
Change = tuple[int, str, float]  #: at this sample, this parameter, this value

RATE = 48_000
MAX_BLOCK = 4096
TIMED_BLOCK = 128


def run(plugin: Plugin, signal: Signal, sizes: Sequence[int] = (512,), changes: Sequence[Change] = ()) -> Signal:
    """Stream ``signal`` ``(channel, sample)`` through a prepared plugin in blocks of ``sizes``, over and over.

    A block ends where a parameter changes.
    """
    out = np.zeros_like(signal)
    pending = sorted(changes, key=lambda change: change[0])[::-1]
    start = n = 0
    while start < signal.shape[1]:
        while pending and pending[-1][0] <= start:
            _, name, value = pending.pop()
            plugin.set(name, value)
        end = min(start + sizes[n % len(sizes)], signal.shape[1], *(at for at, *_ in pending[-1:]))
        block = signal[:, start:end].copy()
        plugin.process(block, block)
        out[:, start:end] = block
        start, n = end, n + 1
    return out


@contextmanager
def prepared(
    create: Create, sample_rate: int = RATE, n_channels: int = 2, values: Mapping[str, float] | None = None
) -> Iterator[Plugin]:
    """A plugin with ``values`` set, ready for blocks up to ``MAX_BLOCK``; closed at the end."""
    plugin = create()
    try:
        for name, value in (values or {}).items():
            plugin.set(name, value)
        plugin.prepare(sample_rate, n_channels, MAX_BLOCK)
        yield plugin
    finally:
        plugin.close()


def noise(n_samples: int, n_channels: int = 2, level: float = 0.3) -> Signal:
    """The same white noise every time."""
    return (level * np.random.default_rng(1).standard_normal((n_channels, n_samples))).astype(np.float32)


def time_blocks(create: Create, n_blocks: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Microseconds that each stereo block of ``TIMED_BLOCK`` samples takes: on the wall, and of CPU time."""
    n_warm_up, n_different = min(200, n_blocks), 64
    signal = noise(n_different * TIMED_BLOCK)
    blocks = [signal[:, TIMED_BLOCK * n :][:, :TIMED_BLOCK].copy() for n in range(n_different)]
    out = np.zeros((2, TIMED_BLOCK), np.float32)
    times_ns = np.zeros((2, n_warm_up + n_blocks), np.int64)
    with prepared(create) as plugin:
        for n in range(n_warm_up + n_blocks):
            wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
            plugin.process(blocks[n % n_different], out)
            times_ns[:, n] = time.perf_counter_ns() - wall, time.thread_time_ns() - cpu
    wall_us, cpu_us = 1e-3 * times_ns[:, n_warm_up:]
    return wall_us, cpu_us
