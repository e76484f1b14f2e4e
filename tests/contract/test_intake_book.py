"""The promises of intake.ports.IntakeBook, for every store."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from domain.calendar import local_day
from domain.dossier import DossierStatus
from domain.errors import StoreError, StoreUnavailable
from domain.intake import IntakeDossier, IntakeSource, Person
from domain.intake_moves import IntakeAction, IntakeDoing
from domain.numbering import LAST_SERIAL, NumberPattern
from intake.ports import NumberTrouble
from tests.contract.intaking import (
    AGENCY,
    CITIZEN,
    OFFICER,
    OTHER,
    PATTERN,
    PERSON,
    SCOPE,
    block,
    done,
    dossier,
    draft,
    file,
    found,
    new,
    registered,
    renamed,
    serial_of,
    step,
)
from tests.contract.stores import Store, StoreKit

DAY = date(2026, 3, 2)
CAPS: dict[str, Any] = {"most": 3, "most_bytes": 5_000}
S = DossierStatus


def doing(kit: StoreKit, action: IntakeAction, **changes: Any) -> IntakeDoing:
    return IntakeDoing(action=action, at=kit.clock.now, **changes)


# ---- registering


async def test_a_locked_store_keeps_nothing_and_uses_up_no_number(store_kit: StoreKit, store: Store) -> None:
    book, made = store.intake(), dossier(store_kit)
    with store_kit.locked(), pytest.raises(StoreUnavailable):
        await book.register(new(made), step(store_kit, made))
    assert await book.by_id(made.id) is None
    assert serial_of(await registered(store_kit, book)) == 1


async def test_what_fails_half_way_uses_up_no_number(store_kit: StoreKit, store: Store) -> None:
    """Two steps of one id: the number was taken already, and is given back with everything else."""
    book = store.intake()
    first = dossier(store_kit)
    taken = step(store_kit, first)
    await book.register(new(first), taken)
    second = dossier(store_kit)
    with pytest.raises(StoreError):
        await book.register(new(second), replace(step(store_kit, second), id=taken.id))
    assert await book.by_id(second.id) is None
    assert serial_of(await registered(store_kit, book)) == 2


async def test_a_dossier_is_given_back_as_it_was_kept(store_kit: StoreKit, store: Store) -> None:
    now = store_kit.clock.now
    everything = dossier(
        store_kit,
        unit="Phòng Hộ tịch",
        source=IntakeSource.EMAIL,
        status=S.MORE_DOCUMENTS,
        before=S.NEWLY_REGISTERED,
        person=replace(PERSON, owner="Trần Văn Tám", email="be@example.vn"),
        sets=2,
        received_at=now - timedelta(days=1),
        late=True,
        apologised_at=now,
        supplement_asked_at=now,
        supplement_by=date(2026, 3, 9),
        missing="Giấy khai sinh",
        paid_at=now,
        reason="thiếu giấy",
        finished_at=now,
        returned_at=now,
        language="km",
        notify=True,
        notify_words="đồng ý",
        declared_at=now,
    )
    kept = await store.intake().register(new(everything), step(store_kit, everything))
    assert isinstance(kept, IntakeDossier)
    assert kept == replace(everything, code=PATTERN.code(local_day(everything.received_at), 1))
    assert await store.intake().by_id(everything.id) == kept
    assert await store.intake().find(kept.code) == kept
    plain = await registered(store_kit, store.intake(), limit=None, due_at=None, first_due_at=None, papers=())
    assert await store.intake().by_id(plain.id) == plain


async def test_nobody_is_found_by_a_code_nobody_has(store: Store) -> None:
    assert await store.intake().find(PATTERN.code(DAY, 9)) is None
    assert await store.intake().by_id(9) is None
    assert await store.intake().steps(9) == []


async def test_codes_are_numbered_by_agency_and_day_without_a_gap(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    codes = [(await registered(store_kit, book)).code.text for _ in range(2)]
    codes.append((await registered(store_kit, book, agency=OTHER, holder=OTHER)).code.text)
    store_kit.clock.advance(86_400)
    codes.append((await registered(store_kit, book)).code.text)
    assert codes == ["H51.18-260302-0001", "H51.18-260302-0002", "H51.19-260302-0001", "H51.18-260303-0001"]


async def test_numbers_begin_where_the_pattern_says_and_go_on_there(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    assert serial_of(await registered(store_kit, book)) == 1
    for serial in (9001, 9002):
        made = dossier(store_kit)
        kept = await book.register(new(made, pattern=replace(PATTERN, first=9001)), step(store_kit, made))
        assert isinstance(kept, IntakeDossier)
        assert serial_of(kept) == serial


async def test_a_day_without_serials_left_is_full_and_keeps_nothing(store_kit: StoreKit, store: Store) -> None:
    book, made = store.intake(), dossier(store_kit)
    await store_kit.put("intake_number", {"agency": AGENCY, "day": DAY.isoformat(), "last": LAST_SERIAL})
    assert await book.register(new(made), step(store_kit, made)) is NumberTrouble.FULL
    with pytest.raises(ValueError, match="has no 1 serials left"):
        await book.reserve(block(store_kit, DAY), PATTERN, 1, OFFICER)
    assert not await store_kit.rows("intake_dossier")
    assert not await store_kit.rows("intake_step")
    assert not await store_kit.rows("audit")


async def test_a_form_sent_twice_is_one_dossier(store_kit: StoreKit, store: Store) -> None:
    book, made = store.intake(), dossier(store_kit)
    first = await book.register(new(made), step(store_kit, made))
    again = await book.register(new(replace(made, subject="other")), step(store_kit, made))
    assert again == first
    assert len(await book.steps(made.id)) == len(await store_kit.rows("audit")) == 1
    assert serial_of(await registered(store_kit, book)) == 2


async def test_a_form_sent_twice_at_once_is_one_dossier(store_kit: StoreKit, store: Store) -> None:
    book, made = store.intake(), dossier(store_kit)
    kept = await asyncio.gather(*(book.register(new(made), step(store_kit, made)) for _ in range(4)))
    assert len({each.code.text for each in kept if isinstance(each, IntakeDossier)}) == 1
    assert serial_of(await registered(store_kit, book)) == 2


async def test_it_is_noted_who_did_it_and_never_who_hands_in(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    kept = await registered(store_kit, book)
    passed = await done(store_kit, book, kept, doing(store_kit, IntakeAction.FORWARD, to_agency=OTHER), to_agency=OTHER)
    own = await done(store_kit, book, passed, doing(store_kit, IntakeAction.ASK_WITHDRAWAL), actor=CITIZEN)
    assert own.status is S.WITHDRAWAL_ASKED
    rows = await store_kit.rows("audit")
    assert [(row["action"], row["about"], json.loads(row["detail"])) for row in rows] == [
        ("intake.registered", f"dossier:{kept.code.text}", {"status": 2}),
        ("intake.forward", f"dossier:{kept.code.text}", {"status": 4, "to": OTHER}),
    ]
    assert {(row["officer_id"], row["login"], row["agency"], row["address"]) for row in rows} == {
        (7, "an.h51", AGENCY, "10.0.0.1")
    }
    assert not any(secret in str(rows) for secret in (PERSON.name, "912", PERSON.id_number, kept.secret))


# ---- what becomes of it


async def test_an_act_on_another_version_does_nothing(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    kept = await registered(store_kit, book)
    after = await done(store_kit, book, kept, doing(store_kit, IntakeAction.FORWARD, to_unit="Phòng Hộ tịch"))
    late = replace(kept, status=S.DONE, version=2)
    assert not await book.write(late, step(store_kit, late, "finish"), was=1)
    assert not await book.write(late, step(store_kit, late, "finish"), was=7)
    assert not await book.write(replace(late, id=5), step(store_kit, late, "finish"), was=1)
    assert await book.by_id(kept.id) == after
    assert [each.action for each in await book.steps(kept.id)] == ["registered", "forward"]


async def test_two_who_act_at_once_do_not_overwrite_one_another(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    kept = await registered(store_kit, book)
    finished = replace(kept, status=S.DONE, version=2)
    stopped = replace(kept, status=S.STOPPED, version=2)
    written = await asyncio.gather(
        *(book.write(after, step(store_kit, after, "act"), was=1) for after in (finished, stopped))
    )
    assert sorted(written) == [False, True]
    assert await book.by_id(kept.id) == (finished if written[0] else stopped)
    assert len(await book.steps(kept.id)) == 2


async def test_an_act_whose_answer_was_lost_is_done_once(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    kept = await registered(store_kit, book)
    after = replace(kept, status=S.DONE, version=2)
    act = step(store_kit, after, "finish")
    assert await book.write(after, act, was=1)
    assert await book.write(after, act, was=1)
    assert len(await book.steps(kept.id)) == len(await store_kit.rows("audit")) == 2


async def test_steps_tell_all_that_was_done_in_its_order(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    made = dossier(store_kit)
    steps = [step(store_kit, made)]
    await book.register(new(made), steps[0])
    for version, (unit, status) in enumerate([("Phòng A", S.IN_PROCESS), ("Phòng B", S.DONE)], 1):
        store_kit.clock.advance(60)
        after = replace(made, unit=unit, status=status, version=version + 1)
        steps.append(
            step(
                store_kit,
                after,
                "forward",
                at=store_kit.clock.now - timedelta(hours=3),
                actor=CITIZEN if version == 1 else OFFICER,
                before=S.ACCEPTED,
                from_agency=AGENCY,
                to_agency=OTHER,
                to_unit=unit,
                reason="chuyển",
                due_at=None,
            )
        )
        assert await book.write(after, steps[-1], was=version)
    assert await book.steps(made.id) == steps


async def test_what_was_done_cannot_be_undone_in_the_book(store_kit: StoreKit, store: Store) -> None:
    await registered(store_kit, store.intake())
    for statement in ("UPDATE intake_step SET reason = 'x'", "DELETE FROM intake_step"):
        with pytest.raises((StoreError, DBAPIError), match="append-only"):
            await _tried(store, statement)
    assert len(await store_kit.rows("intake_step")) == 1


async def _tried(store: Store, statement: str) -> None:
    def steps() -> Any:
        yield statement, {}

    intake: Any = store.intake()
    await intake._run(steps())


# ---- lists


async def test_nothing_is_listed_of_agencies_one_may_not_see(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    kept = await registered(store_kit, book)
    for search in (
        {},
        {"text": kept.code.text},
        {"text": "0912345678"},
        {"text": "be"},
        {"status": frozenset({S.ACCEPTED})},
    ):
        assert await found(book, agencies=frozenset(), **search) == []
        assert await found(book, agencies=frozenset({OTHER}), **search) == []
    assert (await book.counts(frozenset({OTHER}), now=store_kit.clock.now))["2"] == 0


async def test_the_newest_come_first_page_by_page(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    ids = [(await registered(store_kit, book)).id for _ in range(5)][::-1]
    assert await found(book, limit=2) == ids[:2]
    assert await found(book, limit=2, before=ids[1]) == ids[2:4]
    assert await found(book, limit=9, before=ids[3]) == ids[4:]


async def test_what_was_passed_on_is_seen_by_both_once(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    kept = await registered(store_kit, book, due_at=store_kit.clock.now - timedelta(days=1))
    await done(store_kit, book, kept, doing(store_kit, IntakeAction.FORWARD, to_agency=OTHER))
    for scope in (SCOPE, frozenset({OTHER}), frozenset({AGENCY, OTHER})):
        assert await found(book, agencies=scope) == [kept.id]
        counts = await book.counts(scope, now=store_kit.clock.now)
        assert (counts["4"], counts["2"], counts["overdue"]) == (1, 0, 1)


async def test_lists_are_narrowed_by_everything_at_once(store_kit: StoreKit, store: Store) -> None:
    book, now = store.intake(), store_kit.clock.now
    plain = await registered(store_kit, book)
    other = await registered(
        store_kit,
        book,
        status=S.NEWLY_REGISTERED,
        unit="Phòng Hộ tịch",
        source=IntakeSource.ONLINE,
        procedure="2.000815",
        due_at=now - timedelta(hours=1),
        received_at=now - timedelta(days=3),
        late=True,
        secret="X",
    )
    every: dict[str, Any] = {
        "status": frozenset({S.NEWLY_REGISTERED}),
        "unit": "Phòng Hộ tịch",
        "source": IntakeSource.ONLINE,
        "procedure": "2.000815",
        "due_before": now,
        "received_until": now - timedelta(days=1),
        "late": True,
    }
    for name, value in every.items():
        assert await found(book, **{name: value}) == [other.id], name
    assert await found(book, **every) == [other.id]
    assert await found(book, **{**every, "text": "nguyen thi be"}) == [other.id]
    assert await found(book, received_since=now) == [plain.id]
    assert await found(book, late=False) == [plain.id]
    assert await found(book, status=frozenset({S.ACCEPTED, S.DONE})) == [plain.id]
    assert await found(book, status=frozenset({S.ACCEPTED, S.NEWLY_REGISTERED})) == [other.id, plain.id]
    assert await found(book, status=frozenset({S.DONE})) == []


@pytest.mark.parametrize(
    "text",
    [
        "H51.18-260302-0001",
        " h51.18-260302-0001 ",
        "0001",
        "1",
        "260302-0001",
        "18-260302-1",
        "0912345678",
        "+84 912.345.678",
        "912345678",
        "Nguyễn Thị Bé",
        "bé  NGUYỄN",
        "be",
        "tam",  # whose matter it is
    ],
)
async def test_a_dossier_is_found_by(store_kit: StoreKit, store: Store, text: str) -> None:
    book = store.intake()
    kept = await registered(store_kit, book, person=replace(PERSON, owner="Trần Văn Tám"))
    await registered(store_kit, book, person=Person(name="Nguyễn Văn Ba", phone="0987654321"))
    assert await found(book, text=text) == [kept.id]


@pytest.mark.parametrize(
    "text", ["0003", "260303-0001", "0912345679", "nguyen thi ba", "H51.18-260302-0003", "%", "-", "'"]
)
async def test_nothing_is_found_by(store_kit: StoreKit, store: Store, text: str) -> None:
    book = store.intake()
    for name in ("Nguyễn Thị Bé", "Nguyễn Văn Ba"):
        await registered(store_kit, book, person=replace(PERSON, name=name))
    assert await found(book, text=text) == []


async def test_a_name_that_was_corrected_is_found_by_the_new_one(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    kept = await registered(store_kit, book)
    after = renamed(kept, "Lê Thị Hoa")
    assert await book.write(after, step(store_kit, after, "note"), was=1)
    assert await found(book, text="hoa") == [kept.id]


async def test_two_who_pass_dossiers_to_and_fro_wait_for_one_another_and_all_is_counted(
    store_kit: StoreKit, store: Store
) -> None:
    book = store.intake()
    kept = [await registered(store_kit, book, status=status) for status in (S.DONE, S.RETURNED) * 3]

    async def to_and_fro(each: IntakeDossier) -> None:
        for version in range(1, 9):
            after = replace(each, status=S.DONE if each.status is S.RETURNED else S.RETURNED, version=version + 1)
            assert await book.write(after, step(store_kit, after, "act"), was=version)
            each = after

    await asyncio.gather(*map(to_and_fro, kept))
    counts = await book.counts(SCOPE, now=store_kit.clock.now)
    assert (counts["9"], counts["10"]) == (3, 3)


async def test_counts_say_every_state_and_what_is_overdue(store_kit: StoreKit, store: Store) -> None:
    book, now = store.intake(), store_kit.clock.now
    past = now - timedelta(minutes=1)
    for status, due_at in (
        (S.ACCEPTED, past),
        (S.IN_PROCESS, past),
        (S.IN_PROCESS, now),
        (S.DONE, past),
        (S.ACCEPTED, None),
    ):
        await registered(store_kit, book, status=status, due_at=due_at)
    counts = await book.counts(SCOPE, now=now)
    tallied = sorted((row["status"], row["dossiers"]) for row in await store_kit.rows("intake_tally"))
    assert tallied == [(2, 2), (4, 2), (9, 1)]
    assert counts == {"1": 0, "2": 2, "3": 0, "4": 2, "5": 0, "6": 0, "7": 0, "8": 0, "9": 1, "10": 0, "overdue": 2}


# ---- numbers set aside


async def test_a_block_is_a_run_of_the_same_numbers(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    await registered(store_kit, book)
    aside = block(store_kit, DAY)
    made = await book.reserve(aside, PATTERN, 3, OFFICER)
    assert (made.first, made.last, made.open) == (2, 4, (2, 3, 4))
    assert serial_of(await registered(store_kit, book)) == 5
    assert await book.reserve(aside, PATTERN, 3, OFFICER) == made, "asked for again it is the same"
    assert (await book.reserve(block(store_kit, DAY), PATTERN, 1, OFFICER)).first == 6


async def test_a_serial_of_a_block_is_used_once(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    made = await book.reserve(block(store_kit, DAY), PATTERN, 3, OFFICER)
    store_kit.clock.advance(86_400)
    first = dossier(store_kit, late=True)
    kept = await book.register(new(first, serial=2, block=made.id), step(store_kit, first))
    assert isinstance(kept, IntakeDossier)
    assert kept.code.text == "H51.18-260302-0002", "the day of the block, whenever it is typed"
    second = dossier(store_kit, late=True)
    assert await book.register(new(second, serial=2, block=made.id), step(store_kit, second)) is NumberTrouble.USED
    assert await book.register(new(first, serial=2, block=made.id), step(store_kit, first)) == kept
    by_day = await book.register(new(second, day=DAY, serial=3), step(store_kit, second))
    assert isinstance(by_day, IntakeDossier)
    (listed,) = await book.blocks(SCOPE, since=DAY)
    assert (listed.used, listed.open) == (frozenset({2, 3}), (1,))


async def test_a_serial_nobody_set_aside_is_refused(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    made = await book.reserve(block(store_kit, DAY), PATTERN, 2, OFFICER)
    theirs = await book.reserve(block(store_kit, DAY, agency=OTHER), NumberPattern(agency=OTHER), 2, OFFICER)
    for serial, of in ((3, made.id), (1, 99), (1, theirs.id), (3, None)):
        it = dossier(store_kit)
        refused = await book.register(new(it, serial=serial, block=of), step(store_kit, it))
        assert refused is NumberTrouble.NOT_RESERVED, (serial, of)
    assert not await store_kit.rows("intake_dossier")
    assert not await store_kit.rows("intake_serial")


async def test_a_spoilt_sheet_is_accounted_for_once_and_never_used(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    made = await book.reserve(block(store_kit, DAY), PATTERN, 2, OFFICER)
    assert await book.void(made.id, 1, "rách", OFFICER)
    assert not await book.void(made.id, 1, "rách", OFFICER)
    assert not await book.void(made.id, 3, "không có", OFFICER)
    assert not await book.void(99, 1, "không có", OFFICER)
    it = dossier(store_kit)
    assert await book.register(new(it, serial=1, block=made.id), step(store_kit, it)) is NumberTrouble.USED
    (listed,) = await book.blocks(SCOPE, since=DAY)
    assert (listed.void, listed.open) == ({1: "rách"}, (2,))
    assert [(row["action"], row["about"]) for row in await store_kit.rows("audit")] == [
        ("intake.reserved", f"block:{made.id}"),
        ("intake.voided", f"block:{made.id}"),
    ]


async def test_blocks_are_listed_of_the_agencies_and_days_asked_for(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    old = await book.reserve(block(store_kit, DAY), PATTERN, 1, OFFICER)
    young = await book.reserve(block(store_kit, DAY + timedelta(days=1)), PATTERN, 1, OFFICER)
    assert await book.blocks(SCOPE, since=DAY) == [young, old]
    assert await book.blocks(SCOPE, since=DAY + timedelta(days=1)) == [young]
    assert await book.blocks(frozenset({OTHER}), since=DAY) == []
    assert await book.blocks(frozenset(), since=DAY) == []


# ---- files and drafts


async def test_no_file_beyond_the_caps_is_taken(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    assert not await book.add_file(file(store_kit, 1, size=5_001), **CAPS)
    large = file(store_kit, 1, size=3_000)
    assert await book.add_file(large, **CAPS)
    assert await book.add_file(large, **CAPS), "sent again it is one"
    assert not await book.add_file(file(store_kit, 1, size=2_001), **CAPS)
    assert await book.add_file(file(store_kit, 1, size=1_000), **CAPS)
    assert await book.add_file(file(store_kit, 1, size=1_000), **CAPS)
    assert not await book.add_file(file(store_kit, 1, size=0), **CAPS)
    assert [each.size for each in await book.files(1)] == [3_000, 1_000, 1_000]


async def test_files_that_come_at_once_stay_within_the_caps(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    taken = await asyncio.gather(*(book.add_file(file(store_kit, 1), **CAPS) for _ in range(6)))
    assert sum(taken) == len(await book.files(1)) == 3


async def test_a_file_of_a_draft_can_be_dropped_and_one_of_a_dossier_cannot(store_kit: StoreKit, store: Store) -> None:
    book, made = store.intake(), dossier(store_kit)
    await book.save_draft(draft(store_kit, id=made.id))
    first, second = file(store_kit, made.id), file(store_kit, made.id)
    for each in (first, second):
        await book.add_file(each, **CAPS)
    assert await book.drop_file(99, first.id) is None
    assert await book.drop_file(made.id, first.id) == first
    assert await book.drop_file(made.id, first.id) is None
    await book.register(new(made), step(store_kit, made))
    assert await book.drop_file(made.id, second.id) is None
    assert await book.files(made.id) == [second]
    assert await book.known([first.key, second.key, "x"]) == {second.key}


async def test_a_draft_is_found_by_its_secret_until_it_is_over(store_kit: StoreKit, store: Store) -> None:
    book, made = store.intake(), draft(store_kit)
    await book.save_draft(made)
    changed = replace(made, fields={"name": "Lê Thị Hoa"}, phone="0912345678", phone_proved_at=store_kit.clock.now)
    await book.save_draft(changed)
    now = store_kit.clock.now
    assert await book.draft("another", now=now) is None
    assert await book.draft(made.token_digest, now=now) == changed
    assert await book.draft(made.token_digest, now=made.expires_at) is None


async def test_a_draft_that_was_sent_is_a_dossier_and_does_not_come_back(store_kit: StoreKit, store: Store) -> None:
    book, made = store.intake(), dossier(store_kit)
    filled = draft(store_kit, id=made.id)
    await book.save_draft(filled)
    await book.add_file(file(store_kit, made.id), **CAPS)
    assert await book.by_id(made.id) is None
    await book.register(new(made), step(store_kit, made))
    await book.save_draft(filled)
    assert await book.draft(filled.token_digest, now=store_kit.clock.now) is None
    assert await book.expired(now=store_kit.clock.now + timedelta(days=400), limit=9) == []
    assert len(await book.files(made.id)) == 1


async def test_what_was_never_sent_is_forgotten_with_its_files(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    over, young = draft(store_kit), draft(store_kit, expires_at=store_kit.clock.now + timedelta(days=30))
    for each in (over, young):
        await book.save_draft(each)
    of_over, of_young = file(store_kit, over.id), file(store_kit, young.id)
    of_nobody = file(store_kit, 5)
    for loose in (of_over, of_young, of_nobody):
        await book.add_file(loose, **CAPS)
    later = store_kit.clock.now + timedelta(days=7, seconds=1)
    assert await book.expired(now=store_kit.clock.now, limit=9) == []
    assert await book.expired(now=later, limit=9) == [of_over, of_nobody]
    assert await book.expired(now=later, limit=9) == []
    assert await book.files(young.id) == [of_young]
    assert [row["id"] for row in await store_kit.rows("intake_draft")] == [young.id]


async def test_a_locked_store_says_so_and_nothing_is_lost(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    kept = await registered(store_kit, book)
    after = replace(kept, status=S.DONE, version=2)
    act = step(store_kit, after, "finish")
    with store_kit.locked():
        for work in (
            book.write(after, act, was=1),
            book.reserve(block(store_kit, DAY), PATTERN, 1, OFFICER),
            book.add_file(file(store_kit, kept.id), **CAPS),
            book.save_draft(draft(store_kit)),
        ):
            with pytest.raises(StoreUnavailable):
                await work
    assert await book.by_id(kept.id) == kept
    assert await book.write(after, act, was=1)


async def test_a_poll_never_meets_two_changes_of_a_dossier_at_one_moment(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    store_kit.clock.now = datetime(2026, 3, 2, 8, 0, 0, 999_000, tzinfo=UTC)
    kept = await registered(store_kit, book)
    written = [row["written"] for row in await store_kit.rows("intake_dossier")]
    for version in (1, 2):
        kept = replace(kept, version=version + 1)
        assert await book.write(kept, step(store_kit, kept, "note"), was=version)
        written += [row["written"] for row in await store_kit.rows("intake_dossier")]
    assert written == [f"2026-03-02T08:00:00.99900{version}+00:00" for version in (1, 2, 3)]


async def test_the_book_is_open_to_the_next_process(store_kit: StoreKit, store: Store) -> None:
    kept = await registered(store_kit, store.intake())
    await store_kit.crash(store)
    heir = await store_kit.open()
    assert await heir.intake().by_id(kept.id) == kept
