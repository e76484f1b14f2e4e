"""What is kept of persons in dossiers closed long ago goes, on every store; the record stays."""

from __future__ import annotations

from dataclasses import replace

from domain.dossier import DossierStatus
from domain.intake import IntakeDossier, Person
from domain.intake_moves import IntakeAction, IntakeDoing
from tests.contract.intaking import (
    AGENCY,
    OTHER,
    PERSON,
    SCOPE,
    done,
    dossier,
    draft,
    file,
    found,
    new,
    registered,
    step,
)
from tests.contract.stores import Store, StoreKit

DAY = 86_400
FINISHED = DossierStatus.DONE


async def closed(kit: StoreKit, store: Store, **changes: object) -> IntakeDossier:
    """With a file."""
    kept = await registered(kit, store.intake(), **changes)
    assert await store.intake().add_file(file(kit, kept.id), most=3, most_bytes=9_000)
    return await done(kit, store.intake(), kept, IntakeDoing(action=IntakeAction.FINISH, at=kit.clock.now))


async def test_what_is_open_or_was_touched_since_is_left_as_it_is(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    waits = await registered(store_kit, book)
    assert await book.add_file(file(store_kit, waits.id), most=3, most_bytes=9_000)
    touched = await closed(store_kit, store)
    before = store_kit.clock.advance(DAY)
    noted = IntakeDoing(action=IntakeAction.NOTE, at=store_kit.clock.now, reason="người nộp hỏi")
    touched = await done(store_kit, book, touched, noted)
    assert await book.mask_closed(before, 100) == 0
    assert await book.drop_files_of_closed(before, 100) == []
    assert await book.by_id(waits.id) == waits
    assert await book.by_id(touched.id) == touched


async def test_a_dossier_closed_long_ago_keeps_its_record_and_nobodys_name(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    form = draft(store_kit)
    await book.save_draft(form)
    made = dossier(
        store_kit, id=form.id, person=replace(PERSON, owner="Trần Văn Tám"), subject="của bà Bé", secret="AB2345"
    )
    assert isinstance(await book.register(new(made), step(store_kit, made)), IntakeDossier)
    kept = await book.by_id(made.id)
    assert kept is not None
    sent = IntakeDoing(action=IntakeAction.FORWARD, at=store_kit.clock.now, to_agency=OTHER)
    kept = await done(store_kit, book, kept, sent)
    kept = await done(store_kit, book, kept, IntakeDoing(action=IntakeAction.FINISH, at=store_kit.clock.now))
    before = store_kit.clock.advance(DAY)
    steps = await book.steps(kept.id)
    assert await book.mask_closed(before, 100) == 1
    after = await book.by_id(kept.id)
    assert after is not None
    assert (after.person, after.subject, after.secret, after.notify) == (Person(name=""), "", "", False)
    assert (after.code, after.status, after.procedure, after.received_at, after.finished_at) == (
        kept.code,
        FINISHED,
        kept.procedure,
        kept.received_at,
        kept.finished_at,
    )
    assert await book.steps(kept.id) == steps
    assert await book.filed(form.token_digest) is None
    [row] = await store_kit.rows("intake_dossier")
    assert (row["phone"], row["masked_at"]) == ("", store_kit.now_ms())
    assert all(word["word"].startswith("-") for word in await store_kit.rows("intake_word"))
    assert await found(book, agencies=frozenset({AGENCY, OTHER}), text="Nguyễn Thị Bé") == []
    assert await found(book, agencies=SCOPE, text=kept.code.text) == [kept.id]
    assert await book.mask_closed(before, 100) == 0


async def test_look_up_is_told_nothing_of_them_any_more(store_kit: StoreKit, store: Store) -> None:
    book, now = store.intake(), store_kit.clock.now
    kept = await registered(store_kit, book, notify=True, secret="AB2345")
    kept = await done(store_kit, book, kept, IntakeDoing(action=IntakeAction.ASK_PAYMENT, at=now, reason="bà Bé nợ"))
    kept = await done(store_kit, book, kept, IntakeDoing(action=IntakeAction.FINISH, at=now))
    [before] = await store_kit.rows("intake_dossier")  # what the view for look-up is made of
    assert (before["secret"], before["fee"], bool(before["phone"])) == ("AB2345", "bà Bé nợ", True)
    assert await book.mask_closed(store_kit.clock.advance(DAY), 100) == 1
    [after] = await store_kit.rows("intake_dossier")
    assert not any(after[name] for name in ("secret", "fee", "phone", "missing", "notify"))
    assert after["written"] == before["written"]  # so that a poll sees no news


async def test_who_had_it_open_cannot_bring_the_person_back(store_kit: StoreKit, store: Store) -> None:
    kept = await closed(store_kit, store)
    before = store_kit.clock.advance(DAY)
    assert await store.intake().mask_closed(before, 100) == 1
    again = step(store_kit, kept, "note")
    assert not await store.intake().write(replace(kept, version=kept.version + 1), again, was=kept.version)


async def test_they_are_masked_and_lose_their_files_a_few_at_a_time(store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    kept = [await closed(store_kit, store) for _ in range(5)]
    before = store_kit.clock.advance(DAY)
    assert [await book.mask_closed(before, 2) for _ in range(4)] == [2, 2, 1, 0]
    dropped = [await book.drop_files_of_closed(before, 2) for _ in range(4)]
    assert [[each.owner for each in some] for some in dropped] == [
        [each.id for each in some] for some in (kept[:2], kept[2:4], kept[4:], [])
    ]
    assert await book.known([each.key for some in dropped for each in some]) == frozenset()
