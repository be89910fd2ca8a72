"""The map from song time to syllable, and what the page gets."""

import json

from hypothesis import given
from hypothesis import strategies as st

from rtkaraoke.karaoke.lyrics import Line, Lyrics, Place, Syllable

times = st.lists(st.integers(0, 1000), min_size=1, max_size=60).map(sorted)


def lyrics_of(starts: list[int], length: int) -> Lyrics:
    parts = [Syllable(start / 10, (start + length) / 10, "la ") for start in starts]
    lines = [parts[at : at + 7] for at in range(0, len(parts), 7)]
    return Lyrics("", tuple(Line(line[0].start_s, line[-1].end_s, tuple(line)) for line in lines), True)


@given(times, st.integers(1, 50), st.integers(-10, 1100))
def test_the_syllable_found_is_the_last_that_began_and_has_not_ended(starts: list[int], length: int, at: int) -> None:
    lyrics = lyrics_of(starts, length)
    begun = [
        (part.start_s, Place(number, place), part)
        for number, line in enumerate(lyrics.lines)
        for place, part in enumerate(line.syllables)
        if part.start_s <= at / 10
    ]
    expected = begun[-1][1] if begun and at / 10 < begun[-1][2].end_s else None
    assert lyrics.syllable_at(at / 10) == expected


def test_a_syllable_holds_from_its_start_to_just_before_its_end() -> None:
    lyrics = lyrics_of([10], 5)
    assert lyrics.syllable_at(0.9999) is None
    assert lyrics.syllable_at(1.0) == Place(0, 0)
    assert lyrics.syllable_at(1.4999) == Place(0, 0)
    assert lyrics.syllable_at(1.5) is None
    assert lyrics.syllable_at(float("nan")) is None


def test_everything_goes_through_json() -> None:
    lyrics = Lyrics("Zoë", (Line(0.1, 0.3, (Syllable(0.1, 0.2, "a", 5, "golden"), Syllable(0.2, 0.3, "b"))),), True)
    data = json.loads(json.dumps(lyrics.to_dict(), allow_nan=False))
    assert data == {
        "title": "Zoë",
        "timed": True,
        "detail": "syllables",
        "singers": [0],
        "lines": [
            {
                "start_s": 0.1,
                "end_s": 0.3,
                "singer": 0,
                "syllables": [
                    {"start_s": 0.1, "end_s": 0.2, "text": "a", "pitch": 5, "kind": "golden"},
                    {"start_s": 0.2, "end_s": 0.3, "text": "b", "pitch": None, "kind": "normal"},
                ],
            }
        ],
    }
