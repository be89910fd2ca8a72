"""What the keys do while sound runs."""

from collections.abc import Callable
from typing import Protocol

from rtkaraoke.cli.view import REMOVED_DB, VOCALS_FLOOR_DB
from rtkaraoke.masks.protocol import STRENGTH_RANGE

REMOVER = "vocal_remover"
VOCALS_STEP_DB = 3.0
STRENGTH_STEP = 0.1
THRESHOLD_STEP = 0.05  # of alpha and theta
SKIP_S = 10.0


class Session(Protocol):
    """The part of :class:`~rtkaraoke.live.process.LiveSession` that keys reach."""

    def set(self, plugin: str, parameter: str, value: float) -> None:
        """Move a parameter."""
        ...

    def mute(self, muted: bool) -> None:
        """Panic, or its end."""
        ...

    def command(self, name: str, value: float = 0.0, text: str = "") -> None:
        """Tell the song."""
        ...


class Controls:
    """Keys -> session. Remembers what was asked for, since the session's answer comes a moment later.

    Parameters
    ----------
    session : Session
    parameters : dict
        Where the vocal remover's parameters stand, by name.
    song : bool
        Whether there is a song to pause and skip in.
    """

    def __init__(self, session: Session, parameters: dict[str, float], *, song: bool) -> None:
        self._session = session
        self._values = dict(parameters)
        self._muted = False
        self._paused = False
        self.ended = False
        self._actions: dict[str, Callable[[], None]] = {
            "up": lambda: self._ride(1),
            "down": lambda: self._ride(-1),
            "]": lambda: self._strengthen(1),
            "[": lambda: self._strengthen(-1),
            "+": lambda: self._threshold("alpha", 1),
            "=": lambda: self._threshold("alpha", 1),  # plus without shift
            "-": lambda: self._threshold("alpha", -1),
            ".": lambda: self._threshold("theta", 1),
            ",": lambda: self._threshold("theta", -1),
            "b": lambda: self._switch("bypass"),
            "s": lambda: self._switch("solo"),
            "m": self._mute,
            "q": self._quit,
        }
        self.help = [("↑↓", "vocals"), ("[ ]", "strength"), ("b", "bypass"), ("s", "solo"), ("m", "mute")]
        # They work with every network, but are worth their place only for one that was made for them.
        self.help += [(keys, name) for keys, name in (("- +", "alpha"), (", .", "theta")) if parameters.get(name)]
        if song:
            self._actions |= {
                " ": self._pause,
                "left": lambda: session.command("skip", -SKIP_S),
                "right": lambda: session.command("skip", SKIP_S),
            }
            self.help += [("space", "pause"), ("←→", "seek")]
        self.help.append(("q", "quit"))

    def press(self, key: str) -> bool:
        """Do what ``key`` stands for; False when it stands for nothing."""
        action = self._actions.get(key.lower() if len(key) == 1 else key)
        if action is not None:
            action()
        return action is not None

    def _set(self, name: str, value: float) -> None:
        self._values[name] = value
        self._session.set(REMOVER, name, value)

    def _ride(self, direction: int) -> None:
        """One step of the vocal level. Below the lowest step there is no voice at all."""
        level = self._values.get("vocals", REMOVED_DB)
        if direction > 0:
            level = VOCALS_FLOOR_DB if level < VOCALS_FLOOR_DB else min(0.0, level + VOCALS_STEP_DB)
        else:
            level = level - VOCALS_STEP_DB if level - VOCALS_STEP_DB >= VOCALS_FLOOR_DB else REMOVED_DB
        self._set("vocals", level)

    def _strengthen(self, direction: int) -> None:
        lowest, highest = STRENGTH_RANGE
        strength = round(self._values.get("strength", 1.0) + direction * STRENGTH_STEP, 2)
        self._set("strength", min(max(strength, lowest), highest))

    def _threshold(self, name: str, direction: int) -> None:
        value = round(self._values.get(name, 0.0) + direction * THRESHOLD_STEP, 2)
        self._set(name, min(max(value, 0.0), 1.0))

    def _switch(self, name: str) -> None:
        self._set(name, 0.0 if self._values.get(name, 0.0) >= 0.5 else 1.0)

    def _mute(self) -> None:
        self._muted = not self._muted
        self._session.mute(self._muted)

    def _pause(self) -> None:
        self._paused = not self._paused
        self._session.command("pause", float(self._paused))

    def _quit(self) -> None:
        self.ended = True
