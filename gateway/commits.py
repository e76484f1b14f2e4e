"""The journal's pump: commits whatever is decided, from all channels; one commit in flight, the next collecting.

Questions start a commit at once. Riders (acknowledgements, results, session ends) travel with the next one, or alone
after a short while: recording what already happened must not hold up what is still to be answered.

A commit of unknown outcome is written again under the same ids, which the store puts in order behind the first: what is
then found there is ours. The other side waits for that, but no longer than it may be asked to (gateway.given_up tells
what becomes of the rest). A commit the store can never write is halved until what it cannot write is alone; of that as
much is kept as can be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from channels.base import ReportArrival, Settlement
from conversation.ports import Acknowledgement, Journal, JournalReceipt, SessionEnd
from domain.errors import StoreError, StoreRejected, StoreUncertain
from domain.message import SendResult
from gateway.given_up import GivenUp
from gateway.pages import Entry, Page

__all__ = ["Commits", "Entry"]

RIDER_DELAY = 0.02  # seconds a rider waits for company
RETRY_DELAY = 0.2  # seconds between tries of a store that is away
IN_DOUBT = 5.0  # seconds a message is held while nobody knows whether it is written; other sides wait ten and more
LARGEST_BATCH = 500

log = structlog.get_logger()


def _nobody_counts(_kind: str, _kept: str) -> None:
    return None


class Commits:
    """Takes things to write down, never waits, and calls back when they are written."""

    def __init__(
        self,
        journal: Journal,
        *,
        clock: Callable[[], datetime],
        observe: Callable[[float, int], None] | None = None,
        rejected: Callable[[str, str], None] = _nobody_counts,
    ) -> None:
        """`rejected` counts what the store can never write: its kind, and whether `part` of it was kept or `nothing`."""
        self._journal = journal
        self._clock = clock
        self._observe = observe
        self.given_up = GivenUp(journal)
        self._rejected = rejected
        self._page = Page()
        self._settled_at = clock()
        self.trouble = ""  # what the last commit failed of; empty: it did not
        self._wake = asyncio.Event()
        self._rider_timer: asyncio.TimerHandle | None = None
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
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pump(), name="pump")
            group.create_task(self.given_up.run(), name="look for what came late")

    async def _pump(self) -> None:
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

    def _turn(self) -> Page:
        """This commit's page; what is over the largest batch stays for the next."""
        page, self._page = self._page, Page()
        if len(page.exchanges) > LARGEST_BATCH:
            self._page.exchanges = page.exchanges[LARGEST_BATCH:]
            page.exchanges = page.exchanges[:LARGEST_BATCH]
            self._wake.set()
        return page

    async def _commit(self, page: Page) -> None:
        """Until all of it is settled or waits for a later page; new messages collect (and are bounded) meanwhile."""
        while True:
            if await self._tried(page):
                return
            await asyncio.sleep(RETRY_DELAY)

    async def _tried(self, page: Page) -> bool:
        """False: exchanges of it are in doubt, and it is to be written once more."""
        started = asyncio.get_running_loop().time()
        try:
            receipt = await self._journal.commit(page.batch())
        except StoreRejected as error:
            await self._apart(page, error)
        except StoreUncertain as error:
            self.trouble = str(error)
            log.warning("journal.uncertain", error=self.trouble, exchanges=len(page.exchanges))
            page.doubt(started + IN_DOUBT)
            return await self._looked(page)
        except StoreError as error:
            self.trouble = str(error)
            log.warning("journal.unavailable", error=self.trouble, exchanges=len(page.exchanges))
            if page.doubted_until:
                return await self._looked(page)
            await self._give_back(page)
        except Exception as error:
            log.exception("journal.broke", exchanges=len(page.exchanges))
            page.doubt(started + IN_DOUBT)  # nobody knows how far it came
            await self._apart(page, error)
        else:
            self.trouble = ""
            if self._observe is not None:
                self._observe(asyncio.get_running_loop().time() - started, len(page.exchanges))
            return await self._settled(page, receipt)
        return True

    async def _settled(self, page: Page, receipt: JournalReceipt) -> bool:
        """It is written; False: of what was in doubt nobody can tell yet by whom."""
        earlier = {**{each: each for each in receipt.already_closed}, **receipt.redelivered}
        doubted = [
            entry.mark for entry in page.entries if entry.doubted and earlier.get(entry.identifier) == entry.identifier
        ]
        ours = await self._known(doubted)
        if ours is None:
            page.doubt(asyncio.get_running_loop().time() + IN_DOUBT)
            return await self._looked(page)
        self._settled_at = self._clock()
        for entry in page.entries:
            self._settle(entry, None if entry.mark in ours else earlier.get(entry.identifier))
        for arrival in page.reports:
            arrival.settle(Settlement.DURABLE)
        return True

    def _settle(self, entry: Entry, earlier: int | None) -> None:
        if entry.stripped and earlier is None:
            entry.repeated(entry, entry.identifier)
        elif earlier is None:
            entry.written(entry)
        else:
            entry.repeated(entry, earlier)

    async def _give_back(self, page: Page) -> None:
        for entry in page.exchanges:
            entry.refused(entry)
        self._refuse(page.reports)
        await self._later(page)

    def _refuse(self, reports: list[ReportArrival]) -> None:
        for arrival in reports:
            arrival.settle(Settlement.REFUSED)
        reports.clear()

    async def _later(self, page: Page) -> None:
        self._page = page.before(self._page)
        await asyncio.sleep(RETRY_DELAY)
        if self._page.closings or self._page.results or self._page.acknowledgements or self._page.session_ends:
            self._start()

    # ---- in doubt

    async def _looked(self, page: Page) -> bool:
        """What is seen is settled; the rest is written again, in a moment (False), or when the time is over refused.

        Closings and riders are idempotent and simply written again; a report written twice says the same twice.
        """
        self._refuse(page.reports)
        seen = await self._known([entry.mark for entry in page.exchanges]) or frozenset()
        self._settled_at = self._clock()
        for entry in page.exchanges:
            if entry.mark in seen:
                self._settle(entry, None)
        page.exchanges = [entry for entry in page.exchanges if entry.mark not in seen]
        if page.exchanges and asyncio.get_running_loop().time() < page.doubted_until:
            return False
        self.given_up.add([entry.exchange for entry in page.exchanges])
        await self._give_back(page)
        return True

    async def _known(self, marks: list[int]) -> frozenset[int] | None:
        """Which of these stand in the store; None: it does not say."""
        if not marks:
            return frozenset()
        try:
            return await self._journal.written(marks)
        except StoreError as error:
            log.warning("journal.read_back_failed", error=str(error))
        except Exception:
            log.exception("journal.read_back_failed")
        return None

    # ---- never to be written

    async def _apart(self, page: Page, error: Exception) -> None:
        """Halves, until what cannot be written is alone; of that the rest of it, if there is any."""
        self.trouble = _words(error)
        if len(page) > 1:
            for half in page.halves():
                await self._commit(half)
            return
        kind, identifier = page.what()
        log.error("journal.rejected", kind=kind, id=identifier, error=_words(error))
        self.given_up.add([entry.exchange for entry in page.exchanges if entry.doubted])  # whole, should it be there
        if page.strip():
            self._rejected(kind, "part")
            await self._commit(page)
        else:
            self._drop(page)

    def _drop(self, page: Page) -> None:
        """Nothing of it can be written, and nothing waits for it any more.

        A message is refused, since the other side is then the only one that has it. A closing leaves its message open,
        for whoever takes it over after us. A report is acknowledged: it would come for ever and is nobody's question.
        """
        kind, identifier = page.what()
        self._rejected(kind, "nothing")
        log.error("journal.dropped", kind=kind, id=identifier)
        for entry in page.exchanges:
            entry.refused(entry)
        for entry in page.closings:
            entry.repeated(entry, entry.identifier)
        for arrival in page.reports:
            arrival.settle(Settlement.DURABLE)


def _words(error: Exception) -> str:
    """What may stand in a log: a bug's own words may hold what somebody wrote."""
    return str(error) if isinstance(error, StoreError) else type(error).__name__
