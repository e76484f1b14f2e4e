"""Messages on their way out: in turn, one person's in order, each with one result.

A message is accepted when all its parts are. What may have arrived is `UNKNOWN` and never sent again from here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import structlog

from channels.sparing import Sparing
from channels.zalo import wording
from channels.zalo.account import ZaloAccount
from channels.zalo.api import OK, Sent
from channels.zalo.counters import ZaloCounters
from channels.zalo.errors import (
    PERHAPS_BUTTONS,
    TOKEN_REFUSED,
    NoAnswer,
    NotSent,
    Verdict,
    verdict_of,
    verdict_of_status,
)
from channels.zalo.pacing import Pace
from channels.zalo.tokens import NoToken
from domain.errors import StoreError
from domain.message import OutboundMessage, SegmentResult, SendResult, SendStatus

log = structlog.get_logger()

LATER = 5.0  # seconds after which a message that did not leave is tried again
WITHOUT_TOKEN = 30.0  # the same, for want of a token
ACCEPTED = Verdict(status=SendStatus.ACCEPTED, reason="")


class Sender(Protocol):
    """channels.zalo.api.ZaloApi, as far as messages go."""

    async def send(self, access_token: str, message: dict[str, Any]) -> Sent: ...


class Tokens(Protocol):
    """channels.zalo.tokens.TokenKeeper, as far as it is needed here."""

    @property
    def token(self) -> str: ...

    async def renew(self, refused: str) -> str: ...


class Sending:
    """Several calls of `send` may be under way at once.

    monotonic: seconds that only rise. sleep: how to wait for a turn.
    """

    def __init__(
        self,
        account: ZaloAccount,
        api: Sender,
        tokens: Tokens,
        counters: ZaloCounters,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.trouble = ""  # what a person has to mend; empty: nothing
        self._account = account
        self._api = api
        self._tokens = tokens
        self._counters = counters
        self._monotonic = monotonic
        self._sleep = sleep
        self._pace = Pace(account.rate, account.per_user)
        self._paused_until = 0.0
        self._lines = Sparing(monotonic)
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def paused(self) -> bool:
        """The platform wants nothing from us for a moment."""
        return self._monotonic() < self._paused_until

    async def send(self, batch: Sequence[OutboundMessage]) -> Sequence[SendResult]:
        """One result each; persons side by side, the messages of one person one behind the other."""
        persons: dict[str, list[OutboundMessage]] = {}
        for message in batch:
            persons.setdefault(message.recipient.value, []).append(message)
        self._under_way += 1
        self._idle.clear()
        try:
            told = await asyncio.gather(*(self._in_order(messages) for messages in persons.values()))
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()
        return [result for results in told for result in results]

    async def emptied(self) -> None:
        """Wait until no `send` is under way."""
        await self._idle.wait()

    async def _in_order(self, messages: Sequence[OutboundMessage]) -> list[SendResult]:
        return [await self._one(message) for message in messages]

    async def _one(self, message: OutboundMessage) -> SendResult:
        account, _, user = message.recipient.value.partition(".")
        if message.recipient.scheme != "zalo" or account != self._account.oa_id or not user:
            return SendResult(message_id=message.id, status=SendStatus.REJECTED, reason="address")
        bodies = wording.bodies(message, user, template_type=self._account.template_type, buttons=self._account.buttons)
        segments: list[SegmentResult] = []
        for number, body in enumerate(bodies, 1):
            verdict, answer = await self._part(user, body)
            segments.append(
                SegmentResult(
                    segment=number,
                    segments=len(bodies),
                    external_id=answer.message_id,
                    command_status=abs(answer.code or 0),
                )
            )
            self._count(verdict.status)
            if verdict.status is not SendStatus.ACCEPTED:
                break
        return SendResult(
            message_id=message.id,
            status=verdict.status,
            segments=segments,
            reason=verdict.reason,
            retry_after=verdict.retry_after,
        )

    async def _part(self, user: str, body: dict[str, Any]) -> tuple[Verdict, Sent]:
        """One request, or two where the token or the buttons were refused: both are certain not to have been sent."""
        if not self.paused:
            await self._sleep(self._pace.person(user, self._monotonic()))
            await self._sleep(self._pace.account(self._monotonic()))
        if self.paused:  # or has been since
            return _later("paused", max(0.0, self._paused_until - self._monotonic())), NOTHING
        verdict, answer = await self._asked(body)
        plain = wording.without_buttons(body) if answer.code in PERHAPS_BUTTONS else None
        if plain is not None:
            self._counters.without_buttons += 1
            self._say("buttons_refused", answer.code)
            verdict, answer = await self._asked(plain)
        if verdict.pauses:
            self._paused_until = self._monotonic() + max(self._account.throttle_pause, verdict.retry_after)
        if verdict.mend:
            self.trouble = f"the platform says {answer.code}: {verdict.reason}"
        elif verdict.status is SendStatus.ACCEPTED:
            self.trouble = ""
        if verdict.mend or verdict.pauses:
            self._say(verdict.reason, answer.code)
        return verdict, answer

    async def _asked(self, body: dict[str, Any]) -> tuple[Verdict, Sent]:
        token = self._tokens.token
        try:
            if not token:
                token = await self._tokens.renew("")
            answer = await self._written(token, body)
            if answer.code in TOKEN_REFUSED:
                answer = await self._written(await self._tokens.renew(token), body)
        except (NoToken, StoreError):
            return _later("no_token", WITHOUT_TOKEN), NOTHING
        except NotSent:
            return _later("unreachable", LATER), NOTHING
        except NoAnswer:
            return Verdict(status=SendStatus.UNKNOWN, reason="no_answer"), NOTHING
        return _verdict(answer), answer

    async def _written(self, token: str, body: dict[str, Any]) -> Sent:
        self._counters.sent += 1
        return await self._api.send(token, body)

    def _count(self, status: SendStatus) -> None:
        name = COUNTERS[status]
        setattr(self._counters, name, getattr(self._counters, name) + 1)

    def _say(self, reason: str, code: int | None) -> None:
        left_out = self._lines.left_out(reason)
        if left_out is not None:
            log.warning(
                "zalo.send_refused", account=self._account.name, reason=reason, code=code or 0, left_out=left_out
            )


COUNTERS = {
    SendStatus.ACCEPTED: "accepted",
    SendStatus.RETRY: "throttled",
    SendStatus.REJECTED: "rejected",
    SendStatus.STOPPED: "stopped",
    SendStatus.UNKNOWN: "unanswered",
}
NOTHING = Sent(status=0)


def _later(reason: str, seconds: float) -> Verdict:
    return Verdict(status=SendStatus.RETRY, reason=reason, retry_after=seconds)


def _verdict(answer: Sent) -> Verdict:
    if answer.status not in OK:
        return verdict_of_status(answer.status, answer.retry_after)
    if answer.code is None:
        return Verdict(status=SendStatus.UNKNOWN, reason="unreadable_answer")
    if answer.code in TOKEN_REFUSED:
        return _later("token_refused", WITHOUT_TOKEN)
    return verdict_of(answer.code) if answer.code else ACCEPTED
