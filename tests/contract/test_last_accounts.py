"""By which of our accounts people wrote to us last: what the inbox knows, for many at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from conversation.ports import JournalBatch
from domain.errors import StoreUnavailable
from domain.message import Address
from tests.contract.stores import SENDER, Store, StoreKit

OTHER, NOBODY = Address("sms", "84987654321"), Address("sms", "84900000000")
CHAT = Address("telegram", "77")


async def write(kit: StoreKit, store: Store, sender: Address, account: str) -> None:
    kit.clock.advance(1)
    exchange = kit.exchange(f"{sender.urn} {account} {kit.new_id()}", sender=sender, account=account)
    await store.commit(JournalBatch(exchanges=[exchange]))


async def test_the_last_message_of_each_says_the_account(store_kit: StoreKit, store: Store) -> None:
    for sender, account in ((SENDER, "viettel"), (OTHER, "viettel"), (SENDER, "mobifone"), (CHAT, "bot")):
        await write(store_kit, store, sender, account)
    found = await store.last_accounts().last_accounts([SENDER, OTHER, NOBODY, CHAT])
    assert found == {SENDER: "mobifone", OTHER: "viettel", CHAT: "bot"}
    await write(store_kit, store, SENDER, "viettel")
    assert await store.last_accounts().last_accounts([SENDER]) == {SENDER: "viettel"}


async def test_a_message_that_is_still_being_decided_counts(store_kit: StoreKit, store: Store) -> None:
    await write(store_kit, store, SENDER, "viettel")
    store_kit.clock.advance(1)
    exchange = store_kit.exchange("open", account="mobifone")
    await store.commit(JournalBatch(exchanges=[type(exchange)(message=exchange.message)]))
    assert await store.last_accounts().last_accounts([SENDER]) == {SENDER: "mobifone"}


async def test_nobody_is_asked_about(store: Store) -> None:
    assert await store.last_accounts().last_accounts([]) == {}


async def test_a_thousand_people_are_one_question(store_kit: StoreKit, store: Store) -> None:
    people = [Address("sms", f"8491{number:07}") for number in range(1000)]
    await store.commit(
        JournalBatch(
            exchanges=[
                store_kit.exchange(f"q {place}", sender=each, account=f"smsc-{place % 3}")
                for place, each in enumerate(people[:300])
            ]
        )
    )
    found = await store.last_accounts().last_accounts(people)
    assert found == {each: f"smsc-{place % 3}" for place, each in enumerate(people[:300])}


async def test_what_is_masked_is_forgotten(store_kit: StoreKit, store: Store) -> None:
    await write(store_kit, store, SENDER, "viettel")
    store_kit.clock.advance(86_400)
    await write(store_kit, store, OTHER, "viettel")
    assert await store.mask(store_kit.clock.now - timedelta(hours=1), 100) == 1
    assert await store.last_accounts().last_accounts([SENDER, OTHER]) == {OTHER: "viettel"}


async def test_a_store_that_is_away_says_so(store_kit: StoreKit) -> None:
    store = await store_kit.open()
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.last_accounts().last_accounts([SENDER])
