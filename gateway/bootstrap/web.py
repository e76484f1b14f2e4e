"""The web: pages for citizens and webmasters, the API, the widget, and the sites that carry it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from channels.base import RouteDef
from channels.web import paths
from channels.web.agencies import AgenciesApi
from channels.web.api import WebApi
from channels.web.api_page import ApiPages
from channels.web.asking import Asker
from channels.web.chat_links import ChatLink
from channels.web.cross_origin import CrossOrigin
from channels.web.embed import EmbedPage
from channels.web.follow import FollowPages
from channels.web.form_files import FormFiles
from channels.web.guides import GuidePages
from channels.web.health import HealthApi
from channels.web.integrate import IntegratePage
from channels.web.lost import LostPage
from channels.web.openapi import ApiDocument
from channels.web.pages import LookUpPage
from channels.web.procedures import ProcedurePages
from channels.web.site_use import SiteUsePage
from channels.web.sites import Sites
from channels.web.telling import Teller
from channels.web.widget_files import WidgetFiles
from channels.web.work import WorkDesk
from channels.web.work_routes import WorkRoutes
from conversation.pins import FollowByPin
from conversation.questions import Questions
from domain.stoppage import Announced
from gateway.bootstrap.filing import OnlineFiling, filing_routes
from gateway.bootstrap.talking import counted
from gateway.bootstrap.words import Words
from gateway.http import Lost
from gateway.metrics import Metrics
from gateway.settings import Settings, ZaloSettings

if TYPE_CHECKING:
    from channels.telegram.channel import TelegramChannel

ZALO_ADDRESS = "https://zalo.me/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """What the public listener serves of it, and what a browser is shown that asks for something else."""

    routes: Sequence[RouteDef]
    lost: Lost


@dataclass(frozen=True, slots=True, kw_only=True)
class WebParts:
    """What the web is made of; `desk` None: nobody can follow from there."""

    settings: Settings
    words: Words
    questions: Questions
    metrics: Metrics
    clock: Callable[[], datetime]
    announced: Callable[[], Announced | None]
    desk: FollowByPin | None
    work: WorkDesk
    sites: Sites
    telegram: Sequence[TelegramChannel]
    filing: OnlineFiling | None = None  # None: nobody takes filings online


def make_web(parts: WebParts) -> Web:
    """Everything, from the same words and the same questions."""
    teller = Teller(parts.words.catalogue, parts.words.agencies, announced=parts.announced)
    asker = Asker(counted(parts.questions.ask, parts.metrics))
    return Web(
        routes=[*_api_routes(parts, asker, teller), *_citizens(parts, asker, teller), *_webmasters(parts, teller)],
        lost=LostPage(teller).show,
    )


def _api_routes(parts: WebParts, asker: Asker, teller: Teller) -> list[RouteDef]:
    """The API, open to the origins of the sites, and the pages that tell of it."""
    settings, clock = parts.settings, parts.clock
    base_url, trusted = settings.web.base_url, settings.web.trusted_proxies
    api = WebApi(
        asker=asker,
        teller=teller,
        clock=clock,
        trusted=trusted,
        proofs=settings.disclosure.proof_key is not None,
        kept=settings.lookup.cache_entries,
        work=parts.work,
        base_url=base_url,
        follows=parts.desk is not None,
        chat_links=chat_links(parts.telegram, settings.zalo),
    )
    challenge = WorkRoutes(desk=parts.work, teller=teller, admit=parts.questions.admit, clock=clock, trusted=trusted)
    routes = [
        *api.routes(),
        *(route for route in (*_procedures(parts, teller), *_follows(parts, teller)) if is_api(route)),
        *AgenciesApi(agencies=parts.words.agencies, teller=teller, clock=clock).routes(),
        *HealthApi(teller=teller, clock=clock).routes(),
        *challenge.routes(),
    ]
    document = ApiDocument(routes=routes, teller=teller, agencies=parts.words.agencies, base_url=base_url)
    wrapped = CrossOrigin(sites=parts.sites, teller=teller, clock=clock, base_url=base_url).wrap(
        [*routes, *document.routes()]
    )
    return [*wrapped, *ApiPages(document=document, teller=teller, clock=clock, base_url=base_url).routes()]


def is_api(route: RouteDef) -> bool:
    """Its answers are for programs, the widget among them."""
    return route.path.startswith(paths.API + "/")


def _citizens(parts: WebParts, asker: Asker, teller: Teller) -> list[RouteDef]:
    settings = parts.settings
    page = LookUpPage(
        asker=asker,
        teller=teller,
        clock=parts.clock,
        trusted=settings.web.trusted_proxies,
        procedures=paths.PROCEDURES,
        follows=paths.FOLLOW if parts.desk is not None else "",
        guides=paths.GUIDES,
        proofs=settings.disclosure.proof_key is not None,
        work=parts.work,
        base_url=settings.web.base_url,
    )
    guides = GuidePages(
        teller=teller,
        agencies=parts.words.agencies,
        clock=parts.clock,
        numbers=[account.short_code for account in settings.sms],
        chats=chat_addresses(parts.telegram, settings.zalo),
        base_url=settings.web.base_url,
    )
    others = (*_procedures(parts, teller), *_follows(parts, teller), *_filings(parts, teller))
    return [*page.routes(), *guides.routes(), *(route for route in others if not is_api(route))]


def _forms(parts: WebParts) -> FormFiles:
    titles = {form.file: form.name for each in parts.words.procedures for form in each.forms if form.file}
    return FormFiles(parts.words.forms, titles)


def _filings(parts: WebParts, teller: Teller) -> list[RouteDef]:
    if parts.filing is None:
        return []
    return filing_routes(
        parts.filing,
        parts.settings,
        parts.words,
        teller,
        questions=parts.questions,
        work=parts.work,
        clock=parts.clock,
        sizes=_forms(parts).sizes,
    )


def _procedures(parts: WebParts, teller: Teller) -> list[RouteDef]:
    procedures = parts.words.procedures
    pages = ProcedurePages(
        procedures=procedures,
        teller=teller,
        admit=parts.questions.admit,
        clock=parts.clock,
        trusted=parts.settings.web.trusted_proxies,
        forms=_forms(parts),
        filing=paths.FILING_PROCEDURE if parts.filing is not None else "",
    )
    return list(pages.routes())


def _follows(parts: WebParts, teller: Teller) -> list[RouteDef]:
    if parts.desk is None:
        return []
    trusted = parts.settings.web.trusted_proxies
    pages = FollowPages(desk=parts.desk, teller=teller, clock=parts.clock, trusted=trusted, work=parts.work)
    return list(pages.routes())


def _webmasters(parts: WebParts, teller: Teller) -> list[RouteDef]:
    settings, sites, clock = parts.settings, parts.sites, parts.clock
    files = WidgetFiles()
    integrate = IntegratePage(teller=teller, sites=sites, released=files, clock=clock, base_url=settings.web.base_url)
    use = SiteUsePage(
        sites=sites,
        teller=teller,
        agencies=parts.words.agencies,
        admit=parts.questions.admit,
        clock=clock,
        trusted=settings.web.trusted_proxies,
    )
    embed = EmbedPage(teller=teller, sites=sites)
    return [*files.routes(), *integrate.routes(), *embed.routes(), *use.routes()]


# ---- links to chats


def chat_links(bots: Sequence[TelegramChannel], accounts: Sequence[ZaloSettings]) -> Callable[[str], list[ChatLink]]:
    """The chats in which a dossier can be followed, by its code: a bot opens with the code typed, Zalo as it is."""
    zalo = [ChatLink("zalo", ZALO_ADDRESS + account.oa_id) for account in accounts]

    def links(code: str) -> list[ChatLink]:
        opened = [ChatLink("telegram", url) for bot in bots if (url := bot.deep_link(code))]
        return [*opened, *zalo]

    return links


def chat_addresses(bots: Sequence[TelegramChannel], accounts: Sequence[ZaloSettings]) -> Callable[[], list[ChatLink]]:
    """Where the chats are, with nothing typed yet."""
    zalo = [ChatLink("zalo", ZALO_ADDRESS + account.oa_id) for account in accounts]

    def addresses() -> list[ChatLink]:
        return [*(ChatLink("telegram", url) for bot in bots if (url := bot.address)), *zalo]

    return addresses
