"""Many values as the bins of a chart."""

import numpy as np
from numpy.typing import NDArray

BINS_PER_OCTAVE = 16
LEAST = 1e-6


def bins(values: NDArray[np.float64]) -> list[list[float]]:
    """Pairs of a bin's lower edge and its count, a sixteenth of an octave wide, without the empty ones."""
    octave = np.floor(BINS_PER_OCTAVE * np.log2(np.maximum(values, LEAST))).astype(int)
    places, counts = np.unique(octave, return_counts=True)
    return [[float(2.0 ** (place / BINS_PER_OCTAVE)), int(n)] for place, n in zip(places, counts, strict=True)]
