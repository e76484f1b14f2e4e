"""Broadcasts as the expander sees them, on both engines: written stretch by stretch, steered, counted."""

# ruff: noqa: S608 - put together from the column names of this package, never from data

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from adapters.store.audit import noting
from adapters.store.broadcast_audience import recipients, stretch
from adapters.store.broadcast_counting import StoreAudiences
from adapters.store.broadcast_rows import (
    BROADCAST_COLUMNS,
    MASS_COLUMNS,
    PROGRESS_COLUMNS,
    ResultCells,
    Results,
    as_json,
    mass_row,
    read_counts,
    read_results,
    read_under_way,
    written_results,
)
from adapters.store.broadcasts import change, locked
from adapters.store.notices_dialect import Dialect
from adapters.store.notices_recording import insert
from adapters.store.pins import Runner
from adapters.store.rows import decode, to_ms
from adapters.store.steps import Steps, Values
from adapters.store.tables import OutboxStates
from console.accounts.ports import AuditEntry
from domain.broadcasts import OVER, Broadcast, BroadcastAction, BroadcastState, Refusal, decide, moved
from domain.ids import moment_of
from domain.message import Address, DeliveryStatus
from notifications.ports import Portion, Queued, Recipient, Stretch, UnderWay

CLOCK_LOGIN = "tracuu"  # who did it, as the audit log says
LOOK_AGAIN = timedelta(seconds=1)  # at a stretch of which something is under way
REPORTS_WITHIN = timedelta(days=3)  # after which no delivery report is expected any more
LEAST_WAIT = timedelta(seconds=30)  # between two looks at a stretch of which only reports are missing
MOVING = ("claimed", "handed_over")
OPEN = ("ready", "held", *MOVING)
_FINAL = frozenset(status.value for status in DeliveryStatus if status.final)

_COLUMNS = ", ".join(f"b.{name}" for name in (*BROADCAST_COLUMNS, *PROGRESS_COLUMNS))
_INDEX = "ix_outbox_broadcast_open"
_OPEN = "broadcast_id IS NOT NULL AND state IN ('ready', 'held', 'claimed', 'handed_over')"  # as the index says it

# Where a broadcast's state wants its messages: which are moved, and to what.
WANTED: Mapping[BroadcastState, tuple[tuple[str, ...], str]] = {
    BroadcastState.RUNNING: (("held",), OutboxStates.READY),
    BroadcastState.PAUSED: (("ready", "claimed"), OutboxStates.HELD),
    BroadcastState.STOPPED: (("ready", "claimed", "held"), OutboxStates.DROPPED),
}

READ_STATE = "SELECT state FROM broadcast WHERE id = :id"
# The row is written first, so that nobody pauses it while a stretch is written, and no stretch is written twice.
GO_ON = """UPDATE broadcast SET position = :after, all_written = :ends, left_out = :left_out
WHERE id = :id AND state = 'running' AND position = :before AND NOT all_written RETURNING 1"""
READ_LEFT_OUT = "SELECT left_out FROM broadcast WHERE id = :id"
COUNT_WRITTEN = """UPDATE broadcast SET written = written + :rows, canary_left = CASE WHEN canary_left IS NULL THEN NULL
    WHEN canary_left > :rows THEN canary_left - :rows ELSE 0 END WHERE id = :id"""
ADD_CHUNK = """INSERT INTO broadcast_chunk (broadcast_id, first_id, last_id, results, look_at)
VALUES (:id, :first, :last, '[]', :now)"""
DUE_CHUNKS = """SELECT first_id, last_id, results FROM broadcast_chunk
WHERE broadcast_id = :id AND look_at IS NOT NULL AND look_at <= :now ORDER BY look_at LIMIT :limit"""
SET_CHUNK = """UPDATE broadcast_chunk SET results = :results, look_at = CAST(:look_at AS bigint)
WHERE broadcast_id = :id AND first_id = :first"""
READ_RESULTS = "SELECT results, state FROM broadcast WHERE id = :id"
SET_RESULTS = "UPDATE broadcast SET results = :results, counted_at = :now WHERE id = :id"
OPEN_CHUNKS = "SELECT count(*) FROM (SELECT 1 FROM broadcast_chunk WHERE broadcast_id = :id AND look_at IS NOT NULL LIMIT 1) AS one"
REST = "UPDATE broadcast SET busy = false WHERE id = :id"


