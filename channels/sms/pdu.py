"""The SMPP 3.4 codec: octets to PDUs and back, strict, bounds-checked, without I/O; one error type for every fault.

Strict means: every length is checked, nothing is guessed. Six things are let pass, because real SMSCs do them and
refusing would lose messages or acknowledgements: one stray NUL at the end, a response id without its NUL, a response
without a body, a body after a header-only response, longer ids than the standard in responses, and unknown optional
parameters and commands (which the standard asks for, §3.3).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from channels.sms import commands as c
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

DEFAULT_MAX_LENGTH: Final = 16_384  # octets: far above any real PDU, low enough that a lost stream shows at once

_HEADER: Final = struct.Struct(">LLLL")
_LENGTH: Final = struct.Struct(">L")
_TLV: Final = struct.Struct(">HH")
_DELIVER_SM_RESP: Final = struct.Struct(">LLLLx")
_DELIVER_SM_RESP_ID: Final = c.DELIVER_SM | c.RESPONSE_BIT

# The most octets a C-octet string may take, its NUL included (§5.2).
_SERVICE_TYPE: Final = 6
_ADDRESS: Final = 21
_LONG_ADDRESS: Final = 65  # in data_sm and alert_notification
_TIME: Final = 17
_SYSTEM_ID: Final = 16
_PASSWORD: Final = 9
_SYSTEM_TYPE: Final = 13
_ADDRESS_RANGE: Final = 41
_MESSAGE_ID: Final = 65
_ANY_ID: Final = 256  # what a response may bring: ids longer than the standard's are met, and needed for receipts
MAX_SHORT_MESSAGE: Final = 254


class _Fault(Exception):  # noqa: N818 - becomes a ProtocolError, which knows the header
    """A field is not what it must be; `status` is what the other side is told."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


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
    read = _READERS.get(command)
    if read is None:
        return Unknown(command, status, sequence, frame[c.HEADER_SIZE :])
    try:
        return read(frame, command, status, sequence)
    except _Fault as fault:
        raise ProtocolError(fault.status, sequence, command) from None


def encode(pdu: Pdu) -> bytes:
    """The octets of one PDU, ready for the wire.

    Raises:
        ProtocolError: a value does not fit its field; `command_status` names which.
    """
    try:
        return _WRITERS[type(pdu)](pdu)
    except _Fault as fault:
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


