"""Against the npm `smpp` package, an SMSC nobody here wrote: texts arrive and leave as they were meant."""

from __future__ import annotations

import asyncio
import itertools
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels.base import Arrival, ReportArrival, Settlement
from channels.sms.account import SmppAccount, Tls
from channels.sms.channel import SmsChannel
from domain.errors import CredentialsRefused
from domain.message import Category, DeliveryStatus, OutboundMessage, SendResult, SendStatus
from tests.peers.node_smpp import node_smsc
from tests.peers.office import account_at
from tests.peers.steered import Event, SteeredSmsc
from tests.servers.redis import Certificates

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
PATIENCE = 60.0
MESSAGES = 200
CODE = "000.00.18.H51-161220-{:04}"

# (data_coding, esm_class, text): sent as text where node-smpp can encode it, as octets where it cannot.
TEXTS: tuple[tuple[int, str], ...] = (
    (0, CODE),
    (0, "Ho so " + CODE + " @ £5 {a|b} [c] ~ € ^ \\ è à"),
    (0, "tra cuu " + CODE + "\nxin cam on, " * 4),
    (1, "HS " + CODE + " gui luc 8h"),
    (3, "Hô so à é " + CODE),
    (8, "Hồ sơ " + CODE + " của tôi đến đâu rồi?"),
    (8, unicodedata.normalize("NFD", "Giấy phép lái xe " + CODE)),
    (8, "សំណុំរឿង " + CODE + " 🙏"),
    (0xF0, "lop 0 " + CODE),
    (0xF1, "lop 1 " + CODE + " {x}"),
    (0x18, "Đèn sáng " + CODE),
)
OCTETS = {0xF0: "ascii", 0xF1: "gsm", 0x18: "utf-16-be"}


