"""A province has several one-stop systems, some of them slow or down: who is asked, waited for and believed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from domain.answers import Outcome
from domain.codes import DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.errors import SourceUnavailable
from lookup.limits import SourceLimits
from lookup.service import LookupSettings
from tests.unit.looking_up import KNOWN, NATIONAL, NO_RETRY, UNKNOWN, Desk, FakeSource, code, routed, told, turns

AN_HOUR = SourceLimits(time_limit=3600.0, retry=NO_RETRY)
A_MOMENT = SourceLimits(time_limit=0.2, retry=NO_RETRY)
IMPATIENT = LookupSettings(hedge_after=0.01)


def two(first: FakeSource, second: FakeSource) -> Desk:
    return Desk(
        sources=(
            routed(first, prefixes=("H51",), default=True),
            routed(second, prefixes=("H13",), default=True),
        )
    )


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


async def test_code_that_one_source_cannot_read_is_asked_of_the_next() -> None:
    first = FakeSource("first", poison={NATIONAL.text}, states={"G09-1": DossierStatus.DONE})
    d = two(first, holding("second", NATIONAL))
    found = await d.service.find([NATIONAL, code("G09-1"), UNKNOWN])
    assert [told(found[each]).source for each in (NATIONAL, code("G09-1"))] == ["second", "first"]
    assert found[UNKNOWN].outcome is Outcome.NOT_FOUND


async def test_code_that_one_source_cannot_read_and_no_other_knows_is_source_down() -> None:
    d = two(FakeSource("first", poison={NATIONAL.text}), FakeSource("second"))
    found = await d.service.find([NATIONAL, code("G09-1")])
    assert [found[each].outcome for each in (NATIONAL, code("G09-1"))] == [Outcome.SOURCE_DOWN, Outcome.NOT_FOUND]


async def test_source_that_is_down_leaves_the_others_askers_alone() -> None:
    other = code("H13.18-250701-0001")
    d = two(
        FakeSource("first", failure=SourceUnavailable("x")),
        FakeSource("second", states={other.text: DossierStatus.DONE}),
    )
    found = await d.service.find([KNOWN, other])
    assert (found[KNOWN].outcome, found[other].outcome) == (Outcome.SOURCE_DOWN, Outcome.FOUND)


async def test_code_nobody_answers_for_is_not_found() -> None:
    d = Desk(sources=(routed(FakeSource(), prefixes=("H51",)),))
    assert await d.outcome(NATIONAL) is Outcome.NOT_FOUND


# ---- silence


def hanging(name: str) -> FakeSource:
    return FakeSource(name, gate=asyncio.Event())


def behind(first: FakeSource, second: FakeSource, limits: SourceLimits) -> Desk:
    """`first` is asked first for national codes, `second` then; codes of H13 are the second's alone."""
    return Desk(
        settings=IMPATIENT,
        sources=(
            routed(first, default=True, limits=limits),
            routed(second, prefixes=("H13",), default=True),
        ),
    )


def holding(name: str, *codes: DossierCode) -> FakeSource:
    return FakeSource(name, states={each.text: DossierStatus.DONE for each in codes})


async def test_source_that_hangs_does_not_hold_up_what_the_next_one_knows() -> None:
    """However many ask: its reads fill nobody's slots but its own."""
    codes = [code(f"G09-{number}") for number in range(20)]
    d = behind(slow := hanging("slow"), holding("quick", *codes), AN_HOUR)
    for each in codes:
        answer = await d.answer(each)
        assert (answer.outcome, told(answer).source) == (Outcome.FOUND, "quick")
    assert len(slow.reads) == 2
    assert not d.counted["unavailable", "slow"]
    await d.service.close()


