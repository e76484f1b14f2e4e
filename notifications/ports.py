"""What telling people unasked needs from outside: feeds of change, the store, the outbox."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from domain.broadcast_texts import DossierFacts
from domain.broadcasts import Broadcast, BroadcastAction
from domain.codes import DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.message import Address, Button, OutboundMessage, require_aware
from domain.notices import Known, NoticeKind

# ---- where a change is heard of


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Dossiers to look at, nothing more: a feed never says what became of them.

    `cursor` is where to go on, to be stored with what was found out about these codes; None: nothing to store. `more`:
    there is another page at once. `baseline`: these were so before anybody watched, so that nobody is told. `missed`
    (live feeds): something may have been lost, and the polls are to be made at once.
    """

    codes: Sequence[DossierCode] = ()
    cursor: str | None = None
    more: bool = False
    baseline: bool = False
    missed: bool = False


class ChangeFeed(Protocol):
    """Asked now and then: "poll" (by a change column) or "sweep" (all codes of a table, one page after the other)."""

    @property
    def name(self) -> str: ...

    async def next(self, cursor: str | None) -> Heard:
        """What follows `cursor`; None: from the beginning.

        Raises:
            SourceUnavailable: it did not answer in time or refused.
            SourceMisread: its answer does not fit the mapping.
        """
        ...

    async def close(self) -> None: ...


class LiveFeed(Protocol):
    """Tells by itself (PostgreSQL's NOTIFY). A help, never the truth: what it misses, the polls find."""

    @property
    def name(self) -> str: ...

    def listen(self) -> AsyncGenerator[Heard, None]:
        """What is heard from now on; the first is `missed`. Ends by raising SourceUnavailable when the connection is
        gone; to be called again.
        """
        ...


class DossierReader(Protocol):
    """One one-stop system, read by code: lookup.ports.DossierSource, as far as a watcher needs it."""

    @property
    def name(self) -> str: ...

    @property
    def largest_read(self) -> int: ...

    async def find(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Dossier]:
        """Raises SourceUnavailable, SourceMisread, SourceIncomplete."""
        ...


class Contacts(Protocol):
    """Whom a dossier's own record names to be told: only where the agency says that they are to be told."""

    async def numbers(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Sequence[str]]:
        """Telephone numbers as the source has them, of dossiers that want notices; others are absent.

        Raises:
            SourceUnavailable: it did not answer.
            SourceMisread: its answer does not fit the mapping.
        """
        ...


class Freshness(Protocol):
    """Who keeps copies of what a dossier was: lookup.signals.Changes."""

    async def announce(self, codes: Sequence[DossierCode]) -> None:
        """These changed: every copy of them is dropped, everywhere. Never raises."""
        ...


class LastAccounts(Protocol):
    """By which of our accounts people wrote to us: what the inbox knows."""

    async def last_accounts(self, addresses: Collection[Address]) -> Mapping[Address, str]:
        """The account of the last message of each of them; who never wrote, or whose messages are masked, is absent.

        Raises:
            StoreUnavailable: it is not known.
        """
        ...


# How somebody is reached now at a telephone number they joined: given it, the account it was joined over and the one they
# wrote by last (empty: none), the account and our address there; None: as they joined.
JoinedWay = Callable[[Address, str, str], tuple[str, Address] | None]


