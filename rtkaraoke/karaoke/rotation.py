"""Who sings next: fair rotation, a function of what was added, sung and moved, and of nothing else.

The rule
--------
The evening goes in rounds. In each, every singer has one turn.

1. A singer's first waiting song is in the round after the one that they last sang in, though never in a round that
   is over; their second waiting song is one round later, and so on. Within a singer, songs keep their order.
2. In a round, who has waited longest goes first: since their last turn or, if that is later, since they added the
   oldest song that they have waiting. In later rounds the order of the round before is kept.
3. So late comers sing in the round that is on, behind those who wait in it already, and before anyone's next turn.
   Nobody sings twice while another singer waits for the first time.
4. A song that the host moved has its place in the order, whatever the rounds say; the others go around it. It counts
   as its singer's turn.
5. A song that was skipped after it began was a turn; one that was removed before never was.

All times are ticks: counts of what happened, never of the clock on the wall, which may be put back.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiting:
    """A song that waits: ``added`` is when (a tick), ``turn`` the turn that the host gave it (None: the rule's)."""

    entry: int
    singer: int
    added: int
    turn: int | None = None


@dataclass(frozen=True, slots=True)
class LastTurn:
    """When a singer last sang: ``round`` and ``tick``."""

    round: int
    tick: int


@dataclass(slots=True)
class _Singer:
    """A singer on the way through the order: where they stand now, and what they have waiting."""

    last_round: int
    since: int
    songs: deque[Waiting]


def fair_order(
    waiting: Iterable[Waiting], last_turns: Mapping[int, LastTurn], round_now: int, next_turn: int
) -> list[tuple[Waiting, int]]:
    """Put what waits into the order of turns, by taking turn after turn.

    So the order does not change when its first song begins, and songs that are added do not change how the others
    follow each other.

    Parameters
    ----------
    waiting : iterable of Waiting
        In any order; a singer's own songs are taken by ``added``, then by ``entry``.
    last_turns : mapping
        The last turn of every singer who has sung.
    round_now : int
        The highest round in which a turn was taken by the rule; 1 at the beginning.
    next_turn : int
        The number of the turn that comes next, as moved songs count.

    Returns
    -------
    list of (Waiting, int)
        Each with the round that it is sung in.
    """
    in_turn = sorted(waiting, key=lambda song: (song.added, song.entry))
    singers: dict[int, _Singer] = {}
    for song in in_turn:
        last = last_turns.get(song.singer, LastTurn(0, 0))
        # The first song is the oldest, moved or not.
        singer = singers.setdefault(song.singer, _Singer(last.round, max(last.tick, song.added), deque()))
        if song.turn is None:
            singer.songs.append(song)
    moved = deque(sorted((song for song in in_turn if song.turn is not None), key=lambda song: song.turn or 0))
    tick = max([song.added for song in in_turn] + [last.tick for last in last_turns.values()], default=0)
    order: list[tuple[Waiting, int]] = []
    for turn in range(next_turn, next_turn + len(in_turn)):
        first = min(
            (singer for singer in singers.values() if singer.songs),
            key=lambda singer: (max(round_now, singer.last_round + 1), singer.since, singer.songs[0].entry),
            default=None,
        )
        if first is None or (moved and (moved[0].turn or 0) <= turn):
            song = moved.popleft()
            singer = singers[song.singer]
            round_ = max(round_now, singer.last_round + 1)
        else:
            singer = first
            song = singer.songs.popleft()
            round_now = round_ = max(round_now, singer.last_round + 1)
        tick += 1
        singer.last_round, singer.since = round_, tick
        order.append((song, round_))
    return order
