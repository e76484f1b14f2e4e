"""The demo's people on Telegram: what they sent and what they got, as events a page can follow and catch up on.

Whatever a person does is an update of the emulated Bot API, in the shapes of its public documentation
(core.telegram.org/bots/api); what the bot says is heard in its calls.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from demo.bot_api import BOT_ID, USERNAME
from demo.event_log import EventLog
from demo.onestop import OWNER

MOST_PICTURES = 40  # kept of all that were sent
MOST_MESSAGES = 1_000  # whose buttons can still be pressed
MOST_OPEN = 20  # of one person, waiting for an answer
OPEN_FOR_S = 30.0  # what the bot says later is no answer any more
PRESS = "press-"  # before the event's number: the id of a callback query
PICTURE = "photo-"  # before the picture's number: its file_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with the application on a telephone. `language` is what the application speaks."""

    id: int
    name: str
    language: str
    phone: str


PEOPLE = (
    Person(id=5001, name="An", language="vi", phone="84912000101"),
    Person(id=5002, name="Bình", language="vi", phone=f"84{OWNER[1:]}"),  # whose number is on a dossier
    Person(id=5003, name="Chris", language="en", phone="84912000103"),
    Person(id=5004, name="Sophea", language="km", phone="84912000104"),
)


@dataclass(frozen=True, slots=True)
class ChatButton:
    """A button under a message of the bot's. `data` is what comes back when it is pressed."""

    label: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatLine:
    """`kind`: said, pressed, picture, number (by the person); reply (by the bot); noticed (the bot saw a press).

    `message` is its number in the chat. `about` is the id of the event that this one belongs to: of a reply, what it
    answers, 0 if nobody had asked. `milliseconds` count from there. `picture` is the number of a kept picture.
    """

    id: int
    kind: str
    person: int
    at: datetime
    message: int = 0
    about: int = 0
    text: str = ""
    buttons: tuple[tuple[ChatButton, ...], ...] = ()
    picture: int = 0
    milliseconds: float | None = None


class Updates(Protocol):
    """What is needed of the Bot API (demo.bot_api.BotApi)."""

    async def update(self, **kind: object) -> int: ...

    def next_message(self) -> int: ...

    def keep_file(self, file_id: str, data: bytes) -> None: ...

    def drop_file(self, file_id: str) -> None: ...


