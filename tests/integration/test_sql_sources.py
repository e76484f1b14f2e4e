"""One-stop databases on real servers: what the server is told, what a slow or odd one does, three agencies."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from adapters.onestop.engines import open_reads
from adapters.onestop.mapping import SourceMapping, load_mapping
from adapters.onestop.sql import SqlDossierSource
from domain.codes import CodeFamily, DossierCode
from domain.dossier import DossierStatus
from domain.errors import SettingsError, SourceIncomplete, SourceMisread, SourceUnavailable
from domain.proof import Proof, ProofKind, Sealer
from tests.onestop_schemas.databases import Database, MariadbDatabase, PostgresDatabase, SqliteDatabase
from tests.onestop_schemas.schemas import HERE
from tests.servers.mariadb import Mariadb
from tests.servers.postgres import Postgres

CODE = DossierCode(text="H51.18-210817-0005", agency="H51.18")
ODD = """
name = "odd"
table = "odd"
agency = "H51"
code_type = "{kind}"
{top}
[columns]
code = "number"
status = "state"
due_on = "due"
[status]
4 = 4
"""


def odd(kind: str = "text", top: str = "") -> SourceMapping:
    return load_mapping(ODD.format(kind=kind, top=top), "odd")


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    made: Database
    if request.param == "sqlite":
        made = SqliteDatabase(tmp_path)
    elif request.param == "postgresql":
        made = PostgresDatabase(request.getfixturevalue("postgres"))
    else:
        made = MariadbDatabase(request.getfixturevalue("mariadb"))
    yield made
    made.close()


@pytest.fixture
async def sources() -> AsyncIterator[list[SqlDossierSource]]:
    opened: list[SqlDossierSource] = []
    yield opened
    for source in opened:
        await source.close()


def opened(sources: list[SqlDossierSource], mapping: SourceMapping, url: str, **more: Any) -> SqlDossierSource:
    sources.append(SqlDossierSource(mapping, url, **more))
    return sources[-1]


async def scalar(source: SqlDossierSource, statement: str) -> object:
    return await source._guarded(lambda connection: connection.exec_driver_sql(statement).scalar_one())


# ---- what the server is told


async def test_postgresql_session_is_read_only_and_bounded(postgres: Postgres, sources: list[SqlDossierSource]) -> None:
    source = opened(sources, odd(), postgres.url("postgres"), time_limit=30.5)
    assert await scalar(source, "SHOW default_transaction_read_only") == "on"
    assert await scalar(source, "SHOW statement_timeout") == "30500ms"
    with pytest.raises((SourceMisread, SourceUnavailable), match="read-only"):
        await scalar(source, "CREATE TABLE written (a int)")


async def test_mariadb_session_is_read_only_and_bounded(mariadb: Mariadb, sources: list[SqlDossierSource]) -> None:
    source = opened(sources, odd(), mariadb.url("mysql"), time_limit=30.5)
    assert await scalar(source, "SELECT @@session.tx_read_only") == 1
    assert float(str(await scalar(source, "SELECT @@session.max_statement_time"))) == 30.5
    with pytest.raises((SourceMisread, SourceUnavailable), match=r"(?i)read.only"):
        await scalar(source, "DELETE FROM user")


@pytest.mark.parametrize(("server", "slow"), [("postgres", "pg_sleep(60)"), ("mariadb", "sleep(60)")])
async def test_query_nobody_waits_for_ends_on_the_server_too(
    server: str, slow: str, request: pytest.FixtureRequest, sources: list[SqlDossierSource]
) -> None:
    running: Any = request.getfixturevalue(server)
    source = opened(sources, odd(), running.url({"postgres": "postgres", "mariadb": "mysql"}[server]), time_limit=0.2)
    with pytest.raises(SourceUnavailable):
        await scalar(source, f"SELECT {slow}")
    watcher = opened(sources, odd(), running.url({"postgres": "postgres", "mariadb": "mysql"}[server]))
    left = {
        "postgres": "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'",
        "mariadb": "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT sleep%%'",
    }
    async with asyncio.timeout(60):
        while await scalar(watcher, left[server]):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.02)


# ---- odd columns and values


async def test_code_that_is_a_number_is_found_as_one(database: Database, sources: list[SqlDossierSource]) -> None:
    database.create("odd", {"number": "int", "state": "int", "due": "code"})
    database.insert("odd", {"number": 1234, "state": 4, "due": "20261122"})
    source = opened(sources, odd("integer", 'date_formats = ["yyyyMMddHHmmss"]'), database.url)
    legacy = DossierCode(text="1234", family=CodeFamily.LEGACY, agency="H51")
    padded = DossierCode(text="01234", family=CodeFamily.LEGACY, agency="H51")
    found = await source.find([legacy, padded, CODE])
    assert list(found) == [legacy]
    assert found[legacy].due_on == date(2026, 11, 22)
    assert await source.find([CODE]) == {}


async def test_padded_code_column_is_read(database: Database, sources: list[SqlDossierSource]) -> None:
    database.execute(f"CREATE TABLE {database.named('odd')} (number CHAR(30), state CHAR(5), due VARCHAR(20))")
    database.insert("odd", {"number": CODE.text, "state": "04", "due": ""})
    found = await opened(sources, odd(), database.url).find([CODE])
    assert found[CODE].status is DossierStatus.IN_PROCESS


async def test_row_of_wrong_types_does_not_spoil_its_neighbours(
    database: Database, sources: list[SqlDossierSource]
) -> None:
    database.create("odd", {"number": "code", "state": "text", "due": "text"})
    values = ["tomorrow", "9999-99-99", "0000-00-00", "x" * 400, "2026-11-22 00:00:00"]
    codes = [DossierCode(text=f"H51.18-210817-{number:04d}", agency="H51.18") for number in range(len(values))]
    for code, due in zip(codes, values, strict=True):
        database.insert("odd", {"number": code.text, "state": "4", "due": due})
    found = await opened(sources, odd(), database.url).find(codes)
    assert [found[code].due_on for code in codes] == [None, None, None, None, date(2026, 11, 22)]
    assert {dossier.status for dossier in found.values()} == {DossierStatus.IN_PROCESS}


async def test_text_that_is_no_utf8_spoils_one_value_only(tmp_path: Path, sources: list[SqlDossierSource]) -> None:
    database = SqliteDatabase(tmp_path)
    database.create("odd", {"number": "code", "state": "text", "due": "text"})
    database.execute(f"INSERT INTO odd VALUES ('{CODE.text}', CAST(x'ff34' AS TEXT), '2026-11-22')")
    found = await opened(sources, odd(), database.url).find([CODE])
    assert (found[CODE].status, found[CODE].due_on) == (None, date(2026, 11, 22))


async def test_dossier_is_found_by_its_other_code_as_well(database: Database, sources: list[SqlDossierSource]) -> None:
    database.create("odd", {"number": "code", "other": "code", "state": "int", "due": "code"})
    database.insert("odd", {"number": "1", "other": CODE.text, "state": 4, "due": ""})
    one = DossierCode(text="1", family=CodeFamily.LEGACY, agency="H51")
    found = await opened(sources, odd(top='other_codes = ["other"]'), database.url).find([CODE, one])
    assert set(found) == {CODE, one}


NEWER = DossierCode(text="H51.18-230101-0009", agency="H51.18")
OTHER = 'other_codes = ["other"]'


async def test_own_code_wins_over_another_dossiers_other_code(
    database: Database, sources: list[SqlDossierSource]
) -> None:
    database.create("odd", {"number": "code", "other": "code", "state": "int", "due": "code"})
    database.insert("odd", {"number": CODE.text, "other": None, "state": 4, "due": "2021-08-30"})
    database.insert("odd", {"number": NEWER.text, "other": CODE.text, "state": 4, "due": "2023-01-30"})
    found = await opened(sources, odd(top=OTHER), database.url).find([CODE, NEWER])
    assert {code: dossier.due_on for code, dossier in found.items()} == {
        CODE: date(2021, 8, 30),
        NEWER: date(2023, 1, 30),
    }


@pytest.mark.parametrize("own", ["H51.18-230101-0010", None])
async def test_code_that_is_only_the_other_code_of_several_dossiers_is_told_of_none(
    own: str | None, database: Database, sources: list[SqlDossierSource]
) -> None:
    database.create("odd", {"number": "code", "other": "code", "state": "int", "due": "code"})
    for number in (own and NEWER.text, own):
        database.insert("odd", {"number": number, "other": CODE.text, "state": 4, "due": ""})
    counted: list[str] = []
    source = opened(sources, odd(top=OTHER), database.url, count=lambda event, _: counted.append(event))
    assert await source.find([CODE]) == {}
    assert counted == ["several_records"]


SEVERAL = """
name = "several"
table = "odd"
[agency]
column = "agency"
[columns]
code = "number"
status = "state"
unit = "copy.unit"
changed_at = "copy.moved"
[[joins]]
name = "copy"
table = "copies"
on = { id = "id" }
several = true
[[hidden]]
column = "deleted"
filled = true
[status]
4 = 4
10 = 10
"""


@pytest.fixture
def copies(database: Database) -> Database:
    columns = {"id": "int", "number": "code", "state": "int", "agency": "code", "deleted": "code"}
    database.create("odd", columns)
    database.create("copies", {"id": "int", "unit": "code", "moved": "code"})
    return database


def plant(database: Database, number: str, *moved: str, **more: object) -> None:
    """A dossier with a copy for each day it moved on, called by that day."""
    row = {"id": int(moved[0][:4]), "number": number, "state": 4, "agency": "H51.18", "deleted": ""}
    database.insert("odd", {**row, **more})
    for day in moved:
        database.insert("copies", {"id": row["id"], "unit": day, "moved": day})


async def test_of_several_copies_the_one_that_moved_last_is_told_and_that_is_no_alarm(
    copies: Database, sources: list[SqlDossierSource]
) -> None:
    counted: list[str] = []
    plant(copies, CODE.text, "2025-01-01", "2025-03-01", "2025-02-01")
    source = opened(sources, load_mapping(SEVERAL, "x"), copies.url, count=lambda event, _: counted.append(event))
    assert (await source.find([CODE]))[CODE].unit == "2025-03-01"
    assert [sample["agency"] for sample in (await source.inspect()).samples] == ["H51.18"]
    assert counted == []


async def test_removed_row_that_moved_later_hides_no_dossier(copies: Database, sources: list[SqlDossierSource]) -> None:
    plant(copies, CODE.text, "2025-01-01")
    plant(copies, CODE.text, "2026-01-01", deleted="2026-02-01")
    source = opened(sources, load_mapping(SEVERAL, "x"), copies.url)
    assert (await source.find([CODE]))[CODE].unit == "2025-01-01"
    report = await source.inspect()
    assert [sample["changed_at"] for sample in report.samples] == ["01/01/2025"]


async def test_legacy_number_two_agencies_gave_is_two_dossiers(
    copies: Database, sources: list[SqlDossierSource]
) -> None:
    plant(copies, "77/2016", "2025-01-01")
    plant(copies, "77/2016", "2026-01-01", agency="000.00.14.H51", state=10)
    first, second = (
        DossierCode(text="77/2016", family=CodeFamily.LEGACY, agency=each) for each in ("H51.18", "H51.14")
    )
    source = opened(sources, load_mapping(SEVERAL, "x"), copies.url)
    found = await source.find([first, second])
    assert {code: dossier.status for code, dossier in found.items()} == {
        first: DossierStatus.IN_PROCESS,
        second: DossierStatus.RETURNED,
    }
    assert len((await source.inspect()).samples) == 2


# ---- a row that cannot be read

SECRET = "0912 345 678 Nguyen Van An"
MANY = [DossierCode(text=f"H51.18-210817-{number:04d}", agency="H51.18") for number in range(1, 61)]


@pytest.fixture(params=["postgresql", "sqlite", "year 20000"])
def view(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A view that cannot be read where `raw` holds SECRET."""
    made: Database
    broken = "CAST(due AS bigint)"
    if request.param == "sqlite":
        made = SqliteDatabase(tmp_path)
        broken = "json_extract(due, '$')"
    else:
        made = PostgresDatabase(request.getfixturevalue("postgres"))
        if request.param == "year 20000":  # the driver's own fault: Python knows no such year
            broken = "CASE WHEN due = '1' THEN NULL ELSE TIMESTAMP '20000-01-01' END"
    made.create("raw", {"number": "code", "state": "int", "due": "code"})
    made.execute(f"CREATE VIEW odd AS SELECT number, state, {broken} AS due FROM raw")
    for code in MANY[:40]:
        made.insert("raw", {"number": code.text, "state": 4, "due": "1"})
    yield made
    made.close()


