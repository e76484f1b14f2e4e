"""The one statement a mapping becomes: a SELECT of its columns from its tables, by codes or of what is newest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    FromClause,
    Select,
    String,
    and_,
    bindparam,
    column,
    or_,
    select,
    table,
)

from adapters.onestop.fields import places
from adapters.onestop.mapping import BASE, SourceMapping, split_column

MOST_CODES = 512
"""Codes in one statement: Oracle takes 1,000 values in a list, SQL Server 2,100 parameters in a statement, and there may
be four columns to look in."""
LARGEST_CODE = 2**63 - 1
NOBODYS = "A00-250101-0000"
NEWEST_BY = ("changed_at", "received_at")

Tables = Mapping[str, FromClause]


def by_codes(mapping: SourceMapping, columns: Sequence[str]) -> Select[Any]:
    """`columns`, in this order, of the dossiers whose code is among the parameter "codes"."""
    tables = _tables(mapping, columns)
    kind = BigInteger() if mapping.code_type == "integer" else String()
    codes: BindParameter[Any] = bindparam("codes", expanding=True, type_=kind)
    return _select(mapping, tables, columns).where(
        or_(*(_column(tables, name).in_(codes) for name in mapping.code_columns().values()))
    )


def newest(mapping: SourceMapping, columns: Sequence[str], count: int, *, sorted_: bool = True) -> Select[Any]:
    """`columns` of the `count` dossiers that moved last, as the source sorts its dates; any, if not `sorted_`."""
    tables = _tables(mapping, columns)
    by = newest_by(mapping) if sorted_ else None
    chosen = _select(mapping, tables, columns).limit(count)
    if by is None:
        return chosen
    return chosen.where(_column(tables, by).is_not(None)).order_by(_column(tables, by).desc())


def newest_by(mapping: SourceMapping) -> str | None:
    """The column that says which dossier moved last, if the dossiers' own table has one."""
    named = (mapping.columns.named().get(word) for word in NEWEST_BY)
    candidates = [place for value in named if value is not None for place in places(value)]
    return next((each for each in candidates if split_column(each)[0] == BASE), None)


def nobodys_code(mapping: SourceMapping) -> str | int:
    """What no dossier is called: a serial of zeros is reserved for examples (domain.codes)."""
    return 0 if mapping.code_type == "integer" else NOBODYS


def in_parts(mapping: SourceMapping, codes: Sequence[str]) -> Iterator[list[str] | list[int]]:
    """`codes` as parameters of one statement each; usually there is one. Padded to a power of two, so that a database
    sees a dozen statements in all and not one per number of codes.
    """
    asked: list[Any] = list(codes)
    if mapping.code_type == "integer":
        asked = [int(code) for code in codes if code.isascii() and code.isdigit() and int(code) <= LARGEST_CODE]
    for start in range(0, len(asked), MOST_CODES):
        part = asked[start : start + MOST_CODES]
        room = 1 << (len(part) - 1).bit_length()
        yield part + part[-1:] * (room - len(part))


def _tables(mapping: SourceMapping, columns: Sequence[str]) -> Tables:
    """Each table by its name in the mapping, with the columns that are named of it."""
    spoken = [
        *columns,
        *mapping.code_columns().values(),
        *(name for join in mapping.joins for name in join.on.values()),
    ]
    spoken += [by] if (by := newest_by(mapping)) is not None else []
    named: dict[str, dict[str, None]] = {BASE: {}} | {join.name: dict.fromkeys(join.on) for join in mapping.joins}
    for each in spoken:
        where, name = split_column(each)
        named[where][name] = None
    tables: dict[str, FromClause] = {BASE: table(mapping.table, *map(column, named[BASE]), schema=mapping.db_schema)}
    for join in mapping.joins:
        beside = table(join.table, *map(column, named[join.name]), schema=join.db_schema)
        tables[join.name] = beside.alias(join.name)
    return tables


def _select(mapping: SourceMapping, tables: Tables, columns: Sequence[str]) -> Select[Any]:
    source = tables[BASE]
    for join in mapping.joins:
        beside = tables[join.name]
        source = source.outerjoin(
            beside, and_(*(beside.c[theirs] == _column(tables, ours) for theirs, ours in join.on.items()))
        )
    chosen = (_column(tables, name).label(f"c{place}") for place, name in enumerate(columns))
    return select(*chosen).select_from(source)


def _column(tables: Tables, name: str) -> Any:  # noqa: ANN401 - SQLAlchemy's column of an unknown type
    where, theirs = split_column(name)
    return tables[where].c[theirs]
