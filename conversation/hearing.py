"""What a message is taken for before its words are read: what a chat says beside them comes first (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from conversation.case import joining, open_question
from conversation.following import FOLLOW, UNFOLLOW
from conversation.pins import typed_pin
from conversation.ports import Person
from domain import inquiry as wishes
from domain.codes import DossierCode, read_reference
from domain.inquiry import Inquiry
from domain.message import ChatEvent, InboundMessage, MediaKind

NOT_TEXT = "unsupported"  # why a picture, a ring tone or a key holds no code
EVENTS: Mapping[ChatEvent, Inquiry] = {
    ChatEvent.STARTED: wishes.Started(),
    ChatEvent.BLOCKED: wishes.Blocked(),
}
# What a "1" or "2" asks for, by the wish of the question it answers.
CHOSEN: Mapping[str, Callable[[tuple[DossierCode, ...]], Inquiry]] = {
    "look_up": lambda codes: wishes.LookUp(codes=codes),
    FOLLOW: lambda codes: wishes.Follow(codes=codes),
    UNFOLLOW: lambda codes: wishes.Unfollow(codes=codes),
}


def beside_the_words(message: InboundMessage, person: Person | None, now: datetime, *, seeing: bool) -> Inquiry | None:
    """What it is, whatever its words say; None: they say it. `seeing`: pictures can be read.

    Where others read along nothing else counts, so that nothing of anybody's dossier is told there.
    """
    if message.event is ChatEvent.BLOCKED or (message.event is not None and not message.public):
        return EVENTS[message.event]
    if message.public:
        return wishes.Overheard()
    if message.phone:
        return wishes.JoinNumber(number=message.phone, vouched=True)
    if seeing and message.media is not None and message.media.kind is MediaKind.PICTURE:
        return wishes.Picture()
    if not message.text and (message.raw is not None or message.media is not None):
        return wishes.Unreadable(reason=NOT_TEXT)
    pin = typed_pin(message.text) if joining(person, now) else ""
    return wishes.JoinCode(digits=pin) if pin else None


def chosen(inquiry: Inquiry, person: Person | None, now: datetime) -> Inquiry:
    """A choice among dossiers is what was wanted with the chosen one, for the guards too; anything else stays what it
    is.
    """
    question = open_question(person, now) if isinstance(inquiry, wishes.Choice) else None
    if question is None or question.wish not in CHOSEN or not isinstance(inquiry, wishes.Choice):
        return inquiry
    if not 1 <= inquiry.number <= len(question.codes):
        return inquiry
    code = read_reference(question.codes[inquiry.number - 1])
    return inquiry if code is None else CHOSEN[question.wish]((code,))
