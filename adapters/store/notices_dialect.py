"""What the notices' statements must say differently to SQLite and to PostgreSQL (pure).

A statement has named parameters (`:source`); lists of rows are given as one JSON text and come back as one, for the
reason told in adapters.store.statements. In PostgreSQL rows that are decided upon are locked, in an order all share.
"""

# ruff: noqa: S608 - these are put together from the column names of this package, never from data

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from adapters.store.lists import Columns
from adapters.store.postgres_statements import WAKE

_RECORDING_SEED = 8  # of the hashes its advisory locks are made of


class Dialect(ABC):
    """The words of one engine. `lock` follows a SELECT whose rows are then changed, `share` one whose rows must stay.
    `alone`: a statement after which nobody else records for `:source` before this transaction ends; empty: nobody can.
    `wake`: a statement that says that something may be claimed; empty: there is nobody to be told.
    """

    lock: str
    share: str
    alone: str
    wake: str
    later: str  # the function that gives the larger of two

    @abstractmethod
    def given(self, name: str, columns: Columns) -> str:
        """The parameter `name`, a JSON list of rows, as a table to be put after FROM."""

    @abstractmethod
    def among(self, name: str) -> str:
        """What follows a column that must be in the parameter `name`, a JSON list of texts."""

    @abstractmethod
    def among_ids(self, name: str) -> str:
        """The same for ids."""

    @abstractmethod
    def grouped(self, cells: Sequence[str], source: str) -> str:
        """A query that gives all rows of `source` as one JSON text."""

    @abstractmethod
    def param(self, row: str, key: str) -> str:
        """A value in the JSON of outbox.params, as text."""

    @abstractmethod
    def by(self, index: str) -> str:
        """What follows a table's name and alias so that it is read by that index."""

    @abstractmethod
    def behind(self, row: str) -> str:
        """A condition on `row` of the outbox: of `:priority`, with a larger id than `:id`. Said so that what follows is read
        in the order of ix_outbox_ready, from there on.
        """

    @abstractmethod
    def taking(self, row: str) -> str:
        """What follows a SELECT: of `row` those that nobody else holds, and nobody else gets them."""


class SqliteDialect(Dialect):
    """One writer: nothing needs a lock. Without statistics it would rather walk a table than use a partial index."""

    lock = share = alone = wake = ""
    later = "max"

    def given(self, name: str, columns: Columns) -> str:
        cells = ", ".join(f"v ->> {position} AS {column}" for position, (column, _) in enumerate(columns))
        # LIMIT keeps SQLite from writing out each row anew for every cell.
        return f"(SELECT {cells} FROM (SELECT value AS v FROM json_each(:{name}) LIMIT -1))"

    def among(self, name: str) -> str:
        return f"IN (SELECT value FROM json_each(:{name}))"

    def among_ids(self, name: str) -> str:
        return self.among(name)

    def grouped(self, cells: Sequence[str], source: str) -> str:
        return f"SELECT json_group_array(json_array({', '.join(cells)})) FROM {source}"

    def param(self, row: str, key: str) -> str:
        return f"({row}.params ->> '{key}')"

    def by(self, index: str) -> str:
        return f" INDEXED BY {index}"

    def behind(self, row: str) -> str:
        """Not a comparison of both at once: of that it would take the priority alone to its index."""
        return f"{row}.priority = :priority AND {row}.id > :id"

    def taking(self, row: str) -> str:  # noqa: ARG002 - there is nobody else
        return ""


class PostgresDialect(Dialect):
    """The pool's settings keep it to indexes (postgres_pool.BY_KEY)."""

    lock = " FOR NO KEY UPDATE"
    share = " FOR SHARE"
    # Rows that are not there yet cannot be locked, so it is the source's name that is.
    alone = f"SELECT pg_advisory_xact_lock(hashtextextended(:source, {_RECORDING_SEED}))"
    wake = WAKE
    later = "greatest"

    def given(self, name: str, columns: Columns) -> str:
        cells = ", ".join(
            f"CAST(v ->> {position} AS {kind}) AS {column}" for position, (column, kind) in enumerate(columns)
        )
        return f"(SELECT {cells} FROM jsonb_array_elements(CAST(:{name} AS jsonb)) AS v)"

    def among(self, name: str) -> str:
        return f"= ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:{name} AS jsonb))))"

    def among_ids(self, name: str) -> str:
        return f"= ANY (ARRAY(SELECT CAST(jsonb_array_elements_text(CAST(:{name} AS jsonb)) AS bigint)))"

    def grouped(self, cells: Sequence[str], source: str) -> str:
        return f"SELECT CAST(coalesce(json_agg(json_build_array({', '.join(cells)})), '[]') AS text) FROM {source}"

    def param(self, row: str, key: str) -> str:
        return f"(CAST({row}.params AS jsonb) ->> '{key}')"

    def by(self, index: str) -> str:  # noqa: ARG002 - it needs no telling
        return ""

    def behind(self, row: str) -> str:
        """Were the priority equal, the order would be that of the ids alone (postgres_statements.CLAIM)."""
        return f"({row}.priority, {row}.id) > (:priority, :id) AND {row}.priority <= :priority"

    def taking(self, row: str) -> str:
        return f" FOR NO KEY UPDATE OF {row} SKIP LOCKED"
