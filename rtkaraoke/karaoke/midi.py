"""MIDI controllers: a knob learns a parameter, and keeps it.

Messages come on a thread of the MIDI library, in the control process; what they set travels to the engine as from
any other control. What was learnt is kept in a file of the user's configuration, by the controller's name.
"""

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from rtkaraoke.closing import Closing
from rtkaraoke.errors import NightError
from rtkaraoke.plugins.protocol import Parameter

WAY_OUT = "pip install rtkaraoke[midi]"
TOP = 127  #: the highest value of a controller, note or touch
BEND = 8192  #: half the way of a pitch wheel


@dataclass(frozen=True, slots=True)
class Control:
    """One thing on a controller that moves: ``kind`` is the type of its MIDI messages, ``number`` which of them."""

    kind: str
    channel: int
    number: int

    def __str__(self) -> str:
        words = {"control_change": "knob", "note_on": "pad", "pitchwheel": "wheel"}
        return f"{words.get(self.kind, self.kind)} {self.number}, channel {self.channel + 1}"


@dataclass(frozen=True, slots=True)
class Binding:
    """What a control moves."""

    control: Control
    plugin: str
    parameter: str


class Port(Protocol):
    """An open MIDI input, as mido has it."""

    def close(self) -> None:
        """No message comes any more."""
        ...


class Ports(Protocol):
    """Where MIDI inputs come from; :mod:`mido` itself is one."""

    def get_input_names(self) -> list[str]:
        """What is connected."""
        ...

    def open_input(self, name: str, *, callback: Callable[[Any], None]) -> Port:
        """Listen; ``callback`` gets every message, on a thread of the library."""
        ...


def mido_ports() -> Ports:
    """The MIDI inputs of this machine.

    Raises
    ------
    NightError
        When the extra ``midi`` is not installed, or there is no MIDI on this machine.
    """
    try:
        import mido

        mido.set_backend("mido.backends.rtmidi", load=True)
    except ImportError as error:
        raise NightError(f"MIDI needs a package that is missing ({error.name}): {WAY_OUT}") from None
    return mido


