"""Foreign text is fit to be shown, whatever it was."""

import os
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtkaraoke.karaoke.text import MAX_SHOWN, clean, fold, shorten, shown

ANYTHING = st.text(st.characters(), max_size=300)  # lone surrogates and control characters included
BIDI_CONTROLS = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067"


@given(ANYTHING)
def test_what_is_shown_has_no_control_or_direction_characters_and_is_one_line(text: str) -> None:
    result = shown(text)
    inner = result.removeprefix("\u2068").removesuffix("\u2069")
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in inner)
    assert not any(letter in inner for letter in BIDI_CONTROLS + "\u2068\u2069")
    assert len(inner) <= MAX_SHOWN
    assert inner == inner.strip()
    assert len(inner.splitlines()) <= 1
    result.encode()
    assert unicodedata.is_normalized("NFC", result)


@given(ANYTHING)
def test_showing_and_folding_twice_change_nothing_more(text: str) -> None:
    assert shown(shown(text)) == shown(text)
    assert clean(clean(text)) == clean(text)
    assert fold(fold(text)) == fold(text)


@given(ANYTHING)
def test_folded_text_is_letters_and_digits_with_single_spaces(text: str) -> None:
    folded = fold(text)
    assert all(part.isalnum() for part in folded.split(" ") if folded)
    assert folded == fold(shown(text, 10_000))


def test_plain_text_passes_untouched() -> None:
    for text in ("Code Monkey", "Zoë – 夜", "<script>alert('1')</script>", "👩‍👩‍👧", "a & b"):
        assert shown(text) == text


def test_text_from_right_to_left_is_isolated_and_cannot_reorder_its_line() -> None:
    assert shown("שלום") == "\u2068שלום\u2069"
    assert shown("evil\u202egpj.exe") == "evilgpj.exe"
    assert shown("\u2067a\u2069b\u200f") == "ab"


def test_control_characters_become_spaces_or_vanish() -> None:
    assert shown("a\nb\tc\r\nd\x00e\x1b[31mf\x85g\u2028h\ufeff") == "a b c de[31mf g h"


@pytest.mark.skipif(sys.platform == "win32", reason="file names are Unicode there")
def test_bytes_of_a_name_that_are_no_utf8_are_shown_as_letters() -> None:
    assert shown(os.fsdecode(b"K\xe4se")) == "Käse"
    assert shown(os.fsdecode(b"\x81")) == "\ufffd"
    assert shown("\ud800") == "\ufffd"


def test_marks_do_not_pile_up() -> None:
    assert len(shown("a" + "\u0335" * 100)) == 6
    assert shown("e\u0301") == "é"


def test_what_is_too_long_is_cut_between_letters() -> None:
    assert shown("a" * 300, 10) == "a" * 9 + "…"
    assert shorten("ab👩\u200d👩", 4) == "ab…"
    assert shorten("abc", 3) == "abc"


@given(st.text(st.characters(codec="ascii"), max_size=50))
def test_plain_letters_fold_as_all_others_do(text: str) -> None:
    assert f"{fold(text)} o".split() == fold(f"{text} \u00f6").split()


def test_folding_forgets_case_accents_and_signs() -> None:
    for text in ("Beyoncé", "BEYONCE", "beyonce\u0301"):
        assert fold(text) == "beyonce"
    assert fold("AC/DC") == fold("ac dc")
    assert fold("Don’t") == fold("don't") == "dont"
    assert fold("Øłđ Straße æ") == "old strasse ae"
    assert fold("Ängström") == "angstrom"
    assert fold("夜に駆ける") == "夜に駆ける"
