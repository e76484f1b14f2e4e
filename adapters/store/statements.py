"""The SQL of the SQLite store, written once.

Python's sqlite3 gives up the interpreter lock at every step of a statement and, beside a busy event loop, waits up to
a whole switch interval to get it back (5 ms by default). So a batch travels as one JSON text a table, comes back as
one JSON text, and a whole commit is four steps: BEGIN, one READ, one insert into the temporary view `journal`, whose
trigger distributes it to the tables, COMMIT. Measured beside a thread that never rests, 100 rows into one table:
executemany 543 ms, one JSON text 13 ms; beside an idle one 1.4 and 2.4 ms, which is the price.
"""

# ruff: noqa: S608 - these are put together from the column names of this package, never from data

from __future__ import annotations

from collections.abc import Sequence

from adapters.store.claim_rule import closed_state, may_be_handed_over, why_not
from adapters.store.journal_sql import (
    LISTS,
    PRIORS_JUDGED,
    REMEMBERED_MESSAGES,
    Remembered,
    journal_statements,
    people,
    who_blocked,
)
from adapters.store.report_sql import KEPT_COLUMNS, MATCHED_COLUMNS, kept_reports
from adapters.store.rows import MESSAGE_COLUMNS, OUTBOUND_COLUMNS, PERSON_COLUMNS
from adapters.store.tables import OutboxStates


def _rows(source: str) -> str:
    """The rows of a JSON text as `v`; LIMIT keeps SQLite from writing out each row anew for every cell."""
    return f"(SELECT value AS v FROM json_each({source}) LIMIT -1)"


def _given(name: str) -> str:
    """A list of the commit as a table, inside the trigger."""
    if name == "matched":
        return name
    cells = ", ".join(f"v ->> {position} AS {column}" for position, (column, _) in enumerate(LISTS[name]))
    return f"(SELECT {cells} FROM {_rows(f'NEW.{name}')})"


def _group(columns: Sequence[str], source: str) -> str:
    """Many rows as one JSON text."""
    return f"SELECT json_group_array(json_array({', '.join(columns)})) FROM {source}"


_LISTS = ", ".join(LISTS)
_MATCHED = ", ".join(name for name, _ in MATCHED_COLUMNS)
_REMEMBERED = Remembered(lambda query: f"INSERT INTO matched ({_MATCHED}) {query}", ("DELETE FROM matched",))

WRITER_SETUP = (
    f"CREATE TEMP TABLE matched ({', '.join(f'{name} {kind}' for name, kind in MATCHED_COLUMNS)})",
    f"CREATE TEMP VIEW journal ({_LISTS}) AS SELECT {', '.join('NULL' for _ in LISTS)}",
    "CREATE TEMP TRIGGER journal_written INSTEAD OF INSERT ON journal BEGIN\n"
    + ";\n".join(
        statement for statements in journal_statements(_given, _REMEMBERED).values() for statement in statements
    )
    + ";\nEND",
)

WRITE_JOURNAL = f"INSERT INTO journal ({_LISTS}) VALUES ({', '.join('?' for _ in LISTS)})"
WRITE_RESULTS = "INSERT INTO journal (results) VALUES (?)"

SENT_COLUMNS = (
    *("o.id", "o.account", "o.category", "o.attempts", "o.created_at", "o.expires_at", "o.state", "o.owner"),
    "o.handed_over_at",
)
_PRIOR_COLUMNS = (
    "k.v ->> 0",
    "i.id",
    "i.session",
    "i.received_at",
    "i.acknowledged_at",
    "i.acknowledged_ok",
    "i.session_ended_at",
)

