"""The HTTP shell: headers and limits on every answer, readiness by dependency, a port that is taken."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession, web
from pytest_aiohttp.plugin import AiohttpClient

from channels.base import Health, RouteDef
from domain.errors import StoreUnavailable
from gateway.exit_codes import PortTaken
from gateway.http import SECURITY_HEADERS, HttpListener, ask, make_app, operations_routes, public_routes
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


async def test_a_listener_answers_until_it_is_closed() -> None:
    listener = HttpListener("public", make_app(public_routes([])), "127.0.0.1", 0)
    await listener.start()
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{listener.bound_port}/healthz") as response:
        assert response.status == 200
    await listener.close()
    with pytest.raises(RuntimeError, match="has not started"):
        _ = listener.bound_port
