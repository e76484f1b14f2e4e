"""Answers questions that are not messages: an HTTP GET is read, guarded, looked up and disclosed like a message, and
nothing of it is kept (design: An HTTP GET is a question).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from conversation.guards import Guards
from conversation.ports import LookUps, Verdict
from domain.answers import DossierAnswer, Outcome
from domain.calendar import local_day
from domain.codes import CodeReading, DossierCode, LegacyPattern, read_codes
from domain.questions import Question, QuestionAnswer
from lookup.disclosure import Tier, disclose


class Questions:
    """One for all web routes."""

    def __init__(
        self,
        *,
        lookups: LookUps,
        guards: Guards,
        clock: Callable[[], datetime],
        legacy: Sequence[LegacyPattern] = (),
    ) -> None:
        self._lookups = lookups
        self._guards = guards
        self._clock = clock
        self._legacy = tuple(legacy)

    async def ask(self, questions: Sequence[Question]) -> list[QuestionAnswer | Awaitable[QuestionAnswer]]:
        """One answer each, in order; what must be read from a one-stop system is still to be awaited, each by itself,
        so that a system that hangs holds up nobody else's answer.
        """
        today = local_day(self._clock())
        verdicts = await self._guards.spend_questions([question.asker for question in questions])
        readings = [read_codes(question.text, today=today, legacy=self._legacy) for question in questions]
        wanted = [reading.codes[0] for reading in readings if reading.codes]
        cached = await self._lookups.cached(wanted)
        return [
            self._answer(verdict, reading, cached.get(reading.codes[0]) if reading.codes else None)
            for verdict, reading in zip(verdicts, readings, strict=True)
        ]

    def _answer(
        self, verdict: Verdict, reading: CodeReading, cached: DossierAnswer | None
    ) -> QuestionAnswer | Awaitable[QuestionAnswer]:
        if verdict is not Verdict.ALLOWED:
            return QuestionAnswer(outcome=Outcome.REFUSED)
        if not reading.codes:
            return _unreadable(reading)
        return self._find(reading.codes[0]) if cached is None else _told(cached)

    async def _find(self, code: DossierCode) -> QuestionAnswer:
        return _told((await self._lookups.find([code]))[code])


def _told(answer: DossierAnswer) -> QuestionAnswer:
    (public,) = disclose([answer], Tier.PUBLIC)
    return QuestionAnswer(outcome=public.outcome, answer=public)


def _unreadable(reading: CodeReading) -> QuestionAnswer:
    if reading.candidates:
        candidates = tuple(code.text for code in reading.candidates)
        return QuestionAnswer(outcome=Outcome.UNREADABLE, reason="ambiguous", candidates=candidates)
    reason = "example" if reading.example else str(reading.why)
    return QuestionAnswer(outcome=Outcome.UNREADABLE, reason=reason)
