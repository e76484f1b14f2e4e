"""A one-stop system read straight from its database, through a mapping. The only statement ever built is a SELECT."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NoReturn, TypeVar

from sqlalchemy import Connection, Row, inspect
from sqlalchemy.exc import SQLAlchemyError

from adapters.onestop.claims import by_text, of_one_dossier, sorted_out
from adapters.onestop.engines import open_reads
from adapters.onestop.inspection import Inspection
from adapters.onestop.mapping import BASE, SourceMapping, split_column
from adapters.onestop.notes import Notes, no_count
from adapters.onestop.records import RecordReader, Values, project
from adapters.onestop.sql_faults import UNREADABLE, RowMisread, source_error
from adapters.onestop.statement import by_codes, in_parts, nobodys_code
from domain.codes import DossierCode
from domain.dossier import Dossier
from domain.errors import SourceIncomplete, SourceMisread, SourceUnavailable
from domain.proof import Sealer
from lookup.ports import SourceReport

T = TypeVar("T")

LARGEST_READ = 200  # codes in one read
FOR_HALVES = 0.8  # of the time limit: what was read by then is told before whoever asked gives up
MOST_READS = 40  # of one batch, to find the rows in it that cannot be read
CASELESS_COLUMNS = frozenset({"sqlite", "mysql", "mariadb", "mssql"})


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
        "status_unmapped", "agency_unmapped", "giver_unknown", "date_unreadable", "code_twice" and "several_records".
        Without a `sealer` no column that holds persons is read and nothing can be proved.

        Raises:
            SettingsError: the address cannot be read or its driver is not installed.
        """
        self._name = name or mapping.name
        self._mapping = mapping
        self._sealer = sealer
        self._note = Notes(self._name, count)
        self._columns = mapping.all_columns(proofs=sealer is not None)
        place = {column: number for number, column in enumerate(self._columns)}
        self._values = project(
            mapping.words(proofs=sealer is not None), lambda column: itemgetter(place[column]), mapping.nothings()
        )
        self._codes = tuple(mapping.code_columns())
        self._several = any(join.several for join in mapping.joins)
        self._records = RecordReader(mapping, self._name, self._note, sealer)
        self._statement = by_codes(mapping, self._columns)
        self._time_limit = time_limit
        self._reads = open_reads(url, self._name, connections, time_limit)

    @property
    def name(self) -> str:
        return self._name

    @property
    def largest_read(self) -> int:
        return LARGEST_READ

    async def find(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Dossier]:
        until = asyncio.get_running_loop().time() + self._time_limit * FOR_HALVES
        try:
            return await self._read(codes)
        except RowMisread as fault:
            if len(codes) == 1:
                raise
            await self._read_in_halves(codes, fault, until)

    async def check(self) -> str:
        """Compare the mapping with the tables there are, and look up a code that is nobody's; one line for /readyz.

        Raises:
            SourceUnavailable: it cannot be reached.
            SourceMisread: a table or some of its columns are not there, all of them named; or they cannot be read, or
                not by code.
        """
        started = time.perf_counter()
        missing = [line for line in await self._guarded(self._missing) if line]
        if missing:
            raise SourceMisread(f"{self._name}: {'; '.join(missing)}")
        await self._guarded(self._ask_for_nobody)
        spent = (time.perf_counter() - started) * 1000
        return f"{self._mapping.table} has all {len(self._columns)} columns, {spent:.0f} ms"

    async def inspect(self) -> SourceReport:
        """What an operator wants to know before trusting a mapping; each question within the time limit.

        Raises:
            SourceUnavailable: it did not answer.
        """
        inspection = Inspection(self._mapping, self._name, sealed=self._sealer is not None)
        return await inspection.report(self._guarded, self._ask_for_nobody)

    async def close(self) -> None:
        """Close its connections."""
        await self._reads.close()

    async def _read(self, codes: Sequence[DossierCode]) -> dict[DossierCode, Dossier]:
        """One read."""
        wanted = by_text(codes)
        parts = list(in_parts(self._mapping, list(wanted)))
        if not parts:
            return {}
        rows = await self._guarded(lambda connection: self._fetch(connection, parts))
        theirs = sorted_out(map(self._values, rows), wanted, self._codes, self._records)
        told = {code: self._told(code, rows) for code, rows in theirs.items()}
        return {code: dossier for code, dossier in told.items() if dossier is not None}

    async def _read_in_halves(self, codes: Sequence[DossierCode], fault: RowMisread, until: float) -> NoReturn:
        """A row among these cannot be read: read the others, asking for ever fewer codes at once, until a moment of the
        loop's clock.

        Raises:
            SourceIncomplete: always: what was read, and the codes that were not.
            SourceMisread: not one of them was read.
        """
        found: dict[DossierCode, Dossier] = {}
        failed: set[DossierCode] = set()
        waiting = deque(_halves(codes))
        reads = 0
        try:
            async with asyncio.timeout_at(until):
                while waiting and reads < MOST_READS:
                    reads += 1
                    try:
                        found.update(await self._read(waiting[0]))
                    except RowMisread:
                        waiting.extend(_halves(waiting[0]))
                        failed.update(waiting[0] if len(waiting[0]) == 1 else ())
                    waiting.popleft()
        except (SourceUnavailable, TimeoutError):
            pass  # silent on purpose: those that still wait are told to have failed
        failed.update(*waiting)
        if failed >= set(codes):
            raise fault
        raise SourceIncomplete(str(fault), found=found, failed=frozenset(failed)) from fault

    def _fetch(self, connection: Connection, parts: Sequence[list[Any]]) -> Sequence[Row[Any]]:
        return [row for part in parts for row in connection.execute(self._statement, {"codes": part})]

    def _ask_for_nobody(self, connection: Connection) -> None:
        self._fetch(connection, [[nobodys_code(self._mapping)]])

    def _told(self, code: DossierCode, rows: Sequence[Values]) -> Dossier | None:
        """Of several rows with this as their own code the one that moved last: it is the same dossier, entered twice.
        None where it is only another code of several dossiers: any of them may be a stranger's.
        """
        theirs = of_one_dossier(code, rows)
        if not theirs:
            self._note("several_records", "")
            return None
        if len(theirs) > 1 and not self._several:
            self._note("code_twice", "")
        return self._records.read(self._records.latest(theirs), code)

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
        except (SQLAlchemyError, OSError, TimeoutError, *UNREADABLE) as fault:
            raise source_error(fault, self._name) from fault


def _halves(codes: Sequence[DossierCode]) -> Sequence[Sequence[DossierCode]]:
    """Two shorter ones; of a single code nothing is left."""
    middle = len(codes) // 2
    return (codes[:middle], codes[middle:]) if middle else ()
