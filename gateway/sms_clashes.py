"""What the keys of an [[sms]] account say against one another, told beside all other faults of the settings (pure but
for looking whether a certificate's file holds its key).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.toml_lines import Location

TLS_KEYS = ("tls_authorities", "tls_host_name", "tls_certificate", "tls_key")
KEY_LINE = "PRIVATE KEY-----"  # RFC 7468 §10 and §11


def sms_clashes(accounts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Location, str]]:
    """Where, and what is expected; `accounts` as the files and the environment give them, unchecked."""
    for index, account in enumerate(accounts):
        for place, expected in (*_bind_clashes(account), *_tls_clashes(account)):
            yield ("sms", index, *place), expected


def _bind_clashes(account: Mapping[str, Any]) -> Iterator[tuple[Location, str]]:
    binds = account.get("bind")
    if not isinstance(binds, list) or not binds or not all(isinstance(bind, dict) for bind in binds):
        return
    if all(bind.get("mode") == "receiver" for bind in binds):
        yield (
            ("bind", 0, "mode"),
            'expected one bind that transmits: a "transceiver", or a "transmitter" beside the receivers',
        )


def _tls_clashes(account: Mapping[str, Any]) -> Iterator[tuple[Location, str]]:
    if account.get("tls") not in (True, "true", "1"):
        for useless in TLS_KEYS:
            if account.get(useless):
                yield (useless,), "is of no use without tls = true, and nothing would be encrypted"
        return
    certificate, key = account.get("tls_certificate"), account.get("tls_key")
    if key and not certificate:
        yield ("tls_key",), "expected tls_certificate beside it"
    if certificate and not key and not _holds_key(certificate):
        yield ("tls_certificate",), "expected tls_key beside it, since its file holds no key"


def _holds_key(certificate: object) -> bool:
    """A file that cannot be read has a fault of its own."""
    try:
        return KEY_LINE in Path(str(certificate)).read_text(encoding="utf-8")
    except (OSError, ValueError):  # told where the file is checked
        return True
