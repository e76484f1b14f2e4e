"""Answers questions that are not messages: an HTTP GET is read, guarded, looked up and disclosed like a message, and
nothing of it is kept (design: An HTTP GET is a question).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime

from conversation.asked_again import KEPT, AskedAgain
from conversation.guards import Admission, Dues, Guards, Wanted
from conversation.judging import Judge
from conversation.ports import LookUps, Verdict
from domain.answers import DossierAnswer, Outcome
from domain.calendar import local_day
from domain.codes import CodeReading, DossierCode, LegacyPattern, WhyNone, parse_canonical, read_codes
from domain.message import Address
from domain.questions import Answer, Asked, Question, QuestionAnswer
from lookup.disclosure import Disclosure, DisclosureRules, Tier

LONGEST = 200  # characters of a question: a code with some words around it. It is not cut, which might cut a code
PROOF_NEEDED = "proof_needed"
WORK_NEEDED = "work_needed"
REFUSED = QuestionAnswer(outcome=Outcome.REFUSED)
WORK_FIRST = QuestionAnswer(outcome=Outcome.REFUSED, reason=WORK_NEEDED)


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

    async def ask(self, questions: Sequence[Question]) -> list[Asked[Answer]]:
        """One answer each, in order; what must be read from a one-stop system is still to be awaited, each by itself,
        so that a system that hangs holds up nobody else's answer. With it what its asker's address has left.
        """
        today = local_day(self._clock())
        exact = [self._exact(question.text.strip(), today) for question in questions]
        if () not in exact:
            return await self._look_up(list(map(_wanted, questions, exact)))
        read = await self._read(questions, exact, today)
        wanted = [each for each in read if isinstance(each, Wanted)]
        answers = iter(await self._look_up(wanted) if wanted else ())
        return [next(answers) if isinstance(each, Wanted) else each for each in read]

    async def admit(self, asker: Address) -> bool:
        """Whether this address may ask something that is not about a dossier; charged like any other question."""
        (admission,) = await self._guards.admit_questions([Wanted(asker)])
        return admission.verdict is Verdict.ALLOWED

    def _exact(self, text: str, today: date) -> tuple[DossierCode, ...]:
        """The code that a text is, exactly as printed; empty for everything that must be read more carefully."""
        known = self._again.code(text)
        if known is not None:
            return (known,)
        return read_codes(text, today=today).codes if parse_canonical(text) is not None else ()

    async def _read(
        self, questions: Sequence[Question], exact: Sequence[tuple[DossierCode, ...]], today: date
    ) -> list[Wanted | Asked[Answer]]:
        """What is no exact code costs time to read, so that its answer is charged first: who is refused is not read."""
        unread = [question.asker for question, codes in zip(questions, exact, strict=True) if not codes]
        paid = iter(await self._guards.admit_questions([Wanted(asker) for asker in unread]))
        return [
            _wanted(question, codes) if codes else self._carefully(question, next(paid), today)
            for question, codes in zip(questions, exact, strict=True)
        ]

    def _carefully(self, question: Question, paid: Admission, today: date) -> Wanted | Asked[Answer]:
        if paid.verdict is not Verdict.ALLOWED:
            return Asked(REFUSED, paid.left)
        if len(question.text) > LONGEST:
            return Asked(QuestionAnswer(outcome=Outcome.UNREADABLE, reason=str(WhyNone.NO_CODE)), paid.left)
        reading = read_codes(question.text, today=today, legacy=self._legacy)
        if not reading.codes:
            return Asked(_unreadable(reading), paid.left)
        return _wanted(question, reading.codes[:1], paid)

    async def _look_up(self, wanted: Sequence[Wanted]) -> list[Asked[Answer]]:
        admissions = await self._guards.admit_questions(wanted)
        codes = [code for leave in admissions for code in leave.codes]
        cached = await self._lookups.cached(codes, proving=self._proving(wanted, admissions)) if codes else {}
        dues = Dues()
        answers = [
            Asked(self._answer(each, leave, cached, dues), leave.left)
            for each, leave in zip(wanted, admissions, strict=True)
        ]
        await self._settle(dues)
        return answers

    def _proving(self, wanted: Sequence[Wanted], admissions: Sequence[Admission]) -> Collection[DossierCode]:
        return [
            code for each, leave in zip(wanted, admissions, strict=True) for code in self._judge.proving(each, leave)
        ]

    def _answer(
        self, wanted: Wanted, admission: Admission, cached: Mapping[DossierCode, DossierAnswer], dues: Dues
    ) -> Answer:
        if admission.verdict is not Verdict.ALLOWED:
            dues.back += admission.attempt  # a proof that was not looked at
            return WORK_FIRST if admission.work and wanted.proof is None else REFUSED
        answer = cached.get(admission.codes[0])
        return self._find(wanted, admission) if answer is None else self._told(wanted, admission, answer, dues)

    async def _find(self, wanted: Wanted, admission: Admission) -> QuestionAnswer:
        proving = self._judge.proving(wanted, admission)
        found = await self._lookups.find(admission.codes, proving=proving)
        dues = Dues()
        told = self._told(wanted, admission, found[admission.codes[0]], dues)
        await self._settle(dues)
        return told

    async def _settle(self, dues: Dues) -> None:
        if dues.misses or dues.back:
            await self._guards.settle(dues)

    def _told(self, wanted: Wanted, admission: Admission, answer: DossierAnswer, dues: Dues) -> QuestionAnswer:
        plain = wanted.proof is None and not admission.walked
        if plain and (told := self._again.get(answer)) is not None:
            return told
        (judged,) = self._judge.judge(wanted, admission, {answer.code: answer}, dues)
        if judged.missed and admission.closed:
            return REFUSED
        told = QuestionAnswer(
            outcome=judged.answer.outcome,
            answer=judged.answer,
            reason=_why_refused(admission) if judged.answer.outcome is Outcome.REFUSED else "",
            proved=judged.tier is Tier.PROVED,
        )
        if plain and told.outcome is Outcome.FOUND:
            self._again.keep(answer, told)
        return told


def _why_refused(admission: Admission) -> str:
    """A code that is walked through is told to who proves; one whose proofs were guessed at takes none any more. Where
    work comes first, only a right proof does without: a wrong one, one that cannot be compared and a code that nobody
    knows are told alike.
    """
    if admission.locked:
        return ""
    return WORK_NEEDED if admission.work else PROOF_NEEDED


def _wanted(question: Question, codes: tuple[DossierCode, ...], paid: Admission | None = None) -> Wanted:
    return Wanted(
        asker=question.asker,
        codes=codes,
        proof=question.proof,
        paid=paid,
        site=question.site,
        worked=question.worked,
    )


def _unreadable(reading: CodeReading) -> QuestionAnswer:
    if reading.candidates:
        candidates = tuple(code.reference for code in reading.candidates)
        return QuestionAnswer(outcome=Outcome.UNREADABLE, reason="ambiguous", candidates=candidates)
    reason = "example" if reading.example else str(reading.why)
    return QuestionAnswer(outcome=Outcome.UNREADABLE, reason=reason)
