"""/tra-cuu: the look-up page. Rendered here, whole without a script, in every language there are texts for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from channels.base import RouteDef
from channels.web.asking import Asker
from channels.web.client import Network, choose_language, client_address
from channels.web.problem import Problem, ProblemKind
from channels.web.telling import Teller, Told
from domain.catalogue import Catalogue
from domain.errors import GatewayError
from domain.questions import Question
from domain.text import safe_text

HERE = Path(__file__).parent
PATH = "/tra-cuu"
LONGEST_ECHO = 120  # characters of what was typed that are shown again
SECTIONS = ("page", "label", "error", "place")

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",  # counter computers are shared
    "Referrer-Policy": "same-origin",  # a code stands in the address
    "X-Robots-Tag": "noindex",
    "Vary": "Accept-Language",
}
FOREVER = "public, max-age=31536000, immutable"


class LookUpPage:
    """The page's routes. `clock` gives aware moments; `trusted` are the proxies whose X-Forwarded-For is believed."""

    __slots__ = ("_asker", "_clock", "_style", "_style_path", "_teller", "_template", "_texts", "_trusted")

    def __init__(
        self, *, asker: Asker, teller: Teller, clock: Callable[[], datetime], trusted: Sequence[Network] = ()
    ) -> None:
        self._asker = asker
        self._teller = teller
        self._clock = clock
        self._trusted = tuple(trusted)
        self._style = (HERE / "static" / "look-up.css").read_bytes()
        self._style_path = f"/static/look-up.{hashlib.blake2b(self._style, digest_size=8).hexdigest()}.css"
        self._template = _environment().get_template("look-up.html")
        self._texts = {language: _texts(teller.catalogue, language) for language in teller.catalogue.languages}

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(method="GET", path="/", handler=_redirect, summary="Leads to the look-up page.")
        yield RouteDef(method="GET", path=PATH, handler=self._page, summary="The look-up page: ?ma=code, ?lang=vi|en.")
        yield RouteDef(method="GET", path=self._style_path, handler=self._stylesheet, summary="Its style sheet.")

    async def _page(self, request: web.Request) -> web.Response:
        language = choose_language(request, self._teller.catalogue.languages)
        typed = request.query.get("ma")
        if typed is None:
            return self._render(language, "", None)
        return self._render(language, typed, await self._told(request, typed, language))

    async def _told(self, request: web.Request, typed: str, language: str) -> Told | Problem:
        try:
            answer = await self._asker.answer(Question(text=typed, asker=client_address(request, self._trusted)))
        except GatewayError:  # our own trouble is told as such; whoever raised it has logged it
            return self._teller.problem(ProblemKind.INTERNAL, language)
        return self._teller.tell(answer, language, self._clock())

    def _render(self, language: str, typed: str, shown: Told | Problem | None) -> web.Response:
        told = shown if isinstance(shown, Told) else None
        problem = shown if isinstance(shown, Problem) else None
        catalogue = self._teller.catalogue
        echo = told.code if told else safe_text(typed, LONGEST_ECHO)
        page = self._template.render(
            language=language,
            texts=self._texts[language],
            others=[(each, self._texts[each]["page"]["this_language"], _link(echo, each)) for each in self._texts],
            typed=echo,
            told=told,
            problem=problem,
            candidates=[(code, _link(code, language)) for code in problem.candidates] if problem else (),
            help_desk=self._teller.help_desk(language),
            style=self._style_path,
            path=PATH,
            start=_link("", language),
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

    async def _stylesheet(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self._style, content_type="text/css", charset="utf-8", headers={"Cache-Control": FOREVER}
        )


async def _redirect(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": PATH})


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _texts(catalogue: Catalogue, language: str) -> Mapping[str, Mapping[str, str]]:
    return {name: catalogue.section(language, f"web.{name}") for name in SECTIONS}


def _link(typed: str, language: str) -> str:
    """The page in a language, with what was typed if anything was."""
    query = {"ma": typed, "lang": language} if typed else {"lang": language}
    return f"{PATH}?{urlencode(query)}"
