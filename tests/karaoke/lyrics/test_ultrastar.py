"""UltraStar's song.txt: real ones, and every feature of the format."""

from pathlib import Path

import pytest

from rtkaraoke.errors import LyricsError
from rtkaraoke.karaoke.lyrics import parse_ultrastar, read_header, read_lyrics

HEAD = "#TITLE:Song\n#ARTIST:A\n#MP3:a.mp3\n#BPM:300\n#GAP:1000\n"  # a beat of the file lasts 0.05 s


def test_beats_become_seconds_by_tempo_and_gap() -> None:
    lyrics = parse_ultrastar(HEAD + ": 0 4 12 Hel\n* 4 2 -3 lo\n- 8\nF 10 10 0 you\nE\n: 99 1 1 never")
    assert lyrics.title == "Song"
    assert [line.text for line in lyrics.lines] == ["Hello", "you"]
    first, second = lyrics.lines[0].syllables
    assert (first.start_s, first.end_s, first.pitch, first.kind) == (1.0, pytest.approx(1.2), 12, "normal")
    assert (second.pitch, second.kind) == (-3, "golden")
    assert lyrics.lines[1].start_s == 1.5
    assert lyrics.lines[1].syllables[0].kind == "free"


def test_kinds_of_notes() -> None:
    lyrics = parse_ultrastar(HEAD + "".join(f"{kind} {beat} 1 0 x\n" for beat, kind in enumerate(":*FRG")))
    assert [part.kind for part in lyrics.lines[0].syllables] == ["normal", "golden", "free", "rap", "golden rap"]


def test_spaces_between_words_are_kept_wherever_the_file_puts_them() -> None:
    lyrics = parse_ultrastar(HEAD + ": 0 1 0 So\n: 1 1 0  far \n: 2 1 0 a\n: 3 1 0 way\n: 4 1 0 ~y\n")
    assert lyrics.lines[0].text == "So far awayy"


def test_decimal_commas() -> None:
    assert read_header("#BPM:297,5\n#GAP:12,5").bpm == 297.5
    assert read_header("#BPM:297,5\n#GAP:12,5").gap_s == 0.0125


def test_relative_lines_count_from_their_break() -> None:
    notes = ": 0 4 0 a\n- 8 10\n: 2 4 0 b\n- 7 10\n: 0 1 0 c\n"
    lyrics = parse_ultrastar(HEAD + "#RELATIVE:yes\n" + notes)
    assert [line.start_s for line in lyrics.lines] == pytest.approx([1.0, 1.6, 2.0])


def test_a_duet_has_two_singers_and_lines_for_both() -> None:
    lyrics = parse_ultrastar(HEAD + "P1\n: 0 10 0 one\n- 12\n: 40 4 0 again\nP 2\n: 4 10 0 two\nP3\n: 80 4 0 all\nE")
    assert lyrics.singers == (0, 1, 2)
    assert [(line.text, line.singer) for line in lyrics.lines] == [("one", 1), ("two", 2), ("again", 1), ("all", 0)]
    together_s = 1.0 + 0.05 * 5
    assert lyrics.lines[lyrics.syllable_at(together_s, 1).line].text == "one"
    assert lyrics.lines[lyrics.syllable_at(together_s, 2).line].text == "two"
    assert lyrics.lines[lyrics.syllable_at(together_s).line].text == "two"
    assert lyrics.syllable_at(together_s, 3) is None


def test_a_third_singer_who_is_named_is_one() -> None:
    assert parse_ultrastar(HEAD + "#P3:Carl\nP3\n: 0 1 0 a").singers == (3,)


def test_changes_of_the_tempo_are_followed() -> None:
    lyrics = parse_ultrastar(HEAD + ": 0 1 0 a\n- 1\nB 10 150\n: 20 2 0 b\n")
    assert lyrics.lines[1].start_s == pytest.approx(1.0 + 10 * 0.05 + 10 * 0.1)


def test_lines_that_are_not_understood_are_skipped() -> None:
    lyrics = parse_ultrastar(HEAD + ": 0 1 0 a\n: x y z b\n? 3\n: 1e9 1 1 c\n: 99999999999 1 1 d\n: 2 -4 0 e\n")
    assert lyrics.lines[0].text == "ae"


@pytest.mark.parametrize(
    "head", ["#BPM:nan", "#BPM:inf", "#BPM:-1", "#BPM:0", "#BPM:1e9", "#BPM:", "", "#BPM:300\n#GAP:nan",
             "#BPM:300\n#GAP:999999999"],
)  # fmt: skip
def test_a_tempo_or_gap_that_cannot_be_is_refused(head: str) -> None:
    with pytest.raises(LyricsError, match="wanted"):
        parse_ultrastar(f"#TITLE:a\n{head}\n: 0 1 0 a")


@pytest.mark.parametrize("notes", ["", "E", ": 0 1 0 ", ": 999999999 1 1 a", "- 1\n- 2"])
def test_a_song_without_notes_is_refused(notes: str) -> None:
    with pytest.raises(LyricsError):
        parse_ultrastar(HEAD + notes)


def test_real_songs_are_read_whole(music_data: Path) -> None:
    songs = {path.parent.name: read_lyrics(path) for path in (music_data / "songs").glob("*/song.txt")}
    assert len(songs) >= 4
    for lyrics in songs.values():
        assert lyrics.detail == "syllables"
        assert len(lyrics.lines) >= 30
        assert 100 < lyrics.lines[-1].end_s < 400
        assert lyrics.singers == (0,)
    monkey = songs["Jonathan Coulton - Code Monkey"]
    assert monkey.lines[0].text == "Code Monkey get up get coffee"
    assert monkey.lines[0].start_s == 0.675
    assert songs["Joshua Morin - On the run"].lines[0].syllables[1].start_s == pytest.approx(11.25 + 6 * 15 / 297.5)
