"""What the accounts need of the store. One method is one transaction; what changes an account is noted in the same one."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from domain.message import require_aware
from domain.officers import Officer

Plain = str | int | bool | None | Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Somebody did something. `officer_id` None: from the command line, `login` says so. `about`: the object, such as
    `officer:7`; `detail` never holds a password, a citizen's number or a text that was sent. `address`: of the browser.
    """

    id: int  # domain.ids, so that the order of ids is the order of moments
    at: datetime
    officer_id: int | None
    login: str
    agency: str  # the officer's, at that moment
    action: str
    about: str = ""
    detail: Mapping[str, Plain] = field(default_factory=dict)
    address: str = ""

    def __post_init__(self) -> None:
        require_aware(self.at, "at")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSearch:
    """What is looked for; empty: whatever there is. `agencies` None: everybody's. `until` is the first moment not meant;
    `before`: only ids below it, to go on from a page.
    """

    agencies: frozenset[str] | None
    login: str = ""
    action: str = ""
    about: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


class AuditLog(Protocol):
    """What was done; nothing is ever changed or taken out."""

    async def note(self, entries: Sequence[AuditEntry]) -> None:
        """Keep them, all or none. Raises StoreUnavailable, StoreUncertain."""
        ...

    async def find(self, search: AuditSearch, *, limit: int) -> Sequence[AuditEntry]:
        """The newest first. Raises StoreUnavailable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An officer, and what proves it. `totp_secret` empty: no second factor. `totp_step`: the last time step a code was
    accepted of. `totp_pending`: a secret that takes its place with its first code; until then the present one holds.
    """

    officer: Officer
    password_hash: str
    must_set_password: bool = False
    totp_secret: str = ""
    totp_step: int | None = None
    totp_pending: str = ""
    failures: int = 0
    locked_until: datetime | None = None
    created_by: str = ""

    def __post_init__(self) -> None:
        require_aware(self.locked_until, "locked_until")

    @property
    def has_second_factor(self) -> bool:
        return bool(self.totp_secret) and self.totp_step is not None

    @property
    def must_set_up(self) -> bool:
        return self.must_set_password or not self.has_second_factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A try that is counted and waits for its judgement. `allowed` False: the account is locked, whatever was typed.
    `locking`: this was the last try; if it is wrong, the account is locked already.
    """

    account: Account
    allowed: bool
    locking: bool = False


class SessionEnd(enum.StrEnum):
    """Why a session is over."""

    SIGNED_OUT = "signed_out"
    REPLACED = "replaced"  # the same browser signed in again
    IDLE = "idle"
    ABSOLUTE = "absolute"
    ENDED = "ended"  # from the list of one's sessions
    PASSWORD = "password"  # noqa: S105 - it was changed
    SECOND_FACTOR = "second_factor"  # another one is set up
    RESET = "reset"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser that is signed in. `digest`: of its secret, which nobody but the browser knows."""

    digest: str
    officer_id: int
    created_at: datetime
    seen_at: datetime
    address: str
    agent: str

    def __post_init__(self) -> None:
        require_aware(self.created_at, "created_at")
        require_aware(self.seen_at, "seen_at")


class Changed(enum.StrEnum):
    """What became of a change."""

    DONE = "done"
    MOVED = "moved"  # it is not any more what was looked at; nothing was done
    LAST_OPERATOR = "last_operator"  # nobody would be left who may do everything; nothing was done


class Officers(Protocol):
    """The accounts. Every method that writes raises StoreUnavailable (nothing was done) or StoreUncertain. `seen` is the
    officer as it was looked at: a change is made only while agency, roles and being open are still the same.
    """

    async def find(self, officer_id: int) -> Account | None: ...

    async def find_login(self, login: str) -> Account | None: ...

    async def listed(self, agencies: frozenset[str] | None, *, after: str, limit: int) -> Sequence[Account]:
        """Those of these agencies (None: of all) by login, beyond `after`."""
        ...

    async def attempt(self, login: str, now: datetime, *, lock_after: int, lock_for: timedelta) -> Attempt | None:
        """Count a try before it is judged, so that many at once are no more than many. None: nobody has this login."""
        ...

    async def admit(
        self,
        account: Account,
        *,
        step: int | None,
        password_hash: str,
        session: Session | None,
        noted: AuditEntry | None,
    ) -> bool:
        """The try was right: its count is forgotten, its step used up, its session begun. False: meanwhile the code was
        used, the password changed or the account closed.
        """
        ...

    async def add(self, account: Account, noted: AuditEntry) -> bool:
        """False: somebody has this login."""
        ...

    async def change(self, seen: Officer, wanted: Officer, noted: AuditEntry) -> Changed:
        """Name, agency and roles."""
        ...

    async def close(self, seen: Officer, closed_at: datetime | None, noted: AuditEntry) -> Changed:
        """Close, which ends the sessions, or open again (None)."""
        ...

    async def reset(self, seen: Officer, password_hash: str, noted: AuditEntry) -> Changed:
        """A password given by somebody else; no second factor, no lock, no sessions."""
        ...

    async def set_password(self, officer_id: int, password_hash: str, *, renewed: Session, noted: AuditEntry) -> None:
        """One's own; all sessions end, and `renewed` begins."""
        ...

    async def begin_totp(self, officer_id: int, secret: str, *, keep: str, noted: AuditEntry) -> None:
        """A secret to be confirmed; all sessions end but `keep`, since each of them would show it."""
        ...

    async def confirm_totp(
        self, officer_id: int, secret: str, step: int, *, renewed: Session, noted: AuditEntry
    ) -> bool:
        """It takes the place of the present one; all sessions end, and `renewed` begins. False: it is not the secret any
        more, or was confirmed already.
        """
        ...

    async def set_language(self, officer_id: int, language: str) -> None: ...


class Sessions(Protocol):
    """Who is signed in. The limits in time are the caller's to apply."""

    async def find(self, digest: str) -> tuple[Account, Session] | None:
        """One that nobody ended, and whose it is."""
        ...

    async def touch(self, digest: str, seen_at: datetime) -> None: ...

    async def of(self, officer_id: int) -> Sequence[Session]:
        """Those that nobody ended, the last seen first."""
        ...

    async def end(
        self, officer_id: int, digest: str, reason: SessionEnd, now: datetime, noted: AuditEntry | None = None
    ) -> bool:
        """False: the officer has no such session open, and nothing is noted."""
        ...
