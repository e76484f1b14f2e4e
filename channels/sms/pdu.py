"""The SMPP 3.4 codec: octets to PDUs and back, strict, bounds-checked, without I/O; one error type for every fault.

Strict means: every length is checked, nothing is guessed. Six things are let pass, because real SMSCs do them and
refusing would lose messages or acknowledgements: one stray NUL at the end, a response id without its NUL, a response
without a body, a body after a header-only response, longer ids than the standard in responses, and unknown optional
parameters and commands (which the standard asks for, §3.3).
"""

from __future__ import annotations

import struct
from typing import Final

from channels.sms import commands as c
from channels.sms.frames import DEFAULT_MAX_LENGTH, Frames
from channels.sms.pdu_reading import READERS
from channels.sms.pdu_types import (
    NO_TLVS,
    AlertNotification,
    Bind,
    BindResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    FieldFault,
    GenericNack,
    Outbind,
    Pdu,
    ProtocolError,
    ShortMessage,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unknown,
)
from channels.sms.pdu_writing import WRITERS

__all__ = [
    "DEFAULT_MAX_LENGTH",
    "NO_TLVS",
    "AlertNotification",
    "Bind",
    "BindResp",
    "DataSm",
    "DataSmResp",
    "DeliverSm",
    "DeliverSmResp",
    "EnquireLink",
    "EnquireLinkResp",
    "Frames",
    "GenericNack",
    "Outbind",
    "Pdu",
    "ProtocolError",
    "ShortMessage",
    "SubmitSm",
    "SubmitSmResp",
    "Unbind",
    "UnbindResp",
    "Unknown",
    "decode",
    "encode",
    "encode_deliver_sm_resp",
]

_HEADER: Final = struct.Struct(">LLLL")
_DELIVER_SM_RESP: Final = struct.Struct(">LLLLx")
_DELIVER_SM_RESP_ID: Final = c.DELIVER_SM | c.RESPONSE_BIT


def decode(frame: bytes) -> Pdu:
    """One whole PDU, its length prefix included. Commands not read here come back as `Unknown`.

    Raises:
        ProtocolError: malformed; nothing else ever escapes.
    """
    size = len(frame)
    if size < c.HEADER_SIZE:
        raise ProtocolError(c.RINVCMDLEN)
    length, command, status, sequence = _HEADER.unpack_from(frame)
    if length != size:
        raise ProtocolError(c.RINVCMDLEN, sequence, command)
    read = READERS.get(command)
    if read is None:
        return Unknown(command, status, sequence, frame[c.HEADER_SIZE :])
    try:
        return read(frame, command, status, sequence)
    except FieldFault as fault:
        raise ProtocolError(fault.status, sequence, command) from None


def encode(pdu: Pdu) -> bytes:
    """The octets of one PDU, ready for the wire.

    Raises:
        ProtocolError: a value does not fit its field; `command_status` names which.
    """
    try:
        return WRITERS[type(pdu)](pdu)
    except FieldFault as fault:
        raise ProtocolError(fault.status, pdu.sequence) from None
    except (ValueError, OverflowError, struct.error) as error:  # text outside Latin-1, a number outside its octets
        raise ProtocolError(c.RSYSERR, pdu.sequence) from error


def encode_deliver_sm_resp(sequence: int, status: int = c.ROK) -> bytes:
    """The acknowledgement of one deliver_sm: what is written most often, so by the shortest way.

    Raises:
        ProtocolError: a number is outside 32 bits.
    """
    try:
        return _DELIVER_SM_RESP.pack(17, _DELIVER_SM_RESP_ID, status, sequence)
    except struct.error:
        raise ProtocolError(c.RSYSERR, command_id=_DELIVER_SM_RESP_ID) from None