class Midi(Closing):
    """Listens to one controller.

    Parameters
    ----------
    path : Path
        Where bindings are kept (JSON).
    parameters : mapping
        ``(plugin, parameter)`` -> the declared :class:`~rtkaraoke.plugins.protocol.Parameter`.
    set_value : callable
        ``set_value(plugin, parameter, value)``, from any thread.
    get_value : callable
        ``get_value(plugin, parameter)``: what holds now, for pads that switch over.
    ports : Ports, optional
        :func:`mido_ports`, asked for when first needed, when left out.

    Attributes
    ----------
    port : str
        The name of the controller that is listened to, or nothing.
    learning : tuple or None
        The ``(plugin, parameter)`` that the next control is for.
    n_changes : int
        Grows with every binding made or forgotten.
    """

    def __init__(
        self,
        path: Path,
        parameters: Mapping[tuple[str, str], Parameter],
        set_value: Callable[[str, str, float], None],
        get_value: Callable[[str, str], float],
        ports: Ports | None = None,
    ) -> None:
        self.port = ""
        self.learning: tuple[str, str] | None = None
        self.n_changes = 0
        self._path = path
        self._parameters = parameters
        self._set = set_value
        self._get = get_value
        self._ports = ports
        self._open: Port | None = None
        self._lock = threading.Lock()
        self._kept = _load(path)  # controller's name -> its bindings
        self._bound: dict[Control, list[tuple[str, str]]] = {}

    def names(self) -> list[str]:
        """The controllers that are connected. Raises :class:`NightError` where MIDI cannot be had."""
        return list(dict.fromkeys(self._input_names()))

    def open(self, name: str) -> None:
        """Listen to the controller ``name``, and to no other; to none when it is empty.

        Raises
        ------
        NightError
            When it is not there, or another program holds it.
        """
        self.close()
        if not name:
            return
        names = self._input_names()
        if name not in names:
            raise NightError(f"no MIDI controller {name[:80]!r}: there are {', '.join(names) or 'none'}")
        with self._lock:
            self._bound = {}
            for binding in self._kept.get(_stable(name), ()):
                self._bound.setdefault(binding.control, []).append((binding.plugin, binding.parameter))
        assert self._ports is not None
        try:
            self._open = self._ports.open_input(name, callback=self.receive)
        except Exception as error:  # noqa: BLE001  the library's errors have no common base
            raise NightError(f"{name}: {error}. Does another program use it?") from None
        self.port = name

    def learn(self, plugin: str, parameter: str) -> None:
        """Let the next control that moves be the one for this parameter; asked for again, do not.

        Raises
        ------
        NightError
            When there is no such parameter, or no controller is listened to.
        """
        target = self._target(plugin, parameter)
        if not self.port:
            raise NightError("no MIDI controller is open: choose one first")
        self.learning = None if self.learning == target else target
        self.n_changes += 1

    def forget(self, plugin: str, parameter: str) -> None:
        """Let no control move this parameter."""
        with self._lock:
            for targets in self._bound.values():
                with suppress(ValueError):
                    targets.remove((plugin, parameter))
        self._keep()

    def bindings(self) -> list[Binding]:
        """What is bound on the open controller."""
        with self._lock:
            return [Binding(control, *target) for control, targets in self._bound.items() for target in targets]

    def receive(self, message: Any) -> None:
        """Take one message of mido's; never raises, as nobody could be told on that thread."""
        found = _read(message)
        if found is None:
            return
        control, share = found
        learnt = self.learning
        if learnt is not None:
            if share == 0.0 and control.kind == "note_on":
                return  # the pad is let go: it was heard when it was hit
            self.learning = None
            with self._lock:
                for targets in self._bound.values():
                    with suppress(ValueError):
                        targets.remove(learnt)
                self._bound.setdefault(control, []).append(learnt)
            self._keep()
        with self._lock:
            targets = list(self._bound.get(control, ()))
        for target in targets:
            if target in self._parameters:
                self._move(target, control, share)

    def close(self) -> None:
        """Listen to nobody. May be called twice."""
        port, self._open, self.port, self.learning = self._open, None, "", None
        with self._lock:
            self._bound = {}
        if port is not None:
            port.close()
        self.n_changes += 1

    def _move(self, target: tuple[str, str], control: Control, share: float) -> None:
        parameter = self._parameters[target]
        if control.kind == "note_on":
            if share == 0.0:
                return
            middle = (parameter.minimum + parameter.maximum) / 2
            value = parameter.minimum if self._get(*target) > middle else parameter.maximum
        else:
            value = parameter.minimum + share * (parameter.maximum - parameter.minimum)
        self._set(*target, float(round(value)) if parameter.choices else value)

    def _input_names(self) -> list[str]:
        self._ports = self._ports or mido_ports()
        try:
            return self._ports.get_input_names()
        except Exception as error:  # noqa: BLE001  the library's errors have no common base
            raise NightError(f"no MIDI on this machine: {error}") from None

    def _target(self, plugin: str, parameter: str) -> tuple[str, str]:
        if (plugin, parameter) not in self._parameters:
            raise NightError(f"no parameter {plugin[:80]}.{parameter[:80]}: see the host view for those there are")
        return plugin, parameter

    def _keep(self) -> None:
        """Write down what is bound. Where that cannot be done, it holds for this evening."""
        self.n_changes += 1
        self._kept[_stable(self.port)] = self.bindings()
        content = {name: [asdict(binding) for binding in bindings] for name, bindings in self._kept.items()}
        draft = self._path.with_suffix(".new")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
            draft.replace(self._path)


def _read(message: Any) -> tuple[Control, float] | None:
    """Which control a message is from, and its place from 0 to 1; None for all other messages."""
    match message.type:
        case "control_change":
            return Control("control_change", message.channel, message.control), message.value / TOP
        case "note_on" | "note_off":
            hit = message.type == "note_on" and message.velocity > 0
            return Control("note_on", message.channel, message.note), float(hit)
        case "pitchwheel":
            return Control("pitchwheel", message.channel, 0), min(1.0, (message.pitch + BEND) / (2 * BEND - 1))
        case _:
            return None


def _stable(name: str) -> str:
    """A controller's name without the number that it gets anew at every start (ALSA: ``nanoKONTROL2 24:0``)."""
    words = name.split(" ")
    return " ".join(words[:-1]) if len(words) > 1 and words[-1].replace(":", "").isdecimal() else name


def _load(path: Path) -> dict[str, list[Binding]]:
    """What was kept; nothing where the file is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(name): [
                Binding(
                    Control(
                        str(each["control"]["kind"]), int(each["control"]["channel"]), int(each["control"]["number"])
                    ),
                    str(each["plugin"]),
                    str(each["parameter"]),
                )
                for each in bindings
            ]
            for name, bindings in content.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