async def test_source_that_hangs_does_not_touch_codes_of_another() -> None:
    own = code("H13.18-250701-0001")
    d = behind(slow := hanging("slow"), holding("quick", own), AN_HOUR)
    waiting = [asyncio.ensure_future(d.outcome(code(f"G09-{number}"))) for number in range(20)]
    await slow.asked.wait()
    assert await d.outcome(own) is Outcome.FOUND
    assert not any(each.done() for each in waiting)
    await d.service.close()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_those_who_wait_for_the_slow_one_keep_nobody_from_asking_the_next() -> None:
    d = behind(hanging("slow"), holding("quick", NATIONAL), AN_HOUR)
    waiting = []
    for number in range(5):
        waiting.append(asyncio.ensure_future(d.outcome(code(f"G09-{number}"))))
        await turns()
    assert await d.outcome(NATIONAL) is Outcome.FOUND
    assert not any(each.done() for each in waiting)
    await d.service.close()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_code_that_is_known_does_not_wait_for_one_that_is_not() -> None:
    """Asked for in the same moment, they travel in the same read."""
    d = behind(hanging("slow"), holding("quick", NATIONAL), A_MOMENT)
    unknown = asyncio.ensure_future(d.outcome(code("G09-1")))
    assert await d.outcome(NATIONAL) is Outcome.FOUND
    assert not unknown.done()
    assert await unknown is Outcome.SOURCE_DOWN


async def test_not_found_is_said_only_when_the_slow_one_was_heard_too() -> None:
    d = behind(slow := hanging("slow"), quick := FakeSource("quick"), AN_HOUR)
    asking = asyncio.ensure_future(d.outcome(NATIONAL))
    await quick.asked.wait()
    await turns()
    assert not asking.done()
    assert slow.gate is not None
    slow.gate.set()
    assert await asking is Outcome.NOT_FOUND


async def test_slow_source_that_answers_after_all_is_told() -> None:
    d = behind(slow := hanging("slow"), quick := FakeSource("quick"), AN_HOUR)
    slow.states[NATIONAL.text] = DossierStatus.DONE
    asking = asyncio.ensure_future(d.answer(NATIONAL))
    await quick.asked.wait()
    assert slow.gate is not None
    slow.gate.set()
    assert told(await asking).source == "slow"


async def test_answer_found_behind_a_silent_source_is_kept_as_briefly_as_not_found() -> None:
    d = behind(hanging("slow"), holding("quick", NATIONAL), A_MOMENT)
    await d.outcome(NATIONAL)
    d.clock.forward(seconds=14)
    assert list(await d.service.cached([NATIONAL])) == [NATIONAL]
    d.clock.forward(seconds=1)
    assert await d.service.cached([NATIONAL]) == {}


async def test_source_that_hangs_for_ever_is_soon_left_alone_and_nobody_waits_for_it_any_more() -> None:
    limits = SourceLimits(time_limit=0.2, retry=NO_RETRY, breaker_failures=2)
    d = behind(slow := hanging("slow"), holding("quick", NATIONAL), limits)
    unknown = [asyncio.ensure_future(d.outcome(code(f"G09-{number}"))) for number in range(3)]
    assert await asyncio.gather(*unknown) == [Outcome.SOURCE_DOWN] * 3
    assert await d.outcome(code("G09-4")) is Outcome.SOURCE_DOWN
    assert len(slow.reads) == 2
    for _ in range(20):
        assert await d.outcome(code("G09-5")) is Outcome.SOURCE_DOWN
        d.clock.forward(seconds=0.4)
    assert len(slow.reads) == 2
    d.clock.forward(seconds=10)
    assert await d.outcome(code("G09-6")) is Outcome.SOURCE_DOWN
    assert len(slow.reads) == 3


async def test_who_proves_waits_for_every_source_whatever_the_others_know() -> None:
    d = behind(hanging("slow"), holding("quick", NATIONAL), A_MOMENT)
    unknown = code("G09-1")
    answers = await d.service.find([NATIONAL, unknown], proving=[NATIONAL, unknown])
    assert [answers[each].outcome for each in (NATIONAL, unknown)] == [Outcome.SOURCE_DOWN] * 2
    assert told(answers[NATIONAL]).source == "quick"
    assert await d.service.cached([NATIONAL]) == {}


