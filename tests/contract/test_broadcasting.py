"""Broadcasts from their approval to their end, by the expander over both engines; only the one-stop system is made up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeAlias

import pytest

from console.broadcasts.ports import FileRow, Standing, Upload
from conversation.ports import JournalBatch
from domain.broadcast_texts import Written, filled
from domain.broadcasts import Audience, AudienceKind, Broadcast, BroadcastAction, BroadcastState
from domain.calendar import WorkCalendar
from domain.codes import DossierCode
from domain.errors import SourceUnavailable
from domain.message import Address, OutboundMessage, SendResult, SendStatus
from notifications.broadcasting import Broadcasting
from notifications.portions import BroadcastRules, PortionWriter
from notifications.routing import Reached, Routes, Routing
from notifications.schedule import ScheduleRules
from tests.contract.broadcasting import (
    APPROVER,
    AUTHOR,
    FITNESS,
    FOLLOWERS,
    SCOPE,
    SOURCE,
    done,
    dossier,
    draft,
    follow,
    noted,
    office,
    person,
    reference,
    submitted,
)
from tests.contract.stores import ACCOUNT, SHORT_CODE, START, Store, StoreKit

A: TypeAlias = BroadcastAction
S: TypeAlias = BroadcastState
DAY = time(7), time(22)
SCHEDULE = ScheduleRules(
    quiet_from=DAY[1], quiet_until=DAY[0], per_day=2, office_from=time(7, 30), office_until=time(17)
)
BROKEN = "a text that no writer can write"
NUMBERS = Audience(kind=AudienceKind.NUMBERS, agencies=("H51.18",), basis="Quyết định 40/2016")
FILE = replace(NUMBERS, kind=AudienceKind.FILE)


class PlainWriter:
    """Vietnamese, the dossier's code and what a list brings."""

    def write(
        self, texts: Mapping[str, str], *, language: str | None, facts: Any = None, values: Any = None, **_: Any
    ) -> Written:
        assert BROKEN not in texts["vi"], "a bug of ours"
        chosen = language if language is not None and language in texts else "vi"
        known = {"ma_ho_so": facts.code.text} if facts else values or {}
        return Written(filled(texts[chosen], known), chosen)


@dataclass
class Numbers:
    """What a one-stop system has on its dossiers; away where it is told so."""

    named: dict[str, Sequence[str]] = field(default_factory=dict)
    away: bool = False

    async def numbers(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Sequence[str]]:
        if self.away:
            raise SourceUnavailable("gone")
        return {code: self.named[code.text] for code in codes if code.text in self.named}


@dataclass
class Figures:
    """What was counted."""

    people: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)

    def broadcast_people(self, outcome: str, count: int) -> None:
        self.people[outcome] += count

    def broadcast_event(self, event: str) -> None:
        self.events[event] += 1


ONE_ACCOUNT = Routing(
    lines={ACCOUNT: Reached(channel="sms", account=ACCOUNT, sender=SHORT_CODE)}, routes=Routes(default=ACCOUNT)
)


def expander(
    kit: StoreKit,
    store: Store,
    contacts: Numbers | None = None,
    figures: Figures | None = None,
    routing: Routing = ONE_ACCOUNT,
    **rules: Any,
) -> Broadcasting:
    chosen = {"schedule": SCHEDULE, "valid_for": timedelta(hours=4), "page": 3, "ahead": 6, **rules}
    shared: dict[str, Any] = {
        "mail": store.mass_mail(),
        "routing": routing,
        "rules": BroadcastRules(**chosen),
        "clock": kit.clock,
        "new_id": kit.new_id,
        "figures": figures or Figures(),
    }
    portions = PortionWriter(
        writer=PlainWriter(),
        contacts={SOURCE: contacts or Numbers()},
        read_number=lambda number: Address("sms", number) if number.startswith("84") else None,
        calendar=WorkCalendar(),
        fits=FITNESS.fits,
        **shared,
    )
    return Broadcasting(portions=portions, **shared)


async def approved(kit: StoreKit, store: Store, **changes: Any) -> Broadcast:
    return await done(kit, store, await submitted(kit, store, **changes), A.APPROVE, APPROVER)


async def standing(store: Store, it: Broadcast) -> Standing:
    found = await office(store).find(it.id, SCOPE)
    assert found is not None
    return found


