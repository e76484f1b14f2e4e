"""What the sessions of an account tell: passed on to the gateway's inlet and to the queue of what leaves.

Parts of long messages are put together here (channels.sms.concatenation). A part is acknowledged once it is in the
store, so the SMSC may forget it; from there on the message is ours. It is handed in under the id of its set: whatever
happens between the journal's commit and ours, handed in once more it is known by its id and answered once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from channels.base import Arrival, Inlet, ReportArrival, Settlement
from channels.sms import commands as c
from channels.sms.account import SmppAccount
from channels.sms.concatenation import MOST_AT_ONCE, Reassembly
from channels.sms.counters import SmsCounters
from channels.sms.gathering import Bounds, Gathering
from channels.sms.incoming import Incoming
from channels.sms.outgoing import Outgoing
from channels.sms.ports import Part, PartStore, SentIds
from channels.sms.reports import is_acknowledgement
from channels.sms.session import Delivery, Session
from channels.sms.unflagged import Suspect, Unflagged
from channels.sparing import Sparing, SparingLog
from domain.errors import StoreError

log = structlog.get_logger()

LOOKS_PER_TIMEOUT: Final = 5  # a message is given up at most a fifth late
LONGEST_PAUSE: Final = 1.0  # seconds between two looks, and two tries of a store that is away


@dataclass(frozen=True, slots=True)
class _Keeping:
    """Parts on their way into the store, and what is acknowledged then."""

    parts: Sequence[Part]
    delivery: Delivery


class Reception:
    """Implements channels.sms.session.SessionListener, once for all connections of an account."""

    def __init__(
        self,
        account: SmppAccount,
        inlet: Inlet,
        incoming: Incoming,
        outgoing: Outgoing,
        parts: PartStore,
        counters: SmsCounters,
        clock: Callable[[], datetime],
        *,
        sent_ids: SentIds | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self._account = account
        self._inlet = inlet
        self._incoming = incoming
        self._outgoing = outgoing
        self._parts = parts
        self._counters = counters
        self._clock = clock
        self._bounds = bounds or Bounds(timeout=account.parts_timeout)
        self._reassembly = Reassembly(self._bounds, incoming.new_id)
        self._loaded = False
        self._early: list[tuple[Part, Delivery]] = []  # until what was kept before is read
        self._keeping: list[_Keeping] = []
        self._done: dict[int, datetime] = {}  # sets, to be written down
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._log = SparingLog(log, Sparing(self._loop.time)).bind(account=account.name)
        self._unflagged: Unflagged | None = None
        if sent_ids is not None and account.reports_by_content:
            self._unflagged = Unflagged(account.name, sent_ids, believed=self._believed, person=self._of_a_person)

    # ---- what sessions tell: none of these wait

    def delivered(self, session: Session, deliveries: Sequence[Delivery]) -> None:
        """Hand in each; one that cannot be is refused, for the SMSC to keep, and costs no other its turn."""
        now = self._clock()
        for delivery in deliveries:
            try:
                self._take(session, delivery, now)
            except Exception as error:  # noqa: BLE001 - no text or number may reach the log with a traceback
                self._log.error("sms.delivery_failed", session=session.name, error=type(error).__name__)
                delivery.settle(Settlement.REFUSED)

    def room_changed(self) -> None:
        self._outgoing.pump()

    def ended(self, session: Session, reason: str) -> None:
        self._outgoing.detach(session, reason)
        self._inlet.session_ended(session.name)

    def _take(self, session: Session, delivery: Delivery, now: datetime) -> None:
        pdu = delivery.pdu
        report = self._incoming.report(pdu, now)
        if report is not None:
            self._inlet.report(ReportArrival(report, delivery.settle))
        elif is_acknowledgement(pdu.esm_class):
            self._counters.device_acknowledgements += 1
            delivery.settle(Settlement.DURABLE)
        elif self._unflagged is not None and (report := self._incoming.unflagged_report(pdu, now)) is not None:
            self._unflagged.take(session, delivery, report, now)
        else:
            self._take_message(session, delivery, now)

    def _believed(self, suspect: Suspect) -> None:
        self._inlet.report(ReportArrival(suspect.report, suspect.delivery.settle))

    def _of_a_person(self, suspect: Suspect) -> None:
        self._take_message(suspect.session, suspect.delivery, suspect.received_at)

    def _take_message(self, session: Session, delivery: Delivery, now: datetime) -> None:
        pdu = delivery.pdu
        part = self._incoming.part(pdu, session.name, now)
        if part is None:
            self._inlet.arrive(Arrival(self._incoming.message(pdu, session.name, now), delivery.settle))
        elif part.key.total > self._account.most_parts:
            self._too_long(part, delivery)
        elif self._loaded:
            self._add(part, delivery)
        else:
            self._early.append((part, delivery))

    def _too_long(self, part: Part, delivery: Delivery) -> None:
        """A code fits into one part: nobody needs so many. The first is a message of its own, so that its sender gets an
        answer; the others are refused with a status that says "never", or the SMSC would send them for days.
        """
        if part.number == 1:
            self._inlet.arrive(
                Arrival(self._incoming.assembled(self._incoming.new_id(), [part], part), delivery.settle)
            )
            return
        self._counters.parts_too_many += 1
        delivery.answer(c.RX_P_APPN)

    def _add(self, part: Part, delivery: Delivery) -> None:
        keep = self._reassembly.add(part, self._loop.time())
        if keep is None:
            delivery.settle(Settlement.REFUSED)
        elif keep:
            self._keeping.append(_Keeping(keep, delivery))
            self._wake.set()
        else:
            self._counters.parts_repeated += 1
            delivery.settle(Settlement.DURABLE)

    # ---- the store, one write at a time; the next collects meanwhile

    async def run(self) -> None:
        """Keep parts, hand in messages, until cancelled."""
        if self._unflagged is None:
            await self._keep_parts()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._unflagged.run(), name=f"unflagged reports {self._account.name}")
            await self._keep_parts()

    async def _keep_parts(self) -> None:
        await self._load()
        while True:
            more = self._hand_in()
            while more == MOST_AT_ONCE:  # after a restart, or while the journal is away, they are thousands
                await asyncio.sleep(0)
                more = self._hand_in()
            await self._next()
            self._wake.clear()
            if self._keeping or self._done:
                await self._write()

    async def _load(self) -> None:
        while not self._loaded:
            now = self._clock()
            since = now - timedelta(seconds=self._bounds.remembered)
            try:
                parts = await self._parts.load(self._account.name, since)
            except StoreError as error:
                self._log.warning("sms.parts_not_loaded", error=str(error))
                self._refuse_early()
                await asyncio.sleep(LONGEST_PAUSE)
            else:
                self._reassembly.restore(parts, self._loop.time(), now)
                self._loaded = True
        early, self._early = self._early, []
        for part, delivery in early:
            self._add(part, delivery)

    def _refuse_early(self) -> None:
        early, self._early = self._early, []
        for _, delivery in early:
            delivery.settle(Settlement.REFUSED)

    @property
    def _pause(self) -> float:
        return min(LONGEST_PAUSE, self._bounds.timeout / LOOKS_PER_TIMEOUT, self._bounds.retry)

    async def _next(self) -> None:
        """Until there is something to write, or something can be overdue."""
        idle = not (self._reassembly.waiting or self._done)
        with suppress(TimeoutError):
            async with asyncio.timeout(None if idle else self._pause):
                await self._wake.wait()

    async def _write(self) -> None:
        keeping, self._keeping = self._keeping, []
        done, self._done = self._done, {}
        parts = {(part.set_id, part.number): part for each in keeping for part in each.parts}
        try:
            await self._parts.write(self._account.name, list(parts.values()), done)
        except StoreError as error:
            self._log.warning("sms.parts_not_kept", error=str(error), parts=len(parts))
            self._done = done | self._done  # with the next
            self._not_kept(keeping)
            await asyncio.sleep(self._pause)  # an SMSC that sends again at once would have us ask as often
        else:
            self._counters.parts += len(parts)
            self._kept(keeping)

    def _kept(self, keeping: Sequence[_Keeping]) -> None:
        for each in keeping:
            self._reassembly.kept(each.parts)
            written = each.delivery.settle(Settlement.DURABLE)
            for part in each.parts:
                self._reassembly.acknowledged(part, written=written)

    def _not_kept(self, keeping: Sequence[_Keeping]) -> None:
        for each in keeping:
            self._reassembly.lost(each.parts)
            each.delivery.settle(Settlement.REFUSED)

    # ---- messages

    def _hand_in(self) -> int:
        """How many there were."""
        ready = self._reassembly.ready(self._loop.time())
        for gathering in ready:
            if not gathering.parts:  # the store may hold a part we were not told of
                self._finish(gathering)
                continue
            try:
                self._arrive(gathering)
            except Exception as error:  # noqa: BLE001 - no text or number may reach the log with a traceback
                self._log.error("sms.delivery_failed", error=type(error).__name__)
                self._reassembly.refused(gathering, self._loop.time())
        return len(ready)

    def _arrive(self, gathering: Gathering) -> None:
        if not gathering.handed_in:
            gathering.handed_in = True
            if len(gathering.parts) == gathering.key.total:
                self._counters.long_messages += 1
            else:
                self._counters.long_messages_incomplete += 1
        message = self._incoming.assembled(gathering.message_id, gathering.in_order, gathering.last)
        self._inlet.arrive(Arrival(message, partial(self._settle, gathering)))

    def _settle(self, gathering: Gathering, settlement: Settlement) -> bool:
        """Its parts were acknowledged before; only what is still to be done about it hangs on this."""
        if settlement is Settlement.DURABLE:
            self._finish(gathering)
            return gathering.acknowledged
        self._reassembly.refused(gathering, self._loop.time())
        return False

    def _finish(self, gathering: Gathering) -> None:
        self._reassembly.done(gathering, self._loop.time())
        self._done[gathering.set_id] = self._clock()
        self._wake.set()
