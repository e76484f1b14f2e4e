"""What was asked, answered and told, for officers who look for it, on both engines: each table by an index, a page at a time."""

# ruff: noqa: S608 - put together from the column names of this module, never from data

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from adapters.store.notices_rows import read_moment, read_params
from adapters.store.pins import Runner
from adapters.store.rows import from_ms
from adapters.store.steps import Steps, Values
from console.messages.ports import Asked, Followed, Sent, Turn
from domain.codes import DossierCode
from domain.message import Address, Category

ASKED_COLUMNS = (
    "id",
    "dossier_code",
    "sender",
    "channel",
    "text",
    "received_at",
    "state",
    "inquiry",
    "outcome",
    "masked_at",
)
SENT_COLUMNS = (
    "id",
    "dossier_code",
    "inbound_id",
    "recipient",
    "channel",
    "category",
    "text",
    "created_at",
    "available_at",
    "handed_over_at",
    "state",
    "reason",
    "delivery_status",
    "delivered_at",
    "params",
)
_LAST: Final = 2**63 - 1  # no id is larger


def columns_of(alias: str, names: Iterable[str]) -> str:
    """`o.id, o.text`."""
    return ", ".join(f"{alias}.{name}" for name in names)


def _asked(condition: str) -> str:
    """Questions with their replies. That the reply's message is not NULL is said for the partial index."""
    page = f"""SELECT {", ".join(ASKED_COLUMNS)} FROM inbox WHERE {condition} AND id < :before
        ORDER BY id DESC LIMIT :limit"""
    return f"""SELECT {columns_of("i", ASKED_COLUMNS)}, {columns_of("o", SENT_COLUMNS)} FROM ({page}) AS i
    LEFT JOIN outbox AS o ON o.inbound_id = i.id AND o.inbound_id IS NOT NULL ORDER BY i.id DESC"""


def _told(condition: str) -> str:
    """What answers no message."""
    return f"""SELECT {", ".join(SENT_COLUMNS)} FROM outbox
    WHERE {condition} AND inbound_id IS NULL AND id < :before ORDER BY id DESC LIMIT :limit"""


ASKED_ABOUT, TOLD_ABOUT = _asked("dossier_code = :code"), _told("dossier_code = :code")
ASKED_BY, TOLD_TO = _asked("sender = :address"), _told("recipient = :address")
_FOLLOWED = """SELECT recipient, channel, dossier_code, followed_at FROM subscription
WHERE {} ORDER BY followed_at DESC, recipient, dossier_code LIMIT :limit"""
FOLLOWERS = _FOLLOWED.format("dossier_code = :code AND ended_at IS NULL")
# Not `ended_at IS NULL`: PostgreSQL without statistics would rather walk all that have not ended than use the key.
FOLLOWED = _FOLLOWED.format("recipient = :address AND coalesce(ended_at, -1) < 0")


def turns(asked: str, told: str, key: Values, before: int | None, limit: int) -> Steps[Sequence[Turn]]:
    """The newest of both tables, whose ids come from one sequence of moments."""
    values: Values = {**key, "before": _LAST if before is None else before, "limit": limit}
    found = [_question(row) for row in (yield asked, values)]
    found += [_unasked(row) for row in (yield told, values)]
    return sorted(found, key=lambda turn: turn.id, reverse=True)[:limit]


def followed(statement: str, values: Values) -> Steps[Sequence[Followed]]:
    return [
        Followed(address=Address.from_urn(recipient), channel=channel, dossier_code=code, since=from_ms(since))
        for recipient, channel, code, since in (yield statement, values)
    ]


def _question(row: Sequence[Any]) -> Turn:
    cells = tuple(row)
    asked = dict(zip(ASKED_COLUMNS, cells[: len(ASKED_COLUMNS)], strict=True))
    return Turn(
        id=asked["id"],
        dossier_code=asked["dossier_code"] or "",
        asked=Asked(
            sender=Address.from_urn(asked["sender"]),
            channel=asked["channel"],
            text=asked["text"],
            at=from_ms(asked["received_at"]),
            state=asked["state"],
            inquiry=asked["inquiry"] or "",
            outcome=asked["outcome"] or "",
            masked=asked["masked_at"] is not None,
        ),
        sent=read_sent(cells[len(ASKED_COLUMNS) :]),
    )


def _unasked(row: Sequence[Any]) -> Turn:
    cells = dict(zip(SENT_COLUMNS, row, strict=True))
    return Turn(id=cells["id"], dossier_code=cells["dossier_code"] or "", sent=read_sent(row))


def read_sent(row: Sequence[Any]) -> Sent | None:
    """A row of SENT_COLUMNS; of NULLs only where there is none. A reply to no message holds a code that proves a number
    (adapters.store.pins): its text stays here.
    """
    cells = dict(zip(SENT_COLUMNS, row, strict=True))
    if cells["id"] is None:
        return None
    secret = cells["category"] == Category.REPLY and cells["inbound_id"] is None
    return Sent(
        recipient=Address.from_urn(cells["recipient"]),
        channel=cells["channel"],
        category=cells["category"],
        text="" if secret else cells["text"],
        created_at=from_ms(cells["created_at"]),
        available_at=from_ms(cells["available_at"]),
        state=cells["state"],
        kind=read_params(cells["params"]).kind,
        reason=cells["reason"] or "",
        left_at=read_moment(cells["handed_over_at"]),
        delivery=cells["delivery_status"] or "",
        delivered_at=read_moment(cells["delivered_at"]),
        secret=secret,
    )


class StoreConversations:
    """Implements console.messages.ports.Conversations. `look` only reads."""

    def __init__(self, look: Runner) -> None:
        self._look = look

    async def about(self, code: DossierCode, *, before: int | None, limit: int) -> Sequence[Turn]:
        return await self._look(turns(ASKED_ABOUT, TOLD_ABOUT, {"code": code.reference}, before, limit))

    async def with_person(self, address: Address, *, before: int | None, limit: int) -> Sequence[Turn]:
        return await self._look(turns(ASKED_BY, TOLD_TO, {"address": address.urn}, before, limit))

    async def followers(self, code: DossierCode, *, limit: int) -> Sequence[Followed]:
        return await self._look(followed(FOLLOWERS, {"code": code.reference, "limit": limit}))

    async def followed(self, address: Address, *, limit: int) -> Sequence[Followed]:
        return await self._look(followed(FOLLOWED, {"address": address.urn, "limit": limit}))
