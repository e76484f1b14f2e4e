"""A one-stop system read straight from its database, through a mapping. The only statement ever built is a SELECT."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import structlog
from sqlalchemy import URL, BindParameter, Row, Select, bindparam, column, inspect, make_url, select, table
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    NoSuchModuleError,
    NoSuchTableError,
    NotSupportedError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.onestop.mapping import SourceMapping
from adapters.onestop.rows import RowReader
from domain.codes import DossierCode
from domain.dossier import Dossier
from domain.errors import SettingsError, SourceMisread, SourceUnavailable

MISREAD = (ProgrammingError, DataError, NotSupportedError, NoSuchTableError)  # the schema is not as mapped
NOTED = 100  # values of one kind that are logged; all are counted
CASELESS_COLUMNS = frozenset({"sqlite", "mysql", "mariadb", "mssql"})
LONG_AGO = datetime(1, 1, 2, tzinfo=UTC)

log = structlog.get_logger()


def no_count(event: str, source: str) -> None:
    """Counts nothing."""


class SqlDossierSource:
    """Implements lookup.ports.DossierSource.

    SQLite is opened with mode=ro; give other databases an account that may only read.
    """

    def __init__(
        self,
        mapping: SourceMapping,
        url: str,
        *,
        name: str | None = None,
        connections: int = 2,
        time_limit: float = 5.0,
        count: Callable[[str, str], None] = no_count,
    ) -> None:
        """`url` names its driver: "sqlite+aiosqlite:///...", "postgresql+asyncpg://...". `name` replaces the mapping's
        where two systems share one. `time_limit` is in seconds, for one read. `count(event, source)` is told
        "status_unmapped" and "date_unreadable".

        Raises:
            SettingsError: the address cannot be read or its driver is not installed.
        """
        self._name = name or mapping.name
        self._mapping = mapping
        self._count = count
        self._noted: set[tuple[str, str]] = set()
        self._rows = RowReader(mapping, self._name, self._note)
        self._statement = _statement(mapping)
        self._time_limit = time_limit
        # SQLAlchemy's pool lets newcomers overtake those who wait; a first-in-first-out queue before it does not.
        self._queue = asyncio.Semaphore(connections)
        self._engine = _engine(url, self._name, connections, time_limit)

    @property
    def name(self) -> str:
        return self._name

    async def find(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Dossier]:
        if not codes:
            return {}
        wanted: dict[str, list[DossierCode]] = {}
        for code in codes:
            wanted.setdefault(code.text, []).append(code)
        rows = await self._guarded(lambda connection: _fetch(connection, self._statement, list(wanted)))
        found: dict[DossierCode, Dossier] = {}
        for row in rows:
            if self._rows.is_hidden(row):
                continue
            for code in wanted.get(self._rows.code_text(row), ()):
                if self._rows.belongs_to(row, code):
                    found[code] = self._latest(found.get(code), self._rows.read(row, code))
        return found

    async def check(self) -> str:
        """Compare the mapping with the table there is; one line for /readyz.

        Raises:
            SourceUnavailable: it cannot be reached.
            SourceMisread: the table or some of its columns are not there; all of them are named.
        """
        started = time.perf_counter()
        actual = await self._guarded(lambda connection: connection.run_sync(self._columns_of))
        fold = str.casefold if self._engine.dialect.name in CASELESS_COLUMNS else str
        present = {fold(each) for each in actual}
        missing = [each for each in self._mapping.all_columns() if fold(each) not in present]
        if missing:
            raise SourceMisread(f"{self._name}: table {self._mapping.table} has no column {', '.join(missing)}")
        spent = (time.perf_counter() - started) * 1000
        return f"{self._mapping.table} has all {len(self._mapping.all_columns())} columns, {spent:.0f} ms"

    async def close(self) -> None:
        """Close its connections."""
        await self._engine.dispose()

    def _columns_of(self, connection: Any) -> list[str]:  # noqa: ANN401 - SQLAlchemy's synchronous face of the connection
        columns = inspect(connection).get_columns(self._mapping.table, schema=self._mapping.db_schema)
        return [each["name"] for each in columns]

    async def _guarded(self, work: Callable[[AsyncConnection], Any]) -> Any:  # noqa: ANN401 - what `work` returns
        """Do `work` on a connection, within the time limit; a driver's exceptions stop here."""
        try:
            async with asyncio.timeout(self._time_limit), self._queue, self._engine.connect() as connection:
                return await work(connection)
        except MISREAD as fault:
            raise SourceMisread(f"{self._name}: {_brief(fault)}") from fault
        except (SQLAlchemyError, OSError, TimeoutError) as fault:
            if "no such" in _brief(fault):  # SQLite reports a missing table or column as an operational fault
                raise SourceMisread(f"{self._name}: {_brief(fault)}") from fault
            raise SourceUnavailable(f"{self._name}: {_brief(fault)}") from fault

    def _latest(self, other: Dossier | None, dossier: Dossier) -> Dossier:
        """Two rows with one code: the one that moved last. It is the same dossier, entered twice."""
        if other is None:
            return dossier
        self._note("code_twice", "")
        return max(other, dossier, key=_last_moved)

    def _note(self, event: str, value: str) -> None:
        """Count it, and log each value once."""
        self._count(event, self._name)
        if (event, value) not in self._noted and len(self._noted) < NOTED:
            self._noted.add((event, value))
            action = f"source.{event}"
            log.warning(action, source=self._name, value=value)


