"""The HTTP shell: listeners with our headers and limits, /healthz for the public, /readyz and /metrics for operations."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CONTENT_TYPE_LATEST

from channels.base import Health, RouteDef
from domain.errors import GatewayError
from gateway.exit_codes import PortTaken
from gateway.metrics import Metrics

log = structlog.get_logger()

CHECK_TIMEOUT_S = 2.0
LARGEST_BODY = 65_536
SHUTDOWN_TIMEOUT_S = 5.0
LINE_EVERY_S = 60.0
SLOWEST_BODY_S = 20.0  # a body of the largest size at 26 kbit/s
_PATTERN = re.compile(r"\{(\w+):[^{}]*\}")
SLOWEST_UPLOAD_S = 600.0  # 50 MB at 700 kbit/s
WAITING = 128  # connections the system keeps for us until they are accepted

# Set where a handler has set nothing: an answer of ours loads nothing, is framed by nobody and kept by nobody.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Check = Callable[[], Awaitable[Health]]


class Route(Protocol):
    """What is served: a channels.base.RouteDef or a console.routes.ConsoleRoute."""

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def handler(self) -> Callable[[Any], Awaitable[Any]]: ...


Lost = Callable[[web.Request], Awaitable[web.StreamResponse]]


# ---- applications


def make_app(
    routes: Iterable[Route],
    *,
    max_body_bytes: int = LARGEST_BODY,
    https: bool = False,
    hsts_s: int = 0,
    lost: Lost | None = None,
    slowest_body_s: float = SLOWEST_BODY_S,
    uploads: Collection[str] = (),
) -> web.Application:
    """An application with these routes, our headers on every answer and a limit on every body (413 beyond).

    https: browsers reach us by it. hsts_s: seconds for which they keep to it (RFC 6797), 0: not said. lost: shows a page to a browser that asks
    for an address there is not; None: a problem as for everybody else. uploads: paths of routes that take files, which may come slower.
    """
    app = web.Application(
        client_max_size=max_body_bytes,
        middlewares=[
            _answer_failures(lost),
            _refuse_unreadable(BodyLines(), slowest_body_s, frozenset(map(_canonical, uploads))),
        ],
    )
    app.on_response_prepare.append(_add_headers(_headers(https=https, hsts_s=hsts_s)))
    for route in routes:
        if route.method == "GET":
            app.router.add_get(route.path, route.handler)  # and HEAD, which asks for the headers of the same
        else:
            app.router.add_route(route.method, route.path, route.handler)
    return app


def _answer_failures(lost: Lost | None) -> Middleware:
    """A bug of ours is a 500 that tells nothing, and a line for the operator that names the route, not what was asked.
    What aiohttp refuses by itself is a problem too (RFC 9457), with the headers it gave.
    """

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPError as error:
            if lost is not None and error.status == HTTPStatus.NOT_FOUND and _is_browser(request):
                return await lost(request)
            return _problem(error.status, error.headers)
        except web.HTTPException:
            raise
        except Exception:
            log.exception("http.failed", method=request.method, route=_route(request))
            return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, {})

    return answer


def _problem(status: int, headers: Mapping[str, str]) -> web.Response:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    kept = {name: value for name, value in headers.items() if name == "Allow"}
    return web.json_response(body, status=status, content_type="application/problem+json", headers=kept)


def _is_browser(request: web.Request) -> bool:
    return "text/html" in request.headers.get("Accept", "")


class BodyLines:
    """Of bodies that cannot be read, one line a minute: anybody may send them, and nobody may fill the disk with them.

    clock: seconds on any scale that never goes back.
    """

    __slots__ = ("_clock", "_last", "_left_out")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: float | None = None
        self._left_out = 0

    def unreadable(self, route: str, error: Exception) -> None:
        now = self._clock()
        if self._last is not None and now - self._last < LINE_EVERY_S:
            self._left_out += 1
            return
        log.warning("http.body_unreadable", route=route, error=type(error).__name__, left_out=self._left_out)
        self._last, self._left_out = now, 0


def _refuse_unreadable(lines: BodyLines, slowest_s: float, uploads: frozenset[str]) -> Middleware:
    """A body that is not what its headers say (its encoding, its chunks, its length) is the caller's fault: 400. One that
    does not come within `slowest_s` seconds, of files SLOWEST_UPLOAD_S, is not waited for: 408.
    """

    @web.middleware
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        status = HTTPStatus.BAD_REQUEST
        within_s = SLOWEST_UPLOAD_S if _route(request) in uploads else slowest_s
        watch = _watch_body(request, within_s) if request.can_read_body else None
        try:
            return await handler(request)
        except _BodyTooSlow:
            status = HTTPStatus.REQUEST_TIMEOUT
        except web.RequestPayloadError as error:
            lines.unreadable(_route(request), error)
        except ConnectionResetError as error:
            if request.transport is not None:  # it was not the caller who left
                raise
            lines.unreadable(_route(request), error)
        finally:
            if watch is not None:
                watch.cancel()
        problem = {
            "type": "about:blank",
            "title": status.phrase,
            "status": status,
            "detail": "The body cannot be read.",
        }
        response = web.json_response(problem, status=status, content_type="application/problem+json")
        response.force_close()  # where the next request begins, nobody can tell
        return response

    return refuse


class _BodyTooSlow(Exception):
    """Raised where a handler reads a body that does not come."""


def _watch_body(request: web.Request, within_s: float) -> asyncio.TimerHandle:
    """Whoever reads the body after so many seconds, and it is not whole, is told so; what a handler does with a body
    that came is not hurried.
    """

    def look() -> None:
        if not request.content.is_eof():
            request.content.set_exception(_BodyTooSlow())

    return asyncio.get_running_loop().call_later(within_s, look)


def _route(request: web.Request) -> str:
    """As it was declared, without what was asked."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else ""


