"""What can befall a connection of the simulated SMSC: one function for each fault of the link, in a table."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from channels.sms import commands as c
from channels.sms.pdu import EnquireLink, encode
from demo.smsc_faults import Fault
from demo.smsc_session import Session

FLOOD: Final = 1000  # enquire_link in one flood
UNKNOWN_COMMAND: Final = 0x00010203
OVERSIZE: Final = 16 * 1024 * 1024  # octets announced
UNDERSIZE: Final = 8
_HEADER: Final = struct.Struct(">LLLL")


def strike(session: Session, fault: Fault, frame: bytes = b"") -> None:
    """Do a fault of the link to a connection; `frame` is the deliver_sm about to be written, if one is."""
    STRIKES[fault](session, frame or encode(EnquireLink(session.next_sequence())))


def _flood(session: Session, _frame: bytes) -> None:
    for _ in range(FLOOD):
        session.write(EnquireLink(session.next_sequence()))


def _truncate(session: Session, frame: bytes) -> None:
    _, _, status, _ = _HEADER.unpack_from(frame)
    body = frame[c.HEADER_SIZE : (c.HEADER_SIZE + len(frame)) // 2]
    header = _HEADER.pack(c.HEADER_SIZE + len(body), c.DELIVER_SM, status, session.next_sequence())
    session.write_octets(header + body)


def _announce(session: Session, length: int) -> None:
    session.write_octets(_HEADER.pack(length, c.DELIVER_SM, 0, session.next_sequence()))


def _unknown(session: Session, _frame: bytes) -> None:
    session.write_octets(_HEADER.pack(c.HEADER_SIZE, UNKNOWN_COMMAND, 0, session.next_sequence()))


def _reset(session: Session, frame: bytes) -> None:
    session.write_octets(frame[: len(frame) // 2])
    session.reset()


STRIKES: Final[Mapping[Fault, Callable[[Session, bytes], None]]] = MappingProxyType(
    {
        Fault.BYTE_CHUNKS: lambda session, _frame: session.drip(),
        Fault.UNKNOWN_COMMAND: _unknown,
        Fault.TRUNCATED_PDU: _truncate,
        Fault.ENQUIRE_LINK_FLOOD: _flood,
        Fault.OVERSIZE_PDU: lambda session, _frame: _announce(session, OVERSIZE),
        Fault.SHORT_LENGTH: lambda session, _frame: _announce(session, UNDERSIZE),
        Fault.SERVER_UNBIND: lambda session, _frame: session.unbind(),
        Fault.HALF_OPEN: lambda session, _frame: session.freeze(),
        Fault.RESET_MID_PDU: _reset,
    }
)
