"""Procedures: found as people type them, never something unrelated; every fault of the file named; told in an SMS."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.gsm import Alphabet, segments_needed
from domain.procedure import Procedure, shortened, told_apart
from domain.replies import PROCEDURE_NAME_MAX, ReplyWriter
from intake.ports import MOST_HITS, ProcedureCatalogue
from intake.procedures import Procedures
from tests.unit.speaking import LANGUAGES, shipped_procedures, shipped_writer, voice

TODAY = date(2026, 10, 8)
BIRTH, MARRIAGE, DEATH, FOREIGN_MARRIAGE = "1.001193", "1.000894", "1.000656", "2.000806"
IDENTITY, IDENTITY_AGAIN, IDENTITY_CHANGE = "2.000200", "9.900003", "9.900002"
BUSINESS, BUILDING, LAND, LAND_SALE = "1.001612", "1.013225", "1.013978", "9.900012"

# What was typed -> the procedures it may mean, the likeliest first. Reviewed by hand.
SEARCHES: dict[str, list[str]] = {
    # said plainly, with and without accents
    "đăng ký kết hôn": [MARRIAGE],
    "dang ky ket hon": [MARRIAGE],
    "ĐĂNG KÝ KHAI SINH": [BIRTH],
    "lam giay khai sinh": [BIRTH],
    "làm giấy khai sinh cho con": [BIRTH],
    "khai tu": [DEATH],
    "ket hon nuoc ngoai": [FOREIGN_MARRIAGE],
    "lay chong han quoc": [FOREIGN_MARRIAGE],
    "giay doc than": ["1.004873"],
    "trich luc khai sinh": ["2.000635"],
    "doi ten con": ["1.004859"],
    "sua ngay sinh trong khai sinh": ["1.004859"],
    "mat giay ket hon": ["1.004746"],
    "mat giay khai sinh": ["1.004884", "2.000635"],
    "nhan con nuoi": ["2.001263"],
    "nhap khau cho con moi sinh": ["2.000986"],
    "the can cuoc": [IDENTITY],
    "tam tru": ["1.004194"],
    "gia han tam tru": ["1.002755"],
    "xoa tam tru": ["1.010028"],
    "nhap ho khau": ["1.004222"],
    "tach ho khau": ["1.010038"],
    "lam ho chieu": ["9.900005"],
    "sang ten so do": [LAND_SALE],
    "thua ke dat cua cha me": ["9.900013"],
    "mat so do": ["9.900015"],
    "lam so do lan dau": [LAND],
    "tach thua": ["9.900016"],
    "len tho cu": ["9.900017"],
    "chuyen dat ruong len tho cu": ["9.900017"],
    "giay phep xay dung": [BUILDING],
    "xin gia han giay phep xay dung": ["1.013227"],
    "mo quan cafe": [BUSINESS],
    "mo tiem thuoc tay": ["9.900026"],
    "ban ruou": ["2.000620"],
    "bao hiem that nghiep": ["9.900028"],
    "nghi viec lanh tien that nghiep": ["9.900028"],
    "rut bao hiem xa hoi mot lan": ["1.001613"],
    "che do thai san": ["2.000693"],
    "tro cap nguoi gia": ["1.014027"],
    "mai tang phi": ["1.001731"],
    "ho ngheo": ["1.011607"],
    "con liet si": ["1.010833"],
    "vao lop 1": ["9.900030"],
    "chuyen truong cho con": ["9.900031"],
    "mat bang tot nghiep": ["1.005092"],
    "khoan gieng": ["9.900036"],
    "heo chet dich": ["9.900034"],
    "bang lai xe het han": ["9.900008"],
    "mat bang lai": ["9.900009"],
    "sang ten xe may": ["9.900007"],
    "sao y ban chinh": ["2.000815"],
    "cong chung hop dong mua ban nha dat": ["2.001035"],
    # as a whole question
    "dang ky ket hon can giay to gi": [MARRIAGE],
    "cho em hỏi làm giấy khai sinh cho con cần những gì ạ": [BIRTH],
    "xây nhà cần xin phép gì": [BUILDING],
    "tôi bị mất căn cước công dân thì làm lại ở đâu": [IDENTITY_AGAIN],
    "me em mat can lam giay to gi": [DEATH],
    "mẹ tôi hơn 80 tuổi không có lương hưu xin trợ cấp hàng tháng ở đâu": ["1.014027"],
    "chung thuc chu ky phi bao nhieu": ["2.000884"],
    # shortened
    "dk ket hon": [MARRIAGE],
    "gks": [BIRTH],
    "gpkd": [BUSINESS],
    "gpxd": [BUILDING],
    "cccd": [IDENTITY],
    "cap lai cccd": [IDENTITY_AGAIN],
    "doi cccd het han": [IDENTITY_CHANGE],
    "lltp so 2": ["3.000333"],
    "rut bhxh 1 lan": ["1.001613"],
    "mat the bhyt": ["9.900029"],
    # what an unfinished Telex or VNI leaves, and what was typed without spaces
    "ddawng kys keets hoon": [MARRIAGE],
    "dang kis ket hoonf": [MARRIAGE],
    "d9a8ng ky1 ke61t ho6n": [MARRIAGE],
    "laf giaasy khai sinh": [BIRTH],
    "khaisinh": [BIRTH],
    "dangkykethon": [MARRIAGE],
    # English
    "birth certificate": [BIRTH],
    "how to register a marriage": [MARRIAGE],
    "passport": ["9.900005"],
    "birth": [BIRTH],
    "land": [LAND],
    # several are as likely: asked back
    "dang ky lai": ["1.004884", "1.005461", "1.004746"],
    "chung thuc": ["2.000815", "2.000884", "2.001035", "2.001019"],
    "ho tich": [BIRTH, MARRIAGE, DEATH, "1.004873"],
    "thanh lap cong ty": ["2.001583", "2.001199"],
    "bao hiem xa hoi": ["1.001613", "1.002759", "2.000693"],
    # codes
    "1.004946": ["1.004946"],
    "1.004946.000.00.00.H51": ["1.004946"],
    "tt 1.001193 can gi": [BIRTH],
    "9.999999": [],
    # nothing of ours: nothing is shown
    "thoi tiet hom nay": [],
    "gia vang": [],
    "ket qua bong da": [],
    "vay tien nhanh": [],
    "xin hoc bong du hoc": [],
    "xin viec lam": [],
    "ly hon": [],
    "tron thue": [],
    "ban hang online": [],
    "trung thuong": [],
    "sdt": [],
    "giay": [],
    "thu tuc": [],
    "can gi o dau bao lau": [],
    "?": [],
    "": [],
}


@pytest.fixture(scope="module")
def shipped() -> Procedures:
    return Procedures.from_mapping(shipped_procedures())


@pytest.fixture(scope="module")
def writer() -> ReplyWriter:
    return shipped_writer()


def row(code: str = "1.000001", **more: Any) -> dict[str, Any]:
    texts = {"names": {"vi": "Đăng ký thử"}, "where": {"vi": "UBND xã"}, "fee": {"vi": "không thu"}}
    return {"code": code, "days": 3, **texts, **more}


def faults(*rows: Any, **whole: Any) -> list[str]:
    with pytest.raises(ValueError, match="procedure") as caught:
        Procedures.from_mapping({"procedure": list(rows), **whole})
    return str(caught.value).splitlines()


# ---- finding


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert len(SEARCHES) >= 60
    assert sum(not codes for codes in SEARCHES.values()) >= 15


@pytest.mark.parametrize("typed", SEARCHES)
def test_what_people_type_finds_what_they_mean(shipped: Procedures, typed: str) -> None:
    assert [each.code for each in shipped.search(typed, today=TODAY)] == SEARCHES[typed]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_finds_its_procedure_first(shipped: Procedures, language: str) -> None:
    for procedure in shipped:
        assert shipped.search(procedure.names[language], today=TODAY)[0].code == procedure.code


def test_every_keyword_finds_its_procedure(shipped: Procedures) -> None:
    for procedure in shipped:
        for keyword in procedure.keywords:
            assert procedure.code in [each.code for each in shipped.search(keyword, today=TODAY)], keyword


def test_never_more_hits_than_can_be_answered_with_a_digit(shipped: Procedures) -> None:
    assert len(shipped.search("đất đai", today=TODAY)) == MOST_HITS
    assert len(shipped.search("đất đai", today=TODAY, limit=20)) > MOST_HITS


@given(st.text(max_size=400))
def test_no_text_is_too_odd_to_be_searched(typed: str) -> None:
    catalogue = Procedures.from_mapping({"procedure": [row(keywords=["thử", "đăng ký thử"])], "courtesy": ["xin"]})
    assert len(catalogue.search(typed, today=TODAY)) <= MOST_HITS


def test_a_long_text_without_spaces_is_searched(shipped: Procedures) -> None:
    assert shipped.search("dangky" * 40, today=TODAY) == []


@pytest.mark.parametrize(
    "typed", ["1.004946", " 1.004946 ", "1,004946", "1.004946.000.00.00.H51", "1.004946.000.00.00.h13"]
)
def test_a_code_is_known_with_and_without_the_agency_behind_it(shipped: Procedures, typed: str) -> None:
    found = shipped.get(typed, today=TODAY)
    assert found is not None
    assert found.code == "1.004946"


@pytest.mark.parametrize("typed", ["", "1.00494", "1.0049466", "H51.18-250701-0004", "0912004946", "khai sinh"])
def test_what_is_no_code_gets_nothing(shipped: Procedures, typed: str) -> None:
    assert shipped.get(typed, today=TODAY) is None


# ---- versions


def test_the_version_in_force_today_is_the_one_told() -> None:
    old = row(names={"vi": "Cấp hộ khẩu"}, valid_to=date(2026, 6, 30))
    new = row(names={"vi": "Đăng ký thường trú"}, valid_from=date(2026, 7, 1))
    catalogue: ProcedureCatalogue = Procedures.from_mapping({"procedure": [old, new]})
    for day, name in ((date(2026, 6, 30), "Cấp hộ khẩu"), (date(2026, 7, 1), "Đăng ký thường trú")):
        found = catalogue.get("1.000001", today=day)
        assert found is not None
        assert found.names["vi"] == name
        assert list(catalogue.search(name, today=day)) == list(catalogue.search("1.000001", today=day)) == [found]


def test_an_abolished_procedure_is_found_no_more() -> None:
    catalogue = Procedures.from_mapping({"procedure": [row(valid_to=date(2026, 6, 30))]})
    assert catalogue.get("1.000001", today=TODAY) is None
    assert catalogue.search("dang ky thu", today=TODAY) == []


def test_two_versions_on_one_day_are_refused() -> None:
    told = faults(row(valid_to=date(2026, 7, 1)), row(valid_from=date(2026, 7, 1)))
    assert told == ["procedure 1.000001: two versions are in force on the same day"]


# ---- the file


def test_every_fault_of_the_file_is_named_at_once() -> None:
    wrong = row("1.02", days=0, level="mức 4", names={"en": "Test"}, keywords=["a\x00b"])
    misshapen = row("1.000003", days="3", papers={"vi": "giấy"}, forms=[7], colour="red", valid_from="2026-07-01")
    del misshapen["fee"]
    both = row("1.000004", days_note={"vi": "trong ngày"}, valid_from=date(2026, 7, 2), valid_to=date(2026, 7, 1))
    assert faults(wrong, misshapen, both, row("1.000005", fee="cheap")) == [
        "procedure 1.02: the code is not of the form 1.004946",
        "procedure 1.02: names has nothing in Vietnamese",
        "procedure 1.02: days must be at least 1",
        "procedure 1.02: level must be one of toàn trình, một phần, thông tin",
        "procedure 1.02: a text holds control characters, spaces at its ends or more than 300 characters",
        "procedure 1.000003: fee is missing",
        "procedure 1.000003: days must be a int",
        "procedure 1.000003: papers may hold lists only",
        "procedure 1.000003: forms may hold texts or { name, file } only",
        "procedure 1.000003: unknown key colour",
        "procedure 1.000003: valid_from must be a date",
        "procedure 1.000004: it needs either days or days_note",
        "procedure 1.000004: valid_from is later than valid_to",
        "procedure 1.000005: fee: there is no shared text cheap",
    ]


def test_a_file_of_another_shape_is_refused() -> None:
    assert faults("row", courtesy="xin", colour=1) == [
        "procedures: courtesy must be a list",
        "procedures: unknown key colour",
        "procedures: a procedure must be a mapping",
    ]


def test_the_shipped_file_says_what_is_made_up(shipped: Procedures) -> None:
    assert len(shipped) >= 60
    for procedure in shipped:
        assert procedure.code[0] in "1239"
        assert procedure.code[0] != "9" or procedure.code.startswith("9.9")
        assert procedure.names.keys() == set(LANGUAGES)
        assert procedure.papers["vi"]


# ---- by SMS


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_procedure_is_told_in_two_segments_without_accents(
    shipped: Procedures, writer: ReplyWriter, language: str
) -> None:
    for procedure in shipped:
        alphabet, count = segments_needed(writer.procedure(procedure, voice(language)))
        assert (alphabet, count <= 2) == (Alphabet.GSM7, True)


def test_a_procedure_is_told_with_time_fee_and_place(shipped: Procedures, writer: ReplyWriter) -> None:
    same_day, three_days = shipped.get(MARRIAGE, today=TODAY), shipped.get("1.004873", today=TODAY)
    assert same_day is not None
    assert three_days is not None
    assert writer.procedure(same_day, voice()).startswith(
        "Dang ky ket hon. Giai quyet: trong ngay. Phi: khong thu. Nop o: UBND xa, phuong. Giay to can nop: hoi 0"
    )
    assert "Giai quyet: 3 ngay lam viec." in writer.procedure(three_days, voice())
    assert writer.procedure(three_days, voice("en")).startswith("Certificate of marital status. Working days: 3. Fee: ")


def test_what_is_not_translated_is_told_in_vietnamese(writer: ReplyWriter) -> None:
    (untranslated,) = Procedures.from_mapping({"procedure": [row()]})
    told = writer.procedure(untranslated, voice("en"))
    assert told.startswith("Dang ky thu. Working days: 3. Fee: khong thu. File at: UBND xa.")


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_choice_of_the_longest_names_fits_two_segments(writer: ReplyWriter, language: str, count: int) -> None:
    many = [
        Procedure(code=f"1.00000{n}", names={"vi": f"{n} " + "thủ tục dài " * 9}, where={}, fee={}) for n in range(9)
    ]
    for accents in (True, False):
        text = writer.which_procedure(many[:count], voice(language, accents=accents))
        assert segments_needed(text) == (Alphabet.GSM7, 2)
        assert all(f"{number}: {number - 1} thu tuc dai" in text for number in range(1, count + 1))


def test_names_that_begin_alike_are_told_by_their_ends() -> None:
    start = "Đăng ký thay đổi nội dung đăng ký hoạt động của chi nhánh, văn phòng"
    told = told_apart([f"{start} trong tỉnh", "Tách hộ", f"{start} ngoài tỉnh"], PROCEDURE_NAME_MAX)
    assert list(told) == ["...trong tỉnh", "Tách hộ", "...ngoài tỉnh"]
    assert len(set(told_apart([start, start], PROCEDURE_NAME_MAX))) == 1


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("Tách hộ", 7, "Tách hộ"),
        ("Đăng ký kết hôn", 14, "Đăng ký kết..."),
        ("Đăng ký, kết hôn", 12, "Đăng ký..."),
        ("Supercalifragilistic", 10, "Superca..."),
    ],
)
def test_a_long_name_is_cut_behind_a_word(text: str, limit: int, cut: str) -> None:
    assert shortened(text, limit) == cut
    assert len(cut) <= limit
