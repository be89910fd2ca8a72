"""The library's tables: entries as the scan leaves them, and the search over their text."""

import json
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtkaraoke.closing import Closing
from rtkaraoke.errors import LibraryError
from rtkaraoke.karaoke.database import Database
from rtkaraoke.karaoke.reading import SONG, Entry, Names, digest
from rtkaraoke.karaoke.text import fold, shown
from rtkaraoke.karaoke.tree import MAX_PATH, Problem, Stamp

VERSION = "1"  #: another number makes the tables anew: they hold nothing that a scan does not find again
MAX_QUERY = 200  #: characters of a query that are looked at
MAX_WORDS = 12
MAX_FOUND = 1_000
_LAST = "\U0010ffff"  # sorts behind every text

_TABLES = """
CREATE TABLE IF NOT EXISTS library_facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS library (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, main BLOB NOT NULL, kind TEXT NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, signature TEXT NOT NULL, names TEXT NOT NULL,
    audio BLOB NOT NULL, cover BLOB NOT NULL, lyrics BLOB NOT NULL, lyrics_kind TEXT NOT NULL,
    title TEXT NOT NULL, artist TEXT NOT NULL, album TEXT NOT NULL, length_s REAL, problem TEXT NOT NULL,
    folded_title TEXT NOT NULL, folded_artist TEXT NOT NULL, folded TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS library_order ON library (kind, folded_artist = '', folded_artist, folded_title, number);
CREATE INDEX IF NOT EXISTS library_titles ON library (kind, folded_title, number);
CREATE INDEX IF NOT EXISTS library_texts ON library (kind, folded, number);
CREATE TABLE IF NOT EXISTS library_outside (path TEXT NOT NULL, reason TEXT NOT NULL);
"""
_INDEX = """
CREATE VIRTUAL TABLE library_index USING fts5
    (title, artist, more, tokenize = "unicode61 remove_diacritics 2", prefix = '1 2 3')
"""
_FILL_INDEX = (
    "INSERT INTO library_index (rowid, title, artist, more) SELECT number, folded_title, folded_artist, folded"
)
_SONG = "id, title, artist, album, length_s, cover != x'', lyrics_kind, main"
_FIELDS = (
    *("id", "main", "kind", "size", "mtime_ns", "signature", "names", "audio", "cover", "lyrics", "lyrics_kind"),
    *("title", "artist", "album", "length_s", "problem", "folded_title", "folded_artist", "folded"),
)


@dataclass(frozen=True, slots=True)
class Song:
    """A song of the library. All text is fit to be shown (:func:`rtkaraoke.karaoke.text.shown`).

    ``id`` stays the same as long as the file has its name and place. ``length_s`` is None where the file does not
    say. ``lyrics`` is ``syllables``, ``lines``, ``text`` (without times) or empty. ``path`` is within the folder and
    for eyes only: :meth:`Library.path` opens doors.
    """

    id: str
    title: str
    artist: str = ""
    album: str = ""
    length_s: float | None = None
    has_cover: bool = False
    lyrics: str = ""
    path: str = ""


