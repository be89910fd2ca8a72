"""What lies in a folder of songs: names, sizes and dates, without opening a single file."""

import os
import posixpath
import stat
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from rtkaraoke.errors import LibraryError
from rtkaraoke.files import INPUT_SUFFIXES
from rtkaraoke.karaoke.text import shown

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif")
LYRICS_SUFFIXES = (".lrc", ".txt")
MAX_PATH = 1_000  #: characters of a path that is shown in a reason
_KEPT = INPUT_SUFFIXES.union(PICTURE_SUFFIXES, LYRICS_SUFFIXES)
_COVERS = ("cover", "folder", "front", "albumart")
_OUTSIDE = posixpath.pardir


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that cannot be used: its path within the folder, fit to be shown, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """How a change is noticed: size in bytes and time of the last change."""

    size: int
    mtime_ns: int


@dataclass(slots=True)
class Tree:
    """Every file that may matter, by its path relative to the folder, with ``/`` in it.

    Bytes of a name that are no UTF-8 are in it as Python has them (``surrogateescape``).
    """

    files: dict[str, Stamp] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _names: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, path: str, stamp: Stamp) -> None:
        """Note a file."""
        folder, name = posixpath.split(path)
        self.files[path] = stamp
        self._names.setdefault(folder, {}).setdefault(_same(name), path)

    def refuse(self, path: str, reason: str) -> None:
        """Note a file or folder that cannot be used."""
        self.problems.append(Problem(shown(path, MAX_PATH), reason))

    def beside(self, path: str, name: str) -> str | None:
        """Find ``name`` in the folder of ``path``, whatever its case and Unicode form; ``name`` may have folders.

        Raises
        ------
        LibraryError
            When it points out of the folder of songs.
        """
        name = name.replace("\\", "/")
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
        if name.startswith("/") or name[1:2] == ":" or wanted.split("/")[0] == _OUTSIDE:
            raise LibraryError(f"it names {shown(name)}, which is outside of the folder of songs: correct the file")
        if wanted in self.files:
            return wanted
        folder, base = posixpath.split(wanted)
        return self._names.get(folder, {}).get(_same(base))

    def variants(self, path: str, suffixes: tuple[str, ...] | frozenset[str], stem: str | None = None) -> list[str]:
        """Files beside ``path`` with one of ``suffixes`` behind ``stem`` (default: that of ``path``)."""
        folder, name = posixpath.split(path)
        stem = posixpath.splitext(name)[0] if stem is None else stem
        names = self._names.get(folder, {})
        found = (names.get(_same(stem + suffix)) for suffix in sorted(suffixes))
        return [other for other in found if other is not None]

    def sounds_beside(self, path: str) -> list[str]:
        """Every sound file in the folder of ``path``."""
        names = self._names.get(posixpath.dirname(path), {})
        return [other for other in names.values() if is_sound(other)]

    def cover_of(self, path: str) -> str | None:
        """Find a picture that is named like the song, or as covers are."""
        for stem in (None, *_COVERS):
            if found := self.variants(path, PICTURE_SUFFIXES, stem):
                return found[0]
        return None


def is_sound(path: str) -> bool:
    """Whether the name is that of a sound or video file."""
    return posixpath.splitext(path)[1].lower() in INPUT_SUFFIXES


def walk(folder: Path) -> Tree:
    """List ``folder`` and the folders in it. Hidden files are left out, links are never followed.

    Raises
    ------
    LibraryError
        When ``folder`` itself cannot be listed.
    """
    tree = Tree()
    waiting = [""]
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(folder / here) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if not here:
                raise LibraryError(f"{folder}: cannot be listed ({error.strerror}): check its permissions") from error
            tree.refuse(here, f"cannot be listed ({error.strerror}): check its permissions")
            continue
        for entry in found:
            if not entry.name.startswith("."):
                _look(tree, entry, posixpath.join(here, entry.name), waiting)
    return tree


def _look(tree: Tree, entry: os.DirEntry[str], path: str, waiting: list[str]) -> None:
    matters = posixpath.splitext(entry.name)[1].lower() in _KEPT
    try:
        about = entry.stat(follow_symlinks=False)
    except OSError as error:
        tree.refuse(path, f"cannot be read ({error.strerror}): check its permissions")
        return
    if stat.S_ISLNK(about.st_mode) or getattr(about, "st_reparse_tag", 0) == getattr(
        stat, "IO_REPARSE_TAG_MOUNT_POINT", -1
    ):
        tree.refuse(path, "is a link, which is not followed: put what it points to into the folder")
    elif stat.S_ISDIR(about.st_mode):
        waiting.append(path)
    elif stat.S_ISREG(about.st_mode):
        if matters:
            tree.add(path, Stamp(about.st_size, about.st_mtime_ns))
    elif matters:
        tree.refuse(path, "is no regular file, wanted a sound file: remove it")


def _same(name: str) -> str:
    """The same for names that people take for the same."""
    return unicodedata.normalize("NFC", name).casefold()
