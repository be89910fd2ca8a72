"""Hold, fade to the fallback, come back without pumping; every decision logged."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rtkaraoke.masks.deadline import DecisionLog, HoldPolicy

HOP_S = 256 / 44_100
HOLD, FADE, RECOVERY = 18, 9, 44  # hops


def weights(decisions: list[bool]) -> list[float]:
    policy = HoldPolicy(HOP_S)
    return [policy.update(fresh) for fresh in decisions]


def test_a_short_stall_is_bridged_by_the_last_mask() -> None:
    assert set(weights([True] * 5 + [False] * HOLD + [True] * 5)) == {1.0}


def test_a_long_stall_fades_to_the_fallback_and_back() -> None:
    row = weights([False] * (HOLD + 1 + FADE) + [True] * (RECOVERY + FADE))
    assert row[HOLD - 1] == 1.0
    assert row[HOLD + FADE] == 0.0
    assert row[HOLD + FADE + RECOVERY - 1] == 0.0
    assert row[-1] == 1.0


def test_a_single_fresh_mask_does_not_end_a_fallback() -> None:
    assert weights([False] * 40 + [True] + [False] * 3)[-4:] == [0.0] * 4


def test_relapses_double_the_recovery() -> None:
    policy = HoldPolicy(HOP_S)
    waits = []
    for _ in range(8):
        while policy.update(False) > 0:
            pass
        wait = 0
        while policy.fallen:
            policy.update(True)
            wait += 1
        waits.append(wait)
    assert waits[:3] == [RECOVERY, 2 * RECOVERY, 4 * RECOVERY]
    assert waits[-1] == waits[-2] <= 4 / HOP_S + 1
    for _ in range(int(10 / HOP_S) + 2):
        policy.update(True)
    while not policy.fallen:
        policy.update(False)
    calm_wait = 0
    while policy.fallen:
        policy.update(True)
        calm_wait += 1
    assert calm_wait == RECOVERY


@given(st.lists(st.booleans(), max_size=400))
def test_weight_stays_in_range_and_moves_by_the_fade_alone(decisions: list[bool]) -> None:
    row = [1.0, *weights(decisions)]
    assert all(0.0 <= weight <= 1.0 for weight in row)
    assert all(abs(b - a) <= 1 / FADE + 1e-12 for a, b in pairwise(row))


def test_reset_is_the_start() -> None:
    policy = HoldPolicy(HOP_S)
    for _ in range(60):
        policy.update(False)
    policy.reset()
    assert [policy.update(True) for _ in range(3)] == [1.0] * 3


def test_log_drains_in_order_and_counts_what_it_lost() -> None:
    log = DecisionLog(capacity=4)
    for decision in (1, 2, 3):
        log.append(decision)
    assert log.drain() == bytes([1, 2, 3])
    assert log.drain() == b""
    for decision in range(6):
        log.append(decision)
    assert log.drain() == bytes([2, 3, 4, 5])
    assert log.lost == 2
