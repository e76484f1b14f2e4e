"""An agency's site that carries our widget: its public key, the origins it may be shown on, and what it was used for."""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from domain.text import safe_text

KEY = re.compile(r"ts_[a-z2-7]{16}")  # public: it stands in the page of the site
LONGEST_NAME = 120  # characters
MOST_ORIGINS = 20
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::(?P<port>[0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One key. `agency`: an identifier of the catalogue, or empty for the whole province. `secret_digest`: hex SHA-256
    of the webmaster's secret, which opens the page about the use and is nowhere kept. A key says whose page asks; it is
    no authentication, since anybody but a browser writes whatever origin he likes.
    """

    key: str
    name: str
    agency: str
    origins: tuple[str, ...]
    secret_digest: str
    created_at: datetime
    revoked_at: datetime | None = None


class SiteUse(enum.StrEnum):
    """What a request of a site came to."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    UNREADABLE = "unreadable"
    SOURCE_DOWN = "source_down"
    REFUSED = "refused"  # a budget was spent
    WORK = "work"  # a proof of work was asked for first
    FOLLOWED = "followed"
    FOREIGN = "foreign"  # from an origin that is not the site's
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """How often something happened on one local day."""

    day: date
    use: SiteUse
    count: int


def read_origin(typed: str) -> str:
    """An origin as browsers write it (RFC 6454 §6.2): lower case, without a default port, a path or a closing slash;
    names beyond ASCII in punycode.

    Raises:
        ValueError: it is none; the message says why, for whoever typed it.
    """
    text = typed.strip().lower().removesuffix("/")
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise ValueError(f"{typed!r} has no scheme: write https://{text}")
    if "/" in rest or "?" in rest or "#" in rest:
        raise ValueError(f"{typed!r} is more than an origin: write {scheme}://{re.split('[/?#]', rest)[0]}")
    if "*" in rest:
        raise ValueError(f"{typed!r} has a wildcard: name each origin")
    try:
        rest = rest if rest.isascii() else rest.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"{typed!r} is no origin, such as https://stnmt.example.gov.vn") from error
    read = _ORIGIN.fullmatch(f"{scheme}://{rest}")
    if read is None or not 1 <= int(read["port"] or 1) <= _HIGHEST_PORT or ".." in read["host"]:
        raise ValueError(f"{typed!r} is no origin, such as https://stnmt.example.gov.vn")
    port = read["port"]
    return f"{scheme}://{read['host']}" + (f":{int(port)}" if port and port != _DEFAULT_PORTS[scheme] else "")


def read_origins(typed: Sequence[str]) -> tuple[str, ...]:
    """One to MOST_ORIGINS origins, each once, in the order given.

    Raises:
        ValueError: too few, too many, or see read_origin.
    """
    origins = tuple(dict.fromkeys(map(read_origin, typed)))
    if not origins:
        raise ValueError("a site has at least one origin, such as https://stnmt.example.gov.vn")
    if len(origins) > MOST_ORIGINS:
        raise ValueError(f"{len(origins)} origins are more than {MOST_ORIGINS}: add another site")
    return origins


def read_name(typed: str) -> str:
    """The name of a site, as one clean line.

    Raises:
        ValueError: it is empty or too long.
    """
    name = " ".join(safe_text(typed, 2 * LONGEST_NAME).split())
    if not name:
        raise ValueError("a site has a name")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"a site's name has at most {LONGEST_NAME} characters")
    return name


def digest(secret: str) -> str:
    """What is kept of a webmaster's secret: it has 130 random bits, so that nothing slower is needed to hide it."""
    return hashlib.sha256(secret.encode()).hexdigest()
