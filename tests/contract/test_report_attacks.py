"""Delivery reports that lie, repeat themselves, come for nobody or at the wrong moment, in every store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.store import housekeeping
from conversation.ports import JournalBatch
from domain.message import Address, DeliveryStatus, SendStatus
from tests.contract.stores import ACCOUNT, SENDER, START, Store, StoreKit, segments, sent
from tests.contract.test_delivery_reports import OTHER, S, accepted, handed_over, heard, report, state, taken

MASKED = Address("sms", "84912xxx678")


async def test_a_reply_that_came_back_before_is_sent_once_more_after_its_first_unknown_outcome(
    store_kit: StoreKit, store: Store
) -> None:
    exchange = await handed_over(store_kit, store)
    assert exchange.reply is not None
    for status in (SendStatus.RETRY, SendStatus.RETRY, SendStatus.UNKNOWN, SendStatus.RETRY):
        result = replace(sent(exchange.reply, status), retry_after=1.0)
        await store.commit(JournalBatch(results=[result]))
        store_kit.clock.advance(20)
        assert [message.id for message in await store.claim(ACCOUNT, 1)] == [exchange.reply.id]
        await store.hand_over([exchange.reply.id])
    await store.commit(JournalBatch(results=[sent(exchange.reply, SendStatus.UNKNOWN)]))
    store_kit.clock.advance(20)
    assert await store.claim(ACCOUNT, 1) == []  # twice is enough
    assert (await store_kit.row("outbox", exchange.reply.id))["state"] == "unknown"


async def test_a_report_before_its_answer_is_not_given_to_a_stranger_who_had_that_id(
    store_kit: StoreKit, store: Store
) -> None:
    """The SMSC counts anew, and nothing final was ever heard of the stranger's."""
    strangers = await accepted(store_kit, store, "77", to=OTHER)
    exchange = await handed_over(store_kit, store)
    await heard(store, report("77", recipient=SENDER))
    assert await state(store_kit, strangers) is None
    assert await state(store_kit, await taken(store, exchange, "77")) == "delivered"


async def test_a_report_before_its_answer_is_not_given_to_a_stranger_whose_id_reads_alike(
    store_kit: StoreKit, store: Store
) -> None:
    """Answered in decimal, reported in hexadecimal: 16 is reported as 10, which somebody else's answer was."""
    strangers = await accepted(store_kit, store, "10", to=OTHER)
    exchange = await handed_over(store_kit, store)
    await heard(store, report("10", recipient=Address("sms", "8079"), sender=SENDER))  # turned round
    assert await state(store_kit, strangers) is None
    assert await state(store_kit, await taken(store, exchange, "16")) == "delivered"


async def test_of_one_id_for_all_no_report_is_given_to_somebody_else(store_kit: StoreKit, store: Store) -> None:
    strangers = await accepted(store_kit, store, "1", to=OTHER)
    await heard(store, report("1", recipient=SENDER))
    assert await state(store_kit, strangers) is None


async def test_a_number_that_is_hidden_keeps_no_report_from_its_message(store_kit: StoreKit, store: Store) -> None:
    identifier = await accepted(store_kit, store, "77")
    await heard(store, report("77", recipient=MASKED, sender=Address("sms", "8079")))
    assert await state(store_kit, identifier) == "delivered"