class StoreMassMail:
    """Implements notifications.ports.MassMail. `run` writes, `look` only reads."""

    def __init__(
        self,
        run: Runner,
        look: Runner,
        dialect: Dialect,
        clock: Callable[[], datetime],
    ) -> None:
        self._run = run
        self._look = look
        self._dialect = dialect
        self._clock = clock
        self._audiences = StoreAudiences(look, dialect, clock)

    async def under_way(self) -> Sequence[UnderWay]:
        return await self._look(_under_way(self._dialect))

    async def people(self, broadcast: Broadcast) -> int:
        return (await self._audiences.count(broadcast.audience, identifier=broadcast.id)).total

    async def move(
        self, broadcast: Broadcast, action: BroadcastAction, note_id: int, *, seal: str = "", why: str = ""
    ) -> bool:
        return await self._run(self._move(broadcast, action, note_id, seal, why))

    async def stretch(self, under_way: UnderWay, limit: int) -> Stretch:
        broadcast, now = under_way.broadcast, self._clock()
        walk = stretch(self._dialect, broadcast.audience, broadcast.id, under_way.position, limit, now)
        return await self._look(walk)

    async def recipients(
        self, broadcast: Broadcast, addresses: Sequence[Address], *, booked_since: datetime
    ) -> Mapping[Address, Recipient]:
        return await self._look(
            recipients(
                self._dialect,
                addresses,
                broadcast=broadcast.id,
                failed_of=broadcast.audience.failed_of,
                booked_since=booked_since,
            )
        )

    async def write(self, portion: Portion) -> bool:
        return await self._run(_write(self._dialect, portion, to_ms(self._clock())))

    async def queued(self, broadcast: int) -> Queued:
        return await self._look(_queued(self._dialect, broadcast, to_ms(self._clock())))

    async def steer(self, broadcast: int, *, expires_at: datetime, limit: int) -> int:
        return await self._run(_steer(self._dialect, broadcast, to_ms(self._clock()), to_ms(expires_at), limit))

    async def tally(self, broadcast: int, *, stretches: int) -> bool:
        return await self._run(_tally(self._dialect, broadcast, self._clock(), stretches))

    def _move(self, given: Broadcast, action: BroadcastAction, note_id: int, seal: str, why: str) -> Steps[bool]:
        standing = yield from locked(self._dialect, given.id)
        if standing is None or standing.broadcast.version != given.version:
            return False
        before, now = standing.broadcast, self._clock()
        state = decide(before, action, None, seal=seal, scope=frozenset())
        if isinstance(state, Refusal):
            return False
        yield from change(before, moved(before, action, state, None, now=now), action, to_ms(now))
        yield from noting(_entry(before, action, note_id, now, why))
        return True


def _entry(broadcast: Broadcast, action: BroadcastAction, note_id: int, now: datetime, why: str) -> AuditEntry:
    """Under the broadcast's agency, so that it is found there."""
    return AuditEntry(
        id=note_id,
        at=now,
        officer_id=None,
        login=CLOCK_LOGIN,
        agency=broadcast.agency,
        action=f"broadcast.{action.value}",
        about=f"broadcast:{broadcast.id}",
        detail={"why": why} if why else {},
    )


def _under_way(dialect: Dialect) -> Steps[Sequence[UnderWay]]:
    rows = yield (
        f"SELECT {_COLUMNS} FROM broadcast AS b{dialect.by('ix_broadcast_busy')} WHERE b.busy ORDER BY b.id",
        {},
    )
    return [read_under_way(row) for row in rows]


