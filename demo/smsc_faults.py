"""Every way the simulated SMSC can misbehave, as named options, and the dice that decide when it does.

All of them have been met in the field. A fault is armed by
a float (its probability each time it could happen, 1.0 always) or an int (it happens the next so many times).
"""

from __future__ import annotations

import enum
import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from channels.sms import commands as c


class Fault(enum.StrEnum):
    """The names; `FAULTS` says what each does."""

    # the bind
    BIND_WRONG_PASSWORD = "bind-wrong-password"  # noqa: S105 (a fault's name)
    BIND_ALREADY_BOUND = "bind-already-bound"
    BIND_FAILED = "bind-failed"
    MO_BEFORE_BIND_RESPONSE = "mo-before-bind-response"
    # the answer to submit_sm
    THROTTLED = "throttled"
    QUEUE_FULL = "queue-full"
    SYSTEM_ERROR = "system-error"
    RECEIVER_ERROR = "receiver-error"
    SUBMIT_FAILED = "submit-failed"
    VENDOR_ERROR = "vendor-error"
    NO_RESPONSE = "no-response"
    SLOW_RESPONSE = "slow-response"
    RESPONSES_OUT_OF_ORDER = "responses-out-of-order"
    # message ids
    ID_HEX_THEN_DECIMAL = "id-hex-then-decimal"
    ID_DECIMAL_THEN_HEX = "id-decimal-then-hex"
    ID_ZERO_PADDED = "id-zero-padded"
    ID_OTHER_CASE = "id-other-case"
    ID_BEYOND_64_BITS = "id-beyond-64-bits"
    # delivery receipts
    RECEIPT_BEFORE_RESPONSE = "receipt-before-response"
    RECEIPT_ON_OTHER_BIND = "receipt-on-other-bind"
    RECEIPT_ID_WITHOUT_NUL = "receipt-id-without-nul"
    RECEIPT_TEXT_ONLY = "receipt-text-only"
    RECEIPT_PAYLOAD_ONLY = "receipt-payload-only"
    RECEIPT_UCS2_FLAG = "receipt-ucs2-flag"
    RECEIPT_WITHOUT_COUNTS = "receipt-without-counts"
    RECEIPT_DUPLICATED = "receipt-duplicated"
    RECEIPT_STATES_REVERSED = "receipt-states-reversed"
    RECEIPT_UNDELIVERABLE = "receipt-undeliverable"
    # the message from a handset
    MO_ACK_FORGOTTEN = "mo-ack-forgotten"
    MO_ACK_LOST_WITH_LINK = "mo-ack-lost-with-link"
    PARTS_REVERSED = "parts-reversed"
    PARTS_DUPLICATED = "parts-duplicated"
    PART_MISSING = "part-missing"
    UNKNOWN_TLVS = "unknown-tlvs"
    CODING_ASCII = "coding-1"
    CODING_LATIN1 = "coding-3"
    CODING_UCS2 = "coding-8"
    CODING_UCS2_FLASH = "coding-0x18"
    CODING_8BIT_CLASS1 = "coding-0xf5"
    TEXT_NFD = "text-nfd"
    TEXT_1258 = "text-1258"
    STRAY_NUL = "stray-nul"
    # the link
    TRUNCATED_PDU = "truncated-pdu"
    OVERSIZE_PDU = "oversize-pdu"
    SHORT_LENGTH = "short-length"
    UNKNOWN_COMMAND = "unknown-command"
    SERVER_UNBIND = "server-unbind"
    HALF_OPEN = "half-open"
    RESET_MID_PDU = "reset-mid-pdu"
    ENQUIRE_LINK_FLOOD = "enquire-link-flood"
    BYTE_CHUNKS = "byte-chunks"


