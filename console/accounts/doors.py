"""Whether somebody is who they say: every way to prove it goes through here, is counted before it is judged, and is told
in the same words.

Wrong login, wrong password, wrong code, a locked or closed account, too many tries from one address: from outside the
same. One password is hashed in each case, but where an address may not try at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from console.accounts.passwords import Hasher, HasherBusy
from console.accounts.ports import Account, Attempt, AuditEntry, AuditLog, Officers, Session
from console.accounts.sessions import Limits
from console.accounts.totp import matching_step
from conversation.ports import BudgetAsk, Budgets, Limit, Verdict
from domain.officers import LOGIN, Officer

log = structlog.get_logger()

DONE, FAILED, LOCKED = "sign_in.done", "sign_in.failed", "sign_in.locked"

Begin = Callable[[Officer], Session]
Note = Callable[[Officer, str], AuditEntry]  # of whom, and what


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What somebody gives to prove who they are; `address`: from where."""

    login: str
    password: str
    code: str
    address: str


class Doors:
    """Judges what was typed."""

    __slots__ = ("_audit", "_budgets", "_clock", "_hasher", "_limits", "_officers")

    def __init__(
        self,
        officers: Officers,
        audit: AuditLog,
        *,
        budgets: Budgets,
        hasher: Hasher,
        limits: Limits,
        clock: Callable[[], datetime],
    ) -> None:
        self._officers = officers
        self._audit = audit
        self._budgets = budgets
        self._hasher = hasher
        self._limits = limits
        self._clock = clock

    async def enter(self, typed: Typed, begin: Begin, note: Note) -> Officer | None:
        """Begin a session for whose login, password and code these are; None: nobody's, or not now.

        Raises:
            HasherBusy: nothing was judged nor counted.
            StoreUnavailable, StoreUncertain: nobody is let in.
        """
        return await self._prove(typed, begin, note)

    async def prove(self, typed: Typed, note: Note) -> bool:
        """The same for somebody who is signed in already, before a change of what proves them."""
        return await self._prove(typed, None, note) is not None

    async def prove_again(self, officer: Officer, code: str, address: str, note: Note) -> bool:
        """A new code of their second factor, by somebody who is signed in: a session that was stolen is not enough for
        what needs this. A wrong one counts like any other try.

        Raises:
            StoreUnavailable, StoreUncertain: nothing was proved.
        """
        ask = self._ask(address)
        (verdict,) = await self._budgets.spend([ask])
        if verdict is not Verdict.ALLOWED:
            log.warning("console.too_many_tries")
            return False
        attempt = await self._attempt(officer.login)
        if attempt is None:
            return False
        if attempt.allowed and await self._has_code(attempt.account, code):
            await self._budgets.refund([ask])
            return True
        await self._failed(attempt, note)
        return False

    async def _has_code(self, account: Account, code: str) -> bool:
        """And it is used up."""
        step = None
        if account.has_second_factor:
            step = matching_step(account.totp_secret, code, self._clock(), after=account.totp_step)
        return step is not None and await self._officers.admit(
            account, step=step, password_hash=account.password_hash, session=None, noted=None
        )

    async def nobody(self) -> bool:
        """There is no officer at all, so that nobody can be let in yet."""
        return not await self._officers.listed(None, after="", limit=1)

    async def _prove(self, typed: Typed, begin: Begin | None, note: Note) -> Officer | None:
        if self._hasher.full:
            raise HasherBusy("too many passwords are being judged")
        ask = self._ask(typed.address)
        (verdict,) = await self._budgets.spend([ask])
        if verdict is not Verdict.ALLOWED:
            log.warning("console.too_many_tries")
            return None
        attempt = await self._attempt(typed.login)
        kept = attempt.account.password_hash if attempt else None
        right = await self._hasher.verify(kept, typed.password)
        if attempt is None:
            return None
        if right and attempt.allowed and await self._admitted(attempt.account, typed, begin, note):
            await self._budgets.refund([ask])
            return attempt.account.officer
        await self._failed(attempt, note)
        return None

    def _ask(self, address: str) -> BudgetAsk:
        limits = self._limits
        return BudgetAsk(f"sign_in:web:{address}", (Limit(limits.address_tries, limits.lock_for.total_seconds()),))

    async def _attempt(self, login: str) -> Attempt | None:
        if not LOGIN.fullmatch(login):
            return None
        limits = self._limits
        return await self._officers.attempt(
            login, self._clock(), lock_after=limits.lock_after, lock_for=limits.lock_for
        )

    async def _admitted(self, account: Account, typed: Typed, begin: Begin | None, note: Note) -> bool:
        step = None
        if account.has_second_factor:
            step = matching_step(account.totp_secret, typed.code, self._clock(), after=account.totp_step)
            if step is None:
                return False
        kept = account.password_hash
        return await self._officers.admit(
            account,
            step=step,
            password_hash=await self._hasher.hash(typed.password) if self._hasher.outdated(kept) else kept,
            session=begin(account.officer) if begin else None,
            noted=note(account.officer, DONE) if begin else None,
        )

    async def _failed(self, attempt: Attempt, note: Note) -> None:
        """Noted as long as tries are judged, so that a flood fills nothing."""
        officer = attempt.account.officer
        if attempt.locking:
            log.warning("console.account_locked", officer=officer.id)
        if attempt.allowed:
            await self._audit.note([note(officer, LOCKED if attempt.locking else FAILED)])
