"""/api/v1/challenge: a proof of work to be done beforehand, by who knows that one will be asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime

import msgspec
from aiohttp import web

from channels.base import RouteDef
from channels.web import paths
from channels.web.client import Clients, Network
from channels.web.cross_origin import site_of
from channels.web.problem import ProblemKind, problem_response
from channels.web.telling import Teller
from channels.web.work import WorkDesk
from domain.errors import GatewayError
from domain.message import Address

NOT_KEPT = {"Cache-Control": "no-store"}  # each is solved once


class WorkRoutes:
    """`admit` charges an address for it like for a question, since making one costs us a step of the work. `clock` gives
    aware moments; `trusted` are the proxies whose X-Forwarded-For is believed.
    """

    __slots__ = ("_admit", "_clients", "_clock", "_desk", "_teller")

    def __init__(
        self,
        *,
        desk: WorkDesk,
        teller: Teller,
        admit: Callable[[Address], Awaitable[bool]],
        clock: Callable[[], datetime],
        trusted: Sequence[Network] = (),
    ) -> None:
        self._desk = desk
        self._teller = teller
        self._admit = admit
        self._clock = clock
        self._clients = Clients(trusted, teller.catalogue.languages)

    def routes(self) -> Iterable[RouteDef]:
        """To be wrapped for the sites' origins."""
        yield RouteDef(
            method="GET", path=paths.API_CHALLENGE, handler=self._challenge, summary="A proof of work, to be solved."
        )

    async def _challenge(self, request: web.Request) -> web.Response:
        try:
            admitted = await self._admit(self._clients.address(request))
        except GatewayError:  # our own trouble is told as such; whoever raised it has logged it
            return self._refuse(request, ProblemKind.INTERNAL)
        if not admitted:
            return self._refuse(request, ProblemKind.REFUSED)
        body = msgspec.json.encode(self._desk.challenge(site_of(request)))
        return web.Response(body=body, content_type="application/json", headers=NOT_KEPT)

    def _refuse(self, request: web.Request, kind: ProblemKind) -> web.Response:
        language = self._clients.language(request)
        notice = self._teller.notice(language, self._clock())
        return problem_response(self._teller.problem(kind, language), language, notice)
