"""The journal's pump: commits whatever is decided, from all channels; one commit in flight, the next collecting.

Questions start a commit at once. Riders (acknowledgements, results, session ends) travel with the next one, or alone
after a short while: recording what already happened must not hold up what is still to be answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from channels.base import ReportArrival, Settlement
from conversation.ports import Acknowledgement, Exchange, Journal, JournalBatch, JournalReceipt, SessionEnd
from domain.errors import StoreError, StoreUncertain
from domain.message import SendResult

RIDER_DELAY = 0.02  # seconds a rider waits for company
RETRY_DELAY = 0.2  # seconds between tries of a store that is away
LARGEST_BATCH = 500

log = structlog.get_logger()


@dataclass(slots=True)
class Entry:
    """An exchange on its way into the journal. Exactly one of the callbacks is called, on the event loop.

    `written`: it is in the journal. `repeated`: it repeats a message that is, whose id is given; or, for a closing,
    somebody else closed the row. `refused`: it is not written and will not be; a closing is kept until it is.
    """

    exchange: Exchange
    written: Callable[[Entry], None]
    repeated: Callable[[Entry, int], None]
    refused: Callable[[Entry], None] = field(default=lambda _: None)
    doubted: bool = False  # a closing that may have been written by a commit of unknown outcome


@dataclass(slots=True)
class _Page:
    """What the next commit will hold."""

    exchanges: list[Entry] = field(default_factory=list)
    closings: list[Entry] = field(default_factory=list)
    reports: list[ReportArrival] = field(default_factory=list)
    acknowledgements: list[Acknowledgement] = field(default_factory=list)
    session_ends: list[SessionEnd] = field(default_factory=list)
    results: list[SendResult] = field(default_factory=list)

    def batch(self) -> JournalBatch:
        return JournalBatch(
            exchanges=[entry.exchange for entry in self.exchanges],
            closings=[entry.exchange for entry in self.closings],
            acknowledgements=self.acknowledgements,
            session_ends=self.session_ends,
            results=self.results,
            reports=[arrival.report for arrival in self.reports],
        )

    def before(self, later: _Page) -> _Page:
        """What must not be lost, in front of what came after it; questions are not in it, they were refused."""
        return _Page(
            exchanges=later.exchanges,
            closings=self.closings + later.closings,
            reports=later.reports,
            acknowledgements=self.acknowledgements + later.acknowledgements,
            session_ends=self.session_ends + later.session_ends,
            results=self.results + later.results,
        )


class Commits:
    """Takes things to write down, never waits, and calls back when they are written."""

    def __init__(
        self, journal: Journal, *, clock: Callable[[], datetime], observe: Callable[[float, int], None] | None = None
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._observe = observe
        self._page = _Page()
        self._settled_at = clock()
        self.trouble = ""  # what the last commit failed of; empty: it did not
        self._wake = asyncio.Event()
        self._rider_timer: asyncio.TimerHandle | None = None
        self._working = False
        self._idle = asyncio.Event()
        self._idle.set()

    def exchange(self, entry: Entry) -> None:
        self._page.exchanges.append(entry)
        self._start()

    def closing(self, entry: Entry) -> None:
        self._page.closings.append(entry)
        self._start()

    def report(self, arrival: ReportArrival) -> None:
        self._page.reports.append(arrival)
        self._start()

    def acknowledged(self, inbound_id: int) -> None:
        """The other side was answered; to be said from within an entry's callback."""
        self._page.acknowledgements.append(Acknowledgement(inbound_id=inbound_id, at=self._settled_at))
        self._ride()

    def session_ended(self, session: str) -> None:
        self._page.session_ends.append(SessionEnd(session=session, at=self._clock()))
        self._ride()

    def results(self, results: list[SendResult]) -> None:
        self._page.results.extend(results)
        self._ride()

    @property
    def waiting(self) -> int:
        """Exchanges not yet committed."""
        return len(self._page.exchanges)

    async def run(self) -> None:
        """Commit until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            page = self._turn()
            await self._commit(page)
            if not self._wake.is_set() and self._rider_timer is None:
                self._idle.set()

    async def drained(self) -> None:
        """Wait until everything handed in is written (or refused)."""
        if self._rider_timer is not None:
            self._start()
        await self._idle.wait()

    def _start(self) -> None:
        if self._rider_timer is not None:
            self._rider_timer.cancel()
            self._rider_timer = None
        self._idle.clear()
        self._wake.set()

    def _ride(self) -> None:
        if self._rider_timer is None and not self._wake.is_set():
            self._idle.clear()
            self._rider_timer = asyncio.get_running_loop().call_later(RIDER_DELAY, self._start)

    def _turn(self) -> _Page:
        """This commit's page; what is over the largest batch stays for the next."""
        page, self._page = self._page, _Page()
        if len(page.exchanges) > LARGEST_BATCH:
            self._page.exchanges = page.exchanges[LARGEST_BATCH:]
            page.exchanges = page.exchanges[:LARGEST_BATCH]
            self._wake.set()
        return page

    async def _commit(self, page: _Page) -> None:
        started = asyncio.get_running_loop().time()
        try:
            receipt = await self._journal.commit(page.batch())
        except StoreUncertain as error:
            self.trouble = str(error)
            log.warning("journal.uncertain", error=str(error), exchanges=len(page.exchanges))
            await self._read_back(page)
        except StoreError as error:
            self.trouble = str(error)
            log.warning("journal.unavailable", error=str(error), exchanges=len(page.exchanges))
            self._refuse(page)
            await self._later(page)
        else:
            self.trouble = ""
            if self._observe is not None:
                self._observe(asyncio.get_running_loop().time() - started, len(page.exchanges))
            self._settle(page, receipt)

    def _settle(self, page: _Page, receipt: JournalReceipt) -> None:
        self._settled_at = self._clock()
        for entry in page.exchanges:
            earlier = receipt.redelivered.get(entry.exchange.message.id)
            entry.written(entry) if earlier is None else entry.repeated(entry, earlier)
        for entry in page.closings:
            identifier = entry.exchange.message.id
            # One that is in doubt and found closed was closed by us: its reply waits for nobody but us to send it.
            by_another = identifier in receipt.already_closed and not entry.doubted
            entry.repeated(entry, identifier) if by_another else entry.written(entry)
        for arrival in page.reports:
            arrival.settle(Settlement.DURABLE)

    def _refuse(self, page: _Page) -> None:
        for entry in page.exchanges:
            entry.refused(entry)
        for arrival in page.reports:
            arrival.settle(Settlement.REFUSED)

    async def _later(self, page: _Page) -> None:
        self._page = page.before(self._page)
        await asyncio.sleep(RETRY_DELAY)
        if self._page.closings or self._page.results or self._page.acknowledgements or self._page.session_ends:
            self._start()

    async def _read_back(self, page: _Page) -> None:
        """Nothing is settled before it is known what happened; new messages collect (and are bounded) meanwhile.

        Closings and riders are idempotent and simply written again; a report written twice says the same twice.
        """
        identifiers = [entry.exchange.message.id for entry in page.exchanges]
        written = await self._known(identifiers)
        self._settled_at = self._clock()
        for entry in page.exchanges:
            entry.written(entry) if entry.exchange.message.id in written else entry.refused(entry)
        for entry in page.closings:
            entry.doubted = True
        for arrival in page.reports:
            arrival.settle(Settlement.REFUSED)
        await self._later(page)

    async def _known(self, identifiers: list[int]) -> frozenset[int]:
        while True:
            try:
                return await self._journal.written(identifiers)
            except StoreError as error:
                log.warning("journal.read_back_failed", error=str(error))
                await asyncio.sleep(RETRY_DELAY)
