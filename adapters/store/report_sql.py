"""The SQL of delivery reports that both engines speak, written once: which submissions they mean, what is kept until one
is there, and what a whole message has come to (pure).
"""

# ruff: noqa: S608 - these are put together from the column names of this package, never from data

from __future__ import annotations

from adapters.store.lists import Columns, Given, insert, of_table
from domain.message import DeliveryStatus

KEPT_TAKEN_UP = 200  # reports kept before their submission, in one commit
SUBMISSIONS_JUDGED = 50  # the newest with one id

SUBMISSION_COLUMNS = (
    "outbox_id",
    "attempt",
    "segment",
    "segments",
    "account",
    "external_id",
    "external_key",
    "command_status",
    "submitted_at",
)
REPORT_COLUMNS = (
    "channel",
    "account",
    "external_id",
    "external_key",
    "keys",
    "recipient",
    "sender",
    "status",
    "received_at",
    "error",
    "text",
    "kept_at",
)
KEPT_COLUMNS = ("id", *REPORT_COLUMNS[:-1])

# A report under each of its keys. `turn`: of two about one segment the one with the lower counts. `place`: of the key.
# `named`: 1 for one that says to which telephone the message went.
HEARD_KEY_COLUMNS: Columns = (
    ("turn", "integer"),
    ("place", "integer"),
    ("named", "integer"),
    ("external_key", "text"),
    *of_table("report", ("account", "recipient", "sender", "status", "received_at", "error")),
)
# The segments of that hand-over with that key are meant. `heard`: 1 for the one of several reports that counts.
MATCHED_COLUMNS: Columns = (
    ("turn", "integer"),
    ("heard", "integer"),
    *of_table("submission", ("outbox_id", "attempt", "external_key")),
    *of_table("report", ("status", "received_at", "error")),
)

_FINAL = ", ".join(f"'{status.value}'" for status in DeliveryStatus if status.final)
_FAILED = ", ".join(f"'{s.value}'" for s in DeliveryStatus if s.final and s is not DeliveryStatus.DELIVERED)


def submit(source: str) -> str:
    """From a table of the list `submissions`. A hand-over that did not leave gives its attempt number to the next one, which overwrites its segments."""
    return f"""
{insert("submission", SUBMISSION_COLUMNS, source)}
ON CONFLICT (outbox_id, attempt, segment) DO UPDATE SET segments = excluded.segments, account = excluded.account,
    external_id = excluded.external_id, external_key = excluded.external_key, command_status = excluded.command_status,
    submitted_at = excluded.submitted_at, report_status = NULL, report_at = NULL, report_error = NULL"""


def match(heard_keys: str) -> str:
    """A query for MATCHED_COLUMNS: which submissions reports mean. `heard_keys`: a table of HEARD_KEY_COLUMNS.

    Of those of the account with one of its keys: first what went to the number it speaks of, then by the order of its
    keys, then the newest, since the other side may use an id again after some weeks. What went to another telephone than
    the one it names is not meant, however alike the ids: more likely the answer to the submit is still on its way. Where
    what it names can be no telephone (hidden, a name), the id counts as it is written, and what has come to its end is
    not meant any more. A key after the first is a guess, believed only with the number beside it, where one is named.
    """
    spoken_of = "o.recipient IN (k.recipient, k.sender)"
    return f"""
SELECT c.turn, row_number() OVER (PARTITION BY c.outbox_id, c.attempt, c.external_key ORDER BY c.turn) AS heard,
    c.outbox_id, c.attempt, c.external_key, c.status, c.received_at, c.error
FROM (
    SELECT k.turn, k.external_key, k.status, k.received_at, k.error, s.outbox_id, s.attempt,
        row_number() OVER (PARTITION BY k.turn ORDER BY CASE WHEN {spoken_of} THEN 0 ELSE 1 END, k.place,
            s.outbox_id DESC, s.attempt DESC, s.segment) AS choice
    FROM {heard_keys} AS k CROSS JOIN submission AS s LEFT JOIN outbox AS o ON o.id = s.outbox_id
    WHERE s.account = k.account AND s.external_key = k.external_key AND s.outbox_id >= {oldest_judged("k")}
      AND (k.recipient IS NULL OR {spoken_of}
        OR (k.place = 0 AND k.named = 0 AND (s.report_status IS NULL OR s.report_status NOT IN ({_FINAL}))))
) AS c WHERE c.choice = 1"""


def oldest_judged(row: str) -> str:
    """The outbox_id from which submissions with the account and key of `row` are looked at, so that an SMSC which gives
    all messages one id costs no more.
    """
    return f"""coalesce((SELECT n.outbox_id FROM submission AS n
        WHERE n.account = {row}.account AND n.external_key = {row}.external_key
        ORDER BY n.outbox_id DESC LIMIT 1 OFFSET {SUBMISSIONS_JUDGED - 1}), 0)"""


def kept_reports(among: str) -> str:
    """A query for KEPT_COLUMNS: what was kept under some keys. `among`: what follows a column that must be one of them."""
    return f"SELECT {', '.join(KEPT_COLUMNS)} FROM report WHERE external_key {among} LIMIT {KEPT_TAKEN_UP}"


def keep_orphans(given: Given) -> str:
    return f"""
{insert("report", REPORT_COLUMNS, given("reports"))} AND n.turn NOT IN (SELECT m.turn FROM {given("matched")} AS m)"""


def report_segments(matched: str) -> str:
    """From a table of MATCHED_COLUMNS."""
    return f"""
UPDATE submission SET report_status = m.status, report_at = m.received_at, report_error = m.error
FROM {matched} AS m
WHERE submission.outbox_id = m.outbox_id AND submission.attempt = m.attempt
  AND submission.external_key = m.external_key AND m.heard = 1
  AND (submission.report_status IS NULL OR submission.report_status NOT IN ({_FINAL}))"""


def report_whole(matched: str) -> str:
    """The state of a message from those of its segments: delivered when all of one hand-over are; otherwise the newest
    hand-over anything is known of counts, which failed as soon as one of its segments did.
    """
    return f"""
UPDATE outbox SET
    delivered_at = (SELECT max(s.report_at) FROM submission AS s WHERE s.outbox_id = outbox.id
        AND s.report_status = 'delivered' GROUP BY s.attempt HAVING count(*) >= max(s.segments) LIMIT 1),
    delivery_status = coalesce(
        (SELECT 'delivered' FROM submission AS s WHERE s.outbox_id = outbox.id AND s.report_status = 'delivered'
         GROUP BY s.attempt HAVING count(*) >= max(s.segments) LIMIT 1),
        (SELECT CASE s.report_status WHEN 'delivered' THEN NULL WHEN 'skipped' THEN 'undeliverable'
            ELSE s.report_status END
         FROM submission AS s WHERE s.outbox_id = outbox.id AND s.report_status IS NOT NULL
         ORDER BY s.attempt DESC, s.report_status IN ({_FAILED}) DESC, s.report_status = 'delivered', s.segment LIMIT 1))
WHERE outbox.id IN (SELECT m.outbox_id FROM {matched} AS m)"""


def forget_taken_up(given: Given) -> str:
    return f"DELETE FROM report WHERE id IN (SELECT t.id FROM {given('taken_up')} AS t)"
