"""Clients nobody here wrote talk to the SMSC simulator: smpplib's blocking client and aiosmpplib's asyncio one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from channels.sms import commands as c
from channels.sms.pdu import Bind, DeliverSmResp, EnquireLinkResp, Unbind, UnbindResp
from demo.smsc import Fault, MoTicket, Smsc, SmscOptions
from demo.smsc_strikes import FLOOD

PLAIN = "Ho so 000.00.18.H51-161220-0001: da xong. Moi ong/ba den nhan ket qua @ [1] {2}"
ACCENTED = "Hồ sơ 000.00.18.H51-161220-0001 đã có kết quả, mời ông/bà đến bộ phận một cửa để nhận trong giờ làm việc."
QUESTION = "Tra cứu 000.00.18.H51-161220-0001"
PATIENCE = 60.0

# aiosmpplib drops its stream without waiting for its end; that is its own affair.
leaves_its_stream_open = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning", "ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    async with Smsc(SmscOptions(system_id="stranger", password="secret")) as running:
        yield running


async def everything_was_heard(smsc: Smsc, ticket: MoTicket) -> None:
    """Both texts came whole, the question and every receipt were acknowledged."""
    async with asyncio.timeout(PATIENCE):
        await smsc.until(lambda: len(smsc.replies) == 2)
    assert {reply.text for reply in smsc.replies} == {PLAIN, ACCENTED}
    assert await ticket.acked == c.ROK
    segments = sum(reply.segments for reply in smsc.replies)
    await smsc.until(lambda: len(smsc.received(DeliverSmResp)) == 1 + segments)


class SmpplibClient:
    """smpplib.client.Client in its own thread: binds, sends both texts, reads what it is told to expect, unbinds."""

    def __init__(self, port: int) -> None:
        from smpplib.client import Client

        self.delivered: list[Any] = []
        self.message_ids: list[str] = []
        self._client = Client("127.0.0.1", port, timeout=60, allow_unknown_opt_params=True)
        self._client.set_message_received_handler(self._hear)
        self._client.set_message_sent_handler(self._note_id)

    def _hear(self, pdu: Any) -> None:
        self.delivered.append(pdu)

    def _note_id(self, pdu: Any) -> None:
        self.message_ids.append(pdu.message_id.decode())

    def run(self) -> None:
        self._client.connect()
        self._client.bind_transceiver(system_id="stranger", password="secret")
        segments = self._submit(PLAIN) + self._submit(ACCENTED)
        while len(self.message_ids) < segments or len(self.delivered) < segments + 1:
            self._client.read_once(auto_send_enquire_link=False)
        self._client.unbind()
        self._client.disconnect()

    def _submit(self, text: str) -> int:
        from smpplib.gsm import make_parts

        parts, data_coding, esm_class = make_parts(text)
        for part in parts:
            self._client.send_message(
                source_addr="8088",
                destination_addr="84912345678",
                short_message=part,
                data_coding=data_coding,
                esm_class=esm_class,
                registered_delivery=1,
            )
        return len(parts)


async def test_smpplib_binds_sends_receives_and_unbinds(smsc: Smsc) -> None:
    client = SmpplibClient(smsc.port)
    ticket = await smsc.send_mo("84987654321", "8088", QUESTION)
    await asyncio.to_thread(client.run)
    await everything_was_heard(smsc, ticket)
    question, *receipts = sorted(client.delivered, key=lambda pdu: pdu.esm_class)
    assert question.short_message.decode("utf-16-be") == QUESTION
    receipted = {receipt.receipted_message_id.decode() for receipt in receipts}
    assert receipted == set(client.message_ids)
    assert {receipt.message_state for receipt in receipts} == {2}
    assert len(smsc.received(Unbind)) == 1
    await smsc.until(lambda: not smsc.sessions)


async def test_smpplib_is_told_its_password_is_wrong(smsc: Smsc) -> None:
    from smpplib.client import Client
    from smpplib.exceptions import PDUError

    client = Client("127.0.0.1", smsc.port, timeout=60, allow_unknown_opt_params=True)

    def bind() -> None:
        client.connect()
        try:
            client.bind_transceiver(system_id="stranger", password="guess")
        finally:
            client.disconnect()

    with pytest.raises(PDUError, match="14"):
        await asyncio.to_thread(bind)


@leaves_its_stream_open
async def test_aiosmpplib_binds_sends_receives_and_unbinds(smsc: Smsc) -> None:
    from aiosmpplib import ESME, AbstractHook, DeliverSm, PhoneNumber, SubmitSm

    heard: list[DeliverSm] = []
    failed: list[Exception] = []

    class Hook(AbstractHook):  # type: ignore[misc]  # the stranger ships no types
        async def sending(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
            """Nothing to add."""

        async def received(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
            if isinstance(smpp_message, DeliverSm):
                heard.append(smpp_message)

        async def send_error(self, smpp_message: Any, error: Exception, client_id: str) -> None:
            failed.append(error)

    esme = ESME("127.0.0.1", smsc.port, "stranger", "secret", hook=Hook(), log_level="CRITICAL")
    running = asyncio.create_task(esme.start())
    await smsc.bound()
    ticket = await smsc.send_mo("84987654321", "8088", QUESTION)
    for text in (PLAIN, ACCENTED):
        await esme.broker.enqueue(
            SubmitSm(
                short_message=text,
                source=PhoneNumber("8088"),
                destination=PhoneNumber("84912345678"),
                log_id=text[:5],
            )
        )
    await everything_was_heard(smsc, ticket)
    await esme.stop()
    await running
    assert not failed
    question, *receipts = sorted(heard, key=lambda pdu: pdu.esm_class)
    assert question.short_message == QUESTION
    assert all(receipt.is_receipt() for receipt in receipts)
    assert len(smsc.received(Bind)) == len(smsc.received(Unbind)) == 1


@leaves_its_stream_open
async def test_aiosmpplib_answers_enquire_link_and_unbind_and_comes_back(smsc: Smsc) -> None:
    from aiosmpplib import ESME

    esme = ESME("127.0.0.1", smsc.port, "stranger", "secret", log_level="CRITICAL")
    running = asyncio.create_task(esme.start())
    await smsc.bound()
    await smsc.strike(Fault.ENQUIRE_LINK_FLOOD)
    async with asyncio.timeout(PATIENCE):
        await smsc.until(lambda: len(smsc.received(EnquireLinkResp)) == FLOOD)
        await smsc.unbind_all()
        assert len(smsc.received(UnbindResp)) == 1
        await smsc.bound()
        await esme.stop()
        await running
