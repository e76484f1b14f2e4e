"""Reads all codes of a table, page by page and round by round: for what no change column tells.

It finds rows without a moment of change, edits that left it as it was, commits later than any overlap, and everything
in systems that keep no such column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from adapters.onestop.changes_codes import RowCodes
from adapters.onestop.changes_cursor import read_cursor, whole_groups, write_cursor
from adapters.onestop.changes_statement import by_code
from adapters.onestop.changes_times import kept
from adapters.onestop.notes import Notes, no_count
from adapters.onestop.records import code_text
from adapters.onestop.watched import WatchedDatabase
from domain.codes import LegacyPattern
from domain.errors import SourceMisread
from notifications.ports import Heard

log = structlog.get_logger()


class Sweep:
    """Implements notifications.ports.ChangeFeed. Codes are compared by the database that sorts them, so that a page goes
    on where the last one ended, whatever its collation. Rows without a code are nobody's.
    """

    def __init__(
        self,
        database: WatchedDatabase,
        *,
        page: int,
        legacy: Sequence[LegacyPattern] = (),
        count: Callable[[str, str], None] = no_count,
    ) -> None:
        """`page` is in rows. `legacy`: see RowCodes. `count(event, source)` is told "code_unreadable"."""
        self._database = database
        self._page = page
        self._codes = RowCodes(database.mapping, legacy, Notes(database.name, count))

    @property
    def name(self) -> str:
        return "sweep"

    async def next(self, cursor: str | None) -> Heard:
        after, is_first = self._place(cursor)
        statement = by_code(self._database.mapping, self._page, behind=after is not None)
        given = {} if after is None else {"code": after}
        rows = await self._database.read(lambda connection: connection.execute(statement, given).all())
        taken, more = whole_groups(rows, self._page, lambda row: code_text(row[0]))
        last = kept(taken[-1][0]) if more else None
        if more and last == after:
            raise SourceMisread(
                f"{self._database.name}: the rows of {self._database.mapping.table} do not keep their order"
            )
        return Heard(
            codes=list(dict.fromkeys(code for row in taken for code in self._codes.of(row))),
            cursor=write_cursor(after=last, first=is_first and more),
            more=more,
            baseline=is_first,
        )

    async def close(self) -> None:
        await self._database.close()

    def _place(self, cursor: str | None) -> tuple[str | int | None, bool]:
        """Behind which code, and whether this is the first round ever."""
        try:
            parts = read_cursor(cursor)
        except ValueError as fault:
            log.warning("feed.cursor_unreadable", source=self._database.name, feed=self.name, error=str(fault))
            return None, False  # what is as it was seen last makes no notice: a round is always harmless
        return parts.get("after"), parts.get("first", True)
