"""`tracuu hook sign` prints a call that is believed; the webhook exists where a source has keys and nowhere else."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from multidict import CIMultiDict

from adapters.onestop.hook_signature import Signature, SigningKey, doubt_of, is_genuine, read_signature
from domain.codes import DossierCode
from domain.errors import SettingsError
from gateway.bootstrap.hooks import hook_routes
from gateway.configuration import load_settings
from gateway.hook_command import EXAMPLE, hook
from gateway.metrics import Metrics
from notifications.ports import Notices

SECRETS = {"2026-1": "example-secret-of-at-least-32-characters", "2026-2": "another-secret-of-at-least-32-characters"}


def written(path: Path, keys: Sequence[tuple[str, str]]) -> Path:
    (path / "mapping.toml").touch()
    entries = "".join(f'[[sources.watch.hook_keys]]\nid = "{key}"\nsecret = "{secret}"\n' for key, secret in keys)
    source = 'url = "sqlite+aiosqlite:///x.sqlite3"\nmapping = "mapping.toml"\n'
    config = path / "gateway.toml"
    config.write_text(
        f'[replies]\nhelp_phone = "1022"\n[[sources]]\nname = "ministry"\nprefixes = ["G09"]\n{source}'
        f'[[sources]]\nname = "province"\n{source}{entries}',
        encoding="utf-8",
    )
    return config


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return written(tmp_path, list(SECRETS.items()))


def printed(config: Path, *arguments: str) -> list[str]:
    result = CliRunner().invoke(hook, ["sign", "-c", str(config), *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return shlex.split(result.output.replace("\\\n", " "))


def headers_of(words: Sequence[str]) -> CIMultiDict[str]:
    pairs = (words[place + 1].split(": ", 1) for place, word in enumerate(words) if word == "-H")
    return CIMultiDict((name, value) for name, value in pairs)


@pytest.mark.parametrize("key_id", [None, "2026-1", "2026-2"])
def test_the_printed_call_is_believed(config: Path, key_id: str | None) -> None:
    words = printed(config, "province", *(["--key", key_id] if key_id else []))
    signature = read_signature(headers_of(words))
    assert isinstance(signature, Signature)
    key = SigningKey.of(key_id or "2026-1", SECRETS[key_id or "2026-1"])
    assert doubt_of(signature, [key], datetime.now(UTC)) is None
    assert is_genuine(signature, [key], words[-1].encode())
    assert words[-1].encode() == EXAMPLE
    assert words[2] == "http://127.0.0.1:8080/hooks/onestop/province"


def test_a_file_is_signed_byte_for_byte(config: Path, tmp_path: Path) -> None:
    body = tmp_path / "a body.json"
    body.write_bytes(b'{"codes":\r\n["H51.18-210817-0005"]}\n')
    words = printed(config, "province", str(body), "--url", "https://tracuu.example/")
    signature = read_signature(headers_of(words))
    assert isinstance(signature, Signature)
    assert is_genuine(signature, [SigningKey.of("2026-1", SECRETS["2026-1"])], body.read_bytes())
    assert words[-2:] == ["--data-binary", f"@{body}"]
    assert words[2] == "https://tracuu.example/hooks/onestop/province"


def test_no_secret_is_printed(config: Path) -> None:
    assert not any(secret in word for word in printed(config, "province") for secret in SECRETS.values())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "no source is named nowhere; there are: ministry, province"),
        (["ministry"], "the source ministry has no key; it needs a [[sources.watch.hook_keys]]"),
        (["province", "--key", "2025-1"], "the source province has no key 2025-1; there are: 2026-1, 2026-2"),
    ],
)
def test_what_cannot_be_signed_is_said(config: Path, arguments: Sequence[str], told: str) -> None:
    result = CliRunner().invoke(hook, ["sign", "-c", str(config), *arguments])
    assert result.exit_code != 0
    assert told in result.output


# ---- the route


class Looks:
    """As much of Notices as a webhook needs."""

    async def look(self, source: str, codes: Sequence[DossierCode], *, nonce: str, keep_until: datetime) -> bool:
        return True


def routes_of(config: Path) -> list[tuple[str, str]]:
    notices: Notices = Looks()  # type: ignore[assignment]
    made = hook_routes(load_settings(config), notices, lambda: datetime.now(UTC), (), Metrics(), lambda _: None)
    return [(route.method, route.path) for route in made]


def test_the_webhook_is_served_where_a_source_has_keys(config: Path, tmp_path: Path) -> None:
    assert routes_of(config) == [("POST", "/hooks/onestop/{source}")]
    assert routes_of(written(tmp_path, [])) == []


def test_a_secret_that_is_not_what_it_says_stops_the_start(tmp_path: Path) -> None:
    config = written(tmp_path, [("a", "whsec_" + "?" * 40)])
    with pytest.raises(SettingsError, match="source province: the secret of key a"):
        routes_of(config)
