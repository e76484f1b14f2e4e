"""What is old is masked, then removed: a few rows a transaction, on both engines.

Ids rise with time, so what is old lies together at the front of a table and of its primary key. Rows are removed from
there, whole pages become empty, and the database gives those to the rows that come: the tables stay as large as what
they hold. Partitions would do the same by dropping, but a unique key of a partitioned table cannot say "one reply a
message" or "one row a chat update", and every statement by id would have to look into each partition.

The steps are told apart from who runs them (adapters.store.steps; pure).
"""

# ruff: noqa: S608 - these are put together from the constants of this package, never from data

from __future__ import annotations

from datetime import datetime, timedelta

from adapters.store.broadcast_rows import as_json
from adapters.store.claim_rule import EXPIRED
from adapters.store.notices_dialect import Dialect
from adapters.store.rows import decode, from_ms, to_ms
from adapters.store.steps import Steps, Values
from adapters.store.tables import OutboxStates
from conversation.ports import Expired, Place
from domain.ids import COUNTER_BITS, EPOCH_MS, PROCESS_BITS
from domain.message import PRIORITIES

MASKED_UP_TO = "masked_up_to"  # the row of `counter` that remembers how far masking came
MASKED = "masked:*"  # in place of an address

PURGE = (
    """DELETE FROM outbox WHERE id IN (SELECT id FROM outbox
    WHERE id < :first_kept AND state NOT IN ('ready', 'held', 'claimed', 'handed_over') ORDER BY id LIMIT :limit)
    RETURNING 1""",
    """DELETE FROM submission WHERE outbox_id IN (SELECT s.outbox_id FROM submission AS s
    WHERE s.outbox_id < :first_kept AND NOT EXISTS (SELECT 1 FROM outbox AS o WHERE o.id = s.outbox_id)
    ORDER BY s.outbox_id LIMIT :limit) RETURNING 1""",
    """DELETE FROM inbox WHERE id IN (SELECT id FROM inbox
    WHERE id < :first_kept AND state <> 'open' ORDER BY id LIMIT :limit) RETURNING 1""",
    """DELETE FROM report WHERE id IN (SELECT r.id FROM (SELECT id, received_at FROM report ORDER BY id LIMIT :limit)
    AS r WHERE r.received_at < :reports_before OR r.id <= (SELECT max(n.id) FROM report AS n) - :reports_kept)
    RETURNING 1""",
    """DELETE FROM subscription WHERE (recipient, dossier_code) IN (SELECT recipient, dossier_code FROM subscription
    WHERE ended_at IS NOT NULL AND ended_at < :before ORDER BY ended_at LIMIT :limit) RETURNING 1""",
    # What somebody agreed to is kept for as long as it is made use of, what they refused for as long as it holds.
    """DELETE FROM consent WHERE id IN (SELECT c.id FROM consent AS c WHERE c.given_at < :consent_before
    AND NOT EXISTS (SELECT 1 FROM subscription AS s WHERE s.recipient = c.recipient AND s.ended_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM person AS p WHERE p.address = c.recipient AND p.stopped_at IS NOT NULL)
    ORDER BY c.given_at LIMIT :limit) RETURNING 1""",
    """DELETE FROM hook_nonce WHERE (source, nonce) IN (SELECT source, nonce FROM hook_nonce
    WHERE keep_until < :now ORDER BY keep_until LIMIT :limit) RETURNING 1""",
    """DELETE FROM follow_pin WHERE token IN (SELECT token FROM follow_pin
    WHERE expires_at < :now ORDER BY expires_at LIMIT :limit) RETURNING 1""",
    """DELETE FROM link_pin WHERE asker IN (SELECT asker FROM link_pin
    WHERE expires_at < :now ORDER BY expires_at LIMIT :limit) RETURNING 1""",
    """DELETE FROM hold WHERE id IN (SELECT id FROM hold
    WHERE id < :first_kept AND closed_at IS NOT NULL AND closed_at < :before ORDER BY id LIMIT :limit) RETURNING 1""",
    """DELETE FROM stoppage WHERE id IN (SELECT id FROM stoppage
    WHERE ends_at < :before ORDER BY ends_at LIMIT :limit) RETURNING 1""",
    """DELETE FROM feed_cursor WHERE source = '' AND feed IN (SELECT feed FROM feed_cursor
    WHERE source = '' AND feed LIKE 'once:%' AND moved_at < :before ORDER BY feed LIMIT :limit) RETURNING 1""",  # Long over: a session lasts hours (console.session_hours).
    """DELETE FROM broadcast_row WHERE (upload, position) IN (SELECT r.upload, r.position FROM broadcast_row AS r
    WHERE r.upload < :first_kept AND NOT EXISTS (SELECT 1 FROM broadcast AS b WHERE b.id = r.broadcast_id
    AND b.state NOT IN ('done', 'stopped')) ORDER BY r.upload, r.position LIMIT :limit) RETURNING 1""",
    """DELETE FROM broadcast_chunk WHERE (broadcast_id, first_id) IN (SELECT broadcast_id, first_id FROM broadcast_chunk
    WHERE broadcast_id < :first_kept AND last_id < :first_kept AND look_at IS NULL
    ORDER BY broadcast_id, first_id LIMIT :limit) RETURNING 1""",
    """DELETE FROM sms_part WHERE (set_id, number) IN (SELECT set_id, number FROM sms_part
    WHERE set_id < :first_part AND (done_at < :parts_done_before OR received_at < :parts_before)
    ORDER BY set_id, number LIMIT :limit) RETURNING 1""",
    """DELETE FROM officer_session WHERE digest IN (SELECT digest FROM officer_session
    WHERE created_at < :before ORDER BY created_at LIMIT :limit) RETURNING 1""",
)
CONSENT_KEPT = timedelta(
    days=366
)  # a year at least (decree 91/2020; reference domain.md 5.3), however early all else goes
PART_KEPT = timedelta(hours=1)  # of a message that is done: longer than parts come again
PART_WAITS = timedelta(days=7)  # for a process to put its message together; nobody waits for an answer any more
REPORT_WAITS = timedelta(hours=24)  # for the answer to its submit, which takes seconds
REPORTS_KEPT = 1_000_000  # without one: somebody else's reports, sent to us by mistake, fill no disk meanwhile

