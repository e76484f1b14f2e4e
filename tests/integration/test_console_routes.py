"""Every route of the console for every role, by the table that the docs print; and what the whole console does besides."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from console import paths
from console.routes import Access, ConsoleRoute
from domain.errors import StoreUnavailable
from domain.officers import RIGHTS, OfficerRole, Right
from domain.text import unaccent
from tests.console_made import COOKIE, MadeConsole, made_console

SAME = {"Sec-Fetch-Site": "same-origin"}
# A value for each part of an address that differs; of a digest, so that it is one.
PARTS = {"session": "0" * 64, "file": "none.css", "key": "ts_aaaaaaaaaaaaaaaa", "page": "health", "action": "pause"}

Browser = TestClient[Any, Any]


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[MadeConsole]:
    async with made_console(tmp_path) as console:
        yield console


@pytest.fixture
async def server(console: MadeConsole) -> AsyncIterator[TestServer]:
    server = TestServer(console.console.app)
    await server.start_server()
    yield server
    await server.close()


async def browser(server: TestServer, secret: str = "") -> Browser:
    client: Browser = TestClient(server, cookie_jar=CookieJar(unsafe=True))
    await client.start_server()
    if secret:
        client.session.cookie_jar.update_cookies(SimpleCookie(f"{COOKIE}={secret}"), client.make_url("/"))
    return client


def address(route: ConsoleRoute) -> str:
    """One that the route answers: of things there are not."""

    def part(match: re.Match[str]) -> str:
        return PARTS.get(match[1], "1")

    return re.sub(r"\{(\w+)(?::[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}", part, route.path)


def allowed(route: ConsoleRoute, role: OfficerRole) -> bool:
    return not isinstance(route.needs, Right) or role in RIGHTS[route.needs]


async def answered(client: Browser, route: ConsoleRoute) -> int:
    """The status; a stream is left as soon as it begins."""
    async with client.request(route.method, address(route), headers=SAME, allow_redirects=False) as response:
        return response.status


async def test_every_route_for_every_role(console: MadeConsole, server: TestServer) -> None:
    """403 where the role has not the right, whatever the object; anything else where it has."""
    wrong: list[str] = []
    for role in OfficerRole:
        officer = await console.officer(f"{role}.moi", role)
        client = await browser(server, await console.signed_in(officer))
        for route in console.console.routes:
            if route.path == paths.SIGN_OUT:
                continue
            status = await answered(client, route)
            if (status == 403) is allowed(route, role) or status >= 500:
                wrong.append(f"{route.method} {route.path} as {role}: {status}")
        await client.session.close()
    assert wrong == []


async def test_nobody_who_is_not_signed_in_gets_further_than_the_sign_in(
    console: MadeConsole, server: TestServer
) -> None:
    client = await browser(server)
    for route in console.console.routes:
        if route.needs is Access.PUBLIC:
            continue
        status = await answered(client, route)
        assert status == (303 if route.method == "GET" else 401), (route.method, route.path)
    await client.session.close()


async def test_a_form_of_another_site_is_refused_on_every_route(console: MadeConsole, server: TestServer) -> None:
    officer = await console.officer("van.hanh", *OfficerRole)
    client = await browser(server, await console.signed_in(officer))
    forms = [route for route in console.console.routes if route.method not in ("GET", "HEAD")]
    for route in forms:
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}):
            response = await client.request(route.method, address(route), headers=headers, allow_redirects=False)
            assert response.status == 403, (route.path, headers)
    await client.session.close()


async def test_every_page_keeps_its_policy_and_is_kept_by_nobody(console: MadeConsole, server: TestServer) -> None:
    officer = await console.officer("van.hanh", *OfficerRole)
    client = await browser(server, await console.signed_in(officer))
    for path in (paths.HEALTH, paths.HELP, paths.SITES, "/khong-co"):
        response = await client.get(path, headers={"Accept": "text/html"})
        assert "script-src 'self'" in response.headers["Content-Security-Policy"], path
        assert response.headers["Cache-Control"] == "no-store", path
    await client.session.close()


# ---- the start page, files, a store that is away


FIRST: Mapping[OfficerRole, str] = {
    OfficerRole.INTAKE: paths.HELP,
    OfficerRole.AUTHOR: paths.BROADCASTS,
    OfficerRole.APPROVER: paths.BROADCASTS,
    OfficerRole.AGENCY_ADMIN: paths.HEALTH,
    OfficerRole.OPERATOR: paths.HEALTH,
    OfficerRole.INSPECTOR: paths.HEALTH,
}


async def test_the_start_page_is_the_first_one_may_open(console: MadeConsole, server: TestServer) -> None:
    for role, path in FIRST.items():
        client = await browser(server, await console.signed_in(await console.officer(f"{role}.dau", role)))
        response = await client.get(paths.HOME, allow_redirects=False)
        assert (response.status, response.headers["Location"]) == (303, path)
        await client.session.close()


async def test_files_are_served_under_the_name_of_their_contents(server: TestServer) -> None:
    client = await browser(server)
    page = await (await client.get(paths.SIGN_IN)).text()
    links = re.findall(r'href="(/static/[^"]+)"', page)
    assert len(links) == 3
    for link in links:
        response = await client.get(link)
        assert (response.status, "immutable" in response.headers["Cache-Control"]) == (200, True)
    assert (await client.get("/static/console.css")).status == 404
    await client.session.close()


async def test_a_store_that_is_away_is_told_as_a_page(
    console: MadeConsole, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer = await console.officer("van.hanh", OfficerRole.OPERATOR)
    client = await browser(server, await console.signed_in(officer))

    async def away(*_: object) -> None:
        raise StoreUnavailable("the store is away")

    monkeypatch.setattr("adapters.store.sessions.StoreSessions.find", away)
    for path in (paths.HEALTH, paths.ACCOUNT):
        response = await client.get(path)
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert "Cơ sở dữ liệu chưa trả lời" in await response.text()
    await client.session.close()


# ---- sites


async def test_a_site_is_added_shown_once_and_taken_back_within_the_own_agencies(
    console: MadeConsole, server: TestServer
) -> None:
    operator = await browser(server, await console.signed_in(await console.officer("van.hanh", OfficerRole.OPERATOR)))
    admin = await browser(
        server, await console.signed_in(await console.officer("quan.tri", OfficerRole.AGENCY_ADMIN, agency="H13.02"))
    )
    form = {"name": "Trang của Sở", "agency": "H13.01", "origins": "https://a.example.gov.vn\nhttps://b.example.gov.vn"}
    refused = await admin.post(paths.SITES, data=form, headers=SAME)
    assert refused.status == 404  # an agency of others
    assert (await admin.post(paths.SITES, data={**form, "agency": ""}, headers=SAME)).status == 404  # the province
    given = await (await operator.post(paths.SITES, data=form, headers=SAME)).text()
    (site,) = await console.store.sites().sites()
    assert site.key in given
    assert site.origins == ("https://a.example.gov.vn", "https://b.example.gov.vn")
    assert site.secret_digest not in given
    assert site.key not in await (await admin.get(paths.SITES)).text()
    revoke = paths.SITE_REVOKE.replace("{key}", site.key)
    assert (await admin.post(revoke, headers=SAME)).status == 404
    assert (await operator.post(revoke, headers=SAME, allow_redirects=False)).status == 303
    (site,) = await console.store.sites().sites()
    assert site.revoked_at is not None
    bad = await operator.post(paths.SITES, data={"name": "", "origins": "a.example/x"}, headers=SAME)
    assert bad.status == 422
    for each in (operator, admin):
        await each.session.close()


# ---- incidents


async def test_an_incident_leaves_at_once_at_most_five_times_an_hour_and_once_for_a_double_click(
    console: MadeConsole, server: TestServer
) -> None:
    client = await browser(server, await console.signed_in(await console.officer("van.hanh", OfficerRole.OPERATOR)))
    looked = await client.post(paths.INCIDENT, data={"words": "SMS mất kết nối"}, headers=SAME)
    assert "SMS mat ket noi" in await looked.text()
    assert dict(await console.store.depth()) == {}
    for _ in range(2):  # a double click
        sent = await client.post(
            paths.INCIDENT, data={"words": "SMS mất kết nối", "step": "send"}, headers=SAME, allow_redirects=False
        )
        assert sent.status == 303
    assert dict(await console.store.depth()) == {"demo": 2}
    urgent = await console.store.claim("demo", 10, replies_only=True)
    assert [message.recipient.value for message in urgent] == ["84912345678", "84987654321"]
    statuses = [
        (
            await client.post(
                paths.INCIDENT, data={"words": f"lần {number}", "step": "send"}, headers=SAME, allow_redirects=False
            )
        ).status
        for number in range(5)
    ]
    assert statuses == [303, 303, 303, 303, 429]
    await client.session.close()


async def test_what_the_screen_of_health_says_is_wrong_is_reported_in_one_click(
    console: MadeConsole, server: TestServer
) -> None:
    client = await browser(server, await console.signed_in(await console.officer("van.hanh", OfficerRole.OPERATOR)))
    page = await (await client.get(paths.HEALTH)).text()
    assert 'name="step" value="now"' in page
    sent = await client.post(paths.INCIDENT, data={"step": "now"}, headers=SAME, allow_redirects=False)
    assert sent.status == 303
    (message, _) = await console.store.claim("demo", 10, replies_only=True)
    (wrong,) = re.findall(r'id="wrong".*?</ul>', page, re.DOTALL)
    for each in re.findall(r"<li[^>]*>(.*?)</li>", wrong):
        assert unaccent(html.unescape(each)) in message.text
    await client.session.close()


async def test_an_incident_that_is_too_long_is_not_sent(console: MadeConsole, server: TestServer) -> None:
    client = await browser(server, await console.signed_in(await console.officer("van.hanh", OfficerRole.OPERATOR)))
    for words in ("", "[" * 240):
        response = await client.post(paths.INCIDENT, data={"words": words, "step": "send"}, headers=SAME)
        assert response.status == 422
    assert dict(await console.store.depth()) == {}
    await client.session.close()


# ---- the stream of health


async def test_the_stream_tells_what_changed_and_ends_with_the_session(
    console: MadeConsole, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.health.pages.LOOKS_BEFORE_ASKING", 2)
    monkeypatch.setattr("console.health.pages.REFRESH_EVERY", 0.05)
    officer = await console.officer("van.hanh", OfficerRole.OPERATOR)
    client = await browser(server, await console.signed_in(officer))
    async with client.get(paths.HEALTH_EVENTS) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.headers["X-Accel-Buffering"] == "no"
        async for line in stream.content:
            if line.startswith(b"event: figures"):
                (session,) = await console.store.sessions().of(officer.id)
                assert (await client.post(paths.SIGN_OUT, headers=SAME, allow_redirects=False)).status == 303
            if line.startswith(b"event: over"):
                break
        else:
            pytest.fail("the stream ended without a word")
    assert session.officer_id == officer.id
    await client.session.close()
