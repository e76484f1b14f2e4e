"""/tra-cuu and /d/<code>: the look-up page. Rendered here, whole without a script, in every language there are texts for.

Two scripts help where they run: one hands in the secret that a receipt's QR code carries behind a "#", one solves the
proof of work that is asked of whoever missed a lot. Without them the same forms are filled in by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from channels.base import RouteDef
from channels.web import paths
from channels.web.asking import Asker
from channels.web.client import Clients, Network
from channels.web.layout import HEADERS, Stylesheet, environment, link, page_texts, read_form
from channels.web.problem import Problem, ProblemKind
from channels.web.proving import LONGEST, LONGEST_NUMBER, LONGEST_WORK, proof_in_form
from channels.web.qr import own_address, qr_code, short_link
from channels.web.static_file import StaticFile
from channels.web.static_modules import SOLVER, StaticModules
from channels.web.telling import Teller, Told
from domain.errors import GatewayError
from domain.proof import Proof
from domain.questions import Question
from domain.text import safe_text

if TYPE_CHECKING:
    from channels.web.api import WorkDesk

PATH = paths.LOOK_UP
LONGEST_ECHO = 120  # characters of what was typed that are shown again
SECTIONS = ("page", "label", "error", "place", "proof", "follow", "work", "print")
OVER = frozenset({"returned", "not_accepted"})  # states in which there is nothing to follow
ASKS_FOR_PROOF = (
    ProblemKind.NOT_FOUND,
    ProblemKind.NO_PROOF,
    ProblemKind.PROOF_NEEDED,
    ProblemKind.WORK_NEEDED,
)  # with or without a dossier alike


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """What somebody filled in, or a script for him. `posted`: in a form's body, where alone a proof may stand."""

    code: str = ""
    last_four: str = ""
    secret: str = ""
    work: str = ""
    posted: bool = False

    @property
    def proof(self) -> Proof | None:
        return proof_in_form(self.last_four, self.secret)

    @property
    def unreadable(self) -> bool:
        """Something was to be compared, or nothing at all was handed in, and there is nothing that can be."""
        tried = bool(self.last_four.strip() or self.secret.strip()) or not self.work
        return self.posted and tried and self.proof is None