FAULTS: Final[Mapping[Fault, str]] = MappingProxyType(
    {
        Fault.BIND_WRONG_PASSWORD: "refuse the bind with 0x0E, invalid password",
        Fault.BIND_ALREADY_BOUND: "refuse the bind with 0x05, already bound",
        Fault.BIND_FAILED: "refuse the bind with 0x0D, bind failed",
        Fault.MO_BEFORE_BIND_RESPONSE: "write waiting messages before the bind is answered",
        Fault.THROTTLED: "answer submit_sm with 0x58, throttled",
        Fault.QUEUE_FULL: "answer submit_sm with 0x14, message queue full",
        Fault.SYSTEM_ERROR: "answer submit_sm with 0x08, system error",
        Fault.RECEIVER_ERROR: "answer submit_sm with 0x64, a temporary error of the receiver",
        Fault.SUBMIT_FAILED: "answer submit_sm with 0x45, submit failed",
        Fault.VENDOR_ERROR: "answer submit_sm with 0x404, a vendor's own status",
        Fault.NO_RESPONSE: "take the message but never answer the submit_sm",
        Fault.SLOW_RESPONSE: "answer the submit_sm only after slow_response seconds",
        Fault.RESPONSES_OUT_OF_ORDER: "hold the answer back until the next one has been written",
        Fault.ID_HEX_THEN_DECIMAL: "hexadecimal message id in the answer, decimal in the receipt",
        Fault.ID_DECIMAL_THEN_HEX: "decimal message id in the answer, hexadecimal in the receipt",
        Fault.ID_ZERO_PADDED: "the receipt's id has leading zeros the answer's has not",
        Fault.ID_OTHER_CASE: "the receipt's id has its letters in the other case",
        Fault.ID_BEYOND_64_BITS: "ids of 22 decimal digits, the receipt's in hexadecimal",
        Fault.RECEIPT_BEFORE_RESPONSE: "write the receipt before the answer to its submit_sm",
        Fault.RECEIPT_ON_OTHER_BIND: "write the receipt on another bind of the account, if there is one",
        Fault.RECEIPT_ID_WITHOUT_NUL: "receipted_message_id lacks its terminating NUL",
        Fault.RECEIPT_TEXT_ONLY: "the receipt has no optional parameters, only its text",
        Fault.RECEIPT_PAYLOAD_ONLY: "the receipt's text is in message_payload, short_message is empty",
        Fault.RECEIPT_UCS2_FLAG: "data_coding says 8, the receipt's text is ASCII all the same",
        Fault.RECEIPT_WITHOUT_COUNTS: "the receipt's text has no sub: and no dlvrd:",
        Fault.RECEIPT_DUPLICATED: "write the receipt twice",
        Fault.RECEIPT_STATES_REVERSED: "write DELIVRD first and ENROUTE after it",
        Fault.RECEIPT_UNDELIVERABLE: "report UNDELIV instead of DELIVRD",
        Fault.MO_ACK_FORGOTTEN: "forget the acknowledgement of a deliver_sm and deliver it again",
        Fault.MO_ACK_LOST_WITH_LINK: "reset the connection the acknowledgement came by, and deliver again on the next",
        Fault.PARTS_REVERSED: "deliver the parts of a long message last one first",
        Fault.PARTS_DUPLICATED: "deliver every part of a long message twice",
        Fault.PART_MISSING: "lose the last part of a long message",
        Fault.UNKNOWN_TLVS: "add congestion_state 0x0428, vendor's 0x1400 and ussd_service_op 0x0501 to deliver_sm",
        Fault.CODING_ASCII: "message in data_coding 1, ASCII, where the text allows",
        Fault.CODING_LATIN1: "message in data_coding 3, Latin-1, where the text allows",
        Fault.CODING_UCS2: "message in data_coding 8, UCS-2",
        Fault.CODING_UCS2_FLASH: "message in data_coding 0x18, UCS-2 of class 0",
        Fault.CODING_8BIT_CLASS1: "message in data_coding 0xF5, 8-bit of class 1, where Latin-1 allows",
        Fault.TEXT_NFD: "text decomposed (NFD), as some handsets type it",
        Fault.TEXT_1258: "text with the tone marks apart, as Windows-1258 has it",
        Fault.STRAY_NUL: "one NUL too many after short_message",
        Fault.TRUNCATED_PDU: "before a deliver_sm, one whose body ends in its middle (its length is honest)",
        Fault.OVERSIZE_PDU: "a header that announces 16 MiB",
        Fault.SHORT_LENGTH: "a header that announces a length of 8",
        Fault.UNKNOWN_COMMAND: "before a deliver_sm, a command nobody knows",
        Fault.SERVER_UNBIND: "unbind the gateway",
        Fault.HALF_OPEN: "stop reading and answering, but keep the connection",
        Fault.RESET_MID_PDU: "write half a PDU and reset the connection",
        Fault.ENQUIRE_LINK_FLOOD: "write a thousand enquire_link at once",
        Fault.BYTE_CHUNKS: "from now on write one octet at a time on this connection",
    }
)

BIND_REFUSALS: Final[Mapping[Fault, int]] = MappingProxyType(
    {
        Fault.BIND_WRONG_PASSWORD: c.RINVPASWD,
        Fault.BIND_ALREADY_BOUND: c.RALYBND,
        Fault.BIND_FAILED: c.RBINDFAIL,
    }
)
SUBMIT_REFUSALS: Final[Mapping[Fault, int]] = MappingProxyType(
    {
        Fault.THROTTLED: c.RTHROTTLED,
        Fault.QUEUE_FULL: c.RMSGQFUL,
        Fault.SYSTEM_ERROR: c.RSYSERR,
        Fault.RECEIVER_ERROR: c.RX_T_APPN,
        Fault.SUBMIT_FAILED: c.RSUBMITFAIL,
        Fault.VENDOR_ERROR: 0x404,
    }
)


class Dice:
    """Decides, reproducibly, whether an armed fault happens now."""

    def __init__(self, faults: Mapping[Fault, float] = MappingProxyType({}), seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._armed: dict[Fault, float] = {}
        for fault, chance in faults.items():
            self.arm(fault, chance)

    def arm(self, fault: Fault, chance: float = 1.0) -> None:
        """Let `fault` happen with a probability (float, 0 to 1) or the next so many times (int, 0 disarms).

        Raises:
            ValueError: a probability outside 0 to 1, or a negative count.
        """
        if chance < 0 or (chance > 1 and not isinstance(chance, int)):
            raise ValueError(f"{fault}: a probability is 0.0 to 1.0, a count is not negative")
        self._armed[fault] = chance
        if not chance:
            del self._armed[fault]

    def disarm(self) -> None:
        """Let nothing go wrong from now on."""
        self._armed.clear()

    def falls(self, fault: Fault) -> bool:
        """Whether it happens this time."""
        chance = self._armed.get(fault)
        if chance is None:
            return False
        if isinstance(chance, int):
            self.arm(fault, chance - 1)
            return True
        return self._random.random() < chance

    def first(self, candidates: Mapping[Fault, int]) -> int | None:
        """The value of the first fault of a table that happens now; None if none does."""
        if not self._armed:
            return None
        return next((value for fault, value in candidates.items() if self.falls(fault)), None)


def parse_fault(text: str) -> tuple[Fault, float]:
    """`throttled` (always), `throttled=0.1` (a probability) or `throttled=3` (three times).

    Raises:
        ValueError: no such fault, or no such chance.
    """
    name, _, chance = text.partition("=")
    fault = Fault(name)
    value: float = 1.0 if not chance else float(chance) if "." in chance else int(chance)
    Dice({fault: value})
    return fault, value
