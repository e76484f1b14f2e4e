"""Mutated PDUs for a gateway that is bound: those a link survives, and those it does not. No I/O."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

from channels.sms import commands as c
from channels.sms import pdu as p
from tests.mutations import HEADER, MUTATIONS, PDUS, distorted, framed

_COMMAND: Final = slice(0, 4)  # of a PDU without its length prefix
_SEQUENCE: Final = slice(8, 12)
_NUMBERS_OF_OTHERS: Final = 1 << 24  # sequence numbers from here on belong to no honest PDU of a test
_LONGEST: Final = 16_000  # octets; a longer one would break the framing
_RUBBISH: Final = b"\xff" * (p.DEFAULT_MAX_LENGTH + 100)  # longer than any PDU: by it a lying length shows
_ENDS_THE_LINK: Final = frozenset({c.UNBIND})


def mutated(chance: random.Random) -> bytes:
    """One to sixteen mutations of one of PDUS, with a length that is right again, so that the stream goes on.

    Its sequence number is nobody's: 0 or far above those of the honest PDUs beside it. A command that would end the
    link (unbind) is none of these; `broken` has it.
    """
    body = distorted(chance, chance.choice(PDUS))
    del body[_LONGEST:]
    body[_SEQUENCE] = chance.choice((0, chance.randrange(_NUMBERS_OF_OTHERS, 1 << 32))).to_bytes(4)
    if int.from_bytes(body[_COMMAND]) in _ENDS_THE_LINK:
        body[_COMMAND] = c.ENQUIRE_LINK.to_bytes(4)
    return framed(body)


def mutated_answer(chance: random.Random, sequence: int) -> bytes:
    """An answer to the submit_sm of this sequence number, as no SMSC should give it; the link survives it."""
    command = chance.choice((c.SUBMIT_SM | c.RESPONSE_BIT, c.SUBMIT_SM | c.RESPONSE_BIT, c.GENERIC_NACK))
    # Not RINVBNDSTS: it means that there is no link, and is believed.
    status = chance.choice((c.ROK, c.ROK, c.RSYSERR, c.RINVDSTADR, c.RTHROTTLED, 0x400, 0xFFFFFFFF))
    body = bytearray(command.to_bytes(4) + status.to_bytes(4) + sequence.to_bytes(4) + b"3E8\0")
    tail = bytearray(body[HEADER:])
    chance.choice(MUTATIONS)(chance, tail, chance.randrange(len(tail)))
    return framed(body[:HEADER] + tail * chance.choice((0, 1, 1, 90)))


def _wrong_length(chance: random.Random) -> bytes:
    frame = chance.choice(PDUS)
    return (
        chance.choice((0, 1, 4, 15, p.DEFAULT_MAX_LENGTH + 1, 1 << 24, 1 << 31, 0xFFFFFFFF)).to_bytes(4)
        + frame[4:]
        + _RUBBISH
    )


def _length_that_lies(chance: random.Random) -> bytes:
    """What follows is read from the middle of a PDU, until that makes no sense any more."""
    frame = chance.choice(PDUS)
    told = max(16, len(frame) + chance.choice((-40, -7, -1, 1, 7, 40)))
    return told.to_bytes(4) + frame[4:] + _RUBBISH


def _octets(chance: random.Random) -> bytes:
    return b"\xff" + chance.randbytes(chance.randrange(3, 500)) + _RUBBISH


def _page(_: random.Random) -> bytes:
    """Somebody's browser."""
    return b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def _unbind(chance: random.Random) -> bytes:
    return p.encode(p.Unbind(chance.randrange(1, 1 << 31)))


BREAKS: Final[Sequence[Callable[[random.Random], bytes]]] = (_wrong_length, _length_that_lies, _octets, _page, _unbind)


def broken(chance: random.Random, number: int) -> bytes:
    """What no link survives, each of BREAKS in turn."""
    return BREAKS[number % len(BREAKS)](chance)
