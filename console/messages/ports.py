"""What messages and opinions need of the store. One method is one transaction; what changes an opinion is noted in it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from console.accounts.ports import AuditEntry
from domain.codes import DossierCode
from domain.message import Address, OutboundMessage, require_aware

# ---- messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A message that came in. `state`, `inquiry` and `outcome` as the journal keeps them. `masked`: who wrote it, and
    what, was removed by age or on request.
    """

    sender: Address
    channel: str
    text: str
    at: datetime
    state: str
    inquiry: str = ""
    outcome: str = ""
    masked: bool = False

    def __post_init__(self) -> None:
        require_aware(self.at, "at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that left, or is to leave. `state`: notifications.retry.OutboxState; `delivery`:
    domain.message.DeliveryStatus, or empty. `secret`: it holds a code that proves a number, and its text is not told.
    """

    recipient: Address
    channel: str
    category: str
    text: str
    created_at: datetime
    available_at: datetime
    state: str
    kind: str = ""
    reason: str = ""
    left_at: datetime | None = None
    delivery: str = ""
    delivered_at: datetime | None = None
    secret: bool = False

    def __post_init__(self) -> None:
        for name in ("created_at", "available_at", "left_at", "delivered_at"):
            require_aware(getattr(self, name), name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A question with its reply, or what was told unasked. `dossier_code`: a reference (domain.codes), or empty."""

    id: int  # domain.ids, so that the order of ids is the order of moments
    dossier_code: str = ""
    asked: Asked | None = None
    sent: Sent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """Somebody follows a dossier. `dossier_code`: a reference (domain.codes)."""

    address: Address
    channel: str
    dossier_code: str
    since: datetime

    def __post_init__(self) -> None:
        require_aware(self.since, "since")


class Conversations(Protocol):
    """What was said; the newest first, `before`: only ids below it, to go on from a page. Raises StoreUnavailable."""

    async def about(self, code: DossierCode, *, before: int | None, limit: int) -> Sequence[Turn]:
        """With whomever, about this dossier."""
        ...

    async def with_person(self, address: Address, *, before: int | None, limit: int) -> Sequence[Turn]:
        """About whatever, with this address."""
        ...

    async def followers(self, code: DossierCode, *, limit: int) -> Sequence[Followed]: ...

    async def followed(self, address: Address, *, limit: int) -> Sequence[Followed]: ...


# ---- opinions


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """How whoever gave an opinion is reached: over the account, and from the address, they wrote to. `language` and
    `accents` as they chose; None: they chose none.
    """

    channel: str
    account: str
    ours: Address
    language: str | None = None
    accents: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """An opinion or a complaint under the number its giver was told. `agency`: an identifier, whose it is to answer;
    empty: nobody looked yet. `dossier_code`: a reference, of the dossier it was given to that agency for. `way_back` None:
    its giver was forgotten. `told`: what became of the answer on its way.
    """

    number: int
    sender: Address
    text: str
    received_at: datetime
    agency: str = ""
    dossier_code: str = ""
    masked: bool = False
    answer: str = ""
    answered_at: datetime | None = None
    answered_by: str = ""
    way_back: WayBack | None = None
    told: Sent | None = None

    def __post_init__(self) -> None:
        require_aware(self.received_at, "received_at")
        require_aware(self.answered_at, "answered_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrouted:
    """An opinion that is nobody's to answer yet. `asked`: the reference of the dossier its giver was answered about last;
    empty: about none.
    """

    number: int
    text: str
    asked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Whose an opinion is to answer, and for which dossier (a reference, or empty)."""

    number: int
    agency: str
    dossier_code: str = ""


class Which(enum.StrEnum):
    """Some of the opinions."""

    WAITING = "waiting"  # for an answer; the oldest first, all others the newest first
    OVERDUE = "overdue"  # those of them that wait for too long
    ANSWERED = "answered"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpinionSearch:
    """`agencies` None: everybody's. Overdue is what was received before `overdue_before` and waits. `beyond`: only
    numbers that come after it in the order of the list.
    """

    agencies: frozenset[str] | None
    which: Which
    overdue_before: datetime
    beyond: int | None = None

    def __post_init__(self) -> None:
        require_aware(self.overdue_before, "overdue_before")

    @property
    def oldest_first(self) -> bool:
        return self.which in (Which.WAITING, Which.OVERDUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerMessage:
    """What goes to the person. `reason`: why it does not leave at once ("quiet_hours"), or empty."""

    message: OutboundMessage
    language: str
    available_at: datetime
    reason: str = ""

    def __post_init__(self) -> None:
        require_aware(self.available_at, "available_at")


class Opinions(Protocol):
    """Opinions and their answers. Raises StoreUnavailable when nothing was done, StoreUncertain when that is not known.
    `seen` is the opinion as it was looked at: it is changed only while it waits, with the same agency, and its giver is
    as well known or forgotten as then.
    """

    async def unrouted(self, *, within: timedelta, limit: int) -> Sequence[Unrouted]:
        """The oldest numbers first; `asked` no longer than `within` before the opinion."""
        ...

    async def route(self, routings: Sequence[Routing]) -> None:
        """One that was routed meanwhile is left alone."""
        ...

    async def listed(self, search: OpinionSearch, *, limit: int) -> Sequence[Opinion]:
        """In the order of Which."""
        ...

    async def waiting(self, agencies: frozenset[str] | None, overdue_before: datetime) -> tuple[int, int]:
        """How many wait, and how many of them for too long."""
        ...

    async def find(self, number: int) -> Opinion | None: ...

    async def answer(
        self, seen: Opinion, text: str, message: AnswerMessage | None, at: datetime, noted: AuditEntry
    ) -> bool:
        """Keep what was answered, by whom and when (`noted` says who), and send the message, once. None: nobody to send
        to. False: it is not any more what was looked at; nothing was done.
        """
        ...

    async def pass_on(self, seen: Opinion, agency: str, noted: AuditEntry) -> bool:
        """To be answered by another agency. False: as above."""
        ...
