"""What an update says, in the gateway's words (pure; shapes: core.telegram.org/bots/api#update).

An update is a message for the conversation, or it is dropped and why: what is of no concern to us is acknowledged, or
Telegram would send it again for a day.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from telegram import CallbackQuery, Chat, ChatMemberUpdated, Contact, Message, MessageEntity, Update, User
from telegram.constants import ChatMemberStatus, ChatType
from telegram.helpers import effective_message_type

from channels.telegram.deep_links import text_of
from domain.message import Address, ChatEvent, InboundMessage, Media, MediaKind

CHANNEL = "telegram"
ALLOWED = ("message", "callback_query", "my_chat_member")  # the kinds we ask Telegram for
GROUPS = frozenset({ChatType.GROUP, ChatType.SUPERGROUP})
GONE = frozenset({ChatMemberStatus.BANNED, ChatMemberStatus.LEFT})  # "kicked" is what the library calls banned
START = "start"
UNKEPT = re.compile("[\0\ud800-\udfff]")  # what no store keeps: NUL, and half a sign
COMMAND = re.compile(r"/(?P<command>[A-Za-z0-9_]{1,32})(?:@(?P<bot>\w+))?(?:\s+(?P<rest>.*))?", re.DOTALL)

# What a person may send that is no text and that we cannot read; everything else is a note of Telegram's own about the
# chat ("pinned a message"), which nobody said to us.
OTHER_MEDIA = frozenset(
    (
        *(
            "animation",
            "audio",
            "checklist",
            "contact",
            "dice",
            "document",
            "game",
            "invoice",
            "live_photo",
            "location",
        ),
        *("paid_media", "poll", "sticker", "story", "venue", "video", "video_note", "voice"),
    )
)


class Dropped(enum.StrEnum):
    """Why an update is of no concern to us."""

    EDITED = "edited"  # the message was answered as it was first
    CHANNEL_POST = "channel_post"
    NOT_ADDRESSED = "not_addressed"  # a group's own talk
    SERVICE = "service"  # a note of Telegram's about the chat
    FROM_BOT = "from_bot"
    MEMBERSHIP = "membership"  # we were added to a group, made an administrator
    NO_CHAT = "no_chat"  # pressed under a message of which we know nothing
    UNKNOWN_KIND = "unknown_kind"
    ARRIVED_ALREADY = "arrived_already"  # "Restart bot" tells the same arrival twice


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """The bot itself."""

    id: int
    username: str  # without the @, lower case


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the updates of one account. `new_id` and `clock` as for every channel."""

    account: str
    me: Me
    new_id: Callable[[], int]
    clock: Callable[[], datetime]

    def read(self, update: Update) -> InboundMessage | Dropped:
        """What it says, or why it is dropped."""
        for kind, read in KINDS:
            told = getattr(update, kind)
            if told is not None:
                return read(self, update, told)
        return Dropped.UNKNOWN_KIND

    def inbound(self, update: Update, chat: Chat, person: User | None, **said: object) -> InboundMessage:
        """A message out of this chat, where its answer goes."""
        values: dict[str, object] = {"text": "", **said}
        values["text"] = UNKEPT.sub(" ", str(values["text"])).strip()
        return InboundMessage(
            id=self.new_id(),
            channel=CHANNEL,
            account=self.account,
            sender=Address(CHANNEL, str(chat.id)),
            recipient=Address(CHANNEL, str(self.me.id)),
            received_at=self.clock(),
            external_id=str(update.update_id),
            public=chat.type in GROUPS,
            language=_language(person),
            **values,  # type: ignore[arg-type]
        )


# ---- messages


def _message(reader: Reader, update: Update, message: Message) -> InboundMessage | Dropped:
    chat, person = message.chat, message.from_user
    if chat.type == ChatType.CHANNEL or message.is_automatic_forward:
        return Dropped.CHANNEL_POST
    if person is None or person.is_bot:
        return Dropped.FROM_BOT
    if chat.type in GROUPS and not _is_addressed(message, reader.me):
        return Dropped.NOT_ADDRESSED
    said = _said(message, person, reader.me)
    return Dropped.SERVICE if said is None else reader.inbound(update, chat, person, **said)


