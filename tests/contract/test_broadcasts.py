"""Broadcasts on both engines: nothing leaves that two people did not want, nobody gets two, a stop is a stop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any, TypeAlias

import pytest
from sqlalchemy import Connection

from adapters.store.rows import to_ms
from console.broadcasts.ports import TESTED, TESTS_A_DAY, DayCount, FileRow, ResultCount, Standing, Upload
from conversation.ports import JournalBatch
from domain.broadcasts import Audience, AudienceKind, Broadcast, BroadcastAction, BroadcastState, Refusal, most_people
from domain.errors import StoreError
from domain.message import Category, OutboundMessage, SendResult, SendStatus
from domain.officers import Officer, OfficerRole
from notifications.ports import Portion, UnderWay
from tests.contract.broadcasting import (
    APPROVER,
    AUTHOR,
    BOTH,
    FOLLOWERS,
    GOOD_FOR,
    SCOPE,
    TEXTS,
    done,
    draft,
    follow,
    message,
    noted,
    office,
    officer,
    only,
    person,
    reference,
    running,
    submitted,
    written,
)
from tests.contract.stores import ACCOUNT, SHORT_CODE, Store, StoreKit

A: TypeAlias = BroadcastAction
FILE = Audience(kind=AudienceKind.FILE, agencies=("H51.18",), basis="Quyết định 40/2016")
TO_NAMES = {"vi": "Chào {ten}"}
AROUND = SCOPE | {"H51.19", "H51.20"}
NUMBERS = replace(FILE, kind=AudienceKind.NUMBERS)


async def act(
    kit: StoreKit, store: Store, it: Broadcast, action: A, by: Officer, *, scope: frozenset[str] = SCOPE
) -> Any:
    broadcasts = office(store)
    return await broadcasts.act(it.id, it.version, action, by, scope, noted(kit, by, f"broadcast.{action}", it.id))


# ---- writing one


async def test_another_agencys_broadcast_is_not_there(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    it, elsewhere = await submitted(store_kit, store), frozenset({"H51.19"})
    broadcasts = office(store)
    stranger = officer(20, OfficerRole.AUTHOR, OfficerRole.APPROVER, agency="H51.19")
    entry = noted(store_kit, stranger)
    assert await broadcasts.find(it.id, elsewhere) is None
    assert await broadcasts.listed(elsewhere, limit=9) == []
    assert await broadcasts.results(it.id, stranger, elsewhere, limit=9) is None
    assert await broadcasts.edit(it.id, it.version, draft(), stranger, elsewhere, entry) is None
    assert await broadcasts.resend(it.id, 5, stranger, elsewhere, entry) is None
    for action in A:
        assert await act(store_kit, store, it, action, stranger, scope=elsewhere) is None
    assert [row["action"] for row in await store_kit.rows("audit")] == ["broadcast.changed", "broadcast.submit"]


async def test_an_author_reaches_no_other_agencys_dossiers(store_kit: StoreKit, store: Store) -> None:
    wider = draft(audience=replace(FOLLOWERS, agencies=("H51.18", "H51.19")))
    broadcasts = office(store)
    assert await broadcasts.create(1, wider, AUTHOR, SCOPE, noted(store_kit)) is Refusal.NOT_ALLOWED
    made = await broadcasts.create(1, draft(), AUTHOR, SCOPE, noted(store_kit))
    assert isinstance(made, Standing)
    edited = await broadcasts.edit(1, made.broadcast.version, wider, AUTHOR, SCOPE, noted(store_kit))
    assert edited is Refusal.NOT_ALLOWED
    assert await broadcasts.create(2, draft(), APPROVER, SCOPE, noted(store_kit)) is Refusal.NOT_ALLOWED


async def test_a_form_sent_twice_makes_one_broadcast(store_kit: StoreKit, store: Store) -> None:
    broadcasts = office(store)
    made = [await broadcasts.create(7, draft(), AUTHOR, SCOPE, noted(store_kit)) for _ in range(2)]
    assert made[0] == made[1]
    assert isinstance(made[0], Standing)
    assert made[0].broadcast.texts == TEXTS
    assert await broadcasts.create(7, draft(), BOTH, SCOPE, noted(store_kit)) is Refusal.NOT_ALLOWED
    assert len(await store_kit.rows("audit")) == 1


async def test_what_was_looked_at_before_a_change_is_not_acted_upon(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    broadcasts = office(store)
    made = await broadcasts.create(7, draft(), AUTHOR, SCOPE, noted(store_kit))
    assert isinstance(made, Standing)
    before = made.broadcast
    edits = [
        broadcasts.edit(7, before.version, draft(title=f"Bản {n}"), AUTHOR, SCOPE, noted(store_kit)) for n in range(3)
    ]
    edited = await asyncio.gather(*edits)
    assert Counter(type(each) for each in edited) == {Standing: 1, Refusal: 2}
    assert await act(store_kit, store, before, A.SUBMIT, AUTHOR) is Refusal.CHANGED
    assert len(await store_kit.rows("audit")) == 2


async def test_the_newest_are_listed_first_page_by_page(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    made = [await submitted(store_kit, store) for _ in range(3)]
    await done(store_kit, store, made[0], A.STOP, AUTHOR)
    broadcasts, scope = office(store), SCOPE | {"H51"}
    listed = await broadcasts.listed(scope, limit=2)
    assert [each.broadcast.id for each in listed] == [made[2].id, made[1].id]
    rest = await broadcasts.listed(scope, before=made[1].id, limit=2)
    assert [each.broadcast.id for each in rest] == [made[0].id]
    stopped = await broadcasts.listed(scope, states=frozenset({BroadcastState.STOPPED}), limit=9)
    assert [each.broadcast.id for each in stopped] == [made[0].id]


# ---- four eyes


async def test_nobody_approves_what_they_wrote_edited_or_submitted(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    broadcasts = office(store)
    own = await submitted(store_kit, store, by=BOTH)
    assert await act(store_kit, store, own, A.APPROVE, BOTH) is Refusal.OWN
    back = await done(store_kit, store, own, A.SEND_BACK, APPROVER)
    edited = await broadcasts.edit(back.id, back.version, draft(), AUTHOR, SCOPE, noted(store_kit))
    assert isinstance(edited, Standing)
    again = await done(store_kit, store, edited.broadcast, A.SUBMIT, AUTHOR)
    assert await act(store_kit, store, again, A.APPROVE, BOTH) is Refusal.OWN
    approved = await done(store_kit, store, again, A.APPROVE, APPROVER)
    assert (approved.approved_by, approved.state) == (APPROVER.id, BroadcastState.APPROVED)
    assert approved.approved_until == store_kit.clock.now + GOOD_FOR


async def test_two_approvals_at_once_are_one(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    it = await submitted(store_kit, store)
    other = officer(30, OfficerRole.APPROVER)
    acted = await asyncio.gather(*(act(store_kit, store, it, A.APPROVE, by) for by in (APPROVER, other)))
    assert Counter(type(each) for each in acted) == {Standing: 1, Refusal: 1}
    assert [row["action"] for row in await store_kit.rows("audit")].count("broadcast.approve") == 1


async def test_an_audience_that_has_grown_needs_another_submission(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    it = await submitted(store_kit, store)
    assert it.people == 1
    await follow(store_kit, *range(2, most_people(1) + 1))
    [approved] = [await act(store_kit, store, it, A.APPROVE, APPROVER)]
    assert isinstance(approved, Standing)
    back = await done(store_kit, store, approved.broadcast, A.SEND_BACK, APPROVER)
    assert (back.seal, back.approved_by, back.people) == ("", None, 0)
    await follow(store_kit, 100)
    again = await done(store_kit, store, back, A.SUBMIT, AUTHOR)
    await follow(store_kit, *range(200, 200 + most_people(again.people)))
    assert await act(store_kit, store, again, A.APPROVE, APPROVER) is Refusal.CHANGED


async def test_what_reaches_nobody_is_not_submitted(store_kit: StoreKit, store: Store) -> None:
    broadcasts = office(store)
    made = await broadcasts.create(7, draft(), AUTHOR, SCOPE, noted(store_kit))
    assert isinstance(made, Standing)
    assert await act(store_kit, store, made.broadcast, A.SUBMIT, AUTHOR) is Refusal.EMPTY


async def test_what_changed_after_the_approval_is_not_started(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    approved = await done(store_kit, store, await submitted(store_kit, store), A.APPROVE, APPROVER)
    mail = store.mass_mail()
    assert not await mail.move(approved, A.START, store_kit.new_id(), seal="another")
    assert not await mail.move(replace(approved, version=1), A.START, store_kit.new_id(), seal=approved.seal)
    assert await mail.move(approved, A.LAPSE, store_kit.new_id(), why="changed")
    assert await mail.under_way() == []
    entry = (await store_kit.rows("audit"))[-1]
    assert (entry["action"], entry["login"], entry["agency"]) == ("broadcast.lapse", "tracuu", "H51.18")


async def test_a_locked_store_decides_nothing(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    it = await submitted(store_kit, store)
    with store_kit.locked(), pytest.raises(StoreError):
        await act(store_kit, store, it, A.APPROVE, APPROVER)
    assert (await store_kit.row("broadcast", it.id))["state"] == "submitted"
    assert len(await store_kit.rows("audit")) == 2


# ---- whom it goes to


async def test_who_follows_two_dossiers_is_counted_and_told_once(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1, 2, 3)
    await store_kit.put("subscription", store_kit.following(reference(2), recipient=person(1).urn))
    await store_kit.put("subscription", store_kit.following(reference(3), recipient="telegram:5", channel="telegram"))
    now = store_kit.now_ms()
    await store_kit.put("person", {"address": person(3).urn, "stopped_at": now, "updated_at": now})
    count = await office(store).count(FOLLOWERS, SCOPE)
    assert (count.people, count.taken_out, count.dossiers, count.more) == (
        {"sms": 2, "telegram": 1},
        {"stopped_all": 1},
        3,
        False,
    )
    preview = await office(store).preview(FOLLOWERS, SCOPE, limit=10)
    assert [(row.channel, row.recipient) for row in preview] == [
        ("sms", "84910***001"),
        ("sms", "84910***002"),
        ("telegram", "***5"),
    ]
    assert preview[0].facts is not None
    assert preview[0].facts.code.text == reference(1)


@pytest.mark.parametrize(
    ("narrowed", "meant"),
    [
        ({}, {1, 2, 3, 4, 5, 6}),
        ({"procedure": "2.000001"}, {1}),
        ({"statuses": (2,)}, {2}),
        ({"received_from": date(2026, 3, 3)}, {3}),
        ({"received_to": date(2026, 3, 1)}, {4}),
        ({"late": True}, {5}),
        ({"due_in_days": 1}, {6}),
        ({"due_in_days": 7, "statuses": (4,)}, {1, 3, 4, 6}),
        ({"agencies": ("H51.19",)}, {7}),
        ({"agencies": ("H51.18", "H51.19"), "late": True}, {5, 7}),
    ],
)
async def test_an_audience_is_narrowed(
    store_kit: StoreKit, store: Store, narrowed: dict[str, Any], meant: set[int]
) -> None:
    day = 86_400_000
    rows: dict[int, dict[str, Any]] = {
        1: {"procedure": "2.000001"},
        2: {"status": 2, "due_on": None},
        3: {"received_at": store_kit.now_ms() + day},
        4: {"received_at": store_kit.now_ms() - day},
        5: {"due_on": "2026-03-01"},
        6: {"due_on": "2026-03-03"},
        7: {"agency": "H51.19", "due_on": "2026-03-01", "status": None},
        8: {"status": 10, "due_on": "2026-03-01", "agency": "H51.20"},
        9: {"gone": True},
    }
    for number, changes in rows.items():
        await follow(store_kit, number, **changes)
    preview = await office(store).preview(replace(FOLLOWERS, **narrowed), AROUND, limit=20)
    assert {row.facts.code.text for row in preview if row.facts} == {reference(number) for number in meant}


async def test_the_audience_is_walked_in_small_stretches_without_a_gap(store_kit: StoreKit, store: Store) -> None:
    for number in range(1, 8):
        await follow(store_kit, number, status=number % 3 + 1 if number < 6 else None)
    others = [store_kit.following(reference(2), recipient=person(50 + n).urn) for n in range(5)]
    await store_kit.put("subscription", *others)
    under_way, mail, found = await running(store_kit, store), store.mass_mail(), list[str]()
    for _ in range(40):
        stretch = await mail.stretch(under_way, 2)
        assert len(stretch.candidates) <= 2
        found += [each.address.value for each in stretch.candidates if each.address]
        under_way = replace(under_way, position=stretch.position)
        if stretch.end:
            break
    assert stretch.end
    assert sorted(found) == sorted(person(n).value for n in (*range(1, 8), *range(50, 55)))


async def test_a_count_ends_at_its_limit_and_says_so(store_kit: StoreKit, store: Store) -> None:
    for status in (1, 2, 4):
        await follow(store_kit, *range(status * 10, status * 10 + 3), status=status)
    count = await office(store).count(FOLLOWERS, SCOPE, limit=1)
    assert count.dossiers == 3  # what one look brought: those of one state
    assert count.more


async def test_whose_day_is_full_is_counted_as_waiting(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1, 2)
    await store_kit.put("outbox", store_kit.notice(recipient=person(1).urn))
    day = DayCount(began=store_kit.clock.now, per_day=1)
    assert (await office(store).count(FOLLOWERS, SCOPE, day=day)).waits == 1


async def test_numbers_are_one_for_each_dossier_and_nobodys_name_is_shown(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1, 2)
    broadcasts = office(store)
    assert (await broadcasts.count(NUMBERS, SCOPE)).people == {"sms": 2}
    assert [row.recipient for row in await broadcasts.preview(NUMBERS, SCOPE, limit=5)] == ["", ""]


def rows(*numbers: int) -> list[FileRow]:
    return [FileRow(position=n, recipient=person(n), values={"ten": f"Ông {n}"}) for n in numbers]


async def test_a_list_is_what_was_taken_and_nothing_that_comes_later(store_kit: StoreKit, store: Store) -> None:
    broadcasts = office(store)
    made = await broadcasts.create(7, draft(audience=FILE, texts=TO_NAMES), AUTHOR, SCOPE, noted(store_kit))
    assert isinstance(made, Standing)
    assert await broadcasts.add_rows(7, 100, rows(1, 2, 3), SCOPE) == 3
    assert await broadcasts.add_rows(7, 100, [FileRow(position=9, recipient=person(1))], SCOPE) == 0
    assert (await broadcasts.count(FILE, SCOPE, identifier=7)).total == 0
    upload = Upload(id=100, digest="d1", rows=3, columns=("ten",))
    taken = await broadcasts.take_rows(7, made.broadcast.version, upload, AUTHOR, SCOPE, noted(store_kit))
    assert isinstance(taken, Standing)
    assert (taken.rows, taken.columns, taken.broadcast.audience.file) == (3, ["ten"], "d1")
    assert await broadcasts.add_rows(7, 100, rows(4), SCOPE) == 0
    assert await broadcasts.add_rows(8, 100, rows(5), SCOPE) == 0
    assert (await broadcasts.count(taken.broadcast.audience, SCOPE, identifier=7)).people == {"sms": 3}
    kept = await broadcasts.edit(
        7, taken.broadcast.version, draft(audience=FILE, texts=TO_NAMES), AUTHOR, SCOPE, noted(store_kit)
    )
    assert isinstance(kept, Standing)
    assert kept.broadcast.audience.file == "d1"
    it = await done(store_kit, store, kept.broadcast, A.SUBMIT, AUTHOR)
    later = Upload(id=101, digest="d2", rows=1)
    refused = await broadcasts.take_rows(7, it.version, later, AUTHOR, SCOPE, noted(store_kit))
    assert refused is Refusal.NOT_NOW
    stretch = await store.mass_mail().stretch(UnderWay(broadcast=it), 2)
    assert [each.values for each in stretch.candidates] == [{"ten": "Ông 1"}, {"ten": "Ông 2"}]


# ---- on its way


async def test_a_stretch_is_written_once_whoever_writes_it(store_kit: StoreKit, store: Store) -> None:
    under_way, mail = await _running(store_kit, store), store.mass_mail()
    portions = [
        Portion(
            broadcast=under_way.broadcast.id, before="", after="a", end=False, messages=[message(store_kit, person(1))]
        )
        for _ in range(3)
    ]
    assert sorted(await asyncio.gather(*map(mail.write, portions))) == [False, False, True]
    again = Portion(
        broadcast=under_way.broadcast.id,
        before="a",
        after="b",
        end=True,
        messages=[message(store_kit, person(1)), message(store_kit, person(2), dropped="stopped_all")],
        left_out={"repeated": 2},
    )
    assert await mail.write(again)
    now = await only(mail)
    assert (now.position, now.written, now.all_written, now.left_out) == ("b", 1, True, {"repeated": 2})
    states = [(row["recipient"], row["state"], row["reason"]) for row in await store_kit.rows("outbox")]
    assert states == [(person(1).urn, "ready", None), (person(2).urn, "dropped", "stopped_all")]


async def test_a_process_that_dies_in_the_middle_leaves_the_stretch_unwritten(
    store_kit: StoreKit, store: Store
) -> None:
    under_way = await _running(store_kit, store)
    portion = Portion(
        broadcast=under_way.broadcast.id, before="", after="a", end=True, messages=[message(store_kit, person(1))]
    )
    async with dying(store_kit):
        with pytest.raises(StoreError):
            await store.mass_mail().write(portion)
    assert [row for row in await store_kit.rows("outbox") if row["broadcast_id"]] == []
    assert await store_kit.rows("broadcast_chunk") == []
    await store_kit.crash(store)
    heir = await store_kit.open()
    [found] = await heir.mass_mail().under_way()
    assert (found.position, found.written) == ("", 0)
    assert await heir.mass_mail().write(portion)
    assert len(await store_kit.rows("outbox")) == 1


async def test_what_is_paused_is_neither_claimed_nor_handed_over(store_kit: StoreKit, store: Store) -> None:
    under_way = await _running(store_kit, store)
    under_way = await written(store_kit, store, under_way, *map(person, range(4)), end=False)
    claimed = [each.id for each in await store.claim(ACCOUNT, 2)]
    assert await store.hand_over(claimed[:1]) == {claimed[0]}
    it = await done(store_kit, store, under_way.broadcast, A.PAUSE, AUTHOR)
    assert await store.hand_over(claimed[1:]) == frozenset()
    assert await store.claim(ACCOUNT, 10) == []
    mail, later = store.mass_mail(), store_kit.clock.now + timedelta(hours=9)
    refused = Portion(broadcast=it.id, before=under_way.position, after="z", end=True)
    assert not await mail.write(refused)
    assert await mail.steer(it.id, expires_at=later, limit=10) == 1  # the claim closed the others itself
    assert await mail.steer(it.id, expires_at=later, limit=10) == 0
    assert await _states(store_kit) == {"handed_over": 1, "held": 3}
    queued = await mail.queued(it.id)
    assert (queued.due, queued.moving, queued.open) == ({}, 1, True)
    await done(store_kit, store, it, A.RESUME, APPROVER)
    assert await mail.steer(it.id, expires_at=later, limit=10) == 3
    waiting = [row for row in await store_kit.rows("outbox") if row["state"] == "ready"]
    assert {(row["reason"], row["settled_at"], row["expires_at"]) for row in waiting} == {(None, None, to_ms(later))}
    assert len(await store.claim(ACCOUNT, 10)) == 3


async def test_what_is_stopped_is_dropped_with_the_reason(store_kit: StoreKit, store: Store) -> None:
    under_way = await written(store_kit, store, await _running(store_kit, store), *map(person, range(5)), end=False)
    [first, second] = await store.claim(ACCOUNT, 2)
    await store.hand_over([first.id])
    it = await done(store_kit, store, under_way.broadcast, A.STOP, APPROVER)
    assert await store.hand_over([second.id]) == frozenset()
    mail = store.mass_mail()
    while await mail.steer(it.id, expires_at=store_kit.clock.now, limit=2):
        pass
    assert await _states(store_kit) == {"handed_over": 1, "dropped": 4}
    reasons = {row["reason"] for row in await store_kit.rows("outbox") if row["state"] == "dropped"}
    assert reasons == {"broadcast_stopped"}
    assert await mail.tally(it.id, stretches=5)  # one is still on its way


async def test_who_stops_after_it_was_written_gets_nothing(store_kit: StoreKit, store: Store) -> None:
    await written(store_kit, store, await _running(store_kit, store), person(1), person(2))
    now = store_kit.now_ms()
    await store_kit.put("person", {"address": person(1).urn, "stopped_at": now, "updated_at": now})
    assert [each.recipient for each in await store.claim(ACCOUNT, 9)] == [person(2)]


async def test_a_canary_is_counted_down_and_resuming_lets_the_rest_go(store_kit: StoreKit, store: Store) -> None:
    under_way = await _running(store_kit, store, canary=2)
    assert under_way.canary_left == 2
    await written(store_kit, store, under_way, person(1), person(2), end=False)
    held = await only(store.mass_mail())
    assert held.canary_left == 0
    assert await store.mass_mail().move(held.broadcast, A.HOLD_CANARY, store_kit.new_id())
    standing = await office(store).find(held.broadcast.id, SCOPE)
    assert standing is not None
    assert (standing.broadcast.state, standing.tally.held_back) == (BroadcastState.PAUSED, True)
    await done(store_kit, store, standing.broadcast, A.RESUME, APPROVER)
    assert (await only(store.mass_mail())).canary_left is None


async def test_results_are_counted_as_they_come_and_kept(store_kit: StoreKit, store: Store) -> None:
    under_way = await written(store_kit, store, await _running(store_kit, store), *map(person, range(4)))
    mail, it = store.mass_mail(), under_way.broadcast
    await mail.tally(it.id, stretches=5)
    assert await _results(store, it) == {("ready", "", "", 4)}
    claimed = await store.claim(ACCOUNT, 4)
    await store.hand_over([each.id for each in claimed])
    results = [
        SendResult(message_id=claimed[0].id, status=SendStatus.ACCEPTED),
        SendResult(message_id=claimed[1].id, status=SendStatus.REJECTED, reason="no such number"),
        SendResult(message_id=claimed[2].id, status=SendStatus.UNKNOWN),
        SendResult(message_id=claimed[3].id, status=SendStatus.ACCEPTED),
    ]
    await store.commit(JournalBatch(results=results))
    await _reported(store_kit, claimed[3].id, "delivered")
    store_kit.clock.advance(2)
    await mail.tally(it.id, stretches=5)
    counted = {
        ("accepted", "", "", 1),
        ("accepted", "delivered", "", 1),
        ("rejected", "", "no such number", 1),
        ("unknown", "", "unknown", 1),
    }
    found = await _results(store, it)
    assert {row[:2] for row in found} == {row[:2] for row in counted}
    assert await mail.move(it, A.FINISH, store_kit.new_id())
    assert await mail.tally(it.id, stretches=5)  # a report may come yet
    await _reported(store_kit, claimed[0].id, "undeliverable")
    store_kit.clock.advance(60)
    assert not await mail.tally(it.id, stretches=5)
    assert await mail.under_way() == []
    standing = await office(store).find(it.id, SCOPE)
    assert standing is not None
    tally = standing.tally
    assert (tally.sent, tally.delivered, tally.failed, tally.under_way, tally.written) == (2, 1, 3, 0, 4)


async def test_results_are_read_page_by_page_and_masked(store_kit: StoreKit, store: Store) -> None:
    under_way = await _running(store_kit, store)
    for some in (range(3), range(3, 5)):
        under_way = await written(store_kit, store, under_way, *map(person, some), end=False)
        await store_kit.put("outbox", store_kit.notice(recipient=f"sms:1{some.start}"))
    broadcasts, seen, after = office(store), list[str](), 0
    while page := await broadcasts.results(under_way.broadcast.id, AUTHOR, SCOPE, after=after, limit=2):
        seen += [row.recipient for row in page]
        after = page[-1].id
    assert seen == [f"84910***00{n}" for n in range(5)]


# ---- again, for those it did not reach


async def test_only_what_failed_is_sent_again_and_approved_anew(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1, 2, 3)
    under_way = await running(store_kit, store)
    under_way = await written(store_kit, store, under_way, person(1), person(2), person(3))
    for row, state in zip(await store_kit.rows("outbox"), ("accepted", "rejected", "unknown"), strict=True):
        await _became(store_kit, row["id"], state)
    broadcasts, mail, it = office(store), store.mass_mail(), under_way.broadcast
    entry = noted(store_kit, BOTH, "broadcast.resent")
    assert await broadcasts.resend(it.id, 77, BOTH, SCOPE, entry) is Refusal.NOT_NOW
    await mail.move(it, A.FINISH, store_kit.new_id())
    assert await broadcasts.resend(it.id, 77, BOTH, SCOPE, entry) is Refusal.EMPTY
    store_kit.clock.advance(2)
    await mail.tally(it.id, stretches=5)
    assert await broadcasts.resend(it.id, 77, APPROVER, SCOPE, entry) is Refusal.NOT_ALLOWED
    resent = await broadcasts.resend(it.id, 77, BOTH, SCOPE, entry)
    assert isinstance(resent, Standing)
    assert AUTHOR.id in resent.broadcast.hands
    assert await broadcasts.resend(it.id, 78, BOTH, SCOPE, noted(store_kit)) is Refusal.NOT_NOW
    parent = await broadcasts.find(it.id, SCOPE)
    assert parent is not None
    assert parent.resend == 77
    assert (await broadcasts.count(resent.broadcast.audience, SCOPE, identifier=77)).people == {"sms": 2}
    again = await done(store_kit, store, resent.broadcast, A.SUBMIT, BOTH)
    author_too = replace(AUTHOR, roles=BOTH.roles)
    assert await act(store_kit, store, again, A.APPROVE, author_too) is Refusal.OWN
    known = await mail.recipients(again, [person(1), person(2)], booked_since=store_kit.clock.now)
    assert [known[person(n)].failed for n in (1, 2)] == [False, True]
    assert [known[person(n)].written for n in (1, 2)] == [False, False]


async def test_a_resend_keeps_its_people_whatever_is_edited(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    under_way = await written(store_kit, store, await running(store_kit, store), person(1))
    [row] = await store_kit.rows("outbox")
    await _became(store_kit, row["id"], "rejected")
    mail, broadcasts, it = store.mass_mail(), office(store), under_way.broadcast
    await mail.move(it, A.FINISH, store_kit.new_id())
    await mail.tally(it.id, stretches=5)
    resent = await broadcasts.resend(it.id, 77, AUTHOR, SCOPE, noted(store_kit))
    assert isinstance(resent, Standing)
    edited = await broadcasts.edit(77, 1, draft(title="Gửi lại"), AUTHOR, SCOPE, noted(store_kit))
    assert isinstance(edited, Standing)
    assert edited.broadcast.audience == resent.broadcast.audience


# ---- to oneself


async def test_tests_to_oneself_are_few_and_noted(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    it, broadcasts = await submitted(store_kit, store), office(store)

    async def sent(by: Officer = AUTHOR) -> Any:
        now = store_kit.clock.now
        test = OutboundMessage(
            id=store_kit.new_id(),
            channel="sms",
            account=ACCOUNT,
            category=Category.BROADCAST,
            recipient=person(9),
            sender=SHORT_CODE,
            text="thu",
            created_at=now,
            expires_at=now + timedelta(minutes=5),
        )
        return await broadcasts.test(it.id, test, by, SCOPE, noted(store_kit, by, TESTED, it.id))

    assert await sent(APPROVER) is Refusal.NOT_ALLOWED
    for _ in range(TESTS_A_DAY):
        assert isinstance(await sent(), Standing)
    assert await sent() is Refusal.NOT_NOW
    assert len(await store.claim(ACCOUNT, 99)) == TESTS_A_DAY
    store_kit.clock.advance(86_401)
    assert isinstance(await sent(), Standing)


async def test_old_lists_are_removed_once_the_broadcast_is_over(store_kit: StoreKit, store: Store) -> None:
    broadcasts = office(store)
    made = await broadcasts.create(7, draft(audience=FILE), AUTHOR, SCOPE, noted(store_kit))
    assert isinstance(made, Standing)
    upload = store_kit.new_id()
    await broadcasts.add_rows(7, upload, rows(1, 2), SCOPE)
    before = store_kit.clock.advance(86_400)
    await store.purge(before, 10)
    assert len(await store_kit.rows("broadcast_row")) == 2
    await done(store_kit, store, made.broadcast, A.STOP, AUTHOR)
    await store.purge(before, 10)
    assert await store_kit.rows("broadcast_row") == []


# ---- helpers


async def _running(kit: StoreKit, store: Store, **changes: Any) -> UnderWay:
    """One that runs, whose audience is written by hand."""
    await follow(kit, 1)
    return await running(kit, store, **changes)


async def _states(kit: StoreKit) -> Counter[str]:
    return Counter(row["state"] for row in await kit.rows("outbox"))


async def _results(store: Store, it: Broadcast) -> set[tuple[str, str, str, int]]:
    standing = await office(store).find(it.id, SCOPE)
    assert standing is not None
    return {_cells(each) for each in standing.tally.results}


def _cells(each: ResultCount) -> tuple[str, str, str, int]:
    return each.state, each.delivery, each.reason, each.messages


async def _became(kit: StoreKit, identifier: int, state: str) -> None:
    await kit.outside().writing(partial(_set, f"state = '{state}'", identifier))


async def _reported(kit: StoreKit, identifier: int, status: str) -> None:
    await kit.outside().writing(partial(_set, f"delivery_status = '{status}'", identifier))


def _set(change: str, identifier: int, connection: Connection, now: int) -> None:
    connection.exec_driver_sql(f"UPDATE outbox SET {change} WHERE id = {identifier}")


_DIES = {
    "sqlite": ("CREATE TRIGGER dies BEFORE INSERT ON broadcast_chunk BEGIN SELECT RAISE(ABORT, 'gone'); END",),
    "postgres": (
        """CREATE FUNCTION dies() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$""",
        "CREATE TRIGGER dies BEFORE INSERT ON broadcast_chunk FOR EACH ROW EXECUTE FUNCTION dies()",
    ),
}
_LIVES = {"sqlite": ("DROP TRIGGER dies",), "postgres": ("DROP FUNCTION dies() CASCADE",)}


@asynccontextmanager
async def dying(kit: StoreKit) -> AsyncIterator[None]:
    """Whoever has written the messages of a stretch, and not yet that they are, is gone."""
    await kit.outside().writing(partial(_say, _DIES[kit.name]))
    try:
        yield
    finally:
        await kit.outside().writing(partial(_say, _LIVES[kit.name]))


def _say(statements: Sequence[str], connection: Connection, now: int) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)
