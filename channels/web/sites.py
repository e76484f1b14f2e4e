"""The sites that carry our widget, held in memory: who may ask on whose behalf is decided without waiting for the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

from channels.web.ports import SiteBook, UseKey
from channels.web.problem import ProblemKind
from domain.calendar import local_day
from domain.errors import StoreUnavailable
from domain.sites import Site, SiteUse, Used

REFRESH_EVERY = 5.0  # seconds: so long a revoked key opens what it opened before
FLUSH_EVERY = 5.0  # seconds between two writings of what was counted
MOST_WAITING = 4_096  # counts that wait for the store, by site, day and use: some 20 days of 20 sites
NOBODY = "'none'"
OURS = "'self'"
FROM_ELSEWHERE = frozenset({"cross-site", "same-site"})  # Sec-Fetch-Site of what another origin's page fetches


class Sites:
    """The registry. `clock` gives aware moments.

    `refresh` and `flush` are to be called again and again and raise StoreError while the store is away; what is known
    and what was counted is kept meanwhile.
    """

    __slots__ = ("_all", "_book", "_clock", "_waiting")

    def __init__(self, book: SiteBook, clock: Callable[[], datetime]) -> None:
        self._book = book
        self._clock = clock
        self._all: Mapping[str, Site] = {}
        self._waiting: Counter[UseKey] = Counter()

    async def refresh(self) -> None:
        """Read all sites anew. Raises StoreError: the last known ones stay."""
        self._all = {site.key: site for site in await self._book.sites()}

    async def flush(self) -> None:
        """Write what was counted since the last time.

        Raises:
            StoreUnavailable: it is kept for the next time.
            StoreUncertain: it may be written, and is not written again: rather one use less than two for one.
        """
        uses, self._waiting = self._waiting, Counter()
        if not uses:
            return
        try:
            await self._book.count(uses)
        except StoreUnavailable:
            for key, count in uses.items():
                self._add(key, count)
            raise

    async def used(self, key: str, since: date) -> Sequence[Used]:
        """What was written of a site's use from that day on. Raises StoreError."""
        return await self._book.used(key, since)

    def get(self, key: str) -> Site | None:
        """A site whose key is in force."""
        site = self._all.get(key)
        return site if site is not None and site.revoked_at is None else None

    def known(self, key: str) -> Site | None:
        """The same, or one whose key was revoked."""
        return self._all.get(key)

    def note(self, key: str, use: SiteUse) -> None:
        """Count a use of a site; keys there are none of are not counted, since anybody can make them up."""
        if key in self._all:
            self._add(UseKey(key, local_day(self._clock()), use), 1)

    def frame_ancestors(self, key: str) -> str:
        """Who may show a frame of ours for this site, as a policy says it: its origins and our own pages, or nobody."""
        site = self.get(key)
        return NOBODY if site is None else " ".join((OURS, *site.origins))

    def _add(self, key: UseKey, count: int) -> None:
        if key in self._waiting or len(self._waiting) < MOST_WAITING:
            self._waiting[key] += count


def admit(
    site: Site | None, *, key: str, origin: str, host: str, base_url: str, fetch_site: str
) -> Site | ProblemKind | None:
    """Whether a request may go on, and for which site; None: for none, as a plain client's.

    `site` is what `key` stands for, if it is in force. `origin`, `host` and `fetch_site` are the headers Origin, Host
    and Sec-Fetch-Site, empty where there are none; `base_url` is our own address, or empty. It keeps sites from using
    one another's keys by mistake; it is no authentication, since a program writes whatever origin it likes.
    """
    if not key:
        return None
    if site is None:
        return ProblemKind.SITE_UNKNOWN
    if not origin:  # as browsers do for our own pages, and for what a page loads without being able to read it
        return ProblemKind.ORIGIN_FOREIGN if fetch_site in FROM_ELSEWHERE else site
    right = origin in site.origins or is_ours(origin, host, base_url)
    return site if right else ProblemKind.ORIGIN_FOREIGN


def is_ours(origin: str, host: str, base_url: str) -> bool:
    """An Origin of our own pages: at the host that was called, or at our address. "null" is nobody's."""
    separator, place = origin.partition("://")[1:]
    return bool(separator) and (place.lower() == host.lower() or origin.lower() == base_url.lower())
