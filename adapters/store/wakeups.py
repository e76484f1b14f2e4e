"""LISTEN on a connection of its own: says that something may be claimed. A hint; looking now and then is the truth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sqlalchemy import URL

from adapters.store.postgres_pool import Timeouts, make_engine, translated
from adapters.store.postgres_statements import CHANNEL
from domain.errors import StoreUnavailable

ALIVE_EVERY = 30.0  # seconds: an idle connection may be dead for hours before anybody notices


async def wakeups(url: str | URL, timeouts: Timeouts, name: str) -> AsyncIterator[None]:
    """One item for all that happened since the last; the first at once, since something may have been missed.

    Raises:
        StoreUnavailable: the connection is gone; to be called again after a while.
    """
    engine = make_engine(url, timeouts, name)
    heard = asyncio.Event()
    heard.set()
    try:
        with translated(in_doubt=StoreUnavailable):
            async with engine.connect() as connection:
                raw = await connection.get_raw_connection()
                driver = raw.driver_connection
                if driver is None:
                    raise StoreUnavailable("the store gave a connection that is closed")
                driver.add_termination_listener(lambda _: heard.set())
                await driver.add_listener(CHANNEL, lambda *_: heard.set())
                while not driver.is_closed():
                    if await _heard_within(heard, ALIVE_EVERY):
                        heard.clear()
                        if not driver.is_closed():
                            yield
                    else:
                        await driver.execute("SELECT 1")
        raise StoreUnavailable("the connection that listens is gone")
    finally:
        await engine.dispose()


async def _heard_within(heard: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await heard.wait()
    except TimeoutError:
        return False
    return True
