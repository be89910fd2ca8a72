"""Many rooms on one core or one card: an engine each, one network run per hop for all of them."""

import math
from collections.abc import Callable

import numpy as np

from rtkaraoke.closing import Closing
from rtkaraoke.engine import Engine, music_engine
from rtkaraoke.errors import RtkaraokeError
from rtkaraoke.masks.batched import BatchedNetwork
from rtkaraoke.masks.onnx import Network
from rtkaraoke.masks.protocol import MaskNetwork
from rtkaraoke.plugins.protocol import Block


class Rooms(Closing):
    """Engines that share a network's runs.

    Rooms join and leave at any time, and each sounds as it would alone. They are processed in turn, a hop at most at a
    time, on one thread. A room that joins between two hops of the others has hops, and runs, of its own: a server lets
    rooms in when a hop begins.

    Parameters
    ----------
    network : Network
        From :func:`rtkaraoke.load_model`.
    n_rooms : int
        Rooms that there is place for. A run costs as much for the empty ones.
    sample_rate, n_channels, max_block : int
        As in :meth:`Engine.prepare`.
    make_engine : callable, optional
        Makes a room's engine around the network that it is given; :func:`~rtkaraoke.engine.music_engine` when left out.

    Raises
    ------
    RtkaraokeError
        What the engine or the network refuse.
    """

    def __init__(
        self,
        network: Network,
        n_rooms: int,
        *,
        sample_rate: int,
        n_channels: int = 2,
        max_block: int = 1024,
        make_engine: Callable[[MaskNetwork], Engine] = music_engine,
    ) -> None:
        self.network = BatchedNetwork(network, n_rooms)
        self.hop = network.info.geometry.at_rate(sample_rate).hop
        self._prepared = (sample_rate, n_channels, max_block)
        self._make_engine = make_engine
        self._engines: dict[int, Engine] = {}
        self._next = 0
        self._memory = np.zeros((2, n_channels * max_block), np.float32)

    @property
    def engines(self) -> dict[int, Engine]:
        """The engine of each room by its number, to move its parameters."""
        return self._engines

    def join(self) -> int:
        """Open a room; its number. Raises :class:`~rtkaraoke.errors.ModelError` when there is no place."""
        engine = self._make_engine(self.network)
        try:
            engine.prepare(*self._prepared)
        except Exception:
            engine.close()
            raise
        self._engines[self._next] = engine
        self._next += 1
        return self._next - 1

    def leave(self, room: int) -> None:
        """Close a room. Raises :class:`~rtkaraoke.errors.RtkaraokeError` when there is none of that number."""
        self._engine(room).close()
        del self._engines[room]

    def process(self, blocks: dict[int, Block], out: dict[int, Block]) -> None:
        """Fill ``out`` from ``blocks``, by room, each float32 ``(channel, n)`` with the same n up to ``max_block``.

        A room that is left out hears nothing and waits.
        """
        n_samples = max((block.shape[1] for block in blocks.values()), default=0)
        for start in range(0, n_samples, self.hop):
            piece = slice(start, min(start + self.hop, n_samples))
            for room, block in blocks.items():
                shape = (len(block), piece.stop - start)
                heard, played = (memory[: math.prod(shape)].reshape(shape) for memory in self._memory)
                np.copyto(heard, block[:, piece])
                self._engine(room).process(heard, played)
                np.copyto(out[room][:, piece], played)

    def close(self) -> None:
        """Close every room and the batch. May be called twice."""
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()
        self.network.close()

    def _engine(self, room: int) -> Engine:
        try:
            return self._engines[room]
        except KeyError:
            raise RtkaraokeError(f"no room {room}: there are {sorted(self._engines) or 'none'}") from None
