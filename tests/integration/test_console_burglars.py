"""Burglars in the console of this process: what is done in the same work, at once, or for as long as a page is open."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer, make_mocked_request

from console import paths
from console.accounts.sessions import digest_of
from console.health import pages as health_pages
from console.shell import from_our_page, own_address
from domain.officers import OfficerRole as Role
from tests.console_made import made_console
from tests.contract.stores import SqliteKit
from tests.integration.consoles import (
    LIMITS,
    PASSWORD,
    SAME,
    SECRET,
    Browser,
    Console,
    CountingHasher,
    get,
    patient_store,
    post,
)
from tests.integration.test_console_messages import MessagesConsole
from tests.integration.test_console_routes import browser as browser_with
from tests.whole.gateways import STORE

AT_ONCE = 20
NEW = "ăn quả nhớ kẻ trồng cây xưa"


class Watched:
    """Counts what is asked of a port."""

    def __init__(self, port: Any, calls: Counter[str]) -> None:
        self._port = port
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        self._calls[name] += 1
        return getattr(self._port, name)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[MessagesConsole, TestServer]]:
    kit, hasher = SqliteKit(tmp_path), CountingHasher()
    store = patient_store(kit)
    await store.open()
    console = MessagesConsole(kit=kit, store=store, hasher=hasher)
    server = TestServer(console.app())
    await server.start_server()
    yield console, server
    await server.close()
    await hasher.close()
    await store.close()


@pytest.fixture
async def signed(served: tuple[MessagesConsole, TestServer]) -> AsyncIterator[Callable[..., Awaitable[Browser]]]:
    console, server = served
    browsers: list[Browser] = []

    async def open_one(login: str) -> Browser:
        browsers.append(await console.browser(server))
        assert (await console.sign_in(browsers[-1], login)).status == 303
        return browsers[-1]

    yield open_one
    for each in browsers:
        await each.session.close()


# ---- the same work


async def test_whatever_is_wrong_costs_the_same_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One verification and the same questions to the store, whether there is such an officer or not: what differs is that
    a try of somebody who is there is noted.
    """
    kit, hasher, calls = SqliteKit(tmp_path), CountingHasher(), Counter[str]()
    store = patient_store(kit)
    await store.open()
    ports = store.officers(), store.sessions()
    monkeypatch.setattr(type(store), "officers", lambda _: Watched(ports[0], calls))
    monkeypatch.setattr(type(store), "sessions", lambda _: Watched(ports[1], calls))
    console = Console(kit=kit, store=store, hasher=hasher)
    await console.officer("lan")
    await console.officer("binh")
    server = TestServer(console.app())
    await server.start_server()
    browser = await console.browser(server)
    for _ in range(LIMITS.lock_after):
        await console.sign_in(browser, "binh", password="wrong")
    spent = []
    for name, fields in (
        ("nobody", {}),
        ("lan", {"password": "wrong"}),
        ("lan", {"code": "000000"}),
        ("binh", {}),
    ):
        calls.clear()
        verified = hasher.verified
        assert (await console.sign_in(browser, name, **fields)).status == 422
        spent.append((hasher.verified - verified, dict(calls)))
    await browser.session.close()
    await server.close()
    await hasher.close()
    await store.close()
    assert spent == [(1, {"attempt": 1})] * len(spent)


# ---- at once


async def test_an_opinion_answered_twenty_times_is_answered_once(
    served: tuple[MessagesConsole, TestServer], signed: Callable[..., Awaitable[Browser]]
) -> None:
    console, _ = served
    number = await console.opinion()
    officers = [await console.officer(login, Role.AGENCY_ADMIN, agency="H13.01") for login in ("lan", "hoa")]
    browsers = [await signed(each.officer.login) for each in officers]
    await get(browsers[0], paths.FEEDBACK)
    address = f"{paths.FEEDBACK}/{number}/tra-loi"
    sent = (post(browsers[each % 2], address, {"answer": f"Cảm ơn {each}"}) for each in range(AT_ONCE))
    statuses = Counter(each.status for each in await asyncio.gather(*sent))
    assert statuses == {303: 1, 422: AT_ONCE - 1}
    assert len([row for row in await console.kit.rows("outbox") if row["category"] == "notice"]) == 1
    assert len(await console.did(action="feedback.answered")) == 1


