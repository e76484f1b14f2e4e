"""The API for pages of other origins (Fetch standard, CORS): a site's key opens it for exactly the site's origins, and
what its requests came to is counted. Without a key the API answers whoever asks, and no foreign page reads the answer.

Never with credentials: we have no cookie. A refusal holds no data and may be read by everybody, so that the widget can
say what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from aiohttp import web
from aiohttp.typedefs import Handler

from channels.base import RouteDef
from channels.web import paths
from channels.web.client import choose_language
from channels.web.problem import ProblemKind, problem_response
from channels.web.sites import Sites, admit, is_ours
from channels.web.telling import Teller
from domain.sites import Site, SiteUse

SITE: web.RequestKey[Site] = web.RequestKey("site", Site)
PARAMETER = "site"  # of the address, so that a preflight says it too
EXPOSED = "ETag, Retry-After, RateLimit, RateLimit-Policy"
PREFLIGHT_FOR = 600  # seconds a browser remembers it
READ_BY_ALL = {"Access-Control-Allow-Origin": "*"}
PREFLIGHT_VARIES = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"

# What a request came to, by its status: of any address, and of a dossier's.
USES: Mapping[int, SiteUse] = {201: SiteUse.FOLLOWED, 429: SiteUse.REFUSED, 503: SiteUse.SOURCE_DOWN}
USES_OF_A_DOSSIER: Mapping[int, SiteUse] = {
    **USES,
    200: SiteUse.FOUND,
    304: SiteUse.FOUND,
    400: SiteUse.UNREADABLE,
    404: SiteUse.NOT_FOUND,
}
_WORK_NEEDED = f'"{ProblemKind.WORK_NEEDED.type_uri}"'.encode()


class CrossOrigin:
    """Wraps the routes of the API. `base_url`: how citizens reach us, empty for what the browser called; `clock` gives
    aware moments.
    """

    __slots__ = ("_base_url", "_clock", "_sites", "_teller")

    def __init__(self, *, sites: Sites, teller: Teller, clock: Callable[[], datetime], base_url: str = "") -> None:
        self._sites = sites
        self._teller = teller
        self._clock = clock
        self._base_url = base_url

    def wrap(self, routes: Iterable[RouteDef]) -> list[RouteDef]:
        """The same routes for all sites, with a preflight for each address."""
        given = list(routes)
        methods: dict[str, list[str]] = {}
        for route in given:
            methods.setdefault(route.path, []).append(route.method)
        asked_before = RouteDef(
            method="OPTIONS",
            path="/api/v1/*",
            handler=_refuse_preflight,
            summary="Whether a page of another origin may ask, at every address of the API: `?site=key`.",
        )
        return [
            *(replace(route, handler=self._wrapped(route)) for route in given),
            *(
                replace(asked_before, path=path, handler=self._preflight(", ".join(dict.fromkeys(each))))
                for path, each in methods.items()
            ),
        ]

    def _wrapped(self, route: RouteDef) -> Handler:
        handler: Handler = route.handler
        uses = USES_OF_A_DOSSIER if route.path == paths.API_DOSSIER else USES

        async def answer(request: web.Request) -> web.StreamResponse:
            if PARAMETER not in request.rel_url.raw_query_string:  # nearly everybody who is no site
                return await handler(request)
            admitted = self._admit(request)
            if admitted is None:
                return await handler(request)
            if isinstance(admitted, ProblemKind):
                return self._refuse(request, admitted)
            request[SITE] = admitted
            return await self._answer(request, handler, admitted, uses)

        return answer

    async def _answer(
        self, request: web.Request, handler: Handler, site: Site, uses: Mapping[int, SiteUse]
    ) -> web.StreamResponse:
        try:
            response = await handler(request)
        except BaseException:
            self._sites.note(site.key, SiteUse.OTHER)
            raise
        self._sites.note(site.key, use_of(response, uses))
        self._open(request, response)
        return response

    def _admit(self, request: web.Request) -> Site | ProblemKind | None:
        """The decision; a foreign origin is counted."""
        key, headers = request.query.get(PARAMETER, ""), request.headers
        admitted = admit(
            self._sites.get(key),
            key=key,
            origin=headers.get("Origin", ""),
            host=request.host,
            base_url=self._base_url,
            fetch_site=headers.get("Sec-Fetch-Site", ""),
        )
        if admitted is ProblemKind.ORIGIN_FOREIGN:
            self._sites.note(key, SiteUse.FOREIGN)
        return admitted

    def _open(self, request: web.Request, response: web.StreamResponse) -> None:
        """The page may read it; whoever keeps it keeps it for this origin."""
        headers = response.headers
        headers["Vary"] = varied(headers.get("Vary", ""), "Origin")
        origin = request.headers.get("Origin", "")
        if origin and not is_ours(origin, request.host, self._base_url):
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = EXPOSED

    def _refuse(self, request: web.Request, kind: ProblemKind) -> web.Response:
        language = choose_language(request, self._teller.catalogue.languages)
        notice = self._teller.notice(language, self._clock())
        response = problem_response(self._teller.problem(kind, language), language, notice)
        response.headers.update(READ_BY_ALL)
        response.headers["Vary"] = varied(response.headers.get("Vary", ""), "Origin")
        return response

    def _preflight(self, methods: str) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            origin = request.headers.get("Origin", "")
            if not origin or not isinstance(self._admit(request), Site):
                return await _refuse_preflight(request)
            headers = {
                "Access-Control-Allow-Origin": origin,
                "Access-Control-Allow-Methods": methods,
                "Access-Control-Allow-Headers": "Content-Type",
                "Access-Control-Max-Age": str(PREFLIGHT_FOR),
                "Vary": PREFLIGHT_VARIES,
            }
            return web.Response(status=204, headers=headers)

        return answer


def site_of(request: web.Request) -> str:
    """The key of the site whose page asks, which is in force and whose origin is right; empty: no site's."""
    site = request.get(SITE)
    return "" if site is None else site.key


def use_of(response: web.StreamResponse, uses: Mapping[int, SiteUse]) -> SiteUse:
    """What an answer is counted as (pure)."""
    if response.status == ProblemKind.WORK_NEEDED.status and isinstance(response, web.Response):
        asks_for_work = isinstance(response.body, bytes) and _WORK_NEEDED in response.body
        return SiteUse.WORK if asks_for_work else SiteUse.OTHER
    return uses.get(response.status, SiteUse.OTHER)


def varied(vary: str, name: str) -> str:
    """A header Vary with one more name, once."""
    names = [each.strip() for each in vary.split(",") if each.strip()]
    return ", ".join(names if {"*", name.lower()} & {each.lower() for each in names} else [*names, name])


async def _refuse_preflight(_: web.Request) -> web.Response:
    """Without a word about origins: the browser asks no further."""
    return web.Response(status=403, headers={"Vary": PREFLIGHT_VARIES})
