"""A number is proved by a code sent to it and typed back: the message with the code, and following from the web by it.

Whoever asks is told what is true of himself only. What is true of the number (its day of codes is spent, it wants no
messages, it follows as many as it may) is told to nobody but the number: from outside each looks like a code on its way.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from conversation.case import Shape
from conversation.charges import block_of
from conversation.dossiers import OVER
from conversation.following import MOST_READ, WORDS, followed
from conversation.guards import Guards
from conversation.ports import (
    BudgetAsk,
    Budgets,
    FollowChange,
    Limit,
    Link,
    LookUps,
    People,
    Person,
    PinRequest,
    PinResult,
    Pins,
    Verdict,
)
from conversation.questions import Questions
from domain.answers import DossierAnswer, Outcome
from domain.codes import DossierCode
from domain.errors import StoreUnavailable
from domain.message import Address, Category, OutboundMessage
from domain.phones import is_mobile
from domain.pins import PinAnswer, PinOutcome
from domain.questions import Question, QuestionAnswer
from domain.replies import ReplyWriter, Voice
from domain.text import fold, safe_text
from lookup.disclosure import Disclosure

DIGITS = 6
TOKEN_BYTES = 24
SEAL_BYTES = 16  # of what stands in for a code that is not sent
LONGEST_TYPED = 64  # characters of a number or a code that are looked at
LEAST_KEY = 16  # bytes
PURPOSE = "follow-pin"
_HOUR, _DAY = 3600.0, 86_400.0
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)  # as token_urlsafe makes one
_PIN = re.compile(rf"\d{{{DIGITS}}}", re.ASCII)
_LAID_OUT = str.maketrans("", "", " .-")

_OUTCOMES = {
    PinResult.FOLLOWING: PinOutcome.FOLLOWING,
    PinResult.WRONG: PinOutcome.WRONG,
    PinResult.SPENT: PinOutcome.SPENT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PinRules:
    """How many codes, and how long and how often one may be tried."""

    good_for: timedelta = timedelta(minutes=10)
    tries: int = 5
    per_number: int = 3  # a day
    per_address: int = 5  # an hour, of the web; or of one account of a chat
    per_block: int = 15  # the same, of its neighbours
    in_all: int = 200  # an hour
    in_all_a_day: int = 1_000  # what strangers may cost us
    follows_per_person: int = 10

    @property
    def minutes(self) -> int:
        """How long a code is good for, as a text says it."""
        return int(self.good_for.total_seconds() // 60)

    def asks(self, asker: Address) -> list[BudgetAsk]:
        """What a code that somebody asks for is charged to."""
        block = block_of(asker)
        return [
            BudgetAsk(f"pin:{_whose(asker)}", (Limit(self.per_address, _HOUR),)),
            BudgetAsk(f"pin-block:{block}", (Limit(self.per_block, _HOUR),) if block else (), needs=1),
            BudgetAsk("pin-all:", (Limit(self.in_all, _HOUR), Limit(self.in_all_a_day, _DAY)), needs=1),
        ]


class PinSealer:
    """Makes codes, and the seals that are all that is kept of them."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        """`key` is shared by every gateway of one store.

        Raises:
            ValueError: the key is shorter than 16 bytes.
        """
        if len(key) < LEAST_KEY:
            raise ValueError(f"the key of the codes has {len(key)} bytes, at least {LEAST_KEY} are needed")
        self._key = key

    @staticmethod
    def new() -> str:
        """A code nobody can foretell."""
        return f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"

    def seal(self, purpose: str, request: str, pin: str) -> str:
        """The seal of a code: good for this purpose and this request only."""
        text = f"{purpose}\0{request}\0{pin}".encode()
        return hmac.digest(self._key, text, hashlib.sha256).hex()

    def seal_of(self, message: OutboundMessage, purpose: str, request: str, pin: str) -> str:
        """The seal of the code in this message; of one that never leaves, a seal that no code fits: else who asks again
        and again could go on guessing at a number that gets no codes any more.
        """
        leaves = message.expires_at > message.created_at
        return self.seal(purpose, request, pin if leaves else secrets.token_hex(SEAL_BYTES))


def typed_pin(text: str) -> str:
    """The code that was typed, however it was laid out; empty where there is none."""
    typed = fold(text[:LONGEST_TYPED]).translate(_LAID_OUT).strip()
    return typed if _PIN.fullmatch(typed) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinLine:
    """The account codes leave by, what a person sees as their sender, and how a text is shown there. `normalise` brings
    a typed number to the one form it has there, 84912345678.
    """

    channel: str
    account: str
    sender: Address
    shape: Shape
    normalise: Callable[[str], str]

    def recipient(self, typed: str) -> Address | None:
        """The mobile number of this country that was typed, if it is one."""
        digits = self.normalise(fold(typed[:LONGEST_TYPED]).strip())
        return Address("sms", digits) if is_mobile(digits) else None

    def usual(self, recipient: Address) -> PinLine:  # noqa: ARG002 - there is no other
        """See PinLines: the only one there is."""
        return self

    async def to(self, recipient: Address) -> PinLine:
        """See PinLines: the only one there is."""
        return self.usual(recipient)


class PinLines(Protocol):
    """The accounts codes leave by, where there may be several."""

    def recipient(self, typed: str) -> Address | None:
        """The mobile number of this country that was typed, if it is one."""
        ...

    def usual(self, recipient: Address) -> PinLine:
        """The account of a number, by nothing but the number."""
        ...

    async def to(self, recipient: Address) -> PinLine:
        """The account by which this number is reached now.

        Raises:
            StoreUnavailable: it is not known.
        """
        ...


class PinPost:
    """Writes the message that carries a code: what depends on the number it goes to."""

    def __init__(
        self,
        *,
        people: People,
        budgets: Budgets,
        guards: Guards,
        writer: ReplyWriter,
        line: PinLines,
        rules: PinRules,
        new_id: Callable[[], int],
    ) -> None:
        self._people = people
        self._budgets = budgets
        self._guards = guards
        self._writer = writer
        self._line = line
        self._rules = rules
        self._new_id = new_id

    async def for_following(
        self, recipient: Address, code: DossierCode | None, pin: str, *, language: str, now: datetime
    ) -> OutboundMessage:
        """What is sent to a number that is to follow a dossier."""

        async def write(voice: Voice) -> str:
            return await self._text(recipient, code, pin, voice)

        return await self._message(recipient, write, language, now)

    async def for_joining(
        self, recipient: Address, chat: str, pin: str, *, language: str, now: datetime
    ) -> OutboundMessage:
        """What is sent to a number that somebody in a chat calls their own; `chat`: its name."""

        async def write(voice: Voice) -> str:
            return self._writer.say("link_pin", voice, pin=pin, chat=chat, minutes=self._rules.minutes)

        return await self._message(recipient, write, language, now)

    async def for_filing(self, recipient: Address, pin: str, *, language: str, now: datetime) -> OutboundMessage:
        """What is sent to a number that somebody files a dossier with."""

        async def write(voice: Voice) -> str:
            return self._writer.say("filing_pin", voice, pin=pin, minutes=self._rules.minutes)

        return await self._message(recipient, write, language, now)

    async def _message(
        self, recipient: Address, write: Callable[[Voice], Awaitable[str]], language: str, now: datetime
    ) -> OutboundMessage:
        """One that must not leave is written all the same and has expired long ago, so that every number takes the same
        steps.
        """
        person = (await self._people.get([recipient])).get(recipient)
        line = await self._line.to(recipient)
        text = await write(_voice(line.shape, person, language, now))
        good_for = self._rules.good_for
        return OutboundMessage(
            id=self._new_id(),
            channel=line.channel,
            account=line.account,
            category=Category.REPLY,  # it was asked for just now, and is of no use in the morning
            recipient=recipient,
            sender=line.sender,  # a number: a registered name is for what nobody asked for
            text=text,
            created_at=now,
            expires_at=now + good_for if await self._wanted(recipient, person) else now - good_for,
        )

    async def _text(self, recipient: Address, code: DossierCode | None, pin: str, voice: Voice) -> str:
        """The code or, to a number that follows as many dossiers as it may, that it does and how to make room."""
        mine = [each.code for each in await self._people.following(recipient, MOST_READ)]
        if code not in mine and len(mine) >= self._rules.follows_per_person:
            return self._writer.say("follow_full", voice, code=code, count=len(mine))
        return self._writer.say("follow_pin", voice, code=code, pin=pin, minutes=self._rules.minutes)

    async def _wanted(self, recipient: Address, person: Person | None) -> bool:
        """So many a day, and none once the number stopped everything: who types it here may be somebody else."""
        limits = (Limit(self._rules.per_number, _DAY),)
        (verdict,) = await self._budgets.spend([BudgetAsk(f"pin-to:{_whose(recipient)}", limits)])
        stopped = person is not None and person.stopped_at is not None
        return verdict is Verdict.ALLOWED and not stopped and self._guards.answerable(recipient)


def _voice(shape: Shape, person: Person | None, language: str, now: datetime) -> Voice:
    """As the person chose; who chose nothing is written to in the language of the page."""
    chosen = person.accents if person is not None else None
    accents = shape.capabilities.accents if chosen is None else chosen
    spoken = person.language if person is not None else None
    return Voice(language=spoken or language, accents=accents, now=now, fits=shape.fits)


def link_of(message: OutboundMessage, words: str) -> Link:
    """The address a code is sent to, as it is reached by the message that carries the code."""
    return Link(
        address=message.recipient,
        channel=message.channel,
        account=message.account,
        sender=message.sender,
        words=words,
    )


class FollowByPin:
    """Asks for a code and takes it back; one for all web routes."""

    def __init__(
        self,
        *,
        questions: Questions,
        lookups: LookUps,
        disclosure: Disclosure,
        pins: Pins,
        budgets: Budgets,
        post: PinPost,
        line: PinLines,
        rules: PinRules,
        key: bytes,
        clock: Callable[[], datetime],
    ) -> None:
        """`key`: see PinSealer.

        Raises:
            ValueError: the key is shorter than 16 bytes.
        """
        self._questions = questions
        self._lookups = lookups
        self._disclosure = disclosure
        self._pins = pins
        self._budgets = budgets
        self._post = post
        self._line = line
        self._rules = rules
        self._sealer = PinSealer(key)
        self._clock = clock

    # ---- asking for a code

    async def ask(
        self,
        asker: Address,
        code: str,
        number: str,
        *,
        language: str,
        words: str,
        site: str = "",
        worked: bool = False,
    ) -> PinAnswer:
        """Send a code to `number`, by which it may follow the dossier; `words` are those of consent. A question first:
        guarded and disclosed like one, so that a proof of work may be needed; `site` and `worked` as of a Question.

        Raises:
            StoreError: the store is away.
        """
        recipient = self._line.recipient(number)
        if recipient is None:
            return PinAnswer(outcome=PinOutcome.NO_NUMBER)
        told = await self._told(Question(text=code, asker=asker, site=site, worked=worked))
        if told.outcome is not Outcome.FOUND or told.answer is None or told.answer.dossier is None:
            return PinAnswer(outcome=PinOutcome.NOT_TOLD, answer=told)
        if told.answer.dossier.status in OVER:
            return PinAnswer(outcome=PinOutcome.OVER, answer=told)
        asks = self._rules.asks(asker)
        if any(verdict is not Verdict.ALLOWED for verdict in await self._budgets.spend(asks)):
            return PinAnswer(outcome=PinOutcome.REFUSED, answer=told)
        try:
            return await self._send(recipient, told.answer.code, language, safe_text(words, WORDS))
        except StoreUnavailable:  # nothing was sent, so that nothing was spent
            await self._budgets.refund(asks)
            raise

    async def _told(self, question: Question) -> QuestionAnswer:
        ((answer, _),) = await self._questions.ask([question])
        return answer if isinstance(answer, QuestionAnswer) else await answer

    async def _send(self, recipient: Address, code: DossierCode, language: str, words: str) -> PinAnswer:
        # Read again, a moment later: with what only a proof opens, since changes are told apart by that too.
        found = (await self._lookups.find([code]))[code]
        if found.dossier is None:  # its system went down meanwhile
            return PinAnswer(outcome=PinOutcome.NOT_TOLD, answer=QuestionAnswer(outcome=found.outcome, answer=found))
        request = await self._request(recipient, self._change(recipient, found, words), language)
        await self._pins.ask(request)
        return PinAnswer(outcome=PinOutcome.SENT, token=request.token, expires_at=request.expires_at)

    def _change(self, recipient: Address, found: DossierAnswer, words: str) -> FollowChange:
        """Whoever types the code back holds the number, which may be the one on the dossier."""
        return followed(found, words, self._disclosure.judge(found, number=recipient.value).tier)

    async def _request(self, recipient: Address, change: FollowChange, language: str) -> PinRequest:
        now, token = self._clock(), secrets.token_urlsafe(TOKEN_BYTES)
        pin = self._sealer.new()
        message = await self._post.for_following(recipient, change.code, pin, language=language, now=now)
        return PinRequest(
            token=token,
            address=recipient,
            change=change,
            pin_seal=self._sealer.seal_of(message, PURPOSE, token, pin),
            message=message,
            expires_at=now + self._rules.good_for,
        )

    # ---- taking it back

    async def redeem(self, asker: Address, token: str, pin: str) -> PinAnswer:
        """The code as it was typed; FOLLOWING: the number follows from now on. Charged like a question.

        Raises:
            StoreError: the store is away.
        """
        if not await self._questions.admit(asker):
            return PinAnswer(outcome=PinOutcome.REFUSED)
        typed = typed_pin(pin)
        if not typed:
            return PinAnswer(outcome=PinOutcome.WRONG)  # it can be none of ours, and costs no try
        if not _TOKEN.fullmatch(token):
            return PinAnswer(outcome=PinOutcome.SPENT)
        result = await self._pins.redeem(token, self._seal(token, typed), tries=self._rules.tries)
        return PinAnswer(outcome=_OUTCOMES[result])

    def _seal(self, token: str, pin: str) -> str:
        return self._sealer.seal(PURPOSE, token, pin)


def _whose(address: Address) -> str:
    """As in conversation.charges: what stands before the bar says who the neighbours are."""
    block = block_of(address)
    return f"{block}|{address.value}" if block else address.urn
