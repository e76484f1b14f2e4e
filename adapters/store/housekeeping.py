"""What is old is masked, then removed: a few rows a transaction, on both engines.

Ids rise with time, so what is old lies together at the front of a table and of its primary key. Rows are removed from
there, whole pages become empty, and the database gives those to the rows that come: the tables stay as large as what
they hold. Partitions would do the same by dropping, but a unique key of a partitioned table cannot say "one reply a
message" or "one row a chat update", and every statement by id would have to look into each partition.

The steps are told apart from who runs them: a generator yields statements and is given their rows (pure).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.store.rows import to_ms
from domain.ids import COUNTER_BITS, EPOCH_MS, PROCESS_BITS

Values = Mapping[str, int | str]
Steps = Generator[tuple[str, Values], Sequence[Any], int]

MASKED_UP_TO = "masked_up_to"  # the row of `counter` that remembers how far masking came
MASKED = "masked:*"  # in place of an address
_PARAMETER = re.compile(r":(\w+)")

PURGE = (
    """DELETE FROM outbox WHERE id IN (SELECT id FROM outbox
    WHERE id < :first_kept AND state NOT IN ('ready', 'claimed', 'handed_over') ORDER BY id LIMIT :limit)
    RETURNING 1""",
    """DELETE FROM submission WHERE outbox_id IN (SELECT s.outbox_id FROM submission AS s
    WHERE s.outbox_id < :first_kept AND NOT EXISTS (SELECT 1 FROM outbox AS o WHERE o.id = s.outbox_id)
    ORDER BY s.outbox_id LIMIT :limit) RETURNING 1""",
    """DELETE FROM inbox WHERE id IN (SELECT id FROM inbox
    WHERE id < :first_kept AND state <> 'open' ORDER BY id LIMIT :limit) RETURNING 1""",
    """DELETE FROM report WHERE id IN (SELECT r.id FROM (SELECT id, received_at FROM report ORDER BY id LIMIT :limit)
    AS r WHERE r.received_at < :before) RETURNING 1""",
)

READ_MARK = "SELECT value FROM counter WHERE name = :name"
NEXT_TO_MASK = """SELECT max(m.id), count(*) FROM (SELECT id FROM inbox
    WHERE id > :above AND id < :first_kept AND id < coalesce((SELECT min(o.id) FROM inbox AS o
        WHERE o.state = 'open'), :first_kept) ORDER BY id LIMIT :limit) AS m"""
# The identity goes, too: a hash of a telephone number is found by trying all of them.
MASK_MESSAGES = """UPDATE inbox SET sender = :masked, text = '', raw = NULL, identity = NULL, masked_at = :now
    WHERE id > :above AND id <= :up_to RETURNING 1"""
MASK_FEEDBACK = """UPDATE feedback SET sender = :masked, text = '', masked_at = :now WHERE number IN (
    SELECT number FROM feedback WHERE masked_at IS NULL AND received_at < :before ORDER BY number LIMIT :limit)
    RETURNING 1"""
KEEP_MARK = """INSERT INTO counter (name, value) VALUES (:name, :up_to)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value RETURNING 1"""


def purge(before: datetime, limit: int) -> Steps:
    """Remove what was settled and is older, at most `limit` rows of each table; gives how many."""
    values = {"first_kept": first_id(before), "before": to_ms(before), "limit": limit}
    removed = 0
    for statement in PURGE:
        removed += len((yield statement, values))
    return removed


def mask(before: datetime, limit: int, now: int) -> Steps:
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


def first_id(moment: datetime) -> int:
    """No id made before `moment` is as large."""
    return max(to_ms(moment) - EPOCH_MS, 0) << (PROCESS_BITS + COUNTER_BITS)


def numbered(statement: str, values: Values) -> tuple[str, Sequence[int | str]]:
    """The statement with `$1`, `$2` in place of names, and the values in that order."""
    names = list(dict.fromkeys(_PARAMETER.findall(statement)))
    text = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    return text, [values[name] for name in names]
