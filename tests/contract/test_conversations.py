"""The promises of console.messages.ports, for every store: what was said, and opinions with their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.store.rows import to_ms
from console.accounts.ports import AuditEntry
from console.messages.ports import AnswerMessage, Opinion, OpinionSearch, Routing, Turn, Which
from conversation.ports import Exchange, FeedbackNote, JournalBatch, LinkRequest, Person
from conversation.ports import Link as Joined
from domain.answers import Outcome
from domain.codes import CodeFamily, DossierCode
from domain.errors import StoreUnavailable
from domain.message import Address, Category, OutboundMessage, SendStatus
from tests.contract.stores import ACCOUNT, CODE, SENDER, SHORT_CODE, Store, StoreKit, segments, sent

OTHER = Address("sms", "84987654321")
ANOTHER_CODE = DossierCode(text="H51.18-210817-0006", family=CodeFamily.NEW, agency="H51.18")
LEGACY = DossierCode(text="12345", family=CodeFamily.LEGACY, agency="H51.18")
WEEK = timedelta(days=7)


async def ask(
    kit: StoreKit, store: Store, code: DossierCode | None = CODE, sender: Address = SENDER, **changes: Any
) -> Exchange:
    """A question that was decided, a second after the one before."""
    kit.clock.advance(1)
    message = kit.message(f"q{kit.new_id()}", sender=sender)
    found = {"dossier_code": code.reference if code else "", "outcome": Outcome.FOUND if code else None}
    exchange = kit.decided(message, **{**found, **changes})
    await store.commit(JournalBatch(exchanges=[exchange]))
    return exchange


async def tell(kit: StoreKit, code: DossierCode | None = CODE, recipient: Address = SENDER, **changes: Any) -> int:
    """A notice that was written, a second after what was before."""
    kit.clock.advance(1)
    reference = code.reference if code else None
    row = kit.notice(recipient=recipient.urn, dossier_code=reference, version=kit.new_id(), **changes)
    await kit.put("outbox", row)
    return int(row["id"])


async def about(store: Store, code: DossierCode = CODE, before: int | None = None, limit: int = 9) -> Sequence[Turn]:
    return await store.conversations().about(code, before=before, limit=limit)


async def person(store: Store, address: Address = SENDER, before: int | None = None, limit: int = 9) -> Sequence[Turn]:
    return await store.conversations().with_person(address, before=before, limit=limit)


# ---- messages


async def test_a_question_is_found_with_its_reply_and_what_became_of_it(store_kit: StoreKit, store: Store) -> None:
    exchange = await ask(store_kit, store)
    assert exchange.reply is not None
    [claimed] = await store.claim(ACCOUNT, 5)
    await store.hand_over([claimed.id])
    left_at = store_kit.clock.now
    accepted = sent(exchange.reply, segments=segments("e1"))
    await store.commit(JournalBatch(results=[accepted]))
    [turn] = await about(store)
    assert (turn.id, turn.dossier_code) == (exchange.message.id, CODE.reference)
    assert turn.asked is not None
    assert turn.sent is not None
    asked = turn.asked
    assert (asked.sender, asked.text, asked.channel) == (SENDER, exchange.message.text, "sms")
    assert (asked.inquiry, asked.outcome, asked.state, asked.masked) == ("look_up", "found", "decided", False)
    assert (turn.sent.category, turn.sent.state, turn.sent.left_at) == ("reply", "accepted", left_at)
    assert (turn.sent.text, turn.sent.recipient) == (exchange.reply.text, SENDER)
    assert (turn.sent.delivery, turn.sent.delivered_at, turn.sent.secret) == ("", None, False)


async def test_a_question_that_is_not_answered_yet_stands_alone(store_kit: StoreKit, store: Store) -> None:
    message = store_kit.message("open")
    await store.commit(JournalBatch(exchanges=[Exchange(message=message)]))
    [turn] = await person(store)
    assert turn.asked is not None
    assert (turn.asked.state, turn.asked.outcome, turn.sent, turn.dossier_code) == ("open", "", None, "")


async def test_questions_and_notices_come_in_one_order_the_newest_first(store_kit: StoreKit, store: Store) -> None:
    first = (await ask(store_kit, store)).message.id
    second = await tell(store_kit, reason="quiet_hours")
    third = (await ask(store_kit, store, sender=OTHER)).message.id
    await ask(store_kit, store, ANOTHER_CODE)
    await tell(store_kit, ANOTHER_CODE)
    turns = await about(store)
    assert [turn.id for turn in turns] == [third, second, first]
    notice = turns[1].sent
    assert notice is not None
    assert (turns[1].asked, notice.category, notice.kind, notice.reason) == (None, "notice", "ready", "quiet_hours")


async def test_a_page_goes_on_below_the_one_before(store_kit: StoreKit, store: Store) -> None:
    ids = [(await ask(store_kit, store)).message.id if n % 2 else await tell(store_kit) for n in range(5)]
    pages: list[list[int]] = []
    before = None
    while turns := await about(store, before=before, limit=2):
        pages.append([turn.id for turn in turns])
        before = turns[-1].id
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]


async def test_of_a_person_everything_is_found_and_of_nobody_else(store_kit: StoreKit, store: Store) -> None:
    mine = [
        (await ask(store_kit, store)).message.id,
        (await ask(store_kit, store, None)).message.id,
        await tell(store_kit, ANOTHER_CODE),
        await tell(store_kit, None, category="broadcast"),
    ]
    await ask(store_kit, store, sender=OTHER)
    await tell(store_kit, recipient=OTHER)
    assert [turn.id for turn in await person(store)] == mine[::-1]


async def test_a_receipt_number_is_its_agencys(store_kit: StoreKit, store: Store) -> None:
    await ask(store_kit, store, LEGACY)
    assert len(await about(store, LEGACY)) == 1
    assert await about(store, replace(LEGACY, agency="H51.19")) == []


async def test_a_code_that_proves_a_number_is_never_shown(store_kit: StoreKit, store: Store) -> None:
    now = store_kit.clock.now
    message = OutboundMessage(
        id=store_kit.new_id(),
        channel="sms",
        account=ACCOUNT,
        category=Category.REPLY,
        recipient=SENDER,
        sender=SHORT_CODE,
        text="Ma xac nhan 123456",
        created_at=now,
        expires_at=now + timedelta(minutes=10),
    )
    link = Joined(channel="sms", account=ACCOUNT, sender=SHORT_CODE, address=SENDER, words="NOI")
    await store.links().ask(
        LinkRequest(
            asker=Address("telegram", "5"),
            link=link,
            pin_seal="seal",
            expires_at=now + timedelta(minutes=10),
            message=message,
        )
    )
    [turn] = await person(store)
    assert turn.sent is not None
    assert (turn.sent.text, turn.sent.secret) == ("", True)


async def test_who_was_forgotten_is_shown_as_such(store_kit: StoreKit, store: Store) -> None:
    await ask(store_kit, store)
    store_kit.clock.advance(86_400)
    await store.mask(store_kit.clock.now, 10)
    [turn] = await about(store)
    assert turn.asked is not None
    assert (turn.asked.sender.scheme, turn.asked.text, turn.asked.masked) == ("masked", "", True)
    assert await person(store) == []


async def test_who_follows_is_told_as_long_as_they_do(store_kit: StoreKit, store: Store) -> None:
    since = store_kit.clock.now
    later = to_ms(store_kit.clock.advance(60))
    await store_kit.put(
        "subscription",
        store_kit.following(followed_at=to_ms(since)),
        store_kit.following(recipient=OTHER.urn, followed_at=later),
        store_kit.following(ANOTHER_CODE.reference, ended_at=later),
    )
    conversations = store.conversations()
    assert [each.address for each in await conversations.followers(CODE, limit=9)] == [OTHER, SENDER]
    assert await conversations.followers(ANOTHER_CODE, limit=9) == []
    [mine] = await conversations.followed(SENDER, limit=9)
    assert (mine.dossier_code, mine.channel, mine.since) == (CODE.reference, "sms", since)
    assert len(await conversations.followers(CODE, limit=1)) == 1


# ---- opinions


async def give(kit: StoreKit, store: Store, text: str = "cham qua", sender: Address = SENDER) -> int:
    """Its number."""
    kit.clock.advance(1)
    number = await store.next_feedback_number()
    message = kit.message(f"GY {text} {number}", sender=sender)
    note = FeedbackNote(number=number, text=text)
    await store.commit(JournalBatch(exchanges=[kit.decided(message, feedback=note, dossier_code="", outcome=None)]))
    return number


async def given(kit: StoreKit, store: Store, agency: str = "H51.18", **changes: Any) -> Opinion:
    """An opinion that is this agency's to answer."""
    number = await give(kit, store, **changes)
    await store.opinions().route([Routing(number=number, agency=agency, dossier_code=CODE.reference)])
    return await kept(store, number)