READ_MARK = "SELECT value FROM counter WHERE name = :name"
NEXT_TO_MASK = """SELECT max(m.id), count(*) FROM (SELECT id FROM inbox
    WHERE id > :above AND id < :first_kept AND id < coalesce((SELECT min(o.id) FROM inbox AS o
        WHERE o.state = 'open'), :first_kept) ORDER BY id LIMIT :limit) AS m"""
# The identity goes, too: a hash of a telephone number is found by trying all of them.
MASK_MESSAGES = """UPDATE inbox SET sender = :masked, text = '', raw = NULL, identity = NULL, extras = NULL, masked_at = :now
    WHERE id > :above AND id <= :up_to RETURNING 1"""
MASK_FEEDBACK = """UPDATE feedback SET sender = :masked, text = '', answer = NULL, masked_at = :now WHERE number IN (
    SELECT number FROM feedback WHERE masked_at IS NULL AND received_at < :before ORDER BY number LIMIT :limit)
    RETURNING 1"""
KEEP_MARK = """INSERT INTO counter (name, value) VALUES (:name, :up_to)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value RETURNING 1"""

_CLOSED = f"state = '{OutboxStates.EXPIRED}', reason = '{EXPIRED}', settled_at = :now"


def purge(before: datetime, limit: int, now: int) -> Steps[int]:
    """Remove what was settled, ended or used up and is older, at most `limit` rows of each table; gives how many. `now`
    in epoch milliseconds.
    """
    values = {
        "first_kept": first_id(before),
        "before": to_ms(before),
        "consent_before": min(to_ms(before), now - round(CONSENT_KEPT.total_seconds() * 1000)),
        "first_part": first_id(from_ms(now) - PART_KEPT),
        "parts_done_before": now - round(PART_KEPT.total_seconds() * 1000),
        "parts_before": now - round(PART_WAITS.total_seconds() * 1000),
        "reports_before": max(to_ms(before), now - round(REPORT_WAITS.total_seconds() * 1000)),
        "reports_kept": REPORTS_KEPT,
        "now": now,
        "limit": limit,
    }
    removed = 0
    for statement in PURGE:
        removed += len((yield statement, values))
    return removed


def mask(before: datetime, limit: int, now: int) -> Steps[int]:
    """Forget who wrote and what, in messages and opinions older than that; gives how many rows.

    Nothing beyond the oldest open message is touched: its answer needs it.
    """
    known = yield READ_MARK, {"name": MASKED_UP_TO}
    above = known[0][0] if known else 0
    bounds = {"above": above, "first_kept": first_id(before), "limit": limit}
    [(up_to, count)] = yield NEXT_TO_MASK, bounds
    if count:
        yield MASK_MESSAGES, {"masked": MASKED, "now": now, "above": above, "up_to": up_to}
        yield KEEP_MARK, {"name": MASKED_UP_TO, "up_to": up_to}
    opinions = yield MASK_FEEDBACK, {"masked": MASKED, "now": now, "before": to_ms(before), "limit": limit}
    return int(count) + len(opinions)


def expire(dialect: Dialect, account: str, before: datetime, limit: int, now: int, behind: Place) -> Steps[Expired]:
    """Close what expired before and nobody claims, as a claim would have; `now` in epoch milliseconds.

    When a row expires stands in no index, so the account's rows are looked at in the order of theirs, so many a step.
    """
    rows = f"""(SELECT o.id, o.expires_at FROM outbox AS o{dialect.by("ix_outbox_ready")}
    WHERE o.account = :account AND o.state = 'ready' AND {dialect.behind("o")}
    ORDER BY o.priority, o.id LIMIT :limit{dialect.taking("o")}) AS w"""
    priority, above = behind
    place: Values = {"account": account, "priority": priority, "id": above, "limit": limit}
    [(payload,)] = yield dialect.grouped(("w.id", "w.expires_at"), rows), place
    seen = decode(payload, list[tuple[int, int]])
    ids = [identifier for identifier, expires_at in seen if expires_at < to_ms(before)]
    if ids:
        yield f"UPDATE outbox SET {_CLOSED} WHERE id {dialect.among_ids('ids')}", {"ids": as_json(ids), "now": now}
    there = max(identifier for identifier, _ in seen) if len(seen) == limit else None
    return Expired(closed=len(ids), behind=_next_priority(priority) if there is None else (priority, there))


def _next_priority(priority: int) -> Place | None:
    return next(((each, 0) for each in sorted(PRIORITIES.values()) if each > priority), None)


def first_id(moment: datetime) -> int:
    """No id made before `moment` is as large."""
    return max(to_ms(moment) - EPOCH_MS, 0) << (PROCESS_BITS + COUNTER_BITS)
