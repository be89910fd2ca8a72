"""A live run as its user sees it: the engine in a process of its own, controlled from here.

The control surface survives whatever happens to the sound: a server that dies in mid-stream takes the engine's
process along, which is replaced (``reconnect``) or reported. One thread owns that process from its start to its
end; the methods leave word with it and return.
"""

import pickle
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import connection, get_context
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rtkaraoke.errors import DeviceError, LiveError
from rtkaraoke.live import child, devices
from rtkaraoke.live.backend import AudioBackend
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.live.telemetry import LiveEvent, LiveStatus
from rtkaraoke.processes import TERMINATE_S, end, start_deaf

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from rtkaraoke.engine import Engine
    from rtkaraoke.live.host import Source
    from rtkaraoke.plugins.protocol import PluginInfo

TICK_S = 0.1
RETRY_S = 1.0  #: between two looks for a device that went away
POLITE_STOP_S = 0.5  #: from asking the process to end until it is terminated


class LiveSession:
    """One live run.

    Parameters
    ----------
    settings : LiveSettings
    engine_factory : callable
        Makes the engine, in its process: a picklable callable such as a :func:`functools.partial` of a function
        at the top of a module.
    source_factory : callable, optional
        Makes the :class:`~rtkaraoke.live.host.Source` to play, when ``settings.channels_in`` is empty.
    backend : AudioBackend, optional
        The sound cards by way of rtmixer when left out.
    reconnect : bool
        Wait for a device that went away and go on when it is back.

    Attributes
    ----------
    error : Exception or None
        What ended the run, if it was not :meth:`stop`.

    Examples
    --------
    ::

        with LiveSession(LiveSettings(), partial(make_engine, "live")) as session:
            session.start()
            session.set("vocal_remover", "vocals", -12.0)
            session.wait()
    """

    def __init__(
        self,
        settings: LiveSettings,
        engine_factory: Callable[[], "Engine"],
        *,
        source_factory: Callable[[], "Source"] | None = None,
        backend: AudioBackend | None = None,
        reconnect: bool = False,
    ) -> None:
        if backend is None:
            from rtkaraoke.live.rtmixer_backend import RtmixerBackend

            backend = RtmixerBackend()
        self.error: Exception | None = None
        self._settings = settings
        self._backend = backend
        self._factories = pickle.dumps((engine_factory, source_factory))
        self._reconnect = reconnect
        self._lock = threading.Lock()
        self._connection: connection.Connection | None = None
        self._wishes: dict[tuple[str, ...], float] = {}
        self._status = LiveStatus(latency_budget_ms=settings.latency_budget_ms)
        self._recording: tuple[Path, bool] | None = None
        self._n_recordings = 0  # into how many files it has gone: one for each process
        self._recorded_by: connection.Connection | None = None  # the last of them
        self._layout: tuple[PluginInfo, ...] = ()
        self._events: list[LiveEvent] = []
        self._started = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, timeout_s: float = 60.0) -> LiveStatus:
        """Begin; returns when the sound runs.

        Raises
        ------
        RtkaraokeError
            Whatever keeps it from running: a device, the network, the latency budget.
        """
        if self._thread is not None:
            raise LiveError("this session was started before: make a new one")
        self._thread = threading.Thread(target=self._supervise, name="rtkaraoke-live", daemon=True)
        self._thread.start()
        try:
            started = _wait(self._started, timeout_s)
        except BaseException:
            self.stop()
            raise
        if not started:
            self.stop()
            raise LiveError(f"the engine was not ready after {timeout_s:g} s: the machine may be overloaded")
        if self.error is not None:
            self.stop()
            raise self.error
        return self.status()

    def set(self, plugin: str, parameter: str, value: float) -> None:
        """Move a parameter of the engine. What is wrong with it is told by an event."""
        self._wish(("set", plugin, parameter), value)

    def mute(self, muted: bool) -> None:
        """Panic: silence within 20 ms and the prefill; or sound again."""
        self._wish(("mute",), float(muted))

    def command(self, name: str, value: float = 0.0, text: str = "") -> None:
        """Tell the source what to do, such as ``pause`` or ``seek``. What is wrong with it is told by an event."""
        self._send(("source", name, value, text))

    def record(self, path: Path | None, *, apart: bool = False) -> None:
        """Keep what is heard in a new FLAC file, or end that. A recording that goes on is ended before.

        Parameters
        ----------
        path : Path or None
            None ends the recording.
        apart : bool
            Music and voices go to files of their own, ``NAME.music.flac`` and ``NAME.voices.flac``.

        Notes
        -----
        What is wrong with it, and its end, is told by an event. Where the sound comes back after a device went away
        it goes on in ``NAME.2.flac``.
        """
        with self._lock:
            self._recording = None if path is None else (path, apart)
            self._n_recordings, self._recorded_by = 0, None
        self._record_on()

    def layout(self) -> tuple["PluginInfo", ...]:
        """Everything that :meth:`set` can reach, in the order of the signal; empty until the engine is prepared."""
        return self._layout

    def status(self) -> LiveStatus:
        """The latest status, at most some 100 ms old while running."""
        return self._status

    def events(self) -> list[LiveEvent]:
        """What has happened since the last call."""
        with self._lock:
            events, self._events = self._events, []
        return events

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the run has ended; False when it still goes on. Ctrl-C comes through as always."""
        thread = self._thread
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while thread is not None and thread.is_alive():
            if deadline is not None and time.monotonic() >= deadline:
                return False
            left_s = TICK_S if deadline is None else min(TICK_S, deadline - time.monotonic())
            thread.join(max(left_s, 0.0))
        return True

    def stop(self) -> None:
        """End the run within a second, by force where need be. May be called twice and before the start."""
        self._stop.set()
        self._send(("stop",))
        if self._thread is not None:
            self._thread.join(2 * (POLITE_STOP_S + TERMINATE_S))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _record_on(self) -> None:
        """Hand the recording that is wanted to the process, if there is one: to each a file of its own."""
        with self._lock:
            if self._connection is None or self._recorded_by is self._connection:
                return
            self._recorded_by = self._connection
            path, apart = self._recording or (None, False)
            self._n_recordings += 1
            if path is not None and self._n_recordings > 1:
                path = path.with_name(f"{path.stem}.{self._n_recordings}{path.suffix}")
        self._send(("record", "" if path is None else str(path), apart))

    def _wish(self, target: tuple[str, ...], value: float) -> None:
        """Keep the wish for a process that comes after the present one, and tell the present one."""
        with self._lock:
            self._wishes[target] = value
        self._send((*target, value))

    def _send(self, message: tuple[Any, ...]) -> None:
        with self._lock:
            if self._connection is not None:
                try:
                    self._connection.send(message)
                except OSError:
                    self._connection = None  # the process has ended: the supervisor finds out by itself

    def _tell(self, event: LiveEvent) -> None:
        with self._lock:
            self._events.append(event)

    # From here on: the supervisor's thread.

    def _supervise(self) -> None:
        run = 0
        try:
            while not self._stop.is_set():
                run += 1
                lost = self._run_process(child.numbered(self._settings, run))
                if not lost or self._stop.is_set():
                    break
                self._status = replace(self._status, state="waiting")
                self._stop.wait(RETRY_S)
        finally:
            self._status = replace(self._status, state="failed" if self.error else "stopped")
            self._started.set()

    def _run_process(self, settings: LiveSettings) -> bool:
        """One engine process from start to end; True when it is worth trying again."""
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        job = child.Job(settings, self._backend, self._factories)
        process = context.Process(target=child.main, args=(theirs, job), name="rtkaraoke-engine", daemon=True)
        start_deaf(process)
        theirs.close()
        patience_s = 0.0  # where it does not say that it ends, it has had its time
        try:
            again, patience_s = self._listen(ours, process)
        finally:
            with self._lock:
                self._connection = None
            end(process, patience_s)
            ours.close()
        return again

    def _listen(self, ours: connection.Connection, process: "BaseProcess") -> tuple[bool, float]:
        """Until the process ends: whether it is worth trying again, and for how long it may still be busy ending."""
        stop_by = 0.0
        while True:
            if self._stop.is_set():
                now = time.monotonic()
                stop_by = stop_by or now + (POLITE_STOP_S if self._connection is not None else 0.0)
                if now >= stop_by:
                    return False, 0.0
            ready = connection.wait([ours, process.sentinel], TICK_S)
            if ours in ready:
                try:
                    kind, content = ours.recv()
                except (EOFError, OSError):
                    kind, content = "died", None
            elif ready:
                kind, content = "died", None
            else:
                continue
            if kind in ("running", "status"):
                self._status = content
                if kind == "running":
                    self._begin(ours)
            elif kind == "layout":
                self._layout = content
            elif kind == "event":
                self._tell(content)
            elif kind == "stopped":
                self._status = content
                return False, TERMINATE_S
            else:
                return self._ended(kind, content, process), TERMINATE_S

    def _begin(self, ours: connection.Connection) -> None:
        """The sound runs: hand over what was wished for in the meantime."""
        again = self._started.is_set()
        with self._lock:
            wishes = list(self._wishes.items())
            self._connection = ours
        for target, value in wishes:
            self._send((*target, value))
        if self._recording is not None:
            self._record_on()
        if again:
            self._tell(LiveEvent("resumed", "the sound is back"))
        self._started.set()

    def _ended(self, kind: str, content: Any, process: "BaseProcess") -> bool:
        """Say what ended the process; True when it is worth trying again."""
        running = self._started.is_set()
        if kind == "failed":
            error: Exception = content
            if self._reconnect and running and isinstance(error, DeviceError):
                return True  # still away
        elif kind == "lost":
            names = " -> ".join(name for name in (self._status.input, self._status.output) if name)
            error = DeviceError(f"{content}. {devices.explain_loss(names)}")
        else:
            process.join(TERMINATE_S)
            error = LiveError(
                f"the engine process ended by itself (exit code {process.exitcode}). Please report this, with the "
                "lines above"
            )
        if kind == "lost" and self._reconnect:
            self._tell(LiveEvent("lost", f"{error} Waiting for it."))
            return True
        if self._stop.is_set():
            return False
        self._tell(LiveEvent("lost" if kind == "lost" else "error", str(error)))
        self.error = error
        return False


def _wait(event: threading.Event, timeout_s: float) -> bool:
    """Wait in slices: on Windows a plain wait would be deaf to Ctrl-C."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if event.wait(TICK_S):
            return True
    return False
