"""A network that takes too long, for showing what the engine makes of it."""

import time

from rtkaraoke.masks.protocol import Mask, MaskModel, MaskNetwork, ModelInfo, Spectrum


class SlowNetwork:
    """Another network whose every step takes at least ``step_hops`` hops, and one, after ``stall_after`` hops, 300 ms.

    Parameters
    ----------
    network : MaskNetwork
        Whose masks they are.
    step_hops : float
        Duration of a step in hops; 0 leaves it as it is.
    stall_after : int, optional
        The number of the step that stalls; none does without it.
    """

    STALL_S = 0.3

    def __init__(self, network: MaskNetwork, step_hops: float, stall_after: int | None = None) -> None:
        self._network = network
        self._step_hops = step_hops
        self._stall_after = stall_after

    @property
    def info(self) -> ModelInfo:
        """The other network's."""
        return self._network.info

    def open(self, sample_rate: int) -> "SlowMask":
        """See :class:`~rtkaraoke.masks.protocol.MaskNetwork`."""
        return SlowMask(self._network.open(sample_rate), self._step_hops, self._stall_after)


class SlowMask:
    """The slow model; see :class:`SlowNetwork`."""

    def __init__(self, model: MaskModel, step_hops: float, stall_after: int | None) -> None:
        self.info, self.geometry = model.info, model.geometry
        self._model = model
        self._step_s = step_hops * model.geometry.hop_s
        self._stall_after = stall_after
        self._n_steps = 0

    def step(self, spectrum: Spectrum, mask: Mask) -> None:
        """See :class:`~rtkaraoke.masks.protocol.MaskModel`."""
        ends = time.monotonic() + (SlowNetwork.STALL_S if self._n_steps == self._stall_after else self._step_s)
        self._n_steps += 1
        self._model.step(spectrum, mask)
        if (left := ends - time.monotonic()) > 0:
            time.sleep(left)

    def reset(self) -> None:
        """See :class:`~rtkaraoke.masks.protocol.MaskModel`."""
        self._n_steps = 0
        self._model.reset()

    def close(self) -> None:
        """See :class:`~rtkaraoke.masks.protocol.MaskModel`."""
        self._model.close()
