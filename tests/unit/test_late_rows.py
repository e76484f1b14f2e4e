"""Rows of dossiers that were on paper: what each says, everything that is wrong with it, and who it is ever after."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.broadcasts.file_limits import LONGEST_CELL, MOST_COLUMNS, FileFault, FileRefused
from console.broadcasts.workbooks import _as_text
from console.outage.accounts import suspected
from console.outage.rows import (
    HEADS,
    MOST_LATE_ROWS,
    ColumnsMissing,
    LateFrame,
    LateRow,
    LateRows,
    RowFault,
    columns_of,
    late_id,
    read_late_moment,
    read_papers,
    read_yes,
)
from domain.calendar import LOCAL_ZONE, WorkCalendar
from domain.ids import moment_of
from domain.intake import NumberBlock
from domain.numbering import NumberPattern
from domain.procedure import Procedure
from intake.outage import (
    FURTHEST,
    MOST_OF_BLOCK,
    MOST_OPEN,
    IntakeLate,
    LateFault,
    ReservedCode,
    ReserveFault,
    codes_of_all,
    reserve_fault,
)
from tests.contract.intaking import PERSON, dossier
from tests.contract.stores import FakeClock

AGENCY = "H13.01"
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # a Monday, 15:00
TODAY = date(2026, 3, 2)
PATTERNS = {AGENCY: NumberPattern(agency=AGENCY)}
PROCEDURE = Procedure(code="1.004873", names={"vi": "Xác nhận"}, where={"vi": "ở đây"}, fee={"vi": "không"}, days=3)
COLUMNS = tuple(HEADS)
DIGEST = "ab" * 32


def block(**changes: Any) -> NumberBlock:
    values: dict[str, Any] = {"id": 1, "agency": AGENCY, "day": TODAY, "first": 1, "last": 9, "reserved_at": NOW}
    return NumberBlock(**{**values, "reserved_by": "an", **changes})


def frame(*blocks: NumberBlock) -> LateFrame:
    return LateFrame(
        codes=codes_of_all(blocks or (block(),), PATTERNS),
        agencies=frozenset({AGENCY}),
        meant=lambda words, _: PROCEDURE if words == PROCEDURE.code else None,
        digest=DIGEST,
        consent="đồng ý",
        now=NOW,
    )


def row(**changes: str) -> list[str]:
    cells = {"code": "H13.01-260302-0001", "received_at": "02/03/2026 14:30", "procedure": "1.004873", "name": "Bé"}
    return [{**cells, **changes}.get(name, "") for name in HEADS]


def read(*rows: Sequence[str], of: LateFrame | None = None) -> list[LateRow | RowFault]:
    reading = LateRows(frame=of or frame())
    return list(reading.read([COLUMNS_AS_TYPED, *rows]))


COLUMNS_AS_TYPED = [names[0] for names in HEADS.values()]


def faults(**changes: str) -> list[tuple[str, str]]:
    return [(each.column, each.kind.value) for each in read(row(**changes)) if isinstance(each, RowFault)]


# ---- files


def test_columns_that_are_needed_are_named_when_they_are_missing() -> None:
    with pytest.raises(ColumnsMissing) as error:
        columns_of(["Họ và tên", "Ghi chú"])
    assert error.value.names == ["code", "received_at", "procedure"]


def test_columns_are_found_however_they_are_written_and_in_any_order() -> None:
    assert columns_of(["GHI CHÚ", "Thủ  tục", "mã_hồ_sơ", "Nhận Lúc", "Người nộp"]) == {
        "code": 2,
        "received_at": 3,
        "procedure": 1,
        "name": 4,
    }


@pytest.mark.parametrize(
    ("cells", "fault"),
    [(["x" * (LONGEST_CELL + 1)], FileFault.CELL), (["x"] * (MOST_COLUMNS + 1), FileFault.COLUMNS)],
)
def test_rows_beyond_all_measure_end_the_reading(cells: list[str], fault: FileFault) -> None:
    with pytest.raises(FileRefused) as error:
        read(cells)
    assert (error.value.fault, error.value.row) == (fault, 2)


def test_no_more_rows_are_read_than_are_allowed() -> None:
    with pytest.raises(FileRefused, match="rows"):
        read(*[["x"]] * (MOST_LATE_ROWS + 1))


@given(st.lists(st.lists(st.text(max_size=40), max_size=12), max_size=6))
def test_whatever_stands_in_a_row_is_read_or_told_never_an_error(rows: list[list[str]]) -> None:
    for each in read(*rows):
        assert isinstance(each, RowFault)


# ---- rows


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"code": ""}, [("code", "empty")]),
        ({"code": "H13.01-260302-0010"}, [("code", "not_reserved")]),
        ({"code": "H13.02-260302-0001"}, [("code", "not_reserved")]),
        ({"received_at": ""}, [("received_at", "empty")]),
        ({"received_at": "02/03/2026"}, [("received_at", "no_moment")]),
        ({"received_at": "31/02/2026 10:00"}, [("received_at", "no_moment")]),
        ({"received_at": "02/03/2026 15:01"}, [("received_at", "future")]),
        ({"received_at": "01/03/2026 23:59"}, [("received_at", "before_day")]),
        ({"received_at": "01/01/0001 00:00"}, [("received_at", "before_day")]),
        ({"received_at": "31/12/9999 23:59"}, [("received_at", "future")]),
        ({"procedure": ""}, [("procedure", "empty")]),
        ({"procedure": "?"}, [("procedure", "procedure")]),
        ({"name": ""}, [("name", "empty")]),
        ({"name": "x" * 301}, [("name", "too_long")]),
        ({"phone": "12"}, [("phone", "phone")]),
        ({"notify": "có"}, [("phone", "needs_mobile")]),
        ({"notify": "có", "phone": "02993 821 000"}, [("phone", "needs_mobile")]),
        ({"notify": "để xem"}, [("notify", "yes_no")]),
        ({"id_number": "12"}, [("id_number", "id_number")]),
        ({"papers": "Tờ khai (2 cái)"}, [("papers", "papers")]),
        ({"papers": ";".join(["x"] * 41)}, [("papers", "papers")]),
    ],
)
def test_each_fault_is_told_at_its_column(changes: dict[str, str], wrong: list[tuple[str, str]]) -> None:
    assert faults(**changes) == wrong


def test_hints_never_say_who_it_is() -> None:
    told = read(row(name="x" * 301, phone="0912345678x", id_number="094!", address="y" * 301))
    assert all(each.hint in ("", "300") for each in told if isinstance(each, RowFault))


def test_a_good_row_is_a_late_registration_with_its_code() -> None:
    [found] = read(row(code="h13.01 260302 0004", received_at="02/03/2026 14h30", phone="0912 345 678", notify="x"))
    assert isinstance(found, LateRow)
    wish = found.wish
    assert (wish.agency, wish.block, wish.serial, wish.late) == (AGENCY, 1, 4, True)
    assert wish.received_at == wish.declared_at == datetime(2026, 3, 2, 14, 30, tzinfo=LOCAL_ZONE)
    assert (wish.notify, wish.notify_words) == (True, "đồng ý")


def test_a_code_that_is_used_is_left_to_whoever_knows_by_which_row() -> None:
    [found] = read(row(), of=frame(block(used=frozenset({1}))))
    assert isinstance(found, LateRow)
    assert found.used


def test_a_void_code_and_one_that_stands_twice_are_told() -> None:
    told = read(row(), row(), row(code="H13.01-260302-0002"), of=frame(block(void={2: "rách"})))
    assert [(each.row, each.kind.value, each.hint) for each in told if isinstance(each, RowFault)] == [
        (3, "twice", "2"),
        (4, "void", "H13.01-260302-0002"),
    ]


def test_rows_of_a_file_never_share_an_identifier_and_keep_theirs() -> None:
    at = datetime(2026, 3, 2, 14, 30, tzinfo=LOCAL_ZONE)
    found = {late_id(DIGEST, number, at) for number in range(MOST_LATE_ROWS)}
    assert len(found) == MOST_LATE_ROWS
    assert late_id(DIGEST, 7, at) == late_id(DIGEST, 7, at) != late_id("cd" * 32, 7, at)
    assert all(at <= moment_of(each) < at + timedelta(minutes=1) for each in found)


@pytest.mark.parametrize(
    ("typed", "meant"), [("", False), ("không", False), ("CÓ", True), ("x", True), ("0", False), ("chắc", None)]
)
def test_consent_is_said_or_it_is_none(typed: str, meant: bool | None) -> None:  # noqa: FBT001 - what is expected
    assert read_yes(typed) is meant


def test_papers_are_counted_by_kind_and_a_name_may_have_brackets() -> None:
    found = read_papers("Tờ khai; Giấy chứng nhận (sổ đỏ); CCCD (2 chụp); Giấy khai sinh (1 sao)")
    assert found is not None
    assert [(each.name, each.originals, each.certified, each.copies) for each in found] == [
        ("Tờ khai", 1, 0, 0),
        ("Giấy chứng nhận (sổ đỏ)", 1, 0, 0),
        ("CCCD", 0, 0, 2),
        ("Giấy khai sinh", 0, 1, 0),
    ]


def test_a_moment_of_a_workbook_keeps_its_time() -> None:
    cell = _as_text(datetime(2026, 3, 2, 14, 30))  # noqa: DTZ001 - as a sheet has it
    assert read_late_moment(cell) == datetime(2026, 3, 2, 14, 30, tzinfo=LOCAL_ZONE)
    assert _as_text(datetime(2026, 3, 2)) == "02/03/2026"  # noqa: DTZ001 - the same


# ---- setting aside


@pytest.mark.parametrize(
    ("count", "day", "fault"),
    [
        (0, TODAY, ReserveFault.COUNT),
        (MOST_OF_BLOCK + 1, TODAY, ReserveFault.COUNT),
        (1, TODAY - timedelta(days=1), ReserveFault.PAST),
        (1, TODAY + FURTHEST + timedelta(days=1), ReserveFault.TOO_FAR),
        (1, date(2026, 3, 7), ReserveFault.DAY_OFF),
        (MOST_OF_BLOCK, TODAY, None),
        (1, TODAY + FURTHEST, None),
    ],
)
def test_how_many_of_which_day_may_be_set_aside(count: int, day: date, fault: ReserveFault | None) -> None:
    assert reserve_fault(count, day, today=TODAY, calendar=WorkCalendar(), blocks=[block()]) is fault


def test_today_may_be_a_day_off_since_a_desk_may_be_open() -> None:
    sunday = date(2026, 3, 1)
    assert reserve_fault(1, sunday, today=sunday, calendar=WorkCalendar(), blocks=[]) is None


def test_codes_that_are_accounted_for_do_not_count_as_open() -> None:
    full = block(last=MOST_OPEN)
    done = block(last=MOST_OPEN, used=frozenset(range(1, MOST_OPEN + 1)))
    asked = {"today": TODAY, "calendar": WorkCalendar()}
    assert reserve_fault(1, TODAY, **asked, blocks=[full]) is ReserveFault.TOO_MANY_OPEN  # type: ignore[arg-type] # a table
    assert reserve_fault(1, TODAY, **asked, blocks=[done]) is None  # type: ignore[arg-type] # the same


# ---- what the form of a new dossier asks


class Blocks:
    """A book of blocks only."""

    def __init__(self, *blocks: NumberBlock) -> None:
        self._blocks = blocks

    async def blocks(self, agencies: frozenset[str], *, since: date) -> Sequence[NumberBlock]:
        return [each for each in self._blocks if each.agency in agencies and each.day >= since]


async def test_a_form_with_a_code_from_paper_is_checked_as_a_row_is() -> None:
    book: Any = Blocks(block(used=frozenset({2})), block(id=2, day=TODAY + timedelta(days=1)))
    late = IntakeLate(book, patterns=PATTERNS, clock=lambda: NOW)
    code = await late.check("h13.01-260302-0001", NOW, [AGENCY])
    assert isinstance(code, ReservedCode)
    assert (code.block, code.serial) == (1, 1)
    for typed, at, wrong in (
        ("", NOW, [LateFault.NOT_RESERVED]),
        ("H13.01-260302-0001", None, [LateFault.NO_MOMENT]),
        ("H13.01-260302-0002", NOW + timedelta(minutes=1), [LateFault.USED, LateFault.FUTURE]),
        ("H13.01-260303-0001", NOW, [LateFault.BEFORE_DAY]),
    ):
        assert await late.check(typed, at, [AGENCY]) == wrong
    assert await late.check("H13.01-260302-0001", NOW, ["H13.02"]) == [LateFault.NOT_RESERVED]
    assert await late.waiting([AGENCY]) == 8  # tomorrow's are not due yet


# ---- suspected twice


class Forms:
    """A clock, and ids."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self._next = 0

    def new_id(self) -> int:
        self._next += 1
        return self._next


def test_pairs_are_of_one_person_procedure_and_day() -> None:
    forms = Forms()
    paper = dossier(forms, late=True)
    same = dossier(forms, person=replace(PERSON, name="NGUYỄN  thị bé", phone="", id_number=""))
    contradicted = dossier(forms, person=replace(PERSON, id_number="094000000000"))
    others = [
        same,
        contradicted,
        dossier(forms, procedure="1.1"),
        dossier(forms, received_at=forms.clock.now + timedelta(days=1)),
        dossier(forms, late=True),
        dossier(forms, person=replace(PERSON, name="Lê Tám", phone="", id_number="")),
    ]
    assert [(each.system.id, each.alike) for each in suspected([paper], others)] == [(same.id, ["name"])]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_blank_file_of_every_language_has_the_columns_we_read(language: str) -> None:
    path = Path(__file__).parents[2] / "config" / "console" / f"{language}.toml"
    words = tomllib.loads(path.read_text(encoding="utf-8"))["late_column"]
    assert columns_of([words[name] for name in HEADS]) == {name: place for place, name in enumerate(HEADS)}
