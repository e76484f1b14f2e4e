"""Everything that is held about one address, to be handed out or forgotten; beside the processes that serve.

Rows that are counted or that prove something stay without the person: messages and opinions masked as housekeeping
does it, consents for the year the law wants them kept (reference domain.md 5.3), without whose they were and in what
words. A wish to be told nothing stays as it is, with the bare address: else it could not be honoured. Dossiers of the
intake module are records: adapters.store.person_intake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, false, insert, not_, or_, select, text, update

from adapters.store.claim_rule import blocked
from adapters.store.housekeeping import MASKED
from adapters.store.outside import Outside, in_steps
from adapters.store.person_intake import export_intake, forget_intake
from adapters.store.rows import from_ms, to_ms
from adapters.store.tables import (
    InboxState,
    OutboxStates,
    broadcast_row,
    consent,
    feedback,
    follow_pin,
    inbox,
    link_pin,
    next_address,
    outbox,
    person,
    report,
    sms_part,
    submission,
    subscription,
)
from domain.message import Address

ERASED = "erased"  # in place of whose consent it was
# A notice that fell back to another address names the person's own in its params.
_FOR = {"sqlite": "params ->> 'for' = :urn", "postgresql": "params::jsonb ->> 'for' = :urn"}
_ON_THEIR_WAY = (OutboxStates.CLAIMED, OutboxStates.HANDED_OVER)
_WAITING = (OutboxStates.READY, OutboxStates.HELD)
_SECRET = frozenset(  # of no meaning to the person, or somebody's key
    {"token", "pin_seal", "identity", "raw", "header", "body"}
)
_BY_RECIPIENT: Mapping[str, Table] = {
    "subscriptions": subscription,
    "consents": consent,
    "follow_pin": follow_pin,
    "broadcast_rows": broadcast_row,
}

Plain = dict[str, Any]


class StorePersonData:
    """Implements gateway.person_command.PersonData."""

    def __init__(self, store: Outside) -> None:
        self._store = store

    async def export(self, address: Address) -> Plain:
        """What is held, table by table, as plain data; moments in ISO form. Raises StoreUnavailable."""
        return await self._store.reading(lambda connection, now: _export(connection, address, now))

    async def erase(self, address: Address, now: datetime) -> Mapping[str, int]:
        """Forget them; gives how many rows of each table. `left`: messages that are being answered or sent this
        moment; to be called again a little later. `intake_kept`: dossiers that stay, since they are records. Done again
        it does no harm.

        Raises:
            StoreUnavailable, StoreUncertain: the store went on the way; to be called again.
        """
        urn = address.urn
        counts = dict(await self._store.writing(partial(_forget, address=address, moment=to_ms(now))))
        arrived, left = await self._store.reading(lambda connection, _: _their_messages(connection, urn))
        for some in in_steps(arrived):
            counts["inbox"] += await self._store.writing(partial(_mask_inbox, ids=some))
        for some in in_steps(left):
            counts["outbox"] += await self._store.writing(partial(_mask_outbox, ids=some))
        counts["left"] = await self._store.reading(lambda connection, _: _busy(connection, urn))
        return counts


def _of(connection: Connection, urn: str) -> ColumnElement[bool]:
    """Messages that leave for them, wherever they are told."""
    return or_(outbox.c.recipient == urn, text(_FOR[connection.dialect.name]).bindparams(urn=urn))


def _export(connection: Connection, address: Address, now: int) -> Plain:
    rows, urn = _Reader(connection), address.urn
    sent = rows.read(outbox, _of(connection, urn))
    segments = [row for some in in_steps(sent) for row in rows.read(submission, _belongs(row["id"] for row in some))]
    for row in sent:
        row["submissions"] = [_without(each, "outbox_id") for each in segments if each["outbox_id"] == row["id"]]
    return {
        "address": urn,
        "exported_at": from_ms(now).isoformat(),
        "person": next(iter(rows.read(person, person.c.address == urn)), None),
        **{name: rows.read(table, table.c.recipient == urn) for name, table in _BY_RECIPIENT.items()},
        "next_address": rows.read(next_address, or_(next_address.c.recipient == urn, next_address.c.address == urn)),
        "link_pin": rows.read(link_pin, or_(link_pin.c.asker == urn, link_pin.c.address == urn)),
        "inbox": rows.read(inbox, inbox.c.sender == urn),
        "sms_parts": rows.read(sms_part, sms_part.c.sender == urn),
        "outbox": sent,
        "reports": rows.read(report, _spoken_of(urn)),
        "feedback": rows.read(feedback, feedback.c.sender == urn),
        **{name: [_readable(row) for row in found] for name, found in export_intake(connection, address).items()},
    }


def _readable(row: Plain) -> Plain:
    """Moments in ISO form, in what it holds as well."""
    return {
        name: [_readable(each) for each in value]
        if isinstance(value, list) and all(isinstance(each, dict) for each in value)
        else _shown(name, value)
        for name, value in row.items()
    }


def _spoken_of(urn: str) -> ColumnElement[bool]:
    """Delivery reports that fit nothing yet; some SMSCs swap who sent and who got a message."""
    return or_(report.c.recipient == urn, report.c.sender == urn)


def _belongs(ids: Iterable[int]) -> ColumnElement[bool]:
    return submission.c.outbox_id.in_(list(ids))


class _Reader:
    """Rows as plain data, in the order of their keys."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, table: Table, condition: ColumnElement[bool]) -> list[Plain]:
        found = self._connection.execute(select(table).where(condition).order_by(*table.primary_key.columns))
        return [_plain(table.columns, dict(row)) for row in found.mappings()]


