"""That telephone number is mine too: a chat and a number are joined by a code sent to the number and typed in the chat.

What is told of the number (its day of codes is spent, it wants no messages) is told to nobody but the number: in the
chat each looks like a code on its way. What is joined is told what the number may be told (lookup.disclosure), and the
number is where notices go that the chat does not take.
"""

from __future__ import annotations

from dataclasses import replace

from conversation.case import JOIN, QUESTION_CHANGES, Case, Pending, say, tell
from conversation.following import words_of
from conversation.pins import PinLines, PinPost, PinRules, PinSealer, link_of
from conversation.ports import (
    BudgetAsk,
    Budgets,
    Decision,
    Link,
    LinkRequest,
    Links,
    Parting,
    PendingQuestion,
    PinResult,
    Verdict,
)
from domain.errors import StoreUnavailable
from domain.inquiry import JoinCode, JoinNumber, PartNumber
from domain.message import Address
from domain.replies import ReplyWriter

NUMBER, CODE, PARTED = "join_number", "join_code", "part_number"  # the kinds of inquiry
SUBSCRIBER_DIGITS = 9  # of a mobile number, however its beginning is written
PURPOSE = "join-pin"
MOST = 3  # addresses besides the one that is written from
VOUCHED = "shared contact"  # the words of consent, where nothing was typed


def part(writer: ReplyWriter, case: Case, inquiry: PartNumber) -> Decision:
    """Joined no more, whether or not it was: as simple as joining, and from both ends, since numbers change hands."""
    return replace(say(writer, case, PARTED, "link_over"), partings=partings(case, inquiry))


def partings(case: Case, inquiry: PartNumber) -> tuple[Parting, ...]:
    """What is parted. One number of a chat's where one was typed, else all."""
    words = words_of(case.message)
    if not inquiry.number or case.message.sender.scheme == "sms":
        return (Parting(words=words),)
    typed = "".join(sign for sign in inquiry.number if sign.isdigit())[-SUBSCRIBER_DIGITS:]
    return tuple(Parting(words=words, address=each) for each in case.person.linked if each.value.endswith(typed))


class JoinTalk:
    """The joined addresses of the conversation. `line`: by which the codes leave; `key`: see PinSealer."""

    def __init__(
        self,
        *,
        links: Links,
        budgets: Budgets,
        writer: ReplyWriter,
        post: PinPost,
        line: PinLines,
        rules: PinRules,
        key: bytes,
    ) -> None:
        """Raises ValueError: the key is shorter than 16 bytes."""
        self._links = links
        self._budgets = budgets
        self._writer = writer
        self._post = post
        self._line = line
        self._rules = rules
        self._sealer = PinSealer(key)

    # ---- that number is mine

    def number(self, case: Case, inquiry: JoinNumber) -> Decision | Pending:
        """Joined at once where the chat vouches for it; else a code is sent there."""
        recipient = self._line.recipient(inquiry.number)
        if recipient is None:
            return say(self._writer, case, NUMBER, "link_how")
        if recipient in case.person.linked:
            return say(self._writer, case, NUMBER, "link_done")
        if len(case.person.linked) >= MOST:
            return tell(case, NUMBER, self._writer.say("link_full", case.voice, count=len(case.person.linked)))
        if inquiry.vouched:
            return self._joined(case, NUMBER, self._vouched(recipient))

        async def finish() -> Decision:
            return await self._send(case, recipient)

        async def give_up() -> Decision:
            return say(self._writer, case, NUMBER, "try_later")

        return Pending(finish, give_up)

    async def _send(self, case: Case, recipient: Address) -> Decision:
        asks: list[BudgetAsk] = self._rules.asks(case.message.sender)
        if any(verdict is not Verdict.ALLOWED for verdict in await self._budgets.spend(asks)):
            return say(self._writer, case, NUMBER, "budget_spent")
        try:
            await self._links.ask(await self._request(case, recipient))
        except StoreUnavailable:  # nothing was sent, so that nothing was spent
            await self._budgets.refund(asks)
            raise
        question = PendingQuestion(codes=(), wish=JOIN, expires_at=case.now + self._rules.good_for)
        return Decision(
            inquiry=NUMBER,
            text=self._writer.say("link_sent", case.voice, minutes=self._rules.minutes),
            person=replace(case.person, pending=question),
            changes=QUESTION_CHANGES,
        )

    async def _request(self, case: Case, recipient: Address) -> LinkRequest:
        asked, pin, language = case.message, self._sealer.new(), case.voice.language
        chat = asked.channel.capitalize()
        message = await self._post.for_joining(recipient, chat, pin, language=language, now=case.now)
        return LinkRequest(
            asker=asked.sender,
            link=link_of(message, words_of(asked)),
            pin_seal=self._sealer.seal_of(message, PURPOSE, asked.sender.urn, pin),
            message=message,
            expires_at=case.now + self._rules.good_for,
        )

    # ---- and here is its code

    def code(self, case: Case, inquiry: JoinCode) -> Pending:
        """The code as it was typed. A wrong one may be typed again, so many times."""

        async def finish() -> Decision:
            seal = self._seal(case.message.sender, inquiry.digits)
            result, link = await self._links.redeem(case.message.sender, seal, tries=self._rules.tries)
            if link is not None:
                return self._joined(case, CODE, link)
            if result is PinResult.WRONG:
                return Decision(inquiry=CODE, text=self._writer.say("link_wrong", case.voice))
            return replace(self._over(case, CODE), text=self._writer.say("link_spent", case.voice))

        async def give_up() -> Decision:
            return Decision(inquiry=CODE, text=self._writer.say("try_later", case.voice))

        return Pending(finish, give_up)

    def _joined(self, case: Case, kind: str, link: Link) -> Decision:
        return replace(self._over(case, kind), text=self._writer.say("link_done", case.voice), links=(link,))

    @staticmethod
    def _over(case: Case, kind: str) -> Decision:
        """No code is waited for any more."""
        return Decision(inquiry=kind, person=replace(case.person, pending=None), changes=QUESTION_CHANGES)

    def _vouched(self, address: Address) -> Link:
        """Told at once, so that the store is not asked for its account."""
        line = self._line.usual(address)
        return Link(address=address, channel=line.channel, account=line.account, sender=line.sender, words=VOUCHED)

    def _seal(self, asker: Address, pin: str) -> str:
        return self._sealer.seal(PURPOSE, asker.urn, pin)
