"""What happens when a mask is late: hold the last one, then fade to a fallback, then come back.

Each hop's decision is one byte in a log, so that a live run can be replayed exactly.
"""

import math

import numpy as np

#: Bits of a hop's decision.
FED = 1  #: the network saw this hop
FRESH = 2  #: its mask came in time and was used

HOLD_S = 0.1  #: how long the last mask stands in for late ones
FADE_S = 0.05  #: cross-fade to the fallback and back
RECOVERY_S = 0.25  #: unbroken run of fresh masks that ends a fallback
LONGEST_RECOVERY_S = 4.0
CALM_S = 10.0  #: after so long without a fallback the recovery is as quick as at first


class HoldPolicy:
    """Turns the row of fresh and late hops into the weight of the network's mask against the fallback's.

    Coming back takes an unbroken run of fresh masks, twice as long after each relapse: a machine at its limit
    settles on the fallback and does not pump.

    Parameters
    ----------
    hop_s : float
        Duration of a hop in seconds.
    hold_s, fade_s : float
        How long the last mask stands in, and the cross-fade that follows (a hop at least), in seconds.
    """

    def __init__(self, hop_s: float, hold_s: float = HOLD_S, fade_s: float = FADE_S) -> None:
        self._hold = math.ceil(hold_s / hop_s)
        self._fade = max(math.ceil(fade_s / hop_s), 1)
        self._recovery = math.ceil(RECOVERY_S / hop_s)
        self._longest = math.ceil(LONGEST_RECOVERY_S / hop_s)
        self._calm = math.ceil(CALM_S / hop_s)
        self.reset()

    def reset(self) -> None:
        """As at the start: the network's mask in full."""
        self.fallen = False
        self._faded = 0  # hops, of self._fade, on the way to the fallback
        self._needed = self._recovery
        self._late_run = 0
        self._fresh_run = 0
        self._since_fallback = self._calm

    def update(self, fresh: bool) -> float:
        """Note one hop and return the weight of the network's (or its held) mask, 0 to 1."""
        self._fresh_run = self._fresh_run + 1 if fresh else 0
        self._late_run = 0 if fresh else self._late_run + 1
        if self.fallen:
            if self._fresh_run >= self._needed:
                self.fallen = False
                self._since_fallback = 0
        else:
            self._since_fallback += 1
            if self._since_fallback == self._calm:
                self._needed = self._recovery
            if self._late_run > self._hold:
                self.fallen = True
                if self._since_fallback < self._calm:
                    self._needed = min(2 * self._needed, self._longest)
        step = 1 if self.fallen else -1
        self._faded = min(max(self._faded + step, 0), self._fade)
        return 1.0 - self._faded / self._fade


class DecisionLog:
    """The decisions of the last hops, in a ring that never grows.

    One thread appends, another drains. ``lost`` counts decisions that were overwritten before they were drained.
    """

    def __init__(self, capacity: int = 1 << 16) -> None:
        self._ring = np.zeros(capacity, np.uint8)
        self._written = 0
        self._drained = 0
        self.lost = 0

    def append(self, decision: int) -> None:
        """Note one hop. Realtime safe."""
        self._ring[self._written % len(self._ring)] = decision
        self._written += 1

    def drain(self) -> bytes:
        """All decisions since the last call, a byte a hop, oldest first."""
        written, capacity = self._written, len(self._ring)
        if written - self._drained > capacity:
            self.lost += written - self._drained - capacity
            self._drained = written - capacity
        taken = self._ring[np.arange(self._drained, written) % capacity].tobytes()
        self._drained = written
        return taken
