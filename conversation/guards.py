"""Who gets an answer, and how often; the budgets of all channels live here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conversation.ports import BudgetAsk, Budgets, Limit, Verdict
from domain.message import Address

SHORTEST_SUBSCRIBER_NUMBER = 7  # digits; shorter senders are services, and answering them starts loops
LONGEST_SUBSCRIBER_NUMBER = 15  # digits (ITU-T E.164 §6.2.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """Budgets per person; raise them for a load test, the code stays on."""

    replies: tuple[Limit, ...] = (Limit(10, 600.0), Limit(30, 86_400.0))
    questions_per_address: tuple[Limit, ...] = (Limit(30, 60.0),)
    own_numbers: frozenset[str] = frozenset()


class Guards:
    """Decides over batches, in one round trip."""

    def __init__(self, budgets: Budgets, settings: GuardSettings) -> None:
        self._budgets = budgets
        self._settings = settings

    def answerable(self, sender: Address) -> bool:
        """No reply to short, alphabetic or own numbers: two answering machines would talk for ever."""
        if sender.scheme != "sms":
            return True
        number = sender.value
        return (
            number.isascii()
            and number.isdecimal()
            and SHORTEST_SUBSCRIBER_NUMBER <= len(number) <= LONGEST_SUBSCRIBER_NUMBER
            and number not in self._settings.own_numbers
        )

    async def spend_replies(self, senders: Sequence[Address]) -> Sequence[Verdict]:
        """One reply each."""
        return await self._budgets.spend([self._reply(sender) for sender in senders])

    async def refund_replies(self, senders: Sequence[Address]) -> None:
        """These replies were not written: the person did not get what they paid for."""
        await self._budgets.refund([self._reply(sender) for sender in senders])

    async def spend_questions(self, askers: Sequence[Address]) -> Sequence[Verdict]:
        """One HTTP question each."""
        limits = self._settings.questions_per_address
        return await self._budgets.spend([BudgetAsk(f"question:{asker.urn}", limits) for asker in askers])

    def _reply(self, sender: Address) -> BudgetAsk:
        return BudgetAsk(f"reply:{sender.urn}", self._settings.replies)
