"""Numbers as officers see them who did not type them: enough to tell two people apart, not enough to call one (pure)."""

from __future__ import annotations

import re
from typing import Final

from domain.message import Address

DOTS: Final = "•••••"
FORGOTTEN: Final = "masked"  # the scheme of who was removed by age or on request
_HEAD, _TAIL = 2, 3
_SHORTEST_NUMBER = 8
# Of a person, in whatever writing; no part of a dossier code begins so and is as long.
_NUMBER = re.compile(r"(?<![0-9A-Za-z.\-])(?:\+?84|0084|0)[ .\-]?[35789](?:[ .\-]?\d){8}(?![0-9])", re.ASCII)


def hidden(address: Address) -> str:
    """`84•••••678`; of a chat, whose ids say nothing to anybody, the end; empty for who was forgotten."""
    if address.scheme == FORGOTTEN:
        return ""
    head = address.value[:_HEAD] if address.scheme == "sms" and len(address.value) >= _SHORTEST_NUMBER else ""
    return f"{head}{DOTS}{address.value[-_TAIL:]}"


def without_numbers(text: str) -> str:
    """What somebody wrote, their mobile number in it hidden likewise."""
    return _NUMBER.sub(lambda found: f"{found[0][:_HEAD]}{DOTS}{found[0][-_TAIL:]}", text)