class Chats:
    """All chats of the demo. `on_call` is for the Bot API, which is used only after `open`."""

    def __init__(self, people: Sequence[Person] = PEOPLE) -> None:
        self.log: EventLog[ChatLine] = EventLog()
        self._people = {person.id: person for person in people}
        self._api: Updates | None = None
        self._asked: dict[int, deque[tuple[int, float]]] = {person.id: deque(maxlen=MOST_OPEN) for person in people}
        self._buttons: dict[tuple[int, int], frozenset[str]] = {}  # (person, message): what can be pressed
        self._pressed: dict[int, tuple[int, float]] = {}  # event: by whom and when
        self._pictures: dict[int, bytes] = {}

    def open(self, api: Updates) -> None:
        """From now on things may happen."""
        self._api = api

    # ---- what a person does; returns the event's id

    async def say(self, person: int, text: str) -> int:
        """A text.

        Raises:
            LookupError: there is no such person.
            QueueFull: the bot fetches nothing.
        """
        return await self._send(self._people[person], "said", {"text": text}, text=text)

    async def press(self, person: int, message: int, data: str) -> int:
        """A button under a message of the bot's.

        Raises:
            LookupError: there is no such button.
            QueueFull: the bot fetches nothing.
        """
        if data not in self._buttons[person, message]:
            raise LookupError(data)
        someone = self._people[person]
        number = self._tell("pressed", person, message=message, text=data)
        self._pressed[number] = (person, time.monotonic())
        bot = {"id": BOT_ID, "is_bot": True, "first_name": USERNAME, "username": USERNAME}
        under = {"message_id": message, "date": _now(), "chat": _chat(someone), "from": bot, "text": ""}
        query = {"id": f"{PRESS}{number}", "from": _user(someone), "chat_instance": str(person), "data": data}
        await self._hand_in(number, person, callback_query=query | {"message": under})
        return number

    async def show(self, person: int, data: bytes, caption: str = "") -> int:
        """A picture.

        Raises:
            LookupError: there is no such person.
            QueueFull: the bot fetches nothing.
        """
        someone = self._people[person]
        picture = self._keep(data)
        name = f"{PICTURE}{picture}"
        # As Telegram tells a photograph: in several sizes, the largest last. Here there is one.
        size = {"file_id": name, "file_unique_id": name, "width": 960, "height": 1280, "file_size": len(data)}
        said: dict[str, Any] = {"photo": [size], **({"caption": caption} if caption else {})}
        return await self._send(someone, "picture", said, text=caption, picture=picture)

    async def share_number(self, person: int) -> int:
        """The person's own telephone number, for which Telegram vouches.

        Raises:
            LookupError: there is no such person.
            QueueFull: the bot fetches nothing.
        """
        someone = self._people[person]
        contact = {"phone_number": someone.phone, "first_name": someone.name, "user_id": someone.id}
        return await self._send(someone, "number", {"contact": contact}, text=f"+{someone.phone}")

    def picture(self, number: int) -> bytes | None:
        """A picture somebody sent; None when it is not kept any more."""
        return self._pictures.get(number)

    # ---- what the bot does

    def on_call(self, method: str, fields: dict[str, Any], result: object) -> None:
        """The bot called the API, and was answered."""
        if method == "sendMessage" and isinstance(result, dict):
            self._replied(result)
        elif method == "answerCallbackQuery":
            self._noticed(str(fields.get("callback_query_id")))

    def _replied(self, result: dict[str, Any]) -> None:
        person, text = int(result["chat"]["id"]), str(result["text"])
        if person not in self._people:
            return
        rows = (result.get("reply_markup") or {}).get("inline_keyboard", [])
        buttons = tuple(tuple(ChatButton(each["text"], each.get("callback_data", "")) for each in row) for row in rows)
        message = int(result["message_id"])
        self._buttons[person, message] = frozenset(button.data for row in buttons for button in row)
        if len(self._buttons) > MOST_MESSAGES:
            del self._buttons[next(iter(self._buttons))]
        about, elapsed = self._answered(person)
        self._tell("reply", person, message=message, about=about, text=text, buttons=buttons, milliseconds=elapsed)

    def _noticed(self, query: str) -> None:
        number = query.removeprefix(PRESS)
        if not number.isdecimal() or int(number) not in self._pressed:
            return
        person, since = self._pressed.pop(int(number))
        self._tell("noticed", person, about=int(number), milliseconds=(time.monotonic() - since) * 1000)

    def _answered(self, person: int) -> tuple[int, float | None]:
        """What the bot's words answer: the oldest that waits; and how long it waited, in milliseconds."""
        waiting, now = self._asked[person], time.monotonic()
        while waiting:
            about, since = waiting.popleft()
            if now - since < OPEN_FOR_S:
                return about, (now - since) * 1000
        return 0, None

    # ---- both

    async def _send(self, person: Person, kind: str, said: dict[str, Any], *, text: str, picture: int = 0) -> int:
        message = self._opened.next_message()
        number = self._tell(kind, person.id, message=message, text=text, picture=picture)
        told = {"message_id": message, "date": _now(), "chat": _chat(person), "from": _user(person), **said}
        await self._hand_in(number, person.id, message=told)
        return number

    async def _hand_in(self, number: int, person: int, **kind: object) -> None:
        self._asked[person].append((number, time.monotonic()))
        await self._opened.update(**kind)

    @property
    def _opened(self) -> Updates:
        if self._api is None:
            raise RuntimeError("the chats were not opened")
        return self._api

    def _keep(self, data: bytes) -> int:
        number = max(self._pictures, default=0) + 1
        self._pictures[number] = data
        self._opened.keep_file(f"{PICTURE}{number}", data)
        if len(self._pictures) > MOST_PICTURES:
            oldest = next(iter(self._pictures))
            del self._pictures[oldest]
            self._opened.drop_file(f"{PICTURE}{oldest}")
        return number

    def _tell(self, kind: str, person: int, **values: Any) -> int:  # noqa: ANN401 - the fields of a ChatLine
        line = ChatLine(id=self.log.next_id(), kind=kind, person=person, at=datetime.now(UTC), **values)
        self.log.tell(line)
        return line.id


def _now() -> int:
    return int(datetime.now(UTC).timestamp())


def _user(person: Person) -> dict[str, Any]:
    return {"id": person.id, "is_bot": False, "first_name": person.name, "language_code": person.language}


def _chat(person: Person) -> dict[str, Any]:
    return {"id": person.id, "type": "private", "first_name": person.name}