class Frames:
    """Cuts a byte stream into PDUs. Memory held: at most one PDU of `max_length` octets and the read it came with."""

    __slots__ = ("_fault", "_max_length", "_needed", "_pending")

    def __init__(self, max_length: int = DEFAULT_MAX_LENGTH) -> None:
        self._max_length = max_length
        self._pending = bytearray()
        self._needed = _LENGTH.size
        self._fault: ProtocolError | None = None

    @property
    def pending(self) -> int:
        """Octets of a PDU that has begun and not ended: a timer may watch it."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[bytes]:
        """The PDUs that `data` completes, each with its length prefix.

        Raises:
            ProtocolError: a length below 16 or above the limit. The stream is lost (`close`), every later call raises
                again; the error's `frames` are the whole PDUs before the fault, which still deserve their answers.
        """
        if self._fault is not None:
            raise ProtocolError(self._fault.command_status, self._fault.sequence, close=True)
        if self._pending:
            self._pending += data
            if len(self._pending) < self._needed:
                return []
            data = bytes(self._pending)
        return self._cut(data)

    def _cut(self, data: bytes) -> list[bytes]:
        frames: list[bytes] = []
        at, end, needed = 0, len(data), _LENGTH.size
        while end - at >= _LENGTH.size:
            (needed,) = _LENGTH.unpack_from(data, at)
            if not c.HEADER_SIZE <= needed <= self._max_length:
                self._fault = ProtocolError(c.RINVCMDLEN, close=True, frames=tuple(frames))
                raise self._fault
            if end - at < needed:
                break
            frames.append(data[at : at + needed])
            at += needed
            needed = _LENGTH.size
        self._pending[:] = data[at:]
        self._needed = needed
        return frames


# Reading: one function a layout, (frame, command_id, command_status, sequence) -> Pdu; faults are raised as _Fault.

_Reader = Callable[[bytes, int, int, int], Pdu]


def _diagnose(ends: tuple[int, ...], statuses: tuple[int, ...]) -> _Fault:
    """The fault of the first string without an end."""
    return _Fault(next((status for end, status in zip(ends, statuses, strict=True) if end < 0), c.RINVCMDLEN))


_SHORT_MESSAGE_FAULTS: Final = (c.RINVSERTYP, c.RINVSRCADR, c.RINVDSTADR, c.RINVSCHED, c.RINVEXPIRY)


def _short_message_reader(make: Callable[..., SubmitSm | DeliverSm]) -> _Reader:
    """The hot path: five strings found, checked at once, then cut out of one decoded copy."""

    def read(frame: bytes, _command: int, _status: int, sequence: int) -> Pdu:
        find = frame.find
        service = find(0, 16, 16 + _SERVICE_TYPE)
        source = find(0, service + 3, service + 3 + _ADDRESS)
        destination = find(0, source + 3, source + 3 + _ADDRESS)
        schedule = find(0, destination + 4, destination + 4 + _TIME)
        validity = find(0, schedule + 1, schedule + 1 + _TIME)
        begin = validity + 6
        if service < 0 or source < 0 or destination < 0 or schedule < 0 or validity < 0 or begin > len(frame):
            raise _diagnose((service, source, destination, schedule, validity), _SHORT_MESSAGE_FAULTS)
        registered_delivery, replace_if_present, data_coding, default_message_id, size = frame[validity + 1 : begin]
        end = begin + size
        if end > len(frame):
            raise _Fault(c.RINVMSGLEN)
        text = frame[:validity].decode("latin-1")
        return make(
            sequence,
            text[16:service],
            frame[service + 1],
            frame[service + 2],
            text[service + 3 : source],
            frame[source + 1],
            frame[source + 2],
            text[source + 3 : destination],
            frame[destination + 1],
            frame[destination + 2],
            frame[destination + 3],
            text[destination + 4 : schedule],
            text[schedule + 1 : validity],
            registered_delivery,
            replace_if_present,
            data_coding,
            default_message_id,
            frame[begin:end],
            NO_TLVS if end == len(frame) else _read_tlvs(frame, end),
        )

    return read


def _read_tlvs(frame: bytes, at: int) -> Mapping[int, bytes]:
    """Optional parameters from `at` to the end; of a repeated tag the last is kept."""
    tlvs: dict[int, bytes] = {}
    end = len(frame)
    while at < end:
        begin = at + 4
        if begin > end:
            if frame[at:] == b"\0":  # some SMSCs end the PDU with one NUL too many
                break
            raise _Fault(c.RINVOPTPARSTREAM)
        tag, size = _TLV.unpack_from(frame, at)
        at = begin + size
        if at > end:
            raise _Fault(c.RINVOPTPARSTREAM)
        tlvs[tag] = frame[begin:at]
    return tlvs


def _read_text(frame: bytes, at: int, size: int, status: int) -> tuple[str, int]:
    """The C-octet string of at most `size` octets at `at`, and where the next field begins."""
    end = frame.find(0, at, at + size)
    if end < 0:
        raise _Fault(status)
    return frame[at:end].decode("latin-1"), end + 1


def _read_numbers(frame: bytes, at: int, count: int) -> tuple[bytes, int]:
    """`count` one-octet numbers at `at`, and where the next field begins."""
    if at + count > len(frame):
        raise _Fault(c.RINVCMDLEN)
    return frame[at : at + count], at + count


def _read_address(frame: bytes, at: int, size: int, status: int) -> tuple[int, int, str, int]:
    """Type of number, numbering plan, address, and where the next field begins."""
    (ton, npi), at = _read_numbers(frame, at, 2)
    address, at = _read_text(frame, at, size, status)
    return ton, npi, address, at


def _read_bind(frame: bytes, command: int, _status: int, sequence: int) -> Pdu:
    system_id, at = _read_text(frame, c.HEADER_SIZE, _SYSTEM_ID, c.RINVSYSID)
    password, at = _read_text(frame, at, _PASSWORD, c.RINVPASWD)
    system_type, at = _read_text(frame, at, _SYSTEM_TYPE, c.RINVSYSTYP)
    (version, ton, npi), at = _read_numbers(frame, at, 3)
    address_range, at = _read_text(frame, at, _ADDRESS_RANGE, c.RINVCMDLEN)
    _read_tlvs(frame, at)  # 3.4 has none here; later versions may, and they change nothing
    return Bind(command, sequence, system_id, password, system_type, version, ton, npi, address_range)


def _read_outbind(frame: bytes, _command: int, _status: int, sequence: int) -> Pdu:
    system_id, at = _read_text(frame, c.HEADER_SIZE, _SYSTEM_ID, c.RINVSYSID)
    password, at = _read_text(frame, at, _PASSWORD, c.RINVPASWD)
    _read_tlvs(frame, at)
    return Outbind(sequence, system_id, password)


def _read_data_sm(frame: bytes, _command: int, _status: int, sequence: int) -> Pdu:
    service_type, at = _read_text(frame, c.HEADER_SIZE, _SERVICE_TYPE, c.RINVSERTYP)
    source_ton, source_npi, source, at = _read_address(frame, at, _LONG_ADDRESS, c.RINVSRCADR)
    ton, npi, destination, at = _read_address(frame, at, _LONG_ADDRESS, c.RINVDSTADR)
    (esm_class, registered_delivery, data_coding), at = _read_numbers(frame, at, 3)
    return DataSm(
        sequence,
        service_type,
        source_ton,
        source_npi,
        source,
        ton,
        npi,
        destination,
        esm_class,
        registered_delivery,
        data_coding,
        _read_tlvs(frame, at),
    )


def _read_alert_notification(frame: bytes, _command: int, _status: int, sequence: int) -> Pdu:
    source_ton, source_npi, source, at = _read_address(frame, c.HEADER_SIZE, _LONG_ADDRESS, c.RINVSRCADR)
    esme_ton, esme_npi, esme, at = _read_address(frame, at, _LONG_ADDRESS, c.RINVDSTADR)
    return AlertNotification(sequence, source_ton, source_npi, source, esme_ton, esme_npi, esme, _read_tlvs(frame, at))


def _read_id(frame: bytes) -> tuple[str, Mapping[int, bytes]]:
    """The id a response carries, and its optional parameters; without a body: nothing. The NUL may be missing."""
    if len(frame) == c.HEADER_SIZE:
        return "", NO_TLVS
    end = frame.find(0, c.HEADER_SIZE, c.HEADER_SIZE + _ANY_ID)
    if end < 0 and len(frame) < c.HEADER_SIZE + _ANY_ID:
        end = len(frame)
    if end < 0:
        raise _Fault(c.RINVMSGID)
    tlvs = _read_tlvs(frame, end + 1) if end + 1 < len(frame) else NO_TLVS
    return frame[c.HEADER_SIZE : end].decode("latin-1"), tlvs


def _read_bind_resp(frame: bytes, command: int, status: int, sequence: int) -> Pdu:
    system_id, tlvs = _read_id(frame)
    return BindResp(command, sequence, status, system_id, tlvs)


def _id_reader(make: Callable[..., SubmitSmResp | DeliverSmResp | DataSmResp]) -> _Reader:
    def read(frame: bytes, _command: int, status: int, sequence: int) -> Pdu:
        message_id, tlvs = _read_id(frame)
        return make(sequence, status, message_id, tlvs)

    return read


def _request_reader(make: Callable[[int], Pdu]) -> _Reader:
    def read(frame: bytes, _command: int, _status: int, sequence: int) -> Pdu:
        if len(frame) > c.HEADER_SIZE:
            raise _Fault(c.RINVCMDLEN)
        return make(sequence)

    return read


def _response_reader(make: Callable[[int, int], Pdu]) -> _Reader:
    def read(_frame: bytes, _command: int, status: int, sequence: int) -> Pdu:
        return make(sequence, status)

    return read


_READERS: Final[Mapping[int, _Reader]] = MappingProxyType(
    {
        c.SUBMIT_SM: _short_message_reader(SubmitSm),
        c.SUBMIT_SM | c.RESPONSE_BIT: _id_reader(SubmitSmResp),
        c.DELIVER_SM: _short_message_reader(DeliverSm),
        c.DELIVER_SM | c.RESPONSE_BIT: _id_reader(DeliverSmResp),
        c.DATA_SM: _read_data_sm,
        c.DATA_SM | c.RESPONSE_BIT: _id_reader(DataSmResp),
        c.ENQUIRE_LINK: _request_reader(EnquireLink),
        c.ENQUIRE_LINK | c.RESPONSE_BIT: _response_reader(EnquireLinkResp),
        c.UNBIND: _request_reader(Unbind),
        c.UNBIND | c.RESPONSE_BIT: _response_reader(UnbindResp),
        c.GENERIC_NACK: _response_reader(GenericNack),
        c.ALERT_NOTIFICATION: _read_alert_notification,
        c.OUTBIND: _read_outbind,
        **dict.fromkeys(c.BINDS, _read_bind),
        **dict.fromkeys((command | c.RESPONSE_BIT for command in c.BINDS), _read_bind_resp),
    }
)


# Writing: one function a layout.

_MESSAGE_BODY: Final = b"%b\0%c%c%b\0%c%c%b\0%c%c%c%b\0%b\0%c%c%c%c%c%b"


def _short_message_writer(command: int) -> Callable[[ShortMessage], bytes]:
    """The hot path: one formatting call makes the body."""
    pack = _HEADER.pack

    def write(pdu: ShortMessage) -> bytes:
        message = pdu.short_message
        if len(message) > MAX_SHORT_MESSAGE:
            raise _Fault(c.RINVMSGLEN)
        body = _MESSAGE_BODY % (
            _text(pdu.service_type, _SERVICE_TYPE, c.RINVSERTYP),
            pdu.source_ton,
            pdu.source_npi,
            _text(pdu.source, _ADDRESS, c.RINVSRCADR),
            pdu.destination_ton,
            pdu.destination_npi,
            _text(pdu.destination, _ADDRESS, c.RINVDSTADR),
            pdu.esm_class,
            pdu.protocol_id,
            pdu.priority,
            _text(pdu.schedule_time, _TIME, c.RINVSCHED),
            _text(pdu.validity, _TIME, c.RINVEXPIRY),
            pdu.registered_delivery,
            pdu.replace_if_present,
            pdu.data_coding,
            pdu.default_message_id,
            len(message),
            message,
        )
        if pdu.tlvs:
            body += _write_tlvs(pdu.tlvs)
        return pack(len(body) + 16, command, 0, pdu.sequence) + body

    return write


def _text(value: str, size: int, status: int) -> bytes:
    """The octets of a C-octet string without its NUL, checked to fit `size` with it."""
    if not value:
        return b""
    if len(value) >= size or "\0" in value:
        raise _Fault(status)
    return value.encode("latin-1")


def _write_tlvs(tlvs: Mapping[int, bytes]) -> bytes:
    return b"".join([_TLV.pack(tag, len(value)) + value for tag, value in tlvs.items()])


def _whole(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    return _HEADER.pack(c.HEADER_SIZE + len(body), command, status, sequence) + body


def _write_bind(pdu: Bind) -> bytes:
    body = b"%b\0%b\0%b\0%c%c%c%b\0" % (
        _text(pdu.system_id, _SYSTEM_ID, c.RINVSYSID),
        _text(pdu.password, _PASSWORD, c.RINVPASWD),
        _text(pdu.system_type, _SYSTEM_TYPE, c.RINVSYSTYP),
        pdu.interface_version,
        pdu.addr_ton,
        pdu.addr_npi,
        _text(pdu.address_range, _ADDRESS_RANGE, c.RINVCMDLEN),
    )
    return _whole(pdu.command, c.ROK, pdu.sequence, body)


def _write_bind_resp(pdu: BindResp) -> bytes:
    """A refusal has no body (§4.1.2)."""
    body = b"" if pdu.status else _text(pdu.system_id, _SYSTEM_ID, c.RINVSYSID) + b"\0" + _write_tlvs(pdu.tlvs)
    return _whole(pdu.command, pdu.status, pdu.sequence, body)


def _write_outbind(pdu: Outbind) -> bytes:
    body = b"%b\0%b\0" % (
        _text(pdu.system_id, _SYSTEM_ID, c.RINVSYSID),
        _text(pdu.password, _PASSWORD, c.RINVPASWD),
    )
    return _whole(c.OUTBIND, c.ROK, pdu.sequence, body)


def _write_submit_sm_resp(pdu: SubmitSmResp) -> bytes:
    """A refusal has no body (§4.4.2), unless it says more in optional parameters."""
    bare = pdu.status and not pdu.message_id and not pdu.tlvs
    body = b"" if bare else _text(pdu.message_id, _MESSAGE_ID, c.RINVMSGID) + b"\0" + _write_tlvs(pdu.tlvs)
    return _whole(c.SUBMIT_SM | c.RESPONSE_BIT, pdu.status, pdu.sequence, body)


def _id_writer(command: int) -> Callable[[DeliverSmResp | DataSmResp], bytes]:
    def write(pdu: DeliverSmResp | DataSmResp) -> bytes:
        body = _text(pdu.message_id, _MESSAGE_ID, c.RINVMSGID) + b"\0" + _write_tlvs(pdu.tlvs)
        return _whole(command | c.RESPONSE_BIT, pdu.status, pdu.sequence, body)

    return write


def _write_data_sm(pdu: DataSm) -> bytes:
    body = b"%b\0%c%c%b\0%c%c%b\0%c%c%c%b" % (
        _text(pdu.service_type, _SERVICE_TYPE, c.RINVSERTYP),
        pdu.source_ton,
        pdu.source_npi,
        _text(pdu.source, _LONG_ADDRESS, c.RINVSRCADR),
        pdu.destination_ton,
        pdu.destination_npi,
        _text(pdu.destination, _LONG_ADDRESS, c.RINVDSTADR),
        pdu.esm_class,
        pdu.registered_delivery,
        pdu.data_coding,
        _write_tlvs(pdu.tlvs),
    )
    return _whole(c.DATA_SM, c.ROK, pdu.sequence, body)


def _write_alert_notification(pdu: AlertNotification) -> bytes:
    body = b"%c%c%b\0%c%c%b\0%b" % (
        pdu.source_ton,
        pdu.source_npi,
        _text(pdu.source, _LONG_ADDRESS, c.RINVSRCADR),
        pdu.esme_ton,
        pdu.esme_npi,
        _text(pdu.esme, _LONG_ADDRESS, c.RINVDSTADR),
        _write_tlvs(pdu.tlvs),
    )
    return _whole(c.ALERT_NOTIFICATION, c.ROK, pdu.sequence, body)


_WRITERS: Final[Mapping[type, Callable[[Any], bytes]]] = MappingProxyType(
    {
        SubmitSm: _short_message_writer(c.SUBMIT_SM),
        SubmitSmResp: _write_submit_sm_resp,
        DeliverSm: _short_message_writer(c.DELIVER_SM),
        DeliverSmResp: _id_writer(c.DELIVER_SM),
        DataSm: _write_data_sm,
        DataSmResp: _id_writer(c.DATA_SM),
        Bind: _write_bind,
        BindResp: _write_bind_resp,
        Outbind: _write_outbind,
        AlertNotification: _write_alert_notification,
        EnquireLink: lambda pdu: _whole(c.ENQUIRE_LINK, c.ROK, pdu.sequence),
        EnquireLinkResp: lambda pdu: _whole(c.ENQUIRE_LINK | c.RESPONSE_BIT, pdu.status, pdu.sequence),
        Unbind: lambda pdu: _whole(c.UNBIND, c.ROK, pdu.sequence),
        UnbindResp: lambda pdu: _whole(c.UNBIND | c.RESPONSE_BIT, pdu.status, pdu.sequence),
        GenericNack: lambda pdu: _whole(c.GENERIC_NACK, pdu.status, pdu.sequence),
        Unknown: lambda pdu: _whole(pdu.command_id, pdu.status, pdu.sequence, pdu.body),
    }
)