async def leave(kit: StoreKit, store: Store, most: int = 100, account: str = ACCOUNT) -> list[OutboundMessage]:
    """What is claimed now is handed over and taken."""
    claimed = list(await store.claim(account, most))
    await store.hand_over([each.id for each in claimed])
    results = [SendResult(message_id=each.id, status=SendStatus.ACCEPTED) for each in claimed]
    await store.commit(JournalBatch(results=results))
    kit.clock.advance(1)
    return claimed


async def run_to_the_end(kit: StoreKit, store: Store, it: Broadcast, expanding: Broadcasting) -> list[OutboundMessage]:
    left: list[OutboundMessage] = []
    for _ in range(50):
        await expanding.tick()
        left += await leave(kit, store)
        if (await standing(store, it)).broadcast.state in (S.DONE, S.PAUSED, S.STOPPED, S.DRAFT):
            break
    return left


async def test_everybody_gets_one_and_it_is_over(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, *range(1, 15))
    await store_kit.put("subscription", store_kit.following("H51.18-210817-0002", recipient=person(1).urn))
    it = await approved(store_kit, store)
    left = await run_to_the_end(store_kit, store, it, expander(store_kit, store))
    assert sorted(each.recipient.value for each in left) == [person(n).value for n in range(1, 15)]
    assert left[0].text == "Hồ sơ H51.18-210817-0001: nghỉ ngày 30/4"
    assert {each.category.value for each in left} == {"broadcast"}
    now = await standing(store, it)
    assert (now.broadcast.state, now.tally.written, now.tally.left_out) == (S.DONE, 14, {"repeated": 1})
    store_kit.clock.advance(10)
    await expander(store_kit, store).tick()
    assert (await standing(store, it)).tally.sent == 14


NAME = Address("sms", "TRACUU")
OTHER = Reached(channel="sms", account="other", sender=Address("sms", "6089"), name=NAME)
TWO_ACCOUNTS = Routing(
    lines={**ONE_ACCOUNT.lines, "other": OTHER}, routes=Routes(by_prefix={"84913": "other"}, default=ACCOUNT)
)


async def ways(kit: StoreKit) -> list[tuple[str, str, str]]:
    rows = [row for row in await kit.rows("outbox") if row["broadcast_id"]]
    return sorted((row["recipient"].removeprefix("sms:"), row["account"], row["sender"]) for row in rows)


async def test_who_follows_gets_it_by_the_account_they_wrote_by_last(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1, 2)
    wrote = store_kit.exchange("q", sender=person(2), account="other", recipient=OTHER.sender)
    await store.commit(JournalBatch(exchanges=[wrote]))
    await approved(store_kit, store)
    expanding = expander(store_kit, store, routing=replace(TWO_ACCOUNTS, heard=store.last_accounts()))
    await expanding.tick()
    await expanding.tick()
    # Under the name of that account, which is not their number's.
    assert await ways(store_kit) == [
        (person(1).value, ACCOUNT, SHORT_CODE.urn),
        (person(2).value, "other", NAME.urn),
    ]


async def test_who_never_wrote_gets_it_by_the_account_of_their_number(store_kit: StoreKit, store: Store) -> None:
    await store_kit.put("dossier_seen", *(dossier(store_kit, number) for number in (1, 2, 3)))
    wrote = store_kit.exchange("q", sender=Address("sms", "84913000003"))
    await store.commit(JournalBatch(exchanges=[wrote]))
    numbers: dict[str, Sequence[str]] = {
        reference(number): [f"8491{tail}"] for number, tail in ((1, "2000001"), (2, "3000002"), (3, "3000003"))
    }
    await approved(store_kit, store, audience=NUMBERS)
    routing = replace(TWO_ACCOUNTS, heard=store.last_accounts())
    expanding = expander(store_kit, store, Numbers(numbers), routing=routing)
    await expanding.tick()
    await expanding.tick()
    assert await ways(store_kit) == [
        ("84912000001", ACCOUNT, SHORT_CODE.urn),
        ("84913000002", "other", NAME.urn),
        ("84913000003", ACCOUNT, SHORT_CODE.urn),
    ]


HERE, THERE = "84912", "84913"  # how numbers begin that are reached by ACCOUNT and by OTHER


