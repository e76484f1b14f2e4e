"""/thu-tuc and /api/v1/procedures: what a procedure takes, found by words or code; whole without a script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Protocol

import msgspec
from aiohttp import web

from channels.base import RouteDef
from channels.web import paths
from channels.web.client import Network, choose_language, client_address
from channels.web.form_files import FormFiles
from channels.web.layout import HEADERS, Stylesheet, environment, link, page_texts
from channels.web.problem import Problem, ProblemKind, problem_response
from channels.web.procedure_telling import ProcedureFacts, ProceduresBody, procedure_body, procedure_facts
from channels.web.tagged import tag_of, tagged
from channels.web.telling import Teller
from domain.calendar import local_day
from domain.errors import GatewayError
from domain.filing import may_be_filed
from domain.message import Address
from domain.procedure import Procedure
from domain.text import safe_text

PATH = paths.PROCEDURES
ONE_PATH = paths.PROCEDURE  # whatever stands for the code gets an answer of ours
LOOK_UP_PATH = paths.LOOK_UP
API_PATH = paths.API_PROCEDURES
API_ONE_PATH = paths.API_PROCEDURE
MOST_RESULTS = 20
LONGEST_ECHO = 120  # characters of what was typed that are shown again
SECTIONS = ("page", "label", "procedures", "procedure", "examples", "forms", "filing")
API_HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "private, no-cache",
    "Vary": "Accept-Language",
}

Found = Sequence[Procedure] | Problem


class ProcedureSearch(Protocol):
    """The procedures in force on a day, held in memory: neither method waits."""

    def search(self, words: str, *, today: date, limit: int) -> Sequence[Procedure]: ...

    def get(self, code: str, *, today: date) -> Procedure | None: ...


class ProcedurePages:
    """The routes about procedures. `admit` says whether this address may ask once more; `clock` gives aware moments;
    `trusted` are the proxies whose X-Forwarded-For is believed; `forms` the files of the catalogue's forms; `filing`:
    the path at which one is filed online, where any is. The style sheet is served by the look-up page.
    """

    __slots__ = (
        "_admit",
        "_clock",
        "_filing",
        "_forms",
        "_procedures",
        "_style",
        "_teller",
        "_template",
        "_texts",
        "_trusted",
    )

    def __init__(
        self,
        *,
        procedures: ProcedureSearch,
        teller: Teller,
        admit: Callable[[Address], Awaitable[bool]],
        clock: Callable[[], datetime],
        trusted: Sequence[Network] = (),
        forms: FormFiles | None = None,
        filing: str = "",
    ) -> None:
        self._procedures = procedures
        self._teller = teller
        self._admit = admit
        self._clock = clock
        self._trusted = tuple(trusted)
        self._filing = filing
        self._forms = forms or FormFiles({}, {})
        self._style = Stylesheet()
        self._template = environment().get_template("procedures.html")
        self._texts = {
            language: page_texts(teller.catalogue, language, SECTIONS) for language in teller.catalogue.languages
        }

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(
            method="GET", path=PATH, handler=self._search_page, summary="Procedures: ?tim=words, ?lang=vi|en."
        )
        yield RouteDef(method="GET", path=ONE_PATH, handler=self._one_page, summary="One procedure.")
        yield RouteDef(
            method="GET", path=API_PATH, handler=self._search_api, summary="Procedures found by words or code: ?q=."
        )
        yield RouteDef(method="GET", path=API_ONE_PATH, handler=self._one_api, summary="One procedure, by its code.")
        yield from self._forms.routes()

    # ---- finding

    async def _search(self, request: web.Request, words: str, language: str) -> Found:
        refused = await self._refused(request, language)
        if refused is not None:
            return refused
        return self._procedures.search(words, today=local_day(self._clock()), limit=MOST_RESULTS)

    async def _get(self, request: web.Request, code: str, language: str) -> Found:
        refused = await self._refused(request, language)
        if refused is not None:
            return refused
        procedure = self._procedures.get(code, today=local_day(self._clock()))
        if procedure is None:
            return self._teller.problem(ProblemKind.PROCEDURE_UNKNOWN, language)
        return [procedure]

    async def _refused(self, request: web.Request, language: str) -> Problem | None:
        try:
            admitted = await self._admit(client_address(request, self._trusted))
        except GatewayError:  # our own trouble is told as such; whoever raised it has logged it
            return self._teller.problem(ProblemKind.INTERNAL, language)
        return None if admitted else self._teller.problem(ProblemKind.REFUSED, language)

    def _facts(self, procedures: Sequence[Procedure], language: str) -> Sequence[ProcedureFacts]:
        return [procedure_facts(each, self._teller.catalogue, language, self._forms.sizes) for each in procedures]

    # ---- pages

    async def _search_page(self, request: web.Request) -> web.Response:
        language = choose_language(request, self._teller.catalogue.languages)
        words = request.query.get("tim", "")
        found = await self._search(request, words, language) if words.strip() else None
        return self._render(language, PATH, safe_text(words, LONGEST_ECHO), found)

    async def _one_page(self, request: web.Request) -> web.Response:
        language = choose_language(request, self._teller.catalogue.languages)
        found = await self._get(request, request.match_info["code"], language)
        path = PATH if isinstance(found, Problem) else f"{PATH}/{found[0].code}"
        return self._render(language, path, "", found)

    def _render(self, language: str, path: str, typed: str, found: Found | None) -> web.Response:
        """The page with what was found; `None`: nobody has asked yet."""
        texts = self._texts[language]
        problem = found if isinstance(found, Problem) else None
        hits = self._facts(found, language) if found is not None and not isinstance(found, Problem) else None
        page = self._template.render(
            language=language,
            texts=texts,
            others=[
                (each, self._texts[each]["page"]["this_language"], link(path, each, tim=typed)) for each in self._texts
            ],
            typed=typed,
            hits=hits,
            links=[link(f"{PATH}/{hit.code}", language) for hit in hits or ()],
            problem=problem,
            filing=self._filed_at(found, language),
            examples=[(words, link(PATH, language, tim=words)) for words in texts["examples"].values()],
            help_desk=self._teller.help_desk(language),
            notice=self._teller.notice(language, self._clock()),
            style=self._style.path,
            path=PATH,
            start=link(LOOK_UP_PATH, language),
        )
        return web.Response(
            status=problem.kind.status if problem else 200,
            text=page,
            content_type="text/html",
            headers={**HEADERS, "Content-Language": language, **(problem.kind.headers if problem else {})},
        )

    def _filed_at(self, found: Found | None, language: str) -> str:
        """Where the one procedure that is shown is filed online; empty: nowhere."""
        if not self._filing or found is None or isinstance(found, Problem) or len(found) != 1:
            return ""
        return link(self._filing.replace("{code}", found[0].code), language) if may_be_filed(found[0]) else ""

    # ---- API

    async def _search_api(self, request: web.Request) -> web.Response:
        language = choose_language(request, self._teller.catalogue.languages)
        words = request.query.get("q", "")
        if not words.strip():
            return problem_response(self._teller.problem(ProblemKind.NO_WORDS, language), language)
        found = await self._search(request, words, language)
        if isinstance(found, Problem):
            return problem_response(found, language)
        body = ProceduresBody(procedures=[procedure_body(each) for each in self._facts(found, language)])
        return _json(request, body, language)

    async def _one_api(self, request: web.Request) -> web.Response:
        language = choose_language(request, self._teller.catalogue.languages)
        found = await self._get(request, request.match_info["code"], language)
        if isinstance(found, Problem):
            return problem_response(found, language)
        return _json(request, procedure_body(self._facts(found, language)[0]), language)


def _json(request: web.Request, told: msgspec.Struct, language: str) -> web.Response:
    body = msgspec.json.encode(told)
    return tagged(request, body, tag_of(body), {**API_HEADERS, "Content-Language": language})
