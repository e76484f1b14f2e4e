"""Inquiry -> use case -> decision: what is said to one person about one message, whatever the channel.

`begin` decides over a batch everything that needs no waiting; what must wait (a one-stop system, the store) comes back
as `Pending`, so that a hanging agency holds up its own askers only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import structlog

from conversation.case import Case, Pending, Shape, ask, say, tell
from conversation.dossiers import DossierTalk, Found
from conversation.failing import KIND as FAILED
from conversation.failing import Apologies
from conversation.following import STOP_CHANGES, UNFOLLOW, FollowTalk, blocked, silently, stopped
from conversation.guards import Admission, Dues, Guards, Wanted
from conversation.hearing import NOT_TEXT, beside_the_words, chosen
from conversation.joining import JoinTalk, part, partings
from conversation.judging import Judge, joined_numbers
from conversation.manners import Manners
from conversation.pictures import PictureTalk
from conversation.ports import Decision, LookUps, PendingQuestion, People, Person, Pictures, Verdict
from conversation.procedures import WISH, ProcedureTalk
from domain import inquiry as wishes
from domain.answers import DossierAnswer, Outcome
from domain.buttons import After
from domain.calendar import local_day
from domain.codes import DossierCode, LegacyPattern, WhyNone, read_reference
from domain.grammar import Grammar
from domain.inquiry import Inquiry, read_inquiry
from domain.message import Address, InboundMessage
from domain.replies import ReplyWriter, Voice
from intake.ports import ProcedureCatalogue
from lookup.disclosure import Disclosure, DisclosureRules

__all__ = ["Conversation", "ConversationSettings", "Offers", "Pending", "Shape"]

# Wishes that one text answers; those whose use case comes later are told what works today.
FIXED_REPLIES: Mapping[type, str] = {
    wishes.Example: "example",
    wishes.ProcedureHelp: "procedure_how",
    wishes.Overheard: "write_privately",
}

NOT_READ = "refused"
LOOKED_UP = (wishes.LookUp, wishes.Follow)  # whether a proof opens more, only the look-up says
READ_AT_ONCE = 48  # characters: the longest code, and every word of command

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationSettings:
    language: str = "vi"
    codes_per_reply: int = 2
    follows_per_person: int = 10
    question_open_for: timedelta = timedelta(minutes=10)
    thanks_within: timedelta = timedelta(hours=24)  # courtesy after an answer is silence; alone it is a first hello


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What a conversation offers beside look-ups and followings; None: there is none, and nobody is told of it."""

    procedures: ProcedureCatalogue | None = None
    pictures: Pictures | None = None  # that are read as if their codes had been typed
    joining: JoinTalk | None = None  # of a chat and a telephone number


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


