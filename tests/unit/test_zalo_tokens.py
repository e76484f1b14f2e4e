"""Zalo's tokens: never two at one refresh token, never one used before it is saved, never a silence when a person is
needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from channels.zalo.account import ZaloAccount
from channels.zalo.api import Grant, GrantRefused
from channels.zalo.counters import ZaloCounters
from channels.zalo.errors import NoAnswer, NotSent
from channels.zalo.ports import StoredTokens, TokenPair
from channels.zalo.tokens import NoToken, TokenKeeper
from tests.peers.zalo_token_file import FileTokens

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
LIFE = 90_000.0
NAME = "so-tu-phap"


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return (self.now - NOW).total_seconds() + 1_000.0

    async def sleep(self, seconds: float) -> None:
        """Time passes, and others have their turn."""
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)


@dataclass
class Platform:
    """Gives pairs in turn, or does what `next` says first."""

    works: str = "seed"
    shown: list[str] = field(default_factory=list)
    next: list[Exception] = field(default_factory=list)
    spends_first: bool = False  # an answer that is lost comes after the token was spent
    holds: asyncio.Event | None = None

    async def renew(self, refresh_token: str) -> Grant:
        self.shown.append(refresh_token)
        if self.holds is not None:
            await self.holds.wait()
        trouble = self.next.pop(0) if self.next else None
        if trouble is not None and not self.spends_first:
            raise trouble
        if refresh_token != self.works:
            raise GrantRefused(-14014)
        number = len(self.shown)
        self.works = f"refresh-{number}"
        if trouble is not None:
            raise trouble
        return Grant(access_token=f"access-{number}", refresh_token=self.works, expires_in=LIFE)


class Desk:
    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.platform = Platform()
        self.counters = ZaloCounters()
        self.steps: list[str] = []
        self.store = FileTokens(folder / "tokens.json", self.clock, self.steps.append)

    def keeper(self, seed: str = "seed") -> TokenKeeper:
        account = ZaloAccount(name=NAME, app_id="1", oa_id="2", oa_secret="a", app_secret="b", refresh_token=seed)
        return TokenKeeper(
            account,
            self.store,
            self.platform,
            self.counters,
            clock=self.clock,
            monotonic=self.clock.monotonic,
            sleep=self.clock.sleep,
        )

    async def turn(self, keeper: TokenKeeper) -> None:
        await keeper._turn()

    async def stored(self) -> StoredTokens:
        stored = await self.store.load(NAME)
        assert stored is not None
        return stored


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def eventually(ready: Callable[[], object]) -> None:
    for _ in range(1_000):
        if ready():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came")


async def test_the_settings_token_is_changed_for_a_pair_that_is_saved(desk: Desk) -> None:
    keeper = desk.keeper()
    assert keeper.token == ""
    await desk.turn(keeper)
    assert keeper.token == "access-1"
    assert (await desk.stored()).pair.refresh_token == "refresh-1"
    assert keeper.trouble == ""


async def test_without_any_token_it_says_so_and_waits_for_one(desk: Desk) -> None:
    keeper = desk.keeper(seed="")
    await desk.turn(keeper)
    assert "authorised" in keeper.trouble
    with pytest.raises(NoToken):
        await keeper.renew("")
    pair = TokenPair(access_token="theirs", refresh_token="seed", expires_at=NOW + timedelta(hours=9), refreshed_at=NOW)
    await desk.store.plant(NAME, pair, "by hand")
    await desk.turn(keeper)
    assert keeper.token == "theirs"
    assert keeper.trouble == ""


async def test_a_restart_uses_what_is_saved_and_spends_nothing(desk: Desk) -> None:
    await desk.turn(desk.keeper())
    again = desk.keeper()
    await desk.turn(again)
    assert again.token == "access-1"
    assert desk.platform.shown == ["seed"]


async def test_a_new_token_in_the_settings_takes_the_place_of_a_refused_one(desk: Desk) -> None:
    await desk.turn(desk.keeper())
    desk.platform.works = "given by a person"
    keeper = desk.keeper(seed="given by a person")
    await desk.turn(keeper)
    assert keeper.token == "access-2"


async def test_settings_older_than_the_store_bring_no_spent_token_back(desk: Desk) -> None:
    await desk.turn(desk.keeper())
    desk.platform.works = "second"
    await desk.turn(desk.keeper(seed="second"))
    await desk.turn(desk.keeper(seed="seed"))
    assert (await desk.stored()).pair.access_token == "access-2"
    assert desk.platform.shown == ["seed", "second"]


async def test_it_is_renewed_while_it_still_has_a_fifth_of_its_life(desk: Desk) -> None:
    keeper = desk.keeper()
    await desk.turn(keeper)
    desk.clock.now += timedelta(seconds=LIFE * 0.79)
    await desk.turn(keeper)
    assert keeper.token == "access-1"
    desk.clock.now += timedelta(seconds=LIFE * 0.01)
    await desk.turn(keeper)
    assert keeper.token == "access-2"
    assert desk.counters.renewals == 2


async def test_kept_for_days_it_never_runs_out(desk: Desk) -> None:
    keeper = desk.keeper()
    task = asyncio.create_task(keeper.keep())
    await eventually(lambda: keeper.token)
    while desk.clock.now < NOW + timedelta(days=4):
        assert keeper.token
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(desk.platform.shown) == 5  # every twenty hours


async def test_many_who_were_refused_renew_once(desk: Desk) -> None:
    keeper = desk.keeper()
    await desk.turn(keeper)
    got = await asyncio.gather(*(keeper.renew("access-1") for _ in range(20)))
    assert set(got) == {"access-2"}
    assert desk.platform.shown == ["seed", "refresh-1"]


async def test_two_processes_never_spend_one_token_twice(desk: Desk) -> None:
    one, other = desk.keeper(), desk.keeper()
    await desk.turn(one)
    await desk.turn(other)
    got = await asyncio.gather(one.renew("access-1"), other.renew("access-1"))
    assert set(got) == {"access-2"}
    assert desk.platform.shown == ["seed", "refresh-1"]


async def test_nobody_uses_a_token_that_is_not_saved(desk: Desk) -> None:
    keeper = desk.keeper()
    await desk.turn(keeper)
    desk.clock.now += timedelta(seconds=LIFE * 0.8)
    desk.platform.holds = asyncio.Event()
    renewal = asyncio.create_task(keeper._renewed())
    await eventually(lambda: len(desk.platform.shown) == 2)
    desk.store.fails = 3
    desk.platform.holds.set()
    with capture_logs() as lines:
        await eventually(lambda: desk.store.fails < 3)
        assert keeper.token == "access-1"
        assert await renewal == "access-2"
    assert [line["event"] for line in lines].count("zalo.token_not_saved") == 3
    assert (await desk.stored()).pair.refresh_token == "refresh-2"


async def test_a_token_the_platform_refuses_is_not_shown_again_whatever_its_time(desk: Desk) -> None:
    keeper = desk.keeper()
    await desk.turn(keeper)
    desk.platform.next = [NotSent("away")]
    with pytest.raises(NoToken):
        await keeper.renew("access-1")
    assert keeper.token == ""
    desk.clock.now += timedelta(seconds=10)
    await desk.turn(keeper)  # nobody sends meanwhile, so that nobody else would ask
    assert keeper.token == "access-3"


async def test_a_renewal_under_way_is_finished_before_we_stop(desk: Desk) -> None:
    keeper = desk.keeper()
    desk.platform.holds = asyncio.Event()
    task = asyncio.create_task(keeper.keep())
    await eventually(lambda: desk.platform.shown)
    task.cancel()
    await asyncio.sleep(0)
    desk.platform.holds.set()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert (await desk.stored()).pair.refresh_token == "refresh-1"


async def test_whoever_stops_waiting_does_not_stop_the_renewal(desk: Desk) -> None:
    keeper = desk.keeper()
    await desk.turn(keeper)
    desk.platform.holds = asyncio.Event()
    waiting = asyncio.create_task(keeper.renew("access-1"))
    await eventually(lambda: len(desk.platform.shown) == 2)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    desk.platform.holds.set()
    await keeper.finish()
    assert (await desk.stored()).pair.refresh_token == "refresh-2"


async def test_a_store_that_is_away_spends_nothing(desk: Desk) -> None:
    keeper = desk.keeper()
    desk.store.fails = 1
    await desk.turn(keeper)
    assert desk.platform.shown == []
    await desk.turn(keeper)
    assert keeper.token == "access-1"


async def test_a_platform_that_cannot_be_reached_leaves_the_token_unspent(desk: Desk) -> None:
    keeper = desk.keeper()
    desk.platform.next = [NotSent("away")]
    await desk.turn(keeper)
    assert keeper.token == ""
    assert "away" in keeper.trouble
    assert not (await desk.stored()).begun
    desk.clock.now += timedelta(seconds=10)
    await desk.turn(keeper)
    assert keeper.token == "access-2"
    assert keeper.trouble == ""


async def test_after_a_failure_it_is_not_tried_at_every_message(desk: Desk) -> None:
    keeper = desk.keeper()
    desk.platform.next = [NotSent("away")] * 3
    for _ in range(10):
        await desk.turn(keeper)
    assert len(desk.platform.shown) == 1


async def test_an_answer_that_is_lost_is_asked_for_again_at_once(desk: Desk) -> None:
    keeper = desk.keeper()
    desk.platform.next = [NoAnswer("lost")]  # it was not spent
    await desk.turn(keeper)
    assert keeper.token == "access-2"
    assert desk.platform.shown == ["seed", "seed"]


@pytest.mark.parametrize("answers", [[NoAnswer("lost")], []])
async def test_a_refresh_token_that_is_not_taken_is_an_alarm_and_the_rest_of_the_access_token_is_used(
    desk: Desk, answers: Sequence[Exception]
) -> None:
    keeper = desk.keeper()
    await desk.turn(keeper)
    desk.clock.now += timedelta(seconds=LIFE * 0.8)
    if answers:
        desk.platform.next, desk.platform.spends_first = list(answers), True
    else:
        desk.platform.works = "revoked"
    with capture_logs() as lines:
        await desk.turn(keeper)
    (alarm,) = [line for line in lines if line["event"] == "zalo.authorisation_lost"]
    assert (alarm["log_level"], alarm["code"], alarm["in_doubt"]) == ("error", -14014, bool(answers))
    assert "authorise" in keeper.trouble
    assert keeper.token == "access-1"
    desk.clock.now += timedelta(seconds=LIFE * 0.2)
    assert keeper.token == ""


async def test_a_refusal_is_no_loss_where_another_process_has_the_next_pair(desk: Desk) -> None:
    keeper = desk.keeper()
    await desk.turn(keeper)
    desk.platform.holds = asyncio.Event()
    renewal = asyncio.create_task(keeper.renew("access-1"))
    await eventually(lambda: len(desk.platform.shown) == 2)
    theirs = TokenPair(access_token="b", refresh_token="c", expires_at=NOW + timedelta(days=1), refreshed_at=NOW)
    await desk.store.save(NAME, (await desk.stored()).version, theirs)
    desk.platform.works = "c"
    desk.platform.holds.set()
    assert await renewal == "b"
    assert keeper.trouble == ""


async def test_what_a_dead_process_began_is_tried_again_when_its_time_is_over(desk: Desk) -> None:
    dead = desk.keeper()
    await desk.turn(dead)
    await desk.store.begin(NAME, (await desk.stored()).version, timedelta(seconds=50))
    keeper = desk.keeper()
    await desk.turn(keeper)
    began = desk.clock.now
    assert await keeper.renew("access-1") == "access-2"
    assert desk.clock.now - began >= timedelta(seconds=50)


async def test_days_before_a_person_is_needed_there_is_an_alarm_once_a_day(desk: Desk) -> None:
    await desk.turn(desk.keeper())
    keeper = desk.keeper()
    desk.platform.next = [NotSent("away")] * 10_000
    days = []
    for day in range(1, 90):
        desk.clock.now = NOW + timedelta(days=day)
        with capture_logs() as lines:
            await desk.turn(keeper)
            await desk.turn(keeper)
        days += [(day, line["days"]) for line in lines if line["event"] == "zalo.authorisation_ends"]
    assert days == [(80 + left, 10 - left) for left in range(10)]
    assert "ends in" in keeper.trouble
    desk.platform.next = []
    desk.clock.now += timedelta(hours=2)
    await desk.turn(keeper)
    assert keeper.trouble == ""


async def test_no_line_holds_a_token(desk: Desk) -> None:
    with capture_logs() as lines:
        keeper = desk.keeper()
        await desk.turn(keeper)
        desk.platform.works = "revoked"
        with pytest.raises(NoToken):
            await keeper.renew("access-1")
    told = repr(lines)
    assert lines
    assert not any(secret in told for secret in ("seed", "access-1", "refresh-1"))
