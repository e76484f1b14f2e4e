"""A one-stop system read straight from its database, through a mapping. The only statement ever built is a SELECT."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Row, inspect
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    NoSuchTableError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from adapters.onestop.engines import open_reads
from adapters.onestop.inspection import Inspection
from adapters.onestop.mapping import BASE, SourceMapping, split_column
from adapters.onestop.records import LONG_AGO, RecordReader, Values, code_text, project
from adapters.onestop.statement import by_codes, in_parts
from domain.codes import DossierCode
from domain.dossier import Dossier
from domain.errors import SourceMisread, SourceUnavailable
from domain.proof import Sealer
from lookup.ports import SourceReport

T = TypeVar("T")

PLAN_OUTDATED = "cached statement plan is invalid"  # asyncpg
MISREAD = (ProgrammingError, DataError, NotSupportedError, NoSuchTableError)  # the schema is not as mapped
# What drivers call an operational fault though trying again would not help: SQLite's missing table or column, MySQL's
# missing table, column or right to read, Oracle's missing table or column.
MISREAD_WORDS = ("no such", "unknown column", "doesn't exist", "command denied", "ora-00942", "ora-00904")
NOTED = 100  # values of one kind that are logged; all are counted
CASELESS_COLUMNS = frozenset({"sqlite", "mysql", "mariadb", "mssql"})

log = structlog.get_logger()


def no_count(event: str, source: str) -> None:
    """Counts nothing."""


class SqlDossierSource:
    """Implements lookup.ports.DossierSource. Give it an account that may only read: see adapters.onestop.engines."""

    def __init__(
        self,
        mapping: SourceMapping,
        url: str,
        *,
        name: str | None = None,
        connections: int = 2,
        time_limit: float = 5.0,
        count: Callable[[str, str], None] = no_count,
        sealer: Sealer | None = None,
    ) -> None:
        """`url` names its driver: "sqlite+aiosqlite:///...", "postgresql+asyncpg://...". `name` replaces the mapping's
        where two systems share one. `time_limit` is in seconds, for one read. `count(event, source)` is told
        "status_unmapped", "agency_unmapped", "date_unreadable" and "code_twice". Without a `sealer` no column that
        holds persons is read and nothing can be proved.

        Raises:
            SettingsError: the address cannot be read or its driver is not installed.
        """
        self._name = name or mapping.name
        self._mapping = mapping
        self._count = count
        self._sealer = sealer
        self._noted: set[tuple[str, str]] = set()
        self._columns = mapping.all_columns(proofs=sealer is not None)
        place = {column: number for number, column in enumerate(self._columns)}
        self._values = project(mapping.words(proofs=sealer is not None), lambda column: itemgetter(place[column]))
        self._codes = tuple(mapping.code_columns())
        self._several = any(join.several for join in mapping.joins)
        self._records = RecordReader(mapping, self._name, self._note, sealer)
        self._statement = by_codes(mapping, self._columns)
        self._time_limit = time_limit
        self._reads = open_reads(url, self._name, connections, time_limit)

    @property
    def name(self) -> str:
        return self._name

    async def find(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Dossier]:
        wanted: dict[str, list[DossierCode]] = {}
        for code in codes:
            wanted.setdefault(code.text, []).append(code)
        parts = list(in_parts(self._mapping, list(wanted)))
        if not parts:
            return {}
        found: dict[DossierCode, Dossier] = {}
        rows = map(self._values, await self._guarded(lambda connection: self._fetch(connection, parts)))
        for values in self._records.one_each(rows) if self._several else rows:
            self._take(values, wanted, found)
        return found

    async def check(self) -> str:
        """Compare the mapping with the tables there are; one line for /readyz.

        Raises:
            SourceUnavailable: it cannot be reached.
            SourceMisread: a table or some of its columns are not there; all of them are named.
        """
        started = time.perf_counter()
        missing = [line for line in await self._guarded(self._missing) if line]
        if missing:
            raise SourceMisread(f"{self._name}: {'; '.join(missing)}")
        spent = (time.perf_counter() - started) * 1000
        return f"{self._mapping.table} has all {len(self._columns)} columns, {spent:.0f} ms"

    async def inspect(self) -> SourceReport:
        """What an operator wants to know before trusting a mapping; each question within the time limit.

        Raises:
            SourceUnavailable: it did not answer.
        """
        inspection = Inspection(self._mapping, self._name, sealed=self._sealer is not None)
        return await inspection.report(self._guarded)

    async def close(self) -> None:
        """Close its connections."""
        await self._reads.close()

    def _fetch(self, connection: Connection, parts: Sequence[list[Any]]) -> Sequence[Row[Any]]:
        return [row for part in parts for row in connection.execute(self._statement, {"codes": part})]

    def _take(self, values: Values, wanted: Mapping[str, list[DossierCode]], found: dict[DossierCode, Dossier]) -> None:
        """Read a row for whoever asked for it, by any of its codes."""
        asked = [code for word in self._codes for code in wanted.get(code_text(values[word]), ())]
        if not asked or self._records.is_hidden(values):
            return
        for code in dict.fromkeys(asked):
            if self._records.belongs_to(values, code):
                found[code] = self._latest(found.get(code), self._records.read(values, code))

    def _missing(self, connection: Connection) -> list[str]:
        """A line for each table that lacks columns."""
        fold = str.casefold if self._reads.dialect.name in CASELESS_COLUMNS else str
        lines = []
        for name, table, schema in (
            (BASE, self._mapping.table, self._mapping.db_schema),
            *((join.name, join.table, join.db_schema) for join in self._mapping.joins),
        ):
            there = {fold(each["name"]) for each in inspect(connection).get_columns(table, schema=schema)}
            named = [theirs for join in self._mapping.joins if join.name == name for theirs in join.on]
            named += [column for where, column in map(split_column, self._columns) if where == name]
            lacking = [column for column in dict.fromkeys(named) if fold(column) not in there]
            lines.append(f"table {table} has no column {', '.join(lacking)}" if lacking else "")
        return lines

    async def _guarded(self, work: Callable[[Connection], T]) -> T:
        """Do `work` on a connection, within the time limit; a driver's exceptions stop here."""
        try:
            async with asyncio.timeout(self._time_limit):
                return await self._reads.run(work)
        except MISREAD as fault:
            if PLAN_OUTDATED in _brief(fault):  # a column changed its type: the driver prepares it anew next time
                raise SourceUnavailable(f"{self._name}: {_brief(fault)}") from fault
            raise SourceMisread(f"{self._name}: {_brief(fault)}") from fault
        except (SQLAlchemyError, OSError, TimeoutError) as fault:
            if isinstance(fault, OperationalError) and _is_misread(fault):
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


def _last_moved(dossier: Dossier) -> datetime:
    moments = (dossier.changed_at, dossier.returned_at, dossier.finished_at, dossier.received_at)
    return max((moment for moment in moments if moment is not None), default=LONG_AGO)


def _is_misread(fault: BaseException) -> bool:
    brief = _brief(fault).casefold()
    return any(word in brief for word in MISREAD_WORDS)


def _brief(fault: BaseException) -> str:
    """The driver's own first line, without the statement and its parameters: they hold dossier codes."""
    inner = fault.orig if isinstance(fault, DBAPIError) and fault.orig is not None else fault
    lines = str(inner).splitlines()
    return f"{type(inner).__name__}: {lines[0]}" if lines else type(inner).__name__
