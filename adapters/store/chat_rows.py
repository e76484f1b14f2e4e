"""What a chat says or shows beside a text <-> one JSON text a row; NULL where there is nothing, as for every SMS (pure)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from domain.message import Button, ChatEvent, InboundMessage, Media, MediaKind

Buttons = tuple[tuple[Button, ...], ...]
ButtonCells = tuple[tuple[tuple[str, str], ...], ...]  # rows of (label, text)

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_HAS_BUTTONS = '"buttons":'  # inside a JSON text its quotes would be escaped


class Extras(msgspec.Struct, kw_only=True, omit_defaults=True):
    """inbox.extras: the fields of an InboundMessage that only a chat fills."""

    media: str = ""
    reference: str = ""
    public: bool = False
    language: str = ""
    phone: str = ""
    event: str = ""


class Shown(msgspec.Struct):
    """Of outbox.params what a channel shows."""

    buttons: ButtonCells = ()


NOTHING = Extras()


def written_extras(message: InboundMessage) -> str | None:
    """inbox.extras of a message."""
    if message.media is None and message.event is None and not (message.public or message.language or message.phone):
        return None
    extras = Extras(
        media="" if message.media is None else message.media.kind.value,
        reference="" if message.media is None else plain(message.media.reference),
        public=message.public,
        language=plain(message.language),
        phone=plain(message.phone),
        event="" if message.event is None else message.event.value,
    )
    return msgspec.json.encode(extras).decode()


def read_extras(payload: str | None) -> Extras:
    return NOTHING if payload is None else msgspec.json.decode(payload, type=Extras)


def read_media(extras: Extras) -> Media | None:
    return Media(MediaKind(extras.media), extras.reference) if extras.media else None


def read_event(extras: Extras) -> ChatEvent | None:
    return ChatEvent(extras.event) if extras.event else None


def button_cells(buttons: Buttons) -> ButtonCells:
    return tuple(tuple((plain(button.label), plain(button.text)) for button in row) for row in buttons)


def written_buttons(buttons: Buttons) -> str | None:
    """outbox.params of a message that is no notice (of one see notices_rows.Params)."""
    return msgspec.json.encode(Shown(button_cells(buttons))).decode() if buttons else None


def read_buttons(params: str | None) -> Buttons:
    """The buttons in outbox.params, whatever else is there; hardly any has some, and the rest is not decoded."""
    if params is None or _HAS_BUTTONS not in params:
        return ()
    shown = msgspec.json.decode(params, type=Shown)
    return tuple(tuple(Button(label, text) for label, text in row) for row in shown.buttons)


def plain(text: str) -> str:
    """What a database can keep: NUL and lone surrogates become U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", REPLACEMENT)


def cleaned(value: object) -> object:
    """A text, or whatever holds some, as `plain` has them."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Iterable):
        return [cleaned(part) for part in value]
    return value
