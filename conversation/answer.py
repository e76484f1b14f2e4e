"""Inquiry -> use case -> decision: what is said to one person about one message, whatever the channel.

`begin` decides over a batch everything that needs no waiting; what must wait (a one-stop system, the store) comes back
as `Pending`, so that a hanging agency holds up its own askers only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from conversation.guards import Guards
from conversation.ports import Decision, FeedbackNote, LookUps, PendingQuestion, People, Person, Verdict
from conversation.retold import Retold
from domain import inquiry as wishes
from domain.answers import DossierAnswer, Outcome
from domain.calendar import local_day
from domain.codes import DossierCode, LegacyPattern, read_codes
from domain.grammar import Grammar
from domain.inquiry import Inquiry, read_inquiry
from domain.message import Address, Capabilities, InboundMessage
from domain.replies import ReplyWriter, Voice
from lookup.disclosure import Tier, disclose

# Wishes that one text answers; those whose use case comes later are told what works today.
FIXED_REPLIES: Mapping[type, str] = {
    wishes.Help: "help",
    wishes.Example: "example",
    wishes.Follow: "follow_not_yet",
    wishes.Unfollow: "follow_not_yet",
    wishes.FindProcedure: "not_yet",
}

NOT_TEXT = "unsupported"

# What each kind of wish changes about a person; any message closes an open question.
QUESTION_CHANGES = frozenset({"pending"})
STOP_CHANGES = frozenset({"stopped_at", "pending"})
LANGUAGE_CHANGES = frozenset({"language", "accents", "pending"})
LATER_WISHES = {"follow": "follow_not_yet", "unfollow": "follow_not_yet"}  # chosen by "1" or "2"

LANGUAGE_REPLIES: Mapping[bool | None, str] = {None: "language_chosen", True: "accents_on", False: "accents_off"}


@dataclass(frozen=True, slots=True)
class Shape:
    """How a channel shows a reply."""

    capabilities: Capabilities
    fits: Callable[[str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationSettings:
    language: str = "vi"
    codes_per_reply: int = 2
    question_open_for: timedelta = timedelta(minutes=10)
    thanks_within: timedelta = timedelta(hours=24)  # courtesy after an answer is silence; alone it is a first hello


@dataclass(frozen=True, slots=True)
class Pending:
    """A decision that needs waiting. `give_up` is what to say when it took too long."""

    finish: Callable[[], Awaitable[Decision]]
    give_up: Callable[[], Awaitable[Decision]]


@dataclass(slots=True)
class _Case:
    """One message on its way to a decision."""

    message: InboundMessage
    person: Person
    voice: Voice
    now: datetime
    cached: Mapping[DossierCode, DossierAnswer]


@dataclass(slots=True)
class _Heard:
    """A message with what it means; `verdict` is the guards' word on a reply."""

    message: InboundMessage
    inquiry: Inquiry
    verdict: Verdict


