"""The page for an address there is not: somebody mistyped one, or followed an old link, and still has a question."""

from __future__ import annotations

from aiohttp import web

from channels.web import paths
from channels.web.client import choose_language
from channels.web.layout import HEADERS, Stylesheet, environment, link, page_texts
from channels.web.telling import Teller

SECTIONS = ("page", "lost", "procedures")


class LostPage:
    """Shows where everything is. The style sheet is served by the look-up page."""

    __slots__ = ("_style", "_teller", "_template", "_texts")

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._style = Stylesheet()
        self._template = environment().get_template("lost.html")
        self._texts = {
            language: page_texts(teller.catalogue, language, SECTIONS) for language in teller.catalogue.languages
        }

    async def show(self, request: web.Request) -> web.Response:
        """404, in the reader's language."""
        language = choose_language(request, self._teller.catalogue.languages)
        page = self._template.render(
            language=language,
            texts=self._texts[language],
            others=[
                (each, self._texts[each]["page"]["this_language"], link(paths.LOOK_UP, each)) for each in self._texts
            ],
            help_desk=self._teller.help_desk(language),
            style=self._style.path,
            start=link(paths.LOOK_UP, language),
            procedures=link(paths.PROCEDURES, language),
        )
        return web.Response(
            status=404, text=page, content_type="text/html", headers={**HEADERS, "Content-Language": language}
        )
