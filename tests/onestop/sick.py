"""One-stop systems that fall ill and get well again: on PostgreSQL, MariaDB and SQLite, and over HTTP."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from aiohttp import web

from demo.onestop import DemoDossier
from domain.calendar import LOCAL_ZONE
from domain.dossier import DossierStatus
from tests.onestop.gateways import Source
from tests.onestop.planted import LOOPBACK_TOML, MAPPINGS
from tests.onestop.twelve import code
from tests.onestop_schemas.databases import Database, MariadbDatabase, PostgresDatabase, SqliteDatabase
from tests.onestop_schemas.schemas import SCHEMAS
from tests.servers.faulty_proxy import HTML, FaultyProxy, Manner, faulty_proxy
from tests.servers.mariadb import Mariadb
from tests.servers.onestop_http import FAULTS as SAID
from tests.servers.onestop_http import Answer, OneStopHttp, as_json, onestop_http, opencps_record, says
from tests.servers.postgres import Postgres

AGENCY = "H51.31"
STRANGER = 9_999  # the serial of a dossier nobody asks for
READERS = itertools.count(1)
Illness = Callable[[], AbstractAsyncContextManager[None]]
# Two reads of a second each fail where failing is what a test is about, and nowhere else, on however busy a machine.
LIMITS = {"timeout_s": "1.0", "attempts": "2", "breaker_failures": "2", "breaker_pause_s": "0.2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sick:
    """A system, and its illnesses by their names: each lasts for a block."""

    source: Source
    illnesses: Mapping[str, Illness]
    proxy: FaultyProxy | None = None


class SickDossiers(ABC):
    """Illnesses of what a system says; `planted` is what it says when it is well."""

    def __init__(self, planted: Sequence[DemoDossier]) -> None:
        self.planted = planted

    @abstractmethod
    def hold(self, *dossiers: DemoDossier) -> None:
        """These and no others from now on."""

    @asynccontextmanager
    async def holding(self, *dossiers: DemoDossier) -> AsyncIterator[None]:
        self.hold(*dossiers)
        try:
            yield
        finally:
            self.hold(*self.planted)

    def illnesses(self) -> Mapping[str, Illness]:
        return {
            "two records": lambda: self.holding(*self.planted, *map(_moved_on, self.planted)),
            "no record": self.holding,
            "unmapped state": lambda: self.holding(*(replace(each, status=None) for each in self.planted)),
            "an hour ahead": lambda: self.holding(*_received_at(self.planted, timedelta(hours=1))),
            "a day ahead": lambda: self.holding(*_received_at(self.planted, timedelta(days=1))),
        }


def _moved_on(dossier: DemoDossier) -> DemoDossier:
    assert dossier.received_at is not None
    return replace(dossier, status=DossierStatus.MORE_DOCUMENTS, received_at=dossier.received_at + timedelta(hours=1))


def _received_at(planted: Sequence[DemoDossier], ahead: timedelta) -> Iterator[DemoDossier]:
    """As a system writes them whose clock is so much ahead."""
    now = datetime.now(LOCAL_ZONE).replace(tzinfo=None, microsecond=0)
    return (replace(each, received_at=now + ahead) for each in planted)


def wire_illnesses(proxy: FaultyProxy) -> Mapping[str, Illness]:
    """Those of the way to a system, whatever it speaks."""
    return {
        "slow": lambda: proxy.being(Manner.SLOW),
        "hanging": lambda: proxy.being(Manner.HANGING),
        "reset": lambda: proxy.being(Manner.RESET),
        "empty answer": lambda: proxy.being(Manner.ENDED),
        "HTML": lambda: proxy.being(Manner.NONSENSE),
        "refused": proxy.gone,
    }


# ---- databases


class SickDatabase(SickDossiers):
    """A database of a schema. `due`: the column of the promised day."""

    def __init__(self, style: str, database: Database, planted: Sequence[DemoDossier], due: str) -> None:
        super().__init__(planted)
        self.schema = SCHEMAS[style]
        self.database = database
        self._due = due
        self.schema.make(database)
        self.schema.plant(database, *planted)

    @property
    def table(self) -> str:
        return self.database.named(self.schema.table)

    @property
    def mapping(self) -> Path:
        return self.schema.folder / f"{self.schema.style}.toml"

    def hold(self, *dossiers: DemoDossier) -> None:
        self.database.execute(f"DELETE FROM {self.table}")
        self.schema.plant(self.database, *dossiers)

    def illnesses(self) -> Mapping[str, Illness]:
        return {
            **super().illnesses(),
            "wrong types": self.with_words_for_dates,
            "empty fields": self.with_codes_only,
            "no table": self.without_table,
        }

    @asynccontextmanager
    async def with_words_for_dates(self) -> AsyncIterator[None]:
        """The promised day is a text that is no date."""
        self.retype(self._due, self.database.kinds["text"])
        self.database.set_all(self.schema.table, self._due, "khong ro")
        try:
            yield
        finally:
            self.database.set_all(self.schema.table, self._due, None)
            self.retype(self._due, self.database.kinds["moment"])
            self.hold(*self.planted)

    @asynccontextmanager
    async def with_codes_only(self) -> AsyncIterator[None]:
        kept = {self.schema.code, "is_actived"}
        for column in self.schema.tables[self.schema.table].keys() - kept:
            self.database.set_all(self.schema.table, column, None)
        try:
            yield
        finally:
            self.hold(*self.planted)

    @asynccontextmanager
    async def without_table(self) -> AsyncIterator[None]:
        away = self.database.named("elsewhere")
        self.database.execute(f"ALTER TABLE {self.table} RENAME TO {away}")
        try:
            yield
        finally:
            self.database.execute(f"ALTER TABLE {away} RENAME TO {self.table}")

    @asynccontextmanager
    async def denied(self, reader: str) -> AsyncIterator[None]:
        self.database.execute(f"REVOKE SELECT ON {self.table} FROM {reader}")
        try:
            yield
        finally:
            self.allow(reader)

    def allow(self, reader: str) -> None:
        for table in self.schema.tables:
            self.database.execute(f"GRANT SELECT ON {self.database.named(table)} TO {reader}")

    def retype(self, column: str, kind: str) -> None:
        """Another type for the column; its values may get lost."""


class SickPostgres(SickDatabase):
    def retype(self, column: str, kind: str) -> None:
        self.database.execute(f'ALTER TABLE {self.table} ALTER COLUMN "{column}" TYPE {kind} USING NULL')


class SickMariadb(SickDatabase):
    def retype(self, column: str, kind: str) -> None:
        self.database.execute(f"ALTER TABLE {self.table} MODIFY `{column}` {kind}")


def swapped(planted: Sequence[DemoDossier]) -> Mapping[bytes, bytes]:
    """Every code of ours, and a stranger's in its place."""
    return {each.code.encode(): code(AGENCY, STRANGER).encode() for each in planted}


