"""What a night stands on: the session that makes the sound, and voices that were separated ahead."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rtkaraoke.live.telemetry import LiveEvent, LiveStatus
from rtkaraoke.plugins.protocol import PluginInfo


class Session(Protocol):
    """What a night holds of a :class:`~rtkaraoke.live.process.LiveSession` with a deck; see there."""

    def set(self, plugin: str, parameter: str, value: float) -> None:
        """Move a parameter of the engine."""
        ...

    def command(self, name: str, value: float = 0.0, text: str = "") -> None:
        """Tell the deck what to do."""
        ...

    def mute(self, muted: bool) -> None:
        """Silence, or sound again."""
        ...

    def record(self, path: Path | None, *, apart: bool = False) -> None:
        """Begin a recording, or end it."""
        ...

    def layout(self) -> tuple[PluginInfo, ...]:
        """Everything that can be set."""
        ...

    def status(self) -> LiveStatus:
        """How it is at the moment."""
        ...

    def events(self) -> list[LiveEvent]:
        """What has happened since the last call."""
        ...


class Voices(Protocol):
    """Where voices that were separated ahead are found; see :class:`rtkaraoke.karaoke.prepare.Voices`."""

    notes: deque[str]

    def find(self, song: Path) -> Path | None:
        """The voice of ``song``, None while there is none."""
        ...

    def tick(self, wanted: Sequence[Path]) -> None:
        """Go on with what is ``wanted``, the most urgent first."""
        ...
