"""What a live run tells of itself: histograms that never grow, and the status that travels to the parent."""

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

BINS_PER_OCTAVE = 16
LOWEST = 2.0**-14
OCTAVES = 24

State = Literal["starting", "running", "waiting", "stopped", "failed"]


class Histogram:
    """Percentiles of a positive quantity over an unlimited time, in fixed memory.

    Logarithmic bins of a sixteenth of an octave: a percentile is right within 4.5 %, ``maximum`` exactly.
    One thread adds, any may read.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(BINS_PER_OCTAVE * OCTAVES, np.int64)
        self.maximum = 0.0

    def add(self, value: float) -> None:
        """Count one value. Realtime safe."""
        octave = math.log2(value / LOWEST) if value > LOWEST else 0.0
        self._counts[min(int(BINS_PER_OCTAVE * octave), len(self._counts) - 1)] += 1
        self.maximum = max(self.maximum, value)

    @property
    def count(self) -> int:
        """Number of values so far."""
        return int(self._counts.sum())

    def percentile(self, percent: float) -> float:
        """The value that ``percent`` of all values do not exceed: its bin's upper edge; 0 before the first."""
        cumulated = np.cumsum(self._counts)
        if not cumulated[-1]:
            return 0.0
        index = int(np.searchsorted(cumulated, cumulated[-1] * percent / 100))
        return min(LOWEST * 2.0 ** ((index + 1) / BINS_PER_OCTAVE), self.maximum)

    def summary(self) -> dict[str, float]:
        """p50, p99, p99.9 and max."""
        return {
            "p50": self.percentile(50),
            "p99": self.percentile(99),
            "p99.9": self.percentile(99.9),
            "max": self.maximum,
        }


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """Something that a person should read, once. ``kind`` is for programs."""

    kind: Literal["notice", "error", "lost", "resumed"]
    text: str


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """A live run at one moment.

    Levels in dB per channel since the last status; ``latency_terms`` in samples by name; ``load`` is the share of
    a hop's duration for which the worker was at work (1 = all of it), as p50, p99, p99.9 and max, ``step_ms`` the
    network's time per hop. ``hops`` has what became of the hops since the start and, with the plugin's name before it
    (``mic1.chorus.late``), of the blocks that were exchanged with a plugin in a process of its own: ``late`` answers,
    ``skipped`` blocks that it never saw, ``dry`` blocks that were heard without it.

    ``latency_terms`` are those of the music; ``mic_latency`` is the whole way from a microphone to the output in
    samples, None without microphones. ``buses`` has ``peak_db`` and ``rms_db`` of each bus as it is mixed, of each
    output and of the ``master``, and of microphones ``input_peak_db`` and ``input_rms_db`` as well; ``duck`` has
    ``gain_db`` (0 to -90), ``singing`` and ``calibrating``, where there is a duck; ``voice`` the RMS levels
    ``found_db`` of the voice in the music and ``removed_db`` of what is taken out. ``source`` is what the source
    tells of itself, with ``heard_s``, the song's time that leaves the card at ``time_ns`` (``time.monotonic_ns``,
    which all processes share). ``recording`` is the file being written, or empty.
    """

    state: State = "starting"
    sample_rate: int = 0
    period: int = 0
    input_peak_db: tuple[float, ...] = ()
    input_rms_db: tuple[float, ...] = ()
    output_peak_db: tuple[float, ...] = ()
    output_rms_db: tuple[float, ...] = ()
    latency_terms: dict[str, int] = field(default_factory=dict)
    mic_latency: int | None = None
    latency_budget_ms: float | None = None
    load: dict[str, float] = field(default_factory=dict)
    step_ms: dict[str, float] = field(default_factory=dict)
    hops: dict[str, int] = field(default_factory=dict)
    xruns: dict[str, int] = field(default_factory=dict)
    nonfinite: int = 0
    n_samples: int = 0
    realtime: bool = False
    provider: str = ""
    parameters: dict[str, float] = field(default_factory=dict)
    muted: bool = False
    drift_ppm: float | None = None
    source: dict[str, float] = field(default_factory=dict)
    time_ns: int = 0
    buses: dict[str, dict[str, float]] = field(default_factory=dict)
    duck: dict[str, float] = field(default_factory=dict)
    voice: dict[str, float] = field(default_factory=dict)
    recording: str = ""
    recorded_s: float = 0.0
    input: str = ""
    output: str = ""

    @property
    def latency(self) -> int:
        """Samples from input to output: the sum of all terms."""
        return sum(self.latency_terms.values())

    @property
    def latency_ms(self) -> float:
        """The same in milliseconds."""
        return 1e3 * self.latency / self.sample_rate if self.sample_rate else 0.0

    @property
    def video_delay_ms(self) -> int:
        """What to set as the picture's delay, so that it meets the sound."""
        return round(self.latency_ms)
