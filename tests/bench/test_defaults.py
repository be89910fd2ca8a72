"""What the program does unasked follows from how late the worker wakes, by the same function that reports it."""

import numpy as np
import pytest

from rtkaraoke.bench import defaults
from rtkaraoke.bench.defaults import CANDIDATES, DEFAULTS, covered_ms, needs, smallest_prefill, verdicts
from rtkaraoke.bench.load import LOADS
from rtkaraoke.bench.wake_ups import PLACES, PRIORITIES, Case
from rtkaraoke.config import LiveConfig, load
from rtkaraoke.live.host import POLL_S
from rtkaraoke.live.settings import LiveSettings

N_WAKE_UPS = 20_000
#: The latest wake-up of a usual machine, in ms: what the defaults were made for.
LATEST_MS = {"FIFO": 6.0, "normal": 35.0}


def late(latest_ms: float, n_latest: int = 1) -> np.ndarray:
    """Mostly on time, some as late as ``latest_ms``."""
    late_ms = np.full(N_WAKE_UPS, 0.1)
    late_ms[:n_latest] = latest_ms
    return late_ms


def cases(latest_ms: dict[str, float], loads=LOADS) -> list[Case]:
    return [
        Case(load, priority, place, 10.0, late(latest_ms[priority]))
        for load in loads
        for priority in PRIORITIES
        for place in PLACES
    ]


def test_the_defaults_are_the_smallest_prefills_for_what_they_were_made_for() -> None:
    for need in needs(cases(LATEST_MS)):
        assert need.for_all == need.default == DEFAULTS[need.priority]
        assert need.covered == "all"
    assert {"FIFO": LiveSettings().prefill, "normal": LiveSettings().prefill_without_realtime} == DEFAULTS


def test_presets_and_the_library_have_the_same_defaults() -> None:
    for config in (LiveConfig(), load("live").config.live):
        assert (config.prefill, config.prefill_without_realtime) == tuple(DEFAULTS.values())


@pytest.mark.parametrize("prefill", CANDIDATES)
def test_a_prefill_lasts_for_a_poll_the_wake_up_and_a_period_of_work(prefill: int) -> None:
    room_ms = covered_ms(prefill)
    assert room_ms + 1e3 * POLL_S + 1e3 * LiveSettings().block / 44_100 == pytest.approx(1e3 * prefill / 44_100)
    assert smallest_prefill(room_ms) == prefill
    assert smallest_prefill(room_ms + 1e-6) in (None, 2 * prefill)


def test_what_is_asked_for_beside_everything_is_the_most_that_any_load_asks_for() -> None:
    quiet, loud = cases(LATEST_MS, ["idle"]), cases({"FIFO": 15.0, "normal": 500.0}, ["cpu"])
    found = {(need.priority, need.load): need for need in needs(quiet + loud)}
    assert len(found) == 6
    assert found["FIFO", "idle"].for_all == 512
    assert found["FIFO", defaults.ALL_LOADS].for_all == found["FIFO", "cpu"].for_all == 1024
    assert len(found["FIFO", defaults.ALL_LOADS].late_ms) == 2 * N_WAKE_UPS
    assert found["normal", "cpu"].for_all is None
    assert found["normal", "cpu"].for_most == 256  # one in 20 000
    assert found["normal", "cpu"].covered == "99.99 %"


def test_the_verdict_says_whether_the_default_is_enough_and_the_way_out() -> None:
    enough, more = verdicts(needs(cases(LATEST_MS | {"normal": 5.0})))
    assert enough == "FIFO: the default prefill of 512 samples covers every wake-up that was seen"
    assert more.endswith("; 512 would do")
    one, none = verdicts(needs(cases({"FIFO": 15.0, "normal": 500.0})))
    assert one.endswith("covers 99.99 % of the wake-ups, the latest of 15.0 ms not: --prefill 1024 does")
    assert none.endswith("the latest of 500.0 ms not: end what is busy")
    often = [Case("idle", "FIFO", PLACES[0], 10.0, late(15.0, N_WAKE_UPS // 50))]
    assert "covers 98.00 % of the wake-ups" in verdicts(needs(often))[0]


def test_each_choice_is_compared_with_what_it_was_chosen_over() -> None:
    latest = dict(zip(PLACES, (1.0, 2.0, 3.0), strict=True))
    measured = [
        Case("idle", priority, place, 10.0, late(10 * latest[place] if priority == "normal" else latest[place], 100))
        for priority in PRIORITIES
        for place in PLACES
    ]
    table = defaults.choices_table(measured)
    assert [row[2:] for row in table.rows] == [
        pytest.approx([1.0, 10.0, 1.0, 10.0]),
        pytest.approx([1.0, 3.0, 1.0, 3.0]),
        pytest.approx([2.0, 3.0, 2.0, 3.0]),
    ]
