"""What one commit writes, decided from what was read just before, in the same transaction (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec

from adapters.store.journal_sql import LISTS
from adapters.store.repeats import LOOK_BACK, PriorRow, RedeliveryRule, redelivered_in
from adapters.store.report_rows import KeptRow, heard_again, keys_of_reports, those_of, write_reports
from adapters.store.rows import (
    OUTBOX_COLUMNS,
    Cell,
    Row,
    consent_row,
    decision_row,
    encode,
    follow_row,
    from_ms,
    inbox_row,
    link_row,
    merged_person,
    outbox_row,
    parting_row,
    person_row,
    to_ms,
    unfollow_row,
)
from adapters.store.tables import OutboxStates
from conversation.ports import Decision, Exchange, FollowChange, FollowWish, JournalBatch, JournalReceipt
from domain.external_ids import key_of
from domain.message import Category, InboundMessage, SendResult, SendStatus

NOT_RECORDED = "handed over, outcome not recorded"


class NextState(Protocol):
    """What follows a result: notifications.retry.Next."""

    @property
    def state(self) -> str: ...

    @property
    def available_at(self) -> datetime | None: ...


class AfterSend(Protocol):
    """The rule of notifications.retry."""

    def __call__(
        self,
        status: SendStatus,
        *,
        category: Category,
        attempts: int,
        created_at: datetime,
        expires_at: datetime,
        handed_over_at: datetime | None,
        now: datetime,
        retry_after: float = 0.0,
    ) -> NextState: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The decisions of the centre the store applies inside its transactions."""

    is_redelivery: RedeliveryRule
    after_send: AfterSend


@dataclass(frozen=True, slots=True)
class Standing:
    """Who writes, when (epoch milliseconds), and until when what it holds is its own."""

    owner: int
    now: int
    lease_until: int


SentRow = tuple[int, str, str, int, int, int, str, int | None, int | None]  # statements.SENT_COLUMNS