def _statement(mapping: SourceMapping) -> Select[Any]:
    foreign = table(mapping.table, *(column(name) for name in mapping.all_columns()), schema=mapping.db_schema)
    codes: BindParameter[Any] = bindparam("codes", expanding=True)
    return select(*foreign.c).where(foreign.c[mapping.columns.code].in_(codes))


async def _fetch(connection: AsyncConnection, statement: Select[Any], codes: list[str]) -> Sequence[Row[Any]]:
    # Padded to a power of two, so that a database sees a dozen statements in all and not one per number of codes.
    room = 1 << (len(codes) - 1).bit_length()
    padded = codes + codes[-1:] * (room - len(codes))
    rows: Sequence[Row[Any]] = (await connection.execute(statement, {"codes": padded})).all()
    return rows


def _engine(url: str, name: str, connections: int, time_limit: float) -> AsyncEngine:
    try:
        address = make_url(url)
        lite = address.get_backend_name() == "sqlite"
        return create_async_engine(
            _read_only(address) if lite else address,
            isolation_level="AUTOCOMMIT",
            pool_reset_on_return=None,  # reads leave nothing to roll back: two round trips less
            pool_size=connections,
            max_overflow=0,
            pool_recycle=1800,
            connect_args={"timeout": time_limit} if lite else {},
        )
    except (ArgumentError, NoSuchModuleError, ImportError, SQLAlchemyError, TypeError) as fault:
        raise SettingsError(f"source {name}: {_brief(fault)}") from fault


def _read_only(address: URL) -> URL:
    if not address.database or address.database == ":memory:":
        raise ArgumentError("a SQLite source needs the path of its file")
    path = quote(address.database.removeprefix("file:"))
    return address.set(database=f"file:{path}", query={"mode": "ro", "uri": "true"})


def _last_moved(dossier: Dossier) -> datetime:
    moments = (dossier.changed_at, dossier.returned_at, dossier.finished_at, dossier.received_at)
    return max((moment for moment in moments if moment is not None), default=LONG_AGO)


def _brief(fault: BaseException) -> str:
    """The driver's own first line, without the statement and its parameters: they hold dossier codes."""
    inner = fault.orig if isinstance(fault, DBAPIError) and fault.orig is not None else fault
    lines = str(inner).splitlines()
    return f"{type(inner).__name__}: {lines[0]}" if lines else type(inner).__name__
