"""Where is my dossier? An answer for every code, whatever the source does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from adapters.memory.cache import MemoryStatusCache
from domain.answers import Outcome
from domain.codes import CodeFamily, DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.errors import SettingsError, SourceMisread, SourceUnavailable
from lookup.cache import TwoLevelCache
from lookup.retry import RetryPolicy
from lookup.routing import RoutedSource, Router
from lookup.service import LookupService, LookupSettings

NO_RETRY = RetryPolicy(attempts=1)
SETTINGS = LookupSettings(retry=NO_RETRY)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


def code(text: str, agency: str | None = None) -> DossierCode:
    return DossierCode(text=text, agency=text.partition("-")[0] if agency is None else agency)


@dataclass
class FakeSource:
    """A one-stop system in a dictionary; `failure` is raised while it is set, `gate` holds reads back."""

    name: str = "h51"
    states: dict[str, DossierStatus] = field(default_factory=dict)
    failure: Exception | None = None
    failures_left: int = -1
    gate: asyncio.Event | None = None
    reads: list[list[str]] = field(default_factory=list)

    async def find(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Dossier]:
        self.reads.append([each.text for each in codes])
        states = dict(self.states)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None and self.failures_left != 0:
            self.failures_left -= 1
            raise self.failure
        return {
            each: Dossier(code=each, source=self.name, status=states[each.text], agency=each.agency)
            for each in codes
            if each.text in states
        }

    async def check(self) -> str:
        return "ok"


@dataclass
class Desk:
    """A service with everything around it."""

    source: FakeSource = field(default_factory=FakeSource)
    clock: Clock = field(default_factory=Clock)
    settings: LookupSettings = SETTINGS
    sources: tuple[RoutedSource, ...] = ()
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        routed = self.sources or (RoutedSource(source=self.source, prefixes=("H51",), default=True),)
        self.cache = MemoryStatusCache(self.clock)
        self.service = LookupService(
            router=Router(routed), cache=self.cache, clock=self.clock, settings=self.settings, count=self.count
        )

    def count(self, event: str, source: str) -> None:
        self.counted[event, source] += 1

    async def outcome(self, wanted: DossierCode) -> Outcome:
        return (await self.service.find([wanted]))[wanted].outcome


KNOWN = code("H51.18-210817-0005")
UNKNOWN = code("H51.18-210817-0006")


def desk(**options: object) -> Desk:
    return Desk(source=FakeSource(states={KNOWN.text: DossierStatus.IN_PROCESS}, **options))  # type: ignore[arg-type]


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
            RoutedSource(source=source, prefixes=("H51",), default=True),
            RoutedSource(source=FakeSource(name="other"), prefixes=("H13",)),
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
    assert len(source.reads) == 4


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
        settings=LookupSettings(retry=RetryPolicy(attempts=3, first_wait=0.001, longest_wait=0.001)),
    )
    assert await d.outcome(KNOWN) is Outcome.FOUND
    assert len(d.source.reads) == 3
    assert d.counted == {("answered", "h51"): 1}


async def test_misread_answer_is_not_tried_again() -> None:
    d = Desk(source=FakeSource(failure=SourceMisread("no such column")), settings=LookupSettings())
    await d.service.find([KNOWN])
    assert len(d.source.reads) == 1


async def test_attempts_are_bounded_in_number_and_in_time() -> None:
    quick = RetryPolicy(attempts=3, first_wait=0.001, longest_wait=0.001)
    d = Desk(source=FakeSource(failure=SourceUnavailable("away")), settings=LookupSettings(retry=quick))
    assert await d.outcome(KNOWN) is Outcome.SOURCE_DOWN
    assert len(d.source.reads) == 3
    late = Desk(
        source=FakeSource(failure=SourceUnavailable("away")),
        settings=LookupSettings(retry=RetryPolicy(attempts=3, first_wait=3600, longest_wait=3600, total=0)),
    )
    assert await late.outcome(KNOWN) is Outcome.SOURCE_DOWN
    assert len(late.source.reads) == 1


async def test_hanging_source_is_down_after_its_time_limit() -> None:
    d = Desk(source=FakeSource(gate=asyncio.Event()), settings=LookupSettings(time_limit=0.01, retry=NO_RETRY))
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


async def test_asker_who_leaves_takes_nothing_from_the_others() -> None:
    d = desk(gate=asyncio.Event())
    impatient = asyncio.ensure_future(d.service.find([KNOWN]))
    patient = asyncio.ensure_future(d.service.find([KNOWN]))
    await turns()
    impatient.cancel()
    assert d.source.gate is not None
    d.source.gate.set()
    assert (await patient)[KNOWN].outcome is Outcome.FOUND


# ---- several sources


def two(first: FakeSource, second: FakeSource) -> Desk:
    return Desk(
        sources=(
            RoutedSource(source=first, prefixes=("H51",), default=True),
            RoutedSource(source=second, prefixes=("H13",), default=True),
        )
    )


NATIONAL = code("G09.20-20260609-0092637")


async def test_undeclared_code_goes_to_the_defaults_in_order_until_one_knows_it() -> None:
    first, second = FakeSource("first"), FakeSource("second", states={NATIONAL.text: DossierStatus.DONE})
    d = two(first, second)
    answer = (await d.service.find([NATIONAL]))[NATIONAL]
    assert answer.dossier is not None
    assert answer.dossier.source == "second"
    assert (len(first.reads), len(second.reads)) == (1, 1)
    first.states[NATIONAL.text] = DossierStatus.DONE
    await d.service.drop([NATIONAL])
    answer = (await d.service.find([NATIONAL]))[NATIONAL]
    assert answer.dossier is not None
    assert answer.dossier.source == "first"
    assert len(second.reads) == 1


@pytest.mark.parametrize("down", ["first", "second"])
async def test_one_default_down_and_the_code_nowhere_is_source_down(down: str) -> None:
    d = two(
        *(FakeSource(name, failure=SourceUnavailable("x") if name == down else None) for name in ("first", "second"))
    )
    assert await d.outcome(NATIONAL) is Outcome.SOURCE_DOWN
    assert await d.service.cached([NATIONAL]) == {}


async def test_one_default_down_and_the_other_knows_it_is_found() -> None:
    second = FakeSource("second", states={NATIONAL.text: DossierStatus.DONE})
    d = two(FakeSource("first", failure=SourceUnavailable("x")), second)
    assert await d.outcome(NATIONAL) is Outcome.FOUND


async def test_source_that_is_down_leaves_the_others_askers_alone() -> None:
    other = code("H13.18-250701-0001")
    d = two(
        FakeSource("first", failure=SourceUnavailable("x")),
        FakeSource("second", states={other.text: DossierStatus.DONE}),
    )
    found = await d.service.find([KNOWN, other])
    assert (found[KNOWN].outcome, found[other].outcome) == (Outcome.SOURCE_DOWN, Outcome.FOUND)


async def test_code_nobody_answers_for_is_not_found() -> None:
    d = Desk(sources=(RoutedSource(source=FakeSource(), prefixes=("H51",)),))
    assert await d.outcome(NATIONAL) is Outcome.NOT_FOUND


ROUTES = [
    ("H51", "province"),
    ("H51.18", "department"),
    ("H51.18.03", "department"),
    ("H51.180", "province"),
    ("000.00.18.H51", "department"),
    ("000.00.00.H51", "province"),
    ("000.18.29.H51", "province"),
    ("H5", "rest"),
    ("H13", "rest"),
    ("", "rest"),
]


@pytest.mark.parametrize(("agency", "expected"), ROUTES)
def test_longest_declared_agency_prefix_decides(agency: str, expected: str) -> None:
    router = Router(
        [
            RoutedSource(source=FakeSource("province"), prefixes=("H51",)),
            RoutedSource(source=FakeSource("department"), prefixes=("000.00.18.H51",)),
            RoutedSource(source=FakeSource("rest"), default=True),
        ]
    )
    route = router.route(DossierCode(text="x", family=CodeFamily.NEW, agency=agency))
    assert [source.name for source in route.sources] == [expected]


def test_router_refuses_what_cannot_work() -> None:
    with pytest.raises(SettingsError, match="no one-stop system"):
        Router([])
    with pytest.raises(SettingsError, match="same name"):
        Router([RoutedSource(source=FakeSource(), default=True)] * 2)
    with pytest.raises(SettingsError, match="nothing would be asked of h51"):
        Router([RoutedSource(source=FakeSource())])


def test_settings_refuse_what_cannot_work() -> None:
    for wrong in (
        {"time_limit": 0.0},
        {"in_flight": 0},
        {"largest_batch": 0},
        {"stale_for": timedelta(seconds=1)},
        {"not_found_for": timedelta(seconds=-1)},
    ):
        with pytest.raises(ValueError, match=r"at least|not negative"):
            LookupSettings(**wrong)
    with pytest.raises(ValueError, match="at least 1"):
        RetryPolicy(attempts=0)


# ---- two caches


async def test_near_cache_is_asked_first_and_learns_from_the_far_one() -> None:
    d = desk()
    near, far = MemoryStatusCache(d.clock), MemoryStatusCache(d.clock)
    other_gateway = LookupService(
        router=Router([RoutedSource(source=d.source, default=True)]), cache=far, clock=d.clock, settings=SETTINGS
    )
    await other_gateway.find([KNOWN])
    both = TwoLevelCache(near, far, d.clock)
    service = LookupService(
        router=Router([RoutedSource(source=d.source, default=True)]), cache=both, clock=d.clock, settings=SETTINGS
    )
    assert list(await service.cached([KNOWN, UNKNOWN])) == [KNOWN]
    assert len(near) == 1
    assert len(d.source.reads) == 1


async def test_stale_near_answer_gives_way_to_a_newer_far_one() -> None:
    d = desk()
    near, far = MemoryStatusCache(d.clock), MemoryStatusCache(d.clock)
    both = TwoLevelCache(near, far, d.clock)
    route = [RoutedSource(source=d.source, default=True)]
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
        router=Router([RoutedSource(source=d.source, default=True)]), cache=both, clock=d.clock, settings=SETTINGS
    )
    await service.find([KNOWN])
    assert (len(near), len(far)) == (1, 1)
    await service.drop([KNOWN])
    assert (len(near), len(far)) == (0, 0)
    await both.close()
    await service.close()


async def turns(count: int = 8) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
