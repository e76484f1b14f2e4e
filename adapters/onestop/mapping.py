"""How a foreign schema is read: a mapping file (config/onestop/*.toml), checked whole before anything is read by it.

To what every mapping says (adapters.onestop.fields) it adds the table and those beside it. All it can name are tables
and columns: there is no place for SQL in it, and the only statement made of it is a SELECT.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from adapters.onestop.fields import (
    MOST_NUMBERS,
    NUMBER_WORDS,
    FieldsMapping,
    Key,
    Name,
    Strict,
    Value,
    places,
    read_mapping,
)
from adapters.onestop.personal import PERSONAL_COLUMNS, is_personal
from adapters.onestop.plain import status_key

__all__ = ["PERSONAL_COLUMNS", "WANTED", "Join", "Notify", "SourceMapping", "load_mapping", "status_key"]

BASE = ""  # stands for the table of the dossiers where a joined one would be named
MOST_CODE_COLUMNS = 4
WANTED = "wanted"


class Join(Strict):
    """A table beside the dossiers', of which a row may be missing (a left join). Its columns are named
    "<name>.<column>". `on`: its column = the dossier's, or a column of a table joined before. `several`: it may hold
    several rows for one dossier; the one that moved last is told.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
    table: Name
    db_schema: Annotated[Name | None, Field(alias="schema")] = None
    on: Annotated[Mapping[Name, Name], Field(min_length=1)]
    several: bool = False


class Wanted(Strict):
    """The flag of a dossier whose applicant agreed to be told: its `column` holds one of `values`."""

    column: Name
    values: Annotated[tuple[Key, ...], Field(min_length=1)]


class Notify(Strict):
    """Whom a dossier names to be told of it: columns with telephone numbers, and the flag that they want it; without
    the flag they all do. Read only where the installation says that such numbers follow by themselves, and never kept.
    """

    numbers: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MOST_NUMBERS)]
    wanted: Wanted | None = None

    def words(self) -> dict[str, Value]:
        """Every word that is read for it and where it stands."""
        flag: dict[str, Value] = {WANTED: self.wanted.column} if self.wanted else {}
        return flag | dict(zip(NUMBER_WORDS, self.numbers, strict=False))


class SourceMapping(FieldsMapping):
    """One mapping file of a database, checked.

    `other_codes` are further columns a dossier is found by. `code_type` "integer": codes are numbers there, and only
    codes of digits are asked for.
    """

    table: Name
    db_schema: Annotated[Name | None, Field(alias="schema")] = None
    joins: tuple[Join, ...] = ()
    other_codes: Annotated[tuple[Name, ...], Field(max_length=MOST_CODE_COLUMNS - 1)] = ()
    code_type: Literal["text", "integer"] = "text"
    notify: Notify | None = None

    @model_validator(mode="after")
    def code_and_joins(self) -> SourceMapping:
        """The code stands in the dossier's own table, and every joined table that is spoken of is there."""
        if self.columns.code is None:
            raise ValueError("columns.code is missing")
        known = {BASE}
        for join in self.joins:
            if join.name in known:
                raise ValueError(f"two joins are called {join.name}")
            self._known(known, *join.on.values())
            known.add(join.name)
        self._known(known, *self.all_columns(proofs=True))
        self._known({BASE}, *self.code_columns().values())
        if self.notify is not None:
            self._known(known, *(place for value in self.notify.words().values() for place in places(value)))
            if self.notify.wanted and is_personal(self.notify.wanted.column):
                raise ValueError(f"{self.notify.wanted.column} holds personal data and is no flag")
        return self

    def code_columns(self) -> dict[str, str]:
        """Where a dossier's code may stand, by our words; the first is its own."""
        own = {"code": self.columns.code} if self.columns.code else {}
        return own | {f"code.{number}": column for number, column in enumerate(self.other_codes)}

    def words(self, *, proofs: bool) -> dict[str, Value]:
        """Every word that is read and where it stands; those of persons only if there will be `proofs`."""
        return {**self.code_columns(), **super().words(proofs=proofs)}

    def all_columns(self, *, proofs: bool = False) -> list[str]:
        """Every column that is selected, each once; those of persons only if there will be `proofs`."""
        return list(dict.fromkeys(place for value in self.words(proofs=proofs).values() for place in places(value)))

    def _known(self, joins: set[str], *columns: str) -> None:
        unknown = sorted({split_column(column)[0] for column in columns} - joins)
        if unknown:
            raise ValueError(f"there is no join called {', '.join(unknown)} here")


def split_column(column: str) -> tuple[str, str]:
    """The table it stands in, by the join's name or BASE, and its name there."""
    table, _, name = column.rpartition(".")
    return table, name


def load_mapping(text: str, origin: str) -> SourceMapping:
    """Read a mapping file. `origin` names it in messages.

    Raises:
        SettingsError: it is wrong; every fault on a line of its own.
    """
    return read_mapping(SourceMapping, text, origin)