def _canonical(path: str) -> str:
    """`/ho-so/{dossier}/tep` of `/ho-so/{dossier:[0-9]+}/tep`: as a resource names itself."""
    return _PATTERN.sub(r"{\1}", path)


def _headers(*, https: bool, hsts_s: int) -> Mapping[str, str]:
    """Browsers complain of an opener policy where they do not trust the origin anyway: over http."""
    opener = {"Cross-Origin-Opener-Policy": "same-origin"} if https else {}
    kept = {"Strict-Transport-Security": f"max-age={hsts_s}"} if hsts_s else {}
    return SECURITY_HEADERS | opener | kept


def _add_headers(ours: Mapping[str, str]) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def add(_: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        for name, value in ours.items():
            headers.setdefault(name, value)
        headers.popall("Server", None)  # what we run on is nobody's business

    return add


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
    """One address with one application. `take`, `start` and `close` fit a supervisor's part."""

    name: str
    app: web.Application
    host: str
    port: int  # 0: any free one; `bound_port` tells which
    _sockets: list[socket.socket] = field(default_factory=list, init=False)
    _runner: web.AppRunner | None = field(default=None, init=False)

    async def take(self) -> None:
        """Have the address, so that nobody else has it; who connects waits until `start`. A name is listened to at each
        of its addresses, but for those of a family this machine does not have.

        Raises:
            PortTaken: the address is in use or not ours, or the host cannot be resolved.
        """
        missing = ""
        for family, address in await self._addresses():
            try:
                self._sockets.append(socket.create_server(address, family=family, backlog=WAITING))
            except OSError as error:
                missing = _reason(error)
                if error.errno != errno.EAFNOSUPPORT:
                    raise self._refused(self.name, missing) from error
        if not self._sockets:
            raise self._refused(self.name, missing)

    async def _addresses(self) -> Iterable[tuple[int, Any]]:
        """Each once: a name may be written down twice."""
        resolve = asyncio.get_running_loop().getaddrinfo
        try:
            found = await resolve(self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except socket.gaierror as error:
            raise self._refused(f"{self.name}.host", str(error.strerror).lower()) from error
        except UnicodeError as error:
            raise self._refused(f"{self.name}.host", "not a host name") from error
        return dict.fromkeys((family, address) for family, _, _, _, address in found)

    def _refused(self, setting: str, reason: str) -> PortTaken:
        return PortTaken(f"cannot listen on {self.host}:{self.port} (listen.{setting}): {reason}")

    async def start(self) -> None:
        """Answer; takes the address if nobody has.

        Raises:
            PortTaken: see `take`.
        """
        if not self._sockets:
            await self.take()
        self._runner = web.AppRunner(
            self.app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_TIMEOUT_S
        )
        await self._runner.setup()
        for each in self._sockets:
            await web.SockSite(self._runner, each, backlog=WAITING).start()
        log.info("http.listening", listener=self.name, host=self.host, port=self.bound_port)

    @property
    def bound_port(self) -> int:
        """The port we listen on. Only after `take` or `start`."""
        if not self._sockets:
            raise RuntimeError(f"the listener {self.name} has not started")
        port: int = self._sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Take no new connections, finish the requests under way, let go of the port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        for each in self._sockets:  # those that were taken and never started; the others are closed
            each.close()
        self._sockets.clear()


def _reason(error: OSError) -> str:
    """As the system says it, without the address, which the line has."""
    return os.strerror(error.errno or 0).lower()
