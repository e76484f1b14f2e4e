"""A channel that is closed to somebody is not the end: the notice goes on to where else they agreed to be told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from adapters.store.rows import to_ms
from conversation.ports import Decision, Exchange, FollowChange, FollowWish, JournalBatch
from domain.message import Address
from domain.notices import NoticeKind
from notifications.ports import NewNotice, Notices, PendingNotice
from notifications.routing import Reached, Routes, Routing
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
    in_hours,
    notice,
    only,
    put,
    recording,
    states,
    subscribe,
)
from tests.contract.stores import SENDER, Store, StoreKit

TELEGRAM = Address("telegram", "555")
BLOCKED = {  # at 5, as the journal writes it when a channel says so
    "recipient": SENDER.urn,
    "action": "blocked",
    "dossier_code": "",
    "words": "",
    "channel": "sms",
    "given_at": 5,
}


@pytest.fixture
def notices(store: Store) -> Notices:
    return store.notices()


async def failed(kit: StoreKit, notices: Notices, state: str = "rejected", **changes: Any) -> NewNotice:
    written = notice(kit, **changes)
    await notices.enqueue([written])
    await settle(kit, written.id, state)
    return written


async def settle(kit: StoreKit, identifier: int, state: str) -> None:
    await change(kit, identifier, state=state, settled_at=to_ms(kit.clock.now), attempts=1)


@pytest.mark.parametrize("state", ["rejected", "stopped"])
async def test_a_notice_goes_to_the_next_address(store_kit: StoreKit, notices: Notices, state: str) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    first = await failed(store_kit, notices, state)
    if state == "stopped":
        await choose(store_kit, SENDER, stopped_at=5)
        await put(store_kit, "consent", BLOCKED)
    store_kit.clock.advance(5)
    new_id = store_kit.new_id()
    assert await notices.fall_back([new_id, store_kit.new_id()]) == 1
    assert await notices.fall_back([store_kit.new_id()]) == 0
    row, was = await store_kit.row("outbox", new_id), await store_kit.row("outbox", first.id)
    same = ("category", "priority", "text", "language", "source", "dossier_code", "version", "expires_at")
    assert {name: row[name] for name in same} == {name: was[name] for name in same}
    assert (row["channel"], row["account"], row["sender"], row["recipient"]) == (
        "zalo",
        "zalo-1",
        "zalo:ours",
        ZALO.urn,
    )
    now = to_ms(store_kit.clock.now)
    assert (row["state"], row["created_at"], row["available_at"], row["attempts"]) == ("ready", now, now, 0)
    about = {"kind": "ready", "before": ACCEPTED.text, "urgency": "normal"}
    assert json.loads(row["params"]) == {**about, "for": SENDER.urn, "place": 1}
    assert json.loads(was["params"]) == {**about, "next": new_id}
    assert was["state"] == state


async def test_a_text_of_a_chat_loses_its_accents_on_its_way_to_a_telephone(
    store_kit: StoreKit, notices: Notices
) -> None:
    await subscribe(store_kit, ZALO)
    await agree(store_kit, ZALO, 1, SENDER)
    chat: dict[str, Any] = {"channel": "zalo", "recipient": ZALO, "sender": Address("zalo", "ours")}
    first = await failed(store_kit, notices, **chat, text="Hồ sơ đã có kết quả")
    new_id = store_kit.new_id()
    assert await notices.fall_back([new_id]) == 1
    texts = [(await store_kit.row("outbox", each))["text"] for each in (first.id, new_id)]
    assert texts == ["Hồ sơ đã có kết quả", "Ho so da co ket qua"]


JOINED, OURS = "sms-1", Address("sms", "6089")  # how `agree` joins a telephone; our number at another operator
TWO_LINES = Routing(
    lines={
        JOINED: Reached(channel="sms", account=JOINED, sender=Address("sms", "ours")),
        "other": Reached(channel="sms", account="other", sender=OURS, name=Address("sms", "TRACUU")),
    },
    routes=Routes(default="other"),
)


@pytest.mark.parametrize(
    ("routing", "wrote_by", "account", "sender"),
    [
        (TWO_LINES, "", JOINED, "sms:ours"),
        (TWO_LINES, "other", "other", OURS.urn),
        (TWO_LINES, "gone", JOINED, "sms:ours"),
        (replace(TWO_LINES, lines={"other": TWO_LINES.lines["other"]}), "", "other", OURS.urn),
        (Routing(), "other", JOINED, "sms:ours"),
    ],
    ids=["never wrote", "wrote by the other", "wrote by one gone", "joined over one gone", "no account"],
)
async def test_a_telephone_joined_to_a_chat_is_reached_as_all_others_are(
    store_kit: StoreKit, store: Store, notices: Notices, routing: Routing, wrote_by: str, account: str, sender: str
) -> None:
    await subscribe(store_kit, ZALO)
    await agree(store_kit, ZALO, 1, SENDER)
    if wrote_by:
        await store.commit(JournalBatch(exchanges=[store_kit.exchange("q", account=wrote_by)]))
    await failed(store_kit, notices, channel="zalo", recipient=ZALO, sender=Address("zalo", "ours"))
    new_id = store_kit.new_id()
    assert await notices.fall_back([new_id], routing.joined) == 1
    row = await store_kit.row("outbox", new_id)
    assert (row["channel"], row["account"], row["sender"], row["recipient"]) == ("sms", account, sender, SENDER.urn)


async def test_a_chat_is_reached_as_it_was_joined(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    await failed(store_kit, notices)
    new_id = store_kit.new_id()
    assert await notices.fall_back([new_id], TWO_LINES.joined) == 1
    assert (await store_kit.row("outbox", new_id))["account"] == "zalo-1"


async def test_it_leaves_there(store_kit: StoreKit, store: Store, notices: Notices) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    await failed(store_kit, notices)
    new_id = store_kit.new_id()
    await notices.fall_back([new_id])
    assert [(message.id, message.recipient) for message in await store.claim("zalo-1", 10)] == [(new_id, ZALO)]


async def test_place_after_place_is_tried_and_then_no_more(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    await agree(store_kit, SENDER, 3, TELEGRAM)
    first = await failed(store_kit, notices)
    second, third = store_kit.new_id(), store_kit.new_id()
    assert await notices.fall_back([second]) == 1
    await settle(store_kit, second, "rejected")
    assert await notices.fall_back([third]) == 1
    await settle(store_kit, third, "stopped")
    assert await notices.fall_back([store_kit.new_id()]) == 0
    rows = await store_kit.rows("outbox")
    assert [(row["id"], row["recipient"]) for row in rows] == [
        (first.id, SENDER.urn),
        (second, ZALO.urn),
        (third, TELEGRAM.urn),
    ]


async def test_what_is_not_about_a_version_falls_back_once_too(store_kit: StoreKit, notices: Notices) -> None:
    await agree(store_kit, SENDER, 1, ZALO)
    stoppage: dict[str, Any] = {
        "kind": NoticeKind.STOPPAGE,
        "source": "",
        "code": None,
        "subject": "stoppage-7",
        "version": None,
    }
    await failed(store_kit, notices, **stoppage)
    assert await notices.fall_back([store_kit.new_id()]) == 1
    assert await notices.fall_back([store_kit.new_id()]) == 0


async def test_without_another_address_it_stays_where_it_is(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit)
    await agree(store_kit, OTHER, 1, ZALO)
    first = await failed(store_kit, notices)
    assert await notices.fall_back([store_kit.new_id()]) == 0
    assert await states(store_kit) == [(first.id, "rejected", None)]


@pytest.mark.parametrize("state", ["expired", "unknown", "dropped", "merged", "accepted"])
async def test_what_was_not_refused_does_not_fall_back(store_kit: StoreKit, notices: Notices, state: str) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    await failed(store_kit, notices, state)
    assert await notices.fall_back([store_kit.new_id()]) == 0


async def test_what_has_expired_does_not_fall_back(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    await failed(store_kit, notices, expires_at=in_hours(store_kit, 1))
    store_kit.clock.advance(3600)
    assert await notices.fall_back([store_kit.new_id()]) == 0


async def test_who_unfollowed_or_stopped_meanwhile_is_left_alone(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit, ended_at=1, end_reason="unfollow")
    await agree(store_kit, SENDER, 1, ZALO)
    await failed(store_kit, notices)
    await subscribe(store_kit, OTHER)
    await agree(store_kit, OTHER, 1, TELEGRAM)
    await choose(store_kit, OTHER, stopped_at=5)
    await failed(store_kit, notices, recipient=OTHER)
    assert await notices.fall_back([store_kit.new_id(), store_kit.new_id()]) == 0


async def test_an_address_that_stopped_us_is_passed_over(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    await agree(store_kit, SENDER, 2, TELEGRAM)
    await choose(store_kit, ZALO, stopped_at=5)
    await failed(store_kit, notices)
    new_id = store_kit.new_id()
    assert await notices.fall_back([new_id]) == 1
    assert (await store_kit.row("outbox", new_id))["recipient"] == TELEGRAM.urn


async def wish(kit: StoreKit, store: Store, which: FollowWish, address: Address = ZALO) -> None:
    """As somebody says it at that address."""
    change = FollowChange(wish=which, words=which.value, code=CODE, source=SOURCE)
    message = kit.message(f"{which} {kit.new_id()}", sender=address)
    decision = Decision(inquiry=which.value, follows=[change])
    await store.commit(JournalBatch(exchanges=[Exchange(message=message, decision=decision)]))


async def test_an_address_that_wants_none_of_this_dossier_is_passed_over(
    store_kit: StoreKit, store: Store, notices: Notices
) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    await failed(store_kit, notices)
    await wish(store_kit, store, FollowWish.UNFOLLOW)
    assert await notices.fall_back([store_kit.new_id()]) == 0
    await wish(store_kit, store, FollowWish.FOLLOW)
    assert await notices.fall_back([store_kit.new_id()]) == 1


async def test_who_unfollows_where_it_went_is_not_told_there(
    store_kit: StoreKit, store: Store, notices: Notices
) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    await failed(store_kit, notices)
    new_id = store_kit.new_id()
    await notices.fall_back([new_id])
    await wish(store_kit, store, FollowWish.UNFOLLOW)
    assert await store.claim("zalo-1", 10) == []
    row = await store_kit.row("outbox", new_id)
    assert (row["state"], row["reason"]) == ("dropped", "not_followed")


async def test_an_address_that_has_this_version_is_passed_over(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    await failed(store_kit, notices)
    await notices.enqueue([notice(store_kit, recipient=ZALO)])
    assert await notices.fall_back([store_kit.new_id()]) == 0


async def test_a_newer_notice_goes_its_own_way(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    await failed(store_kit, notices)
    await notices.enqueue([notice(store_kit, version=3)])
    assert await notices.fall_back([store_kit.new_id()]) == 0


async def test_what_waits_at_the_other_address_is_replaced_by_the_newer(store_kit: StoreKit, notices: Notices) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, ZALO)
    await failed(store_kit, notices)
    new_id = store_kit.new_id()
    await notices.fall_back([new_id])
    waiting = PendingNotice(id=new_id, before=ACCEPTED, kind=NoticeKind.READY, available_at=store_kit.clock.now)
    assert only(await notices.review(SOURCE, [CODE])).pending == waiting
    newer = notice(store_kit, version=3, replaces=new_id, before=DONE)
    assert await notices.record(recording(notices=[newer])) == frozenset()
    assert (await store_kit.row("outbox", new_id))["state"] == "merged"


async def test_at_most_as_many_go_on_as_there_are_ids_and_the_others_follow(
    store_kit: StoreKit, notices: Notices
) -> None:
    people = [Address("sms", f"8490000000{number}") for number in range(1, 6)]
    for address in people:
        await subscribe(store_kit, address)
        await agree(store_kit, address, 1, Address("zalo", address.value))
        await failed(store_kit, notices, recipient=address)
    assert await notices.fall_back([]) == 0
    assert [await notices.fall_back([store_kit.new_id(), store_kit.new_id()]) for _ in range(4)] == [2, 2, 1, 0]
    assert len(await store_kit.rows("outbox")) == 10
