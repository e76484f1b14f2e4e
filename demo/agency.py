"""A sample agency's site, at an origin of its own: its pages hold exactly what /integrate shows, under a strict policy.

It is what a webmaster would have: static pages, a policy that allows nothing, and the lines we document added to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from markupsafe import Markup

from channels.base import RouteDef
from channels.web.snippets import Place, policies, snippets
from demo.page_kit import HERE, Templates
from gateway.http import make_app

# Of the agency, before it had heard of us.
POLICY: Mapping[str, tuple[str, ...]] = {
    "default-src": ("'none'",),
    "style-src": ("'self'",),
    "img-src": ("'self'",),
}
FILES: Mapping[str, str] = {"agency.css": "text/css", "agency.svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencySheet:
    """A page of the site: the snippet's form and the language of the look-up. `label`: in the site's menu."""

    path: str
    form: str
    language: str
    label: str
    note: str


SHEETS: Sequence[AgencySheet] = (
    AgencySheet(path="/", form="tags", language="vi", label="Tra cứu hồ sơ", note="đoạn mã hai thẻ"),
    AgencySheet(path="/en", form="pinned", language="en", label="English", note="phiên bản cố định, có mã kiểm tra"),
    AgencySheet(path="/km", form="one", language="km", label="ភាសាខ្មែរ", note="chỉ một thẻ"),
    AgencySheet(path="/khung", form="frame", language="vi", label="Khung iframe", note="khung iframe"),
    AgencySheet(path="/duong-dan", form="link", language="vi", label="Mã QR", note="đường dẫn và mã QR"),
)


class AgencySite:
    """The routes. `places`: what the snippets are made from, by language."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = places
        self._templates = Templates(with_chat=False)
        self._files = {name: (HERE / "static" / name).read_bytes() for name in FILES}

    def app(self) -> web.Application:
        """The whole site."""
        pages = [
            RouteDef(method="GET", path=sheet.path, handler=self._showing(sheet), summary=f"The site: {sheet.form}.")
            for sheet in SHEETS
        ]
        files = RouteDef(method="GET", path="/static/{name}", handler=self._static, summary="Style and picture.")
        return make_app([*pages, files])

    def _showing(self, sheet: AgencySheet) -> Callable[[web.Request], Awaitable[web.Response]]:
        place = self._places[sheet.language]
        policy = with_lines(POLICY, policies(place.gateway)[sheet.form])
        page = self._templates.page(
            "agency.html",
            sheet=sheet,
            sheets=SHEETS,
            snippet=Markup(snippets(place)[sheet.form]),  # noqa: S704 (escaped where it is made)
            policy=policy,
            gateway=place.gateway,
            key=place.key,
        )

        async def show(_: web.Request) -> web.Response:
            return web.Response(text=page.text, content_type="text/html", headers={"Content-Security-Policy": policy})

        return show

    async def _static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._files:
            raise web.HTTPNotFound
        return web.Response(body=self._files[name], content_type=FILES[name])


def with_lines(policy: Mapping[str, Sequence[str]], lines: Sequence[str]) -> str:
    """A policy with more lines in it: what a webmaster makes of the ones that we document."""
    allowed = {directive: list(sources) for directive, sources in policy.items()}
    for line in lines:
        directive, *sources = line.split()
        allowed.setdefault(directive, []).extend(sources)
    return "; ".join(" ".join((directive, *sources)) for directive, sources in allowed.items())
