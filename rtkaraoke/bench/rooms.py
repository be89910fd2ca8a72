"""How many rooms one core, or one card, carries: the time of a hop in which all of them are served."""

import gc
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.masks.onnx import Network
from rtkaraoke.rooms import Rooms

N_WARM_UP = 50


@dataclass(frozen=True, slots=True)
class RoomTimings:
    """``wall_ms`` and ``cpu_ms``: what serving all rooms took, one value per hop; ``hop_ms`` is what it may take."""

    n_rooms: int
    hop_ms: float
    wall_ms: NDArray[np.float64]
    cpu_ms: NDArray[np.float64]

    @property
    def n_missed(self) -> int:
        """Hops that took longer than they last."""
        return int(np.count_nonzero(self.wall_ms > self.hop_ms))


def measure(network: Network, n_rooms: int, n_hops: int, sample_rate: int = 44_100) -> RoomTimings:
    """Serve ``n_rooms`` rooms for ``n_hops`` hops of noise, back to back, on the calling thread."""
    rng = np.random.default_rng(0)
    with Rooms(network, n_rooms, sample_rate=sample_rate) as rooms:
        numbers = [rooms.join() for _ in range(n_rooms)]
        blocks = {room: rng.uniform(-0.3, 0.3, (2, rooms.hop)).astype(np.float32) for room in numbers}
        out = {room: np.zeros_like(block) for room, block in blocks.items()}
        times = np.zeros((2, n_hops), np.int64)
        gc.collect()
        for n in range(-N_WARM_UP, n_hops):
            wall_ns, cpu_ns = time.perf_counter_ns(), time.thread_time_ns()
            rooms.process(blocks, out)
            if n >= 0:
                times[:, n] = time.perf_counter_ns() - wall_ns, time.thread_time_ns() - cpu_ns
        wall_ms, cpu_ms = 1e-6 * times
    return RoomTimings(n_rooms, 1e3 * network.info.geometry.at_rate(sample_rate).hop / sample_rate, wall_ms, cpu_ms)
