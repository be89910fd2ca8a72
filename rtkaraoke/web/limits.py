"""How much one client may ask for: token buckets, in bounded memory."""

import time
from collections import OrderedDict
from collections.abc import Callable

MOST_CLIENTS = 4096  #: remembered; whoever was away longest is forgotten first


class Buckets:
    """A token bucket for each client: ``burst`` at once, ``rate`` per second in the long run.

    Parameters
    ----------
    rate : float
        Per second.
    burst : float
        At once, after a time of rest.
    clock : callable
        Seconds that only grow.
    """

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> (left, as of)

    def take(self, client: str) -> bool:
        """Whether ``client`` may have one more, which then counts."""
        now = self._clock()
        left, then = self._buckets.pop(client, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._rate)
        granted = left >= 1.0
        self._buckets[client] = (left - granted, now)
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return granted

    def forget(self, client: str) -> None:
        """Let ``client`` begin anew."""
        self._buckets.pop(client, None)
