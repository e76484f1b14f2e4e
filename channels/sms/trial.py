"""Sends one message for a person and follows its delivery reports, beside the gateway. Nothing is sent twice.

What else the SMSC hands over meanwhile, the reports of other messages among it, is put off and comes again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, cast

from channels.sms import advice
from channels.sms import commands as c
from channels.sms.account import BindMode, SmppAccount, SmppBind
from channels.sms.binding import account_of, binds_of
from channels.sms.numbers import normalise
from channels.sms.pdu import SubmitSm, SubmitSmResp, decode
from channels.sms.probe_link import Delivered
from channels.sms.probing import Call, Clock, beginning, status_of
from channels.sms.reports import Receipt, id_forms, is_receipt, looks_like_receipt, read_receipt
from channels.sms.segments import plan
from channels.sms.states import LinkLost
from channels.sms.steps import Step, StepName
from channels.sms.submits import Submits
from domain import gsm
from domain.external_ids import key_of
from domain.message import OutboundMessage, SendResult

ALPHABETS: Final[Mapping[int, tuple[str, gsm.Alphabet]]] = MappingProxyType(
    {c.CODING_DEFAULT: ("GSM-7", gsm.Alphabet.GSM7), c.CODING_UCS2: ("UCS-2", gsm.Alphabet.UCS2)}
)
NONE_ASKED: Final = "none was asked for: registered_delivery = 0"
NONE_HERE: Final = "none comes by a transmitter: reports come by the account's receiver, where the gateway keeps them"
ELSEWHERE: Final = (
    "It may come later, or have come by another bind, where the gateway keeps it. Many operators send none for some "
    "networks; ask whether delivery reports (registered_delivery) are open to us."
)
UNSENDABLE: Final = "A name as sender has 11 characters at most, a message 255 segments. Nothing was sent."
UNKNOWN_OUTCOME: Final = "It may have been taken all the same: do not send it again before a report could come."


def sending_bind(account: SmppAccount) -> SmppBind:
    """The bind a message is tried by: one that hears its reports too, if there is one."""
    transmitting = [bind for bind in binds_of(account) if bind.mode.transmits]
    return next((bind for bind in transmitting if bind.mode is BindMode.TRANSCEIVER), transmitting[0])


async def send(account: SmppAccount, message: OutboundMessage, *, clock: Clock, waiting: float) -> AsyncIterator[Step]:
    """Send `message` by one bind and wait `waiting` seconds for what becomes of it."""
    bind = sending_bind(account)
    shown = account_of(account, bind)
    frames = Submits(shown).frames(message, clock())
    yield beginning(shown, bind)
    yield _leaves(message, shown, frames)
    if isinstance(frames, SendResult):
        return
    reports = Reports(shown, message.recipient.value, len(frames))
    call = Call(account=shown, mode=bind.mode, clock=clock, decide=reports.decide)
    try:
        async for step in call.open():
            yield step
        if not call.bound:
            return
        async for step in _submit_all(call, reports, frames):
            yield step
        async for step in _follow(call, reports, waiting):
            yield step
        for step in call.meanwhile():
            yield step
        yield await call.unbind()
    finally:
        call.close()


def _leaves(message: OutboundMessage, account: SmppAccount, frames: Sequence[bytes] | SendResult) -> Step:
    """How the message is written, read back from the very octets that leave."""
    if isinstance(frames, SendResult):
        return Step(name=StepName.LEAVES, words=f"not at all ({frames.reason})", failed=True, advice=UNSENDABLE)
    first = cast("SubmitSm", decode(frames[0]))
    parts = len(plan(message.text, account.default_alphabet).parts)
    name, alphabet = ALPHABETS[first.data_coding]
    length = f"{gsm.units(message.text, alphabet)} of {alphabet.alone} characters" if parts == 1 else _cut(first)
    sender = f"from {first.source} (TON {first.source_ton}, NPI {first.source_npi})"
    reader = f"to {first.destination} (TON {first.destination_ton}, NPI {first.destination_npi})"
    return Step(name=StepName.LEAVES, words=f"{_segments(parts)} to pay for, {name}, {length}, {sender} {reader}")


def _segments(count: int) -> str:
    return f"{count} segment{'s' if count > 1 else ''}"


def _cut(first: SubmitSm) -> str:
    """How a long message is told to be one."""
    if c.MESSAGE_PAYLOAD in first.tlvs:
        return "whole in message_payload"
    return "cut by the sar_* parameters" if c.SAR_TOTAL_SEGMENTS in first.tlvs else "cut by headers (UDH)"


# ---- submitting


async def _submit_all(call: Call, reports: Reports, frames: Sequence[bytes]) -> AsyncIterator[Step]:
    """One after the other, each answered before the next; after a refusal no more."""
    for number, frame in enumerate(frames, 1):
        step = await _submit(call, reports, number, frame)
        yield step
        if step.failed:
            break
    reports.all_sent(call)


async def _submit(call: Call, reports: Reports, number: int, frame: bytes) -> Step:
    which, began = _which(number, reports.segments), time.monotonic()
    try:
        answer = await call.link.ask(frame, call.account.response_timeout)
    except (TimeoutError, LinkLost) as error:
        words = f"{which}: {advice.error_in_words(error)}"
        return Step(name=StepName.SUBMIT, words=words, failed=True, advice=UNKNOWN_OUTCOME)
    seconds, status = time.monotonic() - began, status_of(answer)
    if status != c.ROK or not isinstance(answer, SubmitSmResp):
        return Step(
            name=StepName.SUBMIT,
            words=f"{which}: refused: {advice.in_words(status)}",
            seconds=seconds,
            status=status,
            failed=True,
            advice=advice.of_status(advice.SUBMIT, status),
        )
    reports.taken(number, answer.message_id)
    words = f"{which}: taken, id {answer.message_id or '(none)'}"
    return Step(name=StepName.SUBMIT, words=words, seconds=seconds, status=status)


def _which(number: int, segments: int) -> str:
    return f"segment {number} of {segments}"


# ---- reports


async def _follow(call: Call, reports: Reports, waiting: float) -> AsyncIterator[Step]:
    """What becomes of the segments, as it is told, until all is told or nobody wants to wait longer."""
    if reports.awaited and (reason := _no_reports(call)):
        yield Step(name=StepName.WAITED, words=reason)
        return
    until = time.monotonic() + waiting
    while reports.awaited or not reports.told.empty():
        told = await _next(call, reports, until - time.monotonic())
        if told is None:
            break
        yield told
    if reports.awaited:
        words = f"{call.link.ended.result()}; " if call.link.ended.done() else ""
        missing = f"no final report of {_segments(len(reports.awaited))} within {waiting:g} s"
        yield Step(name=StepName.WAITED, words=words + missing, advice=ELSEWHERE)


def _no_reports(call: Call) -> str:
    """Why none can come by this connection."""
    if not call.account.registered_delivery:
        return NONE_ASKED
    return "" if call.mode.receives else NONE_HERE


async def _next(call: Call, reports: Reports, within: float) -> Step | None:
    """The next report, or None: none in time, or the link is gone."""
    getting = asyncio.ensure_future(reports.told.get())
    try:
        either: set[asyncio.Future[Any]] = {getting, call.link.ended}
        await asyncio.wait(either, timeout=max(0.0, within), return_when=asyncio.FIRST_COMPLETED)
        return getting.result() if getting.done() else None
    finally:
        getting.cancel()


class Reports:
    """Tells the reports of one message from whatever else comes in; what is not its own is put off.

    A report may come before the answer to its submit: it is kept waiting until all answers are there.
    """

    def __init__(self, account: SmppAccount, number: str, segments: int) -> None:
        self.segments = segments
        self.awaited: set[int] = set()  # segments taken, of which nothing final was told
        self.told: asyncio.Queue[Step] = asyncio.Queue()
        self._account = account
        self._number = number
        self._keys: dict[int, str] = {}
        self._taken_at: dict[int, float] = {}
        self._early: list[Delivered] = []
        self._sent = False

    def taken(self, segment: int, message_id: str) -> None:
        """The SMSC took a segment under this id."""
        self.awaited.add(segment)
        self._keys[segment] = key_of(message_id)
        self._taken_at[segment] = time.monotonic()

    def all_sent(self, call: Call) -> None:
        """No more ids come: what was early is decided."""
        self._sent = True
        early, self._early = self._early, []
        for pdu in early:
            call.link.settle(pdu, self.decide(pdu) or c.ROK)

    def decide(self, pdu: Delivered) -> int | None:
        """What it is answered with; None: once all is sent."""
        if not self._may_be_report(pdu):
            return c.RX_T_APPN
        receipt = read_receipt(pdu)
        segment = self._segment_of(receipt, pdu)
        if segment is not None:
            self._tell(segment, receipt)
            return c.ROK
        if self._sent:
            return c.RX_T_APPN
        self._early.append(pdu)
        return None

    def _may_be_report(self, pdu: Delivered) -> bool:
        """One that is not flagged is believed only of the number we wrote to: anybody can type what looks like one."""
        if is_receipt(pdu.esm_class):
            return True
        return self._account.reports_by_content and self._is_of_reader(pdu) and looks_like_receipt(pdu)

    def _is_of_reader(self, pdu: Delivered) -> bool:
        """It comes from the number we wrote to; some SMSCs turn the addresses round."""
        return self._number in {
            normalise(pdu.source, pdu.source_ton),
            normalise(pdu.destination, pdu.destination_ton),
        }

    def _segment_of(self, receipt: Receipt, pdu: Delivered) -> int | None:
        """By its id in the form it should have; in another base only for the number we wrote to."""
        forms = id_forms(receipt.message_id, self._account.message_ids)
        if not self._is_of_reader(pdu):
            forms = forms[:1]
        return next((segment for form in forms for segment, key in self._keys.items() if key == form), None)

    def _tell(self, segment: int, receipt: Receipt) -> None:
        if receipt.status.final:
            self.awaited.discard(segment)
        error = f", error {receipt.error}" if receipt.error else ""
        words = f"{_which(segment, self.segments)}: {receipt.status}{error}"
        seconds = time.monotonic() - self._taken_at[segment]
        self.told.put_nowait(Step(name=StepName.REPORT, words=words, seconds=seconds))
