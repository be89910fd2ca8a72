"""A stereo signal in which every sample says its own number, and the accounting of what became of it.

With the voice untouched a stream must return its input bit for bit, later. Sent through it, this signal shows every
sample that was lost, silenced, repeated or altered, and the latency to the sample, at every moment.

Sample ``k`` is ``(k mod 2^15 + 1, k div 2^15 + 1) / 2^17``: exact in float32, never zero, and at most 0.25 for the
first six hours at 44.1 kHz.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

PERIOD = 1 << 15
SCALE = np.float32(2.0**-17)


def encode(start: int, n_samples: int) -> NDArray[np.float32]:
    """Samples ``start`` to ``start + n_samples`` of the signal, ``(sample, 2)``."""
    numbers = np.arange(start, start + n_samples)
    return (np.stack([numbers % PERIOD + 1, numbers // PERIOD + 1], axis=1) * SCALE).astype(np.float32)


def decode(samples: NDArray[np.float32]) -> NDArray[np.int64]:
    """The number of each of ``samples`` ``(sample, 2)``; -1 for silence, -2 for what is no sample of the signal."""
    units = samples.astype(np.float64) / float(SCALE)
    whole = np.rint(units)
    low, high = whole[:, 0].astype(np.int64), whole[:, 1].astype(np.int64)
    valid = (units == whole).all(axis=1) & (low >= 1) & (low <= PERIOD) & (high >= 1)
    numbers = np.where(valid, (high - 1) * PERIOD + low - 1, -2)
    numbers[(samples == 0).all(axis=1)] = -1
    return numbers


@dataclass
class Accounts:
    """What came back of the signal, counted from its first sample on.

    ``latencies`` maps every latency that occurred, in samples, to how many samples had it; ``last_latency`` is that
    of the latest sample.
    """

    n_samples: int = 0
    silent: int = 0
    altered: int = 0
    lost: int = 0
    repeated: int = 0
    latencies: dict[int, int] = field(default_factory=dict)
    last_latency: int | None = None
    _last: int = -1
    _received: int = 0

    @property
    def started(self) -> bool:
        """Whether anything has come back."""
        return self._last >= 0

    @property
    def latency(self) -> int | None:
        """The latency that most samples had; None before the first."""
        return max(self.latencies, key=self.latencies.__getitem__, default=None)

    @property
    def displaced(self) -> int:
        """Samples that came with another latency than most."""
        return sum(self.latencies.values()) - max(self.latencies.values(), default=0)

    @property
    def flawed(self) -> int:
        """Samples with anything wrong; one that has two things wrong counts twice."""
        return self.silent + self.altered + self.lost + self.repeated + self.displaced

    @property
    def flawless(self) -> bool:
        """Whether every sample came back, once, unaltered, with one latency."""
        return self.started and not self.flawed

    def add(self, received: NDArray[np.float32]) -> None:
        """Account for the next samples ``(sample, 2)`` that came back; latency counts from the first ever added."""
        numbers = decode(received)
        positions = np.arange(self._received, self._received + len(numbers))
        self._received += len(numbers)
        valid = numbers >= 0
        if not self.started:
            if not valid.any():
                return
            first = int(np.argmax(valid))
            numbers, positions, valid = numbers[first:], positions[first:], valid[first:]
            self._last = int(numbers[0]) - 1
        self.n_samples += len(numbers)
        self.silent += int(np.count_nonzero(numbers == -1))
        self.altered += int(np.count_nonzero(numbers == -2))
        heard = numbers[valid]
        if not len(heard):
            return
        steps = np.diff(heard, prepend=self._last)
        self.lost += int(np.sum(np.maximum(steps - 1, 0)))
        self.repeated += int(np.count_nonzero(steps <= 0))
        self._last = int(heard[-1])
        for latency, count in zip(*np.unique(positions[valid] - heard, return_counts=True), strict=True):
            self.latencies[int(latency)] = self.latencies.get(int(latency), 0) + int(count)
        self.last_latency = int(positions[valid][-1] - heard[-1])
