"""Every source has its own states and dates; what nobody mapped is an alarm, never passed through."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.onestop.dates import DATE_FORMATS, is_nothing, read_moment
from adapters.onestop.mapping import PERSONAL_COLUMNS, SourceMapping, load_mapping, status_key
from adapters.onestop.records import RecordReader
from demo.onestop import NEXT, OPENCPS_STATES
from domain.codes import CodeFamily, DossierCode
from domain.dossier import LEGAL_MOVES, Dossier, DossierStatus
from domain.errors import SettingsError
from tests.onestop_schemas.schemas import CONFIG, SCHEMAS, Schema

FILES = sorted(file for file in CONFIG.glob("*.toml") if "table" in tomllib.loads(file.read_text()))
LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
CODE = DossierCode(text="H51.18-210817-0005", agency="H51.18")
MINIMAL = """
name = "small"
table = "t"
prefixes = ["H51"]
agency = "H51"
[columns]
code = "c"
status = "s"
received_at = "r"
due_on = "d"
[status]
4 = 4
processing = 4
9 = 9
"""
Notes = list[tuple[str, str]]


def small(extra: str = "") -> SourceMapping:
    return load_mapping(extra + MINIMAL, "small.toml")


WORDS = ("code", "status", "received_at", "due_on", "agency")


def read(row: tuple[Any, ...], mapping: SourceMapping | None = None) -> tuple[Dossier, Notes]:
    notes: Notes = []
    reader = RecordReader(mapping or small(), "small", lambda event, value: notes.append((event, value)))
    return reader.read(dict(zip(WORDS, row, strict=False)), CODE), notes


# ---- states


@pytest.mark.parametrize(
    "value", [None, "", "13", 13, "interoperating", "4a", "-4", "44", "٤", b"\xff", True, [4], {"4": 4}]
)
def test_unmapped_state_is_none_and_noted_never_passed_through(value: object) -> None:
    dossier, notes = read((CODE.text, value, None, None))
    assert dossier.status is None
    assert [event for event, _ in notes] == ["status_unmapped"]


@pytest.mark.parametrize(
    "value", ["4", 4, 4.0, "04", " 4 ", "4.0", "processing", "Processing", " PROCESSING\n", b"4", Decimal("4.00")]
)
def test_state_is_read_however_the_source_types_it(value: object) -> None:
    dossier, notes = read((CODE.text, value, None, None))
    assert dossier.status is DossierStatus.IN_PROCESS
    assert notes == []


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=lambda schema: schema.style)
def test_shipped_mapping_reaches_every_state_its_schema_can_say(schema: Schema) -> None:
    mapping = schema.mapping()
    assert {state.status for _, state in mapping.meanings()} == schema.says
    assert mapping.name == schema.style


def test_two_schemas_can_say_all_ten_national_states() -> None:
    assert sorted(style for style, schema in SCHEMAS.items() if schema.says == set(DossierStatus)) == [
        "opencps",
        "thanhhoa",
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_shipped_mapping_names_no_column_with_persons(file: Path) -> None:
    mapping = load_mapping(file.read_text(), file.name)
    assert not PERSONAL_COLUMNS & {column.casefold() for column in mapping.all_columns()}


def test_every_shipped_mapping_of_a_database_has_its_schema_among_the_tests() -> None:
    ours = "intake"  # a view of our own store: tests/integration/test_intake_source.py reads it
    assert [file.stem for file in FILES] == sorted([*SCHEMAS, ours])


def test_demo_and_mapping_agree_on_the_states_of_opencps() -> None:
    known = SCHEMAS["opencps"].mapping().status
    assert {name: known[name].status for name in OPENCPS_STATES.values()} == {
        name: status for status, name in OPENCPS_STATES.items()
    }
    assert not any(known[name].assumed for name in OPENCPS_STATES.values())


def test_demo_desk_makes_legal_moves_only() -> None:
    assert all(after in LEGAL_MOVES[before] for before, after in NEXT.items())


@given(st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.binary(), st.decimals()))
def test_no_state_breaks_the_reader(value: object) -> None:
    assert isinstance(status_key(value), str)


# ---- dates

MOMENT = datetime(2026, 11, 22, 9, 5, 7, tzinfo=LOCAL)
WRITTEN = [
    ("yyyyMMddHHmmss", "20261122090507", MOMENT),
    ("yyyyMMddHHmmss", 20261122090507, MOMENT),
    ("yyyyMMddHHmmss", "20261122", MOMENT.replace(hour=0, minute=0, second=0)),
    ("yyyy-MM-dd HH:mm:ss", "2026-11-22 09:05:07", MOMENT),
    ("yyyy-MM-dd HH:mm:ss", "2026-11-22", MOMENT.replace(hour=0, minute=0, second=0)),
    ("iso", "2026-11-22T09:05:07.250", MOMENT.replace(microsecond=250_000)),
    ("iso", "2026-11-22T02:05:07Z", MOMENT),
    ("iso", "2026-11-22T09:05:07+07:00", MOMENT),
    ("dd/MM/yyyy HH:mm:ss", "22/11/2026 09:05:07", MOMENT),
    ("dd/MM/yyyy HH:mm:ss", " 22/11/2026 ", MOMENT.replace(hour=0, minute=0, second=0)),
]
EMPTY = [None, "", "   ", "0000-00-00", "0000-00-00 00:00:00", "00/00/0000", "00000000000000", "0001-01-01T00:00:00"]
EMPTY += ["1900-01-01 00:00:00"]
UNREADABLE = [
    "tomorrow",
    "2026-13-01 00:00:00",
    "31/02/2026",
    "22-11-2026",
    "٢٠٢٦-11-22",
    "20261122090507000",
    "9" * 500,
]


@pytest.mark.parametrize(("written_in", "value", "expected"), WRITTEN)
def test_date_is_read_in_its_format(written_in: str, value: object, expected: datetime) -> None:
    found = read_moment(value, [DATE_FORMATS[written_in]], LOCAL)
    assert found == expected
    assert found is not None
    assert found.tzinfo is not None


@pytest.mark.parametrize(("written_in", "value", "expected"), WRITTEN)
def test_date_is_read_when_every_format_is_allowed(written_in: str, value: object, expected: datetime) -> None:
    assert read_moment(value, list(DATE_FORMATS.values()), LOCAL) == expected


@pytest.mark.parametrize("value", [MOMENT, MOMENT.replace(tzinfo=None), MOMENT.astimezone(UTC)])
def test_driver_that_gives_datetimes_is_understood(value: datetime) -> None:
    assert read_moment(value, [], LOCAL) == MOMENT


def test_driver_that_gives_days_is_understood() -> None:
    assert read_moment(date(2026, 11, 22), [], LOCAL) == datetime(2026, 11, 22, tzinfo=LOCAL)


@pytest.mark.parametrize("value", EMPTY)
def test_missing_date_is_missing_not_an_error(value: object) -> None:
    assert read_moment(value, list(DATE_FORMATS.values()), LOCAL) is None
    assert is_nothing(value)


@pytest.mark.parametrize(
    "value", ["-", " / ", "01/01/1900", "1753-01-01", "18991231170000", 19000101000000, "19000101", date(1900, 1, 1)]
)
def test_date_before_there_was_any_dossier_is_nothing_however_it_is_written(value: object) -> None:
    assert is_nothing(value)


@pytest.mark.parametrize("value", [0, "0", "12345678", 15001500, "12345678901234", "T", "1901-01-01", "2026-11-22"])
def test_number_or_date_that_only_resembles_an_empty_one_is_something(value: object) -> None:
    assert not is_nothing(value)
    assert is_nothing(value, {str(value).casefold()})


@pytest.mark.parametrize("value", UNREADABLE)
def test_unreadable_date_is_missing_and_noted_and_spoils_nothing_else(value: str) -> None:
    dossier, notes = read((CODE.text, "9", "2026-11-22 09:05:07", value))
    assert (dossier.due_on, dossier.received_at, dossier.status) == (None, MOMENT, DossierStatus.DONE)
    assert notes == [("date_unreadable", "d")]


@pytest.mark.parametrize(
    ("zone", "value"), [("UTC", "2026-11-21 20:00:00"), ("Asia/Ho_Chi_Minh", "2026-11-22 03:00:00")]
)
def test_due_day_is_a_day_in_vietnam(zone: str, value: str) -> None:
    dossier, _ = read((CODE.text, "9", None, value), small(f'time_zone = "{zone}"'))
    assert dossier.due_on == date(2026, 11, 22)


@given(st.datetimes(min_value=datetime(1901, 1, 2), max_value=datetime(9998, 1, 1)))  # noqa: DTZ001 - as databases have them
def test_every_moment_survives_every_format(moment: datetime) -> None:
    whole = moment.replace(microsecond=0)
    written = {
        "yyyyMMddHHmmss": whole.strftime("%Y%m%d%H%M%S"),
        "yyyy-MM-dd HH:mm:ss": whole.isoformat(" "),
        "iso": whole.isoformat(timespec="milliseconds"),
        "dd/MM/yyyy HH:mm:ss": whole.strftime("%d/%m/%Y %H:%M:%S"),
    }
    zone = timezone(timedelta(hours=7))
    assert set(written) == set(DATE_FORMATS)
    for name, text in written.items():
        assert read_moment(text, [DATE_FORMATS[name]], zone) == whole.replace(tzinfo=zone)


# ---- who holds it, what is hidden

WITH_AGENCY = MINIMAL.replace('agency = "H51"', 'agency = { column = "a" }')


@pytest.mark.parametrize(("held_by", "expected"), [("H51.04", "H51.04"), (" ", "H51.18"), (None, "H51.18"), (18, "18")])
def test_agency_stands_in_a_column_or_else_in_the_code(held_by: object, expected: str) -> None:
    dossier, _ = read((CODE.text, "9", None, None, held_by), load_mapping(WITH_AGENCY, "x"))
    assert dossier.agency == expected


@pytest.mark.parametrize(
    ("held_by", "asked", "expected"),
    [
        *(("H51.18", "H51.18", True), ("H51.14", "H51.18", False), ("", "H51.18", False), ("H51.18", "", False)),
        *(("000.00.18.H51", "H51.18", True), ("H51.18", "000.00.18.H51", True), (" h51.18 ", "H51.18", True)),
        *((None, "H51.18", False), ("000.00.14.H51", "H51.18", False), ("000.00.18.H51", "H51", False)),
    ],
)
def test_legacy_number_of_another_agency_or_of_nobody_knows_whom_is_a_strangers_dossier(
    held_by: object, asked: str, *, expected: bool
) -> None:
    reader = RecordReader(load_mapping(WITH_AGENCY, "x"), "small", lambda *_: None)
    legacy = DossierCode(text="1234", family=CodeFamily.LEGACY, agency=asked)
    assert reader.belongs_to({"code": "1234", "agency": held_by}, legacy) is expected


HIDDEN = MINIMAL + '[[hidden]]\ncolumn = "x"\nfilled = true\n[[hidden]]\ncolumn = "y"\nvalues = ["Deleted", 1]\n'


@pytest.mark.parametrize(
    ("deleted_on", "lock", "expected"),
    [
        (None, None, False),
        ("", "", False),
        ("0000-00-00 00:00:00", "0", False),
        ("2026-01-01", None, True),
        (MOMENT, None, True),
        (None, "DELETED", True),
        (None, 1, True),
        (None, "01", True),
        ("1900-01-01 00:00:00", None, False),
        ("0001-01-01T00:00:00", None, False),
        (datetime(1900, 1, 1), None, False),  # noqa: DTZ001 - as a driver gives it
    ],
)
def test_soft_deleted_row_is_hidden(deleted_on: object, lock: object, *, expected: bool) -> None:
    reader = RecordReader(load_mapping(HIDDEN, "x"), "small", lambda *_: None)
    assert reader.is_hidden({"hidden.0": deleted_on, "hidden.1": lock}) is expected


# ---- mapping files


def test_every_fault_of_a_mapping_is_named_at_once() -> None:
    wrong = """
