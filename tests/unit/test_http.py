"""The HTTP shell: headers and limits on every answer, readiness by dependency, a port that is taken."""

from __future__ import annotations

import asyncio
import re
import socket
from unittest.mock import AsyncMock

import pytest
from aiohttp import ClientSession, web
from pytest_aiohttp.plugin import AiohttpClient
from structlog.testing import capture_logs

from channels.base import Health, RouteDef
from demo.process import free_port
from domain.errors import StoreUnavailable
from gateway.exit_codes import PortTaken
from gateway.http import SECURITY_HEADERS, BodyLines, HttpListener, ask, make_app, operations_routes, public_routes
from gateway.metrics import Metrics


async def fine() -> Health:
    return Health(ok=True, detail="bound")


async def away() -> Health:
    raise StoreUnavailable("the file is locked")


async def buggy() -> Health:
    raise ValueError("84912345678")


async def silent() -> Health:
    await asyncio.Event().wait()
    raise AssertionError


def route(path: str, handler: object, method: str = "GET") -> RouteDef:
    return RouteDef(method=method, path=path, handler=handler, summary="")  # type: ignore[arg-type]


async def test_the_process_says_that_it_lives(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(make_app(public_routes([])))
    response = await client.get("/healthz")
    assert (response.status, await response.text()) == (200, "ok\n")


async def test_an_address_there_is_not_is_a_problem_and_a_page_for_a_browser(aiohttp_client: AiohttpClient) -> None:
    async def lost(_: web.Request) -> web.Response:
        return web.Response(status=404, text="<h1>…</h1>", content_type="text/html")

    client = await aiohttp_client(make_app(public_routes([]), lost=lost))
    plain = await client.get("/no")
    assert (plain.status, plain.content_type) == (404, "application/problem+json")
    assert await plain.json() == {"type": "about:blank", "title": "Not Found", "status": 404}
    page = await client.get("/no", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status, page.content_type) == (404, "text/html")
    refused = await client.post("/healthz", headers={"Accept": "text/html"})
    assert (refused.status, refused.headers["Allow"]) == (405, "GET,HEAD")
    assert (await refused.json())["title"] == "Method Not Allowed"


async def test_browsers_are_kept_to_https_where_the_settings_say_so(aiohttp_client: AiohttpClient) -> None:
    plain = await aiohttp_client(make_app(public_routes([])))
    assert "Strict-Transport-Security" not in (await plain.get("/healthz")).headers
    assert "Cross-Origin-Opener-Policy" not in (await plain.get("/healthz")).headers  # browsers would complain
    kept = await aiohttp_client(make_app(public_routes([]), https=True, hsts_s=600))
    headers = (await kept.get("/no")).headers
    assert headers["Strict-Transport-Security"] == "max-age=600"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


async def test_ready_when_every_dependency_answers(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(make_app(operations_routes({"store": fine}, Metrics())))
    response = await client.get("/readyz")
    assert response.status == 200
    assert await response.json() == {"ready": True, "checks": {"store": {"ok": True, "detail": "bound"}}}


async def test_not_ready_says_which_dependency_and_why(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(make_app(operations_routes({"a": fine, "store": away, "bug": buggy}, Metrics())))
    response = await client.get("/readyz")
    assert response.status == 503
    checks = (await response.json())["checks"]
    assert checks["a"]["ok"]
    assert checks["store"] == {"ok": False, "detail": "the file is locked"}
    assert checks["bug"] == {"ok": False, "detail": "ValueError"}


async def test_a_silent_dependency_does_not_hold_the_answer_up() -> None:
    health = await ask("source", silent, 0.01)
    assert health == Health(ok=False, detail="no answer within 0.01 s")


async def test_figures_are_shown_to_operations(aiohttp_client: AiohttpClient) -> None:
    metrics = Metrics()
    metrics.inbound("sms", "viettel", 3)
    client = await aiohttp_client(make_app(operations_routes({}, metrics)))
    response = await client.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    assert 'tracuu_inbound_total{account="viettel",channel="sms"} 3.0' in await response.text()


@pytest.mark.parametrize("path", ["/healthz", "/missing", "/bug"])
async def test_every_answer_has_our_headers_and_hides_what_we_run_on(aiohttp_client: AiohttpClient, path: str) -> None:
    async def bug(_: web.Request) -> web.Response:
        raise ValueError

    client = await aiohttp_client(make_app(public_routes([route("/bug", bug)])))
    response = await client.get(path)
    assert SECURITY_HEADERS.items() <= dict(response.headers).items()
    assert "Server" not in response.headers


async def test_a_handler_may_set_its_own_policy(aiohttp_client: AiohttpClient) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(headers={"Content-Security-Policy": "default-src 'self'"})

    client = await aiohttp_client(make_app([route("/page", page)]))
    assert (await client.get("/page")).headers["Content-Security-Policy"] == "default-src 'self'"


async def test_a_bug_is_a_500_that_tells_nothing(aiohttp_client: AiohttpClient) -> None:
    async def bug(_: web.Request) -> web.Response:
        raise ValueError("secret")

    client = await aiohttp_client(make_app([route("/bug", bug)]))
    response = await client.get("/bug")
    assert response.status == 500
    assert "secret" not in await response.text()
    assert response.content_type == "application/problem+json"


async def test_a_body_beyond_the_limit_is_refused(aiohttp_client: AiohttpClient) -> None:
    async def take(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    client = await aiohttp_client(make_app([route("/take", take, "POST")], max_body_bytes=100))
    assert (await client.post("/take", data=b"x" * 100)).status == 200
    assert (await client.post("/take", data=b"x" * 101)).status == 413


async def test_a_taken_port_is_told_with_its_setting() -> None:
    first = HttpListener("public", make_app([]), "127.0.0.1", 0)
    await first.start()
    second = HttpListener("operations", make_app([]), "127.0.0.1", first.bound_port)
    try:
        with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{first.bound_port} \(listen\.operations\)"):
            await second.start()
    finally:
        await second.close()
        await first.close()


async def test_an_address_that_is_taken_is_nobody_elses_and_is_answered_once_it_starts() -> None:
    listener = HttpListener("operations", make_app(public_routes([])), "127.0.0.1", 0)
    await listener.take()
    other = HttpListener("public", make_app([]), "127.0.0.1", listener.bound_port)
    with pytest.raises(PortTaken):
        await other.take()
    await other.close()
    async with ClientSession() as session:
        early = asyncio.create_task(session.get(f"http://127.0.0.1:{listener.bound_port}/healthz"))
        _, writer = await asyncio.open_connection("127.0.0.1", listener.bound_port)  # it waits in the queue
        writer.close()
        assert not early.done()
        await listener.start()
        async with asyncio.timeout(60), await early as response:
            assert response.status == 200
    await listener.close()


async def test_an_address_that_was_taken_and_never_started_is_given_back() -> None:
    first = HttpListener("public", make_app([]), "127.0.0.1", 0)
    await first.take()
    port = first.bound_port
    await first.close()
    second = HttpListener("public", make_app([]), "127.0.0.1", port)
    await second.take()
    await second.close()


@pytest.mark.parametrize("host", ["nowhere.invalid", "two..dots", "x" * 64])
async def test_a_host_that_cannot_be_resolved_is_told_with_its_setting(host: str) -> None:
    listener = HttpListener("staff", make_app([]), host, 8081)
    with pytest.raises(PortTaken, match=rf"{re.escape(host)}:8081 \(listen\.staff\.host\): \S+") as caught:
        await listener.take()
    assert "\n" not in str(caught.value)
    await listener.close()


async def test_an_address_of_another_machine_is_told_with_its_setting() -> None:
    listener = HttpListener("public", make_app([]), "192.0.2.1", 0)
    with pytest.raises(PortTaken, match=r"192\.0\.2\.1:0 \(listen\.public\): cannot assign requested address"):
        await listener.take()
    await listener.close()


async def test_a_name_with_several_addresses_is_listened_to_at_each_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    found = [
        (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))
        for family, host in [
            (socket.AF_APPLETALK, "?"),  # as IPv6 on a machine without
            (socket.AF_INET, "127.0.0.1"),
            (socket.AF_INET, "127.0.0.2"),
            (socket.AF_INET, "127.0.0.1"),  # /etc/hosts may name it twice
        ]
    ]
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", AsyncMock(return_value=found))
    listener = HttpListener("public", make_app(public_routes([])), "several", port)
    await listener.start()
    monkeypatch.undo()
    async with ClientSession() as session:
        for host in ("127.0.0.1", "127.0.0.2"):
            async with session.get(f"http://{host}:{port}/healthz") as response:
                assert response.status == 200
    await listener.close()


async def test_a_listener_answers_until_it_is_closed() -> None:
    listener = HttpListener("public", make_app(public_routes([])), "127.0.0.1", 0)
    await listener.start()
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{listener.bound_port}/healthz") as response:
        assert response.status == 200
    await listener.close()
    with pytest.raises(RuntimeError, match="has not started"):
        _ = listener.bound_port


async def read_it(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def test_a_body_that_is_not_what_its_header_says_is_the_callers_fault(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(make_app(public_routes([route("/read", read_it, "POST")])))
    headers = {"Content-Encoding": "gzip"}
    with capture_logs() as lines:
        for _ in range(20):
            response = await client.post("/read", data=b"this is no gzip", headers=headers)
            assert response.status == 400
            assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert [(line["event"], line["log_level"], line["route"]) for line in lines] == [
        ("http.body_unreadable", "warning", "/read")
    ], "a stranger fills no log"
    assert "exc_info" not in lines[0]


async def test_a_caller_who_leaves_before_the_end_of_a_body_is_no_bug_of_ours(aiohttp_client: AiohttpClient) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def read_all(request: web.Request) -> web.Response:
        begun.set()
        try:
            return await read_it(request)
        finally:
            ended.set()

    client = await aiohttp_client(make_app(public_routes([route("/read", read_all, "POST")])))
    with capture_logs() as lines:
        _, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        await begun.wait()
        writer.transport.abort()
        await ended.wait()
        await client.get("/healthz")
    assert not [line for line in lines if line["log_level"] == "error"]


def test_what_was_left_out_is_told_a_minute_later() -> None:
    now = 0.0
    lines = BodyLines(clock=lambda: now)
    with capture_logs() as written:
        for _ in range(5):
            lines.unreadable("/read", ValueError())
        now = 60.0
        lines.unreadable("/read", ValueError())
    assert [line["left_out"] for line in written] == [0, 4]