def spoil(view: Database, *codes: DossierCode) -> None:
    for code in codes:
        view.execute(f"UPDATE raw SET due = '{SECRET}' WHERE number = '{code.text}'")


async def test_row_that_cannot_be_read_hides_only_itself(view: Database, sources: list[SqlDossierSource]) -> None:
    spoil(view, MANY[4], MANY[30])
    source = opened(sources, odd(), view.url)
    with pytest.raises(SourceIncomplete) as caught:
        await source.find(MANY)
    assert caught.value.failed == {MANY[4], MANY[30]}
    assert set(caught.value.found) == set(MANY[:40]) - caught.value.failed
    assert {dossier.status for dossier in caught.value.found.values()} == {DossierStatus.IN_PROCESS}
    with pytest.raises(SourceMisread):
        await source.find([MANY[4]])
    assert set(await source.find([MANY[0]])) == {MANY[0]}


async def test_view_of_which_no_row_can_be_read_is_a_misread_after_few_reads(
    view: Database, sources: list[SqlDossierSource]
) -> None:
    spoil(view, *MANY)
    source = opened(sources, odd(), view.url)
    reads: list[int] = []
    fetch = source._fetch
    source._fetch = lambda *given: reads.append(1) or fetch(*given)  # type: ignore[method-assign, func-returns-value]
    with pytest.raises(SourceMisread):
        await source.find(MANY[:40])
    assert len(reads) <= 41


