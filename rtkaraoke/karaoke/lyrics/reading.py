"""From bytes that anyone may have written to lyrics, or a reason why not."""

import codecs
import unicodedata
from pathlib import Path

from rtkaraoke.errors import LyricsError
from rtkaraoke.karaoke.lyrics.lrc import has_stamps, lines_of, parse_lrc
from rtkaraoke.karaoke.lyrics.model import Builder, Lyrics, Syllable
from rtkaraoke.karaoke.lyrics.ultrastar import parse_ultrastar, read_header
from rtkaraoke.karaoke.text import shown

MAX_BYTES = 1 << 20  #: the longest real song.txt is a tenth of it

_MARKS = (  # the longer first: UTF-32's begins like UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What #ENCODING may name; other names of Python's codecs are not for strangers to choose.
_ENCODINGS = {"UTF8": "utf-8", "CP1250": "cp1250", "CP1251": "cp1251", "CP1252": "cp1252", "LATIN1": "latin-1"}
_MAX_CONTROLS = 0.02  # share of control characters above which a file is no text
_FEW_CONTROLS = 8  # that many may be accidents


def read_lyrics(path: Path, title: str = "") -> Lyrics:
    """Read a file of lyrics; its content decides how, not its name.

    Parameters
    ----------
    path : Path
        UltraStar's song.txt, LRC, or plain text.
    title : str
        Used where the file names none.

    Raises
    ------
    LyricsError
        When it is missing, too long, no text, or holds no lyrics.
    """
    try:
        return _parse(read_text(path), title)
    except LyricsError as error:
        name = shown(path.name)
        raise (error if str(error).startswith(name) else LyricsError(f"{name}: {error}")) from error


def read_text(path: Path) -> str:
    """The text of a file of unknown encoding.

    Raises
    ------
    LyricsError
        When it cannot be read, is longer than :data:`MAX_BYTES`, or is no text.
    """
    name = shown(path.name)
    try:
        if not path.is_file():  # a pipe would be waited for
            raise LyricsError(f"{name}: is no regular file, wanted a file of lyrics: look at the folder")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise LyricsError(f"{name}: cannot be read ({reason}): check its permissions") from error
    try:
        return decode(data)
    except LyricsError as error:
        raise LyricsError(f"{name}: {error}") from error


def parse_tag(text: str, title: str = "") -> Lyrics:
    """Read the lyrics that a sound file's tag holds: LRC, or plain text without times.

    Raises
    ------
    LyricsError
        When there are none, or too many.
    """
    if len(text) > MAX_BYTES:
        raise LyricsError(f"{len(text)} characters of lyrics in a tag, wanted at most {MAX_BYTES}: shorten the tag")
    return parse_lrc(text, title) if has_stamps(text) else _parse_plain(text, title)


def decode(data: bytes) -> str:
    """Turn ``data`` into text: by its mark, by ``#ENCODING``, as UTF-8, at last as Windows-1252.

    Raises
    ------
    LyricsError
        When it is too long, empty, or no text.
    """
    if len(data) > MAX_BYTES:
        raise LyricsError(f"more than {MAX_BYTES} bytes, wanted the lyrics of one song: leave the file out")
    text = _decoded(data)
    n_controls = sum(unicodedata.category(letter) == "Cc" and letter not in "\t\n\v\f\r" for letter in text[:4096])
    if n_controls > max(_FEW_CONTROLS, _MAX_CONTROLS * len(text[:4096])):
        raise LyricsError("is no text (it is full of control characters), wanted lyrics: leave the file out")
    if not text.strip():
        raise LyricsError("is empty, wanted lyrics: copy or download it again")
    return text


def _decoded(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    # UTF-16 without its mark: every other byte of European text is 0.
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if data and data[first::2].count(0) > 0.4 * len(data) // 2 > data[1 - first :: 2].count(0):
            return data.decode(encoding, "replace")
    declared = read_header(data[:4096].decode("latin-1")).get("ENCODING").upper().replace("-", "")
    for encoding in (_ENCODINGS.get(declared, "utf-8"), "utf-8"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("cp1252", "replace")


def _parse(text: str, title: str) -> Lyrics:
    if read_header(text).is_song:
        return parse_ultrastar(text, title)
    return parse_tag(text, title)


def _parse_plain(text: str, title: str) -> Lyrics:
    builder = Builder(title)
    for line in lines_of(text):
        builder.add([Syllable(0.0, 0.0, line.strip())])
    return builder.lyrics(timed=False)
