"""/embed: the widget alone on a page, for a frame on an agency's site; without a script a form that opens our own page.

Who may frame it stands with the site's key. For a key there is not, or no more, the page holds a sentence and a link and
nothing to type into: anybody may frame that, so that a reader is led on instead of meeting an empty box.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from aiohttp import web

from channels.base import RouteDef
from channels.web import paths
from channels.web.accent import read_accent
from channels.web.client import choose_language
from channels.web.layout import HEADERS, POLICY, environment, link, page_texts
from channels.web.static_file import StaticFile
from channels.web.telling import Teller
from domain.sites import Site
from domain.text import safe_text

PATH = paths.EMBED
SECTIONS = ("page", "label", "embed")
LONGEST_CODE = 120  # characters
WIDGET = paths.WIDGET.format(version="1", file=paths.WIDGET_FILE)
ANYBODY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors *"
)
# A host that isolates itself (COEP) frames only pages that say the same of themselves and let themselves be loaded.
FRAMED = {"Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Resource-Policy": "cross-origin"}


class FramingSites(Protocol):
    """The sites whose keys are in force; held in memory, so that nothing is awaited."""

    def get(self, key: str) -> Site | None: ...

    def frame_ancestors(self, key: str) -> str:
        """As the policy of a page carries it."""
        ...


class EmbedPage:
    """The routes: the page, its style and its script."""

    __slots__ = ("_css", "_script", "_sites", "_teller", "_template", "_texts")

    def __init__(self, *, teller: Teller, sites: FramingSites) -> None:
        self._teller = teller
        self._sites = sites
        self._css, self._script = StaticFile("embed.css"), StaticFile("embed.js")
        self._template = environment().get_template("embed.html")
        self._texts = {
            language: page_texts(teller.catalogue, language, SECTIONS) for language in teller.catalogue.languages
        }

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(
            method="GET", path=PATH, handler=self._page, summary="The look-up for a frame: ?site=key, ?lang=, ?code=."
        )
        yield self._css.route
        yield self._script.route

    async def _page(self, request: web.Request) -> web.Response:
        language = choose_language(request, self._teller.catalogue.languages)
        key = request.query.get("site", "")
        site = self._sites.get(key)
        page = self._template.render(
            language=language,
            texts=self._texts[language],
            key=key if site else "",
            code=safe_text(request.query.get("code", ""), LONGEST_CODE),
            accent=read_accent(request.query.get("accent", "")),
            look_up=paths.LOOK_UP,
            address=link(paths.LOOK_UP, language),
            widget=WIDGET,
            css=self._css.path,
            script=self._script.path,
        )
        policy = POLICY + self._sites.frame_ancestors(key) if site else ANYBODY
        return web.Response(
            status=200 if site else 404,
            text=page,
            content_type="text/html",
            headers={**HEADERS, **FRAMED, "Content-Security-Policy": policy, "Content-Language": language},
        )
