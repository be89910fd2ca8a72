"""The classical centre-channel mask: what is alike in both channels is taken for the voice. Needs no network.

Modern recordings spread the voice and put bass and drums in the middle, so the mask is soft and leaves the lowest and
highest bins alone: a hard one scores worse than doing nothing.
"""

from rtkaraoke.dsp import kernels
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks.protocol import Mask, ModelInfo, Spectrum

LOWEST_HZ = 250.0
HIGHEST_HZ = 7_000.0
MOST = 0.7  #: the mask of a source in the very middle


class CentreMask:
    """A :class:`~rtkaraoke.masks.protocol.MaskModel` without memory.

    Parameters
    ----------
    info : ModelInfo
    geometry : StftGeometry
        At the rate of the sound.
    """

    def __init__(self, info: ModelInfo, geometry: StftGeometry) -> None:
        self.info = info
        self.geometry = geometry
        bin_hz = geometry.sample_rate / geometry.n_fft
        self._lowest = round(LOWEST_HZ / bin_hz)
        self._highest = round(HIGHEST_HZ / bin_hz)

    def step(self, spectrum: Spectrum, mask: Mask) -> None:
        """Fill ``mask`` from ``spectrum``, both ``(channel, bin)``; zeros for mono. Realtime safe."""
        kernels.centre_mask(spectrum, mask, self._lowest, self._highest, MOST)

    def reset(self) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing is held."""


class CentreNetwork:
    """Stands where a network would: ``--model centre``."""

    info = ModelInfo(
        name="centre",
        geometry=StftGeometry(44_100, 2048, 256),
        licence="BSD-3-Clause",
        training_data="none",
        description="classical soft centre-channel mask, no network",
    )

    def open(self, sample_rate: int) -> CentreMask:
        """The mask at ``sample_rate`` Hz. Raises :class:`~rtkaraoke.errors.GeometryError`."""
        return CentreMask(self.info, self.info.geometry.at_rate(sample_rate))
