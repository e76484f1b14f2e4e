"""GSM 03.38 and UCS-2: what is counted is what is sent, and nothing is cut in two."""

from __future__ import annotations

import itertools
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain import gsm
from domain.gsm import Alphabet
from tests.unit.packing import pack_septets

CODE = "000.00.18.H51-161220-0001"
GSM_CHARACTERS = sorted(set(gsm.BASIC) - {"\x1b"} | set(gsm.EXTENSION))
gsm_text = st.text(st.sampled_from(GSM_CHARACTERS), max_size=700)
any_text = st.text(max_size=400) | st.text(st.sampled_from("aả ạ\u0301\u200d👨👩🏽\U0001f1fb\n€"), max_size=400)
both = pytest.mark.parametrize("alphabet", list(Alphabet))


def test_a_character_outside_the_tables_is_refused_not_dropped() -> None:
    with pytest.raises(ValueError, match="outside"):
        gsm.encode_gsm7("hồ sơ")


def test_escape_itself_is_not_a_character() -> None:
    assert not gsm.is_gsm7("\x1b")


def test_an_octet_above_seven_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="128"):
        gsm.decode_gsm7(b"abc\x80")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x00\x02\x11", "@$_"),
        (b"\x5f\x60", "§¿"),
        (b"\x1b\x65", "€"),
        (b"\x1b\x0a", "\f"),
        (b"\x1b\x41b", "Ab"),  # an unknown escape is its basic character
        (b"\x1b\x00", "@"),
        (b"a\x1b", "a"),  # a last escape is nothing
        (b"\x1b\x1b\x28", "{"),
        (b"", ""),
    ],
)
def test_septets_read_as_the_standard_says(data: bytes, text: str) -> None:
    assert gsm.decode_gsm7(data) == text


@given(gsm_text)
def test_every_gsm_text_comes_back(text: str) -> None:
    data = gsm.encode_gsm7(text)
    assert gsm.decode_gsm7(data) == text
    assert len(data) == gsm.septets(text)


@given(st.binary(max_size=300).map(lambda data: bytes(octet & 0x7F for octet in data)))
def test_no_septets_raise(data: bytes) -> None:
    gsm.decode_gsm7(data)


def test_packed_hello_is_the_well_known_one() -> None:
    assert pack_septets(gsm.encode_gsm7("hellohello")) == bytes.fromhex("E8329BFD4697D9EC37")


@given(st.binary(max_size=200).map(lambda data: bytes(octet & 0x7F for octet in data)), st.integers(0, 6))
def test_packed_septets_come_back_but_for_padding(data: bytes, fill_bits: int) -> None:
    unpacked = gsm.unpack_septets(pack_septets(data, fill_bits), fill_bits)
    assert unpacked.rstrip(b"\0\r") == data.rstrip(b"\0\r")


def test_padding_of_seven_bits_is_no_letter() -> None:
    assert gsm.unpack_septets(pack_septets(b"1234567")) == b"1234567"


@given(any_text)
def test_forced_text_fits_and_the_losses_are_counted(text: str) -> None:
    forced, lost = gsm.force_gsm7(text)
    assert gsm.is_gsm7(forced)
    assert len(forced) == len(text)
    assert lost == sum(not gsm.is_gsm7(character) for character in text)


@pytest.mark.parametrize(
    ("text", "alphabet", "parts"),
    [
        ("", Alphabet.GSM7, 1),
        ("a" * 160, Alphabet.GSM7, 1),
        ("a" * 161, Alphabet.GSM7, 2),
        ("a" * 306, Alphabet.GSM7, 2),
        ("a" * 307, Alphabet.GSM7, 3),
        ("€" * 80, Alphabet.GSM7, 1),
        ("€" * 81, Alphabet.GSM7, 2),
        ("ồ" * 70, Alphabet.UCS2, 1),
        ("ồ" * 71, Alphabet.UCS2, 2),
        ("ồ" * 134, Alphabet.UCS2, 2),
        ("ồ" * 135, Alphabet.UCS2, 3),
        ("😀" * 35, Alphabet.UCS2, 1),
        ("😀" * 36, Alphabet.UCS2, 2),
        ("😀" * 67, Alphabet.UCS2, 3),  # 33 pairs a part: one unit of each part stays empty
    ],
)
def test_capacities(text: str, alphabet: Alphabet, parts: int) -> None:
    assert gsm.segments_needed(text) == (alphabet, parts)