async def test_fault_of_a_row_says_nothing_of_what_stands_in_it(
    view: Database, sources: list[SqlDossierSource]
) -> None:
    spoil(view, *MANY)
    source = opened(sources, odd(), view.url)
    with pytest.raises(SourceMisread) as caught:
        await source.find([MANY[0]])
    report = await source.inspect()
    for word in ("0912", "345", "Nguyen"):
        assert word not in str(caught.value)
        assert word not in str(report)


async def test_fault_of_the_schema_names_the_column(database: Database, sources: list[SqlDossierSource]) -> None:
    database.create("odd", {"number": "code", "due": "code"})
    with pytest.raises(SourceMisread, match="state"):
        await opened(sources, odd(), database.url).find([CODE])


async def test_flags_in_a_bit_column_are_a_number_not_a_digit(
    mariadb: Mariadb, sources: list[SqlDossierSource]
) -> None:
    database = MariadbDatabase(mariadb)
    database.execute("CREATE TABLE odd (number VARCHAR(50), state BIT(8), due VARCHAR(20))")
    database.execute(f"INSERT INTO odd VALUES ('{CODE.text}', 52, '')")
    counted: list[str] = []
    source = opened(sources, odd(), database.url, count=lambda event, _: counted.append(event))
    assert (await source.find([CODE]))[CODE].status is None  # 52, and not the digit 4 that its octet is as text
    assert counted == ["status_unmapped"]
    database.close()