async def split(kit: StoreKit, store: Store, many: int, **changes: Any) -> Broadcast:
    """A list, every other number of it at the other operator."""
    made = await office(store).create(
        7, draft(audience=FILE, texts={"vi": "Nghỉ lễ"}, **changes), AUTHOR, SCOPE, noted(kit)
    )
    assert isinstance(made, Standing)
    rows = [
        FileRow(position=n, recipient=Address("sms", f"{THERE if n % 2 else HERE}{n:06}")) for n in range(1, many + 1)
    ]
    await office(store).add_rows(7, 100, rows, SCOPE)
    upload = Upload(id=100, digest="d", rows=many)
    taken = await office(store).take_rows(7, made.broadcast.version, upload, AUTHOR, SCOPE, noted(kit))
    assert isinstance(taken, Standing)
    it = await done(kit, store, taken.broadcast, A.SUBMIT, AUTHOR)
    return await done(kit, store, it, A.APPROVE, APPROVER)


async def waiting(kit: StoreKit, account: str) -> int:
    return sum(row["account"] == account and row["state"] == "ready" for row in await kit.rows("outbox"))


async def test_an_account_that_is_away_keeps_nobody_else_waiting(store_kit: StoreKit, store: Store) -> None:
    it, left = await split(store_kit, store, 60), list[OutboundMessage]()
    for _ in range(20):
        # Each time by another process.
        await expander(store_kit, store, routing=TWO_ACCOUNTS).tick()
        left += await leave(store_kit, store)
        assert await waiting(store_kit, "other") <= 6
    assert sorted(each.recipient.value for each in left) == [f"{HERE}{n:06}" for n in range(2, 61, 2)]
    now = await standing(store, it)
    assert (now.broadcast.state, now.tally.written, now.tally.all_written) == (S.RUNNING, 36, False)
    back = list[OutboundMessage]()
    for _ in range(20):
        await expander(store_kit, store, routing=TWO_ACCOUNTS).tick()
        assert await waiting(store_kit, "other") <= 6
        back += await leave(store_kit, store, account="other")
    assert sorted(each.recipient.value for each in back) == [f"{THERE}{n:06}" for n in range(1, 61, 2)]
    now = await standing(store, it)
    assert (now.broadcast.state, now.tally.written, now.tally.left_out) == (S.DONE, 60, {})


async def test_who_follows_in_a_chat_does_not_wait_for_the_operator(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, *range(1, 25))
    chat = {"channel": "zalo", "account": "oa", "sender": "zalo:oa"}
    rows = (store_kit.following(reference(n), recipient=f"zalo:{n}", **chat) for n in (20, 22))
    await store_kit.put("subscription", *rows)
    it = await approved(store_kit, store)
    expanding = replace(expander(store_kit, store), chats=True)
    for _ in range(10):
        await expanding.tick()
    assert [each.recipient.urn for each in await leave(store_kit, store, account="oa")] == ["zalo:20", "zalo:22"]
    assert len(await ways(store_kit)) == 6 + 2
    assert len(await run_to_the_end(store_kit, store, it, expanding)) == 24
    assert (await standing(store, it)).tally.left_out == {}


async def test_who_changes_accounts_between_two_walks_is_not_passed_over(store_kit: StoreKit, store: Store) -> None:
    it = await split(store_kit, store, 60)
    expanding = expander(store_kit, store, routing=replace(TWO_ACCOUNTS, heard=store.last_accounts()))
    for _ in range(20):
        await expanding.tick()
        await leave(store_kit, store)
    last, first = Address("sms", f"{THERE}{59:06}"), Address("sms", f"{HERE}{58:06}")
    moved = [(last, ACCOUNT, SHORT_CODE), (first, "other", OTHER.sender)]
    for sender, account, to in moved:  # passed over by one walk, and not the other's any more; and the other way round
        wrote = store_kit.exchange(sender.value, sender=sender, account=account, recipient=to)
        await store.commit(JournalBatch(exchanges=[wrote]))
    for _ in range(20):
        await expanding.tick()
        await leave(store_kit, store)
        await leave(store_kit, store, account="other")
    assert len({recipient for recipient, _, _ in await ways(store_kit)}) == len(await ways(store_kit)) == 60
    assert (await standing(store, it)).broadcast.state is S.DONE


