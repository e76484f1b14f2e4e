"""Redis goes away under load and comes back: no call fails, budgets stay bounded, nothing is started again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest
from structlog.testing import capture_logs

from adapters.memory.budgets import MemoryBudgets
from adapters.memory.cache import MemoryStatusCache
from adapters.redis.budgets import RedisBudgets
from adapters.redis.cache import RedisStatusCache
from adapters.redis.client import SharedRedis, connect
from adapters.redis.signals import RedisSignals
from conversation.ports import BudgetAsk, Limit, Verdict
from domain.codes import CodeFamily, DossierCode
from lookup.cache import TwoLevelCache
from lookup.ports import CachedAnswer
from tests.servers.redis import RedisServer, running_redis

TIME_LIMIT = 5.0  # seconds for a call; a busy machine is not an outage
# In that time, were each of them held up (a budget, a look-up, what was read): twenty-five times PATIENCE and more.
ROUNDS, PATIENCE = 200, 60.0
LIMIT, STRICTER, GATEWAYS = 40, 4, 2
SENDERS = [f"reply:sms:8491234{number:04d}" for number in range(50)]
CODES = [
    DossierCode(text=f"H51.18-210817-{number:04d}", family=CodeFamily.NEW, agency="H51.18") for number in range(200)
]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Gateway:
    """What one process keeps in Redis, and the load it puts on it."""

    def __init__(self, url: str) -> None:
        self.shared: SharedRedis = connect(url, time_limit=TIME_LIMIT, back_off=0.2)
        self.near = MemoryStatusCache(utc_now)
        self.cache = TwoLevelCache(self.near, RedisStatusCache(self.shared, utc_now), utc_now)
        self.budgets = RedisBudgets(self.shared, MemoryBudgets(monotonic), stricter=STRICTER)
        self.signals = RedisSignals(self.shared, longest_pause=0.2)
        self.allowed: Counter[str] = Counter()
        self.rounds = 0
        self.missed = 0
        self.heard: set[DossierCode] = set()

    async def load(self) -> None:
        """One message after the other: a budget, a look-up, now and then a change."""
        while True:
            sender = SENDERS[self.rounds % len(SENDERS)]
            code = CODES[self.rounds % len(CODES)]
            (verdict,) = await self.budgets.spend([BudgetAsk(sender, (Limit(LIMIT, 3600.0),))])
            self.allowed[sender] += verdict is Verdict.ALLOWED
            await self.cache.get([code])
            now = utc_now()
            fresh, usable = now + timedelta(milliseconds=1), now + timedelta(hours=1)
            answer = CachedAnswer(code=code, dossier=None, read_at=now, fresh_until=fresh, usable_until=usable)
            await self.cache.put([answer])
            if self.rounds % 10 == 0:
                await self.cache.drop([code])
                await self.signals.publish([code])
            self.rounds += 1

    async def listen(self) -> None:
        async for signal in self.signals.listen():
            self.missed += signal.missed
            self.heard.update(signal.codes)

    async def close(self) -> None:
        await self.budgets.close()
        await self.cache.close()
        await self.shared.aclose()


async def until(true: Callable[[], bool], within: float = PATIENCE) -> None:
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110 - what is waited for is deep inside, and has no event
            await asyncio.sleep(0.02)


@pytest.fixture(params=["killed", "frozen"])
def gone(request: pytest.FixtureRequest) -> tuple[Callable[[RedisServer], None], Callable[[RedisServer], None]]:
    if request.param == "killed":
        return RedisServer.stop, RedisServer.start
    return RedisServer.freeze, RedisServer.thaw


def allowed_by(gateways: Sequence[Gateway]) -> Counter[str]:
    """How often each sender was told yes, by all of them."""
    return sum((each.allowed for each in gateways), Counter[str]())


async def test_redis_gone_for_a_while_in_the_middle_of_a_load(
    tmp_path: Path, gone: tuple[Callable[[RedisServer], None], Callable[[RedisServer], None]]
) -> None:
    go, come_back = gone
    with running_redis(tmp_path, durable=True) as server:
        gateways = [Gateway(server.url) for _ in range(GATEWAYS)]
        work = [
            asyncio.ensure_future(job) for each in gateways for job in (each.listen(), *(each.load() for _ in "ab"))
        ]
        with capture_logs() as logs:
            await until(lambda: all(each.rounds > 300 and each.missed for each in gateways))
            go(server)
            await until(lambda: all(each.shared.away for each in gateways))
            during = [each.rounds + ROUNDS for each in gateways]
            await until(lambda: all(each.rounds > many for each, many in zip(gateways, during, strict=True)))
            await asyncio.to_thread(come_back, server)
            await until(lambda: not any(each.shared.away for each in gateways))
            for each in gateways:
                each.heard.clear()
            after = [each.rounds + 300 for each in gateways]
            await until(
                lambda: all(each.rounds > many and each.heard for each, many in zip(gateways, after, strict=True))
            )
            await until(lambda: max(allowed_by(gateways).values()) >= LIMIT)
        assert not any(job.done() for job in work), "a call raised"
        for job in work:
            job.cancel()
        for job in work:
            with suppress(asyncio.CancelledError):
                await job
        assert max(allowed_by(gateways).values()) <= LIMIT + GATEWAYS * (LIMIT // STRICTER)
        said = Counter(line["event"] for line in logs)
        assert said["redis.away"] == said["redis.back"] == GATEWAYS
        assert said["signals.lost"] == said["signals.heard"] <= GATEWAYS
        for each in gateways:
            await each.close()
