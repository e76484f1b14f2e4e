"""What every store makes of delivery reports: whose they are, which counts, and what became of the whole message."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from adapters.store.report_ids import LOOKED_BACK
from adapters.store.report_sql import SUBMISSIONS_JUDGED
from channels.sms.account import MessageIds
from channels.sms.reports import id_forms
from conversation.ports import Exchange, JournalBatch
from domain.message import Address, DeliveryReport, DeliveryStatus, SegmentResult, SendStatus
from tests.contract.stores import ACCOUNT, SENDER, SHORT_CODE, START, Store, StoreKit, segments, sent

OTHER = Address("sms", "84987654321")
S = DeliveryStatus
FAILURES = (S.UNDELIVERABLE, S.EXPIRED, S.DELETED, S.REJECTED)
PASSING = (S.ENROUTE, S.ACCEPTED, S.SCHEDULED, S.UNKNOWN)


async def handed_over(kit: StoreKit, store: Store, *, to: Address = SENDER) -> Exchange:
    """A reply on its way, not answered by the SMSC yet."""
    exchange = kit.exchange(f"question {kit.new_id()}", sender=to, handed_over=True)
    await store.commit(JournalBatch(exchanges=[exchange]))
    return exchange


async def taken(store: Store, exchange: Exchange, *ids: str, reports: Sequence[DeliveryReport] = ()) -> int:
    """The SMSC took it, in as many segments; gives the id of the reply."""
    assert exchange.reply is not None
    result = sent(exchange.reply, segments=segments(*ids))
    await store.commit(JournalBatch(results=[result], reports=reports))
    return exchange.reply.id


async def accepted(kit: StoreKit, store: Store, *ids: str, to: Address = SENDER) -> int:
    return await taken(store, await handed_over(kit, store, to=to), *ids)


def report(external_id: str, status: DeliveryStatus = S.DELIVERED, **changes: Any) -> DeliveryReport:
    values: dict[str, Any] = {"channel": "sms", "account": ACCOUNT, "received_at": START + timedelta(seconds=9)}
    ids = changes.pop("message_ids", MessageIds.AUTO)
    values |= {"external_id": external_id, "status": status, "keys": id_forms(external_id, ids)}
    return DeliveryReport(**{**values, **changes})


async def heard(store: Store, *reports: DeliveryReport) -> None:
    await store.commit(JournalBatch(reports=reports))


async def state(kit: StoreKit, message_id: int) -> str | None:
    status: str | None = (await kit.row("outbox", message_id))["delivery_status"]
    return status


# ---- ids


@pytest.mark.parametrize(
    ("answered", "reported", "message_ids"),
    [
        ("3E8", "3E8", MessageIds.AUTO),
        ("3e8", "000003E8", MessageIds.SAME),
        ("3E8", "1000", MessageIds.AUTO),
        ("1000", "3e8", MessageIds.AUTO),
        ("0x3E8", "1000", MessageIds.HEX_THEN_DECIMAL),
        ("00001000", "3E8", MessageIds.DECIMAL_THEN_HEX),
        ("9380935605053030457", "822FC73B00000039", MessageIds.AUTO),
        ("9380935605053030457123", f"{9380935605053030457123:x}", MessageIds.AUTO),
        ("msg-7F", "MSG-7f", MessageIds.AUTO),
        ("0000", "0", MessageIds.AUTO),
        ("A" * 65, "a" * 65, MessageIds.AUTO),
    ],
)
async def test_a_report_finds_its_message_however_the_id_is_written(
    store_kit: StoreKit, store: Store, answered: str, reported: str, message_ids: MessageIds
) -> None:
    identifier = await accepted(store_kit, store, answered)
    await heard(store, report(reported, message_ids=message_ids, recipient=SENDER))
    assert await state(store_kit, identifier) == "delivered"
    assert [row["external_id"] for row in await store_kit.rows("submission")] == [answered]  # as the SMSC wrote it
    assert await store_kit.rows("report") == []


@pytest.mark.parametrize("message_ids", [MessageIds.SAME, MessageIds.HEX_THEN_DECIMAL])
async def test_an_account_that_says_how_ids_are_written_is_believed(
    store_kit: StoreKit, store: Store, message_ids: MessageIds
) -> None:
    identifier = await accepted(store_kit, store, "4096")
    await heard(store, report("1000", message_ids=message_ids))
    assert await state(store_kit, identifier) is None


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("swapped", [False, True])
async def test_of_two_readings_of_an_id_the_number_decides(
    store_kit: StoreKit, store: Store, *, turned: bool, swapped: bool
) -> None:
    """Message 18 was answered in hexadecimal as 12, message 12 as C: the report about 12 may speak of either."""
    order = [("12", SENDER), ("C", OTHER)]
    sent_to = {to: await accepted(store_kit, store, written, to=to) for written, to in order[:: -1 if turned else 1]}
    about: dict[str, Any] = (
        {"recipient": SHORT_CODE, "sender": OTHER} if swapped else {"recipient": OTHER, "sender": SHORT_CODE}
    )
    await heard(store, report("12", **about))
    assert await state(store_kit, sent_to[OTHER]) == "delivered"
    assert await state(store_kit, sent_to[SENDER]) is None


async def test_the_written_id_comes_first_where_no_number_decides(store_kit: StoreKit, store: Store) -> None:
    written = await accepted(store_kit, store, "12")
    other_base = await accepted(store_kit, store, "C")
    await heard(store, report("12"))
    assert await state(store_kit, written) == "delivered"
    assert await state(store_kit, other_base) is None


async def test_a_guess_is_not_believed_against_the_number(store_kit: StoreKit, store: Store) -> None:
    """5000 is read as 1388 in hexadecimal, which an SMSC that counts in decimal gave somebody else long before."""
    strangers = await accepted(store_kit, store, "1388", to=OTHER)
    exchange = await handed_over(store_kit, store)
    await heard(store, report("5000", recipient=SENDER))
    assert await state(store_kit, strangers) is None
    assert await state(store_kit, await taken(store, exchange, "5000")) == "delivered"


async def test_an_id_used_again_waits_for_the_new_message(store_kit: StoreKit, store: Store) -> None:
    old = await accepted(store_kit, store, "77", to=OTHER)
    await heard(store, report("77", recipient=OTHER))
    exchange = await handed_over(store_kit, store)
    await heard(store, report("77", S.REJECTED, recipient=SENDER))
    assert await state(store_kit, old) == "delivered"
    assert await state(store_kit, await taken(store, exchange, "77")) == "rejected"


async def test_a_number_written_in_no_known_way_keeps_no_report_from_its_message(
    store_kit: StoreKit, store: Store
) -> None:
    identifier = await accepted(store_kit, store, "77")
    await heard(store, report("77", recipient=Address("sms", "DVCQG")))
    assert await state(store_kit, identifier) == "delivered"


async def test_an_smsc_that_gives_all_messages_one_id_is_told_by_their_numbers(
    store_kit: StoreKit, store: Store
) -> None:
    mine = await accepted(store_kit, store, "123456789")
    others = [await accepted(store_kit, store, "123456789", to=OTHER) for _ in range(3)]
    await heard(store, report("123456789", recipient=SENDER), report("123456789", S.EXPIRED, recipient=OTHER))
    assert await state(store_kit, mine) == "delivered"
    assert [await state(store_kit, each) for each in others] == [None, None, "expired"]  # the newest


async def test_of_one_id_only_the_newest_messages_are_looked_at(store_kit: StoreKit, store: Store) -> None:
    oldest = await accepted(store_kit, store, "1")
    for _ in range(SUBMISSIONS_JUDGED):
        await accepted(store_kit, store, "1", to=OTHER)
    await heard(store, report("1", recipient=SENDER))
    assert await state(store_kit, oldest) is None


async def test_another_account_may_use_the_same_ids(store_kit: StoreKit, store: Store) -> None:
    identifier = await accepted(store_kit, store, "77")
    await heard(store, report("77", account="smsc-2", recipient=SENDER))
    assert await state(store_kit, identifier) is None


async def test_a_chat_reports_by_its_own_ids(store_kit: StoreKit, store: Store) -> None:
    exchange = store_kit.exchange("chat", channel="zalo", account="oa", identity=None, external_id="u1")
    assert exchange.reply is not None
    await store.commit(JournalBatch(exchanges=[exchange]))
    await taken(store, exchange, "a1f-Zq")
    told = DeliveryReport(
        channel="zalo", account="oa", external_id="a1f-Zq", status=S.DELIVERED, received_at=store_kit.clock.now
    )
    await heard(store, told)
    assert await state(store_kit, exchange.reply.id) == "delivered"


async def test_a_report_without_an_id_is_no_ones(store_kit: StoreKit, store: Store) -> None:
    identifier = await accepted(store_kit, store, "", "0")
    await heard(store, report("", recipient=SENDER))
    assert await state(store_kit, identifier) is None


async def test_an_id_that_no_database_can_keep_harms_nothing(store_kit: StoreKit, store: Store) -> None:
    identifier = await accepted(store_kit, store, "a\0b")
    await heard(store, report("a\0b"), report("\ud800"), report("9" * 60_000))
    assert await state(store_kit, identifier) == "delivered"


# ---- reports that come first


async def test_a_report_before_the_answer_to_its_submit_waits_for_it(store_kit: StoreKit, store: Store) -> None:
    exchange = await handed_over(store_kit, store)
    await heard(store, report("1000", recipient=SENDER, error="000", text="id:1000"))
    [kept] = await store_kit.rows("report")
    assert (kept["external_id"], kept["external_key"], kept["recipient"]) == ("1000", "1000", SENDER.urn)
    identifier = await taken(store, exchange, "3E8")
    row = await store_kit.row("outbox", identifier)
    assert (row["delivery_status"], row["delivered_at"]) == ("delivered", kept["received_at"])
    assert await store_kit.rows("report") == []


@pytest.mark.parametrize("same_commit", [True, False])
async def test_what_came_first_and_what_comes_now_count_in_their_order(
    store_kit: StoreKit, store: Store, *, same_commit: bool
) -> None:
    exchange = await handed_over(store_kit, store)
    await heard(store, report("a1", S.ENROUTE))
    await heard(store, report("a1", S.EXPIRED))
    later = [report("a1", S.DELIVERED)]
    identifier = await taken(store, exchange, "a1", reports=later if same_commit else ())
    await heard(store, *later)
    assert await state(store_kit, identifier) == "expired"
    assert await store_kit.rows("report") == []


async def test_a_report_waits_for_a_message_of_another_process(store_kit: StoreKit) -> None:
    if store_kit.name == "sqlite":
        first = await store_kit.open()
        exchange = await handed_over(store_kit, first)
        await heard(first, report("a1"))
        await store_kit.crash(first)
        second = await store_kit.open()
        assert exchange.reply is not None
        await second.commit(JournalBatch(results=[sent(exchange.reply, segments=segments("a1"))]))
    else:
        first, second = await store_kit.open(), await store_kit.open()
        exchange = await handed_over(store_kit, first)
        await heard(second, report("a1"))
        await taken(first, exchange, "a1")
    assert exchange.reply is not None
    assert await state(store_kit, exchange.reply.id) == "delivered"


async def test_segments_whose_reports_came_first_make_one_state(store_kit: StoreKit, store: Store) -> None:
    exchange = await handed_over(store_kit, store)
    await heard(store, report("a1"), report("a2"), report("b9"))
    assert await state(store_kit, await taken(store, exchange, "a1", "a2")) == "delivered"
    assert [row["external_id"] for row in await store_kit.rows("report")] == ["b9"]


async def test_a_report_waits_a_day_however_long_other_rows_are_kept(store_kit: StoreKit, store: Store) -> None:
    long_ago = START - timedelta(days=90)
    await heard(store, report("zz", received_at=store_kit.clock.now))
    store_kit.clock.advance(86_000)
    await heard(store, report("yy", received_at=store_kit.clock.now))
    assert await store.purge(long_ago, 100) == 0
    store_kit.clock.advance(1_000)
    assert await store.purge(long_ago, 100) == 1
    assert [row["external_id"] for row in await store_kit.rows("report")] == ["yy"]


async def missed(kit: StoreKit, store: Store, external_id: str, **changes: Any) -> int:
    """A report and its message written in the same moment by two processes, so that neither saw the other."""
    identifier = await accepted(kit, store, external_id, to=changes.get("recipient", SENDER))
    values = {"channel": "sms", "account": ACCOUNT, "status": "delivered", "received_at": kit.now_ms(), "error": ""}
    named = {"external_id": external_id, "external_key": external_id, "keys": f'["{external_id}"]', "text": ""}
    await kit.put("report", {**values, **named, "recipient": None, "sender": None, "kept_at": kit.now_ms(), **changes})
    return identifier


async def test_a_report_and_its_message_written_at_the_same_moment_are_brought_together(
    store_kit: StoreKit, store: Store
) -> None:
    first = await missed(store_kit, store, "77", id=10_001)
    await missed(store_kit, store, "78", id=10_002, status="expired")
    await heard(store, report("zz"))
    assert await store.match_reports() == 2
    assert await state(store_kit, first) == "delivered"
    assert [row["external_id"] for row in await store_kit.rows("report")] == ["zz"]
    assert await store.match_reports() == 0


async def test_what_fitted_nothing_for_long_is_left_to_the_commits(store_kit: StoreKit, store: Store) -> None:
    await missed(store_kit, store, "77", id=10_001)
    store_kit.clock.advance(LOOKED_BACK.total_seconds() + 1)
    assert await store.match_reports() == 0


# ---- states


def first_final(statuses: Sequence[DeliveryStatus]) -> DeliveryStatus:
    """The rule: final states stick, others follow one another."""
    return next((each for each in statuses if each.final), statuses[-1])


async def told_one_by_one(kit: StoreKit, store: Store, orders: Sequence[tuple[DeliveryStatus, ...]]) -> list[str]:
    """What becomes of as many messages when each hears its reports in a commit of its own; first of all, second..."""
    ids = [await accepted(kit, store, f"n{number}x") for number in range(len(orders))]
    for step in range(max(map(len, orders))):
        reports = [report(f"n{number}x", order[step]) for number, order in enumerate(orders) if step < len(order)]
        await heard(store, *reports)
    rows = {row["id"]: row["delivery_status"] for row in await kit.rows("outbox")}
    return [rows[each] for each in ids]


EVERY_PAIR = list(itertools.product((S.DELIVERED, *FAILURES, *PASSING), repeat=2))
EVERY_TRIPLE = list(itertools.permutations((S.DELIVERED, S.UNDELIVERABLE, S.ENROUTE, S.ACCEPTED), 3))


async def test_in_every_order_of_reports_the_first_final_one_counts(store_kit: StoreKit, store: Store) -> None:
    orders = [*EVERY_PAIR, *EVERY_TRIPLE]
    assert await told_one_by_one(store_kit, store, orders) == [first_final(order).value for order in orders]


async def test_in_every_order_within_a_commit_the_first_final_one_counts(store_kit: StoreKit, store: Store) -> None:
    orders = [*EVERY_PAIR, *EVERY_TRIPLE]
    ids = [await accepted(store_kit, store, f"n{number}x") for number in range(len(orders))]
    await heard(store, *(report(f"n{number}x", each) for number, order in enumerate(orders) for each in order))
    rows = {row["id"]: row["delivery_status"] for row in await store_kit.rows("outbox")}
    assert [rows[each] for each in ids] == [first_final(order).value for order in orders]


async def test_one_segment_spelt_two_ways_in_one_commit_has_one_state(store_kit: StoreKit, store: Store) -> None:
    identifier = await accepted(store_kit, store, "3E8")
    await heard(
        store,
        report("1000", S.ENROUTE, recipient=SENDER),
        report("3e8", S.EXPIRED, recipient=SENDER),
        report("0003E8", S.DELIVERED, recipient=SHORT_CODE, sender=SENDER),
    )
    assert await state(store_kit, identifier) == "expired"


NOTHING = None
# What the segments of one hand-over were reported as, and the message then.
PARTS: Sequence[tuple[tuple[DeliveryStatus | None, ...], str | None]] = [
    ((NOTHING, NOTHING), None),
    ((S.DELIVERED, NOTHING), None),
    ((NOTHING, S.DELIVERED), None),
    ((S.DELIVERED, S.DELIVERED), "delivered"),
    ((S.DELIVERED, S.ENROUTE), "enroute"),
    ((S.ENROUTE, NOTHING), "enroute"),
    ((S.ACCEPTED, S.SCHEDULED), "accepted"),
    ((S.DELIVERED, S.UNDELIVERABLE), "undeliverable"),
    ((S.EXPIRED, NOTHING), "expired"),
    ((S.ENROUTE, S.REJECTED), "rejected"),
    ((S.SKIPPED, S.DELIVERED), "undeliverable"),
    ((S.SKIPPED,), "undeliverable"),
    ((S.UNKNOWN,), "unknown"),
    ((S.DELIVERED, S.DELIVERED, NOTHING), None),
    ((S.DELIVERED, S.DELIVERED, S.DELETED), "deleted"),
]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("parts", "expected"), PARTS)
async def test_a_message_has_one_state_from_those_of_its_parts(
    store_kit: StoreKit,
    store: Store,
    parts: tuple[DeliveryStatus | None, ...],
    expected: str | None,
    *,
    backwards: bool,
) -> None:
    identifier = await accepted(store_kit, store, *(f"p{number}" for number in range(len(parts))))
    reports = [report(f"p{number}", status) for number, status in enumerate(parts) if status is not None]
    for each in reports[::-1] if backwards else reports:
        await heard(store, each)
    assert await state(store_kit, identifier) == expected


# What was reported of the first hand-over and of the second, in two segments each, and the message then.
ATTEMPTS: Sequence[tuple[str, str, str | None]] = [
    ("delivered delivered", "- -", "delivered"),
    ("- -", "delivered delivered", "delivered"),
    ("delivered -", "- delivered", None),  # half of each is no message
    ("undeliverable -", "enroute -", "enroute"),
    ("undeliverable -", "delivered -", None),
    ("undeliverable -", "delivered delivered", "delivered"),
    ("delivered delivered", "undeliverable -", "delivered"),
    ("enroute enroute", "expired -", "expired"),
    ("undeliverable -", "- -", "undeliverable"),
]


@pytest.mark.parametrize("later_first", [False, True])
@pytest.mark.parametrize(("first", "second", "expected"), ATTEMPTS)
async def test_of_several_hand_overs_a_whole_one_or_the_newest_counts(
    store_kit: StoreKit, store: Store, first: str, second: str, expected: str | None, *, later_first: bool
) -> None:
    exchange = await handed_over(store_kit, store)
    assert exchange.reply is not None
    unanswered = sent(exchange.reply, SendStatus.UNKNOWN, segments=segments("a0", "a1"))
    await store.commit(JournalBatch(results=[unanswered]))
    [again] = await store.claim(ACCOUNT, 1)
    await store.hand_over([again.id])
    await store.commit(JournalBatch(results=[sent(again, segments=segments("b0", "b1"))]))
    told = [
        report(f"{attempt}{segment}", DeliveryStatus(word))
        for attempt, words in (("a", first), ("b", second))
        for segment, word in enumerate(words.split())
        if word != "-"
    ]
    for each in told[::-1] if later_first else told:
        await heard(store, each)
    assert await state(store_kit, again.id) == expected


async def test_states_outlive_the_process(store_kit: StoreKit) -> None:
    store = await store_kit.open()
    identifier = await accepted(store_kit, store, "a1", "a2")
    await heard(store, report("a1"))
    await store_kit.crash(store)
    store = await store_kit.open()
    await heard(store, report("a2"), report("a1", S.EXPIRED))
    assert await state(store_kit, identifier) == "delivered"


async def test_a_hand_over_that_did_not_leave_gives_its_place_and_takes_its_reports_along(
    store_kit: StoreKit, store: Store
) -> None:
    exchange = await handed_over(store_kit, store)
    assert exchange.reply is not None
    part = [SegmentResult(segment=1, segments=2, external_id="a1"), SegmentResult(segment=2, segments=2)]
    await store.commit(JournalBatch(results=[sent(exchange.reply, SendStatus.RETRY, segments=part)]))
    await heard(store, report("a1"))
    store_kit.clock.advance(60)
    [again] = await store.claim(ACCOUNT, 1)
    await store.hand_over([again.id])
    await store.commit(JournalBatch(results=[sent(again, segments=segments("b1", "b2"))]))
    await heard(store, report("b1"))
    assert await state(store_kit, again.id) is None
    await heard(store, report("b2"))
    assert await state(store_kit, again.id) == "delivered"


# ---- what is ours at all (channels.sms.ports.SentIds)


async def test_content_is_a_report_only_of_what_was_sent_to_that_very_number(store_kit: StoreKit, store: Store) -> None:
    await accepted(store_kit, store, "3E8")
    await accepted(store_kit, store, "77", to=OTHER)
    sent_ids = store.sent_ids()
    candidates = [
        report("1000", recipient=SENDER),
        report("3E8", recipient=OTHER),  # somebody else's
        report("3E8", recipient=SHORT_CODE, sender=SENDER),  # swapped: anybody could say so
        report("zz", recipient=SENDER),
        report("77", recipient=OTHER),
        report("3E8"),
        report("", recipient=SENDER),
    ]
    assert set(await sent_ids.sent(ACCOUNT, candidates)) == {0, 4}
    assert set(await sent_ids.sent("smsc-2", candidates)) == set()
    assert set(await sent_ids.sent(ACCOUNT, [])) == set()
