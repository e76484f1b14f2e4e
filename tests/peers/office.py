"""Our channel at an SMSC of strangers, with a gateway's side that settles as it is told and keeps what it hears."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from channels.base import ReportArrival, Settlement
from channels.sms.account import SmppAccount
from channels.sms.channel import SmsChannel
from domain.message import Address, Category, DeliveryReport, OutboundMessage, SendResult
from tests.contract.channel_kits import Gate

PATIENCE = 60.0  # seconds a test waits for what must happen
POLL = 0.002
SHORT_CODE = "8088"
PERSON = "84912345678"


@dataclass
class Desk(Gate):
    """An inlet that keeps the reports as well."""

    reports: list[DeliveryReport] = field(default_factory=list)

    def report(self, arrival: ReportArrival) -> None:
        self.reports.append(arrival.report)
        asyncio.get_running_loop().call_soon(arrival.settle, Settlement.DURABLE)


@dataclass
class Office:
    """The channel and who stands behind it."""

    channel: SmsChannel
    desk: Desk
    running: asyncio.Task[None]
    _numbers: Callable[[], int] = field(default_factory=lambda: itertools.count(1).__next__)

    async def send(self, *texts: str, person: str = PERSON, category: Category = Category.REPLY) -> list[SendResult]:
        """Send these texts in one batch."""
        now = datetime.now(UTC)
        batch = [
            OutboundMessage(
                id=self._numbers(),
                channel="sms",
                account=self.channel.account,
                category=category,
                recipient=Address("sms", person),
                sender=Address("sms", SHORT_CODE),
                text=text,
                created_at=now,
                expires_at=now + timedelta(hours=1),
            )
            for text in texts
        ]
        return list(await self.channel.send(batch))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - what is asked about tells no event
                await asyncio.sleep(POLL)

    async def heard(self, count: int = 1) -> list[str]:
        """The texts of so many messages, once they are here."""
        await self.until(lambda: len(self.desk.heard) >= count)
        return [heard.text for heard in self.desk.heard[:count]]


def account_at(port: int, **changes: Any) -> SmppAccount:
    """The account `gateway` with the password `secret` at this port of the loopback."""
    defaults: dict[str, Any] = {
        "name": "stranger",
        "host": "127.0.0.1",
        "port": port,
        "system_id": "gateway",
        "password": "secret",
        "short_code": SHORT_CODE,
        "rate": 0.0,
        "reply_segments": 3,
        "throttle_pause": 0.05,
        "unbind_grace": 10.0,
        "reconnect_first": 0.01,
        "reconnect_cap": 0.05,
    }
    return SmppAccount(**{**defaults, **changes})


@asynccontextmanager
async def office_at(port: int, **changes: Any) -> AsyncIterator[Office]:
    """Bound, until the end of the block."""
    channel = SmsChannel(
        account_at(port, **changes), new_id=itertools.count(1).__next__, clock=lambda: datetime.now(UTC)
    )
    desk = Desk()
    office = Office(channel, desk, asyncio.create_task(channel.run(desk)))
    try:
        await office.until(lambda: channel.ready or office.running.done())
        yield office
    finally:
        office.running.cancel()
        with suppress(asyncio.CancelledError):
            await office.running
