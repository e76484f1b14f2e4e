"""/api/v1/dossiers/{code}: the state of a dossier as JSON. A question: answered, counted, not kept.

GET asks with the code alone; POST gives a proof in its body, never in the address, which proxies keep in their logs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from channels.base import RouteDef
from channels.web.asking import Asker
from channels.web.client import Clients, Network
from channels.web.problem import ContactBody, Problem, ProblemKind, problem_response
from channels.web.proving import proof_in_json
from channels.web.ready import KEPT, Ready, ReadyAnswers
from channels.web.telling import MORE, Teller, Told
from domain.answers import Outcome
from domain.calendar import local_day
from domain.errors import GatewayError
from domain.proof import Proof
from domain.questions import Question, QuestionAnswer

# Anything may stand for the code, a slash or a line break too: what cannot be read gets a 400 that says why.
PATH = "/api/v1/dossiers/{code:(?s:.*)}"
NOT_KEPT = {"Cache-Control": "no-store"}  # what was proved is for whoever proved it


class DossierBody(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of a dossier. Dates are ISO 8601, days and moments of Asia/Ho_Chi_Minh.

    `status` is the national number, 1 to 10; null for a state the agency's system has no number for. `stale`: the
    agency's system is down, and this is what was known at `as_of`. `tier`: "public" for the code alone, or "proved";
    then the last five are there, empty where the agency says nothing.
    """

    code: str
    status: int | None
    status_name: str
    status_text: str
    what_to_do: str
    received_on: date | None
    due_on: date | None
    due_unknown: bool
    finished_on: date | None
    returned_on: date | None
    overdue: bool
    agency: ContactBody
    as_of: datetime
    stale: bool
    tier: str
    procedure: str | msgspec.UnsetType = msgspec.UNSET
    procedure_name: str | msgspec.UnsetType = msgspec.UNSET
    unit: str | msgspec.UnsetType = msgspec.UNSET
    missing: str | msgspec.UnsetType = msgspec.UNSET
    fee: str | msgspec.UnsetType = msgspec.UNSET


class WebApi:
    """The API's routes. `clock` gives aware moments; `trusted` are the proxies whose X-Forwarded-For is believed.

    `proofs`: the installation can compare proofs, so that they are taken. `kept`: see ReadyAnswers.
    """

    __slots__ = ("_asker", "_clients", "_clock", "_headers", "_proofs", "_ready", "_teller")

    def __init__(
        self,
        *,
        asker: Asker,
        teller: Teller,
        clock: Callable[[], datetime],
        trusted: Sequence[Network] = (),
        proofs: bool = False,
        kept: int = KEPT,
    ) -> None:
        self._asker = asker
        self._teller = teller
        self._clock = clock
        self._clients = Clients(trusted, teller.catalogue.languages)
        self._proofs = proofs
        self._ready = ReadyAnswers(kept)
        self._headers = {language: _headers(language) for language in teller.catalogue.languages}

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(method="GET", path=PATH, handler=self._dossier, summary="The state of a dossier, by its code.")
        if self._proofs:
            summary = "The same and more, for whoever proves a right to it."
            yield RouteDef(method="POST", path=PATH, handler=self._proved, summary=summary)

    async def _dossier(self, request: web.Request) -> web.Response:
        language = self._clients.language(request)
        answer = await self._answer(request, None)
        if answer is None:
            return problem_response(self._teller.problem(ProblemKind.INTERNAL, language), language)
        ready = self._told_before(answer, language) or self._tell(answer, language)
        if isinstance(ready, Problem):
            return problem_response(ready, language)
        return self._send(request, ready, language)

    async def _proved(self, request: web.Request) -> web.Response:
        language = self._clients.language(request)
        proof = proof_in_json(await request.read())
        if proof is None:
            return problem_response(self._teller.problem(ProblemKind.NO_PROOF, language), language)
        answer = await self._answer(request, proof)
        if answer is None:
            return problem_response(self._teller.problem(ProblemKind.INTERNAL, language), language)
        told = self._teller.tell(answer, language, self._clock())
        if isinstance(told, Problem):
            return problem_response(told, language)
        headers = {**self._headers[language], **NOT_KEPT}
        return web.Response(body=msgspec.json.encode(_body(told)), headers=headers)

    async def _answer(self, request: web.Request, proof: Proof | None) -> QuestionAnswer | None:
        """None: our own trouble, to be told as such; whoever raised it has logged it."""
        asker = self._clients.address(request)
        try:
            return await self._asker.answer(Question(text=request.match_info["code"], asker=asker, proof=proof))
        except GatewayError:
            return None

    def _told_before(self, answer: QuestionAnswer, language: str) -> Ready | None:
        if answer.answer is None:
            return None
        return self._ready.get(answer.answer.code.text, language, answer, local_day(self._clock()))

    def _tell(self, answer: QuestionAnswer, language: str) -> Ready | Problem:
        now = self._clock()
        told = self._teller.tell(answer, language, now)
        if isinstance(told, Problem):
            return told
        body = msgspec.json.encode(_body(told))
        tag = hashlib.blake2b(body, digest_size=12).hexdigest()
        ready = Ready(answer=answer, day=local_day(now), body=body, tag=f'"{tag}"')
        if answer.outcome is Outcome.FOUND and answer.answer is not None and answer.answer.as_of is not None:
            self._ready.keep(answer.answer.code.text, language, ready)
        return ready

    def _send(self, request: web.Request, ready: Ready, language: str) -> web.Response:
        known = request.if_none_match or ()
        if any(each.value in (ready.tag.strip('"'), "*") for each in known):
            response = web.Response(status=304, headers=self._headers[language])
            del response.headers["Content-Type"]
        else:
            response = web.Response(body=ready.body, headers=self._headers[language])
        response.headers["ETag"] = ready.tag
        return response


def _headers(language: str) -> CIMultiDict[str]:
    """Of every dossier told to whoever has its code; it may be kept and asked for again by its tag."""
    return CIMultiDict(
        {
            "Content-Type": "application/json",
            "Cache-Control": "private, no-cache",
            "Vary": "Accept-Language",
            "Content-Language": language,
        }
    )


def _body(told: Told) -> DossierBody:
    """With all that a proof opens, or what of it the installation tells to everybody."""
    more = {name: told.more.get(name, "") for name in MORE} if told.proved else told.more
    return DossierBody(
        code=told.code,
        status=None if told.status is None else int(told.status),
        status_name=told.name,
        status_text=told.state,
        what_to_do=told.what_to_do,
        received_on=told.received_on,
        due_on=told.due_on,
        due_unknown=told.due_unknown,
        finished_on=told.finished_on,
        returned_on=told.returned_on,
        overdue=told.overdue,
        agency=ContactBody(name=told.agency.name, phone=told.agency.phone),
        as_of=told.as_of,
        stale=told.stale,
        tier="proved" if told.proved else "public",
        **more,
    )
