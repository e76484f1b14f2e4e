"""What did not leave, for an operator: looked at, sent once more, or dropped; beside the processes that serve."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import msgspec
from sqlalchemy import Connection, Row, Select, and_, or_, select, text, update

from adapters.store.outside import Outside, in_steps
from adapters.store.rows import from_ms, to_ms
from adapters.store.tables import OutboxStates, outbox, submission
from notifications.ports import Letter

MASKED = "masked"  # the scheme of who was erased: nobody to send to
BY_OPERATOR = "operator"  # the reason of what was dropped
_SHOWN_HEAD, _SHOWN_TAIL = 5, 3
_LEAST_MASKED = 9  # characters; of a shorter address only the end is shown


@dataclass(frozen=True, slots=True)
class Kind:
    """Some rows of the outbox, as the condition of a partial index says them, and that index."""

    condition: str
    index: str


# What was sent on to the person's next address (notices_rows.Params.next) is not dead.
_NOT_SENT_ON = """coalesce(params, '') NOT LIKE '%"next":%'"""
_FAILED = Kind(
    "category <> 'reply' AND state IN ('rejected', 'stopped', 'expired', 'unknown')"
    f" AND coalesce(delivery_status, '') <> 'delivered' AND {_NOT_SENT_ON}",
    "ix_outbox_failed",
)
_UNDELIVERED = Kind(
    "category <> 'reply' AND delivery_status IN ('undeliverable', 'expired', 'rejected', 'deleted')"
    " AND state = 'accepted'",
    "ix_outbox_undelivered",
)
_READY = Kind("state = 'ready' AND available_at <= :now", "ix_outbox_ready")
_DEFERRED = Kind("state = 'ready' AND available_at > :now", "ix_outbox_ready")
_HELD = Kind("state = 'held'", "ix_outbox_on_hold")

LISTS: Mapping[str, Sequence[Kind]] = {
    "dead": (_FAILED, _UNDELIVERED),
    "deferred": (_DEFERRED,),
    "held": (_HELD,),
    "ready": (_READY,),
    "all": (_FAILED, _UNDELIVERED, _DEFERRED, _HELD, _READY),
}
_DEAD = or_(*(text(f"({kind.condition})") for kind in LISTS["dead"]))
_WAITING = outbox.c.state.in_([OutboxStates.READY, OutboxStates.HELD])


class StoreLetters:
    """Implements notifications.ports.Letters."""

    def __init__(self, store: Outside) -> None:
        self._store = store

    async def listed(self, which: str, *, limit: int, after: int = 0) -> Sequence[Letter]:
        """See the port. Raises KeyError: there is no such list."""
        kinds = LISTS[which]

        def read(connection: Connection, now: int) -> list[Letter]:
            found = [row for kind in kinds for row in connection.execute(_select(kind, after, limit), {"now": now})]
            return [_letter(row) for row in sorted(found, key=lambda row: int(row.id))[:limit]]

        return await self._store.reading(read)

    async def retry(self, ids: Collection[int], *, expires_at: datetime) -> Sequence[int]:
        done: list[int] = []
        for some in in_steps(sorted(set(ids))):
            done += await self._store.writing(partial(_retry, ids=some, expires_at=to_ms(expires_at)))
        return done

    async def drop(self, ids: Collection[int]) -> Sequence[int]:
        done: list[int] = []
        for some in in_steps(sorted(set(ids))):
            done += await self._store.writing(partial(_drop, ids=some))
        return done


def _select(kind: Kind, after: int, limit: int) -> Select[tuple[object, ...]]:
    """INDEXED BY: without statistics SQLite would rather walk the whole table in the order of its ids."""
    rows = select(*outbox.columns).where(text(kind.condition), outbox.c.id > after).order_by(outbox.c.id).limit(limit)
    return rows.with_hint(outbox, f"INDEXED BY {kind.index}", "sqlite")


def _retry(connection: Connection, now: int, *, ids: Sequence[int], expires_at: int) -> Sequence[int]:
    """A row keeps its attempts: the next hand-over writes segments of its own, and an unknown outcome is not repeated
    for ever.
    """
    again = (
        update(outbox)
        .where(outbox.c.id.in_(ids), _DEAD, outbox.c.recipient.not_like(f"{MASKED}:%"))
        .values(
            state=OutboxStates.READY,
            available_at=now,
            expires_at=expires_at,
            settled_at=None,
            reason=None,
            delivery_status=None,
            delivered_at=None,
        )
        .returning(outbox.c.id)
    )
    done = sorted(connection.execute(again).scalars())
    forgotten = {"report_status": None, "report_at": None, "report_error": None}
    connection.execute(update(submission).where(submission.c.outbox_id.in_(done)).values(forgotten))
    return done


def _drop(connection: Connection, now: int, *, ids: Sequence[int]) -> Sequence[int]:
    dropped = (
        update(outbox)
        .where(and_(outbox.c.id.in_(ids), or_(_WAITING, _DEAD)))
        .values(state=OutboxStates.DROPPED, settled_at=now, reason=BY_OPERATOR)
        .returning(outbox.c.id)
    )
    return sorted(connection.execute(dropped).scalars())


def _letter(row: Row[tuple[object, ...]]) -> Letter:
    params = msgspec.json.decode(row.params) if row.params else {}
    return Letter(
        id=row.id,
        category=row.category,
        kind=str(params.get("kind", "")),
        recipient=masked(row.recipient.partition(":")[2]),
        state=row.state,
        reason=row.reason or "",
        delivery_status=row.delivery_status or "",
        source=row.source or "",
        dossier_code=row.dossier_code or "",
        account=row.account,
        created_at=from_ms(row.created_at),
        available_at=from_ms(row.available_at),
        expires_at=from_ms(row.expires_at),
        attempts=row.attempts,
        text=row.text,
    )


def masked(address: str) -> str:
    """Enough to tell two people apart, not enough to call one: 84912***013."""
    head = address[:_SHOWN_HEAD] if len(address) >= _LEAST_MASKED else ""
    return f"{head}***{address[-_SHOWN_TAIL:]}"
