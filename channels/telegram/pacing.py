"""How fast we may talk to one chat, to one group and to all, and who waits after Telegram said it is too much (pure: the
time is passed in, in seconds that only rise).

The limits are Telegram's (core.telegram.org/bots/faq): a message a second to one person, of which short bursts pass, 20
a minute to one group, 30 a second to all.
"""

from __future__ import annotations

from dataclasses import dataclass

MINUTE = 60.0
CHAT_BURST = 3  # messages at once to one chat
LINE_BURST_SECONDS = 0.1  # of the rate in all
MOST_CHATS = 10_000  # remembered before those that are free again are forgotten
FLOOD_CHATS = 3  # persons whose messages were refused within FLOOD_WINDOW: it is all of us who are too fast
FLOOD_WINDOW = 5.0


@dataclass(slots=True)
class Meter:
    """One limit: a message every `interval` seconds, `burst` of them at once (GCRA). An interval of 0 has no limit."""

    interval: float
    burst: int
    full_at: float = 0.0  # when the messages booked so far would end if they left one by one

    def earliest(self, now: float) -> float:
        """When another one may leave."""
        return max(now, self.full_at - self.interval * (self.burst - 1))

    def book(self, now: float) -> float:
        """Take the next place; when it is."""
        turn = self.earliest(now)
        self.full_at = max(self.full_at, now) + self.interval
        return turn


class Pacing:
    """All limits of one bot. A chat's number is negative for a group, as Telegram numbers them."""

    def __init__(self, *, rate: float, per_chat: float, per_group: float) -> None:
        burst = max(1, int(rate * LINE_BURST_SECONDS))
        self._line = Meter(_interval(rate), burst)
        self._of_a_chat = _interval(per_chat)
        self._of_a_group = _interval(per_group) * MINUTE
        self._chats: dict[int, Meter] = {}
        self._paused: dict[int, float] = {}  # chats, until when
        self._line_paused_until = 0.0
        self._floods: dict[int, float] = {}  # persons, when their last message was refused as too many

    def book_chat(self, chat: int, now: float, longest: float) -> float:
        """Seconds until this chat's next message may leave: booked if they are not more than `longest`, else not."""
        paused = self._paused.get(chat, now)
        meter = self._meter(chat, now)
        wait = max(meter.earliest(now), paused, self._line_paused_until) - now
        if wait <= longest:
            meter.book(now)
        return wait

    def book_line(self, now: float) -> float:
        """Seconds until the next message of all may leave; booked."""
        return self._line.book(now) - now

    def pause_of(self, chat: int, now: float) -> float:
        """Seconds for which nothing may be sent to this chat because Telegram said so; 0 or less: none."""
        return max(self._paused.get(chat, now), self._line_paused_until) - now

    def is_line_paused(self, now: float) -> bool:
        return now < self._line_paused_until

    def refused(self, chat: int, seconds: float, now: float) -> bool:
        """Telegram wants silence of so many seconds in this chat. True: it means all of us, from now on.

        An answer 429 does not say whether the chat or the bot is too fast. To one person we are never too fast by
        ourselves, so that several persons' refusals at the same time mean the bot; a group's say nothing of others.
        """
        self._paused[chat] = max(self._paused.get(chat, 0.0), now + seconds)
        if chat < 0:
            return False
        self._floods = {each: at for each, at in self._floods.items() if now - at < FLOOD_WINDOW} | {chat: now}
        if len(self._floods) < FLOOD_CHATS:
            return False
        self._line_paused_until = max(self._line_paused_until, now + seconds)
        return True

    def _meter(self, chat: int, now: float) -> Meter:
        meter = self._chats.get(chat)
        if meter is None:
            if len(self._chats) >= MOST_CHATS:
                self._forget(now)
            meter = self._chats[chat] = Meter(self._of_a_group if chat < 0 else self._of_a_chat, CHAT_BURST)
        return meter

    def _forget(self, now: float) -> None:
        self._chats = {chat: meter for chat, meter in self._chats.items() if meter.full_at > now}
        self._paused = {chat: until for chat, until in self._paused.items() if until > now}


def _interval(rate: float) -> float:
    return 1.0 / rate if rate > 0 else 0.0
