"""Text keeps one sign for one meaning, and nothing invisible ever passes."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.text import bare, fold, nfc, safe_text, unaccent, whole_letters

VIETNAMESE = "aàáảãạăằắẳẵặâầấẩẫậbcdđeèéẻẽẹêềếểễệghiìíỉĩịklmnoòóỏõọôồốổỗộơờớởỡợpqrstuùúủũụưừứửữựvxyỳýỷỹỵ"


@pytest.mark.parametrize("letters", [VIETNAMESE, VIETNAMESE.upper()])
def test_every_vietnamese_letter_loses_its_accents(letters: str) -> None:
    assert unaccent(letters).isascii()
    assert unaccent(letters).isalpha()
    assert unaccent(unicodedata.normalize("NFD", letters)) == unaccent(letters)


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("Đường Ðất Ɖ đ ð", "Duong Dat D d d"),
        ("“Hồ sơ” – ‘mã’ — 5₫…", "\"Ho so\" - 'ma' - 5d..."),
        ("một\u00a0hai\u202fba\u200b\ufeffbốn • №1", "mot hai babon - No1"),
        ("ខ្មែរ stays", "ខ្មែរ stays"),
        ("plain", "plain"),
    ],
)
def test_unaccent_follows_the_table(typed: str, plain: str) -> None:
    assert unaccent(typed) == plain


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("Ｈ５１．１８", "H51.18"),
        ("H៥១-០៩", "H51-09"),
        ("a‐b‑c‒d–e—f―g−h﹣i－j", "a-b-c-d-e-f-g-h-i-j"),
        ("H5\u200b1\u200d.\ufeff18\u202e", "H51.18"),
        ("one\r\ntwo\tthree\u2028four", "one\ntwo three four"),
        ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
    ],
)
def test_fold_gives_one_sign_for_one_meaning(typed: str, folded: str) -> None:
    assert fold(typed) == folded


@given(st.text())
def test_bare_keeps_every_place(typed: str) -> None:
    folded = fold(typed)
    assert len(bare(folded)) == len(folded)


@given(st.text())
def test_fold_changes_nothing_twice(typed: str) -> None:
    assert fold(fold(typed)) == fold(typed)


@given(st.text(alphabet=st.characters(), max_size=300), st.integers(1, 50))
def test_safe_text_is_short_visible_and_can_be_encoded(typed: str, limit: int) -> None:
    safe = safe_text(typed, limit)
    assert len(safe) <= limit
    assert safe.isprintable()
    assert safe == nfc(safe) or len(typed) > limit
    safe.encode()


@pytest.mark.parametrize("sign", ["\x00", "\x1b", "\x85", "\u202e", "\u2066", "\u200b", "\ufeff", "\ud800", "\ue000"])
def test_no_control_or_hidden_sign_is_stored(sign: str) -> None:
    assert safe_text(f"a{sign}b", 10).replace(" ", "") == "ab"


def test_a_line_break_becomes_a_space_in_stored_text() -> None:
    assert safe_text("dòng một\ndòng hai\t", 40) == "dòng một dòng hai"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("ក្រី", {4}),  # a letter, its foot, its vowel
        ("ស្រីក", {4, 5}),
        ("e\u0301a", {2, 3}),
        ("👨\u200d👩a", {3, 4}),
        ("ab", {1, 2}),
        ("\u0301\u0301", {1, 2}),  # no letter at all: cut somewhere, or it would never end
    ],
)
def test_no_letter_comes_apart(text: str, whole: set[int]) -> None:
    assert {whole_letters(text, end) for end in range(len(text), 0, -1)} >= whole
    for end in range(1, len(text) + 1):
        assert 0 < whole_letters(text, end) <= end
        assert whole_letters(text, end) in whole or end < min(whole)
