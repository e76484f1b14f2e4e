"""The words of a mapping file, one by one: what each makes of a record, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.onestop.fields import Computed
from adapters.onestop.mapping import PERSONAL_COLUMNS, SourceMapping, load_mapping
from adapters.onestop.plain import plain
from adapters.onestop.records import RecordReader, project
from domain.codes import CodeFamily, DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.errors import SettingsError
from domain.proof import Proof, ProofKind, Sealer

S = DossierStatus
CODE = DossierCode(text="H51.18-210817-0005", agency="H51.18")
SEALER = Sealer(b"sixteen bytes and more")
BASE = """
name = "small"
table = "t"
{top}
[columns]
code = "c"
status = "s"
{columns}
[status]
4 = 4
{tail}
"""


def mapping(columns: str = "", top: str = 'agency = "H51"', tail: str = "") -> SourceMapping:
    return load_mapping(BASE.format(columns=columns, top=top, tail=tail), "small.toml")


NO_DATES = (None, "", "-", "0000-00-00", "0000-00-00 00:00:00", "1900-01-01 00:00:00", "0001-01-01", "01/01/1900")


def at(place: str) -> Callable[[Mapping[str, object]], object]:
    return lambda record: record.get(place)


def read(given: SourceMapping, record: Mapping[str, object], sealer: Sealer | None = None) -> Dossier:
    """The dossier in a record whose places are its keys."""
    values = project(given.words(proofs=sealer is not None), at, given.nothings())
    return RecordReader(given, "small", lambda *_: None, sealer).read(values({"c": CODE.text, "s": 4, **record}), CODE)


def notes(given: SourceMapping, record: Mapping[str, object]) -> list[tuple[str, str]]:
    noted: list[tuple[str, str]] = []
    values = project(given.words(proofs=False), at, given.nothings())
    reader = RecordReader(given, "small", lambda event, value: noted.append((event, value)))
    reader.read(values({"c": CODE.text, "s": 4, **record}), CODE)
    return noted


def hidden(given: SourceMapping, record: Mapping[str, object]) -> bool:
    values = project(given.words(proofs=False), at, given.nothings())
    return RecordReader(given, "small", lambda *_: None).is_hidden(values(record))


# ---- computed values


@pytest.mark.parametrize(
    ("how", "record", "expected"),
    [
        ('{ constant = "1.004946" }', {}, "1.004946"),
        ("{ constant = 7 }", {}, "7"),
        ('{ first = ["a", "b"] }', {"a": " ", "b": "second"}, "second"),
        ('{ first = ["a", "b"] }', {"a": "first", "b": "second"}, "first"),
        ('{ first = ["a", "b"] }', {"a": 0, "b": 5}, "0"),
        ('{ first = ["a", "b"] }', {}, ""),
        ('{ joined = ["a", "b"], between = " - " }', {"a": 150000, "b": "đồng"}, "150000 - đồng"),
        ('{ joined = ["a", "b"] }', {"a": None, "b": "x"}, "x"),
        ('{ column = "a", values = { 2 = "at the counter" } }', {"a": "02"}, "at the counter"),
        ('{ column = "a", values = { 2 = "at the counter" } }', {"a": 3}, ""),
        ('"a"', {"a": 150000.0}, "150000"),
        ('"a"', {"a": ["Nguyễn Văn Mẫu"]}, ""),
        ('"a"', {"a": {"name": "Nguyễn Văn Mẫu"}}, ""),
        ('"a"', {"a": "Ph\u200bòng\nmột\x00 cửa"}, "Phòng một cửa"),
    ],
)
def test_value_is_computed(how: str, record: dict[str, object], expected: str) -> None:
    assert read(mapping(f"procedure = {how}"), record).procedure == expected


def test_date_that_was_not_put_off_is_the_first_promise_even_where_zeros_stand_for_nothing() -> None:
    given = mapping('due_on = { first = ["extended", "due"] }')
    for nothing in (*NO_DATES, datetime(1900, 1, 1)):  # noqa: DTZ001 - as a driver gives it
        assert read(given, {"extended": nothing, "due": "2026-11-22 00:00:00"}).due_on == date(2026, 11, 22)
    assert read(given, {"extended": "2026-12-01", "due": "2026-11-22"}).due_on == date(2026, 12, 1)


@pytest.mark.parametrize(
    ("columns", "record", "unknown"),
    [
        ("", {}, True),  # this schema cannot say it
        ('due_on = "d"', {"d": "tuần sau"}, True),  # said, and nobody can read it
        ('due_on = "d"', {"d": None}, False),
        ('due_on = "d"', {"d": "0000-00-00"}, False),
        ('due_on = "d"', {"d": "Chưa có"}, False),
        ('due_on = "d"', {"d": "2026-11-22"}, False),
        ('due_on = "d"', {"d": "1900-01-01 00:00:00"}, False),
        ('due_on = "d"', {"d": datetime(1900, 1, 1)}, False),  # noqa: DTZ001
    ],
)
def test_no_promise_is_told_apart_from_one_that_is_not_known(
    columns: str, record: dict[str, object], *, unknown: bool
) -> None:
    given = mapping(columns, top='agency = "H51"\nplaceholders = ["Chưa có"]')
    assert read(given, record).due_unknown is unknown


def test_placeholder_is_nothing() -> None:
    given = mapping('unit = "u"\ndue_on = "d"', top='agency = { column = "a" }\nplaceholders = ["-", "Chưa có"]')
    dossier = read(given, {"u": " - ", "d": "chưa có", "a": "-"})
    assert (dossier.unit, dossier.due_on, dossier.agency) == ("", None, CODE.agency)
    assert notes(given, {"d": "-"}) == []


def test_placeholder_is_nothing_to_a_rule_to_what_is_hidden_and_to_the_first_that_is_filled() -> None:
    given = mapping(
        'returned_at = "r"\nunit = { first = ["u", "v"] }',
        top='agency = "H51"\nplaceholders = ["Chưa có"]',
        tail='[[rules]]\nfilled = ["returned_at"]\nstatus = 10\n[[hidden]]\ncolumn = "x"\nfilled = true\n',
    )
    assert read(given, {"s": 6, "r": "chưa có"}).status is None
    assert not hidden(given, {"x": " Chưa có "})
    assert read(given, {"u": "Chưa có", "v": "Một cửa"}).unit == "Một cửa"


def test_text_of_any_length_is_cut() -> None:
    assert len(read(mapping('missing = "m"'), {"m": "x" * 100_000}).missing) == 200


# ---- states


FLAGS = """
[[rules]]
bits = 4
filled = ["returned_at"]
status = 10
[[rules]]
bits = 4
status = 9
[[rules]]
bits = 2
empty = ["due_on"]
status = 2
assumed = true
[[rules]]
bits = 2
status = 4
[[rules]]
bits = 0
status = 1
[[rules]]
contains = "Chờ bổ sung"
status = 5
"""


@pytest.mark.parametrize(
    ("written", "record", "expected"),
    [
        (6, {"r": "2026-11-22"}, S.RETURNED),
        *((6, {"r": nothing}, S.DONE) for nothing in NO_DATES),
        (6, {"r": datetime(1, 1, 1)}, S.DONE),  # noqa: DTZ001 - .NET's empty date, as a driver gives it
        (2, {"d": "2026-11-22"}, S.IN_PROCESS),
        (b"\x02", {"d": "2026-11-22"}, S.IN_PROCESS),
        ("2", {}, S.ACCEPTED),
        (0, {}, S.NEWLY_REGISTERED),
        (64, {}, None),
        (-2, {}, None),
        ("đang CHỜ BỔ SUNG giấy tờ", {}, S.MORE_DOCUMENTS),
        (None, {}, None),
    ],
)
def test_flags_are_read_in_the_order_of_the_rules(
    written: object, record: dict[str, object], expected: DossierStatus | None
) -> None:
    given = mapping('due_on = "d"\nreturned_at = "r"', tail=FLAGS)
    assert read(given, {"s": written, **record}).status is expected


SECOND = '[substatus.4]\n"Công dân đã gửi bổ sung" = { status = 2, assumed = true }\n'


@pytest.mark.parametrize(
    ("second", "expected"),
    [("Công dân đã gửi bổ sung", S.ACCEPTED), ("CONG DAN DA GUI BO SUNG ", S.ACCEPTED), ("other", S.IN_PROCESS)],
)
def test_second_state_tells_the_state_more_exactly(second: str, expected: DossierStatus) -> None:
    given = mapping('substatus = "x"', tail=SECOND)
    assert read(given, {"x": second}).status is expected
    assert read(given, {}).status is S.IN_PROCESS


def test_guessed_states_are_known_by_their_mark() -> None:
    given = mapping('substatus = "x"\ndue_on = "d"\nreturned_at = "r"', tail=SECOND + FLAGS)
    assert [label for label, state in given.meanings() if state.assumed] == [
        "4 / cong dan da gui bo sung",
        "bits 2, empty due_on",
    ]


def test_state_that_holds_a_record_is_unmapped_and_nothing_of_it_is_noted() -> None:
    assert notes(mapping(), {"s": {"name": "Nguyễn Văn Mẫu"}}) == [("status_unmapped", "")]


@pytest.mark.parametrize(
    ("written", "noted"),
    [
        *(("interoperating", "interoperating"), ("13", "13"), ("cho_ky-2", "cho_ky-2")),
        *(("Nguyễn Văn An đang ký", "(21 signs)"), ("0912345678", "(9 signs)"), ("gọi 0912 345 678", "(16 signs)")),
    ],
)
def test_of_an_unmapped_state_only_what_is_like_a_code_is_noted(written: str, noted: str) -> None:
    assert notes(mapping(), {"s": written}) == [("status_unmapped", noted)]


# ---- agencies

THREE = """
[agency]
column = "works"
receiving = "received"
returning = "returns"
[agency.values]
17 = "H51.18"
1 = "H51"
"""


def test_three_agencies_are_told_apart_and_their_numbers_become_identifiers() -> None:
    given = mapping(top="", tail=THREE)
    dossier = read(given, {"works": 17, "received": "017", "returns": 1.0})
    assert (dossier.agency, dossier.receiving_agency, dossier.returning_agency) == ("H51.18", "H51.18", "H51")


def test_unknown_agency_is_noted_and_the_codes_own_is_told() -> None:
    given = mapping(top="", tail=THREE)
    assert read(given, {"works": 99}).agency == CODE.agency
    assert notes(given, {"works": 99}) == [("agency_unmapped", "99")]


def test_legacy_number_belongs_to_the_agency_that_gave_it_not_to_the_one_that_works_on_it() -> None:
    reader = RecordReader(mapping(top="", tail=THREE), "small", lambda *_: None)
    values = {"code": "1234", "agency": 17, "receiving_agency": 1}
    for agency, expected in (("H51", True), ("H51.18", False)):
        assert reader.belongs_to(values, legacy(agency)) is expected


@pytest.mark.parametrize("receiving", [None, "", 99])
def test_legacy_number_of_which_nobody_knows_who_gave_it_is_told_to_nobody_and_noted(receiving: object) -> None:
    noted: list[tuple[str, str]] = []
    reader = RecordReader(mapping(top="", tail=THREE), "small", lambda event, value: noted.append((event, value)))
    values = {"code": "1234", "agency": 17, "receiving_agency": receiving}
    assert not reader.belongs_to(values, legacy("H51.18"))
    assert ("giver_unknown", "") in noted


def test_one_agencys_own_installation_gave_every_number_in_it() -> None:
    reader = RecordReader(mapping(top='agency = "H51.18"'), "small", lambda *_: None)
    assert reader.belongs_to({"code": "1234"}, legacy("000.00.18.H51"))
    assert not reader.belongs_to({"code": "1234"}, legacy("H51.14"))


def legacy(agency: str) -> DossierCode:
    return DossierCode(text="1234", family=CodeFamily.LEGACY, agency=agency)


# ---- what is hidden


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        *(("bits = 41", 1, True), ("bits = 41", 40, True), ("bits = 41", 6, False), ("bits = 41", None, False)),
        *(("unless = [4]", 4, False), ("unless = [4]", "04", False), ("unless = [4]", 2, True)),
        *(("unless = [4]", None, True), ("values = [true]", True, True), ("values = [true]", b"\x01", True)),
        *(("values = [true]", b"\x00", False), ("values = [0]", False, True), ("filled = true", b"", False)),
    ],
)
def test_record_is_hidden(condition: str, value: object, *, expected: bool) -> None:
    assert hidden(mapping(tail=f'[[hidden]]\ncolumn = "h"\n{condition}\n'), {"h": value}) is expected


# ---- proofs

PROOF = '[proof]\nnumbers = ["telNo", "delegateTelNo"]\nsecret = "password"\n'


def test_columns_of_proofs_are_not_even_read_without_a_key() -> None:
    given = mapping(tail=PROOF)
    assert not PERSONAL_COLUMNS & {column.casefold() for column in given.all_columns()}
    assert {"telNo", "delegateTelNo", "password"} <= set(given.all_columns(proofs=True))
    assert read(given, {"telNo": "0912345678", "password": "x"}).proofs == frozenset()


@pytest.mark.parametrize(
    "number", ["0912 345 678", 912345678, "+84912345678", 912345678.0, "84912345678", b"0912345678"]
)
def test_number_proves_however_it_is_kept(number: Any) -> None:
    dossier = read(mapping(tail=PROOF), {"delegateTelNo": number}, SEALER)
    assert SEALER.seal(CODE, Proof(ProofKind.NUMBER, "0912345678")) in dossier.proofs
    assert SEALER.seal(CODE, Proof(ProofKind.LAST_FOUR, "5678")) in dossier.proofs
    assert "912345678" not in repr(dossier)


def test_placeholders_prove_nothing() -> None:
    given = mapping(top='agency = "H51"\nplaceholders = ["0000000000", "0"]', tail=PROOF)
    assert read(given, {"telNo": "0000000000", "delegateTelNo": 0, "password": "0000000000"}, SEALER).proofs == set()


# ---- what is refused


@pytest.mark.parametrize(
    ("columns", "top", "tail", "said"),
    [
        ('unit = "applicantName"', 'agency = "H51"', "", "personal"),
        ('unit = { first = ["a", "ChuHoSo"] }', 'agency = "H51"', "", "personal"),
        ("", 'agency = { column = "owner_phone" }', "", "personal"),
        ("", 'agency = "H51"', '[[hidden]]\ncolumn = "telNo"\nfilled = true\n', "personal"),
        ('unit = "applicant.data.fullname"', 'agency = "H51"', "", "personal"),
        ('unit = { first = ["a"], constant = "b" }', 'agency = "H51"', "", "give one of"),
        ("unit = { }", 'agency = "H51"', "", "give one of"),
        ('unit = "other.name"', 'agency = "H51"', "", "no join called other"),
        ("", 'agency = "H51"', "[[rules]]\nstatus = 4\n", "give bits"),
        ("", 'agency = "H51"', '[[rules]]\nfilled = ["nothing"]\nstatus = 4\n', "speaks of nothing"),
        ("", 'agency = "H51"\nother_codes = ["j.x"]', '[[joins]]\nname = "j"\ntable = "j"\non = { x = "c" }\n', "join"),
        ("", 'agency = "H51"', '[[joins]]\nname = "j"\ntable = "j"\non = { x = "k.c" }\n', "no join called k"),
        ("", 'agency = "H51"', '[[joins]]\nname = "j"\ntable = "j"\non = { x = "c" }\n' * 2, "two joins"),
        ("", 'agency = "H51"', '[proof]\nnumbers = ["a", "b", "c", "d"]\n', "at most 3"),
        ("", 'agency = "H51"', "04 = 5\n", "different meanings"),
    ],
)
def test_mapping_is_refused_with_the_reason(columns: str, top: str, tail: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        mapping(columns, top, tail)


def test_mapping_without_a_code_or_a_state_is_refused() -> None:
    text = 'name = "x"\ntable = "t"\nagency = "H51"\n[columns]\nstatus = "s"\n'
    with pytest.raises(SettingsError, match="no state"):
        load_mapping(text, "x")
    with pytest.raises(SettingsError, match=r"columns\.code is missing"):
        load_mapping(text + "[status]\n1 = 1\n", "x")


# ---- nothing a source holds breaks the reader

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
FULL = mapping(
    'substatus = "x"\nreceived_at = "r"\ndue_on = { first = ["d", "e"] }\nreturned_at = "f"\nchanged_at = "g"\n'
    'unit = { joined = ["u", "v"] }\nprocedure = { column = "p", values = { 1 = "one" } }\nfee = "w"\nmissing = "m"',
    top="",
    tail=SECOND + FLAGS.replace('"due_on"', '"unit"') + THREE + PROOF + "[[hidden]]\ncolumn = 'h'\nbits = 4\n",
)


@given(st.dictionaries(st.sampled_from([*FULL.all_columns(proofs=True)]), ANYTHING))
def test_no_record_breaks_the_reader(record: dict[str, object]) -> None:
    assert read(FULL, record, SEALER).code == CODE
    assert hidden(FULL, record) in (True, False)


@given(ANYTHING)
def test_plain_value_is_one_of_few_types(value: object) -> None:
    assert not isinstance(plain(value), bool | bytes | list | dict)


def test_place_may_be_called_a_path() -> None:
    assert Computed.model_validate({"path": "data.code"}).places() == ("data.code",)
