"""The library's bot and its application, made for us: no updater of theirs, no queue in memory, our way to the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from telegram import InlineKeyboardMarkup
from telegram.error import TelegramError
from telegram.ext import Application, ExtBot

from channels.telegram.account import TelegramAccount
from channels.telegram.request import AiohttpRequest

BATCH = 100  # updates of one answer, Telegram's most


class TelegramBot(ExtBot[None]):
    """A bot with two calls of its own, which read no more of an answer than is needed.

    So an update of a shape nobody knows costs the others nothing, a message that was sent is never taken for one that
    was not because of how it is told back, and a fifth of the CPU is spared.
    """

    __slots__ = ()

    async def raw_updates(self, offset: int, timeout_s: int, allowed: Sequence[str]) -> Sequence[dict[str, Any]]:
        """Updates from number `offset` on, which acknowledges those before it; waits up to `timeout_s` for the first.

        Raises:
            TelegramError: as for every call.
        """
        asked = {"offset": offset, "timeout": timeout_s, "limit": BATCH, "allowed_updates": list(allowed)}
        own = self._request[0].read_timeout or 0
        told: Any = await self._post("getUpdates", asked, read_timeout=timeout_s + own)
        if not isinstance(told, list):  # to take it for none would be to ask again at once, for ever
            raise TelegramError("Invalid server response")
        return told

    async def say(self, chat: int, text: str, markup: InlineKeyboardMarkup | None) -> int:
        """Send a message; its number in the chat.

        Raises:
            TelegramError: as for every call.
        """
        data: dict[str, Any] = {"chat_id": chat, "text": text}
        if markup is not None:
            data["reply_markup"] = markup
        told = await self._post("sendMessage", data)
        number = told.get("message_id") if isinstance(told, dict) else None
        if not isinstance(number, int):
            raise TelegramError("Invalid server response")
        return number

    async def close_connections(self) -> None:
        """Also those that a call opened although the bot was never initialised."""
        for request in self._request:
            await request.shutdown()


def make_bot(account: TelegramAccount) -> TelegramBot:
    """Not yet opened. Polling has connections of its own: a question left open must not hold up an answer."""
    request, polls = (
        AiohttpRequest(
            connect_timeout=account.connect_timeout,
            response_timeout=account.response_timeout,
            proxy=account.proxy,
            largest_file=account.largest_picture,
        )
        for _ in range(2)
    )
    return TelegramBot(
        account.token,
        base_url=account.base_url,
        base_file_url=account.base_file_url,
        request=request,
        get_updates_request=polls,
    )


AnyApplication = Application[Any, Any, Any, Any, Any, Any]


def make_application(bot: TelegramBot) -> AnyApplication:
    """Without its updater: what comes is acknowledged by us, after the journal."""
    return Application.builder().bot(bot).updater(None).job_queue(None).build()
