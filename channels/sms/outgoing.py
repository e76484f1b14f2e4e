"""Messages on their way out: in turn, paced, written under the windows, their answers put together again.

One future per batch, however many messages: a segment's answer is a plain call that counts down its message, and the
last message counts down the batch. Whose turn it is: channels.sms.ways; how fast: channels.sms.throttle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from channels.sms import commands as c
from channels.sms import statuses
from channels.sms.account import SmppAccount
from channels.sms.counters import SmsCounters
from channels.sms.full_queues import FullQueues
from channels.sms.handover import Batch, Handover, Outward, Part, Unanswered
from channels.sms.statuses import Verdict
from channels.sms.throttle import Throttle
from channels.sms.ways import Link, Request, Turns, Way
from channels.sparing import Sparing, SparingLog
from domain.message import SendResult, SendStatus

__all__ = ["Link", "Outgoing", "Outward", "Request", "Unanswered"]

log = structlog.get_logger()

NOT_BOUND: Final = "not_bound"
EXPIRED: Final = "expired"


class Outgoing:
    """The account's queue before its links' windows.

    Several calls of `send` may be under way at once, and several links attached. Without a link everything comes back
    at once, to be retried.

    What the SMSC puts off keeps its place in the queue and is written again, under a new sequence number, after the
    pause and at the lower rate; segments it has taken are not sent again. It comes back to be retried
    - after `throttle_hold` seconds, or when it has expired;
    - once the SMSC has put each of its segments off three times for a reason that may be this person's, or once where it
      is known to be: one handset that is off must not hold up everybody else (channels.sms.full_queues);
    - with everything that waits, once the SMSC has taken nothing at all for `throttle_hold`;
    - at once, when somebody waits for us to be done.
    A message that comes back with some of its segments taken goes again whole: the telephone gets these twice, under
    two references, shows the message once, and the operator is paid for them twice.
    """

    def __init__(self, account: SmppAccount, counters: SmsCounters, clock: Callable[[], float]) -> None:
        self._counters = counters
        self._account = account
        self._verdicts = statuses.verdicts(account)
        self._clock = clock  # seconds that only rise
        self._throttle = Throttle(account, clock())
        self._turns = Turns()
        self._full = FullQueues()
        self._entries = 0
        self._nothing_taken_since: float | None = None  # the SMSC put something off, and has taken nothing since
        self._log = SparingLog(log, Sparing(clock)).bind(account=account.name)
        self._wake: asyncio.TimerHandle | None = None
        self._under_way: set[Batch] = set()
        self._emptied: list[asyncio.Future[None]] = []

    @property
    def waiting(self) -> int:
        """Segments not yet written."""
        return self._turns.waiting

    @property
    def paused(self) -> bool:
        """The SMSC asked us to hold back, and the pause is not over."""
        return self._throttle.paused(self._clock())

    @property
    def rate(self) -> float:
        """Segments a second that may leave now, pauses apart; 0: no limit."""
        return self._throttle.rate(self._clock())

    def attach(self, link: Link) -> None:
        """From now on `link` is written to, beside the others; one that is already goes on as it is."""
        if self._turns.way_of(link) is not None:
            return
        if not self._turns.ways:
            self._nothing_taken_since = None  # what was refused before we were away is old news
        self._turns.ways.append(Way(link))
        self.pump()

    def detach(self, link: Link, reason: str) -> None:
        """The link is gone, and what was written on it has been told so. What waits leaves by the others; a message
        begun on this one comes back to be retried, and without any other everything does. A link that never was
        attached is none of ours.
        """
        way = self._turns.way_of(link)
        if way is None:
            return
        self._turns.ways.remove(way)
        for message in list(way.unfinished):
            self._give_back(message, reason, self._away)
        if self._turns.ways:
            self.pump()
        else:
            self._give_everything_back(NOT_BOUND, self._away)

    async def send(self, messages: Sequence[Outward]) -> Sequence[SendResult]:
        """Submit messages; their results come in the same order, when the last of them is decided.

        Cancelled: segments not yet written are withdrawn; what was written stays written.
        """
        if not messages:
            return []
        batch = Batch(len(messages), asyncio.get_running_loop().create_future())
        self._under_way.add(batch)
        try:
            for index, outward in enumerate(messages):
                self._enter(batch, index, outward)
            self.pump()
            await batch.done
        finally:
            self._under_way.discard(batch)
            self._tell_if_empty()
        return [result for result in batch.results if result is not None]

    async def emptied(self) -> None:
        """Wait until no `send` is under way. What the SMSC puts off is not waited for: it comes back at once."""
        if not self._under_way:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._emptied.append(waiter)
        if self.paused:
            self._give_everything_back("throttled", self._account.throttle_pause)
        try:
            await waiter
        finally:
            if waiter in self._emptied:
                self._emptied.remove(waiter)

    def pump(self) -> None:
        """Write what windows, rate and pause allow; called whenever one of them may have changed."""
        turns, throttle = self._turns, self._throttle
        if not turns.waiting:
            return
        now = self._clock()
        allowed = throttle.allowed(now)
        spent = 0
        for way in turns.ways:
            way.look()
        while (found := turns.next()) is not None:
            way, message = found
            if message.expires_at <= now or message.put_off is not None or message.cancelled:
                reason = self._too_late(message, way, now)
                if reason:
                    self._give_back(message, reason, self._pause_after(message))
                    continue
            if allowed < 1.0:
                break
            part = turns.take(way, message)
            part.era = throttle.era
            way.batch.append(part)
            allowed -= message.cost
            spent += message.cost
        if spent:
            throttle.spend(spent, now)
            self._write()
        if found is not None:
            self._wake_in(throttle.wait(now))

    def answered(self, part: Part, command_status: int, message_id: str) -> None:
        """The SMSC answered one segment."""
        if command_status == c.ROK:
            self._counters.accepted += 1
            self._nothing_taken_since = None
            self._full.taken(part.message)
            part.message.decided(SendStatus.ACCEPTED, part.result(c.ROK, message_id))
            return
        verdict = self._verdicts.get(command_status, statuses.UNLISTED)
        if verdict.pauses:
            self._put_off(part, command_status)
            return
        if verdict is Verdict.LATER:
            self._counters.deferred += 1
        else:
            self._counters.rejected += 1
        reason = statuses.name_of(command_status)
        part.message.decided(statuses.OUTCOMES[verdict], part.result(command_status), reason)
        self._give_back(part.message, reason, 0.0)  # what is left of it

    def unanswered(self, part: Part, why: Unanswered) -> None:
        """One segment was written, and nobody will say what became of it."""
        self._counters.unanswered += 1
        part.message.decided(SendStatus.UNKNOWN, part.result(), why.value)

    @property
    def _away(self) -> float:
        """Seconds for which the whole line is of no use."""
        return 0.0 if self._turns.ways else self._account.reconnect_first

    def _enter(self, batch: Batch, index: int, outward: Outward) -> None:
        frames = outward.frames
        if isinstance(frames, SendResult):
            batch.decide(index, frames)
        elif self._turns.ways:
            self._entries += 1
            self._turns.enter(Handover(self, batch, index, outward, frames, self._entries))
        else:
            batch.decide(
                index,
                SendResult(
                    message_id=outward.message_id, status=SendStatus.RETRY, reason=NOT_BOUND, retry_after=self._away
                ),
            )

    def _write(self) -> None:
        for way in self._turns.ways:
            if way.batch:
                batch, way.batch = way.batch, []
                self._counters.submitted += len(batch)
                way.link.submit(batch)

    def _too_late(self, message: Handover, way: Way, now: float) -> str:
        """Why nothing more of it is written now; empty: it is. What was begun is finished even if it expires meanwhile:
        half a message is of no use to anybody.
        """
        if message.hopeless:
            return message.reason or "cancelled"
        if message.expires_at <= now and message is not way.open:
            return EXPIRED
        put_off = message.put_off
        if put_off is not None and now - put_off.since >= self._account.throttle_hold:
            return statuses.name_of(put_off.status)
        return ""

    def _pause_after(self, message: Handover) -> float:
        """Seconds for which the line is to be left alone when this comes back: it may have been the person's fault."""
        put_off = message.put_off
        if put_off is None or self._verdicts.get(put_off.status) is not Verdict.TOO_MUCH:
            return 0.0
        return self._account.throttle_pause

    def _put_off(self, part: Part, command_status: int) -> None:
        """The SMSC does not take a segment yet: we hold back, and the segment keeps its place."""
        now = self._clock()
        message = part.message
        self._counters.throttled += 1
        self._full.put_off(message, now).again(part.number, command_status)
        busy = self._verdicts[command_status] is Verdict.BUSY
        if not (busy and self._full.is_readers(message)):
            self._slow_down(part, command_status, now)
        lost = message.way not in self._turns.ways
        self._turns.put_back(part)
        if lost or message.hopeless or (busy and self._full.give_up(message)):
            self._give_back(message, statuses.name_of(command_status), self._pause_after(message))
        else:
            self._counters.requeued += 1
        if self._emptied or self._takes_nothing(now):
            self._give_everything_back(statuses.name_of(command_status), self._account.throttle_pause)
        self._wake_in(self._throttle.wait(now))

    def _takes_nothing(self, now: float) -> bool:
        """For so long that what waits is better off in the outbox."""
        if self._nothing_taken_since is None:
            self._nothing_taken_since = now
        return now - self._nothing_taken_since >= self._account.throttle_hold

    def _slow_down(self, part: Part, command_status: int, now: float) -> None:
        if self._throttle.refused(part.era, now):
            self._counters.slowdowns += 1
            self._log.warning(
                "sms.throttled",
                status=statuses.name_of(command_status),
                rate=round(self._throttle.rate(now), 1),
            )

    def _give_back(self, message: Handover, reason: str, retry_after: float) -> None:
        """What was not written of it comes back to be retried."""
        last = message.put_off.statuses if message.put_off is not None else {}
        for part in self._turns.remove(message):
            segment = part.result(last[part.number]) if part.number in last else None
            message.decided(SendStatus.RETRY, segment, reason, retry_after)

    def _give_everything_back(self, reason: str, retry_after: float) -> None:
        for message in self._turns.everything():
            self._give_back(message, reason, retry_after)

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
