"""What every dossier source over a database promises: the shipped mappings, on real servers, with the same dossiers."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event
from structlog.testing import capture_logs

from adapters.onestop.mapping import SourceMapping, load_mapping
from adapters.onestop.sql import SqlDossierSource
from demo import onestop
from demo.onestop import DemoDossier
from domain.codes import DossierCode
from domain.dossier import DossierStatus
from domain.errors import SettingsError, SourceMisread, SourceUnavailable
from domain.proof import Proof, ProofKind, Sealer
from tests.onestop_schemas.databases import Database, MariadbDatabase, PostgresDatabase, SqliteDatabase
from tests.onestop_schemas.schemas import CONFIG, PHONE, SCHEMAS, ZERO_DATE, Schema

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
TODAY = date(2026, 11, 22)
PLANTED = onestop.hoso_dossiers(TODAY)
SEALER = Sealer(b"sixteen bytes and more")
EMPTY: dict[str, list[str | None]] = {  # column type -> what an empty date may be there
    "TIMESTAMP": [None],
    "DATETIME": [None, "0000-00-00", ZERO_DATE],
    "TEXT": [None, "", "0000-00-00", ZERO_DATE],
    "VARCHAR(50)": [None, "", "0000-00-00", ZERO_DATE],
}
PLACES = [
    *((style, "sqlite") for style in SCHEMAS),
    *((style, "threads") for style in ("thanhhoa", "bkav")),  # SQLite by a driver that blocks, as SQL Server's does
    *((style, "postgresql") for style in ("thanhhoa", "opencps")),
    *((style, "mariadb") for style in SCHEMAS),
]


@dataclass
class Planted:
    """A source over a database of its own."""

    schema: Schema
    database: Database
    counted: Counter[str] = field(default_factory=Counter)
    opened: list[SqlDossierSource] = field(default_factory=list)

    @property
    def table(self) -> str:
        return self.schema.table

    @property
    def mapping(self) -> SourceMapping:
        return self.schema.mapping()

    def source(
        self, *, time_limit: float = 60.0, sealer: Sealer | None = None, connections: int = 2
    ) -> SqlDossierSource:
        source = SqlDossierSource(
            self.mapping,
            self.database.url,
            time_limit=time_limit,
            connections=connections,
            count=lambda event, _: self.counted.update([event]),
            sealer=sealer,
        )
        self.opened.append(source)
        return source

    def plant(self, *dossiers: DemoDossier) -> None:
        self.schema.plant(self.database, *dossiers)

    def column(self, word: str) -> str:
        """The column our word stands in; the last of several."""
        value = self.mapping.columns.named()[word]
        return value if isinstance(value, str) else value.places()[-1]

    def kind_of(self, word: str) -> str:
        """The type of that column in this database."""
        return self.database.kinds[self.schema.tables[self.table][self.column(word)]]


@pytest.fixture(params=PLACES, ids=["-".join(place) for place in PLACES])
async def planted(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Planted]:
    style, kind = request.param
    place = Planted(SCHEMAS[style], make_database(kind, request, tmp_path))
    place.schema.make(place.database)
    place.plant(*PLANTED)
    yield place
    for source in place.opened:
        await source.close()
    place.database.close()
    await drivers_gone()


def make_database(kind: str, request: pytest.FixtureRequest, folder: Path) -> Database:
    """The server is started for the first test that needs it, and not at all without one."""
    if kind == "postgresql":
        return PostgresDatabase(request.getfixturevalue("postgres"))
    if kind == "mariadb":
        return MariadbDatabase(request.getfixturevalue("mariadb"))
    return SqliteDatabase(folder, "pysqlite" if kind == "threads" else "aiosqlite")


async def drivers_gone() -> None:
    """The driver's thread of a connection that failed says so to the loop after its caller was told: let it finish."""
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 5)


def code(text: str) -> DossierCode:
    return DossierCode(text=text, agency=text.rpartition("-")[0].rpartition("-")[0])


def engine_of(source: SqlDossierSource) -> Any:
    engine = source._reads._engine  # type: ignore[attr-defined]
    return getattr(engine, "sync_engine", engine)


async def test_missing_database_is_unavailable_not_empty(planted: Planted) -> None:
    planted.database.close()
    with pytest.raises(SourceUnavailable):
        await planted.source().find([code(PLANTED[0].code)])
    with pytest.raises(SourceUnavailable):
        await planted.source().check()
    with pytest.raises(SourceUnavailable):
        await planted.source().inspect()
    if isinstance(planted.database, SqliteDatabase):
        assert not planted.database.file.exists()


async def test_locked_table_is_unavailable_within_its_time_limit_and_read_again_after(planted: Planted) -> None:
    source = planted.source(time_limit=0.2)
    await until_answered(source)
    with planted.database.locked(planted.table), pytest.raises(SourceUnavailable):
        await source.find([code(PLANTED[0].code)])
    await until_answered(source)


