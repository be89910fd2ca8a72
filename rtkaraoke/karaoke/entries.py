"""What stands in the queue: singers, their songs, and how they want them."""

from dataclasses import dataclass
from typing import Any

from rtkaraoke.errors import QueueError

WAITING, PLAYING, DONE, SKIPPED = "waiting", "playing", "done", "skipped"

MAX_NAME = 40  #: characters of a singer's name
KEYS = (-6, 6)  #: semitones
TEMPOS = (70, 130)  #: percent
VOCALS_DB = (-90.0, 0.0)  #: level of the record's voice; the lowest is none

ENTRY_SQL = """
SELECT queue_entries.id, singer, name, song, title, artist, length_s, key, tempo, vocals_db, state,
    turn IS NOT NULL AND state = 'waiting', added_at, started_at, ended_at
FROM queue_entries JOIN queue_singers ON queue_singers.id = singer
"""


@dataclass(frozen=True, slots=True)
class Singer:
    """Someone who sings. ``name`` is fit to be shown."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Settings:
    """How a singer wants a song: ``key`` in semitones, ``tempo`` in percent, ``vocals_db`` of the record's voice."""

    key: int = 0
    tempo: int = 100
    vocals_db: float = VOCALS_DB[0]

    def __post_init__(self) -> None:
        for name, value, (low, high), unit in (
            ("key", self.key, KEYS, "semitones"),
            ("tempo", self.tempo, TEMPOS, "%"),
            ("vocals_db", self.vocals_db, VOCALS_DB, "dB"),
        ):
            whole = isinstance(value, int) or (name == "vocals_db" and isinstance(value, float))
            if not whole or isinstance(value, bool) or not low <= value <= high:
                raise QueueError(f"{name} {told(value)}, wanted {low:g} to {high:g} {unit}: choose a value in between")


@dataclass(frozen=True, slots=True)
class Entry:
    """A singer's song in the queue or in the history.

    ``song`` is the library's id; title, artist and length are those of when it was added, so that the history reads
    well after the file is gone. ``state`` is ``waiting``, ``playing``, ``done`` or ``skipped``; ``moved`` tells
    whether the host gave it its place. Times are seconds since 1970.
    """

    id: int
    singer: Singer
    song: str
    title: str
    artist: str
    length_s: float | None
    settings: Settings
    state: str
    moved: bool
    added_at: float
    started_at: float | None
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the queue takes."""

    waiting_per_singer: int = 5
    waiting: int = 500
    singers: int = 1_000


def entry_of(row: tuple[Any, ...]) -> Entry:
    """The entry in a row of :data:`ENTRY_SQL`."""
    entry_id, singer, name, song, title, artist, length_s, key, tempo, vocals_db, state, moved, *times = row
    settings = Settings(key, tempo, vocals_db)
    return Entry(entry_id, Singer(singer, name), song, title, artist, length_s, settings, state, bool(moved), *times)


def told(value: object) -> str:
    """``value`` as an error may name it, whatever a page sent: Python refuses to write out huge integers."""
    if isinstance(value, int) and value.bit_length() > 100:
        return "beyond all numbers"
    return f"{value!r:.40}"
