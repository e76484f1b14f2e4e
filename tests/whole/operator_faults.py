"""Every way an operator's SMSC is known to misbehave, one row each: what it then saw of us, and what our store holds.

A row is a question from a number of its own, asked while the fault happens. The table is what the faults promise;
tests/whole/test_operator_faults.py plays it.
"""

from __future__ import annotations

import enum
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from demo.smsc_faults import Fault
from demo.smsc_messages import Concatenation

CODE: Final = "000.00.18.H51-161220-0001"
ANSWER: Final = f"Ho so {CODE} dang xu ly"
NOT_READ: Final = "Chua doc duoc ma ho so"
NO_TEXT: Final = "So nay chi doc duoc tin chu"  # data_coding 0xF5 is binary
WORDY: Final = f"Kinh gui co quan, toi ten la mot nguoi dan o xa, da nop ho so tu lau. {'Xin cho biet ket qua. ' * 6}Ma la {CODE} va toi rat mong"
ACCENTED: Final = f"Tra cứu hồ sơ {CODE} của tôi đến đâu rồi ạ"

ONCE: Final = (("accepted", "delivered"),)


class Patience(enum.Enum):
    """Which gateway plays a row: one that waits for long, or one whose time-outs are the promise."""

    PATIENT = enum.auto()
    IMPATIENT = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the SMSC saw concerning the number: segments submitted, whole answers, how the last question was settled."""

    submits: int = 1
    answers: int = 1
    settled: int | None = 0  # the command_status of its deliver_sm_resp; None: never


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What our store holds of it: texts received; (state, what was reported) of each answer; statuses of its segments."""

    asked: int = 1
    answers: Sequence[tuple[str, str | None]] = ONCE
    statuses: Sequence[int] = (0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A fault, so many times, and what follows. `struck`: it happens to the link, just before the question."""

    fault: Fault
    times: int = 1
    struck: bool = False
    text: str = CODE
    concatenation: Concatenation = Concatenation.UDH8
    answer: str | None = ANSWER
    patience: Patience = Patience.PATIENT
    rebinds: bool = False  # the link is lost by it, and comes back
    also: Mapping[Fault, int] = field(default_factory=dict)
    seen: Seen = Seen()
    held: Held = Held()
    refused: int | None = None  # the command_status of a PDU that we refused on the way

    @property
    def label(self) -> str:
        extra = "" if self.concatenation is Concatenation.UDH8 else f" ({self.concatenation})"
        return "+".join([self.fault.value, *(fault.value for fault in self.also)]) + extra


REFUSED_FOR_GOOD: Final = Seen(submits=1, answers=0)
AGAIN: Final = Seen(submits=2, answers=1)
LONG_WAYS: Final = (Concatenation.UDH8, Concatenation.UDH16, Concatenation.SAR)

BIND: Final = (
    Row(fault=Fault.BIND_ALREADY_BOUND, rebinds=True, patience=Patience.IMPATIENT),
    Row(fault=Fault.BIND_FAILED, times=2, rebinds=True),
    Row(fault=Fault.MO_BEFORE_BIND_RESPONSE, rebinds=True),
)
ANSWERS_TO_SUBMITS: Final = (
    Row(fault=Fault.THROTTLED, times=2, seen=Seen(submits=3)),
    Row(fault=Fault.QUEUE_FULL, seen=AGAIN),
    Row(fault=Fault.SYSTEM_ERROR, seen=AGAIN),
    Row(fault=Fault.RECEIVER_ERROR, seen=AGAIN),
    Row(
        fault=Fault.SUBMIT_FAILED,
        answer=None,
        seen=REFUSED_FOR_GOOD,
        held=Held(answers=(("rejected", None),), statuses=(0x45,)),
    ),
    Row(
        fault=Fault.VENDOR_ERROR,
        answer=None,
        seen=REFUSED_FOR_GOOD,
        held=Held(answers=(("rejected", None),), statuses=(0x404,)),
    ),
    # Nobody can know whether it was taken: a status may be told twice, and is (design: Unknown outcomes).
    Row(
        fault=Fault.NO_RESPONSE,
        patience=Patience.IMPATIENT,
        seen=Seen(submits=2, answers=2),
        held=Held(statuses=(0, 0)),
    ),
    Row(fault=Fault.SLOW_RESPONSE),
    Row(fault=Fault.RESPONSES_OUT_OF_ORDER),
)
IDS: Final = tuple(
    Row(fault=fault)
    for fault in (
        Fault.ID_HEX_THEN_DECIMAL,
        Fault.ID_DECIMAL_THEN_HEX,
        Fault.ID_ZERO_PADDED,
        Fault.ID_OTHER_CASE,
        Fault.ID_BEYOND_64_BITS,
    )
)
RECEIPTS: Final = (
    Row(fault=Fault.RECEIPT_BEFORE_RESPONSE),
    Row(fault=Fault.RECEIPT_BEFORE_RESPONSE, also={Fault.ID_HEX_THEN_DECIMAL: 1}),
    Row(fault=Fault.RECEIPT_ON_OTHER_BIND),
    Row(fault=Fault.RECEIPT_ID_WITHOUT_NUL),
    Row(fault=Fault.RECEIPT_TEXT_ONLY),
    Row(fault=Fault.RECEIPT_PAYLOAD_ONLY, also={Fault.RECEIPT_TEXT_ONLY: 1}),
    Row(fault=Fault.RECEIPT_UCS2_FLAG, also={Fault.RECEIPT_TEXT_ONLY: 1}),
    Row(fault=Fault.RECEIPT_WITHOUT_COUNTS, also={Fault.RECEIPT_TEXT_ONLY: 1}),
    Row(fault=Fault.RECEIPT_DUPLICATED),
    Row(fault=Fault.RECEIPT_STATES_REVERSED),
    Row(fault=Fault.RECEIPT_UNDELIVERABLE, held=Held(answers=(("accepted", "undeliverable"),))),
)
QUESTIONS: Final = (
    # On a link that lives nobody can tell this from a citizen who asks again, so it is answered again (design: Redelivery).
    Row(
        fault=Fault.MO_ACK_FORGOTTEN,
        seen=Seen(submits=2, answers=2),
        held=Held(asked=2, answers=ONCE * 2, statuses=(0, 0)),
    ),
    # The link was lost meanwhile: the acknowledgement may have been lost with it, so it is answered once.
    Row(fault=Fault.MO_ACK_LOST_WITH_LINK, rebinds=True),
    *(Row(fault=Fault.PARTS_REVERSED, text=WORDY, concatenation=way) for way in LONG_WAYS),
    *(Row(fault=Fault.PARTS_DUPLICATED, text=WORDY, concatenation=way) for way in LONG_WAYS),
    # The code is in the first part, the last one never comes.
    Row(fault=Fault.PART_MISSING, text=f"{CODE} {'cho toi biet ket qua voi ' * 8}", patience=Patience.IMPATIENT),
    # The code is cut in two: what is left of it is not read as anybody's.
    Row(
        fault=Fault.PART_MISSING,
        text=f"{'x' * 140} {CODE}",
        answer=NOT_READ,
        patience=Patience.IMPATIENT,
    ),
    Row(fault=Fault.UNKNOWN_TLVS),
    Row(fault=Fault.CODING_ASCII),
    Row(fault=Fault.CODING_LATIN1),
    Row(fault=Fault.CODING_UCS2),
    Row(fault=Fault.CODING_UCS2_FLASH),
    Row(fault=Fault.CODING_8BIT_CLASS1, answer=NO_TEXT),
    Row(fault=Fault.TEXT_NFD, text=ACCENTED),
    Row(fault=Fault.TEXT_1258, text=ACCENTED),
    Row(fault=Fault.STRAY_NUL),
)
LINK: Final = (
    Row(fault=Fault.TRUNCATED_PDU, struck=True, refused=0x15),
    Row(fault=Fault.UNKNOWN_COMMAND, struck=True, refused=0x03),
    Row(fault=Fault.OVERSIZE_PDU, struck=True, rebinds=True, refused=0x02),
    Row(fault=Fault.SHORT_LENGTH, struck=True, rebinds=True, refused=0x02),
    Row(fault=Fault.SERVER_UNBIND, struck=True, rebinds=True),
    Row(fault=Fault.HALF_OPEN, struck=True, rebinds=True, patience=Patience.IMPATIENT),
    Row(fault=Fault.RESET_MID_PDU, struck=True, rebinds=True),
    Row(fault=Fault.ENQUIRE_LINK_FLOOD, struck=True),
    Row(fault=Fault.BYTE_CHUNKS, struck=True),
)
# These end the account, so they have a gateway of their own.
APART: Final = frozenset({Fault.BIND_WRONG_PASSWORD})

TABLE: Final = (*BIND, *ANSWERS_TO_SUBMITS, *IDS, *RECEIPTS, *QUESTIONS, *LINK)

_ASKED: Final = "SELECT count(*) FROM inbox WHERE sender = ?"
_ANSWERS: Final = "SELECT id, state, delivery_status FROM outbox WHERE recipient = ? ORDER BY id"
_STATUSES: Final = """SELECT s.command_status FROM submission AS s JOIN outbox AS o ON o.id = s.outbox_id
    WHERE o.recipient = ? ORDER BY s.outbox_id, s.attempt, s.segment"""


def held_of(store: Path, number: str) -> Held:
    """What the store, which its gateway is writing, holds of a number at this moment."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        (asked,) = connection.execute(_ASKED, (f"sms:{number}",)).fetchone()
        answers = connection.execute(_ANSWERS, (f"sms:{number}",)).fetchall()
        statuses = connection.execute(_STATUSES, (f"sms:{number}",)).fetchall()
    return Held(
        asked=asked,
        answers=tuple((state, told) for _, state, told in answers),
        statuses=tuple(status for (status,) in statuses),
    )
