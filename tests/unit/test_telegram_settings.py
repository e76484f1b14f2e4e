"""A bot's settings become its account; what cannot work is said when the file is read, and no secret with it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from channels.telegram.account import TelegramAccount, UpdatesBy
from domain.errors import SettingsError
from gateway.bootstrap.telegram import make_telegram, telegram_account
from gateway.settings.telegram import TelegramSettings

TOKEN = "123456:nobody"
HOOK = {"updates": "webhook", "webhook_secret": "hush"}


def settings(**changes: Any) -> TelegramSettings:
    return TelegramSettings.model_validate({"name": "bot", "token": TOKEN} | changes)


def test_the_defaults_are_the_accounts_own() -> None:
    assert telegram_account(settings(), "") == TelegramAccount(name="bot", token=TOKEN)


def test_the_webhook_is_under_the_public_address_unless_told_otherwise() -> None:
    account = telegram_account(settings(**HOOK), "https://tra.vn")
    assert (account.updates, account.webhook_secret) == (UpdatesBy.WEBHOOK, "hush")
    assert account.webhook_url == "https://tra.vn/hooks/telegram/bot"
    elsewhere = telegram_account(settings(**HOOK, webhook_url="https://x.vn/y"), "https://tra.vn")
    assert elsewhere.webhook_url == "https://x.vn/y"


def test_a_webhook_without_an_address_is_refused() -> None:
    with pytest.raises(SettingsError, match="webhook_url"):
        telegram_account(settings(**HOOK), "")


def test_a_channel_is_made_for_each_bot() -> None:
    made = make_telegram(
        [settings(), settings(name="second", **HOOK)],
        "https://tra.vn",
        {},
        itertools.count(1).__next__,
        lambda: datetime.now(UTC),
    )
    assert [channel.account for channel in made] == ["bot", "second"]
    assert [route.path for channel in made for route in channel.routes()] == ["/hooks/telegram/second"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "hidden"},
        {"updates": "webhook"},
        {"webhook_secret": "hidden words"},
        {"webhook_secret": ""},
        {"proxy": "socks5://u:hidden@h"},
        {"max_connections": 101},
        {"rate": -1},
        {"base_url": "ftp://x"},
        {"largest_picture": 30_000_000},
        {"unknown": 1},
    ],
)
def test_what_cannot_work_is_refused_and_not_repeated(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refusal:
        settings(**wrong)
    assert "hidden" not in str(refusal.value)


def test_a_secret_is_not_shown() -> None:
    shown = repr(settings(**HOOK, proxy="http://u:hidden@h:1"))
    assert not any(secret in shown for secret in ("nobody", "hush", "hidden"))
