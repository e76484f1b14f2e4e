"""What a database holds, as a mapping reads it: for the operator who has to trust it. Nothing personal is in it.

States, agencies and dates are judged on the rows that moved last, never on the whole table: on a real one that would
be minutes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from operator import itemgetter
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Dialect, inspect
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError

from adapters.onestop.changes_statement import change_column
from adapters.onestop.fields import AGENCY_WORDS, NUMBER_WORDS, places
from adapters.onestop.mapping import BASE, SourceMapping, split_column
from adapters.onestop.plain import shown, shown_length
from adapters.onestop.records import RecordReader, Values, project
from adapters.onestop.statement import newest, newest_by
from domain.codes import DossierCode
from domain.dossier import Dossier
from domain.errors import SettingsError, SourceError, SourceMisread
from domain.text import safe_text
from lookup.ports import ReportedField, ReportedState, SourceReport

T = TypeVar("T")

ROWS = 1000  # that moved last, on which everything is judged
SAMPLES = 3
HIDDEN_DIGITS = 2  # of a code in a sample
MOST_STATES = 40  # more different ones are no states: the column is the wrong one
MOST_AGENCIES = 12
STATE_MAX = 60  # characters
TITLES = {
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
    "mysql": "MySQL",
    "mariadb": "MariaDB",
    "mssql": "SQL Server",
    "oracle": "Oracle",
}
SECRET = "read only to make seals of it, never shown"  # noqa: S105 - a remark
NOT_READ = "not read: the installation has no key for proofs"
_IDENTIFIER = re.compile(r"[A-Y]\d{2}(\.[0-9A-Z]{1,3}){0,6}|\d{3}\.\d{2}\.\d{2}\.[A-Y]\d{2}", re.ASCII)

Types = Mapping[str, Mapping[str, str]]
"""Table, by its name in the mapping -> its columns, folded -> their types."""


class Guarded(Protocol):
    """Does work on a connection within the source's time limit; raises SourceError."""

    def __call__(self, work: Callable[[Connection], T]) -> Awaitable[T]: ...


