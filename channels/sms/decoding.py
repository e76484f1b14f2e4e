"""The text of a received PDU: user data header, data_coding, alphabets. Never raises: what cannot be read is flagged."""

from __future__ import annotations

import codecs
import enum
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from channels.sms import commands as c
from channels.sms.pdu import DataSm, DeliverSm, SubmitSm
from channels.sms.segments import DefaultAlphabet
from domain import gsm

_CONCATENATION_8: Final = 0x00  # information elements of TS 23.040 §9.2.3.24
_CONCATENATION_16: Final = 0x08
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LARGEST_PIECE: Final = 1_000  # characters to be composed at once; more than four parts hold
_SEPTET: Final = 7
_OCTET: Final = 8


@dataclass(frozen=True, slots=True)
class Concatenation:
    """This is part `number` (from 1) of `total`; parts belong together by reference *and* its width in bits."""

    reference: int
    total: int
    number: int
    width: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The octets of a message apart: `header` as received (with its length octet; empty if none), `body` the rest."""

    header: bytes
    body: bytes
    concatenation: Concatenation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a body says. `text` is NFC and empty for binary; `damaged`: some octets were not of the declared alphabet."""

    text: str
    raw: bytes
    binary: bool = False
    damaged: bool = False


class _Kind(enum.Enum):
    """What the octets of a body are."""

    DEFAULT = enum.auto()  # the SMSC's default alphabet
    ASCII = enum.auto()
    LATIN1 = enum.auto()
    UCS2 = enum.auto()
    BINARY = enum.auto()
    OTHER = enum.auto()  # reserved, or an alphabet nobody writes Vietnamese in


_KINDS: Final[Mapping[int, _Kind]] = MappingProxyType(
    {
        c.CODING_DEFAULT: _Kind.DEFAULT,
        c.CODING_ASCII: _Kind.ASCII,
        c.CODING_BINARY: _Kind.BINARY,
        c.CODING_LATIN1: _Kind.LATIN1,
        c.CODING_BINARY_2: _Kind.BINARY,
        c.CODING_UCS2: _Kind.UCS2,
    }
)
# Values of 0x10-0x1F and 0xF0-0xFF are GSM data coding schemes with a message class: bits 2-3 say the alphabet
# (TS 23.038 §4).
_CLASS_GROUPS: Final = frozenset({0x10, 0xF0})
_CLASS_KINDS: Final = (_Kind.DEFAULT, _Kind.BINARY, _Kind.UCS2, _Kind.OTHER)


def payload_of(pdu: DeliverSm | SubmitSm | DataSm) -> Payload:
    """The body of a message: short_message, or message_payload where that is empty, without its user data header.

    The parts of a long message are told by the header or by the sar_* parameters; the header wins. A header that
    does not add up is no header: the octets are taken as text.
    """
    data = b"" if isinstance(pdu, DataSm) else pdu.short_message
    data = data or pdu.tlvs.get(c.MESSAGE_PAYLOAD, b"")
    payload = split_header(data) if pdu.esm_class & c.ESM_UDHI else Payload(header=b"", body=data)
    if payload.concatenation is None and c.SAR_MSG_REF_NUM in pdu.tlvs:
        return Payload(header=payload.header, body=payload.body, concatenation=_sar(pdu.tlvs))
    return payload


def split_header(data: bytes) -> Payload:
    """Walk the information elements of a user data header; a malformed one makes everything body."""
    whole = Payload(header=b"", body=data)
    end = data[0] + 1 if data else 0
    if not 1 <= end <= len(data):
        return whole
    concatenation, at = None, 1
    while at < end:
        begin = at + 2
        if begin > end or begin + data[at + 1] > end:
            return whole
        element, value, at = data[at], data[begin : begin + data[at + 1]], begin + data[at + 1]
        concatenation = _element(element, value) or concatenation
    return Payload(header=data[:end], body=data[end:], concatenation=concatenation)


def _element(element: int, value: bytes) -> Concatenation | None:
    if element == _CONCATENATION_8 and len(value) == len("rtn"):
        return _sensible(value[0], value[1], value[2], 8)
    if element == _CONCATENATION_16 and len(value) == len("RRtn"):
        return _sensible(int.from_bytes(value[:2]), value[2], value[3], 16)
    return None