@asynccontextmanager
async def sick_postgres(server: Postgres, planted: Sequence[DemoDossier]) -> AsyncIterator[Sick]:
    """The Thanh Hóa style on PostgreSQL, behind a proxy, read by an account that may only read."""
    reader = f"reader{next(READERS)}"
    async with AsyncExitStack() as stack:
        server.execute(f"CREATE ROLE {reader} LOGIN")
        stack.callback(server.execute, f"DROP ROLE {reader}")
        database = PostgresDatabase(server)
        stack.callback(database.close)
        sick = SickPostgres("thanhhoa", database, planted, "NgayHenTra")
        sick.allow(reader)
        proxy = await stack.enter_async_context(faulty_proxy(server.port))
        name = database.url.rpartition("/")[2]
        yield _behind(proxy, sick, f"postgresql+asyncpg://{reader}@127.0.0.1:{proxy.port}/{name}", reader)


@asynccontextmanager
async def sick_mariadb(server: Mariadb, planted: Sequence[DemoDossier]) -> AsyncIterator[Sick]:
    """The small MySQL style on MariaDB, in the same way."""
    reader = f"reader{next(READERS)}"
    async with AsyncExitStack() as stack:
        database = MariadbDatabase(server)
        stack.callback(database.close)
        database.execute(f"CREATE USER {reader}")
        stack.callback(database.execute, f"DROP USER {reader}")
        sick = SickMariadb("smallmysql", database, planted, "time_return")
        sick.allow(reader)
        proxy = await stack.enter_async_context(faulty_proxy(server.port))
        name = database.url.rpartition("/")[2]
        yield _behind(proxy, sick, f"mysql+aiomysql://{reader}@127.0.0.1:{proxy.port}/{name}", reader)


