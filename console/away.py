"""A store that is away is told as a page, with when to try again; whatever was being done may have to be looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from http import HTTPStatus

import structlog
from aiohttp import web

from console.routes import ConsoleRoute, Handler
from console.shell import SAFE_METHODS, Refuse
from domain.errors import StoreError

log = structlog.get_logger()

TRY_AGAIN_S = 5


def sheltered(routes: Iterable[ConsoleRoute], refuse: Refuse) -> list[ConsoleRoute]:
    """The routes, guards included, each behind an answer for when the store is away."""
    return [replace(each, handler=_sheltered(each, refuse)) for each in routes]


def _sheltered(route: ConsoleRoute, refuse: Refuse) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await route.handler(request)
        except StoreError as error:
            log.warning("console.store_away", path=route.path, error=str(error), reading=request.method in SAFE_METHODS)
            response = refuse(request, HTTPStatus.SERVICE_UNAVAILABLE)
            response.headers["Retry-After"] = str(TRY_AGAIN_S)
            return response

    return answer
