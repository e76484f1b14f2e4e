"""What became of each message of a broadcast, read stretch by stretch, on both engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.store.letters import masked
from adapters.store.notices_dialect import Dialect
from adapters.store.notices_rows import read_moment
from adapters.store.rows import decode, from_ms
from adapters.store.steps import Steps, Values
from console.broadcasts.ports import ResultRow

RESULTS_LOOKED_AT = 20  # stretches of the outbox, in one statement


def results(dialect: Dialect, identifier: int, after: int, limit: int, *, unmasked: bool) -> Steps[Sequence[ResultRow]]:
    """Stretch by stretch, as they were written: other messages lie between them."""
    chunks = yield (
        """SELECT first_id, last_id FROM broadcast_chunk WHERE broadcast_id = :id AND last_id > :after
ORDER BY first_id LIMIT :chunks""",
        {"id": identifier, "after": after, "chunks": RESULTS_LOOKED_AT},
    )
    names = ("id", "recipient", "channel", "dossier_code", "language", "state", "delivery_status", "reason")
    moments = ("created_at", "settled_at", "delivered_at", "attempts")
    cells = [f"w.{name}" for name in (*names, *moments)]
    # The plus keeps an engine from walking all of the broadcast.
    page = """(SELECT * FROM outbox AS o WHERE o.id > :after AND o.id >= :first AND o.id <= :last
    AND +o.broadcast_id = :id ORDER BY o.id LIMIT :limit) AS w"""
    found_rows: list[ResultRow] = []
    for first, last in chunks:
        if len(found_rows) >= limit:
            break
        values: Values = {
            "id": identifier,
            "after": after,
            "first": first,
            "last": last,
            "limit": limit - len(found_rows),
        }
        [(payload,)] = yield dialect.grouped(cells, page), values
        found_rows += [_result(row, unmasked=unmasked) for row in sorted(decode(payload, list[tuple[Any, ...]]))]
    return found_rows


def _result(row: Sequence[Any], *, unmasked: bool) -> ResultRow:
    identifier, recipient, channel, code, language, state, delivery, reason, created_at, settled_at, *rest = row
    delivered_at, attempts = rest
    address = recipient.partition(":")[2]
    return ResultRow(
        id=identifier,
        recipient=address if unmasked else masked(address),
        channel=channel,
        dossier_code=code or "",
        language=language or "",
        state=state,
        delivery=delivery or "",
        reason=reason or "",
        created_at=from_ms(created_at),
        settled_at=read_moment(settled_at),
        delivered_at=read_moment(delivered_at),
        attempts=attempts,
    )
