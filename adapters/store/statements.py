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

from adapters.store.rows import (
    DECISION_COLUMNS,
    INBOX_COLUMNS,
    MESSAGE_COLUMNS,
    OUTBOUND_COLUMNS,
    OUTBOX_COLUMNS,
    PERSON_COLUMNS,
)
from domain.message import DeliveryStatus

PRIORS_JUDGED = 20  # the newest identical messages looked at: two machines repeating themselves cost no more
REMEMBERED_MESSAGES = 50  # how far back `recall` looks


def _cells(count: int, row: str = "v") -> str:
    """Each cell of a JSON row, as columns."""
    return ", ".join(f"{row} ->> {position}" for position in range(count))


def _rows(source: str) -> str:
    """The rows of a JSON text as `v`; LIMIT keeps SQLite from writing out each row anew for every cell."""
    return f"(SELECT value AS v FROM json_each({source}) LIMIT -1)"


def _insert(table: str, columns: Sequence[str], source: str) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {_cells(len(columns))} FROM {_rows(source)} WHERE true"


def _group(columns: Sequence[str], source: str) -> str:
    """Many rows as one JSON text."""
    return f"SELECT json_group_array(json_array({', '.join(columns)})) FROM {source}"


_FINAL = ", ".join(f"'{status.value}'" for status in DeliveryStatus if status.final)
_FAILED = ", ".join(f"'{s.value}'" for s in DeliveryStatus if s.final and s is not DeliveryStatus.DELIVERED)

_END_SESSIONS = f"""
UPDATE inbox SET session_ended_at = e.v ->> 1 FROM {_rows("NEW.session_ends")} AS e
WHERE inbox.session = e.v ->> 0 AND inbox.received_at >= e.v ->> 2 AND inbox.session_ended_at IS NULL"""

_ACKNOWLEDGE = f"""
UPDATE inbox SET acknowledged_at = a.v ->> 1, acknowledged_ok = a.v ->> 2
FROM {_rows("NEW.acknowledgements")} AS a WHERE inbox.id = a.v ->> 0"""

_SETTLE = f"""
UPDATE outbox SET state = r.v ->> 1, available_at = coalesce(r.v ->> 2, available_at), attempts = r.v ->> 3,
    settled_at = r.v ->> 4, reason = r.v ->> 5, owner = NULL, lease_until = NULL
FROM {_rows("NEW.results")} AS r WHERE outbox.id = r.v ->> 0"""

_SUBMISSION_COLUMNS = (
    "outbox_id",
    "attempt",
    "segment",
    "segments",
    "account",
    "external_id",
    "command_status",
    "submitted_at",
)

# A hand-over that did not leave gives its attempt number to the next one, which overwrites its segments.
_SUBMIT = f"""
{_insert("submission", _SUBMISSION_COLUMNS, "NEW.submissions")}
ON CONFLICT (outbox_id, attempt, segment) DO UPDATE SET segments = excluded.segments, account = excluded.account,
    external_id = excluded.external_id, command_status = excluded.command_status,
    submitted_at = excluded.submitted_at, report_status = NULL, report_at = NULL, report_error = NULL"""

_REPORT_COLUMNS = ("channel", "account", "external_id", "status", "received_at", "error", "text")

_KEEP_ORPHANS = f"""
{_insert("report", _REPORT_COLUMNS, "NEW.reports")} AND NOT EXISTS (
    SELECT 1 FROM submission AS s WHERE s.account = v ->> 1 AND s.external_id = v ->> 2)"""

# The other side may use an id again after some weeks: the latest submission is meant.
_REPORT_SEGMENTS = f"""
UPDATE submission SET report_status = r.v ->> 3, report_at = r.v ->> 4, report_error = r.v ->> 5
FROM {_rows("NEW.reports")} AS r
WHERE submission.account = r.v ->> 1 AND submission.external_id = r.v ->> 2
  AND (submission.outbox_id, submission.attempt) = (
      SELECT s.outbox_id, s.attempt FROM submission AS s
      WHERE s.account = r.v ->> 1 AND s.external_id = r.v ->> 2 ORDER BY s.outbox_id DESC, s.attempt DESC LIMIT 1)
  AND (submission.report_status IS NULL OR submission.report_status NOT IN ({_FINAL}))"""

_REPORT_WHOLE = f"""
UPDATE outbox SET
    delivered_at = (SELECT max(s.report_at) FROM submission AS s WHERE s.outbox_id = outbox.id
        AND s.report_status = 'delivered' GROUP BY s.attempt HAVING count(*) >= max(s.segments) LIMIT 1),
    delivery_status = coalesce(
        (SELECT 'delivered' FROM submission AS s WHERE s.outbox_id = outbox.id AND s.report_status = 'delivered'
         GROUP BY s.attempt HAVING count(*) >= max(s.segments) LIMIT 1),
        (SELECT s.report_status FROM submission AS s WHERE s.outbox_id = outbox.id AND s.report_status IN ({_FAILED})
         ORDER BY s.attempt DESC, s.segment LIMIT 1),
        (SELECT s.report_status FROM submission AS s WHERE s.outbox_id = outbox.id
         AND s.report_status IS NOT NULL AND s.report_status <> 'delivered'
         ORDER BY s.attempt DESC, s.segment LIMIT 1))
WHERE outbox.id IN (SELECT s.outbox_id FROM {_rows("NEW.reports")} AS r CROSS JOIN submission AS s
    WHERE s.account = r.v ->> 1 AND s.external_id = r.v ->> 2)"""

