"""The promises of channels.sms.ports.PartStore, for every place that keeps parts of long messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.sms.ports import MemoryParts, Part, PartStore, SetKey
from domain.errors import StoreUnavailable
from tests.contract.conftest import make_kit
from tests.contract.stores import STORES, Store, StoreKit

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=365)
ACCOUNT = "viettel"
SET = 2**62 + 1  # ids are as large
KEY = SetKey("sms:84912345678", "sms:8088", 65_535, 16, 4)


@dataclass
class Kit:
    """`open` makes another handle of the same place, as another process would."""

    open: Callable[[], PartStore]


@pytest.fixture(params=["memory", *STORES], ids=["memory", *(kind.name for kind in STORES)])
async def kit(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kit]:
    if request.param == "memory":
        memory = MemoryParts()
        yield Kit(lambda: memory)
        return
    store_kit = make_kit(request.param, request, tmp_path)
    store = await store_kit.open()
    yield Kit(store.sms_parts)
    await store_kit.close()


def part(number: int, set_id: int = SET, **changes: Any) -> Part:
    values: dict[str, Any] = {
        "set_id": set_id,
        "number": number,
        "account": ACCOUNT,
        "key": KEY,
        "esm_class": 0x40,
        "data_coding": 0xF5,
        "header": bytes((6, 8, 4, 255, 255, 4, number)),
        "body": bytes(range(256)),
        "session": f"viettel:{number}",
        "received_at": NOW + timedelta(milliseconds=number),
    }
    return Part(**{**values, **changes})


async def test_what_was_kept_is_there_for_everybody_octet_for_octet_in_order(kit: Kit) -> None:
    parts = [part(2), part(1), part(1, SET - 1, header=b"", body=b"")]
    await kit.open().write(ACCOUNT, parts, {})
    assert await kit.open().load(ACCOUNT, LONG_AGO) == sorted(parts, key=lambda each: (each.set_id, each.number))


async def test_an_account_gets_its_own(kit: Kit) -> None:
    await kit.open().write(ACCOUNT, [part(1)], {})
    assert await kit.open().load("another", LONG_AGO) == []
    await kit.open().write("another", [], {SET: NOW})
    assert [each.done_at for each in await kit.open().load(ACCOUNT, LONG_AGO)] == [None]


async def test_writing_it_again_changes_nothing_and_other_octets_take_the_place(kit: Kit) -> None:
    store = kit.open()
    await store.write(ACCOUNT, [part(1)], {})
    await store.write(ACCOUNT, [part(1), part(2)], {})
    assert await store.load(ACCOUNT, LONG_AGO) == [part(1), part(2)]
    await store.write(ACCOUNT, [part(2, body=b"other")], {})
    assert await store.load(ACCOUNT, LONG_AGO) == [part(1), part(2, body=b"other")]


async def test_all_parts_of_what_is_done_are_done_those_of_the_same_write_too(kit: Kit) -> None:
    store = kit.open()
    await store.write(ACCOUNT, [part(1), part(1, SET + 1)], {})
    await store.write(ACCOUNT, [part(2)], {SET: NOW, 5: NOW})
    done = [replace(part(number), done_at=NOW) for number in (1, 2)]
    assert await store.load(ACCOUNT, LONG_AGO) == [*done, part(1, SET + 1)]


async def test_what_was_done_before_is_not_read(kit: Kit) -> None:
    store = kit.open()
    await store.write(ACCOUNT, [part(1), part(1, SET + 1), part(1, SET + 2)], {})
    await store.write(ACCOUNT, [], {SET: NOW, SET + 1: NOW + timedelta(seconds=1)})
    kept = await store.load(ACCOUNT, NOW + timedelta(seconds=1))
    assert [each.set_id for each in kept] == [SET + 1, SET + 2]


async def test_nothing_to_write_is_nothing_done(kit: Kit) -> None:
    await kit.open().write(ACCOUNT, [], {})
    assert await kit.open().load(ACCOUNT, LONG_AGO) == []


async def test_many_are_one_write(kit: Kit) -> None:
    parts = [part(1, SET + number) for number in range(1_000)]
    await kit.open().write(ACCOUNT, parts, {})
    assert await kit.open().load(ACCOUNT, LONG_AGO) == parts


async def test_a_store_that_is_away_keeps_nothing_and_says_so(store_kit: StoreKit, store: Store) -> None:
    parts = store.sms_parts()
    with store_kit.locked(), pytest.raises(StoreUnavailable):
        await parts.write(ACCOUNT, [part(1)], {})
    assert await parts.load(ACCOUNT, LONG_AGO) == []


async def test_either_all_of_a_write_is_kept_or_nothing(store_kit: StoreKit, store: Store) -> None:
    parts = store.sms_parts()
    await parts.write(ACCOUNT, [part(1)], {})
    with pytest.raises(AttributeError):  # the second statement cannot be made
        await parts.write(ACCOUNT, [part(2)], {SET: None})  # type: ignore[dict-item]
    assert await parts.load(ACCOUNT, LONG_AGO) == [part(1)]