async def kept(store: Store, number: int) -> Opinion:
    found = await store.opinions().find(number)
    assert found is not None
    return found


def noted(kit: StoreKit, action: str = "feedback.answered") -> AuditEntry:
    return AuditEntry(id=kit.new_id(), at=kit.clock.now, officer_id=1, login="chi", agency="H13", action=action)


def reply(kit: StoreKit, opinion: Opinion, available_at: datetime | None = None) -> AnswerMessage:
    assert opinion.way_back is not None
    now = kit.clock.now
    message = OutboundMessage(
        id=kit.new_id(),
        channel=opinion.way_back.channel,
        account=opinion.way_back.account,
        category=Category.NOTICE,
        recipient=opinion.sender,
        sender=opinion.way_back.ours,
        text="Tra loi",
        created_at=now,
        expires_at=now + timedelta(days=3),
    )
    late = available_at is not None
    return AnswerMessage(
        message=message,
        language="vi",
        available_at=available_at or now,
        reason="quiet_hours" if late else "",
    )


async def answered(kit: StoreKit, store: Store, seen: Opinion, message: AnswerMessage | None) -> bool:
    return await store.opinions().answer(seen, "Đã sửa", message, kit.clock.now, noted(kit))


async def test_an_opinion_is_nobodys_until_it_is_routed_and_then_keeps_its_agency(
    store_kit: StoreKit, store: Store
) -> None:
    opinions = store.opinions()
    number = await give(store_kit, store)
    assert [each.number for each in await opinions.unrouted(within=WEEK, limit=9)] == [number]
    await opinions.route([Routing(number=number, agency="H51.18", dossier_code=CODE.reference)])
    await opinions.route([Routing(number=number, agency="H51.19")])
    assert await opinions.unrouted(within=WEEK, limit=9) == []
    opinion = await kept(store, number)
    assert (opinion.agency, opinion.dossier_code) == ("H51.18", CODE.reference)
    assert (opinion.sender, opinion.text, opinion.answered_at) == (SENDER, "cham qua", None)


