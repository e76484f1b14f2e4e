"""What every store of people promises (conversation.ports.People)."""

from __future__ import annotations

from datetime import timedelta

from conversation.ports import Exchange, JournalBatch, PendingQuestion, Person, Recollection
from domain.message import Address
from tests.contract.stores import SENDER, START, Store, StoreKit

OTHER = Address("telegram", "77:1")


async def chose(kit: StoreKit, store: Store, *people: Person) -> None:
    exchanges = [kit.silent(f"chooses {kit.new_id()}", person=person) for person in people]
    await store.commit(JournalBatch(exchanges=exchanges))


async def test_nobody_is_known_before_they_chose_something(store_kit: StoreKit, store: Store) -> None:
    await store.commit(JournalBatch(exchanges=[store_kit.exchange()]))
    assert await store.get([SENDER, OTHER]) == {}
    assert await store.get([]) == {}


async def test_what_people_chose_comes_back_as_it_was(store_kit: StoreKit, store: Store) -> None:
    pending = PendingQuestion(codes=("A-1", "A-2"), wish="look_up", expires_at=START + timedelta(minutes=5))
    first = Person(address=SENDER, language="vi", accents=False, stopped_at=START, pending=pending)
    second = Person(address=OTHER)
    await chose(store_kit, store, first, second)
    assert await store.get([SENDER, OTHER, Address("sms", "1")]) == {SENDER: first, OTHER: second}


async def test_the_latest_choice_counts_within_a_batch_and_after_it(store_kit: StoreKit, store: Store) -> None:
    english, khmer = Person(address=SENDER, language="en"), Person(address=SENDER, language="km", accents=True)
    await chose(store_kit, store, khmer, english)
    assert await store.get([SENDER]) == {SENDER: english}
    await chose(store_kit, store, khmer)
    assert await store.get([SENDER]) == {SENDER: khmer}


async def test_a_choice_made_meanwhile_is_not_undone_by_an_older_one(store_kit: StoreKit, store: Store) -> None:
    asked = PendingQuestion(codes=("A-1", "A-2"), wish="look_up", expires_at=START + timedelta(minutes=5))
    await chose(store_kit, store, Person(address=SENDER, language="en", pending=asked))
    stopped = store_kit.silent(
        "DUNG", person=Person(address=SENDER, stopped_at=START), changes=frozenset({"stopped_at"})
    )
    await store.commit(JournalBatch(exchanges=[stopped]))
    answered = store_kit.silent("1", person=Person(address=SENDER, language="vi"), changes=frozenset({"pending"}))
    await store.commit(JournalBatch(exchanges=[answered]))
    assert await store.get([SENDER]) == {SENDER: Person(address=SENDER, language="en", stopped_at=START)}


async def test_choices_of_one_batch_are_merged_each_by_what_it_changed(store_kit: StoreKit, store: Store) -> None:
    stopped = store_kit.silent(
        "DUNG", person=Person(address=SENDER, stopped_at=START), changes=frozenset({"stopped_at"})
    )
    english = store_kit.silent("EN", person=Person(address=SENDER, language="en"), changes=frozenset({"language"}))
    await store.commit(JournalBatch(exchanges=[stopped, english]))
    assert await store.get([SENDER]) == {SENDER: Person(address=SENDER, language="en", stopped_at=START)}


async def test_a_question_asked_back_is_remembered_across_a_restart(store_kit: StoreKit, store: Store) -> None:
    pending = PendingQuestion(codes=("A-1", "A-2"), wish="follow", expires_at=START + timedelta(minutes=5))
    person = Person(address=SENDER, pending=pending)
    await chose(store_kit, store, person)
    await store_kit.crash(store)
    assert await (await store_kit.open()).get([SENDER]) == {SENDER: person}


async def test_a_choice_made_by_a_closing_counts_once_it_closes(store_kit: StoreKit, store: Store) -> None:
    message = store_kit.message()
    person = Person(address=SENDER, language="en")
    await store.commit(JournalBatch(exchanges=[Exchange(message=message)]))
    await store.commit(JournalBatch(closings=[store_kit.decided(message, person=person)]))
    late = store_kit.decided(message, person=Person(address=SENDER, language="km"))
    await store.commit(JournalBatch(closings=[late]))
    assert await store.get([SENDER]) == {SENDER: person}


async def test_a_stranger_is_not_recalled(store_kit: StoreKit, store: Store) -> None:
    await store.commit(JournalBatch(exchanges=[store_kit.exchange(sender=OTHER)]))
    assert await store.recall(SENDER) == Recollection()


async def test_the_last_code_and_the_last_answer_are_recalled(store_kit: StoreKit, store: Store) -> None:
    await store.commit(JournalBatch(exchanges=[store_kit.exchange("first")]))
    later = store_kit.clock.advance(60)
    answer = store_kit.decided(store_kit.message("second"), dossier_code="C-2")
    await store.commit(JournalBatch(exchanges=[answer]))
    store_kit.clock.advance(60)
    await store.commit(JournalBatch(exchanges=[store_kit.silent("cam on")]))
    assert await store.recall(SENDER) == Recollection(last_code="C-2", last_answered_at=later)


async def test_an_answer_without_a_code_leaves_the_code_before_it(store_kit: StoreKit, store: Store) -> None:
    await store.commit(JournalBatch(exchanges=[store_kit.exchange("first")]))
    later = store_kit.clock.advance(60)
    helped = store_kit.decided(store_kit.message("help"), inquiry="help", outcome=None, dossier_code="")
    await store.commit(JournalBatch(exchanges=[helped]))
    assert await store.recall(SENDER) == Recollection(last_code="C-1", last_answered_at=later)


async def test_feedback_numbers_rise_and_are_never_given_twice(store_kit: StoreKit, store: Store) -> None:
    first = [await store.next_feedback_number() for _ in range(25)]
    await store_kit.crash(store)
    heir = await store_kit.open()
    second = [await heir.next_feedback_number() for _ in range(25)]
    assert first + second == sorted(set(first + second))
    assert first[0] == 1
