"""Numbers proved by a code sent back (conversation.ports.Pins): whoever types it holds the number, or nothing happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from conversation.ports import FollowChange, FollowWish, PinRequest, PinResult
from domain.errors import StoreUnavailable
from domain.message import Category, OutboundMessage
from tests.contract.stores import ACCOUNT, CODE, SENDER, SHORT_CODE, START, Store, StoreKit

TRIES = 3


def request(kit: StoreKit, token: str = "token") -> PinRequest:
    message = OutboundMessage(
        id=kit.new_id(),
        channel="sms",
        account=ACCOUNT,
        category=Category.REPLY,
        recipient=SENDER,
        sender=SHORT_CODE,
        text="Ma xac nhan: 123456",
        created_at=kit.clock.now,
        expires_at=kit.clock.now + timedelta(minutes=10),
    )
    change = FollowChange(wish=FollowWish.FOLLOW, words="web", code=CODE, source="province", known="4||", proved=True)
    return PinRequest(
        token=token, address=SENDER, change=change, pin_seal="seal", message=message, expires_at=message.expires_at
    )


async def test_a_locked_store_keeps_no_request_and_sends_no_code(store_kit: StoreKit, store: Store) -> None:
    with store_kit.locked(), pytest.raises(StoreUnavailable):
        await store.pins().ask(request(store_kit))
    assert await store_kit.rows("follow_pin") == await store_kit.rows("outbox") == []


async def test_a_request_names_a_dossier(store_kit: StoreKit, store: Store) -> None:
    asked = request(store_kit)
    with pytest.raises(ValueError, match="one dossier"):
        await store.pins().ask(replace(asked, change=replace(asked.change, code=None)))


async def test_the_code_is_sent_and_asking_again_sends_it_once(store_kit: StoreKit, store: Store) -> None:
    asked = request(store_kit)
    await store.pins().ask(asked)
    await store.pins().ask(asked)
    assert await store.claim(ACCOUNT, 10) == [asked.message]
    assert len(await store_kit.rows("follow_pin")) == 1


async def test_the_right_code_follows_as_by_text_once(store_kit: StoreKit, store: Store) -> None:
    pins = store.pins()
    await pins.ask(request(store_kit))
    store_kit.clock.advance(60)
    assert await pins.redeem("token", "seal", tries=TRIES) is PinResult.FOLLOWING
    assert await pins.redeem("token", "seal", tries=TRIES) is PinResult.SPENT
    [row] = await store_kit.rows("subscription")
    assert (row["recipient"], row["dossier_code"], row["source"]) == (SENDER.urn, CODE.reference, "province")
    assert (row["channel"], row["account"], row["sender"]) == ("sms", ACCOUNT, SHORT_CODE.urn)
    assert (row["origin"], row["known"], bool(row["proved"])) == ("web", "4||", True)
    assert (row["followed_at"], row["inbound_id"]) == (store_kit.now_ms(), None)
    [agreed] = await store_kit.rows("consent")
    assert (agreed["recipient"], agreed["action"], agreed["words"]) == (SENDER.urn, "follow", "web")
    assert (agreed["dossier_code"], agreed["given_at"]) == (CODE.reference, store_kit.now_ms())
    assert [each.code for each in await store.following(SENDER, 10)] == [CODE]


async def test_wrong_codes_count_and_the_last_one_spends_the_request(store_kit: StoreKit, store: Store) -> None:
    pins = store.pins()
    await pins.ask(request(store_kit))
    tried = [await pins.redeem("token", "wrong", tries=TRIES) for _ in range(TRIES)]
    assert tried == [PinResult.WRONG, PinResult.WRONG, PinResult.SPENT]
    assert await pins.redeem("token", "seal", tries=TRIES) is PinResult.SPENT
    assert await store_kit.rows("subscription") == await store_kit.rows("consent") == []


async def test_a_late_code_and_one_nobody_asked_for_are_spent(store_kit: StoreKit, store: Store) -> None:
    pins = store.pins()
    await pins.ask(request(store_kit))
    assert await pins.redeem("another", "seal", tries=TRIES) is PinResult.SPENT
    store_kit.clock.now = START + timedelta(minutes=10)
    assert await pins.redeem("token", "seal", tries=TRIES) is PinResult.SPENT
    await store.purge(store_kit.clock.advance(1), 10)
    assert await store_kit.rows("follow_pin") == []
