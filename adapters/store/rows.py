"""Domain values <-> rows: moments as milliseconds, addresses as URNs, whole batches as one JSON text (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import TypeVar

import msgspec

from adapters.store.chat_rows import (
    cleaned,
    read_buttons,
    read_event,
    read_extras,
    read_media,
    written_buttons,
    written_extras,
)
from adapters.store.tables import InboxState, OutboxStates
from conversation.ports import Decision, Exchange, FollowChange, Following, Link, Parting, PendingQuestion, Person
from domain.codes import read_reference
from domain.message import Address, Category, InboundMessage, OutboundMessage

Cell = int | str | None
Row = tuple[Cell, ...]
Decoded = TypeVar("Decoded")

MESSAGE_COLUMNS = (
    "id",
    "channel",
    "account",
    "external_id",
    "identity",
    "sender",
    "recipient",
    "session",
    "text",
    "raw",
    "received_at",
    "extras",
)
DECISION_COLUMNS = ("state", "inquiry", "outcome", "dossier_code", "decided_at")
INBOX_COLUMNS = (*MESSAGE_COLUMNS, *DECISION_COLUMNS, "owner", "lease_until")
OUTBOUND_COLUMNS = (
    "id",
    "channel",
    "account",
    "category",
    "recipient",
    "sender",
    "text",
    "created_at",
    "expires_at",
    "inbound_id",
    "attempts",
    "params",
)
OUTBOX_COLUMNS = (
    *OUTBOUND_COLUMNS,
    "priority",
    "dossier_code",
    "available_at",
    "state",
    "owner",
    "lease_until",
    "handed_over_at",
)
PERSON_COLUMNS = ("address", "language", "accents", "stopped_at", "pending")
FOLLOW_COLUMNS = (
    "recipient",
    "dossier_code",
    "source",
    "channel",
    "account",
    "sender",
    "origin",
    "proved",
    "known",
    "followed_at",
    "inbound_id",
)
LINKED_COLUMNS = ("recipient", "channel", "account", "sender", "address", "agreed_at")  # of next_address
CONSENT_COLUMNS = ("recipient", "action", "dossier_code", "words", "channel", "inbound_id", "given_at")

# What the store hands back, column by column as above.
MessageRow = tuple[int, str, str, str | None, str | None, str, str, str | None, str, str | None, int, str | None]
OutboundRow = tuple[int, str, str, str, str, str, str, int, int, int | None, int, str | None]
# PERSON_COLUMNS; or, where the last two say something, another address of that person and its place.
PersonRow = tuple[str, str | None, int | None, int | None, str | None, str | None, int]
FollowingRow = tuple[str, int]  # reference, followed_at

_NOTHING_CHOSEN: tuple[None, None, None, None, None, int] = (None, None, None, None, None, 0)
UNDECIDED: Row = (InboxState.OPEN.value, None, None, None, None)


def to_ms(moment: datetime) -> int:
    """Epoch milliseconds of an aware moment."""
    return round(moment.timestamp() * 1000)


def from_ms(milliseconds: int) -> datetime:
    """The moment, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def encode(rows: Sequence[object]) -> str | None:
    """All rows as one JSON text, or None when there are none.

    NUL and lone surrogates, which a database cannot keep as text, become U+FFFD; `raw` keeps the bytes.
    """
    if not rows:
        return None
    try:
        payload = msgspec.json.encode(rows).decode()
    except UnicodeEncodeError:
        return msgspec.json.encode(cleaned(rows)).decode()
    return payload if "\\u0000" not in payload else msgspec.json.encode(cleaned(rows)).decode()


def decode(payload: str, kind: type[Decoded]) -> Decoded:
    """What SQL made of rows (`json_group_array`), checked against `kind`."""
    return msgspec.json.decode(payload, type=kind)


def inbox_row(exchange: Exchange, *, owner: int, now: int, lease_until: int) -> Row:
    """A row of INBOX_COLUMNS."""
    message, decision = exchange.message, exchange.decision
    decided = UNDECIDED if decision is None else decision_row(decision, now)
    return (*_message_row(message), *decided, owner, lease_until if decision is None else None)