NO_OFFERS = Offers()


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
        offers: Offers = NO_OFFERS,
    ) -> None:
        """`disclosure` None: the strict rules, and nobody can prove anything."""
        procedures, pictures, joining = offers.procedures, offers.pictures, offers.joining
        self._people = people
        self._guards = guards
        self._writer = writer
        self._grammar = grammar
        self._clock = clock
        self._settings = settings
        self._legacy = tuple(legacy)
        self._apologies = Apologies(guards=guards, writer=writer)
        judge = Judge(disclosure or Disclosure(DisclosureRules(), None))
        self._dossiers = DossierTalk(lookups=lookups, guards=guards, judge=judge, writer=writer)
        self._catalogue = procedures
        self._procedures = ProcedureTalk(catalogue=procedures, writer=writer, open_for=settings.question_open_for)
        self._following = FollowTalk(
            people=people,
            guards=guards,
            dossiers=self._dossiers,
            writer=writer,
            most=settings.follows_per_person,
            open_for=settings.question_open_for,
        )
        manners = Manners(
            people=people,
            writer=writer,
            following=self._following,
            thanks_within=settings.thanks_within,
            after=After.WELCOME if joining is None else After.WELCOME_JOINING,
        )
        self._joining = joining
        self._seeing = pictures is not None
        self._uses: dict[type, Callable[[Case, Any], Decision | Pending]] = {
            wishes.LookUp: self._dossiers.look_up,
            wishes.FindProcedure: self._procedures.find,
            wishes.Follow: self._following.follow,
            wishes.Unfollow: self._following.unfollow,
            wishes.ListFollowed: self._following.listed,
            wishes.AskBack: self._ask_back,
            wishes.Choice: self._choose,
            wishes.StopAll: self._stop_all,
            wishes.Resume: lambda case, _: self._following.resume(case),
            wishes.ChooseLanguage: manners.choose_language,
            wishes.Feedback: manners.feedback,
            wishes.JoinNumber: self._join,
            wishes.PartNumber: lambda case, inquiry: part(self._writer, case, inquiry),
            wishes.Help: manners.help,
            wishes.Started: manners.started,
            wishes.Blocked: lambda case, _: blocked(case),
            wishes.Thanks: manners.thanks,
            wishes.Unreadable: self._unreadable,
        }
        if joining is not None:
            self._uses[wishes.JoinCode] = joining.code
        if pictures is not None:
            talk = PictureTalk(pictures=pictures, writer=writer, read=self._read, answer=self._as_typed)
            self._uses[wishes.Picture] = talk.look_at

    async def begin(self, messages: Sequence[InboundMessage], shapes: Mapping[str, Shape]) -> list[Decision | Pending]:
        """One decision, or one pending, per message, in order. `shapes` is by account. All are charged before any is
        decided, so that a message that breaks a rule of ours is answered in its place, and never begun again.

        Raises:
            StoreUnavailable: people cannot be read; nothing was decided.
        """
        now = self._clock()
        # People first: that may fail, and then nobody's budget is spent.
        people = await self._people.get(list({message.sender for message in messages}))
        paid = await self._pay_long(messages)
        heard = [
            self._hear_or_not(message, people.get(message.sender), now, admission)
            for message, admission in zip(messages, paid, strict=True)
        ]
        rest = iter(await self._admit([each.wanted for each in heard if each.admission is None]))
        admissions = [each.admission or next(rest) for each in heard]
        cached = await self._at_once(heard, admissions)
        dues = Dues()
        decided = [
            self._decide_or_apologise(each.inquiry, self._case(each, admission, shapes, now, cached, dues))
            for each, admission in zip(heard, admissions, strict=True)
        ]
        await self._guards.settle(dues)
        return decided

    async def apologise(self, message: InboundMessage, shapes: Mapping[str, Shape]) -> Decision | Pending:
        """For a message that cannot be begun: nobody knows who sent it, so that they are told as a stranger."""
        heard, dues = _unheard(message, None, None), Dues()
        (admission,) = await self._admit([heard.wanted])
        case = self._case(heard, admission, shapes, self._clock(), {}, dues)
        decision = self._decide_or_apologise(heard.inquiry, case)
        await self._guards.settle(dues)
        return decision

    async def refund(self, senders: Sequence[Address]) -> None:
        """Replies that were decided and then not written: a message refused by the store, or a redelivery."""
        await self._guards.refund_replies(senders)

    # ---- hear

    async def _pay_long(self, messages: Sequence[InboundMessage]) -> list[Admission | None]:
        """A long text costs time to read, so that its answer is charged first: who is refused is not read."""
        long = [message.sender if len(message.text) > READ_AT_ONCE else None for message in messages]
        paid = iter(await self._admit([Wanted(sender) for sender in long if sender is not None]))
        return [None if sender is None else next(paid) for sender in long]

    def _hear_or_not(
        self, message: InboundMessage, row: Person | None, now: datetime, paid: Admission | None
    ) -> _Heard:
        try:
            return self._hear(message, row, now, paid)
        except Exception:
            log.exception("message.hear_failed")
            return _unheard(message, row, paid)

    def _hear(self, message: InboundMessage, row: Person | None, now: datetime, paid: Admission | None) -> _Heard:
        asker = message.sender
        if paid is not None and paid.verdict is not Verdict.ALLOWED:
            return _Heard(message, row, wishes.Unreadable(reason=NOT_READ), Wanted(asker), paid)
        told = beside_the_words(message, row, now, seeing=self._seeing)
        inquiry = chosen(self._read(message.text, local_day(now)), row, now) if told is None else told
        wanted = self._wanted(asker, inquiry, row, paid)
        return _Heard(message, row, inquiry, wanted, None if wanted.codes else paid)

    def _wanted(self, asker: Address, inquiry: Inquiry, row: Person | None, paid: Admission | None) -> Wanted:
        if not isinstance(inquiry, LOOKED_UP) or not inquiry.codes:
            return Wanted(asker)
        codes = inquiry.codes[: self._settings.codes_per_reply]
        proof = inquiry.proof if isinstance(inquiry, wishes.LookUp) else None
        return Wanted(asker, codes, proof, paid, joined_numbers(row))

    def _read(self, text: str, today: date) -> Inquiry:
        return read_inquiry(text, self._grammar, today=today, legacy=self._legacy)

    async def _admit(self, wanted: Sequence[Wanted]) -> list[Admission]:
        answerable = [self._guards.answerable(each.asker) for each in wanted]
        asked = [each for each, yes in zip(wanted, answerable, strict=True) if yes]
        admissions = iter(await self._guards.admit_messages(asked) if asked else ())
        return [next(admissions) if yes else Admission(Verdict.REFUSED) for yes in answerable]

    async def _at_once(self, heard: Sequence[_Heard], admissions: Sequence[Admission]) -> Found:
        """What is at hand; where that cannot be read, everybody's dossier is asked for by itself."""
        try:
            return await self._dossiers.at_once([each.wanted for each in heard], admissions)
        except Exception:
            log.exception("message.cache_failed", messages=len(heard))
            return {}

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
        person, shape = heard.row or Person(address=message.sender), shapes[message.account]
        return Case(
            message=message,
            person=person,
            voice=self._voice(person, message.language, shape, now),
            now=now,
            wanted=heard.wanted,
            admission=admission,
            # Courtesy is no reason to go beyond what an hour may cost, whoever it comes from.
            capped=admission.capped and (heard.row is None or isinstance(heard.inquiry, wishes.Thanks)),
            cached=cached,
            dues=dues,
            buttons=shape.capabilities.buttons,
        )

    async def _as_typed(self, case: Case, inquiry: Inquiry) -> Decision | Pending:
        """What is decided of words that came to light later, for an answer that is paid already."""
        wanted = self._wanted(case.message.sender, inquiry, case.person, case.admission)
        if not wanted.codes:
            return self._decide(inquiry, case)
        (admission,) = await self._guards.admit_messages([wanted])
        cached, dues = await self._dossiers.at_once([wanted], [admission]), Dues()
        decision = self._decide(inquiry, replace(case, wanted=wanted, admission=admission, cached=cached, dues=dues))
        await self._guards.settle(dues)
        return decision

    # ---- decide

    def _decide_or_apologise(self, inquiry: Inquiry, case: Case) -> Decision | Pending:
        try:
            decided = self._decide(inquiry, case)
        except Exception:
            log.exception("message.decide_failed")
            return self._apologies.apology(case)
        return decided if isinstance(decided, Decision) else self._apologies.behind(case, decided)

    def _decide(self, inquiry: Inquiry, case: Case) -> Decision | Pending:
        if case.admission.verdict is not Verdict.ALLOWED or (case.capped and not isinstance(inquiry, LOOKED_UP)):
            return self._refuse(case, inquiry)
        kind = type(inquiry)
        use = self._uses.get(kind)
        if use is not None:
            return use(case, inquiry)
        return say(self._writer, case, kind_of(inquiry), FIXED_REPLIES.get(kind, "not_yet"))

    def _refuse(self, case: Case, inquiry: Inquiry) -> Decision:
        """A wish to be left alone is honoured even when we may not say so. Silence costs nobody a reply, and a proof
        that was not looked at was no attempt.
        """
        left = isinstance(inquiry, wishes.Blocked)  # nothing reaches them
        aloud = case.admission.verdict is Verdict.FIRST_REFUSAL and not case.capped and not left
        case.dues.back += case.admission.attempt if aloud else (*case.admission.attempt, *case.admission.reply)
        if left:
            return replace(blocked(case), outcome=Outcome.REFUSED, muted=True)
        stops = isinstance(inquiry, wishes.StopAll) and not _means_right(case)
        return Decision(
            inquiry=kind_of(inquiry),
            outcome=Outcome.REFUSED,
            text=self._writer.say("too_busy" if case.admission.busy else "budget_spent", case.voice) if aloud else None,
            person=stopped(case) if stops else None,
            changes=STOP_CHANGES,
            follows=silently(case.message, inquiry, stops=stops),
            partings=partings(case, inquiry) if isinstance(inquiry, wishes.PartNumber) else (),
            muted=not aloud,
        )

    # ---- a question asked back

    def _ask_back(self, case: Case, inquiry: wishes.AskBack) -> Decision:
        question = PendingQuestion(
            codes=tuple(code.reference for code in inquiry.candidates),
            wish=inquiry.wish,
            expires_at=case.now + self._settings.question_open_for,
        )
        return self._ask(case, question, inquiry.candidates)

    def _ask(self, case: Case, question: PendingQuestion, codes: Sequence[DossierCode]) -> Decision:
        return ask(case, self._writer.ask_back(codes, case.voice, ending=question.wish == UNFOLLOW), question)

    def _ask_again(self, case: Case, question: PendingQuestion) -> Decision:
        if question.wish == WISH:
            return self._procedures.choose(case, question, 0)
        codes = [code for code in map(read_reference, question.codes) if code is not None]
        return self._ask(case, question, codes)

    def _choose(self, case: Case, inquiry: wishes.Choice) -> Decision | Pending:
        """A choice of a dossier has become what is wanted with it already."""
        question = case.question
        if question is None:
            asked = case.person.pending is not None and not case.awaits_code
            return say(self._writer, case, "choice", "choice_expired" if asked else "unreadable", Outcome.UNREADABLE)
        if question.wish == WISH:
            return self._procedures.choose(case, question, inquiry.number)
        if not 1 <= inquiry.number <= len(question.codes):
            return self._ask_again(case, question)
        return say(self._writer, case, "choice", "choice_expired", Outcome.UNREADABLE)  # we know that wish no more

    # ---- what a person may choose

    def _stop_all(self, case: Case, _: wishes.StopAll) -> Decision:
        question = case.question
        if question is not None and _means_right(case):
            return self._ask_again(case, question)
        return self._following.stop_all(case)

    # ---- beside the words

    def _join(self, case: Case, inquiry: wishes.JoinNumber) -> Decision | Pending:
        if case.message.sender.scheme == "sms":
            return say(self._writer, case, kind_of(inquiry), "link_sms_only")
        if self._joining is None:
            return say(self._writer, case, kind_of(inquiry), "not_yet")
        return self._joining.number(case, inquiry)

    def _unreadable(self, case: Case, inquiry: wishes.Unreadable) -> Decision:
        if inquiry.reason == FAILED:
            return self._apologies.apology(case)
        if inquiry.reason == NOT_TEXT:
            return say(self._writer, case, "unreadable", NOT_TEXT, Outcome.UNREADABLE)
        if inquiry.reason == WhyNone.NO_CODE and self._names_a_procedure(case):
            return say(self._writer, case, "unreadable", "procedure_or_code", Outcome.UNREADABLE)
        return tell(case, "unreadable", self._writer.unreadable(inquiry.reason, case.voice), Outcome.UNREADABLE)

    def _names_a_procedure(self, case: Case) -> bool:
        """One procedure, and no other, is what the words may mean: told how to ask, for they may mean a dossier too."""
        found = self._catalogue.search(case.message.text, today=local_day(case.now)) if self._catalogue else ()
        return len(found) == 1

    def _voice(self, person: Person, hint: str, shape: Shape, now: datetime) -> Voice:
        """As the person chose; `hint`: what their application speaks, for who chose nothing."""
        accents = shape.capabilities.accents if person.accents is None else person.accents
        spoken = hint if hint in self._writer.languages else self._settings.language
        return Voice(language=person.language or spoken, accents=accents, now=now, fits=shape.fits)


def _unheard(message: InboundMessage, row: Person | None, paid: Admission | None) -> _Heard:
    """What it means could not be found out."""
    return _Heard(message, row, wishes.Unreadable(reason=FAILED), Wanted(message.sender), paid)


def kind_of(inquiry: Inquiry) -> str:
    """The inquiry's name as the journal keeps it: LookUp -> look_up."""
    name = type(inquiry).__name__
    return name[0].lower() + "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name[1:])


def _means_right(case: Case) -> bool:
    """While a choice is open, a bare "dung" may be "đúng" (right): ask again rather than stop everything."""
    return case.question is not None and case.message.text.strip().casefold() == "dung"