# What a commit must know beforehand. Parameters, JSON each: ids of results; (position, identity, since) of new
# messages; (position, channel, account, external id); (position, id); ids of closings; keys of submissions.
READ_JOURNAL = f"""SELECT
({_group(SENT_COLUMNS, "json_each(?) AS k CROSS JOIN outbox AS o WHERE o.id = k.value")}),
({_group(_PRIOR_COLUMNS, f"{_rows('?')} AS k CROSS JOIN inbox AS i")} WHERE i.id IN (
    SELECT p.id FROM inbox AS p WHERE p.identity = k.v ->> 1 AND p.received_at >= k.v ->> 2
    ORDER BY p.received_at DESC LIMIT {PRIORS_JUDGED})),
(SELECT json_group_array(json_array(k.v ->> 0, i.id)) FROM {_rows("?")} AS k CROSS JOIN inbox AS i
    WHERE i.channel = k.v ->> 1 AND i.account = k.v ->> 2 AND i.external_id = k.v ->> 3),
(SELECT json_group_array(json_array(k.v ->> 0, i.id)) FROM {_rows("?")} AS k CROSS JOIN inbox AS i
    WHERE i.id = k.v ->> 1),
(SELECT json_group_array(i.id) FROM json_each(?) AS k CROSS JOIN inbox AS i
    WHERE i.id = k.value AND i.state = 'open'),
({_group(KEPT_COLUMNS, f"(SELECT * FROM ({kept_reports('IN (SELECT value FROM json_each(?))')}) ORDER BY id)")})"""

WRITTEN = """SELECT json_group_array(k.value) FROM json_each(?) AS k
WHERE EXISTS (SELECT 1 FROM inbox AS i WHERE i.id = k.value) OR EXISTS (SELECT 1 FROM outbox AS o WHERE o.id = k.value)"""

# As on PostgreSQL (postgres_statements.GIVE_UP). Parameters: ids, owner.
GIVE_UP_OPEN = """UPDATE inbox SET owner = 0, lease_until = 0
WHERE id IN (SELECT value FROM json_each(?)) AND state = 'open' AND owner = ?"""
GIVE_UP_REPLIES = """UPDATE outbox SET state = 'ready', owner = NULL, lease_until = NULL
WHERE id IN (SELECT value FROM json_each(?)) AND state = 'handed_over' AND owner = ? AND attempts = 1"""

# INDEXED BY: without statistics SQLite would rather walk the whole table in the order of its ids.
OPEN_MESSAGES = _group(
    MESSAGE_COLUMNS,
    "(SELECT * FROM inbox INDEXED BY ix_inbox_open WHERE state = 'open' AND owner <> ? ORDER BY id LIMIT ?)",
)
TAKE_MESSAGES = "UPDATE inbox SET owner = ?, lease_until = ? WHERE id IN (SELECT value FROM json_each(?))"

# With what may leave, why the rest may not. Parameters by name: now, account, limit, lowest (the last priority).
DUE = _group(
    (f"json_array({', '.join(OUTBOUND_COLUMNS)})", why_not("d", ":now")),
    "(SELECT * FROM outbox INDEXED BY ix_outbox_ready"
    " WHERE account = :account AND state = 'ready' AND priority <= :lowest AND available_at <= :now"
    " ORDER BY priority, id LIMIT :limit) AS d",
)
# Parameters: now, (id, why) as JSON.
CLOSE = f"""UPDATE outbox SET state = {closed_state("c.v ->> 1")}, settled_at = ?, reason = c.v ->> 1
FROM {_rows("?")} AS c WHERE outbox.id = c.v ->> 0"""
# Parameters: now, why, ids.
CLOSE_UNREADABLE = f"""UPDATE outbox SET state = '{OutboxStates.REJECTED}', settled_at = ?, reason = ?
WHERE id IN (SELECT value FROM json_each(?))"""
CLAIM = "UPDATE outbox SET state = 'claimed', owner = ?, lease_until = ? WHERE id IN (SELECT value FROM json_each(?))"
_OURS = "id IN (SELECT value FROM json_each(?)) AND state = 'claimed' AND owner = ?"
HAND_OVER = (
    "UPDATE outbox SET state = 'handed_over', attempts = attempts + 1, handed_over_at = ?, lease_until = ?"
    f" WHERE {_OURS} AND {may_be_handed_over('outbox')} RETURNING id"
)
RELEASE = f"UPDATE outbox SET state = 'ready', owner = NULL, lease_until = NULL WHERE {_OURS}"