name = "Small!"
time_zone = "Asia/Saigon_City"
date_formats = ["MM/dd/yy"]
prefixes = ["h51"]
agency = "H51"
surprise = 1
[columns]
code = "c"
[status]
1 = 11
"""
    with pytest.raises(SettingsError) as caught:
        load_mapping(wrong, "wrong.toml")
    lines = str(caught.value).splitlines()
    assert all(line.startswith("wrong.toml: ") for line in lines)
    for place in (
        *("name", "table", "time_zone", "date_formats.0", "prefixes.0"),
        *("surprise", "columns.status", "status.1"),
    ):
        assert any(line.startswith(f"wrong.toml: {place}") for line in lines), place


@pytest.mark.parametrize("column", ["ChuHoSo", "applicantname", "SoDienThoaiChuHoSo", "password"])
def test_mapping_cannot_name_a_column_with_persons(column: str) -> None:
    with pytest.raises(SettingsError, match="personal data"):
        load_mapping(MINIMAL.replace('code = "c"', f'code = "c"\nunit = "{column}"'), "x")


def test_state_with_two_meanings_is_refused() -> None:
    with pytest.raises(SettingsError, match="twice"):
        load_mapping(MINIMAL.replace("[status]", "[status]\n04 = 5"), "x")


def test_condition_that_hides_nothing_or_two_things_is_refused() -> None:
    for condition in ("", "filled = true\nvalues = [1]\n"):
        with pytest.raises(SettingsError, match="give either"):
            load_mapping(f'{MINIMAL}[[hidden]]\ncolumn = "x"\n{condition}', "x")


def test_text_that_is_no_toml_is_one_clear_line() -> None:
    with pytest.raises(SettingsError, match=r"^x\.toml: "):
        load_mapping("table = ", "x.toml")
