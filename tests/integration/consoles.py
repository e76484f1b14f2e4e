"""The accounts of the console on a real store behind a real listener, and browsers that sign in to it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, CookieJar, web
from aiohttp.test_utils import BaseTestServer, TestClient

from adapters.memory.budgets import MemoryBudgets
from adapters.store.sqlite import SqliteStore
from console import paths
from console.accounts.audit import Audit
from console.accounts.audit_pages import AuditPages
from console.accounts.doors import Doors
from console.accounts.officers import OfficerPages
from console.accounts.own import OwnAccount
from console.accounts.passwords import Hasher
from console.accounts.ports import Account, AuditEntry, AuditSearch
from console.accounts.sessions import Cookies, Limits, Who
from console.accounts.sign_in import SignIn
from console.accounts.totp import STEP_S, code_of
from console.page import Pages
from console.routes import ConsoleRoute
from console.shell import guarded
from domain.agencies import Agencies, Agency, AgencyLevel
from domain.officers import Officer, OfficerRole
from gateway.http import make_app
from tests.contract.stores import RULES, SqliteKit

CONFIG = Path(__file__).parent.parent.parent / "config" / "console"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSWORD = "con trâu đi trước cái cày"
SAME = {"Sec-Fetch-Site": "same-origin"}
LIMITS = Limits(
    idle=timedelta(minutes=30),
    absolute=timedelta(hours=12),
    lock_after=3,
    lock_for=timedelta(minutes=15),
    address_tries=12,
)
LITTLE_KIB = 64  # argon2 for tests
_R = OfficerRole

Browser = TestClient[Any, Any]


def agency(identifier: str, **changes: Any) -> Agency:
    return Agency(identifier=identifier, short_name=f"CQ {identifier}", level=AgencyLevel.PROVINCE, **changes)


AGENCIES = Agencies(
    [
        agency("H13", phone="02993 000000"),
        agency("H13.01", parent="H13"),
        agency("H13.01.02", parent="H13.01"),
        agency("H13.02", parent="H13"),
        agency("H13.03", parent="H13", valid_to=date(2025, 6, 30), successor="H13.01"),
    ],
    default="H13",
)


def texts() -> dict[str, Any]:
    return {
        language: tomllib.loads((CONFIG / f"{language}.toml").read_text(encoding="utf-8")) for language in ("vi", "en")
    }


class CountingHasher(Hasher):
    """Counts what argon2 is asked to verify."""

    __slots__ = ("verified",)

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"memory_kib": LITTLE_KIB, **settings})
        self.verified = 0

    def _verify(self, kept: str, typed: str) -> bool:
        self.verified += 1
        return super()._verify(kept, typed)


@dataclass
class Console:
    """The accounts' pages, served. `clock` of the kit stands still until told to move."""

    kit: SqliteKit
    store: SqliteStore
    hasher: CountingHasher
    secure: bool = False
    limits: Limits = LIMITS

    def routes(self) -> Iterable[ConsoleRoute]:
        clock, store, hasher = self.kit.clock, self.store, self.hasher
        pages, cookies = (
            Pages(texts(), {"bootstrap.css": "/b.css", "console.css": "/c.css"}),
            Cookies(secure=self.secure),
        )
        audit = Audit(store.audit(), ids=self.kit.new_id, clock=clock, address_of=lambda request: str(request.remote))
        sessions, officers = store.sessions(), store.officers()
        budgets = MemoryBudgets(lambda: clock().timestamp())
        doors = Doors(officers, store.audit(), budgets=budgets, hasher=hasher, limits=self.limits, clock=clock)
        slices = (
            SignIn(pages, doors=doors, sessions=sessions, cookies=cookies, audit=audit, clock=clock),
            OwnAccount(
                pages,
                officers=officers,
                sessions=sessions,
                doors=doors,
                hasher=hasher,
                cookies=cookies,
                limits=self.limits,
                audit=audit,
                agencies=AGENCIES,
                clock=clock,
            ),
            OfficerPages(
                pages,
                officers=officers,
                hasher=hasher,
                audit=audit,
                agencies=AGENCIES,
                ids=self.kit.new_id,
                clock=clock,
            ),
            AuditPages(pages, log=store.audit(), audit=audit, agencies=AGENCIES, clock=clock),
        )
        who = Who(sessions, cookies=cookies, limits=self.limits, agencies=AGENCIES, clock=clock)
        return guarded([route for each in slices for route in each.routes()], who, pages.refuse)

    async def browser(self, server: BaseTestServer) -> Browser:
        """Another one, with cookies of its own."""
        client: Browser = TestClient(server, cookie_jar=CookieJar(unsafe=True))
        await client.start_server()
        return client

    def app(self) -> web.Application:
        return make_app(self.routes())

    # ---- officers

    async def officer(self, login: str, *roles: OfficerRole, agency: str = "H13", **changes: Any) -> Account:
        """Set up, as after the first sign-in."""
        officer = Officer(
            id=self.kit.new_id(),
            login=login,
            name=f"Cán bộ {login}",
            agency=agency,
            roles=frozenset(roles or {_R.OPERATOR}),
            created_at=self.kit.clock.now,
        )
        values = {"must_set_password": False, "totp_secret": SECRET, "totp_step": 0, **changes}
        values.setdefault("password_hash", await self.hasher.hash(PASSWORD))
        account = Account(officer=officer, created_by="test", **values)
        noted = AuditEntry(
            id=self.kit.new_id(),
            at=self.kit.clock.now,
            officer_id=None,
            login="tracuu",
            agency="",
            action="officer.added",
            about=f"officer:{officer.id}",
        )
        assert await self.store.officers().add(account, noted)
        return account

    async def account(self, account: Account) -> Account:
        """As it is kept now."""
        found = await self.store.officers().find(account.officer.id)
        assert found is not None
        return found

    def code(self) -> str:
        """What the telephone shows; a new one each time, since the clock goes on by a step."""
        self.kit.clock.advance(STEP_S)
        return self.present_code()

    def present_code(self, secret: str = SECRET) -> str:
        return code_of(secret, int(self.kit.clock.now.timestamp()) // STEP_S)

    async def sign_in(self, browser: Browser, login: str, **changes: str) -> ClientResponse:
        """What the form sends; by default the right things."""
        fields = {"login": login, "password": PASSWORD, "code": changes.pop("code", None) or self.code(), **changes}
        return await post(browser, paths.SIGN_IN, fields)

    async def did(self, **search: Any) -> Sequence[AuditEntry]:
        return await self.store.audit().find(replace(AuditSearch(agencies=None), **search), limit=100)


def patient_store(kit: SqliteKit) -> SqliteStore:
    """Of the kit's file and clock, not open yet; it waits as long as it does in earnest."""
    return SqliteStore(kit.path, owner=1, clock=kit.clock, rules=RULES)


async def post(browser: Browser, path: str, fields: Any = None, **headers: str) -> ClientResponse:
    """As a page of ours sends a form."""
    return await browser.post(path, data=fields or {}, headers={**SAME, **headers}, allow_redirects=False)


async def get(browser: Browser, path: str) -> ClientResponse:
    return await browser.get(path, allow_redirects=False)


def one(pattern: str, page: str) -> str:
    """What a page shows there, once."""
    (found,) = re.findall(pattern, page)
    return str(found)
