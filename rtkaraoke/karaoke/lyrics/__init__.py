"""Lyrics in time: LRC (also enhanced), UltraStar's ``song.txt``, and what tags hold, all in one shape.

Everything here reads files that strangers wrote. Sizes are limited, times are finite and not negative, text is
cleaned (:mod:`rtkaraoke.karaoke.text`), and the only error is :class:`~rtkaraoke.errors.LyricsError`.
"""

from rtkaraoke.karaoke.lyrics.lrc import parse_lrc
from rtkaraoke.karaoke.lyrics.model import Line, Lyrics, Place, Syllable
from rtkaraoke.karaoke.lyrics.reading import decode, parse_tag, read_lyrics, read_text
from rtkaraoke.karaoke.lyrics.ultrastar import Header, parse_ultrastar, read_header

__all__ = [
    "Header",
    "Line",
    "Lyrics",
    "Place",
    "Syllable",
    "decode",
    "parse_lrc",
    "parse_tag",
    "parse_ultrastar",
    "read_header",
    "read_lyrics",
    "read_text",
]
