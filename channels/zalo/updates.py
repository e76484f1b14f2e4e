"""What the platform calls our webhook with, read into our words (pure). Only a call whose signature is right gets here.

A call that is genuine is never refused for its shape: what is refused is sent again, and after five times the platform
turns the webhook off.
"""

from __future__ import annotations

import enum
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from domain.message import ChatEvent, Media, MediaKind

PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp", ".gif")  # a document that is one
Id = str | int | None
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
Shape = TypeVar("Shape")


class Party(msgspec.Struct, frozen=True):
    """Who sent or is sent to. Ids have more digits than a number in JSON may have, and come as texts."""

    id: Id = None


class Attachment(msgspec.Struct, frozen=True):
    """Its shape is read no further than it is needed: an odd one is a message all the same."""

    payload: Any = None


class MessageBody(msgspec.Struct, frozen=True):
    msg_id: Id = None
    text: str | None = None
    attachments: list[Attachment] | None = None


class Update(msgspec.Struct, frozen=True):
    """A call. Receipts of messages by template are flat: `sender` and `recipient` are then the ids themselves."""

    event_name: str = ""
    timestamp: Id = None
    oa_id: Id = None
    sender: Party | Id = None
    recipient: Party | Id = None
    follower: Party | None = None
    message: MessageBody | None = None
    msg_id: Id = None


class Stamp(msgspec.Struct, frozen=True):
    """All that is read of a call before its signature is checked."""

    timestamp: Id = None


class Skipped(enum.StrEnum):
    """Why a genuine call is acknowledged and nothing follows; the names in the counters."""

    OURS = "ours"  # what we sent ourselves
    SEEN = "seen"
    FOREIGN = "foreign"  # another account of the same application
    UNKNOWN = "unknown"  # an event we do not know, or have no use for
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Something a person did. `id` is the platform's own, or made of what does not change when the call is repeated."""

    id: str
    user: str
    text: str = field(default="", repr=False)
    media: Media | None = None
    event: ChatEvent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message of ours has reached the person's telephone."""

    id: str


def read_timestamp(body: bytes) -> str:
    """What is signed beside the body, as it stands there; "" where there is none."""
    try:
        return _text_of(_read(body, _STAMPS, Stamp).timestamp)
    except UNREADABLE:
        return ""


def _read(body: bytes, decoder: msgspec.json.Decoder[Shape], shape: type[Shape]) -> Shape:
    """What the quick decoder refuses is read once more: half an emoji in what a person wrote must not make
    a genuine call look forged, or nothing.

    Raises:
        one of UNREADABLE.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return msgspec.convert(json.loads(body), shape)


def read_update(body: bytes, oa_id: str) -> Said | Received | Skipped:
    """`oa_id`: ours."""
    try:
        update = _read(body, _UPDATES, Update)
    except UNREADABLE:
        return Skipped.UNREADABLE
    name = update.event_name
    if name.startswith("oa_"):
        return Skipped.OURS
    if name in _PASSED_OVER:
        return _PASSED_OVER[name]
    if name == RECEIVED:
        return _received(update, oa_id)
    if name not in _CONTENTS:
        return Skipped.UNKNOWN
    return _said(update, oa_id)


RECEIVED: Final = "user_received_message"
_PASSED_OVER: Mapping[str, Skipped] = MappingProxyType({"user_seen_message": Skipped.SEEN})


@dataclass(frozen=True, slots=True)
class _Content:
    text: str = ""
    media: Media | None = None
    event: ChatEvent | None = None


def _spoken(update: Update) -> _Content:
    return _Content(_words(update))


def _linked(update: Update) -> _Content:
    """A link may hold a code; some come without the words around it."""
    return _Content(_words(update) or _link(update))


def _pictured(update: Update) -> _Content:
    return _Content(_words(update), Media(MediaKind.PICTURE, _link(update)))


def _filed(update: Update) -> _Content:
    payload = _payload(update)
    name = str(payload.get("name", "")).lower()
    kind = "." + str(payload.get("type", "")).lower()
    if name.endswith(PICTURES) or kind in PICTURES:
        return _pictured(update)
    return _other(update)


def _other(update: Update) -> _Content:
    return _Content(_words(update), Media(MediaKind.OTHER))


def _started(_: Update) -> _Content:
    return _Content(event=ChatEvent.STARTED)


def _left(_: Update) -> _Content:
    return _Content(event=ChatEvent.BLOCKED)


_CONTENTS: Mapping[str, Callable[[Update], _Content]] = MappingProxyType(
    {
        "user_send_text": _spoken,  # a pressed button comes as one, too: its payload is the text
        "user_send_link": _linked,
        "user_send_image": _pictured,
        "user_send_file": _filed,
        "user_send_gif": _other,
        "user_send_sticker": _other,
        "user_send_audio": _other,
        "user_send_video": _other,
        "user_send_location": _other,
        "user_send_business_card": _other,
        "follow": _started,
        "unfollow": _left,
    }
)


def _said(update: Update, oa_id: str) -> Said | Skipped:
    account = _text_of(update.oa_id) or _id_of(update.recipient)
    user = _id_of(update.follower) or _id_of(update.sender)
    if account != oa_id:
        return Skipped.FOREIGN
    if not (user.isascii() and user.isdigit()):
        return Skipped.UNREADABLE
    content = _CONTENTS[update.event_name](update)
    return Said(
        id=_message_id(update) or _made_id(update, user),
        user=user,
        text=content.text,
        media=content.media,
        event=content.event,
    )


def _received(update: Update, oa_id: str) -> Received | Skipped:
    account = _id_of(update.sender)
    if account and account != oa_id:
        return Skipped.FOREIGN
    message_id = _message_id(update)
    return Received(id=message_id) if message_id else Skipped.UNREADABLE


def _message_id(update: Update) -> str:
    told = update.message.msg_id if update.message is not None else None
    return _text_of(told) or _text_of(update.msg_id)


def _made_id(update: Update, user: str) -> str:
    parts = "|".join((update.event_name, user, _text_of(update.timestamp)))
    return hashlib.sha256(parts.encode()).hexdigest()


def _words(update: Update) -> str:
    text = (update.message.text if update.message is not None else None) or ""
    return _HALVES.sub("\N{REPLACEMENT CHARACTER}", text.replace("\x00", ""))  # no store keeps either


def _payload(update: Update) -> Mapping[str, Any]:
    attachments = (update.message.attachments if update.message is not None else None) or ()
    payload = attachments[0].payload if attachments else None
    return payload if isinstance(payload, dict) else {}


def _link(update: Update) -> str:
    url = _payload(update).get("url", "")
    return url if isinstance(url, str) else ""


def _id_of(party: Party | Id) -> str:
    return _text_of(party.id if isinstance(party, Party) else party)


def _text_of(identifier: Id) -> str:
    return "" if identifier is None else str(identifier)


_HALVES = re.compile("[\ud800-\udfff]")  # of a sign that takes two units
_STAMPS = msgspec.json.Decoder(Stamp)
_UPDATES = msgspec.json.Decoder(Update)
