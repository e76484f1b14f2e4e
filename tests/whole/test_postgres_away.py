"""PostgreSQL is stopped under two gateways and started again: what comes meanwhile is refused for later, and nothing is
lost, sent twice or kept in memory; nobody restarts anything.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
    LEASE,
    SHORT_LEASE,
    Crowd,
    Memory,
    SharedStore,
    ready,
    running_all,
    shared_gateway,
    until,
    until_ready,
)
from tests.whole.store_files import Written

NAMES = ("one", "two")  # an account, and the gateway that holds it
MANNERS = SmscOptions(window=10_000, retry_after=0.25)  # what is refused comes again, and soon
PACE = 0.02  # seconds from one question to the next at each SMSC
BEFORE = 0.5  # seconds of questions before PostgreSQL goes
RATE = 100  # segments a second by each account
NOTICES = 300  # by each: PostgreSQL goes while they leave
AGREED = {"window": "100", "rate": str(RATE), "registered_delivery": "0"}
GROWTH = 20.0  # MB a gateway may grow
PATIENCE = 300.0


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
        await until(lambda: all(ticket.statuses for ticket in meanwhile))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    away: Away
    told: Counter[str]  # how many notices each number had
    written: Written
    memory: Memory

    def __str__(self) -> str:
        """For a person to read."""
        away = self.away
        return (
            f"{len(away.tickets)} questions, {away.statuses.total()} refusals, {self.told.total()} notices; "
            f"ready {away.seconds:.1f} s after its start; memory {self.memory} (bound +{GROWTH:g})"
        )


async def away_under_two_gateways(
    directory: Path, seconds: float, how: signal.Signals = signal.SIGINT, settings: Mapping[str, str] | None = None
) -> Outcome:
    with running_redis(directory) as redis, database_of_its_own() as (server, database):
        async with asyncio.timeout(PATIENCE), Smsc(MANNERS) as first, Smsc(MANNERS) as second:
            smscs, store = (first, second), SharedStore(database.hand)
            accounts = [Account(port=s.port, name=name, more=AGREED) for s, name in zip(smscs, NAMES, strict=True)]
            gateways = [
                shared_gateway(
                    directory / name,
                    *accounts,
                    database=database.url,
                    redis=redis.url,
                    holds=(name,),
                    settings=settings,
                )
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
    return Outcome(away=away, told=told, written=written, memory=memory)


@pytest.mark.parametrize(
    ("seconds", "how"),
    [
        pytest.param(1.0, signal.SIGINT, id="1s"),
        pytest.param(10.0, signal.SIGINT, id="10s", marks=pytest.mark.long),
        pytest.param(10.0, signal.SIGQUIT, id="10s-crashed", marks=pytest.mark.long),
    ],
)
async def test_while_postgresql_is_away_questions_are_refused_for_later_and_all_is_made_good(
    seconds: float, how: signal.Signals, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = await away_under_two_gateways(tmp_path, seconds, how)
    tell(capsys, f"PostgreSQL away {seconds:g} s ({how.name}): {outcome}")
    away = outcome.away

    assert away.ready == [False, False]
    assert away.statuses.keys() == {c.RX_T_APPN}
    assert away.meanwhile
    assert all(c.RX_T_APPN in ticket.statuses for ticket in away.meanwhile)
    assert away.replies == 0, "a reply left that is not written down"
    assert [len(ticket.replies) for ticket in away.tickets] == [1] * len(away.tickets)
    assert outcome.told == dict.fromkeys(numbers(0) + numbers(1), 1)
    assert {state for _, state in outcome.written.outbox} == {"accepted"}
    assert_made_good(outcome)
    for name in NAMES:
        assert_quiet(tmp_path / name)
        assert actions(tmp_path / name)["lease.lost"] == 0


@pytest.mark.long
async def test_away_for_longer_than_a_lease_it_is_made_good_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = await away_under_two_gateways(tmp_path, 10.0, settings=SHORT_LEASE)
    tell(capsys, f"PostgreSQL away 10 s, leases of {LEASE:g} s: {outcome}")
    twice = sum(len(ticket.replies) > 1 for ticket in outcome.away.tickets)
    tell(capsys, f"answered twice {twice}, told twice {sum(times > 1 for times in outcome.told.values())}")

    assert outcome.away.statuses.keys() <= {c.RX_T_APPN}
    assert outcome.away.replies == 0, "a reply left that is not written down"
    assert [len(ticket.replies) for ticket in outcome.away.tickets] == [1] * len(outcome.away.tickets)
    assert outcome.told == dict.fromkeys(numbers(0) + numbers(1), 1)
    assert_made_good(outcome)
    for name in NAMES:
        assert_quiet(tmp_path / name)
        assert actions(tmp_path / name)["lease.lost"] > 0


def assert_made_good(outcome: Outcome) -> None:
    """Everybody is answered as they asked, everything is written once, and memory stayed bounded."""
    tickets, written = outcome.away.tickets, outcome.written
    assert all(ticket.acked.result() == c.ROK for ticket in tickets)
    assert all(ticket.text in ticket.replies[0].text for ticket in tickets)
    assert written.asked() == {ticket.source: 1 for ticket in tickets}
    assert written.replied() == dict.fromkeys([*written.asked(), *numbers(0), *numbers(1)], 1)
    assert outcome.memory.growth < GROWTH
