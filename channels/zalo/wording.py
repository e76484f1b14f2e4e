"""Messages as the platform wants them: how long a text may be, how it is cut, what buttons look like (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from domain.message import Button, OutboundMessage
from domain.text import whole_letters

LONGEST_TEXT: Final = 2_000  # longer is refused (-210), not cut
MOST_BUTTONS: Final = 5
LONGEST_TITLE: Final = 100
LONGEST_PAYLOAD: Final = 1_000  # bytes; no limit is documented, ours are commands of a few words
PRESSED: Final = "oa.query.hide"  # its payload comes back as a text, and is not shown as one the person wrote


def units(text: str) -> int:
    """Its length as the strictest reader counts: in units of UTF-16."""
    return len(text) + sum(character > "\uffff" for character in text)


def fits(text: str) -> bool:
    return units(text) <= LONGEST_TEXT


def pieces(text: str) -> list[str]:
    """Each fits; cut at the end of a line, else at a word, else wherever no letter comes apart; blank ones are left out:
    the platform refuses them, and with them all.
    """
    limit = LONGEST_TEXT if units(text) == len(text) else LONGEST_TEXT // 2
    found = []
    while not fits(text):
        end = _cut(text, limit)
        found.append(text[:end].rstrip())
        text = text[end:].lstrip()
    return [piece for piece in (*found, text) if piece.strip()] or [text]


def _cut(text: str, limit: int) -> int:
    for mark in ("\n", " "):
        end = text.rfind(mark, limit // 2, limit + 1)
        if end > 0:
            return end
    return whole_letters(text, limit)


def bodies(message: OutboundMessage, user: str, *, template_type: str, buttons: bool) -> Sequence[dict[str, Any]]:
    """What is sent, one request each; buttons stand under the last."""
    texts = pieces(message.text)
    found: list[dict[str, Any]] = [{"recipient": {"user_id": user}, "message": {"text": text}} for text in texts]
    pressed = [_button(each) for row in message.buttons for each in row if _is_possible(each)][:MOST_BUTTONS]
    if buttons and pressed:
        payload: dict[str, Any] = {"buttons": pressed}
        if template_type:
            payload["template_type"] = template_type
        found[-1]["message"]["attachment"] = {"type": "template", "payload": payload}
    return found


def without_buttons(body: dict[str, Any]) -> dict[str, Any] | None:
    """The same text alone; None where it has no buttons."""
    message = body["message"]
    if "attachment" not in message:
        return None
    return {**body, "message": {"text": message["text"]}}


def _is_possible(button: Button) -> bool:
    """One that would not come back whole is left out: what it does can be typed."""
    return bool(button.label) and 0 < len(button.text.encode()) <= LONGEST_PAYLOAD


def _button(button: Button) -> dict[str, str]:
    title = button.label if len(button.label) <= LONGEST_TITLE else button.label[: LONGEST_TITLE - 1] + "…"
    return {"title": title, "type": PRESSED, "payload": button.text}
