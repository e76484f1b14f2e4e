"""A Zalo channel behind a real listener, and the simulated platform that calls it; an inlet that keeps what comes in."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from channels.base import Arrival, ReportArrival, Settlement
from channels.zalo.account import ZaloAccount
from channels.zalo.channel import ZaloChannel
from demo.zalo import ZaloPlatform
from domain.message import Address, Category, OutboundMessage
from gateway.http import HttpListener, make_app, public_routes
from tests.peers.zalo_token_file import FileTokens

ACCOUNT = "so-tu-phap"


def now() -> datetime:
    return datetime.now(UTC)


async def until(ready: Callable[[], object]) -> None:
    """Whether it is ready is only to be looked at."""
    async with asyncio.timeout(60):
        while not ready():  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.005)


@dataclass
class Basket:
    """An inlet that settles at once as told; None: it never does."""

    settles: list[Settlement | None] = field(default_factory=list)  # the next ones; then DURABLE
    arrivals: list[Arrival] = field(default_factory=list)
    reports: list[ReportArrival] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def arrive(self, arrival: Arrival) -> None:
        self.arrivals.append(arrival)
        self._settle(arrival.settle)

    def report(self, arrival: ReportArrival) -> None:
        self.reports.append(arrival)
        self._settle(arrival.settle)

    def session_ended(self, session: str) -> None:
        raise AssertionError("a webhook has no session")

    def _settle(self, settle: Callable[[Settlement], bool]) -> None:
        self.came.set()
        settlement = self.settles.pop(0) if self.settles else Settlement.DURABLE
        if settlement is not None:
            asyncio.get_running_loop().call_soon(settle, settlement)


@dataclass
class ZaloDesk:
    """Everything of one test."""

    platform: ZaloPlatform
    channel: ZaloChannel
    basket: Basket
    tokens: FileTokens
    webhook: str
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def letter(self, user: str, text: str, **more: Any) -> OutboundMessage:
        fields: dict[str, Any] = {
            "id": next(self.ids),
            "channel": "zalo",
            "account": ACCOUNT,
            "category": Category.REPLY,
            "recipient": Address("zalo", f"{self.platform.oa_id}.{user}"),
            "sender": Address("zalo", self.platform.oa_id),
            "text": text,
            "created_at": now(),
            "expires_at": now() + timedelta(hours=1),
        }
        return OutboundMessage(**{**fields, **more})


def account_at(platform: ZaloPlatform, **changes: Any) -> ZaloAccount:
    """As the platform knows it."""
    fields: dict[str, Any] = {
        "name": ACCOUNT,
        "app_id": platform.app_id,
        "oa_id": platform.oa_id,
        "oa_secret": platform.oa_secret,
        "app_secret": platform.app_secret,
        "refresh_token": platform.refresh_token,
        "api_url": platform.origin,
        "oauth_url": platform.origin,
        "media_hosts": (platform.origin,),
        "rate": 1000.0,
        "per_user": 1000.0,
    }
    return ZaloAccount(**{**fields, **changes})


@asynccontextmanager
async def zalo_desk(
    folder: Path, platform: ZaloPlatform | None = None, *, spool: Path | None = None, **changes: Any
) -> AsyncIterator[ZaloDesk]:
    """Running and with a token, until left."""
    platform = platform or ZaloPlatform()
    async with platform.serving():
        platform.authorise()
        tokens = FileTokens(folder / "tokens.json")
        ids = itertools.count(1_000_000)
        channel = ZaloChannel(
            account_at(platform, **changes), tokens=tokens, new_id=lambda: next(ids), clock=platform.clock, spool=spool
        )
        listener = HttpListener("public", make_app(public_routes(channel.routes())), "127.0.0.1", 0)
        await listener.start()
        platform.webhook = f"http://127.0.0.1:{listener.bound_port}/hooks/zalo/{ACCOUNT}"
        basket = Basket()
        running = asyncio.create_task(channel.run(basket))
        try:
            await until(lambda: channel.ready)
            yield ZaloDesk(platform, channel, basket, tokens, platform.webhook)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await listener.close()