def _behind(proxy: FaultyProxy, sick: SickDatabase, url: str, reader: str) -> Sick:
    return Sick(
        source=Source(name="sick", url=url, mapping=sick.mapping, agency=AGENCY, more=LIMITS),
        illnesses={
            **wire_illnesses(proxy),
            **sick.illnesses(),
            "another's record": lambda: proxy.swapping(swapped(sick.planted)),
            "access denied": lambda: sick.denied(reader),
        },
        proxy=proxy,
    )


@asynccontextmanager
async def sick_sqlite(folder: Path, planted: Sequence[DemoDossier]) -> AsyncIterator[Sick]:
    """The Thanh Hóa style in a file of this machine: no wire, and no accounts."""
    database = SqliteDatabase(folder)
    sick = SickDatabase("thanhhoa", database, planted, "NgayHenTra")

    yield Sick(
        source=Source(name="sick", url=database.url, mapping=sick.mapping, agency=AGENCY, more=LIMITS),
        illnesses={
            **sick.illnesses(),
            "hanging": lambda: _asynchronous(database.locked(sick.schema.table)),
            "empty answer": lambda: _asynchronous(_rewritten(database.file, b"")),
            "HTML": lambda: _asynchronous(_rewritten(database.file, HTML)),
            "refused": lambda: _asynchronous(_away(database.file)),
        },
    )


@asynccontextmanager
async def _asynchronous(block: AbstractContextManager[None]) -> AsyncIterator[None]:
    with block:
        yield


@contextmanager
def _rewritten(file: Path, octets: bytes) -> Iterator[None]:
    """Other octets in the very same file."""
    before = file.read_bytes()
    file.write_bytes(octets)
    try:
        yield
    finally:
        file.write_bytes(before)


@contextmanager
def _away(file: Path) -> Iterator[None]:
    elsewhere = file.with_suffix(".away")
    file.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(file)


# ---- over HTTP


class SickHttp(SickDossiers):
    """OpenCPS's own interface."""

    def __init__(self, server: OneStopHttp, planted: Sequence[DemoDossier]) -> None:
        super().__init__(planted)
        self.server = server

    def hold(self, *dossiers: DemoDossier) -> None:
        self.server.dossiers = dossiers

    def illnesses(self) -> Mapping[str, Illness]:
        return {
            **super().illnesses(),
            "another's record": lambda: self.saying(strangers_record),
            "wrong types": lambda: self.saying(objects_for_words),
            "empty fields": lambda: self.saying(codes_only),
            "empty answer": lambda: self.saying(says("")),
            "HTML": lambda: self.saying(SAID["HTML"]),
            "no table": lambda: self.saying(SAID["404 page"]),
            "access denied": lambda: self.saying(SAID["403"]),
        }

    @asynccontextmanager
    async def saying(self, answer: Answer) -> AsyncIterator[None]:
        self.server.fault = answer
        try:
            yield
        finally:
            self.server.fault = None


async def strangers_record(server: OneStopHttp, request: web.Request) -> web.StreamResponse:
    """A dossier nobody asked for."""
    record = {**opencps_record(server.dossiers[0]), "dossierNo": code(AGENCY, STRANGER)}
    return await as_json({"total": 1, "data": [record]})(server, request)


async def objects_for_words(server: OneStopHttp, request: web.Request) -> web.StreamResponse:
    """The right code; an object in the place of the state."""
    record = {"dossierNo": request.query["dossierNo"], "dossierStatus": {"id": 4}, "dueDate": [7]}
    return await as_json({"total": 1, "data": [record]})(server, request)


async def codes_only(server: OneStopHttp, request: web.Request) -> web.StreamResponse:
    """The right code, and nothing in all other fields."""
    record = {**dict.fromkeys(opencps_record(server.dossiers[0])), "dossierNo": request.query["dossierNo"]}
    return await as_json({"total": 1, "data": [record]})(server, request)


@asynccontextmanager
async def sick_http(folder: Path, planted: Sequence[DemoDossier]) -> AsyncIterator[Sick]:
    """OpenCPS over HTTP, behind a proxy."""
    async with onestop_http("opencps", planted) as server:
        sick = SickHttp(server, planted)
        async with faulty_proxy(int(server.url.rpartition(":")[2])) as proxy:
            source = Source(
                name="sick",
                url=f"http://127.0.0.1:{proxy.port}",
                mapping=MAPPINGS["opencps"](folder),
                agency=AGENCY,
                more={**LIMITS, "networks": LOOPBACK_TOML},
            )
            illnesses = {**wire_illnesses(proxy), **sick.illnesses()}
            yield Sick(source=source, illnesses=illnesses, proxy=proxy)
