"""What the page of the sites needs kept; whoever serves the widget reads the same book (channels.web.ports.SiteBook)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from domain.sites import Site


class SiteKeys(Protocol):
    """The keys. All raise StoreUnavailable when the store is away."""

    async def sites(self) -> Sequence[Site]:
        """All, revoked ones too, in the order in which they were added."""
        ...

    async def add(self, site: Site) -> None:
        """Keep a new one."""
        ...

    async def revoke(self, key: str, at: datetime) -> bool:
        """From now on it opens nothing; for good. False: there is no such key, or it was revoked before."""
        ...