SeenLists = tuple[list[SentRow], list[PriorRow], list[tuple[int, int]], list[tuple[int, int]], list[int], list[KeptRow]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What statements.READ_JOURNAL found."""

    sent: Mapping[int, SentRow]
    priors: Sequence[PriorRow]
    present: Mapping[int, int]  # position of a message that is in the journal already -> the id it has there
    open_ids: frozenset[int]
    kept: Sequence[KeptRow]  # reports that came before the answer to their submit

    @classmethod
    def of(cls, *lists: str) -> Seen:
        """From one JSON text each."""
        return cls.read(f"[{','.join(lists)}]")

    @classmethod
    def read(cls, payload: str) -> Seen:
        """From one JSON text of all six."""
        sent, priors, known, present, open_ids, kept = msgspec.json.decode(payload, type=SeenLists)
        return cls({row[0]: row for row in sent}, priors, dict(known + present), frozenset(open_ids), kept)


def questions(batch: JournalBatch) -> tuple[str | None, ...]:
    """The parameters of statements.READ_JOURNAL."""
    identities: list[Row] = []
    externals: list[Row] = []
    ids: list[Row] = []
    for position, exchange in enumerate(batch.exchanges):
        message = exchange.message
        if message.identity is not None:
            identities.append((position, message.identity, to_ms(message.received_at - LOOK_BACK)))
        if message.external_id is not None:
            externals.append((position, message.channel, message.account, message.external_id))
        else:  # with an identity, too: after a restart a long SMS is handed in once more, perhaps with more in it
            ids.append((position, message.id))
    results = [result.message_id for result in batch.results]
    closings = [closing.message.id for closing in batch.closings]
    return (
        encode(results),
        encode(identities),
        encode(externals),
        encode(ids),
        encode(closings),
        encode(keys_of_reports(batch.results)),
    )


_STATE = OUTBOX_COLUMNS.index("state")


@dataclass(slots=True)
class Plan:
    """The rows to be written, list by list, and what the caller is told."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in LISTS})
    receipt: JournalReceipt = field(default_factory=JournalReceipt)

    def parameters(self) -> tuple[str | None, ...]:
        """The parameters of statements.WRITE_JOURNAL."""
        return tuple(map(encode, self.rows.values()))

    @property
    def empty(self) -> bool:
        return not any(self.rows.values())

    def leaves_ready(self, now: int) -> bool:
        """Whether something may be claimed after it."""
        written = any(row[_STATE] == OutboxStates.READY for row in self.rows["outbox"])
        return written or any(row[1] == OutboxStates.READY and _ms(row[2]) <= now for row in self.rows["results"])


def plan_commit(batch: JournalBatch, seen: Seen, rules: Rules, standing: Standing) -> Plan:
    """Everything `batch` means for the tables."""
    plan = Plan()
    plan.rows["session_ends"] += [(end.session, to_ms(end.at), to_ms(end.at - LOOK_BACK)) for end in batch.session_ends]
    plan.rows["acknowledgements"] += [(ack.inbound_id, to_ms(ack.at), ack.durable) for ack in batch.acknowledgements]
    _settle(plan, batch.results, seen.sent, rules.after_send, standing)
    kept = those_of(plan.rows["submissions"], seen.kept)
    write_reports(plan.rows, (*map(heard_again, kept), *batch.reports), standing.now)
    plan.rows["taken_up"] += [(row[0],) for row in kept]
    redelivered = redelivered_in(batch, seen.present, seen.priors, rules.is_redelivery)
    for exchange in batch.exchanges:
        if exchange.message.id not in redelivered:
            _receive(plan, exchange, standing)
    already_closed = _close(plan, batch, seen.open_ids, redelivered, standing)
    plan.rows["people"] = _one_row_each(plan.rows["people"])
    _last_wish_each(plan)
    plan.rows["links"] = _each_once(plan.rows["links"])
    plan.receipt = JournalReceipt(redelivered=redelivered, already_closed=already_closed)
    return plan


def judge_abandoned(rows: Sequence[SentRow], rules: Rules, standing: Standing) -> tuple[Sequence[Row], int]:
    """Rows of the list `results` for what owners that are gone had handed over, and how many of them leave again."""
    judged = [
        settled_row(
            row,
            SendResult(message_id=row[0], status=SendStatus.UNKNOWN, reason=NOT_RECORDED),
            rules.after_send,
            standing,
        )
        for row in rows
    ]
    return [row for row, _ in judged], sum(following.available_at is not None for _, following in judged)


def settled_row(row: SentRow, result: SendResult, after_send: AfterSend, standing: Standing) -> tuple[Row, NextState]:
    """A row of the list `results`, and what the rule said."""
    identifier, _, category, attempts, created_at, expires_at, state, _, handed_over_at = row
    now = from_ms(standing.now)
    following = after_send(
        result.status,
        category=Category(category),
        attempts=attempts,
        created_at=from_ms(created_at),
        expires_at=from_ms(expires_at),
        handed_over_at=None if handed_over_at is None else from_ms(handed_over_at),
        now=now,
        retry_after=result.retry_after,
    )
    did_not_leave = result.status is SendStatus.RETRY and state == OutboxStates.HANDED_OVER
    return (
        identifier,
        str(following.state),
        None if following.available_at is None else to_ms(following.available_at),
        attempts - 1 if did_not_leave else attempts,
        None if following.state == OutboxStates.READY else standing.now,
        result.reason or (None if following.available_at is None else result.status.value),  # what waits says why
    ), following


def _settle(
    plan: Plan, results: Sequence[SendResult], sent: Mapping[int, SentRow], after_send: AfterSend, standing: Standing
) -> None:
    for result in {result.message_id: result for result in results}.values():
        row = sent.get(result.message_id)
        if row is None:
            continue  # never written: its batch was refused after it had been given up
        if _applies(result, row, standing.owner):
            plan.rows["results"].append(settled_row(row, result, after_send, standing)[0])
            if result.status is SendStatus.STOPPED:
                plan.rows["blocked"].append((row[0], standing.now, result.reason))
        plan.rows["submissions"] += [
            (
                row[0],
                row[3],
                segment.segment,
                segment.segments,
                row[1],
                segment.external_id or None,
                key_of(segment.external_id) or None,
                segment.command_status,
                standing.now,
            )
            for segment in result.segments
        ]


def _applies(result: SendResult, row: SentRow, owner: int) -> bool:
    """A result counts for what we hold; that a message was taken after all ends any doubt about it."""
    state, holder = row[6], row[7]
    if state in (OutboxStates.CLAIMED, OutboxStates.HANDED_OVER):
        return holder == owner
    return result.status is SendStatus.ACCEPTED and state in (OutboxStates.READY, OutboxStates.UNKNOWN)


def _ms(cell: Cell) -> int:
    return cell if isinstance(cell, int) else 0


def _receive(plan: Plan, exchange: Exchange, standing: Standing) -> None:
    plan.rows["inbox"].append(
        inbox_row(exchange, owner=standing.owner, now=standing.now, lease_until=standing.lease_until)
    )
    if exchange.decision is not None:
        _take_effect(plan, exchange, exchange.decision, standing)


def _close(
    plan: Plan, batch: JournalBatch, open_ids: frozenset[int], redelivered: Mapping[int, int], standing: Standing
) -> frozenset[int]:
    """Close what is still open, the messages of this batch included; the first closing of a message counts."""
    fresh = {e.message.id for e in batch.exchanges if e.decision is None} - redelivered.keys()
    closings = {closing.message.id: closing for closing in reversed(batch.closings)}
    already_closed: set[int] = set()
    for identifier, closing in closings.items():
        if closing.decision is None or identifier not in open_ids | fresh:
            already_closed.add(identifier)
            continue
        plan.rows["closings"].append((identifier, *decision_row(closing.decision, standing.now)))
        _take_effect(plan, closing, closing.decision, standing)
    return frozenset(already_closed)


def _one_row_each(people: Sequence[Row]) -> list[Row]:
    """Several choices of one person in one batch, as one; sorted, see `_last_wish_each`."""
    merged: dict[object, Row] = {}
    for row in people:
        earlier = merged.get(row[0])
        merged[row[0]] = row if earlier is None else merged_person(earlier, row)
    return [merged[address] for address in sorted(merged, key=str)]


def _last_wish_each(plan: Plan) -> None:
    """Of several wishes of one person about one dossier the last counts. Sorted, so that two gateways which write about
    the same people never wait for each other.
    """
    for name in ("follows", "unfollows"):
        last = {row[:2]: row for row in plan.rows[name]}
        plan.rows[name] = [last[key] for key in sorted(last, key=str)]


def _each_once(links: Sequence[Row]) -> list[Row]:
    """An address joined twice in one batch is joined once."""
    first = {(row[0], row[4]): row for row in reversed(links)}
    return [first[key] for key in sorted(first, key=str)]


def _follow(plan: Plan, change: FollowChange, message: InboundMessage) -> None:
    """Followings are written before they are ended, so a later wish to follow takes an earlier end back."""
    plan.rows["consents"].append(consent_row(change, message))
    if change.wish is FollowWish.FOLLOW:
        row = follow_row(change, message)
        plan.rows["follows"].append(row)
        plan.rows["unfollows"] = [ended for ended in plan.rows["unfollows"] if ended[:2] != row[:2]]
    elif change.wish is FollowWish.UNFOLLOW:
        plan.rows["unfollows"].append(unfollow_row(change, message))


def _take_effect(plan: Plan, exchange: Exchange, decision: Decision, standing: Standing) -> None:
    """What a decision leaves behind: the reply, what the person chose, what they follow, where else, an opinion."""
    if exchange.reply is not None:
        plan.rows["outbox"].append(
            outbox_row(
                exchange, exchange.reply, owner=standing.owner, now=standing.now, lease_until=standing.lease_until
            )
        )
    if decision.person is not None:
        plan.rows["people"].append(person_row(decision.person, decision.changes, standing.now))
    for change in decision.follows:
        _follow(plan, change, exchange.message)
    for link in decision.links:
        if link.address != exchange.message.sender:
            plan.rows["links"].append(link_row(link, exchange.message))
    plan.rows["partings"] += (parting_row(each, exchange.message) for each in decision.partings)
    if decision.feedback is not None:
        message = exchange.message
        plan.rows["feedback"].append(
            (
                decision.feedback.number,
                message.id,
                message.sender.urn,
                decision.feedback.text,
                to_ms(message.received_at),
            )
        )
