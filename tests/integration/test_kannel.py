"""Kannel, an ESME nobody here wrote, against the SMSC simulator: what the simulator promises, a strict stranger sees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from channels.sms import commands as c
from channels.sms.pdu import Bind, EnquireLink, Unbind, UnbindResp
from demo.smsc import Concatenation, Fault, MoTicket, Reply, Smsc, SmscOptions
from tests.peers.kannel import Kannel, kannel_at

PATIENCE = 60.0
SHORT_CODE = "8088"
PLAIN = "Ho so 000.00.18.H51-161220-0001 den dau roi"
ACCENTED = "Hồ sơ 000.00.18.H51-161220-0001 của tôi đến đâu rồi ạ?"
LONG = (
    "Tôi nộp hồ sơ 000.00.18.H51-161220-0001 ở bộ phận một cửa từ đầu tháng trước, giấy hẹn ghi ngày mười lăm, mà đến "
    "hôm nay vẫn chưa thấy ai gọi đến nhận kết quả."
)
DELIVERED, TAKEN = 1, 8  # of a dlr-mask

pytestmark = pytest.mark.asyncio(loop_scope="module")
numbers = count(84_900_000_001)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def center() -> AsyncIterator[Smsc]:
    options = SmscOptions(system_id="stranger", password="secret", redeliver_after=0.5)
    async with Smsc(options) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def kannel(center: Smsc, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kannel]:
    folder = tmp_path_factory.mktemp("kannel")
    async with kannel_at(center.port, folder, system_id="stranger", password="secret") as running:
        yield running


@pytest.fixture
def smsc(center: Smsc, kannel: Kannel) -> Smsc:
    center.dice.disarm()
    return center


@pytest.fixture
def person() -> str:
    """A number nobody else uses."""
    return str(next(numbers))


async def answered(ticket: MoTicket) -> str:
    """What comes back, once the message is acknowledged."""
    async with asyncio.timeout(PATIENCE):
        assert await ticket.acked == c.ROK
        return (await ticket.reply()).text


async def until(smsc: Smsc, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        await smsc.until(condition)


def received(smsc: Smsc, person: str) -> list[Reply]:
    return [reply for reply in smsc.replies if reply.destination.lstrip("+") == person]


async def test_kannel_binds_as_transceiver_and_asks_whether_we_live(smsc: Smsc) -> None:
    (bind, *_) = smsc.received(Bind)
    assert isinstance(bind, Bind)
    assert (bind.command, bind.system_id) == (c.BIND_TRANSCEIVER, "stranger")
    await until(smsc, lambda: bool(smsc.received(EnquireLink)))


@pytest.mark.parametrize("text", [PLAIN, ACCENTED], ids=["plain", "accented"])
async def test_question_comes_back_as_it_was_asked(smsc: Smsc, person: str, text: str) -> None:
    assert await answered(await smsc.send_mo(person, SHORT_CODE, text)) == text


@pytest.mark.parametrize("way", [Concatenation.UDH8, Concatenation.UDH16, Concatenation.SAR, Concatenation.PAYLOAD])
async def test_long_question_is_put_together_and_its_long_answer_too(
    smsc: Smsc, kannel: Kannel, person: str, way: Concatenation
) -> None:
    ticket = await smsc.send_mo(person, SHORT_CODE, LONG, concatenation=way)
    assert await answered(ticket) == LONG
    assert (await kannel.until_asked(person)).text == LONG
    assert ticket.replies[0].segments == 3


async def test_parts_in_the_wrong_order_are_one_question(smsc: Smsc, kannel: Kannel, person: str) -> None:
    smsc.dice.arm(Fault.PARTS_REVERSED, 1)
    assert await answered(await smsc.send_mo(person, SHORT_CODE, LONG)) == LONG
    assert (await kannel.until_asked(person)).text == LONG


@pytest.mark.parametrize("text", [PLAIN, LONG], ids=["one segment", "three segments"])
async def test_message_and_its_reports_arrive(smsc: Smsc, kannel: Kannel, person: str, text: str) -> None:
    await kannel.send(text, person, name=person)
    await until(smsc, lambda: bool(received(smsc, person)))
    assert received(smsc, person)[0].text == text
    await kannel.until_told(person, TAKEN)
    await kannel.until_told(person, DELIVERED)


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.QUEUE_FULL, Fault.SYSTEM_ERROR])
async def test_message_refused_for_now_is_sent_again_and_arrives_once(
    smsc: Smsc, kannel: Kannel, person: str, fault: Fault
) -> None:
    smsc.dice.arm(fault, 1)
    await kannel.send(PLAIN, person, name=person)
    await kannel.until_told(person, DELIVERED)
    assert [reply.text for reply in received(smsc, person)] == [PLAIN]


async def test_kannel_comes_back_when_we_say_goodbye(smsc: Smsc, person: str) -> None:
    async with asyncio.timeout(PATIENCE):
        await smsc.unbind_all()
        assert smsc.received(UnbindResp)
        await smsc.bound()
    assert await answered(await smsc.send_mo(person, SHORT_CODE, PLAIN)) == PLAIN


async def test_kannel_comes_back_when_the_connection_is_reset(smsc: Smsc, person: str) -> None:
    async with asyncio.timeout(PATIENCE):
        await smsc.reset_all(mid_pdu=True)
        await smsc.bound()
    assert await answered(await smsc.send_mo(person, SHORT_CODE, PLAIN)) == PLAIN


async def test_question_whose_acknowledgement_is_lost_comes_again(smsc: Smsc, person: str) -> None:
    smsc.dice.arm(Fault.MO_ACK_FORGOTTEN, 1)
    ticket = await smsc.send_mo(person, SHORT_CODE, PLAIN)
    assert await answered(ticket) == PLAIN
    assert ticket.deliveries == 2


async def test_kannel_that_is_stopped_says_goodbye(tmp_path: Path) -> None:
    async with (
        Smsc(SmscOptions(system_id="stranger", password="secret")) as smsc,
        kannel_at(smsc.port, tmp_path, system_id="stranger", password="secret") as kannel,
    ):
        await kannel.leaves()
        assert len(smsc.received(Unbind)) == 1
        await until(smsc, lambda: not smsc.sessions)
