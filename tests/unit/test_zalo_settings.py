"""The settings of a Zalo account: what is missing is named, what cannot be is refused, no secret is shown."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from pydantic import ValidationError

from channels.zalo.account import ZaloAccount
from gateway.bootstrap.zalo import zalo_account
from gateway.settings.zalo import ZaloSettings

LEAST: dict[str, Any] = {
    "name": "so-tu-phap",
    "app_id": "4300000000000000001",
    "oa_id": "2800000000000000002",
    "oa_secret": "the account's key",
    "app_secret": "the application's key",
}
SECRETS = ("oa_secret", "app_secret", "refresh_token")


def test_the_defaults_of_the_settings_are_those_of_the_channel() -> None:
    assert zalo_account(ZaloSettings(**LEAST)) == ZaloAccount(**LEAST)


@pytest.mark.parametrize("name", ["name", "app_id", "oa_id", "oa_secret", "app_secret"])
def test_what_an_account_cannot_be_without_has_no_default(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        ZaloSettings(**{key: value for key, value in LEAST.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("app_id", "my app"),
        ("oa_id", ""),
        ("oa_secret", ""),
        ("api_url", "http://openapi.zalo.me"),  # tokens would travel for everybody to read
        ("oauth_url", "http://127.0.0.1.example"),
        ("oauth_url", "https://user@oauth.zaloapp.com"),
        ("rate", 0),
        ("per_user", -1),
        ("webhook_age_h", 0),
        ("media_hosts", ["zdn.vn/path"]),
        ("spool", "/nowhere"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_read(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        ZaloSettings(**{**LEAST, name: value})


def test_a_simulator_on_this_machine_is_allowed() -> None:
    settings = ZaloSettings(**LEAST, api_url="http://127.0.0.1:8085", oauth_url="http://localhost:8085")
    assert zalo_account(settings).api_url == "http://127.0.0.1:8085"


def test_every_secret_is_hidden_wherever_an_account_is_shown() -> None:
    settings = ZaloSettings(**{**LEAST, "refresh_token": "from the console"})
    account = zalo_account(settings)
    for secret in SECRETS:
        value = getattr(account, secret)
        assert value
        assert value not in repr(account)
        assert value not in repr(settings)
    assert set(SECRETS) <= {field.name for field in fields(account) if not field.repr}


@pytest.mark.parametrize(("name", "value"), [("app_id", "x"), ("oa_id", ""), ("rate", 0.0), ("timeout", -1.0)])
def test_an_account_checks_itself(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        ZaloAccount(**{**LEAST, name: value})
