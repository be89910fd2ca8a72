"""Mask models for tests of what surrounds them: constant, remembering, scripted to be slow or to fail."""

import threading
from collections.abc import Callable

import numpy as np

from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks.protocol import Mask, ModelInfo, Spectrum
from tests.support.networks import GEOMETRY


class FakeModel:
    """A :class:`~rtkaraoke.masks.protocol.MaskModel` whose ``answer(spectrum, mask, step)`` is a function."""

    def __init__(self, info: ModelInfo, geometry: StftGeometry, answer: Callable[[Spectrum, Mask, int], None]) -> None:
        self.info = info
        self.geometry = geometry
        self.n_steps = 0
        self.closed = False
        self._answer = answer

    def step(self, spectrum: Spectrum, mask: Mask) -> None:
        self._answer(spectrum, mask, self.n_steps)
        self.n_steps += 1

    def reset(self) -> None:
        self.n_steps = 0

    def close(self) -> None:
        self.closed = True


class FakeNetwork:
    """A :class:`~rtkaraoke.masks.protocol.MaskNetwork`; ``model`` is the one last opened."""

    def __init__(
        self, answer: Callable[[Spectrum, Mask, int], None], geometry: StftGeometry = GEOMETRY, **info: float
    ) -> None:
        self.info = ModelInfo("fake", geometry, **info)
        self._answer = answer
        self.model: FakeModel | None = None

    def open(self, sample_rate: int) -> FakeModel:
        self.model = FakeModel(self.info, self.info.geometry.at_rate(sample_rate), self._answer)
        return self.model


def constant(value: float, **options: object) -> FakeNetwork:
    """The same mask everywhere."""

    def answer(spectrum: Spectrum, mask: Mask, step: int) -> None:
        mask.fill(value)

    return FakeNetwork(answer, **options)


def counting() -> FakeNetwork:
    """Odd steps 0, even steps 1: a lost or repeated step shows. Depends on the spectrum too."""

    def answer(spectrum: Spectrum, mask: Mask, step: int) -> None:
        np.abs(spectrum, out=mask)
        mask /= 1.0 + mask
        mask *= 0.25 + 0.5 * (step % 3)

    return FakeNetwork(answer)


class Gate:
    """Lets a network's steps through one by one, as a test says; their masks count them, or have one ``value``."""

    def __init__(self, value: float | None = None) -> None:
        self._value = value
        self._permits = threading.Semaphore(0)
        self._entered = threading.Semaphore(0)

    def __call__(self, spectrum: Spectrum, mask: Mask, step: int) -> None:
        self._entered.release()
        if not self._permits.acquire(timeout=30):
            raise TimeoutError("the test left the gate closed")
        mask.fill(step + 1 if self._value is None else self._value)

    def open(self, n_steps: int = 1) -> None:
        """Let ``n_steps`` steps finish."""
        for _ in range(n_steps):
            self._permits.release()

    def wait_entered(self) -> None:
        """Until one more step has begun."""
        assert self._entered.acquire(timeout=30)
