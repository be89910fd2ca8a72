"""Two sound cards, two clocks: a resampler whose ratio follows the difference.

Nominally equal rates differ by some 10 to 100 ppm, so a queue between two cards grows or shrinks by up to four
samples a second until it breaks. As in zita-ajbridge (Adriaensen 2012, "Controlling adaptive resampling") the
latency is measured against both clocks and a second-order loop holds it, by way of the ratio.

With ``e`` the latency's error in samples, ``rho`` the ratio of the clocks and ``u`` the input samples that are used
per output sample, ``de/dt = rate x (rho - u)``. The controller sets ``u = 1 + (kp e + ki x integral of e) / rate``,
hence ``e'' + kp e' + ki e = 0``: critically damped for ``ki = w^2, kp = 2 w``. A constant difference of the clocks
leaves no error. The loop begins fast, so that the clocks' difference is learnt within a sample, and becomes slow,
so that the jitter of the measurement does not reach the pitch.
"""

import math

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.errors import GeometryError

START_HZ = 0.5  #: the loop's bandwidth at first
END_HZ = 0.05  #: and in the long run
SETTLE_S = 5.0  #: time constant of the change from one to the other
LIMIT = 2e-3  #: largest correction: 3.5 cents
CONVERTER = "sinc_medium"  #: 121 dB, flat to 90 % of the band


class DriftController:
    """From the latency's error to the ratio that takes it away.

    Parameters
    ----------
    sample_rate : int
        Of the output, in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._integral = 0.0
        self._time_s = 0.0
        self._speed = 1.0

    @property
    def speed(self) -> float:
        """Input samples per output sample, now."""
        return self._speed

    @property
    def drift_ppm(self) -> float:
        """How much faster the input's clock runs than the output's, as learnt so far."""
        return 1e6 * self._integral / self._sample_rate

    def update(self, error: float, n_samples: int) -> float:
        """Take one measurement and return :attr:`speed`.

        Parameters
        ----------
        error : float
            Latency minus the latency wanted, in samples.
        n_samples : int
            Output samples since the last measurement.
        """
        elapsed_s = n_samples / self._sample_rate
        self._time_s += elapsed_s
        bandwidth = END_HZ + (START_HZ - END_HZ) * math.exp(-self._time_s / SETTLE_S)
        omega = 2 * math.pi * bandwidth
        wanted = self._integral + 2 * omega * error
        limit = LIMIT * self._sample_rate
        if abs(wanted) < limit:  # no wind-up at the stop
            self._integral += omega * omega * error * elapsed_s
        self._speed = 1.0 + max(-limit, min(wanted, limit)) / self._sample_rate
        return self._speed


class DriftResampler:
    """libsamplerate with a moving ratio, which knows at any time which input sample comes out next.

    Parameters
    ----------
    n_channels : int

    Raises
    ------
    GeometryError
        When there is no channel.
    """

    def __init__(self, n_channels: int) -> None:
        import samplerate

        if n_channels < 1:
            raise GeometryError(f"{n_channels} channels: wanted 1 or more")
        self._resampler = samplerate.Resampler(CONVERTER, channels=n_channels)
        self._n_channels = n_channels
        probe = samplerate.Resampler(CONVERTER, channels=1)
        n_probe = 1024
        self.latency = n_probe - len(probe.process(np.zeros(n_probe, np.float32), 1.0))
        self._n_in = 0
        self.position = 0.0  #: input sample (fractional) that the next output sample stands for

    def process(self, block: NDArray[np.float32], speed: float) -> NDArray[np.float32]:
        """Resample ``block`` ``(sample, channel)``; all that can be given is returned, about as much.

        Parameters
        ----------
        block : ndarray, float32 ``(sample, channel)``
        speed : float
            Input samples per output sample.
        """
        out = self._resampler.process(block, 1.0 / speed).reshape(-1, self._n_channels)
        self._n_in += len(block)
        # What is kept back is the filter's half and less than a step: that bounds the sum's rounding for ever.
        earliest = self._n_in - self.latency
        self.position = min(max(self.position + len(out) * speed, earliest), earliest + speed)
        return out
