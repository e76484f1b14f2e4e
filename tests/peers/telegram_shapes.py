"""Updates in the shapes of the public Bot API documentation (core.telegram.org/bots/api), small."""

from __future__ import annotations

from typing import Any

ANN: dict[str, Any] = {"id": 5001, "is_bot": False, "first_name": "An", "language_code": "vi-VN"}
BOT: dict[str, Any] = {"id": 123456, "is_bot": True, "first_name": "Tra cuu", "username": "TraCuuBot"}
PRIVATE: dict[str, Any] = {"id": 5001, "type": "private", "first_name": "An"}
GROUP: dict[str, Any] = {"id": -100700, "type": "supergroup", "title": "Thon 3"}
NEWS: dict[str, Any] = {"id": -100900, "type": "channel", "title": "Tin xa"}
CODE = "000.00.18.H51-161220-0001"


def message(text: str | None = CODE, **changes: Any) -> dict[str, Any]:
    """A Message of An's in a private chat."""
    told: dict[str, Any] = {"message_id": 10, "date": 1764000000, "chat": PRIVATE, "from": ANN}
    return told | ({} if text is None else {"text": text}) | changes


def mention(text: str, name: str) -> list[dict[str, Any]]:
    return [{"type": "mention", "offset": text.index(name), "length": len(name)}]


def photo(*file_ids: str, **changes: Any) -> dict[str, Any]:
    sizes = [
        {"file_id": each, "file_unique_id": each, "width": 90 * size, "height": 90 * size, "file_size": 1000 * size}
        for size, each in enumerate(file_ids, 1)
    ]
    return message(None, photo=sizes, **changes)


def pressed(data: str, **changes: Any) -> dict[str, Any]:
    """A CallbackQuery under a message of the bot's."""
    under = {"message_id": 11, "date": 1764000001, "chat": PRIVATE, "from": BOT, "text": "Ho so ..."}
    return {"id": "77001", "from": ANN, "chat_instance": "1", "data": data, "message": under} | changes


def member(status: str, chat: dict[str, Any] = PRIVATE) -> dict[str, Any]:
    """A ChatMemberUpdated about the bot itself."""
    old = {"status": "member" if status != "member" else "left", "user": BOT}
    new = {"status": status, "user": BOT} | ({"until_date": 0} if status == "kicked" else {})
    return {"chat": chat, "from": ANN, "date": 1764000002, "old_chat_member": old, "new_chat_member": new}