# ---- writing


def _write(dialect: Dialect, portion: Portion, now: int) -> Steps[bool]:
    [(payload,)] = (yield READ_LEFT_OUT, {"id": portion.broadcast}) or [("{}",)]
    left_out = Counter(read_counts(payload)) + Counter(portion.left_out)
    values: Values = {
        "id": portion.broadcast,
        "before": portion.before,
        "after": portion.after,
        "ends": portion.end,
        "left_out": as_json(dict(left_out)),
    }
    if not (yield GO_ON, values):
        return False
    if not portion.messages:
        return True
    rows = [mass_row(message, portion.broadcast) for message in portion.messages]
    inserted = yield f"{insert(dialect, 'outbox', MASS_COLUMNS)} RETURNING id, state", {"rows": as_json(rows)}
    if not inserted:
        return True
    leaving = sum(row[1] == OutboxStates.READY for row in inserted)
    ids = [row[0] for row in inserted]
    yield COUNT_WRITTEN, {"id": portion.broadcast, "rows": leaving}
    yield ADD_CHUNK, {"id": portion.broadcast, "first": min(ids), "last": max(ids), "now": now}
    if leaving and dialect.wake:
        yield dialect.wake, {}
    return True


# ---- steering


def _queued(dialect: Dialect, broadcast: int, now: int) -> Steps[Queued]:
    rows = f"outbox AS o{dialect.by(_INDEX)} WHERE o.broadcast_id = :id AND {_OPEN}"
    waiting = f"""(SELECT o.account AS account, count(*) AS messages FROM {rows}
    AND o.state = 'ready' AND o.available_at <= :now GROUP BY o.account) AS w"""
    due = dialect.grouped(("w.account", "w.messages"), waiting)
    moving = f"SELECT count(*) FROM {rows} AND o.state IN ('claimed', 'handed_over')"
    any_of_it = f"SELECT count(*) FROM (SELECT 1 FROM {rows} LIMIT 1) AS one"
    [(payload, under_way, there)] = yield (
        f"SELECT ({due}), ({moving}), ({any_of_it})",
        {"id": broadcast, "now": now},
    )
    return Queued(due=dict(decode(payload, list[tuple[str, int]])), moving=under_way, open=there > 0)


def _steer(dialect: Dialect, broadcast: int, now: int, expires_at: int, limit: int) -> Steps[int]:
    found = yield READ_STATE, {"id": broadcast}
    state = BroadcastState(found[0][0]) if found else None
    if state is None or state not in WANTED:
        return 0
    from_states, to = WANTED[state]
    done = yield from _bring(dialect, broadcast, from_states, to, now, expires_at, limit)
    if state is BroadcastState.RUNNING:
        done += yield from _expire(dialect, broadcast, now, limit)
    if done and to == OutboxStates.READY and dialect.wake:
        yield dialect.wake, {}
    return done


def _bring(
    dialect: Dialect, broadcast: int, from_states: Sequence[str], to: str, now: int, expires_at: int, limit: int
) -> Steps[int]:
    """Where somebody is handing over a claimed one this moment, it is left to them."""
    listed = ", ".join(f"'{state}'" for state in from_states)
    ids = yield from _next(dialect, broadcast, f"o.state IN ({listed})", limit)
    if not ids:
        return 0
    changes = {
        OutboxStates.READY: f"""state = 'ready', reason = NULL, settled_at = NULL,
    expires_at = {dialect.later}(expires_at, CAST(:expires_at AS bigint))""",
        OutboxStates.HELD: "state = 'held', reason = 'broadcast_paused', owner = NULL, lease_until = NULL",
        OutboxStates.DROPPED: """state = 'dropped', reason = 'broadcast_stopped', settled_at = CAST(:now AS bigint),
    owner = NULL, lease_until = NULL""",
    }
    # A claimed one may have been handed over since it was found.
    statement = f"""UPDATE outbox SET {changes[to]} WHERE id {dialect.among_ids("ids")} AND state IN ({listed})"""
    yield statement, {"ids": as_json(ids), "now": now, "expires_at": expires_at}
    return len(ids)


