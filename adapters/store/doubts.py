"""Notices whose hand-over nobody answered, and the reports that say they arrived (design: Unknown outcomes).

The id of such a message is what was never told, so its report fits no submission. It is known by the telephone it names:
that of a notice in doubt, and of no other message on its way, since it waited a moment for that one's answer. Then the id
becomes the notice's, which is taken after all, and the report finds it like any other.

The steps are told apart from who runs them (adapters.store.steps; pure).
"""

# ruff: noqa: S608 - these are put together from the column names of this package, never from data

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, Protocol

from adapters.store.journal_sql import LISTS
from adapters.store.lists import Columns
from adapters.store.report_rows import KeptRow
from adapters.store.report_sql import KEPT_COLUMNS, submit
from adapters.store.rows import Row, encode
from adapters.store.steps import Steps
from domain.gsm import Alphabet, is_gsm7, split

OWN_ANSWER_WITHIN: Final = timedelta(minutes=1)  # a report may come that long before the answer to its own submit
LOOKED_BACK: Final = timedelta(minutes=15)  # longer than a notice waits for its report
REPORTED_WITHIN: Final = timedelta(hours=24)
CLOCKS_AGREE: Final = timedelta(minutes=1)  # the store's and those of who wrote the report down
LOOKED_AT: Final = 1_000  # reports, the newest

_TOLD_COLUMNS: Columns = (
    ("position", "integer"),
    ("account", "text"),
    ("recipient", "text"),
    ("handed_over_after", "bigint"),
    ("handed_over_before", "bigint"),
)
_DOUBTED_COLUMNS: Columns = (("outbox_id", "bigint"), ("attempt", "integer"))
Segment = tuple[int, int, int, str | None, int]  # outbox_id, segment, segments, external_key, command_status


class Words(Protocol):
    """What both engines say differently; see adapters.store.notices_dialect.Dialect."""

    def given(self, name: str, columns: Columns) -> str: ...

    def among_ids(self, name: str) -> str: ...

    def by(self, index: str) -> str: ...


def settle_doubts(words: Words, now: int) -> Steps[Sequence[KeptRow]]:
    """Take for accepted what reports speak of; gives these reports. `now` in epoch milliseconds, of the store."""
    kept: Sequence[KeptRow] = yield (
        _KEPT,
        {"since": now - _ms(LOOKED_BACK), "until": now - _ms(OWN_ANSWER_WITHIN), "limit": LOOKED_AT},
    )
    told = [row for position, report in enumerate(kept) for row in _told(position, report)]
    if not told:
        return ()
    doubted = yield _doubted(words), {"told": encode(told)}
    if not doubted:
        return ()
    attempts = {(outbox_id, attempt) for outbox_id, attempt, *_ in doubted}
    written = yield _segments(words), {"doubted": encode(sorted(attempts))}
    found = _believed(doubted, written, kept, now)
    if not found:
        return ()
    taken = yield _accept(words), {"ids": encode(list(found)), "now": now}
    rows = [row for (identifier,) in taken for row in found[identifier]]
    if rows:
        yield submit(words.given("submissions", LISTS["submissions"])), {"submissions": encode(rows)}
    ids = {(row[4], row[6]) for row in rows}
    return [report for report in kept if (report[2], report[4]) in ids]


def _told(position: int, report: KeptRow) -> Sequence[Row]:
    """Whom it may speak of: some SMSCs turn the addresses round."""
    _, _, account, _, _, _, recipient, sender, _, received_at, _, _ = report
    bounds = (received_at - _ms(REPORTED_WITHIN), received_at + _ms(CLOCKS_AGREE))
    return [(position, account, who, *bounds) for who in (recipient, sender) if who is not None]


def _believed(
    doubted: Sequence[tuple[int, int, int, str]], written: Sequence[Segment], kept: Sequence[KeptRow], now: int
) -> Mapping[int, Sequence[Row]]:
    """By message, rows of the list `submissions`. Each id is one message's, the oldest one's; a message of which a
    segment is still in doubt stays in doubt.
    """
    ids: dict[tuple[int, int], dict[str, KeptRow]] = defaultdict(dict)
    given: dict[tuple[str, str], int] = {}
    texts = {outbox_id: text for outbox_id, *_, text in doubted}
    for outbox_id, attempt, position, _ in sorted(doubted):
        report = kept[position]
        if given.setdefault((report[2], report[4]), outbox_id) == outbox_id:
            ids[outbox_id, attempt].setdefault(report[4], report)
    segments: dict[int, list[Segment]] = defaultdict(list)
    for segment in sorted(written):
        segments[segment[0]].append(segment)
    found: dict[int, Sequence[Row]] = {}
    for (outbox_id, attempt), reports in ids.items():
        # Of a process that died nothing is written of its segments: its text says how many there were at most.
        open_ones = _open(segments[outbox_id]) if segments[outbox_id] else _all_of(texts[outbox_id])
        if open_ones and len(reports) >= len(open_ones):
            found[outbox_id] = [
                (outbox_id, attempt, number, total, report[2], report[3], key, 0, now)
                for (number, total), (key, report) in zip(open_ones, reports.items(), strict=False)
            ]
    return found


def _open(segments: Sequence[Segment]) -> Sequence[tuple[int, int]]:
    """Those in doubt, by number and of how many; none where one was refused: such a message goes again."""
    if any(status for *_, status in segments):
        return ()
    return [(number, total) for _, number, total, key, _ in segments if key is None]


def _all_of(text: str) -> Sequence[tuple[int, int]]:
    """What every account can write is cut alike by all; what is not may have left in the alphabet that takes most."""
    total = len(split(text, Alphabet.GSM7 if text.isascii() and is_gsm7(text) else Alphabet.UCS2))
    return [(number, total) for number in range(1, total + 1)]


_KEPT = f"""SELECT {", ".join(KEPT_COLUMNS)} FROM (SELECT * FROM report ORDER BY id DESC LIMIT :limit) AS r
WHERE r.kept_at >= :since AND r.kept_at <= :until AND r.external_key IS NOT NULL ORDER BY r.id"""


def _doubted(words: Words) -> str:
    """What waits to be tried again keeps its attempts only if one of them may have left (plan.settled_row)."""
    return f"""SELECT o.id, o.attempts, t.position, o.text FROM {words.given("told", _TOLD_COLUMNS)} AS t
CROSS JOIN outbox AS o{words.by("ix_outbox_recipient")}
WHERE o.recipient = t.recipient AND o.inbound_id IS NULL AND o.account = t.account AND o.category = 'notice'
  AND o.state IN ('ready', 'unknown') AND o.attempts > 0 AND o.reason IS NOT NULL
  AND o.handed_over_at BETWEEN t.handed_over_after AND t.handed_over_before"""


def _segments(words: Words) -> str:
    return f"""SELECT s.outbox_id, s.segment, s.segments, s.external_key, s.command_status
FROM {words.given("doubted", _DOUBTED_COLUMNS)} AS d CROSS JOIN submission AS s
WHERE s.outbox_id = d.outbox_id AND s.attempt = d.attempt"""


def _accept(words: Words) -> str:
    return f"""UPDATE outbox SET state = 'accepted', settled_at = :now, reason = NULL
WHERE id {words.among_ids("ids")} AND state IN ('ready', 'unknown') RETURNING id"""


def _ms(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)
