"""The sites of the own agencies: listed, given a key, taken it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from aiohttp import web

from console import paths
from console.accounts.audit import Audit
from console.accounts.reach import reach, reaches
from console.accounts.shown import local
from console.forms import Fault, one_line, read_form
from console.page import Pages
from console.routes import ConsoleRoute
from console.signed import signed
from console.sites.keys import new_key, new_secret
from console.sites.ports import SiteKeys
from domain.agencies import Agencies
from domain.officers import Right
from domain.sites import LONGEST_NAME, MOST_ORIGINS, Site, digest, read_name, read_origins

LONGEST_AGENCY = 40  # characters of an identifier
LONGEST_ORIGINS = 4_000  # characters of all of them
DONE = "xong"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteForm:
    """As it was typed; `agency` empty: the whole province."""

    name: str = ""
    agency: str = ""
    origins: str = ""


class SitePages:
    """`guide`: where a webmaster reads what to paste, with the key behind it; empty: it has no address yet."""

    __slots__ = ("_agencies", "_audit", "_book", "_clock", "_guide", "_pages")

    def __init__(
        self,
        pages: Pages,
        *,
        book: SiteKeys,
        audit: Audit,
        agencies: Agencies,
        clock: Callable[[], datetime],
        guide: str,
    ) -> None:
        self._pages = pages
        self._book = book
        self._audit = audit
        self._agencies = agencies
        self._clock = clock
        self._guide = guide

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.SITES,
            needs=Right.SITES_MANAGE,
            handler=self.listed,
            summary="sites of the own agencies that carry the widget",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.SITES,
            needs=Right.SITES_MANAGE,
            handler=self.add,
            summary="gives a key to a site; shows its webmaster's secret once",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.SITE_REVOKE,
            needs=Right.SITES_MANAGE,
            handler=self.revoke,
            summary="takes a key back, for good",
        )

    async def listed(self, request: web.Request) -> web.Response:
        own = signed(request).officer.agency
        blank = SiteForm(agency="" if self._of_all(request) else own)
        return await self._page(request, blank)

    async def add(self, request: web.Request) -> web.Response:
        fields = await read_form(request)
        form = SiteForm(
            name=one_line(fields, "name", 2 * LONGEST_NAME),
            agency=one_line(fields, "agency", LONGEST_AGENCY),
            origins=fields.get("origins", "")[:LONGEST_ORIGINS],
        )
        if not self._may_have(request, form.agency):
            return self._pages.refuse(request, HTTPStatus.NOT_FOUND)
        name, origins, faults = self._read(request, form)
        if faults:
            return await self._page(request, form, faults)
        secret = new_secret()
        site = Site(
            key=new_key(),
            name=name,
            agency=form.agency,
            origins=origins,
            secret_digest=digest(secret),
            created_at=self._clock(),
        )
        await self._book.add(site)
        await self._audit.note(request, "site.added", f"site:{site.key}", agency=site.agency, origins=list(origins))
        guide = f"{self._guide}?site={site.key}" if self._guide else ""
        return self._pages.render(request, "sites-given.html", site=site, secret=secret, guide=guide)

    async def revoke(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        found = next((site for site in await self._own(request) if site.key == key), None)
        if found is None:
            return self._pages.refuse(request, HTTPStatus.NOT_FOUND)
        if await self._book.revoke(key, self._clock()):
            await self._audit.note(request, "site.revoked", f"site:{key}", agency=found.agency)
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": f"{paths.SITES}?{DONE}=1"})

    # ---- whose

    async def _own(self, request: web.Request) -> Sequence[Site]:
        scope = signed(request).scope
        return [site for site in await self._book.sites() if reaches(scope, site.agency, self._agencies)]

    def _of_all(self, request: web.Request) -> bool:
        """The officer works for the whole province."""
        return reach(signed(request).scope, self._agencies) is None

    def _may_have(self, request: web.Request, agency: str) -> bool:
        return self._of_all(request) if not agency else agency in signed(request).scope

    def _read(self, request: web.Request, form: SiteForm) -> tuple[str, tuple[str, ...], Sequence[Fault]]:
        texts = self._pages.texts(request)["site"]
        name, faults = "", list[Fault]()
        origins: tuple[str, ...] = ()
        try:
            name = read_name(form.name)
        except ValueError:  # told in the reader's language
            faults.append(Fault("name", texts["bad_name"].format(longest=LONGEST_NAME)))
        try:
            origins = read_origins(form.origins.split())
        except ValueError:  # the same
            faults.append(Fault("origins", texts["bad_origins"].format(most=MOST_ORIGINS)))
        return name, origins, faults

    # ---- the page

    async def _page(self, request: web.Request, form: SiteForm, faults: Sequence[Fault] = ()) -> web.Response:
        language, scope = self._pages.language(request), signed(request).scope
        agencies = sorted((each.identifier, each.name(language)) for each in self._agencies if each.identifier in scope)
        texts = self._pages.texts(request)["site"]
        return self._pages.render(
            request,
            "sites.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
            sites=[self._shown(site, language, texts) for site in await self._own(request)],
            agencies=[*([("", texts["province"])] if self._of_all(request) else ()), *agencies],
            form=form,
            faults=faults,
            done=DONE in request.query,
        )

    def _shown(self, site: Site, language: str, texts: Mapping[str, str]) -> Mapping[str, object]:
        agency = self._agencies.find(site.agency) if site.agency else None
        return {
            "key": site.key,
            "name": site.name,
            "agency": texts["province"] if not site.agency else agency.name(language) if agency else site.agency,
            "origins": site.origins,
            "since": local(site.created_at),
            "revoked": local(site.revoked_at) if site.revoked_at else "",
        }
