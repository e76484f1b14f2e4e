"""The whole API on a listener, with everybody behind it answering as told, for the tests of its document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import Any

from aiohttp import web

from channels.base import RouteDef
from channels.web.agencies import AgenciesApi
from channels.web.api import WebApi
from channels.web.api_page import ApiPages
from channels.web.asking import Asker
from channels.web.chat_links import ChatLink
from channels.web.cross_origin import CrossOrigin
from channels.web.follow import FollowPages
from channels.web.health import HealthApi
from channels.web.openapi import ApiDocument
from channels.web.pages import LookUpPage
from channels.web.ports import UseKey
from channels.web.procedures import ProcedurePages
from channels.web.sites import Sites
from channels.web.telling import Teller
from channels.web.work import WorkDesk
from channels.web.work_routes import WorkRoutes
from domain.agencies import Agencies
from domain.catalogue import Catalogue
from domain.message import Address
from domain.pins import PinAnswer, PinOutcome
from domain.sites import Site, Used
from gateway.http import make_app, public_routes
from intake.procedures import Procedures
from tests.unit.asking_the_web import Behind
from tests.unit.speaking import NOW, shipped_agencies, shipped_procedures, shipped_texts

BASE = "https://tracuu.example.gov.vn"
SENT = PinAnswer(outcome=PinOutcome.SENT, token="t0ken", expires_at=NOW + timedelta(minutes=10))
SITE = Site(
    key="ts_k3u7q2m5x4b6n2va",
    name="A site",
    agency="",
    origins=("https://site.example",),
    secret_digest="",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


class Desk:
    """Says the same to everybody who wants to follow."""

    def __init__(self, says: PinAnswer = SENT) -> None:
        self.says = says
        self.asked: list[tuple[str, ...]] = []

    async def ask(
        self,
        asker: Address,
        code: str,
        number: str,
        *,
        language: str,
        words: str,
        site: str = "",
        worked: bool = False,
    ) -> PinAnswer:
        self.asked.append((code, number))
        return self.says

    async def redeem(self, asker: Address, token: str, pin: str) -> PinAnswer:
        self.asked.append((token, pin))
        return self.says


class OneSite:
    """A book with one site, which counts nothing."""

    async def sites(self) -> Sequence[Site]:
        return [SITE]

    async def add(self, site: Site) -> None: ...

    async def change(self, key: str, *, name: str, agency: str, origins: Sequence[str], secret_digest: str) -> bool:
        return False

    async def revoke(self, key: str, at: datetime) -> bool:
        return False

    async def count(self, uses: Mapping[UseKey, int]) -> None: ...

    async def used(self, key: str, since: Any) -> Sequence[Used]:
        return []


class Api:
    """The parts of it: `routes` are those with answers, `document` tells of them, `pages` are for people."""

    def __init__(self, behind: Behind, desk: Desk | None = None, *, base_url: str = BASE, proofs: bool = True) -> None:
        self.teller, self.base_url, self._asker = shipped_teller(), base_url, Asker(behind.ask)
        work = WorkDesk(key=b"a key of the tests", once=_once, clock=utc_now, cost=100) if proofs else None
        given = self._given
        api = WebApi(
            asker=self._asker,
            proofs=proofs,
            work=work,
            base_url=base_url,
            follows=desk is not None,
            chat_links=_links,
            **given,
        )
        procedures = Procedures.from_mapping(shipped_procedures())
        parts: list[Any] = [
            api,
            ProcedurePages(procedures=procedures, admit=_anybody, **given),
            AgenciesApi(agencies=known_agencies(), **given),
            HealthApi(**given),
            *([FollowPages(desk=desk, **given)] if desk is not None else []),
            *([WorkRoutes(desk=work, admit=_anybody, **given)] if work is not None else []),
        ]
        self.routes: list[RouteDef] = [route for part in parts for route in part.routes()]

    @cached_property
    def document(self) -> ApiDocument:
        return ApiDocument(routes=self.routes, teller=self.teller, agencies=known_agencies(), base_url=self.base_url)

    def pages(self) -> Iterable[RouteDef]:
        yield from ApiPages(document=self.document, base_url=self.base_url, **self._given).routes()
        yield from LookUpPage(asker=self._asker, **self._given).routes()

    async def app(self, *, told: bool = False) -> web.Application:
        """`told`: with the document and the pages."""
        sites = Sites(OneSite(), lambda: NOW)
        await sites.refresh()
        crossing = CrossOrigin(sites=sites, teller=self.teller, clock=lambda: NOW, base_url=BASE)
        routes = [*self.routes, *self.document.routes()] if told else self.routes
        api = [route for route in routes if route.path.startswith("/api/v1/")]
        rest = [route for route in routes if not route.path.startswith("/api/v1/")]
        return make_app(public_routes([*crossing.wrap(api), *rest, *(self.pages() if told else ())]))

    @property
    def _given(self) -> dict[str, Any]:
        return {"teller": self.teller, "clock": lambda: NOW}


@cache
def known_agencies() -> Agencies:
    return Agencies.from_mapping(shipped_agencies())


@cache
def shipped_teller() -> Teller:
    return Teller(Catalogue.from_mapping(shipped_texts()), known_agencies())


def utc_now() -> datetime:
    """Proofs of work are looked at by a library that has its own clock."""
    return datetime.now(UTC)


def _links(code: str) -> Sequence[ChatLink]:
    return [ChatLink("telegram", f"https://t.me/bot?start={code.replace('.', '_')}")]


async def _anybody(_: Address) -> bool:
    return True


async def _once(_: str, __: float) -> bool:
    return True