# ---- a system that can answer nobody is not called sound


async def test_account_that_may_not_select_is_found_out_by_check_and_inspection(
    postgres: Postgres, sources: list[SqlDossierSource]
) -> None:
    database = PostgresDatabase(postgres)
    database.create("odd", {"number": "code", "state": "int", "due": "code"})
    database.execute("CREATE ROLE looker LOGIN")
    source = opened(sources, odd(), database.url.replace("postgres@", "looker@"))
    with pytest.raises(SourceMisread, match="permission denied"):
        await source.check()
    assert "permission denied" in (await source.inspect()).trouble
    await source.close()
    database.close()
    postgres.execute("DROP ROLE looker")


async def test_code_column_that_holds_numbers_where_texts_are_asked_for_is_found_out(
    postgres: Postgres, sources: list[SqlDossierSource]
) -> None:
    database = PostgresDatabase(postgres)
    database.create("odd", {"number": "int", "state": "int", "due": "code"})
    source = opened(sources, odd(), database.url)
    with pytest.raises(SourceMisread, match="operator does not exist"):
        await source.check()
    assert "operator does not exist" in (await source.inspect()).trouble
    numbers = opened(sources, odd("integer"), database.url)
    await numbers.check()
    assert (await numbers.inspect()).trouble == ""
    await source.close()
    await numbers.close()
    database.close()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+asyncpg://u:p@ss:w0rd@h/db",
        "mysql+aiomysql://u:ab@ss:w0rd@h:3306/db",
        "mysql+aiomysql://u:pw@h:w0rd/db",
    ],
)
def test_address_that_cannot_be_read_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(SettingsError, match="%40") as caught:
        open_reads(address, "x", 1, 1.0)
    assert "w0rd" not in str(caught.value)
    assert caught.value.__suppress_context__


