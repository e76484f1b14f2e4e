"""One connection of the simulated SMSC: frames in and out, what is written and unacknowledged, faults of the link."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, Protocol, cast

from channels.sms import commands as c
from channels.sms.frames import Frames
from channels.sms.pdu import (
    Bind,
    BindResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    ProtocolError,
    SubmitSm,
    Unbind,
    UnbindResp,
    decode,
    encode,
)
from demo.smsc_faults import Dice, Fault
from demo.smsc_tickets import MoTicket

SYSTEM_ID: Final = "SMSC"
_SEQUENCE: Final = struct.Struct(">L")
_HEADER: Final = struct.Struct(">LLLL")
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)  # close() then resets the connection instead of ending it


@dataclass(slots=True, eq=False, kw_only=True)
class Delivery:
    """One deliver_sm until it is settled. `frame` is its encoding with sequence number 0; each write has its own."""

    pdu: DeliverSm
    frame: bytes
    ticket: MoTicket | None = None
    settled: bool = False


class Center(Protocol):
    """What a session needs of the SMSC it belongs to."""

    dice: Dice
    redeliver_after: float
    slow_response: float

    def admit(self, session: Session, bind: Bind) -> int: ...

    def pump(self) -> None: ...

    def befall(self, session: Session, frame: bytes) -> None: ...

    def submitted(self, session: Session, submit: SubmitSm) -> None: ...

    def answered(self, delivery: Delivery, status: int) -> None: ...

    def unacknowledged(self, deliveries: list[Delivery]) -> None: ...

    def saw(self, session: Session, pdu: Pdu, *, received: bool) -> None: ...

    def opened(self, session: Session) -> None: ...

    def ended(self, session: Session) -> None: ...


class Session(asyncio.Protocol):
    """One connection. `bound` is the bind command it was admitted with, 0 before and after."""

    def __init__(self, center: Center, number: int, first_sequence: int = 1) -> None:
        self.number = number
        self.bound = 0
        self.system_id = ""
        self.frozen = False
        self.closed = asyncio.Event()
        self.unacked: dict[int, tuple[Delivery, float]] = {}  # by sequence number: delivery, time.monotonic() of expiry
        self._late: dict[int, Delivery] = {}  # expired ones: an acknowledgement may still come
        self._center = center
        self._frames = Frames()
        self._sequence = first_sequence - 1
        self._out: list[bytes] = []
        self._drops = bytearray()  # what is still to be written octet by octet
        self._held: list[Pdu] = []  # answers that wait for a later one to overtake them
        self._dripping = False
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    # the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._center.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (however it ended, it is over)
        self._transport = None
        self.bound = 0
        if self._timer is not None:
            self._timer.cancel()
        left = [delivery for delivery, _ in self.unacked.values()]
        self.unacked.clear()
        self.closed.set()
        self._center.ended(self)
        self._center.unacknowledged(left)

    def data_received(self, data: bytes) -> None:
        fault: ProtocolError | None = None
        try:
            frames = self._frames.feed(data)
        except ProtocolError as error:  # answered below, after the PDUs before it
            fault, frames = error, list(error.frames)
        for frame in frames:
            self._receive(frame)
        if fault is not None:
            self.write(GenericNack(fault.sequence, fault.command_status))
            self.close()

    def _receive(self, frame: bytes) -> None:
        try:
            pdu = decode(frame)
        except ProtocolError as error:  # answered: the other side learns what was wrong
            refusal = error.refusal()
            if refusal is not None:
                self.write(refusal)
            return
        self._center.saw(self, pdu, received=True)
        handler = self._HANDLERS.get(type(pdu))
        if handler is not None:
            handler(self, pdu)
        elif not _HEADER.unpack_from(frame)[1] & c.RESPONSE_BIT:
            self.write(GenericNack(pdu.sequence, c.RINVCMDID))

    # what comes in

    def _on_bind(self, pdu: Bind) -> None:
        status = c.RALYBND if self.bound else self._center.admit(self, pdu)
        answer = BindResp(
            pdu.command | c.RESPONSE_BIT,
            pdu.sequence,
            status,
            SYSTEM_ID if status == c.ROK else "",
            {c.SC_INTERFACE_VERSION: bytes((c.INTERFACE_VERSION,))} if status == c.ROK else {},
        )
        if status == c.ROK:
            self.bound, self.system_id = pdu.command, pdu.system_id
            if self._center.dice.falls(Fault.MO_BEFORE_BIND_RESPONSE):
                self._center.pump()
        self.write(answer)
        self._center.pump()

    def _on_submit(self, pdu: SubmitSm) -> None:
        self._center.submitted(self, pdu)

    def _on_deliver_resp(self, pdu: DeliverSmResp | GenericNack) -> None:
        if self._center.dice.falls(Fault.MO_ACK_FORGOTTEN):
            return
        if self._center.dice.falls(Fault.MO_ACK_LOST_WITH_LINK):
            self.reset()
            return
        delivery, _ = self.unacked.pop(pdu.sequence, (self._late.pop(pdu.sequence, None), 0.0))
        if delivery is not None:
            self._center.answered(delivery, pdu.status)

    def _on_enquire_link(self, pdu: EnquireLink) -> None:
        self.write(EnquireLinkResp(pdu.sequence))

    def _on_unbind(self, pdu: Unbind) -> None:
        self.bound = 0
        self.write(UnbindResp(pdu.sequence))
        self.close()

    def _on_unbind_resp(self, _pdu: UnbindResp) -> None:
        self.close()

    def _ignore(self, _pdu: EnquireLinkResp) -> None:
        """The link is alive: nothing to do."""

    # what goes out

    @property
    def transmits(self) -> bool:
        """The gateway may submit here."""
        return self.bound in {c.BIND_TRANSMITTER, c.BIND_TRANSCEIVER}

    @property
    def receives(self) -> bool:
        """Messages and receipts may be delivered here."""
        return self.bound in {c.BIND_RECEIVER, c.BIND_TRANSCEIVER} and not self._closing

    @property
    def _closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def next_sequence(self) -> int:
        self._sequence = self._sequence % c.MAX_SEQUENCE + 1
        return self._sequence

    def deliver(self, delivery: Delivery) -> None:
        """Write a deliver_sm; whatever befalls the link at this moment befalls it first."""
        sequence = self.next_sequence()
        frame = delivery.frame[:12] + _SEQUENCE.pack(sequence) + delivery.frame[16:]
        self.unacked[sequence] = (delivery, time.monotonic() + self._center.redeliver_after)
        self._watch()
        self._center.befall(self, frame)
        if delivery.ticket is not None:
            delivery.ticket.delivered()
        self.write_octets(frame)
        self._center.saw(self, delivery.pdu, received=False)

    def respond(self, answer: Pdu) -> None:
        """Answer a submit_sm, unless the dice are against it."""
        dice = self._center.dice
        if dice.falls(Fault.NO_RESPONSE):
            return
        if dice.falls(Fault.SLOW_RESPONSE):
            asyncio.get_running_loop().call_later(self._center.slow_response, self.write, answer)
        elif dice.falls(Fault.RESPONSES_OUT_OF_ORDER):
            self._held.insert(0, answer)
            asyncio.get_running_loop().call_later(self._center.slow_response, self._release)
        else:
            self.write(answer)
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, []
        for answer in held:
            self.write(answer)

    def write(self, pdu: Pdu) -> None:
        self.write_octets(encode(pdu))
        self._center.saw(self, pdu, received=False)

    def write_octets(self, octets: bytes) -> None:
        """Everything of one turn of the loop leaves in one write."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self.flush)
        self._out.append(octets)

    def flush(self) -> None:
        """Hand to the socket what was written in this turn."""
        octets = b"".join(self._out)
        self._out.clear()
        if self._transport is None or self.frozen:
            return
        if self._dripping:
            idle = not self._drops
            self._drops += octets
            if idle:
                self._next_drop()
        elif octets:
            self._transport.write(octets)

    def _next_drop(self) -> None:
        if self._drops and self._transport is not None and not self.frozen:
            self._transport.write(self._drops[:1])
            del self._drops[:1]
            asyncio.get_running_loop().call_soon(self._next_drop)

    def close(self) -> None:
        """End the connection after what is still to be written."""
        self.flush()
        if self._transport is not None:
            self._transport.close()

    # what is forgotten

    def _watch(self) -> None:
        if self._timer is None and self.unacked:
            _, expiry = next(iter(self.unacked.values()))
            self._timer = asyncio.get_running_loop().call_later(max(0.0, expiry - time.monotonic()), self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = time.monotonic()
        expired = {number: delivery for number, (delivery, expiry) in self.unacked.items() if expiry <= now}
        for number in expired:
            del self.unacked[number]
        self._late |= expired
        self._watch()
        self._center.unacknowledged(list(expired.values()))

    # what goes wrong

    def freeze(self) -> None:
        """Stop reading and answering, with the connection open."""
        self.flush()
        if not self.frozen and self._transport is not None:
            self.frozen = True
            self._transport.pause_reading()

    def thaw(self) -> None:
        """Read and answer again; what was to be written meanwhile is lost."""
        if self.frozen and self._transport is not None:
            self.frozen = False
            self._transport.resume_reading()

    def drip(self) -> None:
        """From now on write one octet at a time."""
        self.flush()
        self._dripping = True

    def unbind(self) -> None:
        self.bound = 0
        self.write(Unbind(self.next_sequence()))

    def reset(self) -> None:
        """Reset the connection (TCP RST) after what was written."""
        self.flush()
        if self._transport is not None:
            connection = cast("socket.socket", self._transport.get_extra_info("socket"))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            self._transport.abort()

    _HANDLERS: ClassVar[Mapping[type, Callable[..., None]]] = MappingProxyType(
        {
            Bind: _on_bind,
            SubmitSm: _on_submit,
            DeliverSmResp: _on_deliver_resp,
            GenericNack: _on_deliver_resp,
            EnquireLink: _on_enquire_link,
            EnquireLinkResp: _ignore,
            Unbind: _on_unbind,
            UnbindResp: _on_unbind_resp,
        }
    )
