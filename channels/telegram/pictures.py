"""A picture somebody sent, fetched when the conversation wants to know what is in it."""

from __future__ import annotations

import asyncio

from telegram import Bot
from telegram.error import TelegramError

from domain.errors import PictureUnavailable


async def fetch_picture(bot: Bot, reference: str, *, largest: int, time_limit: float) -> bytes:
    """The bytes of the file that `reference` (a file_id) names.

    Raises:
        PictureUnavailable: it is larger than `largest` bytes, is gone, or did not come within `time_limit` seconds.
    """
    try:
        async with asyncio.timeout(time_limit):
            file = await bot.get_file(reference)
            if file.file_path is None or (file.file_size or 0) > largest:
                raise PictureUnavailable("a picture is too large to be fetched")
            return await bot.request.retrieve(file.file_path)
    except TimeoutError:
        raise PictureUnavailable("a picture did not come in time") from None
    except TelegramError as error:  # its words may hold the file's address, and so the token
        raise PictureUnavailable(f"a picture could not be fetched: {type(error).__name__}") from None
