"""/api and /problems/…: the API for people who write programs, printed from the same document that programs read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp import web

from channels.base import RouteDef
from channels.web import paths
from channels.web.api_examples import CHALLENGE
from channels.web.client import choose_language
from channels.web.layout import HEADERS, Stylesheet, environment, link, page_texts
from channels.web.openapi import ApiDocument, Document, chapter_texts, plain
from channels.web.problem import ProblemKind
from channels.web.qr import own_address
from channels.web.telling import Teller

SECTIONS = ("page", "api", "api_text", "problem", "error")
TECHNICAL = "api_text"
TECHNICAL_IN = "en"  # where nobody has translated a technical text
# Each chapter is a heading of web.api and paragraphs of web.api_text: sites_1, sites_2, …
CHAPTERS = ("sites", "languages", "limits", "work", "keeping", "errors", "versions")
SOLUTION = {
    "challenge": plain(CHALLENGE),
    "solution": {"counter": 112, "derivedKey": "a10d66a16eda87da2efc887b93f65c9b…"},
}
BY_SLUG: Mapping[str, ProblemKind] = {kind.type_uri.rpartition("/")[2]: kind for kind in ProblemKind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One operation as the page shows it; examples are JSON in lines, empty where there is none."""

    name: str
    method: str
    path: str
    summary: str
    parameters: Sequence[Document]
    request: str
    answer: str
    answers: Sequence[tuple[str, str, Sequence[str]]]  # status, description, names of headers


@dataclass(frozen=True, slots=True)
class Chapter:
    """A heading with its paragraphs."""

    name: str
    paragraphs: Sequence[str]


class ApiPages:
    """The routes. `clock` gives aware moments; `base_url`: how citizens reach us, empty: what the browser called. The
    style sheet is served by the look-up page.
    """

    __slots__ = ("_base_url", "_clock", "_document", "_guide", "_problem", "_style", "_teller", "_texts")

    def __init__(
        self, *, document: ApiDocument, teller: Teller, clock: Callable[[], datetime], base_url: str = ""
    ) -> None:
        self._document = document
        self._teller = teller
        self._clock = clock
        self._base_url = base_url
        self._style = Stylesheet()
        templates = environment()
        self._guide, self._problem = templates.get_template("api.html"), templates.get_template("problem.html")
        self._texts = {
            language: page_texts(teller.catalogue, language, SECTIONS) for language in teller.catalogue.languages
        }

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(method="GET", path=paths.API_GUIDE, handler=self._show, summary="The API, for people.")
        yield RouteDef(
            method="GET", path=paths.PROBLEM, handler=self._explain, summary="What a problem of the API means."
        )

    async def _show(self, request: web.Request) -> web.Response:
        language = choose_language(request, self._teller.catalogue.languages)
        address = own_address(request, self._base_url)
        texts = self._texts[language]
        page = self._guide.render(
            **self._around(language, paths.API_GUIDE),
            operations=list(shown_operations(self._document.told(language), address, language)),
            chapters=[Chapter(name, chapter_texts(texts[TECHNICAL], name)) for name in CHAPTERS],
            problems=[(kind, texts["problem"][kind.key]) for kind in ProblemKind],
            technical=self._technical(language),
            address=address + paths.API,
            document=link(paths.OPENAPI, language),
            integrate=link(paths.INTEGRATE, language),
            challenge=in_lines(plain(CHALLENGE)),
            solution=in_lines(SOLUTION),
        )
        return self._send(page, language)

    async def _explain(self, request: web.Request) -> web.Response:
        kind = BY_SLUG.get(request.match_info["slug"])
        if kind is None:
            raise web.HTTPNotFound
        language = choose_language(request, self._teller.catalogue.languages)
        texts, wait = self._texts[language], kind.value[3]
        waiting = self._teller.catalogue.text(language, "web.api.problem_wait", seconds=str(wait))
        page = self._problem.render(
            **self._around(language, kind.type_uri),
            kind=kind,
            title=texts["problem"][kind.key],
            detail=texts["error"][kind.key],
            wait=waiting if wait else "",
            guide=f"{link(paths.API_GUIDE, language)}#errors",
        )
        return self._send(page, language)

    def _around(self, language: str, path: str) -> Mapping[str, Any]:
        """What the layout shows on every page."""
        return {
            "language": language,
            "texts": self._texts[language],
            "others": [(each, self._texts[each]["page"]["this_language"], link(path, each)) for each in self._texts],
            "help_desk": self._teller.help_desk(language),
            "notice": self._teller.notice(language, self._clock()),
            "style": self._style.path,
            "start": link(paths.LOOK_UP, language),
        }

    def _technical(self, language: str) -> str:
        """The language the technical texts are in."""
        if TECHNICAL_IN not in self._texts:
            return language
        same = self._texts[language][TECHNICAL] == self._texts[TECHNICAL_IN][TECHNICAL]
        return TECHNICAL_IN if same else language

    def _send(self, page: str, language: str) -> web.Response:
        headers = {**HEADERS, "Content-Language": language}
        return web.Response(text=page, content_type="text/html", headers=headers)


def shown_operations(document: Document, address: str, language: str) -> Iterable[Shown]:
    """Every operation of the document, in its order."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            status = next(iter(operation["responses"]))
            yield Shown(
                name=operation["operationId"],
                method=method.upper(),
                path=path,
                summary=operation["summary"],
                parameters=operation["parameters"],
                request=curl(address + path, operation, language),
                answer=in_lines(example_of(operation["responses"][status])),
                answers=[
                    (number, told["description"], list(told.get("headers", ())))
                    for number, told in operation["responses"].items()
                ],
            )


def example_of(answer: Mapping[str, Any]) -> Any:  # noqa: ANN401  # any JSON
    """The example of a request's body or of an answer; None: there is none."""
    return next((each["example"] for each in answer.get("content", {}).values() if "example" in each), None)


def in_lines(example: Any) -> str:  # noqa: ANN401  # any JSON
    """JSON as people read it."""
    return "" if example is None else json.dumps(example, ensure_ascii=False, indent=2)


def curl(address: str, operation: Mapping[str, Any], language: str) -> str:
    """A command that asks this, with what must be given and in this language."""
    query = {}
    for each in operation["parameters"]:
        if each["in"] == "path":
            address = address.replace(f"{{{each['name']}}}", quote(str(each["example"]), safe=""))
        elif each["name"] == "q":
            query["q"] = each["example"]
    query["lang"] = language
    parts = [f"curl '{address}?{urlencode(query)}'"]
    if "requestBody" in operation:
        body = json.dumps(example_of(operation["requestBody"]), ensure_ascii=False)
        parts += ["-H 'Content-Type: application/json'", f"-d '{body}'"]
    return " \\\n  ".join(parts)
