"""A message that breaks a rule of ours is answered, written down and settled; its neighbours do not feel it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn, cast

import pytest

from adapters.memory.budgets import MemoryBudgets
from channels.base import Arrival, Settlement
from conversation.answer import Conversation, ConversationSettings, Pending, Shape
from conversation.failing import KIND, NOTHING_SAID
from conversation.guards import Guards, GuardSettings
from conversation.ports import Decision, Limit, PendingQuestion, Person
from domain.agencies import Agencies
from domain.answers import DossierAnswer, Outcome
from domain.catalogue import Catalogue
from domain.codes import DossierCode
from domain.errors import StoreUnavailable
from domain.gsm import segments_needed
from domain.message import Address, Capabilities, ChatEvent, InboundMessage
from domain.replies import ReplyWriter, Voice
from tests.unit.speaking import NOW, STALE_AFTER, shipped_agencies, shipped_grammar, shipped_texts
from tests.unit.test_conversation import CODE, OTHER, FakeLookUps, FakePeople, dossier
from tests.unit.test_dispatcher import (
    REPLY,
    Desk,
    FakeChannel,
    FakeConversation,
    FakeStore,
    desk,
    question,
    running,
    waiting_for,
)

BROKEN = "H51.18-250701-0013"
SHAPES = {"main": Shape(Capabilities(accents=False), lambda text: segments_needed(text)[1] <= 2)}
LATER = "Xin gui lai sau it phut"


# ---- the pumps


async def broken() -> NoReturn:
    raise RuntimeError("a bug of ours")


async def journalled(it: Desk, number: int = 1) -> Decision:
    """What became of a message, once nothing is under way any more."""
    async with asyncio.timeout(60):
        while not (decided := _decisions(it, number)):
            await it.store.commits.reach(len(it.store.commits.seen) + 1)
        await it.dispatcher.drain()
    assert it.dispatcher.in_flight == 0
    (decision,) = decided
    return decision


def _decisions(it: Desk, number: int) -> list[Decision]:
    written = [each for batch in it.store.commits.seen for each in (*batch.exchanges, *batch.closings)]
    return [each.decision for each in written if each.message.id == number and each.decision is not None]


async def test_a_message_that_can_neither_be_answered_nor_given_up_is_written_down_and_settled() -> None:
    async with desk(conversation=FakeConversation({1: Pending(broken, broken)})) as it:
        it.arrive(1)
        assert await journalled(it) == NOTHING_SAID
        assert it.settled.seen == [(1, Settlement.DURABLE)]
        assert not it.channel.sent.seen


async def test_one_that_was_acknowledged_before_it_failed_is_closed() -> None:
    fail = asyncio.Event()

    async def finish() -> NoReturn:
        await fail.wait()
        await broken()

    async with desk(conversation=FakeConversation({1: Pending(finish, broken)})) as it:
        it.arrive(1)
        await it.settled.reach(1)
        fail.set()
        assert await journalled(it) == NOTHING_SAID
        assert it.store.closed == {1}
        assert it.settled.seen == [(1, Settlement.DURABLE)]


async def test_one_whose_source_never_answers_is_closed_though_giving_up_fails() -> None:
    never = Pending(waiting_for(asyncio.Event()).finish, broken)
    async with desk(conversation=FakeConversation({1: never}), source_down_after=0.1) as it:
        it.arrive(1)
        assert await journalled(it) == NOTHING_SAID
        assert it.store.closed == {1}
        assert it.settled.seen == [(1, Settlement.DURABLE)]


@pytest.mark.parametrize("trouble", [Pending(broken, broken), RuntimeError("a bug of ours")])
async def test_one_that_was_taken_over_is_closed(trouble: Pending | Exception) -> None:
    store = FakeStore()
    store.left_open = [question(5)]
    async with running(FakeChannel(), store, FakeConversation({5: trouble})) as it:
        assert (await journalled(it, 5)).inquiry == KIND
        assert store.closed == {5}
        assert not it.settled.seen


async def test_one_left_open_on_an_account_that_is_gone_is_closed_and_stops_nobody() -> None:
    store = FakeStore()
    store.left_open = [replace(question(5), account="gone")]
    async with running(FakeChannel(), store, FakeConversation()) as it:
        await it.store.commits.reach(1)
        it.arrive(6)
        await it.channel.sent.reach(1)
        assert await journalled(it, 5) == NOTHING_SAID


async def test_however_many_fail_the_next_is_answered_and_the_drain_ends() -> None:
    failing = FakeConversation({number: Pending(broken, broken) for number in range(1, 6)})
    async with desk(conversation=failing, most_in_flight=5) as it:
        it.arrive(1, 2, 3, 4, 5)
        assert {settlement for _, settlement in await it.settled.reach(5)} == {Settlement.DURABLE}
        it.arrive(6)
        assert (await it.settled.reach(6))[5] == (6, Settlement.DURABLE)
        async with asyncio.timeout(60):
            await it.dispatcher.drain()
        assert it.dispatcher.in_flight == 0


async def test_a_look_up_that_was_cancelled_by_somebody_else_is_told_as_down() -> None:
    async def finish() -> NoReturn:
        raise asyncio.CancelledError

    given_up = waiting_for(asyncio.Event()).give_up
    async with desk(conversation=FakeConversation({1: Pending(finish, given_up)})) as it:
        it.arrive(1)
        assert (await journalled(it)).outcome is Outcome.SOURCE_DOWN
        assert it.settled.seen == [(1, Settlement.DURABLE)]


async def test_a_message_under_way_at_the_end_is_not_acknowledged() -> None:
    async with desk(conversation=FakeConversation({1: Pending(broken, waiting_for(asyncio.Event()).finish)})) as it:
        it.arrive(1, 2)
        await it.settled.reach(1)
    assert it.settled.seen == [(2, Settlement.DURABLE)]


async def test_one_that_cannot_be_begun_is_apologised_for_and_its_neighbours_answered() -> None:
    sorry = Decision(inquiry=KIND, text="xin gui lai")
    talk = FakeConversation({2: RuntimeError("a bug of ours")}, apologies={2: sorry})
    async with desk(conversation=talk) as it:
        it.arrive(1, 2, 3)
        sent = await it.channel.sent.reach(3)
        assert {message.inbound_id: message.text for message in sent} == {1: REPLY.text, 2: sorry.text, 3: REPLY.text}


async def test_one_that_cannot_even_be_apologised_for_is_written_down_and_settled() -> None:
    bug = RuntimeError("a bug of ours")
    async with desk(conversation=FakeConversation({1: bug}, apologies={1: bug})) as it:
        it.arrive(1)
        assert await journalled(it) == NOTHING_SAID
        assert it.settled.seen == [(1, Settlement.DURABLE)]


# ---- the conversation


class Stumbling(ReplyWriter):
    """Cannot tell one dossier, and of the other texts those in `unsaid`."""

    unsaid: Collection[str] = ()

    def dossier_answers(self, answers: Sequence[DossierAnswer], voice: Voice, *, more: bool = False) -> str:
        if any(answer.code.text == BROKEN for answer in answers):
            raise RuntimeError("a bug of ours")
        return super().dossier_answers(answers, voice, more=more)

    def say(self, key: str, voice: Voice, **params: object) -> str:
        if key in self.unsaid:
            raise RuntimeError("a bug of ours")
        return super().say(key, voice, **params)


class BrittleLookUps(FakeLookUps):
    """The cache cannot be read for one dossier, nor whatever is asked together with it."""

    async def cached(
        self, codes: Sequence[DossierCode], *, proving: Collection[DossierCode] = ()
    ) -> Mapping[DossierCode, DossierAnswer]:
        return self._unless_broken(codes, await super().cached(codes, proving=proving))

    async def find(
        self, codes: Sequence[DossierCode], *, proving: Collection[DossierCode] = ()
    ) -> Mapping[DossierCode, DossierAnswer]:
        return self._unless_broken(codes, await super().find(codes, proving=proving))

    async def last_known(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, DossierAnswer]:
        return self._unless_broken(codes, await super().last_known(codes))

    @staticmethod
    def _unless_broken(
        codes: Sequence[DossierCode], found: Mapping[DossierCode, DossierAnswer]
    ) -> Mapping[DossierCode, DossierAnswer]:
        if any(code.text == BROKEN for code in codes):
            raise RuntimeError("a bug of ours")
        return found


class BrittlePeople(FakePeople):
    """The rows of some cannot be read, nor whatever is read together with them."""

    unreadable: Collection[Address] = ()

    async def get(self, addresses: Sequence[Address]) -> Mapping[Address, Person]:
        if any(address in self.unreadable for address in addresses):
            raise ValueError("what stands there is not known here")
        return await super().get(addresses)


class Town:
    """A conversation about three dossiers, one of which cannot be told, with budgets that run out."""

    def __init__(self, *, lookups: FakeLookUps | None = None, **limits: Any) -> None:
        self.lookups = lookups or FakeLookUps()
        self.lookups.known = {text: dossier(DossierCode(text=text)) for text in (CODE, OTHER, BROKEN)}
        self.people = BrittlePeople()
        self.writer = Stumbling(
            Catalogue.from_mapping(shipped_texts()), Agencies.from_mapping(shipped_agencies()), stale_after=STALE_AFTER
        )
        self.conversation = Conversation(
            lookups=self.lookups,
            people=self.people,
            guards=Guards(MemoryBudgets(lambda: 0.0), GuardSettings(**limits)),
            writer=self.writer,
            grammar=shipped_grammar(),
            clock=lambda: NOW,
            settings=ConversationSettings(),
        )

    async def begin(self, *messages: InboundMessage) -> list[Decision | Pending]:
        return await self.conversation.begin(messages, SHAPES)

    async def hear(self, *texts: str) -> list[Decision]:
        """One message each, of different people, heard together."""
        begun = await self.begin(*(question(number, text) for number, text in enumerate(texts, start=1)))
        return [each if isinstance(each, Decision) else await settled(each) for each in begun]


async def settled(pending: Pending) -> Decision:
    """As the dispatcher does it."""
    try:
        return await pending.finish()
    except (RuntimeError, ZeroDivisionError):
        return await pending.give_up()


TWO_REPLIES: Mapping[str, Any] = {"replies": (Limit(2, 3600.0),)}


async def test_one_dossier_that_cannot_be_told_costs_its_neighbours_one_reply_each() -> None:
    town = Town(**TWO_REPLIES)
    first, failed, last = await town.hear(CODE, BROKEN, OTHER)
    assert [first.outcome, last.outcome] == [Outcome.FOUND] * 2
    assert (failed.inquiry, failed.muted) == (KIND, False)
    assert LATER in (failed.text or "")
    for outcome in (Outcome.FOUND, Outcome.REFUSED):
        again = await town.hear(CODE, CODE, CODE)
        assert [each.outcome for each in again] == [outcome] * 3


async def test_a_dossier_that_cannot_be_told_later_either_is_answered_in_the_language_of_who_asked() -> None:
    town = Town()
    town.lookups.slow = {BROKEN}
    asker = question(1).sender
    town.people.persons[asker] = Person(address=asker, language="en")
    (decision,) = await town.hear(BROKEN)
    assert decision.inquiry == KIND
    assert "Try again in some minutes" in (decision.text or "")


async def test_a_cache_that_breaks_over_one_dossier_breaks_for_nobody_else() -> None:
    town = Town(lookups=BrittleLookUps())
    first, failed, helped = await town.hear(CODE, BROKEN, "HELP")
    assert (first.outcome, failed.inquiry, helped.inquiry) == (Outcome.FOUND, KIND, "help")
    assert LATER in (failed.text or "")


@pytest.mark.parametrize("padding", ["", " " + "a" * 60])
async def test_a_text_that_cannot_be_read_is_answered_and_so_are_its_neighbours(
    monkeypatch: pytest.MonkeyPatch, padding: str
) -> None:
    town = Town(**TWO_REPLIES)
    read = town.conversation._read

    def brittle(text: str, *rest: Any) -> Any:
        if text.startswith("xyz"):
            raise RuntimeError("a bug of ours")
        return read(text, *rest)

    monkeypatch.setattr(town.conversation, "_read", brittle)
    for _ in range(2):
        first, failed = await town.hear(CODE, f"xyz{padding}")
        assert (first.outcome, failed.inquiry) == (Outcome.FOUND, KIND)
        assert LATER in (failed.text or "")
    assert [each.outcome for each in await town.hear(CODE, f"xyz{padding}")] == [Outcome.REFUSED] * 2


async def test_an_open_question_stays_open_so_that_the_same_words_mean_the_same_again() -> None:
    town = Town()
    asker = question(1).sender
    asked = PendingQuestion(
        codes=(DossierCode(text=BROKEN).reference, DossierCode(text=CODE).reference),
        wish="look_up",
        expires_at=NOW + timedelta(minutes=5),
    )
    town.people.persons[asker] = Person(address=asker, pending=asked)
    (failed,) = await town.hear("1")
    assert (failed.inquiry, failed.person) == (KIND, None)


async def test_who_is_refused_is_not_told_sorry_either() -> None:
    town = Town(replies=(Limit(0, 60.0),))
    town.writer.unsaid = {"budget_spent"}
    (decision,) = await town.hear(CODE)
    assert decision == Decision(inquiry=KIND, outcome=Outcome.REFUSED, muted=True)


async def test_nor_are_strangers_beyond_the_ceiling_who_have_their_reply_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversation.judging.Judge.judge", lambda *_: 1 / 0)
    town = Town(replies=(Limit(2, 3600.0),), all_replies=(Limit(0, 60.0),))
    town.lookups.slow = {OTHER}
    for text in (CODE, CODE, CODE, OTHER, OTHER, OTHER):  # more often than their own replies would allow
        (decision,) = await town.hear(text)
        assert decision == Decision(inquiry=KIND, outcome=Outcome.REFUSED, muted=True)


async def test_nothing_is_sent_to_who_blocked_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversation.answer.blocked", lambda _: 1 / 0)
    asked = replace(question(1, ""), event=ChatEvent.BLOCKED)
    assert await Town().begin(asked) == [NOTHING_SAID]


async def test_where_not_even_that_can_be_said_it_is_silence_by_name() -> None:
    town = Town()
    town.writer.unsaid = {"try_later"}
    first, failed = await town.hear(CODE, BROKEN)
    assert (first.outcome, failed) == (Outcome.FOUND, NOTHING_SAID)


async def test_who_cannot_be_known_is_apologised_to_as_a_stranger() -> None:
    town = Town(**TWO_REPLIES)
    culprit = question(2, CODE)
    town.people.unreadable = {culprit.sender}
    for _ in range(2):
        said = await town.conversation.apologise(culprit, SHAPES)
        assert isinstance(said, Decision)
        assert LATER in (said.text or "")
    refused = await town.conversation.apologise(culprit, SHAPES)
    assert isinstance(refused, Decision)
    assert refused.outcome is Outcome.REFUSED


async def test_a_store_that_is_away_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    town = Town()

    async def away(_: object) -> NoReturn:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(town.people, "get", away)
    with pytest.raises(StoreUnavailable):
        await town.hear(CODE)


# ---- both


async def test_of_a_batch_with_two_that_fail_everybody_is_answered_and_charged_once() -> None:
    town = Town(**TWO_REPLIES)
    town.people.unreadable = {question(3).sender}
    async with running(FakeChannel(), FakeStore(), cast("FakeConversation", town.conversation)) as it:
        for turn in range(2):
            for number, text in enumerate((CODE, BROKEN, CODE, OTHER), start=1):
                it.dispatcher.arrive(Arrival(question(number, text), it._settle(number)))
            sent = (await it.channel.sent.reach(4 * turn + 4))[4 * turn :]
            sorry = {message.inbound_id: LATER in message.text for message in sent}
            assert sorry == {1: False, 2: True, 3: True, 4: False}
        assert {settlement for _, settlement in it.settled.seen} == {Settlement.DURABLE}
