"""No file of lyrics does more than be read or be refused."""

import json
import math
import unicodedata
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtkaraoke.errors import LyricsError
from rtkaraoke.karaoke.lyrics import Lyrics, decode, parse_tag, parse_ultrastar, read_header, read_lyrics
from rtkaraoke.karaoke.lyrics.model import MAX_LINES, MAX_S, MAX_SYLLABLES, MAX_TEXT
from rtkaraoke.karaoke.lyrics.reading import MAX_BYTES
from tests.support.lyrics import HEAD, LRC, NOTES, hostile_lyrics

FILES = hostile_lyrics()
READABLE = [
    "utf-16.txt", "utf-16 without mark.lrc", "utf-32.lrc", "latin.txt", "declared wrongly.txt", "rot13.txt",
    "declared strangely.txt", "script.lrc", "script.txt", "direction.lrc", "direction.txt", "one line.lrc",
    "null in line.lrc", "spaces.lrc", "separators.lrc", "marks.lrc", "breaks.lrc",
]  # fmt: skip


def check(lyrics: Lyrics) -> None:
    """Everything that a page relies on."""
    json.dumps(lyrics.to_dict(), allow_nan=False).encode()
    assert 1 <= len(lyrics.lines) <= MAX_LINES
    assert sum(len(line.syllables) for line in lyrics.lines) <= MAX_SYLLABLES
    starts = [line.start_s for line in lyrics.lines]
    assert starts == sorted(starts)
    for text in (lyrics.title, *(part.text for line in lyrics.lines for part in line.syllables)):
        assert len(text) <= MAX_TEXT
        assert not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text)
        assert not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u200e\u200f\u061c")
    for line in lyrics.lines:
        before_s = line.start_s
        for part in line.syllables:
            assert math.isfinite(part.end_s)
            assert 0 <= before_s <= part.start_s <= part.end_s <= line.end_s <= MAX_S
            before_s = part.start_s
    lyrics.syllable_at(1.0)


@pytest.mark.parametrize("name", FILES)
def test_fifty_hostile_files_are_read_or_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    reason = ""
    try:
        check(read_lyrics(path))
    except LyricsError as error:
        reason = str(error)
    if reason:
        assert name not in READABLE
        assert name in reason
        assert len(reason) < 500
        assert reason.isprintable()


def test_what_else_can_lie_under_a_name_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.lrc", tmp_path / ("x" * 300), tmp_path / "a\0b"):
        with pytest.raises(LyricsError):
            read_lyrics(path)


@given(st.binary(max_size=2_000))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for parse in (parse_tag, parse_ultrastar):
        with suppress(LyricsError):
            check(parse(decode(data)))


lines = st.one_of(
    st.sampled_from(["E", "P1", "P 2", "P3", "- 4", "- 4 8", "#RELATIVE:YES", "#GAP:-5,5", "B 4 999"]),
    st.builds(
        "{} {} {} {} {}".format,
        st.sampled_from(":*FRGX"),
        *[st.integers() | st.floats()] * 3,
        st.text(max_size=5),
    ),
    st.builds("[{}:{}.{}]{}<{}:{}>{}".format, *[st.integers(-1, 9999), st.integers(-1, 99), st.integers(0),
                                               st.text(max_size=5)] * 2).map(lambda line: line[:60]),
    st.builds("[{}:{}]".format, st.sampled_from(["ti", "offset", "x"]), st.text(max_size=9) | st.integers().map(str)),
    st.text(st.characters(), max_size=20),
)  # fmt: skip


@given(st.lists(lines, max_size=30).map("\n".join))
def test_any_text_in_the_shape_of_lyrics_is_read_or_refused(text: str) -> None:
    for parse in (parse_tag, parse_ultrastar):
        for head in ("", HEAD):
            with suppress(LyricsError):
                check(parse(head + text))
    read_header(text)


@given(st.data())
def test_damaged_songs_are_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([(HEAD + NOTES).encode(), LRC.encode()])))
    for _ in range(data.draw(st.integers(1, 10))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(LyricsError):
        text = decode(bytes(whole))
        check(parse_ultrastar(text) if read_header(text).is_song else parse_tag(text))


def test_no_more_than_the_limit_is_ever_held() -> None:
    with pytest.raises(LyricsError, match="bytes"):
        decode(b"a" * (MAX_BYTES + 1))
    with pytest.raises(LyricsError, match="characters"):
        parse_tag("a" * (MAX_BYTES + 1))
