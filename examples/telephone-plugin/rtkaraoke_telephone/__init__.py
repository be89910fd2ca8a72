"""Makes a voice sound as over a telephone: an example of a plugin for rtkaraoke in a package of its own."""

import math
from typing import ClassVar

import numpy as np
from numba import njit
from scipy.signal import butter

from rtkaraoke.plugins.protocol import Block, Parameter, Parameters

BAND_HZ = (300.0, 3400.0)
GLIDE_S = 0.01  #: time constant with which a parameter comes to its target


class Telephone(Parameters):
    """Narrow band and overdrive, as over a telephone."""

    name = "telephone"
    latency = 0  # nothing is held back
    presets: ClassVar = {
        "landline": {"drive": 6.0},
        "walkie-talkie": {"drive": 30.0},
    }

    def __init__(self) -> None:
        super().__init__(
            [
                Parameter("drive", "dB", 0.0, 36.0, 6.0, "how hard the line is driven"),
                Parameter("bypass", "", 0, 1, 0, "the input, bit for bit", ("off", "on")),
            ]
        )
        self._smoothed = np.zeros(2)  # drive as a factor, and share of the telephone, as they are now

    def prepare(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        """Allocate everything. May be called again, with other numbers."""
        self._sections = butter(2, BAND_HZ, "bandpass", fs=sample_rate, output="sos")
        self._state = np.zeros((n_channels, len(self._sections), 2))
        self._glide = 1.0 - math.exp(-1.0 / (GLIDE_S * sample_rate))
        self.reset()

    def process(self, block: Block, out: Block) -> None:
        """Fill ``out`` from ``block``, both float32 ``(channel, sample)``; they may be the same array."""
        drive, share = self._targets()
        _telephone(block, out, self._sections, self._state, self._smoothed, drive, share, self._glide)

    def reset(self) -> None:
        """Forget the signal, keep the parameters."""
        self._state = np.zeros_like(self._state)
        self._smoothed[:] = self._targets()

    def close(self) -> None:
        """There is nothing to free."""

    def _targets(self) -> tuple[float, float]:
        return 10.0 ** (self.get("drive") / 20.0), 0.0 if self.get("bypass") >= 0.5 else 1.0


# Compiled when it is imported, not while sound runs: the signature says for which types. `nogil` lets the program's
# other threads run meanwhile. It works sample by sample, so that it does not matter how the sound is cut into blocks.
@njit(
    "void(float32[:, ::1], float32[:, ::1], float64[:, ::1], float64[:, :, ::1], float64[::1], float64, float64,"
    " float64)",
    nogil=True,
    cache=True,
)
def _telephone(block, out, sections, state, smoothed, drive, share, glide):  # type: ignore[no-untyped-def]
    """Second-order sections (transposed direct form II), then a soft clipper that keeps full scale."""
    for i in range(block.shape[1]):
        for k, target in enumerate((drive, share)):
            smoothed[k] += glide * (target - smoothed[k])
            if abs(smoothed[k] - target) < 1e-6 * target + 1e-9:
                smoothed[k] = target
        for channel in range(block.shape[0]):
            dry = block[channel, i]
            wet = np.float64(dry) if math.isfinite(dry) else 0.0  # a NaN would stay in the filter for good
            for section in range(sections.shape[0]):
                b0, b1, b2, _, a1, a2 = sections[section]
                low = state[channel, section]
                filtered = b0 * wet + low[0]
                low[0] = b1 * wet - a1 * filtered + low[1]
                low[1] = b2 * wet - a2 * filtered
                for k in range(2):
                    if abs(low[k]) < 1e-20:  # nearly nothing: denormal numbers are slow on some processors
                        low[k] = 0.0
                wet = filtered
            wet = math.tanh(smoothed[0] * wet) / math.tanh(smoothed[0])
            if abs(wet) < 1e-20:
                wet = 0.0
            if not math.isfinite(dry):
                dry = np.float32(0.0)
            if smoothed[1] == 0.0:
                out[channel, i] = dry
            else:
                out[channel, i] = dry + np.float32(smoothed[1]) * (np.float32(wet) - dry)
