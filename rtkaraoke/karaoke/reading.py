"""From a file in the folder to an entry of the library: which files belong together, and what they say."""

import hashlib
import posixpath
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rtkaraoke.errors import AudioFileError, LibraryError, LyricsError
from rtkaraoke.files import INPUT_SUFFIXES, Embedded, probe, read_embedded
from rtkaraoke.karaoke.lyrics import Lyrics, parse_tag, read_header, read_lyrics, read_text
from rtkaraoke.karaoke.text import shown
from rtkaraoke.karaoke.tree import LYRICS_SUFFIXES, MAX_PATH, Stamp, Tree

SONG, OTHER, BROKEN = "song", "other", "broken"  #: what an entry is; others are texts that are no songs

EMBEDDED = ":embedded"  #: stands for a path where cover or lyrics are inside the sound file
ULTRASTAR_NAME = "song.txt"
_AUDIO_KEYS = ("AUDIO", "MP3")
_OTHER_SOUNDS = ("VIDEO", "VOCALS", "INSTRUMENTAL")
_FORMAT = 1  # part of every signature: with another number, everything is read again


@dataclass(frozen=True, slots=True)
class Names:
    """Whom a song.txt names. Empty for every other text, ``is_song`` tells them apart."""

    is_song: bool = False
    audio: str = ""
    cover: str = ""
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """The files of one song, as paths in the tree. ``problem`` says why it cannot be played."""

    audio: str | None
    cover: str | None
    lyrics: str | None
    problem: str = ""

    def signature(self, main: str, tree: Tree) -> str:
        """Changes when one of the files does."""
        paths = (main, self.audio, self.cover, self.lyrics)
        stamps = [(path, tree.files[path]) if path is not None else None for path in paths]
        return digest(repr((_FORMAT, stamps, self.problem)))


@dataclass(slots=True)
class Entry:
    """One row of the library. ``main`` is the song.txt or the sound file; text is fit to be shown."""

    main: str
    kind: str
    stamp: Stamp
    signature: str
    names: Names = field(default_factory=Names)
    audio: str = ""
    cover: str = ""
    lyrics: str = ""
    lyrics_kind: str = ""
    title: str = ""
    artist: str = ""
    album: str = ""
    length_s: float | None = None
    problem: str = ""


def digest(text: str) -> str:
    """64 bits of ``text``, which may hold bytes of file names."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def read_names(path: Path) -> Names:
    """Whom the text file at ``path`` names.

    Raises
    ------
    LyricsError
        When a file called song.txt is none; other texts may be what they like.
    """
    called_song = path.name.lower() == ULTRASTAR_NAME
    try:
        header = read_header(read_text(path))
    except LyricsError:
        if called_song:
            raise
        return Names()
    if not header.is_song:
        if called_song:
            raise LyricsError("names no #BPM, #TITLE or #MP3, wanted an UltraStar song: correct or remove it")
        return Names()
    others = tuple(name for key in _OTHER_SOUNDS if (name := header.get(key)))
    return Names(True, header.get(*_AUDIO_KEYS), header.get("COVER"), others)


def parts_of_ultrastar(main: str, names: Names, tree: Tree) -> Parts:
    """Find the files of a song.txt. A sound file by another suffix, or the only one there is, is taken as well."""
    try:
        audio = tree.beside(main, names.audio) if names.audio else None
    except LibraryError as error:
        return Parts(None, None, main, str(error))
    if audio is None:
        stem = posixpath.splitext(posixpath.basename(names.audio.replace("\\", "/")))[0]
        candidates = tree.variants(main, INPUT_SUFFIXES, stem) if stem else tree.variants(main, INPUT_SUFFIXES)
        alone = tree.sounds_beside(main)
        audio = candidates[0] if candidates else alone[0] if len(alone) == 1 else None
    if audio is None:
        wanted = shown(names.audio) or "none (#MP3 is missing)"
        return Parts(None, None, main, f"its sound file is not there, it names {wanted}: put it beside, or correct it")
    cover = None
    with suppress(LibraryError):  # a picture elsewhere is no reason not to sing
        cover = tree.beside(main, names.cover) if names.cover else None
    return Parts(audio, cover or tree.cover_of(main), main)


def parts_of_sound(main: str, tree: Tree) -> Parts:
    """Find the files beside a sound file: lyrics and cover."""
    lyrics = [path for suffix in LYRICS_SUFFIXES for path in tree.variants(main, (suffix,))]
    return Parts(main, tree.cover_of(main), lyrics[0] if lyrics else None)


def read_entry(folder: Path, main: str, names: Names, parts: Parts, tree: Tree) -> Entry:
    """Open the files of a song and note what they say. A problem is part of the entry, nothing is raised."""
    entry = Entry(main, SONG, tree.files[main], parts.signature(main, tree), names)
    if parts.audio is None:
        entry.kind, entry.problem = BROKEN, parts.problem
        return entry
    entry.audio = parts.audio
    path = folder / parts.audio
    try:
        info = probe(path)
        embedded = _embedded(path)
    except AudioFileError as error:
        entry.kind, entry.problem = BROKEN, _without_path(error, path)
        return entry
    entry.length_s = info.duration_s if info.duration_s is not None else embedded.duration_s
    entry.cover = parts.cover or (EMBEDDED if embedded.cover else "")
    if names.is_song:
        _name_by_header(entry, folder / main)
    else:
        _name_by_tags(entry, info.tags)
    _note_lyrics(entry, parts.lyrics, folder, embedded)
    return entry


def _embedded(path: Path) -> Embedded:
    try:
        return read_embedded(path)
    except AudioFileError:  # libsndfile reads a few formats that FFmpeg does not
        return Embedded()


def _name_by_header(entry: Entry, path: Path) -> None:
    header = read_header(_or_empty(lambda: read_text(path)))
    entry.title = shown(header.get("TITLE")) or shown(path.parent.name)
    entry.artist, entry.album = shown(header.get("ARTIST")), shown(header.get("ALBUM"))


def _name_by_tags(entry: Entry, tags: dict[str, str]) -> None:
    entry.title, entry.artist, entry.album = (shown(tags.get(key, "")) for key in ("title", "artist", "album"))
    if entry.title:
        return
    stem = posixpath.splitext(posixpath.basename(entry.main))[0]
    artist, dash, title = stem.partition(" - ")
    if dash and title.strip() and not entry.artist:
        entry.artist, entry.title = shown(artist), shown(title)
    else:
        entry.title = shown(stem)
    entry.title = entry.title or shown(posixpath.basename(entry.main)) or "?"


def _note_lyrics(entry: Entry, beside: str | None, folder: Path, embedded: Embedded) -> None:
    """Note the first lyrics that can be read: beside the sound, then inside it."""
    sources: list[tuple[str, Callable[[], Lyrics]]] = []
    if beside is not None:
        sources.append((beside, lambda: read_lyrics(folder / beside)))
    if embedded.lyrics:
        sources.append((EMBEDDED, lambda: parse_tag(embedded.lyrics)))
    for where, read in sources:
        try:
            entry.lyrics_kind = read().detail
        except LyricsError as error:
            entry.problem = entry.problem or f"played without lyrics: {error}"
        else:
            entry.lyrics = where
            return


def _or_empty(read: Callable[[], str]) -> str:
    try:
        return read()
    except LyricsError:  # changed between two looks
        return ""


def _without_path(error: AudioFileError, path: Path) -> str:
    """The reason alone: the list of problems has the path beside it."""
    return shown(str(error).removeprefix(f"{path}: "), MAX_PATH)
