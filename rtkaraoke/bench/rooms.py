"""How many rooms one core, or one card, carries: the time of a hop in which all of them are served.

A room is an engine with a stream of the network; one run of the network answers all streams of a hop
(:mod:`rtkaraoke.rooms`). Timed are that run alone and the whole hop, run and engines together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

import numpy as np

from rtkaraoke.bench.histogram import bins
from rtkaraoke.bench.hop import N_WARM_UP, Stopwatch, Timing, no_garbage_collection, noise
from rtkaraoke.bench.report import Cell, Figure, Histogram, Table
from rtkaraoke.bench.statistics import quantile, share
from rtkaraoke.masks.onnx import Network
from rtkaraoke.rooms import Rooms

COLUMNS = {
    "network": "",
    "provider": "",
    "rate Hz": "",
    "streams": "",
    "a hop lasts ms": ".2f",
    "run p50 ms": ".2f",
    "run p99 ms": ".2f",
    "run p99.9 ms": ".2f",
    "run max ms": ".2f",
    "hop p50 ms": ".2f",
    "hop p99 ms": ".2f",
    "hop p99.9 ms": ".2f",
    "hop max ms": ".2f",
    "missed": "",
    "mean, of the hop": ".1%",
    "per stream ms": ".3f",
}
NOTE = (
    "*Run*: one run of the network for all streams. *Hop*: that, and the engines of all rooms, one stream each. Back "
    "to back, times of the wall; *missed*: hops that took longer than they last; *per stream*: the mean hop, shared."
)


@dataclass(frozen=True, slots=True)
class RoomTimings:
    """What :func:`measure` returns: ``run`` and ``hop``, one value per hop; ``hop_ms`` is what it may take."""

    network: str
    provider: str
    sample_rate: int
    n_rooms: int
    hop_ms: float
    run: Timing
    hop: Timing

    @property
    def n_missed(self) -> int:
        """Hops that took longer than they last."""
        return int(np.count_nonzero(self.hop.wall_ms > self.hop_ms))

    @property
    def holds(self) -> bool:
        """Whether 99.9 % of the hops were done in time."""
        return float(np.percentile(self.hop.wall_ms, 99.9)) <= self.hop_ms

    @property
    def place(self) -> str:
        """What served them."""
        return "card" if self.provider == "cuda" else "core"

    @property
    def group(self) -> str:
        """For names of figures: what differs from it in the number of rooms alone is one series."""
        return f"hop.{self.network}.{self.provider}.{self.sample_rate}"


def measure(network: Network, n_rooms: int, n_hops: int, sample_rate: int = 44_100, name: str = "") -> RoomTimings:
    """Serve ``n_rooms`` rooms for ``n_hops`` hops of noise, back to back, on the calling thread.

    Parameters
    ----------
    network : Network
    n_rooms : int
        All of them sound.
    n_hops : int
        Counted after a warm-up.
    sample_rate : int
        In Hz.
    name : str
        The network's in the report; its own when left out.

    Raises
    ------
    ProviderError
        When the card refuses another session.
    """
    hop_ms = 1e3 * network.info.geometry.at_rate(sample_rate).hop_s
    with no_garbage_collection():
        run = _measure_run(network, n_rooms, n_hops)
        hop = _measure_hop(network, n_rooms, n_hops, sample_rate)
    return RoomTimings(name or network.info.name, network.provider, sample_rate, n_rooms, hop_ms, run, hop)


def _measure_run(network: Network, n_rooms: int, n_hops: int) -> Timing:
    batch = network.batch(n_rooms)
    try:
        spectrum = noise(2, 2 * network.info.n_bins).view(np.complex64)
        watch = Stopwatch(n_hops)
        for _ in range(N_WARM_UP + n_hops):
            for room in range(n_rooms):
                batch.feed(room, spectrum)
            watch.run(batch.run)
    finally:
        batch.close()
    return watch.timing()


def _measure_hop(network: Network, n_rooms: int, n_hops: int, sample_rate: int) -> Timing:
    with Rooms(network, n_rooms, sample_rate=sample_rate) as rooms:
        signal = noise(2 * n_rooms, rooms.hop)
        blocks = {rooms.join(): signal[2 * number : 2 * number + 2] for number in range(n_rooms)}
        out = {room: np.zeros_like(block) for room, block in blocks.items()}
        watch, serve = Stopwatch(n_hops), partial(rooms.process, blocks, out)
        for _ in range(N_WARM_UP + n_hops):
            watch.run(serve)
    return watch.timing()


def held(found: Iterable[RoomTimings]) -> int:
    """The most rooms at which 99.9 % of the hops are in time, as they are at every smaller number that was measured."""
    in_order = sorted(found, key=lambda each: each.n_rooms)
    return max((each.n_rooms for each in takewhile(lambda each: each.holds, in_order)), default=0)


def table(key: str, title: str, found: Sequence[RoomTimings]) -> Table:
    """All that was measured, in a row each."""
    return Table(key, title, COLUMNS, [_row(each) for each in found], NOTE)


def _row(timings: RoomTimings) -> list[Cell]:
    head: list[Cell] = [timings.network, timings.provider, timings.sample_rate, timings.n_rooms, timings.hop_ms]
    mean_ms = float(timings.hop.wall_ms.mean())
    times = [
        value
        for timing in (timings.run, timings.hop)
        for value in (*map(float, np.percentile(timing.wall_ms, [50, 99, 99.9])), float(timing.wall_ms.max()))
    ]
    return [*head, *times, timings.n_missed, mean_ms / timings.hop_ms, mean_ms / timings.n_rooms]


def figures(found: Sequence[RoomTimings]) -> dict[str, Figure]:
    """The same for programs, and how many rooms each network holds."""
    values: dict[str, Figure] = {}
    for each in found:
        key = f"{each.group}.streams{each.n_rooms}"
        values |= {
            f"{key}.run_p99_9_ms": Figure.of(quantile(each.run.wall_ms, 99.9)),
            f"{key}.p50_ms": Figure.of(quantile(each.hop.wall_ms, 50)),
            f"{key}.p99_ms": Figure.of(quantile(each.hop.wall_ms, 99)),
            f"{key}.p99_9_ms": Figure.of(quantile(each.hop.wall_ms, 99.9)),
            f"{key}.max_ms": Figure(float(each.hop.wall_ms.max())),
            f"{key}.missed_share": Figure.of(share(each.n_missed, len(each.hop.wall_ms))),
        }
    for series in _series(found):
        first = series[0]
        values[f"{first.group}.streams_on_one_{first.place}_count"] = Figure(held(series), better="higher")
    return values


def notes(found: Sequence[RoomTimings]) -> list[str]:
    """One line for each network, provider and rate."""
    return [
        f"{first.network}, {first.provider}, {first.sample_rate / 1000:g} kHz: {held(series)} streams on one "
        f"{first.place} with p99.9 within the hop, of {', '.join(str(each.n_rooms) for each in series)}"
        for series in _series(found)
        for first in series[:1]
    ]


def charts(found: Sequence[RoomTimings]) -> list[Histogram]:
    """A histogram for each network, provider and rate."""
    return [
        Histogram(
            f"Wall time of a hop that serves several streams: {first.network}, {first.provider}, "
            f"{first.sample_rate / 1000:g} kHz",
            "ms",
            {f"{each.n_rooms} streams": bins(each.hop.wall_ms) for each in series},
            first.hop_ms,
            "a hop lasts",
        )
        for series in _series(found)
        for first in series[:1]
    ]


def _series(found: Sequence[RoomTimings]) -> list[list[RoomTimings]]:
    groups: dict[str, list[RoomTimings]] = {}
    for each in found:
        groups.setdefault(each.group, []).append(each)
    return list(groups.values())
