"""What the simulated SMSC writes: a handset's text as deliver_sm parts, delivery receipts, message ids. No I/O."""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

import msgspec

from channels.sms import commands as c
from channels.sms.pdu import NO_TLVS, DeliverSm, SubmitSm
from demo.smsc_faults import Dice, Fault
from domain import gsm

UNKNOWN_TLVS: Final[Mapping[int, bytes]] = MappingProxyType(
    {c.CONGESTION_STATE: b"\x50", 0x1400: b"vendor\0", 0x0501: b"\x01"}
)

BEYOND_64_BITS: Final = 10**21
CODING_UCS2_FLASH: Final = 0x18
CODING_8BIT_CLASS1: Final = 0xF5
_CODECS: Final[Mapping[int, str]] = MappingProxyType(
    {
        c.CODING_ASCII: "ascii",
        c.CODING_LATIN1: "latin-1",
        c.CODING_UCS2: "utf-16-be",
        CODING_UCS2_FLASH: "utf-16-be",
        CODING_8BIT_CLASS1: "latin-1",
    }
)
_SEPTETS: Final = frozenset({c.CODING_DEFAULT, c.CODING_ASCII})
_CODING_FAULTS: Final[Mapping[Fault, int]] = MappingProxyType(
    {
        Fault.CODING_ASCII: c.CODING_ASCII,
        Fault.CODING_LATIN1: c.CODING_LATIN1,
        Fault.CODING_UCS2: c.CODING_UCS2,
        Fault.CODING_UCS2_FLASH: CODING_UCS2_FLASH,
        Fault.CODING_8BIT_CLASS1: CODING_8BIT_CLASS1,
    }
)
_TONE_MARKS: Final = frozenset("\u0300\u0301\u0303\u0309\u0323")
_ESCAPE: Final = 0x1B


class Concatenation(enum.StrEnum):
    """How the parts of a long message are told."""

    UDH8 = "udh8"  # user data header, 8-bit reference
    UDH16 = "udh16"  # user data header, 16-bit reference
    SAR = "sar"  # sar_msg_ref_num and its two companions
    PAYLOAD = "payload"  # no parts: everything in message_payload


