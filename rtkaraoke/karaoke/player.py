"""What the deck is told, and when: the next song loaded ahead, the change-over, a song that cannot be played.

The deck (:class:`rtkaraoke.transport.Deck`) changes over by itself and to the sample; this decides what it has on its
shelf. It only ever looks at the deck's status, so it goes on wherever a lost sound card or a restart left things.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rtkaraoke.live.telemetry import LiveStatus

SKIP_FADE_S = 1.5  #: the longest cross-fade of a song that is skipped
PATIENCE_S = 1.0  #: after a command the deck's status may still be of the time before


class Transport(Protocol):
    """The part of a :class:`~rtkaraoke.live.process.LiveSession` that moves songs."""

    def command(self, name: str, value: float = 0.0, text: str = "") -> None:
        """Tell the deck what to do."""
        ...

    def set(self, plugin: str, parameter: str, value: float) -> None:
        """Move a parameter of the engine."""
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """One song of the evening, as the deck needs it. ``serial`` is the queue's number of it."""

    serial: int
    path: Path
    key: float
    tempo: float
    vocals: float
    voice: Path | None = None  #: the voice alone, where it was separated ahead


class Player:
    """Keeps the deck busy.

    Parameters
    ----------
    session : Transport
    crossfade_s : float
    autoplay : bool
        Whether a song begins by itself when the one before ends.

    Attributes
    ----------
    playing : Turn or None
        What is heard.
    """

    def __init__(self, session: Transport, crossfade_s: float = 0.0, autoplay: bool = True) -> None:
        self._session = session
        self._asked: Turn | None = None  # what is loaded or being loaded
        self._followed = -1.0  # what the deck was last told of it
        self._go_s: float | None = None  # change over as soon as it is loaded
        self._quiet_until_s = 0.0
        self._position_s = 0.0
        self._resume_s: float | None = None
        self.playing: Turn | None = None
        self.crossfade_s = crossfade_s
        self.autoplay = autoplay

    def tick(self, status: LiveStatus, head: Turn | None, now_s: float) -> str:
        """Look at the deck, and tell it what is next.

        Parameters
        ----------
        status : LiveStatus
        head : Turn or None
            Who is next.
        now_s : float
            Seconds that only grow.

        Returns
        -------
        str
            ``"started"``: ``head`` is heard from now on; ``"ended"``: nothing is; ``"failed"``: ``head`` cannot be
            played; otherwise nothing.
        """
        source = status.source
        if status.state != "running" or "serial" not in source:
            return ""
        serial, loaded = int(source["serial"]), int(source.get("loaded", 0))
        self._tell_follow()
        if self._asked is not None and serial == self._asked.serial:
            return self._begun(source)
        calm = now_s >= self._quiet_until_s
        if self.playing is not None and serial == 0 and self._resume_s is None and calm:
            self._resume_s = self._position_s  # another engine process, with an empty deck
            self._asked = None
        if self.playing is not None and serial == self.playing.serial:
            self._position_s = source.get("position_s", 0.0)
            follows = self.autoplay and (loaded or head is not None)
            if source.get("ended") and not follows:
                self._finish()
                return "ended"
        wanted = self.playing if self._resume_s is not None else head
        if self._asked is not None and int(source.get("failed", 0)) == self._asked.serial:
            self._asked, self._go_s = None, None
            if self._resume_s is not None:
                self.playing, self._resume_s = None, None
                return "ended"
            return "failed"
        self._load(wanted, now_s)
        silent = self.playing is None or self._resume_s is not None
        due = self._go_s is not None or (silent and (self.autoplay or self._resume_s is not None))
        if due and self._asked is not None and loaded == self._asked.serial and now_s >= self._quiet_until_s:
            self._session.command("next", self._go_s or 0.0)
            self._go_s = None
            self._quiet_until_s = now_s + PATIENCE_S
        return ""

    def skip(self, now_s: float) -> bool:
        """End the present song; False when nothing follows, so that it has ended at once."""
        if self._asked is not None:
            self._go_s = min(self.crossfade_s, SKIP_FADE_S) if self.playing is not None else 0.0
            return True
        self._session.command("stop")
        self._quiet_until_s = now_s + PATIENCE_S
        self._finish()
        return False

    def change(self, turn: Turn) -> None:
        """Take key, tempo and vocal level of the song that plays."""
        before, self.playing = self.playing, turn
        if before is None or turn.key != before.key:
            self._session.command("key", turn.key)
        if before is None or turn.tempo != before.tempo:
            self._session.command("tempo", turn.tempo)
        self._session.set("vocal_remover", "vocals", turn.vocals)

    def _begun(self, source: Mapping[str, float]) -> str:
        turn, self._asked = self._asked, None
        assert turn is not None
        self._session.set("vocal_remover", "vocals", turn.vocals)
        for name, value in (("key", turn.key), ("tempo", turn.tempo)):  # changed while the deck changed over
            if source.get(name, value) != value:
                self._session.command(name, value)
        resumed, self._resume_s = self._resume_s, None
        self.playing = turn
        if resumed is not None:
            self._session.command("seek", resumed)
            return ""
        self._position_s = 0.0
        return "started"

    def _finish(self) -> None:
        self.playing = self._resume_s = self._go_s = None

    def _load(self, wanted: Turn | None, now_s: float) -> None:
        if wanted == self._asked:
            return
        self._asked = wanted
        self._quiet_until_s = now_s + PATIENCE_S if wanted is None else 0.0
        if wanted is None:
            self._session.command("load", 0.0, "")
            self._go_s = None
            return
        text = {"path": str(wanted.path), "serial": wanted.serial, "key": wanted.key, "tempo": wanted.tempo}
        if wanted.voice is not None:
            text["voice"] = str(wanted.voice)
        self._session.command("load", 0.0, json.dumps(text))

    def _tell_follow(self) -> None:
        follow_s = self.crossfade_s if self.autoplay else -1.0
        if follow_s != self._followed:
            self._followed = follow_s
            self._session.command("follow", follow_s)
