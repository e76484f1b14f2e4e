"""Persons on the simulated Zalo: they write, press, show pictures, follow and leave, and read what they are sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


class Platform(Protocol):
    """What a person needs of demo.zalo.ZaloPlatform."""

    oa_id: str
    letters: list[Letter]

    @property
    def clock(self) -> Callable[[], datetime]: ...

    def new_id(self) -> str: ...

    def keep_picture(self, picture: bytes) -> str: ...

    async def tell(self, event: dict[str, Any]) -> list[int]: ...


@dataclass(slots=True, kw_only=True)
class Letter:
    """A message the account sent."""

    id: str
    user: str
    text: str
    buttons: Sequence[tuple[str, str]] = ()  # title, payload
    token: str = field(default="", repr=False)


@dataclass(slots=True)
class Person:
    """Somebody on Zalo."""

    platform: Platform
    id: str
    follows: bool = False
    blocked: bool = False
    spoke_at: datetime | None = None

    async def say(self, text: str) -> list[int]:
        """The statuses our webhook answered with, the last one being 200 if it took the message at all."""
        return await self._send("user_send_text", {"text": text})

    async def press(self, title: str) -> list[int]:
        """A button under the latest letter: what it does comes as a text."""
        buttons = dict(self.letters[-1].buttons)
        return await self.say(buttons[title])

    async def show(self, picture: bytes, text: str = "") -> list[int]:
        """A photograph, kept on the platform's own host."""
        url = self.platform.keep_picture(picture)
        attachment = {"type": "image", "payload": {"url": url, "thumbnail": url}}
        return await self._send("user_send_image", {"text": text, "attachments": [attachment]})

    async def follow(self) -> list[int]:
        self.follows, self.spoke_at = True, self.platform.clock()
        return await self.platform.tell({"event_name": "follow", "follower": {"id": self.id}, "source": "oa_profile"})

    async def unfollow(self) -> list[int]:
        self.follows = False
        return await self.platform.tell({"event_name": "unfollow", "follower": {"id": self.id}})

    @property
    def letters(self) -> list[Letter]:
        return [letter for letter in self.platform.letters if letter.user == self.id]

    async def _send(self, event: str, message: dict[str, Any]) -> list[int]:
        self.spoke_at = self.platform.clock()
        told = {
            "event_name": event,
            "sender": {"id": self.id},
            "recipient": {"id": self.platform.oa_id},
            "user_id_by_app": f"9{self.id}",
            "message": {"msg_id": self.platform.new_id(), **message},
        }
        return await self.platform.tell(told)