class Inspection:
    """One look at one source. `sealed`: there is a key for proofs, so that their columns are read."""

    def __init__(self, mapping: SourceMapping, source: str, *, sealed: bool) -> None:
        self._mapping = mapping
        self._source = source
        self._sealed = sealed
        self._columns = mapping.all_columns()
        place = {column: number for number, column in enumerate(self._columns)}
        self._values = project(
            mapping.words(proofs=False), lambda column: itemgetter(place[column]), mapping.nothings()
        )
        self._noted: Counter[tuple[str, str]] = Counter()
        self._records = RecordReader(mapping, source, lambda event, value: self._noted.update([(event, value)]))
        self._several = any(join.several for join in mapping.joins)
        self._agencies: Mapping[str, int] = {}
        self._warnings: list[str] = []

    async def report(self, guarded: Guarded, ask_for_nobody: Callable[[Connection], None]) -> SourceReport:
        """The report; `guarded` asks the source, `ask_for_nobody` makes the very look-up of citizens, for no code of
        theirs.

        Raises:
            SourceUnavailable: the source did not answer at all.
        """
        system, types = await guarded(self._look)
        trouble = await self._trouble(guarded, ask_for_nobody)
        found: list[Values] = [self._values(row) for row in await self._rows(guarded)]
        visible = [values for values in found if not self._records.is_hidden(values)]
        read = self._one_each(visible)
        dossiers = [self._records.read(values, self._code(values)) for values in read]
        states = self._states(read)
        self._judge(read, dossiers, hidden=len(found) - len(visible))
        return SourceReport(
            source=self._source,
            system=system,
            place=".".join(filter(None, (self._mapping.db_schema, self._mapping.table))),
            fields=list(self._fields(types)),
            states=states,
            samples=[_masked(dossier) for dossier in dossiers[:SAMPLES]],
            agencies=self._agencies,
            warnings=self._warnings,
            trouble=trouble,
        )

    async def _trouble(self, guarded: Guarded, ask_for_nobody: Callable[[Connection], None]) -> str:
        try:
            await guarded(ask_for_nobody)
        except SourceError as fault:
            return str(fault)
        return ""

    def _one_each(self, rows: Sequence[Values]) -> Sequence[Values]:
        """Of several rows of one dossier, as a joined table makes them, the one that moved last."""
        if not self._several:
            return rows
        theirs: dict[tuple[str, ...], list[Values]] = {}
        for values in rows:
            name = (self._records.code_text(values), *(str(values.get(word)) for word in AGENCY_WORDS))
            theirs.setdefault(name, []).append(values)
        return [self._records.latest(several) for several in theirs.values()]

    def _look(self, connection: Connection) -> tuple[str, Types]:
        """What answers, and the columns there are."""
        seen = inspect(connection)
        tables = [(BASE, self._mapping.table, self._mapping.db_schema)]
        tables += [(join.name, join.table, join.db_schema) for join in self._mapping.joins]
        types: dict[str, Mapping[str, str]] = {}
        for name, table, schema in tables:
            try:
                columns = seen.get_columns(table, schema=schema)
            except NoSuchTableError:
                self._warnings.append(f"there is no table {table}, or it may not be read")
                columns = []
            types[name] = {each["name"].casefold(): _kind(each["type"], connection.dialect) for each in columns}
        self._warnings += self._unindexed(seen) if types[BASE] else []
        return _system(connection.dialect), types

    def _unindexed(self, seen: Any) -> Iterator[str]:  # noqa: ANN401 - SQLAlchemy's inspector
        """A code that is searched without an index is a scan of the whole table for each citizen."""
        where = {"table_name": self._mapping.table, "schema": self._mapping.db_schema}
        try:
            if self._mapping.table in seen.get_view_names(schema=self._mapping.db_schema):
                yield "it is a view: whether the tables behind it are indexed for codes and changes cannot be seen here"
                return
            lists = [
                each["column_names"] for each in (*seen.get_indexes(**where), *seen.get_unique_constraints(**where))
            ]
            lists.append(seen.get_pk_constraint(**where)["constrained_columns"])
        except (SQLAlchemyError, NotImplementedError, KeyError) as fault:  # an operator reads the report, not our log
            yield f"it could not be found out whether the code column is indexed ({type(fault).__name__})"
            return
        first = {names[0].casefold() for names in lists if names and names[0]}
        for column in self._mapping.code_columns().values():
            if column.casefold() not in first:
                yield f"{column} is not the first column of any index: every look-up would read the whole table"
        with suppress(SettingsError):  # no column to poll by, and so none that needs an index
            if (column := change_column(self._mapping)).casefold() not in first:
                yield f"{column} is not the first column of any index: every poll for changes would read the whole table"

    async def _rows(self, guarded: Guarded) -> Sequence[Any]:
        """Some rows to judge by: those that moved last, else any, else none with the reason."""
        by = newest_by(self._mapping)
        orders = (f"the last by {by}", "in no order") if by else ("in no order",)
        for order in orders:
            try:
                rows = await guarded(partial(self._some, sorted_=order != "in no order"))
            except SourceMisread as fault:
                self._warnings.append(str(fault))
                return []
            except SourceError as fault:
                self._warnings.append(f"rows could not be read, {order}: {fault}")
            else:
                self._warnings.append(f"judged on {len(rows)} rows, {order} (at most {ROWS})")
                return rows
        return []

    def _some(self, connection: Connection, *, sorted_: bool) -> Sequence[Any]:
        return connection.execute(newest(self._mapping, self._columns, ROWS, sorted_=sorted_)).all()

    def _code(self, values: Values) -> DossierCode:
        return DossierCode(text=self._records.code_text(values))

    def _judge(self, read: Sequence[Values], dossiers: Sequence[Dossier], *, hidden: int) -> None:
        """What was noted while the rows were read, and which agencies occur."""
        if hidden:
            self._warnings.append(f"{hidden} of the rows are hidden by the mapping")
        for (event, value), times in sorted(self._noted.items()):
            if event == "agency_unmapped":
                self._warnings.append(f"agency value {value} is not in agency.values ({times} times)")
        agencies = Counter(dossier.agency for dossier in dossiers if dossier.agency)
        self._agencies = {shown(name): times for name, times in agencies.most_common(MOST_AGENCIES)}
        odd = sum(times for name, times in agencies.items() if not _IDENTIFIER.fullmatch(name))
        if odd:
            self._warnings.append(f"{odd} of {len(read)} rows name an agency that is no identifier: give agency.values")

    def _fields(self, types: Types) -> Iterator[ReportedField]:
        for word, value in self._mapping.words(proofs=True).items():
            personal = word in (*NUMBER_WORDS, "secret")
            for column in places(value):
                where, name = split_column(column)
                kind = types[where].get(name.casefold(), "")
                trouble = "" if kind else "there is no such column"
                unread = self._noted[("date_unreadable", column)]
                if unread:
                    trouble = f"{unread} dates are in none of the date_formats"
                note = (SECRET if self._sealed else NOT_READ) if personal and kind else ""
                yield ReportedField(ours=word, theirs=column, kind=kind, trouble=trouble, note=note)

    def _states(self, read: Sequence[Values]) -> Sequence[ReportedState]:
        """Those met, the commonest first, then those of the mapping nobody met."""
        met = [self._records.state_of(values) for values in read]
        meant = dict(met)
        times = Counter(theirs for theirs, _ in met)
        told = [(theirs, meant[theirs], rows) for theirs, rows in times.most_common()]
        if len(times) > MOST_STATES:
            self._warnings.append(f"{len(times)} different states: is that column the right one?")
            told = [each for each in told if each[1] is not None]
        there = {id(state) for state in meant.values()}
        told += [(theirs, state, 0) for theirs, state in self._mapping.meanings() if id(state) not in there]
        return [
            ReportedState(
                theirs=safe_text(theirs, STATE_MAX),
                meaning=None if state is None else int(state.status),
                rows=rows,
                assumed=state is not None and state.assumed,
            )
            for theirs, state, rows in told
        ]


