"""What was seen, who follows it and what is told: decided upon what stands, written once, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import date

import pytest

from adapters.store.postgres import PostgresStore
from adapters.store.rows import to_ms
from domain.dossier import DossierStatus
from domain.errors import StoreUnavailable, StoreUncertain
from domain.message import Address
from domain.notices import Known, NoticeKind
from notifications.ports import Hold, Notices, PendingNotice, Recording, Stoppage
from tests.contract.noticing import (
    ACCEPTED,
    CODE,
    DONE,
    DUE,
    IN_PROCESS,
    OTHER,
    SOURCE,
    change,
    choose,
    code_of,
    follow,
    in_hours,
    notice,
    only,
    pending,
    recording,
    seen,
    sighting,
    states,
    subscribe,
    told,
)
from tests.contract.stores import ACCOUNT, SENDER, START, PostgresKit, Store, StoreKit


@pytest.fixture
def notices(store: Store) -> Notices:
    return store.notices()


# ---- what is read before a decision


async def test_nothing_known_is_nothing_found(notices: Notices) -> None:
    review = await notices.review(SOURCE, [CODE], booked_since=START)
    assert (review.seen, review.followers, review.booked, review.holding) == ({}, {}, {}, False)
    assert await notices.cursors(SOURCE) == {}


async def test_a_dossier_is_read_back_as_it_was_seen(store_kit: StoreKit, notices: Notices) -> None:
    dossier = seen(
        store_kit,
        known=Known(DossierStatus.MORE_DOCUMENTS, DUE, "0a1b2c3d4e5f"),
        unit="Tu phap",
        procedure="1.004946",
        received_at=START,
        finished_at=in_hours(store_kit, 1),
        returned_at=in_hours(store_kit, 2),
        changed_at=in_hours(store_kit, 3),
        apologised=True,
        reminded_for=DUE,
        gone=True,
    )
    assert await notices.record(recording(sighting(dossier))) == frozenset()
    assert (await notices.review(SOURCE, [CODE, code_of(6)])).seen == {CODE: dossier}
    assert (await notices.review("elsewhere", [CODE])).seen == {}
    [row] = await store_kit.rows("dossier_seen")
    assert (row["status"], row["due_on"], row["seen_at"]) == (5, "2026-03-09", to_ms(START))


async def test_a_state_that_is_not_mapped_and_days_nobody_knows_are_kept_so(
    store_kit: StoreKit, notices: Notices
) -> None:
    dossier = seen(store_kit, known=Known(None))
    await notices.record(recording(sighting(dossier)))
    assert (await notices.review(SOURCE, [CODE])).seen == {CODE: dossier}


async def test_followers_are_found_whichever_source_they_follow_it_in(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit, proved=True, version=3)
    await subscribe(store_kit, OTHER, source="another", known=None)
    await subscribe(store_kit, Address("sms", "84900000001"), ended_at=1, end_reason="unfollow")
    await subscribe(store_kit, Address("sms", "84900000002"))
    await choose(store_kit, Address("sms", "84900000002"), stopped_at=5)
    await choose(store_kit, OTHER, language="en", accents=True)
    review = await notices.review(SOURCE, [CODE])
    ours, theirs = sorted(review.followers[CODE], key=lambda follower: follower.address.value)
    assert (ours.address, ours.source, ours.known, ours.version) == (SENDER, SOURCE, ACCEPTED, 3)
    assert (ours.proved, ours.language, ours.accents, ours.pending) == (True, None, None, None)
    assert (theirs.address, theirs.source, theirs.known, theirs.version) == (OTHER, "another", None, None)
    assert (theirs.proved, theirs.language, theirs.accents) == (False, "en", True)


async def test_what_has_not_left_yet_is_pending_and_the_newest_counts(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit)
    first, second = notice(store_kit), notice(store_kit, version=3, before=IN_PROCESS, held=True)
    await notices.enqueue([first, second])
    assert pending(await notices.review(SOURCE, [CODE])) == PendingNotice(
        id=second.id, before=IN_PROCESS, kind=NoticeKind.READY, available_at=START, held=True
    )
    assert only(await notices.review("another", [CODE])).pending is None


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "handed_over", "attempts": 1},
        {"state": "accepted", "attempts": 1},
        {"state": "merged"},
        {"state": "ready", "attempts": 1},
    ],
    ids=["handed over", "accepted", "merged", "perhaps arrived"],
)
async def test_what_left_or_may_have_left_is_not_pending(
    store_kit: StoreKit, notices: Notices, changes: dict[str, object]
) -> None:
    await subscribe(store_kit)
    written = notice(store_kit)
    await notices.record(recording(notices=[written]))
    await change(store_kit, written.id, **changes)
    assert only(await notices.review(SOURCE, [CODE])).pending is None


async def test_what_people_get_is_booked_but_not_what_was_merged_dropped_or_held(
    store_kit: StoreKit, notices: Notices
) -> None:
    await subscribe(store_kit)
    later = in_hours(store_kit, 5)
    kept = [notice(store_kit, version=2, available_at=later), notice(store_kit, version=3, code=code_of(6))]
    early = notice(store_kit, version=4, available_at=in_hours(store_kit, -5))
    lost = [notice(store_kit, version=version) for version in (5, 6)]
    held = notice(store_kit, version=7, held=True)
    someone = notice(store_kit, version=8, recipient=OTHER)
    await notices.enqueue([*kept, early, *lost, held, someone])
    await change(store_kit, lost[0].id, state="merged")
    await change(store_kit, lost[1].id, state="dropped")
    await change(store_kit, kept[1].id, state="accepted")
    review = await notices.review(SOURCE, [CODE], booked_since=START)
    assert {address: sorted(moments) for address, moments in review.booked.items()} == {SENDER: [START, later]}
    assert (await notices.review(SOURCE, [CODE])).booked == {}


async def test_rows_whose_code_nobody_can_read_any_more_are_passed_over(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit, dossier_code="???")
    await subscribe(store_kit, dossier_code="zzz")
    await subscribe(store_kit, code=CODE)
    assert await notices.followed(SOURCE, "", 1) == [CODE]
    assert await notices.followed(SOURCE, CODE.reference, 1) == []


# ---- what is recorded


async def test_all_of_a_recording_is_written(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit)
    await notices.record(recording(sighting(seen(store_kit))))
    await notices.look(SOURCE, [CODE], nonce="n1", keep_until=in_hours(store_kit, 1))
    [look] = await notices.looks(SOURCE, 10)
    written = notice(store_kit, reason="quiet_hours", available_at=in_hours(store_kit, 8))
    done = recording(
        sighting(seen(store_kit, known=DONE, version=2)),
        notices=[written],
        told=[told(2, DONE)],
        follows=[follow(OTHER, known=DONE, version=2)],
        cursors={"poll": "17", "sweep": "a"},
        looked=[look.id],
    )
    assert await notices.record(done) == frozenset()
    review = await notices.review(SOURCE, [CODE])
    assert review.seen[CODE].known == DONE
    assert {(f.address, f.known, f.version) for f in review.followers[CODE]} == {(SENDER, DONE, 2), (OTHER, DONE, 2)}
    assert await notices.cursors(SOURCE) == {"poll": "17", "sweep": "a"}
    assert await notices.looks(SOURCE, 10) == []
    row = await store_kit.row("outbox", written.id)
    assert (row["category"], row["priority"], row["state"], row["reason"]) == ("notice", 1, "ready", "quiet_hours")
    assert (row["source"], row["dossier_code"], row["version"]) == (SOURCE, CODE.reference, 2)
    assert (row["available_at"], row["attempts"], row["language"]) == (to_ms(in_hours(store_kit, 8)), 0, "vi")
    assert json.loads(row["params"]) == {"kind": "ready", "before": ACCEPTED.text, "urgency": "normal"}


async def test_a_version_that_is_not_the_expected_one_leaves_nothing_written(
    store_kit: StoreKit, notices: Notices
) -> None:
    await subscribe(store_kit)
    await notices.record(recording(sighting(seen(store_kit)), sighting(seen(store_kit, code_of(6)))))
    late = recording(
        sighting(seen(store_kit, known=DONE)),  # as if nobody had seen it yet
        sighting(seen(store_kit, code_of(6), DONE, 2)),
        sighting(seen(store_kit, code_of(7), DONE, 5)),  # there is no row at all
        notices=[notice(store_kit)],
        told=[told(1, DONE)],
        cursors={"poll": "17"},
    )
    assert await notices.record(late) == {CODE, code_of(7)}
    review = await notices.review(SOURCE, [CODE, code_of(6)])
    assert {dossier.known for dossier in review.seen.values()} == {ACCEPTED}
    assert only(review).known == ACCEPTED
    assert await store_kit.rows("outbox") == []
    assert await notices.cursors(SOURCE) == {}


async def test_who_would_be_told_of_an_older_version_is_at_fault(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit)
    await notices.record(recording(sighting(seen(store_kit))))
    await notices.record(recording(sighting(seen(store_kit, known=DONE, version=2)), told=[told(2, DONE)]))
    assert await notices.record(recording(told=[told(1, ACCEPTED)])) == {CODE}
    assert only(await notices.review(SOURCE, [CODE])).known == DONE


async def test_of_two_who_decided_upon_the_same_one_is_told_so(store_kit: StoreKit, store: Store) -> None:
    here = store.notices()
    there = (await store_kit.open()).notices() if isinstance(store_kit, PostgresKit) else store.notices()
    codes = [code_of(serial) for serial in range(1, 41)]
    first = recording(*(sighting(seen(store_kit, code)) for code in codes), cursors={"poll": "1"})
    second = recording(*(sighting(seen(store_kit, code, DONE)) for code in reversed(codes)), cursors={"poll": "2"})
    answers = await asyncio.gather(here.record(first), there.record(second))
    assert sorted(answers, key=len) == [frozenset(), frozenset(codes)]
    winner = answers.index(frozenset())
    stored = {dossier.known for dossier in (await here.review(SOURCE, codes)).seen.values()}
    assert stored == {(ACCEPTED, DONE)[winner]}
    assert await here.cursors(SOURCE) == {"poll": "12"[winner]}


async def test_sources_do_not_stand_in_each_others_way(store_kit: StoreKit, store: Store) -> None:
    for serial in range(1, 21):
        await subscribe(store_kit, code=code_of(serial))
    one, two = store.notices(), store.notices()
    forth = [told(1, DONE, code=code_of(serial)) for serial in range(1, 21)]
    answers = await asyncio.gather(
        *(one.record(Recording(source=f"s{i % 2}", told=forth[:: 1 if i % 2 else -1])) for i in range(6)),
        two.record(recording(sighting(seen(store_kit)))),
    )
    assert set(answers) == {frozenset()}


async def test_a_newer_notice_takes_the_place_of_one_that_waits(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit)
    first = notice(store_kit)
    await notices.record(recording(notices=[first]))
    store_kit.clock.advance(60)
    second = notice(store_kit, version=3, replaces=first.id)
    assert await notices.record(recording(notices=[second])) == frozenset()
    assert await states(store_kit) == [(first.id, "merged", "newer_notice"), (second.id, "ready", None)]
    assert (await store_kit.row("outbox", first.id))["settled_at"] == to_ms(store_kit.clock.now)


async def test_a_notice_nothing_replaces_is_closed_as_known(store_kit: StoreKit, notices: Notices) -> None:
    first = notice(store_kit, held=True)
    await open_hold(store_kit, notices)
    await notices.record(recording(notices=[first]))
    assert await notices.record(recording(merged=[first.id])) == frozenset()
    assert await states(store_kit) == [(first.id, "merged", "as_known")]


async def test_a_notice_that_was_claimed_and_not_handed_over_is_replaced_and_does_not_leave(
    store_kit: StoreKit, store: Store, notices: Notices
) -> None:
    await subscribe(store_kit)
    first = notice(store_kit)
    await notices.record(recording(sighting(seen(store_kit)), notices=[first]))
    assert [message.id for message in await store.claim(ACCOUNT, 10)] == [first.id]
    found = pending(await notices.review(SOURCE, [CODE]))
    assert found is not None
    assert found.id == first.id
    newer = sighting(seen(store_kit, known=DONE, version=2))
    assert await notices.record(recording(newer, merged=[first.id])) == frozenset()
    assert await store.hand_over([first.id]) == frozenset()
    assert await states(store_kit) == [(first.id, "merged", "as_known")]


async def test_a_pending_notice_that_was_handed_over_meanwhile_stops_the_recording(
    store_kit: StoreKit, store: Store, notices: Notices
) -> None:
    await subscribe(store_kit)
    first = notice(store_kit)
    await notices.record(recording(sighting(seen(store_kit)), notices=[first]))
    assert [message.id for message in await store.claim(ACCOUNT, 10)] == [first.id]
    assert await store.hand_over([first.id]) == {first.id}
    newer = sighting(seen(store_kit, known=DONE, version=2))
    replacing = recording(newer, notices=[notice(store_kit, version=3, replaces=first.id)])
    assert await notices.record(replacing) == {CODE}
    assert await notices.record(recording(newer, merged=[first.id])) == {CODE}
    assert (await notices.review(SOURCE, [CODE])).seen[CODE].version == 1
    assert await states(store_kit) == [(first.id, "handed_over", None)]


async def test_a_replaced_notice_that_is_not_there_any_more_stops_the_recording(
    store_kit: StoreKit, notices: Notices
) -> None:
    assert await notices.record(recording(notices=[notice(store_kit, replaces=12345)])) == {CODE}
    assert await states(store_kit) == []


async def test_one_notice_per_dossier_version_and_person(store_kit: StoreKit, notices: Notices) -> None:
    first = notice(store_kit)
    await notices.record(recording(notices=[first]))
    again = [notice(store_kit), notice(store_kit, recipient=OTHER), notice(store_kit, version=3)]
    assert await notices.record(recording(notices=again)) == frozenset()
    assert [row[0] for row in await states(store_kit)] == [first.id, again[1].id, again[2].id]


async def test_a_recording_repeated_after_doubt_is_a_conflict_and_tells_nobody_twice(
    store_kit: StoreKit, notices: Notices
) -> None:
    await subscribe(store_kit)
    done = recording(sighting(seen(store_kit)), notices=[notice(store_kit, version=1)], told=[told(1, DONE)])
    assert await notices.record(done) == frozenset()
    assert await notices.record(done) == {CODE}
    assert len(await states(store_kit)) == 1


async def test_only_those_who_follow_still_are_told(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit, ended_at=5, end_reason="unfollow")
    await notices.record(recording(told=[told(2, DONE)]))
    [row] = await store_kit.rows("subscription")
    assert (row["known"], row["version"]) == (ACCEPTED.text, None)


async def test_who_is_told_in_another_source_moves_over(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit, source="another", version=9)
    await notices.record(recording(told=[told(2, DONE)]))
    follower = only(await notices.review(SOURCE, [CODE]))
    assert (follower.source, follower.version, follower.known) == (SOURCE, 2, DONE)


async def test_the_number_on_a_dossier_follows_with_the_words_that_allow_it(
    store_kit: StoreKit, notices: Notices
) -> None:
    await notices.record(recording(follows=[follow(known=ACCEPTED, version=1), follow(known=ACCEPTED, version=1)]))
    [row] = await store_kit.rows("subscription")
    assert (row["recipient"], row["origin"], row["proved"], row["inbound_id"]) == (SENDER.urn, "dossier", 0, None)
    assert (row["known"], row["version"], row["followed_at"]) == (ACCEPTED.text, 1, to_ms(START))
    [consent] = await store_kit.rows("consent")
    assert (consent["recipient"], consent["action"], consent["dossier_code"], consent["words"]) == (
        SENDER.urn,
        "follow",
        CODE.reference,
        "QD 12/2026 cua UBND tinh",
    )


async def test_nobody_follows_again_who_ever_unfollowed_or_stopped(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit, ended_at=5, end_reason="unfollow")
    await choose(store_kit, OTHER, stopped_at=5)
    await notices.record(recording(follows=[follow(), follow(OTHER)]))
    [row] = await store_kit.rows("subscription")
    assert row["ended_at"] == 5
    assert await store_kit.rows("consent") == []


async def test_nothing_is_written_while_the_store_is_locked(store_kit: StoreKit, notices: Notices) -> None:
    await notices.record(recording(sighting(seen(store_kit))))
    with store_kit.locked(), pytest.raises(StoreUnavailable):
        await notices.record(recording(sighting(seen(store_kit, known=DONE, version=2))))
    assert (await notices.review(SOURCE, [CODE])).seen[CODE].version == 1


async def test_a_commit_that_breaks_says_so_and_the_store_goes_on(store_kit: StoreKit, store: Store) -> None:
    notices = store.notices()
    async with store_kit.commit_breaks(store):
        if isinstance(store_kit, PostgresKit):
            store_kit.hand.execute("""CREATE CONSTRAINT TRIGGER leave AFTER INSERT ON dossier_seen
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION go()""")
        with pytest.raises(StoreUncertain):
            await notices.record(recording(sighting(seen(store_kit))))
        if isinstance(store_kit, PostgresKit):
            store_kit.hand.execute("DROP TRIGGER leave ON dossier_seen")
    assert await notices.record(recording(sighting(seen(store_kit)))) == frozenset()


# ---- cursors, counts, what a sweep reads


async def test_a_cursor_moves_and_others_stay(store_kit: StoreKit, notices: Notices) -> None:
    await notices.record(recording(cursors={"poll": "1", "sweep": "a"}))
    await notices.record(recording(cursors={"poll": "2"}))
    await notices.record(Recording(source="another", cursors={"poll": "9"}))
    await notices.enqueue([], once="officers 2026-03-02")
    assert await notices.cursors(SOURCE) == {"poll": "2", "sweep": "a"}
    assert await notices.cursors("") == {}


async def test_the_count_of_dossiers_may_be_some_seconds_old(store_kit: StoreKit, notices: Notices) -> None:
    await notices.record(recording(sighting(seen(store_kit)), sighting(seen(store_kit, code_of(6), gone=True))))
    assert await notices.tracked(SOURCE) == 1
    await notices.record(recording(sighting(seen(store_kit, code_of(7)))))
    assert await notices.tracked(SOURCE) == 1
    assert await notices.tracked("another") == 0
    store_kit.clock.advance(30)
    assert await notices.tracked(SOURCE) == 2


async def test_followed_dossiers_are_given_in_pages_while_they_are_open(store_kit: StoreKit, notices: Notices) -> None:
    returned = Known(DossierStatus.RETURNED)
    dossiers = [
        seen(store_kit, code_of(1)),
        seen(store_kit, code_of(2), returned),
        seen(store_kit, code_of(3), gone=True),
        seen(store_kit, code_of(4), DONE),
    ]
    await notices.record(recording(*map(sighting, dossiers)))
    for serial in range(1, 6):
        await subscribe(store_kit, code=code_of(serial))
        await subscribe(store_kit, OTHER, code=code_of(serial))
    await subscribe(store_kit, code=code_of(8), source="another")
    await subscribe(store_kit, code=code_of(9), ended_at=1)
    assert await notices.followed(SOURCE, "", 2) == [code_of(1), code_of(2)]
    assert await notices.followed(SOURCE, code_of(2).reference, 9) == [code_of(3), code_of(4), code_of(5)]
    store_kit.clock.advance(8 * 86400)
    assert await notices.followed(SOURCE, "", 9) == [code_of(1), code_of(4), code_of(5)]


# ---- looks


async def test_a_signed_call_counts_once(store_kit: StoreKit, notices: Notices) -> None:
    until = in_hours(store_kit, 1)
    assert await notices.look(SOURCE, [CODE, code_of(6), CODE], nonce="n1", keep_until=until)
    assert not await notices.look(SOURCE, [code_of(7)], nonce="n1", keep_until=until)
    assert await notices.look("another", [code_of(7)], nonce="n1", keep_until=until)
    assert await notices.look(SOURCE, [], nonce="n2", keep_until=until)
    assert [look.code for look in await notices.looks(SOURCE, 10)] == [CODE, code_of(6)]
    store_kit.clock.advance(3601)
    assert await notices.look(SOURCE, [code_of(7)], nonce="n1", keep_until=in_hours(store_kit, 1))


async def test_looks_wait_for_their_source_and_the_oldest_is_first(store_kit: StoreKit, notices: Notices) -> None:
    for serial, source in ((9, SOURCE), (1, "another"), (3, SOURCE), (5, SOURCE)):
        store_kit.clock.advance(1)
        until = in_hours(store_kit, 1)
        await notices.look(source, [code_of(serial)], nonce=f"n{serial}", keep_until=until)
    await notices.look(SOURCE, [code_of(9)], nonce="again", keep_until=in_hours(store_kit, 1))
    assert [look.code for look in await notices.looks(SOURCE, 2)] == [code_of(9), code_of(3)]


async def test_a_look_asked_for_while_it_is_being_done_is_not_lost(store_kit: StoreKit, notices: Notices) -> None:
    until = in_hours(store_kit, 1)
    await notices.look(SOURCE, [code_of(6), CODE], nonce="n1", keep_until=until)
    before = await notices.looks(SOURCE, 10)
    await notices.look(SOURCE, [CODE], nonce="n2", keep_until=until)  # it changed again under our hands
    await notices.record(recording(looked=[look.id for look in before]))
    [left] = await notices.looks(SOURCE, 10)
    assert left.code == CODE
    await notices.record(recording(looked=[left.id]))
    await notices.look(SOURCE, [code_of(7)], nonce="n3", keep_until=until)
    await notices.record(recording(looked=[left.id]))  # repeated, after doubt
    assert [look.code for look in await notices.looks(SOURCE, 10)] == [code_of(7)]


async def test_what_could_not_be_read_is_looked_at_again_later(store_kit: StoreKit, notices: Notices) -> None:
    await notices.look(SOURCE, [CODE], nonce="n1", keep_until=in_hours(store_kit, 1))
    [look] = await notices.looks(SOURCE, 10)
    later = in_hours(store_kit, 1)
    await notices.record(recording(looked=[look.id], look_again={CODE: later, code_of(6): later}))
    assert await notices.looks(SOURCE, 10) == []
    store_kit.clock.advance(3600)
    again = await notices.looks(SOURCE, 10)
    assert {(look.code, look.attempts) for look in again} == {(CODE, 1), (code_of(6), 1)}
    await notices.record(recording(look_again={CODE: in_hours(store_kit, 1)}))
    store_kit.clock.advance(3600)
    assert {(look.code, look.attempts) for look in await notices.looks(SOURCE, 10)} == {(CODE, 2), (code_of(6), 1)}


async def test_what_waits_to_be_tried_again_is_tried_at_once_when_it_changes(
    store_kit: StoreKit, notices: Notices
) -> None:
    await notices.record(recording(look_again={CODE: in_hours(store_kit, 1)}))
    await notices.look(SOURCE, [CODE], nonce="n1", keep_until=in_hours(store_kit, 1))
    [look] = await notices.looks(SOURCE, 10)
    assert (look.code, look.attempts) == (CODE, 1)


# ---- by the calendar


async def test_followed_dossiers_promised_for_a_day_are_reminded_of_once(store_kit: StoreKit, notices: Notices) -> None:
    other_day = Known(DossierStatus.ACCEPTED, date(2026, 3, 10))
    dossiers = [
        seen(store_kit, code_of(1)),
        seen(store_kit, code_of(2), IN_PROCESS, reminded_for=date(2026, 3, 5)),
        seen(store_kit, code_of(3), reminded_for=DUE),
        seen(store_kit, code_of(4), DONE),
        seen(store_kit, code_of(5), gone=True),
        seen(store_kit, code_of(6), other_day),
        seen(store_kit, code_of(7)),  # nobody follows it
        seen(store_kit, code_of(8)),  # its follower stopped everything
        seen(store_kit, code_of(9)),  # followed no longer
    ]
    await notices.record(recording(*map(sighting, dossiers)))
    for serial in (1, 2, 3, 4, 5, 6):
        await subscribe(store_kit, code=code_of(serial))
    await subscribe(store_kit, OTHER, code=code_of(8))
    await subscribe(store_kit, OTHER, code=code_of(9), ended_at=1)
    await choose(store_kit, OTHER, stopped_at=5)
    await choose(store_kit, SENDER, language="en")
    found = await notices.to_remind(DUE, 10)
    assert {dossier.code: dossier for dossier in found} == {d.code: d for d in dossiers[:2]}
    assert len(await notices.to_remind(DUE, 1)) == 1


async def test_dossiers_that_wait_to_be_accepted_are_given_the_oldest_first(
    store_kit: StoreKit, notices: Notices
) -> None:
    new = Known(DossierStatus.NEWLY_REGISTERED)
    dossiers = [
        seen(store_kit, code_of(1), new, received_at=in_hours(store_kit, -30)),
        seen(store_kit, code_of(2), new, received_at=in_hours(store_kit, -90)),
        seen(store_kit, code_of(3), new, received_at=in_hours(store_kit, -1)),
        seen(store_kit, code_of(4), new, received_at=in_hours(store_kit, -90), gone=True),
        seen(store_kit, code_of(5), new),
        seen(store_kit, code_of(6), ACCEPTED, received_at=in_hours(store_kit, -90)),
    ]
    await notices.record(recording(*map(sighting, dossiers)))
    found = await notices.waiting(in_hours(store_kit, -24), 10)
    assert [dossier.code for dossier in found] == [code_of(2), code_of(1)]
    assert [dossier.code for dossier in await notices.waiting(in_hours(store_kit, -24), 1)] == [code_of(2)]


async def test_dossiers_about_to_be_late_are_given_the_nearest_first(store_kit: StoreKit, notices: Notices) -> None:
    days = {1: 9, 2: 6, 3: 5, 4: 10, 5: 7}
    dossiers = [
        seen(store_kit, code_of(serial), Known(DossierStatus.IN_PROCESS, date(2026, 3, day)))
        for serial, day in days.items()
    ]
    await notices.record(recording(*map(sighting, dossiers), sighting(seen(store_kit, code_of(6), DONE))))
    found = await notices.late_by(date(2026, 3, 9), date(2026, 3, 6), 10)
    assert [dossier.code for dossier in found] == [code_of(2), code_of(5), code_of(1)]


async def test_what_is_written_once_is_not_written_again(store_kit: StoreKit, notices: Notices) -> None:
    officers = {"kind": NoticeKind.OFFICERS_LATE, "source": "", "code": None, "version": None, "before": None}
    assert await notices.enqueue([notice(store_kit, **officers)], once="late H51 2026-03-02")
    assert not await notices.enqueue([notice(store_kit, **officers)], once="late H51 2026-03-02")
    assert await notices.enqueue([notice(store_kit, **officers)], once="late H51 2026-03-03")
    rows = await store_kit.rows("outbox")
    assert [(row["dossier_code"], row["version"], row["source"]) for row in rows] == [(None, None, "")] * 2
    assert json.loads(rows[0]["params"]) == {"kind": "officers_late", "urgency": "office"}


async def test_a_subject_stands_for_the_code_and_is_told_once(store_kit: StoreKit, notices: Notices) -> None:
    subject = {"kind": NoticeKind.STOPPAGE, "source": "", "code": None, "subject": "stoppage-7", "version": 1}
    first = notice(store_kit, **subject)
    assert await notices.enqueue([first, notice(store_kit, recipient=OTHER, **subject)])
    assert await notices.enqueue([notice(store_kit, **subject)])
    assert await notices.enqueue([first])  # repeated, after doubt
    assert [row["dossier_code"] for row in await store_kit.rows("outbox")] == ["stoppage-7"] * 2


async def test_what_may_leave_at_once_is_claimed(store_kit: StoreKit, store: Store, notices: Notices) -> None:
    await subscribe(store_kit)
    now, later = notice(store_kit), notice(store_kit, version=3, code=code_of(6), available_at=in_hours(store_kit, 1))
    await subscribe(store_kit, code=code_of(7))
    held = notice(store_kit, version=4, code=code_of(7), held=True)
    await notices.enqueue([now, later, held])
    assert [message.id for message in await store.claim(ACCOUNT, 10)] == [now.id]


async def test_others_hear_that_a_notice_may_leave_and_nothing_of_one_that_waits(
    store_kit: StoreKit, store: Store, notices: Notices
) -> None:
    if not isinstance(store, PostgresStore):
        return  # nobody else serves the file
    async with asyncio.timeout(60), contextlib.aclosing(store.wakeups()) as heard:  # type: ignore[type-var]
        await anext(heard)
        item = asyncio.ensure_future(anext(heard))
        await notices.enqueue([notice(store_kit, available_at=in_hours(store_kit, 1))])
        await notices.enqueue([notice(store_kit, version=3, held=True)])
        await notices.cursors(SOURCE)  # what was said is heard by now
        assert not item.done()
        await notices.record(recording(notices=[notice(store_kit, version=4)]))
        await item


async def test_followings_of_closed_dossiers_end_by_themselves(store_kit: StoreKit, notices: Notices) -> None:
    ending = {1: DossierStatus.NOT_ACCEPTED, 2: DossierStatus.STOPPED, 3: DossierStatus.RETURNED}
    staying = {4: DossierStatus.DONE, 5: DossierStatus.ACCEPTED}
    dossiers = [seen(store_kit, code_of(serial), Known(status)) for serial, status in {**ending, **staying}.items()]
    await notices.record(recording(*map(sighting, dossiers), sighting(seen(store_kit, code_of(6), gone=True))))
    for serial in range(1, 8):
        await subscribe(store_kit, code=code_of(serial))
    assert await notices.end_followings(START, 10) == 0
    store_kit.clock.advance(1)
    ended = [await notices.end_followings(store_kit.clock.now, 3) for _ in range(4)]
    assert (sum(ended), max(ended)) == (4, 3)
    rows = await store_kit.rows("subscription")
    over = {row["dossier_code"] for row in rows if row["ended_at"] is not None}
    assert over == {code_of(serial).reference for serial in (1, 2, 3, 6)}
    assert {row["end_reason"] for row in rows if row["ended_at"] is not None} == {"closed"}
    assert {row["ended_at"] for row in rows} == {None, to_ms(store_kit.clock.now)}


# ---- holds


async def open_hold(kit: StoreKit, notices: Notices, **changes: object) -> Hold:
    values = {"id": kit.new_id(), "source": SOURCE, "opened_at": kit.clock.now, "changes": 300, "tracked": 900}
    hold = Hold(**{**values, **changes})  # type: ignore[arg-type] # as given
    await notices.record(Recording(source=hold.source, opens_hold=hold))
    return hold


async def test_a_mass_change_waits_for_an_operator(store_kit: StoreKit, store: Store, notices: Notices) -> None:
    await subscribe(store_kit)
    hold = Hold(id=store_kit.new_id(), source=SOURCE, opened_at=START, changes=300, tracked=900)
    held = [notice(store_kit, version=version, held=True) for version in (2, 3)]
    assert await notices.record(recording(opens_hold=hold, notices=held)) == frozenset()
    [found] = await notices.holds()
    assert (found.id, found.source, found.opened_at, found.changes, found.tracked, found.waiting) == (
        hold.id,
        SOURCE,
        START,
        300,
        900,
        2,
    )
    assert (await notices.review(SOURCE, [CODE])).holding
    assert not (await notices.review("another", [CODE])).holding
    assert await store.claim(ACCOUNT, 10) == []


async def test_a_second_hold_of_a_source_is_not_opened_beside_the_first(store_kit: StoreKit, notices: Notices) -> None:
    first = await open_hold(store_kit, notices)
    await open_hold(store_kit, notices)
    other = await open_hold(store_kit, notices, source="another")
    assert [hold.id for hold in await notices.holds()] == [first.id, other.id]


async def test_notices_to_be_held_when_the_hold_is_over_are_decided_anew(store_kit: StoreKit, notices: Notices) -> None:
    hold = await open_hold(store_kit, notices)
    await notices.close_hold(hold.id, release_at=START, limit=10)
    assert await notices.record(recording(notices=[notice(store_kit, held=True)])) == {CODE}
    assert await states(store_kit) == []


async def test_a_hold_is_given_back_in_steps_and_ends_with_its_last_notice(
    store_kit: StoreKit, store: Store, notices: Notices
) -> None:
    hold = await open_hold(store_kit, notices)
    codes = [code_of(serial) for serial in (1, 2, 3)]
    for code in codes:
        await subscribe(store_kit, code=code)
    tomorrow = in_hours(store_kit, 24)
    held = [notice(store_kit, code=code, held=True) for code in codes[:2]]
    held.append(notice(store_kit, code=codes[2], held=True, available_at=tomorrow, reason="daily_cap"))
    await notices.record(recording(notices=held))
    release_at = in_hours(store_kit, 1)
    assert await notices.close_hold(hold.id, release_at=release_at, limit=2) == 2
    assert [found.waiting for found in await notices.holds()] == [1]
    assert await notices.close_hold(hold.id, release_at=release_at, limit=2) == 1
    assert await notices.close_hold(hold.id, release_at=release_at, limit=2) == 0
    assert await notices.holds() == []
    rows = await store_kit.rows("outbox")
    assert [(row["state"], row["available_at"], row["reason"]) for row in rows] == [
        ("ready", to_ms(release_at), "released"),
        ("ready", to_ms(release_at), "released"),
        ("ready", to_ms(tomorrow), "daily_cap"),
    ]
    store_kit.clock.advance(3600)
    assert len(await store.claim(ACCOUNT, 10)) == 2


async def test_a_hold_may_be_dropped(store_kit: StoreKit, notices: Notices) -> None:
    hold, other = await open_hold(store_kit, notices), await open_hold(store_kit, notices, source="another")
    dropped, kept = notice(store_kit, held=True), notice(store_kit, held=True, source="another")
    await notices.record(recording(notices=[dropped]))
    await notices.record(Recording(source="another", notices=[kept]))
    assert await notices.close_hold(hold.id, release_at=None, limit=10) == 1
    assert await states(store_kit) == [(dropped.id, "dropped", "hold_dropped"), (kept.id, "held", None)]
    assert [found.id for found in await notices.holds()] == [other.id]
    assert await notices.close_hold(12345, release_at=None, limit=10) == 0


# ---- planned stoppages, and everybody who follows


async def test_planned_stoppages_are_told_until_they_are_over(store_kit: StoreKit, notices: Notices) -> None:
    later = Stoppage(id=2, starts_at=in_hours(store_kit, 48), ends_at=in_hours(store_kit, 50))
    texts = {"vi": "Bảo trì", "en": "Maintenance"}
    sooner = Stoppage(
        id=3, starts_at=in_hours(store_kit, 1), ends_at=in_hours(store_kit, 2), texts=texts, tell_followers=True
    )
    over = Stoppage(id=4, starts_at=in_hours(store_kit, -2), ends_at=in_hours(store_kit, -1))
    for stoppage in (later, sooner, over, sooner):
        await notices.plan_stoppage(stoppage)
    assert await notices.stoppages(START) == [sooner, later]
    assert await notices.cancel_stoppage(2)
    assert await notices.cancel_stoppage(2)  # repeated, after doubt
    assert not await notices.cancel_stoppage(99)
    assert await notices.stoppages(START) == [sooner]
    assert await notices.stoppages(in_hours(store_kit, 2)) == []


async def test_everybody_who_follows_is_met_once(store_kit: StoreKit, notices: Notices) -> None:
    people = [Address("sms", f"8490000000{number}") for number in range(1, 6)]
    for number, address in enumerate(people[:4]):
        for serial in range(1, 4):
            await subscribe(store_kit, address, code_of(serial), followed_at=serial * 100, account=f"a{serial}")
        await choose(store_kit, address, language="en", stopped_at=5 if number == 1 else None)
    await subscribe(store_kit, people[4], ended_at=1)
    first = await notices.followers_page("", 2)
    assert [(f.address, f.code, f.account, f.language) for f in first] == [
        (people[0], code_of(3), "a3", "en"),
        (people[2], code_of(3), "a3", "en"),
    ]
    assert [f.address for f in await notices.followers_page(people[2].urn, 2)] == [people[3]]
    assert await notices.followers_page(people[3].urn, 2) == []
