"""What a mail seems to say of who hands in and what: put into the form for an officer to check, never believed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from domain.phones import is_mobile, significant_number

_READ: Final = 8_000  # characters of the text
_NUMBER: Final = re.compile(r"(?<![\d.+])(?:\+?84|0)(?:[ .\-]{0,2}\d){8,10}(?![\d])", re.ASCII)
_BESIDE_A_NUMBER: Final = re.compile(
    r"(?:điện thoại|di động|s[ốđ]+t|đ\.?t|sđt|dđ|phone|mobile|tel|zalo|liên hệ)[^\d+\n]{0,20}$", re.IGNORECASE
)
_A_NAME: Final = re.compile(
    r"(?:họ (?:và |& ?)?tên(?: người nộp)?|tôi (?:tên )?là|tên tôi là|em (?:tên )?là|người nộp(?: hồ sơ)?)"
    r"[ \t]*[:\-]?[ \t]*(?P<name>[^\W\d_]+(?:[ \t]+[^\W\d_]+){1,5})",
    re.IGNORECASE,
)
_TITLE: Final = re.compile(r"(?:ông|bà|anh|chị)\s+", re.IGNORECASE)
_PROCEDURE: Final = re.compile(r"(?<![\d.])(\d)[.,](\d{6})(?!\d)", re.ASCII)
_ANSWER: Final = re.compile(r"(?:(?:re|fw|fwd|tr|trả lời|chuyển tiếp)\s*:\s*)+", re.IGNORECASE)
_LONGEST_WORDS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class MailGuess:
    """Each "" where nothing is found. `phone` as typed; `procedure` the national code; `words` to search procedures by."""

    name: str = ""
    phone: str = ""
    procedure: str = ""
    words: str = ""


def guessed(*, sender_name: str, subject: str, text: str) -> MailGuess:
    """The likeliest of each; linear in the length of the text."""
    read = text[:_READ]
    procedure = _PROCEDURE.search(f"{subject}\n{read}")
    first_line = next((line for line in read.splitlines() if line.strip()), "")
    return MailGuess(
        name=_name(read) or ("" if "@" in sender_name else sender_name),
        phone=_phone(read),
        procedure=f"{procedure[1]}.{procedure[2]}" if procedure else "",
        words=(_ANSWER.sub("", subject).strip() or first_line)[:_LONGEST_WORDS],
    )


def _phone(text: str) -> str:
    """One that is called a telephone number; else the first mobile."""
    found = [match for match in _NUMBER.finditer(text) if significant_number(match[0])]
    called = [match for match in found if _BESIDE_A_NUMBER.search(text[max(0, match.start() - 60) : match.start()])]
    mobiles = [match for match in found if is_mobile("84" + significant_number(match[0]))]
    return next((match[0].strip() for match in (*called, *mobiles)), "")


def _name(text: str) -> str:
    """As one introduces oneself: of the words, those that begin with a capital."""
    for found in _A_NAME.finditer(text):
        name = _TITLE.sub("", found["name"], count=1) if _TITLE.match(found["name"]) else found["name"]
        kept: list[str] = []
        for word in name.split():
            if not word[0].isupper():
                break
            kept.append(word)
        if len(kept) > 1:
            return " ".join(kept)
    return ""
