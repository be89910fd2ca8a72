"""The engine's process: engine, stream and worker, and a control thread that talks to the parent.

Whatever can hang when a driver dies hangs here, and this process can be ended. It never sees Ctrl-C: the parent
does, and asks.
"""

import gc
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from rtkaraoke.errors import LiveError, RtkaraokeError
from rtkaraoke.live import priority
from rtkaraoke.live.backend import AudioBackend, AudioStream
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.live.telemetry import LiveEvent
from rtkaraoke.live.watchdog import Watchdog

if TYPE_CHECKING:
    from rtkaraoke.engine import Engine
    from rtkaraoke.live.host import Source

TICK_S = 0.05  #: how often the control thread looks
STATUS_S = 0.05
SWITCH_INTERVAL_S = 0.0005
EXIT_LOST = 3


@dataclass(frozen=True, slots=True)
class Job:
    """What the child needs.

    The factories travel pickled: they are unpacked once the devices are known to be there, since unpacking them
    imports the engine.
    """

    settings: LiveSettings
    backend: AudioBackend
    factories: bytes  #: pickled (engine factory, source factory or None)


def main(connection: Connection, job: Job) -> None:
    """Run one live stream; the entry point of the process.

    Messages to the parent are pairs: ``layout`` with that of the engine, ``running``, ``status`` and ``stopped`` with a
    :class:`LiveStatus`, ``event`` with a :class:`LiveEvent`, ``failed`` with an exception, ``lost`` with a text. From
    the parent come tuples of a verb and its arguments: ``set plugin parameter value``, ``mute 0/1``,
    ``source name value text``, ``record path apart`` (no path ends it), ``stop``.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = _Parent(connection)
    try:
        sample_rate = job.backend.check(job.settings)
        factories = pickle.loads(job.factories)
        _Run(parent, job.settings, job.backend, sample_rate, *factories).run()
    except RtkaraokeError as error:
        parent.send("failed", error)
    except Exception as error:
        parent.send("failed", LiveError(f"the engine stopped: {type(error).__name__}: {error}"))
        raise


class _Parent:
    """The other end of the pipe. When it is gone nobody is left to tell, and no stream may keep us: we end at once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, kind: str, content: Any) -> None:
        try:
            self._connection.send((kind, content))
        except OSError:
            os._exit(1)

    def receive(self, timeout_s: float) -> tuple[Any, ...] | None:
        try:
            return self._connection.recv() if self._connection.poll(timeout_s) else None
        except (EOFError, OSError):
            os._exit(1)


