"""Delivery receipts: what an SMSC says became of one segment, from its parameters first and its text second.

The text has no standard (SMPP 3.4 Appendix B is an example), so every field is looked for by itself and may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from channels.sms import commands as c
from channels.sms.pdu import DataSm, DeliverSm
from domain.message import DeliveryReport, DeliveryStatus

_S = DeliveryStatus

# message_state (§5.2.28); 0 and 9 came with SMPP 5.0 and turn up on 3.4 binds.
STATES: Final[Mapping[int, DeliveryStatus]] = MappingProxyType(
    {
        0: _S.SCHEDULED,
        1: _S.ENROUTE,
        2: _S.DELIVERED,
        3: _S.EXPIRED,
        4: _S.DELETED,
        5: _S.UNDELIVERABLE,
        6: _S.ACCEPTED,
        7: _S.UNKNOWN,
        8: _S.REJECTED,
        9: _S.SKIPPED,
    }
)

# The word after "stat:": Appendix B, then what SMSCs write besides.
STATE_WORDS: Final[Mapping[str, DeliveryStatus]] = MappingProxyType(
    {
        "DELIVRD": _S.DELIVERED,
        "EXPIRED": _S.EXPIRED,
        "DELETED": _S.DELETED,
        "UNDELIV": _S.UNDELIVERABLE,
        "ACCEPTD": _S.ACCEPTED,
        "UNKNOWN": _S.UNKNOWN,
        "REJECTD": _S.REJECTED,
        "ENROUTE": _S.ENROUTE,
        "DELIVERED": _S.DELIVERED,
        "UNDELIVERABLE": _S.UNDELIVERABLE,
        "UNDELIVERED": _S.UNDELIVERABLE,
        "FAILED": _S.UNDELIVERABLE,
        "ACCEPTED": _S.ACCEPTED,
        "ACKED": _S.ACCEPTED,
        "REJECTED": _S.REJECTED,
        "BUFFRED": _S.ENROUTE,
        "BUFFERD": _S.ENROUTE,
        "BUFFERED": _S.ENROUTE,
        "SCHEDULED": _S.SCHEDULED,
        "SKIPPED": _S.SKIPPED,
        **{str(number): status for number, status in STATES.items()},
    }
)

_RECEIPT_TYPES: Final = frozenset({c.ESM_RECEIPT, c.ESM_INTERMEDIATE})
_ID: Final = re.compile(r"\bid:\s*([^\s\0]{1,256})", re.IGNORECASE)
_STATE: Final = re.compile(r"\bstat:\s*([a-z0-9]+)", re.IGNORECASE)
_ERROR: Final = re.compile(r"\berr:\s*([a-z0-9]+)", re.IGNORECASE)
_ERROR_CODE_SIZE: Final = 3  # network_error_code: network type, two octets of code (§5.3.2.31)
_LONGEST_DECIMAL: Final = 20  # digits of a 64-bit number
_LONGEST_HEXADECIMAL: Final = 16
_HEXADECIMAL: Final = re.compile(r"[0-9A-F]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a receipt says. `message_id` as written, empty if it names none; `error` empty if it tells of none."""

    message_id: str
    status: DeliveryStatus
    error: str = ""
    text: str = ""

    def report(self, channel: str, account: str, received_at: datetime) -> DeliveryReport:
        """The same as the rest of the gateway sees it."""
        return DeliveryReport(
            channel=channel,
            account=account,
            external_id=self.message_id,
            status=self.status,
            received_at=received_at,
            error=self.error,
            text=self.text,
        )


def is_receipt(esm_class: int) -> bool:
    """A delivery receipt or an intermediate notification, whatever the other bits (some SMSCs set 0x44; §5.2.12)."""
    return esm_class & c.ESM_TYPE_MASK in _RECEIPT_TYPES


def looks_like_receipt(pdu: DeliverSm | DataSm) -> bool:
    """The content is a receipt's though esm_class does not say so.

    Only to be believed from a number we wrote to: anybody can type "id:1 stat:DELIVRD".
    """
    text = _readable(_octets(pdu))
    return bool(_ID.search(text) and _STATE.search(text))


def read_receipt(pdu: DeliverSm | DataSm) -> Receipt:
    """Read a receipt: receipted_message_id, message_state and network_error_code, and the text for what they lack.

    Never raises: a field that is missing or unreadable is empty, the status then UNKNOWN (or ENROUTE in an
    intermediate notification).
    """
    text = _readable(_octets(pdu))
    message_id = pdu.tlvs.get(c.RECEIPTED_MESSAGE_ID, b"").partition(b"\0")[0].decode("latin-1").strip()
    return Receipt(
        message_id=message_id or _first(_ID, text),
        status=_status(pdu.tlvs, text, intermediate=pdu.esm_class & c.ESM_TYPE_MASK == c.ESM_INTERMEDIATE),
        error=_error(pdu.tlvs, text),
        text=text,
    )


def id_forms(message_id: str) -> tuple[str, ...]:
    """The forms one id may take in the answer to a submit and in a receipt, the written one first, each once.

    SMSCs answer in hexadecimal and report in decimal or the reverse, pad with zeros and change case. A decimal id
    that is also read as hexadecimal can meet a stranger's, so compare the written form first, the others only
    within one account.
    """
    written = message_id.strip()
    bare = written.upper().removeprefix("0X").lstrip("0")
    forms = [written, bare]
    if bare.isascii() and bare.isdigit() and len(bare) <= _LONGEST_DECIMAL:
        forms.append(f"{int(bare):X}")
    if _HEXADECIMAL.fullmatch(bare) and len(bare) <= _LONGEST_HEXADECIMAL:
        forms.append(str(int(bare, 16)))
    return tuple(dict.fromkeys(form for form in forms if form))


def _octets(pdu: DeliverSm | DataSm) -> bytes:
    short_message = b"" if isinstance(pdu, DataSm) else pdu.short_message
    return short_message or pdu.tlvs.get(c.MESSAGE_PAYLOAD, b"")


def _readable(octets: bytes) -> str:
    """Receipts are ASCII even where data_coding says UCS-2, so that is tried first; the rare other is UTF-16."""
    text = octets.decode("latin-1")
    wide = octets.decode("utf-16-be", "replace")
    is_wide = not _ID.search(text) and not _STATE.search(text) and (_ID.search(wide) or _STATE.search(wide))
    return (wide if is_wide else text).rstrip("\0")


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


def _status(tlvs: Mapping[int, bytes], text: str, *, intermediate: bool) -> DeliveryStatus:
    """A state that is not in the tables is no state."""
    stated = STATES.get(int.from_bytes(tlvs[c.MESSAGE_STATE])) if tlvs.get(c.MESSAGE_STATE) else None
    word = STATE_WORDS.get(_first(_STATE, text).upper())
    return stated or word or (_S.ENROUTE if intermediate else _S.UNKNOWN)


def _error(tlvs: Mapping[int, bytes], text: str) -> str:
    """The network's type and code as "3:34", else the code of the text as written; zeros mean none."""
    code = tlvs.get(c.NETWORK_ERROR_CODE, b"")
    if len(code) == _ERROR_CODE_SIZE and any(code[1:]):
        return f"{code[0]}:{int.from_bytes(code[1:])}"
    written = _first(_ERROR, text)
    return written if written.strip("0") else ""
