"""Where is my dossier? From the codes of a message to what is told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from conversation.case import QUESTION_CHANGES, Case, Pending, say
from conversation.guards import Admission, Dues, Guards, Wanted
from conversation.judging import Judge
from conversation.ports import Decision, LookUps
from conversation.retold import Retold
from domain.answers import DossierAnswer, Outcome
from domain.codes import DossierCode
from domain.inquiry import LookUp
from domain.replies import ReplyWriter
from lookup.disclosure import Judged, Tier

KIND = "look_up"
Found = Mapping[DossierCode, DossierAnswer]


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
            return self._tell(case, case.cached, judged, case.dues, more=more)

        async def finish() -> Decision:
            proving = self._judge.proving(case.wanted, case.admission)
            return await self._tell_late(case, await self._lookups.find(codes, proving=proving), more=more)

        async def give_up() -> Decision:
            return await self._tell_late(case, await self._lookups.last_known(codes), more=more)

        return Pending(finish, give_up)

    async def _tell_late(self, case: Case, found: Found, *, more: bool) -> Decision:
        dues = Dues()
        judged = self._judge.judge(case.wanted, case.admission, found, dues)
        told = [each for each in judged if not (case.admission.closed and each.missed)]
        if told:
            decision = self._tell(case, found, told, dues, more=more or len(told) < len(judged))
        else:
            decision = await self._refuse(case, dues)
        await self._guards.settle(dues)
        return decision

    async def _refuse(self, case: Case, dues: Dues) -> Decision:
        """Nothing was found, and the misses of the asker's block are spent: it is told so once, then silence."""
        if case.capped or not await self._guards.notice(case.wanted.asker):
            return self._withhold(case, dues)
        return say(self._writer, case, KIND, "too_busy", Outcome.REFUSED)

    def _tell(self, case: Case, found: Found, judged: Sequence[Judged], dues: Dues, *, more: bool) -> Decision:
        if case.capped and all(each.tier is not Tier.PROVED for each in judged):
            return self._withhold(case, dues)
        return Decision(
            inquiry=KIND,
            outcome=judged[0].answer.outcome,
            text=self._worded(case, found, judged, more=more),
            dossier_code=judged[0].answer.code.text,
            person=case.settled,
            changes=QUESTION_CHANGES,
        )

    def _withhold(self, case: Case, dues: Dues) -> Decision:
        """Silence, which costs nobody a reply. Beyond this hour's replies it is the same whatever was found."""
        dues.back += case.admission.reply
        return Decision(
            inquiry=KIND, outcome=Outcome.REFUSED, person=case.settled, changes=QUESTION_CHANGES, muted=True
        )

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
