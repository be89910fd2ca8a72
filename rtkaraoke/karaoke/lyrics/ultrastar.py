"""UltraStar's ``song.txt``: headers ``#KEY:value``, then notes in beats, syllable by syllable.

::

    #TITLE:On the run
    #MP3:audio.ogg
    #BPM:297,5
    #GAP:11250
    : 0 3 9 So              kind, start, length (in quarters of a beat), pitch, text
    - 44                    the line ends here
    E

Kinds are ``:`` normal, ``*`` golden, ``F`` free, ``R`` rap, ``G`` golden rap. ``P1`` and ``P2`` start the part of
one singer of a duet, ``P3`` what both sing. With ``#RELATIVE:YES`` each line's starts count from that line's own
beginning, which its break names. After the `format's description <https://usdx.eu/format/>`_.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rtkaraoke.errors import LyricsError
from rtkaraoke.karaoke.lyrics.lrc import lines_of
from rtkaraoke.karaoke.lyrics.model import EVERYONE, KINDS, Builder, Lyrics, Syllable

MAX_BPM = 100_000.0
MAX_GAP_MS = 24 * 3_600_000.0
MAX_HEADERS = 200
BOTH = 3  #: the part that both singers of a duet sing

_KINDS = dict(zip(":*FRG", KINDS, strict=True))
_HEADER = re.compile(r"\s*#([^:]{1,40}):(.*)")
_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,9}(?:[.,][0-9]{0,9})?)\s*$")
_INTEGER = r"([+-]?[0-9]{1,9})"
_NOTE = re.compile(rf"\s{{0,9}}([:*FRG])\s{{0,9}}{_INTEGER}\s{{1,9}}{_INTEGER}\s{{1,9}}{_INTEGER}(?:\s(.*))?$")
_BREAK = re.compile(rf"\s{{0,9}}-\s{{0,9}}{_INTEGER}(?:\s{{1,9}}{_INTEGER})?\s*$")
_PART = re.compile(r"\s{0,9}P\s{0,9}([1-9])\s*$")
_TEMPO = re.compile(r"\s{0,9}B\s{1,9}([+-]?[0-9]{1,9})\s{1,9}([0-9]{1,9}(?:[.,][0-9]{0,9})?)\s*$")


@dataclass(frozen=True, slots=True)
class Header:
    """The headers of a song.txt, keys in capitals, first of each; values are raw text."""

    values: dict[str, str] = field(default_factory=dict)

    def get(self, *keys: str) -> str:
        """The first of ``keys`` that has a value, else the empty text."""
        return next((self.values[key] for key in keys if self.values.get(key)), "")

    @property
    def is_song(self) -> bool:
        """Whether this is an UltraStar song at all: it names a tempo, and a title or a sound."""
        return "BPM" in self.values and bool(self.get("TITLE", "MP3", "AUDIO"))

    @property
    def bpm(self) -> float:
        """Beats in a minute.

        Raises
        ------
        LyricsError
            Where it is missing, no number, or out of range.
        """
        bpm = self._number("BPM", 0.0)
        if not 1.0 <= bpm <= MAX_BPM:
            raise LyricsError(f"#BPM:{self.get('BPM')[:40]}, wanted 1 to {MAX_BPM:g}: correct the file")
        return bpm

    @property
    def gap_s(self) -> float:
        """When beat 0 is, in seconds of the song.

        Raises
        ------
        LyricsError
            Where it is no number, or out of range.
        """
        gap_ms = self._number("GAP", 0.0)
        if not abs(gap_ms) <= MAX_GAP_MS:
            raise LyricsError(f"#GAP:{self.get('GAP')[:40]}, wanted at most {MAX_GAP_MS:g} ms: correct the file")
        return gap_ms / 1000

    def _number(self, key: str, missing: float) -> float:
        text = self.get(key)
        if not text:
            return missing
        match = _NUMBER.match(text)
        if match is None:
            raise LyricsError(f"#{key}:{text[:40]}, wanted a number such as 297,5: correct the file")
        return float(match[1].replace(",", "."))


class _Clock:
    """From beats to seconds, with changes of the tempo (``B beat bpm``) on the way."""

    def __init__(self, bpm: float, gap_s: float) -> None:
        self._beat, self._s, self._step_s = 0, gap_s, 15.0 / bpm  # the file's beats are quarters of real ones

    def change(self, beat: int, bpm: float) -> None:
        """From ``beat`` on, the tempo is ``bpm``."""
        self._beat, self._s, self._step_s = beat, self.seconds(beat), 15.0 / bpm

    def seconds(self, beat: int) -> float:
        """When ``beat`` is, in seconds of the song."""
        return self._s + (beat - self._beat) * self._step_s


def read_header(text: str) -> Header:
    """The headers at the beginning of ``text``; of any text, none at worst."""
    return Header(_split(text)[0])


def parse_ultrastar(text: str, title: str = "") -> Lyrics:
    """Read a song.txt. A line that is not understood is skipped, as players do.

    Parameters
    ----------
    text : str
        The file's text.
    title : str
        Used where the file has no ``#TITLE``.

    Raises
    ------
    LyricsError
        When tempo or gap cannot be used, there are no notes, too many, or one is later than a day.
    """
    values, lines = _split(text)
    header = Header(values)
    builder = Builder(header.get("TITLE") or title)
    for singer, syllables in _lines(header, lines):
        builder.add(syllables, singer)
    return builder.lyrics(timed=True)


def _split(text: str) -> tuple[dict[str, str], list[str]]:
    """Headers, and the lines behind them."""
    values: dict[str, str] = {}
    lines = lines_of(text)
    for number, line in enumerate(lines):
        if match := _HEADER.match(line):
            if len(values) < MAX_HEADERS:
                values.setdefault(match[1].strip().upper(), match[2].strip())
        elif line.strip():
            return values, lines[number:]
    return values, []


def _lines(header: Header, lines: list[str]) -> Iterator[tuple[int, list[Syllable]]]:
    """The singer and the syllables of each line."""
    relative = header.get("RELATIVE").upper() == "YES"
    clock, base, singer = _Clock(header.bpm, header.gap_s), 0, EVERYONE
    three = header.get("P3", "DUETSINGERP3")  # three singers, not two and both
    syllables: list[Syllable] = []
    for line in lines:
        if note := _NOTE.match(line):
            start, length = base + int(note[2]), max(0, int(note[3]))
            text = (note[5] or "").replace("~", "")  # the tilde holds the vowel before it
            syllables.append(
                Syllable(clock.seconds(start), clock.seconds(start + length), text, int(note[4]), _KINDS[note[1]])
            )
        elif pause := _BREAK.match(line):
            yield singer, syllables
            syllables = []
            if relative:
                base += int(pause[2] or pause[1])
        elif part := _PART.match(line):
            yield singer, syllables
            # Each part counts from the song's beginning.
            syllables, base, clock = [], 0, _Clock(header.bpm, header.gap_s)
            singer = EVERYONE if int(part[1]) == BOTH and not three else int(part[1])
        elif (tempo := _TEMPO.match(line)) and 1.0 <= (bpm := float(tempo[2].replace(",", "."))) <= MAX_BPM:
            clock.change(base + int(tempo[1]), bpm)
        elif line.strip().upper() == "E":
            break
    yield singer, syllables
