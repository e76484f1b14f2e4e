"""Messages on their way out: cut into segments, paced, written under the window, their answers put together again.

One future per batch, however many messages: a segment's answer is a plain call that counts down its message, and the
last message counts down the batch.
"""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog

from channels.sms import commands, statuses
from channels.sms.account import SmppAccount
from channels.sms.counters import SmsCounters
from channels.sms.pacing import TokenBucket
from domain.message import SegmentResult, SendResult, SendStatus

log = structlog.get_logger()

# The worst segment speaks for the message. A message of which one segment did not leave cannot have arrived whole, so
# it may go again even if another segment's fate is unknown.
SEVERITY: Mapping[SendStatus, int] = {
    SendStatus.ACCEPTED: 0,
    SendStatus.UNKNOWN: 1,
    SendStatus.RETRY: 2,
    SendStatus.REJECTED: 3,
    SendStatus.STOPPED: 4,
}


class Unanswered(enum.StrEnum):
    """Why a written request will get no answer."""

    TIMED_OUT = "response_timeout"
    LINK_LOST = "link_lost"
    MISREAD = "response_unreadable"


class Request(Protocol):
    """Something to be submitted: an encoded submit_sm whose sequence number is filled in when it is written."""

    @property
    def frame(self) -> bytes: ...

    def answered(self, command_status: int, message_id: str) -> None: ...

    def unanswered(self, why: Unanswered) -> None: ...


class Link(Protocol):
    """A bound session, as the queue sees it."""

    @property
    def room(self) -> int:
        """How many submits may be written now."""
        ...

    def submit(self, requests: Sequence[Request]) -> None:
        """Write them; never more than `room`."""
        ...


class Batch:
    """The results of one `send`, one slot a message; `done` is set with the last."""

    __slots__ = ("_undecided", "done", "results")

    def __init__(self, size: int, done: asyncio.Future[None]) -> None:
        self.results: list[SendResult | None] = [None] * size
        self.done = done
        self._undecided = size

    def decide(self, index: int, result: SendResult) -> None:
        self.results[index] = result
        self._undecided -= 1
        if not self._undecided and not self.done.done():
            self.done.set_result(None)


class Handover:
    """One message between its first segment and its last answer."""

    __slots__ = ("_batch", "_index", "_message_id", "_retry_after", "_segments", "_undecided", "reason", "status")

    def __init__(self, batch: Batch, index: int, message_id: int, parts: int) -> None:
        self._batch = batch
        self._index = index
        self._message_id = message_id
        self._segments: list[SegmentResult] = []
        self._undecided = parts
        self._retry_after = 0.0
        self.status = SendStatus.ACCEPTED
        self.reason = ""

    @property
    def withdrawn(self) -> bool:
        """What is left of it need not be written: it cannot arrive whole, or nobody waits for it any more."""
        return SEVERITY[self.status] >= SEVERITY[SendStatus.RETRY] or self._batch.done.done()

    def part_decided(
        self, status: SendStatus, segment: SegmentResult | None = None, *, reason: str = "", retry_after: float = 0.0
    ) -> None:
        """One segment's fate; with the last one the message's result is told."""
        if segment is not None:
            self._segments.append(segment)
        if SEVERITY[status] > SEVERITY[self.status]:
            self.status, self.reason, self._retry_after = status, reason, retry_after
        self._undecided -= 1
        if not self._undecided:
            self._batch.decide(
                self._index,
                SendResult(
                    message_id=self._message_id,
                    status=self.status,
                    segments=sorted(self._segments, key=by_segment) if len(self._segments) > 1 else self._segments,
                    reason=self.reason,
                    retry_after=self._retry_after,
                ),
            )


def by_segment(result: SegmentResult) -> int:
    """Answers may come in any order; results do not."""
    return result.segment


class Part:
    """One segment of a message: a Request of the session."""

    __slots__ = ("_outgoing", "_total", "frame", "message", "number")

    def __init__(self, outgoing: Outgoing, message: Handover, number: int, total: int, frame: bytes) -> None:
        self._outgoing = outgoing
        self._total = total
        self.message = message
        self.number = number  # 1-based
        self.frame = frame

    def answered(self, command_status: int, message_id: str) -> None:
        segment = SegmentResult(
            segment=self.number, segments=self._total, external_id=message_id, command_status=command_status
        )
        self._outgoing.part_answered(self.message, segment)

    def unanswered(self, why: Unanswered) -> None:
        """Written, and nobody will say what became of it."""
        self._outgoing.counters.unanswered += 1
        segment = SegmentResult(segment=self.number, segments=self._total)
        self.message.part_decided(SendStatus.UNKNOWN, segment, reason=why.value)

    def unwritten(self, reason: str, retry_after: float) -> None:
        """It never left."""
        self.message.part_decided(SendStatus.RETRY, reason=reason, retry_after=retry_after)


