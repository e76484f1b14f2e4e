"""What every dossier source promises, on both mapped schemas, with the same dossiers planted in each."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event
from structlog.testing import capture_logs

from adapters.onestop.mapping import load_mapping
from adapters.onestop.sql import SqlDossierSource
from demo import onestop
from demo.onestop import DemoDossier
from domain.codes import DossierCode
from domain.dossier import DossierStatus
from domain.errors import SettingsError, SourceMisread, SourceUnavailable

CONFIG = Path(__file__).parents[2] / "config" / "onestop"
LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
TODAY = date(2026, 11, 22)
WRITERS: dict[str, Callable[[Path, Iterable[DemoDossier]], None]] = {
    "thanhhoa": onestop.write_hoso,
    "opencps": onestop.write_dossier,
}
TABLES = {"thanhhoa": "HoSos", "opencps": "Dossier"}
PLANTED = onestop.hoso_dossiers(TODAY)


@dataclass
class Planted:
    """A source over a file of its own."""

    style: str
    file: Path
    counted: Counter[str] = field(default_factory=Counter)
    opened: list[SqlDossierSource] = field(default_factory=list)

    def source(self, *, time_limit: float = 5.0) -> SqlDossierSource:
        text = (CONFIG / f"{self.style}.toml").read_text()
        source = SqlDossierSource(
            load_mapping(text, self.style),
            f"sqlite+aiosqlite:///{self.file}",
            time_limit=time_limit,
            count=lambda event, _: self.counted.update([event]),
        )
        self.opened.append(source)
        return source

    def plant(self, *dossiers: DemoDossier) -> None:
        WRITERS[self.style](self.file, dossiers)

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.file)) as connection, connection:
            connection.execute(statement)


@pytest.fixture(params=sorted(WRITERS))
async def planted(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Planted]:
    place = Planted(request.param, tmp_path / "một cửa 100%.sqlite3")  # a path that needs quoting
    place.plant(*PLANTED)
    yield place
    for source in place.opened:
        await source.close()
    await drivers_gone()


async def drivers_gone() -> None:
    """The driver's thread of a connection that failed says so to the loop after its caller was told: let it finish."""
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 5)


def code(text: str) -> DossierCode:
    return DossierCode(text=text, agency=text.rpartition("-")[0].rpartition("-")[0])


async def test_missing_database_is_unavailable_not_empty(planted: Planted) -> None:
    planted.file.unlink()
    with pytest.raises(SourceUnavailable):
        await planted.source().find([code(PLANTED[0].code)])
    with pytest.raises(SourceUnavailable):
        await planted.source().check()
    assert not planted.file.exists()


