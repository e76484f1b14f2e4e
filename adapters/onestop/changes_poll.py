"""Asks a database what changed, by a change column: nothing is lost by late commits, clocks, or equal moments.

The watermark comes from the source's clock alone, never from its rows and never from our clock: a row dated in the
future does not move it. It stays behind by the overlap; what is read twice is mostly not given twice
(adapters.onestop.changes_window).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from adapters.onestop.changes_codes import RowCodes
from adapters.onestop.changes_cursor import read_cursor, whole_groups, write_cursor
from adapters.onestop.changes_statement import by_code, change_column, changed_since, newest_moments, source_clock
from adapters.onestop.changes_times import NotPollable, Written, how_written, kept, restored
from adapters.onestop.changes_window import Span, Window
from adapters.onestop.notes import Notes, no_count
from adapters.onestop.records import code_text
from adapters.onestop.watched import WatchedDatabase
from domain.codes import LegacyPattern
from domain.errors import SourceMisread
from notifications.ports import Heard

log = structlog.get_logger()

Key = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a poll goes on. `since` None: still the first run. `until`: the source's time when this round began; None:
    a new one begins. `at`: the row behind which this round goes on. `number` makes every cursor another text.
    """

    number: int = 0
    since: datetime | None = None
    until: datetime | None = None
    at: tuple[Key, ...] | None = None

    def text(self) -> str:
        return write_cursor(
            n=self.number,
            since=self.since and self.since.isoformat(),
            until=self.until and self.until.isoformat(),
            at=self.at,
        )


class ChangePoll:
    """Implements notifications.ports.ChangeFeed."""

    def __init__(
        self,
        database: WatchedDatabase,
        *,
        overlap: float,
        resolution: float,
        page: int,
        legacy: Sequence[LegacyPattern] = (),
        count: Callable[[str, str], None] = no_count,
    ) -> None:
        """`overlap` and `resolution` are in seconds; `page` is in rows. `legacy`: see RowCodes. `count(event, source)`
        is told "code_unreadable".

        Raises:
            SettingsError: the mapping has no column that could be polled.
        """
        change_column(database.mapping)
        self._database = database
        self._mapping = database.mapping
        self._back = timedelta(seconds=overlap + resolution)  # a moment may be cut down by as much as the resolution
        self._page = page
        self._codes = RowCodes(database.mapping, legacy, Notes(database.name, count))
        self._window = Window(timedelta(seconds=resolution))
        self._written: Written | None = None
        self._last: str | None = None

    @property
    def name(self) -> str:
        return "poll"

    async def next(self, cursor: str | None) -> Heard:
        if self._written is None:
            await self._learn()
        place = self._place(cursor)
        if cursor != self._last:  # what was given with the last cursor may never have been recorded
            self._window.forget()
        try:
            heard = await (self._baseline(place) if place.since is None else self._changes(place, place.since))
        except SourceMisread:
            self._written = None  # the column may be of another type now
            raise
        self._last = heard.cursor
        return heard

    async def close(self) -> None:
        await self._database.close()

    async def _learn(self) -> None:
        """How the change column writes: unknown until something stands in it."""
        statement = newest_moments(self._mapping)
        samples = await self._database.read(lambda connection: connection.execute(statement).scalars().all())
        try:
            self._written = how_written(samples, self._mapping)
        except NotPollable as fault:
            column = change_column(self._mapping)
            raise SourceMisread(f"{self._database.name}: {column} cannot be polled: {fault}") from fault

    # ---- the first run: everything there was before anybody watched

    async def _baseline(self, place: Place) -> Heard:
        """By code and not by change: that column may have no index yet, and rows without a moment are told as well."""
        clock, rows = await self._database.read(partial(self._read_all, place))
        until = place.until or clock
        taken, more = whole_groups(rows, self._page, lambda row: code_text(row[0]))
        there = Place(number=place.number + 1, since=until - self._back)
        if more:
            there = Place(number=place.number + 1, until=until, at=self._moved(place, kept(taken[-1][0])))
        codes = list(dict.fromkeys(code for row in taken for code in self._codes.of(row)))
        return Heard(codes=codes, cursor=there.text(), more=more, baseline=True)

    def _read_all(self, place: Place, connection: Connection) -> tuple[datetime, Sequence[Any]]:
        clock = source_clock(connection)
        written = self._written
        kind = written.kind if written else None
        statement = by_code(self._mapping, self._page, behind=place.at is not None, until=kind)
        given = {"code": place.at[-1]} if place.at else {}
        until = {"until": written.write(place.until or clock)} if written else {}
        return clock, connection.execute(statement, {**given, **until}).all()

    # ---- from then on

    async def _changes(self, place: Place, since: datetime) -> Heard:
        if self._written is None:  # nothing ever changed
            clock = await self._database.read(source_clock)
            return Heard(cursor=Place(number=place.number + 1, since=clock - self._back).text())
        written = self._written
        clock, rows = await self._database.read(partial(self._read_changes, place, since, written))
        until = place.until or clock
        then = until - self._back
        span = Span(since=min(since, then), then=then, now=clock)
        taken, more = whole_groups(rows, self._page, lambda row: (row[0], code_text(row[1])))
        due = [row for row in taken if self._window.is_due((code_text(row[1]), row[0]), written.read(row[0]), span)]
        there = Place(number=place.number + 1, since=then)
        if more:
            at = self._moved(place, kept(taken[-1][0]), kept(taken[-1][1]))
            there = Place(number=place.number + 1, since=since, until=until, at=at)
        else:
            self._window.end_round()
        codes = list(dict.fromkeys(code for row in due for code in self._codes.of(row[1:])))
        return Heard(codes=codes, cursor=there.text(), more=more)

    def _read_changes(
        self, place: Place, since: datetime, written: Written, connection: Connection
    ) -> tuple[datetime, Sequence[Any]]:
        """A clock that went back takes the watermark back with it: reading twice is harmless."""
        clock = source_clock(connection)
        begin = written.write(min(since, (place.until or clock) - self._back))
        given: dict[str, object] = {"since": begin}
        if place.at is not None:
            given = {"since": restored(place.at[0], written), "code": place.at[-1]}
        statement = changed_since(self._mapping, written.kind, self._page, behind=place.at is not None)
        return clock, connection.execute(statement, given).all()

    # ---- cursors

    def _place(self, cursor: str | None) -> Place:
        try:
            parts = read_cursor(cursor)
            place = Place(
                number=parts.get("n", 0),
                since=_moment(parts.get("since")),
                until=_moment(parts.get("until")),
                at=None if parts.get("at") is None else tuple(parts["at"]),
            )
            if place.at and place.since and self._written:
                restored(place.at[0], self._written)
        except (ValueError, TypeError) as fault:
            log.warning("feed.cursor_unreadable", source=self._database.name, feed=self.name, error=str(fault))
            return Place()
        return place

    def _moved(self, before: Place, *at: Key) -> tuple[Key, ...]:
        if at == before.at:
            raise SourceMisread(f"{self._database.name}: the rows of {self._mapping.table} do not keep their order")
        return at


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
