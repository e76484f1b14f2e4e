"""A text with placeholders: what is wrong is named with its place, and nobody's name for a thing is read as a text."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.agencies import Agencies
from domain.broadcast_texts import (
    LONGEST_VALUE,
    PLACEHOLDERS,
    BroadcastWriter,
    DossierFacts,
    TextFault,
    TextFaultKind,
    faults,
    filled,
    known_placeholders,
)
from domain.broadcasts import AudienceKind
from domain.catalogue import Catalogue
from domain.codes import DossierCode
from domain.dossier import DossierStatus
from domain.gsm import is_gsm7
from tests.unit.speaking import shipped_agencies, shipped_texts

K = TextFaultKind
TODAY = date(2026, 11, 23)
KNOWN = known_placeholders(AudienceKind.FOLLOWERS)
FACTS = DossierFacts(
    code=DossierCode(text="H51.18-210817-0005", agency="H51.18"),
    agency="H51.18",
    procedure="1.004946",
    status=DossierStatus.IN_PROCESS,
    due_on=date(2026, 10, 8),
)


def names(code: str, language: str) -> str:
    return {"vi": "Cấp giấy khai sinh", "en": "Birth certificate"}[language] if code == "1.004946" else ""


WRITER = BroadcastWriter(Catalogue.from_mapping(shipped_texts()), Agencies.from_mapping(shipped_agencies()), names)


@pytest.mark.parametrize(
    ("text", "kind", "place", "piece"),
    [
        ("", K.EMPTY, 0, ""),
        ("  ", K.EMPTY, 0, ""),
        ("Chào {ten}", K.UNKNOWN, 5, "{ten}"),
        ("Chào {Tên}", K.BRACE, 5, "{Tên}"),
        ("Chào {", K.BRACE, 5, "{"),
        ("{ma_ho_so}}", K.BRACE, 10, "}"),
        ("a\nb", K.SIGN, 0, ""),
        ("a\u202eb", K.SIGN, 0, ""),
    ],
)
def test_a_fault_is_named_with_its_place(text: str, kind: TextFaultKind, place: int, piece: str) -> None:
    assert list(faults({"vi": text}, KNOWN)) == [TextFault(language="vi", kind=kind, place=place, piece=piece)]


def test_no_text_at_all_is_a_fault_and_a_good_one_is_none() -> None:
    assert [fault.kind for fault in faults({}, KNOWN)] == [K.EMPTY]
    assert list(faults({"vi": "Hồ sơ {ma_ho_so} ở {co_quan}"}, KNOWN)) == []


def test_a_list_knows_its_columns_and_no_dossier() -> None:
    assert known_placeholders(AudienceKind.FILE, ("ten",)) == {"ten"}
    assert known_placeholders(AudienceKind.NUMBERS) == set(PLACEHOLDERS)


@given(st.text(max_size=100))
def test_a_value_is_never_read_as_a_text(value: str) -> None:
    said = filled("{ten} é", {"ten": value, "ma_ho_so": "SECRET"})
    assert "SECRET" not in said or "SECRET" in value
    assert len(said) <= LONGEST_VALUE + 2
    assert said.isprintable()


def test_a_value_does_not_make_a_plain_text_dear() -> None:
    assert filled("Ho so o {co_quan}", {"co_quan": "UBND Phường Bạc Liêu"}) == "Ho so o UBND Phuong Bac Lieu"
    assert filled("Hồ sơ ở {co_quan}", {"co_quan": "Bạc Liêu"}) == "Hồ sơ ở Bạc Liêu"


def test_a_placeholder_without_a_value_is_seen() -> None:
    assert filled("Chào {ten}", {}) == "Chào {ten}"


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_placeholder_has_a_value_whatever_is_known(language: str) -> None:
    bare = DossierFacts(code=FACTS.code, agency="", procedure="", status=None)
    for facts in (FACTS, bare):
        values = WRITER.values(facts, language, TODAY)
        assert values.keys() == PLACEHOLDERS.keys()
        assert all(values.values())


def test_a_person_reads_their_language_where_it_was_written() -> None:
    texts = {"vi": "Hồ sơ {ma_ho_so}: {thu_tuc}, hẹn {ngay_hen}, {trang_thai}", "en": "{thu_tuc} by {ngay_hen}"}
    assert WRITER.write(texts, language="en", today=TODAY, facts=FACTS).text == "Birth certificate by 08 Oct 2026"
    for language in (None, "vi", "km"):
        written = WRITER.write(texts, language=language, today=TODAY, facts=FACTS)
        assert written.language == "vi"
        assert written.text.startswith("Hồ sơ H51.18-210817-0005: Cấp giấy khai sinh, hẹn 08/10/2026, ")


def test_who_wants_no_accents_gets_none() -> None:
    written = WRITER.write({"vi": "Hồ sơ {ma_ho_so} {thu_tuc}"}, language=None, today=TODAY, plain=True, facts=FACTS)
    assert written.text == "Ho so H51.18-210817-0005 Cap giay khai sinh"
    assert is_gsm7(written.text)
