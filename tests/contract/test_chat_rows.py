"""What a chat says and shows beside the text is kept as it was, and costs an SMS nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conversation.ports import Exchange, JournalBatch
from domain.message import Address, Button, ChatEvent, Media, MediaKind, SendStatus
from tests.contract.noticing import CODE, agree, notice, subscribe
from tests.contract.stores import ACCOUNT, SENDER, Store, StoreKit, sent

CHAT = Address("telegram", "77")
BUTTONS = (
    (Button('Ngừng "báo tin"', "HUY H51.18-210817-0005"), Button("Xem", "H51.18-210817-0005")),
    (Button("ខ្មែរ", "KM"),),
)
SAID: tuple[dict[str, Any], ...] = (
    {"media": Media(MediaKind.PICTURE, 'AgACAgUAA/x:y\\"z')},
    {"media": Media(MediaKind.OTHER)},
    {"public": True},
    {"language": "km"},
    {"phone": "+84 912 345 678"},
    {"event": ChatEvent.BLOCKED},
    {"media": Media(MediaKind.PICTURE, "f"), "public": True, "language": "vi", "phone": "84912", "event": None},
)


@pytest.mark.parametrize("said", SAID)
async def test_what_a_chat_said_comes_back_with_an_open_message(
    store_kit: StoreKit, store: Store, said: dict[str, Any]
) -> None:
    message = store_kit.message("caption", sender=CHAT, **said)
    await store.commit(JournalBatch(exchanges=[Exchange(message=message)]))
    await store_kit.crash(store)
    assert await (await store_kit.open()).take_open(10) == [message]


@pytest.mark.parametrize("reference", ["half \ud83d of a pair", "a\x00b"])
async def test_what_no_database_keeps_is_replaced(store_kit: StoreKit, store: Store, reference: str) -> None:
    message = store_kit.message(sender=CHAT, media=Media(MediaKind.PICTURE, reference), phone=reference)
    await store.commit(JournalBatch(exchanges=[Exchange(message=message)]))
    await store_kit.crash(store)
    [taken] = await (await store_kit.open()).take_open(10)
    kept = reference.replace("\ud83d", "\N{REPLACEMENT CHARACTER}").replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert (taken.media, taken.phone) == (Media(MediaKind.PICTURE, kept), kept)


async def test_an_sms_pays_nothing(store_kit: StoreKit, store: Store) -> None:
    await store.commit(JournalBatch(exchanges=[store_kit.exchange()]))
    assert [row["extras"] for row in await store_kit.rows("inbox")] == [None]
    assert [row["params"] for row in await store_kit.rows("outbox")] == [None]


async def test_a_reply_that_waits_keeps_its_buttons(store_kit: StoreKit, store: Store) -> None:
    exchange = store_kit.exchange(sender=CHAT)
    assert exchange.reply is not None
    reply = replace(exchange.reply, buttons=BUTTONS)
    await store.commit(JournalBatch(exchanges=[replace(exchange, reply=reply)]))
    assert await store.claim(ACCOUNT, 10) == [reply]


async def test_a_reply_without_buttons_has_none(store_kit: StoreKit, store: Store) -> None:
    exchange = store_kit.exchange()
    await store.commit(JournalBatch(exchanges=[exchange]))
    assert await store.claim(ACCOUNT, 10) == [exchange.reply]


async def test_a_notice_carries_buttons_and_takes_them_to_the_next_address(store_kit: StoreKit, store: Store) -> None:
    await subscribe(store_kit)
    await agree(store_kit, SENDER, 1, Address("zalo", "1.2"))
    await store.notices().enqueue([notice(store_kit, buttons=BUTTONS)])
    [claimed] = await store.claim(ACCOUNT, 10)
    assert claimed.buttons == BUTTONS
    await store.hand_over([claimed.id])
    await store.commit(JournalBatch(results=[sent(claimed, SendStatus.REJECTED)]))
    assert await store.notices().fall_back([store_kit.new_id()]) == 1
    [onward] = await store.claim("zalo-1", 10)
    assert onward.buttons == BUTTONS


async def test_a_notice_without_buttons_has_none_and_its_review_is_as_before(store_kit: StoreKit, store: Store) -> None:
    await subscribe(store_kit)
    plain, shown = notice(store_kit, version=1), notice(store_kit, version=2, buttons=BUTTONS)
    await store.notices().enqueue([plain, shown])
    review = await store.notices().review(plain.source, [CODE])
    [follower] = review.followers[CODE]
    assert follower.pending is not None
    assert (follower.pending.id, follower.pending.kind) == (shown.id, shown.kind)
    assert [message.buttons for message in await store.claim(ACCOUNT, 10)] == [BUTTONS]


async def test_masking_forgets_what_a_chat_said(store_kit: StoreKit, store: Store) -> None:
    exchange = store_kit.exchange(sender=CHAT, phone="84912345678", media=Media(MediaKind.PICTURE, "face"))
    await store.commit(JournalBatch(exchanges=[exchange]))
    await store.mask(store_kit.clock.advance(86_400), 10)
    assert [row["extras"] for row in await store_kit.rows("inbox")] == [None]
