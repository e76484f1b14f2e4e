"""/integrate: what a webmaster pastes, what it does, and what to do when it does not; whole without a script."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import urlsplit

import segno
from aiohttp import web
from markupsafe import Markup

from channels.base import RouteDef
from channels.web import paths
from channels.web.accent import ENOUGH, OURS, contrast_with_white, read_accent
from channels.web.client import choose_language
from channels.web.layout import HEADERS, Stylesheet, environment, link, page_texts
from channels.web.qr import REMEMBERED, own_address
from channels.web.snippets import PLACEHOLDER, Place, accent_rule, page, policies, snippets
from channels.web.static_file import StaticFile
from channels.web.telling import Teller
from channels.web.widget_options import ATTRIBUTES, EVENTS, PARTS, PROPERTIES, TROUBLES
from domain.sites import Site
from domain.text import safe_text

PATH = paths.INTEGRATE
QR_PATH = paths.INTEGRATE_QR
SECTIONS = ("page", "integrate")
LONGEST_KEY = 40  # characters that are shown again
QR_FOR = "max-age=3600"
ADD_COMMAND = 'tracuu site add --agency H51.18 --origin https://stnmt.example.gov.vn "Sở Tài nguyên và Môi trường"'
QR_QUIET = 4  # modules around the code, as ISO/IEC 18004 asks for


class KnownSites(Protocol):
    """The sites whose keys are in force; held in memory, so that nothing is awaited."""

    def get(self, key: str) -> Site | None: ...


class Released(Protocol):
    """The widget's versions. `integrity`: as a script tag carries it."""

    @property
    def newest(self) -> str: ...

    @property
    def versions(self) -> Sequence[str]: ...

    def integrity(self, version: str) -> str: ...


class IntegratePage:
    """The routes. `base_url`: how citizens reach us, empty for what the browser called; `clock` gives aware moments.
    The common style sheet is served by the look-up page.
    """

    __slots__ = ("_base_url", "_clock", "_files", "_released", "_sites", "_style", "_teller", "_template", "_texts")

    def __init__(
        self,
        *,
        teller: Teller,
        sites: KnownSites,
        released: Released,
        clock: Callable[[], datetime],
        base_url: str = "",
    ) -> None:
        self._teller = teller
        self._sites = sites
        self._released = released
        self._clock = clock
        self._base_url = base_url
        self._style = Stylesheet()
        self._files = (StaticFile("integrate.css"), StaticFile("integrate.js"))
        self._template = environment().get_template("integrate.html")
        self._texts = {
            language: page_texts(teller.catalogue, language, SECTIONS) for language in teller.catalogue.languages
        }

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(
            method="GET", path=PATH, handler=self._page, summary="What a webmaster pastes: ?site=key, ?for=, ?accent=."
        )
        yield RouteDef(method="GET", path=QR_PATH, handler=self._picture, summary="A QR code of the look-up page: SVG.")
        yield from (file.route for file in self._files)

    async def _page(self, request: web.Request) -> web.Response:
        language = self._language(request)
        typed = safe_text(request.query.get("site", ""), LONGEST_KEY)
        site = self._sites.get(typed)
        accent = read_accent(request.query.get("accent", ""))
        chosen = request.query.get("for", "")
        # Whoever reads English may keep a Vietnamese site: the widget's language is not the reader's.
        chosen = chosen if chosen in self._texts else self._teller.catalogue.default
        place = self._place(request, chosen, site, accent)
        css, script = (file.path for file in self._files)
        text = self._template.render(
            language=language,
            texts=self._texts[language],
            others=self._others(typed, place),
            help_desk=self._teller.help_desk(language),
            notice=self._teller.notice(language, self._clock()),
            start=link(paths.LOOK_UP, language),
            style=self._style.path,
            css=css,
            script=script,
            typed=typed,
            site=site,
            accent=accent or OURS,
            pale=f"{contrast_with_white(accent):.1f}" if accent and contrast_with_white(accent) < ENOUGH else "",
            chosen=chosen,
            path=PATH,
            **self._pasted(request, place),
            **_tables(),
            versions=[(each, self._released.integrity(each)) for each in self._released.versions],
            use_page=paths.SITE_USE,
            add_command=ADD_COMMAND,
        )
        return web.Response(text=text, content_type="text/html", headers={**HEADERS, "Content-Language": language})

    async def _picture(self, request: web.Request) -> web.Response:
        """For any page to show; it says nothing but our own address."""
        language = self._language(request)
        return web.Response(
            body=_drawn(page(self._place(request, language, None, ""))),
            content_type="image/svg+xml",
            headers={
                # See channels.web.qr.own_address.
                "Cache-Control": f"{'public' if self._base_url else 'private'}, {QR_FOR}",
                "Cross-Origin-Resource-Policy": "cross-origin",
                "Vary": "Accept-Language",
            },
        )

    def _language(self, request: web.Request) -> str:
        return choose_language(request, self._teller.catalogue.languages)

    def _place(self, request: web.Request, language: str, site: Site | None, accent: str) -> Place:
        texts = self._texts[language]["integrate"]
        return Place(
            gateway=own_address(request, self._base_url),
            key=site.key if site else PLACEHOLDER,
            language=language,
            version=self._released.newest,
            integrity=self._released.integrity(self._released.newest),
            title=texts["link_words"],
            picture=texts["picture_words"],
            accent=accent,
        )

    def _pasted(self, request: web.Request, place: Place) -> Mapping[str, Any]:
        """The snippets as texts; and the first of them as what it is, from where the browser is already: the preview."""
        here = urlsplit(place.gateway).netloc == request.host
        preview = replace(
            place, gateway=place.gateway if here else "", key="" if place.key == PLACEHOLDER else place.key
        )
        return {
            "snippets": snippets(place),
            "policies": policies(place.gateway),
            "accent_rule": accent_rule(place.accent) if place.accent else "",
            "preview": Markup(snippets(preview)["tags"]),  # noqa: S704 (escaped where it is made)
            "picture": f"{QR_PATH}?lang={place.language}",
            "gateway": place.gateway,
        }

    def _others(self, typed: str, place: Place) -> Sequence[tuple[str, str, str]]:
        """The page in each language, with what was chosen."""
        chosen = {"site": typed, "for": place.language, "accent": place.accent}
        return [(each, self._texts[each]["page"]["this_language"], link(PATH, each, **chosen)) for each in self._texts]


@lru_cache(REMEMBERED)
def _drawn(address: str) -> bytes:
    """A picture of its own: it takes 10 ms to draw one."""
    picture = io.BytesIO()
    made = segno.make(address, error="m", micro=False)
    made.save(picture, kind="svg", border=QR_QUIET, light="#fff", xmldecl=False, svgclass=None, lineclass=None)
    return picture.getvalue()


def _tables() -> Mapping[str, object]:
    return {
        "attributes": ATTRIBUTES,
        "properties": PROPERTIES,
        "parts": PARTS,
        "events": EVENTS,
        "troubles": TROUBLES,
    }
