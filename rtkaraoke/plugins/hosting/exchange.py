"""What a contained plugin and its host share: the memory that blocks travel in, and the words that are said about it.

Audio never goes through a pipe. A wire (a pair of sockets) carries one byte for each block that lies ready, in either
direction: the kernel wakes who waits for it, orders the memory, and tells at once when the other end has died.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.plugins.protocol import Block, Parameter

SLOTS = 2  #: blocks that may be on their way: the one that is due and the one after it
_LINE = 64  # bytes of a cache line: nothing that two processes write shares one


@dataclass(frozen=True, slots=True)
class Description:
    """What the child tells of its plugin, once it is made."""

    name: str
    parameters: tuple[Parameter, ...]
    presets: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Preparation:
    """What the host asks of the child before the first block: life at ``sample_rate`` Hz, in blocks of one size."""

    sample_rate: int
    n_channels: int
    block: int
    values: tuple[float, ...]  #: of every parameter, in the order of their declaration
    memory: str  #: name of the shared memory


class Slot:
    """One block on its way.

    Attributes
    ----------
    reset : ndarray, int64 ``(1,)``
        1 when the plugin is to forget the signal before this block.
    values : ndarray, float64 ``(2, parameter)``
        Every parameter's target: when the signal is forgotten, and from this block on.
    sent, returned : ndarray, float32 ``(channel, block)``
        The plugin's input, and its output.
    """

    __slots__ = ("reset", "returned", "sent", "values")

    def __init__(self, data: memoryview, offset: int, n_channels: int, block: int, n_parameters: int) -> None:
        signal = _padded(4 * n_channels * block)
        self.reset: NDArray[np.int64] = np.ndarray((1,), np.int64, data, offset)
        self.values: NDArray[np.float64] = np.ndarray((2, n_parameters), np.float64, data, offset + 8)
        offset += _padded(8 + 16 * n_parameters)
        self.sent: Block = np.ndarray((n_channels, block), np.float32, data, offset)
        self.returned: Block = np.ndarray((n_channels, block), np.float32, data, offset + signal)


class Exchange:
    """The shared memory of one contained plugin.

    Parameters
    ----------
    n_channels, block : int
        Shape of every block.
    n_parameters : int
    name : str, optional
        Of memory that is there; without it, new memory is made.

    Attributes
    ----------
    done : ndarray, int64 ``(1,)``
        Blocks that the child has answered.
    slots : list of Slot
        Block ``n`` travels in ``slots[n % SLOTS]``.
    """

    def __init__(self, n_channels: int, block: int, n_parameters: int, name: str | None = None) -> None:
        size = _padded(8 + 16 * n_parameters) + 2 * _padded(4 * n_channels * block)
        if name is None:
            self._memory = SharedMemory(create=True, size=_LINE + SLOTS * size)
        else:
            self._memory = SharedMemory(name)
        self.name = self._memory.name
        self._linked = name is None
        data = self._memory.buf
        assert data is not None
        self.done: NDArray[np.int64] = np.ndarray((1,), np.int64, data)
        self.slots = [Slot(data, _LINE + index * size, n_channels, block, n_parameters) for index in range(SLOTS)]

    def unlink(self) -> None:
        """Take the name away once both sides have the memory: it then ends with them, however they end."""
        if self._linked:
            self._linked = False
            self._memory.unlink()

    def close(self) -> None:
        """Let go of the memory; nothing of it may be used afterwards. May be called twice."""
        self.unlink()
        self.slots = []
        self.done = np.zeros(1, np.int64)
        self._memory.close()


def _padded(n_bytes: int) -> int:
    return -(-n_bytes // _LINE) * _LINE
