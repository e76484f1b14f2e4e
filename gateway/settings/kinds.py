"""Kinds of value a setting may have, each checked where it is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError

from domain.phones import number_prefix
from domain.text import nfc, safe_text

SQLITE_FILE = re.compile(r"sqlite(?:\+[a-z]+)?:///(?P<path>[^?]+)(?P<options>\?.*)?", re.DOTALL)
POSTGRES_DRIVER = "postgresql+asyncpg"
POSTGRES_URL = re.compile(
    r"postgresql\+asyncpg://(?:[^:/@]*(?::[^@/]*)?@)?(?:\[[0-9A-Fa-f:.]+\]|[^:/@\[\]]*)(?::[0-9]+)?/[^/?]+(?:\?.*)?"
)
SOURCE_DRIVERS = (
    *("sqlite+aiosqlite", "postgresql+asyncpg", "mysql+aiomysql", "oracle+oracledb_async", "mssql+mssqlpython"),
    *("https", "http"),
)
SOURCE_WITHOUT_SERVER = ("sqlite+aiosqlite", "https", "http")  # each is checked where it is opened
SERVER_URL = re.compile(
    r"[a-z0-9+_]+://(?:[^:/@]*(?::[^@/]*)?@)?(?:\[[0-9A-Fa-f:.]+\]|[^:/@\[\]]*)(?::[0-9]+)?(?:/[^?@]*)?(?:\?[^@]*)?"
)
REDIS_SCHEMES = ("redis", "rediss", "unix")
# No figure means more than these, and what is longer (or infinite) is no span of time Python can reckon with.
A_YEAR = 366 * 86_400.0
A_BILLION = 1_000_000_000


def expected(what: str) -> PydanticCustomError:
    # The text is data, never a template: what an operator wrote may hold braces.
    return PydanticCustomError("expected", "{what}", {"what": what})


@dataclass(frozen=True, slots=True)
class FileUrl:
    """Marks a URL that may name an SQLite file, whose relative path belongs to the TOML file that names it."""


def _store_url(url: SecretStr) -> SecretStr:
    address = url.get_secret_value()
    scheme = address.partition(":")[0]
    if scheme.startswith("postgres"):
        if scheme != POSTGRES_DRIVER:
            raise expected(f"name the driver: {POSTGRES_DRIVER}://user:password@host:5432/database")
        if not POSTGRES_URL.fullmatch(address):
            raise expected(f"expected {POSTGRES_DRIVER}://user:password@host:5432/database (what is special, as %2F)")
    elif scheme != "sqlite" or not SQLITE_FILE.fullmatch(address):
        raise expected(f"expected sqlite:///path (four slashes for an absolute path), or {POSTGRES_DRIVER}://")
    return url


def _source_url(url: SecretStr) -> SecretStr:
    address = url.get_secret_value()
    driver = address.partition("://")[0]
    if driver not in SOURCE_DRIVERS:
        raise expected(f"expected a URL that names its driver: {', '.join(f'{d}://' for d in SOURCE_DRIVERS)}")
    if driver not in SOURCE_WITHOUT_SERVER and not SERVER_URL.fullmatch(address):
        raise expected(f"expected {driver}://user:password@host/database (what is special, as %40 for @, %3A, %2F)")
    return url


def _redis_url(url: SecretStr) -> SecretStr:
    if url.get_secret_value().partition("://")[0] not in REDIS_SCHEMES:
        raise expected(f"expected a URL: {', '.join(f'{s}://' for s in REDIS_SCHEMES)}")
    return url


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError) as error:
        raise expected("expected a time zone's name, such as Asia/Ho_Chi_Minh") from error
    return name


def _file(path: Path) -> Path:
    if not path.is_file():
        raise expected(f"there is no file {path}")
    try:
        path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise expected(f"{path} cannot be read as text (UTF-8)") from error
    return path


def _directory(path: Path) -> Path:
    if not path.is_dir():
        raise expected(f"there is no directory {path}")
    return path


def _one_line(text: str) -> str:
    """As a form sends it back, so that the two can be compared."""
    line = safe_text(text, len(text) + 1)
    if line != nfc(text):
        raise expected("expected one line without signs that cannot be seen")
    return line


def _number_prefix(written: str) -> str:
    digits = number_prefix(written)
    if not digits:
        raise expected("expected the beginning of telephone numbers: 8496, +8496 or 096")
    return digits


StoreUrl = Annotated[SecretStr, AfterValidator(_store_url), FileUrl()]
SourceUrl = Annotated[SecretStr, AfterValidator(_source_url), FileUrl()]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
ExistingFile = Annotated[Path, AfterValidator(_file)]
ExistingDirectory = Annotated[Path, AfterValidator(_directory)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
Host = Annotated[str, Field(min_length=1)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(gt=0, le=A_YEAR)]
Count = Annotated[int, Field(gt=0, le=A_BILLION)]
Octet = Annotated[int, Field(ge=0, le=255)]
Printable = Annotated[str, Field(pattern=r"^[\x20-\x7e]*$")]
OneLine = Annotated[str, AfterValidator(_one_line)]  # in any language
AgencyPrefix = Annotated[str, Field(pattern=r"^[A-Z][0-9]{2}(\.[0-9]{1,3})*$")]
Pattern = Annotated[str, Field(min_length=1, max_length=200)]
PhoneNumber = Annotated[str, Field(pattern=r"^\+?[0-9][0-9 .]{1,14}$")]
NumberPrefix = Annotated[str, AfterValidator(_number_prefix)]  # in international digits


class Section(BaseModel):
    """A table of the TOML file. A secret `x` may be kept in a file of its own, which `x_file` names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)
