"""What a database's driver raises -> whose fault it is (pure).

An error's own text may quote a row ("invalid input syntax for type bigint: ..."). It is told only where it speaks of
tables, rights or the connection alone; of everything else the driver's name for it and its number.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    NoSuchTableError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

from domain.errors import SourceError, SourceMisread, SourceUnavailable

PLAN_OUTDATED = "cached statement plan is invalid"  # asyncpg
SCHEMA = (ProgrammingError, NotSupportedError, NoSuchTableError)  # the schema is not as mapped
# What drivers call an operational fault though trying again would not help: SQLite's missing table or column, MySQL's
# missing table, column or right to read, Oracle's missing table or column.
SCHEMA_WORDS = ("no such", "unknown column", "doesn't exist", "command denied", "ora-00942", "ora-00904")
UNREADABLE = (ValueError, ArithmeticError)  # a driver's, of a value Python has no form for

# PostgreSQL's classes of SQLSTATE (its manual, appendix A).
ROW_STATES = ("21", "22", "P0")  # a view met too many rows, a value of another form, a fault its author raised
OWN_STATES = ("08", "25", "28", "3D", "42", "53", "57")  # connection, transaction, log-in, database, schema, load, end

# MariaDB's and MySQL's numbers; those from 2000 to 2999 are the driver's own, of the connection.
ROW_NUMBERS = frozenset({1242, 1644, 1690})  # too many rows, a fault its author raised, a number out of range
OWN_NUMBERS = frozenset(
    {
        *(1040, 1044, 1045, 1049, 1129, 1130, 1203, 1226),  # too many connections, log-in, database, host
        *(1054, 1142, 1143, 1146, 1205, 1356, 1792, 1969, 3024),  # column, rights, table, lock, view, read only, time
        *range(2000, 3000),
    }
)
TEXT_MAX = 200


class RowMisread(SourceMisread):
    """A value in some row is at fault: codes of other rows can still be read."""


def source_error(fault: BaseException, source: str) -> SourceError:
    """The error a driver's exception becomes; `source` is named in it."""
    text = f"{source}: {brief(fault)}"
    inner = _inner(fault)
    if PLAN_OUTDATED in str(inner):  # a column changed its type: the driver prepares it anew next time
        return SourceUnavailable(text)
    if _is_of_a_row(fault, inner):
        return RowMisread(text)
    if isinstance(fault, SCHEMA) or (isinstance(fault, OperationalError) and _is_of_the_schema(inner)):
        return SourceMisread(text)
    return SourceUnavailable(text)


def brief(fault: BaseException) -> str:
    """The driver's name for it and its number, with its first line where that cannot quote a row."""
    inner = _inner(fault)
    named = " ".join(filter(None, (type(inner.__cause__ or inner).__name__, _number(inner))))
    told = _text(inner)
    return f"{named}: {told[:TEXT_MAX]}" if told else named


def _inner(fault: BaseException) -> BaseException:
    return fault.orig if isinstance(fault, DBAPIError) and fault.orig is not None else fault


def _number(inner: BaseException) -> str:
    """SQLSTATE, or the system's own number, or nothing."""
    first = inner.args[0] if inner.args else None
    oracle = getattr(first, "full_code", "")
    return str(_state(inner) or oracle or (first if isinstance(first, int) else ""))


def _text(inner: BaseException) -> str:
    if isinstance(inner, OSError | NoSuchTableError) or _state(inner).startswith(OWN_STATES):
        return _first_line(str(inner))
    if isinstance(inner, sqlite3.Error):
        return _first_line(str(inner)) if not _is_sqlite_general(inner) or _is_of_the_schema(inner) else ""
    if _mysql_number(inner) in OWN_NUMBERS:
        return _first_line(str(inner.args[-1]))
    return str(getattr(inner, "driver_error", ""))  # SQL Server's driver keeps its own words apart from the server's


def _is_of_a_row(fault: BaseException, inner: BaseException) -> bool:
    return (
        isinstance(fault, (DataError, *UNREADABLE))
        or _state(inner).startswith(ROW_STATES)
        or _mysql_number(inner) in ROW_NUMBERS
        or (isinstance(inner, sqlite3.Error) and _is_sqlite_general(inner) and not _is_of_the_schema(inner))
    )


def _is_of_the_schema(inner: BaseException) -> bool:
    text = str(inner).casefold()
    return any(word in text for word in SCHEMA_WORDS)


def _is_sqlite_general(inner: sqlite3.Error) -> bool:
    """SQLite has one number for a statement that is wrong and for a value that cannot be reckoned with."""
    return getattr(inner, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR


def _state(inner: BaseException) -> str:
    return str(getattr(inner, "sqlstate", None) or "")


def _mysql_number(inner: BaseException) -> int | None:
    first = inner.args[0] if inner.args else None
    return first if isinstance(first, int) and not isinstance(inner, OSError) else None


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), "")
