"""The STFT's geometry, given in seconds and derived for every sample rate.

A network is trained at one rate with one hop. At another rate the hop is the integer nearest to the same
*duration* whose prime factors are all at most 31 (an FFT of 8 x 557 takes nine times as long as one of
8 x 558), and ``n_fft`` and the window are the same multiples of it. Bin spacing and frame rate stay put within 0.5 %
at the usual rates (1.5 % at any from 16 kHz up), so one network serves every rate without a resampler and without a
resampler's delay.
"""

from dataclasses import dataclass

from rtkaraoke.errors import GeometryError

MIN_SAMPLE_RATE = 2_000
MAX_SAMPLE_RATE = 384_000
MAX_PRIME_FACTOR = 31


@dataclass(frozen=True, slots=True)
class StftGeometry:
    """Sizes of a streaming STFT at one sample rate, in samples unless named otherwise.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_fft : int
        Length of the transform; even, at least two hops.
    hop : int
        Step between frames.
    look_ahead : int
        Frames that the network may see beyond the frame that it masks.
    window : int
        Length of the analysis window, at least two hops; what the transform has more is zeros. 0 stands for ``n_fft``.

    Raises
    ------
    GeometryError
        When a value cannot work.
    """

    sample_rate: int
    n_fft: int
    hop: int
    look_ahead: int = 0
    window: int = 0

    def __post_init__(self) -> None:
        if self.window == 0:
            object.__setattr__(self, "window", self.n_fft)
        if not MIN_SAMPLE_RATE <= self.sample_rate <= MAX_SAMPLE_RATE:
            raise GeometryError(
                f"a sample rate of {self.sample_rate} Hz is outside {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz: "
                "convert the audio to 44100 or 48000 Hz first"
            )
        if self.hop < 1:
            raise GeometryError(f"a hop of {self.hop} samples: it must be 1 or more")
        if self.n_fft < 2 * self.hop or self.n_fft % 2:
            raise GeometryError(f"n_fft {self.n_fft} with hop {self.hop}: n_fft must be even and at least two hops")
        if self.look_ahead < 0:
            raise GeometryError(f"a look-ahead of {self.look_ahead} hops: it must be 0 or more")
        if not 2 * self.hop <= self.window <= self.n_fft:
            raise GeometryError(
                f"a window of {self.window} samples with hop {self.hop} and n_fft {self.n_fft}: "
                "it must have two hops or more, and fit into n_fft"
            )

    @property
    def n_bins(self) -> int:
        """Bins of the one-sided spectrum."""
        return self.n_fft // 2 + 1

    @property
    def hop_s(self) -> float:
        """Duration of a hop in seconds: the time budget of one step."""
        return self.hop / self.sample_rate

    @property
    def latency(self) -> int:
        """Algorithmic latency in samples: two hops and the look-ahead, whatever the block size.

        One hop is the span of the synthesis window that later frames still complete, the other makes every
        partition of the input into blocks give the same bits.
        """
        return (2 + self.look_ahead) * self.hop

    @property
    def latency_ms(self) -> float:
        """Algorithmic latency in milliseconds."""
        return 1e3 * self.latency / self.sample_rate

    @property
    def level_scale(self) -> float:
        """Factor that brings a spectrum of this geometry to the level of one whose window has 2048 samples."""
        return 2048 / self.window

    def at_rate(self, sample_rate: int) -> "StftGeometry":
        """The same geometry in seconds at another ``sample_rate`` (Hz).

        Raises
        ------
        GeometryError
            When the rate is outside the supported range, or ``n_fft`` or the window is no multiple of the hop.
        """
        if sample_rate == self.sample_rate:
            return self
        for name, length in (("n_fft", self.n_fft), ("the window's length", self.window)):
            if length % self.hop:
                raise GeometryError(
                    f"{name} {length} is no multiple of the hop {self.hop}: "
                    f"this network runs at its own {self.sample_rate} Hz only"
                )
        if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
            raise GeometryError(
                f"a sample rate of {sample_rate} Hz is outside {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz: "
                "convert the audio to 44100 or 48000 Hz first"
            )
        hop = nearest_smooth(sample_rate * self.hop / self.sample_rate)
        n_fft, window = (hop * (length // self.hop) for length in (self.n_fft, self.window))
        return StftGeometry(sample_rate, n_fft, hop, self.look_ahead, window)


def nearest_smooth(value: float) -> int:
    """The integer nearest to ``value`` whose prime factors are at most 31; of two as near, the lower."""
    nearest = max(1, round(value))
    candidates = (n for n in range(max(1, nearest - 64), nearest + 65) if largest_prime_factor(n) <= MAX_PRIME_FACTOR)
    return min(candidates, key=lambda n: (abs(n - value), n))


def largest_prime_factor(n: int) -> int:
    """The largest prime that divides ``n``; 1 for 1."""
    largest, divisor = 1, 2
    while divisor * divisor <= n:
        while n % divisor == 0:
            largest, n = divisor, n // divisor
        divisor += 1
    return max(largest, n)
