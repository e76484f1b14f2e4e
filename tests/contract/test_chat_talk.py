"""The conversation of a chat over a real store: who joins a number, who goes and who comes back."""

from __future__ import annotations

import re
from typing import Any

from conversation.ports import Decision, Exchange, FollowWish, JournalBatch
from domain.message import ChatEvent
from tests.contract.stores import Store, StoreKit
from tests.unit.planning import BOB
from tests.unit.test_conversation import CODE
from tests.unit.test_conversation_chat import PHONE, TYPED, Chat, owned


class StoredChat(Chat):
    """What is decided is committed."""

    async def say(self, text: str = "", sender: object = BOB, **beside: Any) -> Decision:
        assert sender is BOB
        message = self.message(text, **beside)
        decision = await self.decided(message)
        await self.people.commit(JournalBatch(exchanges=[Exchange(message=message, decision=decision)]))
        return decision


def chat_over(kit: StoreKit, store: Store) -> StoredChat:
    chat = StoredChat(people=store, links=store.links())
    chat.now, chat.new_id = kit.clock.now, kit.new_id
    owned(chat)
    return chat


async def test_a_number_is_joined_by_the_code_that_was_sent_to_it(store_kit: StoreKit, store: Store) -> None:
    chat = chat_over(store_kit, store)
    await chat.say(f"LK {TYPED}")
    await chat.say("EN")
    assert (await store.get([BOB]))[BOB].linked == ()
    (row,) = [row for row in await store_kit.rows("outbox") if row["recipient"] == PHONE.urn]
    pin = re.match(r"\d{6}", row["text"])
    assert pin is not None
    assert (await chat.say(pin[0])).links != ()
    person = (await store.get([BOB]))[BOB]
    assert (person.linked, person.pending, person.language) == ((PHONE,), None, "en")
    assert [change.proved for change in (await chat.say(f"DK {CODE}")).follows] == [True]


async def test_who_blocks_and_comes_back_follows_on(store_kit: StoreKit, store: Store) -> None:
    chat = chat_over(store_kit, store)
    await chat.say(f"DK {CODE}")
    await chat.say(event=ChatEvent.BLOCKED)
    gone = (await store.get([BOB]))[BOB]
    assert (gone.stopped_at, gone.blocked) == (chat.now, True)
    back = await chat.say(event=ChatEvent.STARTED)
    assert [change.wish for change in back.follows] == [FollowWish.RESUME]
    person = (await store.get([BOB]))[BOB]
    assert (person.stopped_at, person.blocked) == (None, False)
    assert CODE in ((await chat.say("DS")).text or "")


async def test_who_said_stop_and_blocks_stays_stopped_when_he_comes_back(store_kit: StoreKit, store: Store) -> None:
    chat = chat_over(store_kit, store)
    await chat.say("DUNG")
    chat.now = store_kit.clock.advance(60)
    await chat.say(event=ChatEvent.BLOCKED)
    await chat.say(event=ChatEvent.STARTED)
    person = (await store.get([BOB]))[BOB]
    assert (person.stopped_at is not None, person.blocked) == (True, False)


async def test_who_blocks_and_then_says_stop_elsewhere_in_words_is_not_resumed_by_coming_back(
    store_kit: StoreKit, store: Store
) -> None:
    chat = chat_over(store_kit, store)
    await chat.say(event=ChatEvent.BLOCKED)
    chat.now = store_kit.clock.advance(60)
    await chat.say("DUNG")
    await chat.say(event=ChatEvent.STARTED)
    assert (await store.get([BOB]))[BOB].stopped_at is not None
