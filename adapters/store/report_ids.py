"""Delivery reports and their submissions beside the commits: those that missed one another, and what is ours at all.

The steps are told apart from who runs them (adapters.store.steps; pure).
"""

# ruff: noqa: S608 - these are put together from the column names of this package, never from data

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import timedelta
from typing import Protocol

from adapters.store.doubts import settle_doubts
from adapters.store.lists import Columns
from adapters.store.report_rows import KeptRow, heard_again, heard_keys, turns
from adapters.store.report_sql import (
    HEARD_KEY_COLUMNS,
    KEPT_COLUMNS,
    MATCHED_COLUMNS,
    match,
    oldest_judged,
    report_segments,
    report_whole,
)
from adapters.store.rows import encode
from adapters.store.steps import Steps
from domain.message import DeliveryReport

LOOKED_BACK = timedelta(minutes=2)  # for what missed its submission: much longer than two commits may take
LOOKED_AT = 1_000  # reports, the newest: more than that in so short a time fit nothing

_SENT_COLUMNS: Columns = (
    ("position", "integer"),
    ("account", "text"),
    ("external_key", "text"),
    ("recipient", "text"),
)


class Words(Protocol):
    """What both engines say differently; see adapters.store.notices_dialect.Dialect."""

    def given(self, name: str, columns: Columns) -> str: ...

    def among_ids(self, name: str) -> str: ...

    def by(self, index: str) -> str: ...


def match_kept(words: Words, now: int) -> Steps[int]:
    """Match what was kept of late or ends a doubt, and forget it as kept; gives how many. `now` in epoch milliseconds, of the store."""
    settling = yield from settle_doubts(words, now)
    since = now - round(LOOKED_BACK.total_seconds() * 1000)
    recent: Sequence[KeptRow] = yield _RECENT, {"since": since, "limit": LOOKED_AT}
    by_id = {row[0]: row for row in (*settling, *recent)}
    kept = [by_id[identifier] for identifier in sorted(by_id)]
    reports = [heard_again(row) for row in kept]
    keys = [row for report, turn in turns(reports) for row in heard_keys(report, turn)]
    if not keys:
        return 0
    matched = yield match(words.given("keys", HEARD_KEY_COLUMNS)), {"keys": encode(keys)}
    if not matched:
        return 0
    known = {"matched": encode([tuple(row) for row in matched])}
    table = words.given("matched", MATCHED_COLUMNS)
    yield report_segments(table), known
    yield report_whole(table), known
    met = {row[0] for row in matched}
    ids = [row[0] for row, (_, turn) in zip(kept, turns(reports), strict=True) if turn in met]
    yield f"DELETE FROM report WHERE id {words.among_ids('ids')}", {"ids": encode(ids)}
    return len(ids)


_RECENT = f"""SELECT {", ".join(KEPT_COLUMNS)} FROM (SELECT * FROM report ORDER BY id DESC LIMIT :limit) AS r
WHERE r.kept_at >= :since AND r.external_key IS NOT NULL ORDER BY r.id"""


class StoreSentIds:
    """Implements channels.sms.ports.SentIds."""

    def __init__(self, look: Callable[[Steps[frozenset[int]]], Awaitable[frozenset[int]]], words: Words) -> None:
        self._look = look
        self._words = words

    async def sent(self, account: str, candidates: Sequence[DeliveryReport]) -> Collection[int]:
        """Raises StoreUnavailable."""
        return await self._look(_sent(self._words, account, candidates))


def _sent(words: Words, account: str, candidates: Sequence[DeliveryReport]) -> Steps[frozenset[int]]:
    asked = [
        (position, account, key, report.recipient.urn)
        for position, report in enumerate(candidates)
        if report.recipient is not None
        for key in report.keys
    ]
    if not asked:
        return frozenset()
    found = yield _statement(words), {"asked": encode(asked)}
    return frozenset(row[0] for row in found)


def _statement(words: Words) -> str:
    return f"""SELECT DISTINCT k.position FROM {words.given("asked", _SENT_COLUMNS)} AS k
CROSS JOIN submission AS s JOIN outbox AS o ON o.id = s.outbox_id
WHERE s.account = k.account AND s.external_key = k.external_key AND s.outbox_id >= {oldest_judged("k")}
  AND o.recipient = k.recipient"""