class Outgoing:
    """The account's queue before the window: first in, first out, so that the segments of a message stay together.

    Several calls of `send` may be under way at once. Without a link everything comes back at once, to be retried.
    """

    def __init__(self, account: SmppAccount, counters: SmsCounters, clock: Callable[[], float]) -> None:
        self.counters = counters
        self._account = account
        self._verdicts = statuses.verdicts(account)
        self._clock = clock  # seconds that only rise
        self._bucket = TokenBucket(account.rate, clock())
        self._queue: deque[Part] = deque()
        self._link: Link | None = None
        self._paused_until = 0.0
        self._wake: asyncio.TimerHandle | None = None
        self._under_way: set[Batch] = set()
        self._emptied: list[asyncio.Future[None]] = []

    @property
    def waiting(self) -> int:
        """Segments not yet written."""
        return len(self._queue)

    @property
    def paused(self) -> bool:
        """The SMSC asked us to hold back, and the pause is not over."""
        return self._clock() < self._paused_until

    def attach(self, link: Link) -> None:
        """From now on `link` is written to."""
        self._link = link
        self.pump()

    def detach(self, reason: str) -> None:
        """The link is gone: what was not written comes back to be retried."""
        self._link = None
        queue, self._queue = self._queue, deque()
        for part in queue:
            part.unwritten(reason, self._account.reconnect_first)

    async def send(self, messages: Sequence[tuple[int, Sequence[bytes] | SendResult]]) -> Sequence[SendResult]:
        """Submit messages given as (id, its encoded segments), or (id, result) where one could not be encoded.

        Cancelled: segments not yet written are withdrawn; what was written stays written.
        """
        if not messages:
            return []
        batch = Batch(len(messages), asyncio.get_running_loop().create_future())
        self._under_way.add(batch)
        try:
            for index, (message_id, frames) in enumerate(messages):
                if isinstance(frames, SendResult):
                    batch.decide(index, frames)
                else:
                    self._enqueue(Handover(batch, index, message_id, len(frames)), frames)
            self.pump()
            await batch.done
        finally:
            self._under_way.discard(batch)
            self._tell_if_empty()
        return [result for result in batch.results if result is not None]

    async def emptied(self) -> None:
        """Wait until no `send` is under way."""
        if self._under_way:
            waiter = asyncio.get_running_loop().create_future()
            self._emptied.append(waiter)
            await waiter

    def pump(self) -> None:
        """Write what window, rate and pause allow; called whenever one of them may have changed."""
        link = self._link
        if link is None or not self._queue:
            return
        now = self._clock()
        if now < self._paused_until:
            self._wake_in(self._paused_until - now)
            return
        wanted = min(link.room, len(self._queue))
        granted = self._bucket.take(wanted, now)
        parts = self._pick(granted)
        if parts:
            self.counters.submitted += len(parts)
            link.submit(parts)
        if self._queue and granted < wanted:
            self._wake_in(self._bucket.wait())

    def part_answered(self, message: Handover, segment: SegmentResult) -> None:
        """The SMSC answered one segment."""
        status = self._verdicts.get(segment.command_status, SendStatus.REJECTED)
        if status is SendStatus.ACCEPTED:
            self.counters.accepted += 1
            message.part_decided(status, segment)
            return
        if status is SendStatus.RETRY:
            self._hold_back(segment.command_status)
        else:
            self.counters.rejected += 1
        # Only a throttled account says something of the line; the others may be about this reader, whose handset is off.
        pause = self._account.throttle_pause if segment.command_status == commands.RTHROTTLED else 0.0
        message.part_decided(status, segment, reason=statuses.name_of(segment.command_status), retry_after=pause)

    def _enqueue(self, message: Handover, frames: Sequence[bytes]) -> None:
        parts = [Part(self, message, number, len(frames), frame) for number, frame in enumerate(frames, 1)]
        if self._link is not None:
            self._queue.extend(parts)
            return
        for part in parts:
            part.unwritten("not_bound", self._account.reconnect_first)

    def _pick(self, count: int) -> list[Part]:
        """The next `count` segments that are still wanted."""
        picked: list[Part] = []
        while self._queue and len(picked) < count:
            part = self._queue.popleft()
            if part.message.withdrawn:
                part.unwritten(part.message.reason, 0.0)
            else:
                picked.append(part)
        return picked

    def _hold_back(self, command_status: int) -> None:
        self.counters.throttled += 1
        if not self.paused:
            log.warning("sms.throttled", account=self._account.name, status=statuses.name_of(command_status))
        self._paused_until = self._clock() + self._account.throttle_pause

    def _wake_in(self, delay: float) -> None:
        if self._wake is None:
            self._wake = asyncio.get_running_loop().call_later(delay, self._woken)

    def _woken(self) -> None:
        self._wake = None
        self.pump()

    def _tell_if_empty(self) -> None:
        if not self._under_way:
            waiters, self._emptied = self._emptied, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
