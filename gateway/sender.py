"""One account's way out: a bounded queue fed by the fast path and by the claim loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from channels.base import Channel
from domain.errors import StoreError, StoreUncertain
from domain.message import OutboundMessage, SendResult, SendStatus
from notifications.ports import Outbox

SECONDS_OF_ROOM = 2.0  # of the account's rate
UNLIMITED_ROOM = 2_000  # messages, where the account has no rate
CLAIM_EVERY = 0.5  # seconds between looks at the outbox
LARGEST_SEND = 200
SECONDS_OF_SEND = (
    0.1  # of the account's rate: results come with a batch's last message, and until then all are in doubt
)

log = structlog.get_logger()


class Sender:
    """Hands messages to its channel in batches; nothing waits for another account."""

    def __init__(
        self,
        channel: Channel,
        outbox: Outbox,
        *,
        record: Callable[[list[SendResult]], None],
        claim_every: float = CLAIM_EVERY,
    ) -> None:
        self._channel = channel
        self._outbox = outbox
        self._record = record
        self._claim_every = claim_every
        self._room = max(1, int(channel.rate * SECONDS_OF_ROOM)) if channel.rate > 0 else UNLIMITED_ROOM
        share = int(channel.rate * SECONDS_OF_SEND) if channel.rate > 0 else LARGEST_SEND
        self._largest_send = max(1, min(share, LARGEST_SEND))
        self._taken = 0  # reserved, queued or being sent
        self._queue: list[OutboundMessage] = []
        self._claimed: Sequence[OutboundMessage] = ()  # ours, and not yet written as handed over
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
            task = asyncio.create_task(self._send(batch))
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

    async def _claim_forever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._claim_every):
                    await self._claim_wake.wait()
            except TimeoutError:
                pass  # polling is the truth, the wake-up only makes it quick
            self._claim_wake.clear()
            await self._claim()

    async def _claim(self) -> None:
        room = min(self._room - self._taken, LARGEST_SEND)
        if room <= 0 or not self._channel.ready:
            return
        try:
            # What was claimed before a store that went away is still ours, and nobody else will send it.
            self._claimed = self._claimed or await self._outbox.claim(self._channel.account, room)
            ours = await self._hand_over([message.id for message in self._claimed])
        except StoreError as error:
            log.warning("outbox.claim_failed", account=self._channel.account, error=str(error))
            return
        claimed, self._claimed = self._claimed, ()
        self._accept([message for message in claimed if message.id in ours])

    async def _hand_over(self, claimed: Sequence[int]) -> frozenset[int]:
        """Those that are still ours to send."""
        if not claimed:
            return frozenset()
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
        if len(claimed) == LARGEST_SEND:
            self._claim_wake.set()
