"""What the host sets during an evening, from the page or a MIDI controller; kept through a crash."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rtkaraoke.closing import Closing
from rtkaraoke.errors import NightError, RtkaraokeError
from rtkaraoke.karaoke import shown_state
from rtkaraoke.karaoke.memory import TONIGHT_S, Memory
from rtkaraoke.karaoke.midi import Midi, Ports
from rtkaraoke.karaoke.protocols import Session
from rtkaraoke.plugins.protocol import Parameter

KEEP_S = 1.0  #: from a change until it is written down
CALIBRATE = ("duck", "calibrate")  #: an action, not a place to remember


class Controls(Closing):
    """Every parameter of the engine, presets, recording and MIDI. Everything may be called from any thread.

    Parameters
    ----------
    session : Session
    memory : Memory
        Where the parameters that were set are kept.
    recordings : Path
        The folder for recordings.
    midi_path : Path
        Where MIDI controllers' bindings are kept.
    instead : callable
        ``instead(plugin, parameter, value)`` is asked first, and takes what is not a matter of the desk.
    say : callable
        Tells the host something.
    ports : Ports, optional
        MIDI inputs; mido's when left out.
    clock : callable
        Seconds that only grow.
    """

    def __init__(
        self,
        session: Session,
        memory: Memory,
        recordings: Path,
        midi_path: Path,
        instead: Callable[[str, str, float], bool],
        say: Callable[[str], None],
        ports: Ports | None,
        clock: Callable[[], float],
    ) -> None:
        self._session = session
        self._memory = memory
        self._recordings = recordings
        self._instead = instead
        self._say = say
        self._clock = clock
        self._lock = threading.Lock()
        self._parameters: dict[tuple[str, str], Parameter] = {
            (info.name, parameter.name): parameter for info in session.layout() for parameter in info.parameters
        }
        self._set: dict[str, float] = {}
        self._keep_at = float("inf")
        self._midi = Midi(midi_path, self._parameters, self._set_safely, self._value, ports)
        self._midi_names: list[str] = []

    def close(self) -> None:
        """Let go of the MIDI controller and write down what was set. May be called twice."""
        self._midi.close()
        self.keep()

    def layout(self) -> dict[str, Any]:
        """Every bus with its plugins and their parameters."""
        return shown_state.layout(self._session.layout())

    def values(self) -> dict[str, float]:
        """What every parameter is set to: ``"plugin.parameter"`` -> value."""
        return self._session.status().parameters

    def set(self, plugin: str, parameter: str, value: float) -> None:
        """Move a parameter. Raises :class:`NightError` when unknown, :class:`PluginError` when out of range."""
        declared = self._parameters.get((plugin, parameter))
        if declared is None:
            raise NightError(f"no parameter {plugin[:80]}.{parameter[:80]}: the host view lists all there are")
        value = declared.check(value)
        if self._instead(plugin, parameter, value):
            return
        with self._lock:
            self._session.set(plugin, parameter, value)
            if (plugin, parameter) != CALIBRATE:
                self._set[f"{plugin}.{parameter}"] = value
                self._keep_at = min(self._keep_at, self._clock() + KEEP_S)

    def preset(self, plugin: str, name: str) -> None:
        """Give a plugin the values of a preset. Raises :class:`NightError` when there is none such."""
        info = next((info for info in self._session.layout() if info.name == plugin), None)
        if info is None or name not in info.presets:
            known = ", ".join(info.presets) if info is not None else ""
            raise NightError(f"{plugin[:80]} has no preset {name[:80]!r}: there are {known or 'none'}")
        for parameter, value in info.presets[name].items():
            self.set(plugin, parameter, value)

    def mute(self, on: bool) -> None:
        """Silence at once, or sound again."""
        self._session.mute(on)

    def record(self, on: bool, apart: bool = False) -> None:
        """Begin a recording of what is heard, or end it; ``apart`` keeps music and voices in files of their own."""
        if not on:
            self._session.record(None)
            return
        try:
            self._recordings.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NightError(f"{self._recordings}: cannot be made ({error.strerror}): start with --record-to") from None
        self._session.record(self._recordings / f"{time.strftime('%Y-%m-%d %H.%M.%S')}.flac", apart=apart)

    def calibrate(self) -> None:
        """Let the duck measure for two seconds what the microphones hear while nobody sings."""
        if CALIBRATE not in self._parameters:
            raise NightError("there is no duck to calibrate: it wants a microphone in the preset")
        self._session.set(*CALIBRATE, 1.0)

    def midi_ports(self) -> None:
        """Look which MIDI controllers are connected. Raises :class:`NightError` where MIDI cannot be had."""
        self._midi_names = self._midi.names()

    def midi_open(self, port: str) -> None:
        """Listen to a controller, or with an empty name to none. Raises :class:`NightError`."""
        self._midi.open(port)

    def midi_learn(self, plugin: str, parameter: str) -> None:
        """The next control that moves is for this parameter. Raises :class:`NightError`."""
        self._midi.learn(plugin, parameter)

    def midi_forget(self, plugin: str, parameter: str) -> None:
        """No control moves this parameter any more."""
        self._midi.forget(plugin, parameter)

    def midi(self) -> dict[str, Any]:
        """Controllers and what they move, as a page shows it."""
        return {
            "ports": self._midi_names,
            "port": self._midi.port,
            "learning": ".".join(self._midi.learning or ()),
            "bindings": [
                {"control": str(binding.control), "plugin": binding.plugin, "parameter": binding.parameter}
                for binding in self._midi.bindings()
            ],
        }

    @property
    def midi_changes(self) -> tuple[object, ...]:
        """Another value whenever :meth:`midi` tells something new."""
        return self._midi.n_changes, self._midi.learning, tuple(self._midi_names)

    def recall(self) -> None:
        """After a crash: everything as it stood. What another evening left is that evening's."""
        kept = self._memory.kept("desk", TONIGHT_S)
        for key, value in kept.items() if isinstance(kept, dict) else ():
            plugin, _, parameter = key.rpartition(".")
            try:
                self.set(plugin, parameter, value)
            except RtkaraokeError:
                continue  # the preset is another one now

    def keep_when_due(self) -> None:
        """Write down what was set, once it has stood for :data:`KEEP_S`."""
        if self._clock() >= self._keep_at:
            self.keep()

    def keep(self) -> None:
        """Write down what was set since the last time."""
        with self._lock:
            if self._keep_at < float("inf"):
                self._keep_at = float("inf")
                self._memory.keep("desk", self._set)

    def _value(self, plugin: str, parameter: str) -> float:
        key = f"{plugin}.{parameter}"
        return self._set.get(key, self._session.status().parameters.get(key, 0.0))

    def _set_safely(self, plugin: str, parameter: str, value: float) -> None:
        """For the MIDI thread, where nobody catches anything."""
        try:
            self.set(plugin, parameter, value)
        except RtkaraokeError as error:
            self._say(str(error))
