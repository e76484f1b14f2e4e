"""A foreign database as a watcher reads it: over one connection of its own, so that citizens' questions never wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from adapters.onestop.engines import open_reads
from adapters.onestop.mapping import SourceMapping
from adapters.onestop.sql_faults import UNREADABLE, source_error

T = TypeVar("T")

CONNECTIONS = 1


class WatchedDatabase:
    """Shared by the feeds and the contacts of one source; each of them may close it, the first one does."""

    def __init__(self, mapping: SourceMapping, url: str, *, name: str | None = None, time_limit: float = 5.0) -> None:
        """`name` replaces the mapping's, as in SqlDossierSource. `time_limit` is in seconds, for one read.

        Raises:
            SettingsError: the address cannot be read or its driver is not installed.
        """
        self.mapping = mapping
        self.name = name or mapping.name
        self._time_limit = time_limit
        self._reads = open_reads(url, self.name, CONNECTIONS, time_limit)
        self._closed = False

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Do `work` on the connection, within the time limit; a driver's exceptions stop here.

        Raises:
            SourceUnavailable: it did not answer in time or refused.
            SourceMisread: its tables are not as mapped.
        """
        try:
            async with asyncio.timeout(self._time_limit):
                return await self._reads.run(work)
        except (SQLAlchemyError, OSError, TimeoutError, *UNREADABLE) as fault:
            raise source_error(fault, self.name) from fault

    async def close(self) -> None:
        """Close the connection; once is enough."""
        if not self._closed:
            self._closed = True
            await self._reads.close()
