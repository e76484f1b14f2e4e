"""Messages on their way out: paced, one after the other within a chat, every chat by itself.

A message waits here for its turn only as long as nobody is in doubt about it (LONGEST_WAIT); one whose chat must be
silent longer goes back to the outbox, so that no chat holds the places of others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog
from telegram import InlineKeyboardMarkup
from telegram.error import BadRequest, ChatMigrated, InvalidToken, TelegramError

from channels.telegram.bot import TelegramBot
from channels.telegram.counters import TelegramCounters
from channels.telegram.pacing import Pacing
from channels.telegram.request import Throttled
from channels.telegram.texts import keyboard, split
from channels.telegram.verdicts import Verdict, blames_buttons, verdict_of
from domain.message import Button, OutboundMessage, SegmentResult, SendResult, SendStatus

LONGEST_WAIT = 1.5  # seconds
MOST_MIGRATED = 1_000  # groups whose new number is remembered

log = structlog.get_logger()


@dataclass(slots=True)
class _Lane:
    """One chat's messages under way, first in, first out."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Sending:
    """One bot's way out.

    Args:
        bot: where messages go.
        pacing: how fast.
        clock: seconds that only rise.
        sleep: how to wait for a turn.
        on_token_refused: told when Telegram does not take our token any more.
    """

    def __init__(
        self,
        bot: TelegramBot,
        pacing: Pacing,
        counters: TelegramCounters,
        *,
        account: str,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        on_token_refused: Callable[[], None],
    ) -> None:
        self._bot = bot
        self._pacing = pacing
        self._counters = counters
        self._clock = clock
        self._sleep = sleep
        self._on_token_refused = on_token_refused
        self._log = log.bind(account=account)
        self._lanes: dict[int, _Lane] = {}
        self._migrated: dict[int, int] = {}
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def under_way(self) -> int:
        return self._under_way

    @property
    def paused(self) -> bool:
        """Telegram wants silence of the whole bot."""
        return self._pacing.is_line_paused(self._clock())

    async def emptied(self) -> None:
        """Wait until no message is under way."""
        await self._idle.wait()

    async def send(self, batch: Sequence[OutboundMessage]) -> Sequence[SendResult]:
        """One result each, in the order of the batch."""
        if len(batch) == 1:
            return [await self._send(batch[0])]
        return await asyncio.gather(*(self._send(message) for message in batch))

    async def _send(self, message: OutboundMessage) -> SendResult:
        try:
            chat = int(message.recipient.value)
        except ValueError:
            return _result(message, Verdict(SendStatus.REJECTED, "not_a_chat"))
        if not message.text.strip():
            return _result(message, Verdict(SendStatus.REJECTED, "empty"))
        chat = self._migrated.get(chat, chat)
        now = self._clock()
        wait = self._pacing.book_chat(chat, now, LONGEST_WAIT)
        if wait > LONGEST_WAIT:
            return _result(message, Verdict(SendStatus.RETRY, "paced", wait))
        lane = self._enter(chat)
        try:
            async with lane.lock:
                return await self._in_turn(message, chat, now + wait)
        finally:
            self._leave(chat, lane)

    async def _in_turn(self, message: OutboundMessage, chat: int, turn: float) -> SendResult:
        await self._until(turn)
        pause = self._pacing.pause_of(chat, self._clock())
        if pause > 0:  # another message of this chat was refused meanwhile
            return _result(message, Verdict(SendStatus.RETRY, "throttled", pause))
        parts: list[SegmentResult] = []
        try:
            await self._deliver(message, chat, parts)
        except TelegramError as error:
            return _result(message, self._judged(error, chat), parts)
        self._counters.accepted += 1
        return _result(message, Verdict(SendStatus.ACCEPTED, ""), parts)

    async def _deliver(self, message: OutboundMessage, chat: int, parts: list[SegmentResult]) -> None:
        """Every part of it; the buttons hang on the last."""
        texts = split(message.text)
        for number, text in enumerate(texts, 1):
            buttons = message.buttons if number == len(texts) else ()
            chat, sent = await self._post(chat, text, buttons)
            parts.append(SegmentResult(segment=number, segments=len(texts), external_id=f"{chat}:{sent}"))

    async def _post(self, chat: int, text: str, buttons: Sequence[Sequence[Button]]) -> tuple[int, int]:
        """The chat it went to and the number of the message there: a group may have moved, buttons may be refused."""
        markup = keyboard(buttons)
        try:
            return chat, await self._call(chat, text, markup)
        except ChatMigrated as moved:
            self._counters.migrated += 1
            self._remember(chat, moved.new_chat_id)
            return moved.new_chat_id, await self._call(moved.new_chat_id, text, markup)
        except BadRequest as error:
            if markup is None or not blames_buttons(error):
                raise
            self._log.warning("telegram.buttons_refused")
            return chat, await self._call(chat, text, None)

    async def _call(self, chat: int, text: str, markup: InlineKeyboardMarkup | None) -> int:
        await self._until(self._clock() + self._pacing.book_line(self._clock()))
        self._counters.sent += 1
        return await self._bot.say(chat, text, markup)

    def _judged(self, error: TelegramError, chat: int) -> Verdict:
        """What it means for this message; and what it means for those that follow."""
        verdict = verdict_of(error)
        if isinstance(error, Throttled):
            self._throttled(chat, error.seconds)
        elif isinstance(error, InvalidToken):
            self._on_token_refused()
        self._counters.rejected += verdict.status is SendStatus.REJECTED
        self._counters.stopped += verdict.status is SendStatus.STOPPED
        self._counters.unanswered += verdict.status is SendStatus.UNKNOWN
        return verdict

    def _throttled(self, chat: int, seconds: float) -> None:
        self._counters.throttled += 1
        if self._pacing.refused(chat, seconds, self._clock()):
            self._log.warning("telegram.throttled", seconds=seconds)

    def _remember(self, chat: int, moved_to: int) -> None:
        self._migrated[chat] = moved_to
        if len(self._migrated) > MOST_MIGRATED:
            del self._migrated[next(iter(self._migrated))]  # the oldest

    async def _until(self, turn: float) -> None:
        wait = turn - self._clock()
        if wait > 0:
            await self._sleep(wait)

    def _enter(self, chat: int) -> _Lane:
        lane = self._lanes.setdefault(chat, _Lane())
        lane.users += 1
        self._under_way += 1
        self._idle.clear()
        return lane

    def _leave(self, chat: int, lane: _Lane) -> None:
        lane.users -= 1
        if not lane.users:
            del self._lanes[chat]
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()


def _result(message: OutboundMessage, verdict: Verdict, parts: Sequence[SegmentResult] = ()) -> SendResult:
    return SendResult(
        message_id=message.id,
        status=verdict.status,
        segments=parts,
        reason=verdict.reason,
        retry_after=verdict.retry_after,
    )
