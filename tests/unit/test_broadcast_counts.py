"""A page waits for a few hundred dossiers at most; the rest is counted while nobody waits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from console.broadcasts.counts import AT_ONCE, KEPT, LOOKED_AT, MOST_KEPT, Counts
from console.broadcasts.estimates import Estimate, Estimator, Rates
from console.broadcasts.ports import AudienceCount, Broadcasts
from domain.broadcasts import Audience, AudienceKind
from domain.errors import StoreUnavailable
from domain.officers import Officer, OfficerRole

SCOPE = frozenset({"H13"})
ME = 1


def audience(agency: str = "H13") -> Audience:
    return Audience(kind=AudienceKind.FOLLOWERS, agencies=(agency,))


@dataclass
class Dossiers:
    """So many, each with a follower. Counting all of them waits for `go_on`."""

    there: int
    now: datetime = datetime(2026, 11, 23, 8, tzinfo=UTC)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[int] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    away: bool = False

    async def count(self, _audience: Audience, _scope: frozenset[str], *, limit: int, **_: Any) -> AudienceCount:
        self.asked.append(limit)
        if limit > AT_ONCE:
            self.begun.set()
            await self.go_on.wait()
            if self.away:
                raise StoreUnavailable("gone")
        found = min(self.there, limit)
        return AudienceCount(dossiers=found, people={"sms": found}, more=self.there > limit)

    def counts(self) -> Counts:
        return Counts(cast("Broadcasts", self), clock=lambda: self.now, day=lambda: None)


async def settled(counts: Counts) -> None:
    """What goes on has ended."""
    await asyncio.gather(*counts._tasks.values())


async def test_a_small_audience_is_told_at_once_and_whole() -> None:
    dossiers = Dossiers(there=AT_ONCE)
    counted = await dossiers.counts().of(ME, audience(), broadcast=0, scope=SCOPE)
    assert (counted.count.total, counted.count.more, counted.going_on) == (AT_ONCE, False, False)
    assert dossiers.asked == [AT_ONCE]


async def test_nobody_waits_for_a_large_audience_and_who_asks_again_is_told_all() -> None:
    dossiers = Dossiers(there=20_000)
    counts = dossiers.counts()
    first = await counts.of(ME, audience(), broadcast=0, scope=SCOPE)
    assert (first.count.total, first.count.more, first.going_on) == (AT_ONCE, True, True)
    dossiers.go_on.set()
    await settled(counts)
    second = await counts.of(ME, audience(), broadcast=0, scope=SCOPE)
    assert (second.count.total, second.count.more, second.going_on) == (20_000, False, False)
    assert dossiers.asked == [AT_ONCE, LOOKED_AT]


async def test_a_count_is_kept_for_some_seconds_and_not_for_another_audience_scope_or_officer() -> None:
    dossiers = Dossiers(there=3)
    counts = dossiers.counts()
    for _ in range(2):
        await counts.of(ME, audience(), broadcast=0, scope=SCOPE)
    assert len(dossiers.asked) == 1
    dossiers.now += KEPT + timedelta(seconds=1)
    await counts.of(ME, audience(), broadcast=0, scope=SCOPE)
    await counts.of(ME, audience("H13.01"), broadcast=0, scope=SCOPE)
    await counts.of(ME, audience("H13.01"), broadcast=0, scope=frozenset({"H13.01"}))
    await counts.of(2, audience("H13.01"), broadcast=0, scope=frozenset({"H13.01"}))
    assert len(dossiers.asked) == 5


async def test_another_audience_ends_the_count_of_the_one_before() -> None:
    dossiers = Dossiers(there=20_000)
    counts = dossiers.counts()
    await counts.of(ME, audience(), broadcast=0, scope=SCOPE)
    await dossiers.begun.wait()
    [before] = counts._tasks.values()
    await counts.of(ME, audience("H13.01"), broadcast=0, scope=SCOPE)
    with pytest.raises(asyncio.CancelledError):
        await before
    await counts.close()


async def test_a_store_that_goes_meanwhile_is_asked_anew() -> None:
    dossiers = Dossiers(there=20_000, away=True)
    counts = dossiers.counts()
    await counts.of(ME, audience(), broadcast=0, scope=SCOPE)
    dossiers.go_on.set()
    await settled(counts)
    again = await counts.of(ME, audience(), broadcast=0, scope=SCOPE)
    assert again.going_on
    assert dossiers.asked[-1] == AT_ONCE
    await counts.close()


async def test_only_so_many_officers_are_kept_in_mind() -> None:
    dossiers = Dossiers(there=3)
    counts = dossiers.counts()
    for officer in range(MOST_KEPT + 5):
        await counts.of(officer, audience(), broadcast=0, scope=SCOPE)
    assert len(counts._kept) == MOST_KEPT


async def test_what_is_counted_ends_when_the_console_goes() -> None:
    dossiers = Dossiers(there=20_000)
    counts = dossiers.counts()
    await counts.of(ME, audience(), broadcast=0, scope=SCOPE)
    await dossiers.begun.wait()
    await counts.close()
    assert not counts._tasks


# ---- what it costs while counting is not over


def estimator(there: int) -> Estimator:
    rates = Rates(segments=lambda _: 1, tps=lambda: 100.0, dong_per_segment=350.0)
    return Estimator(counts=Dossiers(there=there).counts(), rates=rates)


async def estimated(there: int, known: int) -> Estimate:
    officer = Officer(
        id=ME,
        login="duyet.tin",
        name="Duyệt",
        agency="H13",
        roles=frozenset({OfficerRole.APPROVER}),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    texts = {"vi": "Trung tam nghi ngay 30/4."}
    return await estimator(there).estimate(
        texts, audience(), broadcast=7, columns=(), officer=officer, scope=SCOPE, known=known
    )


async def test_an_approver_sees_what_all_of_them_cost_and_not_the_first_few_hundred() -> None:
    estimate = await estimated(there=99_995, known=99_995)
    assert estimate.cost is not None
    assert (estimate.cost.dong, estimate.counting) == (99_995 * 350, False)


async def test_of_nobody_yet_counted_it_says_that_more_is_coming() -> None:
    estimate = await estimated(there=99_995, known=0)
    assert estimate.cost is not None
    assert (estimate.cost.segments, estimate.counting) == (AT_ONCE, True)


async def test_a_count_that_is_over_is_worth_more_than_what_was_counted_once() -> None:
    estimate = await estimated(there=3, known=10)
    assert estimate.cost is not None
    assert (estimate.cost.segments, estimate.known) == (3, 0)