# ---- what the store knows


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDossier:
    """The projection of a dossier that reminders, audiences and monitors read instead of a foreign system: no name, no
    number. `version` is our counter per (source, code), raised with every change and every reminder. `apologised`: the
    later day was told with the apology. `reminded_for`: the promised day somebody was reminded of. `gone`: the source
    does not have it any more.
    """

    source: str
    code: DossierCode
    version: int
    known: Known
    agency: str
    unit: str = ""
    procedure: str = ""
    received_at: datetime | None = None
    finished_at: datetime | None = None
    returned_at: datetime | None = None
    changed_at: datetime | None = None
    first_seen_at: datetime
    apologised: bool = False
    reminded_for: date | None = None
    gone: bool = False

    def __post_init__(self) -> None:
        for name in ("received_at", "finished_at", "returned_at", "changed_at", "first_seen_at"):
            require_aware(getattr(self, name), name)

    @property
    def status(self) -> DossierStatus | None:
        return self.known.status

    @property
    def due_on(self) -> date | None:
        return self.known.due_on


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingNotice:
    """A notice of this dossier that has not left yet (ready, held or only claimed): the next one takes its place. `before`
    is what the person knew when it was written, `available_at` when it is to leave (its place in the day's count falls
    free).
    """

    id: int
    before: Known | None
    kind: NoticeKind | None = None
    available_at: datetime | None = None
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """Somebody who follows a dossier and has not stopped everything. `account` and `sender` are ours, by which they are
    reached. `known` is what they were told or shown last, of the dossier in `source`, at its `version` (None: not
    compared with any yet). `proved`: they may know what a proof opens. None as language or accents: the default.
    """

    address: Address
    channel: str
    account: str
    sender: Address
    code: DossierCode
    source: str
    known: Known | None = None
    version: int | None = None
    proved: bool = False
    language: str | None = None
    accents: bool | None = None
    pending: PendingNotice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What is stored about some dossiers of one source, read before a decision.

    `booked`: when notices to these people leave or left, not earlier than asked for; merged, dropped and held ones do
    not count. `holding`: a mass change is held back and waits for an operator.
    """

    source: str
    seen: Mapping[DossierCode, SeenDossier] = field(default_factory=dict)
    followers: Mapping[DossierCode, Sequence[Follower]] = field(default_factory=dict)
    booked: Mapping[Address, Sequence[datetime]] = field(default_factory=dict)
    holding: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNotice:
    """A row of the outbox to be. `version` None: it is not about one version of a dossier. `replaces`: a pending notice
    that is closed as merged. `reason`: why it does not leave at once ("quiet_hours", "daily_cap", "office_hours");
    empty: it does. `held`: it waits for an operator, whatever `available_at` says. `buttons` as OutboundMessage has them.
    """

    id: int
    channel: str
    account: str
    recipient: Address
    sender: Address
    text: str
    language: str
    kind: NoticeKind
    created_at: datetime
    available_at: datetime
    expires_at: datetime
    source: str = ""
    code: DossierCode | None = None
    subject: str = ""  # stands for the code where there is none: "stoppage-7"
    version: int | None = None
    before: Known | None = None
    reason: str = ""
    held: bool = False
    replaces: int | None = None
    buttons: tuple[tuple[Button, ...], ...] = ()

    def __post_init__(self) -> None:
        for name in ("created_at", "available_at", "expires_at"):
            require_aware(getattr(self, name), name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A row of dossier_seen as it is to be; `expected` is the version it must still have (None: no row)."""

    dossier: SeenDossier
    expected: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A follower's knowledge after this recording: of `source`, at `version`."""

    address: Address
    code: DossierCode
    source: str
    version: int
    known: Known


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFollow:
    """A following nobody asked for by text: of the number on the dossier, because the agency says so. `words` says by
    what right. Somebody who ever unfollowed this dossier is not made to follow it again.
    """

    address: Address
    channel: str
    account: str
    sender: Address
    code: DossierCode
    source: str
    known: Known | None
    version: int | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A mass change: `changes` of `tracked` dossiers within a short time. Open until an operator decides."""

    id: int
    source: str
    opened_at: datetime
    changes: int
    tracked: int
    waiting: int = 0  # notices held


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Everything that follows from looking at some dossiers of one source, written in one transaction: what they are
    now, who is told, who knows what, and where each feed goes on.

    `merged`: pending notices that nothing replaces. `looked`: ids of looks that are done. `look_again`: codes that could
    not be read, and when to try again. `opens_hold`: from here on notices of this source wait for an operator.
    """

    source: str
    sightings: Sequence[Sighting] = ()
    follows: Sequence[NewFollow] = ()
    notices: Sequence[NewNotice] = ()
    merged: Sequence[int] = ()
    told: Sequence[Told] = ()
    cursors: Mapping[str, str] = field(default_factory=dict)  # by feed
    looked: Sequence[int] = ()
    look_again: Mapping[DossierCode, datetime] = field(default_factory=dict)
    opens_hold: Hold | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A dossier somebody said changed, kept until it was looked at."""

    id: int
    code: DossierCode
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stoppage:
    """A planned interruption. `texts` by language, in the operator's words, at most one SMS long; empty: our own."""

    id: int
    starts_at: datetime
    ends_at: datetime
    texts: Mapping[str, str] = field(default_factory=dict)
    tell_followers: bool = False

    def __post_init__(self) -> None:
        require_aware(self.starts_at, "starts_at")
        require_aware(self.ends_at, "ends_at")


