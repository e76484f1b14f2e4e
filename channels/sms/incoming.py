"""What the SMSC hands us, in the gateway's words: a message or a delivery report (pure; ids and times are passed in)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from channels.sms import numbers, reports
from channels.sms.account import SmppAccount
from channels.sms.decoding import Payload, decode_text, payload_of
from channels.sms.pdu import DataSm, DeliverSm
from domain.message import Address, DeliveryReport, InboundMessage

CHANNEL = "sms"
NAMELESS = "unknown"  # stands for a sender that hides; no number, so it gets no reply


class Incoming:
    """Reads PDUs of one account. Each part of a long message is a message of its own."""

    __slots__ = ("_account", "_fingerprint", "_new_id", "_our_number")

    def __init__(self, account: SmppAccount, new_id: Callable[[], int]) -> None:
        self._account = account
        self._new_id = new_id
        self._our_number = Address(CHANNEL, account.short_code)
        self._fingerprint = hashlib.sha256(account.name.encode() + b"\0")

    def report(self, pdu: DeliverSm | DataSm, received_at: datetime) -> DeliveryReport | None:
        """What a delivery receipt says; None: this is a person's message."""
        if not reports.is_receipt(pdu.esm_class):
            return None
        return reports.read_receipt(pdu).report(CHANNEL, self._account.name, received_at)

    def message(self, pdu: DeliverSm | DataSm, session: str, received_at: datetime) -> InboundMessage:
        """A person's message. What could be read stays in `text`; whatever was not clean is kept in `raw` as well."""
        account = self._account
        payload = payload_of(pdu)
        decoded = decode_text([payload], pdu.data_coding, account.default_alphabet, packed=account.packed)
        return InboundMessage(
            id=self._new_id(),
            channel=CHANNEL,
            account=account.name,
            sender=Address(CHANNEL, numbers.normalise(pdu.source, pdu.source_ton) or NAMELESS),
            recipient=self._recipient(pdu.destination),
            text=decoded.text,
            received_at=received_at,
            identity=self._identity(pdu, payload),
            session=session,
            raw=decoded.raw if decoded.damaged or decoded.binary else None,
        )

    def _recipient(self, destination: str) -> Address:
        """The number it was sent to, as the SMSC writes it: a reply leaves from exactly this one."""
        if destination in {self._account.short_code, ""}:
            return self._our_number
        return Address(CHANNEL, destination)

    def _identity(self, pdu: DeliverSm | DataSm, payload: Payload) -> str:
        """What is the same when the SMSC sends a message again: all but its sequence number (design: Redelivery).

        The sar_* parameters stand in for a header they replace, else equal parts of one message would look alike.
        """
        part = payload.concatenation if not payload.header else None
        fingerprint = self._fingerprint.copy()
        fingerprint.update(
            f"{pdu.source}\0{pdu.destination}\0{pdu.esm_class}\0{pdu.data_coding}\0{part or ''}\0".encode()
        )
        fingerprint.update(payload.header)
        fingerprint.update(payload.body)
        return fingerprint.hexdigest()
