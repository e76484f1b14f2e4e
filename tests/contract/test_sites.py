"""The promises of channels.web.ports.SiteBook: for those who serve and, from outside, for an operator's commands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from adapters.store.sites import OutsideSites
from channels.web.ports import SiteBook, UseKey
from domain.errors import StoreUnavailable
from domain.sites import Site, SiteUse, Used
from tests.contract.stores import SqliteKit, Store, StoreKit

KEY = "ts_aaaaaaaaaaaaaaaa"
MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)
SITE = Site(
    key=KEY,
    name="Sở Tài nguyên “và” Môi trường; DROP TABLE site_key --",
    agency="H51.18",
    origins=("https://stnmt.example.gov.vn", "http://stnmt.example.gov.vn:8080"),
    secret_digest="00ff" * 16,
    created_at=datetime(2026, 11, 23, 1, 2, 3, 456_000, tzinfo=UTC),
)


@pytest.fixture(params=["serving", "outside"])
async def book(request: pytest.FixtureRequest, store_kit: StoreKit, store: Store) -> SiteBook:
    if request.param == "serving":
        return store.sites()
    engine = "sqlite" if isinstance(store_kit, SqliteKit) else "postgresql"
    return OutsideSites(store_kit.outside(), engine=engine)


def used(use: SiteUse = SiteUse.FOUND, day: date = MONDAY, site: str = KEY) -> UseKey:
    return UseKey(site, day, use)


async def test_while_the_store_is_locked_nothing_is_written(store_kit: StoreKit, store: Store) -> None:
    book = store.sites()
    await book.add(SITE)
    with store_kit.locked():
        for write in (book.count({used(): 1}), book.revoke(KEY, SITE.created_at), book.add(replace(SITE, key="x"))):
            with pytest.raises(StoreUnavailable):
                await write
    assert await book.sites() == [SITE]
    assert await book.used(KEY, MONDAY) == []


async def test_a_site_reads_back_as_it_was_added(book: SiteBook) -> None:
    assert await book.sites() == []
    await book.add(SITE)
    assert await book.sites() == [SITE]


async def test_one_that_is_there_already_is_left_as_it_is(book: SiteBook) -> None:
    await book.add(SITE)
    await book.add(replace(SITE, name="another", origins=()))
    assert await book.sites() == [SITE]


async def test_sites_come_in_the_order_in_which_they_were_added(book: SiteBook) -> None:
    later = replace(SITE, key="ts_2", created_at=SITE.created_at + timedelta(seconds=1))
    latest = replace(SITE, key="ts_1", created_at=SITE.created_at + timedelta(seconds=2))
    for each in (latest, SITE, later):
        await book.add(each)
    assert await book.sites() == [SITE, later, latest]


async def test_a_change_is_written_over_what_was_kept(book: SiteBook) -> None:
    await book.add(SITE)
    changes: dict[str, Any] = {"name": "Sở", "agency": "", "origins": ("https://a.vn",), "secret_digest": "ab"}
    assert await book.change(KEY, **changes)
    assert await book.sites() == [replace(SITE, **changes)]
    assert not await book.change("ts_unknown", **changes)


async def test_a_revoked_key_is_kept_and_neither_changed_nor_revoked_again(book: SiteBook) -> None:
    await book.add(SITE)
    at = SITE.created_at + timedelta(days=1)
    assert await book.revoke(KEY, at)
    assert not await book.revoke(KEY, at + timedelta(days=1))
    assert not await book.revoke("ts_unknown", at)
    assert not await book.change(KEY, name="n", agency="", origins=(), secret_digest="")
    assert await book.sites() == [replace(SITE, revoked_at=at)]


async def test_uses_add_up_by_site_day_and_use(book: SiteBook) -> None:
    await book.count({used(): 3, used(SiteUse.REFUSED): 1, used(site="ts_other"): 9})
    await book.count({used(): 4, used(day=TUESDAY): 2})
    assert await book.used(KEY, MONDAY) == [
        Used(day=MONDAY, use=SiteUse.FOUND, count=7),
        Used(day=MONDAY, use=SiteUse.REFUSED, count=1),
        Used(day=TUESDAY, use=SiteUse.FOUND, count=2),
    ]


async def test_what_was_before_is_not_told(book: SiteBook) -> None:
    await book.count({used(): 3, used(day=TUESDAY): 2})
    assert await book.used(KEY, TUESDAY) == [Used(day=TUESDAY, use=SiteUse.FOUND, count=2)]


async def test_nothing_to_count_is_no_statement(book: SiteBook) -> None:
    await book.count({})
    assert await book.used(KEY, MONDAY) == []


async def test_many_uses_are_counted_at_once(book: SiteBook) -> None:
    many = {used(use, site=f"ts_{number}"): number + 1 for number in range(300) for use in SiteUse}
    await book.count(many)
    await book.count(many)
    assert sum(each.count for each in await book.used("ts_299", MONDAY)) == 600 * len(SiteUse)


async def test_a_use_of_a_newer_version_is_left_out(store_kit: StoreKit, book: SiteBook) -> None:
    await store_kit.put("site_use", {"site": KEY, "day": "2026-11-23", "use": "printed", "count": 5})
    await book.count({used(): 1})
    assert await book.used(KEY, MONDAY) == [Used(day=MONDAY, use=SiteUse.FOUND, count=1)]


async def test_what_is_done_outside_is_seen_by_who_serves(store_kit: StoreKit, store: Store) -> None:
    engine = "sqlite" if isinstance(store_kit, SqliteKit) else "postgresql"
    operator = OutsideSites(store_kit.outside(), engine=engine)
    await operator.add(SITE)
    assert await store.sites().sites() == [SITE]
    await operator.revoke(KEY, SITE.created_at)
    assert await store.sites().sites() == [replace(SITE, revoked_at=SITE.created_at)]
