"""What every journal promises (conversation.ports.Journal)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.store.rows import to_ms
from conversation.ports import Acknowledgement, Exchange, FeedbackNote, JournalBatch, SessionEnd
from domain.errors import StoreError, StoreRejected, StoreUnavailable, StoreUncertain
from domain.message import Address, DeliveryReport, DeliveryStatus, SendStatus
from tests.contract.stores import ACCOUNT, START, Store, StoreKit, segments, sent

REPEATED = "H51.18-210817-0005"


def batch(*exchanges: Exchange, **others: Any) -> JournalBatch:
    return JournalBatch(exchanges=exchanges, **others)


async def texts(kit: StoreKit, table: str = "inbox") -> list[str]:
    return [row["text"] for row in await kit.rows(table)]


async def acknowledged(kit: StoreKit, store: Store, after: float = 0.1, *, durable: bool = True) -> Exchange:
    """A message that was written and acknowledged `after` seconds."""
    exchange = kit.exchange(REPEATED)
    await store.commit(batch(exchange))
    kit.clock.advance(after)
    await store.commit(kit.acknowledged(exchange, durable=durable))
    return exchange


# ---- when the store is away


async def test_a_locked_store_writes_nothing_and_says_so(store_kit: StoreKit, store: Store) -> None:
    exchange = store_kit.exchange()
    with store_kit.locked(), pytest.raises(StoreUnavailable):
        await store.commit(batch(exchange))
    assert await store_kit.rows("inbox") == []
    await store.commit(batch(exchange))
    assert await store.written([exchange.message.id]) == {exchange.message.id}


async def test_callers_of_a_locked_store_are_all_answered_and_none_is_written(
    store_kit: StoreKit, store: Store
) -> None:
    with store_kit.locked():
        commits = [store.commit(batch(store_kit.exchange(f"text {number}"))) for number in range(20)]
        answers = await asyncio.wait_for(asyncio.gather(*commits, return_exceptions=True), 60)
    assert {type(answer) for answer in answers} == {StoreUnavailable}
    assert await store_kit.rows("inbox") == []


async def test_a_locked_store_can_still_be_read(store_kit: StoreKit, store: Store) -> None:
    exchange = store_kit.exchange()
    await store.commit(batch(exchange))
    with store_kit.locked():
        assert await store.written([exchange.message.id]) == {exchange.message.id}
        assert await store.depth() == {ACCOUNT: 1}


async def test_a_commit_that_breaks_half_way_is_uncertain_and_can_be_read_back(
    store_kit: StoreKit, store: Store
) -> None:
    exchange = store_kit.exchange()
    async with store_kit.commit_breaks(store):
        with pytest.raises(StoreUncertain):
            await store.commit(batch(exchange))
    assert await store.written([exchange.message.id]) == frozenset()
    assert (await store.commit(batch(exchange))).redelivered == {}
    assert await store.written([exchange.message.id]) == {exchange.message.id}


async def test_one_bad_row_takes_its_whole_batch_with_it(store_kit: StoreKit, store: Store) -> None:
    taken = store_kit.decided(store_kit.message("GY one"), feedback=FeedbackNote(number=7, text="one"))
    await store.commit(batch(taken))
    clash = store_kit.decided(store_kit.message("GY two"), feedback=FeedbackNote(number=7, text="two"))
    with pytest.raises(StoreRejected) as refused:
        await store.commit(batch(store_kit.exchange("neighbour"), clash))
    assert "feedback" in str(refused.value)
    assert "7" not in str(refused.value)  # no value of a row: this is logged
    assert await texts(store_kit) == ["GY one"]


async def test_the_read_back_tells_of_replies_as_of_messages(store_kit: StoreKit, store: Store) -> None:
    exchange, lost = store_kit.exchange(), store_kit.exchange("lost")
    assert exchange.reply is not None
    assert lost.reply is not None
    await store.commit(batch(exchange))
    asked = [each for pair in (exchange, lost) if pair.reply for each in (pair.message.id, pair.reply.id)]
    assert await store.written(asked) == {exchange.message.id, exchange.reply.id}


# ---- refused while nobody knew that it was written


def given_up(*exchanges: Exchange) -> dict[int, int | None]:
    return {e.message.id: e.reply.id if e.reply is not None and e.handed_over else None for e in exchanges}


async def test_of_what_is_given_up_the_open_is_taken_up_and_the_reply_leaves(store_kit: StoreKit, store: Store) -> None:
    left = Exchange(message=store_kit.message("open"))
    decided, lost = store_kit.exchange("decided", handed_over=True), store_kit.exchange("lost", handed_over=True)
    await store.commit(batch(left, decided))
    assert await store.claim(ACCOUNT, 10) == []
    assert await store.give_up(given_up(left, decided, lost)) == {left.message.id, decided.message.id}
    assert [message.id for message in await store.take_open(10)] == [left.message.id]
    assert [message.inbound_id for message in await store.claim(ACCOUNT, 10)] == [decided.message.id]


async def test_a_reply_given_up_twice_leaves_once(store_kit: StoreKit, store: Store) -> None:
    exchange = store_kit.exchange(handed_over=True)
    await store.commit(batch(exchange))
    await store.give_up(given_up(exchange))
    [message] = await store.claim(ACCOUNT, 1)
    await store.hand_over([message.id])
    await store.give_up(given_up(exchange))
    assert await store.claim(ACCOUNT, 1) == []


async def test_only_what_was_to_be_sent_at_once_and_is_still_ours_can_be_given_up(
    store_kit: StoreKit, store: Store
) -> None:
    waiting = store_kit.exchange("waiting")
    settled = store_kit.exchange("settled", handed_over=True)
    assert settled.reply is not None
    await store.commit(batch(waiting, settled))
    [message] = await store.claim(ACCOUNT, 1)
    await store.hand_over([message.id])
    await store.commit(JournalBatch(results=[sent(settled.reply)]))
    await store.give_up(given_up(waiting, settled))
    assert [row["state"] for row in await store_kit.rows("outbox")] == ["handed_over", "accepted"]


async def test_an_open_message_that_cannot_be_read_keeps_no_other_from_being_taken_over(
    store_kit: StoreKit, store: Store
) -> None:
    odd = {"sender": "nobody", "recipient": "sms:8079", "text": "?", "state": "open", "owner": 1, "lease_until": 0}
    await store.commit(batch(Exchange(message=store_kit.message("open"))))
    await store_kit.crash(store)
    await store_kit.put(
        "inbox",
        {"id": store_kit.new_id(), "channel": "sms", "account": ACCOUNT, "received_at": store_kit.now_ms(), **odd},
    )
    heir = await store_kit.open()
    assert [message.text for message in await heir.take_open(10)] == ["open"]


async def test_a_closed_store_refuses(store_kit: StoreKit, store: Store) -> None:
    await store.close()
    with pytest.raises(StoreError):
        await store.commit(batch(store_kit.exchange()))
    with pytest.raises(StoreError):
        store.process_number()


async def test_what_was_begun_before_closing_is_written(store_kit: StoreKit, store: Store) -> None:
    exchange = store_kit.exchange()
    commit = asyncio.create_task(store.commit(batch(exchange)))
    await asyncio.sleep(0)
    await store.close()
    await commit
    assert await texts(store_kit) == [exchange.message.text]


# ---- what is written


async def test_an_empty_batch_is_nothing(store: Store) -> None:
    receipt = await store.commit(JournalBatch())
    assert (receipt.redelivered, receipt.already_closed) == ({}, frozenset())


async def test_a_decided_message_and_its_reply_are_written_together(store_kit: StoreKit, store: Store) -> None:
    exchange = store_kit.exchange(raw=b"\x00\xff")
    await store.commit(batch(exchange))
    [received] = await store_kit.rows("inbox")
    expected = {
        "id": exchange.message.id,
        "sender": "sms:84912345678",
        "recipient": "sms:8079",
        "raw": "00ff",
        "received_at": to_ms(START),
        "state": "decided",
        "inquiry": "look_up",
        "outcome": "found",
        "dossier_code": "C-1",
        "decided_at": to_ms(START),
        "lease_until": None,
        "acknowledged_at": None,
    }
    assert {name: received[name] for name in expected} == expected
    [reply] = await store_kit.rows("outbox")
    waiting = {"inbound_id": exchange.message.id, "state": "ready", "attempts": 0, "owner": None, "priority": 0}
    assert {name: reply[name] for name in waiting} == waiting


async def test_a_reply_on_its_way_is_written_as_handed_over(store_kit: StoreKit, store: Store) -> None:
    await store.commit(batch(store_kit.exchange(handed_over=True)))
    [reply] = await store_kit.rows("outbox")
    assert (reply["state"], reply["attempts"], reply["handed_over_at"]) == ("handed_over", 1, to_ms(START))
    assert reply["owner"] is not None
    assert await store.claim(ACCOUNT, 10) == []


async def test_silence_is_written_without_a_reply(store_kit: StoreKit, store: Store) -> None:
    await store.commit(batch(store_kit.silent("cam on"), store_kit.silent("again", muted=True)))
    assert [row["state"] for row in await store_kit.rows("inbox")] == ["decided", "muted"]
    assert await store_kit.rows("outbox") == []


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("Hồ sơ của tôi 🙂 \u202eabc", "Hồ sơ của tôi 🙂 \u202eabc"),
        ('\'; DROP TABLE inbox; -- {{7*7}} \\u0000 "%s"', '\'; DROP TABLE inbox; -- {{7*7}} \\u0000 "%s"'),
        ("a\x00b\x01", "a\N{REPLACEMENT CHARACTER}b\x01"),
        ("half \ud83d of a pair", "half \N{REPLACEMENT CHARACTER} of a pair"),
        ("x" * 10_000, "x" * 10_000),
    ],
    ids=["empty", "unicode", "syntax", "nul", "surrogate", "long"],
)
async def test_any_text_is_kept_and_costs_its_neighbours_nothing(
    store_kit: StoreKit, store: Store, text: str, kept: str
) -> None:
    odd = store_kit.exchange(text, identity="1")
    await store.commit(batch(odd, store_kit.exchange("neighbour")))
    assert await texts(store_kit) == [kept, "neighbour"]


async def test_feedback_is_kept_under_its_number(store_kit: StoreKit, store: Store) -> None:
    number = await store.next_feedback_number()
    note = FeedbackNote(number=number, text="rất tốt")
    await store.commit(batch(store_kit.decided(store_kit.message("GY rất tốt"), feedback=note)))
    [row] = await store_kit.rows("feedback")
    assert (row["number"], row["text"], row["sender"]) == (number, "rất tốt", "sms:84912345678")


# ---- open messages


async def test_an_open_message_waits_for_its_closing(store_kit: StoreKit, store: Store) -> None:
    message = store_kit.message()
    await store.commit(batch(Exchange(message=message)))
    [row] = await store_kit.rows("inbox")
    assert (row["state"], row["owner"] is None, row["lease_until"] > to_ms(START)) == ("open", False, True)
    receipt = await store.commit(JournalBatch(closings=[store_kit.decided(message)]))
    assert receipt.already_closed == frozenset()
    [row] = await store_kit.rows("inbox")
    assert (row["state"], row["inquiry"], row["lease_until"]) == ("decided", "look_up", None)
    assert [row["inbound_id"] for row in await store_kit.rows("outbox")] == [message.id]


async def test_the_second_closing_is_told_so_and_its_reply_is_not_written(store_kit: StoreKit, store: Store) -> None:
    message = store_kit.message()
    await store.commit(batch(Exchange(message=message)))
    first, second = store_kit.decided(message), store_kit.decided(message, dossier_code="C-2")
    await store.commit(JournalBatch(closings=[first]))
    receipt = await store.commit(JournalBatch(closings=[second]))
    assert receipt.already_closed == {message.id}
    assert [row["id"] for row in await store_kit.rows("outbox")] == [reply_id(first)]
    assert [row["dossier_code"] for row in await store_kit.rows("inbox")] == ["C-1"]


async def test_two_closings_in_one_batch_leave_one_reply(store_kit: StoreKit, store: Store) -> None:
    message = store_kit.message()
    first, second = store_kit.decided(message), store_kit.decided(message)
    await store.commit(JournalBatch(exchanges=[Exchange(message=message)], closings=[first, second]))
    assert [row["id"] for row in await store_kit.rows("outbox")] == [reply_id(first)]


async def test_a_closing_of_a_message_that_was_decided_at_once_writes_nothing(
    store_kit: StoreKit, store: Store
) -> None:
    exchange = store_kit.exchange()
    await store.commit(batch(exchange))
    receipt = await store.commit(JournalBatch(closings=[store_kit.decided(exchange.message)]))
    assert receipt.already_closed == {exchange.message.id}
    assert len(await store_kit.rows("outbox")) == 1


async def test_ones_own_open_messages_are_not_taken_over(store_kit: StoreKit, store: Store) -> None:
    await store.commit(batch(Exchange(message=store_kit.message())))
    assert await store.take_open(10) == []


async def test_open_messages_of_a_dead_process_are_taken_over_once_oldest_first(
    store_kit: StoreKit, store: Store
) -> None:
    messages = [store_kit.message(f"open {number}", raw=b"\x01") for number in range(3)]
    await store.commit(batch(store_kit.exchange("decided"), *(Exchange(message=message) for message in messages)))
    await store_kit.crash(store)
    heir = await store_kit.open()
    assert await heir.take_open(2) == messages[:2]
    assert await heir.take_open(2) == messages[2:]
    assert await heir.take_open(2) == []
    receipt = await heir.commit(JournalBatch(closings=[store_kit.decided(message) for message in messages]))
    assert receipt.already_closed == frozenset()


# ---- redelivery


async def test_a_chat_update_is_written_once_for_its_own_id(store_kit: StoreKit, store: Store) -> None:
    first = store_kit.exchange(external_id="77", identity=None)
    await store.commit(batch(first))
    await store.commit(store_kit.acknowledged(first))
    store_kit.clock.advance(86_400)
    again = store_kit.exchange("edited", external_id="77", identity=None)
    elsewhere = store_kit.exchange("other account", external_id="77", identity=None, account="smsc-2")
    receipt = await store.commit(batch(again, elsewhere))
    assert receipt.redelivered == {again.message.id: first.message.id}
    assert await texts(store_kit) == [REPEATED, "other account"]
    assert len(await store_kit.rows("outbox")) == 2


@pytest.mark.parametrize("given", [{"external_id": "77", "identity": None}, {"identity": "sha"}])
async def test_the_same_message_twice_in_one_batch_is_written_once(
    store_kit: StoreKit, store: Store, given: dict[str, Any]
) -> None:
    twins = [store_kit.exchange(**given) for _ in range(3)]
    receipt = await store.commit(batch(*twins))
    first, *others = [twin.message.id for twin in twins]
    assert receipt.redelivered == dict.fromkeys(others, first)
    assert [row["id"] for row in await store_kit.rows("inbox")] == [first]


async def test_a_repeated_question_that_was_acknowledged_soundly_is_a_new_one(
    store_kit: StoreKit, store: Store
) -> None:
    await acknowledged(store_kit, store)
    store_kit.clock.advance(20)
    assert (await store.commit(batch(store_kit.exchange(REPEATED)))).redelivered == {}
    assert await texts(store_kit) == [REPEATED, REPEATED]


async def test_an_acknowledgement_in_the_very_same_batch_counts(store_kit: StoreKit, store: Store) -> None:
    first = store_kit.exchange(REPEATED)
    await store.commit(batch(first))
    ack = Acknowledgement(inbound_id=first.message.id, at=store_kit.clock.advance(0.1))
    store_kit.clock.advance(5)
    receipt = await store.commit(batch(store_kit.exchange(REPEATED), acknowledgements=[ack]))
    assert receipt.redelivered == {}


async def test_without_a_recorded_acknowledgement_it_is_a_redelivery(store_kit: StoreKit, store: Store) -> None:
    first = store_kit.exchange(REPEATED)
    await store.commit(batch(first))
    store_kit.clock.advance(20)
    again, other = store_kit.exchange(REPEATED), store_kit.exchange(REPEATED, sender=Address("sms", "84987654321"))
    receipt = await store.commit(batch(again, other))
    assert receipt.redelivered == {again.message.id: first.message.id}
    assert len(await store_kit.rows("outbox")) == 2


async def test_an_open_message_is_not_opened_twice(store_kit: StoreKit, store: Store) -> None:
    message = store_kit.message(REPEATED)
    await store.commit(batch(Exchange(message=message)))
    again = store_kit.exchange(REPEATED)
    assert (await store.commit(batch(again))).redelivered == {again.message.id: message.id}
    assert await store_kit.rows("outbox") == []


async def test_a_message_under_an_id_that_is_known_costs_no_other_its_place(store_kit: StoreKit, store: Store) -> None:
    """A long message handed in once more after a restart, when more of it had come: its identity is another."""
    first = store_kit.exchange("half", identity="1" * 64)
    await store.commit(batch(first))
    whole = store_kit.decided(replace(first.message, text="whole", identity="2" * 64))
    receipt = await store.commit(batch(whole, store_kit.exchange("another's")))
    assert receipt.redelivered == {first.message.id: first.message.id}
    assert await texts(store_kit) == ["half", "another's"]


@pytest.mark.parametrize(("ended_after", "redelivered"), [(59, True), (61, False)])
@pytest.mark.parametrize("same_batch", [True, False])
async def test_a_session_that_ended_soon_after_puts_its_acknowledgements_in_doubt(
    store_kit: StoreKit, store: Store, ended_after: float, *, redelivered: bool, same_batch: bool
) -> None:
    await acknowledged(store_kit, store)
    end = SessionEnd(session="smsc-1/1", at=store_kit.clock.advance(ended_after))
    if not same_batch:
        await store.commit(JournalBatch(session_ends=[end, SessionEnd(session="another", at=end.at)]))
    again = store_kit.exchange(REPEATED, session="smsc-1/2")
    receipt = await store.commit(batch(again, session_ends=[end] if same_batch else []))
    assert bool(receipt.redelivered) is redelivered


async def test_a_late_acknowledgement_and_a_refusal_are_followed_by_redeliveries(
    store_kit: StoreKit, store: Store
) -> None:
    await acknowledged(store_kit, store, after=5.5)
    assert (await store.commit(batch(store_kit.exchange(REPEATED)))).redelivered
    store_kit.clock.advance(301)
    await acknowledged(store_kit, store, durable=False)
    assert (await store.commit(batch(store_kit.exchange(REPEATED)))).redelivered


async def test_after_300_seconds_it_is_a_new_question_whatever_happened(store_kit: StoreKit, store: Store) -> None:
    await store.commit(batch(store_kit.exchange(REPEATED)))
    store_kit.clock.advance(300.5)
    assert (await store.commit(batch(store_kit.exchange(REPEATED)))).redelivered == {}


async def test_what_a_process_acknowledged_just_before_it_died_is_in_doubt(store_kit: StoreKit, store: Store) -> None:
    await acknowledged(store_kit, store)
    await store_kit.crash(store)
    store_kit.clock.advance(120)  # the machine takes its time to start again
    heir = await store_kit.open()
    assert (await heir.commit(batch(store_kit.exchange(REPEATED, session="new")))).redelivered


async def test_what_a_process_acknowledged_long_before_it_died_is_not_in_doubt(
    store_kit: StoreKit, store: Store
) -> None:
    await acknowledged(store_kit, store)
    store_kit.clock.advance(90)
    await store.renew()
    await store_kit.crash(store)
    heir = await store_kit.open()
    assert (await heir.commit(batch(store_kit.exchange(REPEATED, session="new")))).redelivered == {}


async def test_a_message_committed_again_after_all_is_not_written_twice(store_kit: StoreKit, store: Store) -> None:
    exchanges = [store_kit.exchange(), store_kit.exchange("web", identity=None)]
    await store.commit(batch(*exchanges))
    await store.commit(store_kit.acknowledged(*exchanges))
    receipt = await store.commit(batch(*exchanges))
    assert receipt.redelivered == {e.message.id: e.message.id for e in exchanges}
    assert len(await store_kit.rows("outbox")) == 2


async def test_a_redelivery_leaves_no_effect(store_kit: StoreKit, store: Store) -> None:
    await store.commit(batch(store_kit.exchange("GY x")))
    again = store_kit.decided(store_kit.message("GY x"), feedback=FeedbackNote(number=1, text="x"))
    await store.commit(batch(again))
    assert await store_kit.rows("feedback") == []


# ---- results and reports


async def accepted(kit: StoreKit, store: Store, *external_ids: str) -> int:
    """The id of a reply the other side took, in as many segments."""
    exchange = kit.exchange(f"with {external_ids}", handed_over=True)
    assert exchange.reply is not None
    await store.commit(batch(exchange))
    await store.commit(JournalBatch(results=[sent(exchange.reply, segments=segments(*external_ids))]))
    return exchange.reply.id


def report(external_id: str, status: DeliveryStatus, **changes: Any) -> DeliveryReport:
    values: dict[str, Any] = {"channel": "sms", "account": ACCOUNT, "received_at": START + timedelta(seconds=9)}
    return DeliveryReport(**{**values, "external_id": external_id, "status": status, **changes})


@pytest.mark.parametrize("status", [SendStatus.ACCEPTED, SendStatus.REJECTED, SendStatus.STOPPED])
async def test_a_final_result_settles_the_row(store_kit: StoreKit, store: Store, status: SendStatus) -> None:
    exchange = store_kit.exchange(handed_over=True)
    assert exchange.reply is not None
    await store.commit(batch(exchange))
    await store.commit(JournalBatch(results=[sent(exchange.reply, status, reason="0x0B")]))
    row = await store_kit.row("outbox", exchange.reply.id)
    assert (row["state"], row["reason"], row["attempts"], row["owner"]) == (status.value, "0x0B", 1, None)
    assert row["settled_at"] == to_ms(START)


async def test_what_did_not_leave_waits_and_its_hand_over_does_not_count(store_kit: StoreKit, store: Store) -> None:
    exchange = store_kit.exchange(handed_over=True)
    assert exchange.reply is not None
    await store.commit(batch(exchange))
    await store.commit(JournalBatch(results=[sent(exchange.reply, SendStatus.RETRY, retry_after=30)]))
    row = await store_kit.row("outbox", exchange.reply.id)
    assert (row["state"], row["attempts"], row["settled_at"]) == ("ready", 0, None)
    assert await store.claim(ACCOUNT, 1) == []
    store_kit.clock.advance(30)
    [again] = await store.claim(ACCOUNT, 1)
    assert (again.id, again.attempts) == (exchange.reply.id, 0)


async def test_an_unknown_outcome_is_judged_by_the_rule(store_kit: StoreKit, store: Store) -> None:
    exchange = store_kit.exchange(handed_over=True)
    assert exchange.reply is not None
    await store.commit(batch(exchange))
    await store.commit(JournalBatch(results=[sent(exchange.reply, SendStatus.UNKNOWN)]))
    [again] = await store.claim(ACCOUNT, 1)
    assert again.attempts == 1
    await store.hand_over([again.id])
    await store.commit(JournalBatch(results=[sent(again, SendStatus.UNKNOWN)]))
    assert (await store_kit.row("outbox", again.id))["state"] == "unknown"
    assert await store.claim(ACCOUNT, 1) == []


async def test_a_result_that_comes_twice_counts_once(store_kit: StoreKit, store: Store) -> None:
    exchange = store_kit.exchange(handed_over=True)
    assert exchange.reply is not None
    await store.commit(batch(exchange))
    retry, taken = sent(exchange.reply, SendStatus.RETRY), sent(exchange.reply)
    await store.commit(JournalBatch(results=[taken]))
    await store.commit(JournalBatch(results=[retry, sent(store_kit.reply(exchange.message))]))
    row = await store_kit.row("outbox", exchange.reply.id)
    assert (row["state"], row["attempts"]) == ("accepted", 1)


async def test_every_segment_is_recorded(store_kit: StoreKit, store: Store) -> None:
    identifier = await accepted(store_kit, store, "a1", "a2")
    rows = await store_kit.rows("submission")
    assert [(row["outbox_id"], row["attempt"], row["segment"], row["segments"]) for row in rows] == [
        (identifier, 1, 1, 2),
        (identifier, 1, 2, 2),
    ]
    assert [row["external_id"] for row in rows] == ["a1", "a2"]


async def test_a_message_is_delivered_when_all_its_segments_are(store_kit: StoreKit, store: Store) -> None:
    identifier = await accepted(store_kit, store, "a1", "a2")
    await store.commit(JournalBatch(reports=[report("a1", DeliveryStatus.DELIVERED)]))
    assert (await store_kit.row("outbox", identifier))["delivery_status"] is None
    later = START + timedelta(seconds=60)
    await store.commit(JournalBatch(reports=[report("a2", DeliveryStatus.DELIVERED, received_at=later)]))
    row = await store_kit.row("outbox", identifier)
    assert (row["delivery_status"], row["delivered_at"]) == ("delivered", to_ms(later))


@pytest.mark.parametrize("same_batch", [True, False])
async def test_a_final_report_is_never_overwritten(store_kit: StoreKit, store: Store, *, same_batch: bool) -> None:
    identifier = await accepted(store_kit, store, "a1", "a2")
    reports = [
        report("a1", DeliveryStatus.ENROUTE),
        report("a1", DeliveryStatus.UNDELIVERABLE, error="011"),
        report("a1", DeliveryStatus.DELIVERED),
        report("a1", DeliveryStatus.ENROUTE),
        report("a2", DeliveryStatus.DELIVERED),
    ]
    for some in [reports] if same_batch else [[one] for one in reports]:
        await store.commit(JournalBatch(reports=some))
    assert (await store_kit.row("outbox", identifier))["delivery_status"] == "undeliverable"
    first, second = await store_kit.rows("submission")
    assert (first["report_status"], first["report_error"]) == ("undeliverable", "011")
    assert second["report_status"] == "delivered"


async def test_a_report_may_come_with_the_result_it_belongs_to(store_kit: StoreKit, store: Store) -> None:
    exchange = store_kit.exchange(handed_over=True)
    assert exchange.reply is not None
    await store.commit(batch(exchange))
    result = sent(exchange.reply, segments=segments("a1"))
    await store.commit(JournalBatch(results=[result], reports=[report("a1", DeliveryStatus.DELIVERED)]))
    assert (await store_kit.row("outbox", exchange.reply.id))["delivery_status"] == "delivered"


async def test_a_report_that_fits_nothing_is_kept(store_kit: StoreKit, store: Store) -> None:
    await accepted(store_kit, store, "a1")
    orphans = [
        report("zz", DeliveryStatus.DELIVERED, error="000", text="id:zz"),
        report("a1", DeliveryStatus.DELIVERED, account="smsc-2"),
    ]
    await store.commit(JournalBatch(reports=orphans))
    kept = await store_kit.rows("report")
    assert [(row["account"], row["external_id"], row["text"]) for row in kept] == [
        (ACCOUNT, "zz", "id:zz"),
        ("smsc-2", "a1", ""),
    ]


async def test_an_id_used_again_by_the_other_side_means_the_latest_message(store_kit: StoreKit, store: Store) -> None:
    old = await accepted(store_kit, store, "a1")
    store_kit.clock.advance(86_400)
    exchange = store_kit.exchange("weeks later", handed_over=True)
    assert exchange.reply is not None
    await store.commit(batch(exchange))
    await store.commit(JournalBatch(results=[sent(exchange.reply, segments=segments("a1"))]))
    await store.commit(JournalBatch(reports=[report("a1", DeliveryStatus.DELIVERED)]))
    assert (await store_kit.row("outbox", old))["delivery_status"] is None
    assert (await store_kit.row("outbox", exchange.reply.id))["delivery_status"] == "delivered"


def reply_id(exchange: Exchange) -> int:
    assert exchange.reply is not None
    return exchange.reply.id
