"""Text to the segments of one message: alphabet, parts, and how the telephone is told that they belong together.

Counting and cutting are domain.gsm's. An operator takes long messages in one of three ways (`Form`); the capacities
are the same in all of them, since what is not a header here becomes one at the SMSC.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias

from channels.sms import commands as c
from channels.sms.pdu_types import NO_TLVS
from domain import gsm

RECENT: Final = 2048  # texts remembered
MOST_SEGMENTS: Final = 255  # the header counts in one octet (TS 23.040 §9.2.3.24.1)
HEADER: Final = b"\x05\x00\x03%c%c%c"  # length 5; element 0, length 3: reference, parts, number of this part


class DefaultAlphabet(enum.StrEnum):
    """What data_coding 0 means to an SMSC; the standard leaves it to the operator (§5.2.19)."""

    GSM = "gsm"
    LATIN1 = "latin-1"
    ASCII = "ascii"


@dataclass(frozen=True, slots=True)
class Segment:
    """Four fields of one submit_sm; `short_message` begins with the header where esm_class says so."""

    data_coding: int
    esm_class: int
    short_message: bytes
    tlvs: Mapping[int, bytes] = field(default_factory=lambda: NO_TLVS)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a text would leave: its data_coding and the text of each part."""

    data_coding: int
    parts: Sequence[str]
    encoding: str  # "gsm", "latin-1", "ascii" or "ucs2"


class ConcatReferences:
    """The next reference for each destination: rising, so that two messages to one person never share it soon.

    Random ones of 8 bits collide after about twenty messages. `count`: how many there are; SMSCs that make an 8-bit
    header of 16 bits keep the lower ones, which rise as well. Memory is bounded: beyond `limit` destinations the
    oldest is forgotten, and one not seen begins where a counter over all destinations stands.
    """

    __slots__ = ("_count", "_limit", "_newcomer", "_next")

    def __init__(self, start: int = 0, limit: int = 10_000, count: int = 256) -> None:
        self._next: dict[str, int] = {}
        self._newcomer = start
        self._limit = limit
        self._count = count

    def take(self, destination: str) -> int:
        """A reference (from 0) for one message of several parts."""
        reference = self._next.pop(destination, None)
        if reference is None:
            reference, self._newcomer = self._newcomer % self._count, self._newcomer + 1
            if len(self._next) >= self._limit:
                del self._next[next(iter(self._next))]
        self._next[destination] = (reference + 1) % self._count
        return reference


# Several parts (data_coding and their octets) as segments; the function gives a reference to whoever wants one.
Form: TypeAlias = Callable[[int, Sequence[bytes], Callable[[], int]], list[Segment]]


def with_headers(data_coding: int, bodies: Sequence[bytes], reference: Callable[[], int]) -> list[Segment]:
    """Each part with a user data header of an 8-bit reference (TS 23.040 §9.2.3.24.1): what most operators take."""
    total, taken = len(bodies), reference() % 256
    return [
        Segment(data_coding, c.ESM_UDHI, HEADER % (taken, total, number) + body)
        for number, body in enumerate(bodies, start=1)
    ]


def with_parameters(data_coding: int, bodies: Sequence[bytes], reference: Callable[[], int]) -> list[Segment]:
    """Each part with the sar_* parameters, of which the SMSC makes the header (SMPP 3.4 §5.3.2.22 to 24)."""
    total, taken = bytes([len(bodies)]), reference().to_bytes(2, "big")
    return [
        Segment(
            data_coding,
            0,
            body,
            {c.SAR_MSG_REF_NUM: taken, c.SAR_TOTAL_SEGMENTS: total, c.SAR_SEGMENT_SEQNUM: bytes([number])},
        )
        for number, body in enumerate(bodies, start=1)
    ]


def in_payload(data_coding: int, bodies: Sequence[bytes], reference: Callable[[], int]) -> list[Segment]:  # noqa: ARG001 - a Form
    """All of it in message_payload, for the SMSC to cut (§5.3.2.32); short_message is then empty."""
    return [Segment(data_coding, 0, b"", {c.MESSAGE_PAYLOAD: b"".join(bodies)})]


@lru_cache(maxsize=RECENT)  # asked once whether it fits and once to send it; many people ask about one dossier
def plan(text: str, default_alphabet: DefaultAlphabet = DefaultAlphabet.GSM) -> Plan:
    """GSM-7 if every character is in it (and in what this SMSC takes for data_coding 0), else UCS-2."""
    if gsm.is_gsm7(text) and _writable(text, default_alphabet):
        return Plan(c.CODING_DEFAULT, gsm.split(text, gsm.Alphabet.GSM7), default_alphabet)
    return Plan(c.CODING_UCS2, gsm.split(text, gsm.Alphabet.UCS2), "ucs2")


def segments(
    text: str,
    destination: str,
    references: ConcatReferences,
    default_alphabet: DefaultAlphabet = DefaultAlphabet.GSM,
    form: Form = with_headers,
) -> list[Segment]:
    """The segments of one message, in order, to be sent one after the other on the same bind.

    Raises:
        ValueError: more than 255 parts, however it is sent.
    """
    planned = plan(text, default_alphabet)
    total = len(planned.parts)
    bodies = [_encode(part, planned.encoding) for part in planned.parts]
    if total == 1:
        return [Segment(planned.data_coding, 0, bodies[0])]
    if total > MOST_SEGMENTS:
        raise ValueError(f"a message has at most {MOST_SEGMENTS} segments")
    return form(planned.data_coding, bodies, lambda: references.take(destination))


def _writable(text: str, alphabet: DefaultAlphabet) -> bool:
    if alphabet is DefaultAlphabet.GSM or text.isascii():
        return True
    return alphabet is DefaultAlphabet.LATIN1 and max(text) <= "\xff"


@lru_cache(maxsize=RECENT)
def _encode(part: str, encoding: str) -> bytes:
    if encoding == "ucs2":
        return gsm.encode_ucs2(part)
    return gsm.encode_gsm7(part) if encoding == DefaultAlphabet.GSM else part.encode(encoding)