_HELD = "outbox INDEXED BY ix_outbox_held"
FREE_CLAIMED = (
    f"UPDATE {_HELD} SET state = 'ready', owner = NULL, lease_until = NULL"
    " WHERE state IN ('claimed', 'handed_over') AND state = 'claimed' AND owner <> ?"
)
ABANDONED = _group(
    SENT_COLUMNS,
    "outbox AS o INDEXED BY ix_outbox_held"
    " WHERE o.state IN ('claimed', 'handed_over') AND o.state = 'handed_over' AND o.owner <> ?",
)
# Parameter: now. INDEXED BY: all of it stands in the index.
DEPTH = """SELECT account, count(*) FROM outbox INDEXED BY ix_outbox_ready
WHERE state = 'ready' AND available_at <= ? GROUP BY account"""
DEFERRED = """SELECT account, reason, count(*) FROM outbox INDEXED BY ix_outbox_deferred
WHERE state = 'ready' AND reason IS NOT NULL AND available_at > ? GROUP BY account, reason
UNION ALL SELECT account, 'held', count(*) FROM outbox INDEXED BY ix_outbox_on_hold WHERE state = 'held'
GROUP BY account"""

RENEW_MESSAGES = "UPDATE inbox INDEXED BY ix_inbox_open SET lease_until = ? WHERE state = 'open' AND owner = ?"
RENEW_OUTBOX = f"UPDATE {_HELD} SET lease_until = ? WHERE state IN ('claimed', 'handed_over') AND owner = ?"
BEAT = "UPDATE process SET heartbeat_at = ? WHERE owner = ?"

START_PROCESS = "INSERT INTO process (owner, started_at, heartbeat_at) VALUES (?, ?, ?) RETURNING number"
END_PROCESS = "UPDATE process SET heartbeat_at = ?, ended_at = ? WHERE owner = ?"
# A dead owner's connections ended at its last sign of life, as far as anybody knows.
END_FORMER_SESSIONS = """
UPDATE inbox SET session_ended_at = coalesce(
    (SELECT coalesce(p.ended_at, p.heartbeat_at) FROM process AS p WHERE p.owner = inbox.owner), ?)
WHERE id >= ? AND session IS NOT NULL AND session_ended_at IS NULL AND owner <> ?"""

CHOSEN = "SELECT address FROM person UNION SELECT recipient FROM next_address"
RECIPIENTS = "SELECT o.recipient FROM json_each(?) AS k CROSS JOIN outbox AS o WHERE o.id = k.value ->> 0"
CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"  # waits for nobody, and nobody waits for it

# Parameter by name: urns as JSON.
_THEM = "IN (SELECT value FROM json_each(:urns))"
PEOPLE = _group((*PERSON_COLUMNS, "linked", "place"), f"({people(_THEM)})")
WHO_BLOCKED = f"SELECT json_group_array(address) FROM ({who_blocked(_THEM)})"
FOLLOWING = """SELECT dossier_code, followed_at FROM subscription
WHERE recipient = ? AND ended_at IS NULL ORDER BY followed_at DESC, dossier_code LIMIT ?"""
RECALL = f"""
WITH recent AS (SELECT id, dossier_code FROM inbox WHERE sender = ? ORDER BY id DESC LIMIT {REMEMBERED_MESSAGES})
SELECT (SELECT dossier_code FROM recent WHERE dossier_code IS NOT NULL ORDER BY id DESC LIMIT 1),
    (SELECT o.created_at FROM recent AS r CROSS JOIN outbox AS o WHERE o.inbound_id = r.id ORDER BY r.id DESC LIMIT 1)"""
RESERVE = """
INSERT INTO counter (name, value) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET value = value + excluded.value RETURNING value"""