class Conversation:
    """The one conversation of all channels. What must be remembered travels in the decisions."""

    def __init__(
        self,
        *,
        lookups: LookUps,
        people: People,
        guards: Guards,
        writer: ReplyWriter,
        grammar: Grammar,
        clock: Callable[[], datetime],
        settings: ConversationSettings,
        legacy: Sequence[LegacyPattern] = (),
    ) -> None:
        self._lookups = lookups
        self._people = people
        self._guards = guards
        self._writer = writer
        self._grammar = grammar
        self._clock = clock
        self._settings = settings
        self._legacy = tuple(legacy)
        self._retold = Retold()
        self._uses: dict[type, Callable[[_Case, Any], Decision | Pending]] = {
            wishes.LookUp: self._look_up,
            wishes.AskBack: self._ask_back,
            wishes.Choice: self._choose,
            wishes.StopAll: self._stop_all,
            wishes.Resume: self._resume,
            wishes.ChooseLanguage: self._choose_language,
            wishes.Feedback: self._feedback,
            wishes.Thanks: self._thanks,
            wishes.Unreadable: self._unreadable,
        }

    async def begin(self, messages: Sequence[InboundMessage], shapes: Mapping[str, Shape]) -> list[Decision | Pending]:
        """One decision, or one pending, per message, in order. `shapes` is by account.

        Raises:
            StoreUnavailable: people cannot be read; nothing was decided.
        """
        now = self._clock()
        today = local_day(now)
        inquiries = [self._read(message, today) for message in messages]
        # People first: that may fail, and then nobody's budget is spent.
        people = await self._people.get(list({message.sender for message in messages}))
        heard = await self._hear(messages, inquiries)
        cached = await self._lookups.cached(_codes_of(heard))
        return [self._decide(each, people.get(each.message.sender), shapes, now, cached) for each in heard]

    async def refund(self, senders: Sequence[Address]) -> None:
        """Replies that were decided and then not written: a message refused by the store, or a redelivery."""
        await self._guards.refund_replies(senders)

    async def _hear(self, messages: Sequence[InboundMessage], inquiries: Sequence[Inquiry]) -> list[_Heard]:
        answerable = [self._guards.answerable(message.sender) for message in messages]
        senders = [message.sender for message, yes in zip(messages, answerable, strict=True) if yes]
        verdicts = iter(await self._guards.spend_replies(senders))
        return [
            _Heard(message, inquiry, next(verdicts) if yes else Verdict.REFUSED)
            for message, inquiry, yes in zip(messages, inquiries, answerable, strict=True)
        ]

    def _read(self, message: InboundMessage, today: date) -> Inquiry:
        if message.raw is not None and not message.text:
            return wishes.Unreadable(reason=NOT_TEXT)  # a picture, a ring tone, a key
        return read_inquiry(message.text, self._grammar, today=today, legacy=self._legacy)

    def _decide(
        self,
        heard: _Heard,
        person: Person | None,
        shapes: Mapping[str, Shape],
        now: datetime,
        cached: Mapping[DossierCode, DossierAnswer],
    ) -> Decision | Pending:
        message = heard.message
        person = person or Person(address=message.sender)
        case = _Case(message, person, self._voice(person, shapes[message.account], now), now, cached)
        if heard.verdict is not Verdict.ALLOWED:
            return self._refuse(case, heard)
        return self._use(case, heard.inquiry)

    def _use(self, case: _Case, inquiry: Inquiry) -> Decision | Pending:
        kind = type(inquiry)
        use = self._uses.get(kind)
        if use is not None:
            return use(case, inquiry)
        return self._say(case, kind_of(inquiry), FIXED_REPLIES[kind])

    def _refuse(self, case: _Case, heard: _Heard) -> Decision:
        """A wish to be left alone is honoured even when we may not say so."""
        person = self._person_after(case, heard.inquiry)
        kind = kind_of(heard.inquiry)
        if heard.verdict is Verdict.FIRST_REFUSAL:
            text = self._writer.say("budget_spent", case.voice)
            return Decision(inquiry=kind, outcome=Outcome.REFUSED, text=text, person=person, changes=STOP_CHANGES)
        return Decision(inquiry=kind, outcome=Outcome.REFUSED, person=person, changes=STOP_CHANGES, muted=True)

    def _person_after(self, case: _Case, inquiry: Inquiry) -> Person | None:
        if isinstance(inquiry, wishes.StopAll) and not self._means_right(case):
            return replace(case.person, stopped_at=case.now, pending=None)
        return None

    # ---- look-up

    def _look_up(self, case: _Case, inquiry: wishes.LookUp) -> Decision | Pending:
        codes = inquiry.codes[: self._settings.codes_per_reply]
        more = len(inquiry.codes) > len(codes)
        if all(code in case.cached for code in codes):
            return self._tell(case, codes, case.cached, more=more)

        async def finish() -> Decision:
            return self._tell(case, codes, await self._lookups.find(codes), more=more)

        async def give_up() -> Decision:
            return self._tell(case, codes, await self._lookups.last_known(codes), more=more)

        return Pending(finish, give_up)

    def _tell(
        self, case: _Case, codes: Sequence[DossierCode], found: Mapping[DossierCode, DossierAnswer], *, more: bool
    ) -> Decision:
        answers = [found.get(code) or _source_down(code) for code in codes]
        return Decision(
            inquiry="look_up",
            outcome=answers[0].outcome,
            text=self._worded(case, answers, more=more),
            dossier_code=codes[0].text,
            person=_settled(case.person),
            changes=QUESTION_CHANGES,
        )

    def _worded(self, case: _Case, answers: Sequence[DossierAnswer], *, more: bool) -> str:
        first, voice = answers[0], case.voice
        key = (case.message.account, voice.language, voice.accents, more, first.code)
        text = self._retold.get(key, first, case.now) if len(answers) == 1 else None
        if text is None:
            text = self._writer.dossier_answers(disclose(answers, Tier.PUBLIC), voice, more=more)
            if len(answers) == 1:
                self._retold.keep(key, first, text)
        return text

    # ---- a question asked back

    def _ask_back(self, case: _Case, inquiry: wishes.AskBack) -> Decision:
        question = PendingQuestion(
            codes=tuple(code.text for code in inquiry.candidates),
            wish=inquiry.wish,
            expires_at=case.now + self._settings.question_open_for,
        )
        return self._ask(case, question)

    def _ask(self, case: _Case, question: PendingQuestion) -> Decision:
        text = self._writer.ask_back(question.codes, case.voice)
        person = replace(case.person, pending=question)
        return Decision(
            inquiry="ask_back", outcome=Outcome.UNREADABLE, text=text, person=person, changes=QUESTION_CHANGES
        )

    def _choose(self, case: _Case, inquiry: wishes.Choice) -> Decision | Pending:
        question = self._open_question(case)
        if question is None:
            asked = case.person.pending is not None
            return self._say(case, "choice", "choice_expired" if asked else "unreadable", Outcome.UNREADABLE)
        if not 1 <= inquiry.number <= len(question.codes):
            return self._ask(case, question)
        reading = read_codes(question.codes[inquiry.number - 1], today=local_day(case.now), legacy=self._legacy)
        later = LATER_WISHES.get(question.wish)
        if later is not None or not reading.codes:
            return self._say(case, question.wish, later or "choice_expired")
        return self._look_up(case, wishes.LookUp(codes=reading.codes[:1]))

    def _open_question(self, case: _Case) -> PendingQuestion | None:
        question = case.person.pending
        return question if question is not None and case.now < question.expires_at else None

    def _means_right(self, case: _Case) -> bool:
        """While a choice is open, a bare "dung" may be "đúng" (right): ask again rather than stop everything."""
        return self._open_question(case) is not None and case.message.text.strip().casefold() == "dung"

    # ---- what a person may choose

    def _stop_all(self, case: _Case, _: wishes.StopAll) -> Decision:
        question = self._open_question(case)
        if question is not None and self._means_right(case):
            return self._ask(case, question)
        person = replace(case.person, stopped_at=case.now, pending=None)
        text = self._writer.say("stop_all", case.voice, as_of=case.now)
        return Decision(inquiry="stop_all", text=text, person=person, changes=STOP_CHANGES)

    def _resume(self, case: _Case, _: wishes.Resume) -> Decision:
        person = replace(case.person, stopped_at=None, pending=None)
        text = self._writer.say("resume", case.voice, as_of=case.now)
        return Decision(inquiry="resume", text=text, person=person, changes=STOP_CHANGES)

    def _choose_language(self, case: _Case, inquiry: wishes.ChooseLanguage) -> Decision:
        if inquiry.language not in self._writer.languages:
            return self._say(case, "choose_language", "language_unavailable")
        person = replace(case.person, language=inquiry.language, accents=inquiry.accents, pending=None)
        accents = case.voice.accents if inquiry.accents is None else inquiry.accents
        voice = replace(case.voice, language=inquiry.language, accents=accents)
        text = self._writer.say(LANGUAGE_REPLIES[inquiry.accents], voice)
        return Decision(inquiry="choose_language", text=text, person=person, changes=LANGUAGE_CHANGES)

    def _feedback(self, case: _Case, inquiry: wishes.Feedback) -> Decision | Pending:
        if not inquiry.text:
            return self._say(case, "feedback", "feedback_empty")

        async def finish() -> Decision:
            number = await self._people.next_feedback_number()
            text = self._writer.say("feedback_received", case.voice, number=str(number))
            note = FeedbackNote(number=number, text=inquiry.text)
            return Decision(
                inquiry="feedback", text=text, feedback=note, person=_settled(case.person), changes=QUESTION_CHANGES
            )

        async def give_up() -> Decision:
            return self._say(case, "feedback", "try_later")

        return Pending(finish, give_up)

    # ---- manners

    def _thanks(self, case: _Case, _: wishes.Thanks) -> Pending:
        async def finish() -> Decision:
            memory = await self._people.recall(case.message.sender)
            answered = memory.last_answered_at
            if answered is not None and case.now - answered < self._settings.thanks_within:
                return Decision(inquiry="thanks")
            return self._say(case, "thanks", "help")

        async def give_up() -> Decision:
            return Decision(inquiry="thanks")

        return Pending(finish, give_up)

    def _unreadable(self, case: _Case, inquiry: wishes.Unreadable) -> Decision:
        not_text = inquiry.reason == NOT_TEXT
        text = (
            self._writer.say(NOT_TEXT, case.voice) if not_text else self._writer.unreadable(inquiry.reason, case.voice)
        )
        return Decision(
            inquiry="unreadable",
            outcome=Outcome.UNREADABLE,
            text=text,
            person=_settled(case.person),
            changes=QUESTION_CHANGES,
        )

    def _say(self, case: _Case, kind: str, key: str, outcome: Outcome | None = None) -> Decision:
        text = self._writer.say(key, case.voice)
        return Decision(
            inquiry=kind, outcome=outcome, text=text, person=_settled(case.person), changes=QUESTION_CHANGES
        )

    def _voice(self, person: Person, shape: Shape, now: datetime) -> Voice:
        accents = shape.capabilities.accents if person.accents is None else person.accents
        return Voice(language=person.language or self._settings.language, accents=accents, now=now, fits=shape.fits)


def kind_of(inquiry: Inquiry) -> str:
    """The inquiry's name as the journal keeps it: LookUp -> look_up."""
    name = type(inquiry).__name__
    return name[0].lower() + "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name[1:])


def _settled(person: Person) -> Person | None:
    """Any other message closes an open question; None when there is nothing to write."""
    return replace(person, pending=None) if person.pending is not None else None


def _source_down(code: DossierCode) -> DossierAnswer:
    return DossierAnswer(code=code, outcome=Outcome.SOURCE_DOWN)


def _codes_of(heard: Iterable[_Heard]) -> list[DossierCode]:
    return [
        code
        for each in heard
        if each.verdict is Verdict.ALLOWED and isinstance(each.inquiry, wishes.LookUp)
        for code in each.inquiry.codes
    ]
