"""What becomes of notices between being written and leaving: a hold, a block, a stoppage that was cancelled, a source
that forgets and remembers.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.store.rows import to_ms
from adapters.store.tables import metadata
from conversation.ports import JournalBatch
from domain.message import Category, SendStatus
from domain.notices import NoticeKind
from notifications.ports import Hold, Notices, Recording, Stoppage
from tests.contract.noticing import (
    ACCEPTED,
    CODE,
    DONE,
    OTHER,
    SOURCE,
    ZALO,
    agree,
    change,
    choose,
    code_of,
    execute,
    in_hours,
    notice,
    only,
    put,
    recording,
    seen,
    sighting,
    states,
    subscribe,
    told,
)
from tests.contract.stores import ACCOUNT, SENDER, Store, StoreKit, sent
from tests.contract.test_outbox import waiting


@pytest.fixture
def notices(store: Store) -> Notices:
    return store.notices()


async def block(kit: StoreKit, store: Store, notices: Notices) -> None:
    """The channel says of a notice that its reader blocked us."""
    first = notice(kit, version=1)
    await notices.enqueue([first])
    [claimed] = await store.claim(ACCOUNT, 1)
    await store.hand_over([claimed.id])
    await store.commit(JournalBatch(results=[sent(claimed, SendStatus.STOPPED, reason="blocked")]))


# ---- holds


async def test_what_an_operator_releases_late_is_good_for_as_long_as_ever(
    store_kit: StoreKit, store: Store, notices: Notices
) -> None:
    await subscribe(store_kit)
    hold = Hold(id=store_kit.new_id(), source=SOURCE, opened_at=store_kit.clock.now, changes=300, tracked=900)
    held = notice(store_kit, held=True)
    day = store_kit.clock.now + timedelta(hours=20)
    reminder = notice(store_kit, version=3, held=True, kind=NoticeKind.REMINDER, expires_at=day)
    await notices.record(recording(opens_hold=hold, notices=[held, reminder]))
    store_kit.clock.advance(80 * 3600)
    now = store_kit.clock.now
    assert await notices.close_hold(hold.id, release_at=now, limit=10) == 2
    rows = {row["id"]: row for row in await store_kit.rows("outbox")}
    assert rows[held.id]["expires_at"] == to_ms(now + timedelta(hours=72))
    assert rows[reminder.id]["expires_at"] == to_ms(day), "its day is over"


# ---- who blocked us


async def test_who_blocked_one_channel_is_told_of_later_changes_on_the_next(
    store_kit: StoreKit, store: Store, notices: Notices
) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    await block(store_kit, store, notices)
    assert await notices.fall_back([store_kit.new_id()]) == 1
    review = await notices.review(SOURCE, [CODE])
    assert [follower.address for follower in review.followers[CODE]] == [SENDER]
    later = notice(store_kit, version=2)
    await notices.record(Recording(source=SOURCE, notices=[later]))
    assert await store.claim(ACCOUNT, 10) == []
    assert (later.id, "stopped", "blocked") in await states(store_kit)
    assert await notices.fall_back([store_kit.new_id()]) == 1
    assert [message.recipient for message in await store.claim("zalo-1", 10)][-1:] == [ZALO]


async def test_who_blocked_their_only_channel_is_told_nothing(
    store_kit: StoreKit, store: Store, notices: Notices
) -> None:
    await subscribe(store_kit)
    await block(store_kit, store, notices)
    assert (await notices.review(SOURCE, [CODE])).followers.get(CODE, ()) == ()
    await agree(store_kit, SENDER, 1, ZALO)
    await choose(store_kit, ZALO, stopped_at=1)
    assert (await notices.review(SOURCE, [CODE])).followers.get(CODE, ()) == ()


async def test_who_stopped_everything_is_told_nowhere(store_kit: StoreKit, store: Store, notices: Notices) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    await notices.enqueue([notice(store_kit)])
    await choose(store_kit, SENDER, stopped_at=1)
    assert (await notices.review(SOURCE, [CODE])).followers.get(CODE, ()) == ()
    assert await store.claim(ACCOUNT, 10) == []
    assert [state[1:] for state in await states(store_kit)] == [("dropped", "stopped_all")]
    assert await notices.fall_back([store_kit.new_id()]) == 0


async def test_who_stops_while_a_notice_waits_and_resumes_does_not_pass_for_told(
    store_kit: StoreKit, store: Store, notices: Notices
) -> None:
    await subscribe(store_kit)
    dropped = notice(store_kit, version=1, before=ACCEPTED)
    await notices.record(recording(sighting(seen(store_kit, known=DONE)), notices=[dropped], told=[told(1, DONE)]))
    await choose(store_kit, SENDER, stopped_at=1)
    assert await store.claim(ACCOUNT, 10) == []
    person = metadata.tables["person"]
    execute(store_kit, person.update().where(person.c.address == SENDER.urn).values(stopped_at=None))
    assert only(await notices.review(SOURCE, [CODE])).known == ACCEPTED


async def test_who_blocked_us_and_then_says_stop_is_told_nowhere(
    store_kit: StoreKit, store: Store, notices: Notices
) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    await put(
        store_kit,
        "consent",
        {
            "recipient": SENDER.urn,
            "action": "blocked",
            "dossier_code": "",
            "words": "",
            "channel": "sms",
            "given_at": 5,
        },
    )
    await choose(store_kit, SENDER, stopped_at=6)
    assert (await notices.review(SOURCE, [CODE])).followers.get(CODE, ()) == ()


async def test_what_waits_at_the_next_address_is_dropped_by_a_stop_at_the_own(
    store_kit: StoreKit, store: Store, notices: Notices
) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    refused = notice(store_kit)
    await notices.enqueue([refused])
    await change(store_kit, refused.id, state="rejected", settled_at=to_ms(store_kit.clock.now), attempts=1)
    assert await notices.fall_back([store_kit.new_id()]) == 1
    await choose(store_kit, SENDER, stopped_at=1)
    assert await store.claim("zalo-1", 10) == []
    assert [state[1:] for state in await states(store_kit)][-1] == ("dropped", "stopped_all")


async def test_a_second_refusal_goes_on_although_the_first_address_blocked_us(
    store_kit: StoreKit, store: Store, notices: Notices
) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    await agree(store_kit, SENDER, 2, OTHER)
    await block(store_kit, store, notices)
    second = store_kit.new_id()
    assert await notices.fall_back([second]) == 1
    await change(store_kit, second, state="rejected", settled_at=to_ms(store_kit.clock.now), attempts=1)
    assert await notices.fall_back([store_kit.new_id()]) == 1


# ---- stoppages


async def test_a_stoppage_that_was_cancelled_is_not_told_in_the_morning(
    store_kit: StoreKit, store: Store, notices: Notices
) -> None:
    for identifier in (7, 8):
        stoppage = Stoppage(id=identifier, starts_at=in_hours(store_kit, 48), ends_at=in_hours(store_kit, 50))
        await notices.plan_stoppage(stoppage)
    written = [
        notice(
            store_kit,
            source="",
            code=None,
            subject=f"stoppage-{identifier}",
            version=1,
            before=None,
            kind=NoticeKind.STOPPAGE,
            available_at=in_hours(store_kit, 8),
        )
        for identifier in (7, 8)
    ]
    await notices.enqueue(written)
    await notices.cancel_stoppage(7)
    store_kit.clock.advance(8 * 3600)
    assert [message.id for message in await store.claim(ACCOUNT, 10)] == [written[1].id]
    assert (written[0].id, "dropped", "cancelled") in await states(store_kit)


# ---- a source that forgets


async def test_what_a_source_lost_yesterday_is_still_looked_for(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit)
    await notices.record(recording(sighting(seen(store_kit, known=ACCEPTED, gone=True))))
    assert await notices.followed(SOURCE, "", 9) == [CODE]
    store_kit.clock.advance(8 * 86400)
    assert await notices.followed(SOURCE, "", 9) == []


# ---- the day's count


async def test_the_day_of_somebody_who_follows_nothing_yet_is_known(store_kit: StoreKit, notices: Notices) -> None:
    now = store_kit.clock.now
    later = in_hours(store_kit, 5)
    early = notice(store_kit, version=4, available_at=in_hours(store_kit, -5))
    await notices.enqueue([notice(store_kit, version=2), notice(store_kit, version=3, available_at=later), early])
    booked = await notices.booked({SENDER, ZALO}, now)
    assert {address: sorted(moments) for address, moments in booked.items()} == {SENDER: [now, later]}


# ---- the night


async def test_at_night_only_replies_are_claimed(store_kit: StoreKit, store: Store, notices: Notices) -> None:
    await subscribe(store_kit)
    await notices.enqueue([notice(store_kit)])
    [reply] = await waiting(store_kit, store)
    assert [message.id for message in await store.claim(ACCOUNT, 10, replies_only=True)] == [reply.id]
    assert [message.category for message in await store.claim(ACCOUNT, 10)] == [Category.NOTICE]


async def test_it_is_known_how_many_dossiers_somebody_follows(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit)
    await subscribe(store_kit, code=code_of(6))
    await subscribe(store_kit, code=code_of(7), ended_at=1, end_reason="unfollow")
    assert await notices.follow_counts({SENDER, ZALO}) == {SENDER: 2, ZALO: 0}
