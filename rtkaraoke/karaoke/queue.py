"""The queue of singers: who sings what, and next. Everything is in SQLite before a call returns.

The order is that of :mod:`rtkaraoke.karaoke.rotation`. A night goes like this::

    queue = Queue("night.sqlite")
    anna = queue.singer("Anna")
    queue.add(anna.id, song)
    entry = queue.start_next()      # Anna's song plays
    queue.finish()                  # or queue.skip()
"""

import sqlite3
import time
from pathlib import Path

from rtkaraoke.closing import Closing
from rtkaraoke.errors import QueueError
from rtkaraoke.karaoke.database import Database
from rtkaraoke.karaoke.entries import (
    DONE,
    ENTRY_SQL,
    MAX_NAME,
    PLAYING,
    SKIPPED,
    WAITING,
    Entry,
    Limits,
    Settings,
    Singer,
    entry_of,
    told,
)
from rtkaraoke.karaoke.rotation import LastTurn, Waiting, fair_order
from rtkaraoke.karaoke.store import Song
from rtkaraoke.karaoke.text import fold, shown

_TABLES = """
CREATE TABLE IF NOT EXISTS queue_facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS queue_singers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS queue_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, singer INTEGER NOT NULL REFERENCES queue_singers (id),
    song TEXT NOT NULL, title TEXT NOT NULL, artist TEXT NOT NULL, length_s REAL,
    key INTEGER NOT NULL, tempo INTEGER NOT NULL, vocals_db REAL NOT NULL,
    state TEXT NOT NULL, added INTEGER NOT NULL, turn INTEGER, round INTEGER, started INTEGER, by_rule INTEGER,
    added_at REAL NOT NULL, started_at REAL, ended_at REAL
);
CREATE INDEX IF NOT EXISTS queue_states ON queue_entries (state);
CREATE TABLE IF NOT EXISTS queue_remembered (
    singer INTEGER NOT NULL, song TEXT NOT NULL, key INTEGER NOT NULL, tempo INTEGER NOT NULL, vocals_db REAL NOT NULL,
    PRIMARY KEY (singer, song)
);
"""
_VERSION = 1


