"""The evening: who sings what and when, and everything that can be set, as a page shows it.

It lives in the control process, between the page and the engine. What is queued is in SQLite before anybody is told so:
a night that was killed goes on with the same queue.
"""

import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rtkaraoke.closing import Closing
from rtkaraoke.errors import LibraryError, NightError, QueueError, RtkaraokeError
from rtkaraoke.karaoke import shown_state
from rtkaraoke.karaoke.controls import Controls
from rtkaraoke.karaoke.entries import PLAYING, Entry, Settings
from rtkaraoke.karaoke.library import Cover, Library
from rtkaraoke.karaoke.memory import Memory
from rtkaraoke.karaoke.midi import Ports
from rtkaraoke.karaoke.player import Player, Turn
from rtkaraoke.karaoke.protocols import Session, Voices
from rtkaraoke.karaoke.queue import Queue

TICK_S = 0.05
CROSSFADES_S = (0.0, 12.0)
CROSSFADE_S = 3.0
MESSAGES = 30  #: kept for the host
LOOK_S = 1.0  #: between two looks at what is prepared ahead
AHEAD = 2  #: songs that are prepared ahead
REMOVER, VOCALS = "vocal_remover", "vocals"


@dataclass(frozen=True, slots=True)
class Guest:
    """Who asks. ``mark`` is the secret by which a phone's own entries are known again; ``host`` may do everything."""

    mark: str = ""
    host: bool = False

    @property
    def tag(self) -> str:
        """What others may see of the mark."""
        return hashlib.sha256(self.mark.encode()).hexdigest()[:12] if self.mark else ""


