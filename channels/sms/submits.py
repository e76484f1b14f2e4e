"""Our messages as submit_sm PDUs, encoded but for their sequence number (pure; the time is passed in)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from channels.sms import commands as c
from channels.sms.account import LONGEST_NAME, Segmentation, SmppAccount
from channels.sms.handover import Outward
from channels.sms.pdu import ProtocolError, SubmitSm, encode
from channels.sms.segments import ConcatReferences, Form, in_payload, plan, segments, with_headers, with_parameters
from domain.message import Category, OutboundMessage, SendResult, SendStatus

DAY, HOUR, MINUTE = 86_400, 3_600, 60
LONGEST_VALIDITY = 99 * DAY  # two digits of days
SHORTEST_VALIDITY = MINUTE  # the SMSC needs a moment even for what is about to expire

# priority_flag (SMPP 3.4 §5.2.14): an answer somebody waits for goes before what nobody asked for.
PRIORITY_FLAGS: Mapping[Category, int] = {Category.REPLY: 1, Category.NOTICE: 0, Category.BROADCAST: 0}

FORMS: Mapping[Segmentation, Form] = {
    Segmentation.UDH: with_headers,
    Segmentation.SAR: with_parameters,
    Segmentation.PAYLOAD: in_payload,
}
REFERENCES: Mapping[Segmentation, int] = {  # how many there are
    Segmentation.UDH: 256,
    Segmentation.SAR: 65_536,
    Segmentation.PAYLOAD: 256,  # none is used
}


class Submits:
    """Encodes the messages of one account."""

    __slots__ = ("_account", "_form", "_references")

    def __init__(self, account: SmppAccount) -> None:
        self._account = account
        self._form = FORMS[account.segmentation]
        self._references = ConcatReferences(count=REFERENCES[account.segmentation])

    def fits(self, text: str) -> bool:
        """A reply of this text takes no more segments than the account pays for, by the very cut that is sent."""
        return len(plan(text, self._account.default_alphabet).parts) <= self._account.reply_segments

    def outward(self, message: OutboundMessage, now: datetime, at: float) -> Outward:
        """A message for the queue, on whose clock it is `at`, while the time of day is `now`."""
        return Outward(
            message_id=message.id,
            category=message.category,
            expires_at=at + (message.expires_at - now).total_seconds(),
            recipient=message.recipient.value,
            frames=self.frames(message, now),
            cost=self._cost(message.text),
        )

    def frames(self, message: OutboundMessage, now: datetime) -> Sequence[bytes] | SendResult:
        """The segments of a message, to be written one after the other; or why it can never be sent."""
        try:
            return self._encode(message, now)
        except ProtocolError as error:
            reason = f"not_encodable_{error.command_status:#x}"
        except ValueError:
            reason = "too_long"
        return SendResult(message_id=message.id, status=SendStatus.REJECTED, reason=reason)

    def _cost(self, text: str) -> int:
        """As how many PDUs the SMSC counts each frame: as many as it has to make of it (SMPP 3.4 §5.3.2.32)."""
        if self._account.segmentation is not Segmentation.PAYLOAD:
            return 1
        return len(plan(text, self._account.default_alphabet).parts)

    def _encode(self, message: OutboundMessage, now: datetime) -> list[bytes]:
        account = self._account
        destination = message.recipient.value
        validity = self._validity(message, now)
        source_ton, source_npi = self._kind(message.sender.value)
        return [
            encode(
                SubmitSm(
                    0,
                    account.service_type,
                    source_ton,
                    source_npi,
                    message.sender.value,
                    account.destination_ton,
                    account.destination_npi,
                    destination,
                    segment.esm_class,
                    0,
                    PRIORITY_FLAGS[message.category],
                    "",
                    validity,
                    account.registered_delivery,
                    0,
                    segment.data_coding,
                    0,
                    segment.short_message,
                    segment.tlvs,
                )
            )
            for segment in segments(message.text, destination, self._references, account.default_alphabet, self._form)
        ]

    def _kind(self, sender: str) -> tuple[int, int]:
        """Type and plan of the number a message leaves from: as agreed for ours, alphanumeric for a name.

        Raises:
            ProtocolError: a name is longer than a telephone can show (TS 23.040 §9.1.2.5).
        """
        if sender.removeprefix("+").isdecimal():
            return self._account.source_ton, self._account.source_npi
        if len(sender) > LONGEST_NAME:
            raise ProtocolError(c.RINVSRCADR)
        return c.TON_ALPHANUMERIC, c.NPI_UNKNOWN

    def _validity(self, message: OutboundMessage, now: datetime) -> str:
        """No longer than the message itself is of use."""
        if self._account.validity <= 0:
            return ""
        return relative_time(int(min(self._account.validity, (message.expires_at - now).total_seconds())))


@lru_cache(maxsize=1024)  # most messages of a batch, and of a day, live equally long
def relative_time(seconds: int) -> str:
    """A span as SMPP writes it, "YYMMDDhhmmss000R" (§7.1.1.2), between a minute and 99 days."""
    days, rest = divmod(max(SHORTEST_VALIDITY, min(LONGEST_VALIDITY, seconds)), DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    return f"0000{days:02}{hours:02}{minutes:02}{rest:02}000R"
