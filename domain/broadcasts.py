"""Messages to many, under control: who may do what to a broadcast, and when, is one table; four eyes are in it.

An approval binds a seal of the texts, the audience and the count of people, and ends after a while: what was changed
afterwards, or has grown, needs another approval. Nobody approves what they wrote or submitted (the strongest of the
mitigations for mass messages in the threat model).
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta

from domain.message import require_aware
from domain.officers import Officer, Right


class BroadcastState(enum.StrEnum):
    """Where a broadcast stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"  # waits for its moment
    RUNNING = "running"
    PAUSED = "paused"  # by somebody, or after its first recipients (canary)
    DONE = "done"
    STOPPED = "stopped"


class BroadcastAction(enum.StrEnum):
    """What is done to it; by an officer, or by the clock (no right in ACTIONS)."""

    EDIT = "edit"
    SUBMIT = "submit"
    SEND_BACK = "send_back"
    APPROVE = "approve"
    START = "start"
    PAUSE = "pause"
    HOLD_CANARY = "hold_canary"
    RESUME = "resume"
    STOP = "stop"
    FINISH = "finish"
    LAPSE = "lapse"  # the approval was not used in time


_S, _A = BroadcastState, BroadcastAction
MOVES: Mapping[tuple[BroadcastState, BroadcastAction], BroadcastState] = {
    (_S.DRAFT, _A.EDIT): _S.DRAFT,
    (_S.DRAFT, _A.SUBMIT): _S.SUBMITTED,
    (_S.DRAFT, _A.STOP): _S.STOPPED,
    (_S.SUBMITTED, _A.SEND_BACK): _S.DRAFT,
    (_S.SUBMITTED, _A.APPROVE): _S.APPROVED,
    (_S.SUBMITTED, _A.STOP): _S.STOPPED,
    (_S.APPROVED, _A.SEND_BACK): _S.DRAFT,
    (_S.APPROVED, _A.START): _S.RUNNING,
    (_S.APPROVED, _A.LAPSE): _S.DRAFT,
    (_S.APPROVED, _A.STOP): _S.STOPPED,
    (_S.RUNNING, _A.PAUSE): _S.PAUSED,
    (_S.RUNNING, _A.HOLD_CANARY): _S.PAUSED,
    (_S.RUNNING, _A.STOP): _S.STOPPED,
    (_S.RUNNING, _A.FINISH): _S.DONE,
    (_S.PAUSED, _A.RESUME): _S.RUNNING,
    (_S.PAUSED, _A.STOP): _S.STOPPED,
}
NEEDS: Mapping[BroadcastAction, Right] = {
    _A.EDIT: Right.BROADCASTS_WRITE,
    _A.SUBMIT: Right.BROADCASTS_WRITE,
    _A.SEND_BACK: Right.BROADCASTS_APPROVE,
    _A.APPROVE: Right.BROADCASTS_APPROVE,
    _A.PAUSE: Right.BROADCASTS_STEER,
    _A.RESUME: Right.BROADCASTS_STEER,
    _A.STOP: Right.BROADCASTS_STEER,
}
OVER = frozenset({_S.DONE, _S.STOPPED})


class Refusal(enum.StrEnum):
    """Why an action is not done."""

    NOT_NOW = "not_now"  # the state does not allow it
    NOT_ALLOWED = "not_allowed"  # the officer has no such right, or it is another agency's
    OWN = "own"  # nobody approves what they wrote or submitted
    CHANGED = "changed"  # what is to be approved, or was, is not what stands there now
    EMPTY = "empty"  # no text, none in Vietnamese, or nobody to send it to
    NO_LIST = "no_list"  # the list it goes to was not taken, or is not whole any more
    BAD_TEXT = "bad_text"  # a text has a placeholder nothing fills, or signs that cannot be sent
    TOO_LONG = "too_long"  # somebody's text would be more segments than are allowed
    NO_BASIS = "no_basis"  # nobody declared this legal basis for these agencies


# Whom no message is written for, and why (what a page calls it stands in its texts).
LEFT_OUT = (
    "repeated",  # has one already for another dossier
    "no_number",  # the dossier names nobody who can be reached
    "not_failed",  # a resend: the earlier one reached them, or never meant them
    "beyond_approved",  # more people than were approved
    "too_long",  # their own text is more segments than are allowed
)
FIRST_LANGUAGE = "vi"  # every broadcast is written in it, whatever else it is written in
GROWTH, LEAST_GROWTH = 100, 10  # of how many people one more, and how many at least, an audience may grow by


