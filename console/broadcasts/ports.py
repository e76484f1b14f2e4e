"""What the pages of broadcasts need of the store. One method is one transaction; what is done is noted in the same one.

`scope`: identifiers of the agencies the officer works with. What is another agency's is not there: None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from console.accounts.ports import AuditEntry
from domain.broadcast_texts import DossierFacts
from domain.broadcasts import Audience, Broadcast, BroadcastAction, BroadcastState, Refusal
from domain.message import Address, OutboundMessage, require_aware
from domain.officers import Officer

# Outbox states in which a message has not come to its end (notifications.retry.OutboxState).
UNDER_WAY = frozenset({"ready", "held", "claimed", "handed_over"})
FAILED = frozenset({"rejected", "expired", "unknown"})
UNDELIVERED = frozenset({"undeliverable", "expired", "rejected", "deleted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What an author writes. `texts` by language, checked before (domain.broadcast_texts.faults). For a FILE audience
    `audience.file` is left empty: `take_rows` sets it, and an edit keeps what was taken, whomever it goes to meanwhile.
    """

    title: str
    texts: Mapping[str, str]
    audience: Audience
    starts_at: datetime | None = None
    canary: int = 100

    def __post_init__(self) -> None:
        require_aware(self.starts_at, "starts_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultCount:
    """So many messages stand so: `state` of the outbox, `delivery` of the report (empty: none came), `reason` why."""

    state: str
    delivery: str
    reason: str
    messages: int

    @property
    def failed(self) -> bool:
        """What a resend sends again."""
        return self.state in FAILED or (self.state == "accepted" and self.delivery in UNDELIVERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How far a broadcast is; some seconds old while it runs, what was delivered a minute. `written`: messages that were to leave, one a person;
    whoever stopped everything has a line of the results too, dropped at once, and is not counted here. `left_out`: those
    without a line, by reason (domain.broadcasts.LEFT_OUT). `all_written`: the audience is at its end.
    """

    written: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    results: Sequence[ResultCount] = ()
    all_written: bool = False
    held_back: bool = False  # paused by itself after its first recipients, and not resumed yet
    started_at: datetime | None = None
    finished_at: datetime | None = None
    counted_at: datetime | None = None

    @property
    def under_way(self) -> int:
        """Written and not at their end."""
        return sum(each.messages for each in self.results if each.state in UNDER_WAY)

    @property
    def sent(self) -> int:
        """Taken by the other side."""
        return sum(each.messages for each in self.results if each.state == "accepted")

    @property
    def delivered(self) -> int:
        return sum(each.messages for each in self.results if each.delivery == "delivered")

    @property
    def failed(self) -> int:
        return sum(each.messages for each in self.results if each.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A broadcast and how it stands. Names are officers' (empty: nobody, or an account that is gone). `rows`: recipients of
    the file taken. `resend`: the broadcast that sends again what failed of this one, if there is any not stopped.
    """

    broadcast: Broadcast
    author_name: str
    submitter_name: str = ""
    approver_name: str = ""
    tally: Tally = field(default_factory=Tally)
    rows: int = 0
    columns: Sequence[str] = ()  # placeholders the file brings, beside those of a dossier
    resend: int | None = None


Acted = (
    Standing | Refusal | None
)  # as it stands now; why nothing was done (CHANGED: looked at another version); not there


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceCount:
    """Whom an audience would reach, once each. `people` by channel; NUMBERS: one a dossier, since a number is read from
    its source only when the message is written, so that fewer may be reached. `taken_out` by reason: "stopped_all",
    "blocked". `waits`: of `people`, whose day's count is full, so that theirs leaves tomorrow. `more`: counting ended at
    the limit, and these are so many at least. `longest`: of the columns of a list, a value as long as any
    (domain.broadcast_fitness.Longest).
    """

    dossiers: int
    people: Mapping[str, int]
    taken_out: Mapping[str, int] = field(default_factory=dict)
    waits: int = 0
    more: bool = False
    longest: Mapping[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.people.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """The day's count for one person: so many since it began (notifications.schedule: day_began, ScheduleRules.per_day)."""

    began: datetime
    per_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRow:
    """One of those who would get it. `recipient` masked; of NUMBERS empty. `language` None: the default one; `plain`: this
    person wants no accents. With `facts` or `values` domain.broadcast_texts.BroadcastWriter.write makes the text.
    """

    recipient: str
    channel: str
    language: str | None
    plain: bool = False
    facts: DossierFacts | None = None
    values: Mapping[str, str] = field(default_factory=dict)  # of a file, by column


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A recipient from a file. `position` is the line a person finds it in; `values` by column."""

    position: int
    recipient: Address
    values: Mapping[str, str] = field(default_factory=dict)
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that was read to its end, all its `rows` kept by `add_rows`. `digest`: hex SHA-256 of the file, which the seal
    binds; `columns`: names of what its rows bring, as placeholders.
    """

    id: int
    digest: str
    rows: int
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """What became of one message. `recipient` masked, unless it was asked for unmasked."""

    id: int
    recipient: str
    channel: str
    dossier_code: str
    language: str
    state: str
    delivery: str
    reason: str
    created_at: datetime
    settled_at: datetime | None
    delivered_at: datetime | None
    attempts: int


class Broadcasts(Protocol):
    """All raise StoreUnavailable when nothing was done, those that write StoreUncertain when that is not known.

    `noted` is written where something was done, and only there. `version` is the one that was looked at.
    """

    async def create(
        self, identifier: int, draft: Draft, officer: Officer, scope: frozenset[str], noted: AuditEntry
    ) -> Acted:
        """A draft of the officer's agency. Done again with the same identifier by the same officer it changes nothing and
        gives the one there is (a form sent twice).
        """
        ...

    async def edit(
        self, identifier: int, version: int, draft: Draft, officer: Officer, scope: frozenset[str], noted: AuditEntry
    ) -> Acted: ...

    async def act(
        self,
        identifier: int,
        version: int,
        action: BroadcastAction,
        officer: Officer,
        scope: frozenset[str],
        noted: AuditEntry,
    ) -> Acted:
        """SUBMIT, SEND_BACK, APPROVE, PAUSE, RESUME or STOP. SUBMIT counts the audience and seals; APPROVE counts anew and
        refuses what has grown (CHANGED). Both refuse what no page should have let through: a list that is not whole
        (NO_LIST), no Vietnamese (EMPTY), texts that cannot be filled (BAD_TEXT) or are too long for somebody (TOO_LONG), a
        legal basis nobody declared (NO_BASIS). PAUSE, RESUME and STOP hold whatever `version` was looked at: 0 is as good.
        """
        ...

    async def resend(
        self, identifier: int, new: int, officer: Officer, scope: frozenset[str], noted: AuditEntry
    ) -> Acted:
        """A draft `new` for those a broadcast that is over did not reach, with its texts; to be approved like any other.
        NOT_NOW: it is not over, nothing failed, or there is one already. NOT_ALLOWED: no author. EMPTY: nothing failed.
        """
        ...

    async def find(self, identifier: int, scope: frozenset[str]) -> Standing | None: ...

    async def listed(
        self,
        scope: frozenset[str],
        *,
        states: frozenset[BroadcastState] = frozenset(),
        before: int | None = None,
        limit: int,
    ) -> Sequence[Standing]:
        """The newest first, from below `before`; `states` empty: all."""
        ...

    # whom it goes to

    async def count(
        self,
        audience: Audience,
        scope: frozenset[str],
        *,
        identifier: int = 0,
        limit: int | None = None,
        day: DayCount | None = None,
    ) -> AudienceCount:
        """What of it lies within `scope`. Of a FILE audience: of the list taken by the broadcast `identifier`. `limit`: about
        how many dossiers (or rows) are looked at, at most. `waits` is counted where `day` is given.
        """
        ...

    async def preview(
        self, audience: Audience, scope: frozenset[str], *, identifier: int = 0, limit: int
    ) -> Sequence[PreviewRow]:
        """Some of them, of those found without looking long: none where hardly a dossier is meant."""
        ...

    async def add_rows(self, identifier: int, upload: int, rows: Sequence[FileRow], scope: frozenset[str]) -> int:
        """Keep some rows of a file that is being read for a draft; `upload` is an id of domain.ids, one for each file. Nobody
        is sent anything for them before `take_rows`. A recipient that is there already is not kept twice. Gives how many
        were kept; 0 where there is no such draft, or the upload is taken or another broadcast's.
        """
        ...

    async def take_rows(
        self, identifier: int, version: int, upload: Upload, officer: Officer, scope: frozenset[str], noted: AuditEntry
    ) -> Acted:
        """From now on this is the list of a draft with a FILE audience; an earlier one is forgotten. NO_LIST: the upload is
        another broadcast's, or not all of it is there.
        """
        ...

    async def test(
        self, identifier: int, message: OutboundMessage, officer: Officer, scope: frozenset[str], noted: AuditEntry
    ) -> Acted:
        """Send the author's own test (category BROADCAST), of the same `noted.detail["form"]` one. NOT_NOW: the officer sent
        TESTS_A_DAY already, or it is over. `noted.action` must be TESTED, by which they are counted.
        """
        ...

    # what became of it

    async def results(
        self,
        identifier: int,
        officer: Officer,
        scope: frozenset[str],
        *,
        after: int = 0,
        limit: int,
        unmasked: bool = False,
    ) -> Sequence[ResultRow] | None:
        """By id, from behind `after`; to be called until it gives none. None: not there, or not for this officer: numbers in
        full (`unmasked`) are for whoever may search by a number, too (MESSAGES_FIND).
        """
        ...


TESTED = "broadcast.tested"
TESTS_A_DAY = 10  # of one officer, over all broadcasts
