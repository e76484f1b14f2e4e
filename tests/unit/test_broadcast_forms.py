"""What an author types, and what it comes to before anything is sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from multidict import MultiDict

from channels.sms.segments import plan
from console.broadcasts.estimates import Estimate, values_of
from console.broadcasts.form import (
    BroadcastForm,
    Frame,
    bases_for,
    draft_of,
    form_of,
    read_broadcast_form,
    text_faults,
)
from console.broadcasts.ports import AudienceCount, Draft
from console.broadcasts.shown import sections_of
from console.broadcasts.sizing import cost_of, size_of
from domain.broadcast_fitness import Basis
from domain.broadcast_texts import LONGEST_VALUE
from domain.broadcasts import Audience, AudienceKind, Broadcast, BroadcastState
from tests.integration.consoles import AGENCIES, texts

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LANGUAGES = ("vi", "en", "km")
BASIS = Basis(agency="H13.01", words="Nghị định 61/2018/NĐ-CP điều 19")
FRAME = Frame(agencies=AGENCIES, scope=AGENCIES.scope("H13"), bases=[BASIS], now=NOW)
TYPED = {
    "title": "Nhắc hẹn trả",
    "text_vi": "Hồ sơ {ma_ho_so} hẹn trả {ngay_hen}.",
    "kind": "followers",
    "agency": "H13.01",
    "canary": "100",
}


def form(**changes: Any) -> BroadcastForm:
    fields = MultiDict[str]()
    for name, value in {**TYPED, **changes}.items():
        for each in [value] if isinstance(value, str) else value:
            fields.add(name, each)
    return read_broadcast_form(fields, LANGUAGES)


def faults(frame: Frame = FRAME, **changes: Any) -> list[tuple[str, str]]:
    found = draft_of(form(**changes), frame)
    return [] if isinstance(found, Draft) else [(field, name) for field, name, _ in found]


def segments(text: str) -> int:
    return len(plan(text).parts)


# ---- the form


def test_a_form_that_is_filled_in_is_a_draft() -> None:
    typed = form(status=["4", "2"], received_from="2026-01-05", due_in_days="3", starts_at="2026-03-02T16:00")
    draft = draft_of(typed, FRAME)
    assert isinstance(draft, Draft)
    assert draft.texts == {"vi": "Hồ sơ {ma_ho_so} hẹn trả {ngay_hen}."}
    assert draft.audience == Audience(
        kind=AudienceKind.FOLLOWERS,
        agencies=("H13.01",),
        statuses=(2, 4),
        received_from=date(2026, 1, 5),
        due_in_days=3,
    )
    assert draft.starts_at == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_what_is_kept_is_shown_as_it_was_typed() -> None:
    typed = form(status=["2", "4"], late="1", starts_at="2026-03-02T16:00", procedure="1.004946")
    draft = draft_of(typed, FRAME)
    assert isinstance(draft, Draft)
    kept = Broadcast(
        id=1, agency="H13", author=1, state=BroadcastState.DRAFT, created_at=NOW, title=draft.title, texts=draft.texts,
        audience=draft.audience, starts_at=draft.starts_at, canary=draft.canary,
    )  # fmt: skip
    assert form_of(kept, LANGUAGES) == typed


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"title": " "}, ("title", "no_title")),
        ({"title": "x" * 121}, ("title", "long_title")),
        ({"text_vi": ""}, ("text_vi", "no_text")),
        ({"text_vi": "", "text_en": "Ready"}, ("text_vi", "no_text")),
        ({"text_en": "x" * 1_001}, ("text_en", "long_text")),
        ({"text_vi": "Chào {ten}"}, ("text_vi", "text_unknown")),
        ({"text_vi": "Chào {"}, ("text_vi", "text_brace")),
        ({"kind": "everybody"}, ("kind", "no_kind")),
        ({"agency": []}, ("agency", "no_agency")),
        ({"status": ["11"]}, ("status", "bad_status")),
        ({"received_from": "31/12/2026"}, ("received_from", "bad_date")),
        ({"received_to": "0001-01-01"}, ("received_to", "bad_date")),
        ({"received_from": "2026-02-02", "received_to": "2026-02-01"}, ("received_to", "dates_turned")),
        ({"due_in_days": "-1"}, ("due_in_days", "bad_days")),
        ({"due_in_days": "٣"}, ("due_in_days", "bad_days")),
        ({"due_in_days": "3", "late": "1"}, ("late", "late_and_due")),
        ({"kind": "numbers"}, ("basis", "no_basis")),
        ({"kind": "file", "basis": "vì tôi muốn"}, ("basis", "no_basis")),
        ({"kind": "numbers", "basis": BASIS.words, "agency": ["H13.01", "H13.02"]}, ("basis", "basis_beyond")),
        ({"starts_at": "mai"}, ("starts_at", "bad_moment")),
        ({"starts_at": "9999-12-31T23:00-12:00"}, ("starts_at", "bad_moment")),
        ({"starts_at": "2026-03-02T14:59"}, ("starts_at", "past_moment")),
        ({"canary": "0"}, ("canary", "bad_canary")),
        ({"canary": "99999"}, ("canary", "bad_canary")),
    ],
)
def test_what_is_wrong_is_told_beside_its_field(changes: dict[str, Any], fault: tuple[str, str]) -> None:
    assert fault in faults(**changes)


def test_a_basis_holds_for_the_agency_that_declares_it_and_those_below() -> None:
    assert faults(kind="numbers", basis=BASIS.words, agency=["H13.01", "H13.01.02"]) == []
    assert bases_for([BASIS], AGENCIES, AGENCIES.scope("H13.02")) == []


def test_a_basis_is_not_kept_where_none_is_needed() -> None:
    draft = draft_of(form(basis=BASIS.words), FRAME)
    assert isinstance(draft, Draft)
    assert draft.audience.basis == ""


def test_places_of_a_list_are_known_once_the_list_is_there() -> None:
    typed: dict[str, Any] = {"kind": "file", "basis": BASIS.words, "text_vi": "Chào {ho_ten}"}
    assert faults(**typed) == []
    listed = Audience(kind=AudienceKind.FILE, agencies=("H13.01",), basis=BASIS.words, file="ab")
    assert faults(replace(FRAME, before=listed, columns=("ho_ten",)), **typed) == []
    assert faults(replace(FRAME, before=listed, columns=("ten",)), **typed) == [("text_vi", "text_unknown")]
    assert text_faults({"vi": "Chào {ho_ten}"}, AudienceKind.FILE, ("ten",), listed=True)


def test_no_form_changes_the_list_nor_whom_a_resend_is_for() -> None:
    before = Audience(kind=AudienceKind.FILE, agencies=("H13.01",), basis=BASIS.words, file="ab", failed_of=7)
    typed = form(kind="file", basis=BASIS.words, text_vi="Chào", file="cd", failed_of="8")
    draft = draft_of(typed, replace(FRAME, before=before))
    assert isinstance(draft, Draft)
    assert (draft.audience.file, draft.audience.failed_of) == ("ab", 7)


def test_a_text_is_one_line_without_signs_nobody_sees() -> None:
    assert form(text_vi="Một\r\nhai\u202e ba\x00").texts["vi"] == "Một hai ba"


# ---- what it comes to


@pytest.mark.parametrize(
    ("text", "expected"),
    [("x" * 160, 1), ("x" * 161, 2), ("{" * 80 + "}" * 80, 3), ("ạ" * 70, 1), ("ạ" * 71, 2), ("", 0)],
)
def test_segments_are_counted_by_the_encoder_that_sends(text: str, expected: int) -> None:
    assert size_of("vi", text, {}, segments).segments == expected


def test_the_signs_that_double_the_price_are_named_with_what_is_sent_in_their_place() -> None:
    size = size_of("vi", "Hồ sơ đã xong\u200b, hồ sơ", {}, segments)
    assert [(sign.name, sign.times, sign.plain) for sign in size.forcing] == [
        ("ồ (U+1ED3)", 2, "o"),
        ("ơ (U+01A1)", 2, "o"),
        ("đ (U+0111)", 1, "d"),
        ("ã (U+00E3)", 1, "a"),
        ("… (U+200B)", 1, ""),
    ]
    assert size.is_ucs2


def test_without_accents_is_proposed_where_it_is_cheaper() -> None:
    size = size_of("vi", "ạ" * 100, {}, segments)
    assert (size.most, size.plain_most, size.worth_plain) == (2, 1, True)
    assert not size_of("vi", "ạ" * 10, {}, segments).worth_plain


def test_the_longest_values_are_what_a_place_can_hold() -> None:
    values = values_of(("ho_ten", "khac"), {"ho_ten": "x" * 34})
    assert len(values["khac"][1]) == LONGEST_VALUE, "what nobody has seen yet may be as long as any"
    size = size_of("vi", "Chao {ho_ten}. " + "x" * 120, values, segments)
    assert (size.segments, size.most) == (1, 2)
    assert size.longest.count("x") == 154


def test_the_cost_is_that_of_the_dearest_language_for_everybody() -> None:
    cost = cost_of([1, 3], 1_000, dong_per_segment=350.5, tps=50)
    assert (cost.segments, cost.dong, cost.seconds) == (3_000, 1_051_500, 60)
    assert cost_of([], 10, dong_per_segment=350, tps=0).seconds is None


@pytest.mark.parametrize("language", ["vi", "en"])
def test_an_estimate_is_told_in_lines(language: str) -> None:
    count = AudienceCount(
        dossiers=1_200, people={"sms": 1_000, "zalo": 9}, taken_out={"stopped_all": 3, "blocked": 1}, waits=2, more=True
    )
    cost = cost_of([2], 1_000, dong_per_segment=350, tps=10)
    size = size_of("vi", "ạ" * 80, {}, segments)
    told = sections_of(Estimate(sizes=[size], count=count, cost=cost), texts()[language])
    values = " ".join(value for section in told for _, value in section.rows)
    for part in ("1.200", "700.000", "0:03:20", "ạ (U+1EA1) ×80", "UCS-2"):
        assert part in values
    assert len(told[1].rows) == 9