def _said(message: Message, person: User, me: Me) -> dict[str, object] | None:
    """The fields of an inbound message in which this one differs; None: nobody said anything."""
    chat, contact = message.chat, message.contact
    if message.text:
        return _spoken(message.text.strip(), me, chat)
    if contact is not None and _is_own(contact, person) and chat.type == ChatType.PRIVATE:
        return {"phone": contact.phone_number}
    media = _media(message)
    return None if media is None else {"text": _without_name(message.caption or "", me), "media": media}


def _spoken(text: str, me: Me, chat: Chat) -> dict[str, object]:
    """A command is its words, as if they were typed; a start with a payload is the payload; a bare one, an arrival."""
    command = COMMAND.fullmatch(text)
    if command is None:
        return {"text": _without_name(text, me) if chat.type in GROUPS else text}
    rest = (command["rest"] or "").strip()
    if command["command"].lower() != START:
        return {"text": f"{command['command'].replace('_', ' ')} {rest}"}
    return {"text": text_of(rest)} if rest else {"event": ChatEvent.STARTED}


def _is_own(contact: Contact, person: User) -> bool:
    """Telegram says whose number it is: anybody's card can be sent on."""
    return contact.user_id == person.id


def _media(message: Message) -> Media | None:
    if message.photo:
        return Media(MediaKind.PICTURE, message.photo[-1].file_id)  # sizes come in rising order
    document = message.document
    if document is not None and (document.mime_type or "").startswith("image/"):
        return Media(MediaKind.PICTURE, document.file_id)
    return Media(MediaKind.OTHER) if effective_message_type(message) in OTHER_MEDIA else None


# ---- groups


def _is_addressed(message: Message, me: Me) -> bool:
    """A command with our name, an answer to a message of ours, or our name in the text. A bare command is anybody's."""
    replied = message.reply_to_message
    if replied is not None and replied.from_user is not None and replied.from_user.id == me.id:
        return True
    text = message.text or message.caption or ""
    command = COMMAND.fullmatch(text.strip())
    if command is not None:
        return (command["bot"] or "").lower() == me.username
    return _is_named(message, me)


def _is_named(message: Message, me: Me) -> bool:
    kinds: list[str | None] = [MessageEntity.MENTION, MessageEntity.TEXT_MENTION]
    named = message.parse_entities(kinds) if message.text else message.parse_caption_entities(kinds)
    return any(
        entity.user.id == me.id if entity.user is not None else said.lower() == f"@{me.username}"
        for entity, said in named.items()
    )


def _without_name(text: str, me: Me) -> str:
    return re.sub(rf"@{re.escape(me.username)}\b", " ", text, flags=re.IGNORECASE).strip() if me.username else text


# ---- buttons, comings and goings


def _pressed(reader: Reader, update: Update, query: CallbackQuery) -> InboundMessage | Dropped:
    """What is pressed is said: under a message of ours, so that a group, too, means us."""
    if query.message is None or not query.data:
        return Dropped.NO_CHAT
    return reader.inbound(update, query.message.chat, query.from_user, text=query.data)


def _membership(reader: Reader, update: Update, change: ChatMemberUpdated) -> InboundMessage | Dropped:
    """In a private chat the bot is "kicked" when it is blocked and a "member" again afterwards."""
    chat, is_gone = change.chat, change.new_chat_member.status in GONE
    if chat.type == ChatType.CHANNEL or (chat.type in GROUPS and not is_gone):
        return Dropped.MEMBERSHIP
    event = ChatEvent.BLOCKED if is_gone else ChatEvent.STARTED
    return reader.inbound(update, chat, change.from_user, event=event)


def _edited(*_: object) -> Dropped:
    return Dropped.EDITED


def _posted(*_: object) -> Dropped:
    return Dropped.CHANNEL_POST


def _language(person: User | None) -> str:
    """What the person's application speaks, as two or three letters: `vi`, of `vi-VN`."""
    return "" if person is None else (person.language_code or "").partition("-")[0].lower()


KINDS: Sequence[tuple[str, Callable[..., InboundMessage | Dropped]]] = (
    ("message", _message),
    ("callback_query", _pressed),
    ("my_chat_member", _membership),
    ("edited_message", _edited),
    ("channel_post", _posted),
    ("edited_channel_post", _posted),
)