async def test_reports_that_fit_nothing_fill_no_disk(
    store_kit: StoreKit, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        await heard(store, *[report(f"no{number}x{each}") for each in range(20)])
    assert await store.purge(START - timedelta(days=1), 1_000) == 0
    monkeypatch.setattr(housekeeping, "REPORTS_KEPT", 30)
    assert await store.purge(START - timedelta(days=1), 1_000) == 70
    assert len(await store_kit.rows("report")) == 30


# ---- notices whose hand-over nobody answered


async def unanswered(kit: StoreKit, store: Store, *ids: str, to: Address = SENDER) -> int:
    """A notice of some segments that was written, and not answered; an id where one was."""
    row = kit.notice(source=None, dossier_code=None, version=None, recipient=to.urn)
    await kit.put("outbox", row)
    [message] = await store.claim(ACCOUNT, 10)
    await store.hand_over([message.id])
    result = sent(message, SendStatus.UNKNOWN, segments=segments(*ids), reason="response_timeout")
    await store.commit(JournalBatch(results=[result]))
    return message.id


async def reported(kit: StoreKit, store: Store, external_id: str, status: DeliveryStatus = S.DELIVERED) -> None:
    await heard(store, report(external_id, status, recipient=SENDER, received_at=kit.clock.now))


async def test_a_notice_that_is_reported_is_not_sent_once_more(store_kit: StoreKit, store: Store) -> None:
    identifier = await unanswered(store_kit, store, "")
    store_kit.clock.advance(5)
    await reported(store_kit, store, "77", S.ENROUTE)
    await reported(store_kit, store, "77")
    assert await store.match_reports() == 0  # it may be of a message whose answer is on its way
    store_kit.clock.advance(61)
    assert await store.match_reports() == 2
    row = await store_kit.row("outbox", identifier)
    assert (row["state"], row["reason"], row["delivery_status"]) == ("accepted", None, "delivered")
    assert await store_kit.rows("report") == []
    store_kit.clock.advance(600)
    assert await store.claim(ACCOUNT, 1) == []


async def test_a_notice_nothing_is_heard_of_is_sent_once_more(store_kit: StoreKit, store: Store) -> None:
    identifier = await unanswered(store_kit, store, "")
    await heard(store, report("77", recipient=OTHER, received_at=store_kit.clock.now))
    store_kit.clock.advance(61)
    assert await store.match_reports() == 0
    store_kit.clock.advance(540)
    assert [message.id for message in await store.claim(ACCOUNT, 10)] == [identifier]


async def test_a_report_of_another_message_ends_no_doubt(store_kit: StoreKit, store: Store) -> None:
    identifier = await unanswered(store_kit, store, "")
    exchange = await handed_over(store_kit, store)
    await reported(store_kit, store, "77")
    store_kit.clock.advance(30)
    assert await state(store_kit, await taken(store, exchange, "77")) == "delivered"
    store_kit.clock.advance(61)
    assert await store.match_reports() == 0
    assert (await store_kit.row("outbox", identifier))["state"] == "ready"


async def test_a_long_notice_is_taken_when_each_part_in_doubt_is_reported(store_kit: StoreKit, store: Store) -> None:
    identifier = await unanswered(store_kit, store, "a1", "", "")
    await reported(store_kit, store, "a1")
    await reported(store_kit, store, "a2")
    store_kit.clock.advance(61)
    assert await store.match_reports() == 0
    await reported(store_kit, store, "a3", S.ENROUTE)
    store_kit.clock.advance(61)
    assert await store.match_reports() == 2
    assert (await store_kit.row("outbox", identifier))["state"] == "accepted"
    await reported(store_kit, store, "a3")
    assert await state(store_kit, identifier) == "delivered"


async def handed_over_by_the_dead(kit: StoreKit, **fields: str) -> tuple[Store, int]:
    """A notice a process handed over before it died, and the store of who comes after."""
    store = await kit.open()
    await kit.put("outbox", kit.notice(source=None, dossier_code=None, version=None, **fields))
    [message] = await store.claim(ACCOUNT, 1)
    await store.hand_over([message.id])
    await kit.crash(store)
    store = await kit.open()
    kit.clock.advance(61)
    await store.recover()
    return store, message.id


async def test_a_notice_of_a_process_that_died_is_known_by_its_report(store_kit: StoreKit) -> None:
    store, identifier = await handed_over_by_the_dead(store_kit)
    await reported(store_kit, store, "77")
    store_kit.clock.advance(61)
    assert await store.match_reports() == 1
    row = await store_kit.row("outbox", identifier)
    assert (row["state"], row["delivery_status"]) == ("accepted", "delivered")


async def test_half_a_long_notice_of_a_process_that_died_is_not_taken_for_the_whole(store_kit: StoreKit) -> None:
    text = "Ho so da co ket qua, moi ong/ba den nhan. " * 5
    store, identifier = await handed_over_by_the_dead(store_kit, text=text)
    await reported(store_kit, store, "77")
    store_kit.clock.advance(61)
    assert await store.match_reports() == 0
    assert (await store_kit.row("outbox", identifier))["state"] == "ready"
    await reported(store_kit, store, "78")
    store_kit.clock.advance(61)
    assert await store.match_reports() == 2
    assert (await store_kit.row("outbox", identifier))["delivery_status"] == "delivered"


async def test_a_reply_in_doubt_is_sent_once_more_whatever_is_reported(store_kit: StoreKit, store: Store) -> None:
    """Nobody is left waiting for an answer; a second copy is harmless."""
    exchange = await handed_over(store_kit, store)
    assert exchange.reply is not None
    await store.commit(JournalBatch(results=[sent(exchange.reply, SendStatus.UNKNOWN)]))
    await reported(store_kit, store, "77")
    store_kit.clock.advance(61)
    assert await store.match_reports() == 0
    assert (await store_kit.row("outbox", exchange.reply.id))["state"] == "ready"
