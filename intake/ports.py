"""What the intake module needs from outside: the catalogue of procedures, the book of dossiers, a place for files."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from domain.codes import DossierCode
from domain.dossier import DossierStatus
from domain.intake import Actor, IntakeDossier, IntakeFile, IntakeSource, IntakeStep, NumberBlock
from domain.message import require_aware
from domain.numbering import NumberPattern
from domain.procedure import Procedure

MOST_HITS = 4  # more are no question one can answer with a digit


class ProcedureCatalogue(Protocol):
    """The procedures of the province, held in memory: neither method waits."""

    def search(self, words: str, *, today: date, limit: int = MOST_HITS) -> Sequence[Procedure]:
        """Those in force on `today` that `words` may mean, the likeliest first; one when it is clear. A code, with or
        without the agency behind it, finds exactly that.
        """
        ...

    def get(self, code: str, *, today: date) -> Procedure | None:
        """The one with this code that is in force."""
        ...


# ---- dossiers


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDossier:
    """A dossier that has no code yet. `dossier.code` is filled in by the book: the next of `day` by `pattern`, or
    `serial` of a block that was set aside for paper (art. 7.3), whose day the code then bears; `block` None: the one of
    `day` it is of.
    """

    dossier: IntakeDossier  # its code is a stand-in and ignored
    pattern: NumberPattern
    day: date  # of Asia/Ho_Chi_Minh; the day in the code
    serial: int | None = None
    block: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeSearch:
    """What is looked for; empty: whatever there is. `agencies`: who may be seen, as receiver or holder. `text` is a code or
    the end of one, a telephone number typed in full, or words of a name. `before`: only ids below it.
    """

    agencies: frozenset[str]
    text: str = ""
    status: frozenset[DossierStatus] = frozenset()
    unit: str = ""
    source: IntakeSource | None = None
    procedure: str = ""
    due_since: datetime | None = None
    due_before: datetime | None = None
    received_since: datetime | None = None
    received_until: datetime | None = None
    late: bool | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a citizen filled in and did not send yet: good until `expires_at` (7 days). `token_digest`: SHA-256 of the
    secret in its link. `phone_proved_at`: a code sent to the number came back.
    """

    id: int
    token_digest: str
    agency: str
    procedure: str
    language: str
    fields: Mapping[str, str]
    created_at: datetime
    changed_at: datetime
    expires_at: datetime
    phone: str = ""
    phone_proved_at: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("created_at", "changed_at", "expires_at", "phone_proved_at"):
            require_aware(getattr(self, name), name)


class IntakeBook(Protocol):
    """The dossiers of the agencies that have no system of their own, or one that is down. One method is one transaction;
    what an officer does is noted in the audit log in the same one. All raise StoreUnavailable when nothing was done, and
    those that write StoreUncertain when that is not known: ask again with the same id, it is done once.
    """

    async def register(self, new: NewDossier, step: IntakeStep) -> IntakeDossier | NumberTrouble:
        """Give it its code and keep it, with the files of its draft (same id) if it was one. An id that is there already is
        given back as it is. Codes of an agency and a day have no gaps: what is not kept uses up no number.
        """
        ...

    async def write(self, after: IntakeDossier, step: IntakeStep, *, was: int) -> bool:
        """Keep what became of it; False: it is not in version `was` any more, and nothing was done."""
        ...

    async def find(self, code: DossierCode) -> IntakeDossier | None: ...

    async def by_id(self, identifier: int) -> IntakeDossier | None: ...

    async def listed(self, search: IntakeSearch, *, limit: int) -> Sequence[IntakeDossier]:
        """The newest first."""
        ...

    async def counts(self, agencies: frozenset[str], *, now: datetime) -> Mapping[str, int]:
        """How many stand in each state ("1".."10"), and "overdue": what the desk's first page shows."""
        ...

    async def steps(self, identifier: int) -> Sequence[IntakeStep]:
        """What was done to it, the first first."""
        ...

    # ---- numbers set aside

    async def reserve(self, block: NumberBlock, pattern: NumberPattern, count: int, actor: Actor) -> NumberBlock:
        """Set the next `count` serials of `block.day` aside; `block.first` and `.last` are filled in. A block that is there
        already is given back as it is.

        Raises:
            ValueError: the day has not so many left.
        """
        ...

    async def blocks(self, agencies: frozenset[str], *, since: date) -> Sequence[NumberBlock]:
        """The newest first, with what became of each serial."""
        ...

    async def void(self, block: int, serial: int, why: str, actor: Actor) -> bool:
        """The sheet was spoilt or never used; False: it is accounted for already."""
        ...

    # ---- files

    async def add_file(self, file: IntakeFile, *, most: int, most_bytes: int) -> bool:
        """False: there are so many, or so many bytes of them, already."""
        ...

    async def files(self, owner: int) -> Sequence[IntakeFile]: ...

    async def drop_file(self, owner: int, identifier: int) -> IntakeFile | None:
        """Forget one of a draft; gives it, so that its bytes can go."""
        ...

    async def known(self, keys: Sequence[str]) -> frozenset[str]:
        """Those of these keys of the vault that a file has."""
        ...

    # ---- drafts of citizens

    async def save_draft(self, draft: Draft) -> None:
        """Not once it was sent."""
        ...

    async def draft(self, token_digest: str, *, now: datetime) -> Draft | None:
        """None: there is none, it is over, or it was sent."""
        ...

    async def filed(self, token_digest: str) -> IntakeDossier | None:
        """The dossier that the draft with this secret became: its link stays good."""
        ...

    async def loose_bytes(self) -> int:
        """Bytes of the files of drafts and of forms nobody sent yet, all together."""
        ...

    async def expired(self, *, now: datetime, limit: int) -> Sequence[IntakeFile]:
        """Take out drafts that are over, and files of forms nobody sent for a week; gives the files, so that the bytes can
        go.
        """
        ...

    # ---- what is old

    async def mask_closed(self, before: datetime, limit: int) -> int:
        """Forget who handed in what is closed and to which nothing was done since `before`; at most `limit`, gives how
        many.
        """
        ...

    async def drop_files_of_closed(self, before: datetime, limit: int) -> Sequence[IntakeFile]:
        """Forget the files of such dossiers; gives them, so that their bytes can go."""
        ...


class NumberTrouble(enum.StrEnum):
    """Why there is no code."""

    USED = "used"  # that serial of the block is accounted for
    NOT_RESERVED = "not_reserved"  # no such block, or not this serial
    FULL = "full"  # the day has no serials left


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBytes:
    """What the vault keeps. `key` is random and says nothing."""

    key: str
    size: int
    sha256: str


class Vault(Protocol):
    """Bytes of files, outside the web root. All raise OSError when the disk does not take or give them."""

    async def keep(self, chunks: AsyncIterator[bytes], *, most: int) -> KeptBytes:
        """Keep them. More than `most` bytes raise FileTooLarge, and nothing is left behind; the same when it is cancelled."""
        ...

    async def head(self, key: str, size: int) -> bytes:
        """The first bytes."""
        ...

    def path(self, key: str) -> Path:
        """Where the file is, for who reads it whole."""
        ...

    async def drop(self, key: str) -> None:
        """What is not there is no error."""
        ...

    async def sweep(self, known: Callable[[Sequence[str]], Awaitable[frozenset[str]]]) -> int:
        """Take out what nobody knows and is older than a day; gives how many."""
        ...


class FileTooLarge(Exception):
    """More bytes than allowed."""
