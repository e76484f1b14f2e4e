"""Which dossiers a webhook's body names: every shape we promise, and nothing of a person in any of them."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.onestop.hook_payloads import MOST_CODES, Misfit, Named, PayloadFault, read_payload
from domain.codes import CodeFamily, LegacyPattern

TODAY = date(2026, 10, 8)
NEW, OLD = "H51.18-210817-0005", "000.00.18.H51-161220-0001"
PERSON = {"ChuHoSo": "Nguyễn Văn A", "SoDienThoai": "0912345678", "TaiLieuNop": [{"TepDinhKemId": 1}]}
PROGRESS = {"NguoiXuLy": "Trần Thị B", "TrangThai": "4", "ThoiDiemXuLy": "20261008093000"}


def read(told: object, **more: Any) -> Named:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return read_payload(body, today=TODAY, **more)


def codes(told: object, **more: Any) -> list[str]:
    return [code.text for code in read(told, **more).codes]


def misfit(told: object, **more: Any) -> Misfit:
    with pytest.raises(PayloadFault) as caught:
        read(told, **more)
    return caught.value.misfit


def event(**more: object) -> dict[str, object]:
    return {"specversion": "1.0", "id": "1", "source": "/onestop", "type": "vn.gov.onestop.changed", **more}


SHAPES = {
    "plain": {"codes": [NEW, OLD]},
    "progress": {"session": "x", "service": "CapNhatTienDoHoSoMC", "data": [{"MaHoSo": NEW, **PROGRESS}, {"MaHoSo": OLD}]},
    "sync": {"isUpdating": "True", "service": "DongBoHoSoMC", "data": [{"MaHoSo": NEW, **PERSON}, {"MaHoSo": OLD}]},
    "sync, without a wrapping": [{"MaHoSo": NEW, **PERSON}, {"maHoSo": OLD}],
    "VNPT, both spellings": [{"IDHoSo": NEW}, {"IdHoSo": OLD}],
    "batched events": [event(subject=NEW), event(subject=f"https://onestop.gov.vn/dossiers/{OLD}")],
    "an event around a list": event(subject="two", data=[{"MaHoSo": NEW}, {"code": OLD}]),
    "an event around the national body": event(data={"service": "DongBoHoSoMC", "data": [{"MaHoSo": NEW}, {"MaHoSo": OLD}]}),
    "an event around ours": event(data={"codes": [NEW, OLD]}),
    "a bare list": [NEW, OLD],
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_names_its_dossiers(shape: str) -> None:
    assert codes(SHAPES[shape]) == [NEW, OLD]
    assert read(SHAPES[shape]).unknown == 0


@pytest.mark.parametrize(
    "told",
    [
        {"MaHoSo": NEW, **PROGRESS},
        {"service": "CapNhatTienDoHoSoMC", "data": {"MaHoSo": NEW}},
        {"mahoso": NEW},
        {"MAHOSO": NEW},
        {"MaHoSo": NEW, "IDHoSo": "0912345678"},
        event(subject=NEW),
        event(subject=NEW, data={"TrangThai": 4}),
        event(subject=NEW, data=[{"TrangThai": 4}]),
        event(subject=NEW, data="changed"),
        {"codes": NEW},
    ],
)
def test_a_single_dossier_is_named_without_a_list(told: object) -> None:
    assert codes(told) == [NEW]


def test_a_byte_order_mark_is_passed_over() -> None:
    assert codes(b"\xef\xbb\xbf" + json.dumps({"codes": [NEW]}).encode()) == [NEW]


def test_the_subject_of_binary_mode_counts_where_the_body_names_none() -> None:
    assert codes(b"", subject=NEW) == [NEW]
    assert codes({"TrangThai": 4}, subject=NEW) == [NEW]
    assert codes({"MaHoSo": OLD}, subject=NEW) == [OLD]


def test_a_dossier_named_twice_is_one() -> None:
    assert codes({"codes": [NEW, NEW, NEW.lower(), "H51 18 210817 0005"]}) == [NEW]


def test_what_is_no_code_is_counted_and_does_not_spoil_the_rest() -> None:
    named = read({"data": [{"MaHoSo": NEW}, {"MaHoSo": "0912345678"}, {"MaHoSo": None}, {"MaHoSo": 7}, {"x": 1}, 5]})
    assert [code.text for code in named.codes] == [NEW]
    assert named.unknown == 5


def test_the_example_code_is_nobodys() -> None:
    assert misfit({"codes": ["H51.18-210817-0000"]}) is Misfit.NO_CODE


def test_a_code_dated_next_year_is_taken_as_its_system_writes_it() -> None:
    assert codes({"codes": ["H51.18-271231-0005"]}) == ["H51.18-271231-0005"]


def test_a_receipt_number_of_several_agencies_is_looked_at_for_each() -> None:
    patterns = [LegacyPattern(agency=agency, mask="#####/####/#####") for agency in ("H51.18", "H51.19")]
    found = read({"codes": ["12345/2016/00123"]}, legacy=patterns).codes
    assert {(code.agency, code.family) for code in found} == {
        ("H51.18", CodeFamily.LEGACY),
        ("H51.19", CodeFamily.LEGACY),
    }


def test_nothing_of_a_person_is_in_what_is_taken() -> None:
    told = {"data": [{"MaHoSo": NEW, **PERSON, **PROGRESS}], **PERSON}
    assert all(word not in repr(read(told)) for word in ("Nguyễn", "0912345678", "Trần", "2026100809"))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", Misfit.NOT_JSON),
        (b"\xff\xfe", Misfit.NOT_JSON),
        (b"<xml/>", Misfit.NOT_JSON),
        (b'{"a":' * 100_000, Misfit.NOT_JSON),
        (b'{"MaHoSo":{"a":1}}', Misfit.WRONG_SHAPE),
        (b"[" * 100_000, Misfit.WRONG_SHAPE),
        (b'{"codes":[["H51.18-210817-0005"]]}', Misfit.WRONG_SHAPE),
        (b"", Misfit.NO_CODE),
        (b"{}", Misfit.NO_CODE),
        (b"[]", Misfit.NO_CODE),
        (b"null", Misfit.NO_CODE),
        (b'{"codes":[]}', Misfit.NO_CODE),
        (b'{"codes":["none"]}', Misfit.NO_CODE),
        (b'{"codes":["' + b"H51.18-210817-0005 " * 50 + b'"]}', Misfit.NO_CODE),
        (b'{"data":{"data":{"data":{"data":{"data":["H51.18-210817-0005"]}}}}}', Misfit.NO_CODE),
    ],
)
def test_a_body_that_names_nothing_says_why(body: bytes, why: Misfit) -> None:
    assert misfit(body) is why


def test_a_thousand_dossiers_are_taken_and_not_one_more() -> None:
    told = [f"H51.18-210817-{serial:04}" for serial in range(1, MOST_CODES + 1)]
    assert len(codes({"codes": told})) == MOST_CODES
    assert misfit({"codes": [*told, NEW]}) is Misfit.TOO_MANY_CODES


def test_several_codes_in_one_text_do_not_get_round_the_limit() -> None:
    told = [f"H51.18-210817-{serial:04},H51.18-210818-{serial:04}" for serial in range(1, 600)]
    assert misfit({"codes": told}) is Misfit.TOO_MANY_CODES


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from([NEW, OLD]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["codes", "data", "MaHoSo", "specversion", "subject", "x"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(ANY_JSON, st.none() | st.text(max_size=20))
def test_no_json_makes_it_fail(told: object, subject: str | None) -> None:
    try:
        assert {code.text for code in read(told, subject=subject).codes} <= {NEW, OLD}
    except PayloadFault as fault:
        assert fault.misfit in Misfit  # noqa: PT017  # either is right


@given(st.binary(max_size=200))
@example(b'{"codes":["A00000101+1"]}')
def test_no_bytes_make_it_fail(body: bytes) -> None:
    try:
        assert read(body).codes, "chance may write a code"
    except PayloadFault as fault:
        assert fault.misfit in Misfit  # noqa: PT017  # either is right
