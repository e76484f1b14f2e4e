"""Does a text ask its reader to write back? Under a registered name nobody can (pure).

A hint for whoever writes a broadcast, never a reason to refuse one: words are guessed at. Accents tell "số" (a number)
from "sở" (an office) and "nhắn" (write) from "nhận" (receive); a text that has none is read with less of that.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from domain.text import unaccent

_ENGLISH = r"reply|respond|text\s+\S+\s+to|send\s+(?:\S+\s+){1,6}?to"
_ACCENTED = re.compile(
    r"\b(?:(?<!biên )soạn|(?<!tin )nhắn|gửi\s+(?:\S+\s+){0,6}?(?:đến|tới|về|vào)\s+(?:đầu\s+|tổng\s+đài\s+)?số"
    rf"|(?:trả|phản)\s+(?:lời|hồi)|{_ENGLISH})\b"
)
_PLAIN = re.compile(
    r"\b(?:(?<!bien )soan|(?<!tin )nhan\s+(?:tin|lai|\S+\s+(?:gui|den|toi|ve))"
    r"|gui\s+(?:\S+\s+){0,6}?(?:den|toi|ve|vao)\s+(?:dau\s+|tong\s+dai\s+)?so"
    rf"|(?:tra\s+loi|phan\s+hoi)|{_ENGLISH})\b"
)


def invites_answer(text: str, numbers: Collection[str] = ()) -> bool:
    """It does, and names none of our `numbers` that can be written to instead."""
    said = unicodedata.normalize("NFC", text).casefold()
    if any(re.search(rf"(?<!\d){re.escape(number)}(?!\d)", said) for number in numbers):
        return False
    words = _PLAIN if unaccent(said) == said else _ACCENTED
    return words.search(said) is not None
