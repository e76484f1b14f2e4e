"""A gateway with a widget, a page for webmasters and a made-up API; and sites of other origins to paste things into."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from channels.base import RouteDef
from channels.web import paths
from channels.web.cross_origin import CrossOrigin
from channels.web.embed import EmbedPage
from channels.web.integrate import IntegratePage
from channels.web.layout import Stylesheet
from channels.web.ports import UseKey
from channels.web.sites import Sites
from channels.web.telling import Teller
from channels.web.widget_files import WidgetFiles
from domain.agencies import Agencies
from domain.catalogue import Catalogue
from domain.sites import Site
from gateway.http import make_app, public_routes
from tests.browser.browsing import LOOPBACK, serving
from tests.unit.speaking import CONFIG, NOW, shipped_agencies

KEY = "ts_abcdefghijklmn27"
REVOKED = "ts_zzzzzzzzzzzzzz22"
CODE = "H51.18-250701-0004"
STRICT: Mapping[str, Sequence[str]] = {
    "default-src": ["'none'"],
    "style-src": ["'self'"],
    "img-src": ["'self'"],
    "base-uri": ["'none'"],
    "require-trusted-types-for": ["'script'"],
    "trusted-types": ["'none'"],
}
ANSWER = {
    "code": CODE,
    "status": 4,
    "status_name": "in_process",
    "status_text": "Đang xử lý",
    "sentence": "Hồ sơ đang được xử lý tại Sở Nông nghiệp và Môi trường.",
    "what_to_do": "Cơ quan đang giải quyết. Ông/bà chưa cần nộp thêm giấy tờ.",
    "received_on": "2026-10-01",
    "due_on": "2026-10-12",
    "due_unknown": False,
    "finished_on": None,
    "returned_on": None,
    "overdue": False,
    "agency": {"name": "Sở Nông nghiệp và Môi trường", "phone": "02993 013010"},
    "as_of": "2026-10-08T14:29:30+07:00",
    "stale": False,
    "tier": "public",
    "page": f"/d/{CODE}",
}


def catalogue() -> Catalogue:
    """All three languages."""
    return Catalogue.from_mapping(
        {
            language: tomllib.loads((CONFIG / "texts" / f"{language}.toml").read_text(encoding="utf-8"))
            for language in ("vi", "en", "km")
        }
    )


@dataclass
class Book:
    """Keeps sites in a list."""

    kept: list[Site] = field(default_factory=list)

    async def sites(self) -> Sequence[Site]:
        return self.kept

    async def add(self, site: Site) -> None:
        self.kept.append(site)

    async def change(self, key: str, **_: Any) -> bool:
        raise NotImplementedError(key)

    async def revoke(self, key: str, at: datetime) -> bool:
        raise NotImplementedError(key, at)

    async def count(self, uses: Mapping[UseKey, int]) -> None:
        raise NotImplementedError(uses)

    async def used(self, key: str, since: object) -> Sequence[Any]:
        raise NotImplementedError(key, since)


@dataclass
class Gateway:
    """Where it listens, and what its API was asked, as (code, site)."""

    address: str
    book: Book
    sites: Sites
    asked: list[tuple[str, str]]

    async def forget(self) -> None:
        """All sites, and what was asked."""
        self.book.kept.clear()
        self.asked.clear()
        await self.sites.refresh()

    async def register(self, *origins: str, key: str = KEY, revoked_at: datetime | None = None) -> None:
        site = Site(
            key=key,
            name="Sở mẫu",
            agency="",
            origins=origins,
            secret_digest="0" * 64,
            created_at=datetime(2026, 11, 1, tzinfo=UTC),
            revoked_at=revoked_at,
        )
        await self.book.add(site)
        await self.sites.refresh()


@asynccontextmanager
async def gateway() -> AsyncIterator[Gateway]:
    """One on a free port, without a site yet."""
    asked: list[tuple[str, str]] = []

    async def dossier(request: web.Request) -> web.Response:
        asked.append((request.match_info["code"], request.query.get("site", "")))
        return web.json_response(ANSWER, headers={"Cache-Control": "no-store"})

    async def look_up(request: web.Request) -> web.Response:
        return web.Response(text=f"our own page: {request.query_string}", content_type="text/plain")

    book = Book()
    sites = Sites(book, lambda: NOW)
    teller = Teller(catalogue(), Agencies.from_mapping(shipped_agencies()))
    released = WidgetFiles()
    api = RouteDef(method="GET", path=paths.API_DOSSIER, handler=dossier, summary="A dossier.")
    own = RouteDef(method="GET", path=paths.LOOK_UP, handler=look_up, summary="Our own page.")
    pages = IntegratePage(teller=teller, sites=sites, released=released, clock=lambda: NOW)
    routes = [
        *CrossOrigin(sites=sites, teller=teller, clock=lambda: NOW).wrap([api]),
        own,
        *pages.routes(),
        *EmbedPage(teller=teller, sites=sites).routes(),
        *released.routes(),
        Stylesheet().route,
    ]
    async with serving(make_app(public_routes(routes))) as address:
        yield Gateway(address, book, sites, asked)


@dataclass
class Host:
    """A site that is not ours: whatever was pasted into an empty page, under a policy of its own."""

    address: str = ""
    body: str = ""
    policy: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def allow(self, *lines: str) -> None:
        """The strict policy, with these lines added."""
        allowed = {directive: list(sources) for directive, sources in STRICT.items()}
        for line in lines:
            directive, *sources = line.split()
            allowed.setdefault(directive, []).extend(sources)
        self.policy = "; ".join(" ".join((directive, *sources)) for directive, sources in allowed.items())

    async def serve(self, _: web.Request) -> web.Response:
        page = (
            '<!doctype html><html lang="vi"><head><meta charset="utf-8"><title>Trang của cơ quan</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<link rel="icon" href="/icon.svg"></head><body><main><h1>Cơ quan</h1>{self.body}</main></body></html>'
        )
        return web.Response(
            text=page, content_type="text/html", headers={"Content-Security-Policy": self.policy, **self.headers}
        )


@asynccontextmanager
async def hosting() -> AsyncIterator[Host]:
    """A site on a free port of its own: another origin."""
    host = Host()
    host.allow()
    app = web.Application()
    app.router.add_get("/", host.serve)
    app.router.add_get("/icon.svg", _icon)
    async with serving(app) as address:
        host.address = address
        yield host


async def _icon(_: web.Request) -> web.Response:
    return web.Response(text='<svg xmlns="http://www.w3.org/2000/svg"/>', content_type="image/svg+xml")


def elsewhere(address: str) -> str:
    """The same server under another name: an origin that is registered nowhere."""
    return address.replace(LOOPBACK, "localhost")
