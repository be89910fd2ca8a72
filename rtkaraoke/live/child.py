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
from rtkaraoke.live.telemetry import LiveEvent, LiveStatus
from rtkaraoke.live.watchdog import Watchdog

if TYPE_CHECKING:
    from rtkaraoke.engine import Engine
    from rtkaraoke.live.host import Source

TICK_S = 0.05  #: how often the control thread looks
STATUS_S = 0.1
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

    Messages to the parent are pairs: ``running``, ``status`` and ``stopped`` with a :class:`LiveStatus`, ``event``
    with a :class:`LiveEvent`, ``failed`` with an exception, ``lost`` with a text. From the parent come tuples of a
    verb and its arguments: ``set plugin parameter value``, ``mute 0/1``, ``source name value``, ``stop``.
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
        self._recorder: Recorder | None = None
        self._decisions: Any = None
        if settings.record is not None:
            self._recorder = Recorder(settings.record, settings.n_channels, sample_rate)
            self._decisions = settings.record.with_suffix(".decisions").open("wb")
        self._stream: AudioStream = backend.open(settings, self._prefill)
        try:
            self._host: Host = Host(self._engine, self._stream, settings, self._source, self._recorder)
        except LiveError:
            self._stream.close()
            raise
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
        self._parent.send("running", self._status("running"))
        lost = self._control()
        if lost:
            self._keep_records()
            self._parent.send("lost", lost)
            os._exit(EXIT_LOST)  # closing a dead stream hangs
        self._fade_out()
        self._host.stop()
        worker.join()
        self._stream.stop()
        self._stream.close()
        self._keep_records()
        self._parent.send("stopped", self._status("stopped"))
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
                self._store_decisions()
                self._tell_notes()
                self._parent.send("status", self._status("running"))

    def _obey(self, message: tuple[Any, ...]) -> None:
        verb, *arguments = message
        try:
            if verb == "set":
                self._host.set(*arguments)
            elif verb == "mute":
                self._host.mute(bool(arguments[0]))
            elif verb == "source" and self._source is not None:
                self._source.command(*arguments)
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
        for plugin in self._engine.plugins.values():
            notes += getattr(getattr(plugin, "network", None), "notes", [])
            notes += getattr(plugin, "notes", [])
            if error := getattr(plugin, "error", None):
                notes.append(f"{plugin.name}: {error}")
        if self._recorder is not None and self._recorder.error:
            notes.append(self._recorder.error)
        for note in notes:
            if note not in self._notes_told:
                self._notes_told.add(note)
                self._tell("notice", note)

    def _store_decisions(self) -> None:
        if self._decisions is not None:
            for plugin in self._engine.plugins.values():
                if log := getattr(plugin, "decisions", None):
                    self._decisions.write(log.drain())

    def _keep_records(self) -> None:
        if self._recorder is not None:
            self._recorder.close()
            self._store_decisions()
            self._decisions.close()

    def _status(self, state: Any) -> LiveStatus:
        engine, host, stream = self._engine, self._host, self._stream
        stream.update_counters()
        heard, played = engine.input_meter.read(), engine.output_meter.read()
        hops: dict[str, int] = {}
        step_ms: dict[str, float] = {}
        provider = ""
        parameters: dict[str, float] = {}
        for plugin in engine.plugins.values():
            hops |= getattr(plugin, "counters", {})
            if times := getattr(plugin, "step_times", None):
                step_ms |= times.percentiles_ms()
            provider = provider or getattr(getattr(plugin, "network", None), "provider", "")
            parameters |= {f"{plugin.name}.{name}": plugin.get(name) for name in plugin.parameters}
        return LiveStatus(
            state=state,
            sample_rate=stream.sample_rate,
            period=stream.period,
            input_peak_db=heard.peak_db,
            input_rms_db=heard.rms_db,
            output_peak_db=played.peak_db,
            output_rms_db=played.rms_db,
            latency_terms=host.latency_terms,
            latency_budget_ms=self._settings.latency_budget_ms,
            load=host.load.summary(),
            step_ms=step_ms,
            hops=hops,
            xruns=stream.counters.as_dict(),
            nonfinite=engine.n_nonfinite,
            n_samples=host.n_samples,
            realtime=self._realtime,
            provider=provider,
            parameters=parameters,
            muted=host.muted,
            drift_ppm=stream.drift_ppm,
            source=self._source.status if self._source is not None else {},
            input=stream.input_name,
            output=stream.output_name,
        )


def numbered(settings: LiveSettings, run: int) -> LiveSettings:
    """The settings for the ``run``-th stream of a session: each records to a file of its own."""
    if settings.record is None or run == 1:
        return settings
    path = settings.record
    return replace(settings, record=path.with_name(f"{path.stem}.{run}{path.suffix}"))
