"""Keeps a contained plugin running: a thread that notices what goes wrong with its child, and starts another.

It polls, a few times a second. The worker needs none of it to go on: an answer that does not come is done without.
"""

import threading
import time
from collections.abc import Callable

from rtkaraoke.errors import PluginError
from rtkaraoke.plugins.hosting.hosted import Hosted
from rtkaraoke.plugins.protocol import Plugin

HANG_S = 0.5  #: live, a plugin that has not answered for so long hangs
LONGEST_WAIT_S = 30.0  #: in a file
RESTARTS = 3  #: live; then the plugin stays bypassed
RESTART_S = 1.0  #: before the first one, twice as long before each further one
CALM_S = 600.0  #: after so long without a failure they are counted anew
TICK_S = 0.05  #: how often the thread looks
TOLD_S = 2.0  #: a failure that the worker met is explained by then


class Keeper:
    """One child process after the other, for one plugin.

    Parameters
    ----------
    factory : callable
        Picklable; makes the plugin, in the child.
    on_start : callable or None
        Picklable; raises the priority of the watching thread and of the prepared child.
    restarts : int
        How often a plugin that failed in a live run is started again.

    Attributes
    ----------
    hosted : Hosted or None
        The child that blocks go to; None while there is none. The watching thread takes it away and puts another.
    notes : list of str
        What was done about failures.
    error : PluginError or None
        Why there is no child any more and will be none.
    patient : bool
        Whether answers are waited for (a file): then a plugin is not started again.

    Raises
    ------
    PluginError
        When the plugin cannot be made.
    """

    def __init__(self, factory: Callable[[], Plugin], on_start: Callable[[], None] | None, restarts: int) -> None:
        self._factory = factory
        self._on_start = on_start
        self._restarts = restarts
        self._closing = threading.Event()
        self._settled = threading.Event()
        self._thread: threading.Thread | None = None
        self._ended: list[Hosted] = []
        self._fault = ""
        self.notes: list[str] = []
        self.error: PluginError | None = None
        self.patient = True
        self.hosted: Hosted | None = self._start()
        self.description = self.hosted.description

    def prepare(self, sample_rate: int, n_channels: int, block: int, values: Callable[[], tuple[float, ...]]) -> int:
        """Have a child that is ready for blocks ``(n_channels, block)`` at ``sample_rate`` Hz, and watch over it.

        Parameters
        ----------
        sample_rate, n_channels, block : int
        values : callable
            Gives the present target of every parameter.

        Returns
        -------
        int
            The plugin's latency in samples.

        Raises
        ------
        PluginError
            When it cannot be made again, or refuses.
        """
        hosted = self.hosted
        if hosted is None or self._thread is not None:
            self.close()
            self._closing.clear()
            self._settled.clear()
            hosted = self.hosted = self._start()
        self.error = None
        self._fault = ""
        try:
            latency = hosted.prepare(sample_rate, n_channels, block, values())
        except PluginError:
            self.hosted = None
            raise

        def again() -> Hosted:
            new = self._start()
            found = new.prepare(sample_rate, n_channels, block, values())
            if found != latency:
                new.close()
                raise PluginError(f"its latency was {latency} samples and is {found} now")
            return new

        self._thread = threading.Thread(target=self._watch, args=(hosted, again), name="rtkaraoke-keeper", daemon=True)
        self._thread.start()
        return latency

    def explain(self) -> PluginError:
        """Why there is no answer; waits for the watching thread to find out."""
        self._settled.wait(TOLD_S)
        return PluginError(f"plugin {self.description.name!r} failed: {self._fault or 'it does not answer'}")

    def close(self) -> None:
        """End the thread and the child, and let go of all memory. The worker must be done. May be called twice."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self.hosted is not None:
            self._ended.append(self.hosted)
            self.hosted = None
        for hosted in self._ended:
            hosted.close()
        self._ended.clear()

    def _start(self) -> Hosted:
        return Hosted(self._factory, self._on_start, self._closing)

    def _watch(self, hosted: Hosted, again: Callable[[], Hosted]) -> None:
        if self._on_start is not None:
            self._on_start()
        n_failures, failed_s = 0, time.monotonic()
        fault = ""
        while not self._closing.wait(TICK_S):
            fault = hosted.find_fault(LONGEST_WAIT_S if self.patient else HANG_S)
            while fault:
                self._end(hosted)
                now_s = time.monotonic()
                n_failures = 1 if now_s - failed_s > CALM_S else n_failures + 1
                failed_s = now_s
                if self.patient or n_failures > self._restarts:
                    self._fault = fault
                    self.error = PluginError(f"{fault}. The plugin is bypassed: its input passes, as late as before")
                    self._settled.set()
                    return
                name, count = self.description.name, f"{n_failures} of {self._restarts}"
                self.notes.append(f"{name}: {fault}. The plugin is bypassed and started again ({count})")
                if self._closing.wait(RESTART_S * 2 ** (n_failures - 1)):
                    return
                try:
                    hosted = again()
                except PluginError as error:
                    if self._closing.is_set():
                        return
                    fault = str(error)
                else:
                    fault = ""
                    self.hosted = hosted
                    self.notes.append(f"{name}: the plugin runs again ({count})")

    def _end(self, hosted: Hosted) -> None:
        """Take a child away. The worker may be at it still: its memory stays until :meth:`close`."""
        if self.hosted is hosted:
            self.hosted = None
            self._ended.append(hosted)
            hosted.end()
