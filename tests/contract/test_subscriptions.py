"""What every store promises of followings and consent: written with the message that asked for them, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from adapters.store.rows import to_ms
from conversation.ports import Exchange, FollowChange, Following, FollowWish, JournalBatch, Person
from domain.codes import CodeFamily, DossierCode
from domain.errors import StoreUnavailable
from domain.message import Address, SendStatus
from tests.contract.stores import ACCOUNT, CODE, SENDER, SHORT_CODE, START, Store, StoreKit, sent

OTHER_CODE = DossierCode(text="H51.18-210817-0006", family=CodeFamily.NEW, agency="H51.18")
DAY = 86_400
YEAR = 366 * DAY


def follow(code: DossierCode = CODE, **changes: Any) -> FollowChange:
    values = {"wish": FollowWish.FOLLOW, "words": f"DK {code.text}", "source": "province", "known": "4||"}
    return FollowChange(**{**values, "code": code, **changes})


def unfollow(code: DossierCode = CODE) -> FollowChange:
    return FollowChange(wish=FollowWish.UNFOLLOW, words=f"HUY {code.text}", code=code)


async def wish(kit: StoreKit, store: Store, *changes: FollowChange, person: Person | None = None) -> Exchange:
    exchange = kit.silent(f"wish {kit.new_id()}", follows=changes, person=person)
    await store.commit(JournalBatch(exchanges=[exchange]))
    return exchange


async def consents(kit: StoreKit) -> list[tuple[str, str, str]]:
    return [(row["recipient"], row["action"], row["dossier_code"]) for row in await kit.rows("consent")]


# ---- followings


async def test_a_locked_store_follows_nothing(store_kit: StoreKit, store: Store) -> None:
    with store_kit.locked(), pytest.raises(StoreUnavailable):
        await wish(store_kit, store, follow())
    assert await store_kit.rows("subscription") == []
    assert await store_kit.rows("consent") == []


async def test_a_redelivered_message_follows_once(store_kit: StoreKit, store: Store) -> None:
    exchange = store_kit.silent("DK", follows=[follow()])
    await store.commit(JournalBatch(exchanges=[exchange]))
    await store.commit(JournalBatch(exchanges=[exchange]))
    assert len(await store_kit.rows("consent")) == 1


async def test_who_followed_what_is_kept_with_when_and_by_what_words(store_kit: StoreKit, store: Store) -> None:
    exchange = await wish(store_kit, store, follow(proved=True))
    [row] = await store_kit.rows("subscription")
    assert (row["recipient"], row["dossier_code"], row["source"]) == (SENDER.urn, CODE.reference, "province")
    assert (row["channel"], row["account"], row["sender"]) == ("sms", ACCOUNT, SHORT_CODE.urn)
    assert (row["origin"], bool(row["proved"]), row["known"], row["version"]) == ("text", True, "4||", None)
    assert (row["followed_at"], row["inbound_id"], row["ended_at"]) == (to_ms(START), exchange.message.id, None)
    [agreed] = await store_kit.rows("consent")
    assert (agreed["recipient"], agreed["action"], agreed["dossier_code"]) == (SENDER.urn, "follow", CODE.reference)
    assert (agreed["words"], agreed["channel"]) == (f"DK {CODE.text}", "sms")
    assert (agreed["inbound_id"], agreed["given_at"]) == (exchange.message.id, to_ms(START))


async def test_what_ended_begins_anew_and_is_compared_anew(store_kit: StoreKit, store: Store) -> None:
    ended: dict[str, Any] = {"ended_at": 1, "end_reason": "closed", "version": 7, "known": "2||"}
    await store_kit.put("subscription", store_kit.following(**ended))
    await wish(store_kit, store, follow(source="ministry", known="9||"))
    [row] = await store_kit.rows("subscription")
    assert (row["ended_at"], row["end_reason"], row["version"]) == (None, None, None)
    assert (row["source"], row["known"]) == ("ministry", "9||")


async def test_unfollowing_ends_it_and_keeps_the_words(store_kit: StoreKit, store: Store) -> None:
    await wish(store_kit, store, follow(), follow(OTHER_CODE))
    store_kit.clock.advance(60)
    await wish(store_kit, store, unfollow())
    ended, open_ = await store_kit.rows("subscription")
    assert (ended["ended_at"], ended["end_reason"]) == (store_kit.now_ms(), "unfollow")
    assert open_["ended_at"] is None
    assert [row["words"] for row in await store_kit.rows("consent")][-1] == f"HUY {CODE.text}"


@pytest.mark.parametrize(
    ("wishes", "follows"), [((follow(), unfollow()), False), ((unfollow(), follow()), True)], ids=["ended", "begun"]
)
async def test_the_last_wish_of_a_batch_counts_and_all_words_are_kept(
    store_kit: StoreKit, store: Store, wishes: Sequence[FollowChange], *, follows: bool
) -> None:
    exchanges = [store_kit.silent(f"wish {number}", follows=[each]) for number, each in enumerate(wishes)]
    await store.commit(JournalBatch(exchanges=exchanges))
    [row] = await store_kit.rows("subscription")
    assert (row["ended_at"] is None) is follows
    assert len(await store_kit.rows("consent")) == 2


async def test_stopping_and_resuming_leave_the_followings_and_keep_the_words(store_kit: StoreKit, store: Store) -> None:
    await wish(store_kit, store, follow())
    await wish(store_kit, store, FollowChange(wish=FollowWish.STOP_ALL, words="DUNG"))
    await wish(store_kit, store, FollowChange(wish=FollowWish.RESUME, words="BAT"))
    assert [row["ended_at"] for row in await store_kit.rows("subscription")] == [None]
    assert await consents(store_kit) == [
        (SENDER.urn, "follow", CODE.reference),
        (SENDER.urn, "stop_all", ""),
        (SENDER.urn, "resume", ""),
    ]


async def test_a_closing_follows_once_it_closes_and_a_late_one_does_not(store_kit: StoreKit, store: Store) -> None:
    message = store_kit.message()
    await store.commit(JournalBatch(exchanges=[Exchange(message=message)]))
    await store.commit(JournalBatch(closings=[store_kit.decided(message, follows=[follow()])]))
    await store.commit(JournalBatch(closings=[store_kit.decided(message, follows=[follow(OTHER_CODE)])]))
    assert await consents(store_kit) == [(SENDER.urn, "follow", CODE.reference)]
    assert [row["dossier_code"] for row in await store_kit.rows("subscription")] == [CODE.reference]


async def test_what_somebody_follows_is_listed_the_latest_first(store_kit: StoreKit, store: Store) -> None:
    assert await store.following(SENDER, 10) == []
    await wish(store_kit, store, follow())
    later = store_kit.clock.advance(60)
    await wish(store_kit, store, follow(OTHER_CODE))
    both = [Following(code=OTHER_CODE, since=later), Following(code=CODE, since=START)]
    assert await store.following(SENDER, 10) == both
    assert await store.following(SENDER, 1) == both[:1]
    await wish(store_kit, store, unfollow(OTHER_CODE))
    assert await store.following(SENDER, 10) == both[1:]
    assert await store.following(Address("sms", "84900000000"), 10) == []


# ---- who blocked us


async def blocked(kit: StoreKit, store: Store, times: int = 1) -> None:
    exchanges = [kit.exchange(f"text {kit.new_id()}", handed_over=True) for _ in range(times)]
    await store.commit(JournalBatch(exchanges=exchanges))
    results = [sent(e.reply, SendStatus.STOPPED, reason="blocked the bot") for e in exchanges if e.reply]
    await store.commit(JournalBatch(results=results))


async def test_who_blocked_us_is_stopped_and_known_at_once(store_kit: StoreKit, store: Store) -> None:
    await blocked(store_kit, store, times=2)
    assert await store.get([SENDER]) == {SENDER: Person(address=SENDER, stopped_at=START, blocked=True)}
    [row] = await store_kit.rows("consent")
    assert (row["recipient"], row["action"], row["words"]) == (SENDER.urn, "blocked", "blocked the bot")
    assert (row["channel"], row["inbound_id"], row["given_at"]) == ("sms", None, to_ms(START))


async def test_blocking_again_changes_nothing_and_keeps_what_they_chose(store_kit: StoreKit, store: Store) -> None:
    chosen = Person(address=SENDER, language="en")
    await wish(store_kit, store, person=chosen)
    await blocked(store_kit, store)
    store_kit.clock.advance(60)
    await blocked(store_kit, store)
    known = Person(address=SENDER, language="en", stopped_at=START, blocked=True)
    assert await store.get([SENDER]) == {SENDER: known}
    assert len(await store_kit.rows("consent")) == 1


async def test_what_was_refused_for_another_reason_stops_nobody(store_kit: StoreKit, store: Store) -> None:
    exchange = store_kit.exchange(handed_over=True)
    assert exchange.reply is not None
    await store.commit(JournalBatch(exchanges=[exchange]))
    await store.commit(JournalBatch(results=[sent(exchange.reply, SendStatus.REJECTED, reason="no such number")]))
    assert await store.get([SENDER]) == {}


# ---- old ones


async def test_consent_is_kept_a_year_and_while_it_is_made_use_of(store_kit: StoreKit, store: Store) -> None:
    await wish(store_kit, store, follow())
    store_kit.clock.advance(YEAR + DAY)
    await store.purge(store_kit.clock.now, 100)
    assert len(await store_kit.rows("consent")) == 1, "it is followed still"
    await wish(store_kit, store, unfollow())
    before = store_kit.clock.advance(DAY)
    await store.purge(before, 100)
    assert [row["action"] for row in await store_kit.rows("consent")] == ["unfollow"]
    assert await store_kit.rows("subscription") == []


async def test_what_is_over_goes_and_what_is_held_stays(store_kit: StoreKit, store: Store) -> None:
    now = store_kit.now_ms()
    held = store_kit.notice(state="held")
    closed = {"source": "province", "opened_at": now, "changes": 1, "tracked": 1, "closed_at": now}
    stoppage = {"starts_at": now, "ends_at": now, "texts": "{}", "tell_followers": False, "announced_at": now}
    await store_kit.put("outbox", held, store_kit.notice(state="merged", version=2))
    await store_kit.put("hold", {"id": held["id"], **closed}, {"id": held["id"] + 1, **closed, "closed_at": None})
    await store_kit.put("stoppage", {"id": 1, **stoppage}, {"id": 2, **stoppage, "ends_at": now + 2 * DAY * 1000})
    await store_kit.put("hook_nonce", {"source": "province", "nonce": "n", "keep_until": now})
    cursor = {"source": "", "feed": "once:officers", "position": "", "moved_at": now}
    await store_kit.put("feed_cursor", cursor, {**cursor, "source": "province", "feed": "poll"})
    before = store_kit.clock.advance(DAY)
    assert await store.purge(before, 100) == 5
    assert [row["state"] for row in await store_kit.rows("outbox")] == ["held"]
    assert [row["closed_at"] for row in await store_kit.rows("hold")] == [None]
    assert [row["id"] for row in await store_kit.rows("stoppage")] == [2]
    assert [row["feed"] for row in await store_kit.rows("feed_cursor")] == ["poll"]
    assert await store.purge(before, 100) == 0
