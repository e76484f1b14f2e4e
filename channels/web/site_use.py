"""/webmaster: how much a site's widget was used, for whoever holds the site's secret; whole without a script or a cookie.

Nothing is remembered of whoever looks: the key and the secret come with each form. They are compared whole and in
constant time, and a wrong key and a wrong secret are the same from outside.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from channels.base import RouteDef
from channels.web import paths
from channels.web.client import Clients, Network
from channels.web.layout import HEADERS, Stylesheet, environment, link, page_texts, read_form
from channels.web.problem import Problem, ProblemKind
from channels.web.site_figures import Figures, as_csv, figures
from channels.web.sites import FROM_ELSEWHERE, Sites
from channels.web.static_file import StaticFile
from channels.web.telling import Teller
from domain.agencies import Agencies
from domain.calendar import local_day
from domain.errors import GatewayError
from domain.message import Address
from domain.sites import Site, SiteUse, digest
from domain.text import safe_text

PATH = paths.SITE_USE
DAYS = 30
LONGEST_KEY = 40  # characters of what was typed that are shown again
LONGEST_SECRET = 64
SECTIONS = ("page", "label", "site_use")
CSV = "csv"  # of the field `as`
NOBODYS = digest("")  # compared with where there is no such site: the same work


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What the page shows under the form: nothing yet, why not, or a site's use."""

    typed: str = ""
    wrong: bool = False
    problem: Problem | None = None
    site: Site | None = None
    secret: str = ""  # of `site`, for the form that asks for the file
    figures: Figures | None = None

    @property
    def status(self) -> int:
        if self.problem is not None:
            return self.problem.kind.status
        return 403 if self.wrong else 200


class SiteUsePage:
    """The routes. `admit` says whether this address may ask once more; `clock` gives aware moments; `trusted` are the
    proxies whose X-Forwarded-For is believed. The common style sheet is served by the look-up page.
    """

    __slots__ = (
        "_admit",
        "_agencies",
        "_clients",
        "_clock",
        "_css",
        "_sites",
        "_style",
        "_teller",
        "_template",
        "_texts",
    )

    def __init__(
        self,
        *,
        sites: Sites,
        teller: Teller,
        agencies: Agencies,
        admit: Callable[[Address], Awaitable[bool]],
        clock: Callable[[], datetime],
        trusted: Sequence[Network] = (),
    ) -> None:
        self._sites = sites
        self._teller = teller
        self._agencies = agencies
        self._admit = admit
        self._clock = clock
        self._clients = Clients(trusted, teller.catalogue.languages)
        self._style = Stylesheet()
        self._css = StaticFile("site-use.css")
        self._template = environment().get_template("site-use.html")
        self._texts = {
            language: page_texts(teller.catalogue, language, SECTIONS) for language in teller.catalogue.languages
        }

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(method="GET", path=PATH, handler=self._form, summary="Asks a webmaster for key and secret.")
        yield RouteDef(
            method="POST", path=PATH, handler=self._use, summary="How much the widget of a site was used, or as CSV."
        )
        yield self._css.route

    async def _form(self, request: web.Request) -> web.Response:
        return self._render(self._clients.language(request), _Shown())

    async def _use(self, request: web.Request) -> web.Response:
        language, form = self._clients.language(request), read_form(await request.read())
        if request.headers.get("Sec-Fetch-Site", "") in FROM_ELSEWHERE:  # somebody else's page makes its readers guess
            return self._render(language, _Shown())
        shown = await self._shown(request, form, language)
        if form.get("as") == CSV and shown.site is not None and shown.figures is not None:
            return self._file(language, shown.site, shown.figures)
        return self._render(language, shown)

    # ---- deciding

    async def _shown(self, request: web.Request, form: Mapping[str, str], language: str) -> _Shown:
        typed, secret = form.get("site", "").strip(), form.get("secret", "").strip()
        echo = safe_text(typed, LONGEST_KEY)
        try:
            if not await self._admit(self._clients.address(request)):
                return _Shown(typed=echo, problem=self._teller.problem(ProblemKind.REFUSED, language))
            site = self._opened(typed, secret)
            if site is None:
                return _Shown(typed=echo, wrong=True)
            today = local_day(self._clock())
            used = await self._sites.used(site.key, today - timedelta(days=DAYS - 1))
        except GatewayError:  # our own trouble is told as such; whoever raised it has logged it
            return _Shown(typed=echo, problem=self._teller.problem(ProblemKind.INTERNAL, language))
        return _Shown(typed=echo, site=site, secret=secret, figures=figures(used, today, DAYS))

    def _opened(self, key: str, secret: str) -> Site | None:
        """The site, if this is its secret; a revoked one may be looked at too."""
        site = self._sites.known(key)
        right = hmac.compare_digest(digest(secret), NOBODYS if site is None else site.secret_digest)
        return site if right and secret else None

    # ---- showing

    def _render(self, language: str, shown: _Shown) -> web.Response:
        catalogue = self._teller.catalogue
        page = self._template.render(
            language=language,
            texts=self._texts[language],
            others=[(each, self._texts[each]["page"]["this_language"], link(PATH, each)) for each in self._texts],
            shown=shown,
            facts=self._facts(language, shown.site) if shown.site else (),
            foreign=catalogue.text(
                language, "web.site_use.foreign_note", count=str(shown.figures.totals[SiteUse.FOREIGN])
            )
            if shown.figures and shown.figures.totals[SiteUse.FOREIGN]
            else "",
            days=catalogue.text(language, "web.site_use.days", days=str(DAYS)),
            help_desk=self._teller.help_desk(language),
            notice=self._teller.notice(language, self._clock()),
            style=self._style.path,
            css=self._css.path,
            path=link(PATH, language),
            csv=CSV,
            longest_key=LONGEST_KEY,
            longest_secret=LONGEST_SECRET,
            start=link(paths.LOOK_UP, language),
            day=lambda day: catalogue.day(language, day),
        )
        again = shown.problem.kind.headers if shown.problem else {}
        headers = {**HEADERS, "Content-Language": language, **again}
        return web.Response(status=shown.status, text=page, content_type="text/html", headers=headers)

    def _facts(self, language: str, site: Site) -> Sequence[tuple[str, Sequence[str]]]:
        """What is known of the site: label and lines."""
        words, catalogue = self._texts[language]["site_use"], self._teller.catalogue
        state = words["in_force"]
        if site.revoked_at is not None:
            state = catalogue.text(
                language, "web.site_use.revoked", day=catalogue.day(language, local_day(site.revoked_at))
            )
        return (
            (words["key"], [site.key]),
            (words["agency"], [self._agency(language, site.agency)]),
            (words["origins"], site.origins),
            (words["state"], [state]),
            (words["since"], [catalogue.day(language, local_day(site.created_at))]),
        )

    def _agency(self, language: str, identifier: str) -> str:
        agency = self._agencies.find(identifier) if identifier else None
        return agency.name(language) if agency else identifier or self._texts[language]["site_use"]["province"]

    def _file(self, language: str, site: Site, told: Figures) -> web.Response:
        file = f"{site.key}-{told.last.isoformat()}.csv"
        headers = {
            **HEADERS,
            "Content-Language": language,
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{file}"',
        }
        return web.Response(body=as_csv(site, told, self._texts[language]["site_use"]), headers=headers)
