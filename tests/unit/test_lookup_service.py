"""Where is my dossier? An answer for every code, whatever the source does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from adapters.memory.cache import MemoryStatusCache
from domain.answers import DossierAnswer, Outcome
from domain.codes import DossierCode
from domain.dossier import DossierStatus
from domain.errors import SourceMisread, SourceUnavailable
from lookup.batching import MOST_WAITING
from lookup.cache import TwoLevelCache
from lookup.limits import SourceLimits
from lookup.ports import CachedAnswer, StatusCache
from lookup.retry import RetryPolicy
from lookup.routing import Router
from lookup.service import LookupService, LookupSettings
from tests.unit.looking_up import KNOWN, NO_RETRY, SETTINGS, UNKNOWN, Clock, Desk, FakeSource, code, desk, routed, turns


async def test_source_that_is_down_is_never_told_as_not_found() -> None:
    d = desk(failure=SourceUnavailable("away"))
    found = await d.service.find([KNOWN, UNKNOWN])
    assert [found[each].outcome for each in (KNOWN, UNKNOWN)] == [Outcome.SOURCE_DOWN] * 2
    assert found[KNOWN].dossier is None
    assert not found[KNOWN].stale


async def test_misread_source_is_down_counted_and_logged_once() -> None:
    d = desk(failure=SourceMisread("no such column"))
    with capture_logs() as logs:
        assert await d.outcome(KNOWN) is Outcome.SOURCE_DOWN
        assert await d.outcome(KNOWN) is Outcome.SOURCE_DOWN
    assert d.counted == {("misread", "h51"): 2}
    assert [line["event"] for line in logs] == ["source.misread"]


async def test_adapter_that_breaks_its_promise_is_told_as_source_down() -> None:
    d = desk(failure=ZeroDivisionError())
    with capture_logs() as logs:
        assert await d.outcome(KNOWN) is Outcome.SOURCE_DOWN
    assert "source.adapter_failed" in [line["event"] for line in logs]


async def test_code_that_cannot_be_read_takes_no_other_with_it() -> None:
    d = desk()
    d.source.poison = {"H51-666"}
    poison = code("H51-666")
    answers = await asyncio.gather(*(d.answer(each) for each in (KNOWN, poison, UNKNOWN)))
    assert [each.outcome for each in answers] == [Outcome.FOUND, Outcome.SOURCE_DOWN, Outcome.NOT_FOUND]
    assert len(d.source.reads) == 1
    assert list(await d.service.cached([KNOWN, poison, UNKNOWN])) == [KNOWN, UNKNOWN]


async def test_code_that_cannot_be_read_any_more_is_told_as_it_was_last_known() -> None:
    d = desk()
    await d.service.find([KNOWN])
    d.clock.forward(hours=1)
    d.source.poison = {KNOWN.text}
    answers = await d.service.find([KNOWN, UNKNOWN])
    assert (answers[KNOWN].outcome, answers[KNOWN].stale) == (Outcome.SOURCE_DOWN, True)
    assert answers[UNKNOWN].outcome is Outcome.NOT_FOUND


async def test_source_that_could_be_read_in_part_is_not_left_alone_and_its_trouble_is_logged_once() -> None:
    d = desk()
    d.source.poison = {"H51-666"}
    with capture_logs() as logs:
        for number in range(9):
            await d.service.find([code("H51-666"), code(f"H51-{number}")])
        d.source.poison = set()
        assert await d.outcome(code("H51-666")) is Outcome.NOT_FOUND
    assert d.counted == {("incomplete", "h51"): 9, ("answered", "h51"): 1}
    assert [line["event"] for line in logs] == ["source.incomplete", "source.back"]


async def test_source_is_never_asked_for_more_than_it_can_bear() -> None:
    codes = [code(f"H51-{number}") for number in range(20)]
    d = Desk(source=FakeSource(states={each.text: DossierStatus.DONE for each in codes}, largest_read=3))
    assert await asyncio.gather(*(d.outcome(each) for each in codes)) == [Outcome.FOUND] * 20
    await d.service.drop(codes)
    assert {each.outcome for each in (await d.service.find(codes)).values()} == {Outcome.FOUND}
    assert max(map(len, d.source.reads)) == 3
    assert len(d.source.reads) == 14


async def test_who_comes_when_too_many_wait_is_told_so_at_once() -> None:
    d = desk(gate=asyncio.Event())
    crowd = asyncio.ensure_future(d.service.find([code(f"H51-{number}") for number in range(MOST_WAITING + 1000)]))
    await turns()
    answer = await d.answer(KNOWN)
    assert (answer.outcome, answer.dossier) == (Outcome.SOURCE_DOWN, None)
    assert d.counted == {("skipped", "h51"): 1}
    await d.service.close()
    await asyncio.gather(crowd, return_exceptions=True)


async def test_last_known_dossier_is_told_with_its_time_while_the_source_is_down() -> None:
    d = desk()
    await d.service.find([KNOWN])
    read_at = d.clock.now
    d.source.failure = SourceUnavailable("away")
    d.clock.forward(hours=2)
    answer = (await d.service.find([KNOWN]))[KNOWN]
    assert (answer.outcome, answer.stale, answer.as_of) == (Outcome.SOURCE_DOWN, True, read_at)
    assert answer.dossier is not None
    assert answer.dossier.status is DossierStatus.IN_PROCESS


async def test_last_known_dossier_is_not_told_for_ever() -> None:
    d = desk()
    await d.service.find([KNOWN])
    d.source.failure = SourceUnavailable("away")
    d.clock.forward(hours=24)
    answer = (await d.service.find([KNOWN]))[KNOWN]
    assert (answer.outcome, answer.dossier, answer.as_of) == (Outcome.SOURCE_DOWN, None, None)


async def test_not_found_is_not_told_while_the_source_is_down() -> None:
    d = desk()
    assert await d.outcome(UNKNOWN) is Outcome.NOT_FOUND
    d.source.failure = SourceUnavailable("away")
    d.clock.forward(seconds=15)
    assert await d.outcome(UNKNOWN) is Outcome.SOURCE_DOWN


async def test_dossier_registered_a_moment_later_is_soon_found() -> None:
    d = desk()
    assert await d.outcome(UNKNOWN) is Outcome.NOT_FOUND
    d.source.states[UNKNOWN.text] = DossierStatus.ACCEPTED
    d.clock.forward(seconds=14)
    assert await d.outcome(UNKNOWN) is Outcome.NOT_FOUND
    d.clock.forward(seconds=1)
    assert await d.outcome(UNKNOWN) is Outcome.FOUND


async def test_fresh_answer_is_told_without_asking_again() -> None:
    d = desk()
    first = await d.service.find([KNOWN])
    d.clock.forward(seconds=59)
    assert await d.service.find([KNOWN]) == first
    assert await d.service.cached([KNOWN, UNKNOWN]) == first
    assert len(d.source.reads) == 1
    d.clock.forward(seconds=1)
    assert await d.service.cached([KNOWN]) == {}
    await d.service.find([KNOWN])
    assert len(d.source.reads) == 2


async def test_a_clock_set_back_does_not_make_an_answer_fresh_for_longer() -> None:
    d = desk()
    await d.service.find([KNOWN])
    d.clock.forward(seconds=-3600)
    assert await d.service.cached([KNOWN]) == {}
    await d.service.find([KNOWN])
    assert len(d.source.reads) == 2


async def test_as_of_is_never_later_than_the_read() -> None:
    d = desk(gate=asyncio.Event())
    asked_at = d.clock.now
    reading = asyncio.ensure_future(d.service.find([KNOWN]))
    await turns()
    d.clock.forward(seconds=3)
    assert d.source.gate is not None
    d.source.gate.set()
    assert (await reading)[KNOWN].as_of == asked_at


async def test_a_hundred_askers_of_one_code_make_one_read() -> None:
    d = desk()
    answers = await asyncio.gather(*(d.service.find([KNOWN]) for _ in range(100)))
    assert all(each[KNOWN].outcome is Outcome.FOUND for each in answers)
    assert d.source.reads == [[KNOWN.text]]


async def test_at_most_two_reads_of_a_source_are_under_way_over_all_routes() -> None:
    source = FakeSource(gate=asyncio.Event())
    d = Desk(
        source=source,
        sources=(
            routed(source, prefixes=("H51",), default=True),
            routed(FakeSource(name="other"), default=True),
        ),
    )
    askers = []
    for number in range(4):
        agency = "H51" if number % 2 else "G09"
        askers.append(asyncio.ensure_future(d.service.find([code(f"{agency}-{number}")])))
        await turns()
    assert len(source.reads) == 2
    assert source.gate is not None
    source.gate.set()
    await asyncio.gather(*askers)
    assert sorted(text for read in source.reads for text in read) == ["G09-0", "G09-2", "H51-1", "H51-3"]


async def test_dropped_code_is_read_again() -> None:
    d = desk()
    await d.service.find([KNOWN])
    d.source.states[KNOWN.text] = DossierStatus.DONE
    await d.service.drop([KNOWN])
    dossier = (await d.service.find([KNOWN]))[KNOWN].dossier
    assert dossier is not None
    assert dossier.status is DossierStatus.DONE


async def test_read_that_left_before_a_change_is_neither_kept_nor_joined() -> None:
    d = desk(gate=asyncio.Event())
    before = asyncio.ensure_future(d.service.find([KNOWN]))
    await turns()
    d.source.states[KNOWN.text] = DossierStatus.DONE
    await d.service.drop([KNOWN])
    after = asyncio.ensure_future(d.service.find([KNOWN]))
    await turns()
    assert d.source.gate is not None
    d.source.gate.set()
    old, new = (await before)[KNOWN].dossier, (await after)[KNOWN].dossier
    assert old is not None
    assert new is not None
    assert (old.status, new.status) == (DossierStatus.IN_PROCESS, DossierStatus.DONE)
    kept = (await d.service.cached([KNOWN])).get(KNOWN)
    assert kept is None or kept.dossier == new


async def test_first_failure_is_tried_again_before_anybody_hears_of_it() -> None:
    d = Desk(
        source=FakeSource(
            states={KNOWN.text: DossierStatus.DONE}, failure=SourceUnavailable("hiccup"), failures_left=2
        ),
        limits=SourceLimits(retry=RetryPolicy(attempts=3, first_wait=0.001, longest_wait=0.001)),
    )
    assert await d.outcome(KNOWN) is Outcome.FOUND
    assert len(d.source.reads) == 3
    assert d.counted == {("answered", "h51"): 1}


async def test_misread_answer_is_not_tried_again() -> None:
    d = Desk(source=FakeSource(failure=SourceMisread("no such column")), limits=SourceLimits())
    await d.service.find([KNOWN])
    assert len(d.source.reads) == 1


async def test_attempts_are_bounded_in_number_and_in_time() -> None:
    quick = RetryPolicy(attempts=3, first_wait=0.001, longest_wait=0.001)
    d = Desk(source=FakeSource(failure=SourceUnavailable("away")), limits=SourceLimits(retry=quick))
    assert await d.outcome(KNOWN) is Outcome.SOURCE_DOWN
    assert len(d.source.reads) == 3
    late = Desk(
        source=FakeSource(failure=SourceUnavailable("away")),
        limits=SourceLimits(retry=RetryPolicy(attempts=3, first_wait=3600, longest_wait=3600, total=0)),
    )
    assert await late.outcome(KNOWN) is Outcome.SOURCE_DOWN
    assert len(late.source.reads) == 1


async def test_hanging_source_is_down_after_its_time_limit() -> None:
    d = Desk(source=FakeSource(gate=asyncio.Event()), limits=SourceLimits(time_limit=0.01, retry=NO_RETRY))
    assert await d.outcome(KNOWN) is Outcome.SOURCE_DOWN
    assert d.counted == {("unavailable", "h51"): 1}


async def test_outage_is_logged_when_it_begins_and_when_it_ends() -> None:
    d = desk(failure=SourceUnavailable("away"))
    with capture_logs() as logs:
        for _ in range(3):
            await d.service.find([KNOWN])
        d.source.failure = None
        for number in range(3):
            await d.service.find([code(f"H51-{number}")])
    assert [line["event"] for line in logs] == ["source.unavailable", "source.back"]


async def test_source_that_does_not_answer_is_left_alone_and_tried_again_by_one_read() -> None:
    d = desk(failure=SourceUnavailable("away"))
    with capture_logs() as logs:
        for number in range(9):
            assert await d.outcome(code(f"H51-{number}")) is Outcome.SOURCE_DOWN
        assert len(d.source.reads) == 5
        assert d.counted == {("unavailable", "h51"): 5, ("skipped", "h51"): 4}
        d.clock.forward(seconds=10)
        d.source.gate = asyncio.Event()
        probe = asyncio.ensure_future(d.outcome(KNOWN))
        await turns()
        assert await d.outcome(UNKNOWN) is Outcome.SOURCE_DOWN
        assert len(d.source.reads) == 6
        d.source.failure = None
        d.source.gate.set()
        assert await probe is Outcome.FOUND
        assert await d.outcome(UNKNOWN) is Outcome.NOT_FOUND
    assert [line["event"] for line in logs] == [
        "source.unavailable",
        "source.breaker_opened",
        "source.breaker_closed",
        "source.back",
    ]


async def test_one_code_that_goes_unanswered_again_and_again_does_not_shut_out_the_others() -> None:
    """A system may fail over one record, with the very words of an outage."""
    d = desk(failure=SourceUnavailable("HTTP 500"))
    for _ in range(9):
        assert await d.outcome(UNKNOWN) is Outcome.SOURCE_DOWN
    d.source.failure = None
    assert await d.outcome(KNOWN) is Outcome.FOUND
    assert d.counted == {("unavailable", "h51"): 9, ("answered", "h51"): 1}


async def test_nobody_waits_behind_the_read_that_tries_whether_the_only_connection_works_again() -> None:
    source = FakeSource(failure=SourceUnavailable("away"))
    limits = SourceLimits(in_flight=1, retry=NO_RETRY, breaker_failures=1)
    d = Desk(sources=(routed(source, default=True, limits=limits),))
    await d.outcome(KNOWN)
    d.clock.forward(seconds=10)
    source.gate = asyncio.Event()
    probe = asyncio.ensure_future(d.outcome(KNOWN))
    await turns()
    assert await d.outcome(UNKNOWN) is Outcome.SOURCE_DOWN
    assert not probe.done()
    await d.service.close()
    with pytest.raises(asyncio.CancelledError):
        await probe


async def test_misread_source_is_not_left_alone_since_it_answers_in_time() -> None:
    d = desk(failure=SourceMisread("no such column"))
    for number in range(9):
        await d.outcome(code(f"H51-{number}"))
    assert len(d.source.reads) == 9


async def test_every_attempt_is_timed_the_failed_ones_too() -> None:
    quick = RetryPolicy(attempts=3, first_wait=0.001, longest_wait=0.001)
    d = Desk(source=FakeSource(failure=SourceUnavailable("hiccup"), failures_left=2), limits=SourceLimits(retry=quick))
    await d.service.find([KNOWN])
    assert [source for source, _ in d.timed] == ["h51"] * 3


async def test_asker_who_leaves_takes_nothing_from_the_others() -> None:
    d = desk(gate=asyncio.Event())
    impatient = asyncio.ensure_future(d.service.find([KNOWN]))
    patient = asyncio.ensure_future(d.service.find([KNOWN]))
    await turns()
    impatient.cancel()
    assert d.source.gate is not None
    d.source.gate.set()
    assert (await patient)[KNOWN].outcome is Outcome.FOUND


def test_settings_refuse_what_cannot_work() -> None:
    for wrong in (
        {"largest_batch": 0},
        {"hedge_after": -1.0},
        {"stale_for": timedelta(seconds=1)},
        {"not_found_for": timedelta(seconds=-1)},
    ):
        with pytest.raises(ValueError, match=r"at least|not negative"):
            LookupSettings(**wrong)
    with pytest.raises(ValueError, match="at least 1"):
        RetryPolicy(attempts=0)
    for wrong in ({"time_limit": 0.0}, {"in_flight": 0}, {"breaker_failures": 0}, {"breaker_pause": -1.0}):
        with pytest.raises(ValueError, match=r"at least|not negative"):
            SourceLimits(**wrong)


# ---- two caches


async def test_near_cache_is_asked_first_and_learns_from_the_far_one() -> None:
    d = desk()
    near, far = MemoryStatusCache(d.clock), MemoryStatusCache(d.clock)
    other_gateway = LookupService(
        router=Router([routed(d.source, default=True)]), cache=far, clock=d.clock, settings=SETTINGS
    )
    await other_gateway.find([KNOWN])
    both = TwoLevelCache(near, far, d.clock)
    service = LookupService(
        router=Router([routed(d.source, default=True)]), cache=both, clock=d.clock, settings=SETTINGS
    )
    assert list(await service.cached([KNOWN, UNKNOWN])) == [KNOWN]
    assert len(near) == 1
    assert len(d.source.reads) == 1


async def test_stale_near_answer_gives_way_to_a_newer_far_one() -> None:
    d = desk()
    near, far = MemoryStatusCache(d.clock), MemoryStatusCache(d.clock)
    both = TwoLevelCache(near, far, d.clock)
    route = [routed(d.source, default=True)]
    ours = LookupService(router=Router(route), cache=both, clock=d.clock, settings=SETTINGS)
    theirs = LookupService(router=Router(route), cache=far, clock=d.clock, settings=SETTINGS)
    await ours.find([KNOWN])
    d.clock.forward(seconds=61)
    d.source.states[KNOWN.text] = DossierStatus.DONE
    await theirs.find([KNOWN])
    dossier = (await ours.cached([KNOWN]))[KNOWN].dossier
    assert dossier is not None
    assert dossier.status is DossierStatus.DONE


async def test_drop_reaches_both_caches() -> None:
    d = desk()
    near, far = MemoryStatusCache(d.clock), MemoryStatusCache(d.clock)
    both = TwoLevelCache(near, far, d.clock)
    service = LookupService(
        router=Router([routed(d.source, default=True)]), cache=both, clock=d.clock, settings=SETTINGS
    )
    await service.find([KNOWN])
    assert (len(near), len(far)) == (1, 1)
    await service.drop([KNOWN])
    assert (len(near), len(far)) == (0, 0)
    await both.close()
    await service.close()


# ---- asked about with a proof


@dataclass
class CountingCache:
    """A cache that writes down what it is asked for; who asks does not see a difference."""

    inner: StatusCache
    calls: list[str] = field(default_factory=list)

    async def get(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, CachedAnswer]:
        self.calls.append(f"get {len(codes)}")
        return await self.inner.get(codes)

    async def put(self, answers: Sequence[CachedAnswer]) -> None:
        self.calls.append(f"put {len(answers)}")
        await self.inner.put(answers)

    async def drop(self, codes: Sequence[DossierCode]) -> None:
        await self.inner.drop(codes)

    async def clear(self) -> None:
        await self.inner.clear()


async def prove(service: LookupService, wanted: DossierCode) -> DossierAnswer:
    """As a conversation asks: what can be told at once, else a read."""
    cached = await service.cached([wanted], proving=[wanted])
    return cached[wanted] if cached else (await service.find([wanted], proving=[wanted]))[wanted]


async def steps_of_proving(known: bool, layout: str, failing: str) -> tuple[list[str], list[str], list[int]]:  # noqa: FBT001
    """What the near cache, the far cache and the sources are asked for by somebody who asks again and again."""
    names = ("first", "second", "third")
    states = {KNOWN.text: DossierStatus.IN_PROCESS} if known else {}
    failure = SourceUnavailable("away")
    sources = [
        FakeSource(name, states=states if name == "first" else {}, failure=failure if name == failing else None)
        for name in names
    ]
    passes_to = names[1:] if layout == "passes" else ()
    asked = [routed(sources[0], default=True, passes_to=passes_to)]
    if layout != "one":
        asked += [routed(each, default=True) for each in sources[1:]]
    clock = Clock()
    near, far = CountingCache(MemoryStatusCache(clock)), CountingCache(MemoryStatusCache(clock))
    d = Desk(sources=tuple(asked), clock=clock, cache=TwoLevelCache(near, far, clock))
    for wait in (0, 10, 10, 50):
        clock.forward(seconds=wait)
        answer = await prove(d.service, KNOWN)
        if failing:
            assert answer.outcome is Outcome.SOURCE_DOWN
        else:
            assert answer.outcome is (Outcome.FOUND if known else Outcome.NOT_FOUND)
    await d.service.close()
    return near.calls, far.calls, [len(source.reads) for source in sources]


@pytest.mark.parametrize("failing", ["", "second", "third"])
@pytest.mark.parametrize("layout", ["one", "fallbacks", "passes"])
async def test_who_proves_causes_the_same_reads_whether_or_not_there_is_a_dossier(layout: str, failing: str) -> None:
    if layout == "one" and failing:
        return
    found = await steps_of_proving(True, layout, failing)
    not_found = await steps_of_proving(False, layout, failing)
    assert found == not_found
    reads = 4 if failing else 3  # at 0, 20 and 70 s; without an outage that of 10 s is answered from the cache
    assert found[2] == [reads, *([0, 0] if layout == "one" else [reads, reads])]


async def test_what_others_were_told_is_told_to_who_proves_no_longer_than_not_found_would_be() -> None:
    d = desk()
    await d.service.find([KNOWN])
    d.clock.forward(seconds=14)
    assert list(await d.service.cached([KNOWN], proving=[KNOWN])) == [KNOWN]
    d.clock.forward(seconds=1)
    assert await d.service.cached([KNOWN], proving=[KNOWN]) == {}
    assert list(await d.service.cached([KNOWN])) == [KNOWN]
    await d.service.find([KNOWN], proving=[KNOWN])
    assert len(d.source.reads) == 2


async def test_who_proves_and_who_does_not_share_a_read() -> None:
    d = desk(gate=asyncio.Event())
    asking = [asyncio.ensure_future(d.service.find([KNOWN], proving=proving)) for proving in ([KNOWN], [])]
    await turns()
    assert d.source.gate is not None
    d.source.gate.set()
    for answers in await asyncio.gather(*asking):
        assert answers[KNOWN].outcome is Outcome.FOUND
    assert d.source.reads == [[KNOWN.text]]
