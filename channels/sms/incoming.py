"""What the SMSC hands us, in the gateway's words: a message, a part of one or a delivery report (pure; ids and times are
passed in).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import groupby, takewhile
from typing import Final

from channels.sms import numbers, reports
from channels.sms.account import SmppAccount
from channels.sms.decoding import Decoded, Payload, decode_text, payload_of
from channels.sms.pdu import DataSm, DeliverSm
from channels.sms.ports import Part, SetKey
from domain.message import Address, DeliveryReport, InboundMessage

CHANNEL = "sms"
SHORTEST_TELEPHONE = 9  # digits, without the country
NAMELESS = "unknown"  # stands for a sender that hides; no number, so it gets no reply
# "Missing": stands where parts are. Neither a code nor a command is read across a word nobody knows.
GAP: Final = "[thieu]"
_SPACES: Final = re.compile(r"(\s+)")


class Incoming:
    """Reads PDUs of one account."""

    __slots__ = ("_account", "_fingerprint", "_our_number", "new_id")

    def __init__(self, account: SmppAccount, new_id: Callable[[], int]) -> None:
        self.new_id = new_id
        self._account = account
        self._our_number = Address(CHANNEL, account.short_code)
        self._fingerprint = hashlib.sha256(account.name.encode() + b"\0")

    def report(self, pdu: DeliverSm | DataSm, received_at: datetime) -> DeliveryReport | None:
        """What a delivery receipt says; None: this is a person's message."""
        if not reports.is_receipt(pdu.esm_class):
            return None
        return self._report(pdu, received_at)

    def unflagged_report(self, pdu: DeliverSm | DataSm, received_at: datetime) -> DeliveryReport | None:
        """What is not flagged as a receipt and reads like one, from an SMSC that does not flag them."""
        if not self._account.reports_by_content or not reports.looks_like_receipt(pdu):
            return None
        return self._report(pdu, received_at)

    def _report(self, pdu: DeliverSm | DataSm, received_at: datetime) -> DeliveryReport:
        """Receipts come from who got the message; from some SMSCs, from who sent it."""
        account = self._account
        return reports.read_receipt(pdu).report(
            CHANNEL,
            account.name,
            received_at,
            message_ids=account.message_ids,
            recipient=self._sender(pdu) if pdu.source else None,
            sender=self._written_to(pdu),
        )

    def _written_to(self, pdu: DeliverSm | DataSm) -> Address | None:
        """As a telephone is written if it can be one; our own numbers mostly cannot."""
        if len(pdu.destination) < SHORTEST_TELEPHONE:
            return Address(CHANNEL, pdu.destination) if pdu.destination else None
        return Address(CHANNEL, numbers.normalise(pdu.destination, pdu.destination_ton) or NAMELESS)

    def part(self, pdu: DeliverSm | DataSm, session: str, received_at: datetime) -> Part | None:
        """A part of a person's long message, in no set yet (0); None: the message is whole."""
        payload = payload_of(pdu)
        told = payload.concatenation
        if told is None:
            return None
        return Part(
            set_id=0,
            number=told.number,
            account=self._account.name,
            key=SetKey(
                sender=self._sender(pdu).urn,
                recipient=self._recipient(pdu.destination).urn,
                reference=told.reference,
                width=told.width,
                total=told.total,
            ),
            esm_class=pdu.esm_class,
            data_coding=pdu.data_coding,
            header=payload.header,
            body=payload.body,
            session=session,
            received_at=received_at,
        )

    def message(self, pdu: DeliverSm | DataSm, session: str, received_at: datetime) -> InboundMessage:
        """A person's message. What could be read stays in `text`; whatever was not clean is kept in `raw` as well."""
        payload = payload_of(pdu)
        decoded = self._decoded([payload], pdu.data_coding)
        return InboundMessage(
            id=self.new_id(),
            channel=CHANNEL,
            account=self._account.name,
            sender=self._sender(pdu),
            recipient=self._recipient(pdu.destination),
            text=decoded.text,
            received_at=received_at,
            identity=self._identity(pdu, payload),
            session=session,
            raw=decoded.raw if decoded.damaged or decoded.binary else None,
        )

    def assembled(self, message_id: int, parts: Sequence[Part], last: Part) -> InboundMessage:
        """One message of these parts, in order, some of which may be missing; `last` came last."""
        text, raw = self._text(parts)
        return InboundMessage(
            id=message_id,
            channel=CHANNEL,
            account=self._account.name,
            sender=Address.from_urn(last.key.sender),
            recipient=Address.from_urn(last.key.recipient),
            text=text,
            received_at=last.received_at,
            identity=self._identity_of(parts, last.key),
            session=last.session,
            raw=raw,
        )

    def _text(self, parts: Sequence[Part]) -> tuple[str, bytes | None]:
        """What the parts say, and their octets if some were not clean. Where parts are missing stands GAP, and the words
        beside it are left out: half a dossier code could be somebody else's.
        """
        total = parts[0].key.total
        texts = [] if parts[0].number == 1 else [""]
        unclean = False
        for run in _runs(parts):
            read = [self._decoded([_payload(each) for each in some], coding) for coding, some in groupby(run, _coding)]
            unclean = unclean or any(each.damaged or each.binary for each in read)
            text = "".join(each.text for each in read)
            text = text if run[0].number == 1 else _behind_gap(text)
            texts.append(text if run[-1].number == total else _before_gap(text))
        texts += [] if parts[-1].number == total else [""]
        return GAP.join(texts), b"".join(part.body for part in parts) if unclean else None

    def _decoded(self, payloads: Sequence[Payload], data_coding: int) -> Decoded:
        account = self._account
        return decode_text(payloads, data_coding, account.default_alphabet, packed=account.packed)

    def _sender(self, pdu: DeliverSm | DataSm) -> Address:
        return Address(CHANNEL, numbers.normalise(pdu.source, pdu.source_ton) or NAMELESS)

    def _recipient(self, destination: str) -> Address:
        """The number it was sent to, as the SMSC writes it: a reply leaves from exactly this one."""
        if destination in {self._account.short_code, ""}:
            return self._our_number
        return Address(CHANNEL, destination)

    def _identity(self, pdu: DeliverSm | DataSm, payload: Payload) -> str:
        """What is the same when the SMSC sends a message again: all but its sequence number (design: Redelivery)."""
        fingerprint = self._fingerprint.copy()
        fingerprint.update(f"{pdu.source}\0{pdu.destination}\0{pdu.esm_class}\0{pdu.data_coding}\0".encode())
        fingerprint.update(payload.header)
        fingerprint.update(payload.body)
        return fingerprint.hexdigest()

    def _identity_of(self, parts: Sequence[Part], key: SetKey) -> str:
        """The same of a long message. The key stands in for headers the sar_* parameters replace."""
        fingerprint = self._fingerprint.copy()
        fingerprint.update("\0".join(map(str, key)).encode())
        for part in parts:
            fingerprint.update(f"\0{part.number}\0{part.esm_class}\0{part.data_coding}\0".encode())
            fingerprint.update(part.header)
            fingerprint.update(part.body)
        return fingerprint.hexdigest()


def _runs(parts: Sequence[Part]) -> Iterator[Sequence[Part]]:
    """Parts that follow one another."""
    for _, run in groupby(enumerate(parts), lambda placed: placed[1].number - placed[0]):
        yield [part for _, part in run]


def _coding(part: Part) -> int:
    return part.data_coding


def _payload(part: Part) -> Payload:
    return Payload(header=part.header, body=part.body)


def _behind_gap(text: str) -> str:
    return "".join(_whole_words(_SPACES.split(text)))


def _before_gap(text: str) -> str:
    return "".join(reversed(_whole_words(_SPACES.split(text)[::-1])))


def _whole_words(words: Sequence[str]) -> Sequence[str]:
    """Words and the spaces between them, beginning at a gap: without the first word, of which half may be missing, and
    as codes are typed with spaces, too, without the numbers that follow a number.
    """
    begin = 1
    if _may_be_of_a_code(words[0]):
        begin += 2 * sum(1 for _ in takewhile(_may_be_of_a_code, words[2::2]))
    return words[begin:]


def _may_be_of_a_code(word: str) -> bool:
    return not any(map(str.isalpha, word)) or any(map(str.isdecimal, word))