async def until_answered(source: SqlDossierSource) -> None:
    """A busy machine, too, needs longer than the limit; a read that was given up may hold its place until the driver's."""
    async with asyncio.timeout(60):
        while True:
            with suppress(SourceUnavailable):
                assert len(await source.find([code(PLANTED[0].code)])) == 1
                return


async def test_renamed_column_is_a_misread_and_check_names_every_missing_one(planted: Planted) -> None:
    source = planted.source()
    received, due = planted.column("received_at"), planted.column("due_on")
    planted.database.rename(planted.table, received, "other1")
    planted.database.rename(planted.table, due, "other2")
    with pytest.raises(SourceMisread):
        await source.find([code(PLANTED[0].code)])
    with pytest.raises(SourceMisread, match=f"{received}, {due}"):
        await source.check()


async def test_missing_table_is_a_misread(planted: Planted) -> None:
    planted.database.drop(planted.table)
    source = planted.source()
    with pytest.raises(SourceMisread):
        await source.find([code(PLANTED[0].code)])
    with pytest.raises(SourceMisread):
        await source.check()


async def test_missing_joined_table_is_a_misread_and_named(planted: Planted) -> None:
    for join in planted.mapping.joins:
        planted.database.drop(join.table)
        with pytest.raises(SourceMisread):
            await planted.source().find([code(PLANTED[0].code)])
        with pytest.raises(SourceMisread, match=join.table):
            await planted.source().check()


async def test_fault_names_no_dossier_code(planted: Planted) -> None:
    planted.database.drop(planted.table)
    with pytest.raises(SourceMisread) as caught:
        await planted.source().find([code(PLANTED[0].code)])
    assert PLANTED[0].code not in str(caught.value)


async def test_unknown_codes_are_absent(planted: Planted) -> None:
    assert await planted.source().find([code("H51.18-210817-9999"), code("' OR 1=1 --"), code("%")]) == {}
    assert await planted.source().find([]) == {}


async def test_soft_deleted_dossier_is_absent(planted: Planted) -> None:
    deleted = [each for each in PLANTED if each.deleted]
    assert deleted
    assert await planted.source().find([code(each.code) for each in deleted]) == {}


async def test_every_planted_dossier_is_read_as_it_was_planted(planted: Planted) -> None:
    alive = [each for each in PLANTED if not each.deleted]
    source = planted.source()
    found = await source.find([code(each.code) for each in alive])
    assert len(found) == len(alive)
    named = planted.mapping.columns.named()
    for expected in alive:
        dossier = found[code(expected.code)]
        assert dossier.status is planted.schema.status(expected)
        assert dossier.agency == (planted.schema.agency or expected.agency)
        assert dossier.procedure == planted.schema.procedure
        assert dossier.source == source.name == planted.schema.style
        assert dossier.received_at == _aware(expected.received_at)
        assert dossier.due_on == (expected.due_at.date() if expected.due_at else None)
        assert dossier.finished_at == (_aware(expected.finished_at) if "finished_at" in named else None)
        assert dossier.returned_at == (_aware(expected.returned_at) if "returned_at" in named else None)
        assert dossier.proofs == frozenset()


async def test_joined_names_are_read(planted: Planted) -> None:
    in_process = next(each for each in PLANTED if each.status is DossierStatus.IN_PROCESS)
    dossier = (await planted.source().find([code(in_process.code)]))[code(in_process.code)]
    expected = {
        "thanhhoa": ("Thủ tục mẫu", "Phòng chuyên môn"),
        "opencps": ("Thủ tục mẫu", ""),
        "bkav": ("Thủ tục mẫu", "Phòng chuyên môn"),
        "smallmysql": ("", "Đang xử lý"),
    }
    assert (dossier.procedure_name, dossier.unit) == expected[planted.schema.style]
    assert planted.counted == {}


async def test_every_state_the_schema_can_say_late_and_without_due_date_are_among_them(planted: Planted) -> None:
    found = (await planted.source().find([code(each.code) for each in PLANTED])).values()
    assert {dossier.status for dossier in found} == {*planted.schema.says, None}
    assert any(dossier.overdue(TODAY) for dossier in found)
    assert any(dossier.due_on is None for dossier in found)


async def test_unmapped_state_is_counted_each_time_and_logged_once(planted: Planted) -> None:
    unmapped = next(each for each in PLANTED if each.status is None)
    source = planted.source()
    with capture_logs() as logs:
        for _ in range(3):
            assert (await source.find([code(unmapped.code)]))[code(unmapped.code)].status is None
    assert planted.counted["status_unmapped"] == 3
    assert [line["event"] for line in logs] == ["source.status_unmapped"]
    assert unmapped.code not in str(logs)