def _expire(dialect: Dialect, broadcast: int, now: int, limit: int) -> Steps[int]:
    """Nobody claims for an account that is not there any more."""
    ids = yield from _next(dialect, broadcast, "o.state = 'ready' AND o.expires_at <= :now", limit, {"now": now})
    if ids:
        statement = f"""UPDATE outbox SET state = 'expired', reason = 'expired', settled_at = :now
WHERE id {dialect.among_ids("ids")} AND state = 'ready'"""
        yield statement, {"ids": as_json(ids), "now": now}
    return len(ids)


def _next(dialect: Dialect, broadcast: int, which: str, limit: int, more: Values | None = None) -> Steps[Sequence[int]]:
    rows = f"""(SELECT o.id FROM outbox AS o{dialect.by(_INDEX)}
    WHERE o.broadcast_id = :id AND {_OPEN} AND {which} LIMIT :limit{dialect.taking("o")}) AS w"""
    [(payload,)] = yield dialect.grouped(("w.id",), rows), {"id": broadcast, "limit": limit, **(more or {})}
    return [identifier for (identifier,) in decode(payload, list[tuple[int]])]


# ---- counting


def _tally(dialect: Dialect, broadcast: int, now: datetime, stretches: int) -> Steps[bool]:
    """The difference to the last count is added to the whole: what does not change any more is not read again."""
    yield f"SELECT id FROM broadcast WHERE id = :id{dialect.lock}", {"id": broadcast}
    standing = yield READ_RESULTS, {"id": broadcast}
    if not standing:
        return False
    whole, state = Counter(read_results(standing[0][0])), BroadcastState(standing[0][1])
    chunks = yield DUE_CHUNKS, {"id": broadcast, "now": to_ms(now), "limit": stretches}
    for first, last, payload in chunks:
        counted = yield from _count(dialect, broadcast, first, last)
        whole.update(counted)
        whole.subtract(read_results(payload))
        look_at = _look_again(counted, moment_of(last), now)
        values: Values = {
            "results": written_results(counted),
            "look_at": None if look_at is None else to_ms(look_at),
        }
        yield SET_CHUNK, {"id": broadcast, "first": first, **values}
    if chunks:
        yield SET_RESULTS, {"id": broadcast, "results": written_results(dict(whole)), "now": to_ms(now)}
    [(unfinished,)] = yield OPEN_CHUNKS, {"id": broadcast}
    if state in OVER and not unfinished:
        yield REST, {"id": broadcast}
        return False
    return True


def _count(dialect: Dialect, broadcast: int, first: int, last: int) -> Steps[Results]:
    """The plus keeps an engine from walking all of the broadcast."""
    cells = ("o.state", "coalesce(o.delivery_status, '')", "coalesce(o.reason, '')")
    rows = f"""(SELECT {cells[0]} AS state, {cells[1]} AS delivery, {cells[2]} AS reason, count(*) AS messages
    FROM outbox AS o WHERE o.id >= :first AND o.id <= :last AND +o.broadcast_id = :id
    GROUP BY 1, 2, 3) AS w"""
    asked = dialect.grouped(("w.state", "w.delivery", "w.reason", "w.messages"), rows)
    [(payload,)] = yield asked, {"id": broadcast, "first": first, "last": last}
    return {(row[0], row[1], row[2]): row[3] for row in decode(payload, list[ResultCells])}


def _look_again(counted: Results, written_at: datetime, now: datetime) -> datetime | None:
    """None: nothing of it changes any more."""
    if any(state in OPEN for state, _, _ in counted):
        return now + LOOK_AGAIN
    waits = any(state == "accepted" and delivery not in _FINAL for state, delivery, _ in counted)
    age = now - written_at
    return now + max(LEAST_WAIT, age / 4) if waits and age < REPORTS_WITHIN else None
