"""The songs of a folder: found, remembered, searched while someone types.

::

    with Library("~/Karaoke", "library.sqlite") as library:
        library.scan()
        for song in library.search("code mon"):
            print(song.artist, song.title, library.path(song.id))
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rtkaraoke.closing import Closing
from rtkaraoke.errors import AudioFileError, LibraryError, LyricsError
from rtkaraoke.files import read_embedded
from rtkaraoke.karaoke.lyrics import Lyrics, parse_tag, read_lyrics
from rtkaraoke.karaoke.reading import (
    BROKEN,
    EMBEDDED,
    OTHER,
    SONG,
    Entry,
    Names,
    Parts,
    parts_of_sound,
    parts_of_ultrastar,
    read_entry,
    read_names,
)
from rtkaraoke.karaoke.store import Song, Store
from rtkaraoke.karaoke.text import shown
from rtkaraoke.karaoke.tree import MAX_PATH, Problem, Tree, is_sound, walk

__all__ = ["Cover", "Library", "Problem", "Progress", "ScanReport", "Song"]

MAX_COVER = 8 << 20  #: bytes of a picture that is handed out
BATCH = 100  # entries that are written at once: a search waits for no more

Progress = Callable[[int, int, str], None]

# Pictures that browsers draw without running anything: SVG is a program.
_PICTURES = (
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"GIF8", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
)


@dataclass(frozen=True, slots=True)
class Cover:
    """A picture: its bytes as they are in the file, and their type, such as ``image/jpeg``."""

    data: bytes
    mime: str


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What a scan found: numbers of songs, and of songs and texts that had to be opened (``n_opened``)."""

    n_songs: int
    n_added: int
    n_changed: int
    n_removed: int
    n_opened: int
    problems: tuple[Problem, ...]


