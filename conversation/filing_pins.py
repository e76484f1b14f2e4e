"""The number on a dossier that is filed online, proved by a code sent to it and typed back (see conversation.pins).

What is told of the number is told to nobody but the number: whoever types it here sees a code on its way, or may not ask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from conversation.guards import Guards
from conversation.pins import PinLines, PinPost, PinRules, PinSealer, link_of, typed_pin
from conversation.ports import Budgets, LinkRequest, Links, PinResult, Verdict
from domain.errors import StoreUnavailable
from domain.filing import NumberAnswer, NumberOutcome
from domain.message import Address

PURPOSE = "filing-pin"
SCHEME = "filing"  # of the address that stands for a draft
WORDS = "filing"  # nothing is agreed to by it

_OUTCOMES = {PinResult.WRONG: NumberOutcome.WRONG, PinResult.SPENT: NumberOutcome.SPENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProveByPin:
    """Asks for a code and takes it back; one for all drafts. `sealer`: see PinSealer. A draft has one code at a time: a
    later one takes the place of the one before.
    """

    links: Links
    budgets: Budgets
    guards: Guards
    post: PinPost
    line: PinLines
    rules: PinRules
    sealer: PinSealer
    clock: Callable[[], datetime]

    async def ask(
        self, asker: Address, draft: int, number: str, *, language: str, worked: bool = False
    ) -> NumberAnswer:
        """Send a code to `number`, for this draft; `asker` pays, and does a proof of work first where much was missed.

        Raises:
            StoreError: the store is away.
        """
        recipient = self.line.recipient(number)
        if recipient is None:
            return NumberAnswer(outcome=NumberOutcome.NO_NUMBER)
        if not worked and await self.guards.suspects(asker):
            return NumberAnswer(outcome=NumberOutcome.WORK_NEEDED)
        asks = self.rules.asks(asker)
        if any(verdict is not Verdict.ALLOWED for verdict in await self.budgets.spend(asks)):
            return NumberAnswer(outcome=NumberOutcome.REFUSED)
        try:
            request = await self._request(draft, recipient, language)
            await self.links.ask(request)
        except StoreUnavailable:  # nothing was sent, so that nothing was spent
            await self.budgets.refund(asks)
            raise
        return NumberAnswer(outcome=NumberOutcome.SENT, expires_at=request.expires_at)

    async def redeem(self, draft: int, pin: str) -> NumberAnswer:
        """The code as it was typed for this draft.

        Raises:
            StoreError: the store is away.
        """
        typed = typed_pin(pin)
        if not typed:
            return NumberAnswer(outcome=NumberOutcome.WRONG)  # it can be none of ours, and costs no try
        asker = _standing_for(draft)
        seal = self.sealer.seal(PURPOSE, asker.urn, typed)
        result, link = await self.links.redeem(asker, seal, tries=self.rules.tries)
        if link is None:
            return NumberAnswer(outcome=_OUTCOMES[result])
        return NumberAnswer(outcome=NumberOutcome.PROVED, number=link.address.value)

    async def _request(self, draft: int, recipient: Address, language: str) -> LinkRequest:
        now, pin, asker = self.clock(), self.sealer.new(), _standing_for(draft)
        message = await self.post.for_filing(recipient, pin, language=language, now=now)
        return LinkRequest(
            asker=asker,
            link=link_of(message, WORDS),
            pin_seal=self.sealer.seal_of(message, PURPOSE, asker.urn, pin),
            message=message,
            expires_at=now + self.rules.good_for,
        )


def _standing_for(draft: int) -> Address:
    return Address(SCHEME, str(draft))
