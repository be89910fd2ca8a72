"""The next song of a deck: loaded on a thread of its own, ready when it is wanted."""

import json
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, NamedTuple

from rtkaraoke.errors import RtkaraokeError
from rtkaraoke.transport.song import KEY, NAP_S, TEMPO, Song

_FIELDS: dict[str, tuple[type, ...]] = {
    "path": (str,),
    "voice": (str, type(None)),
    "key": (int, float),
    "tempo": (int, float),
    "serial": (int,),
}


@dataclass(frozen=True, slots=True)
class _Request:
    path: str
    serial: int
    key: float
    tempo: float
    voice: str | None


class Loaded(NamedTuple):
    """A song that is ready to be played, and the number by which it is known."""

    song: Song
    serial: int


class Shelf:
    """Holds one song. A newer one takes its place, unless it was promised to be played first.

    Attributes
    ----------
    promised : bool
        What is loaded, or being loaded, will be taken: songs that are loaded after it wait. Becomes False when it
        cannot be loaded.
    failed : int
        The serial of the latest song that could not be loaded, 0 for none.
    notes : deque of str
        What a person should read, oldest first.
    """

    def __init__(self) -> None:
        self.promised = False
        self.failed = 0
        self.notes: deque[str] = deque(maxlen=100)
        self._ready: deque[Loaded] = deque()  # at most one; who pops it owns it
        self._loading: _Request | None = None
        self._queued: deque[_Request] = deque()  # to be loaded after that
        self._lock = threading.Lock()  # of these two; the worker never takes it
        self._work = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False

    def prepare(self, sample_rate: int, n_channels: int) -> None:
        """Start the thread that loads."""
        self._format = sample_rate, n_channels
        self._thread = threading.Thread(target=self._run, name="rtkaraoke-loader", daemon=True)
        self._thread.start()

    @property
    def serial(self) -> int:
        """Of the song that is ready; 0 for none."""
        try:
            return self._ready[0].serial
        except IndexError:
            return 0

    @property
    def empty(self) -> bool:
        """Whether nothing is ready, being loaded or about to be."""
        return self._loading is None and not self._queued and not self._ready

    def take(self) -> Loaded | None:
        """The song that is ready, which is the caller's from now on. Realtime safe."""
        try:
            return self._ready.popleft()
        except IndexError:
            return None

    def load(self, text: str) -> None:
        """Load what ``text`` says, see :class:`~rtkaraoke.transport.Deck`; an empty one lets go of what is there.

        Raises
        ------
        RtkaraokeError
            When the text is wrong.
        """
        request = _parse(text) if text else None
        with self._lock:
            if request is None:
                self.promised = False
            promised = self.promised
            if not promised:
                self._loading = None
                self._queued.clear()
            if request is not None:
                self._queued.append(request)
        if not promised:
            self._let_go()
        self._work.set()

    def close(self) -> None:
        """End the thread and close the song. May be called twice."""
        self._closed = True
        self._work.set()
        if self._thread is not None:
            self._thread.join()
        self._let_go()

    # From here on: the thread that loads.

    def _run(self) -> None:
        while not self._closed:
            with self._lock:
                request = self._loading = self._queued.popleft() if self._queued else None
            if request is not None:
                self._open(request)
            else:
                self._work.wait()
                self._work.clear()

    def _open(self, request: _Request) -> None:
        song: Song | None = None
        try:
            song = Song(request.path, key=request.key, tempo=request.tempo, voice=request.voice)
            song.prepare(*self._format)
        except Exception as error:  # noqa: BLE001  whatever a file does, the sound goes on
            if song is not None:
                song.close()
            text = str(error) if isinstance(error, RtkaraokeError) else f"{type(error).__name__}: {error}"
            with self._lock:
                if self._loading is request:
                    self.notes.append(text)
                    self.failed = request.serial
                    self.promised = self.promised and bool(self._ready)
            return
        while self.promised and self._ready and self._loading is request and not self._closed:
            time.sleep(NAP_S)  # until the worker has taken the one before
        with self._lock:
            wanted = self._loading is request and not self._closed
            if wanted:
                self._let_go()
                self._ready.append(Loaded(song, request.serial))
                self._loading = None
        if not wanted:
            song.close()

    def _let_go(self) -> None:
        """Close the loaded song."""
        if (loaded := self.take()) is not None:
            loaded.song.close()


def _parse(text: str) -> _Request:
    """The ``text`` of ``load``. Raises :class:`RtkaraokeError`."""
    try:
        fields: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise RtkaraokeError(f"load {text!r}: is no JSON ({error})") from None
    if not isinstance(fields, dict) or not {"path", "serial"} <= fields.keys() or fields.keys() - _FIELDS.keys():
        raise RtkaraokeError(f"load {text!r}: wanted an object with path, serial, and perhaps key, tempo, voice")
    for name, value in fields.items():
        if not isinstance(value, _FIELDS[name]) or isinstance(value, bool):
            raise RtkaraokeError(f"load {text!r}: {name} = {value!r} is of the wrong kind")
    if fields["serial"] < 1:
        raise RtkaraokeError(f"load {text!r}: serial = {fields['serial']}: wanted a number above 0")
    return _Request(
        fields["path"],
        fields["serial"],
        KEY.check(fields.get("key", KEY.default)),
        TEMPO.check(fields.get("tempo", TEMPO.default)),
        fields.get("voice"),
    )
