"""Buckets: a burst, a rate, bounded memory."""

from rtkaraoke.web.limits import MOST_CLIENTS, Buckets


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_granted_and_then_only_the_rate() -> None:
    clock = Clock()
    buckets = Buckets(rate=2.0, burst=5.0, clock=clock)
    assert [buckets.take("a") for _ in range(7)] == [True] * 5 + [False] * 2
    clock.now += 1.0
    assert [buckets.take("a") for _ in range(3)] == [True, True, False]


def test_one_client_takes_nothing_from_another() -> None:
    buckets = Buckets(rate=1.0, burst=1.0, clock=Clock())
    assert buckets.take("a")
    assert not buckets.take("a")
    assert buckets.take("b")


def test_rest_fills_the_bucket_up_to_the_burst() -> None:
    clock = Clock()
    buckets = Buckets(rate=1.0, burst=3.0, clock=clock)
    assert buckets.take("a")
    clock.now += 1e6
    assert [buckets.take("a") for _ in range(4)] == [True, True, True, False]


def test_memory_is_bounded_however_many_clients_come() -> None:
    buckets = Buckets(rate=1.0, burst=1.0, clock=Clock())
    for number in range(3 * MOST_CLIENTS):
        buckets.take(str(number))
    assert len(buckets._buckets) == MOST_CLIENTS
