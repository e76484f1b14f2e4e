"""Answers questions that are not messages: an HTTP GET is read, guarded, looked up and disclosed like a message, and
nothing of it is kept (design: An HTTP GET is a question).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from conversation.asked_again import KEPT, AskedAgain
from conversation.guards import Admission, Dues, Guards, Wanted
from conversation.judging import Judge
from conversation.ports import LookUps, Verdict
from domain.answers import DossierAnswer, Outcome
from domain.calendar import local_day
from domain.codes import CodeReading, DossierCode, LegacyPattern, read_codes
from domain.message import Address
from domain.questions import Question, QuestionAnswer
from lookup.disclosure import Disclosure, DisclosureRules, Tier


class Questions:
    """One for all web routes."""

    def __init__(
        self,
        *,
        lookups: LookUps,
        guards: Guards,
        clock: Callable[[], datetime],
        legacy: Sequence[LegacyPattern] = (),
        disclosure: Disclosure | None = None,
        kept: int = KEPT,
    ) -> None:
        """`disclosure` None: the strict rules, and nobody can prove anything. `kept`: see AskedAgain."""
        self._lookups = lookups
        self._guards = guards
        self._clock = clock
        self._legacy = tuple(legacy)
        self._judge = Judge(disclosure or Disclosure(DisclosureRules(), None))
        self._again = AskedAgain(kept)

    async def ask(self, questions: Sequence[Question]) -> list[QuestionAnswer | Awaitable[QuestionAnswer]]:
        """One answer each, in order; what must be read from a one-stop system is still to be awaited, each by itself,
        so that a system that hangs holds up nobody else's answer.
        """
        today = local_day(self._clock())
        readings = [read_codes(question.text, today=today, legacy=self._legacy) for question in questions]
        wanted = [
            Wanted(asker=question.asker, codes=reading.codes[:1], proof=question.proof)
            for question, reading in zip(questions, readings, strict=True)
        ]
        admissions = await self._guards.admit_questions(wanted)
        proving = [
            code for each, leave in zip(wanted, admissions, strict=True) for code in self._judge.proving(each, leave)
        ]
        cached = await self._lookups.cached([code for leave in admissions for code in leave.codes], proving=proving)
        dues = Dues()
        answers = [
            self._answer(reading, each, leave, cached, dues)
            for reading, each, leave in zip(readings, wanted, admissions, strict=True)
        ]
        if dues.misses or dues.back:
            await self._guards.settle(dues)
        return answers

    async def admit(self, asker: Address) -> bool:
        """Whether this address may ask something that is not about a dossier; charged like any other question."""
        (admission,) = await self._guards.admit_questions([Wanted(asker=asker)])
        return admission.verdict is Verdict.ALLOWED

    def _answer(
        self,
        reading: CodeReading,
        wanted: Wanted,
        admission: Admission,
        cached: Mapping[DossierCode, DossierAnswer],
        dues: Dues,
    ) -> QuestionAnswer | Awaitable[QuestionAnswer]:
        if admission.verdict is not Verdict.ALLOWED:
            dues.back += admission.attempt  # a proof that was not looked at
            return QuestionAnswer(outcome=Outcome.REFUSED)
        if not reading.codes:
            return _unreadable(reading)
        if reading.codes[0] not in cached:
            return self._find(wanted, admission)
        return self._told(wanted, admission, cached, dues)

    async def _find(self, wanted: Wanted, admission: Admission) -> QuestionAnswer:
        proving = self._judge.proving(wanted, admission)
        found = await self._lookups.find(admission.codes, proving=proving)
        dues = Dues()
        told = self._told(wanted, admission, found, dues)
        if dues.misses or dues.back:
            await self._guards.settle(dues)
        return told

    def _told(
        self, wanted: Wanted, admission: Admission, found: Mapping[DossierCode, DossierAnswer], dues: Dues
    ) -> QuestionAnswer:
        plain = wanted.proof is None and not admission.walked
        (answer,) = (found[code] for code in admission.codes)
        if plain and (told := self._again.get(answer)) is not None:
            return told
        (judged,) = self._judge.judge(wanted, admission, found, dues)
        told = QuestionAnswer(outcome=judged.answer.outcome, answer=judged.answer, proved=judged.tier is Tier.PROVED)
        if plain and told.outcome is Outcome.FOUND:
            self._again.keep(answer, told)
        return told


def _unreadable(reading: CodeReading) -> QuestionAnswer:
    if reading.candidates:
        candidates = tuple(code.text for code in reading.candidates)
        return QuestionAnswer(outcome=Outcome.UNREADABLE, reason="ambiguous", candidates=candidates)
    reason = "example" if reading.example else str(reading.why)
    return QuestionAnswer(outcome=Outcome.UNREADABLE, reason=reason)
