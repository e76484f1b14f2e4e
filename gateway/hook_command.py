"""`tracuu hook`: for whoever connects a one-stop system to our webhook, a call that is signed as it has to be."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.configuration import load_settings
from gateway.settings import HookKey, Settings
from gateway.terminal import bootstrap as _bootstrap
from gateway.terminal import config_option

NONCE_BYTES = 16
EXAMPLE = b'{"codes":["H51.18-210817-0005"]}'


@click.group()
def hook() -> None:
    """The webhook of the one-stop systems."""


@hook.command("sign")
@config_option
@click.argument("source")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--key", "key_id", metavar="ID", help="Which of its keys; the first unless given.")
@click.option(
    "--url", metavar="URL", help="Where the gateway is reached; web.base_url unless given, else this machine."
)
def sign_call(config: Path | None, source: str, file: Path | None, key_id: str | None, url: str | None) -> None:
    """Print a curl command that calls SOURCE's webhook with the bytes of FILE (an example unless given), signed now: it
    is good for five minutes, once. Nothing is sent.
    """
    settings = load_settings(config)
    key = _key(settings, source, key_id)
    body = EXAMPLE if file is None else file.read_bytes()
    header = _bootstrap().sign_hook(key, moment=datetime.now(UTC), nonce=secrets.token_hex(NONCE_BYTES), body=body)
    address = f"{(url or _address(settings)).rstrip('/')}/hooks/onestop/{source}"
    click.echo(" \\\n  ".join(_words(address, header, body, file)))


def _key(settings: Settings, source: str, key_id: str | None) -> HookKey:
    named = {each.name: each.watch.hook_keys for each in settings.sources}
    if source not in named:
        raise click.ClickException(f"no source is named {source}; there are: {', '.join(named)}")
    for key in named[source]:
        if key_id in (None, key.id):
            return key
    known = ", ".join(key.id for key in named[source])
    told = f"there are: {known}" if known else "it needs a [[sources.watch.hook_keys]]"
    raise click.ClickException(f"the source {source} has no key {key_id or ''}".rstrip() + f"; {told}")


def _address(settings: Settings) -> str:
    return settings.web.base_url or f"http://127.0.0.1:{settings.listen.public.port}"


def _words(address: str, header: tuple[str, str], body: bytes, file: Path | None) -> Iterator[str]:
    """A curl command, a line each. The bytes are sent as they are: `--data` alone would drop line breaks of a file."""
    yield f"curl -i {shlex.quote(address)}"
    yield "-H 'Content-Type: application/json'"
    yield f"-H {shlex.quote(': '.join(header))}"
    yield f"--data-binary {shlex.quote(f'@{file}' if file is not None else body.decode())}"
