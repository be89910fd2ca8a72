"""A core that stands still is seen, and seen where it was."""

import sys

from rtkaraoke.bench.stalls import Stalls, watched
from rtkaraoke.live.priority import realtime_allowed
from tests.bench import reports


def test_a_stall_belongs_to_every_stretch_that_it_touches() -> None:
    stalls = Stalls(True)
    stalls.add([(10.0, 500.0), (20.0, 2.0)])
    stalls.add([(20.001, 3.0)])
    assert stalls.longest_ms(9.0, 9.4) == 0.0
    assert stalls.longest_ms(9.0, 9.6) == 500.0
    assert stalls.longest_ms(9.9, 11.0) == 500.0
    assert stalls.longest_ms(10.1, 19.0) == 0.0
    assert stalls.longest_ms(19.0, 21.0) == 3.0
    assert [stalls.longer_than(limit_ms, 9.9, 21.0) for limit_ms in (1.0, 2.5, 100.0, 500.0)] == [3, 2, 1, 0]


def test_the_watchdogs_begin_and_end_and_say_whether_they_may() -> None:
    with watched() as stalls:
        pass
    assert stalls.watched == (sys.platform == "linux" and realtime_allowed())


def test_the_table_counts_every_second_once() -> None:
    table = next(table for table in reports.soak().tables if table.key == "stalls")
    for prefill in (512, 256):
        rows = [row for row in table.rows if row[0] == prefill]
        assert [row[2] for row in rows] == [1799, 0, 0, 1, 0]
        assert [row[5] for row in rows] == [0, 0, 0, 37, 0]