class Queue(Closing):
    """The queue in the SQLite file ``database``. Safe to use from several threads of one process.

    What a call did survives ``kill -9`` and a power cut. What played then is still ``playing`` when the queue is
    opened again: :meth:`recover` puts it back to the front.

    Parameters
    ----------
    database : str or Path
        Made where it is missing. It may also be the library's.
    limits : Limits
        How much it takes.

    Raises
    ------
    QueueError
        When the database cannot be used, or a newer version of the program made it.
    """

    def __init__(self, database: str | Path, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._database = Database(database, QueueError, durable=True)
        try:
            with self._database.transaction() as db:
                for statement in _TABLES.split(";"):
                    db.execute(statement)
                if self._fact("version", _VERSION) != _VERSION:
                    raise QueueError(f"{database}: made by a newer version: update rtkaraoke, or choose another file")
                self._set_fact(db, "version", _VERSION)
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Close the database. May be called twice."""
        self._database.close()

    @property
    def revision(self) -> int:
        """Grows with every change: who has seen this number has seen everything."""
        return self._fact("tick", 0)

    @property
    def paused(self) -> bool:
        """Whether the next song waits for the host."""
        return bool(self._fact("paused", 0))

    def set_paused(self, paused: bool) -> None:
        """Let the next song wait for the host, or not."""
        with self._database.transaction() as db:
            self._tick(db)
            self._set_fact(db, "paused", int(paused))

    def singer(self, name: str) -> Singer:
        """Find the singer of this name, or make them known; case and accents do not matter.

        Raises
        ------
        QueueError
            When nothing of the name can be seen, or there are too many singers.
        """
        name = shown(name, MAX_NAME)
        # A name of signs alone folds to nothing, and is still a name.
        folded = fold(name) or name
        if not any(letter.isprintable() and not letter.isspace() for letter in name):
            raise QueueError("a name without a letter, wanted one that can be read: choose another name")
        with self._database.transaction() as db:
            known = db.execute("SELECT id, name FROM queue_singers WHERE folded = ?", (folded,)).fetchone()
            if known:
                return Singer(*known)
            if db.execute("SELECT count(*) FROM queue_singers").fetchone()[0] >= self.limits.singers:
                raise QueueError(f"{self.limits.singers} singers are known, wanted no more: sing under a known name")
            self._tick(db)
            done = db.execute("INSERT INTO queue_singers (name, folded) VALUES (?, ?)", (name, folded))
            return Singer(int(done.lastrowid or 0), name)

    def singers(self) -> tuple[Singer, ...]:
        """Everyone who ever sang or waited, in the order of names."""
        return tuple(Singer(*row) for row in self._database.rows("SELECT id, name FROM queue_singers ORDER BY folded"))

    def add(self, singer_id: int, song: Song, settings: Settings | None = None) -> Entry:
        """Let a singer wait for a turn with ``song``.

        Parameters
        ----------
        singer_id : int
            From :meth:`singer`.
        song : Song
            From the library.
        settings : Settings, optional
            Default: as they last sang this song.

        Raises
        ------
        QueueError
            When the singer is unknown, has this song waiting already, or the limits are reached.
        """
        with self._database.transaction() as db:
            singer = self._known_singer(db, singer_id)
            waiting = db.execute("SELECT singer, song FROM queue_entries WHERE state = ?", (WAITING,)).fetchall()
            own = [song_id for other, song_id in waiting if other == singer.id]
            if song.id in own:
                raise QueueError(f"{singer.name} waits with {song.title} already: choose another song")
            if len(own) >= self.limits.waiting_per_singer:
                raise QueueError(
                    f"{singer.name} has {len(own)} songs waiting, wanted at most {self.limits.waiting_per_singer}: "
                    "sing one first, or remove one"
                )
            if len(waiting) >= self.limits.waiting:
                raise QueueError(f"{len(waiting)} songs wait, wanted no more: try again after the next song")
            settings = settings or self.remembered(singer.id, song.id)
            done = db.execute(
                "INSERT INTO queue_entries (singer, song, title, artist, length_s, key, tempo, vocals_db, state, "
                "added, added_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(singer.id, song.id, song.title, song.artist, song.length_s),
                    *(settings.key, settings.tempo, settings.vocals_db, WAITING, self._tick(db), time.time()),
                ),
            )
            self._remember(db, singer.id, song.id, settings)
            return self.entry(int(done.lastrowid or 0))

    def entry(self, entry_id: int) -> Entry:
        """An entry by its id. Raises QueueError where there is none."""
        rows = self._database.rows(f"{ENTRY_SQL} WHERE queue_entries.id = ?", (_row_id(entry_id),))
        if not rows:
            raise QueueError(f"no entry has the number {told(entry_id)}: it was removed, look at the queue again")
        return entry_of(rows[0])

    def waiting(self) -> tuple[Entry, ...]:
        """Everything that waits, in the order of turns: the first is next."""
        with self._database.transaction() as db:
            rows = db.execute(f"{ENTRY_SQL} WHERE state = ?", (WAITING,)).fetchall()
            entries = {entry.id: entry for entry in map(entry_of, rows)}
            return tuple(entries[song.entry] for song, _ in self._order(db))

    def playing(self) -> Entry | None:
        """What plays now."""
        rows = self._database.rows(f"{ENTRY_SQL} WHERE state = ?", (PLAYING,))
        return entry_of(rows[0]) if rows else None

    def next_up(self) -> Entry | None:
        """What comes next."""
        with self._database.transaction() as db:
            order = self._order(db)
            return self.entry(order[0][0].entry) if order else None

    def history(self, limit: int = 100) -> tuple[Entry, ...]:
        """What was sung or skipped, the latest first."""
        rows = self._database.rows(
            f"{ENTRY_SQL} WHERE state IN (?, ?) ORDER BY started DESC LIMIT ?",
            (DONE, SKIPPED, max(0, min(limit, 10_000))),
        )
        return tuple(map(entry_of, rows))

    def start_next(self) -> Entry | None:
        """Begin the next turn; what played until now is done. Returns what plays, None where nobody waits."""
        with self._database.transaction() as db:
            self._end(db, DONE)
            order = self._order(db)
            if not order:
                return None
            song, round_ = order[0]
            db.execute(
                "UPDATE queue_entries SET state = ?, round = ?, started = ?, by_rule = ?, started_at = ?, turn = NULL "
                "WHERE id = ?",
                (PLAYING, round_, self._tick(db), song.turn is None, time.time(), song.entry),
            )
            self._set_fact(db, "turn", self._fact("turn", 0) + 1)
            return self.entry(song.entry)

    def finish(self) -> Entry | None:
        """Note that what played has ended. Returns it, None where nothing played."""
        return self._end_playing(DONE)

    def skip(self) -> Entry | None:
        """End what plays before its end. It was a turn. Returns it, None where nothing played."""
        return self._end_playing(SKIPPED)

    def recover(self) -> Entry | None:
        """After a crash: put what was playing back to the front, as if it had not begun. Returns it, if anything."""
        with self._database.transaction() as db:
            entry = self.playing()
            if entry is None:
                return None
            self._tick(db)
            db.execute(
                "UPDATE queue_entries SET state = ?, round = NULL, started = NULL, by_rule = NULL, started_at = NULL "
                "WHERE id = ?",
                (WAITING, entry.id),
            )
            self._move(db, entry.id, 0)
            return self.entry(entry.id)

    def remove(self, entry_id: int) -> None:
        """Take a waiting entry out of the queue. It never was a turn.

        Raises
        ------
        QueueError
            When there is no such entry, or it does not wait.
        """
        with self._database.transaction() as db:
            entry = self._waiting(entry_id)
            self._tick(db)
            db.execute("DELETE FROM queue_entries WHERE id = ?", (entry.id,))

    def leave(self, singer_id: int) -> int:
        """Take everything that a singer has waiting out of the queue. Returns how many entries that were.

        Raises
        ------
        QueueError
            When the singer is unknown.
        """
        with self._database.transaction() as db:
            singer = self._known_singer(db, singer_id)
            self._tick(db)
            gone = db.execute("DELETE FROM queue_entries WHERE singer = ? AND state = ?", (singer.id, WAITING))
            return gone.rowcount

    def move(self, entry_id: int, place: int) -> None:
        """Give a waiting entry the place that it has in the list of :meth:`waiting`: 0 is next. For the host.

        Raises
        ------
        QueueError
            When there is no such entry, or it does not wait.
        """
        with self._database.transaction() as db:
            entry = self._waiting(entry_id)
            self._tick(db)
            self._move(db, entry.id, place)

    def set(self, entry_id: int, settings: Settings) -> Entry:
        """Change key, tempo and vocal level of an entry that waits or plays, and remember them.

        Raises
        ------
        QueueError
            When there is no such entry, or it is over.
        """
        with self._database.transaction() as db:
            entry = self.entry(entry_id)
            if entry.state not in (WAITING, PLAYING):
                raise QueueError(f"{entry.title} of {entry.singer.name} is {entry.state}: add it again")
            self._tick(db)
            db.execute(
                "UPDATE queue_entries SET key = ?, tempo = ?, vocals_db = ? WHERE id = ?",
                (settings.key, settings.tempo, settings.vocals_db, entry.id),
            )
            self._remember(db, entry.singer.id, entry.song, settings)
            return self.entry(entry.id)

    def remembered(self, singer_id: int, song_id: str) -> Settings:
        """How the singer last wanted this song; else as it is on the record, without its voice."""
        if not song_id.isascii():
            return Settings()
        rows = self._database.rows(
            "SELECT key, tempo, vocals_db FROM queue_remembered WHERE singer = ? AND song = ?",
            (_row_id(singer_id), song_id),
        )
        return Settings(*rows[0]) if rows else Settings()

    def _order(self, db: sqlite3.Connection) -> list[tuple[Waiting, int]]:
        waiting = db.execute("SELECT id, singer, added, turn FROM queue_entries WHERE state = ?", (WAITING,)).fetchall()
        turns = db.execute("SELECT singer, max(round), max(started) FROM queue_entries WHERE started GROUP BY singer")
        last_turns = {singer: LastTurn(round_, started) for singer, round_, started in turns.fetchall()}
        round_now = db.execute("SELECT max(round) FROM queue_entries WHERE by_rule").fetchone()[0] or 1
        return fair_order((Waiting(*row) for row in waiting), last_turns, round_now, self._fact("turn", 0))

    def _move(self, db: sqlite3.Connection, entry_id: int, place: int) -> None:
        """Every moved entry keeps the place that it has in the list, but for what is inserted before it."""
        order = [song for song, _ in self._order(db)]
        song = next(song for song in order if song.entry == entry_id)
        order.remove(song)
        order.insert(max(0, min(place, len(order))), song)
        next_turn = self._fact("turn", 0)
        for number, other in enumerate(order, next_turn):
            if other.turn is not None or other.entry == entry_id:
                db.execute("UPDATE queue_entries SET turn = ? WHERE id = ?", (number, other.entry))

    def _end_playing(self, state: str) -> Entry | None:
        with self._database.transaction() as db:
            entry = self.playing()
            self._end(db, state)
            return self.entry(entry.id) if entry else None

    def _end(self, db: sqlite3.Connection, state: str) -> None:
        done = db.execute(
            "UPDATE queue_entries SET state = ?, ended_at = ? WHERE state = ?", (state, time.time(), PLAYING)
        )
        if done.rowcount:
            self._tick(db)

    def _waiting(self, entry_id: int) -> Entry:
        entry = self.entry(entry_id)
        if entry.state != WAITING:
            raise QueueError(f"{entry.title} of {entry.singer.name} is {entry.state}, wanted one that waits: skip it")
        return entry

    def _known_singer(self, db: sqlite3.Connection, singer_id: int) -> Singer:
        row = db.execute("SELECT id, name FROM queue_singers WHERE id = ?", (_row_id(singer_id),)).fetchone()
        if row is None:
            raise QueueError(f"no singer has the number {told(singer_id)}: give the name again")
        return Singer(*row)

    @staticmethod
    def _remember(db: sqlite3.Connection, singer_id: int, song_id: str, settings: Settings) -> None:
        db.execute(
            "INSERT OR REPLACE INTO queue_remembered VALUES (?, ?, ?, ?, ?)",
            (singer_id, song_id, settings.key, settings.tempo, settings.vocals_db),
        )

    def _tick(self, db: sqlite3.Connection) -> int:
        """Count a change."""
        tick = self._fact("tick", 0) + 1
        self._set_fact(db, "tick", tick)
        return tick

    def _fact(self, name: str, missing: int) -> int:
        rows = self._database.rows("SELECT value FROM queue_facts WHERE name = ?", (name,))
        return int(rows[0][0]) if rows else missing

    @staticmethod
    def _set_fact(db: sqlite3.Connection, name: str, value: int) -> None:
        db.execute("INSERT OR REPLACE INTO queue_facts VALUES (?, ?)", (name, value))


def _row_id(number: int) -> int:
    """``number`` where it can be a row's, else one that no row has: SQLite's integers end."""
    return number if isinstance(number, int) and 0 < number < 1 << 63 else -1