@given(any_text)
@example("a" * 69 + "e\u0301" * 40)
def test_parts_are_the_text_and_each_fits(text: str) -> None:
    alphabet, needed = gsm.segments_needed(text)
    parts = gsm.split(text, alphabet)
    assert "".join(parts) == text
    assert len(parts) == needed
    room = alphabet.alone if len(parts) == 1 else alphabet.together
    assert all(gsm.units(part, alphabet) <= room for part in parts)
    assert len(parts) == 1 or all(parts)


@given(gsm_text)
def test_an_escape_pair_is_never_cut(text: str) -> None:
    parts = gsm.split(text, Alphabet.GSM7)
    assert b"".join(map(gsm.encode_gsm7, parts)) == gsm.encode_gsm7(text)


@given(any_text.filter(lambda text: len(text) > 70))
def test_no_part_begins_with_a_mark_of_the_part_before(text: str) -> None:
    parts = gsm.split(text, Alphabet.UCS2)
    for before, after in itertools.pairwise(parts):
        assert unicodedata.category(after[0])[0] != "M" or _piled(before)


def _piled(part: str) -> bool:
    """Marks all the way: there was no earlier place to cut."""
    return all(unicodedata.category(character)[0] == "M" or character in "\u200c\u200d" for character in part[1:])


def test_a_khmer_cluster_stays_whole() -> None:
    cluster = "ស្ត្រី"  # one cluster: three consonants, two of them below, and a vowel
    for lead in range(60, 72):
        parts = gsm.split("ក" * lead + cluster * 6, Alphabet.UCS2)
        assert all(part.replace("ក", "").replace(cluster, "") == "" for part in parts)


@pytest.mark.parametrize("unit", ["👨\u200d👩\u200d👧", "👍🏽", "🇻🇳", "e\u0302\u0301", "\r\n"])
def test_what_is_seen_as_one_is_kept_as_one(unit: str) -> None:
    for lead in range(55, 72):
        parts = gsm.split("đ" * lead + unit * 9, Alphabet.UCS2)
        assert all(part.lstrip("đ").replace(unit, "") == "" for part in parts)


@both
@pytest.mark.parametrize("code", [CODE, "H51.18-210817-0005", "G09.20-20260609-0092637", "0237.3852.111"])
def test_a_dossier_code_moves_whole_to_the_next_part(code: str, alphabet: Alphabet) -> None:
    for lead in range(alphabet.together - len(code) - 3, alphabet.together + 3):
        parts = gsm.split("x" * lead + " " + code + " y" * 80, alphabet)
        assert any(code in part for part in parts), lead


def test_a_code_longer_than_a_part_is_cut_rather_than_lost() -> None:
    long = "1." * 100 + "1"
    parts = gsm.split(long, Alphabet.UCS2)
    assert "".join(parts) == long
    assert len(parts) == 3


def test_a_cut_falls_between_words_where_that_is_free() -> None:
    text = "Ho so cua ong ba dang duoc xu ly tai bo phan mot cua. " * 4
    parts = gsm.split(text, Alphabet.GSM7)
    assert len(parts) == 2
    assert parts[0].endswith(" ")


def test_a_word_is_cut_where_sparing_it_would_cost_a_part() -> None:
    text = "a" * 150 + " " + "b" * 155  # 306: exactly two parts
    assert gsm.split(text, Alphabet.GSM7) == [text[:153], text[153:]]


@given(
    st.lists(st.sampled_from(["hồ", "sơ", CODE, "12/11/2026", "€", "\u200b", "👍🏽", "ក្ក"]), max_size=60).map(" ".join)
)
def test_sparing_words_never_costs_a_part(text: str) -> None:
    spared = gsm.split(text, Alphabet.UCS2)
    packed = gsm.split(re.sub(r"[ \u200b]", "_", text), Alphabet.UCS2)
    assert len(spared) <= len(packed)


@pytest.mark.parametrize("unit", ["a", "1.", "a.", "\u0301", "\U0001f1fb", "\u200d", "1.2 đ", "-", " "])
def test_ten_thousand_of_anything_are_cut(unit: str) -> None:
    text = unit * (10_000 // len(unit))
    assert "".join(gsm.split(text, Alphabet.UCS2)) == text
