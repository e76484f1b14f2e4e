"""Whom a dossier's own record names to be told of it, read from its database; never logged and never kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row

from adapters.onestop.claims import by_text, of_one_dossier, sorted_out
from adapters.onestop.fields import NUMBER_WORDS, places
from adapters.onestop.mapping import WANTED
from adapters.onestop.plain import status_key
from adapters.onestop.records import RecordReader, Values, project
from adapters.onestop.statement import by_codes, in_parts
from adapters.onestop.watched import WatchedDatabase
from domain.codes import DossierCode
from domain.errors import SettingsError


class SqlContacts:
    """Implements notifications.ports.Contacts, with the rules of reading a dossier: what is hidden, a stranger's, or one
    of several names nobody.
    """

    def __init__(self, database: WatchedDatabase) -> None:
        """Raises:
        SettingsError: the mapping has no [notify].
        """
        mapping = database.mapping
        if mapping.notify is None:
            raise SettingsError(
                f"source {database.name}: its mapping has no [notify], so that nobody can be told by it"
            )
        words = {**mapping.words(proofs=False), **mapping.notify.words()}
        columns = list(dict.fromkeys(place for value in words.values() for place in places(value)))
        at = {column: number for number, column in enumerate(columns)}
        self._database = database
        self._mapping = mapping
        self._values = project(words, lambda column: itemgetter(at[column]), mapping.nothings())
        self._words = [word for word in NUMBER_WORDS if word in words]
        wanted = mapping.notify.wanted
        self._wanted = None if wanted is None else frozenset(status_key(value) for value in wanted.values)
        self._codes = tuple(mapping.code_columns())
        self._records = RecordReader(mapping, database.name, _told_elsewhere)
        self._statement = by_codes(mapping, columns)

    async def numbers(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Sequence[str]]:
        wanted = by_text(codes)
        parts = list(in_parts(self._mapping, list(wanted)))
        if not parts:
            return {}
        rows = await self._database.read(lambda connection: self._fetch(connection, parts))
        theirs = sorted_out(map(self._values, rows), wanted, self._codes, self._records)
        named = {code: self._named(code, rows) for code, rows in theirs.items()}
        return {code: numbers for code, numbers in named.items() if numbers}

    def _fetch(self, connection: Connection, parts: Sequence[list[Any]]) -> Sequence[Row[Any]]:
        return [row for part in parts for row in connection.execute(self._statement, {"codes": part})]

    def _named(self, code: DossierCode, rows: Sequence[Values]) -> Sequence[str]:
        """Of rows that are one dossier, the one that moved last says who is to be told."""
        theirs = of_one_dossier(code, rows)
        if not theirs:
            return ()
        values = self._records.latest(theirs)
        if self._wanted is not None and status_key(values.get(WANTED)) not in self._wanted:
            return ()
        return tuple(dict.fromkeys(number for word in self._words if (number := self._records.text(values, word))))


def _told_elsewhere(event: str, value: str) -> None:
    """Whoever reads the dossier itself notes what could not be understood."""