class _Run:
    def __init__(
        self,
        parent: _Parent,
        settings: LiveSettings,
        backend: AudioBackend,
        sample_rate: int,
        engine_factory: Callable[[], "Engine"],
        source_factory: Callable[[], "Source"] | None,
    ) -> None:
        from rtkaraoke.live.host import MAX_BLOCK, Host
        from rtkaraoke.live.recorder import Recorder
        from rtkaraoke.live.records import Records
        from rtkaraoke.live.reporting import Reporter

        self._parent = parent
        self._settings = settings
        self._realtime = settings.realtime and priority.realtime_allowed()
        self._prefill = settings.prefill
        if settings.realtime and not self._realtime:
            self._prefill = max(settings.prefill, settings.prefill_without_realtime)
            self._tell("notice", priority.refusal(self._prefill, sample_rate))
        self._engine = engine_factory()
        self._engine.prepare(sample_rate, settings.n_channels, max(MAX_BLOCK, settings.block))
        self._engine.warm_up()
        if self._realtime:
            priority.raise_priority(priority.CONTROL_PRIORITY)
        self._source = None if source_factory is None else source_factory()
        if self._source is not None:
            self._source.prepare(sample_rate, settings.n_channels)
        self._stream: AudioStream = backend.open(settings, self._prefill)
        try:
            raw = Recorder(settings.record, self._engine.n_inputs, sample_rate) if settings.record else None
            self._host: Host = Host(self._engine, self._stream, settings, self._source, raw)
        except LiveError:
            self._stream.close()
            raise
        self._records = Records(self._engine, self._host, raw, settings.record)
        self._reporter = Reporter(self._host, settings, realtime=self._realtime)
        self._notes_told: set[str] = set()
        self._period_told = False

    def run(self) -> None:
        """Start, control until told to stop, end."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        gc.collect()
        gc.freeze()
        gc.disable()
        worker = threading.Thread(target=self._work, name="rtkaraoke-worker", daemon=True)
        worker.start()
        self._stream.start()
        self._parent.send("layout", self._engine.layout())
        self._parent.send("running", self._reporter.status("running", self._records.recording))
        lost = self._control()
        if lost:
            self._records.close()
            self._parent.send("lost", lost)
            os._exit(EXIT_LOST)  # closing a dead stream hangs
        self._fade_out()
        self._host.stop()
        worker.join()
        self._stream.stop()
        self._stream.close()
        self._records.close()
        self._parent.send("stopped", self._reporter.status("stopped", self._records.recording))
        if self._source is not None:
            self._source.close()
        self._engine.close()

    def _work(self) -> None:
        if self._realtime:
            priority.raise_priority(priority.WORKER_PRIORITY)
        self._host.run()

    def _control(self) -> str:
        """Serve the parent; returns why the device is lost, or nothing when told to stop."""
        watchdog = Watchdog()
        next_status_s = 0.0
        while True:
            if (message := self._parent.receive(TICK_S)) is not None:
                if message[0] == "stop":
                    return ""
                self._obey(message)
            now_s = time.monotonic()
            if self._host.error is not None:
                raise self._host.error
            if lost := watchdog.check(self._stream.clock, self._stream.active, now_s):
                return lost
            if now_s >= next_status_s:
                next_status_s = now_s + STATUS_S
                self._check_period()
                self._records.store_decisions()
                self._tell_notes()
                if error := self._records.ended():
                    self._tell("error", error)
                self._parent.send("status", self._reporter.status("running", self._records.recording))

    def _obey(self, message: tuple[Any, ...]) -> None:
        verb, *arguments = message
        try:
            if verb == "set":
                self._host.set(*arguments)
            elif verb == "mute":
                self._host.mute(bool(arguments[0]))
            elif verb == "source" and self._source is not None:
                self._source.command(*arguments)
            elif verb == "record" and (text := self._records.record(*arguments)):
                self._tell("notice", text)
        except RtkaraokeError as error:
            self._tell("error", str(error))

    def _fade_out(self) -> None:
        from rtkaraoke.live.host import MUTE_S

        self._host.mute(True)
        time.sleep(MUTE_S + min(self._prefill / self._stream.sample_rate, 0.15))

    def _tell(self, kind: Any, text: str) -> None:
        self._parent.send("event", LiveEvent(kind, text))

    def _check_period(self) -> None:
        """Say once when the card asks for more at a time than there can be in time."""
        period = self._stream.period
        if 2 * period > self._prefill and not self._period_told:
            self._period_told = True
            self._tell(
                "notice",
                f"the sound card asks for {period} samples at a time and the prefill is {self._prefill}: there will be "
                f"gaps. Set the card or its server to a smaller block, or the prefill to {2 * period} or more",
            )

    def _tell_notes(self) -> None:
        """Pass on, once each, what plugins, their networks or the recorder have to say."""
        notes: list[str] = []
        for name, part in self._engine.plugins.items():
            plugin = getattr(part, "plugin", part)  # inside of a switch
            notes += getattr(getattr(plugin, "network", None), "notes", [])
            notes += getattr(plugin, "notes", [])
            if error := getattr(plugin, "error", None):
                notes.append(f"{name}: {error}")
            for text in plugin.news() if hasattr(plugin, "news") else ():
                self._tell("notice", text)
        for text in getattr(self._source, "news", list)():
            self._tell("notice", text)
        notes += self._records.notes
        for note in notes:
            if note not in self._notes_told:
                self._notes_told.add(note)
                self._tell("notice", note)


def numbered(settings: LiveSettings, run: int) -> LiveSettings:
    """The settings for the ``run``-th stream of a session: each records to a file of its own."""
    if settings.record is None or run == 1:
        return settings
    path = settings.record
    return replace(settings, record=path.with_name(f"{path.stem}.{run}{path.suffix}"))
