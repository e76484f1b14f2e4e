"""A running SMS channel for tests: an inlet that keeps everything, and a desk that opens the channel at an SMSC."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from channels.base import Arrival, ReportArrival
from channels.sms.account import SmppAccount
from channels.sms.channel import SmsChannel
from channels.sms.pdu import DeliverSm
from domain.errors import CredentialsRefused
from domain.message import Address, Category, OutboundMessage
from tests.peers.scripted_smsc import PATIENCE

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
CITIZEN = "84912345678"


class Listens(Protocol):
    """An SMSC, as far as the desk knows it."""

    port: int


class Basket:
    """An inlet that keeps everything and settles when the test says so."""

    def __init__(self) -> None:
        self.arrivals: asyncio.Queue[Arrival] = asyncio.Queue()
        self.reports: asyncio.Queue[ReportArrival] = asyncio.Queue()
        self.ended: list[str] = []
        self.fails_on = ""

    def arrive(self, arrival: Arrival) -> None:
        if self.fails_on and arrival.message.text == self.fails_on:
            raise LookupError(arrival.message.text)
        self.arrivals.put_nowait(arrival)

    def report(self, arrival: ReportArrival) -> None:
        self.reports.put_nowait(arrival)

    def session_ended(self, session: str) -> None:
        self.ended.append(session)


SmscT = TypeVar("SmscT", bound=Listens)


class Desk(Generic[SmscT]):
    """A running channel against an SMSC of the test's."""

    def __init__(self, smsc: SmscT) -> None:
        self.smsc = smsc
        self.basket = Basket()
        self.slept: list[float] = []
        self.wakes = True  # else who sleeps sleeps for ever
        self.channel: SmsChannel
        self.task: asyncio.Task[None]

    async def open(self, *, bound: bool = True, **changes: Any) -> SmsChannel:
        defaults: dict[str, Any] = {
            "name": "viettel",
            "host": "127.0.0.1",
            "port": self.smsc.port,
            "system_id": "gateway",
            "password": "secret",
            "short_code": "8088",
            "rate": 0.0,
            "throttle_pause": 0.02,
        }
        self.channel = SmsChannel(
            SmppAccount(**{**defaults, **changes}),
            new_id=itertools.count(1).__next__,
            clock=lambda: NOW,
            sleep=self.sleep,
            chance=random.Random(8),
        )
        self.task = asyncio.create_task(self.channel.run(self.basket))
        if bound:
            await self.until(lambda: self.channel.ready)
        return self.channel

    async def sleep(self, seconds: float) -> None:
        """Time does not pass here; it is only written down."""
        self.slept.append(seconds)
        await (asyncio.sleep(0) if self.wakes else asyncio.get_running_loop().create_future())

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - a property of the channel tells no event
                await asyncio.sleep(0.001)

    async def close(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError, CredentialsRefused):
            await self.task


def outbound(number: int = 1, text: str = "Ho so dang xu ly", **changes: Any) -> OutboundMessage:
    defaults: dict[str, Any] = {
        "id": number,
        "channel": "sms",
        "account": "viettel",
        "category": Category.REPLY,
        "recipient": Address("sms", CITIZEN),
        "sender": Address("sms", "8088"),
        "text": text,
        "created_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
    }
    return OutboundMessage(**{**defaults, **changes})


def deliver(sequence: int, text: bytes = b"000.00.18.H51-161220-0001", **changes: Any) -> DeliverSm:
    return DeliverSm(sequence, source=CITIZEN, source_ton=1, destination="8088", short_message=text, **changes)


async def soon(waiting: Awaitable[Any]) -> Any:
    async with asyncio.timeout(PATIENCE):
        return await waiting
