"""Texts and buttons as Telegram takes them: lengths in UTF-16 units, parts cut where a reader would (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from domain.message import Button
from domain.text import whole_letters

LONGEST_TEXT = 4_096  # UTF-16 units of sendMessage's text
LONGEST_DATA = 64  # bytes of callback_data
_ASTRAL = 0x10000  # a character from here on takes two units


def units(text: str) -> int:
    """The length of a text as Telegram counts it."""
    return len(text) + sum(ord(character) >= _ASTRAL for character in text)


def fits(text: str) -> bool:
    """One message holds it."""
    return _is_within(text, LONGEST_TEXT)


def split(text: str, longest: int = LONGEST_TEXT) -> Sequence[str]:
    """Parts of at most `longest` units, cut after a line, else after a word, else wherever no letter comes apart; blank
    ones are left out.
    """
    parts = []
    rest = text
    while not _is_within(rest, longest):
        head = _head(rest, longest)
        cut = max(head.rfind("\n"), 0) or max(head.rfind(" "), 0) or whole_letters(rest, len(head))
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [part for part in (*parts, rest) if part.strip()]


def _is_within(text: str, longest: int) -> bool:
    return 2 * len(text) <= longest or units(text) <= longest  # most texts need no counting


def _head(text: str, longest: int) -> str:
    """As much of `text` as `longest` units hold."""
    taken = 0
    for index, character in enumerate(text):
        taken += 1 + (ord(character) >= _ASTRAL)
        if taken > longest:
            return text[:index]
    return text


def keyboard(rows: Sequence[Sequence[Button]]) -> InlineKeyboardMarkup | None:
    """The buttons under a message. One whose command is longer than Telegram gives back is left out: it can be typed."""
    shown = [[_button(button) for button in row if _is_carried(button)] for row in rows]
    shown = [row for row in shown if row]
    return InlineKeyboardMarkup(shown) if shown else None


def _button(button: Button) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=button.label, callback_data=button.text)


def _is_carried(button: Button) -> bool:
    return bool(button.label) and 1 <= len(button.text.encode()) <= LONGEST_DATA
