"""The link of a draft stays good once it was sent, and nothing of what was filled in stays beside the dossier."""

from __future__ import annotations

from datetime import timedelta

from tests.contract.intaking import dossier, draft, file, new, step
from tests.contract.stores import Store, StoreKit

CAPS = {"most": 9, "most_bytes": 99_999}


async def test_the_link_of_a_draft_opens_the_dossier_it_became(store_kit: StoreKit, store: Store) -> None:
    book, made = store.intake(), dossier(store_kit)
    filled = draft(store_kit, id=made.id, phone="84912345678", phone_proved_at=store_kit.clock.now)
    await book.save_draft(filled)
    assert await book.filed(filled.token_digest) is None
    kept = await book.register(new(made), step(store_kit, made))
    assert await book.filed(filled.token_digest) == kept
    assert await book.filed("another") is None
    [row] = await store_kit.rows("intake_draft")
    assert (row["fields"], row["phone"], row["phone_proved_at"]) == ("{}", "", None)


async def test_the_link_stays_good_after_the_draft_would_have_been_over(store_kit: StoreKit, store: Store) -> None:
    book, made = store.intake(), dossier(store_kit)
    filled = draft(store_kit, id=made.id)
    await book.save_draft(filled)
    await book.register(new(made), step(store_kit, made))
    later = store_kit.clock.now + timedelta(days=4_000)
    assert await book.expired(now=later, limit=9) == []
    assert await book.draft(filled.token_digest, now=store_kit.clock.now) is None
    assert await book.filed(filled.token_digest) is not None


async def test_a_dossier_without_a_draft_is_opened_by_no_link(store_kit: StoreKit, store: Store) -> None:
    book, made = store.intake(), dossier(store_kit)
    await book.register(new(made), step(store_kit, made))
    assert await book.filed("") is None


async def test_only_files_that_no_dossier_has_are_counted(store_kit: StoreKit, store: Store) -> None:
    book, made = store.intake(), dossier(store_kit)
    assert await book.loose_bytes() == 0
    for owner in (made.id, 5):
        await book.add_file(file(store_kit, owner), **CAPS)
    assert await book.loose_bytes() == 2_000
    await book.register(new(made), step(store_kit, made))
    assert await book.loose_bytes() == 1_000
