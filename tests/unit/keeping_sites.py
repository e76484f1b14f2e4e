"""A book of sites in memory and two sites in it, for the tests of what the web does with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from channels.web.ports import UseKey
from channels.web.sites import Sites
from domain.errors import StoreError
from domain.sites import Site, SiteUse, Used, digest
from tests.unit.speaking import NOW

KEY, REVOKED = "ts_aaaaaaaaaaaaaaaa", "ts_bbbbbbbbbbbbbbbb"
ORIGIN = "https://stnmt.example.gov.vn"
OTHER = "http://stnmt.example.gov.vn:8080"
SECRET = "abcdefghijklmnopqrstuvwxyz"
SITE = Site(
    key=KEY,
    name="Sở Tài nguyên và Môi trường",
    agency="H51.18",
    origins=(ORIGIN, OTHER),
    secret_digest=digest(SECRET),
    created_at=NOW,
)
CLOSED = replace(SITE, key=REVOKED, name="Trang cũ", agency="", revoked_at=NOW)


@dataclass
class Book:
    """Implements channels.web.ports.SiteBook; `fails` with an error while there is one."""

    kept: dict[str, Site] = field(default_factory=lambda: {each.key: each for each in (SITE, CLOSED)})
    counted: Counter[UseKey] = field(default_factory=Counter)
    calls: list[Mapping[UseKey, int]] = field(default_factory=list)
    fails: StoreError | None = None

    async def sites(self) -> Sequence[Site]:
        self._fail()
        return list(self.kept.values())

    async def add(self, site: Site) -> None:
        self.kept.setdefault(site.key, site)

    async def change(self, key: str, *, name: str, agency: str, origins: Sequence[str], secret_digest: str) -> bool:
        changes = replace(self.kept[key], name=name, agency=agency, origins=tuple(origins), secret_digest=secret_digest)
        self.kept[key] = changes
        return True

    async def revoke(self, key: str, at: datetime) -> bool:
        self.kept[key] = replace(self.kept[key], revoked_at=at)
        return True

    async def count(self, uses: Mapping[UseKey, int]) -> None:
        self._fail()
        self.calls.append(uses)
        self.counted.update(uses)

    async def used(self, key: str, since: date) -> Sequence[Used]:
        self._fail()
        found = [each for each in self.counted if each.site == key and each.day >= since]
        return [Used(day=each.day, use=each.use, count=self.counted[each]) for each in sorted(found)]

    def told(self, key: str = KEY) -> Mapping[SiteUse, int]:
        return {each.use: count for each, count in self.counted.items() if each.site == key}

    def _fail(self) -> None:
        if self.fails is not None:
            raise self.fails


async def registry(book: Book) -> Sites:
    sites = Sites(book, lambda: NOW)
    await sites.refresh()
    return sites
