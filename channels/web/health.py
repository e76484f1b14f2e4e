"""/api/v1/health: that the API answers, for whoever depends on it. What is behind it is nobody's business."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Literal

import msgspec
from aiohttp import web

from channels.base import RouteDef
from channels.web import paths
from channels.web.client import choose_language
from channels.web.telling import Teller

VERSION = "1"  # of the API
MEDIA_TYPE = "application/health+json"


class HealthBody(msgspec.Struct, frozen=True, kw_only=True):
    """`status`: "pass", or "warn" while a planned stoppage lasts, which `notes` then tells of. `version`: the API's."""

    status: Literal["pass", "warn"]
    version: str = VERSION
    notes: Sequence[str] | msgspec.UnsetType = msgspec.UNSET


class HealthApi:
    """The route. `clock` gives aware moments."""

    __slots__ = ("_clock", "_teller")

    def __init__(self, *, teller: Teller, clock: Callable[[], datetime]) -> None:
        self._teller = teller
        self._clock = clock

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(method="GET", path=paths.API_HEALTH, handler=self._health, summary="The API answers.")

    async def _health(self, request: web.Request) -> web.Response:
        language = choose_language(request, self._teller.catalogue.languages)
        headers = {"Cache-Control": "no-store", "Content-Language": language, "Vary": "Accept-Language"}
        body = msgspec.json.encode(self._told(language))
        return web.Response(body=body, content_type=MEDIA_TYPE, headers=headers)

    def _told(self, language: str) -> HealthBody:
        now = self._clock()
        notice = self._teller.notice(language, now)
        if notice is None or notice.starts_at > now:
            return HealthBody(status="pass")
        return HealthBody(status="warn", notes=[notice.text])
