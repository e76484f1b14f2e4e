"""Ids other sides give to what they take, in the one form they are compared in (pure).

One SMSC answers a submit in hexadecimal and reports in decimal, another the reverse; they pad with zeros and change
case; some ids need more than 64 bits (reference smpp.md §2). So an id is text here, and a number only while its base is
changed: Python's have no end.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 256  # characters compared; SMPP 3.4 allows 64 (§5.2.23), and a key of an index must end somewhere
_LONGEST_NUMBER: Final = 64  # digits of an id whose base may be changed
_DECIMAL: Final = re.compile(r"[0-9]+", re.ASCII)
_HEXADECIMAL: Final = re.compile(r"[0-9A-F]+", re.ASCII)


def key_of(external_id: str) -> str:
    """Upper case without padding, leading zeros and "0X"; empty for no id, "0" for one of zeros alone."""
    bare = external_id[: LONGEST + 1].strip().upper()
    return (bare.removeprefix("0X").lstrip("0") or bare[:1])[:LONGEST]


def in_hexadecimal(key: str) -> str | None:
    """The key of the decimal number `key`, written in hexadecimal; None: it is none."""
    return f"{int(key):X}" if len(key) <= _LONGEST_NUMBER and _DECIMAL.fullmatch(key) else None


def in_decimal(key: str) -> str | None:
    """The key of the hexadecimal number `key`, written in decimal; None: it is none."""
    return str(int(key, 16)) if len(key) <= _LONGEST_NUMBER and _HEXADECIMAL.fullmatch(key) else None


def spellings(key: str) -> tuple[str, ...]:
    """The key itself, then what it is in the other base if it is decimal, then if it is hexadecimal; each once.

    Whatever one side of a pair has among its spellings, the other has it too.
    """
    found = (key, in_hexadecimal(key), in_decimal(key))
    return tuple(dict.fromkeys(each for each in found if each))
