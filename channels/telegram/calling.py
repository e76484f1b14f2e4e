"""Whether Telegram still calls our webhook, and with what luck: it tells only who asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from channels.telegram.account import TelegramAccount
from channels.telegram.bot import TelegramBot

LOOK_EVERY = 60.0  # seconds
RECENT = timedelta(seconds=2 * LOOK_EVERY)

log = structlog.get_logger()


class Calling:
    """What one bot's webhook looks like from Telegram's side. `clock`: the time of day, with its zone."""

    def __init__(self, bot: TelegramBot, account: TelegramAccount, *, clock: Callable[[], datetime]) -> None:
        self.waiting = 0  # updates it could not hand in yet
        self.failing = False  # a call of the last moments was not answered 200
        self._bot = bot
        self._url = account.webhook_url
        self._clock = clock
        self._log = log.bind(account=account.name)

    async def is_ours(self) -> bool:
        """It still calls us, and nobody else, or nobody at all since somebody polled.

        Raises:
            TelegramError: as for every call.
        """
        told = await self._bot.get_webhook_info()
        failed_at = told.last_error_date
        failing = failed_at is not None and self._clock() - failed_at < RECENT
        if failing and not self.failing:
            self._log.warning("telegram.webhook_failing", waiting=told.pending_update_count)
        self.waiting, self.failing = told.pending_update_count, failing
        if told.url != self._url:
            self._log.warning("telegram.webhook_moved")
        return bool(told.url == self._url)