async def test_it_is_told_what_was_asked_about_last_and_not_long_before(store_kit: StoreKit, store: Store) -> None:
    await ask(store_kit, store, CODE)
    store_kit.clock.advance(WEEK.total_seconds() - 60)
    await ask(store_kit, store, ANOTHER_CODE, sender=OTHER)
    first = await give(store_kit, store)
    await ask(store_kit, store, ANOTHER_CODE)
    second = await give(store_kit, store)
    store_kit.clock.advance(WEEK.total_seconds())
    third = await give(store_kit, store)
    found = await store.opinions().unrouted(within=WEEK, limit=9)
    asked = {each.number: each.asked for each in found}
    assert asked == {first: CODE.reference, second: ANOTHER_CODE.reference, third: ""}
    assert len(await store.opinions().unrouted(within=WEEK, limit=2)) == 2


async def test_of_who_was_forgotten_nothing_is_looked_for(store_kit: StoreKit, store: Store) -> None:
    """All of them have one and the same address: another's dossier would be found."""
    await ask(store_kit, store, CODE, sender=OTHER)
    number = await give(store_kit, store)
    store_kit.clock.advance(1)
    await store.mask(store_kit.clock.now, 10)
    [unrouted] = await store.opinions().unrouted(within=WEEK, limit=9)
    assert (unrouted.number, unrouted.asked) == (number, "")