class Store(Closing):
    """The tables in ``database``, made where they are missing, emptied where they are another folder's."""

    def __init__(self, database: str | Path, folder: Path) -> None:
        self._database = Database(database, LibraryError)
        try:
            with self._database.transaction() as db:
                self._prepare(db, digest(str(folder)))
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Close the database. May be called twice."""
        self._database.close()

    def __len__(self) -> int:
        return int(self._database.rows("SELECT count(*) FROM library WHERE kind = ?", (SONG,))[0][0])

    def entries(self) -> dict[str, Entry]:
        """What is known, by the path of the main file."""
        fields = ", ".join(_FIELDS[1:16])
        return {(entry := _entry(row)).main: entry for row in self._database.rows(f"SELECT {fields} FROM library")}

    def entry(self, song_id: str) -> Entry:
        """The entry of a song.

        Raises
        ------
        LibraryError
            When there is none such.
        """
        fields = ", ".join(_FIELDS[1:16])
        return _entry(self._one(f"SELECT {fields} FROM library WHERE id = ? AND kind = ?", song_id))

    def song(self, song_id: str) -> Song:
        """A song by its id.

        Raises
        ------
        LibraryError
            When there is none such.
        """
        return _song(self._one(f"SELECT {_SONG} FROM library WHERE id = ? AND kind = ?", song_id))

    def save(self, entries: Iterable[Entry]) -> None:
        """Add or replace entries, all or none."""
        with self._database.transaction() as db:
            for entry in entries:
                row = _row(entry)
                db.execute(
                    f"INSERT INTO library ({', '.join(_FIELDS)}) VALUES ({', '.join('?' * len(_FIELDS))}) "
                    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _FIELDS[1:])}",
                    row,
                )
                number = db.execute("SELECT number FROM library WHERE id = ?", (row[0],)).fetchone()[0]
                self._reindex(db, number, entry.kind == SONG)

    def remove(self, paths: Iterable[str]) -> None:
        """Forget the entries of these main files, all or none."""
        with self._database.transaction() as db:
            for path in paths:
                number = db.execute("SELECT number FROM library WHERE id = ?", (digest(path),)).fetchone()[0]
                self._reindex(db, number, False)
                db.execute("DELETE FROM library WHERE number = ?", (number,))

    def replace_outside(self, problems: Iterable[Problem]) -> None:
        """Note the problems that belong to no entry, instead of those before."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM library_outside")
            db.executemany(
                "INSERT INTO library_outside VALUES (?, ?)", [(found.path, found.reason) for found in problems]
            )

    def problems(self) -> list[Problem]:
        """Every file that cannot be used, or not wholly, in the order of paths."""
        found = [
            Problem(shown(os.fsdecode(main), MAX_PATH), problem)
            for main, problem in self._database.rows("SELECT main, problem FROM library WHERE problem != ''")
        ]
        found += [Problem(*row) for row in self._database.rows("SELECT path, reason FROM library_outside")]
        return sorted(found, key=lambda problem: problem.path)

    def songs(self, limit: int, offset: int, artist: str | None = None) -> list[Song]:
        """Songs in the order of artists and titles, those without an artist last; or only those of ``artist``."""
        where = "kind = ?"
        values: list[str | bool] = [SONG]
        if artist is not None:
            folded = fold(artist)
            where, values = f"{where} AND (folded_artist = '') = ? AND folded_artist = ?", [*values, not folded, folded]
        return self._songs(
            f"SELECT {_SONG} FROM library WHERE {where} "
            "ORDER BY folded_artist = '', folded_artist, folded_title, number LIMIT ? OFFSET ?",
            (*values, _clipped(limit), max(0, min(offset, 1 << 40))),
        )

    def artists(self) -> list[tuple[str, int]]:
        """Every artist and the number of songs; spellings that differ in case or accents only are one."""
        return [
            (str(artist), int(count))
            for artist, count in self._database.rows(
                "SELECT min(artist), count(*) FROM library WHERE kind = ? AND artist != '' "
                "GROUP BY folded_artist ORDER BY folded_artist",
                (SONG,),
            )
        ]

    def search(self, text: str, limit: int) -> list[Song]:
        """Songs that have all words of ``text`` (beginnings are enough), the best first; see :class:`Library`."""
        limit = _clipped(limit)
        words = fold(text[:MAX_QUERY]).split()[:MAX_WORDS]
        if not words:
            return self.songs(limit, 0)
        whole = " ".join(words)
        ways = [self._search_titles, self._search_artists, self._search_index, self._search_inside]
        found: dict[str, Song] = {}
        for way in ways if self._has_index else (*ways[:2], ways[3]):
            for song in way(whole, limit):
                found.setdefault(song.id, song)
            if len(found) >= limit:
                break
        return list(found.values())[:limit]

    def _search_titles(self, whole: str, limit: int) -> list[Song]:
        """Titles that begin with the text."""
        return self._songs(
            f"SELECT {_SONG} FROM library WHERE kind = ? AND folded_title >= ? AND folded_title < ? "
            "ORDER BY folded_title, number LIMIT ?",
            (SONG, whole, whole + _LAST, limit),
        )

    def _search_artists(self, whole: str, limit: int) -> list[Song]:
        """Artists that begin with the text."""
        return self._songs(
            f"SELECT {_SONG} FROM library WHERE kind = ? AND (folded_artist = '') = 0 AND folded_artist >= ? "
            "AND folded_artist < ? ORDER BY folded_artist, folded_title, number LIMIT ?",
            (SONG, whole, whole + _LAST, limit),
        )

    def _search_index(self, whole: str, limit: int) -> list[Song]:
        """Words that begin so, the rarer and the more in the title the better."""
        match = " ".join(f'"{word}"*' for word in whole.split())
        return self._songs(
            f"SELECT {_SONG} FROM (SELECT rowid, bm25(library_index, 4, 2, 1) AS rank FROM library_index "
            "WHERE library_index MATCH ? ORDER BY rank, rowid LIMIT ?) JOIN library ON number = rowid "
            "ORDER BY rank, number",
            (match, 2 * limit),  # some are known already
        )

    def _search_inside(self, whole: str, limit: int) -> list[Song]:
        """Inside words: the only way in languages that put no spaces between them."""
        words = whole.split()
        everywhere = " AND ".join("instr(folded, ?)" for _ in words)
        return self._songs(
            # Inside, the index alone is read.
            f"SELECT {_SONG} FROM library WHERE number IN (SELECT number FROM library WHERE kind = ? AND {everywhere}) "
            "ORDER BY instr(folded_title, ?) = 0, folded_title, number LIMIT ?",
            (SONG, *words, words[0], 2 * limit),
        )

    def _songs(self, sql: str, values: Iterable[Any]) -> list[Song]:
        return [_song(row) for row in self._database.rows(sql, tuple(values))]

    def _one(self, sql: str, song_id: str) -> tuple[Any, ...]:
        # Whatever a page sends comes here: SQLite would stumble over half a surrogate pair.
        rows = self._database.rows(sql, (song_id, SONG)) if song_id.isascii() else []
        if not rows:
            raise LibraryError(f"no song has the id {shown(song_id, 40)!r}: search again, the folder may have changed")
        return rows[0]

    def _prepare(self, db: sqlite3.Connection, folder: str) -> None:
        wanted = {"version": VERSION, "folder": folder}
        exists = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'library_facts'").fetchone()[0]
        facts = dict(db.execute("SELECT name, value FROM library_facts").fetchall()) if exists else {}
        self._has_index = has_full_text_search(db)
        if exists and {name: facts.get(name) for name in wanted} != wanted:
            for table in ("library", "library_facts", "library_outside"):
                db.execute(f"DROP TABLE IF EXISTS {table}")
            facts = {}
        for statement in _TABLES.split(";"):
            db.execute(statement)
        if self._has_index and facts.get("index") != "current":
            db.execute("DROP TABLE IF EXISTS library_index")
            db.execute(_INDEX)
            db.execute(f"{_FILL_INDEX} FROM library WHERE kind = ?", (SONG,))
        # A Python without FTS5 cannot keep the index current: one with it will make it anew.
        wanted["index"] = "current" if self._has_index else "stale"
        db.executemany("INSERT OR REPLACE INTO library_facts VALUES (?, ?)", wanted.items())

    def _reindex(self, db: sqlite3.Connection, number: int, is_song: bool) -> None:
        if self._has_index:
            db.execute("DELETE FROM library_index WHERE rowid = ?", (number,))
            if is_song:
                db.execute(f"{_FILL_INDEX} FROM library WHERE number = ?", (number,))


