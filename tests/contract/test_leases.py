"""Leases: one process at a time does what only one may do; the store's clock says until when."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.store.rows import to_ms
from domain.errors import StoreUnavailable
from tests.contract.conftest import make_kit
from tests.contract.stores import START, PostgresKit, Store, StoreKit

LENGTH = timedelta(seconds=30)


async def test_what_is_free_is_taken_and_told(store_kit: StoreKit, store: Store) -> None:
    assert await store.leases().take(["sms viettel", "delivery"], LENGTH) == {"sms viettel", "delivery"}
    rows = await store_kit.rows("lease")
    assert [row["name"] for row in rows] == ["delivery", "sms viettel"]
    assert {(row["owner"], row["taken_at"]) for row in rows} == {(store._owner, to_ms(START))}
    assert {row["lease_until"] for row in rows} == {to_ms(START + LENGTH)}


async def test_nothing_wanted_is_nothing_taken(store_kit: StoreKit, store: Store) -> None:
    assert await store.leases().take([], LENGTH) == frozenset()
    await store.leases().give_back([])
    assert await store_kit.rows("lease") == []


async def test_renewing_lengthens_it_and_keeps_when_it_was_taken(store_kit: StoreKit, store: Store) -> None:
    await store.leases().take(["delivery"], LENGTH)
    store_kit.clock.advance(10)
    assert await store.leases().take(["delivery"], LENGTH) == {"delivery"}
    (row,) = await store_kit.rows("lease")
    assert (row["taken_at"], row["lease_until"]) == (to_ms(START), to_ms(START + timedelta(seconds=10) + LENGTH))


async def test_a_process_that_died_is_followed_by_another(store_kit: StoreKit, store: Store) -> None:
    await store.leases().take(["delivery"], LENGTH)
    await store_kit.crash(store)
    heir = await store_kit.open()
    assert await heir.leases().take(["delivery"], LENGTH) == {"delivery"}
    (row,) = await store_kit.rows("lease")
    assert (row["owner"], row["taken_at"]) == (heir._owner, to_ms(store_kit.clock.now))


async def test_what_is_given_back_is_nobodys(store_kit: StoreKit, store: Store) -> None:
    await store.leases().take(["sms viettel", "delivery"], LENGTH)
    await store.leases().give_back(["sms viettel", "never held"])
    assert [row["name"] for row in await store_kit.rows("lease")] == ["delivery"]


async def test_a_store_that_is_locked_gives_none_and_says_so(store_kit: StoreKit, store: Store) -> None:
    with store_kit.locked(), pytest.raises(StoreUnavailable):
        await store.leases().take(["delivery"], LENGTH)
    assert await store.leases().take(["delivery"], LENGTH) == {"delivery"}


async def test_a_process_introduces_itself_once(store_kit: StoreKit, store: Store) -> None:
    leases = store.leases()
    await leases.introduce(host="gw-1", pid=4711, version="0.1.0", roles=["sms", "web"])
    await leases.introduce(host="gw-2", pid=4712, version="0.1.0", roles=["sms"])
    (row,) = await store_kit.rows("process_about")
    about = {"host": "gw-1", "pid": 4711, "version": "0.1.0", "roles": "sms,web"}
    assert row == {"number": store.process_number(), **about}


# ---- among several processes, which only PostgreSQL has


@pytest.fixture
async def kit(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreKit]:
    made = make_kit(PostgresKit, request, tmp_path)
    yield made
    await made.close()


async def test_what_somebody_holds_is_not_taken_and_the_rest_is(kit: StoreKit) -> None:
    first, second = await kit.open(), await kit.open()
    await first.leases().take(["sms viettel"], LENGTH)
    assert await second.leases().take(["sms viettel", "sms vnpt"], LENGTH) == {"sms vnpt"}
    assert await first.leases().take(["sms viettel", "sms vnpt"], LENGTH) == {"sms viettel"}


async def test_it_is_somebody_elses_the_moment_it_ends_and_not_before(kit: StoreKit) -> None:
    first, second = await kit.open(), await kit.open()
    await first.leases().take(["delivery"], LENGTH)
    kit.clock.advance(LENGTH.total_seconds() - 0.001)
    assert await second.leases().take(["delivery"], LENGTH) == frozenset()
    kit.clock.advance(0.001)
    assert await second.leases().take(["delivery"], LENGTH) == {"delivery"}
    assert await first.leases().take(["delivery"], LENGTH) == frozenset()


async def test_only_its_holder_gives_it_back_and_then_at_once(kit: StoreKit) -> None:
    first, second = await kit.open(), await kit.open()
    await first.leases().take(["delivery"], LENGTH)
    await second.leases().give_back(["delivery"])
    assert await second.leases().take(["delivery"], LENGTH) == frozenset()
    await first.leases().give_back(["delivery"])
    assert await second.leases().take(["delivery"], LENGTH) == {"delivery"}


async def test_of_many_who_want_the_same_at_once_each_thing_has_one_holder(kit: StoreKit) -> None:
    stores = [await kit.open() for _ in range(4)]
    names = [f"sms {number}" for number in range(12)]
    orders = [names, names[::-1], names[6:] + names[:6], names[::2] + names[1::2]]
    taken = await asyncio.gather(
        *(store.leases().take(order, LENGTH) for store, order in zip(stores, orders, strict=True))
    )
    assert sorted(itertools.chain(*taken)) == sorted(names)
