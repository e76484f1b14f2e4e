"""/api/v1/dossiers/{code}: the state of a dossier as JSON. A question: answered, counted, not kept.

GET asks with the code alone; POST gives a proof in its body, never in the address, which proxies keep in their logs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from channels.base import RouteDef
from channels.web import paths
from channels.web.asking import Asker
from channels.web.chat_links import ChatLink, ChatLinks, no_chat_links
from channels.web.client import Clients, Network
from channels.web.cross_origin import site_of
from channels.web.dossier_body import FollowBody, dossier_body, follow_body, page_of
from channels.web.pages import OVER
from channels.web.problem import Problem, ProblemKind, problem_response
from channels.web.proving import NOTHING_GIVEN, Given, given_in_json
from channels.web.rate_limit import tell_left
from channels.web.ready import KEPT, Ready, ReadyAnswers
from channels.web.tagged import tag_of, tagged
from channels.web.telling import Teller, Told
from domain.answers import Outcome
from domain.calendar import local_day
from domain.errors import GatewayError
from domain.questions import Asked, Left, Question, QuestionAnswer

# Anything may stand for the code, a slash or a line break too: what cannot be read gets a 400 that says why.
PATH = paths.API_DOSSIER
NOT_KEPT = {"Cache-Control": "no-store"}  # what was proved is for whoever proved it


class WorkDesk(Protocol):
    """Asks for proofs of work and looks at them; `site` is the key of the site that asks, or empty."""

    def challenge(self, site: str) -> Mapping[str, Any]:
        """A new one, in the shape of ALTCHA version 2."""
        ...

    async def verify(self, payload: str, site: str) -> bool:
        """It solves a challenge of ours, in time and for the first time. Raises GatewayError."""
        ...


class WebApi:
    """The API's routes. `clock` gives aware moments; `trusted` are the proxies whose X-Forwarded-For is believed.

    `proofs`: the installation can compare proofs, so that they are taken; `work`: it asks for proofs of work. `kept`:
    see ReadyAnswers. `base_url`: how citizens reach us, for the link to the page, which is relative without it.
    `follows`: a telephone number can follow; `chat_links`: a chat can.
    """

    __slots__ = (
        "_asker",
        "_base_url",
        "_chat_links",
        "_clients",
        "_clock",
        "_follows",
        "_headers",
        "_proofs",
        "_ready",
        "_teller",
        "_work",
    )

    def __init__(
        self,
        *,
        asker: Asker,
        teller: Teller,
        clock: Callable[[], datetime],
        trusted: Sequence[Network] = (),
        proofs: bool = False,
        kept: int = KEPT,
        work: WorkDesk | None = None,
        base_url: str = "",
        follows: bool = False,
        chat_links: ChatLinks = no_chat_links,
    ) -> None:
        self._asker = asker
        self._teller = teller
        self._clock = clock
        self._clients = Clients(trusted, teller.catalogue.languages)
        self._proofs = proofs
        self._ready = ReadyAnswers(kept)
        self._headers = {language: _headers(language) for language in teller.catalogue.languages}
        self._work = work
        self._base_url = base_url
        self._follows = follows
        self._chat_links = chat_links

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(method="GET", path=PATH, handler=self._dossier, summary="The state of a dossier, by its code.")
        if self._proofs or self._work is not None:
            summary = "The same with a proof of a right to more, or with a proof of work."
            yield RouteDef(method="POST", path=PATH, handler=self._proved, summary=summary)

    async def _dossier(self, request: web.Request) -> web.Response:
        answered = await self._answer(request, NOTHING_GIVEN)
        if answered is None:
            return self._refuse(request, ProblemKind.INTERNAL)
        answer, left = answered
        language, now = self._clients.language(request), self._clock()
        links = self._links(answer)
        ready = self._told_before(answer, language, links, now) or self._tell(answer, language, links, now)
        if isinstance(ready, Problem):
            return self._refuse(request, ready, left)
        response = tagged(request, ready.body, ready.tag, self._headers[language])
        tell_left(response, left)
        return response

    async def _proved(self, request: web.Request) -> web.Response:
        given = given_in_json(await request.read())
        if given is None or (given.proof is not None and not self._proofs):
            return self._refuse(request, ProblemKind.NO_PROOF)
        answered = await self._answer(request, given)
        if answered is None:
            return self._refuse(request, ProblemKind.INTERNAL)
        answer, left = answered
        language, now = self._clients.language(request), self._clock()
        told = self._teller.tell(answer, language, now)
        if given.proof is not None:
            told = self._teller.after_a_proof(told, language)
        if isinstance(told, Problem):
            return self._refuse(request, told, left)
        body = self._body(told, language, self._links(answer), now)
        response = web.Response(body=body, headers={**self._headers[language], **NOT_KEPT})
        tell_left(response, left)
        return response

    def _refuse(self, request: web.Request, why: Problem | ProblemKind, left: Left | None = None) -> web.Response:
        language = self._clients.language(request)
        problem = self._teller.problem(why, language) if isinstance(why, ProblemKind) else why
        challenge = None
        if problem.kind is ProblemKind.WORK_NEEDED and self._work is not None:
            challenge = self._work.challenge(site_of(request))
        response = problem_response(problem, language, self._teller.notice(language, self._clock()), challenge)
        tell_left(response, left)
        return response

    async def _answer(self, request: web.Request, given: Given) -> Asked[QuestionAnswer] | None:
        """None: our own trouble, to be told as such; whoever raised it has logged it."""
        asker, site = self._clients.address(request), site_of(request)
        code = request.match_info["code"]
        try:
            worked = bool(given.work) and self._work is not None and await self._work.verify(given.work, site)
            question = Question(text=code, asker=asker, proof=given.proof, site=site, worked=worked)
            return await self._asker.answer(question)
        except GatewayError:
            return None

    def _links(self, answer: QuestionAnswer) -> Sequence[ChatLink]:
        return () if answer.answer is None else self._chat_links(answer.answer.code.reference)

    def _told_before(
        self, answer: QuestionAnswer, language: str, links: Sequence[ChatLink], now: datetime
    ) -> Ready | None:
        if answer.answer is None:
            return None
        announced = self._teller.announced(now)
        return self._ready.get(answer.answer.code.text, language, answer, local_day(now), announced, links)

    def _tell(self, answer: QuestionAnswer, language: str, links: Sequence[ChatLink], now: datetime) -> Ready | Problem:
        told = self._teller.tell(answer, language, now)
        if isinstance(told, Problem):
            return told
        body = self._body(told, language, links, now)
        announced = self._teller.announced(now)
        ready = Ready(
            answer=answer, day=local_day(now), body=body, tag=tag_of(body), announced=announced, links=tuple(links)
        )
        if answer.outcome is Outcome.FOUND and answer.answer is not None and answer.answer.as_of is not None:
            self._ready.keep(answer.answer.code.text, language, ready)
        return ready

    def _body(self, told: Told, language: str, links: Sequence[ChatLink], now: datetime) -> bytes:
        notice, page = self._teller.notice(language, now), page_of(self._base_url, told)
        body = dossier_body(told, notice, page=page, follow=self._follow(told, links))
        return msgspec.json.encode(body)

    def _follow(self, told: Told, links: Sequence[ChatLink]) -> FollowBody | None:
        """A last known answer is a state to be told, and nothing to be followed: its system is down."""
        if told.stale or told.name in OVER:
            return None
        return follow_body(links, phone=self._follows)


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
