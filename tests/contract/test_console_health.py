"""The promises of console.health.ports, for what the store keeps of them, on both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from console.accounts.ports import AuditEntry, AuditSearch
from console.health.ports import TooMany, Traffic
from conversation.ports import JournalBatch
from domain.errors import StoreUnavailable
from domain.message import Address, Category, OutboundMessage
from tests.contract.stores import ACCOUNT, SHORT_CODE, Store, StoreKit

HOUR = timedelta(hours=1)


def noted(kit: StoreKit, digest: str = "a", login: str = "van.hanh") -> AuditEntry:
    return AuditEntry(
        id=kit.new_id(),
        at=kit.clock.now,
        officer_id=7,
        login=login,
        agency="H13",
        action="incident.reported",
        detail={"digest": digest},
    )


def report(kit: StoreKit) -> OutboundMessage:
    return OutboundMessage(
        id=kit.new_id(),
        channel="sms",
        account=ACCOUNT,
        category=Category.NOTICE,
        recipient=Address("sms", "84900000001"),
        sender=SHORT_CODE,
        text="SU CO",
        created_at=kit.clock.now,
        expires_at=kit.clock.now + HOUR,
    )


# ---- incidents


async def test_while_the_store_is_locked_nothing_is_told_as_sent(store_kit: StoreKit, store: Store) -> None:
    with store_kit.locked(), pytest.raises(StoreUnavailable):
        await store.incidents().send([report(store_kit)], noted(store_kit), most=5)
    assert await store_kit.rows("outbox") == []


async def test_a_report_is_claimed_with_the_replies_and_noted_with_it(store_kit: StoreKit, store: Store) -> None:
    assert await store.incidents().send([report(store_kit)], noted(store_kit), most=5) is None
    (claimed,) = await store.claim(ACCOUNT, 10, replies_only=True)
    assert (claimed.category, claimed.text) == (Category.NOTICE, "SU CO")
    (entry,) = await store.audit().find(AuditSearch(agencies=None), limit=10)
    assert (entry.action, entry.detail) == ("incident.reported", {"digest": "a"})


async def test_older_notices_do_not_wait_behind_a_report(store_kit: StoreKit, store: Store) -> None:
    """A report is a notice that is claimed before all others; what is older than it is still looked for."""
    codes = [f"H51.18-210817-{number:04}" for number in (1, 2)]
    await store_kit.put("subscription", *map(store_kit.following, codes))
    older = [store_kit.notice(dossier_code=code) for code in codes]
    await store_kit.put("outbox", *older)
    await store.incidents().send([report(store_kit)], noted(store_kit), most=5)
    claimed = [(await store.claim(ACCOUNT, 1))[0] for _ in range(3)]
    assert [each.text == "SU CO" for each in claimed] == [True, False, False]
    assert [each.id for each in claimed[1:]] == [each["id"] for each in older]


async def test_the_same_within_a_minute_is_one_report(store_kit: StoreKit, store: Store) -> None:
    incidents = store.incidents()
    for seconds, digest, login in ((0, "a", "van.hanh"), (1, "a", "van.hanh"), (1, "b", "van.hanh"), (1, "a", "lan")):
        store_kit.clock.advance(seconds)
        assert await incidents.send([report(store_kit)], noted(store_kit, digest, login), most=5) is None
    assert len(await store_kit.rows("outbox")) == 3
    store_kit.clock.advance(60)
    await incidents.send([report(store_kit)], noted(store_kit), most=5)
    assert len(await store_kit.rows("outbox")) == 4


async def test_beyond_the_most_of_an_hour_nothing_is_written(store_kit: StoreKit, store: Store) -> None:
    incidents, first = store.incidents(), store_kit.clock.now
    for number in range(2):
        await incidents.send([report(store_kit)], noted(store_kit, str(number)), most=2)
        store_kit.clock.advance(60)
    assert await incidents.send([report(store_kit)], noted(store_kit), most=2) == TooMany(again_at=first + HOUR)
    assert len(await store_kit.rows("outbox")) == 2
    store_kit.clock.advance(3600 - 119)
    assert await incidents.send([report(store_kit)], noted(store_kit), most=2) is None


# ---- figures


async def test_traffic_counts_what_came_in_and_what_left_within_a_span(store_kit: StoreKit, store: Store) -> None:
    began = store_kit.clock.now
    exchange = store_kit.exchange("one", handed_over=True)
    silent = store_kit.silent("two")
    await store.commit(JournalBatch(exchanges=[exchange, silent]))
    late = store_kit.exchange("three", sender=Address("sms", "84900000009"))
    store_kit.clock.advance(4)
    await store.commit(JournalBatch(exchanges=[late]))
    (claimed,) = await store.claim(ACCOUNT, 10)
    await store.hand_over([claimed.id])
    await store_kit.put("outbox", store_kit.notice(state="expired", settled_at=store_kit.now_ms(), version=2))
    await store_kit.put("outbox", store_kit.notice(state="merged", version=3))
    health = store.health()
    assert await health.traffic(began, began + HOUR) == [
        Traffic(channel="sms", came_in=3, replies=2, notices=1, in_2s=1, in_5s=2, failed=1)
    ]
    assert await health.traffic(began + HOUR, began + 2 * HOUR) == []


async def test_what_waits_is_told_since_it_could_leave(store_kit: StoreKit, store: Store) -> None:
    now = store_kit.now_ms()
    await store_kit.put("outbox", store_kit.notice(created_at=now - 9_000_000, available_at=now - 5_000))
    later = {"state": "ready", "version": 2, "available_at": now + 60_000, "reason": "quiet_hours"}
    await store_kit.put("outbox", store_kit.notice(**later))
    bulk = {"version": None, "source": None, "dossier_code": None, "category": "broadcast", "priority": 2}
    await store_kit.put("outbox", store_kit.notice(**bulk))
    standing = await store.health().standing()
    assert standing.at == store_kit.clock.now
    assert [(each.state, each.messages) for each in standing.queues] == [("bulk", 1), ("ready", 1)]
    assert standing.queues[1].oldest_at == store_kit.clock.now - timedelta(seconds=5)
    (put_off,) = standing.later
    assert (put_off.reason, put_off.next_at) == ("quiet_hours", store_kit.clock.now + timedelta(seconds=60))


async def test_processes_and_leases_are_told_with_who_holds_them(store_kit: StoreKit, store: Store) -> None:
    await store.leases().introduce(host="gw-1", pid=1, version="0.1.0", roles=["sms", "console"])
    await store.leases().take(["sms viettel"], timedelta(seconds=60))
    standing = await store.health().standing()
    (process,) = [each for each in standing.processes if each.number == store.process_number()]
    assert (process.host, process.roles) == ("gw-1", "sms,console")
    (lease,) = standing.leases
    assert (lease.name, lease.process) == ("sms viettel", store.process_number())
    assert replace(standing, processes=(), leases=()).queues == []
