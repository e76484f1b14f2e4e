"""The shipped texts: complete in every language, short enough in the worst case, and right without accents."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from domain.catalogue import Catalogue, Template
from domain.codes import DossierCode
from domain.dossier import DossierStatus
from domain.gsm import Alphabet, segments_needed
from domain.replies import PROCEDURE_FACT_MAX, PROCEDURE_NAME_MAX, ReplyWriter
from domain.reply_keys import PLACEHOLDERS, STATE_KEYS
from domain.text import safe_text, unaccent
from tests.unit.speaking import LANGUAGES, shipped_agencies, shipped_texts, shipped_writer, voice

LONG_PROCEDURE = "Đăng ký thay đổi nội dung đăng ký hoạt động của chi nhánh, văn phòng"[:PROCEDURE_NAME_MAX]
LONG_FACT = "Trung tâm Phục vụ hành chính công của tỉnh nơi cư trú"[:PROCEDURE_FACT_MAX]
LONG_AGENCY = "Ủy ban nhân dân xã Thạnh Thới Ă"[:30]  # accents on purpose: English then needs UCS-2 too
CODE_26 = "000.00.18.H51-161220-00015"
MANY_CODES = {
    "which_of_three",
    "which_of_four",
    "which_agency_of_three",
    "which_agency_of_four",
    "end_which_of_four",
}  # a rare question: it may cost its accents
PROCEDURES = {key for key, names in PLACEHOLDERS.items() if "procedure" in names}  # data as long as names are
CODE_45 = "H26.103.250.700.800.900.111-20250908-00926371"


@cache
def longest(language: str, section: str) -> str:
    """Of the words of a section."""
    return max(Catalogue.from_mapping(shipped_texts()).section(language, section).values(), key=len)


def worst_case(code: str, language: str) -> dict[str, object]:
    return {
        "code": DossierCode(text=code),
        "code2": code[:-1] + "9",
        "code3": code[:-1] + "8",
        "code4": code[:-1] + "7",
        "agency": LONG_AGENCY,
        **{f"agency{number}": LONG_AGENCY for number in (2, 3, 4)},
        "phone": "02993 821888",
        "due_on": datetime(2026, 10, 28, tzinfo=UTC).date(),
        "as_of": datetime(2026, 10, 28, 17, 59, tzinfo=UTC),
        "state": longest(language, "state"),
        "now": longest(language, "notice.state"),
        "number": 99_999_999,
        "fee": "120.000 đồng lệ phí và 1.500.000 đồng tiền sử dụng đất",
        "missing": "Giấy chứng nhận quyền sử dụng đất (bản gốc), căn cước, " * 2,
        "unit": "Phòng Tiếp nhận và trả kết quả giải quyết thủ tục hành chính",
        **{f"procedure{number}": LONG_PROCEDURE for number in ("", 2, 3, 4)},
        **dict.fromkeys(("days_note", "fee", "where"), LONG_FACT),
        "days": 120,
        "count": 200,
        "codes": CODE_26,
        "pin": "123456",
        "minutes": 10,
        "chat": "Telegram",
    }


def flat(table: Mapping[str, Any]) -> Iterator[str]:
    for value in table.values():
        if isinstance(value, Mapping):
            yield from flat(value)
        else:
            yield value


@pytest.fixture(scope="module")
def writer() -> ReplyWriter:
    return shipped_writer()


def test_the_worst_case_is_the_worst_case() -> None:
    assert [len(CODE_26), len(CODE_45), len(LONG_AGENCY)] == [26, 45, 30]
    assert [len(LONG_PROCEDURE), len(LONG_FACT)] == [PROCEDURE_NAME_MAX, PROCEDURE_FACT_MAX]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", sorted(PLACEHOLDERS.keys() - PROCEDURES))
def test_every_text_is_one_gsm_segment_without_accents(writer: ReplyWriter, key: str, language: str) -> None:
    text = writer.say(key, voice(language, segments=0), **worst_case(CODE_26, language))
    assert segments_needed(text) == (Alphabet.GSM7, 1), (len(text), text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", sorted(PLACEHOLDERS.keys() - MANY_CODES - PROCEDURES))
def test_every_text_is_two_segments_with_accents(writer: ReplyWriter, key: str, language: str) -> None:
    text = writer.say(key, voice(language, accents=True, segments=0), **worst_case(CODE_26, language))
    assert segments_needed(text)[1] <= 2, (len(text), text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", PLACEHOLDERS)
def test_too_much_for_two_segments_with_accents_leaves_without_them(
    writer: ReplyWriter, key: str, language: str
) -> None:
    for code in (CODE_26, CODE_45):
        text = writer.say(key, voice(language, accents=True), **worst_case(code, language))
        assert segments_needed(text)[1] <= 2, (len(text), text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", PLACEHOLDERS)
def test_the_longest_codes_need_at_most_two_segments(writer: ReplyWriter, key: str, language: str) -> None:
    text = writer.say(key, voice(language, segments=0), **worst_case(CODE_45, language))
    alphabet, count = segments_needed(text)
    assert (alphabet, count <= 2) == (Alphabet.GSM7, True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_data_time_never_costs_a_second_segment(writer: ReplyWriter, language: str) -> None:
    values = worst_case(CODE_26, language)
    tail = writer.say("data_time", voice(language), **values)
    for key, placeholders in PLACEHOLDERS.items():
        if {"agency", "phone"} <= placeholders and key != "source_down_known":
            assert segments_needed(writer.say(key, voice(language, segments=0), **values) + tail)[1] == 1, key


# The reviewed wordings, as they leave without accents.
REVIEWED = {
    "in_process": "Ho so {code} dang xu ly tai {agency}, hen tra {due_on}. Chua can nop them. DT {phone}",
    "done": "Ho so {code} da co ket qua. Ong/ba mang bien nhan den {agency} de nhan. DT {phone}",
    "more_documents": "Ho so {code} con thieu giay to, ong/ba can nop bo sung. Hoi {agency}, DT {phone}",
    "payment_due": "Ho so {code} can nop phi o {agency} hoac Cong DVC, khong qua tin nhan. DT {phone}",
    "not_accepted": "Ho so {code} khong duoc tiep nhan. Ly do o thong bao cua {agency}. DT {phone}",
    "withdrawal_asked": "Ho so {code} co yeu cau rut. Neu ong/ba khong yeu cau, goi ngay {agency}, {phone}",
    "stopped": "Ho so {code} da ngung giai quyet. Ly do o thong bao cua {agency}. DT {phone}",
    "returned": "Ho so {code} da tra ket qua. Neu ong/ba chua nhan duoc, goi {agency}, {phone}",
    "overdue": "Xin loi: ho so {code} qua hen tra {due_on}, con xu ly tai {agency}. Xin goi {phone}",
    "not_found": "Chua co thong tin ve ma {code}. Ong/ba xem lai bien nhan hoac goi {agency}, {phone}",
    "unreadable": "Chua doc duoc ma ho so. Ong/ba gui lai ma in tren bien nhan, vi du H51.18-250701-0000. "
    "Can giup, goi {phone}",
    # Said code first: a code is never cut, so one in the middle could cost a third accented segment.
    "source_down_in_process": "Ho so {code}: luc {as_of} dang xu ly, hen tra {due_on}. He thong dang gian doan. "
    "DT {phone}",
    # It tells the state, so that what was known when the following began is what the person was told.
    "follow": "Se bao tin khi ho so {code} thay doi (nay {now}). Ngung: HUY + ma (ho so van giai quyet)",
    "unfollow": "Da ngung bao tin ho so {code}. Ho so van duoc giai quyet. Nhan lai: DK + ma",
    "stop_all": "Tu {as_of} so nay khong nhan tin bao ho so nua. Van tra cuu duoc bang ma. Nhan lai: BAT",
    "too_busy": "Hien co qua nhieu tin. Ong/ba vui long gui lai sau it phut hoac goi {phone}",
    "budget_spent": "So nay da tra cuu qua so lan cho phep. Ong/ba gui lai sau vai gio hoac goi {phone}",
    "which_of_two": "Ong/ba hoi ma nao? Gui 1 hoac 2. 1: {code} 2: {code2}. Neu deu sai, gui lai ca ma",
}


@pytest.mark.parametrize("key", REVIEWED)
def test_a_reviewed_wording_leaves_as_it_was_reviewed(key: str) -> None:
    catalogue = Catalogue.from_mapping(shipped_texts())
    names = {name: f"{{{name}}}" for name in PLACEHOLDERS[key]}
    assert catalogue.template("vi", f"reply.{key}", accents=False).render(names) == REVIEWED[key]


TRAPS = {
    "look up or return": re.compile(r"(?<!hen )(?<!ngay )(?<!da )(?<!kiem )\btra\b(?! cuu| loi)"),
    "stop or right": re.compile(r"(?<!noi )\bdung\b"),
    "new or each": re.compile(r"\bmoi\b"),
    "let or wait": re.compile(r"\bcho (nop|tiep|kiem)"),
    "asks for a supplement": re.compile(r"\bcan bo sung\b"),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_no_wording_turns_into_another_when_it_loses_its_accents(trap: str) -> None:
    texts = shipped_texts()["vi"]
    for text in (*flat(texts["reply"]), *flat(texts["state"])):
        assert not TRAPS[trap].search(unaccent(text)), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_composed_clean_and_without_links(language: str) -> None:
    for text in flat(shipped_texts()[language]):
        assert unicodedata.is_normalized("NFC", text)
        assert safe_text(text, len(text)) == text
        assert "://" not in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", ["help", "not_yet"])
def test_help_lists_only_what_works(writer: ReplyWriter, language: str, key: str) -> None:
    text = writer.say(key, voice(language))
    assert "GY" in text
    assert "DUNG" in text
    assert "DK" in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", ["help", "procedure_how", "procedure_or_code"])
def test_whoever_asks_how_is_told_how_to_ask_about_a_procedure(writer: ReplyWriter, language: str, key: str) -> None:
    assert re.search(r"\bTT\b", writer.say(key, voice(language)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_web_has_words_for_every_state(language: str) -> None:
    catalogue = Catalogue.from_mapping(shipped_texts())
    assert catalogue.section(language, "web.state").keys() == set(STATE_KEYS.values())
    assert catalogue.section(language, "web.todo").keys() == {*STATE_KEYS.values(), "overdue"}
    assert len(STATE_KEYS) == len(DossierStatus) + 1


def test_a_value_is_never_read_as_a_template() -> None:
    template = Template.parse("{code} and {agency}[ and {phone}]")
    values = {"code": "{agency}", "agency": "{code}[x]", "phone": "{phone}"}
    assert template.render(values) == "{agency} and {code}[x] and {phone}"
    assert template.render(values, drop=1) == "{agency} and {code}[x]"


def test_a_script_that_lives_by_its_marks_keeps_them() -> None:
    khmer = Template.parse("សំណុំរឿង {code}")
    assert khmer.without_accents() == khmer


def test_a_date_is_written_as_the_reader_writes_it() -> None:
    catalogue = Catalogue.from_mapping(shipped_texts())
    night = datetime(2026, 10, 7, 17, 5, tzinfo=UTC)  # already the next day in Sóc Trăng
    assert catalogue.moment("vi", night) == "00:05 08/10/2026"
    assert catalogue.moment("en", night) == "00:05 08 Oct 2026"
    assert catalogue.day("km", night.date()) == "07/10/2026"
    with pytest.raises(ValueError, match="time zone"):
        catalogue.moment("vi", datetime(2026, 10, 8))  # noqa: DTZ001 - what must be refused


def test_every_fault_of_the_texts_is_named_at_once() -> None:
    texts = shipped_texts()
    texts["vi"]["reply"]["help"] = "Tra cứu {oops"
    texts["vi"]["format"]["months"] = "01 02"
    del texts["en"]["reply"]["done"]
    texts["en"]["reply"]["stopped"] = "Dossier {kode} was stopped"
    texts["en"]["reply"]["example"] = 7
    texts["en"]["format"]["date"] = "{day}"
    with pytest.raises(ValueError, match="texts") as caught:
        Catalogue.from_mapping(texts)
    told = str(caught.value).splitlines()
    for expected in (
        "texts vi: reply.help: a brace or bracket has no partner",
        "texts vi: format.months must name 12 months",
        "texts en: reply.done is missing",
        "texts en: reply.stopped has the placeholders kode; vi has agency code phone",
        "texts en: reply.example: it must be a text",
        "texts en: format.date must mention day, month, year",
    ):
        assert expected in told


def test_a_text_nobody_says_or_nobody_can_fill_is_refused_at_start() -> None:
    texts = shipped_texts()
    for language in LANGUAGES:
        texts[language]["reply"]["farewell"] = "Bye"
        texts[language]["reply"]["help"] = "{code}"
        del texts[language]["state"]["done"]
    with pytest.raises(ValueError, match="texts") as caught:
        ReplyWriter(
            Catalogue.from_mapping(texts),
            shipped_writer()._agencies,
            stale_after=shipped_writer()._stale_after,
        )
    assert str(caught.value).splitlines() == [
        "texts: state.done is missing",
        "texts: reply.farewell is said by nobody",
        "texts: reply.help cannot mention code",
    ]


def test_texts_and_agencies_are_shipped_as_plain_data() -> None:
    assert shipped_agencies()["default"] == "H13"
    assert Catalogue.from_mapping(shipped_texts()).languages == LANGUAGES
