"""What a conversation needs from outside: the journal, the people, the budgets."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from domain.answers import DossierAnswer, Outcome
from domain.codes import DossierCode
from domain.message import PRIORITIES, Address, Button, DeliveryReport, InboundMessage, OutboundMessage, SendResult
from domain.questions import Left


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingQuestion:
    """What we asked back: the person's next "1" or "2" chooses among `codes` until `expires_at`. No codes: the digits that
    were sent to another address of theirs are waited for.
    """

    codes: tuple[str, ...]
    wish: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What somebody chose; nobody has a row before they chose something. None: the channel's default. `linked` are their
    other addresses, proved to be theirs, in the order they are tried when this one is closed. `blocked`: what stopped them
    is that they blocked us, nothing they said, so that coming back resumes it; read only, never written.
    """

    address: Address
    language: str | None = None
    accents: bool | None = None
    stopped_at: datetime | None = None
    pending: PendingQuestion | None = None
    linked: tuple[Address, ...] = ()
    blocked: bool = False


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

    async def following(self, address: Address, limit: int) -> Sequence[Following]:
        """What somebody follows, the latest first."""
        ...

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

    async def spend_and_tell(
        self, asks: Sequence[BudgetAsk], told: Sequence[int]
    ) -> tuple[Sequence[Verdict], Sequence[Left | None]]:
        """The same, in the same one round trip, and what the asks at these places have left once all of them are
        spent: in the window that is nearest its end, of two the longer. None for an ask without limits.
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
class Following:
    """A dossier somebody follows, and since when."""

    code: DossierCode
    since: datetime


class FollowWish(enum.StrEnum):
    """What a message changes about followings; the words of consent are kept with it."""

    FOLLOW = "follow"
    UNFOLLOW = "unfollow"
    STOP_ALL = "stop_all"
    RESUME = "resume"
    BLOCKED = "blocked"  # done to the channel, not said: their next address may still be used


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowChange:
    """One change, and the consent or its withdrawal as it is kept: who (the exchange's sender), when, by what words.

    FOLLOW: `code` in `source`; `known` is domain.notices.Known.text of what the person was shown, `proved` whether they
    may know what a proof opens. UNFOLLOW: `code`. STOP_ALL, RESUME and BLOCKED: neither (the person's `stopped_at` says
    it; this keeps the words). Of BLOCKED the person's `stopped_at` is when the message was received, by which the store
    tells it from a wish to be told nothing.
    """

    wish: FollowWish
    words: str
    code: DossierCode | None = None
    source: str = ""
    known: str = ""
    proved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Another address of whoever wrote, proved to be theirs: by a code that was sent there and came back, or by the chat
    that vouches for it. `channel`, `account` and `sender` are ours, by which it is reached; `words` are kept as consent.
    """

    address: Address
    channel: str
    account: str
    sender: Address
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parting:
    """`address` is not theirs any more. None: nothing is joined with whoever wrote, in whichever direction; so whoever holds
    a number now ends what others joined to it.
    """

    words: str
    address: Address | None = None


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
    follows: Sequence[FollowChange] = ()
    links: Sequence[Link] = ()
    partings: Sequence[Parting] = ()
    buttons: tuple[tuple[Button, ...], ...] = ()  # below the text, where the channel has any
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRequest:
    """Somebody (`asker`) says that `link.address` is theirs too: a code is sent there, and must come back from here."""

    asker: Address
    link: Link
    pin_seal: str
    message: OutboundMessage
    expires_at: datetime


class Links(Protocol):
    """Addresses joined by a code sent to the other one."""

    async def ask(self, request: LinkRequest) -> None:
        """Keep it in the place of an earlier one of the same asker, with the message that carries the code."""
        ...

    async def redeem(self, asker: Address, pin_seal: str, *, tries: int) -> tuple[PinResult, Link | None]:
        """FOLLOWING stands for joined: the link is given, the request used up; what it joins is written with the
        decision that carries it. A wrong code counts; after `tries` of them the request is spent.
        """
        ...


class Pictures(Protocol):
    """What stands in a picture somebody sent."""

    async def texts(self, message: InboundMessage) -> Sequence[str]:
        """The texts of the codes (QR, barcodes) in it, most likely first; none where there is none.

        Raises:
            PictureUnavailable: it could not be fetched, or is too large; nobody knows what is in it.
        """
        ...


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

        Written again under the same ids it waits for what is still being written under them, and is then told as
        `redelivered` or `already_closed`.

        Raises:
            StoreUnavailable: nothing was written.
            StoreRejected: nor would it be another time; a row of it can never be.
            StoreUncertain: the outcome is not known; `written` tells what is there by now.
        """
        ...

    async def written(self, ids: Sequence[int]) -> frozenset[int]:
        """Which of these messages and replies stand there: the read-back after StoreUncertain."""
        ...

    async def give_up(self, refused: Mapping[int, int | None]) -> frozenset[int]:
        """These messages (each with the id of its reply, if that was to be sent at once) were refused, but a commit of
        ours may have written them: those that are there, and still ours, are whoever's takes them up, an open one to
        answer, a reply that never left to send. Gives the ids of the messages that are there; each is to be given up
        only until then.
        """
        ...

    async def take_open(self, limit: int) -> Sequence[InboundMessage]:
        """Open messages whose owner is gone, now ours, oldest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PinRequest:
    """Somebody on the web wants a number to follow a dossier: the number is to be proved by a code sent to it.

    `token` names the request to the browser; `pin_seal` is all that is kept of the code. `message` carries the code.
    """

    token: str
    address: Address
    change: FollowChange
    pin_seal: str
    message: OutboundMessage
    expires_at: datetime


class PinResult(enum.StrEnum):
    """What became of a code that was typed."""

    FOLLOWING = "following"
    WRONG = "wrong"
    SPENT = "spent"  # expired, used, tried too often, or never there: to be asked for anew


class Pins(Protocol):
    """Numbers proved by a code sent back. Written in the same tables as a following by text."""

    async def ask(self, request: PinRequest) -> None:
        """Keep it, with the message that carries the code, in one transaction."""
        ...

    async def redeem(self, token: str, pin_seal: str, *, tries: int) -> PinResult:
        """FOLLOWING: the following and its consent are written, and the request is used up. A wrong code counts; after
        `tries` of them the request is spent.
        """
        ...


class LateReports(Protocol):
    """Delivery reports that were kept because nothing they could mean was there yet."""

    async def match_reports(self) -> int:
        """Match those of the last minutes, which may have been written in the same moment as what they mean, by another
        process; to be called twice a minute. Gives how many. A commit matches all others by itself.
        """
        ...


class Housekeeping(Protocol):
    """What is done to old rows, a few at a time: to be called again until it gives 0."""

    async def mask(self, before: datetime, limit: int) -> int:
        """Forget who wrote and what, in messages and opinions received before; in order, at most `limit` rows."""
        ...

    async def purge(self, before: datetime, limit: int) -> int:
        """Remove what is settled and was made before, at most `limit` rows of each table; gives how many rows."""
        ...


Place = tuple[int, int]  # of a row among those that wait for one account: its priority, its id
FIRST_PLACE: Place = (min(PRIORITIES.values()), 0)  # before all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """One step: how many it closed, and behind which row the next one goes on; None: there are no more."""

    closed: int
    behind: Place | None


class Unserved(Protocol):
    """Messages that wait for accounts nobody serves any more."""

    async def depth(self) -> Mapping[str, int]:
        """How many wait and are due, by account (notifications.ports.Outbox)."""
        ...

    async def expire(self, account: str, before: datetime, limit: int, *, behind: Place) -> Expired:
        """Of the account's messages that wait to be claimed, look at `limit` from behind that one: those that expired
        before are closed. For an account nobody serves; where somebody does, a claim closes them.
        """
        ...
