"""What do I need for ...? From words to a procedure, or to the question which one is meant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from conversation.case import Case, ask, say, tell
from conversation.ports import Decision, PendingQuestion
from domain.answers import Outcome
from domain.calendar import local_day
from domain.inquiry import FindProcedure
from domain.procedure import Procedure
from domain.replies import ReplyWriter
from intake.ports import ProcedureCatalogue

KIND = "find_procedure"
WISH = "procedure"  # of a question that asks which one


class ProcedureTalk:
    """The procedures of the conversation; without a catalogue people are told what works today."""

    def __init__(self, *, catalogue: ProcedureCatalogue | None, writer: ReplyWriter, open_for: timedelta) -> None:
        self._catalogue = catalogue
        self._writer = writer
        self._open_for = open_for

    def find(self, case: Case, inquiry: FindProcedure) -> Decision:
        if self._catalogue is None:
            return say(self._writer, case, KIND, "not_yet")
        return self._answer(case, self._catalogue.search(inquiry.words, today=local_day(case.now)))

    def choose(self, case: Case, question: PendingQuestion, number: int) -> Decision:
        """The answer to a question of ours; one that is none of the numbers is asked again."""
        offered = self._offered(case, question)
        if 1 <= number <= len(question.codes):
            chosen = question.codes[number - 1]
            return self._answer(case, [procedure for procedure in offered if procedure.code == chosen])
        return self._answer(case, offered)

    def _offered(self, case: Case, question: PendingQuestion) -> list[Procedure]:
        """Those of the question that are still in force."""
        if self._catalogue is None:
            return []
        today = local_day(case.now)
        found = (self._catalogue.get(code, today=today) for code in question.codes)
        return [procedure for procedure in found if procedure is not None]

    def _answer(self, case: Case, procedures: Sequence[Procedure]) -> Decision:
        if not procedures:
            return say(self._writer, case, KIND, "procedure_not_found", Outcome.NOT_FOUND)
        if len(procedures) == 1:
            return tell(case, KIND, self._writer.procedure(procedures[0], case.voice), Outcome.FOUND)
        question = PendingQuestion(
            codes=tuple(procedure.code for procedure in procedures), wish=WISH, expires_at=case.now + self._open_for
        )
        return ask(case, self._writer.which_procedure(procedures, case.voice), question)