class Library(Closing):
    """The songs under ``folder``, kept in the SQLite file ``database``. Safe to use from several threads.

    A song is a sound file, or an UltraStar ``song.txt`` (any name that ends in ``.txt``) with the sound file that it
    names. Lyrics and cover are taken from beside the file or from inside it. Nothing outside of the folder is ever
    opened: links are not followed, names that point out of it are refused.

    Parameters
    ----------
    folder : str or Path
        Searched with all folders in it.
    database : str or Path
        Made where it is missing. It may also be the queue's, and is emptied of the songs of another folder.

    Raises
    ------
    LibraryError
        When there is no such folder, or the database cannot be used.
    """

    def __init__(self, folder: str | Path, database: str | Path) -> None:
        given = Path(folder)
        try:
            self.folder = given.expanduser().resolve(strict=True)
            is_folder = self.folder.is_dir()
        except (OSError, ValueError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise LibraryError(f"{shown(str(given), MAX_PATH)}: no such folder ({reason}): check the name") from error
        if not is_folder:
            raise LibraryError(f"{shown(str(given), MAX_PATH)}: is a file, wanted a folder of songs: name its folder")
        self._store = Store(database, self.folder)
        self._scanning = threading.Lock()

    def close(self) -> None:
        """Close the database. May be called twice."""
        self._store.close()

    def __len__(self) -> int:
        return len(self._store)

    def scan(self, progress: Progress | None = None) -> ScanReport:
        """Look for what is new, changed or gone. Only new and changed files are opened.

        Parameters
        ----------
        progress : callable, optional
            Called before each file that is opened with its number from 0, how many there are, and its path. An
            exception that it raises ends the scan; what was found until then is kept.

        Raises
        ------
        LibraryError
            When the folder cannot be listed or the database not be written. Files that cannot be read end nothing:
            they are in the report's problems.
        """
        with self._scanning:
            tree, known = walk(self.folder), self._store.entries()
            texts = [path for path in tree.files if path.lower().endswith(".txt")]
            fresh = {
                path: self._look_into(path, tree)
                for path in texts
                if path not in known or known[path].stamp != tree.files[path]
            }
            parts = self._parts({path: (fresh.get(path) or known[path]).names for path in texts}, tree)
            todo = [
                path
                for path, part in parts.items()
                if path not in known or known[path].signature != part.signature(path, tree)
            ]
            gone = known.keys() - parts.keys() - set(texts)
            self._store.remove(gone)
            self._store.save(entry for path, entry in fresh.items() if path not in parts)
            added, changed = set[str](), set[str]()
            for start in range(0, len(todo), BATCH):
                batch: list[Entry] = []
                try:
                    for number, path in enumerate(todo[start : start + BATCH], start):
                        if progress is not None:
                            progress(number, len(todo), shown(path, MAX_PATH))
                        names = fresh[path].names if path in fresh else known[path].names if path in known else Names()
                        batch.append(read_entry(self.folder, path, names, parts[path], tree))
                finally:
                    self._store.save(batch)
                for entry in batch:
                    if entry.kind == SONG:
                        was_song = entry.main in known and known[entry.main].kind == SONG
                        (changed if was_song else added).add(entry.main)
            self._store.replace_outside(tree.problems)
            return ScanReport(
                n_songs=len(self),
                n_added=len(added),
                n_changed=len(changed),
                n_removed=sum(known[path].kind == SONG for path in gone),
                n_opened=len(fresh.keys() | todo),
                problems=self.problems(),
            )

    def search(self, text: str, limit: int = 50) -> tuple[Song, ...]:
        """Find songs by the beginnings of words in title, artist, album and path; case and accents do not matter.

        All words must be there. First come titles that begin with the text, then artists, both in alphabetical order,
        then the others by how well they fit (BM25, titles before artists), at last those that have it inside a word.
        An empty text lists all.
        """
        return tuple(self._store.search(text, limit))

    def songs(self, limit: int = 50, offset: int = 0) -> tuple[Song, ...]:
        """List songs in the order of artists and titles."""
        return tuple(self._store.songs(limit, offset))

    def artists(self) -> tuple[tuple[str, int], ...]:
        """List every artist with the number of songs."""
        return tuple(self._store.artists())

    def by_artist(self, artist: str, limit: int = 50, offset: int = 0) -> tuple[Song, ...]:
        """List the songs of an artist; case and accents do not matter."""
        return tuple(self._store.songs(limit, offset, artist))

    def song(self, song_id: str) -> Song:
        """The song with this id. Raises LibraryError where there is none."""
        return self._store.song(song_id)

    def problems(self) -> tuple[Problem, ...]:
        """Every file that cannot be played, or only without its lyrics, with the reason."""
        return tuple(self._store.problems())

    def path(self, song_id: str) -> Path:
        """The sound file of a song, to be played.

        Raises
        ------
        LibraryError
            When there is no such song, or its file is gone or has become a link out of the folder.
        """
        return self._inside(self._store.entry(song_id).audio)

    def cover(self, song_id: str) -> Cover | None:
        """The song's picture, None where there is none, it is too large, or no JPEG, PNG, GIF or WebP.

        Raises
        ------
        LibraryError
            When there is no such song.
        """
        entry = self._store.entry(song_id)
        if not entry.cover:
            return None
        try:
            if entry.cover == EMBEDDED:
                data = read_embedded(self._inside(entry.audio), MAX_COVER).cover or b""
            else:
                with self._inside(entry.cover).open("rb") as file:
                    data = file.read(MAX_COVER + 1)
        except (OSError, LibraryError, AudioFileError):  # gone since the last scan
            return None
        kinds = (mime for magic, at, mime in _PICTURES if data[at : at + len(magic)] == magic)
        mime = next(kinds, None)
        return Cover(data, mime) if mime is not None and len(data) <= MAX_COVER else None

    def lyrics(self, song_id: str) -> Lyrics | None:
        """The song's lyrics, None where it has none.

        Raises
        ------
        LibraryError
            When there is no such song, or its files are gone.
        LyricsError
            When they cannot be read any more.
        """
        entry = self._store.entry(song_id)
        if not entry.lyrics:
            return None
        if entry.lyrics == EMBEDDED:
            return parse_tag(read_embedded(self._inside(entry.audio)).lyrics, entry.title)
        return read_lyrics(self._inside(entry.lyrics), entry.title)

    def _parts(self, names: dict[str, Names], tree: Tree) -> dict[str, Parts]:
        """The files of every song, by its main one."""
        ultrastar = {path: named for path, named in names.items() if named.is_song}
        parts = {path: parts_of_ultrastar(path, named, tree) for path, named in ultrastar.items()}
        taken = {part.audio for part in parts.values()} | _other_sounds(ultrastar, tree)
        for path in tree.files:
            if is_sound(path) and path not in taken:
                parts[path] = parts_of_sound(path, tree)
        return parts

    def _look_into(self, path: str, tree: Tree) -> Entry:
        """What a text file is."""
        stamp = tree.files[path]
        try:
            return Entry(path, OTHER, stamp, "", read_names(self.folder / path))
        except LyricsError as error:
            return Entry(path, BROKEN, stamp, "", problem=str(error))

    def _inside(self, relative: str) -> Path:
        path = self.folder / relative
        if not path.resolve().is_relative_to(self.folder) or not path.is_file():
            raise LibraryError(
                f"{shown(relative, MAX_PATH)}: is not in the folder of songs any more: scan again, or put it back"
            )
        return path


def _other_sounds(songs: dict[str, Names], tree: Tree) -> set[str | None]:
    """Sound files that are parts of UltraStar songs, not songs of their own: films, stems."""
    found: set[str | None] = set()
    for path, names in songs.items():
        for name in names.others:
            try:
                found.add(tree.beside(path, name))
            except LibraryError:  # points out of the folder: so it is none of ours
                continue
    return found
