"""Garbage collection: hops beside a thread that allocates, the collector as Python has it and as the engine has it."""

import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.bench.hop import feeding
from rtkaraoke.bench.load import busy_thread
from rtkaraoke.live.child import SWITCH_INTERVAL_S
from rtkaraoke.masks.protocol import MaskNetwork

BURST = 20_000  #: lists that the thread makes and drops at a time
REST_S = 0.01


@dataclass
class Pauses:
    """Time of each hop from when it was due until it was done, and of each collection meanwhile.

    All threads of Python stand still for a collection, so most of them begin while the hop's thread waits for its time.
    """

    hops_ms: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    collections_ms: list[float] = field(default_factory=list)

    @property
    def longest_ms(self) -> float:
        """Of the collections; 0 where there was none."""
        return max(self.collections_ms, default=0.0)


def measure(network: MaskNetwork, n_hops: int, *, as_live: bool, sample_rate: int = 44_100) -> Pauses:
    """Run ``n_hops`` hops beside an allocating thread.

    Parameters
    ----------
    network : MaskNetwork
    n_hops : int
        At the pace of the sound.
    as_live : bool
        Whether the collector is frozen and off, as in the engine's process, or as Python has it.
    sample_rate : int
        In Hz.
    """
    found = Pauses()
    hop_s = network.info.geometry.at_rate(sample_rate).hop_s
    done_s = np.zeros(n_hops)
    with (
        feeding(network, sample_rate) as feed,
        _collector(as_live),
        _noting(found.collections_ms),
        busy_thread(True, _allocate, "allocating"),
    ):
        started = time.perf_counter()
        for number in range(n_hops):
            time.sleep(max(0.0, started + number * hop_s - time.perf_counter()))
            feed.run()
            done_s[number] = time.perf_counter()
    found.hops_ms = 1e3 * (done_s - started - hop_s * np.arange(n_hops))
    return found


@contextmanager
def _collector(as_live: bool) -> Iterator[None]:
    was_enabled, interval_s = gc.isenabled(), sys.getswitchinterval()
    gc.collect()
    if as_live:
        gc.freeze()
        gc.disable()
    else:
        gc.enable()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(interval_s)
        (gc.enable if was_enabled else gc.disable)()
        gc.unfreeze()


def _allocate() -> None:
    _ = [[number] for number in range(BURST)]
    time.sleep(REST_S)


@contextmanager
def _noting(collections_ms: list[float]) -> Iterator[None]:
    started_ns = 0

    def note(phase: str, _info: dict[str, int]) -> None:
        nonlocal started_ns
        if phase == "start":
            started_ns = time.perf_counter_ns()
        else:
            collections_ms.append(1e-6 * (time.perf_counter_ns() - started_ns))

    gc.callbacks.append(note)
    try:
        yield
    finally:
        gc.callbacks.remove(note)
