"""Is the sound card still there? Its callbacks say so, or stop saying so."""

STALLED_S = 0.75  #: no callback for so long: a period of 32 768 samples at 44.1 kHz would be one


class Watchdog:
    """Looks at the callback counter and at what the driver says; both lie in their own way.

    A killed JACK server shows as inactive, an unplugged card often as neither inactive nor finished, only silent.

    Parameters
    ----------
    stalled_s : float
        Time without a callback after which the device counts as lost.
    """

    def __init__(self, stalled_s: float = STALLED_S) -> None:
        self._stalled_s = stalled_s
        self._clock = -1
        self._moved_at_s = 0.0

    def check(self, clock: int, active: bool, now_s: float) -> str:
        """Why the device is lost, or an empty string.

        Parameters
        ----------
        clock : int
            The callback counter.
        active : bool
            What the driver says.
        now_s : float
            Monotonic time.
        """
        if clock != self._clock:
            self._clock, self._moved_at_s = clock, now_s
        if not active:
            return "the sound server or driver ended the stream"
        if now_s - self._moved_at_s > self._stalled_s:
            return f"the sound card has not asked for sound for {now_s - self._moved_at_s:.1f} s"
        return ""