def _plain(columns: Iterable[Column[Any]], row: Mapping[str, Any]) -> Plain:
    return {each.name: _shown(each.name, row[each.name]) for each in columns if each.name not in _SECRET}


def _shown(name: str, value: Any) -> Any:  # noqa: ANN401 - a cell, as the database gives it
    return (
        from_ms(value).isoformat()
        if isinstance(value, int) and (name == "at" or name.endswith(("_at", "lease_until")))
        else value
    )


def _without(row: Plain, name: str) -> Plain:
    return {key: value for key, value in row.items() if key != name}


# ---- forgetting


def _forget(connection: Connection, now: int, *, address: Address, moment: int) -> dict[str, int]:
    """What is small, at once: whoever serves reads nothing of it from here on. `now`: of the store's clock."""
    urn = address.urn
    _unsay(connection, urn)
    of_intake = forget_intake(connection, address, now)
    counts = {
        "person": _forget_choices(connection, urn),
        "subscriptions": _rows(connection, delete(subscription).where(subscription.c.recipient == urn)),
        "broadcast_rows": _rows(connection, delete(broadcast_row).where(broadcast_row.c.recipient == urn)),
        "follow_pin": _rows(connection, delete(follow_pin).where(follow_pin.c.recipient == urn)),
        "link_pin": _rows(connection, delete(link_pin).where(or_(link_pin.c.asker == urn, link_pin.c.address == urn))),
        "next_address": _rows(
            connection,
            delete(next_address).where(or_(next_address.c.recipient == urn, next_address.c.address == urn)),
        ),
        "consents": _rows(
            connection, update(consent).where(consent.c.recipient == urn).values(recipient=ERASED, words="")
        ),
        "reports": _rows(connection, delete(report).where(_spoken_of(urn))),
        "feedback": _rows(
            connection,
            update(feedback)
            .where(feedback.c.sender == urn)
            .values(sender=MASKED, text="", answer=None, masked_at=moment),
        ),
        "sms_parts": _rows(
            connection, delete(sms_part).where(sms_part.c.sender == urn, sms_part.c.done_at.is_not(None))
        ),
        "intake_drafts": of_intake.drafts,
        "intake_consents": of_intake.consents,
        "inbox": 0,
        "outbox": 0,
    }
    if any(counts.values()):
        witness = {"recipient": ERASED, "action": ERASED, "dossier_code": "", "words": "", "channel": address.scheme}
        connection.execute(insert(consent).values(**witness, given_at=moment))
    return counts | {"intake_kept": of_intake.dossiers}