def has_full_text_search(db: sqlite3.Connection) -> bool:
    """Whether this SQLite was built with FTS5."""
    try:
        db.execute("CREATE VIRTUAL TABLE temp.library_trial USING fts5 (text)")
    except sqlite3.OperationalError:
        return False
    db.execute("DROP TABLE temp.library_trial")
    return True


def _clipped(limit: int) -> int:
    return max(0, min(limit, MAX_FOUND))


def _song(row: tuple[Any, ...]) -> Song:
    song_id, title, artist, album, length_s, has_cover, lyrics, main = row
    path = shown(os.fsdecode(main), MAX_PATH)
    return Song(song_id, title, artist, album, length_s, bool(has_cover), lyrics, path)


def _row(entry: Entry) -> tuple[Any, ...]:
    title, artist = fold(entry.title), fold(entry.artist)
    names = entry.names
    return (
        *(digest(entry.main), os.fsencode(entry.main), entry.kind, entry.stamp.size, entry.stamp.mtime_ns),
        *(entry.signature, json.dumps([names.is_song, names.audio, names.cover, names.others])),
        *(os.fsencode(path) for path in (entry.audio, entry.cover, entry.lyrics)),
        *(entry.lyrics_kind, entry.title, entry.artist, entry.album, entry.length_s, entry.problem),
        *(title, artist, " ".join((title, artist, fold(entry.album), fold(entry.main)))),
    )


def _entry(row: tuple[Any, ...]) -> Entry:
    main, kind, size, mtime_ns, signature, names, audio, cover, lyrics, *rest = row
    is_song, named_audio, named_cover, others = json.loads(names)
    lyrics_kind, title, artist, album, length_s, problem = rest
    return Entry(
        main=os.fsdecode(main),
        kind=kind,
        stamp=Stamp(size, mtime_ns),
        signature=signature,
        names=Names(is_song, named_audio, named_cover, tuple(others)),
        audio=os.fsdecode(audio),
        cover=os.fsdecode(cover),
        lyrics=os.fsdecode(lyrics),
        lyrics_kind=lyrics_kind,
        title=title,
        artist=artist,
        album=album,
        length_s=length_s,
        problem=problem,
    )
