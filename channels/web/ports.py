"""What the web channel needs kept: the sites that carry the widget, and how much they are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple, Protocol

from domain.sites import Site, SiteUse, Used


class UseKey(NamedTuple):
    """What is counted together: a site's key, a day of Asia/Ho_Chi_Minh, and what it came to."""

    site: str
    day: date
    use: SiteUse


class SiteBook(Protocol):
    """The sites and their use. All raise StoreUnavailable when the store is away."""

    async def sites(self) -> Sequence[Site]:
        """All, revoked ones too, in the order in which they were added."""
        ...

    async def add(self, site: Site) -> None:
        """Keep a new one; one that is there already (the same key) is left as it is."""
        ...

    async def change(self, key: str, *, name: str, agency: str, origins: Sequence[str], secret_digest: str) -> bool:
        """Write these over what is kept; False: there is no such key, or it is revoked."""
        ...

    async def revoke(self, key: str, at: datetime) -> bool:
        """From now on it opens nothing; for good. False: there is no such key, or it was revoked before."""
        ...

    async def count(self, uses: Mapping[UseKey, int]) -> None:
        """Add these to what was counted, all in one statement of one transaction."""
        ...

    async def used(self, key: str, since: date) -> Sequence[Used]:
        """What was counted from that day on, by day and use."""
        ...