class Notices(Protocol):
    """Who follows what, what was seen, and what is to be told. One method is one transaction; all raise
    StoreUnavailable when nothing was done, and those that write StoreUncertain when that is not known.
    """

    async def cursors(self, source: str) -> Mapping[str, str]:
        """Where each feed of a source goes on; a feed that never ran is absent."""
        ...

    async def review(
        self, source: str, codes: Sequence[DossierCode], *, booked_since: datetime | None = None
    ) -> Review:
        """What is stored about these codes. Followers are given for every code, whichever source they followed it in;
        pending notices are those about (source, code). `booked` is read when `booked_since` is given.
        """
        ...

    async def booked(self, people: Collection[Address], since: datetime) -> Mapping[Address, Sequence[datetime]]:
        """Review.booked of people who follow none of what was reviewed: whom new dossiers name."""
        ...

    async def follow_counts(self, people: Collection[Address]) -> Mapping[Address, int]:
        """How many dossiers each of them follows."""
        ...

    async def record(self, recording: Recording) -> frozenset[DossierCode]:
        """Write it, all or nothing. Nothing at all is written, and the codes at fault are given, when a row of
        dossier_seen has not its expected version, or a pending notice to be closed is no longer pending: review them
        and record again. A notice whose (source, code or subject, version, recipient) there is already is left alone.
        """
        ...

    async def tracked(self, source: str) -> int:
        """How many dossiers of a source are known and not gone; a count may be some seconds old."""
        ...

    async def followed(self, source: str, after: str, limit: int) -> Sequence[DossierCode]:
        """Codes of open dossiers that somebody follows in this source, by reference, from behind `after` ("": the
        first): what a sweep reads again. Open: not closed or gone for longer than a week; what is gone may come back.
        """
        ...

    # looks

    async def look(self, source: str, codes: Sequence[DossierCode], *, nonce: str, keep_until: datetime) -> bool:
        """Keep these to be looked at; a code that waits already is not kept twice. False, and nothing is written, when
        `nonce` was used before and is still kept.
        """
        ...

    async def looks(self, source: str, limit: int) -> Sequence[Look]:
        """What waits to be looked at and is due, oldest first."""
        ...

    # by the calendar

    async def to_remind(self, day: date, limit: int) -> Sequence[SeenDossier]:
        """Followed dossiers, accepted or in process, promised for that day, whose followers were not reminded of it."""
        ...

    async def waiting(self, before: datetime, limit: int) -> Sequence[SeenDossier]:
        """Dossiers newly registered since before that moment and not accepted yet, oldest first."""
        ...

    async def late_by(self, day: date, since: date, limit: int) -> Sequence[SeenDossier]:
        """Accepted or in process, promised from `since` to `day`, the nearest first."""
        ...

    async def enqueue(self, notices: Sequence[NewNotice], *, once: str = "") -> bool:
        """Write notices that are not about a change. False, and nothing is written, when `once` was used before."""
        ...

    async def end_followings(self, before: datetime, limit: int) -> int:
        """End those of dossiers that were returned, stopped, refused or gone since before that moment; gives how many."""
        ...

    # holds

    async def holds(self) -> Sequence[Hold]:
        """Those that are open."""
        ...

    async def close_hold(self, hold: int, *, release_at: datetime | None, limit: int) -> int:
        """Give up to `limit` of its notices back, to leave from `release_at` on and to expire as much later; None: close
        them as dropped. The hold itself ends with its last notice. Gives how many it touched; to be called until it gives 0.
        """
        ...

    # delivery

    async def fall_back(self, new_ids: Sequence[int], way: JoinedWay | None = None) -> int:
        """Up to that many notices that were refused for good, or whose person blocked the channel, and that have not
        expired, go once more to the next address their person agreed to; to a telephone number by `way`. Gives how many.
        """
        ...

    # planned stoppages

    async def stoppages(self, now: datetime) -> Sequence[Stoppage]:
        """Those that are not over, the nearest first."""
        ...

    async def plan_stoppage(self, stoppage: Stoppage) -> None: ...

    async def cancel_stoppage(self, identifier: int) -> bool:
        """False: there is none."""
        ...

    async def followers_page(self, after: str, limit: int) -> Sequence[Follower]:
        """Everybody who follows something and has not stopped, once each, by address from behind `after`."""
        ...


