"""The SMSC simulator does what its options say: seen from the other end of the socket, through the bare codec."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, ClassVar, Self, TypeVar
from unittest.mock import Mock

import pytest
from click.testing import CliRunner

from channels.sms import commands as c
from channels.sms.decoding import decode_text, payload_of
from channels.sms.pdu import (
    Bind,
    BindResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    ProtocolError,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    decode,
    encode,
)
from demo.smsc import FAULTS, Concatenation, Dice, Fault, Smsc, SmscOptions, main
from demo.smsc_faults import parse_fault
from demo.smsc_strikes import FLOOD, STRIKES

LONG_GSM = "Tra cuu ho so 000.00.18.H51-161220-0001 " * 8
LONG_VIETNAMESE = "Tôi muốn hỏi hồ sơ 000.00.18.H51-161220-0001 đã xong chưa ạ? " * 4
PATIENCE = 60.0

Kind = TypeVar("Kind")


class Gateway:
    """The other end: writes PDUs, reads frames, decides nothing."""

    opened: ClassVar[list[Gateway]] = []  # closed when the test is over

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._sequence = 0
        self.opened.append(self)

    @classmethod
    async def connect(cls, smsc: Smsc) -> Self:
        return cls(*await asyncio.open_connection(smsc.host, smsc.port))

    @classmethod
    async def bound(cls, smsc: Smsc, command: int = c.BIND_TRANSCEIVER) -> Self:
        gateway = await cls.connect(smsc)
        answer = await gateway.bind(command)
        assert answer.status == c.ROK
        return gateway

    def send(self, pdu: Pdu) -> None:
        self._writer.write(encode(pdu))

    async def frame(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            length = await self._reader.readexactly(4)
            return length + await self._reader.readexactly(int.from_bytes(length) - 4)

    async def read(self, kind: type[Kind]) -> Kind:
        pdu = decode(await self.frame())
        assert isinstance(pdu, kind), pdu
        return pdu

    async def bind(
        self, command: int = c.BIND_TRANSCEIVER, system_id: str = "demo", password: str = "demo"
    ) -> BindResp:
        self.send(Bind(command, 1, system_id, password))
        return await self.read(BindResp)

    def submit(self, text: bytes = b"Da xong", **given: Any) -> int:
        self._sequence += 1
        fields: dict[str, Any] = {"source": "8088", "destination": "84912345678", "short_message": text} | given
        self.send(SubmitSm(sequence=self._sequence, **fields))
        return self._sequence

    async def question(self) -> DeliverSm:
        """Read one deliver_sm and acknowledge it."""
        pdu = await self.read(DeliverSm)
        self.send(DeliverSmResp(pdu.sequence))
        return pdu

    async def at_end(self) -> bool:
        async with asyncio.timeout(PATIENCE):
            return await self._reader.read() == b""

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


Start = Callable[..., Awaitable[Smsc]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    running: list[Smsc] = []

    async def start(**options: Any) -> Smsc:
        smsc = Smsc(SmscOptions(**{"first_message_id": 0xAB12, "slow_response": 0.01, "retry_after": 0.01} | options))
        await smsc.start()
        running.append(smsc)
        return smsc

    yield start
    while Gateway.opened:
        await Gateway.opened.pop().close()
    for smsc in running:
        await smsc.stop()


async def armed(start: Start, *faults: Fault, **options: Any) -> tuple[Smsc, Gateway]:
    smsc = await start(faults=dict.fromkeys(faults, 1.0), **options)
    return smsc, await Gateway.bound(smsc)


# --- binds


@pytest.mark.parametrize(
    ("system_id", "password", "status"),
    [("demo", "wrong", c.RINVPASWD), ("nobody", "demo", c.RINVSYSID), ("demo", "demo", c.ROK)],
)
async def test_only_the_account_is_bound(start: Start, system_id: str, password: str, status: int) -> None:
    smsc = await start()
    gateway = await Gateway.connect(smsc)
    assert (await gateway.bind(c.BIND_TRANSCEIVER, system_id, password)).status == status
    assert bool(smsc.binds) == (status == c.ROK)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.BIND_WRONG_PASSWORD, 0x0E),
        (Fault.BIND_ALREADY_BOUND, 0x05),
        (Fault.BIND_FAILED, 0x0D),
    ],
)
async def test_a_bind_is_refused_as_often_as_armed(start: Start, fault: Fault, status: int) -> None:
    smsc = await start(faults={fault: 1})
    gateway = await Gateway.connect(smsc)
    assert (await gateway.bind()).status == status
    assert (await gateway.bind()).status == c.ROK


async def test_one_bind_too_many_is_refused(start: Start) -> None:
    smsc = await start(max_binds=1)
    await Gateway.bound(smsc)
    second = await Gateway.connect(smsc)
    assert (await second.bind()).status == c.RBINDFAIL


async def test_a_second_bind_on_the_same_connection_is_refused(start: Start) -> None:
    gateway = await Gateway.bound(await start())
    assert (await gateway.bind()).status == c.RALYBND


async def test_a_message_may_come_before_the_bind_is_answered(start: Start) -> None:
    smsc = await start(faults={Fault.MO_BEFORE_BIND_RESPONSE: 1})
    await smsc.send_mo("84912345678", "8088", "hi")
    gateway = await Gateway.connect(smsc)
    gateway.send(Bind(c.BIND_TRANSCEIVER, 1, "demo", "demo"))
    await gateway.question()
    await gateway.read(BindResp)


async def test_what_was_not_bound_may_not_submit(start: Start) -> None:
    smsc = await start()
    gateway = await Gateway.connect(smsc)
    gateway.submit()
    assert (await gateway.read(SubmitSmResp)).status == c.RINVBNDSTS
    receiver = await Gateway.bound(smsc, c.BIND_RECEIVER)
    receiver.submit()
    assert (await receiver.read(SubmitSmResp)).status == c.RINVBNDSTS


async def test_a_transmitter_gets_no_messages(start: Start) -> None:
    smsc = await start()
    transmitter = await Gateway.bound(smsc, c.BIND_TRANSMITTER)
    ticket = await smsc.send_mo("84912345678", "8088", "hi")
    receiver = await Gateway.bound(smsc, c.BIND_RECEIVER)
    await receiver.question()
    assert await ticket.acked == c.ROK
    transmitter.send(EnquireLink(9))
    assert (await transmitter.read(EnquireLinkResp)).sequence == 9


async def test_unbind_is_answered_and_the_connection_closed(start: Start) -> None:
    gateway = await Gateway.bound(await start())
    gateway.send(Unbind(5))
    assert (await gateway.read(UnbindResp)).sequence == 5
    assert await gateway.at_end()


async def test_what_it_does_not_know_is_nacked(start: Start) -> None:
    gateway = await Gateway.bound(await start())
    gateway._writer.write(struct.pack(">LLLL", 16, 0x00010203, 0, 7))
    nack = await gateway.read(GenericNack)
    assert (nack.sequence, nack.status) == (7, c.RINVCMDID)


async def test_garbage_is_nacked_and_the_connection_closed(start: Start) -> None:
    gateway = await Gateway.bound(await start())
    gateway._writer.write(b"\0\0\0\1garbage")
    assert (await gateway.read(GenericNack)).status == c.RINVCMDLEN
    assert await gateway.at_end()


# --- what handsets send, and what they get


async def test_a_question_is_acknowledged_and_its_reply_attributed(start: Start) -> None:
    smsc = await start()
    gateway = await Gateway.bound(smsc)
    ticket = await smsc.send_mo("84912345678", "8088", "000.00.18.H51-161220-0001")
    question = await gateway.question()
    assert (question.source, question.destination, question.data_coding) == ("84912345678", "8088", 0)
    assert await ticket.acked == c.ROK
    gateway.submit(b"\x05\x00\x03\x09\x02\x02xong", esm_class=c.ESM_UDHI)
    gateway.submit(b"\x05\x00\x03\x09\x02\x01Da ", esm_class=c.ESM_UDHI)
    reply = await ticket.reply()
    assert (reply.text, reply.segments, len(reply.message_ids)) == ("Da xong", 2, 2)
    assert ticket.latency is not None
    assert not smsc.unsolicited


async def test_replies_to_one_number_go_to_its_questions_in_turn_and_a_second_reply_shows(start: Start) -> None:
    smsc = await start()
    gateway = await Gateway.bound(smsc)
    first = await smsc.send_mo("84912345678", "8088", "one")
    second = await smsc.send_mo("84912345678", "8088", "two")
    for text in (b"1", b"2", b"3"):
        gateway.submit(text)
    await second.reply(2)
    assert [reply.text for reply in first.replies] == ["1"]
    assert [reply.text for reply in second.replies] == ["2", "3"]


async def test_a_message_nobody_asked_for_is_unsolicited(start: Start) -> None:
    smsc = await start()
    gateway = await Gateway.bound(smsc)
    gateway.submit("Hồ sơ".encode("utf-16-be"), data_coding=8)
    await smsc.until(lambda: bool(smsc.unsolicited))
    assert smsc.unsolicited[0].text == "Hồ sơ"


async def test_the_window_holds_the_rest_back(start: Start) -> None:
    smsc = await start(window=2)
    gateway = await Gateway.bound(smsc)
    tickets = [await smsc.send_mo("84912345678", "8088", str(number)) for number in range(3)]
    first, second = await gateway.read(DeliverSm), await gateway.read(DeliverSm)
    gateway.send(EnquireLink(1))
    await gateway.read(EnquireLinkResp)  # nothing stood before it
    assert tickets[2].deliveries == 0
    gateway.send(DeliverSmResp(second.sequence))
    assert (await gateway.read(DeliverSm)).short_message == b"2"
    gateway.send(DeliverSmResp(first.sequence))
    assert await tickets[0].acked == c.ROK


async def test_an_unacknowledged_message_comes_again_with_a_new_sequence_number(start: Start) -> None:
    smsc = await start(redeliver_after=0.02)
    gateway = await Gateway.bound(smsc)
    ticket = await smsc.send_mo("84912345678", "8088", "hi")
    first, second = await gateway.read(DeliverSm), await gateway.question()
    assert first.sequence != second.sequence
    assert first.short_message == second.short_message
    assert await ticket.acked == c.ROK


async def test_a_late_acknowledgement_still_settles(start: Start) -> None:
    smsc = await start(redeliver_after=0.02)
    gateway = await Gateway.bound(smsc)
    ticket = await smsc.send_mo("84912345678", "8088", "hi")
    first, _ = await gateway.read(DeliverSm), await gateway.read(DeliverSm)
    gateway.send(DeliverSmResp(first.sequence))
    assert await ticket.acked == c.ROK


async def test_an_unacknowledged_message_comes_again_after_a_reconnect(start: Start) -> None:
    smsc = await start()
    gateway = await Gateway.bound(smsc)
    ticket = await smsc.send_mo("84912345678", "8088", "hi")
    await gateway.read(DeliverSm)
    await gateway.close()
    again = await Gateway.bound(smsc)
    await again.question()
    assert await ticket.acked == c.ROK
    assert ticket.deliveries == 2


async def test_a_temporary_refusal_brings_the_message_back_a_permanent_one_ends_it(start: Start) -> None:
    smsc = await start()
    gateway = await Gateway.bound(smsc)
    ticket = await smsc.send_mo("84912345678", "8088", "hi")
    gateway.send(DeliverSmResp((await gateway.read(DeliverSm)).sequence, c.RX_T_APPN))
    gateway.send(DeliverSmResp((await gateway.read(DeliverSm)).sequence, c.RX_P_APPN))
    assert await ticket.acked == c.RX_P_APPN
    assert ticket.statuses == [c.RX_T_APPN, c.RX_P_APPN]


async def test_a_forgotten_acknowledgement_is_a_redelivery(start: Start) -> None:
    smsc, gateway = await armed(start, redeliver_after=0.02)
    smsc.dice.arm(Fault.MO_ACK_FORGOTTEN, 1)
    ticket = await smsc.send_mo("84912345678", "8088", "hi")
    first, second = await gateway.question(), await gateway.question()
    assert first.sequence != second.sequence
    assert await ticket.acked == c.ROK


@pytest.mark.parametrize("concatenation", list(Concatenation))
@pytest.mark.parametrize(
    "text", [LONG_GSM, LONG_VIETNAMESE, "€" * 200, "🙂" * 90], ids=["gsm", "vietnamese", "escapes", "surrogates"]
)
async def test_a_long_message_arrives_whole(start: Start, concatenation: Concatenation, text: str) -> None:
    smsc = await start()
    gateway = await Gateway.bound(smsc)
    ticket = await smsc.send_mo("84912345678", "8088", text, concatenation=concatenation)
    parts = [await gateway.question() for _ in range(ticket.unacked_parts)]
    assert (len(parts) > 1) == (concatenation is not Concatenation.PAYLOAD)
    payloads = [payload_of(part) for part in parts]
    told = [payload.concatenation for payload in payloads]
    if len(parts) > 1:
        assert [part.number for part in told if part is not None] == list(range(1, len(parts) + 1))
    assert decode_text(payloads, parts[0].data_coding).text == text
    assert await ticket.acked == c.ROK


async def numbers_of_parts(smsc: Smsc, gateway: Gateway) -> list[int]:
    ticket = await smsc.send_mo("84912345678", "8088", LONG_GSM)
    told = [payload_of(await gateway.question()).concatenation for _ in range(ticket.unacked_parts)]
    assert await ticket.acked == c.ROK
    return [part.number for part in told if part is not None]


@pytest.mark.parametrize(
    ("fault", "numbers"),
    [
        (Fault.PARTS_REVERSED, [3, 2, 1]),
        (Fault.PARTS_DUPLICATED, [1, 1, 2, 2, 3, 3]),
        (Fault.PART_MISSING, [1, 2]),
    ],
)
async def test_parts_arrive_in_disorder(start: Start, fault: Fault, numbers: list[int]) -> None:
    assert await numbers_of_parts(*await armed(start, fault)) == numbers


@pytest.mark.parametrize(
    ("fault", "data_coding", "encoding"),
    [
        (Fault.CODING_ASCII, 1, "ascii"),
        (Fault.CODING_LATIN1, 3, "latin-1"),
        (Fault.CODING_UCS2, 8, "utf-16-be"),
        (Fault.CODING_UCS2_FLASH, 0x18, "utf-16-be"),
        (Fault.CODING_8BIT_CLASS1, 0xF5, "latin-1"),
    ],
)
async def test_every_data_coding_is_spoken(start: Start, fault: Fault, data_coding: int, encoding: str) -> None:
    smsc, gateway = await armed(start, fault)
    await smsc.send_mo("84912345678", "8088", "HS 0001")
    question = await gateway.question()
    assert (question.data_coding, question.short_message.decode(encoding)) == (data_coding, "HS 0001")


async def test_a_data_coding_that_cannot_hold_the_text_is_not_used(start: Start) -> None:
    smsc, gateway = await armed(start, Fault.CODING_ASCII)
    await smsc.send_mo("84912345678", "8088", "hồ sơ")
    assert (await gateway.question()).data_coding == 8
    with pytest.raises(ValueError, match="characters outside"):
        await smsc.send_mo("84912345678", "8088", "hồ sơ", data_coding=0)
    with pytest.raises(ValueError, match="give octets"):
        await smsc.send_mo("84912345678", "8088", "hồ sơ", data_coding=2)


async def test_octets_are_sent_as_they_are(start: Start) -> None:
    smsc, gateway = await armed(start)
    await smsc.send_mo("84912345678", "8088", octets=b"\x00\xff\xd8", data_coding=2)
    question = await gateway.question()
    assert (question.data_coding, question.short_message) == (2, b"\x00\xff\xd8")


@pytest.mark.parametrize(("fault", "letter"), [(Fault.TEXT_NFD, "o\u0302\u0300"), (Fault.TEXT_1258, "ô\u0300")])
async def test_vietnamese_is_typed_in_other_forms(start: Start, fault: Fault, letter: str) -> None:
    smsc, gateway = await armed(start, fault)
    await smsc.send_mo("84912345678", "8088", "Hồ")
    text = (await gateway.question()).short_message.decode("utf-16-be")
    assert text == "H" + letter
    assert unicodedata.normalize("NFC", text) == "Hồ"


async def test_optional_parameters_nobody_knows_are_added(start: Start) -> None:
    smsc, gateway = await armed(start, Fault.UNKNOWN_TLVS)
    await smsc.send_mo("84912345678", "8088", "hi")
    assert {0x0428, 0x1400, 0x0501} <= set((await gateway.question()).tlvs)


async def test_a_stray_nul_follows_the_text(start: Start) -> None:
    smsc, gateway = await armed(start, Fault.STRAY_NUL)
    await smsc.send_mo("84912345678", "8088", "hi")
    assert (await gateway.frame()).endswith(b"\x02hi\0")


# --- the answer to submit_sm


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.THROTTLED, 0x58),
        (Fault.QUEUE_FULL, 0x14),
        (Fault.SYSTEM_ERROR, 0x08),
        (Fault.SUBMIT_FAILED, 0x45),
        (Fault.VENDOR_ERROR, 0x404),
    ],
)
async def test_a_submit_is_refused_and_reaches_nobody(start: Start, fault: Fault, status: int) -> None:
    smsc, gateway = await armed(start, fault)
    gateway.submit(registered_delivery=1)
    assert (await gateway.read(SubmitSmResp)).status == status
    assert not smsc.replies


async def test_no_response_means_taken_but_never_answered(start: Start) -> None:
    smsc, gateway = await armed(start, Fault.NO_RESPONSE)
    gateway.submit()
    gateway.send(EnquireLink(1))
    await gateway.read(EnquireLinkResp)
    assert len(smsc.replies) == 1


async def test_a_slow_response_is_overtaken(start: Start) -> None:
    _, gateway = await armed(start, Fault.SLOW_RESPONSE)
    sequence = gateway.submit()
    gateway.send(EnquireLink(1))
    await gateway.read(EnquireLinkResp)
    assert (await gateway.read(SubmitSmResp)).sequence == sequence


async def test_responses_come_out_of_order_and_none_is_lost(start: Start) -> None:
    smsc = await start(faults={Fault.RESPONSES_OUT_OF_ORDER: 2})
    gateway = await Gateway.bound(smsc)
    sequences = [gateway.submit() for _ in range(3)]
    assert [(await gateway.read(SubmitSmResp)).sequence for _ in range(3)] == sequences[::-1]
    smsc.dice.arm(Fault.RESPONSES_OUT_OF_ORDER, 1)
    last = gateway.submit()
    assert (await gateway.read(SubmitSmResp)).sequence == last


# --- ids and receipts


@pytest.mark.parametrize(
    ("fault", "in_answer", "in_receipt"),
    [
        (None, "AB12", "AB12"),
        (Fault.ID_HEX_THEN_DECIMAL, "AB12", "43794"),
        (Fault.ID_DECIMAL_THEN_HEX, "43794", "AB12"),
        (Fault.ID_ZERO_PADDED, "43794", "00000000000000043794"),
        (Fault.ID_OTHER_CASE, "AB12", "ab12"),
    ],
)
async def test_the_id_in_the_receipt_is_written_otherwise(
    start: Start, fault: Fault | None, in_answer: str, in_receipt: str
) -> None:
    _, gateway = await armed(start, *([fault] if fault else []))
    gateway.submit(registered_delivery=1)
    assert (await gateway.read(SubmitSmResp)).message_id == in_answer
    receipt = await gateway.question()
    assert receipt.tlvs[c.RECEIPTED_MESSAGE_ID] == in_receipt.encode() + b"\0"
    assert f"id:{in_receipt} ".encode() in receipt.short_message


async def receipt_of(smsc: Smsc, gateway: Gateway) -> DeliverSm:
    gateway.submit(registered_delivery=1)
    await gateway.read(SubmitSmResp)
    return await gateway.question()


async def test_a_plain_receipt_has_everything(start: Start) -> None:
    receipt = await receipt_of(*await armed(start))
    assert (receipt.source, receipt.destination, receipt.esm_class) == ("84912345678", "8088", c.ESM_RECEIPT)
    assert receipt.tlvs[c.MESSAGE_STATE] == b"\x02"
    for word in (b"sub:001", b"dlvrd:001", b"submit date:", b"done date:", b"stat:DELIVRD", b"err:000", b"text:"):
        assert word in receipt.short_message


async def test_no_receipt_where_none_was_asked_for(start: Start) -> None:
    _, gateway = await armed(start)
    gateway.submit(registered_delivery=0)
    await gateway.read(SubmitSmResp)
    gateway.send(EnquireLink(1))
    await gateway.read(EnquireLinkResp)


async def test_a_receipt_may_take_its_time(start: Start) -> None:
    receipt = await receipt_of(*await armed(start, receipt_delay=0.01))
    assert b"stat:DELIVRD" in receipt.short_message


async def test_a_receipt_may_come_before_its_answer(start: Start) -> None:
    _, gateway = await armed(start, Fault.RECEIPT_BEFORE_RESPONSE)
    gateway.submit(registered_delivery=1)
    assert b"id:AB12" in (await gateway.question()).short_message
    assert (await gateway.read(SubmitSmResp)).message_id == "AB12"


async def test_a_receipt_may_come_on_another_bind(start: Start) -> None:
    smsc, gateway = await armed(start, Fault.RECEIPT_ON_OTHER_BIND)
    other = await Gateway.bound(smsc)
    gateway.submit(registered_delivery=1)
    assert b"id:AB12" in (await other.question()).short_message
    await gateway.read(SubmitSmResp)


async def test_what_a_transmitter_sent_is_reported_on_the_receiver(start: Start) -> None:
    smsc = await start()
    transmitter, receiver = await Gateway.bound(smsc, c.BIND_TRANSMITTER), await Gateway.bound(smsc, c.BIND_RECEIVER)
    transmitter.submit(registered_delivery=1)
    assert b"id:AB12" in (await receiver.question()).short_message


RECEIPT_FAULTS: Mapping[Fault, Callable[[DeliverSm], bool]] = {
    Fault.RECEIPT_ID_WITHOUT_NUL: lambda receipt: receipt.tlvs[c.RECEIPTED_MESSAGE_ID] == b"AB12",
    Fault.RECEIPT_TEXT_ONLY: lambda receipt: not receipt.tlvs and b"id:AB12" in receipt.short_message,
    Fault.RECEIPT_PAYLOAD_ONLY: lambda receipt: (
        not receipt.short_message and b"id:AB12" in receipt.tlvs[c.MESSAGE_PAYLOAD]
    ),
    Fault.RECEIPT_UCS2_FLAG: lambda receipt: receipt.data_coding == 8 and receipt.short_message.isascii(),
    Fault.RECEIPT_WITHOUT_COUNTS: lambda receipt: b"sub:" not in receipt.short_message,
    Fault.RECEIPT_UNDELIVERABLE: lambda receipt: b"stat:UNDELIV" in receipt.short_message,
    Fault.UNKNOWN_TLVS: lambda receipt: 0x1400 in receipt.tlvs,
}


@pytest.mark.parametrize("fault", RECEIPT_FAULTS)
async def test_receipts_come_in_odd_shapes(start: Start, fault: Fault) -> None:
    assert RECEIPT_FAULTS[fault](await receipt_of(*await armed(start, fault)))


@pytest.mark.parametrize(
    ("faults", "states"),
    [
        ([Fault.RECEIPT_DUPLICATED], [b"DELIVRD", b"DELIVRD"]),
        ([Fault.RECEIPT_STATES_REVERSED], [b"DELIVRD", b"ENROUTE"]),
    ],
)
async def test_receipts_come_twice_or_in_the_wrong_order(
    start: Start, faults: list[Fault], states: list[bytes]
) -> None:
    smsc, gateway = await armed(start, *faults)
    first = await receipt_of(smsc, gateway)
    assert [states[0] in first.short_message, states[1] in (await gateway.question()).short_message] == [True, True]


async def test_a_receipt_nobody_acknowledged_comes_again(start: Start) -> None:
    _, gateway = await armed(start, redeliver_after=0.02)
    gateway.submit(registered_delivery=1)
    await gateway.read(SubmitSmResp)
    first, second = await gateway.read(DeliverSm), await gateway.question()
    assert first.short_message == second.short_message


# --- the link


async def test_a_truncated_message_stands_before_a_whole_one(start: Start) -> None:
    smsc, gateway = await armed(start, Fault.TRUNCATED_PDU)
    await smsc.send_mo("84912345678", "8088", "hi")
    with pytest.raises(ProtocolError):
        decode(await gateway.frame())
    assert (await gateway.question()).short_message == b"hi"


async def test_an_unknown_command_stands_before_a_message_and_may_be_nacked(start: Start) -> None:
    smsc, gateway = await armed(start, Fault.UNKNOWN_COMMAND)
    ticket = await smsc.send_mo("84912345678", "8088", "hi")
    unknown = decode(await gateway.frame())
    gateway.send(GenericNack(unknown.sequence, c.RINVCMDID))
    await gateway.question()
    assert await ticket.acked == c.ROK


@pytest.mark.parametrize(("fault", "length"), [(Fault.OVERSIZE_PDU, 16 * 1024 * 1024), (Fault.SHORT_LENGTH, 8)])
async def test_a_length_that_cannot_be_is_announced(start: Start, fault: Fault, length: int) -> None:
    smsc, gateway = await armed(start)
    await smsc.strike(fault)
    async with asyncio.timeout(PATIENCE):
        assert int.from_bytes(await gateway._reader.readexactly(4)) == length


async def test_the_server_unbinds_and_closes_after_the_answer(start: Start) -> None:
    smsc, gateway = await armed(start)
    ended = asyncio.create_task(smsc.unbind_all())
    gateway.send(UnbindResp((await gateway.read(Unbind)).sequence))
    await ended
    assert await gateway.at_end()
    assert not smsc.sessions


async def test_a_message_is_delivered_after_an_unbind_by_chance(start: Start) -> None:
    smsc = await start(faults={Fault.SERVER_UNBIND: 1})
    gateway = await Gateway.bound(smsc)
    ticket = await smsc.send_mo("84912345678", "8088", "hi")
    gateway.send(UnbindResp((await gateway.read(Unbind)).sequence))
    await smsc.until(lambda: not smsc.sessions)
    again = await Gateway.bound(smsc)
    await again.question()
    assert await ticket.acked == c.ROK


async def test_a_half_open_connection_is_silent_until_it_is_thawed(start: Start) -> None:
    smsc, gateway = await armed(start)
    await smsc.freeze_all()
    gateway.send(EnquireLink(1))
    await asyncio.sleep(0.02)  # there is nothing to await in silence
    assert not smsc.received(EnquireLink)
    smsc.thaw_all()
    assert (await gateway.read(EnquireLinkResp)).sequence == 1


async def test_a_connection_is_reset_in_the_middle_of_a_pdu(start: Start) -> None:
    smsc, gateway = await armed(start, Fault.RESET_MID_PDU)
    await smsc.send_mo("84912345678", "8088", "hi")
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await gateway.frame()
    smsc.dice.disarm()
    again = await Gateway.bound(smsc)
    await again.question()


@pytest.mark.parametrize("mid_pdu", [True, False])
async def test_every_connection_can_be_reset_on_demand(start: Start, *, mid_pdu: bool) -> None:
    smsc, gateway = await armed(start)
    await smsc.reset_all(mid_pdu=mid_pdu)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await gateway.frame()


async def test_a_flood_of_enquire_link_is_a_thousand(start: Start) -> None:
    smsc, gateway = await armed(start)
    await smsc.strike(Fault.ENQUIRE_LINK_FLOOD)
    for _ in range(FLOOD):
        gateway.send(EnquireLinkResp((await gateway.read(EnquireLink)).sequence))
    await smsc.until(lambda: len(smsc.received(EnquireLinkResp)) == FLOOD)


async def test_octets_are_written_one_at_a_time_and_add_up(start: Start) -> None:
    smsc, gateway = await armed(start)
    await smsc.strike(Fault.BYTE_CHUNKS)
    session = smsc.sessions[0]
    assert session._transport is not None
    written = Mock(wraps=session._transport)
    session._transport = written
    await smsc.send_mo("84912345678", "8088", "hi")
    await smsc.send_mo("84912345678", "8088", "again")
    assert [(await gateway.question()).short_message for _ in range(2)] == [b"hi", b"again"]
    assert {len(call.args[0]) for call in written.write.call_args_list} == {1}


async def test_anything_can_be_written_to_all(start: Start) -> None:
    smsc, gateway = await armed(start)
    smsc.send_octets(encode(EnquireLink(77)))
    assert (await gateway.read(EnquireLink)).sequence == 77


async def test_nothing_is_remembered_when_the_record_is_off(start: Start) -> None:
    smsc, gateway = await armed(start, record=False)
    ticket = await smsc.send_mo("84912345678", "8088", "hi")
    await gateway.question()
    gateway.submit()
    await ticket.reply()
    assert not smsc.seen
    assert not smsc.replies


async def test_a_gateway_that_does_not_read_cannot_hold_up_the_end(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.smsc_server.PARTING", 0.05)
    smsc, _ = await armed(start)
    smsc.send_octets(bytes(32 * 1024 * 1024))
    await smsc.stop()
    assert not smsc.sessions


# --- the dice, the table, the command


def test_every_fault_is_described_once() -> None:
    assert set(FAULTS) == set(Fault)
    assert len(set(FAULTS.values())) == len(Fault)
    assert set(STRIKES) < set(Fault)


def test_the_same_seed_gives_the_same_faults() -> None:
    def throws(seed: int) -> list[bool]:
        dice = Dice({Fault.THROTTLED: 0.5}, seed)
        return [dice.falls(Fault.THROTTLED) for _ in range(64)]

    assert throws(1) == throws(1) != throws(2)
    assert 10 < sum(throws(1)) < 54


def test_a_count_is_used_up_and_other_faults_do_not_happen() -> None:
    dice = Dice({Fault.THROTTLED: 2})
    assert [dice.falls(Fault.THROTTLED) for _ in range(3)] == [True, True, False]
    assert not dice.falls(Fault.QUEUE_FULL)


@pytest.mark.parametrize("text", ["nonsense", "throttled=2.5", "throttled=-1", "throttled=often"])
def test_a_fault_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_fault(text)


@pytest.mark.parametrize(("text", "chance"), [("throttled", 1.0), ("throttled=0.25", 0.25), ("throttled=3", 3)])
def test_a_fault_is_armed_by_name(text: str, chance: float) -> None:
    assert parse_fault(text) == (Fault.THROTTLED, chance)


def test_the_command_explains_every_option_and_fault() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for fault in Fault:
        assert fault.value in result.output
    assert all(getattr(option, "help", None) for option in main.params)


def test_the_command_refuses_a_wrong_fault_with_one_line() -> None:
    result = CliRunner().invoke(main, ["--fault", "nonsense"])
    assert result.exit_code == 2
    assert "nonsense" in result.output
