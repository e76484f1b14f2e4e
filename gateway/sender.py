"""One account's way out: a bounded queue fed by the fast path and by the claim loop.

Answers somebody waits for must not stand behind what nobody asked for. So what is not a reply is claimed some time
ahead but handed over only just before its turn: a reply finds at most SECONDS_AHEAD of the account's rate before it,
and as little is in doubt when a process dies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from channels.base import Channel
from domain.errors import StoreError, StoreUncertain
from domain.message import Category, OutboundMessage, SendResult, SendStatus
from notifications.ports import Outbox

SECONDS_OF_ROOM = 2.0  # of the account's rate
UNLIMITED_ROOM = 2_000  # messages, where the account has no rate
CLAIM_EVERY = 0.5  # seconds between looks at the outbox
LARGEST_CLAIM = 200
LARGEST_SEND = 200
# Of the account's rate:
SECONDS_CLAIMED = 1.0  # what is claimed at a time
SECONDS_AHEAD = 0.1  # what is handed over, beside replies, before the channel is done with what went before
SECONDS_OF_SEND = 0.05  # a batch: results come with its last message, and until then all are in doubt

log = structlog.get_logger()


def _never() -> bool:
    return False


class Sender:
    """Hands messages to its channel in batches; nothing waits for another account."""

    def __init__(
        self,
        channel: Channel,
        outbox: Outbox,
        *,
        record: Callable[[list[SendResult]], None],
        claim_every: float = CLAIM_EVERY,
        quiet: Callable[[], bool] = _never,
    ) -> None:
        """`quiet`: nobody is told anything unasked now; what was tried in vain before the night waits for the morning."""
        self._channel = channel
        self._outbox = outbox
        self._record = record
        self._claim_every = claim_every
        self._quiet = quiet
        rate = channel.rate
        self._room = max(1, int(rate * SECONDS_OF_ROOM)) if rate > 0 else UNLIMITED_ROOM
        self._largest_claim = _share(rate, SECONDS_CLAIMED, LARGEST_CLAIM)
        self._largest_send = _share(rate, SECONDS_OF_SEND, LARGEST_SEND)
        self._ahead = min(self._room, max(2, _share(rate, SECONDS_AHEAD, self._room)))
        self._taken = 0  # reserved, queued or being sent
        self._queue: list[OutboundMessage] = []
        self._claimed: list[OutboundMessage] = []  # ours, in turn, and not yet written as handed over
        self._replies_wait = True  # in the outbox, as far as we know
        self._more_waits = True
        self._wake = asyncio.Event()
        self._claim_wake = asyncio.Event()
        self._sends: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def taken(self) -> int:
        """Messages reserved, queued or on their way."""
        return self._taken

    def reserve(self) -> bool:
        """A place for one reply that is about to be written as handed over; False: let it wait in the outbox."""
        if self._taken >= self._room or not self._channel.ready:
            return False
        self._taken += 1
        self._idle.clear()
        return True

    def cancel(self) -> None:
        """Give a reserved place back."""
        self._free(1)

    def offer(self, message: OutboundMessage) -> None:
        """Send this; its place is reserved and it is written as handed over."""
        self._queue.append(message)
        self._wake.set()

    def claim_soon(self) -> None:
        """Something waits in the outbox."""
        self._replies_wait = self._more_waits = True
        self._claim_wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._send_forever())
                group.create_task(self._claim_forever())
        finally:
            for task in self._sends:
                task.cancel()

    async def drained(self) -> None:
        """Wait until nothing is reserved, queued or on its way."""
        await self._idle.wait()

    async def _send_forever(self) -> None:
        while True:
            await self._wake.wait()
            batch, self._queue = self._queue[: self._largest_send], self._queue[self._largest_send :]
            if not self._queue:
                self._wake.clear()
            for together in filter(None, _apart(batch)):
                task = asyncio.create_task(self._send(together))
                self._sends.add(task)
                task.add_done_callback(self._sends.discard)
            await asyncio.sleep(0)

    async def _send(self, batch: Sequence[OutboundMessage]) -> None:
        try:
            results = list(await self._channel.send(batch))
        except Exception:
            log.exception("outbox.send_failed", account=self._channel.account, messages=len(batch))
            results = [SendResult(message_id=m.id, status=SendStatus.UNKNOWN, reason="channel failed") for m in batch]
        self._record(results)
        self._free(len(batch))

    def _free(self, places: int) -> None:
        self._taken -= places
        if self._taken == 0:
            self._idle.set()
        if self._something_waits and self._ahead - self._taken >= self._largest_send:
            self._claim_wake.set()

    @property
    def _something_waits(self) -> bool:
        return bool(self._claimed) or self._replies_wait or self._more_waits

    async def _claim_forever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._claim_every):
                    await self._claim_wake.wait()
            except TimeoutError:  # polling is the truth, the wake-up only makes it quick
                self._replies_wait = self._more_waits = True
            self._claim_wake.clear()
            try:
                await self._claim()
            except StoreError as error:
                log.warning("outbox.claim_failed", account=self._channel.account, error=str(error))
            except Exception:  # one account that cannot claim must not end the others
                log.exception("outbox.claim_broke", account=self._channel.account)

    async def _claim(self) -> None:
        """Replies go as long as there is room, the rest only as far ahead as keeps the channel busy."""
        if not self._channel.ready:
            await self._give_back()
            return
        if self._taken < self._room:
            await self._fetch()
        await self._pass_on()
        if self._taken < self._ahead and (self._claimed or self._more_waits):
            self._claim_wake.set()

    async def _give_back(self) -> None:
        """What cannot leave now is nobody's: the account may be another process's soon."""
        if self._claimed:
            await self._outbox.release([message.id for message in self._claimed])
            self._claimed = []

    async def _fetch(self) -> None:
        """Claim the next in turn; where enough of the others are claimed, only replies, which go before them."""
        account, most = self._channel.account, self._largest_claim
        if self._quiet():
            self._more_waits = False  # which the next look finds out anew
        if len(self._claimed) < self._ahead and self._more_waits:
            found = await self._outbox.claim(account, most)
            self._more_waits = self._replies_wait = len(found) == most
        elif self._replies_wait:
            found = await self._outbox.claim(account, most, replies_only=True)
            self._replies_wait = len(found) == most
        else:
            return
        # One of a broadcast that was paused and resumed at once may have been taken from us and claimed again.
        ours = {message.id: message for message in (*self._claimed, *found)}
        self._claimed = sorted(ours.values(), key=lambda message: (message.category.priority, message.id))

    async def _pass_on(self) -> None:
        """Hand over as much as may go now. What the store cannot write stays ours, and nobody else will send it."""
        replies = sum(message.category is Category.REPLY for message in self._claimed)
        count = min(max(self._ahead - self._taken, min(replies, self._room - self._taken), 0), LARGEST_SEND)
        batch = self._claimed[:count]
        if not batch:
            return
        ours = await self._hand_over([message.id for message in batch])
        self._claimed = self._claimed[count:]
        self._accept([message for message in batch if message.id in ours])

    async def _hand_over(self, claimed: Sequence[int]) -> frozenset[int]:
        """Those that are still ours to send."""
        try:
            return await self._outbox.hand_over(claimed)
        except StoreUncertain as error:
            # Claimed or handed over, they are ours, and a result counts for either.
            log.warning("outbox.claim_failed", account=self._channel.account, error=str(error))
            return frozenset(claimed)

    def _accept(self, claimed: Sequence[OutboundMessage]) -> None:
        if not claimed:
            return
        self._taken += len(claimed)
        self._idle.clear()
        self._queue.extend(claimed)
        self._wake.set()


def _share(rate: float, seconds: float, most: int) -> int:
    """So many messages; of an account without a rate, the most."""
    return max(1, min(int(rate * seconds), most)) if rate > 0 else most


def _apart(batch: Sequence[OutboundMessage]) -> tuple[list[OutboundMessage], list[OutboundMessage]]:
    """Replies, and the rest: results come with the last of a batch, and a reply's must not wait for a notice's, which
    the other side may put off.
    """
    replies = [message for message in batch if message.category is Category.REPLY]
    return replies, [message for message in batch if message.category is not Category.REPLY]
