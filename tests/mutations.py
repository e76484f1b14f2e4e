"""PDUs that are not quite: seeded mutations of everything an SMSC can write to us, for the codec and for a gateway.

No I/O. tests/whole/mutations.py makes of these what a link survives, and what it does not.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

from channels.sms import commands as c
from channels.sms import pdu as p
from demo.smsc_messages import CODING_8BIT_CLASS1

_RECEIPT: Final = (
    b"id:3E8 sub:001 dlvrd:001 submit date:2611220800 done date:2611220800 stat:DELIVRD err:000 text:Ho so"
)
_CODE: Final = b"TC 000.00.18.H51-161220-0001"
HEADER: Final = 12  # octets of a header without its length prefix
_CORNERS: Final = bytes((0x00, 0x01, 0x1B, 0x20, 0x7F, 0x80, 0xFE, 0xFF))
_RUNS: Final = (1, 2, 3, 7, 64, 250)
_BIND_RESPONSE: Final = c.BIND_TRANSCEIVER | c.RESPONSE_BIT


def _question(number: int, **changes: object) -> p.DeliverSm:
    """From a citizen no test asks anything for."""
    fields: dict[str, object] = {
        "source_ton": 1,
        "source_npi": 1,
        "source": f"849300000{number:02}",
        "destination": "8100",
        "short_message": _CODE,
    }
    return p.DeliverSm(1, **{**fields, **changes})  # type: ignore[arg-type]  # msgspec checks them when they are written


PDUS: Final[Sequence[bytes]] = tuple(
    p.encode(pdu)
    for pdu in (
        _question(1),
        _question(2, registered_delivery=1, tlvs={0x1400: b"vendor\0", c.CONGESTION_STATE: b"\x50"}),
        _question(3, data_coding=c.CODING_UCS2, short_message="Hồ sơ H51.18-210817-0005".encode("utf-16-be")),
        _question(4, data_coding=CODING_8BIT_CLASS1, short_message="Hô so à é".encode("latin-1")),
        _question(5, data_coding=c.CODING_BINARY, short_message=bytes(range(140))),
        _question(6, esm_class=c.ESM_UDHI, short_message=b"\x05\0\x03\x07\x02\x01" + _CODE),
        _question(7, esm_class=c.ESM_UDHI, short_message=b"\x06\x08\x04\x01\x02\x03\x02" + _CODE),
        _question(8, tlvs={c.SAR_MSG_REF_NUM: b"\0\7", c.SAR_TOTAL_SEGMENTS: b"\2", c.SAR_SEGMENT_SEQNUM: b"\1"}),
        _question(9, short_message=b"", tlvs={c.MESSAGE_PAYLOAD: _CODE * 20}),
        _question(10, esm_class=c.ESM_RECEIPT, short_message=_RECEIPT),
        _question(
            11,
            esm_class=c.ESM_RECEIPT,
            short_message=_RECEIPT,
            tlvs={c.RECEIPTED_MESSAGE_ID: b"3E8\0", c.MESSAGE_STATE: b"\2", c.NETWORK_ERROR_CODE: b"\3\0\7"},
        ),
        p.DataSm(1, source="84930000012", destination="8100", tlvs={c.MESSAGE_PAYLOAD: b"help"}),
        p.SubmitSmResp(1, c.ROK, "3E8"),
        p.SubmitSmResp(1, c.RTHROTTLED),
        p.EnquireLink(1),
        p.EnquireLinkResp(1, c.ROK),
        p.GenericNack(1, c.RINVCMDID),
        p.BindResp(_BIND_RESPONSE, 1, c.ROK, "SMSC", {c.SC_INTERFACE_VERSION: b"\x34"}),
        p.BindResp(_BIND_RESPONSE, 1, c.RBINDFAIL),
        p.DeliverSmResp(1, c.ROK),
        p.DataSmResp(1, c.ROK, "3E8"),
        p.UnbindResp(1, c.ROK),
        p.AlertNotification(1, 1, 1, "84930000013", 1, 1, "8100"),
        p.Outbind(1, "SMSC", "secret"),
        p.SubmitSm(1, source="84930000014", destination="8100", short_message=_CODE),
        p.Bind(c.BIND_TRANSCEIVER, 1, "SMSC", "secret"),
        p.Unknown(c.QUERY_SM, c.ROK, 1, b"3E8\0\1\1849\0"),
        p.Unknown(0x00010203, c.ROK, 1, b"vendor"),
    )
)

Mutation = Callable[[random.Random, bytearray, int], None]


def _flip(chance: random.Random, body: bytearray, at: int) -> None:
    body[at] ^= 1 << chance.randrange(8)


def _corner(chance: random.Random, body: bytearray, at: int) -> None:
    body[at] = chance.choice(_CORNERS)


def _insert(chance: random.Random, body: bytearray, at: int) -> None:
    body[at:at] = chance.randbytes(chance.choice(_RUNS))


def _delete(chance: random.Random, body: bytearray, at: int) -> None:
    del body[at : at + chance.choice(_RUNS)]


def _cut(_: random.Random, body: bytearray, at: int) -> None:
    del body[at:]


def _repeat(chance: random.Random, body: bytearray, at: int) -> None:
    body[at:at] = body[at : at + chance.choice(_RUNS)]


def _splice(chance: random.Random, body: bytearray, at: int) -> None:
    """End as another PDU ends."""
    other = chance.choice(PDUS)[4:]
    body[at:] = other[chance.randrange(len(other)) :]


MUTATIONS: Final[Sequence[Mutation]] = (_flip, _corner, _insert, _delete, _cut, _repeat, _splice)


def distorted(chance: random.Random, frame: bytes) -> bytearray:
    """The octets after the length prefix, mutated once to sixteen times; never less than a header."""
    body = bytearray(frame[4:])
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        # The header is a small part of most PDUs, and the most interesting one.
        end = HEADER if chance.random() < 0.1 else len(body)
        chance.choice(MUTATIONS)(chance, body, chance.randrange(min(end, len(body))))
        body += frame[4 + len(body) : 4 + HEADER]  # a header it has
    return body


def framed(body: bytes | bytearray) -> bytes:
    """Behind a length that is right."""
    return (len(body) + 4).to_bytes(4) + bytes(body)


def mutant(chance: random.Random, frame: bytes) -> bytes:
    """What a codec may be handed: mostly with a length that is right, sometimes with the old one, or cut anywhere."""
    body = distorted(chance, frame)
    fate = chance.random()
    if fate < 0.8:
        return framed(body)
    if fate < 0.9:
        return frame[:4] + bytes(body)
    return framed(body)[: chance.randrange(len(body) + 4)]
