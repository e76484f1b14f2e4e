"""Inquiry -> use case -> decision: what is said to one person about one message, whatever the channel.

`begin` decides over a batch everything that needs no waiting; what must wait (a one-stop system, the store) comes back
as `Pending`, so that a hanging agency holds up its own askers only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from conversation.case import QUESTION_CHANGES, Case, Pending, Shape, ask, open_question, say, tell
from conversation.dossiers import DossierTalk
from conversation.guards import Admission, Dues, Guards, Wanted
from conversation.judging import Judge
from conversation.ports import Decision, FeedbackNote, LookUps, PendingQuestion, People, Person, Verdict
from conversation.procedures import WISH, ProcedureTalk
from domain import inquiry as wishes
from domain.answers import DossierAnswer, Outcome
from domain.calendar import local_day
from domain.codes import DossierCode, LegacyPattern, WhyNone, read_reference
from domain.grammar import Grammar
from domain.inquiry import Inquiry, read_inquiry
from domain.message import Address, InboundMessage
from domain.replies import ReplyWriter, Voice
from intake.ports import ProcedureCatalogue
from lookup.disclosure import Disclosure, DisclosureRules

__all__ = ["Conversation", "ConversationSettings", "Pending", "Shape"]

# Wishes that one text answers; those whose use case comes later are told what works today.
FIXED_REPLIES: Mapping[type, str] = {
    wishes.Help: "help",
    wishes.Example: "example",
    wishes.Follow: "follow_not_yet",
    wishes.Unfollow: "nothing_followed",
    wishes.ProcedureHelp: "procedure_how",
}

NOT_TEXT = "unsupported"
NOT_READ = "refused"
READ_AT_ONCE = 48  # characters: the longest code, and every word of command

# What each kind of wish changes about a person; any message closes an open question.
STOP_CHANGES = frozenset({"stopped_at", "pending"})
LANGUAGE_CHANGES = frozenset({"language", "accents", "pending"})
LATER_WISHES = {"follow": "follow_not_yet", "unfollow": "nothing_followed"}  # chosen by "1" or "2"
LOOK_UP = "look_up"

LANGUAGE_REPLIES: Mapping[bool | None, str] = {None: "language_chosen", True: "accents_on", False: "accents_off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationSettings:
    language: str = "vi"
    codes_per_reply: int = 2
    question_open_for: timedelta = timedelta(minutes=10)
    thanks_within: timedelta = timedelta(hours=24)  # courtesy after an answer is silence; alone it is a first hello


@dataclass(frozen=True, slots=True)
class _Heard:
    """A message with who sent it and what it means. `row`: what they chose; None for a stranger. `admission`: the word of the
    guards, where they have nothing more to say.
    """

    message: InboundMessage
    row: Person | None
    inquiry: Inquiry
    wanted: Wanted
    admission: Admission | None


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
        disclosure: Disclosure | None = None,
        procedures: ProcedureCatalogue | None = None,
    ) -> None:
        """`disclosure` None: the strict rules, and nobody can prove anything. `procedures` None: there are none."""
        self._people = people
        self._guards = guards
        self._writer = writer
        self._grammar = grammar
        self._clock = clock
        self._settings = settings
        self._legacy = tuple(legacy)
        judge = Judge(disclosure or Disclosure(DisclosureRules(), None))
        self._dossiers = DossierTalk(lookups=lookups, guards=guards, judge=judge, writer=writer)
        self._catalogue = procedures
        self._procedures = ProcedureTalk(catalogue=procedures, writer=writer, open_for=settings.question_open_for)
        self._uses: dict[type, Callable[[Case, Any], Decision | Pending]] = {
            wishes.LookUp: self._dossiers.look_up,
            wishes.FindProcedure: self._procedures.find,
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
        # People first: that may fail, and then nobody's budget is spent.
        people = await self._people.get(list({message.sender for message in messages}))
        paid = await self._pay_long(messages)
        heard = [
            self._hear(message, people.get(message.sender), now, admission)
            for message, admission in zip(messages, paid, strict=True)
        ]
        rest = iter(await self._admit([each.wanted for each in heard if each.admission is None]))
        admissions = [each.admission or next(rest) for each in heard]
        cached = await self._dossiers.at_once([each.wanted for each in heard], admissions)
        dues = Dues()
        decided = [
            self._decide(each, self._case(each, admission, shapes, now, cached, dues))
            for each, admission in zip(heard, admissions, strict=True)
        ]
        await self._guards.settle(dues)
        return decided

    async def refund(self, senders: Sequence[Address]) -> None:
        """Replies that were decided and then not written: a message refused by the store, or a redelivery."""
        await self._guards.refund_replies(senders)

    # ---- hear

    async def _pay_long(self, messages: Sequence[InboundMessage]) -> list[Admission | None]:
        """A long text costs time to read, so that its answer is charged first: who is refused is not read."""
        long = [message.sender if len(message.text) > READ_AT_ONCE else None for message in messages]
        paid = iter(await self._admit([Wanted(sender) for sender in long if sender is not None]))
        return [None if sender is None else next(paid) for sender in long]

    def _hear(self, message: InboundMessage, row: Person | None, now: datetime, paid: Admission | None) -> _Heard:
        asker = message.sender
        if paid is not None and paid.verdict is not Verdict.ALLOWED:
            return _Heard(message, row, wishes.Unreadable(reason=NOT_READ), Wanted(asker), paid)
        inquiry = _chosen(self._read(message, local_day(now)), row, now)
        if isinstance(inquiry, wishes.LookUp):
            codes = inquiry.codes[: self._settings.codes_per_reply]
            return _Heard(message, row, inquiry, Wanted(asker, codes, inquiry.proof, paid), None)
        return _Heard(message, row, inquiry, Wanted(asker), paid)

    def _read(self, message: InboundMessage, today: date) -> Inquiry:
        if message.raw is not None and not message.text:
            return wishes.Unreadable(reason=NOT_TEXT)  # a picture, a ring tone, a key
        return read_inquiry(message.text, self._grammar, today=today, legacy=self._legacy)

    async def _admit(self, wanted: Sequence[Wanted]) -> list[Admission]:
        answerable = [self._guards.answerable(each.asker) for each in wanted]
        asked = [each for each, yes in zip(wanted, answerable, strict=True) if yes]
        admissions = iter(await self._guards.admit_messages(asked) if asked else ())
        return [next(admissions) if yes else Admission(Verdict.REFUSED) for yes in answerable]

    def _case(
        self,
        heard: _Heard,
        admission: Admission,
        shapes: Mapping[str, Shape],
        now: datetime,
        cached: Mapping[DossierCode, DossierAnswer],
        dues: Dues,
    ) -> Case:
        message = heard.message
        person = heard.row or Person(address=message.sender)
        return Case(
            message=message,
            person=person,
            voice=self._voice(person, shapes[message.account], now),
            now=now,
            wanted=heard.wanted,
            admission=admission,
            # Courtesy is no reason to go beyond what an hour may cost, whoever it comes from.
            capped=admission.capped and (heard.row is None or isinstance(heard.inquiry, wishes.Thanks)),
            cached=cached,
            dues=dues,
        )

    # ---- decide

    def _decide(self, heard: _Heard, case: Case) -> Decision | Pending:
        inquiry = heard.inquiry
        if case.admission.verdict is not Verdict.ALLOWED or (case.capped and not isinstance(inquiry, wishes.LookUp)):
            return self._refuse(case, inquiry)
        kind = type(inquiry)
        use = self._uses.get(kind)
        if use is not None:
            return use(case, inquiry)
        return say(self._writer, case, kind_of(inquiry), FIXED_REPLIES[kind])

    def _refuse(self, case: Case, inquiry: Inquiry) -> Decision:
        """A wish to be left alone is honoured even when we may not say so. Silence costs nobody a reply, and a proof
        that was not looked at was no attempt.
        """
        aloud = case.admission.verdict is Verdict.FIRST_REFUSAL and not case.capped
        case.dues.back += case.admission.attempt if aloud else (*case.admission.attempt, *case.admission.reply)
        return Decision(
            inquiry=kind_of(inquiry),
            outcome=Outcome.REFUSED,
            text=self._writer.say("too_busy" if case.admission.busy else "budget_spent", case.voice) if aloud else None,
            person=self._person_after(case, inquiry),
            changes=STOP_CHANGES,
            muted=not aloud,
        )

    def _person_after(self, case: Case, inquiry: Inquiry) -> Person | None:
        if isinstance(inquiry, wishes.StopAll) and not _means_right(case):
            return replace(case.person, stopped_at=case.now, pending=None)
        return None

    # ---- a question asked back

    def _ask_back(self, case: Case, inquiry: wishes.AskBack) -> Decision:
        question = PendingQuestion(
            codes=tuple(code.reference for code in inquiry.candidates),
            wish=inquiry.wish,
            expires_at=case.now + self._settings.question_open_for,
        )
        return self._ask(case, question, inquiry.candidates)

    def _ask(self, case: Case, question: PendingQuestion, codes: Sequence[DossierCode]) -> Decision:
        return ask(case, self._writer.ask_back(codes, case.voice), question)

    def _ask_again(self, case: Case, question: PendingQuestion) -> Decision:
        if question.wish == WISH:
            return self._procedures.choose(case, question, 0)
        codes = [code for code in map(read_reference, question.codes) if code is not None]
        return self._ask(case, question, codes)

    def _choose(self, case: Case, inquiry: wishes.Choice) -> Decision | Pending:
        """A choice that is the look-up of a dossier has become one already."""
        question = case.question
        if question is None:
            asked = case.person.pending is not None
            return say(self._writer, case, "choice", "choice_expired" if asked else "unreadable", Outcome.UNREADABLE)
        if question.wish == WISH:
            return self._procedures.choose(case, question, inquiry.number)
        if not 1 <= inquiry.number <= len(question.codes):
            return self._ask_again(case, question)
        return say(self._writer, case, question.wish, LATER_WISHES.get(question.wish, "choice_expired"))

    # ---- what a person may choose

    def _stop_all(self, case: Case, _: wishes.StopAll) -> Decision:
        question = case.question
        if question is not None and _means_right(case):
            return self._ask_again(case, question)
        person = replace(case.person, stopped_at=case.now, pending=None)
        text = self._writer.say("stop_all", case.voice, as_of=case.now)
        return Decision(inquiry="stop_all", text=text, person=person, changes=STOP_CHANGES)

    def _resume(self, case: Case, _: wishes.Resume) -> Decision:
        person = replace(case.person, stopped_at=None, pending=None)
        text = self._writer.say("resume", case.voice, as_of=case.now)
        return Decision(inquiry="resume", text=text, person=person, changes=STOP_CHANGES)

    def _choose_language(self, case: Case, inquiry: wishes.ChooseLanguage) -> Decision:
        if inquiry.language not in self._writer.languages:
            return say(self._writer, case, "choose_language", "language_unavailable")
        person = replace(case.person, language=inquiry.language, accents=inquiry.accents, pending=None)
        accents = case.voice.accents if inquiry.accents is None else inquiry.accents
        voice = replace(case.voice, language=inquiry.language, accents=accents)
        text = self._writer.say(LANGUAGE_REPLIES[inquiry.accents], voice)
        return Decision(inquiry="choose_language", text=text, person=person, changes=LANGUAGE_CHANGES)

    def _feedback(self, case: Case, inquiry: wishes.Feedback) -> Decision | Pending:
        if not inquiry.text:
            return say(self._writer, case, "feedback", "feedback_empty")

        async def finish() -> Decision:
            number = await self._people.next_feedback_number()
            text = self._writer.say("feedback_received", case.voice, number=str(number))
            note = FeedbackNote(number=number, text=inquiry.text)
            return Decision(inquiry="feedback", text=text, feedback=note, person=case.settled, changes=QUESTION_CHANGES)

        async def give_up() -> Decision:
            return say(self._writer, case, "feedback", "try_later")

        return Pending(finish, give_up)

    # ---- manners

    def _thanks(self, case: Case, _: wishes.Thanks) -> Pending:
        async def finish() -> Decision:
            memory = await self._people.recall(case.message.sender)
            answered = memory.last_answered_at
            if answered is not None and case.now - answered < self._settings.thanks_within:
                return Decision(inquiry="thanks")
            return say(self._writer, case, "thanks", "help")

        async def give_up() -> Decision:
            return Decision(inquiry="thanks")

        return Pending(finish, give_up)

    def _unreadable(self, case: Case, inquiry: wishes.Unreadable) -> Decision:
        if inquiry.reason == NOT_TEXT:
            return say(self._writer, case, "unreadable", NOT_TEXT, Outcome.UNREADABLE)
        if inquiry.reason == WhyNone.NO_CODE and self._names_a_procedure(case):
            return say(self._writer, case, "unreadable", "procedure_or_code", Outcome.UNREADABLE)
        return tell(case, "unreadable", self._writer.unreadable(inquiry.reason, case.voice), Outcome.UNREADABLE)

    def _names_a_procedure(self, case: Case) -> bool:
        """One procedure, and no other, is what the words may mean: told how to ask, for they may mean a dossier too."""
        found = self._catalogue.search(case.message.text, today=local_day(case.now)) if self._catalogue else ()
        return len(found) == 1

    def _voice(self, person: Person, shape: Shape, now: datetime) -> Voice:
        accents = shape.capabilities.accents if person.accents is None else person.accents
        return Voice(language=person.language or self._settings.language, accents=accents, now=now, fits=shape.fits)


def kind_of(inquiry: Inquiry) -> str:
    """The inquiry's name as the journal keeps it: LookUp -> look_up."""
    name = type(inquiry).__name__
    return name[0].lower() + "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name[1:])


def _chosen(inquiry: Inquiry, person: Person | None, now: datetime) -> Inquiry:
    """A choice among dossiers is the look-up of the chosen one, for the guards too; anything else stays what it is."""
    question = open_question(person, now) if isinstance(inquiry, wishes.Choice) else None
    if question is None or question.wish != LOOK_UP or not isinstance(inquiry, wishes.Choice):
        return inquiry
    if not 1 <= inquiry.number <= len(question.codes):
        return inquiry
    code = read_reference(question.codes[inquiry.number - 1])
    return inquiry if code is None else wishes.LookUp(codes=(code,))


def _means_right(case: Case) -> bool:
    """While a choice is open, a bare "dung" may be "đúng" (right): ask again rather than stop everything."""
    return case.question is not None and case.message.text.strip().casefold() == "dung"
