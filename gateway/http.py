"""The HTTP shell: listeners with our headers and limits, /healthz for the public, /readyz and /metrics for operations."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CONTENT_TYPE_LATEST

from channels.base import Health, RouteDef
from domain.errors import GatewayError
from gateway.exit_codes import PortTaken
from gateway.metrics import Metrics

log = structlog.get_logger()

CHECK_TIMEOUT_S = 2.0
LARGEST_BODY = 65_536
SHUTDOWN_TIMEOUT_S = 5.0
NOT_OURS = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES})

# Set where a handler has set nothing: an answer of ours loads nothing, is framed by nobody and kept by nobody.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Check = Callable[[], Awaitable[Health]]


# ---- applications


def make_app(routes: Iterable[RouteDef], *, max_body_bytes: int = LARGEST_BODY) -> web.Application:
    """An application with these routes, our headers on every answer and a limit on every body (413 beyond)."""
    app = web.Application(client_max_size=max_body_bytes, middlewares=[_answer_failures])
    app.on_response_prepare.append(_add_headers)
    for route in routes:
        if route.method == "GET":
            app.router.add_get(route.path, route.handler)  # and HEAD, which asks for the headers of the same
        else:
            app.router.add_route(route.method, route.path, route.handler)
    return app


@web.middleware
async def _answer_failures(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A bug of ours is a 500 that tells nothing, and a line for the operator that names the route, not what was asked."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:
        resource = request.match_info.route.resource
        log.exception("http.failed", method=request.method, route=resource.canonical if resource else "")
        problem = {"type": "about:blank", "title": "Internal Server Error", "status": 500}
        return web.json_response(problem, status=500, content_type="application/problem+json")


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    headers = response.headers
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    headers.popall("Server", None)  # what we run on is nobody's business


def public_routes(routes: Iterable[RouteDef]) -> list[RouteDef]:
    """What the public listener serves: the channels' routes and the sign of life."""
    alive = RouteDef(method="GET", path="/healthz", handler=_healthz, summary="The process lives; it asks nobody else.")
    return [*routes, alive]


def operations_routes(checks: Mapping[str, Check], metrics: Metrics) -> list[RouteDef]:
    """What the operations listener serves. Each check of /readyz answers for one dependency, by name."""

    async def readyz(_: web.Request) -> web.Response:
        healths = await asyncio.gather(*(ask(name, check) for name, check in checks.items()))
        ready = all(health.ok for health in healths)
        told = {name: {"ok": health.ok, "detail": health.detail} for name, health in zip(checks, healths, strict=True)}
        return web.json_response({"ready": ready, "checks": told}, status=200 if ready else 503)

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [
        RouteDef(method="GET", path="/healthz", handler=_healthz, summary="The process lives; it asks nobody else."),
        RouteDef(method="GET", path="/readyz", handler=readyz, summary="200 if every dependency answers, else 503."),
        RouteDef(method="GET", path="/metrics", handler=exposition, summary="Figures in Prometheus text format."),
    ]


async def _healthz(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def ask(name: str, check: Check, time_limit: float = CHECK_TIMEOUT_S) -> Health:
    """One check's answer; what it raises and its silence (after `time_limit` seconds) are answers too."""
    try:
        async with asyncio.timeout(time_limit):
            return await check()
    except TimeoutError:
        return Health(ok=False, detail=f"no answer within {time_limit:g} s")
    except GatewayError as error:
        return Health(ok=False, detail=str(error))
    except Exception as error:
        log.exception("http.check_failed", check=name)
        return Health(ok=False, detail=type(error).__name__)


# ---- listeners


@dataclass(slots=True)
class HttpListener:
    """One address with one application. `start`, `drain` and `close` fit a supervisor's part."""

    name: str
    app: web.Application
    host: str
    port: int  # 0: any free one; `bound_port` tells which
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            PortTaken: the address is in use, or not ours.
        """
        self._runner = web.AppRunner(
            self.app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_TIMEOUT_S
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.host, self.port).start()
        except OSError as error:
            if error.errno not in NOT_OURS:
                raise
            where, reason = f"{self.host}:{self.port} (listen.{self.name})", os.strerror(error.errno).lower()
            raise PortTaken(f"cannot listen on {where}: {reason}") from error
        log.info("http.listening", listener=self.name, host=self.host, port=self.bound_port)

    @property
    def bound_port(self) -> int:
        """The port we listen on. Only after `start`."""
        if self._runner is None or not self._runner.addresses:
            raise RuntimeError(f"the listener {self.name} has not started")
        port: int = self._runner.addresses[0][1]
        return port

    async def close(self) -> None:
        """Take no new connections, finish the requests under way, let go of the port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
