"""Text from elsewhere (tags, file names, lyrics, singers' names), made fit to be shown.

Whoever wrote a tag must not steer the screen that shows it: control characters go, direction marks go (a line of
Hebrew or Arabic still runs from right to left, by its letters), combining marks do not pile up over other lines.
Escaping for HTML is not done here: that is the page's job, and doing it twice shows ``&amp;``.
"""

import re
import unicodedata
from collections.abc import Iterator

MAX_SHOWN = 200  #: characters of a title or name
MAX_MARKS = 5  # combining marks on one letter: more than any script needs
REPLACEMENT = "\ufffd"

_JOINERS = "\u200c\u200d"  # between letters of Persian and parts of emoji: the only format characters that are kept
_SPACE = re.compile(r"\s+")
_LINE_SEPARATORS = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029")
_RIGHT_TO_LEFT = frozenset(("R", "AL", "AN"))
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
_ASCII_DROPPED = re.compile(r"[\x00-\x08\x0e-\x1b\x7f'`]")
_ASCII_SIGNS = re.compile(r"[^a-z0-9]")
# Letters with a stroke and the like, which Unicode does not take apart into a letter and a mark.
_STROKES = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"})


def shown(text: str, limit: int = MAX_SHOWN) -> str:
    """``text`` as one line of at most ``limit`` characters that cannot disturb what stands beside it.

    Spaces at its ends go, those inside become one. A line with letters that run from right to left is isolated
    (U+2068 ... U+2069, two characters beyond the limit). What is too long ends in an ellipsis. Applied twice, it
    changes nothing more.
    """
    text = shorten(_SPACE.sub(" ", clean(text)).strip(), limit)
    if not text.isascii() and any(unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT for letter in text):
        return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}"
    return text


def clean(text: str) -> str:
    """``text`` composed (NFC), without control and format characters; its spaces stay where they are.

    Line breaks and tabs become spaces. A byte of a file name that is no UTF-8 (``surrogateescape``) is shown as
    the letter that it is in Windows-1252, any other half of a surrogate pair as U+FFFD.
    """
    if text.isascii() and text.isprintable():  # most text
        return text
    letters: list[str] = []
    for letter in _without_piles(text):
        if letter in _LINE_SEPARATORS:
            letters.append(" ")
            continue
        kind = unicodedata.category(letter)
        if kind == "Cs":
            letters.append(_unescape(letter))
        elif letter in _JOINERS or (kind not in ("Cc", "Cf") and not _is_no_character(letter)):
            letters.append(letter)
    # Composed at last: what was taken out may have stood between a letter and its mark. A few letters come apart.
    composed = unicodedata.normalize("NFC", "".join(_without_piles("".join(letters))))
    return unicodedata.normalize("NFC", "".join(_without_piles(composed)))


def _without_piles(text: str) -> Iterator[str]:
    """The characters of ``text`` but for the marks beyond :data:`MAX_MARKS` on one letter.

    Before anything else: composing a letter takes time by the square of its marks, a minute for 100 000.
    """
    n_marks = 0
    for letter in text:
        is_mark = unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me")
        n_marks = n_marks + 1 if is_mark else 0
        if n_marks <= MAX_MARKS:
            yield letter


def shorten(text: str, limit: int) -> str:
    """``text`` cut to ``limit`` characters, the last of them an ellipsis where something is missing."""
    if len(text) <= limit:
        return text
    end = max(0, limit - 1)
    # Never between a letter and what belongs to it.
    while end > 0 and (unicodedata.combining(text[end]) or text[end] in _JOINERS or text[end - 1] in _JOINERS):
        end -= 1
    return text[:end].rstrip() + "…"


def fold(text: str) -> str:
    """``text`` as it is searched and compared: no case, no accents, no punctuation, single spaces.

    ``Beyoncé`` and ``BEYONCE``, ``AC/DC`` and ``ac dc`` fold to the same.
    """
    if text.isascii():  # as below, ten times faster
        return " ".join(_ASCII_SIGNS.sub(" ", _ASCII_DROPPED.sub("", text.lower())).split())
    # Case twice: what a decomposition brings forth (such as the angstrom's A) may have one, too.
    decomposed = unicodedata.normalize("NFKD", clean(text).casefold()).casefold().translate(_STROKES)
    letters = (letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join("".join(letter if letter.isalnum() else _gap(letter) for letter in letters).split())


def _gap(letter: str) -> str:
    """What stands for a letter that is not searched: nothing for an apostrophe (``don't`` is a word), else a space."""
    return "" if letter in "'’`´ʼ" or unicodedata.category(letter) in ("Mn", "Mc", "Me", "Cf") else " "


def _unescape(surrogate: str) -> str:
    code = ord(surrogate)
    if not 0xDC80 <= code <= 0xDCFF:
        return REPLACEMENT
    letter = bytes([code - 0xDC00]).decode("cp1252", "replace")
    return letter if unicodedata.category(letter) not in ("Cc", "Cf") else REPLACEMENT


def _is_no_character(letter: str) -> bool:
    """Whether this is one of Unicode's 66 noncharacters, such as U+FFFF."""
    code = ord(letter)
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
