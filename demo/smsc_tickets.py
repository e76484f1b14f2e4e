"""What became of a message a simulated handset sent: its acknowledgement and the replies, put together from parts."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from channels.sms import commands as c
from channels.sms.decoding import Payload, decode_text, payload_of
from channels.sms.pdu import SubmitSm


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One whole message the gateway sent to a handset. Times are time.monotonic() of its first and last part."""

    source: str
    destination: str
    text: str
    parts: Sequence[SubmitSm]  # in the order of the text
    message_ids: Sequence[str]  # as the answers gave them, in the order of arrival
    first_at: float
    last_at: float

    @property
    def segments(self) -> int:
        return len(self.parts)


@dataclass(slots=True, kw_only=True, eq=False)
class MoTicket:
    """One message from a handset. `acked` gets the command_status that settled it, after all parts were answered.

    `statuses` are all answers so far, temporary refusals included; `deliveries` counts the writes, repeated ones too.
    """

    source: str
    destination: str
    text: str
    unacked_parts: int
    acked: asyncio.Future[int]
    statuses: list[int] = field(default_factory=list)
    deliveries: int = 0
    sent_at: float | None = None  # time.monotonic() of the first write
    replies: list[Reply] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def reply(self, number: int = 1) -> Reply:
        """Wait for the reply of this number, counted from 1."""
        while len(self.replies) < number:
            self._changed.clear()
            await self._changed.wait()
        return self.replies[number - 1]

    def delivered(self) -> None:
        """A part was written."""
        self.deliveries += 1
        if self.sent_at is None:
            self.sent_at = time.monotonic()

    def settled(self, status: int) -> None:
        """A part was answered for good."""
        self.unacked_parts -= 1
        if (status != c.ROK or self.unacked_parts == 0) and not self.acked.done():
            self.acked.set_result(status)

    def replied(self, reply: Reply) -> None:
        self.replies.append(reply)
        self._changed.set()

    @property
    def latency(self) -> float | None:
        """Seconds from the first write to the last part of the first reply; None while there is none."""
        return self.replies[0].last_at - self.sent_at if self.replies and self.sent_at is not None else None


@dataclass(slots=True)
class _Open:
    """Parts of a message that is not whole yet."""

    parts: dict[int, tuple[SubmitSm, Payload]] = field(default_factory=dict)
    message_ids: list[str] = field(default_factory=list)
    first_at: float = 0.0


class Assembler:
    """Puts the parts of submitted messages together, by set of part numbers: order and repetition do not matter."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, int, int, int], _Open] = {}

    def take(self, submit: SubmitSm, message_id: str, now: float) -> Reply | None:
        """The whole message, if this part completes it."""
        payload = payload_of(submit)
        told = payload.concatenation
        if told is None:
            return _whole([(submit, payload)], [message_id], now, now)
        key = (submit.source, submit.destination, told.reference, told.width, told.total)
        group = self._open.setdefault(key, _Open(first_at=now))
        group.parts[told.number] = (submit, payload)
        group.message_ids.append(message_id)
        if len(group.parts) < told.total:
            return None
        del self._open[key]
        return _whole([group.parts[n] for n in sorted(group.parts)], group.message_ids, group.first_at, now)


def _whole(
    parts: Sequence[tuple[SubmitSm, Payload]], message_ids: Sequence[str], first_at: float, last_at: float
) -> Reply:
    first = parts[0][0]
    return Reply(
        source=first.source,
        destination=first.destination,
        text=decode_text([payload for _, payload in parts], first.data_coding).text,
        parts=[submit for submit, _ in parts],
        message_ids=message_ids,
        first_at=first_at,
        last_at=last_at,
    )


class Tickets:
    """Which reply belongs to which message: the oldest unanswered one from that number, else the latest of it.

    A number that asks several things at once gets its answers attributed in the order of asking. At most `kept`
    messages of one number are remembered.
    """

    def __init__(self, kept: int = 64) -> None:
        self._by_source: defaultdict[str, deque[MoTicket]] = defaultdict(lambda: deque(maxlen=kept))

    def add(self, ticket: MoTicket) -> None:
        self._by_source[ticket.source].append(ticket)

    def attribute(self, reply: Reply) -> MoTicket | None:
        """Give a reply to its ticket; None if nobody of that number asked."""
        tickets: Iterable[MoTicket] = self._by_source.get(reply.destination.removeprefix("+"), ())
        asked = [ticket for ticket in tickets if ticket.sent_at is not None]
        if not asked:
            return None
        ticket = next((ticket for ticket in asked if not ticket.replies), asked[-1])
        ticket.replied(reply)
        return ticket
