"""Delivery receipts: what an SMSC says became of one segment, from its parameters first and its text second.

The text has no standard (SMPP 3.4 Appendix B is an example), so every field is looked for by itself and may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from channels.sms import commands as c
from channels.sms.account import MessageIds
from channels.sms.pdu import DataSm, DeliverSm
from domain.external_ids import LONGEST, in_decimal, in_hexadecimal, key_of, spellings
from domain.message import Address, DeliveryReport, DeliveryStatus

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
_CONVERSATION_ABORT: Final = 0x18
# What a telephone or its owner sends back for a message (§5.2.12).
_ACKNOWLEDGEMENT_TYPES: Final = frozenset({c.ESM_DELIVERY_ACK, c.ESM_USER_ACK, _CONVERSATION_ABORT})
_FLAGS: Final = re.IGNORECASE | re.ASCII  # octets of a header before the text are no letters of it
_ID: Final = re.compile(rf"\bid:\s*([^\s\0]{{1,{LONGEST}}})", _FLAGS)
_STATE: Final = re.compile(r"\bstat:\s*([a-z0-9]+)", _FLAGS)
_ERROR: Final = re.compile(r"\berr:\s*([a-z0-9]+)", _FLAGS)
_NETWORK_TYPE_AND_CODE: Final = 3  # octets of network_error_code (§5.3.2.31); some send the code alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a receipt says. `message_id` as written, empty if it names none; `error` empty if it tells of none."""

    message_id: str
    status: DeliveryStatus
    error: str = ""
    text: str = ""

    def report(
        self,
        channel: str,
        account: str,
        received_at: datetime,
        *,
        message_ids: MessageIds = MessageIds.AUTO,
        recipient: Address | None = None,
        sender: Address | None = None,
    ) -> DeliveryReport:
        """The same as the rest of the gateway sees it; `recipient` and `sender` of the message it speaks of."""
        return DeliveryReport(
            channel=channel,
            account=account,
            external_id=self.message_id,
            status=self.status,
            received_at=received_at,
            error=self.error,
            text=self.text,
            keys=id_forms(self.message_id, message_ids),
            recipient=recipient,
            sender=sender,
        )


def is_receipt(esm_class: int) -> bool:
    """A delivery receipt or an intermediate notification, whatever the other bits (some SMSCs set 0x44; §5.2.12)."""
    return esm_class & c.ESM_TYPE_MASK in _RECEIPT_TYPES


def is_acknowledgement(esm_class: int) -> bool:
    """A telephone's or its owner's answer to a message of ours by which nothing is asked: no question, and no receipt."""
    return esm_class & c.ESM_TYPE_MASK in _ACKNOWLEDGEMENT_TYPES


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
        message_id=message_id[:LONGEST] or _first(_ID, text),
        status=_status(pdu.tlvs, text, intermediate=pdu.esm_class & c.ESM_TYPE_MASK == c.ESM_INTERMEDIATE),
        error=_error(pdu.tlvs, text),
        text=text,
    )


def id_forms(message_id: str, message_ids: MessageIds = MessageIds.AUTO) -> tuple[str, ...]:
    """The forms in which the id of a receipt may have stood in the answer to its submit, likeliest first, each once, as
    domain.external_ids compares them.

    In AUTO those after the first are guesses: the decimal id of one message is the hexadecimal one of another, so they
    are believed with the number beside them. An id that cannot be of the base it should be is taken as it is.
    """
    key = key_of(message_id)
    return tuple(dict.fromkeys(form for form in _FORMS[message_ids](key) if form))


_FORMS: Final[Mapping[MessageIds, Callable[[str], Iterable[str | None]]]] = MappingProxyType(
    {
        MessageIds.AUTO: spellings,
        MessageIds.SAME: lambda key: (key,),
        MessageIds.HEX_THEN_DECIMAL: lambda key: (in_hexadecimal(key) or key,),
        MessageIds.DECIMAL_THEN_HEX: lambda key: (in_decimal(key) or key,),
    }
)


def _octets(pdu: DeliverSm | DataSm) -> bytes:
    short_message = b"" if isinstance(pdu, DataSm) else pdu.short_message
    return short_message or pdu.tlvs.get(c.MESSAGE_PAYLOAD, b"")


def _readable(octets: bytes) -> str:
    """Receipts are ASCII even where data_coding says UCS-2, so that is tried first; the rare other is UTF-16, of either
    order, and a header of odd length may stand before it.
    """
    text = octets.decode("latin-1")
    if _fields(text):
        return text.rstrip("\0")
    wide = [octets[at:].decode(coding, "replace") for coding in ("utf-16-be", "utf-16-le") for at in (0, 1)]
    return max((text, *wide), key=_fields).rstrip("\0")


def _fields(text: str) -> int:
    """How much of it is a receipt: read an octet late, the first or the last letter is missing."""
    return bool(_ID.search(text)) + bool(_STATE.search(text)) + (_first(_STATE, text).upper() in STATE_WORDS)


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


def _status(tlvs: Mapping[int, bytes], text: str, *, intermediate: bool) -> DeliveryStatus:
    """A state that is not in the tables is no state."""
    stated = STATES.get(int.from_bytes(tlvs[c.MESSAGE_STATE])) if tlvs.get(c.MESSAGE_STATE) else None
    word = STATE_WORDS.get(_first(_STATE, text).upper())
    return stated or word or (_S.ENROUTE if intermediate else _S.UNKNOWN)


def _error(tlvs: Mapping[int, bytes], text: str) -> str:
    """The network's type and code as "3:34", the code alone where no type is given, else the code of the text as
    written; zeros mean none.
    """
    code = tlvs.get(c.NETWORK_ERROR_CODE, b"")
    if len(code) == _NETWORK_TYPE_AND_CODE and any(code[1:]):
        return f"{code[0]}:{int.from_bytes(code[1:])}"
    if 0 < len(code) < _NETWORK_TYPE_AND_CODE and any(code):
        return str(int.from_bytes(code))
    written = _first(_ERROR, text)
    return written if written.strip("0") else ""
