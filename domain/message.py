"""Messages as every channel and every table sees them."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from domain.external_ids import key_of


def require_aware(moment: datetime | None, name: str) -> None:
    """Refuse a naive datetime: inside the gateway every moment carries its zone.

    Raises:
        ValueError: `moment` has no time zone.
    """
    if moment is not None and moment.tzinfo is None:
        raise ValueError(f"{name} must carry a time zone")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a person can be reached on one channel: `sms:84912345678`, `telegram:12345`, `web:203.0.113.9`."""

    scheme: str
    value: str

    def __post_init__(self) -> None:
        if not self.scheme or not self.value:
            raise ValueError("an address needs a scheme and a value")

    @property
    def urn(self) -> str:
        """The address in one word, as tables keep it."""
        return f"{self.scheme}:{self.value}"

    @classmethod
    def from_urn(cls, urn: str) -> Address:
        """Read `scheme:value` back.

        Raises:
            ValueError: there is no scheme or no value.
        """
        scheme, _, value = urn.partition(":")
        return cls(scheme, value)


class Category(enum.StrEnum):
    """Why a message leaves; the order of declaration is the order of leaving."""

    REPLY = "reply"
    NOTICE = "notice"
    BROADCAST = "broadcast"

    @property
    def priority(self) -> int:
        """0 leaves first."""
        return PRIORITIES[self]


PRIORITIES = {Category.REPLY: 0, Category.NOTICE: 1, Category.BROADCAST: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a channel can show, so that a reply is shaped once, before it is written down."""

    accents: bool = True  # False: Vietnamese leaves without accents unless the person chose them
    buttons: bool = False
    reports: bool = False  # the other side tells us what became of a message
    media: bool = False  # pictures come in, and can be read


@dataclass(frozen=True, slots=True)
class Button:
    """Something to press. `text` is what comes back, as if it had been typed: a command a person could type, too."""

    label: str
    text: str


class MediaKind(enum.StrEnum):
    """What was sent instead of a text."""

    PICTURE = "picture"  # a photograph, or a document that is one
    OTHER = "other"  # a voice, a place, a sticker: nothing we can read


class ChatEvent(enum.StrEnum):
    """Something a person did in a chat that is no message."""

    STARTED = "started"  # came to us for the first time, or again: followed the account, pressed Start
    BLOCKED = "blocked"  # wants nothing from us any more: blocked the bot, unfollowed the account


@dataclass(frozen=True, slots=True)
class Media:
    """Something sent that is no text. `reference` is the channel's own word for it, by which it is fetched."""

    kind: MediaKind
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """What a person sent, decoded once at the edge.

    `id` is ours (domain.ids); `external_id` is the channel's own, where it has one (a chat update), and is unique
    within (channel, account). `identity` is a hex SHA-256 for channels without one (design: Redelivery).
    `session` names the connection it came by: an acknowledgement is only as good as that connection.
    `raw` keeps the bytes of a text that could not be decoded; `text` is then empty.

    A chat may say more: `media` was sent (a caption is then the text); `public`, others read along (a group), so that
    nothing of a dossier may be told; `language`, what the person's application speaks, a hint; `phone`, a number the
    other side vouches to be the sender's own (a shared contact), as typed; `event`, what was done where nothing was said.
    """

    id: int
    channel: str
    account: str
    sender: Address
    recipient: Address
    text: str
    received_at: datetime
    external_id: str | None = None
    identity: str | None = None
    session: str | None = None
    raw: bytes | None = None
    media: Media | None = None
    public: bool = False
    language: str = ""
    phone: str = ""
    event: ChatEvent | None = None

    def __post_init__(self) -> None:
        require_aware(self.received_at, "received_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundMessage:
    """What leaves for one person. `attempts` counts the times it was handed to the channel before. `buttons` in rows;
    a channel without any leaves them out, since everything they do can be typed.
    """

    id: int
    channel: str
    account: str
    category: Category
    recipient: Address
    sender: Address
    text: str
    created_at: datetime
    expires_at: datetime
    inbound_id: int | None = None
    attempts: int = 0
    buttons: tuple[tuple[Button, ...], ...] = ()

    def __post_init__(self) -> None:
        require_aware(self.created_at, "created_at")
        require_aware(self.expires_at, "expires_at")


class SendStatus(enum.StrEnum):
    """What became of handing a message over (design: Ports)."""

    ACCEPTED = "accepted"  # the other side took it; external ids follow, one per segment
    RETRY = "retry"  # it did not leave, or was refused for now
    REJECTED = "rejected"  # it will never be taken
    STOPPED = "stopped"  # the person blocked us
    UNKNOWN = "unknown"  # written, but no answer came: never blindly sent again


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentResult:
    """One part of a message as the other side answered it (one submit_sm; command_status of its response)."""

    segment: int  # 1-based
    segments: int
    external_id: str = ""
    command_status: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """What `Channel.send` says of one message."""

    message_id: int
    status: SendStatus
    segments: Sequence[SegmentResult] = ()
    reason: str = ""
    retry_after: float = 0.0  # seconds for which the whole line is to be left alone; 0: it was this message


class DeliveryStatus(enum.StrEnum):
    """Final and passing states of a delivery report (SMPP 3.4 §5.2.28), in words."""

    SCHEDULED = "scheduled"
    ENROUTE = "enroute"
    DELIVERED = "delivered"
    EXPIRED = "expired"
    DELETED = "deleted"
    UNDELIVERABLE = "undeliverable"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    REJECTED = "rejected"
    SKIPPED = "skipped"

    @property
    def final(self) -> bool:
        """A final state is never overwritten by a later report."""
        return self in FINAL_DELIVERY


FINAL_DELIVERY = frozenset(
    {
        DeliveryStatus.DELIVERED,
        DeliveryStatus.EXPIRED,
        DeliveryStatus.DELETED,
        DeliveryStatus.UNDELIVERABLE,
        DeliveryStatus.REJECTED,
        DeliveryStatus.SKIPPED,  # SMPP 5.0 §4.7.15
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """What the other side tells later about one segment. `external_id` is the id it gave when it took the segment, as
    the report has it.

    `keys` are the forms that id may have been given in, likeliest first, each as domain.external_ids compares it; not
    said: the id as it is. `recipient` and `sender` are those of the message it speaks of, where it names any; some SMSCs
    swap them.
    """

    channel: str
    account: str
    external_id: str
    status: DeliveryStatus
    received_at: datetime
    error: str = ""
    text: str = field(default="", repr=False)
    keys: tuple[str, ...] = ()
    recipient: Address | None = field(default=None, repr=False)
    sender: Address | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        require_aware(self.received_at, "received_at")
        if not self.keys and (key := key_of(self.external_id)):
            object.__setattr__(self, "keys", (key,))
