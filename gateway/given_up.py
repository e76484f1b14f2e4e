"""Messages that were refused while nobody knew whether they are written: should they turn up, somebody answers them.

A commit may become visible long after its connection went (a disk that stood still, a standby that is waited for). By
then the message was refused, its row is ours and nobody here knows of it: when the other side sends it again that is
taken for a repetition, and acknowledged. So it is looked for, and given to whoever takes it up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from conversation.ports import Exchange, Journal
from domain.errors import StoreError

LOOK_EVERY = 5.0  # seconds
LOOK_FOR = 3600.0  # seconds: a reply is good for no longer
MOST = 10_000  # messages; the oldest are let go

log = structlog.get_logger()


class GivenUp:
    """Looks for them until they are there or would be of no use any more."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: dict[int, tuple[float, int | None]] = {}  # since when; the reply that was to be sent at once
        self._some = asyncio.Event()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def add(self, exchanges: Sequence[Exchange]) -> None:
        now = asyncio.get_running_loop().time()
        self._waiting.update((each.message.id, (now, _at_once(each))) for each in exchanges)
        self._let_go(list(self._waiting)[:-MOST], "too_many")
        if self._waiting:
            self._some.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(LOOK_EVERY)
            try:
                found = await self._journal.give_up({each: reply for each, (_, reply) in self._waiting.items()})
            except StoreError as error:
                log.warning("journal.read_back_failed", error=str(error))
            except Exception:
                log.exception("journal.read_back_failed")
            else:
                self._found(found)
            self._let_go_old()

    def _found(self, found: frozenset[int]) -> None:
        for identifier in found:
            self._waiting.pop(identifier, None)
        if found:
            log.warning("journal.came_late", messages=len(found))

    def _let_go_old(self) -> None:
        before = asyncio.get_running_loop().time() - LOOK_FOR
        self._let_go([identifier for identifier, (since, _) in self._waiting.items() if since <= before], "too_long")
        if not self._waiting:
            self._some.clear()

    def _let_go(self, identifiers: Sequence[int], why: str) -> None:
        for identifier in identifiers:
            del self._waiting[identifier]
        if identifiers:
            log.warning("journal.not_found", messages=len(identifiers), why=why)


def _at_once(exchange: Exchange) -> int | None:
    return exchange.reply.id if exchange.reply is not None and exchange.handed_over else None
