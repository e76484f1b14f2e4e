"""Vietnamese telephone numbers as one-stop systems keep them, brought to one form so that two can be compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_DIGITS = re.compile(r"\d+", re.ASCII)
_FRACTION = re.compile(r"\s*(\d+)\.0+\s*", re.ASCII)  # a number that a spreadsheet took for a quantity
_BETWEEN = re.compile(r"[;,/|\n]")
_MOBILE = re.compile(r"84[35789]\d{8}", re.ASCII)
_COUNTRY = "84"
_PREFIX = re.compile(r"(?:\+|00)?([1-9]\d{0,14})|0([1-9]\d{0,8})", re.ASCII)
_LENGTHS = (9, 10)  # digits of a national significant number: mobile, or an area code with a subscriber
_INTERNATIONAL = (11, 12)  # the same with 84 before it

# Mobile numbers of eleven digits became ten from 15 September 2018 and were dead after 14 November; dossiers of before
# still carry them (plan of the Ministry of Information and Communications, decision 798/QĐ-BTTTT of 2018). Prefixes
# without the leading zero.
PREFIXES_OF_2018: Final[Mapping[str, str]] = {
    "120": "70",
    "121": "79",
    "122": "77",
    "126": "76",
    "128": "78",
    "123": "83",
    "124": "84",
    "125": "85",
    "127": "81",
    "129": "82",
    "162": "32",
    "163": "33",
    "164": "34",
    "165": "35",
    "166": "36",
    "167": "37",
    "168": "38",
    "169": "39",
    "186": "56",
    "188": "58",
    "199": "59",
}


def significant_number(value: object) -> str:
    """The national significant number in `value`: "912345678" for 0912345678, 912345678, "+84 912 345 678" and
    84912345678; empty where it holds none, placeholders such as 0 and 0000000000 included.
    """
    digits = _digits(value).removeprefix("00")
    if digits.startswith(_COUNTRY) and len(digits) in _INTERNATIONAL:
        digits = digits.removeprefix(_COUNTRY)
    digits = digits.removeprefix("0")
    modern = PREFIXES_OF_2018.get(digits[:3]) if len(digits) == max(_LENGTHS) else None
    digits = digits if modern is None else modern + digits[3:]
    return digits if len(digits) in _LENGTHS and not digits.startswith("0") else ""


def significant_numbers(value: object) -> tuple[str, ...]:
    """All that stand in one column, "0912345678; 0987654321"; a sign between two is one within a number as well
    ("0912,345,678"), so that where no part is a number the whole may be one.
    """
    parts = [significant_number(part) for part in _BETWEEN.split("" if value is None else str(value))]
    found = [part for part in (parts if any(parts) else [significant_number(value)]) if part]
    return tuple(dict.fromkeys(found))


def senders_number(value: str) -> str:
    """The national significant number of somebody who wrote to us; empty for a number of another country, which with
    nine or ten digits would look like one of ours in a column.
    """
    digits = _digits(value)
    is_ours = (digits.startswith(_COUNTRY) and len(digits) in _INTERNATIONAL) or digits.startswith("0")
    return significant_number(digits) if is_ours else ""


def _digits(value: object) -> str:
    text = "" if value is None else str(value)
    whole = _FRACTION.fullmatch(text)
    return whole[1] if whole else "".join(_DIGITS.findall(text))


def number_prefix(written: str) -> str:
    """The beginning of numbers as they are kept, international digits without "+": "096", "+84 96" and "8496" are 8496;
    empty where this is none.
    """
    found = _PREFIX.fullmatch(written.replace(" ", "").replace(".", ""))
    if found is None:
        return ""
    return found[1] or _COUNTRY + found[2]


def is_mobile(digits: str) -> bool:
    """These international digits, such as 84912345678, are a mobile number of this country."""
    return _MOBILE.fullmatch(digits) is not None