# ---- three agencies, lists of states, several schemas


@pytest.fixture
def dvcv2(postgres: Postgres) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(postgres)
    for schema in ("case", "lookup", "tthc"):
        database.execute(f'CREATE SCHEMA "{schema}"')
    hoso = {"MaHoSo": "code", "TTHCID": "int", "TinhTrangID": "int", "KenhNop": "int", "LePhi": "int"}
    hoso |= {"DonViNhanID": "int", "DonViXuLyID": "int", "DonViTraKetQuaID": "int", "DonViTien": "code"}
    hoso |= dict.fromkeys(("NgayNhan", "NgayHenTra", "NgayHoanTat", "NgayThucTra"), "moment")
    database.create("case.HOSO", hoso, "MaHoSo")
    database.create("lookup.DM_QG_TINHTRANG", {"TinhTrangID": "int", "Ma": "code"})
    database.create("tthc.DM_QG_THUTUCHANHCHINH", {"TTHCID": "int", "MaTTHC": "code", "TenTTHC": "text"})
    database.insert("lookup.DM_QG_TINHTRANG", {"TinhTrangID": 90, "Ma": "5"})
    database.insert("tthc.DM_QG_THUTUCHANHCHINH", {"TTHCID": 3, "MaTTHC": "1.004946", "TenTTHC": "Thủ tục mẫu"})
    row = {"MaHoSo": CODE.text, "TTHCID": 3, "TinhTrangID": 90, "KenhNop": 1, "LePhi": 150000, "DonViTien": "đồng"}
    row |= {"DonViNhanID": 29, "DonViXuLyID": 17, "DonViTraKetQuaID": 1, "NgayNhan": "2026-11-20 08:30:00"}
    database.insert("case.HOSO", row)
    yield database
    database.close()


