"""From the reader thread to the worker."""

from collections.abc import Iterator

import numpy as np

from rtkaraoke.plugins.protocol import Block


class Ring:
    """One writer, one reader, no lock: each moves its own count and reads the other's.

    Parameters
    ----------
    n_rows, size : int
        Channels and samples that it holds.
    start_s : float
        The song's time at the first sample that is written.
    step_s : float
        How much of the song's time a sample takes.
    join_at : int, optional
        :attr:`n_read` of the ring before this one, at which this one continues it.
    """

    def __init__(self, n_rows: int, size: int, start_s: float, step_s: float, join_at: int | None = None) -> None:
        self.start_s = start_s
        self.step_s = step_s
        self.join_at = join_at
        self.ended = False  # nothing more comes
        self.n_read = 0
        self._written = 0
        self._data = np.zeros((n_rows, size), np.float32)

    @property
    def position_s(self) -> float:
        """The song's time that comes out next."""
        return self.start_s + self.n_read * self.step_s

    @property
    def filled(self) -> int:
        """Samples that can be read."""
        return self._written - self.n_read

    @property
    def free(self) -> int:
        """Samples that can be written."""
        return self._data.shape[1] - self.filled

    def write(self, block: Block) -> None:
        """Append ``block`` ``(row, n)`` with n up to :attr:`free`."""
        for here, there in self._spans(self._written, block.shape[1]):
            self._data[:, here] = block[:, there]
        self._written += block.shape[1]

    def read(self, out: Block) -> int:
        """Fill ``out`` from the start, zeros where there is nothing; returns how many samples there were.

        Rows beyond the ring's become zeros, rows that ``out`` lacks are left out. Realtime safe.
        """
        n_rows = min(len(self._data), len(out))
        n_samples = min(self.filled, out.shape[1])
        for here, there in self._spans(self.n_read, n_samples):
            out[:n_rows, there] = self._data[:n_rows, here]
        out[:n_rows, n_samples:] = 0.0
        out[n_rows:] = 0.0
        self.n_read += n_samples
        return n_samples

    def skip(self, n_samples: int) -> None:
        """Leave out the next ``n_samples``, up to :attr:`filled`."""
        self.n_read += n_samples

    def _spans(self, count: int, n_samples: int) -> Iterator[tuple[slice, slice]]:
        """Where ``n_samples`` from ``count`` on lie in the ring, and where in a block: one or two pieces."""
        size = self._data.shape[1]
        at = count % size
        first = min(n_samples, size - at)
        yield slice(at, at + first), slice(0, first)
        if first < n_samples:
            yield slice(0, n_samples - first), slice(first, n_samples)