async def test_empty_dates_are_missing(planted: Planted) -> None:
    source = planted.source()
    for empty in EMPTY[planted.kind_of("due_on")]:
        planted.database.set_all(planted.table, planted.column("due_on"), empty)
        dossier = (await source.find([code(PLANTED[0].code)]))[code(PLANTED[0].code)]
        assert dossier.due_on is None
    assert planted.counted["date_unreadable"] == 0


async def test_two_rows_with_one_code_are_told_as_the_one_that_moved_last(planted: Planted) -> None:
    older = replace(PLANTED[0], received_at=datetime(2020, 1, 1), status=DossierStatus.DONE)  # noqa: DTZ001 - as stored
    planted.plant(older)
    dossier = (await planted.source().find([code(older.code)]))[code(older.code)]
    assert dossier.status is PLANTED[0].status
    assert planted.counted == ({} if any(join.several for join in planted.mapping.joins) else {"code_twice": 1})


async def test_code_kept_in_lower_case_is_not_somebody_elses(planted: Planted) -> None:
    planted.plant(replace(PLANTED[0], code=" h51.18-210817-0009 "), replace(PLANTED[0], code="h51.18-210817-0008"))
    found = await planted.source().find([code("H51.18-210817-0009"), code("H51.18-210817-0008")])
    caseless = planted.database.name == "mariadb"  # its usual collation finds it: it is the very dossier
    assert [each.text for each in found] == (["H51.18-210817-0008"] if caseless else [])


async def test_only_selects_are_sent_and_none_names_a_person(planted: Planted) -> None:
    source = planted.source()
    await source.find([code(PLANTED[0].code)])  # connects, and greets the server
    sent: list[str] = []
    event.listen(engine_of(source), "before_cursor_execute", lambda *given: sent.append(given[2]))
    await source.find([code(each.code) for each in PLANTED])
    assert len(sent) == 1
    assert sent[0].startswith("SELECT ")
    for personal in ("ChuHoSo", "NguoiUyQuyen", "TrichYeu", "applicant", "TelNo", "password", "Citizen", "phone", "*"):
        assert personal.casefold() not in sent[0].casefold()


async def test_with_a_key_the_number_on_the_dossier_proves_and_is_kept_nowhere(planted: Planted) -> None:
    asked = code(PLANTED[0].code)
    dossier = (await planted.source(sealer=SEALER).find([asked]))[asked]
    for proof in (Proof(ProofKind.NUMBER, "+84 900 000 000"), Proof(ProofKind.LAST_FOUR, "0000")):
        assert SEALER.seal(asked, proof) in dossier.proofs
    secret = SEALER.seal(asked, Proof(ProofKind.SECRET, "MAU123")) in dossier.proofs
    assert secret is (planted.schema.style == "opencps")
    assert SEALER.seal(asked, Proof(ProofKind.NUMBER, "0912345678")) not in dossier.proofs
    assert PHONE.removeprefix("0") not in repr(dossier)


async def test_database_cannot_be_written_through_the_source(planted: Planted) -> None:
    source = planted.source()
    statement = f"DELETE FROM {planted.database.named(planted.table)}"
    with pytest.raises((SourceMisread, SourceUnavailable), match=r"(?i)read.?only"):
        await source._guarded(lambda connection: connection.exec_driver_sql(statement))
    assert len(await source.find([code(PLANTED[0].code)])) == 1


async def test_many_codes_are_one_read_and_many_reads_wait_their_turn(planted: Planted) -> None:
    in_process = next(each for each in PLANTED if each.status is DossierStatus.IN_PROCESS)
    extra = [replace(in_process, code=f"H51.18-210818-{number:04d}") for number in range(60)]
    planted.plant(*extra)
    source = planted.source()
    unknown = [code(f"H51.18-210819-{number:04d}") for number in range(500)]
    found = await source.find([*(code(each.code) for each in extra), *unknown])
    assert len(found) == 60
    reads = await asyncio.gather(*(source.find([code(each.code)]) for each in extra[:20]))
    assert all(len(read) == 1 for read in reads)


async def test_cancelled_read_leaves_the_source_usable(planted: Planted) -> None:
    source = planted.source()
    for turns in range(8):
        reading = asyncio.ensure_future(source.find([code(PLANTED[0].code)]))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
    assert len(await source.find([code(PLANTED[0].code)])) == 1


async def test_check_says_that_all_is_there(planted: Planted) -> None:
    source = planted.source()
    assert planted.table in await source.check()
    assert (await source.inspect()).trouble == ""
    assert source.largest_read == 200


# ---- tracuu source check


