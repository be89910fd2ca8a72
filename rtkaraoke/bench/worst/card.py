"""Stalls of a graphics card, and what its clock does to the first steps after a pause."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.masks.protocol import MaskNetwork

N_WARM_UP = 100
N_AFTER = 50  #: steps after a pause
MAX_STEPS = 1_000_000


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Wall times of steps in ms.

    Back to back, and ``(pause, step)`` at the pace of hops after pauses of so many seconds.
    """

    back_to_back_ms: NDArray[np.float64]
    after_ms: dict[float, NDArray[np.float64]]


def measure(
    network: MaskNetwork, seconds: float, pauses_s: Sequence[float], n_pauses: int, sample_rate: int = 44_100
) -> StepTimes:
    """Time steps on noise, wherever ``network`` runs.

    Parameters
    ----------
    network : MaskNetwork
        On the provider that it was loaded for.
    seconds : float
        Back to back.
    pauses_s : sequence of float
        Lengths of pauses in seconds; after each come :data:`N_AFTER` steps at the pace of live sound.
    n_pauses : int
        Of each length.
    sample_rate : int
        In Hz.
    """
    model = network.open(sample_rate)
    n_bins = model.geometry.n_bins
    rng = np.random.default_rng(1)
    spectrum = (rng.normal(0, 1, (2, n_bins)) + 1j * rng.normal(0, 1, (2, n_bins))).astype(np.complex64)
    mask = np.zeros((2, n_bins), np.float32)

    def step_ns() -> int:
        started = time.perf_counter_ns()
        model.step(spectrum, mask)
        return time.perf_counter_ns() - started

    try:
        for _ in range(N_WARM_UP):
            step_ns()
        times = np.zeros(MAX_STEPS, np.int64)
        n_steps, ends = 0, time.perf_counter() + seconds
        while n_steps == 0 or (n_steps < MAX_STEPS and time.perf_counter() < ends):
            times[n_steps] = step_ns()
            n_steps += 1
        after: dict[float, NDArray[np.float64]] = {}
        for pause_s in pauses_s:
            rows = np.zeros((n_pauses, N_AFTER), np.int64)
            for row in rows:
                time.sleep(pause_s)
                for number in range(N_AFTER):
                    row[number] = step_ns()
                    time.sleep(max(0.0, model.geometry.hop_s - 1e-9 * row[number]))
            after[pause_s] = np.multiply(rows, 1e-6, dtype=np.float64)
    finally:
        model.close()
    return StepTimes(np.multiply(times[:n_steps], 1e-6, dtype=np.float64), after)
