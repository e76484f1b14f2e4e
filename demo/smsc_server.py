"""The simulated SMSC itself: listens, binds gateways, delivers what handsets send, takes and reports what they get."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Final, Self

import msgspec

from channels.sms import commands as c
from channels.sms.pdu import Bind, DeliverSm, Pdu, SubmitSm, SubmitSmResp, encode
from demo.smsc_faults import BIND_REFUSALS, SUBMIT_REFUSALS, Dice, Fault
from demo.smsc_messages import Concatenation, MobileText, message_ids, mobile_originated, receipts
from demo.smsc_options import SmscOptions
from demo.smsc_session import Delivery, Session
from demo.smsc_strikes import STRIKES, strike
from demo.smsc_tickets import Assembler, MoTicket, Reply, Tickets

# A message refused with one of these is delivered again later; any other refusal ends it.
TEMPORARY: Final = frozenset({c.RSYSERR, c.RMSGQFUL, c.RTHROTTLED, c.RX_T_APPN})
PARTING: Final = 1.0  # seconds a connection has to take what is still to be written
RECORDED: Final = 100_000  # at most so many PDUs are remembered


@dataclass(frozen=True, slots=True)
class Seen:
    """One PDU that went over a connection. `at` is time.monotonic(); a written deliver_sm has sequence number 0."""

    at: float
    session: int
    received: bool
    pdu: Pdu


class Smsc:
    """An SMSC for one account. `async with Smsc(options) as smsc:` listens on `smsc.port`.

    `dice` arms faults at any time; `replies` are all whole messages the gateway sent, `unsolicited` those nobody had
    asked for; `seen` is every PDU, while `record` is on.
    """

    def __init__(
        self,
        options: SmscOptions | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        on_pdu: Callable[[Seen], None] | None = None,
        on_reply: Callable[[Reply, MoTicket | None], None] | None = None,
    ) -> None:
        self.options = options or SmscOptions()
        self.host, self.port = host, port
        self.dice = Dice(self.options.faults, self.options.seed)
        self.redeliver_after = self.options.redeliver_after
        self.slow_response = self.options.slow_response
        self.sessions: list[Session] = []
        self.seen: deque[Seen] = deque(maxlen=RECORDED)
        self.replies: deque[Reply] = deque(maxlen=RECORDED)
        self.unsolicited: deque[Reply] = deque(maxlen=RECORDED)
        self._on_pdu = on_pdu
        self._on_reply = on_reply
        first_id = self.options.first_message_id
        self._ids = count(0xA000000000 + time.time_ns() // 10**6 % 0x1000000000 if first_id is None else first_id)
        self._numbers = count(1)
        self._references: Counter[str] = Counter()
        self._queue: deque[Delivery] = deque()
        self._turn = 0
        self._tickets = Tickets()
        self._assembler = Assembler()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken, or a file of the TLS cannot be used.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Session(self, next(self._numbers)), self.host, self.port, ssl=self.options.tls()
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and close every connection, without unbind; what is queued stays queued."""
        if self._server is not None:
            self._server.close()
        try:
            async with asyncio.timeout(PARTING):
                await self._end_all(Session.close)
        except TimeoutError:  # the other side does not read: it gets a reset instead
            await self._end_all(Session.reset)

    # what handsets do

    async def send_mo(
        self,
        source: str,
        destination: str,
        text: str = "",
        *,
        octets: bytes | None = None,
        data_coding: int | None = None,
        concatenation: Concatenation = Concatenation.UDH8,
    ) -> MoTicket:
        """A handset sends a text, or raw octets in a data_coding. It waits in the queue until a bind has room for it.

        Raises:
            ValueError: the text cannot be written in the data_coding asked for.
        """
        self._references[source] += 1
        message = MobileText(
            source=source,
            destination=destination,
            text=text,
            octets=octets,
            data_coding=data_coding,
            concatenation=concatenation,
            reference=self._references[source],
        )
        return self.send_pdus(mobile_originated(message, self.dice), text)

    def send_pdus(self, parts: list[DeliverSm], text: str = "") -> MoTicket:
        """Deliver ready-made deliver_sm as one message; their sequence numbers are replaced."""
        ticket = MoTicket(
            source=parts[0].source,
            destination=parts[0].destination,
            text=text,
            unacked_parts=len(parts),
            acked=asyncio.get_running_loop().create_future(),
        )
        self._tickets.add(ticket)
        self._queue.extend(self._delivery(part, ticket) for part in parts)
        self.pump()
        return ticket

    def _delivery(self, pdu: DeliverSm, ticket: MoTicket | None = None) -> Delivery:
        frame = encode(msgspec.structs.replace(pdu, sequence=0))
        if self.dice.falls(Fault.STRAY_NUL):
            frame = (len(frame) + 1).to_bytes(4) + frame[4:] + b"\0"
        return Delivery(pdu=pdu, frame=frame, ticket=ticket)

    # what tests and operators do

    async def strike(self, fault: Fault) -> None:
        """Do a fault of the link to every connection now, and let it happen."""
        for session in list(self.sessions):
            strike(session, fault)
        await asyncio.sleep(0)

    async def unbind_all(self) -> None:
        """Unbind every gateway and wait until the connections are closed."""
        await self._end_all(lambda session: session.unbind())

    async def reset_all(self, *, mid_pdu: bool = False) -> None:
        """Reset every connection, if asked in the middle of a PDU."""
        await self._end_all(lambda session: strike(session, Fault.RESET_MID_PDU) if mid_pdu else session.reset())

    async def freeze_all(self) -> None:
        """Stop reading and answering; the connections stay open."""
        await self.strike(Fault.HALF_OPEN)

    def thaw_all(self) -> None:
        """Read and answer again."""
        for session in self.sessions:
            session.thaw()

    def send_octets(self, octets: bytes) -> None:
        """Write anything to every connection."""
        for session in self.sessions:
            session.write_octets(octets)

    async def _end_all(self, end: Callable[[Session], None]) -> None:
        ending = list(self.sessions)
        for session in ending:
            end(session)
        for session in ending:
            await session.closed.wait()

    @property
    def binds(self) -> list[Session]:
        """The connections that are bound now."""
        return [session for session in self.sessions if session.bound]

    async def bound(self, binds: int = 1) -> None:
        """Wait until so many gateways are bound."""
        await self.until(lambda: len(self.binds) >= binds)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is true of this SMSC; looked at whenever a PDU passes or a connection comes or goes."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def received(self, kind: type) -> list[Pdu]:
        """The recorded PDUs of one kind that gateways sent."""
        return [seen.pdu for seen in self.seen if seen.received and isinstance(seen.pdu, kind)]

    # what sessions report

    def admit(self, session: Session, bind: Bind) -> int:  # noqa: ARG002 (the protocol's shape)
        """The command_status of a bind_resp."""
        refusal = self.dice.first(BIND_REFUSALS)
        if refusal is not None:
            return refusal
        if bind.system_id != self.options.system_id:
            return c.RINVSYSID
        if bind.password != self.options.password:
            return c.RINVPASWD
        return c.ROK if len(self.binds) < self.options.max_binds else c.RBINDFAIL

    def pump(self) -> None:
        """Write from the queue as far as the windows allow, the binds in turn."""
        while self._queue:
            session = self._free_session()
            if session is None:
                return
            delivery = self._queue.popleft()
            if not delivery.settled:
                session.deliver(delivery)

    def befall(self, session: Session, frame: bytes) -> None:
        """Let happen to a connection what the dice want to, just before a deliver_sm is written."""
        for fault in STRIKES:
            if self.dice.falls(fault):
                strike(session, fault, frame)

    def _free_session(self) -> Session | None:
        connections = len(self.sessions)
        for step in range(connections):
            session = self.sessions[(self._turn + step) % connections]
            if session.receives and len(session.unacked) < self.options.window:
                self._turn += step + 1
                return session
        return None

    def submitted(self, session: Session, submit: SubmitSm) -> None:
        """Take or refuse a submit_sm, answer it, report it."""
        refusal = self.dice.first(SUBMIT_REFUSALS) if session.transmits else c.RINVBNDSTS
        if refusal is not None:
            session.respond(SubmitSmResp(submit.sequence, refusal))
            return
        in_answer, in_receipt = message_ids(next(self._ids), self.dice)
        report = bool(submit.registered_delivery & 1)
        early = report and self.dice.falls(Fault.RECEIPT_BEFORE_RESPONSE)
        if early:
            self._report(session, submit, in_receipt)
        session.respond(SubmitSmResp(submit.sequence, c.ROK, in_answer))
        self._take(submit, in_answer)
        if report and not early:
            self._report_later(session, submit, in_receipt)

    def _take(self, submit: SubmitSm, message_id: str) -> None:
        reply = self._assembler.take(submit, message_id, time.monotonic())
        if reply is None:
            return
        ticket = self._tickets.attribute(reply)
        if self.options.record:
            self.replies.append(reply)
            if ticket is None:
                self.unsolicited.append(reply)
        if self._on_reply is not None:
            self._on_reply(reply, ticket)
        self._changed.set()

    def _report_later(self, session: Session, submit: SubmitSm, message_id: str) -> None:
        if self.options.receipt_delay:
            loop = asyncio.get_running_loop()
            loop.call_later(self.options.receipt_delay, self._report, session, submit, message_id)
        else:
            self._report(session, submit, message_id)

    def _report(self, session: Session, submit: SubmitSm, message_id: str) -> None:
        """Receipts go out on the bind the message came by, or on another by fault or necessity, past the queue."""
        others = [other for other in self.sessions if other is not session and other.receives]
        elsewhere = not session.receives or self.dice.falls(Fault.RECEIPT_ON_OTHER_BIND)
        target = others[0] if others and elsewhere else session
        for pdu in receipts(submit, message_id, datetime.now(UTC), self.dice):
            delivery = self._delivery(pdu)
            if target.receives and len(target.unacked) < self.options.window:
                target.deliver(delivery)
            else:
                self._queue.append(delivery)

    def answered(self, delivery: Delivery, status: int) -> None:
        """A deliver_sm_resp came."""
        if delivery.ticket is not None:
            delivery.ticket.statuses.append(status)
        if status in TEMPORARY:
            asyncio.get_running_loop().call_later(self.options.retry_after, self.unacknowledged, [delivery])
        elif not delivery.settled:
            delivery.settled = True
            if delivery.ticket is not None:
                delivery.ticket.settled(status)
        self.pump()

    def unacknowledged(self, deliveries: list[Delivery]) -> None:
        """These were not answered, or refused for now: they are delivered again, before everything else."""
        self._queue.extendleft(reversed(deliveries))
        self.pump()

    def saw(self, session: Session, pdu: Pdu, *, received: bool) -> None:
        """Every PDU passes here."""
        if not self.options.record and self._on_pdu is None:
            return
        seen = Seen(time.monotonic(), session.number, received, pdu)
        if self.options.record:
            self.seen.append(seen)
        if self._on_pdu is not None:
            self._on_pdu(seen)
        self._changed.set()

    def opened(self, session: Session) -> None:
        self.sessions.append(session)
        self._changed.set()

    def ended(self, session: Session) -> None:
        self.sessions.remove(session)
        self._changed.set()