class Outbox(Protocol):
    """Rows on their way out. Results come back through the journal's next commit."""

    async def claim(self, account: str, limit: int, *, replies_only: bool = False) -> Sequence[OutboundMessage]:
        """Up to `limit` due rows of an account, now ours for a lease: replies, then notices, then broadcasts, each by
        id, or the replies alone; expired ones are closed on the way. So are notices that may not leave any more: a newer
        one of the same (source, dossier, recipient) exists (merged, "newer_notice"), their person stopped everything
        (dropped, "stopped_all"), follows that dossier no longer (dropped, "not_followed") or the stoppage was cancelled
        (dropped, "cancelled"). One to somebody who blocked us becomes `stopped` ("blocked"), the channel's own word,
        which makes it go to their next address.
        """
        ...

    async def hand_over(self, message_ids: Sequence[int]) -> frozenset[int]:
        """These are about to be written to the wire: from here on a crash leaves their outcome unknown. Gives those
        that are still ours; the others' lease ran out meanwhile and somebody else sends them.
        """
        ...

    async def release(self, message_ids: Sequence[int]) -> None:
        """These were claimed and will not be sent by us now: ready again at once."""
        ...

    async def recover(self) -> Mapping[str, int]:
        """Rows of owners that are gone, judged by notifications.retry: freed, sent once more, or closed as unknown.
        Returns how many of each.
        """
        ...

    async def renew(self) -> None:
        """Say that we live, and keep what we hold for another lease; called several times in one."""
        ...

    async def depth(self) -> Mapping[str, int]:
        """How many rows wait and are due, by account; for /metrics and the console."""
        ...

    async def deferred(self) -> Mapping[tuple[str, str], int]:
        """How many rows wait for a later moment, or for an operator ("held"), by (account, reason)."""
        ...


# ---- what an operator does with what did not leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A row of the outbox as an operator sees it; `recipient` is masked (84912***013)."""

    id: int
    category: str
    kind: str
    recipient: str
    state: str
    reason: str
    delivery_status: str
    source: str
    dossier_code: str
    account: str
    created_at: datetime
    available_at: datetime
    expires_at: datetime
    attempts: int
    text: str


class Letters(Protocol):
    """The outbox from outside: dead letters and what waits. Dead: rejected, expired, stopped or unknown, or reported
    undeliverable, expired, rejected or deleted after it was accepted; notices and broadcasts only.
    """

    async def listed(self, which: str, *, limit: int, after: int = 0) -> Sequence[Letter]:
        """`which`: "dead", "deferred" (ready, but not due yet), "held", "ready" (due) or "all" of these; by id, from
        behind `after`.
        """
        ...

    async def retry(self, ids: Collection[int], *, expires_at: datetime) -> Sequence[int]:
        """Dead ones leave once more; gives those that do. The report of the earlier try is forgotten."""
        ...

    async def drop(self, ids: Collection[int]) -> Sequence[int]:
        """Those that wait, are held or dead are closed as dropped; gives which."""
        ...


