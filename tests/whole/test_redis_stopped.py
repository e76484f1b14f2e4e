"""Redis goes or hangs under two gateways, and comes back: no question fails, and nobody restarts anything."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from channels.sms import commands as c
from demo.smsc import Smsc, SmscOptions
from tests.servers.postgres import Postgres, migrated
from tests.servers.redis import RedisServer, running_redis
from tests.whole.gateways import Account, actions, assert_quiet, tell
from tests.whole.many import POLL, Crowd, Memory, running_all, shared_gateway, until_ready

NAMES = ("one", "two")  # an account, and the gateway that holds it
MANNERS = SmscOptions(window=10_000)
PACE = 0.02  # seconds from one question to the next at each SMSC
AROUND = 0.5  # seconds of questions before and after
GROWTH = 20.0  # MB a gateway may grow
PATIENCE = 300.0
FRESH = {"TRACUU_LOOKUP__FRESH_S": "0.5"}  # answers are kept for so short that Redis is asked all the time

Trouble = tuple[str, Callable[[RedisServer], None], Callable[[RedisServer], None]]
KILLED: Trouble = ("killed", RedisServer.stop, RedisServer.start)
FROZEN: Trouble = ("frozen", RedisServer.freeze, RedisServer.thaw)


async def until_logged(action: str, directory: Path) -> None:
    """Both gateways noticed."""
    for name in NAMES:
        while not actions(directory / name)[action]:  # noqa: ASYNC110 - another process has no event to await
            await asyncio.sleep(POLL)


@pytest.mark.parametrize("trouble", [KILLED, FROZEN], ids=["killed", "frozen"])
@pytest.mark.parametrize("seconds", [pytest.param(1.0, id="1s"), pytest.param(10.0, id="10s", marks=pytest.mark.long)])
async def test_no_question_fails_while_redis_is_away(
    seconds: float, trouble: Trouble, tmp_path: Path, postgres: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    name, begin, end = trouble
    with running_redis(tmp_path) as redis, migrated(postgres, "redis_stopped") as database:
        async with asyncio.timeout(PATIENCE), Smsc(MANNERS) as first, Smsc(MANNERS) as second:
            smscs = (first, second)
            figures = {"window": "100", "rate": "0", "registered_delivery": "0"}
            accounts = [Account(port=s.port, name=n, more=figures) for s, n in zip(smscs, NAMES, strict=True)]
            gateways = [
                shared_gateway(
                    tmp_path / n, *accounts, database=database.url, redis=redis.url, holds=(n,), settings=FRESH
                )
                for n in NAMES
            ]
            crowd = Crowd(*smscs, pace=PACE)
            async with running_all(*gateways):
                pids = [gateway.pid for gateway in gateways]
                await crowd.ask()
                await crowd.answered()
                memory = Memory(*gateways)
                async with memory.watched(), crowd.asking():
                    await asyncio.sleep(AROUND)
                    await asyncio.to_thread(begin, redis)
                    before = len(crowd.tickets)
                    await asyncio.sleep(seconds)
                    await until_logged("redis.away", tmp_path)
                    meanwhile = crowd.tickets[before:]
                    await asyncio.to_thread(end, redis)
                    await until_ready(*gateways)
                    await until_logged("redis.back", tmp_path)
                    await asyncio.sleep(AROUND)
                await crowd.answered()
                assert [gateway.pid for gateway in gateways] == pids
    slowest = max(ticket.latency or 0.0 for ticket in meanwhile)
    tell(
        capsys,
        f"Redis {name} {seconds:g} s: {len(crowd.tickets)} questions, {len(meanwhile)} meanwhile, the slowest answer "
        f"{slowest * 1000:.0f} ms; memory {memory} (bound +{GROWTH:g})",
    )

    statuses = Counter(status for ticket in crowd.tickets for status in ticket.statuses)
    assert statuses == {c.ROK: len(crowd.tickets)}
    assert [len(ticket.replies) for ticket in crowd.tickets] == [1] * len(crowd.tickets)
    assert all(ticket.text in ticket.replies[0].text for ticket in crowd.tickets)
    assert memory.growth < GROWTH
    for n in NAMES:
        logged = actions(tmp_path / n)
        assert logged["redis.away"] == logged["redis.back"] > 0, "the trouble was not noticed, or not its end"
        assert_quiet(tmp_path / n)
