"""The conversation's manners, with the texts, the grammar and the agencies as they are shipped."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import count
from typing import NoReturn

import pytest

from adapters.memory.budgets import MemoryBudgets
from conversation.answer import Conversation, ConversationSettings, Offers, Pending, Shape
from conversation.guards import Guards, GuardSettings
from conversation.ports import Decision, Following, FollowWish, Limit, Person, Recollection
from conversation.questions import Questions
from domain.answers import DossierAnswer, Outcome
from domain.codes import DossierCode, LegacyPattern
from domain.dossier import Dossier, DossierStatus
from domain.grammar import Grammar
from domain.gsm import segments_needed
from domain.message import Address, Capabilities, InboundMessage
from domain.procedure import Procedure
from domain.questions import Question, QuestionAnswer
from tests.unit.speaking import CONFIG, NOW, shipped_writer

CODE = "H51.18-250701-0005"
OTHER = "H51.29.18-250701-0004"
MOTHER = Address("sms", "84912345678")


def dossier(code: DossierCode, status: DossierStatus | None = DossierStatus.IN_PROCESS) -> Dossier:
    return Dossier(
        code=code, source="hoso", status=status, agency="H51.18", unit="Phòng Đất đai", procedure="Cấp sổ đỏ cho ông A"
    )


class FakeLookUps:
    """Knows some codes; what is in `slow` is not in the cache."""

    def __init__(self) -> None:
        self.known: dict[str, Dossier] = {}
        self.slow: set[str] = set()
        self.asked: list[str] = []
        self.codes: list[DossierCode] = []
        self.down = False

    async def cached(
        self, codes: Sequence[DossierCode], *, proving: Collection[DossierCode] = ()
    ) -> Mapping[DossierCode, DossierAnswer]:
        return {code: self._answer(code) for code in codes if code.text not in self.slow}

    async def find(
        self, codes: Sequence[DossierCode], *, proving: Collection[DossierCode] = ()
    ) -> Mapping[DossierCode, DossierAnswer]:
        self.asked += [code.text for code in codes]
        self.codes += codes
        return {code: self._answer(code) for code in codes}

    async def last_known(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, DossierAnswer]:
        known = {code: self._answer(code) for code in codes}
        return {code: replace(answer, outcome=Outcome.SOURCE_DOWN) for code, answer in known.items()}

    def _answer(self, code: DossierCode) -> DossierAnswer:
        if self.down:
            return DossierAnswer(code=code, outcome=Outcome.SOURCE_DOWN)
        found = self.known.get(code.text)
        if found is None:
            return DossierAnswer(code=code, outcome=Outcome.NOT_FOUND, as_of=NOW)
        return DossierAnswer(code=code, outcome=Outcome.FOUND, dossier=replace(found, code=code), as_of=NOW)


class FakePeople:
    def __init__(self) -> None:
        self.persons: dict[Address, Person] = {}
        self.memory = Recollection()
        self.followings: dict[Address, list[Following]] = {}
        self._numbers = count(1)

    async def get(self, addresses: Sequence[Address]) -> Mapping[Address, Person]:
        return {address: self.persons[address] for address in addresses if address in self.persons}

    async def recall(self, address: Address) -> Recollection:
        return self.memory

    async def following(self, address: Address, limit: int) -> Sequence[Following]:
        return self.followings.get(address, [])[:limit]

    def remember(self, address: Address, decision: Decision) -> None:
        """As the journal writes it."""
        if decision.person is not None:
            self.persons[address] = decision.person
        for change in decision.follows:
            kept = [each for each in self.followings.get(address, []) if each.code != change.code]
            if change.wish is FollowWish.FOLLOW and change.code is not None:
                kept.insert(0, Following(code=change.code, since=NOW))
            self.followings[address] = kept

    async def next_feedback_number(self) -> int:
        return next(self._numbers)


class FakeCatalogue:
    """Two procedures; of "ket hon" both are meant."""

    def __init__(self) -> None:
        self.known = [
            Procedure(
                code=code, names={"vi": name}, where={"vi": "UBND xã"}, fee={"vi": "Không"}, days=3, keywords=(words,)
            )
            for code, name, words in (
                ("1.000894", "Đăng ký kết hôn", "ket hon"),
                ("2.000806", "Đăng ký kết hôn có yếu tố nước ngoài", "ket hon nuoc ngoai"),
            )
        ]

    def search(self, words: str, *, today: date, limit: int = 4) -> Sequence[Procedure]:
        return [each for each in self.known if words in (*each.keywords, each.code) or words in each.keywords[0]]

    def get(self, code: str, *, today: date) -> Procedure | None:
        return next((each for each in self.known if each.code == code), None)


@dataclass
class Talk:
    """A conversation in which what is decided is remembered, as the journal would."""

    lookups: FakeLookUps = field(default_factory=FakeLookUps)
    people: FakePeople = field(default_factory=FakePeople)
    guards: Guards = field(default_factory=lambda: guards(100))
    now: datetime = NOW
    procedures: FakeCatalogue | None = None
    legacy: Sequence[LegacyPattern] = ()

    def __post_init__(self) -> None:
        self.lookups.known = {
            text: dossier(DossierCode(text=text)) for text in (CODE, OTHER, "H51.18-250701-0006", "H5.11-250701-0001")
        }
        grammar = Grammar.from_mapping(tomllib.loads((CONFIG / "grammar.toml").read_text(encoding="utf-8")))
        self.conversation = Conversation(
            lookups=self.lookups,
            people=self.people,
            guards=self.guards,
            writer=shipped_writer(),
            grammar=grammar,
            clock=lambda: self.now,
            settings=ConversationSettings(),
            offers=Offers(procedures=self.procedures),
            legacy=self.legacy,
        )
        self.questions = Questions(lookups=self.lookups, guards=self.guards, clock=lambda: self.now, legacy=self.legacy)

    async def say(self, text: str, sender: Address = MOTHER) -> Decision:
        message = InboundMessage(
            id=1,
            channel="sms",
            account="main",
            sender=sender,
            recipient=Address("sms", "8100"),
            text=text,
            received_at=NOW,
        )
        shapes = {"main": Shape(Capabilities(accents=False), lambda said: segments_needed(said)[1] <= 2)}
        (decision,) = await self.conversation.begin([message], shapes)
        if isinstance(decision, Pending):
            decision = await decision.finish()
        self.people.remember(sender, decision)
        return decision

    async def told(self, text: str) -> str:
        return (await self.say(text)).text or ""


def guards(replies: int) -> Guards:
    limits = (Limit(replies, 600.0),)
    settings = GuardSettings(replies=limits, questions_per_address=limits, own_numbers=frozenset({"84888000111"}))
    return Guards(MemoryBudgets(lambda: 0.0), settings)


async def test_an_outage_is_never_told_as_not_found() -> None:
    talk = Talk()
    talk.lookups.down = True
    decision = await talk.say(CODE)
    assert decision.outcome is Outcome.SOURCE_DOWN
    assert "gian doan" in (decision.text or "")


async def test_an_unknown_code_is_answered_not_dropped() -> None:
    decision = await Talk().say("H51.18-250701-4321")
    assert decision.outcome is Outcome.NOT_FOUND
    assert "H51.18-250701-4321" in (decision.text or "")


async def test_only_the_public_tier_is_told() -> None:
    talk = Talk()
    told = await talk.told(CODE)
    assert "dang xu ly" in told
    assert "Dat dai" not in told
    assert "so do" not in told
    ((answer, _),) = await talk.questions.ask([Question(text=CODE, asker=Address("web", "203.0.113.9"))])
    assert isinstance(answer, QuestionAnswer)
    assert answer.answer is not None
    assert answer.answer.dossier is not None
    assert (answer.answer.dossier.unit, answer.answer.dossier.procedure) == ("", "")


@pytest.mark.parametrize(
    "sender",
    [
        "8088",
        "VIETTEL",
        "unknown",
        "191",
        "19001",
        "84888000111",
        "+84912345678",
        "84912345678901234",
        "８４９１２３４５",
    ],
)
async def test_short_alphabetic_and_own_numbers_get_no_reply(sender: str) -> None:
    decision = await Talk().say(CODE, Address("sms", sender))
    assert decision.text is None
    assert decision.muted


@pytest.mark.parametrize("sender", ["84912345678", "66812345678", "842373852111"])
async def test_a_person_gets_a_reply(sender: str) -> None:
    assert (await Talk().say(CODE, Address("sms", sender))).text


async def test_the_first_refusal_is_answered_later_ones_are_silent() -> None:
    talk = Talk(guards=guards(2))
    replies = [await talk.say(CODE) for _ in range(5)]
    assert [reply.outcome for reply in replies[:2]] == [Outcome.FOUND, Outcome.FOUND]
    assert "qua so lan cho phep" in (replies[2].text or "")
    assert [(reply.text, reply.muted) for reply in replies[3:]] == [(None, True), (None, True)]


async def test_a_refused_sender_costs_no_look_up() -> None:
    talk = Talk(guards=guards(1))
    talk.lookups.slow = {CODE}
    await talk.say(CODE)
    await talk.say(CODE)
    assert talk.lookups.asked == [CODE]


def read_by_nobody(*_: object, **__: object) -> NoReturn:
    raise AssertionError("it was read")


async def test_a_long_text_of_a_refused_sender_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Talk(guards=guards(1))
    await talk.say("HELP")
    monkeypatch.setattr("conversation.answer.read_inquiry", read_by_nobody)
    for sender in (MOTHER, Address("sms", "VIETTEL")):
        refused = await talk.say(CODE * 10, sender)
        assert refused.outcome is Outcome.REFUSED


async def test_a_long_text_costs_one_reply() -> None:
    talk = Talk(guards=guards(2))
    words = "cho em hoi ho so cua me em den dau roi a, em cam on"
    assert (await talk.say(f"{words} {CODE}")).outcome is Outcome.FOUND
    assert (await talk.say(words * 3)).outcome is not Outcome.REFUSED
    assert (await talk.say("HELP")).outcome is Outcome.REFUSED


async def test_a_question_of_a_refused_address_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Talk(guards=guards(1))
    question = Question(text="ho so h51.18 250701 0005", asker=Address("web", "203.0.113.9"))
    await talk.questions.ask([question])
    monkeypatch.setattr("conversation.questions.read_codes", read_by_nobody)
    assert (await talk.questions.ask([question]))[0].answer == QuestionAnswer(outcome=Outcome.REFUSED)


async def test_a_question_longer_than_any_code_with_its_words_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversation.questions.read_codes", read_by_nobody)
    question = Question(text=f"{'ho so ' * 40} {CODE}", asker=Address("web", "203.0.113.9"))
    ((answer, _),) = await Talk().questions.ask([question])
    assert answer == QuestionAnswer(outcome=Outcome.UNREADABLE, reason="no_code")


async def test_web_questions_typed_in_any_form_cost_one_each_and_keep_their_order() -> None:
    talk = Talk(guards=guards(4))
    asker = Address("web", "203.0.113.9")
    texts = [CODE.lower(), CODE, "xin chao", f" {CODE} ", OTHER]
    answers = await talk.questions.ask([Question(text=text, asker=asker) for text in texts])
    told = [answer if isinstance(answer, QuestionAnswer) else await answer for answer, _ in answers]
    assert sorted(answer.outcome for answer in told) == ["found", "found", "found", "refused", "unreadable"]
    assert told[2].outcome is Outcome.UNREADABLE


async def test_a_wish_to_be_left_alone_is_honoured_even_when_we_may_not_say_so() -> None:
    talk = Talk(guards=guards(1))
    await talk.say(CODE)
    for _ in range(2):
        await talk.say("DUNG")
    assert talk.people.persons[MOTHER].stopped_at == NOW


async def test_what_was_not_written_costs_nothing() -> None:
    talk = Talk(guards=guards(1))
    await talk.say(CODE)
    await talk.conversation.refund([MOTHER])
    assert (await talk.say(CODE)).outcome is Outcome.FOUND


async def test_two_readings_are_asked_back_and_the_choice_is_understood() -> None:
    talk = Talk()
    asked = await talk.say("h512918 250701 0004")
    assert asked.inquiry == "ask_back"
    pending = talk.people.persons[MOTHER].pending
    assert pending is not None
    assert all(code in (asked.text or "") for code in pending.codes)
    chosen = await talk.say("1")
    assert chosen.dossier_code == pending.codes[0]
    assert talk.people.persons[MOTHER].pending is None


async def test_a_choice_outside_the_question_is_asked_again() -> None:
    talk = Talk()
    first = await talk.told("h512918 250701 0004")
    assert await talk.told("9") == first


async def test_a_choice_after_the_question_closed_says_so() -> None:
    talk = Talk()
    await talk.say("h512918 250701 0004")
    talk.now = NOW + timedelta(minutes=11)
    assert "het han" in await talk.told("1")


async def test_a_bare_number_without_a_question_is_unreadable() -> None:
    decision = await Talk().say("1")
    assert decision.outcome is Outcome.UNREADABLE


async def test_dung_while_a_choice_is_open_asks_again_since_it_may_mean_right() -> None:
    talk = Talk()
    first = await talk.told("h512918 250701 0004")
    assert await talk.told("dung") == first
    assert talk.people.persons[MOTHER].stopped_at is None


async def test_another_message_closes_an_open_question() -> None:
    talk = Talk()
    await talk.say("h512918 250701 0004")
    await talk.say("HELP")
    assert talk.people.persons[MOTHER].pending is None


async def test_thanks_after_an_answer_gets_silence() -> None:
    talk = Talk()
    talk.people.memory = Recollection(last_answered_at=NOW - timedelta(minutes=1))
    assert (await talk.say("cảm ơn")).text is None


async def test_thanks_out_of_nowhere_and_a_first_hello_get_help() -> None:
    talk = Talk()
    assert await talk.told("ok") == await talk.told("alo") == await talk.told("HELP")


async def test_two_codes_are_answered_in_one_reply_and_the_third_is_asked_for() -> None:
    told = await Talk().told(f"{CODE} {OTHER} H51.18-250701-0006")
    assert CODE in told
    assert OTHER in told
    assert "gui rieng" in told


async def test_the_example_explains_itself() -> None:
    decision = await Talk().say("H51.18-250701-0000")
    assert "vi du" in (decision.text or "")
    assert decision.outcome is None


async def test_feedback_gets_a_number_and_is_kept() -> None:
    decision = await Talk().say("GY cán bộ rất nhiệt tình")
    assert decision.feedback is not None
    assert (decision.feedback.number, decision.feedback.text) == (1, "cán bộ rất nhiệt tình")
    assert "so 1" in (decision.text or "")


async def test_the_word_for_feedback_alone_is_told_how_it_is_given() -> None:
    decision = await Talk().say("GY")
    assert decision.feedback is None
    assert "GY xin them ghe" in (decision.text or "")


async def test_feedback_while_the_store_is_slow_is_not_said_to_be_kept() -> None:
    talk = Talk()
    message = InboundMessage(
        id=1, channel="sms", account="main", sender=MOTHER, recipient=MOTHER, text="GY nhanh lên", received_at=NOW
    )
    shapes = {"main": Shape(Capabilities(accents=False), lambda _: True)}
    (pending,) = await talk.conversation.begin([message], shapes)
    assert isinstance(pending, Pending)
    assert (await pending.give_up()).feedback is None
    assert "gui lai" in ((await pending.give_up()).text or "")


async def test_words_that_come_later_are_told_what_works_today() -> None:
    assert "Hien co" in await Talk().told("TT khai sinh")


async def test_stop_and_resume_are_remembered() -> None:
    talk = Talk()
    await talk.say("DUNG")
    assert talk.people.persons[MOTHER].stopped_at == NOW
    await talk.say("BAT")
    assert talk.people.persons[MOTHER].stopped_at is None


async def test_language_and_accents_are_chosen_per_person() -> None:
    talk = Talk()
    assert "English" in await talk.told("EN")
    assert "in process" in (await talk.told(CODE)).lower() or "being processed" in (await talk.told(CODE)).lower()
    await talk.say("VI")
    await talk.say("có dấu")
    assert "đang xử lý" in await talk.told(CODE)


async def test_a_language_without_texts_is_refused_by_name_of_those_there_are() -> None:
    assert "VI" in await Talk().told("KM")


async def test_a_slow_source_is_given_up_as_down_not_as_not_found() -> None:
    talk = Talk()
    talk.lookups.slow = {CODE}
    message = InboundMessage(
        id=1, channel="sms", account="main", sender=MOTHER, recipient=MOTHER, text=CODE, received_at=NOW
    )
    shapes = {"main": Shape(Capabilities(accents=False), lambda _: True)}
    (pending,) = await talk.conversation.begin([message], shapes)
    assert isinstance(pending, Pending)
    given_up = await pending.give_up()
    assert given_up.outcome is Outcome.SOURCE_DOWN
    assert "luc 14:30" in (given_up.text or "")  # the last known state, with its time


async def test_a_dossier_that_changed_is_told_anew_within_the_minute() -> None:
    talk = Talk()
    before = await talk.told(CODE)
    talk.lookups.known[CODE] = dossier(DossierCode(text=CODE), DossierStatus.DONE)
    assert await talk.told(CODE) != before


async def test_web_questions_have_their_own_budget_and_outcomes() -> None:
    talk = Talk(guards=guards(3))
    asker = Address("web", "203.0.113.9")
    texts = [CODE, "nothing here", "H51.18-250701-0000", CODE]
    answers = await talk.questions.ask([Question(text=text, asker=asker) for text in texts])
    told = [answer if isinstance(answer, QuestionAnswer) else await answer for answer, _ in answers]
    assert [answer.outcome for answer in told] == [
        Outcome.FOUND,
        Outcome.UNREADABLE,
        Outcome.UNREADABLE,
        Outcome.REFUSED,
    ]
    assert told[2].reason == "example"


async def test_a_web_question_that_must_wait_keeps_nobody_else_waiting() -> None:
    talk = Talk()
    talk.lookups.slow = {OTHER}
    asker = Address("web", "203.0.113.9")
    both = await talk.questions.ask([Question(text=CODE, asker=asker), Question(text=OTHER, asker=asker)])
    ready, waiting = (asked.answer for asked in both)
    assert isinstance(ready, QuestionAnswer)
    assert not isinstance(waiting, QuestionAnswer)
    assert (await asyncio.wait_for(waiting, 60)).outcome is Outcome.FOUND


async def test_what_is_no_text_at_all_is_told_so() -> None:
    talk = Talk()
    picture = InboundMessage(
        id=1, channel="sms", account="main", sender=MOTHER, recipient=MOTHER, text="", raw=b"\x89PNG", received_at=NOW
    )
    shapes = {"main": Shape(Capabilities(accents=False), lambda _: True)}
    (decision,) = await talk.conversation.begin([picture], shapes)
    assert isinstance(decision, Decision)
    assert "chi doc duoc tin chu" in (decision.text or "")


async def test_unsubscribe_stops_everything() -> None:
    talk = Talk()
    await talk.say("UNSUBSCRIBE")
    assert talk.people.persons[MOTHER].stopped_at == NOW


# ---- procedures


async def test_a_procedure_that_is_clear_is_told() -> None:
    decision = await Talk(procedures=FakeCatalogue()).say("TT ket hon nuoc ngoai")
    assert decision.outcome is Outcome.FOUND
    assert (decision.text or "").startswith("Dang ky ket hon co yeu to nuoc ngoai")


async def test_several_procedures_are_asked_back_and_the_choice_is_understood() -> None:
    talk = Talk(procedures=FakeCatalogue())
    asked = await talk.say("TT ket hon")
    assert (asked.inquiry, asked.outcome) == ("ask_back", Outcome.UNREADABLE)
    assert await talk.told("7") == asked.text
    chosen = await talk.say("2")
    assert (chosen.inquiry, chosen.outcome) == ("find_procedure", Outcome.FOUND)
    assert "nuoc ngoai" in (chosen.text or "")
    assert talk.people.persons[MOTHER].pending is None


async def test_a_procedure_nobody_has_is_told_so() -> None:
    decision = await Talk(procedures=FakeCatalogue()).say("TT nuoi voi")
    assert decision.outcome is Outcome.NOT_FOUND
    assert decision.text


async def test_a_procedure_that_ended_while_it_was_asked_about_is_not_told() -> None:
    catalogue = FakeCatalogue()
    talk = Talk(procedures=catalogue)
    await talk.say("TT ket hon")
    catalogue.known.clear()
    assert (await talk.say("1")).outcome is Outcome.NOT_FOUND


async def test_dung_while_a_procedure_is_chosen_asks_again() -> None:
    talk = Talk(procedures=FakeCatalogue())
    first = await talk.told("TT ket hon")
    assert await talk.told("dung") == first


# ---- receipt numbers from before


async def test_a_number_of_two_agencies_is_asked_back_and_the_chosen_agency_answers() -> None:
    talk = Talk(legacy=[LegacyPattern(agency, "#####/####/#####") for agency in ("H51.18", "H51.29.18")])
    asked = await talk.say("12345/2016/00123")
    assert asked.inquiry == "ask_back"
    talk.lookups.slow = {"12345/2016/00123"}
    chosen = await talk.say("2")
    assert chosen.dossier_code == "H51.29.18:12345/2016/00123"  # "DK" alone would mean this one
    assert [code.agency for code in talk.lookups.codes] == ["H51.29.18"]


async def test_on_the_web_the_candidates_of_a_number_of_two_agencies_read_back() -> None:
    agencies = ("H51.18", "H51.29.18")
    talk = Talk(legacy=[LegacyPattern(agency, "#####/####/#####", names=(agency,)) for agency in agencies])
    asker = Address("web", "203.0.113.9")
    ((which, _),) = await talk.questions.ask([Question(text="12345/2016/00123", asker=asker)])
    assert isinstance(which, QuestionAnswer)
    assert which.candidates == tuple(f"{agency}:12345/2016/00123" for agency in agencies)
    for candidate, agency in zip(which.candidates, agencies, strict=True):
        ((answer, _),) = await talk.questions.ask([Question(text=candidate, asker=asker)])
        told = answer if isinstance(answer, QuestionAnswer) else await answer
        assert told.answer is not None
        assert told.answer.code.agency == agency
