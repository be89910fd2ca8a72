"""``songs``: what a folder yields for a karaoke night, and what it does not, with the reason."""

import hashlib
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rtkaraoke.cli.console import note, show, show_json
from rtkaraoke.cli.listing import table
from rtkaraoke.cli.options import JsonFlag
from rtkaraoke.folders import state_folder

if TYPE_CHECKING:
    from rtkaraoke.karaoke.library import Library, Song

PAGE = 1_000


def songs(
    folder: Path,
    /,
    *,
    search: Annotated[str, Parameter(help="Only songs with these words in title, artist, album or path.")] = "",
    json: JsonFlag = False,
) -> None:
    """List the songs of a folder with their lyrics, and the files that cannot be sung, with the reason.

    Sound files of every kind, UltraStar folders (song.txt), lyrics in .lrc files and in tags. What was found is
    remembered: the next time, only new and changed files are opened.
    """
    from rtkaraoke.karaoke.library import Library

    with Library(folder, database_of(folder)) as library:
        report = library.scan()
        found = list(library.search(search, PAGE)) if search else everything(library)
    if json:
        show_json({"songs": [asdict(song) for song in found], "problems": [asdict(one) for one in report.problems]})
        return
    if found:
        rows = ((song.artist or "-", song.title, length(song), song.lyrics or "-", song.path) for song in found)
        show(table(["artist", "title", "length", "lyrics", "file"], rows))
    show(f"{len(found)} of {report.n_songs} songs" if search else f"{report.n_songs} songs")
    for problem in report.problems:
        note(f"{problem.path}: {problem.reason}")


def database_of(folder: Path) -> Path:
    """Where this user's programs remember the songs of ``folder``."""
    whole = os.fsencode(folder.expanduser().absolute())
    return state_folder() / "libraries" / f"{hashlib.blake2b(whole, digest_size=8).hexdigest()}.sqlite"


def everything(library: "Library") -> "list[Song]":
    """All songs, page by page."""
    found: list[Song] = []
    while page := library.songs(PAGE, len(found)):
        found += page
    return found


def length(song: "Song") -> str:
    """Minutes and seconds."""
    if song.length_s is None:
        return "-"
    minutes, seconds = divmod(round(song.length_s), 60)
    return f"{minutes}:{seconds:02}"