async def test_who_proves_is_not_answered_sooner_for_what_another_source_knows() -> None:
    d = behind(hanging("slow"), holding("quick", NATIONAL), AN_HOUR)
    proving = asyncio.ensure_future(d.service.find([NATIONAL], proving=[NATIONAL]))
    await turns()
    assert await d.outcome(NATIONAL) is Outcome.FOUND
    await turns()
    assert not proving.done()
    await d.service.close()
    await asyncio.gather(proving, return_exceptions=True)


async def test_each_source_has_its_own_limits() -> None:
    d = Desk(
        sources=(
            routed(hanging("slow"), prefixes=("H51",), limits=A_MOMENT),
            routed((other := hanging("other")), prefixes=("H13",), limits=AN_HOUR),
        ),
    )
    patient = asyncio.ensure_future(d.outcome(code("H13-1")))
    assert await d.outcome(KNOWN) is Outcome.SOURCE_DOWN
    assert d.counted == {("unavailable", "slow"): 1}
    assert not patient.done()
    assert other.gate is not None
    other.gate.set()
    assert await patient is Outcome.NOT_FOUND


# ---- a dossier that passes from one system to another

MORNING = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


def row(source: str, status: DossierStatus, hours: int) -> Dossier:
    moved = MORNING + timedelta(hours=hours)
    return Dossier(code=KNOWN, source=source, status=status, agency=source, changed_at=moved)


def passing(commune: FakeSource, province: FakeSource) -> Desk:
    return Desk(
        settings=IMPATIENT,
        sources=(
            routed(commune, prefixes=("H51",), passes_to=("province",), limits=A_MOMENT),
            routed(province, prefixes=("H13",), limits=A_MOMENT),
        ),
    )


def both(in_commune: int = 1, in_province: int = 2) -> tuple[FakeSource, FakeSource]:
    commune = FakeSource("commune", dossiers={KNOWN.text: row("commune", DossierStatus.ACCEPTED, in_commune)})
    province = FakeSource("province", dossiers={KNOWN.text: row("province", DossierStatus.DONE, in_province)})
    return commune, province


async def test_dossier_that_passed_on_is_told_by_who_moved_it_last() -> None:
    d = passing(*both())
    assert told(await d.answer(KNOWN)).source == "province"
    d = passing(*both(in_commune=3))
    assert told(await d.answer(KNOWN)).source == "commune"


async def test_systems_a_dossier_may_pass_to_are_asked_at_the_same_time() -> None:
    commune, province = both()
    commune.gate = asyncio.Event()
    d = Desk(sources=passing(commune, province).sources)  # an hour and a second of patience: neither is used
    asking = asyncio.ensure_future(d.answer(KNOWN))
    await asyncio.gather(commune.asked.wait(), province.asked.wait())
    commune.gate.set()
    assert told(await asking).source == "province"


@pytest.mark.parametrize("trouble", ["down", "silent", "poison"])
async def test_later_state_we_know_from_a_system_that_is_away_is_not_undone_by_another(trouble: str) -> None:
    commune, province = both()
    d = passing(commune, province)
    read_at = d.clock.now
    await d.answer(KNOWN)
    d.clock.forward(hours=1)
    if trouble == "down":
        province.failure = SourceUnavailable("away")
    elif trouble == "poison":
        province.poison = {KNOWN.text}
    else:
        province.gate = asyncio.Event()
    for _ in range(2):
        answer = await d.answer(KNOWN)
        assert (answer.outcome, told(answer).source, answer.as_of) == (Outcome.SOURCE_DOWN, "province", read_at)
    commune.dossiers[KNOWN.text] = row("commune", DossierStatus.IN_PROCESS, 5)
    answer = await d.answer(KNOWN)
    assert (answer.outcome, told(answer).source) == (Outcome.FOUND, "commune")


async def test_what_one_system_knows_is_told_while_the_other_is_away_and_was_never_heard() -> None:
    commune, province = both()
    province.failure = SourceUnavailable("away")
    d = passing(commune, province)
    assert (await d.answer(KNOWN)).outcome is Outcome.FOUND
    assert await d.outcome(UNKNOWN) is Outcome.SOURCE_DOWN
