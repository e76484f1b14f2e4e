"""An incident in a few words, to those who must know at once (decision 40/2016/QĐ-UBND art. 6.4): made here (pure), from
the console and from the command line alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.page import Texts
from domain.calendar import LOCAL_ZONE
from domain.gsm import force_gsm7, segments_needed
from domain.message import Address, Category, OutboundMessage
from domain.text import safe_text, unaccent

ACTION = "incident.reported"
MOST_AN_HOUR = 5
MOST_SEGMENTS = 2
LONGEST = 180  # characters an officer may type; with who and when they fit two segments, mostly
VALID_FOR = timedelta(hours=4)  # later it is news no more
SHOWN = 3  # characters of an address that are shown at its end


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """How one recipient is reached; `sender` is ours. `plain`: segments cost, so that accents are left out."""

    channel: str
    account: str
    sender: Address
    recipient: Address
    plain: bool

    @property
    def shown(self) -> str:
        """Enough to know whom it means, for who knows them."""
        return f"{self.recipient.scheme}:…{self.recipient.value[-SHOWN:]}"


Reroute = Callable[[Sequence[Outlet]], Awaitable[Sequence[Outlet]]]  # as each is reached at this moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report as it leaves. `segments`: of an SMS of it."""

    text: str
    plain: str
    segments: int

    @property
    def fits(self) -> bool:
        return self.segments <= MOST_SEGMENTS

    @property
    def digest(self) -> str:
        """Tells two reports apart, without their words."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def clean(typed: str) -> str:
    """As one line of plain text."""
    return " ".join(safe_text(typed, LONGEST).split())


def make_report(words: str, *, by: str, now: datetime, texts: Texts) -> Report:
    """`by`: who tells, with the agency's short name."""
    at = f"{now.astimezone(LOCAL_ZONE):%H:%M %d/%m}"
    text = texts["incident"]["message"].format(at=at, by=by, words=words)
    plain, _ = force_gsm7(unaccent(text))
    _, segments = segments_needed(plain)
    return Report(text=text, plain=plain, segments=segments)


def messages_of(
    report: Report, outlets: Sequence[Outlet], *, now: datetime, new_id: Callable[[], int]
) -> Sequence[OutboundMessage]:
    """One for each recipient."""
    return [
        OutboundMessage(
            id=new_id(),
            channel=outlet.channel,
            account=outlet.account,
            category=Category.NOTICE,
            recipient=outlet.recipient,
            sender=outlet.sender,
            text=report.plain if outlet.plain else report.text,
            created_at=now,
            expires_at=now + VALID_FOR,
        )
        for outlet in outlets
    ]
