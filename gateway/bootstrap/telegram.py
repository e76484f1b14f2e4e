"""Telegram bots, as the settings say them. Their library is heavy: a gateway without a bot does not import it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from channels.telegram.account import TelegramAccount, UpdatesBy
from domain.errors import SettingsError
from gateway.http import Check
from gateway.settings.telegram import TelegramSettings

if TYPE_CHECKING:
    from channels.telegram.channel import TelegramChannel


def make_telegram(
    accounts: Sequence[TelegramSettings],
    base_url: str,
    menus: Mapping[str, Sequence[tuple[str, str]]],
    new_id: Callable[[], int],
    clock: Callable[[], datetime],
) -> list[TelegramChannel]:
    """A channel for each bot, whoever holds it. `base_url`: `web.base_url`. `menus`: as the channel takes them.

    Raises:
        SettingsError: a bot wants its webhook called and nobody says where.
    """
    if not accounts:
        return []
    from channels.telegram.channel import TelegramChannel  # noqa: PLC0415 - see above

    return [
        TelegramChannel(telegram_account(account, base_url), new_id=new_id, clock=clock, menus=menus)
        for account in accounts
    ]


def telegram_checks(accounts: Sequence[TelegramSettings], base_url: str) -> Mapping[str, Check]:
    """Whether each bot's token is taken; nothing is asked yet.

    Raises:
        SettingsError: as `make_telegram`.
    """
    if not accounts:
        return {}
    from channels.telegram.knocking import knock  # noqa: PLC0415 - see above

    bots = [telegram_account(account, base_url) for account in accounts]
    return {f"telegram {bot.name}": partial(knock, bot) for bot in bots}


def telegram_account(settings: TelegramSettings, base_url: str) -> TelegramAccount:
    """A bot in the channel's own words: the same names, the secrets revealed, the webhook's address whole.

    Raises:
        SettingsError: as `make_telegram`.
    """
    values: dict[str, Any] = {name: _revealed(getattr(settings, name)) for name in TelegramAccount.__dataclass_fields__}
    if values["updates"] == UpdatesBy.WEBHOOK and not values["webhook_url"]:
        if not base_url:
            raise SettingsError(f"telegram {settings.name}: updates by webhook need webhook_url or web.base_url")
        from channels.telegram.webhook import path_of  # noqa: PLC0415 - see above

        values["webhook_url"] = base_url + path_of(settings.name)
    return TelegramAccount(**values | {"updates": UpdatesBy(settings.updates)})


def _revealed(value: object) -> Any:  # noqa: ANN401  # whatever a setting may be
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return "" if value is None else value
