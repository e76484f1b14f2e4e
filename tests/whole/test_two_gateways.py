"""Two gateways share one store: each is killed in turn under load, nothing is lost, and what comes twice was in doubt."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from demo.process import GatewayProcess
from demo.smsc_tally import LoadResult
from tests.servers.postgres import Postgres, migrated
from tests.servers.redis import running_redis
from tests.whole.gateways import assert_quiet, log_lines
from tests.whole.many import SHORT_LEASE, Left, Operator, SharedStore, operators, running_all, shared_gateway, until

ACCOUNTS = {"a": ("one", "shared"), "b": ("two", "shared")}  # `shared` is held by one of them, by lease
TAKEN_AT_LEAST = 2  # times: by whoever came first, and by whoever came after it
KILLED_AT = (0.2, 0.65)  # of all messages; half of the notices are queued before each
PATIENCE = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    questions: int
    notices: int
    rate: int  # segments a second by each account


SCALED = Figures(questions=600, notices=2_400, rate=150)
FULL = Figures(questions=5_000, notices=20_000, rate=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    name: str
    answers: int  # by then
    notices: int
    left: Left


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    kills: Sequence[Kill]
    results: Sequence[LoadResult]  # of each account
    notices: Counter[str]  # how often each number had one

    @property
    def in_doubt(self) -> frozenset[str]:
        return frozenset().union(*(kill.left.handed_over for kill in self.kills))

    @property
    def twice(self) -> frozenset[str]:
        """Whoever had something twice."""
        answers = [number for result in self.results for number in result.duplicate_numbers]
        return frozenset(answers) | {number for number, times in self.notices.items() if times > 1}


async def kill(name: str, gateway: GatewayProcess, store: SharedStore, smscs: Sequence[Operator]) -> Kill:
    """kill -9, look at what it left, and start it again."""
    pid = gateway.pid
    await gateway.kill()
    answers, notices = sum(o.load.answered for o in smscs), sum(len(o.load.notices) for o in smscs)
    left = await store.left_by(pid)
    await gateway.start()
    return Kill(name=name, answers=answers, notices=notices, left=left)


async def kill_each_under_load(directory: Path, url: str, redis: str, store: SharedStore, figures: Figures) -> Outcome:
    everything = figures.questions + figures.notices
    shares = operators("one", "two", "shared", questions=figures.questions, notices=figures.notices, rate=figures.rate)
    async with shares as smscs:
        accounts = [smsc.account for smsc in smscs]
        gateways = {
            name: shared_gateway(
                directory / name, *accounts, database=url, redis=redis, holds=holds, settings=SHORT_LEASE
            )
            for name, holds in ACCOUNTS.items()
        }
        async with running_all(*gateways.values()):
            await asyncio.gather(*(smsc.begin() for smsc in smscs))
            notices = [(smsc.name, number) for smsc in smscs for number in smsc.notices]
            kills = []
            for turn, ((name, gateway), share) in enumerate(zip(gateways.items(), KILLED_AT, strict=True)):
                await store.queue_notices(notices[turn :: len(gateways)])
                await until(lambda: sum(o.load.came for o in smscs) >= share * everything)  # noqa: B023
                kills.append(await kill(name, gateway, store, smscs))
                await store.made_good(kills[-1].left)  # a reply is not sent a third time: design, unknown outcomes
            await until(lambda: all(o.load.acknowledged == o.options.total for o in smscs))
            await store.settled()
            await until(lambda: takings_of_shared(directory) >= TAKEN_AT_LEAST)
            ends = [await smsc.end() for smsc in smscs]
    told = sum((counted for _, counted in ends), Counter[str]())
    return Outcome(kills=kills, results=[result for result, _ in ends], notices=told)


def takings_of_shared(directory: Path) -> int:
    """How often somebody took the account that either may hold."""
    taken = [line for name in ACCOUNTS for line in log_lines(directory / name) if line["action"] == "lease.taken"]
    return sum(line["lease"] == "sms shared" for line in taken)


def print_counts(outcome: Outcome, figures: Figures) -> None:
    table = Table(title=f"two gateways, each kill -9 once, {figures.questions} questions, {figures.notices} notices")
    heads = (
        "killed",
        "after answers",
        "and notices",
        "it held claimed",
        "handed over unrecorded",
        "of these came twice",
    )
    for head in heads:
        table.add_column(head, justify="right")
    for each in outcome.kills:
        left = each.left
        row = (each.name, each.answers, each.notices, len(left.claimed), len(left.handed_over))
        table.add_row(*map(str, row), str(len(left.handed_over & outcome.twice)))
    answered = sum(result.answered for result in outcome.results)
    Console(width=110).print(
        table,
        f"answered {answered}, lost {figures.questions - answered}; notices {len(outcome.notices)}, "
        f"lost {figures.notices - len(outcome.notices)}; came twice {len(outcome.twice)}; "
        f"asked again by the SMSC {sum(result.redelivered for result in outcome.results)}",
    )


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    with running_redis(tmp_path) as server:
        yield server.url


@pytest.mark.parametrize(
    "figures", [pytest.param(SCALED, id="scaled"), pytest.param(FULL, id="full", marks=pytest.mark.long)]
)
async def test_either_of_two_gateways_killed_loses_nothing_and_doubles_only_what_was_in_doubt(
    figures: Figures, tmp_path: Path, postgres: Postgres, redis: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with migrated(postgres, "two_gateways") as database:
        store = SharedStore(database.hand)
        async with asyncio.timeout(PATIENCE):
            outcome = await kill_each_under_load(tmp_path, database.url, redis, store, figures)
        written = await store.written()
    with capsys.disabled():
        print_counts(outcome, figures)
    asked = Counter(number for number, _ in written.inbox)
    sent = Counter(number for number, _ in written.outbox)

    assert [result.missing for result in outcome.results] == [0, 0, 0]
    assert [result.unknown for result in outcome.results] == [0, 0, 0]
    assert len(outcome.notices) == figures.notices
    assert len(asked) == asked.total() == figures.questions, "a question was lost, or taken for a second one"
    assert len(sent) == sent.total() == figures.questions + figures.notices, "one row to each person"
    assert {state for _, state in written.outbox} <= {"accepted", "unknown"}
    assert outcome.twice <= outcome.in_doubt
    assert max(outcome.notices.values()) <= 2
    assert sum(result.duplicates for result in outcome.results) == len(outcome.twice & asked.keys())
    assert takings_of_shared(tmp_path) >= TAKEN_AT_LEAST, "nobody took over from who was killed"
    for name in ACCOUNTS:
        assert_quiet(tmp_path / name)
