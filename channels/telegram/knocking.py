"""Whether a bot's token is taken, asked once and without taking any update: for `tracuu check-config`."""

from __future__ import annotations

from telegram.error import InvalidToken, TelegramError

from channels.base import Health
from channels.telegram.account import TelegramAccount
from channels.telegram.bot import make_bot


async def knock(account: TelegramAccount) -> Health:
    """Who Telegram says we are, or why it does not. Nothing is changed there."""
    bot = make_bot(account)
    try:
        me = await bot.get_me()
    except InvalidToken:  # its words hold the token
        return Health(ok=False, detail="Telegram does not take the token")
    except TelegramError as error:
        return Health(ok=False, detail=f"Telegram cannot be asked ({type(error).__name__}): is a proxy needed?")
    finally:
        await bot.close_connections()
    return Health(ok=True, detail=f"is @{me.username}, updates by {account.updates.value}")
