"""PostgreSQL is stopped under two gateways and started again: what comes meanwhile is refused for later, and nothing is
lost, sent twice or kept in memory; nobody restarts anything.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from channels.sms import commands as c
from demo.process import GatewayProcess
from demo.smsc import MoTicket, Smsc, SmscOptions
from demo.smsc_tally import NUMBER_PREFIX
from tests.servers.postgres import Database, Postgres, migrated
from tests.servers.postgres import running as running_postgres
from tests.servers.redis import running_redis
from tests.whole.gateways import Account, actions, assert_quiet, tell
from tests.whole.many import (
    FIRST_NOTICE,
    Crowd,
    Memory,
    SharedStore,
    ready,
    running_all,
    shared_gateway,
    until_ready,
)

NAMES = ("one", "two")  # an account, and the gateway that holds it
MANNERS = SmscOptions(window=10_000, retry_after=0.25)  # what is refused comes again, and soon
PACE = 0.02  # seconds from one question to the next at each SMSC
BEFORE = 0.5  # seconds of questions before PostgreSQL goes
RATE = 100  # segments a second by each account
NOTICES = 300  # by each: PostgreSQL goes while they leave
GROWTH = 20.0  # MB a gateway may grow
PATIENCE = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """What happened while it was away."""

    tickets: Sequence[MoTicket]  # of all questions
    meanwhile: Sequence[MoTicket]  # asked while it was away
    replies: int  # to those, before it was back
    statuses: Counter[int]  # what the SMSCs were answered, except for ROK
    ready: Sequence[bool]  # what the gateways said of themselves then
    seconds: float  # until both said that they were ready again


async def go_away(
    server: Postgres, how: signal.Signals, seconds: float, crowd: Crowd, gateways: Sequence[GatewayProcess]
) -> Away:
    """Stop it among questions and notices, start it again, and see everybody answered."""
    async with crowd.asking():
        await asyncio.sleep(BEFORE)
        await asyncio.to_thread(server.stop, how)
        gone_at = len(crowd.tickets)
        await asyncio.sleep(seconds)
        meanwhile = crowd.tickets[gone_at:]
        replies = sum(len(ticket.replies) for ticket in meanwhile)
        statuses = Counter(status for ticket in crowd.tickets for status in ticket.statuses if status != c.ROK)
        said = [await ready(gateway) for gateway in gateways]
        await asyncio.to_thread(server.start)
        back_at = time.monotonic()
        await until_ready(*gateways)
        recovery = time.monotonic() - back_at
    await crowd.answered()
    return Away(
        tickets=crowd.tickets, meanwhile=meanwhile, replies=replies, statuses=statuses, ready=said, seconds=recovery
    )


@contextmanager
def database_of_its_own() -> Iterator[tuple[Postgres, Database]]:
    """A server no other test needs."""
    with running_postgres() as server, migrated(server, "away") as database:
        yield server, database


def numbers(smsc: int) -> list[str]:
    return [f"{NUMBER_PREFIX}{FIRST_NOTICE + smsc * NOTICES + index}" for index in range(NOTICES)]


@pytest.mark.parametrize(
    ("seconds", "how"),
    [
        pytest.param(2.0, signal.SIGINT, id="2s"),
        pytest.param(10.0, signal.SIGINT, id="10s", marks=pytest.mark.long),
        pytest.param(10.0, signal.SIGQUIT, id="10s-crashed", marks=pytest.mark.long),
    ],
)
async def test_while_postgresql_is_away_questions_are_refused_for_later_and_all_is_made_good(
    seconds: float, how: signal.Signals, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_redis(tmp_path) as redis, database_of_its_own() as (server, database):
        async with asyncio.timeout(PATIENCE), Smsc(MANNERS) as first, Smsc(MANNERS) as second:
            smscs, store = (first, second), SharedStore(database.hand)
            figures = {"window": "100", "rate": str(RATE), "registered_delivery": "0"}
            accounts = [Account(port=s.port, name=name, more=figures) for s, name in zip(smscs, NAMES, strict=True)]
            gateways = [
                shared_gateway(tmp_path / name, *accounts, database=database.url, redis=redis.url, holds=(name,))
                for name in NAMES
            ]
            crowd = Crowd(*smscs, pace=PACE)
            async with running_all(*gateways):
                pids = [gateway.pid for gateway in gateways]
                await crowd.ask()
                await crowd.answered()
                memory = Memory(*gateways)
                async with memory.watched():
                    await store.queue_notices((n, number) for s, n in enumerate(NAMES) for number in numbers(s))
                    away = await go_away(server, how, seconds, crowd, gateways)
                    await store.reconnect()
                    await store.settled()
                assert [gateway.pid for gateway in gateways] == pids
            written = await store.written()
    told = Counter(reply.destination.removeprefix("+") for smsc in smscs for reply in smsc.unsolicited)
    tell(
        capsys,
        f"PostgreSQL away {seconds:g} s ({how.name}): {len(away.tickets)} questions, {away.statuses.total()} refusals, "
        f"{told.total()} notices; ready {away.seconds:.1f} s after its start; memory {memory} (bound +{GROWTH:g})",
    )

    assert away.ready == [False, False]
    assert away.statuses.keys() == {c.RX_T_APPN}
    assert away.meanwhile
    assert all(c.RX_T_APPN in ticket.statuses for ticket in away.meanwhile)
    assert away.replies == 0, "a reply left that is not written down"
    assert all(ticket.acked.result() == c.ROK for ticket in away.tickets)
    assert [len(ticket.replies) for ticket in away.tickets] == [1] * len(away.tickets)
    assert all(ticket.text in ticket.replies[0].text for ticket in away.tickets)
    assert told == dict.fromkeys(numbers(0) + numbers(1), 1)
    assert written.asked() == {ticket.source: 1 for ticket in away.tickets}
    assert written.replied() == {ticket.source: 1 for ticket in away.tickets} | told
    assert {state for _, state in written.outbox} == {"accepted"}
    assert memory.growth < GROWTH
    for name in NAMES:
        assert_quiet(tmp_path / name)
        assert actions(tmp_path / name)["lease.lost"] == 0
