"""A connection of a person's own trial: one question at a time, and nothing a citizen sent is ever taken by it.

Beside `Session`, which serves: here every answer is shown as it came, statuses and parameters included, and whatever the
SMSC hands us is put off with ESME_RX_T_APPN, so that it comes again for the gateway.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections import Counter
from collections.abc import Callable
from typing import Final, cast

from channels.sms import advice
from channels.sms import commands as c
from channels.sms.pdu import (
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    Frames,
    GenericNack,
    Pdu,
    ProtocolError,
    Unbind,
    UnbindResp,
    decode,
    encode,
)
from channels.sms.states import LinkLost
from channels.sms.window import LARGEST_SEQUENCE

Delivered = DeliverSm | DataSm
HEADER: Final = struct.Struct(">LLLL")
DELIVERIES: Final = frozenset({c.DELIVER_SM, c.DATA_SM})


def put_off(_pdu: Delivered) -> int | None:
    """It is not for us: it is to come again."""
    return c.RX_T_APPN


class ProbeLink(asyncio.Protocol):
    """One connection, never used twice.

    decide: called with each message or report that comes in; the status it is answered with, or None: later, by `settle`.
    """

    def __init__(self, decide: Callable[[Delivered], int | None] = put_off) -> None:
        self.met: Counter[str] = Counter()  # requests of the SMSC, by command
        self.put_off: Counter[str] = Counter()  # of these, what is to come again
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.fault: Exception | None = None  # of the connection, where it did not just end
        self._decide = decide
        self._transport: asyncio.Transport | None = None
        self._frames = Frames()
        self._sequence = 0
        self._asked: asyncio.Future[Pdu] | None = None
        self._reason = ""

    # what the trial does

    async def ask(self, frame: bytes, within: float) -> Pdu:
        """Send a request, encoded but for its sequence number, and wait for its answer `within` seconds.

        Raises:
            LinkLost: the link ended, or the answer cannot be read.
            TimeoutError: no answer.
        """
        if self.ended.done():
            raise LinkLost(self.ended.result())
        self._sequence = self._sequence % LARGEST_SEQUENCE + 1
        length, command, status, _ = HEADER.unpack_from(frame)
        self._asked = asyncio.get_running_loop().create_future()
        self._write_octets(HEADER.pack(length, command, status, self._sequence) + frame[HEADER.size :])
        async with asyncio.timeout(within):
            return await self._asked

    def settle(self, pdu: Delivered, status: int) -> None:
        """Answer what the SMSC handed us."""
        kind = DataSmResp if isinstance(pdu, DataSm) else DeliverSmResp
        if status != c.ROK:
            self.put_off["data_sm" if isinstance(pdu, DataSm) else "deliver_sm"] += 1
        self._write(kind(pdu.sequence, status))

    async def encrypt(self, context: ssl.SSLContext, host_name: str) -> ssl.SSLObject:
        """Go on encrypted; returns what was agreed.

        Raises:
            OSError: it cannot be, or the other side is not who it should be.
        """
        loop = asyncio.get_running_loop()
        if self._transport is None or self.ended.done():
            raise ConnectionResetError
        self._transport = await loop.start_tls(self._transport, self, context, server_hostname=host_name)
        if self._transport is None:
            raise ConnectionResetError
        secured: ssl.SSLObject = self._transport.get_extra_info("ssl_object")
        return secured

    def close(self) -> None:
        """End it; what was written is still sent."""
        if self._transport is not None:
            self._transport.close()

    # what asyncio tells it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def connection_lost(self, exc: Exception | None) -> None:
        self.fault = exc
        self._end(self._reason or (f"the link broke ({type(exc).__name__})" if exc else "the SMSC closed the link"))

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._frames.feed(data)
        except ProtocolError as fault:
            frames = list(fault.frames)
            self._reason = advice.NO_SMPP
        for frame in frames:
            self._read(frame)
        if self._reason:
            self.close()

    # reading

    def _read(self, frame: bytes) -> None:
        try:
            pdu = decode(frame)
        except ProtocolError as fault:
            self._misread(fault)
            return
        _, command, _, sequence = HEADER.unpack_from(frame)
        if command & c.RESPONSE_BIT:
            self._answered(sequence, pdu)
        else:
            self.met[c.command_name(command)] += 1
            self._requested(pdu)

    def _requested(self, pdu: Pdu) -> None:
        match pdu:
            case DeliverSm() | DataSm():
                status = self._decide(pdu)
                if status is not None:
                    self.settle(pdu, status)
            case EnquireLink():
                self._write(EnquireLinkResp(pdu.sequence))
            case Unbind():
                self._reason = "the SMSC unbound us"
                self._write(UnbindResp(pdu.sequence))
            case _ if type(pdu).__name__ not in {"AlertNotification", "Outbind"}:  # which have no answer
                self._write(GenericNack(pdu.sequence, c.RINVCMDID))

    def _misread(self, fault: ProtocolError) -> None:
        """An unreadable answer is one all the same; an unreadable message is the gateway's to judge: it comes again."""
        if fault.command_id & c.RESPONSE_BIT:
            self._fail(fault.sequence, f"its answer cannot be read: {fault}")
            return
        self.met[c.command_name(fault.command_id)] += 1
        if fault.command_id in DELIVERIES:
            kind = DataSmResp if fault.command_id == c.DATA_SM else DeliverSmResp
            self.put_off[c.command_name(fault.command_id)] += 1
            self._write(kind(fault.sequence, c.RX_T_APPN))
        elif (refusal := fault.refusal()) is not None:
            self._write(refusal)

    def _answered(self, sequence: int, pdu: Pdu) -> None:
        """One question is open at a time; an SMSC that could not read even its number refuses number 0."""
        numbered = sequence == self._sequence or (isinstance(pdu, GenericNack) and sequence == 0)
        if numbered and self._asked is not None and not self._asked.done():
            self._asked.set_result(pdu)

    def _fail(self, sequence: int, reason: str) -> None:
        if sequence == self._sequence and self._asked is not None and not self._asked.done():
            self._asked.set_exception(LinkLost(reason))

    def _end(self, reason: str) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)
        self._fail(self._sequence, reason)

    # writing

    def _write(self, pdu: Pdu) -> None:
        self._write_octets(encode(pdu))

    def _write_octets(self, octets: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(octets)