async def test_whom_nothing_is_written_for_is_counted_once_however_many_walks(
    store_kit: StoreKit, store: Store
) -> None:
    await store_kit.put("dossier_seen", *(dossier(store_kit, number) for number in range(1, 61)))
    numbers: dict[str, Sequence[str]] = {
        reference(n): [f"{THERE if n % 2 else HERE}{n // 3 * 3 + n % 2:06}"] for n in range(1, 61) if n % 10
    }
    it = await approved(store_kit, store, audience=NUMBERS)
    expanding = expander(store_kit, store, Numbers(numbers), routing=TWO_ACCOUNTS)
    for _ in range(20):
        await expanding.tick()
        await leave(store_kit, store)
    for _ in range(20):
        await expanding.tick()
        await leave(store_kit, store)
        await leave(store_kit, store, account="other")
    people = len({number for [number] in numbers.values()})
    tally = (await standing(store, it)).tally
    assert (tally.written, tally.left_out) == (people, {"no_number": 6, "repeated": len(numbers) - people})


async def test_a_stop_reaches_all_walks(store_kit: StoreKit, store: Store) -> None:
    it = await split(store_kit, store, 60)
    expanding = expander(store_kit, store, routing=TWO_ACCOUNTS)
    for _ in range(5):
        await expanding.tick()
        await leave(store_kit, store)
    before = len(await store_kit.rows("outbox"))
    it = await done(store_kit, store, (await standing(store, it)).broadcast, A.PAUSE, AUTHOR)
    await expanding.tick()
    assert Counter(row["state"] for row in await store_kit.rows("outbox"))["held"] == 6
    it = await done(store_kit, store, it, A.STOP, APPROVER)
    for _ in range(3):
        await expanding.tick()
        assert await leave(store_kit, store) + await leave(store_kit, store, account="other") == []
    assert len(await store_kit.rows("outbox")) == before


async def test_the_first_few_are_not_waited_for_where_their_operator_is_away(store_kit: StoreKit, store: Store) -> None:
    it, expanding = await split(store_kit, store, 20, canary=4), expander(store_kit, store, routing=TWO_ACCOUNTS)
    assert len(await run_to_the_end(store_kit, store, it, expanding)) == 2
    assert (await standing(store, it)).broadcast.state is S.RUNNING  # for a moment more
    store_kit.clock.advance(60)
    await expanding.tick()
    now = await standing(store, it)
    assert (now.broadcast.state, now.tally.held_back, now.tally.written) == (S.PAUSED, True, 4)
    await done(store_kit, store, now.broadcast, A.RESUME, APPROVER)
    left = await run_to_the_end(store_kit, store, it, expanding)
    assert (len(left), await waiting(store_kit, "other")) == (8, 6)


async def test_no_more_waits_than_may_be_lost_to_a_pause(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, *range(1, 30))
    it, expanding = await approved(store_kit, store), expander(store_kit, store)
    for _ in range(4):
        await expanding.tick()
    assert len(await store_kit.rows("outbox")) == 6
    assert len(await leave(store_kit, store, 2)) == 2
    await expanding.tick()
    now = await standing(store, it)
    assert (now.tally.written, now.tally.all_written) == (8, False)
    await done(store_kit, store, now.broadcast, A.PAUSE, AUTHOR)
    assert await leave(store_kit, store) == []
    await expanding.tick()
    await expanding.tick()
    assert Counter(row["state"] for row in await store_kit.rows("outbox")) == {"accepted": 2, "held": 6}
    await done(store_kit, store, (await standing(store, it)).broadcast, A.RESUME, AUTHOR)
    assert len(await run_to_the_end(store_kit, store, it, expanding)) == 27
    assert (await standing(store, it)).broadcast.state is S.DONE


async def test_a_stop_is_a_stop(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, *range(1, 30))
    it, expanding = await approved(store_kit, store), expander(store_kit, store)
    await expanding.tick()
    await expanding.tick()
    await leave(store_kit, store, 2)
    await done(store_kit, store, (await standing(store, it)).broadcast, A.STOP, APPROVER)
    for _ in range(3):
        await expanding.tick()
        assert await leave(store_kit, store) == []
    assert Counter(row["state"] for row in await store_kit.rows("outbox")) == {"accepted": 2, "dropped": 4}
    store_kit.clock.advance(60)
    await expanding.tick()
    results = {(each.state, each.reason): each.messages for each in (await standing(store, it)).tally.results}
    assert results["dropped", "broadcast_stopped"] == 4


