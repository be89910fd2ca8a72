"""A network that several rooms share: each has a slot in one batch, and one run per hop answers all of them."""

from collections.abc import Callable

from rtkaraoke.errors import ModelError
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks.batch import Batch
from rtkaraoke.masks.onnx import Network
from rtkaraoke.masks.protocol import Mask, ModelInfo, Spectrum


class BatchedNetwork:
    """A :class:`~rtkaraoke.masks.protocol.MaskNetwork` with a fixed number of slots.

    Rooms join by :meth:`open` and leave by closing what they got, at any time. The first room that asks for the mask of
    a hop starts the run for all that have handed in theirs until then: rooms that are processed in turn, hop by hop,
    cost one run per hop. See :class:`rtkaraoke.rooms.Rooms`. Everything happens on one thread.

    Parameters
    ----------
    network : Network
    n_slots : int
        Rooms that there is place for. A run costs as much for the empty ones.

    Raises
    ------
    ModelError
        For a batch without a slot.
    ProviderError
        When the card refuses another session.
    """

    def __init__(self, network: Network, n_slots: int) -> None:
        if n_slots < 1:
            raise ModelError(f"a batch of {n_slots} slots: wanted 1 or more")
        self.info = network.info
        self.n_slots = n_slots
        self.notes = network.notes
        self._batch = network.batch(n_slots)
        self._free = list(range(n_slots))[::-1]

    @property
    def provider(self) -> str:
        """Where runs happen now: ``"cpu"`` or ``"cuda"``."""
        return self._batch.provider

    @property
    def n_free(self) -> int:
        """Slots that no room has."""
        return len(self._free)

    def open(self, sample_rate: int) -> "BatchedMask":
        """A slot for a stream at ``sample_rate`` Hz; rooms may have different rates.

        Raises
        ------
        GeometryError
            When the rate cannot work.
        ModelError
            When every slot is taken.
        """
        geometry = self.info.geometry.at_rate(sample_rate)
        if not self._free:
            raise ModelError(f"all {self.n_slots} slots of the batch are taken: close one, or make a larger batch")
        slot = self._free.pop()
        self._batch.forget(slot)
        return BatchedMask(self.info, geometry, self._batch, slot, self._free.append)

    def close(self) -> None:
        """Free the batch; no step in any slot after it. May be called twice."""
        self._batch.close()


class BatchedMask:
    """One slot: a :class:`~rtkaraoke.masks.protocol.MaskModel` that also is the runner of its own hops."""

    def __init__(
        self, info: ModelInfo, geometry: StftGeometry, batch: Batch, slot: int, give_back: Callable[[int], None]
    ) -> None:
        self.info = info
        self.geometry = geometry
        self._batch = batch
        self._slot = slot
        self._give_back = give_back
        self._closed = False

    def step(self, spectrum: Spectrum, mask: Mask) -> None:
        """A step of this stream alone, at the price of one of all."""
        self.submit(spectrum)
        self.collect(mask, 0)

    def submit(self, spectrum: Spectrum) -> bool:
        """See :class:`~rtkaraoke.masks.runner.MaskRunner`."""
        self._batch.feed(self._slot, spectrum)
        return True

    def collect(self, mask: Mask, deadline_ns: int) -> bool:  # noqa: ARG002 - it is always waited for
        """See :class:`~rtkaraoke.masks.runner.MaskRunner`."""
        if self._batch.is_fed(self._slot):
            self._batch.run()
        self._batch.read(self._slot, mask)
        return True

    def reset(self) -> None:
        """Forget everything: the next step is the first."""
        self._batch.forget(self._slot)

    def close(self) -> None:
        """Give the slot back. May be called twice."""
        if not self._closed:
            self._closed = True
            self._give_back(self._slot)