async def test_inspection_says_what_is_there(planted: Planted) -> None:
    report = await planted.source(sealer=SEALER).inspect()
    titles = {"sqlite": "SQLite 3", "postgresql": "PostgreSQL 1", "mariadb": "MariaDB 1"}
    assert report.system.startswith(titles[planted.database.name])
    assert report.place == planted.table
    assert all(each.kind for each in report.fields)
    assert not any("every look-up" in warning for warning in report.warnings)
    assert len(report.samples) == 3
    met = {each.theirs: each for each in report.states if each.rows}
    assert sum(each.rows or 0 for each in met.values()) == sum(not each.deleted for each in PLANTED)
    assert any(each.meaning is None for each in met.values())
    assert any(each.assumed for each in report.states)


async def test_inspection_shows_nothing_personal_and_no_whole_code(planted: Planted) -> None:
    told = str(await planted.source(sealer=SEALER).inspect())
    for personal in ("Nguyễn", "Mẫu", "Trần", "900000000", "mau-123", *(each.code for each in PLANTED)):
        assert personal not in told


async def test_inspection_finds_what_is_wrong(planted: Planted) -> None:
    planted.database.execute(
        f"DROP INDEX {planted.database.named(f'ix_{planted.schema.code}')}"
        + (f" ON {planted.database.named(planted.table)}" if planted.database.name == "mariadb" else "")
    )
    planted.database.rename(planted.table, planted.column("due_on"), "other")
    report = await planted.source().inspect()
    assert any(f"{planted.schema.code} is not the first column of any index" in each for each in report.warnings)
    fields = {each.ours: each for each in report.fields}
    assert "no such column" in fields["due_on"].trouble
    assert "not read" in fields["phone"].note
    assert report.samples == []


async def test_inspection_of_a_missing_table_says_so(planted: Planted) -> None:
    planted.database.drop(planted.table)
    report = await planted.source().inspect()
    assert any(f"no table {planted.table}" in warning for warning in report.warnings)


async def test_inspection_names_dates_nobody_can_read(tmp_path: Path) -> None:
    place = Planted(SCHEMAS["thanhhoa"], SqliteDatabase(tmp_path))
    place.schema.make(place.database)
    place.plant(*PLANTED)
    place.database.set_all("HoSos", "NgayHenTra", "ngày mai")
    report = await place.source().inspect()
    trouble = next(each.trouble for each in report.fields if each.theirs == "NgayHenTra")
    assert trouble == f"{sum(not each.deleted for each in PLANTED)} dates are in none of the date_formats"
    await place.opened[0].close()


@pytest.mark.parametrize(
    "url",
    [
        *("nonsense", "sqlite+aiosqlite://", "nosuch+driver://host/db", "sqlite:///file", "postgresql://host/db"),
        *("mysql+pymysql://host/db", "oracle+oracledb://host/db", "mssql+pyodbc://host/db"),
    ],
)
def test_address_that_cannot_be_used_is_one_clear_line(url: str) -> None:
    mapping = load_mapping((CONFIG / "opencps.toml").read_text(), "x")
    with pytest.raises(SettingsError, match=r"^source opencps: [^\n]+$"):
        SqlDossierSource(mapping, url)


# ---- the demo's agencies


async def test_demo_desk_moves_a_dossier_and_the_source_sees_it(tmp_path: Path) -> None:
    onestop.seed(tmp_path, TODAY)
    before = {each.code: each for each in onestop.list_dossiers(tmp_path)}
    planted = [*PLANTED, onestop.legacy_dossier(TODAY), *onestop.opencps_dossiers(TODAY)]
    assert set(before) == {each.code for each in planted}
    for file, style in ((onestop.HOSO_FILE, "thanhhoa"), (onestop.DOSSIER_FILE, "opencps")):
        mapping = load_mapping((CONFIG / f"{style}.toml").read_text(), style)
        source = SqlDossierSource(mapping, f"sqlite+aiosqlite:///{tmp_path / file}")
        for dossier in before.values():
            found = (await source.find([code(dossier.code)])).get(code(dossier.code))
            if found is None or dossier.status is None:
                continue
            assert found.status is dossier.status
            status = onestop.advance(tmp_path, dossier.code)
            assert status is onestop.NEXT.get(dossier.status)
            after = (await source.find([code(dossier.code)]))[code(dossier.code)]
            assert after.status is (status or dossier.status)
            assert (after.returned_at is not None) == (after.status is DossierStatus.RETURNED)
        await source.close()


def test_demo_seed_starts_afresh_and_unknown_codes_stay_where_they_are(tmp_path: Path) -> None:
    onestop.seed(tmp_path, TODAY)
    first = onestop.list_dossiers(tmp_path)
    assert len(set(onestop.bulk(tmp_path, 300))) == 300
    assert len(onestop.bulk(tmp_path, 10)) == 10
    assert onestop.advance(tmp_path, "H51.18-250701-9999") is None
    onestop.seed(tmp_path, TODAY)
    assert onestop.list_dossiers(tmp_path) == first


def _aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=LOCAL)