async def test_the_secret_of_a_session_is_another_after_each_proof(
    served: tuple[MessagesConsole, TestServer], signed: Callable[..., Awaitable[Browser]]
) -> None:
    console, _ = served
    account = await console.officer("lan")
    browser, other = await signed("lan"), await signed("lan")

    def secret() -> str:
        cookies: Iterable[Any] = browser.session.cookie_jar
        return next(str(each.value) for each in cookies)

    seen = [secret()]
    fields = {"present": PASSWORD, "wanted": NEW, "again": NEW, "code": console.code()}
    assert (await post(browser, paths.ACCOUNT_PASSWORD, fields)).status == 303
    seen.append(secret())
    fields = {"step": "begin", "present": NEW, "code": console.code()}
    assert (await post(browser, paths.ACCOUNT_TOTP, fields)).status == 303
    assert (await console.account(account)).totp_secret == SECRET
    pending = (await console.account(account)).totp_pending
    fields = {"step": "confirm", "new_code": console.present_code(pending)}
    assert (await post(browser, paths.ACCOUNT_TOTP, fields)).status == 303
    seen.append(secret())
    assert len(set(seen)) == 3
    assert (await get(browser, paths.ACCOUNT)).status == 200
    assert (await get(other, paths.ACCOUNT)).status == 303
    open_now = await console.store.sessions().of(account.officer.id)
    assert [each.digest for each in open_now] == [digest_of(seen[-1])]
    assert len({each["created_at"] for each in await console.kit.rows("officer_session")}) >= 2


# ---- as long as a page is open


@pytest.mark.parametrize("way", ["signs out", "loses the role", "is closed"])
async def test_the_stream_of_figures_ends_with_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(health_pages, "REFRESH_EVERY", 0.01)
    async with made_console(tmp_path) as made:
        server = TestServer(made.console.app)
        await server.start_server()
        officer = await made.officer("lan.burgled", Role.OPERATOR)
        await made.officer("binh.burgled", Role.OPERATOR)
        browser = await browser_with(server, await made.signed_in(officer))
        stream = await browser.get(paths.HEALTH_EVENTS)
        assert stream.status == 200
        account = await made.store.officers().find(officer.id)
        assert account is not None
        if way == "signs out":
            assert (await browser.post(paths.SIGN_OUT, headers=SAME, allow_redirects=False)).status == 303
        else:
            column = "roles = 'intake'" if way == "loses the role" else "disabled_at = 1"
            with closing(sqlite3.connect(tmp_path / STORE, timeout=60)) as outside, outside:
                outside.execute(f"UPDATE officer SET {column} WHERE id = ?", (officer.id,))
        async with asyncio.timeout(60):
            assert b"event: over" in await stream.read()
        await browser.session.close()
        await server.close()


# ---- what no browser writes


@pytest.mark.parametrize(
    "typed", ["//[", "/[", "http://[::1", "/\\evil", "//evil", "/\tx", "x", "", "/ok\r\nX: 1", "/ok?x=//evil"]
)
def test_an_address_that_is_typed_leads_nowhere_else_and_breaks_nothing(typed: str) -> None:
    assert own_address(typed) in ("/", "/[", "/ok?x=//evil")


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//[", "null", "\x00", "http://", "https://a]b"])
def test_an_origin_that_is_none_is_not_ours(origin: str) -> None:
    request = make_mocked_request("POST", "/", headers={"Host": "console.test", "Origin": origin})
    assert not from_our_page(request)