async def test_after_the_first_few_it_waits_for_somebody(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, *range(1, 12))
    it, expanding = await approved(store_kit, store, canary=4), expander(store_kit, store)
    assert len(await run_to_the_end(store_kit, store, it, expanding)) == 4
    held = await standing(store, it)
    assert (held.broadcast.state, held.tally.held_back, held.tally.written) == (S.PAUSED, True, 4)
    await done(store_kit, store, held.broadcast, A.RESUME, APPROVER)
    assert len(await run_to_the_end(store_kit, store, it, expanding)) == 7
    actions = [row["action"] for row in await store_kit.rows("audit")]
    assert actions[-4:] == ["broadcast.start", "broadcast.hold_canary", "broadcast.resume", "broadcast.finish"]


async def test_an_approval_that_was_not_used_in_time_lapses(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    it = await approved(store_kit, store, starts_at=START + timedelta(hours=2))
    expanding = expander(store_kit, store)
    await expanding.tick()
    assert (await standing(store, it)).broadcast.state is S.APPROVED
    store_kit.clock.advance(26 * 3600)
    await expanding.tick()
    lapsed = (await standing(store, it)).broadcast
    assert (lapsed.state, lapsed.seal, lapsed.approved_by) == (S.DRAFT, "", None)
    assert await store_kit.rows("outbox") == []


async def test_it_starts_at_its_moment_and_not_at_night(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, *range(1, 9))
    evening = datetime(2026, 3, 2, 14, 59, tzinfo=UTC)  # 21:59 there
    it, expanding = await approved(store_kit, store, starts_at=evening), expander(store_kit, store)
    store_kit.clock.now = evening
    await expanding.tick()
    await expanding.tick()
    assert (await standing(store, it)).tally.written == 6
    await leave(store_kit, store)
    store_kit.clock.advance(60)
    await expanding.tick()
    assert (await standing(store, it)).tally.written == 6
    store_kit.clock.now = evening + timedelta(hours=9, minutes=2)
    assert len(await run_to_the_end(store_kit, store, it, expanding)) == 2


async def test_what_grew_before_it_started_goes_back_to_its_author(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    it = await approved(store_kit, store)
    await follow(store_kit, *range(2, 30))
    await expander(store_kit, store).tick()
    assert (await standing(store, it)).broadcast.state is S.DRAFT
    entry = (await store_kit.rows("audit"))[-1]
    assert (entry["action"], entry["detail"]) == ("broadcast.lapse", '{"why": "changed"}')


async def test_it_is_never_sent_to_many_more_than_were_approved(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    it, expanding = await approved(store_kit, store), expander(store_kit, store)
    store_kit.clock.advance(1)
    await expanding.tick()  # starts, and writes nothing yet
    await follow(store_kit, *range(2, 40))
    left = await run_to_the_end(store_kit, store, it, expanding)
    tally = (await standing(store, it)).tally
    assert (len(left), tally.left_out) == (11, {"beyond_approved": 28})


async def test_whose_day_is_full_gets_it_tomorrow(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1, 2)
    await store_kit.put(
        "outbox", *(store_kit.notice(recipient=person(1).urn, version=n, state="accepted") for n in (1, 2))
    )
    it, expanding = await approved(store_kit, store), expander(store_kit, store)
    left = await run_to_the_end(store_kit, store, it, expanding)
    assert [each.recipient for each in left] == [person(2)]
    [row] = [row for row in await store_kit.rows("outbox") if row["state"] == "ready"]
    assert row["reason"] == "daily_cap"
    store_kit.clock.now = datetime(2026, 3, 3, 0, 1, tzinfo=UTC)
    assert [each.recipient for each in await run_to_the_end(store_kit, store, it, expanding)] == [person(1)]
    assert (await standing(store, it)).broadcast.state is S.DONE


async def test_numbers_are_read_when_they_are_needed_and_one_a_person(store_kit: StoreKit, store: Store) -> None:
    await store_kit.put("dossier_seen", *(dossier(store_kit, number) for number in range(1, 6)))
    contacts = Numbers(
        named={
            "H51.18-210817-0001": ["0299", "84911"],
            "H51.18-210817-0002": ["84911"],
            "H51.18-210817-0003": ["84913"],
            "H51.18-210817-0004": ["none"],
        },
        away=True,
    )
    it, expanding = await approved(store_kit, store, audience=NUMBERS), expander(store_kit, store, contacts)
    for _ in range(3):
        await expanding.tick()  # nothing is lost while the source is away
    assert await store_kit.rows("outbox") == []
    contacts.away = False
    left = await run_to_the_end(store_kit, store, it, expanding)
    assert [each.recipient.value for each in left] == ["84911", "84913"]
    assert (await standing(store, it)).tally.left_out == {"repeated": 1, "no_number": 2}


async def test_a_list_is_sent_with_its_columns(store_kit: StoreKit, store: Store) -> None:
    broadcasts = office(store)
    words = {"vi": "Chào {ten}", "en": "Hello {ten}"}
    made = await broadcasts.create(7, draft(audience=FILE, texts=words), AUTHOR, SCOPE, noted(store_kit))
    assert isinstance(made, Standing)
    rows = [
        FileRow(position=n, recipient=person(n), values={"ten": f"{{ten}} {n}"}, language="en" if n == 2 else None)
        for n in range(1, 8)
    ]
    await broadcasts.add_rows(7, 100, rows, SCOPE)
    upload = Upload(id=100, digest="d", rows=7, columns=("ten",))
    taken = await broadcasts.take_rows(7, made.broadcast.version, upload, AUTHOR, SCOPE, noted(store_kit))
    assert isinstance(taken, Standing)
    it = await done(store_kit, store, taken.broadcast, A.SUBMIT, AUTHOR)
    it = await done(store_kit, store, it, A.APPROVE, APPROVER)
    left = await run_to_the_end(store_kit, store, it, expander(store_kit, store))
    assert [each.text for each in left[:2]] == ["Chào {ten} 1", "Hello {ten} 2"]
    assert len(left) == 7


async def test_who_wants_nothing_has_a_line_that_says_so(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1, 2)
    now = store_kit.now_ms()
    await store_kit.put("person", {"address": person(1).urn, "stopped_at": now, "updated_at": now})
    it = await approved(store_kit, store)
    assert len(await run_to_the_end(store_kit, store, it, expander(store_kit, store))) == 1
    results = await office(store).results(it.id, AUTHOR, SCOPE, limit=9)
    assert results is not None
    assert [(row.state, row.reason) for row in results] == [("dropped", "stopped_all"), ("accepted", "")]


async def test_what_nobody_sends_any_more_expires(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    it, expanding = await approved(store_kit, store), expander(store_kit, store)
    for _ in range(3):
        await expanding.tick()
    store_kit.clock.advance(4 * 3600)
    for _ in range(3):
        await expanding.tick()
    assert [row["state"] for row in await store_kit.rows("outbox")] == ["expired"]
    assert (await standing(store, it)).broadcast.state is S.DONE


async def test_two_expanders_at_once_write_nobody_twice(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, *range(1, 20))
    it = await approved(store_kit, store)
    both, left = [expander(store_kit, store), expander(store_kit, store)], list[OutboundMessage]()
    for turn in range(20):
        await both[turn % 2].tick()
        left += await leave(store_kit, store, 3)
    assert sorted(each.recipient.value for each in left) == [person(n).value for n in range(1, 20)]
    assert (await standing(store, it)).tally.written == 19


async def test_a_fault_in_one_does_not_keep_the_others(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    bad = await approved(store_kit, store, texts={"vi": BROKEN})
    good = await approved(store_kit, store)
    expanding = expander(store_kit, store)
    for _ in range(4):
        await expanding.tick()
        await leave(store_kit, store)
    assert (await standing(store, good)).broadcast.state is S.DONE
    assert (await standing(store, bad)).broadcast.state is S.RUNNING


@pytest.mark.parametrize("first", [A.PAUSE, A.STOP])
async def test_what_is_claimed_and_taken_back_leaves_once_if_at_all(
    store_kit: StoreKit, store: Store, first: A
) -> None:
    await follow(store_kit, *range(1, 5))
    it, expanding = await approved(store_kit, store), expander(store_kit, store)
    await expanding.tick()
    await expanding.tick()
    stale = [each.id for each in await store.claim(ACCOUNT, 2)]
    await done(store_kit, store, (await standing(store, it)).broadcast, first, AUTHOR)
    await expanding.tick()
    if first is A.PAUSE:
        await done(store_kit, store, (await standing(store, it)).broadcast, A.RESUME, AUTHOR)
        left = await run_to_the_end(store_kit, store, it, expanding)
        assert sorted(each.recipient.value for each in left) == [person(n).value for n in range(1, 5)]
    assert await store.hand_over(stale) == frozenset()


def test_only_followers_need_no_legal_basis() -> None:
    assert FOLLOWERS.basis == ""
    with pytest.raises(ValueError, match="legal basis"):
        replace(NUMBERS, basis="")
