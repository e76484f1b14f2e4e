"""A dossier as the desk that received it keeps it: who handed in what, for what, since when, until when (decision
40/2016/QĐ-UBND art. 7). What anybody may be told of it is a domain.dossier.Dossier, which knows no person.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from domain.codes import DossierCode
from domain.dossier import DossierStatus
from domain.message import require_aware
from domain.working_time import SupplementRule, TimeLimit

MOST_PAPERS = 40
LONGEST_TEXT = 300  # characters of a name, an address, a paper
LONGEST_NOTE = 1_000  # characters of a reason or a note
MOST_SETS = 99


class IntakeSource(enum.StrEnum):
    """How it came (art. 7.1; post and the national portal came later: decree 61/2018/NĐ-CP art. 16)."""

    COUNTER = "counter"
    ONLINE = "online"  # our own form
    EMAIL = "email"
    EDOC = "edoc"  # the e-document system
    POST = "post"
    PORTAL = "portal"  # the national one


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who hands in. Nothing of it ever leaves by a channel; `phone` is told to when `IntakeDossier.notify` says so."""

    name: str
    phone: str = ""  # as typed
    email: str = ""
    address: str = ""
    id_number: str = ""
    owner: str = ""  # whose matter it is, where somebody else hands in


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One line of the check list (circular 01/2018/TT-VPCP, form 01), ticked twice: it is all there (`complete`), and it is
    as the law wants it (`legal`), art. 7.2. `missing`: it is still wanted, and `note` says why.
    """

    name: str
    originals: int = 0
    certified: int = 0  # certified copies
    copies: int = 0  # photocopies
    complete: bool = False
    legal: bool = False
    missing: bool = False
    note: str = ""

    @property
    def handed_in(self) -> bool:
        return self.originals + self.certified + self.copies > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it. `officer` None: the citizen, or nobody but the clock. `login`, `name` and `agency` as they were then;
    `address`: of the browser.
    """

    officer: int | None
    login: str = ""
    name: str = ""
    agency: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeDossier:
    """The whole of it. `agency` received it, `holder` and `unit` have it now. `version` rises with every change.

    `received_at` is when it was truly handed in, `entered_at` when somebody typed it; `late`: it was on paper first
    (art. 7.3). `due_at` None: the procedure promises no day. `before`: the state it goes back to from 5, 6 and 7.
    `limit`, `rule`, `procedure_name`, `fee` are as the procedure's version in force said when it was received.
    `declared_at`: the applicant answers for what it says (art. 9.2). `secret` proves that one holds the receipt.
    """

    id: int  # domain.ids; chosen by the form, so that a form sent twice is one dossier
    code: DossierCode
    agency: str
    holder: str
    unit: str = ""
    procedure: str
    procedure_name: str
    source: IntakeSource
    status: DossierStatus
    before: DossierStatus | None = None
    version: int = 1
    person: Person
    subject: str = ""  # trích yếu
    papers: tuple[Paper, ...] = ()
    sets: int = 1
    received_at: datetime
    entered_at: datetime
    changed_at: datetime
    late: bool = False
    limit: TimeLimit | None = None
    rule: SupplementRule = SupplementRule.RESTART
    due_at: datetime | None = None
    first_due_at: datetime | None = None
    apologised_at: datetime | None = None  # a day may be promised anew once (decree 61/2018/NĐ-CP art. 19.9)
    supplement_asked_at: datetime | None = None
    supplement_by: date | None = None
    missing: str = ""
    fee: str = ""
    fee_dong: int | None = None
    paid_at: datetime | None = None
    reason: str = ""  # why it was refused or stopped
    finished_at: datetime | None = None
    returned_at: datetime | None = None
    language: str = "vi"
    notify: bool = False
    notify_words: str = ""  # what was asked and agreed to; kept as the words of consent
    declared_at: datetime | None = None
    secret: str = ""

    def __post_init__(self) -> None:
        for name in _MOMENTS:
            require_aware(getattr(self, name), name)


_MOMENTS = (
    "received_at",
    "entered_at",
    "changed_at",
    "due_at",
    "first_due_at",
    "apologised_at",
    "supplement_asked_at",
    "paid_at",
    "finished_at",
    "returned_at",
    "declared_at",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeStep:
    """Something that was done to a dossier, never changed and never taken out. `action` is a name of
    domain.intake_moves.IntakeAction, or "registered". `at`: when it truly was, `entered_at`: when it was typed.
    """

    id: int
    dossier: int
    at: datetime
    entered_at: datetime
    action: str
    actor: Actor
    after: DossierStatus
    before: DossierStatus | None = None
    from_agency: str = ""
    from_unit: str = ""
    to_agency: str = ""
    to_unit: str = ""
    reason: str = ""
    due_at: datetime | None = None  # as it was promised from then on

    def __post_init__(self) -> None:
        require_aware(self.at, "at")
        require_aware(self.entered_at, "entered_at")
        require_aware(self.due_at, "due_at")


class FileKind(enum.StrEnum):
    """What a file is to its dossier."""

    PAPER = "paper"  # handed in
    SUPPLEMENT = "supplement"  # handed in later
    RESULT = "result"  # for the applicant to fetch
    MAIL = "mail"  # the e-mail it came with


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeFile:
    """A file of a dossier or of a draft. `key`: where its bytes are kept, outside the web root; `media_type` was found by
    looking into it, never believed. `paper`: which line of the check list it belongs to.
    """

    id: int
    owner: int  # the dossier's id, or the draft's
    kind: FileKind
    name: str
    media_type: str
    size: int  # bytes
    sha256: str
    key: str
    added_at: datetime
    paper: int | None = None
    by_officer: int | None = None

    def __post_init__(self) -> None:
        require_aware(self.added_at, "added_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberBlock:
    """Codes that were set aside for work on paper (art. 7.3). `used` and `void` (with why) are serials; the rest is open."""

    id: int
    agency: str
    day: date
    first: int
    last: int
    reserved_at: datetime
    reserved_by: str  # a login
    used: frozenset[int] = frozenset()
    void: Mapping[int, str] = field(default_factory=dict)

    @property
    def open(self) -> tuple[int, ...]:
        """Serials nobody has accounted for yet."""
        done = self.used | self.void.keys()
        return tuple(serial for serial in range(self.first, self.last + 1) if serial not in done)