async def test_opinions_are_listed_as_they_are_asked_for(store_kit: StoreKit, store: Store) -> None:
    opinions = store.opinions()
    old = await given(store_kit, store)
    cut = store_kit.clock.advance(60)
    other = await given(store_kit, store, agency="H51.19")
    new = await given(store_kit, store)
    done = await given(store_kit, store)
    assert await answered(store_kit, store, done, None)

    async def listed(which: Which, agencies: frozenset[str] | None = None, **changes: Any) -> list[int]:
        search = OpinionSearch(agencies=agencies, which=which, overdue_before=cut, **changes)
        return [each.number for each in await opinions.listed(search, limit=9)]

    here = frozenset({"H51.18", "H51.20"})
    assert await listed(Which.WAITING) == [old.number, other.number, new.number]
    assert await listed(Which.WAITING, here) == [old.number, new.number]
    assert await listed(Which.WAITING, beyond=old.number) == [other.number, new.number]
    assert await listed(Which.OVERDUE) == [old.number]
    assert await listed(Which.ANSWERED, here) == [done.number]
    assert await listed(Which.ALL) == [done.number, new.number, other.number, old.number]
    assert await listed(Which.ALL, here, beyond=new.number) == [old.number]
    assert await listed(Which.ALL, frozenset()) == []
    assert await opinions.waiting(None, cut) == (3, 1)
    assert await opinions.waiting(here, cut) == (2, 1)
    assert await opinions.waiting(frozenset(), cut) == (0, 0)


async def test_an_answer_its_message_and_its_note_are_written_together(store_kit: StoreKit, store: Store) -> None:
    opinion = await given(store_kit, store)
    assert opinion.way_back is not None
    assert (opinion.way_back.account, opinion.way_back.ours, opinion.way_back.language) == (ACCOUNT, SHORT_CODE, None)
    message = reply(store_kit, opinion)
    assert await answered(store_kit, store, opinion, message)
    now = await kept(store, opinion.number)
    assert (now.answer, now.answered_by, now.answered_at) == ("Đã sửa", "chi", store_kit.clock.now)
    assert now.told is not None
    assert (now.told.text, now.told.state, now.told.kind) == ("Tra loi", "ready", "feedback_answer")
    assert [row["action"] for row in await store_kit.rows("audit")] == ["feedback.answered"]
    claimed = await store.claim(ACCOUNT, 9)
    assert [(each.id, each.recipient, each.category) for each in claimed if each.category is Category.NOTICE] == [
        (message.message.id, SENDER, Category.NOTICE)
    ]
    await store.commit(JournalBatch(results=[sent(message.message, SendStatus.REJECTED, reason="address")]))
    after = await kept(store, opinion.number)
    assert after.told is not None
    assert (after.told.state, after.told.reason) == ("rejected", "address")


async def test_an_answer_at_night_waits_for_the_morning(store_kit: StoreKit, store: Store) -> None:
    opinion = await given(store_kit, store)
    await store.claim(ACCOUNT, 9)
    morning = store_kit.clock.now + timedelta(hours=8)
    assert await answered(store_kit, store, opinion, reply(store_kit, opinion, morning))
    assert await store.claim(ACCOUNT, 9) == []
    store_kit.clock.advance(8 * 3600)
    assert len(await store.claim(ACCOUNT, 9)) == 1


