"""What every store promises of its old rows (conversation.ports.Housekeeping, Unserved)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from adapters.store.tables import OutboxStates
from channels.sms.ports import Part, SetKey
from conversation.ports import FIRST_PLACE, Exchange, FeedbackNote, JournalBatch, Place
from domain.message import DeliveryReport, DeliveryStatus, SendStatus
from tests.contract.stores import ACCOUNT, Store, StoreKit, segments, sent

DAY = 86_400


async def answered(kit: StoreKit, store: Store, text: str = "old") -> Exchange:
    """A message whose reply was taken."""
    exchange = kit.exchange(text, handed_over=True)
    assert exchange.reply is not None
    await store.commit(JournalBatch(exchanges=[exchange]))
    await store.commit(JournalBatch(results=[sent(exchange.reply, SendStatus.ACCEPTED, segments=segments(text))]))
    return exchange


async def test_what_is_open_or_still_to_be_sent_is_never_removed(store_kit: StoreKit, store: Store) -> None:
    waiting = store_kit.exchange("its reply waits")
    on_its_way = store_kit.exchange("its reply is on its way", handed_over=True)
    message = store_kit.message("open")
    await store.commit(JournalBatch(exchanges=[waiting, on_its_way, Exchange(message=message)]))
    before = store_kit.clock.advance(DAY)
    await store.purge(before, 100)
    assert [row["id"] for row in await store_kit.rows("inbox")] == [message.id]
    assert [row["state"] for row in await store_kit.rows("outbox")] == ["ready", "handed_over"]


async def test_old_messages_go_with_all_that_belongs_to_them_and_young_ones_stay(
    store_kit: StoreKit, store: Store
) -> None:
    await answered(store_kit, store)
    orphan = DeliveryReport(
        channel="sms",
        account=ACCOUNT,
        external_id="zz",
        status=DeliveryStatus.DELIVERED,
        received_at=store_kit.clock.now,
    )
    await store.commit(JournalBatch(reports=[orphan]))
    before = store_kit.clock.advance(DAY)
    young = await answered(store_kit, store, "young")
    assert await store.purge(before, 100) == 4
    assert [row["id"] for row in await store_kit.rows("inbox")] == [young.message.id]
    assert [row["inbound_id"] for row in await store_kit.rows("outbox")] == [young.message.id]
    assert [row["external_id"] for row in await store_kit.rows("submission")] == ["young"]
    assert await store_kit.rows("report") == []
    assert await store.purge(before, 100) == 0


async def test_parts_of_long_messages_go_soon_after_they_are_done_and_wait_a_week_for_the_others(
    store_kit: StoreKit, store: Store
) -> None:
    def part(number: int) -> Part:
        return Part(
            set_id=number,
            number=1,
            account=ACCOUNT,
            key=SetKey(f"sms:8491{number}", "sms:8088", 7, 8, 2),
            esm_class=0x40,
            data_coding=0,
            header=b"",
            body=b"x",
            session="s",
            received_at=store_kit.clock.now,
        )

    parts, long_ago = store.sms_parts(), store_kit.clock.now - timedelta(days=365)
    await parts.write(ACCOUNT, [part(1), part(2)], {1: store_kit.clock.now})
    assert await store.purge(long_ago, 100) == 0
    store_kit.clock.advance(3_601)
    assert await store.purge(long_ago, 100) == 1
    assert [row["set_id"] for row in await store_kit.rows("sms_part")] == [2]
    store_kit.clock.advance(7 * DAY)
    assert await store.purge(long_ago, 100) == 1


async def test_rows_are_removed_a_few_at_a_time_oldest_first(store_kit: StoreKit, store: Store) -> None:
    exchanges = [await answered(store_kit, store, f"number {number}") for number in range(5)]
    before = store_kit.clock.advance(DAY)
    assert await store.purge(before, 2) == 6
    assert [row["id"] for row in await store_kit.rows("inbox")] == [e.message.id for e in exchanges[2:]]
    assert [await store.purge(before, 2) for _ in range(3)] == [6, 3, 0]


async def test_masking_forgets_who_wrote_and_what_and_keeps_what_is_counted(store_kit: StoreKit, store: Store) -> None:
    number = await store.next_feedback_number()
    opinion = store_kit.decided(
        store_kit.message("GY rat tot", raw=b"\xff"), feedback=FeedbackNote(number=number, text="rat tot")
    )
    await store.commit(JournalBatch(exchanges=[opinion]))
    before = store_kit.clock.advance(DAY)
    young = store_kit.exchange("young")
    await store.commit(JournalBatch(exchanges=[young]))
    assert await store.mask(before, 100) == 2
    old, kept = await store_kit.rows("inbox")
    assert (old["sender"], old["text"], old["raw"], old["identity"]) == ("masked:*", "", None, None)
    assert old["masked_at"] is not None
    assert (old["outcome"], old["dossier_code"]) == ("found", "C-1")
    assert (kept["text"], kept["masked_at"]) == ("young", None)
    [feedback] = await store_kit.rows("feedback")
    assert (feedback["sender"], feedback["text"]) == ("masked:*", "")
    assert await store.mask(before, 100) == 0


async def test_masking_goes_on_where_it_stopped_a_few_at_a_time(store_kit: StoreKit, store: Store) -> None:
    for number in range(5):
        await answered(store_kit, store, f"number {number}")
    before = store_kit.clock.advance(DAY)
    assert [await store.mask(before, 2) for _ in range(2)] == [2, 2]
    assert [row["text"] for row in await store_kit.rows("inbox")] == ["", "", "", "", "number 4"]
    assert [await store.mask(before, 2) for _ in range(2)] == [1, 0]


async def test_what_is_still_to_be_answered_is_not_masked(store_kit: StoreKit, store: Store) -> None:
    message = store_kit.message("open")
    await store.commit(JournalBatch(exchanges=[Exchange(message=message), store_kit.exchange("after it")]))
    before = store_kit.clock.advance(DAY)
    assert await store.mask(before, 100) == 0
    await store.commit(JournalBatch(closings=[store_kit.decided(message)]))
    assert await store.mask(before, 100) == 2


# ---- what waits for an account nobody serves

OLD_ACCOUNT = "smsc-0"


async def expired_of(kit: StoreKit, store: Store, limit: int) -> list[int]:
    """How many each step closed of what expired half an hour ago, until the last."""
    closed: list[int] = []
    behind: Place | None = FIRST_PLACE
    while behind is not None:
        step = await store.expire(OLD_ACCOUNT, kit.clock.now - timedelta(minutes=30), limit, behind=behind)
        closed.append(step.closed)
        behind = step.behind
    return closed


async def test_what_expired_long_ago_for_an_account_is_closed_and_all_else_stays(
    store_kit: StoreKit, store: Store
) -> None:
    now, hour = store_kit.now_ms(), 3_600_000
    waiting: dict[str, dict[str, Any]] = {
        "long expired": {},
        "just expired": {"expires_at": now + 2 * hour - 1},
        "valid": {"expires_at": now + 9 * hour},
        "somebody else's": {"account": ACCOUNT},
        "held": {"state": "held"},
        "on its way": {"state": "handed_over", "owner": 1, "lease_until": now + 99 * hour},
    }
    for version, changes in enumerate(waiting.values()):
        row = {"account": OLD_ACCOUNT, "version": version, "expires_at": now + hour, **changes}
        await store_kit.put("outbox", store_kit.notice(**row))
    before = await store_kit.rows("outbox")
    store_kit.clock.advance(7_200)
    assert sum(await expired_of(store_kit, store, 100)) == 1
    [closed, *others] = await store_kit.rows("outbox")
    assert (closed["state"], closed["reason"]) == (OutboxStates.EXPIRED, "expired")
    assert closed["settled_at"] == store_kit.now_ms()
    assert others == before[1:]


async def test_it_is_closed_a_few_at_a_time_past_what_may_still_leave(store_kit: StoreKit, store: Store) -> None:
    later = store_kit.now_ms() + DAY * 1000
    for number in range(7):
        valid = {"expires_at": later} if number < 3 else {}
        row = store_kit.notice(account=OLD_ACCOUNT, version=number, priority=number % 3, **valid)
        await store_kit.put("outbox", row)
    store_kit.clock.advance(7_200)
    assert sum(await expired_of(store_kit, store, 2)) == 4
    states = [row["state"] for row in await store_kit.rows("outbox")]
    assert states == ["ready"] * 3 + ["expired"] * 4
    assert sum(await expired_of(store_kit, store, 2)) == 0