def decision_row(decision: Decision, now: int) -> Row:
    """A row of DECISION_COLUMNS."""
    return (
        InboxState.MUTED.value if decision.muted else InboxState.DECIDED.value,
        decision.inquiry,
        None if decision.outcome is None else decision.outcome.value,
        decision.dossier_code or None,
        now,
    )


def outbox_row(exchange: Exchange, reply: OutboundMessage, *, owner: int, now: int, lease_until: int) -> Row:
    """A row of OUTBOX_COLUMNS: on its way already, or waiting for the claim loop."""
    created_at = to_ms(reply.created_at)
    code = exchange.decision.dossier_code or None if exchange.decision else None
    return (
        reply.id,
        reply.channel,
        reply.account,
        reply.category.value,
        reply.recipient.urn,
        reply.sender.urn,
        reply.text,
        created_at,
        to_ms(reply.expires_at),
        exchange.message.id,
        1 if exchange.handed_over else 0,
        written_buttons(reply.buttons),
        reply.category.priority,
        code,
        created_at,
        *((OutboxStates.HANDED_OVER, owner, lease_until, now) if exchange.handed_over else _WAITING),
    )


_WAITING: Row = (OutboxStates.READY, None, None, None)


def waiting_row(message: OutboundMessage) -> Row:
    """A row of OUTBOX_COLUMNS: it answers no message and is about no dossier, and waits for the claim loop."""
    created_at = to_ms(message.created_at)
    return (
        message.id,
        message.channel,
        message.account,
        message.category.value,
        message.recipient.urn,
        message.sender.urn,
        message.text,
        created_at,
        to_ms(message.expires_at),
        None,
        message.attempts,
        written_buttons(message.buttons),
        message.category.priority,
        None,
        created_at,
        *_WAITING,
    )


def person_row(person: Person, changes: frozenset[str] | None, now: int) -> Row:
    """A row of PERSON_COLUMNS, `updated_at` and `changed`: a bit for each of PERSON_COLUMNS that is to be written."""
    return (
        person.address.urn,
        person.language,
        person.accents,
        None if person.stopped_at is None else to_ms(person.stopped_at),
        None if person.pending is None else _encode_pending(person.pending),
        now,
        sum(1 << place for place, name in enumerate(PERSON_COLUMNS) if changes is None or name in changes),
    )


def follow_row(change: FollowChange, message: InboundMessage) -> Row:
    """A row of FOLLOW_COLUMNS, asked for by text: told on the account the person wrote to."""
    return (
        message.sender.urn,
        _reference(change),
        change.source,
        message.channel,
        message.account,
        message.recipient.urn,
        "text",
        change.proved,
        change.known or None,
        to_ms(message.received_at),
        message.id,
    )


def unfollow_row(change: FollowChange, message: InboundMessage) -> Row:
    """Whose following of what ends when."""
    return (message.sender.urn, _reference(change), to_ms(message.received_at))


def consent_row(change: FollowChange, message: InboundMessage) -> Row:
    """A row of CONSENT_COLUMNS: what was said, by whom, when."""
    return (
        message.sender.urn,
        change.wish.value,
        "" if change.code is None else change.code.reference,
        change.words,
        message.channel,
        message.id,
        to_ms(message.received_at),
    )


def link_row(link: Link, message: InboundMessage) -> Row:
    """LINKED_COLUMNS, and what is kept of the consent: its words, the channel they came by, their message."""
    return (
        message.sender.urn,
        link.channel,
        link.account,
        link.sender.urn,
        link.address.urn,
        to_ms(message.received_at),
        link.words,
        message.channel,
        message.id,
    )


def parting_row(parting: Parting, message: InboundMessage) -> Row:
    """Who, what is not joined with them any more (empty: nothing is), and what is kept of the withdrawal."""
    return (
        message.sender.urn,
        "" if parting.address is None else parting.address.urn,
        parting.words,
        message.channel,
        message.id,
        to_ms(message.received_at),
    )


def _reference(change: FollowChange) -> str:
    if change.code is None:
        raise ValueError(f"{change.wish} is about one dossier and names none")
    return change.code.reference


