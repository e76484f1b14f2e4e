"""Somebody sets a gateway's clock an hour forward and back: no lease is lost, nothing leaves twice, nothing is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
import pytest

from demo.process import GatewayProcess
from tests.debian import provide
from tests.servers.postgres import Postgres, migrated
from tests.servers.redis import running_redis
from tests.whole.gateways import actions, assert_quiet, log_lines, tell
from tests.whole.many import LEASE, SHORT_LEASE, SharedStore, operators, running_all, shared_gateway, until

PACKAGE = "libfaketime"  # Debian's name
PLACES = ("usr/lib/*/faketime/libfaketime.so.1", "usr/lib/faketime/libfaketime.so.1")
ACCOUNTS = {"jumping": ("one", "shared"), "steady": ("two", "shared")}
HOUR = timedelta(hours=1)
RIGHT = timedelta(0)
STAY = LEASE * 1.1  # seconds at each: a lease that believed the clock would be gone
NEAR = timedelta(seconds=30)
RATE = 50  # segments a second by each account
PATIENCE = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    first: str  # whoever starts first holds what either may hold
    jumps: Sequence[timedelta]  # what the clock is ahead, one after another
    questions: int
    notices: int


ONCE = Figures(first="jumping", jumps=(HOUR, RIGHT), questions=900, notices=1_500)
BOTH_WAYS = Figures(
    first="steady", jumps=(HOUR, RIGHT, -HOUR, RIGHT, HOUR, -HOUR, RIGHT), questions=3_000, notices=5_000
)


def faketime() -> Path:
    """The library that sets one process's clock; installed by root where it is missing.

    Raises:
        FileNotFoundError: it is not there; the message says what to install.
    """
    return provide(PACKAGE, _found, "this test sets a gateway's clock")


def _found() -> Path | None:
    return next((path for place in PLACES for path in Path("/").glob(place)), None)


class WallClock:
    """The clock of one process, to be set while it runs; its monotonic clock goes on as it does on a real machine."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self.set(timedelta(0))

    @property
    def settings(self) -> Mapping[str, str]:
        return {
            "LD_PRELOAD": str(faketime()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }

    def set(self, ahead: timedelta) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead.total_seconds():+.0f}\n", encoding="ascii")
        new.rename(self._file)  # never read half written


async def ahead(gateway: GatewayProcess) -> timedelta:
    """How far the gateway's clock is ahead of ours, by the Date of what it serves."""
    async with aiohttp.ClientSession() as http, http.get(f"{gateway.public}/healthz") as response:
        return parsedate_to_datetime(response.headers["Date"]) - datetime.now(UTC)


async def shows(gateway: GatewayProcess, wanted: timedelta) -> None:
    while abs(await ahead(gateway) - wanted) > NEAR:  # noqa: ASYNC110 (another process has no event to await)
        await asyncio.sleep(0.1)


async def jump(gateway: GatewayProcess, clock: WallClock, jumps: Sequence[timedelta]) -> list[int]:
    """All jumps, each stayed at for longer than a lease; minutes the gateway's own clock was seen to be ahead."""
    seen = []
    for each in jumps:
        clock.set(each)
        await shows(gateway, each)
        await asyncio.sleep(STAY)
        seen.append(round((await ahead(gateway)) / timedelta(minutes=1)))
    return seen


def warnings(directory: Path) -> list[str]:
    """What either gateway was worried about: the action and its reason."""
    lines = [line for name in ACCOUNTS for line in log_lines(directory / name)]
    return [f"{line['action']} {line.get('error', '')}" for line in lines if line.get("level") == "warning"]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    with running_redis(tmp_path) as server:
        yield server.url


@pytest.mark.parametrize(
    "figures", [pytest.param(ONCE, id="once"), pytest.param(BOTH_WAYS, id="both-ways", marks=pytest.mark.long)]
)
async def test_a_clock_that_jumps_an_hour_loses_no_lease_and_sends_nothing_twice(
    figures: Figures, tmp_path: Path, postgres: Postgres, redis: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = WallClock(tmp_path)
    clocks: dict[str, Mapping[str, str]] = {"jumping": clock.settings, "steady": {}}
    shares = operators(
        "one", "two", "shared", questions=figures.questions, notices=figures.notices, rate=RATE, window=2
    )
    async with asyncio.timeout(PATIENCE), shares as smscs:
        with migrated(postgres, "clock_jumps") as database:
            store = SharedStore(database.hand)
            gateways = {
                name: shared_gateway(
                    tmp_path / name,
                    *(smsc.account for smsc in smscs),
                    database=database.url,
                    redis=redis,
                    holds=holds,
                    settings={**SHORT_LEASE, **clocks[name]},
                )
                for name, holds in ACCOUNTS.items()
            }
            first, second = sorted(gateways, key=figures.first.__ne__)
            async with running_all(gateways[first]), running_all(gateways[second]):
                began = datetime.now(UTC)
                await asyncio.gather(*(smsc.begin() for smsc in smscs))
                await store.queue_notices((smsc.name, number) for smsc in smscs for number in smsc.notices)
                seen = await jump(gateways["jumping"], clock, figures.jumps)
                asked = sum(smsc.load.answered for smsc in smscs)
                await until(lambda: all(smsc.complete for smsc in smscs))
                await store.settled()
                ends = [await smsc.end() for smsc in smscs]
                leases = await store.fetch("SELECT name, taken_at FROM lease ORDER BY name")
                spread = await store.fetch("SELECT min(received_at) AS first, max(received_at) AS last FROM inbox")
            written = await store.written()
    told = sum((actions(tmp_path / name) for name in ACCOUNTS), Counter[str]())
    results, notices = [result for result, _ in ends], sum((counted for _, counted in ends), Counter[str]())
    tell(capsys, f"clock ahead by {seen} min in turn: {asked} answered meanwhile, leases lost {told['lease.lost']}")
    tell(capsys, f"refused for later {sum(result.refused for result in results)}; warnings: {warnings(tmp_path)}")

    assert seen == [round(each / timedelta(minutes=1)) for each in figures.jumps]
    assert actions(tmp_path / first)["lease.taken"] == 5
    assert told["lease.lost"] == 0
    assert told["lease.taken"] == len(leases) == 6, "three accounts, two sources and the delivery, each taken once"
    assert told["sms.bound"] == 3, "a link was thought dead"
    assert told["journal.taken_over"] == 0
    assert [(r.missing, r.duplicates, r.unknown) for r in results] == [(0, 0, 0)] * 3
    assert len(notices) == notices.total() == figures.notices
    assert len(written.inbox) == figures.questions
    assert Counter(state for _, state in written.outbox) == {"accepted": figures.questions + figures.notices}
    earliest, latest = (datetime.fromtimestamp(spread[0][key] / 1000, UTC) for key in ("first", "last"))
    assert began - NEAR < earliest <= latest < datetime.now(UTC) + NEAR, (
        "a row carries the time of a clock that was wrong"
    )
    for name in ACCOUNTS:
        assert_quiet(tmp_path / name)
