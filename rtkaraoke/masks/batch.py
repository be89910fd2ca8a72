"""Several streams of one network in one run: what a single song, a server of many rooms and a card have in common.

Streams have fixed slots. In each hop those that are heard are fed, one run answers all of them, and what the others
remember stays as it was. A run never raises: a provider that fails is replaced by the next, NaN resets the memory of
the stream that it came from, and in both cases the previous mask holds for that hop.
"""

import math

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.masks import providers
from rtkaraoke.masks.binding import BoundSession
from rtkaraoke.masks.protocol import Mask, Spectrum

MAX_NOTES = 20  # a network that fails for hours must not fill the memory with its story


class Batch:
    """The streams of one session. For one thread at a time.

    Parameters
    ----------
    name : str
        The network's, for messages.
    bound : list of BoundSession
        The one to use, then those that may replace it; all with the same number of streams.
    notes : list of str
        Lines for the user, each to be said once; grows.

    Attributes
    ----------
    n_nonfinite : int
        Masks that held NaN or infinity.
    n_failed : int
        Runs that raised.
    """

    def __init__(self, name: str, bound: list[BoundSession], notes: list[str]) -> None:
        self.notes = notes
        self.n_nonfinite = 0
        self.n_failed = 0
        self._name = name
        self._bound = bound
        self._active = 0  # index of the one in use; those after it may replace it
        self._last: NDArray[np.float32] = np.zeros_like(bound[0].masks)  # the last good masks
        self._mono: NDArray[np.float32] = np.zeros_like(bound[0].masks[0, :1])
        self._spectra: NDArray[np.complex64] = np.zeros_like(bound[0].spectra)
        self._fed = [False] * len(self._last)
        self._slots = list(range(len(self._fed)))
        # Views made once: a step shall allocate nothing.
        self._inputs, self._answers = list(self._spectra), list(self._last)
        self._masks = [list(each.masks) for each in bound]

    @property
    def provider(self) -> str:
        """Where steps run now: ``"cpu"`` or ``"cuda"``."""
        return self._bound[self._active].device

    def is_fed(self, slot: int) -> bool:
        """Whether :meth:`run` has yet to answer this stream."""
        return self._fed[slot]

    def feed(self, slot: int, spectrum: Spectrum) -> None:
        """Take the next ``spectrum`` ``(channel, bin)`` of a stream.

        One or two channels, whatever the network has: a mono network hears the mean of two channels, a stereo network
        hears one channel twice. Bins that the stream lacks are silent.
        """
        target = self._inputs[slot]
        n_bins = min(spectrum.shape[1], target.shape[1])
        if spectrum.shape[0] > target.shape[0]:
            np.add(spectrum[:1, :n_bins], spectrum[1:, :n_bins], out=target[:, :n_bins])
            target *= np.float32(0.5)
        else:
            target[:, :n_bins] = spectrum[:, :n_bins]
        self._fed[slot] = True

    def run(self) -> None:
        """One step for all streams that were fed."""
        while True:
            bound = self._bound[self._active]
            np.copyto(bound.spectra, self._spectra)
            try:
                bound.run()
                self._settle(bound)
                break
            except Exception as error:  # noqa: BLE001 - the hop must go on, whatever a driver throws
                self.n_failed += 1
                if not self._replace(error):
                    break
        for slot in self._slots:
            self._fed[slot] = False

    def read(self, slot: int, mask: Mask) -> None:
        """Fill ``mask`` ``(channel, bin)`` with a stream's last good one.

        A mono network masks both channels alike, the two masks of a stereo network are averaged for one channel. Bins
        beyond the network's last get its last mask value.
        """
        source = self._answers[slot]
        n_bins = min(mask.shape[1], source.shape[1])
        if mask.shape[0] < source.shape[0]:
            np.add(source[:1], source[1:], out=self._mono)
            source = self._mono
            source *= np.float32(0.5)
        mask[:, :n_bins] = source[:, :n_bins]
        mask[:, n_bins:] = source[:, n_bins - 1 : n_bins]

    def forget(self, slot: int) -> None:
        """Make the next step of a stream its first."""
        self._last[slot] = 0.0
        self._fed[slot] = False
        self._spectra[slot] = 0.0
        self._forget_states(slot)

    def close(self) -> None:
        """Free buffers and pinned memory; no step after it. May be called twice."""
        for bound in self._bound:
            bound.close()

    def _settle(self, bound: BoundSession) -> None:
        """Take over the masks of the streams that were fed, and keep the others where they were."""
        for slot, fed in enumerate(self._fed):
            if not fed:
                bound.hold(slot)
                continue
            mask = self._masks[self._active][slot]
            if math.isfinite(mask.min()) and math.isfinite(mask.max()):  # both are NaN when any value is
                np.clip(mask, 0.0, 1.0, out=self._answers[slot])
                continue
            self.n_nonfinite += 1
            if self.n_nonfinite == 1:
                self._note(f"network {self._name!r} answered with NaN or infinity: its memory was reset")
            self._forget_states(slot)

    def _replace(self, error: Exception) -> bool:
        """Go on with the next provider; False when there is none, and the same one starts anew."""
        failed = self.provider
        if self._active + 1 < len(self._bound):
            self._active += 1  # what failed is freed by close(): not in a hop
            self._note(f"the provider {failed} failed ({providers.reason(error)}): the CPU goes on, its memory empty")
            return True
        self._note(f"a step on the {failed} failed ({providers.reason(error)}): the previous mask holds")
        self._bound[self._active].reset()
        return False

    def _forget_states(self, slot: int) -> None:
        try:
            self._bound[self._active].forget(slot)
        except Exception as error:  # noqa: BLE001 - copying to a card that is gone
            self.n_failed += 1
            self._replace(error)

    def _note(self, line: str) -> None:
        if line not in self.notes and len(self.notes) < MAX_NOTES:
            self.notes.append(line)
