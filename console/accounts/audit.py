"""Who did what, kept before the officer is answered: every slice of the console notes its actions by this."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from aiohttp import web

from console.accounts.ports import AuditEntry, AuditLog, Plain
from console.signed import signed
from domain.officers import Officer


class Audit:
    """Notes actions. `ids` makes identifiers (domain.ids), `address_of` says where a request comes from."""

    __slots__ = ("_address_of", "_clock", "_ids", "_log")

    def __init__(
        self,
        log: AuditLog,
        *,
        ids: Callable[[], int],
        clock: Callable[[], datetime],
        address_of: Callable[[web.Request], str],
    ) -> None:
        self._log = log
        self._ids = ids
        self._clock = clock
        self._address_of = address_of

    async def note(self, request: web.Request, action: str, about: str = "", **detail: Plain) -> None:
        """The officer who is signed in did `action` to `about`: `broadcast.approved`, `broadcast:12`.

        Raises:
            StoreUnavailable, StoreUncertain: it may not be kept; what was done must not be told as done.
        """
        await self._log.note([self.entry(request, action, about, **detail)])

    def entry(self, request: web.Request, action: str, about: str = "", **detail: Plain) -> AuditEntry:
        """The same, for a port that keeps it in the transaction of what it tells of."""
        return self.entry_of(signed(request).officer, request, action, about, **detail)

    def address(self, request: web.Request) -> str:
        """Where a request comes from."""
        return self._address_of(request)

    def entry_of(
        self, officer: Officer, request: web.Request, action: str, about: str = "", **detail: Plain
    ) -> AuditEntry:
        """Of an officer who is not signed in yet, or no longer."""
        return AuditEntry(
            id=self._ids(),
            at=self._clock(),
            officer_id=officer.id,
            login=officer.login,
            agency=officer.agency,
            action=action,
            about=about,
            detail=detail,
            address=self._address_of(request),
        )
