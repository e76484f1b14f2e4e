"""The console as bootstrap makes it, on a store and sources of its own, with officers who are signed in or can sign in:
for every test that wants all of it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from console.accounts.passwords import Hasher
from console.accounts.ports import Account as OfficerAccount
from console.accounts.ports import AuditEntry, Session
from console.accounts.sessions import PLAIN_NAME, digest_of, new_secret
from console.accounts.totp import STEP_S, code_of
from domain.ids import IdSequence
from domain.officers import Officer, OfficerRole
from gateway.bootstrap.console import Console
from gateway.bootstrap.serving import Made, make
from gateway.bootstrap.store import Store
from gateway.configuration import load_settings
from gateway.roles import ROLES, Duties
from tests.whole.gateways import Account, make_gateway

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSWORD = "con trâu đi trước cái cày"
PROVINCE = "H13"
SETTINGS = """
[console]
secure_cookies = false
incident_recipients = ["sms:84912345678", "sms:84987654321"]
"""
COOKIE = PLAIN_NAME
IDS_OF_TESTS = 1_000  # a process number nobody has


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeConsole:
    """All of it. Nothing runs but what a request asks for."""

    made: Made
    hasher: Hasher
    ids: IdSequence = field(default_factory=lambda: IdSequence(IDS_OF_TESTS))

    @property
    def console(self) -> Console:
        assert self.made.console is not None
        return self.made.console

    @property
    def store(self) -> Store:
        return self.made.opened.store

    def new_id(self) -> int:
        return self.ids.next(round(self.made.opened.clock().timestamp() * 1000))

    async def officer(
        self, login: str, *roles: OfficerRole, agency: str = PROVINCE, name: str = "", language: str = "vi"
    ) -> Officer:
        """Set up, as after the first sign-in."""
        now = self.made.opened.clock()
        officer = Officer(
            id=self.new_id(),
            login=login,
            name=name or f"Cán bộ {login}",
            agency=agency,
            roles=frozenset(roles),
            created_at=now,
            language=language,
        )
        account = OfficerAccount(
            officer=officer,
            password_hash=await self.hasher.hash(PASSWORD),
            totp_secret=SECRET,
            totp_step=0,
            created_by="test",
        )
        noted = AuditEntry(id=self.new_id(), at=now, officer_id=None, login="tracuu", agency="", action="officer.added")
        assert await self.store.officers().add(account, noted)
        return officer

    async def signed_in(self, officer: Officer) -> str:
        """The secret of a session of theirs, for the cookie COOKIE."""
        account, secret, now = await self.store.officers().find(officer.id), new_secret(), self.made.opened.clock()
        assert account is not None
        session = Session(
            digest=digest_of(secret), officer_id=officer.id, created_at=now, seen_at=now, address="127.0.0.1", agent=""
        )
        assert await self.store.officers().admit(
            account,
            step=(account.totp_step or 0) + 1,
            password_hash=account.password_hash,
            session=session,
            noted=None,
        )
        return secret


@asynccontextmanager
async def made_console(folder: Path, more: str = "") -> AsyncIterator[MadeConsole]:
    """With an SMSC account that nobody answers; `more` are further tables of its settings."""
    gateway = make_gateway(folder, Account(port=9))
    gateway.config.write_text(gateway.config.read_text() + SETTINGS + more, encoding="utf-8")
    async with AsyncExitStack() as stack:
        hasher = Hasher()
        stack.push_async_callback(hasher.close)
        duties = Duties(roles=frozenset(ROLES), accounts=frozenset({"demo"}))
        yield MadeConsole(made=await make(load_settings(gateway.config), duties, stack), hasher=hasher)


def code() -> str:
    """What the telephone shows now."""
    return code_of(SECRET, int(time.time()) // STEP_S)
