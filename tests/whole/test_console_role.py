"""`tracuu serve --roles console` alone on PostgreSQL: an officer signs in, writes a broadcast and has it approved, with no
other process about; nothing else is served there.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from console import paths
from console.accounts.totp import STEP_S, code_of
from demo.process import GatewayProcess, free_port
from domain.officers import OfficerRole
from gateway.bootstrap import ReadyOfficer, add_ready_officers
from gateway.configuration import load_settings
from tests.integration.consoles import one
from tests.servers.postgres import Database, Postgres, migrated
from tests.servers.redis import running_redis
from tests.whole.gateways import Account
from tests.whole.many import running_all, shared_gateway

PASSWORD = "con trâu đi trước cái cày"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
SAME = {"Sec-Fetch-Site": "same-origin"}
AGENCY = "H13"
CONSOLE_ALONE = ("--roles", "console")


def officer(login: str, role: OfficerRole) -> ReadyOfficer:
    return ReadyOfficer(
        login=login, name=login, agency=AGENCY, roles=frozenset({role}), password=PASSWORD, secret=SECRET
    )


@asynccontextmanager
async def console_alone(
    directory: Path, database: Database, redis: str, environment: pytest.MonkeyPatch
) -> AsyncIterator[GatewayProcess]:
    gateway = shared_gateway(
        directory,
        Account(port=9),  # of another process, and away
        database=database.url,
        redis=redis,
        settings={"TRACUU_CONSOLE__SECURE_COOKIES": "false"},
    )
    gateway.arguments, gateway.staff_port = CONSOLE_ALONE, free_port()
    for name, value in gateway.settings.items():
        environment.setenv(name, value)
    people = [officer("lan.soan", OfficerRole.AUTHOR), officer("binh.duyet", OfficerRole.APPROVER)]
    await add_ready_officers(load_settings(gateway.config), people, by="test")
    async with running_all(gateway):
        yield gateway


async def sign_in(http: aiohttp.ClientSession, staff: str, login: str) -> int:
    """The step of the code that was used: the same does not open twice."""
    step = int(time.time()) // STEP_S
    fields = {"login": login, "password": PASSWORD, "code": code_of(SECRET, step)}
    async with http.post(staff + paths.SIGN_IN, data=fields, headers=SAME, allow_redirects=False) as answer:
        assert answer.status == 303, await answer.text()
    return step


async def posted(http: aiohttp.ClientSession, address: str, fields: dict[str, str]) -> str:
    """Where it leads."""
    async with http.post(address, data=fields, headers=SAME, allow_redirects=False) as answer:
        assert answer.status == 303, await answer.text()
        return str(answer.headers["Location"])


async def page(http: aiohttp.ClientSession, address: str) -> str:
    async with http.get(address) as answer:
        assert answer.status == 200, address
        return await answer.text()


async def test_the_console_alone_signs_officers_in_and_serves_nothing_else(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_redis(tmp_path) as redis, migrated(postgres, "console_role") as database:
        database.hand.execute(
            """INSERT INTO dossier_seen (source, dossier_code, version, known, status, due_on, agency, unit, procedure,
            received_at, first_seen_at, seen_at, apologised, gone)
            VALUES ('hoso', 'H13.18-250701-0001', 1, '4||', 4, NULL, 'H13', '', '', 0, 0, 0, false, false)"""
        )
        database.hand.execute(
            """INSERT INTO subscription (recipient, dossier_code, source, channel, account, sender, origin, proved,
            followed_at) VALUES ('sms:84912345678', 'H13.18-250701-0001', 'hoso', 'sms', 'demo', 'sms:8100', 'text',
            false, 0)"""
        )
        async with (
            console_alone(tmp_path, database, redis.url, monkeypatch) as gateway,
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as author,
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as approver,
        ):
            staff = gateway.staff
            await sign_in(author, staff, "lan.soan")
            form = await page(author, staff + paths.BROADCAST_NEW)
            fields = {
                "id": one(r'name="id" value="(\d+)"', form),
                "title": "Nghỉ lễ",
                "text_vi": "Cơ quan nghỉ ngày 30/4.",
                "kind": "followers",
                "agency": AGENCY,
                "canary": "100",
            }
            there = staff + (await posted(author, staff + paths.BROADCAST_NEW, fields)).partition("?")[0]
            await posted(author, f"{there}/submit", {"version": "1"})
            step = await sign_in(approver, staff, "binh.duyet")
            assert "Cơ quan nghỉ ngày 30/4." in await page(approver, there)
            # The next step of the code is accepted already, and the one before was used to sign in.
            code = code_of(SECRET, max(step + 1, int(time.time()) // STEP_S))
            assert "approved" in await posted(approver, f"{there}/approve", {"version": "2", "code": code})
            async with author.get(gateway.operations + "/metrics") as answer:
                assert b"tracuu_broadcasts{" not in await answer.read(), "another process writes them"
            with pytest.raises(aiohttp.ClientConnectionError):
                await author.get(gateway.public)
