"""Where a dossier can be followed from a chat: links that open a bot with the code typed already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChatLink:
    """`name` is the way of talking, "telegram"; `url` opens it with the code typed."""

    name: str
    url: str


ChatLinks = Callable[[str], Sequence[ChatLink]]  # by the code as it reads back; asked for every answer, so it is quick


def no_chat_links(_: str) -> Sequence[ChatLink]:
    """There is no bot, or none that is up."""
    return ()
