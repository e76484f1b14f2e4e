"""Codes are read however they are typed, and nobody is ever answered for a stranger's dossier."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import code_forms
from domain.codes import (
    EXAMINED_LENGTH,
    MAX_CANDIDATES,
    MOST_STARTS,
    CodeFamily,
    CodeReading,
    DossierCode,
    LegacyPattern,
    WhyNone,
    parse_canonical,
    read_codes,
    read_reference,
)

TODAY = date(2026, 11, 22)
OLD = "000.00.18.H51-161220-0001"
NEW = "H51.18-210817-0005"
NATIONAL = "G09.20-20260609-0092637"
KHMER = str.maketrans("0123456789", "០១២៣៤៥៦៧៨៩")
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
LOOK_ALIKES = {"0": "Oo", "1": "IiLl", "5": "Ss", "8": "Bb"}


def read(text: str) -> CodeReading:
    return read_codes(text, today=TODAY)


def texts(text: str) -> list[str]:
    return [code.text for code in read(text).codes]


# ---------------------------------------------------------------- what is typed


@pytest.mark.parametrize(
    ("typed", "codes"),
    [
        (NEW, [NEW]),
        (OLD, [OLD]),
        (NATIONAL, [NATIONAL]),
        ("H15.50.05.13-261008-0975", ["H15.50.05.13-261008-0975"]),
        ("H26.103.25.7-250908-0112", ["H26.103.25.7-250908-0112"]),
        ("G01.899.909-260916-890028", ["G01.899.909-260916-890028"]),
        ("000 00 18 H51 161220 0001", [OLD]),
        ("so 18 H51 161220 0001", [OLD]),
        ("18.H51-161220-0001", [OLD]),
        ("00.18.H51-161220-0001", [OLD]),
        ("0000018H51-161220-0001", [OLD]),
        ("0000018H511612200001", [OLD]),
        ("0.00.18.H51-161220-1", [OLD]),
        ("H51,18-210817-5", [NEW]),
        ("h51.18–210817–0005", [NEW]),
        ("h51_18_210817_0005", [NEW]),
        ("H51-18-210817-0005", [NEW]),
        ("H51.18.210817.0005", [NEW]),
        ("H51 . 18 - 210817 - 0005", [NEW]),
        ("H51.18/210817/0005", [NEW]),
        ("H5118-210817-0005", [NEW]),
        ("H51182108170005", [NEW]),
        ("H51.18-2108170005", [NEW]),
        ("HS1.I8-2lO8I7-OOO5", [NEW]),
        ("H5l.1B-2108I7-000S", [NEW]),
        ("H51.IB-210817-0005", [NEW]),
        ("OOO.OO.18.H51-16122O-OOO1", [OLD]),
        ("Ｈ５１．１８－２１０８１７－０００５", [NEW]),
        ("H៥១.១៨-២១០៨១៧-០០០៥", [NEW]),
        ("H51.18-\n210817-0005", [NEW]),
        ("H51.18-2108\r\n17-0005", [NEW]),
        ("H51.18-210817-00\n05", [NEW]),
        ("H51.18-210817-00 05", [NEW]),
        ("DKH51.18-210817-0005", [NEW]),
        ("Mã hồ sơ:H51.18-210817-0005", [NEW]),
        ("HS000.00.18.H51-161220-0001", [OLD]),
        ("mahosoh51.18-210817-5a", [NEW]),
        ("hồ sơ H51.18-210817-0005ạ", [NEW]),
        ("https://dichvucong.example.vn/tra-cuu?MHS=H51.18%2D210817%2D0005&x=1", [NEW]),
        ("https://a.vn/?u=https%3A%2F%2Fb.vn%2F%3Fma%3DH51.18%252D210817%252D0005", [NEW]),
        ("https://a.vn/tra-cuu/H51.18-210817-0005.html", [NEW]),
        (f"{NEW}, {OLD} và {NATIONAL}.", [NEW, OLD, NATIONAL]),
        (f"{NEW}\n{OLD}\n{NEW}", [NEW, OLD]),
        ("H51.18-210817-0005H51.18-210817-0006", [NEW, "H51.18-210817-0006"]),
        ("H51-161220-0005,H51-161220-0006", ["H51-161220-0005", "H51-161220-0006"]),
        ("1. H51.18-210817-0005\n2. H51.18-210817-0006", [NEW, "H51.18-210817-0006"]),
        ("1) H51.18-210817-0005\n2) H51.18-210817-0006", [NEW, "H51.18-210817-0006"]),
        ("mã H51.18-210817-0005, sđt 0912345678", [NEW]),
        ("H51.18-210817-0005\n0912345678", [NEW]),
        ("1.004946.000.00.00.H51 mã H51.18-210817-0005", [NEW]),
        # a space where a separator is printed asks nothing, nor does one that can only be a slip
        ("H51 29 18 210817 0005", ["H51.29.18-210817-0005"]),
        ("H51 20 250701 0005", ["H51.20-250701-0005"]),
        ("H51.20 250701 0005", ["H51.20-250701-0005"]),
        ("H51.20 250701-0005", ["H51.20-250701-0005"]),
        ("H51.1 . 8-250701-0005", ["H51.1.8-250701-0005"]),
        ("H51.18-2108 17-0005", [NEW]),
        ("H51.18-201112 31-0001", ["H51.18-20111231-0001"]),
        ("G09.20-20260609-00 92637", [NATIONAL]),
        ("H51.18-210817-0005 0912 345 678", [NEW]),
        ("H51.18-210817-0005 22/11/2026", [NEW]),
        ("H51 18 210817 0005 000 00 18 H51 161220 0001", [NEW, OLD]),
        ("1. H51.18-210817-0005 2. ma H51.18-210817-0006", [NEW, "H51.18-210817-0006"]),
        ("so 2 000 00 18 H51 161220 0001", [OLD]),
        ("2 00.18.H51-161220-0001", [OLD]),
        ("0000 18 H51 161220 0001", [OLD]),
        ("0912345678 18 H51 161220 0001", [OLD]),
    ],
)
def test_a_code_is_read_however_it_was_typed(typed: str, codes: list[str]) -> None:
    assert texts(typed) == codes
    assert read(typed).candidates == ()
    assert read(typed).why is None


@pytest.mark.parametrize(
    ("typed", "candidates"),
    [
        ("H51.2918-210817-0005", {"H51.29.18-210817-0005", "H51.291.8-210817-0005"}),
        ("H51.20210817-0005", {"H51-20210817-0005", "H51.20-210817-0005"}),
        ("G09.20.20260609.0092637", {NATIONAL, "G09.20.20-260609-0092637"}),
        ("H51.18-2011123100001", {"H51.18-201112-3100001", "H51.18-20111231-00001"}),
        ("H51.18-210817-0005O", {"H51.18-210817-00050", NEW}),
        ("H51.18-210817-05 12", {NEW, "H51.18-210817-0512"}),
        ("G09.20-20260609-0092\n637", {NATIONAL, "G09.20-20260609-0092"}),
        ("toi hoi 02 H51-161220-0001", {"000.00.02.H51-161220-0001", "H51-161220-0001"}),
        ("ngay 22/11 H51-161220-0001", {"000.22.11.H51-161220-0001", "H51-161220-0001"}),
        # a space is a border or a slip inside a number
        ("H51.1 8-250701-0005", {"H51.1.8-250701-0005", "H51.18-250701-0005"}),
        ("H51.1\t8-250701-0005", {"H51.1.8-250701-0005", "H51.18-250701-0005"}),
        ("H51.1\x0b8-250701-0005", {"H51.1.8-250701-0005", "H51.18-250701-0005"}),
        ("H51.1\u00a08-250701-0005", {"H51.1.8-250701-0005", "H51.18-250701-0005"}),
        ("H51.1\n8-250701-0005", {"H51.1.8-250701-0005", "H51.18-250701-0005"}),
        ("H51 1  8 250701 0005", {"H51.1.8-250701-0005", "H51.18-250701-0005"}),
        ("H511 8-250701-0005", {"H51.1.8-250701-0005", "H51.18-250701-0005"}),
        ("H511.8-250701-0005", {"H51.1.8-250701-0005", "H51.18-250701-0005"}),
        ("H512.91-250701-0005", {"H51.2.91-250701-0005", "H51.291-250701-0005"}),
        ("H51.1 8 2507010005", {"H51.1.8-250701-0005", "H51.18-250701-0005"}),
        ("H51.18 1-250701-0005", {"H51.18.1-250701-0005", "H51.181-250701-0005"}),
        ("H51.1 80-250701-0005", {"H51.1.80-250701-0005", "H51.180-250701-0005"}),
        ("H26 103 25 7 250908 0112", {"H26.103.25.7-250908-0112", "H26.103.257-250908-0112"}),
        ("H51 1 8 9 250701 0005", {"H51.1.8.9-250701-0005", "H51.18.9-250701-0005", "H51.1.89-250701-0005"}),
        ("G09.20-20 260609-0092637", {NATIONAL, "G09.20.20-260609-0092637"}),
        ("G09.20 20 260609 0092637", {NATIONAL, "G09.20.20-260609-0092637"}),
        ("G09 20 20 260609-0092637", {NATIONAL, "G09.20.20-260609-0092637"}),
        ("G09.20.20 260609.0092637", {NATIONAL, "G09.20.20-260609-0092637"}),
        ("G2020-20 260609-0092637", {"G20.20-20260609-0092637", "G20.20.20-260609-0092637"}),
        ("G09.20-20260609-0092 637", {NATIONAL, "G09.20-20260609-0092"}),
        ("G09.20-20260609-0092 637. cam on", {NATIONAL, "G09.20-20260609-0092"}),
        ("G09.20-20260609-0092 637 0912345678", {NATIONAL, "G09.20-20260609-0092"}),
        ("G09.20-20260609-0092\n637.", {NATIONAL, "G09.20-20260609-0092"}),
        ("H51.18-210817-1 234", {"H51.18-210817-0001", "H51.18-210817-1234"}),
        ("H51.18-210817-0005 2", {NEW, "H51.18-210817-00052"}),
    ],
)
def test_two_readings_are_asked_about_never_guessed(typed: str, candidates: set[str]) -> None:
    reading = read(typed)
    assert reading.codes == ()
    assert {code.text for code in reading.candidates} == candidates


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", WhyNone.EMPTY),
        (" \n\u200b\u202e", WhyNone.EMPTY),
        ("bao gio co ket qua", WhyNone.NO_CODE),
        ("hoi 12 ngay", WhyNone.NO_CODE),
        ("1.004946.000.00.00.H51", WhyNone.PROCEDURE_CODE),
        ("thu tuc 1.004946", WhyNone.PROCEDURE_CODE),
        ("0912345678", WhyNone.PHONE_NUMBER),
        ("+84 912 345 678", WhyNone.PHONE_NUMBER),
        ("sdt 0912.345.678 nhe", WhyNone.PHONE_NUMBER),
        ("DT0918210817 5", WhyNone.PHONE_NUMBER),
        ("0005", WhyNone.PARTIAL),
        ("H51.18", WhyNone.PARTIAL),
        ("H51.18-210817", WhyNone.PARTIAL),
        ("210817-0005", WhyNone.PARTIAL),
        ("cho hoi 210817 0005", WhyNone.PARTIAL),
        ("so7 210817-0005", WhyNone.PARTIAL),
        ("XH51.18-210817-0005", WhyNone.PARTIAL),
        ("H51.18-210817-00", WhyNone.PARTIAL),
        ("H51.18-210817-0005-0006", WhyNone.PARTIAL),
        ("123.18.H51-161220-0001-", WhyNone.PARTIAL),
        ("H51.18-211317-0005", WhyNone.BAD_DATE),
        ("H51.18-210230-0005", WhyNone.BAD_DATE),
        ("H51.18-270101-0005", WhyNone.FUTURE_DATE),
        ("H51.18-210817-123456789", WhyNone.TOO_LONG),
        ("H15500513777-261008-0975", WhyNone.TOO_MANY_READINGS),
    ],
)
def test_a_text_without_a_code_says_why(typed: str, why: WhyNone) -> None:
    reading = read(typed)
    assert reading.why is why
    assert reading.candidates == ()


@pytest.mark.parametrize(
    "typed",
    [
        "1.004946.000.00.00.H51-210817-0005",  # a procedure code with something behind
        "7.18.H51-161220-0001",  # a number before the old form that is no part of it
        "018 H51 161220 0001",
        "000.00.18.H51.18-210817-0005",  # both orders at once
        "000.00.18.H51-20161220-0001",  # the old form never had such a date
        "H51.18 17/08/21 0005",  # which is the year?
        "H51.18-21-08-17-0005",
        "000 0 5 18 H51 161220 0001",  # 000.05.18 with a space in the 05
        "001.0 0.79.H51-161220-0001",
        "0 01 05 18 H51 161220 0001",
        "1 23 18 02 H51 161220 0001",
        "01 05 18 H51 161220 0001",  # 001.05.18 with its first zero lost
        "00105 18 H51 161220 0001",
        "00105 18H51-161220-0001",
        "1 00.05.18.H51-161220-0001",
        "000.00.1 8 H51-161220-0001",
        "HOI.18-210817-0005",
        "H51.SO 210817 0005",
    ],
)
def test_what_cannot_be_sure_is_not_read(typed: str) -> None:
    assert texts(typed) == []


def test_the_example_is_nobodys_dossier() -> None:
    for typed in ("H51.18-250701-0000", "h51 18 250701 0000", "000.00.18.H51-161220-00000"):
        reading = read(typed)
        assert (reading.codes, reading.candidates, reading.why, reading.example) == ((), (), None, True)
    assert read(f"H51.18-250701-0000 {NEW}").codes == (parse_canonical(NEW),)


def test_a_code_dated_tomorrow_is_read_and_one_of_the_day_after_is_not() -> None:
    tomorrow, after = TODAY + timedelta(days=1), TODAY + timedelta(days=2)
    assert texts(f"H51.18-{tomorrow:%y%m%d}-0005") == [f"H51.18-{tomorrow:%y%m%d}-0005"]
    assert read(f"H51.18-{after:%y%m%d}-0005").why is WhyNone.FUTURE_DATE


def test_a_number_between_two_codes_may_belong_to_either() -> None:
    reading = read("H51.18-210817-0005 18 H51 161220 0001")
    assert [code.text for code in reading.candidates] == [NEW, "H51.18-210817-000518"]
    assert [code.text for code in reading.codes] == [OLD]


def test_families_and_agencies_are_told_apart() -> None:
    assert read(OLD).codes == (DossierCode(text=OLD, family=CodeFamily.OLD, agency="000.00.18.H51"),)
    assert read(NEW).codes == (DossierCode(text=NEW, family=CodeFamily.NEW, agency="H51.18"),)


def test_the_words_around_a_code_are_kept_for_the_grammar() -> None:
    reading = read(f"Hủy {NEW} và {OLD} ạ")
    assert (reading.before, reading.after) == ("Hủy ", " và   ạ")


def test_a_code_cut_off_by_the_end_of_what_is_examined_is_not_one() -> None:
    whole = "x" * (EXAMINED_LENGTH - len(NEW) - 2) + " " + NEW
    assert texts(whole + " ") == [NEW]
    assert texts("xx" + whole + "67") == []
    assert texts(NEW + " " + "y" * 10_000) == [NEW]


# ---------------------------------------------------------------- receipt numbers from before


def test_a_legacy_number_is_read_by_its_agencys_mask() -> None:
    legacy = [LegacyPattern("H51.29", "#####/####/#####"), LegacyPattern("H51.30", "bn-####-#+")]
    reading = read_codes("so bien nhan 03706-2016.07906 a", today=TODAY, legacy=legacy)
    assert reading.codes == (DossierCode(text="03706/2016/07906", family=CodeFamily.LEGACY, agency="H51.29"),)
    assert [c.text for c in read_codes("BN 2016 123", today=TODAY, legacy=legacy).codes] == ["BN-2016-123"]
    assert read_codes(NEW, today=TODAY, legacy=legacy).codes == read(NEW).codes
    assert read_codes("103706/2016/07906", today=TODAY, legacy=legacy).codes == ()


def test_a_legacy_number_of_two_agencies_is_asked_about() -> None:
    legacy = [LegacyPattern("H51.29", "#####/####"), LegacyPattern("H51.30", "#####/####")]
    reading = read_codes("03706/2016", today=TODAY, legacy=legacy)
    assert [code.agency for code in reading.candidates] == ["H51.29", "H51.30"]


def test_a_legacy_number_that_may_go_on_behind_a_space_is_asked_about() -> None:
    legacy = [LegacyPattern("H51.30", "BN-####-#+")]
    reading = read_codes("BN 2016 12 3", today=TODAY, legacy=legacy)
    assert [code.text for code in reading.candidates] == ["BN-2016-12", "BN-2016-123"]
    reading = read_codes("BN 2016 123 0912345678", today=TODAY, legacy=legacy)
    assert [code.text for code in reading.codes] == ["BN-2016-123"]


def named(agency: str, keyword: str, name: str) -> LegacyPattern:
    return LegacyPattern(agency, "#####/####", keyword=keyword, names=(agency, name))


SHARED = [
    named("H51.18", "STNMT", "Sở Tài nguyên"),
    named("H51.16", "STP", "Sở Tư pháp"),
    LegacyPattern("H51.19", "BN-#####", keyword="SYT"),
]


@pytest.mark.parametrize(
    ("typed", "agencies"),
    [
        ("03706/2016", ["H51.18", "H51.16"]),
        ("STNMT 03706/2016", ["H51.18"]),
        ("stp03706/2016", ["H51.16"]),
        ("03706/2016 (sở tư pháp)", ["H51.16"]),
        ("H51.18 03706/2016", ["H51.18"]),
        ("so 03706/2016", ["H51.18", "H51.16"]),
        ("STNMT hay STP 03706/2016", ["H51.18", "H51.16"]),
        ("so tai nguyen 03706/2016 so tu phap", ["H51.18", "H51.16"]),
        ("SYT 03706/2016", []),
        ("STP BN-03706", []),
        ("BN-03706", ["H51.19"]),
    ],
)
def test_the_agency_typed_beside_a_legacy_number_decides_and_none_is_guessed(typed: str, agencies: list[str]) -> None:
    reading = read_codes(typed, today=TODAY, legacy=SHARED)
    assert [code.agency for code in reading.codes or reading.candidates] == agencies
    assert (reading.why is WhyNone.WHICH_AGENCY) == (not agencies)


def test_each_of_two_legacy_numbers_has_its_own_agency() -> None:
    reading = read_codes("STNMT 03706/2016\n03707/2016 so tu phap", today=TODAY, legacy=SHARED)
    assert [(code.agency, code.text) for code in reading.codes] == [("H51.18", "03706/2016"), ("H51.16", "03707/2016")]


def test_a_legacy_number_of_too_many_agencies_is_asked_for_with_the_agency() -> None:
    legacy = [LegacyPattern(f"H51.2{number}", "#####/####") for number in range(5)]
    assert read_codes("03706/2016", today=TODAY, legacy=legacy).why is WhyNone.WHICH_AGENCY


@pytest.mark.parametrize(
    "code",
    [
        DossierCode(text=NEW, family=CodeFamily.NEW, agency="H51.18"),
        DossierCode(text="000.00.18.H51-161220-0001", family=CodeFamily.OLD, agency="000.00.18.H51"),
        DossierCode(text="03706/2016/07906", family=CodeFamily.LEGACY, agency="H51.29"),
        DossierCode(text="03706:2016", family=CodeFamily.LEGACY, agency="H51"),
    ],
)
def test_a_code_is_made_again_from_its_reference(code: DossierCode) -> None:
    assert read_reference(code.reference) == code


@pytest.mark.parametrize("reference", ["", "12345", "H51.18:", ":12345/2016", "h51.18:12345", NEW + " "])
def test_what_is_no_reference_is_no_code(reference: str) -> None:
    assert read_reference(reference) is None


def test_a_typed_reference_is_read_as_the_agencys_number() -> None:
    code = DossierCode(text="03706/2016", family=CodeFamily.LEGACY, agency="H51.16")
    assert read_codes(code.reference, today=TODAY, legacy=SHARED).codes == (code,)


def test_a_legacy_mask_that_would_match_any_number_is_refused() -> None:
    with pytest.raises(ValueError, match=r"H51\.29"):
        LegacyPattern("H51.29", "####")


# ---------------------------------------------------------------- properties

days = st.dates(date(2016, 1, 1), TODAY)
serials = st.integers(4, 8).flatmap(lambda size: st.integers(1, 10**size - 1).map(lambda n: f"{n:0{size}d}"))
letters = st.sampled_from("ABCDEFGHIKLMNOPQRSTUVXY")
roots = st.builds("{}{:02d}".format, letters, st.integers(1, 99))
group = st.one_of(st.from_regex(r"[0-9]{2}", fullmatch=True), st.from_regex(r"[0-9]{3}", fullmatch=True))
old_codes = st.builds(
    "000.{}.{}.{}-{:%y%m%d}-{}".format,
    st.from_regex(r"[0-9]{2}", fullmatch=True),
    st.from_regex(r"[0-9]{2}", fullmatch=True),
    roots,
    days,
    serials,
)
new_codes = st.builds(
    lambda root, groups, day, long, serial: (
        ".".join((root, *groups)) + "-" + day.strftime("%Y%m%d" if long else "%y%m%d") + "-" + serial
    ),
    roots,
    st.lists(group, max_size=4),
    days,
    st.booleans(),
    serials,
)
codes = st.one_of(old_codes, new_codes)


def spaced(code: str) -> str:
    return code.replace(".", " ").replace("-", " ")


def zeros_lost(code: str) -> str:
    head, _, serial = code.rpartition("-")
    return f"{head}-{serial.lstrip('0') if len(serial) == 4 else serial}"


def start_lost(code: str) -> str:
    return code.removeprefix("000.").removeprefix("00.")


def escaped(code: str) -> str:
    return "https://a.vn/tra-cuu?x=y&MHS=" + quote(code, safe="").replace("-", "%2D") + "&lang=vi"


# Each way of typing, in the order in which a person, a phone and an address would apply them.
IN_THE_CODE: list[Callable[[str], str]] = [
    str,
    zeros_lost,
    start_lost,
    lambda code: zeros_lost(start_lost(code)),
]
IN_THE_SEPARATORS: list[Callable[[str], str]] = [
    str,
    spaced,
    lambda code: code.replace(".", ","),
    lambda code: code.replace(".", " "),
    lambda code: code.replace("-", "_"),
    lambda code: code.replace("-", "–"),
    lambda code: code.replace("-", "−"),
    lambda code: code.replace("-", "‑"),
    lambda code: code.replace("-", "-\n"),
    lambda code: code.replace("-", " - "),
    lambda code: code.replace("-", "  "),
    lambda code: code.replace(".", "-"),
    lambda code: code.replace("-", "/"),
]
IN_THE_SIGNS: list[Callable[[str], str]] = [
    str,
    str.lower,
    lambda code: code.translate(WIDE),
    lambda code: code.translate(KHMER),
    "\u200b".join,
    lambda code: "\ufeff" + code + "\u202c",
]
AROUND: list[Callable[[str], str]] = [
    str,
    escaped,
    lambda code: f"Mã hồ sơ:{code}",
    lambda code: f"HS{code}",
    lambda code: f"DK {code}.",
    lambda code: unicodedata.normalize("NFD", f"Cho em hỏi hồ sơ {code} bao giờ có kết quả ạ?"),
    lambda code: f"ho65 so7: {code} cua toi",
    lambda code: f"({code})\n",
]


@given(codes)
def test_a_canonical_code_gives_itself(code: str) -> None:
    assert texts(code) == [code]
    assert texts(f"x {code} y") == [code]
    assert parse_canonical(code) == read(code).codes[0]


@given(
    codes,
    st.sampled_from(IN_THE_CODE),
    st.sampled_from(IN_THE_SEPARATORS),
    st.sampled_from(IN_THE_SIGNS),
    st.sampled_from(AROUND),
)
def test_every_way_of_typing_gives_the_code_or_a_question(
    code: str,
    shorten: Callable[[str], str],
    separate: Callable[[str], str],
    write: Callable[[str], str],
    surround: Callable[[str], str],
) -> None:
    reading = read(surround(write(separate(shorten(code)))))
    assert code in {found.text for found in (*reading.codes, *reading.candidates)}
    assert len(reading.codes) <= 1


@given(codes, st.sampled_from(IN_THE_CODE), st.sampled_from(IN_THE_SIGNS), st.sampled_from(AROUND))
def test_with_printed_separators_there_is_never_a_question(
    code: str, shorten: Callable[[str], str], write: Callable[[str], str], surround: Callable[[str], str]
) -> None:
    assert texts(surround(write(shorten(code)))) == [code]


@given(codes, st.sampled_from(IN_THE_SEPARATORS[:-2]), st.sampled_from(IN_THE_SIGNS))
def test_a_whole_code_with_any_one_separator_is_never_a_question(
    code: str, separate: Callable[[str], str], write: Callable[[str], str]
) -> None:
    assert texts(write(separate(code))) == [code]


@given(codes, st.randoms(use_true_random=False), st.booleans())
def test_look_alikes_are_digits_by_their_place(code: str, chance: random.Random, surrounded: bool) -> None:  # noqa: FBT001
    head, _, rest = code.partition("-")
    typed = (
        head
        + "-"
        + "".join(
            chance.choice(LOOK_ALIKES[sign]) if sign in LOOK_ALIKES and chance.random() < 0.5 else sign for sign in rest
        )
    )
    assume_a_digit = all(any(sign.isdigit() for sign in part) for part in typed.split("-")[1:])
    reading = read(f"ho so {typed} nhe" if surrounded else typed)
    found = {one.text for one in (*reading.codes, *reading.candidates)}
    assert found <= {code} or code in {one.text for one in reading.candidates}
    if assume_a_digit:
        assert code in found
    if typed[-1].isdigit() and assume_a_digit:
        assert texts(typed) == [code]


@given(codes, st.sampled_from(["dots", "all", "dashes"]))
def test_lost_separators_give_the_code_or_a_question_never_another_dossier(code: str, lost: str) -> None:
    typed = code.replace(".", "") if lost != "dashes" else code
    typed = typed.replace("-", "") if lost != "dots" else typed
    reading = read(typed)
    assert reading.codes in ((), (parse_canonical(code),))
    if len(reading.candidates) > 0:
        assert len(reading.candidates) <= MAX_CANDIDATES
        assert code in {found.text for found in reading.candidates}


@given(codes, st.integers(1, 20))
def test_a_code_broken_by_a_line_end_gives_the_code_or_a_question(code: str, place: int) -> None:
    broken = code[:place] + "\n" + code[place:]
    reading = read(broken)
    assert reading.codes in ((), (parse_canonical(code),)) or place > code.rindex("-")
    if place > code.rindex("-"):
        assert code in {found.text for found in (*reading.codes, *reading.candidates)}


@given(
    codes,
    st.sampled_from([str, spaced, lambda code: code.replace("-", " "), lambda code: code.replace(".", ",")]),
    st.integers(0, 20),
    st.sampled_from([" ", "  ", "\t", "\x0b", "\u00a0", "\n"]),
    st.sampled_from(["{}", "{}.", "{} 0912345678", "cho hoi {} a"]),
)
def test_a_stray_space_in_a_number_never_gives_another_dossier(
    code: str, separate: Callable[[str], str], place: int, slip: str, around: str
) -> None:
    typed = separate(code)
    inside = [index for index in range(1, len(typed)) if typed[index - 1 : index + 1].isdigit()]
    cut = inside[place % len(inside)]
    before, after = typed[:cut], typed[cut:]
    if before.endswith(" 20") and re.match("[0-9]{6} ", after):
        return  # "H51 20 250701 0005", spaced throughout, is taken as typed
    reading = read(around.format(before + slip + after))
    assert reading.codes in ((), (parse_canonical(code),))
    assert not reading.candidates or code in {found.text for found in reading.candidates}


@given(st.lists(codes, min_size=1, max_size=6), st.sampled_from(["\n", ", ", " ; ", " va ", "\n\n"]))
def test_several_codes_come_in_the_order_typed(several: list[str], between: str) -> None:
    assert texts(between.join(several)) == list(dict.fromkeys(several))


@given(st.one_of(st.text(max_size=300), st.text(alphabet="H51.- 0OlI\n8S%2D_,", max_size=300), st.binary(max_size=300)))
def test_no_text_raises_and_every_reading_is_settled(typed: str | bytes) -> None:
    text = typed.decode("latin-1") if isinstance(typed, bytes) else typed
    reading = read(text)
    assert (reading.why is None) == bool(reading.codes or reading.candidates or reading.example)
    assert len(reading.candidates) != 1
    for code in reading.codes:
        assert texts(code.text) == [code.text]


@pytest.mark.parametrize(
    "piece",
    [
        "A",
        "1",
        "H51",
        "H51.",
        "H51 1 ",
        "A11 1 123 1234567\n1234 ",
        "H51.1234567.1234567.",
        "S5",
        "000.00.18.",
        "%48",
        "\u0323\u0301",
        "\ufdfa",
        "\u202e",
        "😀",
        "\x00",
        "' OR 1=1;--",
        "{{7*7}}",
    ],
)
def test_ten_thousand_hostile_signs_are_answered(piece: str) -> None:
    reading = read((piece * 10_000)[:10_000])
    assert reading.codes == ()


# Each tries to make the reader follow many readings at many places.
COSTLY = ["O00058I\nI18I18B21O82O200", "18I\nI1822108170001", "H51 1 1 1 1 1 ", "A11 ", "X51 2I08I7 0OO5 "]


@pytest.mark.parametrize("piece", COSTLY)
def test_a_text_full_of_beginnings_is_read_at_a_few_of_them(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[int] = []

    readings_at = code_forms.readings_at

    def counted(text: str, root: int, floor: int, latest: date) -> list[code_forms.TypedCode]:
        places.append(root)
        return readings_at(text, root, floor, latest)

    monkeypatch.setattr(code_forms, "readings_at", counted)
    read((piece * 2_000)[:2_000])
    assert len(places) <= MOST_STARTS


def test_a_code_behind_too_many_beginnings_is_not_read_and_one_before_them_is() -> None:
    noise = "A11 x " * 40
    assert read(f"{noise}H51.18-210817-0005").why is WhyNone.TOO_MANY_READINGS
    assert texts(f"H51.18-210817-0005 {noise}") == ["H51.18-210817-0005"]


def test_a_long_list_of_printed_codes_is_read_to_its_end() -> None:
    several = [f"H51.18-210817-{number:04d}" for number in range(1, 41)]
    assert texts("; ".join(several)) == several


# Texts of up to 160 signs; how many of 5,000 may look like a code. The last two alphabets are made of a code's signs.
ALPHABETS = {
    "printable": ("".join(map(chr, range(32, 127))), 0),
    "letters and digits": ("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 0),
    "digits mostly": ("0123456789" * 4 + "abcdefghijklmnopqrstuvwxyz .,-/", 10),
    "digits and separators": ("0123456789 .-/", 0),
    "vietnamese": ("aàáạăâbcdđeêghiklmnoôơpqrstuưvxy   0123456789.,-", 0),
    "look-alikes": ("OoIlSsBb018 5.-H", 75),
    "the code's own": ("0123456789012345678901234567890123456789H.-- ", 50),
}


@pytest.mark.parametrize("name", ALPHABETS)
def test_random_text_yields_a_code_by_accident_no_more_often_than_stated(name: str) -> None:
    alphabet, allowed = ALPHABETS[name]
    chance = random.Random(51)
    accidents = sum(
        bool(reading.codes or reading.candidates)
        for _ in range(5_000)
        if (reading := read("".join(chance.choices(alphabet, k=chance.randint(1, 160)))))
    )
    print(f"{name}: {accidents} of 5,000 random texts gave a code by accident")  # noqa: T201 - the figure is wanted
    assert accidents <= allowed