async def test_an_answer_to_who_wants_nothing_any_more_does_not_leave(store_kit: StoreKit, store: Store) -> None:
    opinion = await given(store_kit, store)
    stopped = Person(address=SENDER, stopped_at=store_kit.clock.now)
    await store.commit(JournalBatch(exchanges=[store_kit.silent("DUNG", person=stopped)]))
    assert await answered(store_kit, store, opinion, reply(store_kit, opinion))
    assert [each for each in await store.claim(ACCOUNT, 9) if each.category is Category.NOTICE] == []
    told = (await kept(store, opinion.number)).told
    assert told is not None
    assert (told.state, told.reason) == ("dropped", "stopped_all")


async def test_an_opinion_is_answered_once(store_kit: StoreKit, store: Store) -> None:
    opinion = await given(store_kit, store)
    tries = [answered(store_kit, store, opinion, reply(store_kit, opinion)) for _ in range(3)]
    ended = await asyncio.gather(*tries, return_exceptions=True)
    assert ended.count(True) == 1
    assert not await answered(store_kit, store, opinion, reply(store_kit, opinion))
    assert len([row for row in await store_kit.rows("outbox") if row["category"] == "notice"]) == 1
    assert len(await store_kit.rows("audit")) == 1


async def test_what_was_passed_on_meanwhile_is_not_answered_by_who_had_it(store_kit: StoreKit, store: Store) -> None:
    opinion = await given(store_kit, store)
    assert await store.opinions().pass_on(opinion, "H51.19", noted(store_kit, "feedback.passed_on"))
    assert not await answered(store_kit, store, opinion, reply(store_kit, opinion))
    assert not await store.opinions().pass_on(opinion, "H51.20", noted(store_kit, "feedback.passed_on"))
    now = await kept(store, opinion.number)
    assert (now.agency, now.answered_at) == ("H51.19", None)
    assert len(await store_kit.rows("audit")) == 1
    assert await answered(store_kit, store, now, None)
    assert not await store.opinions().pass_on(now, "H51.20", noted(store_kit, "feedback.passed_on"))


async def test_who_is_forgotten_meanwhile_is_sent_nothing(store_kit: StoreKit, store: Store) -> None:
    opinion = await given(store_kit, store)
    message = reply(store_kit, opinion)
    store_kit.clock.advance(1)
    await store.mask(store_kit.clock.now, 10)
    assert not await answered(store_kit, store, opinion, message)
    masked = await kept(store, opinion.number)
    assert (masked.masked, masked.way_back, masked.text) == (True, None, "")
    assert await answered(store_kit, store, masked, None)
    assert (await kept(store, opinion.number)).answer == "Đã sửa"


async def test_what_an_officer_wrote_is_forgotten_with_what_it_answers(store_kit: StoreKit, store: Store) -> None:
    opinion = await given(store_kit, store)
    assert await answered(store_kit, store, opinion, None)
    store_kit.clock.advance(1)
    await store.mask(store_kit.clock.now, 10)
    now = await kept(store, opinion.number)
    assert (now.answer, now.answered_by, now.answered_at is not None) == ("", "chi", True)


async def test_an_answer_that_cannot_be_kept_is_not_sent(store_kit: StoreKit, store: Store) -> None:
    opinion = await given(store_kit, store)
    message = reply(store_kit, opinion)
    with store_kit.locked(), pytest.raises(StoreUnavailable):
        await answered(store_kit, store, opinion, message)
    assert (await kept(store, opinion.number)).answered_at is None
    assert await store_kit.rows("audit") == []
    assert [row for row in await store_kit.rows("outbox") if row["category"] == "notice"] == []


async def test_there_is_no_opinion_nobody_gave(store: Store) -> None:
    assert await store.opinions().find(1) is None