def read_following(row: FollowingRow) -> Following | None:
    """None: its code is of a form we do not read any more."""
    code = read_reference(row[0])
    return None if code is None else Following(code=code, since=from_ms(row[1]))


def merged_person(earlier: Row, later: Row) -> Row:
    """Both changes of one person as one row of `person_row`: of what both changed, the later."""
    *before, _, was_changed = earlier
    *after, updated_at, is_changed = later
    mask = _mask(is_changed)
    columns = (new if mask & 1 << place else old for place, (old, new) in enumerate(zip(before, after, strict=True)))
    return (*columns, updated_at, _mask(was_changed) | mask)


def _mask(cell: object) -> int:
    if not isinstance(cell, int):
        raise TypeError("a row of person_row ends with its changes")
    return cell


def read_message(row: MessageRow) -> InboundMessage:
    identifier, channel, account, external_id, identity, sender, recipient, *_ = row
    session, text, raw, received_at, payload = row[7:]
    extras = read_extras(payload)
    return InboundMessage(
        id=identifier,
        channel=channel,
        account=account,
        external_id=external_id,
        identity=identity,
        sender=Address.from_urn(sender),
        recipient=Address.from_urn(recipient),
        session=session,
        text=text,
        raw=None if raw is None else bytes.fromhex(raw),
        received_at=from_ms(received_at),
        media=read_media(extras),
        public=extras.public,
        language=extras.language,
        phone=extras.phone,
        event=read_event(extras),
    )


def read_outbound(row: OutboundRow) -> OutboundMessage:
    identifier, channel, account, category, recipient, sender, text, *_ = row
    created_at, expires_at, inbound_id, attempts, params = row[7:]
    return OutboundMessage(
        id=identifier,
        channel=channel,
        account=account,
        category=Category(category),
        recipient=Address.from_urn(recipient),
        sender=Address.from_urn(sender),
        text=text,
        created_at=from_ms(created_at),
        expires_at=from_ms(expires_at),
        inbound_id=inbound_id,
        attempts=attempts,
        buttons=read_buttons(params),
    )


def stopped(rows: Iterable[PersonRow]) -> Sequence[str]:
    """Whose row says that they are stopped, as urns."""
    return [row[0] for row in rows if row[3] is not None]


def read_people(rows: Collection[PersonRow], blocked: Collection[str]) -> Mapping[Address, Person]:
    """All that is known of each; `blocked`: urns of those of them that blocked us."""
    chosen = {row[0]: row for row in rows if row[5] is None}
    linked: dict[str, list[Address]] = {}
    for row in sorted((row for row in rows if row[5] is not None), key=itemgetter(0, 6)):
        linked.setdefault(row[0], []).append(Address.from_urn(str(row[5])))
    people = (
        _read_person(chosen.get(urn, (urn, *_NOTHING_CHOSEN)), tuple(linked.get(urn, ())), blocked=urn in blocked)
        for urn in {**chosen, **linked}
    )
    return {person.address: person for person in people}


def _read_person(row: PersonRow, linked: tuple[Address, ...], *, blocked: bool) -> Person:
    address, language, accents, stopped_at, pending, *_ = row
    return Person(
        address=Address.from_urn(address),
        language=language,
        accents=None if accents is None else bool(accents),
        stopped_at=None if stopped_at is None else from_ms(stopped_at),
        pending=None if pending is None else _decode_pending(pending),
        linked=linked,
        blocked=blocked,
    )


def _message_row(message: InboundMessage) -> Row:
    return (
        message.id,
        message.channel,
        message.account,
        message.external_id,
        message.identity,
        message.sender.urn,
        message.recipient.urn,
        message.session,
        message.text,
        None if message.raw is None else message.raw.hex(),
        to_ms(message.received_at),
        written_extras(message),
    )


def _encode_pending(pending: PendingQuestion) -> str:
    return msgspec.json.encode((pending.codes, pending.wish, to_ms(pending.expires_at))).decode()


def _decode_pending(payload: str) -> PendingQuestion:
    codes, wish, expires_at = decode(payload, tuple[tuple[str, ...], str, int])
    return PendingQuestion(codes=codes, wish=wish, expires_at=from_ms(expires_at))
