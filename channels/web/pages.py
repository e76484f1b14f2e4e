"""/tra-cuu: the look-up page. Rendered here, whole without a script, in every language there are texts for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qsl

from aiohttp import web

from channels.base import RouteDef
from channels.web.asking import Asker
from channels.web.client import Clients, Network
from channels.web.layout import HEADERS, Stylesheet, environment, link, page_texts
from channels.web.problem import Problem, ProblemKind
from channels.web.proving import LONGEST, LONGEST_NUMBER, proof_in_form
from channels.web.telling import Teller, Told
from domain.errors import GatewayError
from domain.proof import Proof
from domain.questions import Question
from domain.text import safe_text

PATH = "/tra-cuu"
LONGEST_ECHO = 120  # characters of what was typed that are shown again
MOST_FIELDS = 8  # of a form
SECTIONS = ("page", "label", "error", "place", "proof")
ASKS_FOR_PROOF = (
    ProblemKind.NOT_FOUND,
    ProblemKind.NO_PROOF,
    ProblemKind.PROOF_NEEDED,
)  # with or without a dossier alike


class LookUpPage:
    """The page's routes. `clock` gives aware moments; `trusted` are the proxies whose X-Forwarded-For is believed.

    `procedures`: the path of the page about procedures, where there is one. `proofs`: the installation can compare
    proofs, so that the page asks for one.
    """

    __slots__ = ("_asker", "_clients", "_clock", "_procedures", "_proofs", "_style", "_teller", "_template", "_texts")

    def __init__(
        self,
        *,
        asker: Asker,
        teller: Teller,
        clock: Callable[[], datetime],
        trusted: Sequence[Network] = (),
        procedures: str = "",
        proofs: bool = False,
    ) -> None:
        self._asker = asker
        self._teller = teller
        self._clock = clock
        self._clients = Clients(trusted, teller.catalogue.languages)
        self._procedures = procedures
        self._proofs = proofs
        self._style = Stylesheet()
        self._template = environment().get_template("look-up.html")
        self._texts = {
            language: page_texts(teller.catalogue, language, SECTIONS) for language in teller.catalogue.languages
        }

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(method="GET", path="/", handler=_redirect, summary="Leads to the look-up page.")
        yield RouteDef(method="GET", path=PATH, handler=self._page, summary="The look-up page: ?ma=code, ?lang=vi|en.")
        if self._proofs:
            yield RouteDef(method="POST", path=PATH, handler=self._proved, summary="The same page, with a proof.")
        yield self._style.route

    async def _page(self, request: web.Request) -> web.Response:
        language = self._clients.language(request)
        typed = request.query.get("ma")
        if typed is None:
            return self._render(language, "", None)
        return self._render(language, typed, await self._told(request, typed, language))

    async def _proved(self, request: web.Request) -> web.Response:
        language, form = self._clients.language(request), _form(await request.read())
        typed, proof = form.get("ma", ""), proof_in_form(form.get("last_four", ""), form.get("secret", ""))
        if proof is None:
            return self._render(language, typed, self._teller.problem(ProblemKind.NO_PROOF, language))
        shown = await self._told(request, typed, language, proof)
        if isinstance(shown, Problem) and shown.kind is ProblemKind.NOT_FOUND:
            shown = replace(shown, detail=self._teller.catalogue.text(language, "web.error.not_matched"))
        return self._render(language, typed, shown)

    async def _told(
        self, request: web.Request, typed: str, language: str, proof: Proof | None = None
    ) -> Told | Problem:
        asker = self._clients.address(request)
        try:
            answer = await self._asker.answer(Question(text=typed, asker=asker, proof=proof))
        except GatewayError:  # our own trouble is told as such; whoever raised it has logged it
            return self._teller.problem(ProblemKind.INTERNAL, language)
        return self._teller.tell(answer, language, self._clock())

    def _render(self, language: str, typed: str, shown: Told | Problem | None) -> web.Response:
        told = shown if isinstance(shown, Told) else None
        problem = shown if isinstance(shown, Problem) else None
        catalogue = self._teller.catalogue
        echo = told.reference if told else safe_text(typed, LONGEST_ECHO)
        page = self._template.render(
            language=language,
            texts=self._texts[language],
            others=[
                (each, self._texts[each]["page"]["this_language"], link(PATH, each, ma=echo)) for each in self._texts
            ],
            typed=echo,
            told=told,
            problem=problem,
            candidates=[(each, link(PATH, language, ma=each.reference)) for each in problem.candidates]
            if problem
            else (),
            help_desk=self._teller.help_desk(language),
            style=self._style.path,
            procedures=link(self._procedures, language) if self._procedures else "",
            path=PATH,
            prove=link(PATH, language) if self._proofs and _asks_for_proof(shown) else "",
            longest_number=LONGEST_NUMBER,
            longest_secret=LONGEST,
            start=link(PATH, language),
            day=lambda day: catalogue.day(language, day),
            moment=lambda moment: catalogue.moment(language, moment),
            stale_note=catalogue.text(language, "web.error.stale", as_of=catalogue.moment(language, told.as_of))
            if told and told.stale
            else "",
        )
        return web.Response(
            status=problem.kind.status if problem else 200,
            text=page,
            content_type="text/html",
            headers={**HEADERS, "Content-Language": language, **(problem.kind.headers if problem else {})},
        )


def _asks_for_proof(shown: Told | Problem | None) -> bool:
    if isinstance(shown, Told):
        return not shown.proved
    return shown is not None and shown.kind in ASKS_FOR_PROOF


def _form(body: bytes) -> dict[str, str]:
    """The fields of a form as our page sends it; none of anything else."""
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=MOST_FIELDS))
    except ValueError:  # more fields than any form of ours has
        return {}


async def _redirect(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": PATH})
