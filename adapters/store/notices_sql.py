"""The notices' port on a database, but for how an engine runs a statement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from adapters.store import notices_statements as sql
from adapters.store.notices_dialect import Dialect
from adapters.store.notices_fallback import fall_back
from adapters.store.notices_recording import NotAsExpectedError, enqueue, number_looks, record, wake
from adapters.store.notices_rows import (
    FollowerRow,
    LookRow,
    PendingRow,
    SeenRow,
    by_code,
    read_all,
    read_follower,
    read_hold,
    read_look,
    read_pending,
    read_seen,
    read_stoppage,
    written_texts,
)
from adapters.store.rows import decode, encode, from_ms, to_ms
from adapters.store.steps import Steps, Values
from domain.codes import DossierCode, read_reference
from domain.message import Address
from notifications.ports import Follower, Hold, JoinedWay, Look, NewNotice, Recording, Review, SeenDossier, Stoppage

Result = TypeVar("Result")
RowOf = TypeVar("RowOf")

COUNT_GOOD_FOR = timedelta(seconds=30)  # counting a million rows takes most of a second
CLOSED_LONG_AGO = timedelta(days=7)  # a dossier closed for longer is not looked at any more
WALKED_AT_ONCE, MOST_WALKED = 500, 2_000  # followings looked at in one statement and in one call
# A failed notice is considered for a while after it failed, and not again: those without another address stay failed.
FIRST_LOOK_BACK, LOOK_BACK = timedelta(days=31), timedelta(minutes=10)


class StoredNotices(ABC):
    """Implements notifications.ports.Notices over `_read` and `_write`. `clock` is the store's.

    Remembers how far walks through long tables came, and counts for a while: one object is to be kept and used.
    """

    def __init__(self, dialect: Dialect, clock: Callable[[], datetime]) -> None:
        self._dialect = dialect
        self._sql = sql.Statements(dialect)
        self._clock = clock
        self._counts: dict[str, tuple[datetime, int]] = {}
        self._walked = ("", "", "")  # source, dossier_code, recipient of the last following that was looked at
        self._failed_since: datetime | None = None

    @abstractmethod
    async def _read(self, statement: str, values: Values) -> Sequence[Any]:
        """The rows, from one snapshot."""

    @abstractmethod
    async def _write(self, work: Callable[[], Steps[Result]]) -> Result:
        """All steps of `work` in one transaction, which is rolled back when they raise. It may be begun again."""

    # feeds and looks at dossiers

    async def cursors(self, source: str) -> Mapping[str, str]:
        rows = await self._read(sql.CURSORS, {"source": source})
        return {row[0]: row[1] for row in rows}

    async def review(
        self, source: str, codes: Sequence[DossierCode], *, booked_since: datetime | None = None
    ) -> Review:
        values: dict[str, int | str] = {"source": source, "codes": _encoded([code.reference for code in codes])}
        if booked_since is not None:
            values["since"] = to_ms(booked_since)
        [row] = await self._read(self._sql.review(booked=booked_since is not None), values)
        seen, followers, pending_rows, holding, *booked = row
        dossiers = read_all(decode(seen, list[SeenRow]), read_seen)
        pending = read_pending(decode(pending_rows, list[PendingRow]))
        people = read_all(decode(followers, list[FollowerRow]), lambda each: read_follower(each, pending))
        return Review(
            source=source,
            seen={dossier.code: dossier for dossier in dossiers},
            followers=by_code(people),
            booked=_by_address(booked[0]) if booked else {},
            holding=holding > 0,
        )

    async def booked(self, people: Collection[Address], since: datetime) -> Mapping[Address, Sequence[datetime]]:
        values: Values = {"people": _encoded([(address.urn,) for address in people]), "since": to_ms(since)}
        [(payload,)] = await self._read(self._sql.booked(), values)
        return _by_address(payload)

    async def follow_counts(self, people: Collection[Address]) -> Mapping[Address, int]:
        values: Values = {"people": _encoded([(address.urn,) for address in people])}
        rows = await self._list(self._sql.follow_counts(), values, list[tuple[str, int]])
        return {Address.from_urn(urn): count for urn, count in rows}

    async def record(self, recording: Recording) -> frozenset[DossierCode]:
        try:
            await self._write(lambda: record(self._dialect, recording, self._now()))
        except NotAsExpectedError as error:
            return error.codes
        return frozenset()

    async def tracked(self, source: str) -> int:
        now = self._clock()
        counted_at, count = self._counts.get(source, (None, 0))
        if counted_at is None or not counted_at <= now < counted_at + COUNT_GOOD_FOR:
            [(count,)] = await self._read(sql.TRACKED, {"source": source})
            self._counts[source] = now, count
        return count

    async def followed(self, source: str, after: str, limit: int) -> Sequence[DossierCode]:
        closed_before = to_ms(self._clock() - CLOSED_LONG_AGO)
        while True:
            values: Values = {"source": source, "after": after, "limit": limit, "closed_before": closed_before}
            rows = await self._list(self._sql.followed(), values, list[tuple[str]])
            codes = read_all(rows, lambda row: read_reference(row[0]))
            if codes or len(rows) < limit:
                return codes
            after = rows[-1][0]  # a whole page that nobody can read any more is passed over

    async def look(self, source: str, codes: Sequence[DossierCode], *, nonce: str, keep_until: datetime) -> bool:
        references = sorted({code.reference for code in codes})
        return await self._write(lambda: self._look(source, references, nonce, to_ms(keep_until)))

    def _look(self, source: str, references: Sequence[str], nonce: str, keep_until: int) -> Steps[bool]:
        now = self._now()
        values: Values = {"source": source, "nonce": nonce, "keep_until": keep_until, "now": now}
        if not (yield sql.KEEP_NONCE, values):
            return False
        if references:
            numbers = yield from number_looks(len(references))
            rows = [(next(numbers), source, reference, now, 0) for reference in references]
            yield self._sql.look(), {"rows": _encoded(rows)}
        return True

    async def looks(self, source: str, limit: int) -> Sequence[Look]:
        values: Values = {"source": source, "now": self._now(), "limit": limit}
        return read_all(await self._list(self._sql.looks(), values, list[LookRow]), read_look)

    # by the calendar

    async def to_remind(self, day: date, limit: int) -> Sequence[SeenDossier]:
        return await self._dossiers(self._sql.to_remind(), {"day": day.isoformat(), "limit": limit})

    async def waiting(self, before: datetime, limit: int) -> Sequence[SeenDossier]:
        return await self._dossiers(self._sql.waiting(), {"before": to_ms(before), "limit": limit})

    async def late_by(self, day: date, since: date, limit: int) -> Sequence[SeenDossier]:
        values: Values = {"day": day.isoformat(), "since": since.isoformat(), "limit": limit}
        return await self._dossiers(self._sql.late_by(), values)

    async def _dossiers(self, statement: str, values: Values) -> Sequence[SeenDossier]:
        return read_all(await self._list(statement, values, list[SeenRow]), read_seen)

    async def enqueue(self, notices: Sequence[NewNotice], *, once: str = "") -> bool:
        return await self._write(lambda: self._enqueue(notices, once))

    def _enqueue(self, notices: Sequence[NewNotice], once: str) -> Steps[bool]:
        now = self._now()
        if once and not (yield sql.USE_ONCE, {"feed": f"once:{once}", "now": now}):
            return False
        yield from enqueue(self._dialect, notices)
        yield from wake(self._dialect, notices, now)
        return True

    async def end_followings(self, before: datetime, limit: int) -> int:
        """Walks on from where the last call came to, a bounded stretch at a time, and begins anew at the end."""
        over: list[tuple[str, str]] = []
        for _ in range(MOST_WALKED // WALKED_AT_ONCE):
            asked = min(WALKED_AT_ONCE, limit - len(over))
            source, code, recipient = self._walked
            values: dict[str, int | str] = {"source": source, "code": code, "recipient": recipient}
            values |= {"limit": asked, "before": to_ms(before)}
            rows = await self._list(self._sql.followings(), values, list[tuple[str, str, str, int]])
            over += [(row[2], row[1]) for row in rows if row[3]]
            self._walked = rows[-1][:3] if len(rows) == asked else ("", "", "")
            if len(rows) < asked or len(over) == limit:
                break
        if over:
            await self._write(lambda: _one(self._sql.end_followings(), {"rows": _encoded(over), "now": self._now()}))
        return len(over)

    # holds

    async def holds(self) -> Sequence[Hold]:
        return [read_hold(tuple(row)) for row in await self._read(sql.HOLDS, {})]

    async def close_hold(self, hold: int, *, release_at: datetime | None, limit: int) -> int:
        return await self._write(
            lambda: self._close_hold(hold, None if release_at is None else to_ms(release_at), limit)
        )

    def _close_hold(self, hold: int, release_at: int | None, limit: int) -> Steps[int]:
        now = self._now()
        found = yield self._sql.held(), {"hold": hold}
        if not found:
            return 0
        [(payload,)] = yield self._sql.next_held(), {"source": found[0][0], "limit": limit}
        ids = decode(payload, list[tuple[int]])
        values: Values = {"ids": _encoded([identifier for (identifier,) in ids]), "now": now}
        if ids and release_at is None:
            yield self._sql.drop(), values
        elif ids and release_at is not None:
            yield self._sql.release(), {**values, "release_at": release_at}
            if self._dialect.wake and release_at <= now:
                yield self._dialect.wake, {}
        if len(ids) < limit:
            yield sql.CLOSE_HOLD, {"hold": hold, "now": now}
        return len(ids)

    # delivery

    async def fall_back(self, new_ids: Sequence[int], way: JoinedWay | None = None) -> int:
        now = self._clock()
        since = to_ms(self._failed_since or now - FIRST_LOOK_BACK)
        taken, written = await self._write(lambda: fall_back(self._sql, new_ids, way, since=since, now=to_ms(now)))
        if taken < len(new_ids):
            self._failed_since = now - LOOK_BACK
        return written

    # planned stoppages

    async def stoppages(self, now: datetime) -> Sequence[Stoppage]:
        return [read_stoppage(tuple(row)) for row in await self._read(sql.STOPPAGES, {"now": to_ms(now)})]

    async def plan_stoppage(self, stoppage: Stoppage) -> None:
        values: Values = {
            "id": stoppage.id,
            "starts_at": to_ms(stoppage.starts_at),
            "ends_at": to_ms(stoppage.ends_at),
            "texts": written_texts(stoppage.texts),
            "tell_followers": stoppage.tell_followers,
            "now": self._now(),
        }
        await self._write(lambda: _one(sql.PLAN_STOPPAGE, values))

    async def cancel_stoppage(self, identifier: int) -> bool:
        return bool(await self._write(lambda: _one(sql.CANCEL_STOPPAGE, {"id": identifier, "now": self._now()})))

    async def followers_page(self, after: str, limit: int) -> Sequence[Follower]:
        while True:
            values: Values = {"after": after, "limit": limit}
            rows = await self._list(self._sql.followers_page(), values, list[FollowerRow])
            followers = read_all(rows, lambda row: read_follower(row, {}))
            if followers or len(rows) < limit:
                return followers
            after = rows[-1][0]

    # how it is done

    def _now(self) -> int:
        return to_ms(self._clock())

    async def _list(self, statement: str, values: Values, kind: type[RowOf]) -> RowOf:
        [(payload,)] = await self._read(statement, values)
        return decode(payload, kind)


def _one(statement: str, values: Values) -> Steps[Sequence[Any]]:
    return (yield statement, values)


def _by_address(payload: str) -> Mapping[Address, Sequence[datetime]]:
    booked = {
        recipient: decode(moments, list[tuple[int]]) for recipient, moments in decode(payload, list[tuple[str, str]])
    }
    return {Address.from_urn(urn): [from_ms(each) for (each,) in moments] for urn, moments in booked.items() if moments}


def _encoded(rows: Sequence[object]) -> str:
    return encode(rows) or "[]"
