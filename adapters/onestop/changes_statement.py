"""The statements of a watcher: the source's clock, what changed since a moment, all codes in their order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    String,
    and_,
    bindparam,
    column,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.types import TypeEngine

from adapters.onestop.mapping import BASE, SourceMapping, split_column
from domain.errors import SettingsError

SAMPLES = 20  # newest values from which a column's form is learnt; some may be rubbish

CLOCKS: Mapping[str, str] = {
    "sqlite": "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')",
    "postgresql": "SELECT clock_timestamp()",
    "mysql": "SELECT UTC_TIMESTAMP(6)",
    "mariadb": "SELECT UTC_TIMESTAMP(6)",
    "mssql": "SELECT SYSUTCDATETIME()",
    "oracle": "SELECT SYS_EXTRACT_UTC(SYSTIMESTAMP) FROM DUAL",
}
"""By dialect: the source's own clock, in UTC. Ours is never compared with its rows."""


def change_column(mapping: SourceMapping) -> str:
    """The column of the dossiers' own table that says when a dossier changed.

    Raises:
        SettingsError: there is none that could be polled; says why.
    """
    value = mapping.columns.changed_at
    why = ""
    if value is None:
        why = "is not given"
    elif not isinstance(value, str):
        why = "is computed, not a column"
    elif split_column(value)[0] != BASE:
        why = "stands in a joined table"
    if why or not isinstance(value, str):
        raise SettingsError(f"source {mapping.name}: columns.changed_at {why}: it can be swept, not polled")
    return value


def source_clock(connection: Connection) -> datetime:
    """What time it is there."""
    value: Any = connection.execute(text(CLOCKS[connection.dialect.name])).scalar_one()
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def newest_moments(mapping: SourceMapping) -> Select[Any]:
    """Some values of the change column, the newest first."""
    by = change_column(mapping)
    theirs = _table(mapping, by)
    return select(theirs.c[by]).where(theirs.c[by].is_not(None)).order_by(theirs.c[by].desc()).limit(SAMPLES)


def changed_since(mapping: SourceMapping, moments: TypeEngine[Any], page: int, *, behind: bool) -> Select[Any]:
    """The change column and the codes of `page` rows that changed at or after the parameter "since", in the order of
    change and code. `behind`: at or after that moment, but behind the row of ("since", "code").
    """
    by, code = change_column(mapping), next(iter(mapping.code_columns().values()))
    theirs = _table(mapping, by)
    changed, since = theirs.c[by], bindparam("since", type_=moments)
    where: list[ColumnElement[bool]] = [changed >= since, theirs.c[code].is_not(None)]
    if behind:
        where.append(or_(changed > since, theirs.c[code] > bindparam("code", type_=_code_type(mapping))))
    chosen = select(*_columns(mapping, theirs, by)).where(and_(*where))
    return chosen.order_by(changed, theirs.c[code]).limit(page)


def by_code(mapping: SourceMapping, page: int, *, behind: bool, until: TypeEngine[Any] | None = None) -> Select[Any]:
    """The codes of `page` rows in the order of their own code; `behind`: behind the parameter "code". `until`, the type
    of that parameter: only rows that did not change after it.
    """
    code = next(iter(mapping.code_columns().values()))
    by = () if until is None else (change_column(mapping),)
    theirs = _table(mapping, *by)
    where: list[ColumnElement[bool]] = [theirs.c[code].is_not(None)]
    if behind:
        where.append(theirs.c[code] > bindparam("code", type_=_code_type(mapping)))
    where += [or_(theirs.c[each].is_(None), theirs.c[each] <= bindparam("until", type_=until)) for each in by]
    return select(*_columns(mapping, theirs)).where(and_(*where)).order_by(theirs.c[code]).limit(page)


def _table(mapping: SourceMapping, *more: str) -> FromClause:
    names = dict.fromkeys([*mapping.code_columns().values(), *more])
    return table(mapping.table, *map(column, names), schema=mapping.db_schema)


def _columns(mapping: SourceMapping, theirs: FromClause, *before: str) -> list[Any]:
    names = [*before, *mapping.code_columns().values()]
    return [theirs.c[name].label(f"c{place}") for place, name in enumerate(names)]


def _code_type(mapping: SourceMapping) -> TypeEngine[Any]:
    return BigInteger() if mapping.code_type == "integer" else String()