class LookUpPage:
    """The page's routes. `clock` gives aware moments; `trusted` are the proxies whose X-Forwarded-For is believed.

    `procedures`, `follows`, `guides`: the paths of the page about procedures, of the form of a number that wants to
    follow, and of the pages about asking by text message, where there are any. `proofs`: the installation can compare
    proofs, so that the page asks for one. `work` asks for proofs of work. `base_url`: how citizens reach us; empty:
    what the browser called.
    """

    __slots__ = (
        "_asker",
        "_base_url",
        "_clients",
        "_clock",
        "_follows",
        "_guides",
        "_print",
        "_procedures",
        "_proofs",
        "_receipt",
        "_solver",
        "_style",
        "_teller",
        "_template",
        "_texts",
        "_work",
        "_worker",
    )

    def __init__(
        self,
        *,
        asker: Asker,
        teller: Teller,
        clock: Callable[[], datetime],
        trusted: Sequence[Network] = (),
        procedures: str = "",
        follows: str = "",
        guides: str = "",
        proofs: bool = False,
        work: WorkDesk | None = None,
        base_url: str = "",
    ) -> None:
        self._asker = asker
        self._teller = teller
        self._clock = clock
        self._clients = Clients(trusted, teller.catalogue.languages)
        self._procedures = procedures
        self._follows = follows
        self._guides = guides
        self._proofs = proofs
        self._work = work
        self._base_url = base_url
        self._style = Stylesheet()
        self._print, self._receipt = StaticFile("print.js"), StaticFile("receipt.js")
        self._worker, self._solver = StaticFile("work.js"), StaticModules(*SOLVER)
        self._template = environment().get_template("look-up.html")
        self._texts = {
            language: page_texts(teller.catalogue, language, SECTIONS) for language in teller.catalogue.languages
        }

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(method="GET", path=paths.HOME, handler=_redirect, summary="Leads to the look-up page.")
        yield RouteDef(
            method="GET", path=PATH, handler=self._page, summary="The look-up page: ?ma=code, ?lang=vi|en|km."
        )
        yield RouteDef(method="GET", path=paths.SHORT, handler=self._short, summary="The same of one dossier.")
        yield RouteDef(
            method="GET", path=paths.SHORT_UPPER, handler=self._short, summary="The same, for smaller QR codes."
        )
        if self._proofs or self._work is not None:
            yield RouteDef(method="POST", path=PATH, handler=self._handed_in, summary="The same page, with a proof.")
        yield from (each.route for each in (self._style, self._print, self._receipt, self._worker))
        yield from self._solver.routes()

    # ---- asking

    async def _page(self, request: web.Request) -> web.Response:
        typed = request.query.get("ma")
        if typed is None:
            return self._render(request, _Typed(), None)
        return await self._answer(request, _Typed(code=typed))

    async def _short(self, request: web.Request) -> web.Response:
        return await self._answer(request, _Typed(code=request.match_info["code"]))

    async def _handed_in(self, request: web.Request) -> web.Response:
        form = read_form(await request.read())
        given = {name: form.get(name, "") for name in ("last_four", "secret", "work")}
        return await self._answer(request, _Typed(code=form.get("ma", ""), posted=True, **given))

    async def _answer(self, request: web.Request, typed: _Typed) -> web.Response:
        language = self._clients.language(request)
        if typed.unreadable:
            return self._render(request, typed, self._teller.problem(ProblemKind.NO_PROOF, language))
        shown = await self._told(request, typed, language)
        return self._render(
            request, typed, shown if typed.proof is None else self._teller.after_a_proof(shown, language)
        )

    async def _told(self, request: web.Request, typed: _Typed, language: str) -> Told | Problem:
        asker = self._clients.address(request)
        try:
            worked = await self._worked(typed.work)
            question = Question(text=typed.code, asker=asker, proof=typed.proof, worked=worked)
            answer = (await self._asker.answer(question)).answer
        except GatewayError:  # our own trouble is told as such; whoever raised it has logged it
            return self._teller.problem(ProblemKind.INTERNAL, language)
        return self._teller.tell(answer, language, self._clock())

    async def _worked(self, work: str) -> bool:
        if self._work is None or not work or len(work) > LONGEST_WORK:
            return False
        return await self._work.verify(work, "")

    # ---- showing

    def _render(self, request: web.Request, typed: _Typed, shown: Told | Problem | None) -> web.Response:
        told = shown if isinstance(shown, Told) else None
        problem = shown if isinstance(shown, Problem) else None
        language, catalogue = self._clients.language(request), self._teller.catalogue
        echo = told.reference if told else safe_text(typed.code, LONGEST_ECHO)
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
            notice=self._teller.notice(language, self._clock()),
            style=self._style.path,
            procedures=link(self._procedures, language) if self._procedures else "",
            guides=link(self._guides, language) if self._guides else "",
            path=PATH,
            prove=link(PATH, language) if self._proofs and _asks_for_proof(shown) else "",
            work=self._asked_work(typed, problem, language),
            follow=link(self._follows, language) if self._follows and _may_change(told) else "",
            scripts=self._scripts(shown),
            paper=self._paper(request, told, language),
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

    def _asked_work(self, typed: _Typed, problem: Problem | None, language: str) -> Mapping[str, Any] | None:
        """The form that a script fills in. What was handed in already goes with it; nobody works twice by himself."""
        if self._work is None or problem is None or problem.kind is not ProblemKind.WORK_NEEDED:
            return None
        return {
            "challenge": msgspec.json.encode(self._work.challenge("")).decode(),
            "solver": self._solver.path,
            "action": link(PATH, language),
            "last_four": safe_text(typed.last_four, LONGEST_NUMBER),
            "secret": safe_text(typed.secret, LONGEST),
            "again": bool(typed.work),
        }

    def _scripts(self, shown: Told | Problem | None) -> Sequence[StaticFile]:
        """What helps on this page, in the order in which it must run."""
        wanted = (
            (self._receipt, shown is not None and self._proofs),
            (self._worker, isinstance(shown, Problem) and shown.kind is ProblemKind.WORK_NEEDED),
            (self._print, isinstance(shown, Told)),
        )
        return [script for script, needed in wanted if needed]

    def _paper(self, request: web.Request, told: Told | None, language: str) -> Mapping[str, Any] | None:
        """What only paper needs: when it was looked up, and the way back to the page."""
        if told is None:
            return None
        address = short_link(own_address(request, self._base_url), told.reference)
        return {
            "at": self._teller.catalogue.moment(language, self._clock()),
            "qr": qr_code(address) if address else "",
            "address": address,
        }


def _may_change(told: Told | None) -> bool:
    return told is not None and not told.stale and told.name not in OVER


def _asks_for_proof(shown: Told | Problem | None) -> bool:
    if isinstance(shown, Told):
        return not shown.proved
    return shown is not None and shown.kind in ASKS_FOR_PROOF


async def _redirect(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": PATH})
