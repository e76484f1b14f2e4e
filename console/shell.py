"""Every request of the console passes here: where it comes from, who asks, what that officer may.

A request that changes something must come from our own page: browsers say so by Sec-Fetch-Site, older ones by Origin
(OWASP ASVS 5.0 3.5.1). There is no token in a form that could leak.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from urllib.parse import urlencode, urlsplit

import structlog
from aiohttp import web

from console import paths
from console.routes import Access, ConsoleRoute, Handler
from console.signed import SIGNED, Signed

log = structlog.get_logger()

SAFE_METHODS = frozenset({"GET", "HEAD"})
OWN_SITE = frozenset({"same-origin", "none"})
OPEN_BEFORE_SET_UP = (paths.ACCOUNT, paths.SIGN_OUT, paths.HELP)

Who = Callable[[web.Request], Awaitable[Signed | None]]
Refuse = Callable[[web.Request, int], web.Response]


def guarded(routes: Iterable[ConsoleRoute], who: Who, refuse: Refuse) -> list[ConsoleRoute]:
    """The routes, each behind its guard. `who` finds the session of a request; `refuse` shows a page for 401 and 403."""
    return [replace(each, handler=_guard(each, who, refuse)) for each in routes]


def _guard(route: ConsoleRoute, who: Who, refuse: Refuse) -> Handler:
    async def guard(request: web.Request) -> web.StreamResponse:
        if request.method not in SAFE_METHODS and not from_our_page(request):
            log.warning("console.foreign_form", path=route.path)
            return refuse(request, 403)
        if route.needs is Access.PUBLIC:
            return await route.handler(request)
        signed = await who(request)
        if signed is None:
            return _to_sign_in(request) if request.method in SAFE_METHODS else refuse(request, 401)
        request[SIGNED] = signed
        if signed.must_set_up and not request.path.startswith(OPEN_BEFORE_SET_UP):
            return web.Response(status=303, headers={"Location": paths.ACCOUNT})
        if route.needs is not Access.SIGNED_IN and not signed.officer.may(route.needs):
            log.warning("console.not_allowed", path=route.path, officer=signed.officer.id, right=str(route.needs))
            return refuse(request, 403)
        return await route.handler(request)

    return guard


def from_our_page(request: web.Request) -> bool:
    """The browser says that a page of ours sent this form; one that says nothing at all is not believed."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in OWN_SITE
    host = _host_of(request.headers.get("Origin", ""))
    return bool(host) and host == request.host


def _host_of(origin: str) -> str:
    """With its port; empty: it names none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:  # no browser wrote that
        return ""


def _to_sign_in(request: web.Request) -> web.Response:
    """And back afterwards: to an address of ours, never to another's."""
    back = urlencode({"tiep": request.path_qs}) if request.path != paths.HOME else ""
    return web.Response(status=303, headers={"Location": f"{paths.SIGN_IN}?{back}" if back else paths.SIGN_IN})


def own_address(typed: str) -> str:
    """A path of ours to go on to; the start page for anything else (an open redirect would lend our name)."""
    plain = typed.startswith("/") and not typed.startswith("//")  # so that it names no host and no scheme
    return typed if plain and typed.isprintable() and "\\" not in typed else paths.HOME
