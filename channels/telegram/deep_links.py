"""`https://t.me/<bot>?start=<payload>`: a link that opens the bot with a code typed already (pure).

A payload is 1 to 64 of `A-Za-z0-9_-` (core.telegram.org/bots/features#deep-linking). No code holds an underscore, so
that one stands for the dots of a code, both ways.
"""

from __future__ import annotations

import re

PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")


def payload_of(text: str) -> str | None:
    """The payload that brings `text` back; None where there is none."""
    if "_" in text:
        return None
    payload = text.replace(".", "_")
    return payload if PAYLOAD.fullmatch(payload) else None


def text_of(payload: str) -> str:
    """What a payload says."""
    return payload.replace("_", ".")


def deep_link(username: str, text: str) -> str | None:
    """The link that opens the bot `username` and says `text`; None where no link can."""
    payload = payload_of(text)
    return None if payload is None else f"https://t.me/{username}?start={payload}"