def _forget_choices(connection: Connection, urn: str) -> int:
    """All of them but the wish to be told nothing: forgotten, a dossier with this number on it would have them told again.
    Of who only blocked a channel nothing is kept.
    """
    by_block = connection.execute(text(f"SELECT {blocked(':urn')}"), {"urn": urn}).scalar_one()
    theirs, stops = person.c.address == urn, false() if by_block else person.c.stopped_at.is_not(None)
    chosen = or_(person.c.language.is_not(None), person.c.accents.is_not(None), person.c.pending.is_not(None))
    bare = {"language": None, "accents": None, "pending": None}
    kept = update(person).where(theirs, stops, chosen).values(bare)
    gone = delete(person).where(theirs, not_(stops))
    return sum(_rows(connection, each) for each in (kept, gone))


def _unsay(connection: Connection, urn: str) -> None:
    """The words, or the contact, by which somebody joined this address to theirs may hold it."""
    joined = select(next_address.c.recipient).where(next_address.c.address == urn)
    links = (consent.c.action == "link", consent.c.recipient.in_(joined))
    messages = connection.execute(select(consent.c.inbound_id).where(*links)).scalars().all()
    connection.execute(update(inbox).where(inbox.c.id.in_(messages)).values(extras=None))
    connection.execute(update(consent).where(*links).values(words=""))
    # What this number opened is not told there unasked any more, as when it parts from them.
    connection.execute(update(subscription).where(subscription.c.recipient.in_(joined)).values(proved=False))


def _their_messages(connection: Connection, urn: str) -> tuple[Sequence[int], Sequence[int]]:
    """Ids of what came from them and what leaves for them, but for what somebody works on this moment."""
    arrived = select(inbox.c.id).where(inbox.c.sender == urn, inbox.c.state != InboxState.OPEN.value)
    left = select(outbox.c.id).where(_of(connection, urn), outbox.c.state.not_in(_ON_THEIR_WAY))
    return connection.execute(arrived).scalars().all(), connection.execute(left).scalars().all()


def _busy(connection: Connection, urn: str) -> int:
    """How many are worked on: parts of a question, an open one, a message on its way. Their answer needs them."""
    arriving = select(sms_part.c.set_id).where(sms_part.c.sender == urn)
    arrived = select(inbox.c.id).where(inbox.c.sender == urn)
    left = select(outbox.c.id).where(_of(connection, urn))
    return sum(len(connection.execute(each).scalars().all()) for each in (arriving, arrived, left))


def _mask_inbox(connection: Connection, now: int, *, ids: Sequence[int]) -> int:
    """As adapters.store.housekeeping.MASK_MESSAGES."""
    values = {"sender": MASKED, "text": "", "raw": None, "identity": None, "extras": None, "masked_at": now}
    return _rows(connection, update(inbox).where(inbox.c.id.in_(ids)).values(values))


def _mask_outbox(connection: Connection, now: int, *, ids: Sequence[int]) -> int:
    """What waits is dropped. Each keeps an address of its own: one notice, one recipient is a key of the table."""
    theirs = (outbox.c.id.in_(ids), outbox.c.state.not_in(_ON_THEIR_WAY))
    waits = update(outbox).where(*theirs, outbox.c.state.in_(_WAITING))
    connection.execute(waits.values(state=OutboxStates.DROPPED, settled_at=now, reason=ERASED))
    hidden = text("'masked:' || id")
    return _rows(connection, update(outbox).where(*theirs).values(recipient=hidden, text="", params=None))


def _rows(connection: Connection, statement: Any) -> int:  # noqa: ANN401 - an insert, update or delete
    return int(connection.execute(statement).rowcount)
