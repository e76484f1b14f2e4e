"""PDUs to octets: one function a layout. What does not fit its field is raised as FieldFault."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from channels.sms import commands as c
from channels.sms.pdu_types import (
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
    ShortMessage,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unknown,
)

_HEADER: Final = struct.Struct(">LLLL")
_TLV: Final = struct.Struct(">HH")

_MESSAGE_BODY: Final = b"%b\0%c%c%b\0%c%c%b\0%c%c%c%b\0%b\0%c%c%c%c%c%b"


def _short_message_writer(command: int) -> Callable[[ShortMessage], bytes]:
    """The hot path: one formatting call makes the body."""
    pack = _HEADER.pack

    def write(pdu: ShortMessage) -> bytes:
        message = pdu.short_message
        if len(message) > c.MAX_SHORT_MESSAGE:
            raise FieldFault(c.RINVMSGLEN)
        body = _MESSAGE_BODY % (
            _text(pdu.service_type, c.MAX_SERVICE_TYPE, c.RINVSERTYP),
            pdu.source_ton,
            pdu.source_npi,
            _text(pdu.source, c.MAX_ADDRESS, c.RINVSRCADR),
            pdu.destination_ton,
            pdu.destination_npi,
            _text(pdu.destination, c.MAX_ADDRESS, c.RINVDSTADR),
            pdu.esm_class,
            pdu.protocol_id,
            pdu.priority,
            _text(pdu.schedule_time, c.MAX_TIME, c.RINVSCHED),
            _text(pdu.validity, c.MAX_TIME, c.RINVEXPIRY),
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
        raise FieldFault(status)
    return value.encode("latin-1")


def _write_tlvs(tlvs: Mapping[int, bytes]) -> bytes:
    return b"".join([_TLV.pack(tag, len(value)) + value for tag, value in tlvs.items()])


def _whole(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    return _HEADER.pack(c.HEADER_SIZE + len(body), command, status, sequence) + body


def _write_bind(pdu: Bind) -> bytes:
    body = b"%b\0%b\0%b\0%c%c%c%b\0" % (
        _text(pdu.system_id, c.MAX_SYSTEM_ID, c.RINVSYSID),
        _text(pdu.password, c.MAX_PASSWORD, c.RINVPASWD),
        _text(pdu.system_type, c.MAX_SYSTEM_TYPE, c.RINVSYSTYP),
        pdu.interface_version,
        pdu.addr_ton,
        pdu.addr_npi,
        _text(pdu.address_range, c.MAX_ADDRESS_RANGE, c.RINVCMDLEN),
    )
    return _whole(pdu.command, c.ROK, pdu.sequence, body)


def _write_bind_resp(pdu: BindResp) -> bytes:
    """A refusal has no body (§4.1.2)."""
    body = b"" if pdu.status else _text(pdu.system_id, c.MAX_SYSTEM_ID, c.RINVSYSID) + b"\0" + _write_tlvs(pdu.tlvs)
    return _whole(pdu.command, pdu.status, pdu.sequence, body)


def _write_outbind(pdu: Outbind) -> bytes:
    body = b"%b\0%b\0" % (
        _text(pdu.system_id, c.MAX_SYSTEM_ID, c.RINVSYSID),
        _text(pdu.password, c.MAX_PASSWORD, c.RINVPASWD),
    )
    return _whole(c.OUTBIND, c.ROK, pdu.sequence, body)


def _write_submit_sm_resp(pdu: SubmitSmResp) -> bytes:
    """A refusal has no body (§4.4.2), unless it says more in optional parameters."""
    bare = pdu.status and not pdu.message_id and not pdu.tlvs
    body = b"" if bare else _text(pdu.message_id, c.MAX_MESSAGE_ID, c.RINVMSGID) + b"\0" + _write_tlvs(pdu.tlvs)
    return _whole(c.SUBMIT_SM | c.RESPONSE_BIT, pdu.status, pdu.sequence, body)


def _id_writer(command: int) -> Callable[[DeliverSmResp | DataSmResp], bytes]:
    def write(pdu: DeliverSmResp | DataSmResp) -> bytes:
        body = _text(pdu.message_id, c.MAX_MESSAGE_ID, c.RINVMSGID) + b"\0" + _write_tlvs(pdu.tlvs)
        return _whole(command | c.RESPONSE_BIT, pdu.status, pdu.sequence, body)

    return write


def _write_data_sm(pdu: DataSm) -> bytes:
    body = b"%b\0%c%c%b\0%c%c%b\0%c%c%c%b" % (
        _text(pdu.service_type, c.MAX_SERVICE_TYPE, c.RINVSERTYP),
        pdu.source_ton,
        pdu.source_npi,
        _text(pdu.source, c.MAX_LONG_ADDRESS, c.RINVSRCADR),
        pdu.destination_ton,
        pdu.destination_npi,
        _text(pdu.destination, c.MAX_LONG_ADDRESS, c.RINVDSTADR),
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
        _text(pdu.source, c.MAX_LONG_ADDRESS, c.RINVSRCADR),
        pdu.esme_ton,
        pdu.esme_npi,
        _text(pdu.esme, c.MAX_LONG_ADDRESS, c.RINVDSTADR),
        _write_tlvs(pdu.tlvs),
    )
    return _whole(c.ALERT_NOTIFICATION, c.ROK, pdu.sequence, body)


WRITERS: Final[Mapping[type, Callable[[Any], bytes]]] = MappingProxyType(
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
