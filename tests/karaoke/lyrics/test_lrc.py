"""LRC, as it is written in the wild."""

import pytest

from rtkaraoke.errors import LyricsError
from rtkaraoke.karaoke.lyrics import Lyrics, parse_lrc, parse_tag


def starts(lyrics: Lyrics) -> list[tuple[float, float, str]]:
    return [(line.start_s, line.end_s, line.text) for line in lyrics.lines]


def test_lines_have_the_time_before_them_and_last_until_the_next() -> None:
    lyrics = parse_lrc("[ti:A song]\n[ar:Someone]\n[00:01.00]one\n[00:02.5] two \n[00:03:25]\n[01:00]last")
    assert lyrics.title == "A song"
    assert lyrics.timed
    assert lyrics.detail == "lines"
    assert starts(lyrics) == [(1.0, 2.5, "one"), (2.5, 3.25, "two"), (60.0, 70.0, "last")]


def test_a_line_with_several_times_is_sung_at_each() -> None:
    lyrics = parse_lrc("[00:20.00][00:01.00]chorus\n[00:10.00]verse")
    assert [(start, text) for start, _, text in starts(lyrics)] == [(1.0, "chorus"), (10.0, "verse"), (20.0, "chorus")]


@pytest.mark.parametrize(
    "line", ["[00:12.00]<00:12.00>When <00:12.50>the <00:13.00>", "[00:12.00] When [00:12.50]the[00:13.00]"]
)
def test_words_have_times_of_their_own(line: str) -> None:
    (first,) = parse_lrc(line).lines
    assert [(word.start_s, word.end_s, word.text.strip()) for word in first.syllables] == [
        (12.0, 12.5, "When"),
        (12.5, 13.0, "the"),
    ]
    assert first.text == "When the"
    assert first.end_s == 13.0


def test_words_of_a_repeated_line_move_with_it() -> None:
    lyrics = parse_lrc("[00:01.00][01:01.00]<00:01.25>a <00:01.50>b")
    assert [[word.start_s for word in line.syllables] for line in lyrics.lines] == [[1.25, 1.5], [61.25, 61.5]]


@pytest.mark.parametrize(
    ("offset", "start_s"), [("500", 1.5), ("+500", 1.5), ("-500", 2.5), ("99999", 0.0), ("x", 2.0)]
)
def test_a_positive_offset_lets_lyrics_appear_sooner_but_not_before_the_song(offset: str, start_s: float) -> None:
    assert parse_lrc(f"[00:02.00]a\n[offset:{offset}]").lines[0].start_s == start_s


def test_a_translation_at_the_same_time_lasts_as_long() -> None:
    lyrics = parse_lrc("[00:01.00]Nacht\n[00:01.00]night\n[00:04.00]x")
    assert starts(lyrics)[:2] == [(1.0, 4.0, "Nacht"), (1.0, 4.0, "night")]


def test_words_whose_times_run_backwards_keep_their_order() -> None:
    (line,) = parse_lrc("[00:05.00]<00:05.00>a <00:04.00>b <00:06.00>c").lines
    assert line.text == "a b c"
    assert [word.start_s for word in line.syllables] == [5.0, 5.0, 6.0]


def test_text_in_angle_brackets_that_is_no_time_stays_text() -> None:
    assert parse_lrc("[00:01]<script>alert(1)</script>").lines[0].text == "<script>alert(1)</script>"


def test_a_tag_without_times_is_plain_text() -> None:
    lyrics = parse_tag("One\r\n\r\nTwo", "Song")
    assert (lyrics.title, lyrics.timed, lyrics.detail) == ("Song", False, "text")
    assert [line.text for line in lyrics.lines] == ["One", "Two"]
    assert lyrics.syllable_at(0.0) is None
    assert parse_tag("[00:01.00]One").timed


@pytest.mark.parametrize("text", ["", "no times", "[00:01.00]", "[9999:00.00]late", "[00:00]a" * 200_000])
def test_what_is_no_lrc_is_refused(text: str) -> None:
    with pytest.raises(LyricsError):
        parse_lrc(text)


def test_a_few_bytes_cannot_become_millions_of_words() -> None:
    with pytest.raises(LyricsError, match="more than"):
        parse_lrc("[00:01]" * 4_000 + "<00:01>a" * 40_000)