async def test_locked_database_is_unavailable_within_its_time_limit(planted: Planted) -> None:
    source = planted.source(time_limit=0.1)
    with closing(sqlite3.connect(planted.file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceUnavailable):
            await source.find([code(PLANTED[0].code)])
    assert len(await source.find([code(PLANTED[0].code)])) == 1


async def test_renamed_column_is_a_misread_and_check_names_every_missing_one(planted: Planted) -> None:
    source = planted.source()
    table = TABLES[planted.style]
    mapped = load_mapping((CONFIG / f"{planted.style}.toml").read_text(), "x").columns
    planted.execute(f"ALTER TABLE {table} RENAME COLUMN {mapped.due_on} TO other1")
    planted.execute(f"ALTER TABLE {table} RENAME COLUMN {mapped.procedure} TO other2")
    with pytest.raises(SourceMisread):
        await source.find([code(PLANTED[0].code)])
    with pytest.raises(SourceMisread, match=f"{mapped.due_on}, {mapped.procedure}"):
        await source.check()


async def test_missing_table_is_a_misread(planted: Planted) -> None:
    planted.execute(f"DROP TABLE {TABLES[planted.style]}")
    source = planted.source()
    with pytest.raises(SourceMisread):
        await source.find([code(PLANTED[0].code)])
    with pytest.raises(SourceMisread):
        await source.check()


async def test_fault_names_no_dossier_code(planted: Planted) -> None:
    planted.execute(f"DROP TABLE {TABLES[planted.style]}")
    with pytest.raises(SourceMisread) as caught:
        await planted.source().find([code(PLANTED[0].code)])
    assert PLANTED[0].code not in str(caught.value)


async def test_unknown_codes_are_absent(planted: Planted) -> None:
    assert await planted.source().find([code("H51.18-210817-9999"), code("' OR 1=1 --")]) == {}
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
    for expected in alive:
        dossier = found[code(expected.code)]
        assert dossier.status is expected.status
        assert (dossier.agency, dossier.procedure) == (expected.agency, expected.procedure)
        assert dossier.source == source.name == planted.style
        assert dossier.received_at == _aware(expected.received_at)
        assert dossier.due_on == (expected.due_at.date() if expected.due_at else None)
        assert (dossier.finished_at, dossier.returned_at) == (
            _aware(expected.finished_at),
            _aware(expected.returned_at),
        )


async def test_all_ten_states_late_and_without_due_date_are_among_them(planted: Planted) -> None:
    found = (await planted.source().find([code(each.code) for each in PLANTED])).values()
    assert {dossier.status for dossier in found} == {*DossierStatus, None}
    assert any(dossier.overdue(TODAY) for dossier in found)
    assert any(dossier.due_on is None for dossier in found)


async def test_unmapped_state_is_counted_each_time_and_logged_once(planted: Planted) -> None:
    unmapped = next(each for each in PLANTED if each.status is None)
    source = planted.source()
    with capture_logs() as logs:
        for _ in range(3):
            assert (await source.find([code(unmapped.code)]))[code(unmapped.code)].status is None
    assert planted.counted == {"status_unmapped": 3}
    assert [line["event"] for line in logs] == ["source.status_unmapped"]
    assert unmapped.code not in str(logs)


@pytest.mark.parametrize("empty", ["", "0000-00-00", "0000-00-00 00:00:00", None])
async def test_empty_dates_are_missing(planted: Planted, empty: str | None) -> None:
    column = load_mapping((CONFIG / f"{planted.style}.toml").read_text(), "x").columns.due_on
    planted.execute(f"UPDATE {TABLES[planted.style]} SET {column} = {'NULL' if empty is None else repr(empty)}")
    dossier = (await planted.source().find([code(PLANTED[0].code)]))[code(PLANTED[0].code)]
    assert dossier.due_on is None
    assert planted.counted == {}


async def test_two_rows_with_one_code_are_told_as_the_one_that_moved_last(planted: Planted) -> None:
    older = replace(PLANTED[0], received_at=datetime(2020, 1, 1), status=DossierStatus.STOPPED)  # noqa: DTZ001 - as stored
    planted.plant(older)
    dossier = (await planted.source().find([code(older.code)]))[code(older.code)]
    assert dossier.status is PLANTED[0].status
    assert planted.counted == {"code_twice": 1}


async def test_code_kept_in_lower_case_and_with_spaces_is_not_somebody_elses(planted: Planted) -> None:
    planted.plant(replace(PLANTED[0], code=" h51.18-210817-0009 "))
    assert await planted.source().find([code("H51.18-210817-0009")]) == {}


async def test_only_selects_are_sent_and_none_names_a_person(planted: Planted) -> None:
    source = planted.source()
    sent: list[str] = []
    event.listen(source._engine.sync_engine, "before_cursor_execute", lambda *given: sent.append(given[2]))
    await source.find([code(each.code) for each in PLANTED])
    assert len(sent) == 1
    assert sent[0].startswith("SELECT ")
    for personal in ("ChuHoSo", "TrichYeu", "applicant", "TelNo", "password", "*"):
        assert personal.casefold() not in sent[0].casefold()


async def test_database_cannot_be_written_through_the_source(planted: Planted) -> None:
    source = planted.source()
    async with source._engine.connect() as connection:
        with pytest.raises(Exception, match="readonly database"):
            await connection.exec_driver_sql(f"DELETE FROM {TABLES[planted.style]}")


async def test_many_codes_are_one_read_and_many_reads_wait_their_turn(planted: Planted) -> None:
    extra = [replace(PLANTED[1], code=f"H51.18-210818-{number:04d}") for number in range(500)]
    planted.plant(*extra)
    source = planted.source()
    found = await source.find([code(each.code) for each in extra])
    assert len(found) == 500
    reads = await asyncio.gather(*(source.find([code(each.code)]) for each in extra[:20]))
    assert all(len(read) == 1 for read in reads)


async def test_cancelled_read_leaves_the_source_usable(planted: Planted) -> None:
    source = planted.source()
    for _ in range(4):
        reading = asyncio.ensure_future(source.find([code(PLANTED[0].code)]))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
    assert len(await source.find([code(PLANTED[0].code)])) == 1


async def test_check_says_that_all_is_there(planted: Planted) -> None:
    assert TABLES[planted.style] in await planted.source().check()


@pytest.mark.parametrize("url", ["nonsense", "sqlite+aiosqlite://", "nosuch+driver://host/db"])
def test_address_that_cannot_be_used_is_one_clear_line(url: str) -> None:
    mapping = load_mapping((CONFIG / "opencps.toml").read_text(), "x")
    with pytest.raises(SettingsError, match=r"^source opencps: "):
        SqlDossierSource(mapping, url)


# ---- the demo's agencies


async def test_demo_desk_moves_a_dossier_and_the_source_sees_it(tmp_path: Path) -> None:
    onestop.seed(tmp_path, TODAY)
    before = {each.code: each for each in onestop.list_dossiers(tmp_path)}
    assert len(before) == len(PLANTED) + len(onestop.opencps_dossiers(TODAY))
    for file, style in ((onestop.HOSO_FILE, "thanhhoa"), (onestop.DOSSIER_FILE, "opencps")):
        place = Planted(style, tmp_path / file)
        source = place.source()
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
