"""A list of rows as one JSON text, read as a table: what the statements of both engines share (pure)."""

# ruff: noqa: S608 - these are put together from the column names of this package, never from data

from __future__ import annotations

from collections.abc import Callable, Sequence

from adapters.store.tables import metadata

Columns = Sequence[tuple[str, str]]  # name, SQL type
Given = Callable[[str], str]  # the name of a list -> a table of it, to be put after FROM


def of_table(table: str, names: Sequence[str]) -> Columns:
    """Columns with the types the table gives them."""
    return [(name, str(metadata.tables[table].c[name].type).lower()) for name in names]


def insert(table: str, columns: Sequence[str], source: str) -> str:
    """What follows may be ON CONFLICT or one more condition. `source`: a table with these columns, known as `n`."""
    names = ", ".join(columns)
    return f"INSERT INTO {table} ({names}) SELECT {names} FROM {source} AS n WHERE true"
