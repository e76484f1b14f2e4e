"""Where is my dossier? From the codes of a message to what is told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Protocol

from conversation.case import QUESTION_CHANGES, Case, Pending, below, say
from conversation.guards import Admission, Dues, Guards, Wanted
from conversation.judging import Judge
from conversation.ports import Decision, LookUps, Verdict
from conversation.retold import Retold
from domain.answers import DossierAnswer, Outcome
from domain.buttons import After, Buttons
from domain.codes import DossierCode
from domain.dossier import DossierStatus
from domain.inquiry import LookUp
from domain.replies import ReplyWriter
from lookup.disclosure import Judged, Tier

KIND = "look_up"
OVER = frozenset({DossierStatus.RETURNED, DossierStatus.NOT_ACCEPTED})  # what comes after is a correction
Found = Mapping[DossierCode, DossierAnswer]


class Tell(Protocol):
    """What is decided of what may be told; `more`: something is left out."""

    def __call__(self, judged: Sequence[Judged], *, more: bool) -> Decision: ...


class DossierTalk:
    """The look-ups of the conversation."""

    def __init__(self, *, lookups: LookUps, guards: Guards, judge: Judge, writer: ReplyWriter) -> None:
        self._lookups = lookups
        self._guards = guards
        self._judge = judge
        self._writer = writer
        self._retold = Retold()

    async def at_once(self, wanted: Sequence[Wanted], admissions: Sequence[Admission]) -> Found:
        """What can be told a whole batch without asking a one-stop system."""
        codes = dict.fromkeys(chain.from_iterable(admission.codes for admission in admissions))
        proving = chain.from_iterable(map(self._judge.proving, wanted, admissions))
        return await self._lookups.cached(list(codes), proving=frozenset(proving))

    def look_up(self, case: Case, inquiry: LookUp) -> Decision | Pending:
        codes = case.admission.codes
        more = len(inquiry.codes) > len(codes)
        if all(code in case.cached for code in codes) and not case.admission.closed:
            judged = self._judge.judge(case.wanted, case.admission, case.cached, case.dues)
            if _withheld(case, judged):
                return _withhold(case, KIND, case.dues)
            return self._tell(case, case.cached, judged, more=more)

        async def finish() -> Decision:
            return await told(await self._find(case))

        async def give_up() -> Decision:
            return await told(await self.last_known(case))

        async def told(found: Found) -> Decision:
            def tell(judged: Sequence[Judged], *, more: bool) -> Decision:
                return self._tell(case, found, judged, more=more or len(inquiry.codes) > len(codes))

            return await self.judged(case, found, KIND, tell)

        return Pending(finish, give_up)

    async def found(self, case: Case) -> Found:
        """An answer for every admitted code; of a one-stop system only where it is not at hand."""
        if all(code in case.cached for code in case.admission.codes):
            return case.cached
        return await self._find(case)

    async def _find(self, case: Case) -> Found:
        proving = self._judge.proving(case.wanted, case.admission)
        return await self._lookups.find(case.admission.codes, proving=proving)

    async def last_known(self, case: Case) -> Found:
        """The same, where a one-stop system takes too long."""
        return await self._lookups.last_known(case.admission.codes)

    async def judged(self, case: Case, found: Found, kind: str, tell: Tell) -> Decision:
        """What `tell` decides of what this asker may be told; where that is nothing, a refusal or silence."""
        dues = Dues()
        judged = self._judge.judge(case.wanted, case.admission, found, dues)
        told = [each for each in judged if not (case.admission.closed and each.missed)]
        if not told:
            decision = await self._refuse(case, kind, dues)
        elif _withheld(case, told):
            decision = _withhold(case, kind, dues)
        else:
            decision = tell(told, more=len(told) < len(judged))
        await self._guards.settle(dues)
        return decision

    async def _refuse(self, case: Case, kind: str, dues: Dues) -> Decision:
        """Nothing was found, and the misses of the asker's block are spent: it is told so once, then silence."""
        if case.capped or not await self._guards.notice(case.wanted.asker):
            return _withhold(case, kind, dues)
        return say(self._writer, case, kind, "too_busy", Outcome.REFUSED)

    async def refused(self, case: Case, kind: str) -> Decision:
        """The code was not admitted: told the first time, then silence. The reply was paid before."""
        if case.admission.verdict is Verdict.FIRST_REFUSAL and not case.capped:
            return say(self._writer, case, kind, "budget_spent", Outcome.REFUSED)
        dues = Dues()
        decision = _withhold(case, kind, dues)
        await self._guards.settle(dues)
        return decision

    def _tell(self, case: Case, found: Found, judged: Sequence[Judged], *, more: bool) -> Decision:
        return Decision(
            inquiry=KIND,
            outcome=judged[0].answer.outcome,
            text=self._worded(case, found, judged, more=more),
            dossier_code=judged[0].answer.code.reference,
            person=case.settled,
            changes=QUESTION_CHANGES,
            buttons=self.below(case, judged),
        )

    def below(self, case: Case, judged: Sequence[Judged]) -> Buttons:
        """What can be pressed below one dossier that was told; of several nobody would know which is meant."""
        after = _after(judged[0].answer) if len(judged) == 1 else None
        return below(self._writer, case, after, judged[0].answer.code) if after is not None else ()

    def _worded(self, case: Case, found: Found, judged: Sequence[Judged], *, more: bool) -> str:
        answers = [each.answer for each in judged]
        if len(answers) > 1:
            return self._writer.dossier_answers(answers, case.voice, more=more)
        source, key = found[answers[0].code], self._key(case, judged[0], more=more)
        text = self._retold.get(key, source, case.now)
        if text is None:
            text = self._writer.dossier_answers(answers, case.voice, more=more)
            self._retold.keep(key, source, text)
        return text

    @staticmethod
    def _key(case: Case, judged: Judged, *, more: bool) -> tuple[object, ...]:
        """What a text depends on besides the answer it is made of. The tier is in it, and what became of the answer:
        what one asker proved a right to is never told to another.
        """
        answer, voice = judged.answer, case.voice
        how = (judged.tier, answer.outcome, answer.dossier is None)
        return (case.message.account, voice.language, voice.accents, more, answer.code, *how)


def _after(answer: DossierAnswer) -> After | None:
    """What was said of it, where something can be pressed below that."""
    if answer.outcome is Outcome.SOURCE_DOWN:
        return After.DOWN
    is_open = answer.dossier is not None and answer.dossier.status not in OVER
    return After.FOUND if is_open and answer.outcome is Outcome.FOUND else None


def _withheld(case: Case, judged: Sequence[Judged]) -> bool:
    """This hour's replies are spent, and the stranger proved nothing."""
    return case.capped and all(each.tier is not Tier.PROVED for each in judged)


def _withhold(case: Case, kind: str, dues: Dues) -> Decision:
    """Silence, which costs nobody a reply. Beyond this hour's replies it is the same whatever was found."""
    dues.back += case.admission.reply
    return Decision(inquiry=kind, outcome=Outcome.REFUSED, person=case.settled, changes=QUESTION_CHANGES, muted=True)