# Octets one part holds: alone, with others (8-bit reference), with others (16-bit); of 7-bit characters, of the rest.
_CAPACITIES: Final[Mapping[bool, tuple[int, int, int]]] = MappingProxyType(
    {True: (160, 153, 152), False: (140, 134, 132)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileText:
    """What a handset sends. `octets` are sent as they are, in `data_coding`, instead of `text`."""

    source: str
    destination: str
    text: str = ""
    octets: bytes | None = None
    data_coding: int | None = None  # None: GSM where it suffices, else UCS-2
    concatenation: Concatenation = Concatenation.UDH8
    reference: int = 0


def tones_apart(text: str) -> str:
    """Every letter composed but for its tone mark, as Windows-1258 writes Vietnamese."""
    letters = []
    for letter in unicodedata.normalize("NFC", text):
        marks = unicodedata.normalize("NFD", letter)
        tones = "".join(mark for mark in marks if mark in _TONE_MARKS)
        letters.append(unicodedata.normalize("NFC", "".join(m for m in marks if m not in _TONE_MARKS)) + tones)
    return "".join(letters)


def encode_text(text: str, data_coding: int) -> bytes:
    """The octets of a text in one data_coding.

    Raises:
        ValueError: the text has characters outside it, or the data_coding is for no text.
    """
    if data_coding == c.CODING_DEFAULT:
        return gsm.encode_gsm7(text)
    if data_coding not in _CODECS:
        raise ValueError(f"no text is written in data_coding {data_coding:#x}; give octets")
    return text.encode(_CODECS[data_coding])


def choose_coding(text: str, dice: Dice) -> int:
    """What the dice ask for where the text allows it, else GSM where it suffices, else UCS-2."""
    wanted = dice.first(_CODING_FAULTS)
    if wanted is not None and (wanted not in _CODECS or _writable(text, wanted)):
        return wanted
    return c.CODING_DEFAULT if gsm.is_gsm7(text) else c.CODING_UCS2


def _writable(text: str, data_coding: int) -> bool:
    try:
        encode_text(text, data_coding)
    except UnicodeEncodeError:  # the caller takes another data_coding
        return False
    return True


def mobile_originated(message: MobileText, dice: Dice) -> list[DeliverSm]:
    """The deliver_sm of one message in the order of writing; sequence numbers are the writer's.

    Raises:
        ValueError: the text has characters outside the data_coding asked for.
    """
    text = message.text
    if dice.falls(Fault.TEXT_NFD):
        text = unicodedata.normalize("NFD", text)
    if dice.falls(Fault.TEXT_1258):
        text = tones_apart(text)
    coding = message.data_coding
    if coding is None:
        coding = choose_coding(text, dice) if message.octets is None else c.CODING_DEFAULT
    octets = encode_text(text, coding) if message.octets is None else message.octets
    whole = DeliverSm(
        sequence=0,
        source_ton=c.TON_INTERNATIONAL,
        source_npi=c.NPI_ISDN,
        source=message.source,
        destination_npi=c.NPI_ISDN,
        destination=message.destination,
        data_coding=coding,
        tlvs=UNKNOWN_TLVS if dice.falls(Fault.UNKNOWN_TLVS) else NO_TLVS,
    )
    return _misorder(_parts(whole, octets, message), dice)


def _parts(whole: DeliverSm, octets: bytes, message: MobileText) -> list[DeliverSm]:
    alone, narrow, wide = _CAPACITIES[whole.data_coding in _SEPTETS]
    if message.concatenation is Concatenation.PAYLOAD:
        return [msgspec.structs.replace(whole, tlvs={**whole.tlvs, c.MESSAGE_PAYLOAD: octets})]
    if len(octets) <= alone:
        return [msgspec.structs.replace(whole, short_message=octets)]
    pieces = cut(octets, narrow if message.concatenation is Concatenation.UDH8 else wide)
    return [_part(whole, piece, message, len(pieces), number) for number, piece in enumerate(pieces, start=1)]


def cut(octets: bytes, size: int) -> list[bytes]:
    """Pieces as handsets cut them: an escape stays with its character, a surrogate pair may well be torn."""
    pieces = []
    begin = 0
    while begin < len(octets):
        end = begin + size
        if end < len(octets) and octets[end - 1] == _ESCAPE:
            end -= 1
        pieces.append(octets[begin:end])
        begin = end
    return pieces


def _part(whole: DeliverSm, piece: bytes, message: MobileText, total: int, number: int) -> DeliverSm:
    if message.concatenation is Concatenation.SAR:
        told = {
            c.SAR_MSG_REF_NUM: (message.reference & 0xFFFF).to_bytes(2),
            c.SAR_TOTAL_SEGMENTS: bytes((total,)),
            c.SAR_SEGMENT_SEQNUM: bytes((number,)),
        }
        return msgspec.structs.replace(whole, short_message=piece, tlvs={**whole.tlvs, **told})
    if message.concatenation is Concatenation.UDH16:
        header = b"\x06\x08\x04" + (message.reference & 0xFFFF).to_bytes(2) + bytes((total, number))
    else:
        header = b"\x05\x00\x03" + bytes((message.reference & 0xFF, total, number))
    return msgspec.structs.replace(whole, esm_class=c.ESM_UDHI, short_message=header + piece)


def _misorder(parts: list[DeliverSm], dice: Dice) -> list[DeliverSm]:
    if len(parts) == 1:
        return parts
    if dice.falls(Fault.PART_MISSING):
        parts = parts[:-1]
    if dice.falls(Fault.PARTS_REVERSED):
        parts = parts[::-1]
    if dice.falls(Fault.PARTS_DUPLICATED):
        parts = [part for part in parts for _ in range(2)]
    return parts


def message_ids(number: int, dice: Dice) -> tuple[str, str]:
    """The id of one accepted message as submit_sm_resp and as the receipt write it."""
    if dice.falls(Fault.ID_HEX_THEN_DECIMAL):
        return f"{number:X}", f"{number}"
    if dice.falls(Fault.ID_DECIMAL_THEN_HEX):
        return f"{number}", f"{number:X}"
    if dice.falls(Fault.ID_ZERO_PADDED):
        return f"{number}", f"{number:020d}"
    if dice.falls(Fault.ID_OTHER_CASE):
        return f"{number:X}", f"{number:x}"
    if dice.falls(Fault.ID_BEYOND_64_BITS):
        return f"{BEYOND_64_BITS + number}", f"{BEYOND_64_BITS + number:X}"
    return f"{number:X}", f"{number:X}"


# stat: of a receipt's text -> message_state (SMPP 3.4 §5.2.28), err:
_STATES: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {"ENROUTE": (1, "000"), "DELIVRD": (2, "000"), "UNDELIV": (5, "027")}
)


def receipts(submit: SubmitSm, message_id: str, now: datetime, dice: Dice) -> list[DeliverSm]:
    """The receipts of one accepted submit_sm in the order of writing; mostly there is one."""
    states: Sequence[str] = ("UNDELIV",) if dice.falls(Fault.RECEIPT_UNDELIVERABLE) else ("DELIVRD",)
    if dice.falls(Fault.RECEIPT_STATES_REVERSED):
        states = (*states, "ENROUTE")
    if dice.falls(Fault.RECEIPT_DUPLICATED):
        states = tuple(state for state in states for _ in range(2))
    return [_receipt(submit, message_id, state, now, dice) for state in states]


def _receipt(submit: SubmitSm, message_id: str, state: str, now: datetime, dice: Dice) -> DeliverSm:
    text = _receipt_text(message_id, state, now, counts=not dice.falls(Fault.RECEIPT_WITHOUT_COUNTS))
    tlvs: dict[int, bytes] = {}
    if not dice.falls(Fault.RECEIPT_TEXT_ONLY):
        end = b"" if dice.falls(Fault.RECEIPT_ID_WITHOUT_NUL) else b"\0"
        tlvs[c.RECEIPTED_MESSAGE_ID] = message_id.encode() + end
        tlvs[c.MESSAGE_STATE] = bytes((_STATES[state][0],))
    if dice.falls(Fault.UNKNOWN_TLVS):
        tlvs |= UNKNOWN_TLVS
    if dice.falls(Fault.RECEIPT_PAYLOAD_ONLY):
        tlvs[c.MESSAGE_PAYLOAD], text = text, b""
    return DeliverSm(
        sequence=0,
        source_ton=submit.destination_ton,
        source_npi=submit.destination_npi,
        source=submit.destination,
        destination_ton=submit.source_ton,
        destination_npi=submit.source_npi,
        destination=submit.source,
        esm_class=c.ESM_RECEIPT,
        data_coding=c.CODING_UCS2 if dice.falls(Fault.RECEIPT_UCS2_FLAG) else c.CODING_DEFAULT,
        short_message=text,
        tlvs=tlvs,
    )


def _receipt_text(message_id: str, state: str, now: datetime, *, counts: bool) -> bytes:
    """The customary text of SMPP 3.4 appendix B."""
    at = f"{now:%y%m%d%H%M}"
    delivered = "001" if state == "DELIVRD" else "000"
    counted = f"sub:001 dlvrd:{delivered} " if counts else ""
    error = _STATES[state][1]
    return f"id:{message_id} {counted}submit date:{at} done date:{at} stat:{state} err:{error} text:".encode()
