"""The promises of channels.zalo.ports.ZaloTokens, for every place that keeps tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from channels.zalo.ports import TokenPair, ZaloTokens
from domain.errors import StoreUnavailable
from tests.contract.conftest import make_kit
from tests.contract.stores import STORES, FakeClock, SqliteKit, Store, StoreKit
from tests.peers.zalo_token_file import FileTokens

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
LEASE = timedelta(seconds=50)
ACCOUNT = "so-tu-phap"


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Kit:
    """`open` makes another handle of the same place, as another process would."""

    open: Callable[[], ZaloTokens]
    clock: Clock | FakeClock


@pytest.fixture(params=["file", *STORES], ids=["file", *(kind.name for kind in STORES)])
async def kit(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kit]:
    if request.param == "file":
        clock = Clock()
        yield Kit(lambda: FileTokens(tmp_path / "tokens.json", clock), clock)
        return
    store_kit = make_kit(request.param, request, tmp_path)
    store = await store_kit.open()
    yield Kit(store.zalo_tokens, store_kit.clock)
    await store_kit.close()


def pair(name: str) -> TokenPair:
    return TokenPair(
        access_token=f"access-{name}",
        refresh_token=f"refresh-{name}",
        expires_at=NOW + timedelta(hours=25),
        refreshed_at=NOW,
    )


async def test_nothing_is_kept_of_an_account_nobody_planted(kit: Kit) -> None:
    assert await kit.open().load(ACCOUNT) is None


async def test_what_was_planted_is_there_for_everybody(kit: Kit) -> None:
    assert await kit.open().plant(ACCOUNT, pair("a"), "seed-a")
    stored = await kit.open().load(ACCOUNT)
    assert stored is not None
    assert (stored.pair, stored.begun) == (pair("a"), False)
    assert await kit.open().load("another") is None


async def test_a_seed_is_planted_once_in_the_life_of_an_account(kit: Kit) -> None:
    store = kit.open()
    assert await store.plant(ACCOUNT, pair("a"), "seed-a")
    assert await store.plant(ACCOUNT, pair("b"), "seed-b")
    assert not await store.plant(ACCOUNT, pair("a"), "seed-a")
    stored = await store.load(ACCOUNT)
    assert stored is not None
    assert stored.pair == pair("b")


async def test_only_one_spends_a_refresh_token_at_a_time(kit: Kit) -> None:
    store, other = kit.open(), kit.open()
    await store.plant(ACCOUNT, pair("a"), "seed-a")
    stored = await store.load(ACCOUNT)
    assert stored is not None
    assert await store.begin(ACCOUNT, stored.version, LEASE)
    assert not await other.begin(ACCOUNT, stored.version, LEASE)
    seen = await other.load(ACCOUNT)
    assert seen is not None
    assert seen.begun


async def test_what_was_begun_and_left_may_be_begun_again_when_its_time_is_over(kit: Kit) -> None:
    store, other = kit.open(), kit.open()
    await store.plant(ACCOUNT, pair("a"), "seed-a")
    stored = await store.load(ACCOUNT)
    assert stored is not None
    assert await store.begin(ACCOUNT, stored.version, LEASE)
    kit.clock.now += LEASE
    assert await other.begin(ACCOUNT, stored.version, LEASE)
    assert not await store.begin(ACCOUNT, stored.version, LEASE)


async def test_what_was_taken_back_was_never_begun(kit: Kit) -> None:
    store, other = kit.open(), kit.open()
    await store.plant(ACCOUNT, pair("a"), "seed-a")
    stored = await store.load(ACCOUNT)
    assert stored is not None
    await store.begin(ACCOUNT, stored.version, LEASE)
    await store.take_back(ACCOUNT, stored.version)
    seen = await other.load(ACCOUNT)
    assert seen == stored
    assert await other.begin(ACCOUNT, stored.version, LEASE)


async def test_a_new_pair_takes_the_place_of_the_one_it_was_got_for_and_of_no_other(kit: Kit) -> None:
    store, other = kit.open(), kit.open()
    await store.plant(ACCOUNT, pair("a"), "seed-a")
    stored = await store.load(ACCOUNT)
    assert stored is not None
    await store.begin(ACCOUNT, stored.version, LEASE)
    assert await store.save(ACCOUNT, stored.version, pair("b"))
    assert not await other.save(ACCOUNT, stored.version, pair("c"))
    seen = await other.load(ACCOUNT)
    assert seen is not None
    assert (seen.pair, seen.version, seen.begun) == (pair("b"), stored.version + 1, False)


async def test_what_is_past_is_neither_begun_nor_taken_back(kit: Kit) -> None:
    store = kit.open()
    await store.plant(ACCOUNT, pair("a"), "seed-a")
    stored = await store.load(ACCOUNT)
    assert stored is not None
    await store.begin(ACCOUNT, stored.version, LEASE)
    await store.save(ACCOUNT, stored.version, pair("b"))
    assert not await store.begin(ACCOUNT, stored.version, LEASE)
    assert await store.begin(ACCOUNT, stored.version + 1, LEASE)
    await store.take_back(ACCOUNT, stored.version)
    seen = await store.load(ACCOUNT)
    assert seen is not None
    assert seen.begun


async def test_a_persons_pair_ends_whatever_was_begun(kit: Kit) -> None:
    store = kit.open()
    await store.plant(ACCOUNT, pair("a"), "seed-a")
    stored = await store.load(ACCOUNT)
    assert stored is not None
    await store.begin(ACCOUNT, stored.version, LEASE)
    await store.plant(ACCOUNT, pair("b"), "seed-b")
    assert not await store.save(ACCOUNT, stored.version, pair("late"))
    seen = await store.load(ACCOUNT)
    assert seen is not None
    assert (seen.pair, seen.begun) == (pair("b"), False)
    assert seen.version > stored.version


async def test_what_a_dead_process_began_is_seen_and_on_sqlite_free_at_once(store_kit: StoreKit, store: Store) -> None:
    await store.zalo_tokens().plant(ACCOUNT, pair("a"), "seed-a")
    stored = await store.zalo_tokens().load(ACCOUNT)
    assert stored is not None
    assert await store.zalo_tokens().begin(ACCOUNT, stored.version, timedelta(days=1))
    await store_kit.crash(store)
    heir = (await store_kit.open()).zalo_tokens()
    seen = await heir.load(ACCOUNT)
    assert seen is not None
    assert seen.begun
    assert await heir.begin(ACCOUNT, stored.version, LEASE) is isinstance(store_kit, SqliteKit)


async def test_while_the_store_is_away_no_token_is_begun(store_kit: StoreKit, store: Store) -> None:
    tokens = store.zalo_tokens()
    await tokens.plant(ACCOUNT, pair("a"), "seed-a")
    with store_kit.locked(), pytest.raises(StoreUnavailable):
        await tokens.begin(ACCOUNT, 1, LEASE)
    assert await tokens.begin(ACCOUNT, 1, LEASE)


async def test_a_seed_is_one_word(store: Store) -> None:
    with pytest.raises(ValueError, match="one word"):
        await store.zalo_tokens().plant(ACCOUNT, pair("a"), "seed a")


async def test_a_pair_says_nothing_of_itself_in_a_line() -> None:
    assert "access-a" not in repr(pair("a"))
    assert "refresh-a" not in repr(pair("a"))