class AudienceKind(enum.StrEnum):
    """Who may lawfully receive it is part of the audience."""

    FOLLOWERS = "followers"  # people who follow the dossiers chosen
    NUMBERS = "numbers"  # the number on the dossier: only where the agency declares a legal basis
    FILE = "file"  # a list the agency answers for, with the legal basis it declares


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Which dossiers, and whom of each. `agencies` are identifiers within the author's scope, never empty; the rest
    narrows: statuses are national numbers, days of receipt and of promise are inclusive (Asia/Ho_Chi_Minh). `late`:
    promised for a day that is over and not done. `basis`: the words of the legal basis, for NUMBERS and FILE. `file`: the
    digest of the list, so that another list is another audience; a draft that goes to others for a while keeps it.
    `failed_of`: only whom that broadcast did not reach.
    """

    kind: AudienceKind
    agencies: tuple[str, ...]
    procedure: str = ""
    statuses: tuple[int, ...] = ()
    received_from: date | None = None
    received_to: date | None = None
    due_in_days: int | None = None
    late: bool = False
    basis: str = ""
    file: str = ""
    failed_of: int = 0

    def __post_init__(self) -> None:
        if not self.agencies:
            raise ValueError("an audience names the agencies whose dossiers are meant")
        if self.kind is not AudienceKind.FOLLOWERS and not self.basis:
            raise ValueError("who follows nothing is told only on a legal basis")


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """A message to many. `texts` by language, with placeholders; the first language is Vietnamese. `people` is the count
    that was counted when it was submitted, `seal` what an approval binds. `starts_at` None: as soon as it is approved.
    """

    id: int
    agency: str
    title: str
    author: int
    texts: Mapping[str, str]
    audience: Audience
    state: BroadcastState
    created_at: datetime
    version: int = 1  # raised with every change; an action names the one it was looked at
    starts_at: datetime | None = None
    canary: int = 100
    people: int = 0
    seal: str = ""
    submitted_by: int | None = None
    approved_by: int | None = None
    approved_until: datetime | None = None
    editors: frozenset[int] = field(default_factory=frozenset)  # whoever changed a word of it

    def __post_init__(self) -> None:
        for name in ("created_at", "starts_at", "approved_until"):
            require_aware(getattr(self, name), name)

    @property
    def hands(self) -> frozenset[int]:
        """Officers who may not approve it."""
        return self.editors | {self.author} | ({self.submitted_by} if self.submitted_by is not None else set())


def seal_of(texts: Mapping[str, str], audience: Audience, people: int, starts_at: datetime | None) -> str:
    """What an approval binds, as a hex SHA-256: change a letter, a filter or the number of people and it is another."""
    bound = {
        "texts": dict(sorted(texts.items())),
        "audience": {name: str(value) for name, value in sorted(asdict(audience).items())},
        "people": people,
        "starts_at": starts_at.isoformat() if starts_at else "",
    }
    return hashlib.sha256(json.dumps(bound, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def most_people(people: int) -> int:
    """How many it may be sent to where so many were approved: between approval and sending somebody begins to follow."""
    return people + max(LEAST_GROWTH, people // GROWTH)


def seal_now(broadcast: Broadcast, counted: int) -> str:
    """What its texts, audience and count come to where so many are counted now. A little growth changes nothing, since it
    is never sent to more than `most_people`.
    """
    grown = counted > most_people(broadcast.people)
    return seal_of(broadcast.texts, broadcast.audience, counted if grown else broadcast.people, broadcast.starts_at)


def moved(
    broadcast: Broadcast,
    action: BroadcastAction,
    state: BroadcastState,
    officer: Officer | None,
    *,
    now: datetime,
    good_for: timedelta = timedelta(),
) -> Broadcast:
    """The broadcast after an action `decide` allowed. `good_for`: how long an approval is, from the moment it may start."""
    after = replace(broadcast, state=state, version=broadcast.version + 1)
    if officer is not None and action in (BroadcastAction.EDIT, BroadcastAction.SUBMIT):
        after = replace(after, editors=broadcast.editors | {officer.id})
    if action is BroadcastAction.SUBMIT and officer is not None:
        return replace(after, submitted_by=officer.id)
    if action is BroadcastAction.APPROVE and officer is not None:
        until = max(now, broadcast.starts_at or now) + good_for
        return replace(after, approved_by=officer.id, approved_until=until)
    if state is BroadcastState.DRAFT:
        return replace(after, submitted_by=None, approved_by=None, approved_until=None, seal="", people=0)
    return after


def decide(
    broadcast: Broadcast,
    action: BroadcastAction,
    officer: Officer | None,
    *,
    seal: str = "",
    scope: frozenset[str],
    unfit: Refusal | None = None,
) -> BroadcastState | Refusal:
    """The state after this action, or why not. `officer` None: the clock. `seal`: for SUBMIT, APPROVE and START what the
    broadcast's texts, audience and count come to now. `scope`: agencies the officer works with. `unfit`: for SUBMIT and
    APPROVE what domain.broadcast_fitness says against it.
    """
    following = MOVES.get((broadcast.state, action))
    if not _allowed(broadcast, action, officer, scope):
        return Refusal.NOT_ALLOWED
    if following is None:
        return Refusal.NOT_NOW
    return _refused(broadcast, action, officer, seal, unfit) or following


def _allowed(broadcast: Broadcast, action: BroadcastAction, officer: Officer | None, scope: frozenset[str]) -> bool:
    """The clock does what needs no right, officers what they have the right to, for their own agencies."""
    needed = NEEDS.get(action)
    if officer is None or needed is None:
        return officer is None and needed is None
    return officer.may(needed) and broadcast.agency in scope


def _refused(
    broadcast: Broadcast, action: BroadcastAction, officer: Officer | None, seal: str, unfit: Refusal | None
) -> Refusal | None:
    """What speaks against it although the state would allow it."""
    judged = action in (BroadcastAction.SUBMIT, BroadcastAction.APPROVE)
    unlisted = broadcast.audience.kind is AudienceKind.FILE and not broadcast.audience.file
    sealed = action in (BroadcastAction.APPROVE, BroadcastAction.START)
    own = action is BroadcastAction.APPROVE and officer is not None and officer.id in broadcast.hands
    faults = (
        (judged and unlisted, Refusal.NO_LIST),
        (judged and not (broadcast.people and broadcast.texts.get(FIRST_LANGUAGE, "").strip()), Refusal.EMPTY),
        (own, Refusal.OWN),
        (sealed and seal != broadcast.seal, Refusal.CHANGED),
    )
    return next((refusal for faulty, refusal in faults if faulty), unfit if judged else None)