def _sar(tlvs: Mapping[int, bytes]) -> Concatenation | None:
    """The sar_* parameters (§5.3.2.22-24); read as whatever length they have."""
    reference, total, number = (
        int.from_bytes(tlvs.get(tag, b"")[-2:])
        for tag in (c.SAR_MSG_REF_NUM, c.SAR_TOTAL_SEGMENTS, c.SAR_SEGMENT_SEQNUM)
    )
    return _sensible(reference, total, number, 16)


def _sensible(reference: int, total: int, number: int, width: int) -> Concatenation | None:
    """None where the message stands alone: one part, or numbers that cannot be (TS 23.040: to be ignored)."""
    if total > 1 and 1 <= number <= total:
        return Concatenation(reference, total, number, width)
    return None


def decode_text(
    payloads: Sequence[Payload],
    data_coding: int,
    default_alphabet: DefaultAlphabet = DefaultAlphabet.GSM,
    *,
    packed: bool = False,
) -> Decoded:
    """The text of one message from the payloads of all its parts, in order (mostly there is one).

    Parts are joined before they are read: senders do cut surrogate and escape pairs. `packed`: this SMSC delivers
    its default alphabet as packed septets. Never raises.
    """
    kind = _kind(data_coding)
    if packed and kind is _Kind.DEFAULT:
        body = b"".join(_unpack(payload) for payload in payloads)
    else:
        body = b"".join(payload.body for payload in payloads)
    if kind is _Kind.BINARY:
        return Decoded(text="", raw=body, binary=True)
    text, damaged = _ALPHABETS[default_alphabet](body) if kind is _Kind.DEFAULT else _READERS[kind](body)
    return Decoded(text=_composed(text), raw=body, damaged=damaged)


def _composed(text: str) -> str:
    """NFC, of a long text piece by piece: to order the marks piled on one letter costs the square of their number."""
    pieces: list[str] = []
    at = 0
    while at < len(text):
        end = at + _LARGEST_PIECE
        if end < len(text):
            end = text.rfind(" ", at, end) + 1 or end
        pieces.append(unicodedata.normalize("NFC", text[at:end]))
        at = end
    return "".join(pieces)


def _kind(data_coding: int) -> _Kind:
    if data_coding & 0xF0 in _CLASS_GROUPS:
        return _CLASS_KINDS[(data_coding & 0x0C) >> 2]
    return _KINDS.get(data_coding, _Kind.OTHER)


def _unpack(payload: Payload) -> bytes:
    """Septets begin on a septet's boundary after the header (TS 23.040 §9.2.3.24)."""
    return gsm.unpack_septets(payload.body, fill_bits=-_OCTET * len(payload.header) % _SEPTET)


def _as_gsm(body: bytes) -> tuple[str, bool]:
    try:
        return gsm.decode_gsm7(body), False
    except ValueError:  # not septets: the SMSC most likely sends Latin-1; said by the flag
        return body.decode("latin-1"), True


def _as_ascii(body: bytes) -> tuple[str, bool]:
    """ASCII; but no text holds control characters, so these betray a sender that means GSM by data_coding 1."""
    if _CONTROLS.search(body):
        return _as_gsm(body)
    return body.decode("latin-1"), not body.isascii()


def _as_latin1(body: bytes) -> tuple[str, bool]:
    return body.decode("latin-1"), False


def _as_ucs2(body: bytes) -> tuple[str, bool]:
    """UTF-16, big-endian unless a mark says otherwise. An odd last octet is dropped, half a pair becomes U+FFFD."""
    whole = body[: len(body) & ~1]
    encoding = "utf-16-le" if whole.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"
    damaged = len(whole) != len(body)
    try:
        text = whole.decode(encoding)
    except UnicodeDecodeError:  # half a surrogate pair; said by the flag
        text, damaged = whole.decode(encoding, "replace"), True
    return text.removeprefix("\ufeff"), damaged


def _as_unknown(body: bytes) -> tuple[str, bool]:
    return body.decode("latin-1"), True


_Reader = Callable[[bytes], tuple[str, bool]]

_READERS: Final[Mapping[_Kind, _Reader]] = MappingProxyType(
    {_Kind.ASCII: _as_ascii, _Kind.LATIN1: _as_latin1, _Kind.UCS2: _as_ucs2, _Kind.OTHER: _as_unknown}
)
_ALPHABETS: Final[Mapping[DefaultAlphabet, _Reader]] = MappingProxyType(
    {DefaultAlphabet.GSM: _as_gsm, DefaultAlphabet.LATIN1: _as_latin1, DefaultAlphabet.ASCII: _as_ascii}
)
