"""Telephone numbers as the gateway keeps them: international digits without "+"; short codes and names as they are."""

from __future__ import annotations

import re
from typing import Final

import phonenumbers

from channels.sms import commands as c
from domain.phones import PREFIXES_OF_2018

SHORTEST_NUMBER: Final = 6  # digits; shorter ones are services (8088, 1022), and are kept as they are
REGION: Final = "VN"

_VIETNAMESE_MOBILE: Final = re.compile(r"(?:\+?84|0084|0)?([35789]\d{8})", re.ASCII)
_ELEVEN_DIGITS: Final = re.compile(r"(?:\+?84|0084|0)?(1[2689]\d)(\d{7})", re.ASCII)
_DECORATION: Final = re.compile(r"[\s().\-\u00a0\u2010-\u2015]+")

# Hotlines (1900 1234) are not read: with the country before them they would look like somebody's mobile.
_OF_PERSONS: Final = frozenset(
    {
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
        phonenumbers.PhoneNumberType.PERSONAL_NUMBER,
        phonenumbers.PhoneNumberType.VOIP,
    }
)


def normalise(address: str, ton: int = c.TON_UNKNOWN) -> str:
    """One form for every way to write a number: "0912 345 678", "+84912345678" and "0084912345678" are 84912345678.

    `ton` is the type of number it came with: an international one may lack its "+". What is no telephone number
    (a short code, a name) comes back stripped, otherwise as it was. To be done once, at the edge: a foreign number has
    lost its "+" afterwards. Never raises.
    """
    if ton == c.TON_ALPHANUMERIC:
        return address.strip()
    written = address
    if ton == c.TON_INTERNATIONAL and not address.startswith(("84", "0", "+")):
        written = "+" + address  # else a foreign number of nine digits would be taken for one of ours
    if mobile := _VIETNAMESE_MOBILE.fullmatch(written):
        return "84" + mobile[1]
    return _normalise_rare(address.strip(), written)


def _normalise_rare(address: str, written: str) -> str:
    """Everything the fast path leaves: separators, old numbers, landlines, foreign numbers, short codes, names."""
    bare = _DECORATION.sub("", written)
    digits = bare.lstrip("+")
    if not digits.isascii() or not digits.isdigit() or len(digits) < SHORTEST_NUMBER:
        return address
    if not bare.startswith("+") or digits.startswith("84"):
        if mobile := _VIETNAMESE_MOBILE.fullmatch(bare):
            return "84" + mobile[1]
        if (old := _ELEVEN_DIGITS.fullmatch(bare)) and old[1] in PREFIXES_OF_2018:
            return "84" + PREFIXES_OF_2018[old[1]] + old[2]
    return (
        _valid_digits(bare) or _valid_digits("+" + digits) or _national_mobile(digits) or _DECORATION.sub("", address)
    )


def _valid_digits(number: str) -> str | None:
    """International digits of a number a person can have, by the numbering plans of the world."""
    try:
        parsed = phonenumbers.parse(number, REGION)
    except phonenumbers.NumberParseException:  # not a number: the caller tries the next reading
        return None
    if phonenumbers.number_type(parsed) not in _OF_PERSONS:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164).lstrip("+")


def _national_mobile(digits: str) -> str | None:
    """Some operators call a national number international; believed only when no country has such a number."""
    mobile = _VIETNAMESE_MOBILE.fullmatch(digits)
    return "84" + mobile[1] if mobile else None


def is_persons(digits: str) -> bool:
    """A person can have this number, as `normalise` writes it: somebody's mobile, or a landline of any country."""
    return _VIETNAMESE_MOBILE.fullmatch(digits) is not None or _valid_digits("+" + digits) is not None