def _system(dialect: Dialect) -> str:
    name = "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name
    version = ".".join(str(part) for part in getattr(dialect, "server_version_info", None) or ())
    return f"{TITLES.get(name, name)} {version}".strip()


def _kind(column_type: Any, dialect: Dialect) -> str:  # noqa: ANN401 - SQLAlchemy's type
    try:
        return str(column_type.compile(dialect=dialect))
    except SQLAlchemyError:  # silent on purpose: a type without SQL of its own is told by its name
        return type(column_type).__name__


def _masked(dossier: Dossier) -> Mapping[str, str]:
    """A dossier whose code is shown but for its end, and of whose texts only those that are codes are shown."""
    code = dossier.code.text
    told = {"code": code[:-HIDDEN_DIGITS] + "*" * HIDDEN_DIGITS if len(code) > HIDDEN_DIGITS else "**"}
    told["status"] = "" if dossier.status is None else str(int(dossier.status))
    for word in ("agency", "receiving_agency", "returning_agency", "procedure"):
        told[word] = shown(getattr(dossier, word))
    for word in ("unit", "procedure_name", "missing", "fee"):
        told[word] = shown_length(getattr(dossier, word))
    for word in ("received_at", "due_on", "finished_at", "returned_at", "changed_at"):
        moment = getattr(dossier, word)
        told[word] = "" if moment is None else f"{moment:%d/%m/%Y}"
    return {word: text for word, text in told.items() if text}
