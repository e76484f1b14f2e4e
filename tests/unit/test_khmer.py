"""Khmer: complete, in its own script wherever it fits, and never half a syllable, a question mark or silence."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from domain.agencies import Agencies
from domain.answers import DossierAnswer, Outcome
from domain.catalogue import Catalogue
from domain.codes import DossierCode
from domain.gsm import Alphabet, is_gsm7, segments_needed, split
from domain.inquiry import ChooseLanguage
from domain.notice_texts import NoticeWriter
from domain.procedure import Procedure
from domain.replies import ReplyWriter
from domain.reply_keys import PLACEHOLDERS, STATE_KEYS
from domain.stoppage import Announced
from domain.text import safe_text
from tests.unit.speaking import CONFIG, NOW, STALE_AFTER, shipped_agencies, shipped_texts, voice
from tests.unit.test_inquiry import read
from tests.unit.test_texts import CODE_26, CODE_45, LONG_FACT, LONG_PROCEDURE, flat, worst_case

KHMER = re.compile(r"[\u1780-\u17ff]")
TECHNICAL = {
    "api_text",
    "integrate",
}  # of the web's: for whoever writes programs or keeps a site, in English, and the page says so
SHORT_CODE = DossierCode(text="H51.18-250701-0002")


worst = cache(worst_case)


@cache
def khmer() -> dict[str, Any]:
    return tomllib.loads((CONFIG / "texts" / "km.toml").read_text(encoding="utf-8"))


def catalogue() -> Catalogue:
    return Catalogue.from_mapping(shipped_texts() | {"km": khmer()})


def writer_of(announced: Announced | None = None) -> ReplyWriter:
    agencies = Agencies.from_mapping(shipped_agencies())
    return ReplyWriter(catalogue(), agencies, stale_after=STALE_AFTER, announced=lambda: announced)


@pytest.fixture(scope="module")
def writer() -> ReplyWriter:
    return writer_of()


def marriage(**names: str) -> Procedure:
    return Procedure(code="1.000894", names={"vi": "Kết hôn"} | names, where={"vi": "UBND xã"}, fee={"vi": "0"}, days=3)


# What the file says.


def test_the_texts_are_complete_and_say_that_they_need_a_native_reader() -> None:
    assert catalogue().languages[-1] == "km"
    assert catalogue().section("km", "web.state").keys() == set(STATE_KEYS.values())
    assert "NEEDS A NATIVE READER" in (CONFIG / "texts" / "km.toml").read_text(encoding="utf-8").partition("\n\n")[0]


def test_every_text_is_khmer_but_those_that_are_none_in_any_language() -> None:
    for path, texts in khmer().items():
        if path != "format":
            for key, text in texts.get("examples", {}).items():
                assert not KHMER.search(text), key  # searched among Vietnamese names
            for text in flat({name: each for name, each in texts.items() if name not in {"examples", *TECHNICAL}}):
                assert KHMER.search(text) or text in {"Tiếng Việt", "English"}, text


def test_texts_are_composed_clean_without_links_and_count_in_the_receipts_digits() -> None:
    for text in flat(khmer()):
        assert unicodedata.is_normalized("NFC", text)
        assert safe_text(text, len(text)) == text
        assert "://" not in text
        assert not re.search("[\u17e0-\u17e9]", text), text


def test_a_date_is_written_as_on_the_receipt() -> None:
    assert catalogue().moment("km", NOW) == "14:30 08/10/2026"


@pytest.mark.parametrize("key", ["help", "not_yet"])
def test_help_lists_only_what_works(writer: ReplyWriter, key: str) -> None:
    text = writer.say(key, voice("km", segments=0))
    assert KHMER.search(text)
    assert {"GY", "DUNG", "DK"} <= set(re.findall(r"[A-Z]{2,}", text))


@pytest.mark.parametrize("typed", ["KM", "km", "ខ្មែរ", "ភាសាខ្មែរ", "tiếng Khmer", "TIENG KHMER"])
def test_khmer_is_chosen_by_its_name(typed: str) -> None:
    assert read(typed) == ChooseLanguage(language="km")


# How it leaves.


@pytest.mark.parametrize("key", PLACEHOLDERS)
@pytest.mark.parametrize("code", [CODE_26, CODE_45, SHORT_CODE.text])
def test_no_sms_is_longer_than_two_segments_or_holds_a_sign_that_stands_for_another(
    writer: ReplyWriter, key: str, code: str
) -> None:
    for accents in (False, True):
        text = writer.say(key, voice("km", accents=accents), **worst(code, "km"))
        alphabet, segments = segments_needed(text)
        assert segments <= 2, (len(text), text)
        assert KHMER.search(text) if alphabet is Alphabet.UCS2 else is_gsm7(text)
        assert "??" not in text


def test_what_does_not_fit_an_sms_is_vietnamese_without_accents_as_a_whole(writer: ReplyWriter) -> None:
    names = {"procedure": LONG_PROCEDURE, "days": 3, "fee": LONG_FACT, "where": LONG_FACT}
    text = writer.say("procedure_found", voice("km"), **names)
    assert text == writer.say("procedure_found", voice("vi"), **names)
    assert text.isascii()


def test_most_answers_about_one_dossier_are_khmer_by_sms_too(writer: ReplyWriter) -> None:
    values = worst(SHORT_CODE.text, "km") | {"agency": "UBND xã Thạnh Thới An"}
    told = {key: writer.say(key, voice("km"), **values) for key in STATE_KEYS.values()}
    assert all(KHMER.search(text) for text in told.values()), told


@pytest.mark.parametrize("key", PLACEHOLDERS)
def test_a_chat_is_always_answered_in_khmer(writer: ReplyWriter, key: str) -> None:
    text = writer.say(key, voice("km", accents=True, segments=0), **worst(CODE_45, "km"))
    assert KHMER.search(text)
    assert "Uy ban" not in text


def test_a_tail_is_dropped_before_the_language_is(writer: ReplyWriter) -> None:
    values = worst(CODE_26, "km") | {"agency": "UBND xã Thạnh Thới An"}
    whole = writer.say("in_process", voice("km", segments=0), **values)
    short = writer.say("in_process", voice("km"), **values)
    assert segments_needed(whole)[1] > 2
    assert KHMER.search(short)
    assert len(short) < len(whole)


def test_two_answers_are_khmer_or_vietnamese_but_never_both(writer: ReplyWriter) -> None:
    answers = [DossierAnswer(code=DossierCode(text=CODE_26), outcome=Outcome.NOT_FOUND) for _ in range(2)]
    text = writer.dossier_answers(answers, voice("km"))
    assert segments_needed(text)[1] <= 2
    assert KHMER.search(text) or text.isascii()


def test_a_khmer_value_never_becomes_question_marks_in_a_vietnamese_text(writer: ReplyWriter) -> None:
    long_name = "ការចុះបញ្ជីអាពាហ៍ពិពាហ៍នៅគណៈកម្មាធិការប្រជាជនឃុំ"
    where = {"vi": "UBND xã", "km": "គណៈកម្មាធិការប្រជាជនឃុំដែលអ្នករស់នៅ"}
    for text in (
        writer.procedure(replace(marriage(km=long_name), where=where, fee=where), voice("km")),
        writer.which_procedure([marriage(km=long_name), marriage(km=long_name + "ខ")] * 2, voice("km")),
    ):
        assert "ket hon" in text.lower()
        assert "??" not in text
    assert long_name[:20] in writer.procedure(marriage(km=long_name), voice("km", segments=0))


def test_operators_khmer_words_are_said_in_khmer_or_not_at_all() -> None:
    texts = {"km": "ប្រព័ន្ធត្រូវបានថែទាំ និងធ្វើបច្ចុប្បន្នភាព", "vi": "Bảo trì"}
    announced = Announced(starts_at=NOW, ends_at=NOW + timedelta(hours=2), texts=texts)
    code = DossierCode(text=CODE_26)
    told = writer_of(announced).dossier_answers([DossierAnswer(code=code, outcome=Outcome.NOT_FOUND)], voice("km"))
    assert "??" not in told
    notices = NoticeWriter(catalogue(), Agencies.from_mapping(shipped_agencies()))
    for segments in (1, 2, 0):
        notice = notices.stoppage(NOW, announced.ends_at, voice("km", segments=segments), text=texts["km"] * 4)
        assert "??" not in notice
        assert segments == 0 or segments_needed(notice)[1] <= segments


@pytest.mark.parametrize("text", [*flat(khmer()["reply"]), *flat(khmer()["notice"])])
def test_no_cut_falls_inside_a_cluster(text: str) -> None:
    for part in split(f"{text} " * 3, Alphabet.UCS2)[1:]:
        assert unicodedata.category(part[0])[0] != "M", part


def test_vietnamese_and_english_leave_as_they_did(writer: ReplyWriter) -> None:
    alone = ReplyWriter(
        Catalogue.from_mapping(shipped_texts()), Agencies.from_mapping(shipped_agencies()), stale_after=STALE_AFTER
    )
    for language in ("vi", "en"):
        for key in PLACEHOLDERS:
            values = worst(CODE_45, language)
            assert writer.say(key, voice(language), **values) == alone.say(key, voice(language), **values)
