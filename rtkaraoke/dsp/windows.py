"""The asymmetric window pair: fine frequency resolution at a short latency.

The analysis window looks back over its whole length (46 ms), the synthesis window keeps only the last two
hops (11.6 ms), so the latency is that of a short transform while bins are as narrow as those of a long one.

Source: D. Mauler and R. Martin, "A low delay, variable resolution, perfect reconstruction spectral
analysis-synthesis system for speech enhancement", EUSIPCO 2007; Z.-Q. Wang et al., "STFT-domain neural
speech enhancement with very low algorithmic latency", arXiv 2204.09911.

Derivation: frames overlap by one hop in synthesis, so analysis x synthesis must be a window whose
copies at distance ``hop`` sum to one. A Hann window over two hops does. The analysis window rises as the
half of a sqrt-Hann over ``window - hop`` and falls as one over ``hop``; synthesis is the quotient, zero before
the last two hops. On the falling half the quotient is again a sqrt-Hann, so it stays bounded by one.
"""

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.geometry import StftGeometry


def window_pair(geometry: StftGeometry) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Analysis window ``(window,)`` and synthesis window ``(2 * hop,)``, both float32.

    The synthesis window belongs to the last two hops of the inverse transform.
    """
    n_rise, hop = geometry.window - geometry.hop, geometry.hop
    rise = np.sin(0.5 * np.pi * (np.arange(n_rise) + 0.5) / n_rise)
    fall = np.cos(0.5 * np.pi * (np.arange(hop) + 0.5) / hop)
    analysis = np.concatenate([rise, fall])
    hann = np.sin(np.pi * (np.arange(2 * hop) + 0.5) / (2 * hop)) ** 2
    synthesis = hann / analysis[-2 * hop :]
    return analysis.astype(np.float32), synthesis.astype(np.float32)
