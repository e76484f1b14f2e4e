"""Broadcasts when things go wrong, by the expander over both engines: a stuck one goes on by itself, what failed is sent
again and nothing else, a pause and a stop hold at once, and an approval ends.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any, TypeAlias

import pytest

from console.broadcasts.ports import Standing
from conversation.ports import JournalBatch
from domain.broadcasts import Broadcast, BroadcastAction, BroadcastState, Refusal
from domain.errors import StoreError
from domain.message import SendResult, SendStatus
from notifications.course import Course, Step
from tests.contract.broadcasting import APPROVER, AUTHOR, SCOPE, done, follow, noted, office, person, submitted
from tests.contract.stores import ACCOUNT, START, Store, StoreKit
from tests.contract.test_broadcasting import (
    BROKEN,
    NUMBERS,
    Figures,
    Numbers,
    approved,
    expander,
    leave,
    run_to_the_end,
    standing,
)

A: TypeAlias = BroadcastAction
S: TypeAlias = BroadcastState


async def told(kit: StoreKit, it: Broadcast) -> Counter[str]:
    """How many messages each person has of it."""
    return Counter(row["recipient"] for row in await kit.rows("outbox") if row["broadcast_id"] == it.id)


def everybody(*numbers: int) -> Counter[str]:
    return Counter(person(number).urn for number in numbers)


# ---- a stuck one heals itself


async def test_what_a_dead_process_began_another_ends_and_nobody_gets_two(store_kit: StoreKit, store: Store) -> None:
    """It dies with messages written, claimed, and handed over."""
    await follow(store_kit, *range(1, 15))
    it, first = await approved(store_kit, store), expander(store_kit, store)
    for _ in range(2):
        await first.tick()
    claimed = [each.id for each in await store.claim(ACCOUNT, 4)]
    await store.hand_over(claimed[:1])
    await store_kit.crash(store)
    heir, figures = await store_kit.open(), Figures()
    await heir.recover()
    left = await run_to_the_end(store_kit, heir, it, expander(store_kit, heir, figures=figures))
    assert (await standing(heir, it)).broadcast.state is S.DONE
    assert await told(store_kit, it) == everybody(*range(1, 15))
    in_doubt = {claimed[0]}
    assert len(left) == len({each.id for each in left}) == 13
    assert in_doubt.isdisjoint(each.id for each in left), "what may have left is not sent blindly again"
    store_kit.clock.advance(60)
    await expander(store_kit, heir).tick()
    tally = (await standing(heir, it)).tally
    assert (tally.sent, tally.failed) == (13, 1), "it is told as unknown, and may be sent again by somebody"
    assert figures.events["taken_over"] == 1


async def test_what_waits_for_a_source_goes_on_with_it_and_is_counted(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    contacts, figures = Numbers(named={"H51.18-210817-0001": ["84911"]}, away=True), Figures()
    it = await approved(store_kit, store, audience=NUMBERS)
    expanding = expander(store_kit, store, contacts, figures)
    for _ in range(4):
        await expanding.tick()
    assert figures.events == {"start": 1, "stuck": 1}
    assert expanding.under_way == {"running": 1}
    contacts.away = False
    assert len(await run_to_the_end(store_kit, store, it, expanding)) == 1
    assert figures.events == {"start": 1, "stuck": 1, "healed": 1, "finish": 1}
    assert +figures.people == {"written": 1}


async def test_a_fault_is_told_once_however_often_it_is_met(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    await approved(store_kit, store, texts={"vi": BROKEN})
    figures = Figures()
    expanding = expander(store_kit, store, figures=figures)
    for _ in range(5):
        await expanding.tick()
    assert figures.events == {"start": 1, "stuck": 1}


async def test_while_the_store_is_away_nothing_is_lost_or_doubled(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, *range(1, 9))
    it, expanding = await approved(store_kit, store), expander(store_kit, store)
    await expanding.tick()
    with store_kit.locked():
        for _ in range(2):
            with pytest.raises(StoreError):
                await expanding.tick()
    await run_to_the_end(store_kit, store, it, expanding)
    assert await told(store_kit, it) == everybody(*range(1, 9))


# ---- only what failed


async def test_only_whom_it_did_not_reach_get_the_resend(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, *range(1, 7))
    it, expanding = await approved(store_kit, store, canary=0), expander(store_kit, store)
    await expanding.tick()
    await expanding.tick()
    claimed = sorted(await store.claim(ACCOUNT, 9), key=lambda each: each.recipient.value)
    await store.hand_over([each.id for each in claimed])
    failing = {2: SendStatus.REJECTED, 4: SendStatus.UNKNOWN}
    results = [
        SendResult(
            message_id=each.id, status=failing.get(number, SendStatus.ACCEPTED), reason="x" * (number in failing)
        )
        for number, each in enumerate(claimed, 1)
    ]
    await store.commit(JournalBatch(results=results))
    for _ in range(3):
        store_kit.clock.advance(2)
        await expanding.tick()
    assert (await standing(store, it)).broadcast.state is S.DONE
    resent = await office(store).resend(it.id, store_kit.new_id(), AUTHOR, SCOPE, noted(store_kit))
    assert isinstance(resent, Standing), resent
    again = await done(store_kit, store, resent.broadcast, A.SUBMIT, AUTHOR)
    assert again.people == 2
    again = await done(store_kit, store, again, A.APPROVE, APPROVER)
    await follow(store_kit, 20)  # who came since was never meant
    left = await run_to_the_end(store_kit, store, again, expander(store_kit, store))
    assert sorted(each.recipient.value for each in left) == [person(2).value, person(4).value]
    assert await told(store_kit, it) == everybody(*range(1, 7))


# ---- a pause and a stop hold at once


@pytest.mark.parametrize("action", [A.PAUSE, A.STOP])
async def test_from_the_moment_it_is_told_nothing_more_leaves(store_kit: StoreKit, store: Store, action: A) -> None:
    """Before anybody looked: neither what waits is claimed, nor what was claimed handed over, nor more written."""
    await follow(store_kit, *range(1, 30))
    it, expanding = await approved(store_kit, store), expander(store_kit, store)
    await expanding.tick()
    await expanding.tick()
    under_way = await store.mass_mail().under_way()
    claimed = [each.id for each in await store.claim(ACCOUNT, 2)]
    await done(store_kit, store, (await standing(store, it)).broadcast, action, AUTHOR)
    assert await store.claim(ACCOUNT, 9) == []
    assert await store.hand_over(claimed) == frozenset()
    before = await store_kit.rows("outbox")
    step = Step(course=Course.read(under_way[0].position), walk="", at=under_way[0].position, most=3)
    assert await expanding.portions.write(under_way[0], step) is None
    assert len(await store_kit.rows("outbox")) == len(before)
    await expanding.tick()
    states = Counter(row["state"] for row in await store_kit.rows("outbox"))
    assert states == {"held" if action is A.PAUSE else "dropped": 6}


async def test_what_was_resumed_goes_to_everybody_once(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, *range(1, 20))
    it, expanding = await approved(store_kit, store), expander(store_kit, store)
    left = []
    for _ in range(3):
        await expanding.tick()
        left += await leave(store_kit, store, 2)
        await done(store_kit, store, (await standing(store, it)).broadcast, A.PAUSE, AUTHOR)
        await expanding.tick()
        await done(store_kit, store, (await standing(store, it)).broadcast, A.RESUME, AUTHOR)
    left += await run_to_the_end(store_kit, store, it, expanding)
    assert Counter(each.recipient.urn for each in left) == everybody(*range(1, 20))


# ---- an approval ends


async def test_an_approval_that_ended_starts_nothing_and_another_is_needed(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    it = await approved(store_kit, store, starts_at=START + timedelta(hours=2))
    store_kit.clock.advance(26 * 3600)
    expanding = expander(store_kit, store)
    for _ in range(3):
        await expanding.tick()
    assert (await standing(store, it)).broadcast.state is S.DRAFT
    assert await store_kit.rows("outbox") == []
    assert not await store.mass_mail().move(it, A.START, store_kit.new_id(), seal=it.seal), "nor by its old seal"
    lapsed = (await standing(store, it)).broadcast
    refused: Any = await office(store).act(
        lapsed.id, lapsed.version, A.APPROVE, APPROVER, SCOPE, noted(store_kit, APPROVER)
    )
    assert refused is Refusal.NOT_NOW
    again = await done(store_kit, store, lapsed, A.SUBMIT, AUTHOR)
    again = await done(store_kit, store, again, A.APPROVE, APPROVER)
    assert len(await run_to_the_end(store_kit, store, again, expanding)) == 1


async def test_an_approval_is_used_to_its_last_moment(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    it = await done(store_kit, store, await submitted(store_kit, store), A.APPROVE, APPROVER)
    assert it.approved_until is not None
    store_kit.clock.now = it.approved_until - timedelta(seconds=1)
    await expander(store_kit, store).tick()
    assert (await standing(store, it)).broadcast.state is S.RUNNING


# ---- longer than anybody foresaw


async def test_one_whose_own_text_is_too_long_is_left_out_and_told(store_kit: StoreKit, store: Store) -> None:
    """What a one-stop system says may be longer than any text was measured by."""
    await follow(store_kit, 1, 2)
    it, expanding = await approved(store_kit, store), expander(store_kit, store)
    expanding.portions.fits = lambda text: "0001" not in text
    left = await run_to_the_end(store_kit, store, it, expanding)
    assert [each.recipient for each in left] == [person(2)]
    assert (await standing(store, it)).tally.left_out == {"too_long": 1}