class Night(Closing):
    """One evening. Everything may be called from any thread.

    Parameters
    ----------
    library : Library
    queue : Queue
    memory : Memory
    session : Session
        Running, with a deck as its source.
    recordings : Path
        The folder for recordings.
    midi_path : Path
        Where MIDI controllers' bindings are kept.
    voices : Voices, optional
        Separates the voices of the next songs ahead.
    ports : Ports, optional
        MIDI inputs; mido's when left out.
    guest_url : str
        The address for phones, for the stage to show.
    clock : callable
        Seconds that only grow, as :func:`time.monotonic`.

    Attributes
    ----------
    version : int
        Grows whenever :meth:`state` tells something new.
    controls : Controls
        Everything that the host can set.
    """

    def __init__(
        self,
        library: Library,
        queue: Queue,
        memory: Memory,
        session: Session,
        *,
        recordings: Path,
        midi_path: Path,
        voices: Voices | None = None,
        ports: Ports | None = None,
        guest_url: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.version = 0
        self._library = library
        self._queue = queue
        self._memory = memory
        self._session = session
        self._voices = voices
        self._ahead: list[Path] = []
        self._look_at = 0.0
        self._folders = [f"{folder}{os.sep}" for folder in (library.folder, recordings)]
        self._guest_url = guest_url
        self._clock = clock
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._messages: deque[tuple[str, str]] = deque(maxlen=MESSAGES)
        self._owners = memory.owners()
        self.controls = Controls(session, memory, recordings, midi_path, self._set_for_singer, self._say, ports, clock)
        self._head: Turn | None = None
        self._head_version = -1
        self._told: tuple[object, ...] = ()
        self._scanning: threading.Thread | None = None
        crossfade_s = memory.kept("crossfade_s")
        self._player = Player(
            session, crossfade_s if isinstance(crossfade_s, float) else CROSSFADE_S, autoplay=not queue.paused
        )
        self._queue.recover()
        self.controls.recall()

    def start(self) -> None:
        """Begin the evening: songs are loaded and played from now on."""
        self._thread = threading.Thread(target=self._run, name="rtkaraoke-night", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it; library, queue and session stay open. May be called twice."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.controls.close()

    # What is shown.

    def search(self, text: str, limit: int = 50) -> list[dict[str, Any]]:
        """Songs that fit ``text``, the best first; all of them for an empty one."""
        return [shown_state.song(song) for song in self._library.search(text, limit)]

    def lyrics(self, song: str) -> dict[str, Any]:
        """Lines and syllables; none where the song has no lyrics. Raises :class:`RtkaraokeError`."""
        lyrics = self._library.lyrics(song)
        return {"timed": False, "lines": []} if lyrics is None else lyrics.to_dict()

    def cover(self, song: str) -> Cover | None:
        """The picture of a song. Raises :class:`~rtkaraoke.errors.LibraryError` for an unknown one."""
        return self._library.cover(song)

    def pulse(self) -> dict[str, Any]:
        """What always moves: clock, meters, the state of the engine."""
        return shown_state.pulse(self._session.status(), self._clock())

    def state(self) -> dict[str, Any]:
        """What changes now and then: the song, the queue, settings, messages."""
        with self._lock:
            status = self._session.status()
            playing = self._queue.playing()
            return {
                "version": self.version,
                "now": None if playing is None else self._shown(playing),
                "queue": [self._shown(entry) for entry in self._queue.waiting()],
                "settings": {"crossfade_s": self._player.crossfade_s, "autoplay": self._player.autoplay},
                "paused": bool(status.source.get("paused")),
                "muted": status.muted,
                "status": shown_state.in_a_word(status, playing is not None),
                "recording": shown_state.recording(status),
                "messages": [{"at": at, "text": text} for at, text in reversed(self._messages)],
                "midi": self.controls.midi(),
                "guest": {"url": self._guest_url},
                "songs": len(self._library),
            }

    # What guests do.

    def add(
        self,
        song: str,
        singer: str,
        who: Guest,
        *,
        key: int | None = None,
        tempo: int | None = None,
        vocals: float | None = None,
    ) -> int:
        """Queue a song; what is left out is as the singer had it last time. Returns the entry's number.

        Raises
        ------
        RtkaraokeError
            When the song is unknown, or the queue takes no more.
        """
        with self._lock:
            found = self._library.song(song)
            singing = self._queue.singer(singer)
            settings = _changed(self._queue.remembered(singing.id, song), key, tempo, vocals)
            entry = self._queue.add(singing.id, found, settings)
            self._owners[entry.id] = who.tag
            self._memory.own(entry.id, who.tag)
            self._changed()
            return entry.id

    def change(
        self, entry: int, who: Guest, *, key: int | None = None, tempo: int | None = None, vocals: float | None = None
    ) -> None:
        """Set key (semitones), tempo (percent) and vocal level (dB) of an entry, while it plays too.

        Raises
        ------
        RtkaraokeError
            When it is somebody else's, over, or there is none.
        """
        with self._lock:
            before = self._own(entry, who)
            after = self._queue.set(entry, _changed(before.settings, key, tempo, vocals))
            if after.state == PLAYING and self._player.playing is not None:
                self._player.change(self._turn(after, self._player.playing.path))
            self._changed()

    def remove(self, entry: int, who: Guest) -> None:
        """Take an entry out of the queue. Raises :class:`RtkaraokeError` as :meth:`change` does."""
        with self._lock:
            self._own(entry, who)
            self._queue.remove(entry)
            self._changed()

    def skip(self, who: Guest) -> None:
        """On to the next song; where none plays, begin. Guests end their own. Raises :class:`NightError`."""
        with self._lock:
            playing = self._queue.playing()
            if not who.host and (playing is None or not self._is_own(playing.id, who)):
                raise NightError("somebody else is singing: only they and the host may end the song")
            if playing is None and self._head is None:
                raise NightError("nothing plays and nobody waits: queue a song first")
            self._queue.skip()
            self._player.skip(self._clock())
            self._changed()

    # What the host does.

    def move(self, entry: int, place: int) -> None:
        """Give an entry a place in the queue, from 0. Raises :class:`~rtkaraoke.errors.QueueError`."""
        with self._lock:
            self._queue.move(entry, place)
            self._changed()

    def pause(self, on: bool) -> None:
        """Pause the song, or go on."""
        self._session.command("pause", float(on))

    def seek(self, to_s: float) -> None:
        """To a second of the song. Raises :class:`NightError` where none plays."""
        if self._player.playing is None:
            raise NightError("nothing plays: there is no place to go to")
        self._session.command("seek", to_s)

    def settings(self, *, crossfade_s: float | None = None, autoplay: bool | None = None) -> None:
        """How songs follow each other. Raises :class:`NightError` for a cross-fade out of range."""
        with self._lock:
            if crossfade_s is not None:
                low, high = CROSSFADES_S
                if not low <= crossfade_s <= high:
                    raise NightError(f"a cross-fade of {crossfade_s} s: wanted {low:g} to {high:g} s")
                self._player.crossfade_s = float(crossfade_s)
                self._memory.keep("crossfade_s", float(crossfade_s))
            if autoplay is not None:
                self._player.autoplay = autoplay
                self._queue.set_paused(not autoplay)
            self._changed()

    def rescan(self) -> None:
        """Look for songs that came or went, beside everything else."""
        with self._lock:
            if self._scanning is None or not self._scanning.is_alive():
                self._scanning = threading.Thread(target=self._scan, name="rtkaraoke-scan", daemon=True)
                self._scanning.start()

    # The thread.

    def _run(self) -> None:
        while not self._closing.wait(TICK_S):
            try:
                self.tick()
            except RtkaraokeError as error:  # a database that is locked, a song that is gone: the evening goes on
                self._say(str(error))

    def tick(self) -> None:
        """Look once at engine and queue, and do what is due; the thread's work."""
        status, now = self._session.status(), self._clock()
        for event in self._session.events():
            self._say(event.text)
        with self._lock:
            if self._head_version != self.version:
                self._head_version = self.version
                self._head = self._next_turn()
            head = self._head
            match self._player.tick(status, head, now):
                case "started":
                    self._started()
                case "ended":
                    self._queue.finish()
                    self._changed()
                case "failed" if head is not None:
                    entry = self._queue.entry(head.serial)
                    self._say(f"{entry.title} of {entry.singer.name} cannot be played and was taken out")
                    self._queue.remove(head.serial)
                    self._changed()
            self._prepare(now)
            self.controls.keep_when_due()
            told = (
                *(status.state, status.muted, status.source.get("paused"), status.recording),
                *self.controls.midi_changes,
            )
            if told != self._told:
                self._told = told
                self._changed()

    def _next_turn(self) -> Turn | None:
        """Who is next; entries whose song is gone are taken out."""
        turns: list[Turn] = []
        for entry in self._queue.waiting():
            if len(turns) == AHEAD:
                break
            try:
                turns.append(self._turn(entry, self._library.path(entry.song)))
            except LibraryError as error:
                self._say(f"{entry.title} of {entry.singer.name} was taken out: {error}")
                self._queue.remove(entry.id)
        self._ahead = [turn.path for turn in turns]
        return turns[0] if turns else None

    def _prepare(self, now: float) -> None:
        """Let voices be separated ahead, and load the next song anew once its own is there."""
        if self._voices is None or now < self._look_at:
            return
        self._look_at = now + LOOK_S
        self._voices.tick(self._ahead)
        while self._voices.notes:
            self._say(self._voices.notes.popleft())
        head = self._head
        if head is not None and head.voice is None and self._voices.find(head.path) is not None:
            self._head_version = -1

    def _started(self) -> None:
        """The deck has changed over: so does the queue."""
        turn = self._player.playing
        assert turn is not None
        try:
            first = self._queue.next_up()
            if first is None or first.id != turn.serial:
                self._queue.move(turn.serial, 0)  # moved while the deck changed over
            self._queue.start_next()
        except QueueError:  # removed while the deck changed over
            self._queue.finish()
            self._player.skip(self._clock())
        self._changed()

    def _turn(self, entry: Entry, path: Path) -> Turn:
        wanted = entry.settings
        voice = None if self._voices is None else self._voices.find(path)
        return Turn(entry.id, path, float(wanted.key), float(wanted.tempo), wanted.vocals_db, voice)

    def _own(self, entry: int, who: Guest) -> Entry:
        found = self._queue.entry(entry)
        if not self._is_own(entry, who):
            raise NightError(f"{found.title} is {found.singer.name}'s: only they and the host may change that")
        return found

    def _is_own(self, entry: int, who: Guest) -> bool:
        return who.host or bool(who.tag and self._owners.get(entry) == who.tag)

    def _shown(self, entry: Entry) -> dict[str, Any]:
        try:
            song = shown_state.song(self._library.song(entry.song))
        except LibraryError:  # gone since it was queued
            song = shown_state.song_of_entry(entry)
        return shown_state.entry(entry, song, self._owners.get(entry.id, ""))

    def _set_for_singer(self, plugin: str, parameter: str, value: float) -> bool:
        """The level of the record's voice belongs to the song that plays, as on its singer's phone."""
        if (plugin, parameter) != (REMOVER, VOCALS):
            return False
        with self._lock:
            playing = self._queue.playing()
            if playing is None:
                return False
            self.change(playing.id, Guest(host=True), vocals=value)
            return True

    def _scan(self) -> None:
        try:
            report = self._library.scan()
        except RtkaraokeError as error:
            self._say(str(error))
            return
        problems = f", {len(report.problems)} with problems" if report.problems else ""
        self._say(f"{report.n_songs} songs: {report.n_added} new, {report.n_removed} gone{problems}")

    def _say(self, text: str) -> None:
        for folder in self._folders:  # where it lies is nobody's business
            text = text.replace(folder, "")
        with self._lock:
            self._messages.append((time.strftime("%H:%M"), text))
            self._changed()

    def _changed(self) -> None:
        with self._lock:
            self.version += 1


def _changed(settings: Settings, key: int | None, tempo: int | None, vocals: float | None) -> Settings:
    """``settings`` with what is given. Raises :class:`~rtkaraoke.errors.QueueError` when out of range."""
    given = {"key": key, "tempo": tempo, "vocals_db": vocals}
    return replace(settings, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
