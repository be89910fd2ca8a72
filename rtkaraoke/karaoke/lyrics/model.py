"""Lyrics as they are drawn: lines of syllables, each with its time in the song."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from rtkaraoke.errors import LyricsError
from rtkaraoke.karaoke.text import clean, shorten, shown

MAX_LINES = 5_000
MAX_SYLLABLES = 50_000
MAX_TEXT = 500  #: characters of one syllable, which is a whole line where a file knows no words
MAX_S = 24 * 3600.0  #: no song is longer than a day

EVERYONE = 0  #: the singer of a line that is nobody's own
KINDS = ("normal", "golden", "free", "rap", "golden rap")  #: how a syllable is sung, as UltraStar has it


@dataclass(frozen=True, slots=True)
class Syllable:
    """A piece of a word that is sung from ``start_s`` to ``end_s`` (song time in seconds).

    ``text`` carries its own spaces: a line is the plain sum of its syllables. ``pitch`` is in semitones from middle
    C (C4 = 0), None where the file does not say. ``kind`` is one of :data:`KINDS`.
    """

    start_s: float
    end_s: float
    text: str
    pitch: int | None = None
    kind: str = "normal"


@dataclass(frozen=True, slots=True)
class Line:
    """What stands on one line: sung from ``start_s`` to ``end_s`` by ``singer`` (1, 2, ... or 0: everyone)."""

    start_s: float
    end_s: float
    syllables: tuple[Syllable, ...]
    singer: int = EVERYONE

    @property
    def text(self) -> str:
        """The whole line."""
        return "".join(syllable.text for syllable in self.syllables)


class Place(NamedTuple):
    """A syllable by its place: ``lyrics.lines[line].syllables[syllable]``."""

    line: int
    syllable: int


class _Track(NamedTuple):
    """The syllables of one singer in the order of their starts."""

    starts: list[float]
    ends: list[float]
    places: list[Place]


@dataclass(frozen=True, slots=True)
class Lyrics:
    """The lyrics of a song, lines in the order of their starts.

    Where ``timed`` is False, all times are 0 and only the order of lines means something.
    """

    title: str
    lines: tuple[Line, ...]
    timed: bool
    _tracks: dict[int, _Track] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_tracks", _tracks(self.lines) if self.timed else {})

    @property
    def singers(self) -> tuple[int, ...]:
        """Whose lines there are: ``(0,)`` for most songs, ``(1, 2)`` for a duet."""
        return tuple(sorted({line.singer for line in self.lines}))

    @property
    def detail(self) -> str:
        """``syllables``, ``lines`` (each line has one time) or ``text`` (no times)."""
        if not self.timed:
            return "text"
        return "syllables" if any(len(line.syllables) > 1 for line in self.lines) else "lines"

    def syllable_at(self, song_s: float, singer: int | None = None) -> Place | None:
        """Find the syllable that is sung at ``song_s`` (song time in seconds).

        A syllable is sung from its start, inclusive, to its end, exclusive, or to the start of the same singer's
        next one. ``singer`` asks for one voice of a duet; None finds the one that started last. None is returned
        where nobody sings.
        """
        tracks = self._tracks.values() if singer is None else filter(None, [self._tracks.get(singer)])
        found: tuple[float, Place] | None = None
        for starts, ends, places in tracks:
            at = bisect_right(starts, song_s) - 1
            if at >= 0 and song_s < ends[at] and (found is None or starts[at] > found[0]):
                found = starts[at], places[at]
        return found[1] if found else None

    def to_dict(self) -> dict[str, Any]:
        """Everything, in dicts, lists, text, numbers and None: fit for JSON."""
        return {
            "title": self.title,
            "timed": self.timed,
            "detail": self.detail,
            "singers": list(self.singers),
            "lines": [
                {
                    "start_s": line.start_s,
                    "end_s": line.end_s,
                    "singer": line.singer,
                    "syllables": [asdict(syllable) for syllable in line.syllables],
                }
                for line in self.lines
            ],
        }


class Builder:
    """Collects lines, within the limits that hold for all files."""

    def __init__(self, title: str) -> None:
        self._title = shown(title)
        self._lines: list[Line] = []
        self._n_syllables = 0

    def add(self, syllables: Iterable[Syllable], singer: int = EVERYONE) -> None:
        """Append a line, unless nothing of it can be seen.

        Raises
        ------
        LyricsError
            Where the lyrics get longer than any song's.
        """
        kept = list(self._checked(syllables))
        if kept:  # the spaces inside a line are its words' own, those at its ends nobody's
            kept[0] = replace(kept[0], text=kept[0].text.lstrip())
            kept[-1] = replace(kept[-1], text=kept[-1].text.rstrip())
        if not any(syllable.text.strip() for syllable in kept):
            return
        if len(self._lines) >= MAX_LINES:
            raise LyricsError(f"more than {MAX_LINES} lines, wanted those of one song: split the file, or leave it out")
        self._lines.append(Line(kept[0].start_s, max(part.end_s for part in kept), tuple(kept), singer))

    def lyrics(self, *, timed: bool) -> Lyrics:
        """Everything so far.

        Raises
        ------
        LyricsError
            Where there is nothing.
        """
        if not self._lines:
            raise LyricsError("no line of lyrics was found, wanted at least one: check that it is a file of lyrics")
        return Lyrics(self._title, tuple(sorted(self._lines, key=lambda line: line.start_s)), timed)

    def _checked(self, syllables: Iterable[Syllable]) -> Iterator[Syllable]:
        before_s = 0.0
        for part in syllables:
            self._n_syllables += 1
            if self._n_syllables > MAX_SYLLABLES:
                raise LyricsError(
                    f"more than {MAX_SYLLABLES} syllables, wanted those of one song: split the file, or leave it out"
                )
            # Where times run backwards, the order of words is the one to keep.
            before_s = start_s = max(before_s, time_within_song(part.start_s))
            end_s = max(start_s, time_within_song(part.end_s))
            text = shorten(clean(part.text), MAX_TEXT)
            yield Syllable(start_s, end_s, text, part.pitch, part.kind)


def time_within_song(seconds: float) -> float:
    """``seconds``, 0 where it is negative.

    Raises
    ------
    LyricsError
        Where it is no number, or longer than a day.
    """
    if math.isnan(seconds) or seconds > MAX_S:
        raise LyricsError(f"a time of {seconds:g} s, wanted at most {MAX_S:g} s: correct the file")
    return max(0.0, seconds)


def _tracks(lines: tuple[Line, ...]) -> dict[int, _Track]:
    """Make a table to search for each singer."""
    found: dict[int, list[tuple[float, float, Place]]] = {}
    for number, line in enumerate(lines):
        track = found.setdefault(line.singer, [])
        track += [(part.start_s, part.end_s, Place(number, at)) for at, part in enumerate(line.syllables)]
    tracks = {}
    for singer, entries in found.items():
        starts, ends, places = zip(*sorted(entries), strict=True)
        tracks[singer] = _Track(list(starts), list(ends), list(places))
    return tracks
