"""TLS to an SMSC: whom we trust, who we are there, and what went wrong in a word fit for a log."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from channels.sms.account import Tls
from domain.errors import SettingsError

T = TypeVar("T")

# What OpenSSL's verification says (X509_V_ERR_*), where an operator can do something about it.
FAULTS: Final[Mapping[int, str]] = MappingProxyType(
    {
        9: "certificate_not_yet_valid",
        10: "certificate_expired",
        62: "certificate_of_another_name",
        64: "certificate_of_another_name",  # of another IP address
    }
)
UNTRUSTED: Final = "certificate_untrusted"  # no authority of ours vouches for it


def make_context(account: str, tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or newer; the SMSC's certificate and name are verified, always. `account`: its name, for the errors.

    Raises:
        SettingsError: a file cannot be used; says which.
    """
    context = _usable(account, "tls_authorities", tls.authorities, lambda: _verifying(tls.authorities))
    if tls.certificate is not None:
        certificate, key = tls.certificate, tls.key or tls.certificate
        _usable(account, "tls_key", key, lambda: _readable(key))
        _usable(
            account, "tls_certificate", certificate, lambda: context.load_cert_chain(certificate, key, _no_password)
        )
    elif tls.key is not None:
        raise SettingsError(f"sms {account}: tls_key: {tls.key}: it needs tls_certificate beside it")
    return context


def word_for(failure: BaseException) -> str:
    """What ended or prevented a connection; never a name, an address or a secret."""
    if isinstance(failure, ssl.SSLCertVerificationError):
        return FAULTS.get(failure.verify_code, UNTRUSTED)
    if isinstance(failure, ssl.SSLError) and failure.reason:
        return f"tls_{failure.reason.lower()}"  # among them the other side's alerts
    return type(failure).__name__


def _usable(account: str, setting: str, file: Path | None, load: Callable[[], T]) -> T:
    try:
        return load()
    except ssl.SSLError as error:
        why = error.reason.lower().replace("_", " ") if error.reason else "no PEM, or a key under a password"
        raise SettingsError(f"sms {account}: {setting}: {file}: {why}") from error
    except OSError as error:
        raise SettingsError(f"sms {account}: {setting}: {file}: {error.strerror or error}") from error


def _verifying(authorities: Path | None) -> ssl.SSLContext:
    """Our authorities vouch alone, where there are any; the system's would let in too many."""
    return ssl.create_default_context(cafile=authorities)


def _readable(file: Path) -> None:
    with file.open("rb"):
        """That it can be opened is all."""


def _no_password() -> str:
    """A key under a password is refused: left to itself, OpenSSL would ask for it on the terminal."""
    return ""