_CLOSE = f"""
UPDATE inbox SET ({", ".join(DECISION_COLUMNS)}, lease_until) = (
    SELECT {", ".join(f"c.v ->> {position}" for position in range(1, len(DECISION_COLUMNS) + 1))}, NULL)
FROM {_rows("NEW.closings")} AS c WHERE inbox.id = c.v ->> 0 AND inbox.state = 'open'"""

_KEEP_PEOPLE = f"""
{_insert("person", (*PERSON_COLUMNS, "updated_at"), "NEW.people")}
ON CONFLICT (address) DO UPDATE SET language = excluded.language, accents = excluded.accents,
    stopped_at = excluded.stopped_at, pending = excluded.pending, updated_at = excluded.updated_at"""

_KEEP_FEEDBACK = _insert("feedback", ("number", "inbound_id", "sender", "text", "received_at"), "NEW.feedback")

# The order matters: what is known of earlier messages first, then the new ones, then what was decided later.
_JOURNAL = {
    "session_ends": (_END_SESSIONS,),
    "acknowledgements": (_ACKNOWLEDGE,),
    "results": (_SETTLE,),
    "submissions": (_SUBMIT,),
    "reports": (_KEEP_ORPHANS, _REPORT_SEGMENTS, _REPORT_WHOLE),
    "inbox": (_insert("inbox", INBOX_COLUMNS, "NEW.inbox"),),
    "closings": (_CLOSE,),
    "outbox": (_insert("outbox", OUTBOX_COLUMNS, "NEW.outbox"),),
    "people": (_KEEP_PEOPLE,),
    "feedback": (_KEEP_FEEDBACK,),
}
JOURNAL_LISTS = tuple(_JOURNAL)

WRITER_SETUP = (
    f"CREATE TEMP VIEW journal ({', '.join(JOURNAL_LISTS)}) AS SELECT {', '.join('NULL' for _ in JOURNAL_LISTS)}",
    "CREATE TEMP TRIGGER journal_written INSTEAD OF INSERT ON journal BEGIN\n"
    + ";\n".join(statement for statements in _JOURNAL.values() for statement in statements)
    + ";\nEND",
)

WRITE_JOURNAL = f"INSERT INTO journal ({', '.join(JOURNAL_LISTS)}) VALUES ({', '.join('?' for _ in JOURNAL_LISTS)})"
WRITE_RESULTS = "INSERT INTO journal (results) VALUES (?)"

SENT_COLUMNS = ("o.id", "o.account", "o.category", "o.attempts", "o.created_at", "o.expires_at", "o.state", "o.owner")
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
# messages; (position, channel, account, external id); (position, id); ids of closings.
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
    WHERE i.id = k.value AND i.state = 'open')"""

WRITTEN = "SELECT json_group_array(i.id) FROM json_each(?) AS k CROSS JOIN inbox AS i WHERE i.id = k.value"

# INDEXED BY: without statistics SQLite would rather walk the whole table in the order of its ids.
OPEN_MESSAGES = _group(
    MESSAGE_COLUMNS,
    "(SELECT * FROM inbox INDEXED BY ix_inbox_open WHERE state = 'open' AND owner <> ? ORDER BY id LIMIT ?)",
)
TAKE_MESSAGES = "UPDATE inbox SET owner = ?, lease_until = ? WHERE id IN (SELECT value FROM json_each(?))"

DUE = _group(
    OUTBOUND_COLUMNS,
    "(SELECT * FROM outbox INDEXED BY ix_outbox_ready WHERE account = ? AND state = 'ready' AND available_at <= ?"
    " ORDER BY priority, id LIMIT ?)",
)
EXPIRE = (
    "UPDATE outbox SET state = 'expired', settled_at = ?, reason = 'expired'"
    " WHERE id IN (SELECT value FROM json_each(?))"
)
CLAIM = "UPDATE outbox SET state = 'claimed', owner = ?, lease_until = ? WHERE id IN (SELECT value FROM json_each(?))"
_OURS = "id IN (SELECT value FROM json_each(?)) AND state = 'claimed' AND owner = ?"
HAND_OVER = (
    "UPDATE outbox SET state = 'handed_over', attempts = attempts + 1, handed_over_at = ?, lease_until = ?"
    f" WHERE {_OURS}"
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
DEPTH = "SELECT account, count(*) FROM outbox WHERE state = 'ready' GROUP BY account"

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

CHOSEN = "SELECT address FROM person"

PEOPLE = _group(PERSON_COLUMNS, "json_each(?) AS k CROSS JOIN person WHERE person.address = k.value")
RECALL = f"""
WITH recent AS (SELECT id, dossier_code FROM inbox WHERE sender = ? ORDER BY id DESC LIMIT {REMEMBERED_MESSAGES})
SELECT (SELECT dossier_code FROM recent WHERE dossier_code IS NOT NULL ORDER BY id DESC LIMIT 1),
    (SELECT o.created_at FROM recent AS r CROSS JOIN outbox AS o WHERE o.inbound_id = r.id ORDER BY r.id DESC LIMIT 1)"""
RESERVE = """
INSERT INTO counter (name, value) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET value = value + excluded.value RETURNING value"""
