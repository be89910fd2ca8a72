r"""LRC: a line of text behind its time, ``[mm:ss.xx]text``.

Also read: several times before one line (a chorus), words with times of their own (enhanced LRC:
``[00:12.00] <00:12.04>When <00:12.16>the``, and the same in square brackets), and the tags ``[ti:]`` and
``[offset:]`` (milliseconds; a positive one lets the lyrics appear sooner). A line without text ends the one before.
After the format's `description <https://en.wikipedia.org/wiki/LRC_(file_format)>`_.
"""

import re
from bisect import bisect_right
from itertools import pairwise
from typing import NamedTuple

from rtkaraoke.errors import LyricsError
from rtkaraoke.karaoke.lyrics.model import MAX_LINES, MAX_S, MAX_SYLLABLES, Builder, Lyrics, Syllable

LAST_S = 10.0  #: longest that a line or word is sung, where only the start of the next line tells its end

_TIME = r"([0-9]{1,4}):([0-9]{1,2})(?:[.:,]([0-9]{1,6}))?"
_LINE_STAMP = re.compile(rf"\s*\[{_TIME}\]")
_WORD_STAMP = re.compile(rf"<{_TIME}>|\[{_TIME}\]")
_TAG = re.compile(r"\s*\[([A-Za-z#]{1,16}):([^\]]*)\]\s*$")
_OFFSET = re.compile(r"\s*([+-]?[0-9]{1,9})\s*$")


class _Words(NamedTuple):
    """What stands behind a line's time. ``end_s`` is None, and a word's start_s too, where the file does not say."""

    words: list[tuple[float | None, str]]
    end_s: float | None


def has_stamps(text: str) -> bool:
    """Whether some line of ``text`` starts with a time."""
    return any(_LINE_STAMP.match(line) for line in lines_of(text))


def lines_of(text: str) -> list[str]:
    """Split at line breaks only: ``str.splitlines`` also splits at eight rarer characters."""
    return re.split(r"\r\n|\r|\n", text)


def parse_lrc(text: str, title: str = "") -> Lyrics:
    """Read LRC.

    Parameters
    ----------
    text : str
        The file's text.
    title : str
        Used where the file has no ``[ti:]``.

    Raises
    ------
    LyricsError
        When no line has a time and text, there is too much of it, or a time is beyond a day.
    """
    offset_s = 0.0
    stamped: list[tuple[float, float, _Words]] = []  # a line's start, by how much its words move, and they
    n_words = 0
    for line in lines_of(text):
        starts_s, rest = _leading_stamps(line)
        if starts_s:
            words = _words(rest)
            n_words += len(starts_s) * len(words.words)
            if len(stamped) + len(starts_s) > MAX_LINES or n_words > MAX_SYLLABLES:
                raise LyricsError(
                    f"more than {MAX_LINES} lines or {MAX_SYLLABLES} words, wanted those of one song: "
                    "split the file, or leave it out"
                )
            # A repeated line's words have the times of its first start.
            stamped += [(start_s, start_s - starts_s[0], words) for start_s in starts_s]
        elif tag := _TAG.match(line):
            name, value = tag[1].lower(), tag[2]
            if name == "ti" and value.strip():
                title = value
            elif name == "offset" and (number := _OFFSET.match(value)):
                offset_s = min(MAX_S, max(-MAX_S, int(number[1]) / 1000))
    stamped.sort(key=lambda line: line[0])
    starts = [start_s for start_s, _, _ in stamped]
    builder = Builder(title)
    for start_s, moved_s, words in stamped:
        later = bisect_right(starts, start_s)  # a translation has the start of what it translates
        next_s = starts[later] if later < len(starts) else float("inf")
        builder.add(_syllables(words, start_s, next_s, moved_s, offset_s))
    return builder.lyrics(timed=True)


def _leading_stamps(line: str) -> tuple[list[float], str]:
    """The times before a line's text, and the text."""
    starts_s = []
    at = 0
    while match := _LINE_STAMP.match(line, at):
        starts_s.append(_seconds(*match.groups()))
        at = match.end()
    return starts_s, line[at:].strip()


def _words(text: str) -> _Words:
    """Split ``text`` at the times inside it."""
    words: list[tuple[float | None, str]] = []
    start_s, at = None, 0
    for match in _WORD_STAMP.finditer(text):
        words.append((start_s, text[at : match.start()]))
        groups = match.groups()
        start_s, at = _seconds(*(groups[:3] if groups[0] is not None else groups[3:])), match.end()
    words.append((start_s, text[at:]))
    # A time with nothing behind it is the end of the last word.
    end_s = words.pop()[0] if len(words) > 1 and not words[-1][1].strip() else None
    words = [word for number, word in enumerate(words) if number or word[1].strip()]
    return _Words(_single_spaces(words), end_s)


def _single_spaces(words: list[tuple[float | None, str]]) -> list[tuple[float | None, str]]:
    """``<a> one <b> two`` has a space on both sides of a time: one is enough."""
    result = words[:1]
    for (_, before), (start_s, text) in pairwise(words):
        result.append((start_s, text.lstrip() if before[-1:].isspace() else text))
    return result


def _syllables(words: _Words, start_s: float, next_s: float, moved_s: float, offset_s: float) -> list[Syllable]:
    """The words of one line with starts and ends."""
    starts = [start_s if word_s is None else word_s + moved_s for word_s, _ in words.words]
    if not starts:
        return []
    if words.end_s is not None:
        end_s = words.end_s + moved_s
    else:
        end_s = min(max(next_s, starts[-1]), starts[-1] + LAST_S)
    return [
        Syllable(word_start_s - offset_s, word_end_s - offset_s, text)
        for word_start_s, word_end_s, (_, text) in zip(starts, [*starts[1:], end_s], words.words, strict=True)
    ]


def _seconds(minutes: str, seconds: str, fraction: str | None) -> float:
    return 60 * int(minutes) + int(seconds) + (int(fraction) / 10 ** len(fraction) if fraction else 0.0)
