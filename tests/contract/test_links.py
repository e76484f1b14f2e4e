"""Other addresses of a person: joined by a code sent there and back, kept with the consent, tried in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from conversation.ports import (
    Decision,
    Exchange,
    FollowChange,
    FollowWish,
    JournalBatch,
    Link,
    LinkRequest,
    Parting,
    Person,
    PinResult,
)
from domain.errors import StoreUnavailable
from domain.message import Address, Category, ChatEvent, OutboundMessage, SendStatus
from tests.contract.noticing import in_hours, notice, subscribe
from tests.contract.stores import ACCOUNT, SENDER, SHORT_CODE, START, Store, StoreKit, sent

TRIES = 3
CHAT = Address("telegram", "77")
BOT = Address("telegram", "1")


def link(address: Address = SENDER, words: str = "LK") -> Link:
    return Link(address=address, channel="sms", account=ACCOUNT, sender=SHORT_CODE, words=words)


def number(last: int) -> Address:
    return Address("sms", f"8491234500{last}")


def request(kit: StoreKit, asker: Address = CHAT, address: Address = SENDER, seal: str = "seal") -> LinkRequest:
    message = OutboundMessage(
        id=kit.new_id(),
        channel="sms",
        account=ACCOUNT,
        category=Category.REPLY,
        recipient=address,
        sender=SHORT_CODE,
        text="Ma xac nhan: 123456",
        created_at=kit.clock.now,
        expires_at=kit.clock.now + timedelta(minutes=10),
    )
    return LinkRequest(asker=asker, link=link(address), pin_seal=seal, message=message, expires_at=message.expires_at)


def joins(kit: StoreKit, *links: Link, sender: Address = CHAT) -> Exchange:
    message = kit.message(f"joins {kit.new_id()}", sender=sender, channel="telegram", account="bot", recipient=BOT)
    return Exchange(message=message, decision=Decision(inquiry="link", links=links))


async def join(kit: StoreKit, store: Store, *links: Link, sender: Address = CHAT) -> Exchange:
    exchange = joins(kit, *links, sender=sender)
    await store.commit(JournalBatch(exchanges=[exchange]))
    return exchange


async def linked(store: Store, address: Address = CHAT) -> Sequence[Address]:
    known = await store.get([address])
    return known[address].linked if known else ()


# ---- asked for and proved


async def test_a_locked_store_keeps_no_request_and_sends_no_code(store_kit: StoreKit, store: Store) -> None:
    with store_kit.locked(), pytest.raises(StoreUnavailable):
        await store.links().ask(request(store_kit))
    assert await store_kit.rows("link_pin") == await store_kit.rows("outbox") == []


async def test_wrong_codes_count_and_the_last_one_spends_the_request(store_kit: StoreKit, store: Store) -> None:
    links = store.links()
    await links.ask(request(store_kit))
    tried = [await links.redeem(CHAT, "wrong", tries=TRIES) for _ in range(TRIES)]
    assert tried == [(PinResult.WRONG, None), (PinResult.WRONG, None), (PinResult.SPENT, None)]
    assert await links.redeem(CHAT, "seal", tries=TRIES) == (PinResult.SPENT, None)


async def test_a_code_is_good_only_from_who_asked(store_kit: StoreKit, store: Store) -> None:
    links = store.links()
    await links.ask(request(store_kit))
    assert await links.redeem(Address("telegram", "78"), "seal", tries=TRIES) == (PinResult.SPENT, None)
    assert await links.redeem(SENDER, "seal", tries=TRIES) == (PinResult.SPENT, None)
    assert [row["tries"] for row in await store_kit.rows("link_pin")] == [0]


async def test_a_late_code_is_spent_and_the_request_purged(store_kit: StoreKit, store: Store) -> None:
    links = store.links()
    await links.ask(request(store_kit))
    store_kit.clock.now = START + timedelta(minutes=10)
    assert await links.redeem(CHAT, "seal", tries=TRIES) == (PinResult.SPENT, None)
    await store.purge(store_kit.clock.advance(1), 10)
    assert await store_kit.rows("link_pin") == []


async def test_the_right_code_gives_the_link_once_and_writes_nothing_by_itself(
    store_kit: StoreKit, store: Store
) -> None:
    links, asked = store.links(), request(store_kit)
    await links.ask(asked)
    assert await links.redeem(CHAT, "seal", tries=TRIES) == (PinResult.FOLLOWING, asked.link)
    assert await links.redeem(CHAT, "seal", tries=TRIES) == (PinResult.SPENT, None)
    assert await store_kit.rows("next_address") == await store_kit.rows("consent") == []


async def test_asking_again_sends_the_same_message_once(store_kit: StoreKit, store: Store) -> None:
    links, asked = store.links(), request(store_kit)
    await links.ask(asked)
    await links.ask(asked)
    assert await store.claim(ACCOUNT, 10) == [asked.message]
    assert len(await store_kit.rows("link_pin")) == 1


async def test_a_new_request_takes_the_place_of_the_one_before(store_kit: StoreKit, store: Store) -> None:
    links, second = store.links(), request(store_kit, address=number(2), seal="second")
    await links.ask(request(store_kit))
    await links.redeem(CHAT, "wrong", tries=TRIES)
    await links.ask(second)
    assert await links.redeem(CHAT, "seal", tries=TRIES) == (PinResult.WRONG, None)
    assert await links.redeem(CHAT, "second", tries=TRIES) == (PinResult.FOLLOWING, second.link)


# ---- written with the decision


async def test_a_joined_address_is_known_with_its_consent(store_kit: StoreKit, store: Store) -> None:
    exchange = await join(store_kit, store, link(words="LK 0912"))
    assert await store.get([CHAT, SENDER]) == {CHAT: Person(address=CHAT, linked=(SENDER,))}
    [row] = await store_kit.rows("next_address")
    assert (row["recipient"], row["place"], row["address"]) == (CHAT.urn, 1, SENDER.urn)
    assert (row["channel"], row["account"], row["sender"]) == ("sms", ACCOUNT, SHORT_CODE.urn)
    assert row["agreed_at"] == store_kit.now_ms()
    [agreed] = await store_kit.rows("consent")
    assert (agreed["recipient"], agreed["action"], agreed["words"]) == (CHAT.urn, "link", "LK 0912")
    assert (agreed["channel"], agreed["inbound_id"], agreed["dossier_code"]) == ("telegram", exchange.message.id, "")
    assert agreed["given_at"] == store_kit.now_ms()


async def test_a_message_decided_late_joins_as_well(store_kit: StoreKit, store: Store) -> None:
    exchange = joins(store_kit, link())
    await store.commit(JournalBatch(exchanges=[replace(exchange, decision=None)]))
    assert await linked(store) == ()
    await store.commit(JournalBatch(closings=[exchange]))
    assert await linked(store) == (SENDER,)


async def test_places_are_taken_in_order_and_no_more_than_three(store_kit: StoreKit, store: Store) -> None:
    for last in range(1, 5):
        await join(store_kit, store, link(number(last)))
    assert await linked(store) == (number(1), number(2), number(3))
    assert len(await store_kit.rows("consent")) == 3


async def test_links_of_one_batch_find_places_of_their_own(store_kit: StoreKit, store: Store) -> None:
    await join(store_kit, store, link(number(1)))
    batch = [joins(store_kit, link(number(1))), joins(store_kit, link(number(2))), joins(store_kit, link(number(3)))]
    elsewhere = joins(store_kit, link(number(2)), sender=Address("zalo", "1.2"))
    await store.commit(JournalBatch(exchanges=[*batch, joins(store_kit, link(number(2))), elsewhere]))
    assert await linked(store) == (number(1), number(2), number(3))
    assert await linked(store, Address("zalo", "1.2")) == (number(2),)


async def test_the_same_address_again_changes_nothing(store_kit: StoreKit, store: Store) -> None:
    await join(store_kit, store, link())
    before = await store_kit.rows("next_address")
    store_kit.clock.advance(60)
    await join(store_kit, store, link())
    assert await store_kit.rows("next_address") == before


async def test_nobody_is_joined_to_themselves(store_kit: StoreKit, store: Store) -> None:
    await join(store_kit, store, link(CHAT))
    assert await store_kit.rows("next_address") == await store_kit.rows("consent") == []


async def test_a_place_that_became_free_is_given_to_the_next(store_kit: StoreKit, store: Store) -> None:
    place = {"recipient": CHAT.urn, "channel": "sms", "account": ACCOUNT, "sender": SHORT_CODE.urn, "agreed_at": 0}
    for taken in (1, 3):
        await store_kit.put("next_address", {**place, "place": taken, "address": number(taken).urn})
    await join(store_kit, store, link(number(2)), link(number(4)))
    assert await linked(store) == (number(1), number(2), number(3))


async def test_links_are_known_after_a_start_and_beside_what_was_chosen(store_kit: StoreKit, store: Store) -> None:
    await join(store_kit, store, link())
    await store_kit.crash(store)
    heir = await store_kit.open()
    assert await heir.get([CHAT]) == {CHAT: Person(address=CHAT, linked=(SENDER,))}
    chosen = Exchange(
        message=store_kit.message("EN", sender=CHAT),
        decision=Decision(inquiry="choose_language", person=Person(address=CHAT, language="en")),
    )
    await heir.commit(JournalBatch(exchanges=[chosen]))
    await heir.commit(JournalBatch(exchanges=[store_kit.silent("EN", person=Person(address=SENDER, language="en"))]))
    assert await heir.get([CHAT, SENDER, BOT]) == {
        CHAT: Person(address=CHAT, language="en", linked=(SENDER,)),
        SENDER: Person(address=SENDER, language="en"),
    }


# ---- joined no more


def parts(kit: StoreKit, sender: Address = CHAT, address: Address | None = None) -> Exchange:
    message = kit.message(f"parts {kit.new_id()}", sender=sender, channel=sender.scheme)
    parting = Parting(words="HUY LK", address=address)
    return Exchange(message=message, decision=Decision(inquiry="part_number", partings=[parting]))


@pytest.mark.parametrize("by", [CHAT, SENDER], ids=["the chat", "the number"])
async def test_either_end_parts_and_what_the_number_opened_is_closed(
    store_kit: StoreKit, store: Store, by: Address
) -> None:
    await join(store_kit, store, link())
    await join(store_kit, store, link(number(7)), sender=Address("zalo", "9"))
    await subscribe(store_kit, CHAT, proved=True)
    await subscribe(store_kit, SENDER, proved=True)
    await store.commit(JournalBatch(exchanges=[parts(store_kit, by)]))
    assert await linked(store) == ()
    assert await linked(store, Address("zalo", "9")) == (number(7),)
    proved = {row["recipient"]: bool(row["proved"]) for row in await store_kit.rows("subscription")}
    assert proved == {CHAT.urn: False, SENDER.urn: True}
    last = (await store_kit.rows("consent"))[-1]
    assert (last["recipient"], last["action"], last["words"]) == (by.urn, "unlink", "HUY LK")


async def test_one_of_several_is_parted_from(store_kit: StoreKit, store: Store) -> None:
    await join(store_kit, store, link(number(1)), link(number(2)))
    await store.commit(JournalBatch(exchanges=[parts(store_kit, CHAT, number(1))]))
    assert await linked(store) == (number(2),)


async def test_a_code_that_is_on_its_way_joins_nothing_once_the_number_parted(
    store_kit: StoreKit, store: Store
) -> None:
    await store.links().ask(request(store_kit))
    await store.commit(JournalBatch(exchanges=[parts(store_kit, SENDER)]))
    assert await store.links().redeem(CHAT, "seal", tries=TRIES) == (PinResult.SPENT, None)


# ---- who blocked us


def gone(kit: StoreKit, wish: FollowWish) -> Exchange:
    message = kit.message("", sender=CHAT, channel="telegram", account="bot", event=ChatEvent.BLOCKED)
    person = Person(address=CHAT, stopped_at=message.received_at)
    change = FollowChange(wish=wish, words=wish.value)
    decision = Decision(inquiry="event", person=person, changes=frozenset({"stopped_at"}), follows=[change])
    return Exchange(message=message, decision=decision)


async def test_who_said_stop_did_not_block_us(store_kit: StoreKit, store: Store) -> None:
    await store.commit(JournalBatch(exchanges=[gone(store_kit, FollowWish.STOP_ALL)]))
    assert await store.get([CHAT]) == {CHAT: Person(address=CHAT, stopped_at=START)}


async def test_who_blocked_us_is_told_at_the_joined_address(store_kit: StoreKit, store: Store) -> None:
    await join(store_kit, store, link())
    await subscribe(store_kit, CHAT, channel="telegram", account="bot")
    await store.commit(JournalBatch(exchanges=[gone(store_kit, FollowWish.BLOCKED)]))
    assert await store.get([CHAT]) == {CHAT: Person(address=CHAT, stopped_at=START, linked=(SENDER,), blocked=True)}
    await store.notices().enqueue([notice(store_kit, recipient=CHAT, channel="telegram", account="bot")])
    assert await store.claim("bot", 10) == []
    assert await store.notices().fall_back([store_kit.new_id()]) == 1
    assert [message.recipient for message in await store.claim(ACCOUNT, 10)] == [SENDER]


async def test_who_said_stop_is_told_nowhere(store_kit: StoreKit, store: Store) -> None:
    await join(store_kit, store, link())
    await subscribe(store_kit, CHAT, channel="telegram", account="bot")
    await store.commit(JournalBatch(exchanges=[gone(store_kit, FollowWish.STOP_ALL)]))
    await store.notices().enqueue([notice(store_kit, recipient=CHAT, channel="telegram", account="bot")])
    assert await store.claim("bot", 10) == []
    assert await store.notices().fall_back([store_kit.new_id()]) == 0


async def test_what_the_channel_says_of_a_block_shows_as_well(store_kit: StoreKit, store: Store) -> None:
    exchange = store_kit.exchange(sender=CHAT, handed_over=True)
    assert exchange.reply is not None
    await store.commit(JournalBatch(exchanges=[exchange]))
    await store.commit(JournalBatch(results=[sent(exchange.reply, SendStatus.STOPPED, reason="403")]))
    assert (await store.get([CHAT]))[CHAT].blocked


async def test_a_notice_that_the_joined_address_gets_expires_as_before(store_kit: StoreKit, store: Store) -> None:
    await join(store_kit, store, link())
    await subscribe(store_kit, CHAT, channel="telegram", account="bot")
    expires_at = in_hours(store_kit, 1)
    written = notice(store_kit, recipient=CHAT, channel="telegram", account="bot", expires_at=expires_at)
    await store.notices().enqueue([written])
    [claimed] = await store.claim("bot", 10)
    await store.hand_over([claimed.id])
    await store.commit(JournalBatch(results=[sent(claimed, SendStatus.REJECTED, reason="window")]))
    assert await store.notices().fall_back([store_kit.new_id()]) == 1
    [onward] = await store.claim(ACCOUNT, 10)
    assert (onward.recipient, onward.expires_at) == (SENDER, expires_at)
