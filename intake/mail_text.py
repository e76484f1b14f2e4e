"""The text of a mail, out of plain text or HTML: nothing of it is run, fetched or kept as markup."""

from __future__ import annotations

import html
import re
from typing import Final

from domain.text import safe_text

LONGEST_TEXT: Final = 20_000  # characters
LONGEST_HTML: Final = 400_000  # characters that are read
_LONGEST_LINE: Final = 2_000
# Every sign belongs to one piece, so the time is that of reading it.
_PIECE: Final = re.compile(r"<!--|-->|<[!?][^<>]*>?|<(/?)([a-zA-Z][a-zA-Z0-9:]*)[^<>]*>?|[^<-]+|[<-]")
_UNSEEN: Final = frozenset({"script", "style", "head", "title", "template", "noscript", "object", "svg", "iframe"})
_NEW_LINE: Final = frozenset(
    {"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "table", "ul", "ol", "blockquote", "hr"}
)


def plain_text(text: str) -> str:
    """Lines without signs that are not seen, no more than one empty line between two."""
    lines = [safe_text(line, _LONGEST_LINE) for line in text[: 2 * LONGEST_TEXT].splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()[:LONGEST_TEXT]


def text_of_html(markup: str) -> str:
    """What a reader would see of it."""
    told: list[str] = []
    unseen, comment = "", False
    for piece in _PIECE.finditer(markup[:LONGEST_HTML]):
        tag = (piece[2] or "").lower()
        if comment:
            comment = piece[0] != "-->"
        elif unseen:
            unseen = "" if piece[1] and tag == unseen else unseen
        elif piece[0] == "<!--":
            comment = True
        elif tag in _UNSEEN and not piece[1] and not piece[0].endswith("/>"):
            unseen = tag
        elif piece[0].startswith(("<!", "<?")):
            continue
        elif tag:
            told.append("\n" if tag in _NEW_LINE else " " if tag in {"td", "th"} else "")
        else:
            told.append(re.sub(r"\s+", " ", html.unescape(piece[0])))
    return plain_text(re.sub(r" {2,}", " ", "".join(told)))
