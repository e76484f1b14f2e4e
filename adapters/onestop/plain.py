"""Values as drivers and systems differ on them, brought to one form so that they can be compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import TypeVar

from domain.text import unaccent

T = TypeVar("T")

_CODE = r"[{0}0-9][{0}0-9_.\-/]{{0,44}}"
_CODE_LIKE = re.compile(
    rf"(?!.*\d{{7}})(?:{_CODE.format('A-Z')}|{_CODE.format('a-z')})", re.ASCII
)  # and no telephone number

LARGEST = 2**64  # larger whole numbers are no state, flag or code


def status_key(value: object) -> str:
    """A state as it is compared: ' Processing ' is 'processing', 'Đang xử lý' is 'dang xu ly', and 4, 4.0, '4' and
    '04' are '4'; true is '1'.
    """
    value = plain(value)
    text = unaccent(str(value)).strip().casefold() if value is not None else ""
    whole = text.removesuffix(".0")
    return str(int(whole)) if whole.isascii() and whole.isdigit() and len(whole) < len(str(LARGEST)) else text


def plain(value: object) -> object:
    """A value as drivers differ on it, in one form: whole numbers are int (a flag is 0 or 1), bytes are text or, where
    they are none, the number they hold. A list or a record is no value: None.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float | Decimal):
        return int(value) if _is_whole(value) else value
    if isinstance(value, bytes | bytearray | memoryview):
        return _text_or_number(bytes(value))
    return None if isinstance(value, Mapping | list | tuple | set | frozenset) else value


def _is_whole(value: float | Decimal) -> bool:
    finite = value.is_finite() if isinstance(value, Decimal) else isfinite(value)
    return finite and -LARGEST < value < LARGEST and value == int(value)


def _text_or_number(value: bytes) -> str | int:
    try:
        text = value.decode()
    except UnicodeDecodeError:  # silent on purpose: it is no text, which is what was to be found out
        return int.from_bytes(value)
    return text if text.isprintable() else int.from_bytes(value)


def shown(text: str) -> str:
    """A code as it is; of anything else, which may name a person, the length."""
    return text if _CODE_LIKE.fullmatch(text) else shown_length(text)


def shown_length(text: str) -> str:
    """That there is a text, and how long it is."""
    return f"({len(text)} signs)" if text else ""


def distinct(written: Mapping[str, T]) -> dict[str, T]:
    """The same table with its keys as states are compared.

    Raises:
        ValueError: two of them are one state with two meanings.
    """
    read: dict[str, T] = {}
    for theirs, meant in written.items():
        if read.setdefault(status_key(theirs), meant) != meant:
            raise ValueError(f"state {theirs!r} stands there twice with different meanings")
    return read