async def test_dvcv2_has_three_agencies_and_a_list_of_states(
    dvcv2: PostgresDatabase, sources: list[SqlDossierSource]
) -> None:
    mapping = load_mapping((HERE / "dvcv2.toml").read_text(), "dvcv2")
    source = opened(sources, mapping, dvcv2.url)
    await source.check()
    dossier = (await source.find([CODE]))[CODE]
    assert (dossier.receiving_agency, dossier.agency, dossier.returning_agency) == ("H51.29.18", "H51.18", "H51")
    assert dossier.status is DossierStatus.MORE_DOCUMENTS
    assert (dossier.procedure, dossier.procedure_name) == ("1.004946", "Thủ tục mẫu")
    assert (dossier.fee, dossier.unit) == ("150000 đồng", "Trực tuyến")
    assert dossier.received_at == datetime(2026, 11, 20, 1, 30, tzinfo=UTC)
    report = await source.inspect()
    assert report.place == "case.HOSO"
    assert report.samples[0]["receiving_agency"] == "H51.29.18"


async def test_oepv2_is_read_by_either_number(database: Database, sources: list[SqlDossierSource]) -> None:
    mapping = load_mapping((HERE / "oepv2.toml").read_text(), "oepv2")
    columns = dict.fromkeys((*mapping.all_columns(proofs=True), "subjectName"), "code")
    database.create("oep_dossier", columns, "receptionNo")
    row = {
        "receptionNo": CODE.text,
        "oldReceptionNo": "77/2015",
        "mainStatus": "1",
        "subStatus": "Pending",
        "onegate": "1",
    }
    row |= {"submitDate": "20/11/2026 08:30:00", "receiveDate": "", "estimateDate": "20261122000000", "renewDate": ""}
    database.insert("oep_dossier", {**row, "telNo": "84912345678", "subjectName": "Nguyễn Văn Mẫu"})
    database.insert("oep_dossier", {**row, "receptionNo": "H51.18-210817-0006", "onegate": "0"})
    sealer = Sealer(b"sixteen bytes and more")
    source = opened(sources, mapping, database.url, sealer=sealer)
    old = DossierCode(text="77/2015", family=CodeFamily.LEGACY, agency="H51")
    hidden = DossierCode(text="H51.18-210817-0006", agency="H51.18")
    found = await source.find([CODE, old, hidden])
    assert set(found) == {CODE, old}
    for code, dossier in found.items():
        assert dossier.status is DossierStatus.MORE_DOCUMENTS
        assert dossier.due_on == date(2026, 11, 22)
        assert dossier.received_at == datetime(2026, 11, 20, 1, 30, tzinfo=UTC)
        assert sealer.seal(code, Proof(ProofKind.NUMBER, "0912345678")) in dossier.proofs


# ---- a driver that blocks, in threads of its own


@contextmanager
def held() -> Iterator[tuple[threading.Event, Any]]:
    """Work that blocks its thread until the event is set."""
    free = threading.Event()

    def work(connection: Connection) -> int:
        free.wait(60)
        return 1

    try:
        yield free, work
    finally:
        free.set()


def threads() -> int:
    return sum(thread.name.startswith("onestop-sqlite") for thread in threading.enumerate())


async def test_blocked_driver_never_has_more_threads_than_connections(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path, "pysqlite")
    database.create("odd", {"number": "code"})
    before = threads()
    reads = open_reads(database.url, "x", 2, 30.0)
    with held() as (free, work):
        tries = [asyncio.wait_for(reads.run(work), 0.05) for _ in range(40)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        assert all(isinstance(result, TimeoutError) for result in results)
        assert threads() - before <= 2
        assert reads._threads._work_queue.qsize() == 0  # type: ignore[attr-defined] # nothing piles up behind them
        free.set()
    assert await asyncio.gather(*(reads.run(lambda _: 7) for _ in range(10))) == [7] * 10
    await reads.close()


async def test_cancelled_thread_gives_its_place_back_when_it_is_done(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path, "pysqlite")
    database.create("odd", {"number": "code"})
    reads = open_reads(database.url, "x", 1, 30.0)
    with held() as (free, work):
        first = asyncio.ensure_future(reads.run(work))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(reads.run(lambda _: 2))
        await asyncio.sleep(0)
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        assert not second.done()
        free.set()
        assert await second == 2
    await reads.close()
