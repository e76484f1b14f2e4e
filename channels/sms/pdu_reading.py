"""Octets to PDUs: one function a layout, (frame, command_id, command_status, sequence) -> Pdu.

A frame comes whole, its length already checked. Faults are raised as FieldFault, by channels.sms.pdu made a ProtocolError.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

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
    FieldFault,
    GenericNack,
    Outbind,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)

_TLV: Final = struct.Struct(">HH")

Reader = Callable[[bytes, int, int, int], Pdu]


def _diagnose(ends: tuple[int, ...], statuses: tuple[int, ...]) -> FieldFault:
    """The fault of the first string without an end."""
    return FieldFault(next((status for end, status in zip(ends, statuses, strict=True) if end < 0), c.RINVCMDLEN))


_SHORT_MESSAGE_FAULTS: Final = (c.RINVSERTYP, c.RINVSRCADR, c.RINVDSTADR, c.RINVSCHED, c.RINVEXPIRY)


def _short_message_reader(make: Callable[..., SubmitSm | DeliverSm]) -> Reader:
    """The hot path: five strings found, checked at once, then cut out of one decoded copy."""

    def read(frame: bytes, _command: int, _status: int, sequence: int) -> Pdu:
        find = frame.find
        service = find(0, 16, 16 + c.MAX_SERVICE_TYPE)
        source = find(0, service + 3, service + 3 + c.MAX_ADDRESS)
        destination = find(0, source + 3, source + 3 + c.MAX_ADDRESS)
        schedule = find(0, destination + 4, destination + 4 + c.MAX_TIME)
        validity = find(0, schedule + 1, schedule + 1 + c.MAX_TIME)
        begin = validity + 6
        if service < 0 or source < 0 or destination < 0 or schedule < 0 or validity < 0 or begin > len(frame):
            raise _diagnose((service, source, destination, schedule, validity), _SHORT_MESSAGE_FAULTS)
        registered_delivery, replace_if_present, data_coding, default_message_id, size = frame[validity + 1 : begin]
        end = begin + size
        if end > len(frame):
            raise FieldFault(c.RINVMSGLEN)
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
            raise FieldFault(c.RINVOPTPARSTREAM)
        tag, size = _TLV.unpack_from(frame, at)
        at = begin + size
        if at > end:
            raise FieldFault(c.RINVOPTPARSTREAM)
        tlvs[tag] = frame[begin:at]
    return tlvs


def _read_text(frame: bytes, at: int, size: int, status: int) -> tuple[str, int]:
    """The C-octet string of at most `size` octets at `at`, and where the next field begins."""
    end = frame.find(0, at, at + size)
    if end < 0:
        raise FieldFault(status)
    return frame[at:end].decode("latin-1"), end + 1


def _read_numbers(frame: bytes, at: int, count: int) -> tuple[bytes, int]:
    """`count` one-octet numbers at `at`, and where the next field begins."""
    if at + count > len(frame):
        raise FieldFault(c.RINVCMDLEN)
    return frame[at : at + count], at + count


def _read_address(frame: bytes, at: int, size: int, status: int) -> tuple[int, int, str, int]:
    """Type of number, numbering plan, address, and where the next field begins."""
    (ton, npi), at = _read_numbers(frame, at, 2)
    address, at = _read_text(frame, at, size, status)
    return ton, npi, address, at


def _read_bind(frame: bytes, command: int, _status: int, sequence: int) -> Pdu:
    system_id, at = _read_text(frame, c.HEADER_SIZE, c.MAX_SYSTEM_ID, c.RINVSYSID)
    password, at = _read_text(frame, at, c.MAX_PASSWORD, c.RINVPASWD)
    system_type, at = _read_text(frame, at, c.MAX_SYSTEM_TYPE, c.RINVSYSTYP)
    (version, ton, npi), at = _read_numbers(frame, at, 3)
    address_range, at = _read_text(frame, at, c.MAX_ADDRESS_RANGE, c.RINVCMDLEN)
    _read_tlvs(frame, at)  # 3.4 has none here; later versions may, and they change nothing
    return Bind(command, sequence, system_id, password, system_type, version, ton, npi, address_range)


def _read_outbind(frame: bytes, _command: int, _status: int, sequence: int) -> Pdu:
    system_id, at = _read_text(frame, c.HEADER_SIZE, c.MAX_SYSTEM_ID, c.RINVSYSID)
    password, at = _read_text(frame, at, c.MAX_PASSWORD, c.RINVPASWD)
    _read_tlvs(frame, at)
    return Outbind(sequence, system_id, password)


def _read_data_sm(frame: bytes, _command: int, _status: int, sequence: int) -> Pdu:
    service_type, at = _read_text(frame, c.HEADER_SIZE, c.MAX_SERVICE_TYPE, c.RINVSERTYP)
    source_ton, source_npi, source, at = _read_address(frame, at, c.MAX_LONG_ADDRESS, c.RINVSRCADR)
    ton, npi, destination, at = _read_address(frame, at, c.MAX_LONG_ADDRESS, c.RINVDSTADR)
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
    source_ton, source_npi, source, at = _read_address(frame, c.HEADER_SIZE, c.MAX_LONG_ADDRESS, c.RINVSRCADR)
    esme_ton, esme_npi, esme, at = _read_address(frame, at, c.MAX_LONG_ADDRESS, c.RINVDSTADR)
    return AlertNotification(sequence, source_ton, source_npi, source, esme_ton, esme_npi, esme, _read_tlvs(frame, at))


def _read_id(frame: bytes) -> tuple[str, Mapping[int, bytes]]:
    """The id a response carries, and its optional parameters; without a body: nothing. The NUL may be missing."""
    if len(frame) == c.HEADER_SIZE:
        return "", NO_TLVS
    end = frame.find(0, c.HEADER_SIZE, c.HEADER_SIZE + c.MAX_ANY_ID)
    if end < 0 and len(frame) < c.HEADER_SIZE + c.MAX_ANY_ID:
        end = len(frame)
    if end < 0:
        raise FieldFault(c.RINVMSGID)
    tlvs = _read_tlvs(frame, end + 1) if end + 1 < len(frame) else NO_TLVS
    return frame[c.HEADER_SIZE : end].decode("latin-1"), tlvs


def _read_bind_resp(frame: bytes, command: int, status: int, sequence: int) -> Pdu:
    system_id, tlvs = _read_id(frame)
    return BindResp(command, sequence, status, system_id, tlvs)


def _id_reader(make: Callable[..., SubmitSmResp | DeliverSmResp | DataSmResp]) -> Reader:
    def read(frame: bytes, _command: int, status: int, sequence: int) -> Pdu:
        message_id, tlvs = _read_id(frame)
        return make(sequence, status, message_id, tlvs)

    return read


def _request_reader(make: Callable[[int], Pdu]) -> Reader:
    def read(frame: bytes, _command: int, _status: int, sequence: int) -> Pdu:
        if len(frame) > c.HEADER_SIZE:
            raise FieldFault(c.RINVCMDLEN)
        return make(sequence)

    return read


def _response_reader(make: Callable[[int, int], Pdu]) -> Reader:
    def read(_frame: bytes, _command: int, status: int, sequence: int) -> Pdu:
        return make(sequence, status)

    return read


READERS: Final[Mapping[int, Reader]] = MappingProxyType(
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
