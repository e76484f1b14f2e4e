"""What every outbox promises (notifications.ports.Outbox)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from adapters.store.rows import to_ms
from adapters.store.tables import OutboxStates
from conversation.ports import Exchange, JournalBatch
from domain.errors import StoreUnavailable
from domain.message import OutboundMessage, SendStatus
from notifications.retry import OutboxState
from tests.contract.stores import ACCOUNT, LEASE, SENDER, START, Store, StoreKit, sent


async def waiting(kit: StoreKit, store: Store, count: int = 1, *, valid_for: float = 3600) -> list[OutboundMessage]:
    """Replies written `ready`."""
    replies = []
    for number in range(count):
        message = kit.message(f"question {kit.new_id()} {number}")
        reply = kit.reply(message, valid_for)
        decided = kit.decided(message)
        await store.commit(JournalBatch(exchanges=[Exchange(message=message, decision=decided.decision, reply=reply)]))
        replies.append(reply)
    return replies


async def states(kit: StoreKit) -> list[str]:
    return [row["state"] for row in await kit.rows("outbox")]


def test_the_store_and_the_rule_call_the_states_by_the_same_names() -> None:
    named = {value for name, value in vars(OutboxStates).items() if name.isupper()}
    assert named <= {state.value for state in OutboxState}


async def test_a_locked_store_claims_nothing_and_says_so(store_kit: StoreKit, store: Store) -> None:
    replies = await waiting(store_kit, store)
    with store_kit.locked(), pytest.raises(StoreUnavailable):
        await store.claim(ACCOUNT, 1)
    assert await store.claim(ACCOUNT, 1) == replies


async def test_a_claimed_row_comes_back_as_it_was_written(store_kit: StoreKit, store: Store) -> None:
    replies = await waiting(store_kit, store)
    assert await store.claim(ACCOUNT, 10) == replies
    [row] = await store_kit.rows("outbox")
    lease_until = to_ms(START + LEASE)
    assert (row["state"], row["attempts"], row["lease_until"]) == ("claimed", 0, lease_until)


async def test_a_row_nobody_can_read_is_closed_and_the_others_are_claimed(store_kit: StoreKit, store: Store) -> None:
    [reply] = await waiting(store_kit, store)
    odd = store_kit.notice(category="carrier_pigeon", priority=0, dossier_code=None)
    await store_kit.put("outbox", odd)
    assert await store.claim(ACCOUNT, 10) == [reply]
    row = await store_kit.row("outbox", odd["id"])
    assert (row["state"], row["reason"], row["owner"]) == ("rejected", "unreadable", None)
    assert row["settled_at"] == store_kit.now_ms()
    assert await store.claim(ACCOUNT, 10) == []


async def test_replies_leave_before_notices_before_broadcasts_each_by_id(store_kit: StoreKit, store: Store) -> None:
    replies = await waiting(store_kit, store, 6)
    await store_kit.recategorise({replies[0].id: "broadcast", replies[1].id: "notice", replies[4].id: "notice"})
    claimed = [(await store.claim(ACCOUNT, 2)) for _ in range(4)]
    order = [replies[number].id for number in (2, 3, 5, 1, 4, 0)]
    assert [[message.id for message in some] for some in claimed] == [order[:2], order[2:4], order[4:], []]


async def test_replies_alone_are_claimed_and_the_others_keep_their_turn(store_kit: StoreKit, store: Store) -> None:
    replies = await waiting(store_kit, store, 4)
    await store_kit.recategorise({replies[0].id: "broadcast", replies[1].id: "notice", replies[2].id: "notice"})
    assert [message.id for message in await store.claim(ACCOUNT, 10, replies_only=True)] == [replies[3].id]
    assert await store.claim(ACCOUNT, 10, replies_only=True) == []
    order = [replies[number].id for number in (1, 2, 0)]
    assert [message.id for message in await store.claim(ACCOUNT, 10)] == order


async def test_no_row_is_claimed_twice_by_claims_at_once(store_kit: StoreKit, store: Store) -> None:
    replies = await waiting(store_kit, store, 10)
    claims = await asyncio.gather(*(store.claim(ACCOUNT, 3) for _ in range(5)))
    claimed = [message.id for some in claims for message in some]
    assert sorted(claimed) == [reply.id for reply in replies]


async def test_only_rows_of_the_account_are_claimed(store_kit: StoreKit, store: Store) -> None:
    await waiting(store_kit, store)
    assert await store.claim("another", 10) == []


async def test_expired_rows_are_closed_on_the_way_and_do_not_shorten_the_claim(
    store_kit: StoreKit, store: Store
) -> None:
    await waiting(store_kit, store, 3, valid_for=10)
    live = await waiting(store_kit, store, 2)
    store_kit.clock.advance(10)
    assert await store.claim(ACCOUNT, 2) == live
    assert await states(store_kit) == ["expired", "expired", "expired", "claimed", "claimed"]
    assert {row["settled_at"] for row in (await store_kit.rows("outbox"))[:3]} == {to_ms(store_kit.clock.now)}


async def test_a_hand_over_counts_as_an_attempt(store_kit: StoreKit, store: Store) -> None:
    [reply] = await waiting(store_kit, store)
    await store.claim(ACCOUNT, 1)
    store_kit.clock.advance(1)
    await store.hand_over([reply.id])
    row = await store_kit.row("outbox", reply.id)
    assert (row["state"], row["attempts"]) == ("handed_over", 1)
    assert row["handed_over_at"] == to_ms(store_kit.clock.now)


async def test_what_is_released_can_be_claimed_again_at_once(store_kit: StoreKit, store: Store) -> None:
    replies = await waiting(store_kit, store, 2)
    await store.claim(ACCOUNT, 2)
    await store.release([reply.id for reply in replies])
    assert await store.claim(ACCOUNT, 2) == replies


async def test_what_was_handed_over_cannot_be_released(store_kit: StoreKit, store: Store) -> None:
    [reply] = await waiting(store_kit, store)
    await store.claim(ACCOUNT, 1)
    await store.hand_over([reply.id])
    await store.release([reply.id])
    assert await store.claim(ACCOUNT, 1) == []


async def test_hand_over_and_release_touch_only_what_is_claimed(store_kit: StoreKit, store: Store) -> None:
    [reply] = await waiting(store_kit, store)
    await store.hand_over([reply.id])
    await store.release([])
    assert await states(store_kit) == ["ready"]


async def test_recovering_leaves_ones_own_rows_alone(store_kit: StoreKit, store: Store) -> None:
    await waiting(store_kit, store, 2)
    [first, _] = await store.claim(ACCOUNT, 2)
    await store.hand_over([first.id])
    assert await store.recover() == {"freed": 0, "resend": 0, "closed": 0}
    assert await states(store_kit) == ["handed_over", "claimed"]


async def test_what_a_dead_process_only_claimed_is_free(store_kit: StoreKit, store: Store) -> None:
    replies = await waiting(store_kit, store, 3)
    await store.claim(ACCOUNT, 2)
    await store_kit.crash(store)
    heir = await store_kit.open()
    assert await heir.recover() == {"freed": 2, "resend": 0, "closed": 0}
    assert await heir.claim(ACCOUNT, 10) == replies


async def test_a_young_reply_a_dead_process_handed_over_is_sent_once_more(store_kit: StoreKit, store: Store) -> None:
    [reply] = await waiting(store_kit, store)
    await store.claim(ACCOUNT, 1)
    await store.hand_over([reply.id])
    await store_kit.crash(store)
    heir = await store_kit.open()
    assert await heir.recover() == {"freed": 0, "resend": 1, "closed": 0}
    [again] = await heir.claim(ACCOUNT, 1)
    assert (again.id, again.attempts) == (reply.id, 1)
    await heir.hand_over([reply.id])
    await store_kit.crash(heir)
    assert await (await store_kit.open()).recover() == {"freed": 0, "resend": 0, "closed": 1}
    row = await store_kit.row("outbox", reply.id)
    assert (row["state"], row["attempts"], row["reason"] is None) == ("unknown", 2, False)


async def test_an_old_reply_a_dead_process_handed_over_is_closed_as_unknown(store_kit: StoreKit, store: Store) -> None:
    [reply] = await waiting(store_kit, store)
    await store.claim(ACCOUNT, 1)
    await store.hand_over([reply.id])
    await store_kit.crash(store)
    store_kit.clock.advance(120)
    heir = await store_kit.open()
    assert await heir.recover() == {"freed": 0, "resend": 0, "closed": 1}


async def test_a_notice_a_dead_process_handed_over_waits_for_its_report_first(
    store_kit: StoreKit, store: Store
) -> None:
    [reply] = await waiting(store_kit, store)
    await store_kit.recategorise({reply.id: "notice"})
    await store.claim(ACCOUNT, 1)
    await store.hand_over([reply.id])
    await store_kit.crash(store)
    heir = await store_kit.open()
    assert await heir.recover() == {"freed": 0, "resend": 1, "closed": 0}
    assert await heir.claim(ACCOUNT, 1) == []
    store_kit.clock.advance(600)
    assert [message.id for message in await heir.claim(ACCOUNT, 1)] == [reply.id]


async def test_that_a_message_was_taken_after_all_ends_the_doubt(store_kit: StoreKit, store: Store) -> None:
    [reply] = await waiting(store_kit, store)
    await store.claim(ACCOUNT, 1)
    await store.hand_over([reply.id])
    await store.commit(JournalBatch(results=[sent(reply, SendStatus.UNKNOWN)]))
    await store.commit(JournalBatch(results=[sent(reply, SendStatus.ACCEPTED)]))
    assert await states(store_kit) == ["accepted"]
    assert await store.claim(ACCOUNT, 1) == []


async def test_renewing_keeps_what_we_hold_for_another_lease(store_kit: StoreKit, store: Store) -> None:
    await waiting(store_kit, store, 2)
    await store.claim(ACCOUNT, 1)
    await store.commit(JournalBatch(exchanges=[Exchange(message=store_kit.message("open"))]))
    store_kit.clock.advance(30)
    await store.renew()
    lease_until = to_ms(START + timedelta(seconds=30) + LEASE)
    held, ready = await store_kit.rows("outbox")
    assert (held["lease_until"], ready["lease_until"]) == (lease_until, None)
    assert [row["lease_until"] for row in await store_kit.rows("inbox")] == [None, None, lease_until]
    [process] = await store_kit.rows("process")
    assert process["heartbeat_at"] == to_ms(store_kit.clock.now)


async def test_depth_counts_what_waits_by_account(store_kit: StoreKit, store: Store) -> None:
    assert await store.depth() == {}
    await waiting(store_kit, store, 3)
    await store.claim(ACCOUNT, 1)
    assert await store.depth() == {ACCOUNT: 2}


async def test_every_start_gets_the_next_process_number(store_kit: StoreKit, store: Store) -> None:
    first = store.process_number()
    await store.close()
    second = (await store_kit.open()).process_number()
    assert second == first + 1
    ended, running = await store_kit.rows("process")
    assert (ended["ended_at"] is None, running["ended_at"]) == (False, None)


# ---- notices that may not leave any more


async def closed(kit: StoreKit, store: Store, *rows: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """What becomes of these notices when their turn comes."""
    await kit.put("outbox", *rows)
    await store.claim(ACCOUNT, 10)
    return [(row["state"], row["reason"]) for row in await kit.rows("outbox")]


async def test_a_notice_of_a_dossier_that_is_not_followed_any_more_is_dropped(
    store_kit: StoreKit, store: Store
) -> None:
    await store_kit.put("subscription", store_kit.following(ended_at=1, end_reason="unfollow"))
    assert await closed(store_kit, store, store_kit.notice()) == [("dropped", "not_followed")]


async def test_a_notice_to_somebody_who_stopped_everything_is_dropped(store_kit: StoreKit, store: Store) -> None:
    await store_kit.put("subscription", store_kit.following())
    await store_kit.put("person", {"address": SENDER.urn, "stopped_at": 1, "updated_at": 1})
    assert await closed(store_kit, store, store_kit.notice()) == [("dropped", "stopped_all")]


async def test_a_notice_a_newer_one_overtook_is_merged_and_the_newer_one_leaves(
    store_kit: StoreKit, store: Store
) -> None:
    await store_kit.put("subscription", store_kit.following())
    older, newer = store_kit.notice(version=1), store_kit.notice(version=2)
    assert await closed(store_kit, store, older, newer) == [("merged", "newer_notice"), ("claimed", None)]


@pytest.mark.parametrize(
    "newer",
    [{"state": "merged"}, {"state": "dropped"}, {"source": "ministry"}, {"dossier_code": "H51.18-210817-0009"}],
    ids=lambda newer: "-".join(newer.values()),
)
async def test_what_was_closed_unsent_or_is_about_another_dossier_overtakes_nothing(
    store_kit: StoreKit, store: Store, newer: Mapping[str, Any]
) -> None:
    following = [store_kit.following(), store_kit.following("H51.18-210817-0009")]
    await store_kit.put("subscription", *following)
    states = await closed(store_kit, store, store_kit.notice(), store_kit.notice(**{"version": 2, **newer}))
    assert states[0] == ("claimed", None)


async def test_what_was_overtaken_to_the_own_address_does_not_leave_for_the_other(
    store_kit: StoreKit, store: Store
) -> None:
    await store_kit.put("subscription", store_kit.following())
    fallen_back = {"recipient": "telegram:77", "params": f'{{"kind":"ready","for":"{SENDER.urn}"}}'}
    first = await closed(store_kit, store, store_kit.notice(**fallen_back))
    assert first == [("claimed", None)], "the person follows, not the address"
    rows = store_kit.notice(**fallen_back, version=2), store_kit.notice(version=3)
    assert (await closed(store_kit, store, *rows))[1:] == [("merged", "newer_notice"), ("claimed", None)]


@pytest.mark.parametrize("kind", ["officers_waiting", "officers_late", "stoppage"])
async def test_notices_nobody_follows_a_dossier_for_leave_unless_everything_was_stopped(
    store_kit: StoreKit, store: Store, kind: str
) -> None:
    about = {"params": f'{{"kind":"{kind}"}}', "dossier_code": f"{kind}-7"}
    assert await closed(store_kit, store, store_kit.notice(**about)) == [("claimed", None)]
    await store_kit.put("person", {"address": SENDER.urn, "stopped_at": 1, "updated_at": 1})
    again = await closed(store_kit, store, store_kit.notice(**about, version=2))
    assert again[1:] == [("dropped", "stopped_all")]


async def test_what_may_not_leave_does_not_shorten_the_claim_and_replies_are_not_asked(
    store_kit: StoreKit, store: Store
) -> None:
    await store_kit.put("person", {"address": SENDER.urn, "stopped_at": 1, "updated_at": 1})
    await store_kit.put("outbox", *(store_kit.notice(version=number) for number in range(3)))
    live = store_kit.notice(recipient="sms:84911111111", dossier_code=None, version=None)
    await store_kit.put("outbox", live)
    [reply] = await waiting(store_kit, store)
    assert [message.id for message in await store.claim(ACCOUNT, 2)] == [reply.id, live["id"]]


async def test_what_waits_for_later_or_for_an_operator_is_told_apart_from_what_is_due(
    store_kit: StoreKit, store: Store
) -> None:
    night = {"available_at": store_kit.now_ms() + 1, "reason": "quiet_hours"}
    rows = [store_kit.notice(version=number, **night) for number in range(2)]
    held = store_kit.notice(version=3, state="held", reason="daily_cap")
    await store_kit.put("outbox", *rows, held, store_kit.notice(version=4))
    assert await store.depth() == {ACCOUNT: 1}
    assert await store.deferred() == {(ACCOUNT, "quiet_hours"): 2, (ACCOUNT, "held"): 1}
    store_kit.clock.advance(1)
    assert await store.depth() == {ACCOUNT: 3}
    assert await store.deferred() == {(ACCOUNT, "held"): 1}


async def test_what_is_tried_again_later_says_why(store_kit: StoreKit, store: Store) -> None:
    [reply] = await waiting(store_kit, store)
    await store.claim(ACCOUNT, 1)
    await store.commit(JournalBatch(results=[sent(reply, SendStatus.RETRY, retry_after=30)]))
    assert await store.deferred() == {(ACCOUNT, "retry"): 1}
