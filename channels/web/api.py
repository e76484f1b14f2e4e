"""GET /api/v1/dossiers/{code}: the state of a dossier as JSON. A GET is a question: answered, counted, not kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime

import msgspec
from aiohttp import web

from channels.base import RouteDef
from channels.web.asking import Asker
from channels.web.client import Network, choose_language, client_address
from channels.web.problem import ContactBody, Problem, ProblemKind, problem_response
from channels.web.telling import Teller, Told
from domain.errors import GatewayError
from domain.questions import Question

FOUND_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Accept-Language"}


class DossierBody(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of a dossier. Dates are ISO 8601, days and moments of Asia/Ho_Chi_Minh.

    `status` is the national number, 1 to 10; null for a state the agency's system has no number for. `stale`: the
    agency's system is down, and this is what was known at `as_of`.
    """

    code: str
    status: int | None
    status_name: str
    status_text: str
    what_to_do: str
    received_on: date | None
    due_on: date | None
    finished_on: date | None
    returned_on: date | None
    overdue: bool
    agency: ContactBody
    as_of: datetime
    stale: bool


class WebApi:
    """The API's routes. `clock` gives aware moments; `trusted` are the proxies whose X-Forwarded-For is believed."""

    __slots__ = ("_asker", "_clock", "_teller", "_trusted")

    def __init__(
        self, *, asker: Asker, teller: Teller, clock: Callable[[], datetime], trusted: Sequence[Network] = ()
    ) -> None:
        self._asker = asker
        self._teller = teller
        self._clock = clock
        self._trusted = tuple(trusted)

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        # Anything may stand for the code, a slash or a line break too: what cannot be read gets a 400 that says why.
        path = "/api/v1/dossiers/{code:(?s:.*)}"
        yield RouteDef(method="GET", path=path, handler=self._dossier, summary="The state of a dossier, by its code.")

    async def _dossier(self, request: web.Request) -> web.Response:
        language = choose_language(request, self._teller.catalogue.languages)
        question = Question(text=request.match_info["code"], asker=client_address(request, self._trusted))
        try:
            answer = await self._asker.answer(question)
        except GatewayError:  # our own trouble is told as such; whoever raised it has logged it
            return problem_response(self._teller.problem(ProblemKind.INTERNAL, language), language)
        told = self._teller.tell(answer, language, self._clock())
        if isinstance(told, Problem):
            return problem_response(told, language)
        return _found(request, told, language)


def _found(request: web.Request, told: Told, language: str) -> web.Response:
    body = msgspec.json.encode(_body(told))
    tag = hashlib.blake2b(body, digest_size=12).hexdigest()
    headers = {**FOUND_HEADERS, "ETag": f'"{tag}"', "Content-Language": language}
    if any(known.value in (tag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type="application/json", headers=headers)


def _body(told: Told) -> DossierBody:
    return DossierBody(
        code=told.code,
        status=None if told.status is None else int(told.status),
        status_name=told.name,
        status_text=told.state,
        what_to_do=told.what_to_do,
        received_on=told.received_on,
        due_on=told.due_on,
        finished_on=told.finished_on,
        returned_on=told.returned_on,
        overdue=told.overdue,
        agency=ContactBody(name=told.agency.name, phone=told.agency.phone),
        as_of=told.as_of,
        stale=told.stale,
    )