# ---- messages to many


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A broadcast the clock has to do with, and how far it is. `position`: how far its audience is written, opaque; `written`:
    messages that were to leave. `canary_left`: may be written before it pauses by itself; None: it does not any more.
    `messages`: by their state in the outbox, as they were counted last.
    """

    broadcast: Broadcast
    position: str = ""
    written: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    all_written: bool = False
    canary_left: int | None = None
    messages: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Somebody a broadcast may be for. `address` None: the number has to be read from the dossier's source. `channel`,
    `account` and `sender` empty: by whatever account people are told who never wrote to us. `position`: of this one, so
    that a stretch may end with it.
    """

    position: str
    address: Address | None = None
    channel: str = ""
    account: str = ""
    sender: Address | None = None
    source: str = ""
    facts: DossierFacts | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The next candidates of an audience; `position` is where to go on, also where there are none. `looked_at`: dossiers or
    rows behind them. `end`: there are no more.
    """

    candidates: Sequence[Candidate]
    position: str
    looked_at: int
    end: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """What is known of one address, as far as a broadcast is concerned. `silent`: why nothing is sent ("stopped_all",
    "blocked"; empty: it may be). `written`: this broadcast has a message for them. `failed`: the one it sends again did
    not reach them. `booked`: when notices and broadcasts to them leave or left.
    """

    language: str | None = None
    accents: bool | None = None
    silent: str = ""
    written: bool = False
    failed: bool = False
    booked: Sequence[datetime] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MassMessage:
    """A row of the outbox to be. `dropped`: it does not leave, and why; its line says so in the results."""

    id: int
    channel: str
    account: str
    recipient: Address
    sender: Address
    text: str
    language: str
    created_at: datetime
    available_at: datetime
    expires_at: datetime
    dossier_code: str = ""
    reason: str = ""
    dropped: str = ""

    def __post_init__(self) -> None:
        for name in ("created_at", "available_at", "expires_at"):
            require_aware(getattr(self, name), name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What follows from one stretch, written in one transaction: messages, whom none was written for, where to go on."""

    broadcast: int
    before: str
    after: str
    end: bool
    messages: Sequence[MassMessage] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """Messages of a broadcast that have not come to their end: `due` may be claimed now, by account, `moving` are claimed
    or handed over, `open`: there is any at all, those that wait for a later moment or for somebody to resume included.
    """

    due: Mapping[str, int]
    moving: int
    open: bool


class MassMail(Protocol):
    """Broadcasts as the expander sees them. One method is one transaction; all raise StoreUnavailable when nothing was
    done, and those that write StoreUncertain when that is not known.
    """

    async def under_way(self) -> Sequence[UnderWay]:
        """Those approved, running or paused, and those over whose messages are not all at their end or counted."""
        ...

    async def people(self, broadcast: Broadcast) -> int:
        """How many it would reach now, as it was counted when it was submitted."""
        ...

    async def move(
        self, broadcast: Broadcast, action: BroadcastAction, note_id: int, *, seal: str = "", why: str = ""
    ) -> bool:
        """The clock's own: START (with `seal`, what it comes to now), HOLD_CANARY, FINISH, LAPSE; noted in the audit log,
        where `why` says more. False: it is not any more as it was given here, and nothing was done.
        """
        ...

    async def stretch(self, under_way: UnderWay, limit: int) -> Stretch:
        """What follows `under_way.position`, at most `limit` candidates."""
        ...

    async def recipients(
        self, broadcast: Broadcast, addresses: Sequence[Address], *, booked_since: datetime
    ) -> Mapping[Address, Recipient]:
        """Of each of them."""
        ...

    async def write(self, portion: Portion) -> bool:
        """False, and nothing is written: the broadcast does not run any more, or somebody else wrote this stretch. Whoever
        has a message of this broadcast gets no other.
        """
        ...

    async def queued(self, broadcast: int) -> Queued: ...

    async def steer(self, broadcast: int, *, expires_at: datetime, limit: int) -> int:
        """Bring up to `limit` of its messages where its state wants them: held while it is paused, waiting again (and good
        until `expires_at` at least) once it runs, dropped when it is stopped; also those somebody claimed and has not
        handed over. Gives how many; to be called until it gives 0.
        """
        ...

    async def tally(self, broadcast: int, *, stretches: int) -> bool:
        """Count anew up to so many stretches of its messages that may have changed. False: nothing of it changes any more,
        and it is over.
        """
        ...
