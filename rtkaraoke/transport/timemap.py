"""Which moment of a song a sample of the output is."""

from bisect import bisect_right
from typing import NamedTuple

KEPT_S = 30.0  #: how far back the map goes; more than any latency
MAX_SEGMENTS = 1024
_SAME_S = 1e-7


class _Segment(NamedTuple):
    first: int  # output sample
    song_s: float  # the song's time there
    step_s: float  # song's time per sample


class TimeMap:
    """Straight pieces, one thread marks where they begin, any may ask.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._kept = round(KEPT_S * sample_rate)
        self._segments: tuple[_Segment, ...] = ()  # replaced, never changed: whoever reads needs no lock

    def mark(self, sample: int, song_s: float, step_s: float) -> None:
        """From ``sample`` on, which is ``song_s``, the song moves by ``step_s`` per sample. Realtime safe."""
        segments = self._segments
        if segments:
            last = segments[-1]
            expected_s = last.song_s + (sample - last.first) * last.step_s
            if step_s == last.step_s and abs(song_s - expected_s) < _SAME_S:
                return
        first = 0
        while len(segments) - first >= MAX_SEGMENTS or (
            first + 1 < len(segments) and segments[first + 1].first <= sample - self._kept
        ):
            first += 1
        self._segments = (*segments[first:], _Segment(sample, song_s, step_s))

    def song_s(self, sample: int) -> float:
        """The song's time at output ``sample``; 0 before anything was marked, the earliest known before that."""
        segments = self._segments
        if not segments:
            return 0.0
        segment = segments[max(bisect_right(segments, sample, key=lambda entry: entry.first) - 1, 0)]
        return segment.song_s + max(sample - segment.first, 0) * segment.step_s
