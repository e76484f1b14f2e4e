"""The demo's telephones: what they sent and what they got, as events a page can follow and catch up on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from channels.sms import commands as c
from demo.event_log import KEPT, EventLog
from demo.smsc_tickets import MoTicket, Reply
from domain.gsm import Alphabet, segments_needed

_ALPHABETS = {Alphabet.GSM7: "GSM-7", Alphabet.UCS2: "UCS-2"}

Send = Callable[[str, str], Awaitable[MoTicket]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandsetEvent:
    """`kind`: sent (by the telephone), taken or refused (by the gateway), reply (to the telephone).

    `number` is the telephone's. `milliseconds` count from the moment the SMSC first handed the text to the gateway;
    None where nobody had asked. `about` is the id of the event "sent" that this one belongs to, or 0.
    """

    id: int
    kind: str
    number: str
    at: datetime
    about: int = 0
    text: str = ""
    segments: int = 0
    alphabet: str = ""
    milliseconds: float | None = None


class Handsets:
    """All telephones of the demo. `send(number, text)` hands a text to the SMSC; `replied` is its on_reply.

    `handsets = Handsets(lambda number, text: smsc.send_mo(number, short_code, text))` and then
    `smsc = Smsc(on_reply=handsets.replied)`: each is used only after both are there.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._log: EventLog[HandsetEvent] = EventLog()
        self._sent: dict[MoTicket, int] = {}

    async def send(self, number: str, text: str) -> MoTicket:
        """A telephone sends a text.

        Raises:
            ValueError: the text cannot be written as an SMS.
        """
        ticket = await self._send(number, text)
        self._about(ticket)
        ticket.acked.add_done_callback(lambda acked: self._acknowledged(ticket, acked))
        return ticket

    def replied(self, reply: Reply, ticket: MoTicket | None) -> None:
        """A telephone got a whole message; `ticket` is what it answers, if anything. Nobody asked for what comes after
        the answer: it is a notice.
        """
        if ticket is not None and len(ticket.replies) > 1:
            ticket = None
        coding = reply.parts[0].data_coding if reply.parts else c.CODING_DEFAULT
        latency = None if ticket is None else ticket.latency
        self._tell(
            "reply",
            reply.destination.removeprefix("+"),
            about=0 if ticket is None else self._about(ticket),
            text=reply.text,
            segments=reply.segments,
            alphabet=_ALPHABETS[Alphabet.UCS2 if coding == c.CODING_UCS2 else Alphabet.GSM7],
            milliseconds=None if latency is None else latency * 1000,
        )

    def follow(self, after: int = 0, *, idle: float | None = None) -> AsyncGenerator[HandsetEvent | None]:
        """What happened and what happens (`EventLog.follow`)."""
        return self._log.follow(after, idle=idle)

    def close(self) -> None:
        """Nothing more will come: let every follower go."""
        self._log.close()

    def _acknowledged(self, ticket: MoTicket, acked: asyncio.Future[int]) -> None:
        if acked.cancelled():
            return
        taken = acked.result() == c.ROK
        elapsed = None if ticket.sent_at is None else time.monotonic() - ticket.sent_at
        self._tell(
            "taken" if taken else "refused",
            ticket.source,
            about=self._about(ticket),
            milliseconds=None if elapsed is None else elapsed * 1000,
        )

    def _about(self, ticket: MoTicket) -> int:
        """The event "sent" of a message; told now if it went to the SMSC past us."""
        if ticket not in self._sent:
            alphabet, segments = segments_needed(ticket.text)
            self._sent[ticket] = self._tell(
                "sent", ticket.source, text=ticket.text, segments=segments, alphabet=_ALPHABETS[alphabet]
            )
            if len(self._sent) > KEPT:
                del self._sent[next(iter(self._sent))]
        return self._sent[ticket]

    def _tell(
        self,
        kind: str,
        number: str,
        *,
        about: int = 0,
        text: str = "",
        segments: int = 0,
        alphabet: str = "",
        milliseconds: float | None = None,
    ) -> int:
        event = HandsetEvent(
            id=self._log.next_id(),
            kind=kind,
            number=number,
            at=datetime.now(UTC),
            about=about,
            text=text,
            segments=segments,
            alphabet=alphabet,
            milliseconds=milliseconds,
        )
        self._log.tell(event)
        return event.id