class Echo:
    """Settles everything that arrives and answers each message with its own text."""

    def __init__(self) -> None:
        self.channel: SmsChannel
        self.arrivals: list[Arrival] = []
        self.reports: list[ReportArrival] = []
        self.results: list[SendResult] = []
        self.ended: list[str] = []
        self._turn: list[Arrival] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._news = asyncio.Condition()

    async def answered(self, count: int) -> None:
        """Wait until so many replies have a result."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: len(self.results) >= count)

    def arrive(self, arrival: Arrival) -> None:
        self.arrivals.append(arrival)
        self._turn.append(arrival)
        if len(self._turn) == 1:
            asyncio.get_running_loop().call_soon(self._answer)

    def report(self, arrival: ReportArrival) -> None:
        self.reports.append(arrival)
        assert arrival.settle(Settlement.DURABLE)

    def session_ended(self, session: str) -> None:
        self.ended.append(session)

    def _answer(self) -> None:
        turn, self._turn = self._turn, []
        assert all(arrival.settle(Settlement.DURABLE) for arrival in turn)
        task = asyncio.create_task(self._send([reply_to(arrival) for arrival in turn]))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, replies: list[OutboundMessage]) -> None:
        results = await self.channel.send(replies)
        async with self._news:
            self.results += results
            self._news.notify_all()


def reply_to(arrival: Arrival) -> OutboundMessage:
    message = arrival.message
    return OutboundMessage(
        id=message.id,
        channel="sms",
        account=message.account,
        category=Category.REPLY,
        recipient=message.sender,
        sender=message.recipient,
        text=message.text,
        created_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        inbound_id=message.id,
    )


async def at_once(_seconds: float) -> None:
    """Reconnect without waiting."""
    await asyncio.sleep(0)


@asynccontextmanager
async def talking(smsc: SteeredSmsc, **changes: Any) -> AsyncIterator[tuple[SmsChannel, Echo]]:
    defaults: dict[str, Any] = {
        "name": "node",
        "host": "127.0.0.1",
        "port": smsc.port,
        "system_id": "gateway",
        "password": "secret",
        "short_code": "8088",
        "rate": 0.0,
        "throttle_pause": 0.05,
    }
    channel = SmsChannel(
        SmppAccount(**{**defaults, **changes}),
        new_id=itertools.count(1).__next__,
        clock=lambda: NOW,
        sleep=at_once,
    )
    echo = Echo()
    echo.channel = channel
    running = asyncio.create_task(channel.run(echo))
    try:
        await smsc.event("bound")
        yield channel, echo
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@pytest.fixture
async def smsc() -> AsyncIterator[SteeredSmsc]:
    async with node_smsc(system_id="gateway", password="secret") as running:
        yield running


def question(number: int) -> tuple[dict[str, Any], str]:
    """One order to deliver, from a sender of its own, and the text it means."""
    data_coding, template = TEXTS[number % len(TEXTS)]
    text = template.replace("{:04}", f"{number:04}")
    order: dict[str, Any] = {
        "ref": f"m{number}",
        "source": f"849{number:08}",
        "destination": "8088",
        "data_coding": data_coding,
    }
    encoding = OCTETS.get(data_coding)
    if encoding == "gsm":
        text_octets = text.replace("{", "\x1b(").replace("}", "\x1b)").encode("ascii")
        return {**order, "hex": text_octets.hex()}, text
    if encoding is not None:
        return {**order, "hex": text.encode(encoding).hex()}, text
    return {**order, "text": text}, text


def joined(parts: list[Event]) -> str:
    """The text of one reply from its segments, which must come in order under one reference."""
    if parts[0]["part"] is None:
        assert len(parts) == 1
    else:
        assert [part["part"] for part in parts] == [
            [parts[0]["part"][0], len(parts), number] for number in range(1, len(parts) + 1)
        ]
    return "".join(part["text"] for part in parts)


async def test_wrong_password_is_refused_and_fatal(smsc: SteeredSmsc) -> None:
    account = SmppAccount(
        name="node", host="127.0.0.1", port=smsc.port, system_id="gateway", password="wrong", short_code="8088"
    )
    with pytest.raises(CredentialsRefused, match="RINVPASWD"):
        await SmsChannel(account, new_id=lambda: 1, clock=lambda: NOW).run(Echo())
    assert [event["status"] for event in await smsc.event("bind_refused")] == [0x0E]


async def test_two_hundred_questions_in_mixed_encodings_get_two_hundred_right_answers(smsc: SteeredSmsc) -> None:
    async with talking(smsc, window=20) as (channel, echo):
        meant: dict[str, str] = {}
        for number in range(MESSAGES):
            order, text = question(number)
            meant[order["source"]] = unicodedata.normalize("NFC", text)
            smsc.order("deliver", **order)
        assert {event["status"] for event in await smsc.event("resp", MESSAGES)} == {0}
        await echo.answered(MESSAGES)
        await channel.drain()
        assert (await smsc.event("unbound"))[0]["by"] == "esme"

    replies: dict[str, list[Event]] = {}
    for event in smsc.of("submit"):
        replies.setdefault(event["destination"], []).append(event)
    assert {destination: joined(parts) for destination, parts in replies.items()} == meant
    assert {event["source"] for event in smsc.of("submit")} == {"8088"}
    assert {event["data_coding"] for event in smsc.of("submit")} == {0, 8}
    assert {result.status for result in echo.results} == {SendStatus.ACCEPTED}
    assert len(smsc.of("resp")) == MESSAGES
    assert smsc.of("failed") == []


async def test_receipts_come_back_under_the_ids_of_their_segments(smsc: SteeredSmsc) -> None:
    await smsc.behave(receipts="after")
    async with talking(smsc) as (_, echo):
        for number in range(10):
            smsc.order("deliver", **question(number)[0])
        await echo.answered(10)
        await smsc.event("resp", 10 + len(smsc.of("submit")))
    ids = {segment.external_id for result in echo.results for segment in result.segments}
    assert {report.report.external_id for report in echo.reports} == ids == {event["id"] for event in smsc.of("submit")}
    assert {report.report.status for report in echo.reports} == {DeliveryStatus.DELIVERED}


async def test_throttled_answer_is_sent_again_without_the_gateway_asking(smsc: SteeredSmsc) -> None:
    await smsc.behave(statuses=[0x58])
    async with talking(smsc) as (_, echo):
        smsc.order("deliver", **question(0)[0])
        assert [event["status"] for event in await smsc.event("submit", 2)] == [0x58, 0]
        await echo.answered(1)
        assert [result.status for result in echo.results] == [SendStatus.ACCEPTED]


async def test_smsc_that_unbinds_drops_and_asks_keeps_its_esme(smsc: SteeredSmsc) -> None:
    async with talking(smsc) as (_, echo):
        smsc.order("enquire")
        await smsc.event("enquired")
        smsc.order("unbind")
        await smsc.event("unbound")
        await smsc.event("bound", 2)
        smsc.order("drop")
        await smsc.event("bound", 3)
        smsc.order("deliver", **question(5)[0])
        assert (await smsc.event("submit"))[0]["text"] == question(5)[1]
        assert len(set(echo.ended)) == 2


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls")).make(name="DNS:smsc.example.vn")


@pytest.fixture
async def tls_smsc(certificates: Certificates) -> AsyncIterator[SteeredSmsc]:
    key, certificate = certificates.key.read_text("ascii"), certificates.certificate.read_text("ascii")
    async with node_smsc(system_id="gateway", password="secret", key=key, cert=certificate) as running:
        yield running


async def test_questions_and_answers_pass_through_tls(tls_smsc: SteeredSmsc, certificates: Certificates) -> None:
    tls = Tls(authorities=certificates.authority, host_name="smsc.example.vn")
    async with talking(tls_smsc, tls=tls) as (channel, echo):
        order, text = question(5)
        tls_smsc.order("deliver", **order)
        await echo.answered(1)
        assert (await tls_smsc.event("submit"))[0]["text"] == text
        await channel.drain()
        assert (await tls_smsc.event("unbound"))[0]["by"] == "esme"


@pytest.mark.parametrize(
    ("host_name", "known", "why"),
    [("", True, "certificate_of_another_name"), ("smsc.example.vn", False, "certificate_untrusted")],
    ids=["the name in its certificate is another", "its authority is unknown"],
)
async def test_password_is_not_told_to_an_smsc_that_cannot_prove_its_name(
    *, tls_smsc: SteeredSmsc, certificates: Certificates, host_name: str, known: bool, why: str
) -> None:
    tls = Tls(authorities=certificates.authority if known else None, host_name=host_name)
    channel = SmsChannel(account_at(tls_smsc.port, tls=tls), new_id=lambda: 1, clock=lambda: NOW)
    running = asyncio.create_task(channel.run(Echo()))
    await tls_smsc.event("failed", 2)  # it tries again, and is as careful
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert {reading.last_error for reading in channel.binds_now()} == {why}
    assert tls_smsc.of("bound") == tls_smsc.of("bind_refused") == []
