"""What a conversation needs from outside: the journal, the people, the budgets."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from domain.answers import DossierAnswer, Outcome
from domain.codes import DossierCode
from domain.message import Address, DeliveryReport, InboundMessage, OutboundMessage, SendResult


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingQuestion:
    """What we asked back: the person's next "1" or "2" chooses among `codes` until `expires_at`."""

    codes: tuple[str, ...]
    wish: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What somebody chose; nobody has a row before they chose something. None: the channel's default."""

    address: Address
    language: str | None = None
    accents: bool | None = None
    stopped_at: datetime | None = None
    pending: PendingQuestion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recollection:
    """What we last did for somebody, read only when a text says too little by itself."""

    last_code: str | None = None
    last_answered_at: datetime | None = None


class People(Protocol):
    """Who we talk with. Writes travel in the journal, so that they are done once per message."""

    async def get(self, addresses: Sequence[Address]) -> Mapping[Address, Person]:
        """Those who chose something, in one read; others are absent."""
        ...

    async def recall(self, address: Address) -> Recollection: ...

    async def next_feedback_number(self) -> int:
        """A number for one feedback, never given twice; gaps are allowed."""
        ...


class Verdict(enum.StrEnum):
    """What a budget says."""

    ALLOWED = "allowed"
    FIRST_REFUSAL = "first_refusal"  # answered once
    REFUSED = "refused"  # silent


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` in any `seconds`."""

    count: int
    seconds: float


class BudgetAsk(NamedTuple):
    """One unit wanted from the budget named `key`: a purpose, then a scheme and an address of it, or nothing or something
    else that is one word: `reply:sms:8491234|84912345678`. What stands before the bar says who its neighbours are.

    `member`: the budget counts distinct members (dossier codes, say), so that one it has counted costs nothing more
    until its longest window is over. `units` 0: nothing is spent, it is only asked whether anything is left. `needs`:
    how many places before this one in the same call another ask stands without which this one is REFUSED and costs
    nothing (0: none); that one may need a third.

    A plain tuple, since a question makes several and a dataclass costs four times as much to make.
    """

    key: str
    limits: tuple[Limit, ...]
    member: str = ""
    units: int = 1
    needs: int = 0


class Budgets(Protocol):
    """Counters over all channels."""

    async def spend(self, asks: Sequence[BudgetAsk]) -> Sequence[Verdict]:
        """One verdict per ask, in order, in one round trip. What is refused is not counted; a key's first refusal
        in its longest exceeded window is FIRST_REFUSAL. An ask without limits is allowed, if what it needs is.
        """
        ...

    async def refund(self, asks: Sequence[BudgetAsk]) -> None:
        """Give back one unit each, spent on something that did not happen. What was asked with a member or without
        units gives nothing back: it may have cost nothing.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackNote:
    """An opinion to be kept under a number the person is told."""

    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be done about one message. `text` None: silence, by rule."""

    inquiry: str  # its kind: look_up, help, ...
    outcome: Outcome | None = None
    text: str | None = None
    dossier_code: str = ""  # the one looked up; "follow" without a code means it
    person: Person | None = None
    # What of `person` this message changed; the rest may be older than what is stored and is left alone. None: all of it.
    changes: frozenset[str] | None = None
    feedback: FeedbackNote | None = None
    muted: bool = False  # a guard kept us silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A message with its decision, or still open (`decision` None). `handed_over`: the reply is being sent by this
    process right now; otherwise it waits, `ready`, for the claim loop.
    """

    message: InboundMessage
    decision: Decision | None = None
    reply: OutboundMessage | None = None
    handed_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """The other side was answered: `durable` False is a refusal."""

    inbound_id: int
    at: datetime
    durable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """A connection is gone; acknowledgements written on it less than 60 s before are in doubt."""

    session: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalBatch:
    """Everything to be written in one transaction, from all channels; the outcomes of the batch before ride along."""

    exchanges: Sequence[Exchange] = ()
    closings: Sequence[Exchange] = ()  # rows written open before, now decided
    acknowledgements: Sequence[Acknowledgement] = ()
    session_ends: Sequence[SessionEnd] = ()
    results: Sequence[SendResult] = ()
    reports: Sequence[DeliveryReport] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalReceipt:
    """What the commit found out.

    `redelivered`: exchanges that were not written because they repeat one that is: their id -> the id it has in the
    journal (acknowledge, do not reply). `already_closed`: ids of closings whose row somebody else had closed (do not
    send their reply).
    """

    redelivered: Mapping[int, int] = field(default_factory=dict)
    already_closed: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorArrival:
    """What the journal remembers of an earlier identical message (the rule is conversation.redelivery's).

    `acknowledged_at` is when our answer to the other side was written, None while that is not recorded;
    `acknowledged_ok` False: it was a refusal. `session_ended_at` is when the connection it came by ended, or the last
    sign of life of a process that died with it; None while it stands.
    """

    received_at: datetime
    acknowledged_at: datetime | None = None
    acknowledged_ok: bool = True
    session_ended_at: datetime | None = None


class LookUps(Protocol):
    """Where is my dossier? What the conversation asks of lookup.service."""

    async def cached(
        self, codes: Sequence[DossierCode], *, proving: Collection[DossierCode] = ()
    ) -> Mapping[DossierCode, DossierAnswer]:
        """What can be told at once; the rest is absent.

        `proving`: those asked about with a proof. Whether they exist must not show in the time an answer takes, so
        that a found one is told from the cache no longer than "not found" is.
        """
        ...

    async def find(
        self, codes: Sequence[DossierCode], *, proving: Collection[DossierCode] = ()
    ) -> Mapping[DossierCode, DossierAnswer]:
        """An answer for every code; never raises for a one-stop system's sake. Of those in `proving` every source that
        may know them is asked, whether or not one has answered: the same reads for found and not found.
        """
        ...

    async def last_known(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, DossierAnswer]:
        """For every code what to say when its system takes too long: SOURCE_DOWN, with the last known dossier if any."""
        ...


class Journal(Protocol):
    """What is decided is written, then settled. One method is one transaction."""

    async def commit(self, batch: JournalBatch) -> JournalReceipt:
        """Write it all or nothing, durably.

        Raises:
            StoreUnavailable: nothing was written.
            StoreUncertain: the outcome is not known; `written` tells.
        """
        ...

    async def written(self, inbound_ids: Sequence[int]) -> frozenset[int]:
        """Which of these messages are in the journal: the read-back after StoreUncertain."""
        ...

    async def take_open(self, limit: int) -> Sequence[InboundMessage]:
        """Open messages whose owner is gone, now ours, oldest first."""
        ...


class Housekeeping(Protocol):
    """What is done to old rows, a few at a time: to be called again until it gives 0."""

    async def mask(self, before: datetime, limit: int) -> int:
        """Forget who wrote and what, in messages and opinions received before; in order, at most `limit` rows."""
        ...

    async def purge(self, before: datetime, limit: int) -> int:
        """Remove what is settled and was made before, at most `limit` rows of each table; gives how many rows."""
        ...
