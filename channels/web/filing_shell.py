"""What all pages for filing online share: headers that keep a secret link secret, whose form it is, and how a page is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import quote

from aiohttp import web
from jinja2 import Template

from channels.web import paths
from channels.web.client import Clients
from channels.web.filing_desk import FilingDesk, UploadDesk
from channels.web.layout import HEADERS, Stylesheet, environment, link, page_texts
from channels.web.problem import Problem, ProblemKind
from channels.web.sites import is_ours
from channels.web.static_file import StaticFile
from channels.web.static_modules import SOLVER, StaticModules
from channels.web.telling import Teller
from channels.web.work import WorkDesk
from domain.agencies import Agencies
from domain.errors import GatewayError
from domain.message import Address

SECTIONS: Final = (
    "page",
    "label",
    "procedures",
    "procedure",
    "forms",
    "follow",
    "work",
    "print",
    "filing",
    "filing_field",
    "filing_fault",
    "filing_step",
    "filing_act",
    "upload_fault",
    "state",
    "todo",
)
# The address is the secret: it goes nowhere by a link, into no cache and into no index.
SECRET: Final = {**HEADERS, "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow, noarchive"}
FOREIGN: Final = frozenset({"cross-site", "same-site"})  # Sec-Fetch-Site of a form on somebody else's page
MOST_FIELDS: Final = 16  # of the longest form

Decided = TypeVar("Decided")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilingParts:
    """What the pages are made of. `admit` says whether this address may ask once more; `clock` gives aware moments;
    `numbers` are those of the SMS accounts; `base_url`: how citizens reach us, empty for what the browser called;
    `most_body`: bytes of a form without files.
    """

    desk: FilingDesk
    uploads: UploadDesk
    teller: Teller
    agencies: Agencies
    clients: Clients
    work: WorkDesk
    admit: Callable[[Address], Awaitable[bool]]
    clock: Callable[[], datetime]
    numbers: Sequence[str] = ()
    base_url: str = ""


class FilingShell:
    """One for all pages. The pages' style sheet and the script for a proof of work are served by the look-up page."""

    def __init__(self, parts: FilingParts) -> None:
        self.parts = parts
        self.style, self.own_style = Stylesheet(), StaticFile("filing.css")
        self.worker, self.solver = StaticFile("work.js"), StaticModules(*SOLVER)
        self.printing = StaticFile("print.js")
        pages, catalogue = environment(), parts.teller.catalogue
        self._templates: Mapping[str, Template] = {
            name: pages.get_template(f"{name}.html")
            for name in ("filing", "filing-procedure", "filing-draft", "filing-dossier", "filing-none")
        }
        self._texts = {language: page_texts(catalogue, language, SECTIONS) for language in catalogue.languages}

    def language(self, request: web.Request) -> str:
        return self.parts.clients.language(request)

    def texts(self, language: str) -> Mapping[str, Mapping[str, str]]:
        return self._texts[language]

    def agency(self, identifier: str, language: str) -> str:
        found = self.parts.agencies.find(identifier)
        return found.name(language) if found else identifier

    def foreign(self, request: web.Request) -> bool:
        """A browser that says so sends a form of somebody else's page. Our own say "null" where a page keeps its address
        to itself, and old ones nothing: there the secret of the link is what a foreign page does not have.
        """
        headers = request.headers
        if headers.get("Sec-Fetch-Site", "") in FOREIGN:
            return True
        origin = headers.get("Origin", "null")
        return origin != "null" and not is_ours(origin, request.host, self.parts.base_url)

    async def refused(self, request: web.Request) -> web.Response | None:
        """An address that asks too often, and our own trouble, told; None: go on."""
        try:
            admitted = await self.parts.admit(self.parts.clients.address(request))
        except GatewayError:  # our own trouble is told as such; whoever raised it has logged it
            return self.problem(request, ProblemKind.INTERNAL)
        return None if admitted else self.problem(request, ProblemKind.REFUSED)

    async def decided(self, request: web.Request, answer: Awaitable[Decided]) -> Decided | web.Response:
        """What was decided, or a page that says our store is away."""
        try:
            return await answer
        except GatewayError:  # the same
            return self.problem(request, ProblemKind.INTERNAL)

    def problem(self, request: web.Request, kind: ProblemKind) -> web.Response:
        problem = self.parts.teller.problem(kind, self.language(request))
        return self.page(request, "filing-none", paths.FILING, status=kind.status, problem=problem)

    def nothing(self, request: web.Request) -> web.Response:
        """The link opens nothing, or nothing any more."""
        return self.page(request, "filing-none", paths.FILING, status=HTTPStatus.NOT_FOUND, problem=None)

    def page(
        self,
        request: web.Request,
        template: str,
        path: str,
        *,
        status: int = HTTPStatus.OK,
        query: Mapping[str, str] | None = None,
        **values: Any,  # noqa: ANN401 - whatever the template shows
    ) -> web.Response:
        language, teller = self.language(request), self.parts.teller
        problem: Problem | None = values.get("problem")
        shown: dict[str, Any] = {
            "language": language,
            "texts": self._texts[language],
            "fill": lambda key, **given: teller.catalogue.text(language, f"web.{key}", **given),
            "day": lambda day: teller.catalogue.day(language, day),
            "moment": lambda moment: teller.catalogue.moment(language, moment),
            "others": [
                (each, self._texts[each]["page"]["this_language"], link(path, each, **(query or {})))
                for each in self._texts
            ],
            "help_desk": teller.help_desk(language),
            "notice": teller.notice(language, self.parts.clock()),
            "style": self.style.path,
            "own_style": self.own_style.path,
            "scripts": (),
            "start": link(paths.LOOK_UP, language),
            "filing": link(paths.FILING, language),
            "problem": problem,
        }
        return web.Response(
            status=status,
            text=self._templates[template].render(shown | values),
            content_type="text/html",
            headers={**SECRET, "Content-Language": language, **(problem.kind.headers if problem else {})},
        )


def at(path: str, token: str) -> str:
    """The address of a draft or a dossier under a path; whatever stands for the secret is no header of its own."""
    return path.replace("{token}", quote(token, safe=""))


def sent_on(path: str, language: str, **query: str) -> web.Response:
    """What was asked for is done; the browser is to look there."""
    headers = {**SECRET, "Location": link(path, language, **query)}
    return web.Response(status=HTTPStatus.SEE_OTHER, headers=headers)
