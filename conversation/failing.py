"""What is said where answering a message broke a rule of ours (a bug): to send it again, or whom to call.

Nothing of the message is acted on, and an open question stays open, so that the same words mean the same again.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from conversation.case import Case, Pending
from conversation.guards import Dues, Guards
from conversation.ports import Decision, Verdict
from domain.answers import Outcome
from domain.message import ChatEvent
from domain.replies import ReplyWriter

KIND = "failed"
NOTHING_SAID = Decision(inquiry=KIND)  # silence, where not even that can be said

log = structlog.get_logger()


class Apologies:
    """None goes beyond what the guards allowed for the answer itself."""

    __slots__ = ("_guards", "_writer")

    def __init__(self, *, guards: Guards, writer: ReplyWriter) -> None:
        self._guards = guards
        self._writer = writer

    def apology(self, case: Case) -> Decision:
        """Never raises. What a refusal gave back it has given back by now."""
        allowed = case.admission.verdict is Verdict.ALLOWED
        if not allowed or case.capped:
            case.dues.back += case.admission.reply if allowed else ()
            return Decision(inquiry=KIND, outcome=Outcome.REFUSED, muted=True)
        if case.message.event is ChatEvent.BLOCKED:
            return NOTHING_SAID  # nothing reaches them
        try:
            return Decision(inquiry=KIND, text=self._writer.say("try_later", case.voice))
        except Exception:
            log.exception("message.not_said")
            return NOTHING_SAID

    def behind(self, case: Case, pending: Pending) -> Pending:
        """The same, and an apology where it cannot even be given up."""

        async def give_up() -> Decision:
            try:
                return await pending.give_up()
            except Exception:
                log.exception("message.give_up_failed")
            dues = Dues()
            decision = self.apology(replace(case, dues=dues))
            await self._guards.settle(dues)
            return decision

        return Pending(pending.finish, give_up)
