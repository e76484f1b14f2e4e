"""What is done now and then: a store that is away is told once and waited out, old rows go a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from conversation.ports import FIRST_PLACE, Expired, Place
from domain.errors import StoreUnavailable
from gateway.bootstrap import upkeep
from gateway.bootstrap.upkeep import TIDY_BATCH, Upkeep, expire_unserved, follow, tidy
from gateway.settings import RetentionSettings

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
AWAY = StoreUnavailable("away")


@dataclass
class Script:
    """Does what is written, one step a call, and says when it came to its end."""

    steps: list[Exception | None]
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self) -> None:
        if not self.steps:
            self.done.set()
            await asyncio.Event().wait()
        step = self.steps.pop(0)
        if step is not None:
            raise step


async def until(done: asyncio.Event, run: Callable[[], Awaitable[None]]) -> list[str]:
    """The actions logged until then."""
    with capture_logs() as lines:
        running = asyncio.ensure_future(run())
        await asyncio.wait_for(done.wait(), 60)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return [line["event"] for line in lines]


async def test_a_store_that_is_away_is_told_once_and_so_is_its_return() -> None:
    script = Script([None, AWAY, AWAY, AWAY, None, None, AWAY, None])
    work = Upkeep(name="sign of life", work=script, every=0.0)
    told = await until(script.done, work.run)
    assert told == ["upkeep.failed", "upkeep.resumed", "upkeep.failed", "upkeep.resumed"]


async def test_wake_ups_that_stop_are_told_once_and_sought_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter([[None, None], list[None](), [None]])
    woken: list[int] = []
    done = asyncio.Event()

    async def wakeups() -> AsyncIterator[None]:
        heard = next(calls, None)
        if heard is None:
            done.set()
            await asyncio.Event().wait()
        for item in heard or ():
            yield item
        raise AWAY

    def wake() -> None:
        woken.append(1)

    monkeypatch.setattr(upkeep, "AGAIN_AFTER", 0.0)
    told = await until(done, lambda: follow(wakeups, wake))
    assert told == ["wakeups.lost", "wakeups.heard", "wakeups.lost"]
    assert len(woken) == 3


@dataclass
class Attic:
    """A store with so many old rows."""

    old: dict[str, int]
    asked: list[tuple[str, datetime, int]] = field(default_factory=list)

    async def mask(self, before: datetime, limit: int) -> int:
        return self._take("mask", before, limit)

    async def purge(self, before: datetime, limit: int) -> int:
        return self._take("purge", before, limit)

    def _take(self, what: str, before: datetime, limit: int) -> int:
        self.asked.append((what, before, limit))
        taken = min(self.old[what], limit)
        self.old[what] -= taken
        return taken


async def test_what_is_old_is_masked_then_removed_a_few_rows_at_a_time() -> None:
    attic = Attic({"mask": 2 * TIDY_BATCH + 1, "purge": 1})
    with capture_logs() as lines:
        await tidy(attic, lambda: NOW, RetentionSettings(mask_after_days=30, purge_after_days=365))
    assert attic.old == {"mask": 0, "purge": 0}
    before = {"mask": NOW - timedelta(days=30), "purge": NOW - timedelta(days=365)}
    assert attic.asked == [(what, before[what], TIDY_BATCH) for what in ["mask"] * 4 + ["purge"] * 2]
    assert [(line["event"], line["masked"], line["purged"]) for line in lines] == [("store.tidied", 401, 1)]


async def test_nothing_old_is_nothing_told() -> None:
    with capture_logs() as lines:
        await tidy(Attic({"mask": 0, "purge": 0}), lambda: NOW, RetentionSettings())
    assert lines == []


@dataclass
class Shelf:
    """An outbox where so many rows wait for each account, all of them expired; three steps an account."""

    waiting: dict[str, int]
    asked: list[tuple[str, datetime, int, Place]] = field(default_factory=list)

    async def depth(self) -> Mapping[str, int]:
        return self.waiting

    async def expire(self, account: str, before: datetime, limit: int, *, behind: Place) -> Expired:
        self.asked.append((account, before, limit, behind))
        step = sum(asked[0] == account for asked in self.asked)
        closed = self.waiting[account] if step > 1 else 0
        return Expired(closed=closed, behind=(0, step) if step < 3 else None)


async def test_what_waits_for_an_account_nobody_serves_is_gone_through_to_its_end() -> None:
    shelf = Shelf({"smsc-0": 2, "smsc-1": 3})
    with capture_logs() as lines:
        await expire_unserved(shelf, {"smsc-1", "smsc-2"}, lambda: NOW)
    before = NOW - timedelta(hours=1)
    assert shelf.asked == [("smsc-0", before, TIDY_BATCH, place) for place in (FIRST_PLACE, (0, 1), (0, 2))]
    assert [(line["event"], line["account"], line["messages"]) for line in lines] == [
        ("store.unserved_expired", "smsc-0", 4)
    ]


async def test_accounts_somebody_serves_are_left_to_them_and_nothing_closed_is_nothing_told() -> None:
    shelf = Shelf({"smsc-0": 0, "smsc-1": 3})
    with capture_logs() as lines:
        await expire_unserved(shelf, {"smsc-1"}, lambda: NOW)
    assert {account for account, *_ in shelf.asked} == {"smsc-0"}
    assert lines == []
