"""/huong-dan and /to-roi: how to ask by text message, to be printed and put up; an agency's own page, and a leaflet for all.

Whole without a script. What a page tells to type is read by the same reader as a message (tests).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from channels.base import RouteDef
from channels.web import paths
from channels.web.client import choose_language
from channels.web.guide_facts import (
    Chats,
    by_level,
    ended_on,
    exactly,
    example_code,
    example_day,
    found,
    no_chats,
    old_receipts,
    words_to_type,
)
from channels.web.layout import HEADERS, Stylesheet, environment, link, page_texts
from channels.web.problem import ProblemKind
from channels.web.qr import own_address, qr_code
from channels.web.static_file import StaticFile
from channels.web.telling import Teller
from domain.agencies import Agencies, Agency
from domain.calendar import local_day
from domain.text import safe_text, unaccent

PATH = paths.GUIDES
LEAFLET_PATH = paths.LEAFLET
LONGEST_ECHO = 120  # characters of what was typed that are shown again
SECTIONS = ("page", "label", "guide", "leaflet", "print")
WORKED_ON = timedelta(days=14)  # until the result of the example
# These pages hold nothing of anybody: they may be found, and be kept for a while.
OPEN = {name: value for name, value in HEADERS.items() if name != "X-Robots-Tag"}
KEPT_BY_ALL, KEPT_BY_READER = "public, max-age=300", "private, max-age=300"  # see channels.web.qr.own_address


class GuidePages:
    """The routes. `numbers`: of the SMS accounts; `chats`: the bots there are now, each with its link. `base_url`: how
    citizens reach us, empty for what the browser called. The style sheet and the script are served by the look-up page.
    """

    __slots__ = (
        "_agencies",
        "_base_url",
        "_chats",
        "_clock",
        "_numbers",
        "_print",
        "_style",
        "_teller",
        "_templates",
        "_texts",
    )

    def __init__(
        self,
        *,
        teller: Teller,
        agencies: Agencies,
        clock: Callable[[], datetime],
        numbers: Sequence[str] = (),
        chats: Chats = no_chats,
        base_url: str = "",
    ) -> None:
        self._teller = teller
        self._agencies = agencies
        self._clock = clock
        self._numbers = tuple(dict.fromkeys(numbers))
        self._chats = chats
        self._base_url = base_url
        self._style = Stylesheet()
        self._print = StaticFile("print.js")
        pages = environment()
        self._templates = {name: pages.get_template(f"{name}.html") for name in ("guides", "guide", "leaflet")}
        self._texts = {
            language: page_texts(teller.catalogue, language, SECTIONS) for language in teller.catalogue.languages
        }

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(
            method="GET", path=paths.GUIDES, handler=self._list, summary="Agencies: how to ask them by text message."
        )
        yield RouteDef(method="GET", path=paths.GUIDE, handler=self._guide, summary="One agency's page, to be printed.")
        yield RouteDef(
            method="GET", path=paths.LEAFLET, handler=self._leaflet, summary="A leaflet for everybody, to be printed."
        )

    async def _list(self, request: web.Request) -> web.Response:
        today = local_day(self._clock())
        typed = safe_text(request.query.get("tim", ""), LONGEST_ECHO)
        language = self._language(request)
        hits = found(self._agencies, typed, today)
        return self._page(
            request,
            "guides",
            PATH,
            query={"tim": typed},
            typed=typed,
            searched=bool(typed),
            hits=[(each, self._address(each, language), self._successor(each)) for each in hits],
            levels={
                level: [(each, self._address(each, language)) for each in agencies]
                for level, agencies in by_level(self._agencies, today).items()
                if agencies
            },
        )

    async def _guide(self, request: web.Request) -> web.Response:
        agency = exactly(self._agencies, request.match_info["agency"])
        language, today = self._language(request), local_day(self._clock())
        if agency is None:
            problem = self._teller.problem(ProblemKind.AGENCY_UNKNOWN, language)
            return self._page(
                request,
                "guides",
                PATH,
                status=problem.kind.status,
                problem=problem,
                typed="",
                searched=False,
                hits=(),
                levels={},
            )
        ended, successor = ended_on(agency, today), self._successor(agency)
        return self._page(
            request,
            "guide",
            f"{PATH}/{agency.identifier}",
            agency=agency,
            name=agency.name(language),
            answering=successor or agency,
            answering_name=(successor or agency).name(language),
            ended=self._teller.catalogue.day(language, ended) if ended else "",
            successor=(successor.name(language), self._address(successor, language)) if successor else None,
            receipts=old_receipts(agency, self._agencies, today),
            **self._examples(agency, successor or agency, language),
            **self._ways(request),
        )

    async def _leaflet(self, request: web.Request) -> web.Response:
        agency, language = self._agencies.default, self._language(request)
        return self._page(
            request,
            "leaflet",
            LEAFLET_PATH,
            agency=agency,
            **self._examples(agency, agency, language),
            **self._ways(request),
        )

    # ---- what pages say

    def _examples(self, agency: Agency, answering: Agency, language: str) -> Mapping[str, Any]:
        code, catalogue = example_code(agency), self._teller.catalogue
        accents = language != catalogue.default  # as an SMS leaves unless somebody wished otherwise
        name = answering.short_name if accents else unaccent(answering.short_name)
        reply = catalogue.text(
            language,
            "reply.in_process",
            accents=accents,
            code=code,
            agency=name,
            due_on=catalogue.day(language, example_day(agency) + WORKED_ON),
            phone=self._phone(answering),
        )
        return {"say": words_to_type(code), "reply": reply, "phone": self._phone(answering)}

    def _ways(self, request: web.Request) -> Mapping[str, Any]:
        here = own_address(request, self._base_url)
        address = f"{here}{paths.LOOK_UP}" if here else ""
        return {
            "numbers": self._numbers,
            "chats": self._chats(),
            "address": address.partition("://")[2],
            "qr": qr_code(address) if address else "",
        }

    def _phone(self, agency: Agency) -> str:
        return agency.phone or self._agencies.default.phone

    def _successor(self, agency: Agency) -> Agency | None:
        """Who does its work today, if that is somebody else."""
        answering = self._agencies.answering(agency.identifier, local_day(self._clock()))
        return None if answering is agency else answering

    def _address(self, agency: Agency, language: str) -> str:
        return link(f"{PATH}/{agency.identifier}", language)

    # ---- pages

    def _language(self, request: web.Request) -> str:
        return choose_language(request, self._teller.catalogue.languages)

    def _page(
        self,
        request: web.Request,
        template: str,
        path: str,
        *,
        status: int = 200,
        query: Mapping[str, str] | None = None,
        **values: Any,  # noqa: ANN401 - whatever the template shows
    ) -> web.Response:
        language = self._language(request)
        catalogue = self._teller.catalogue
        page = self._templates[template].render(
            {
                "language": language,
                "texts": self._texts[language],
                "fill": lambda key, **given: catalogue.text(language, f"web.guide.{key}", **given),
                "others": [
                    (each, self._texts[each]["page"]["this_language"], link(path, each, **(query or {})))
                    for each in self._texts
                ],
                "help_desk": self._teller.help_desk(language),
                "notice": self._teller.notice(language, self._clock()),
                "style": self._style.path,
                "script": self._print.path,
                "path": PATH,
                "all": link(PATH, language),
                "leaflet": link(LEAFLET_PATH, language),
                "start": link(paths.LOOK_UP, language),
                "problem": None,
                **values,
            }
        )
        return web.Response(
            status=status,
            text=page,
            content_type="text/html",
            headers={
                **OPEN,
                "Cache-Control": KEPT_BY_ALL if self._base_url else KEPT_BY_READER,
                "Content-Language": language,
            },
        )
