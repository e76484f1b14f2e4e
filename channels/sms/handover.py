"""A message on its way out: what is to be written of it, what was answered, and its one result."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from domain.message import PRIORITIES, Category, SegmentResult, SendResult, SendStatus

if TYPE_CHECKING:
    from channels.sms.ways import Way

# The worst segment speaks for the message. A message of which one segment did not leave cannot have arrived whole, so
# it may go again even if another segment's fate is unknown.
SEVERITY: Final[Mapping[SendStatus, int]] = {
    SendStatus.ACCEPTED: 0,
    SendStatus.UNKNOWN: 1,
    SendStatus.RETRY: 2,
    SendStatus.REJECTED: 3,
    SendStatus.STOPPED: 4,
}
NOT_TWICE: Final = SEVERITY[SendStatus.RETRY]  # from here on, what is left of a message is not worth writing
PRIORITY_BITS: Final = 48  # below a priority in a key: entries of an account, more than it will ever see


class Unanswered(enum.StrEnum):
    """Why a written request will get no answer."""

    TIMED_OUT = "response_timeout"
    LINK_LOST = "link_lost"
    MISREAD = "response_unreadable"


class Outward(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A message for the queue: its encoded segments, or its result where it could not be encoded.

    `expires_at` is on the queue's clock; `cost`, as how many PDUs the SMSC counts each frame (more than one where it
    cuts the message itself). A Struct, since one is made for every message (see channels.sms.pdu_types).
    """

    message_id: int
    category: Category
    expires_at: float
    recipient: str
    frames: Sequence[bytes] | SendResult
    cost: int = 1


class Batch:
    """The results of one `send`, one slot a message; `done` is set with the last."""

    __slots__ = ("_undecided", "done", "results")

    def __init__(self, size: int, done: asyncio.Future[None]) -> None:
        self.results: list[SendResult | None] = [None] * size
        self.done = done
        self._undecided = size

    def decide(self, index: int, result: SendResult) -> None:
        self.results[index] = result
        self._undecided -= 1
        if not self._undecided and not self.done.done():
            self.done.set_result(None)


class Listener(Protocol):
    """Who is told what became of a segment."""

    def answered(self, part: Part, command_status: int, message_id: str) -> None: ...

    def unanswered(self, part: Part, why: Unanswered) -> None: ...


class PutOff:
    """What the SMSC said of a message it does not take yet. Times are on the queue's clock."""

    __slots__ = ("since", "status", "statuses", "taken_before", "times")

    def __init__(self, since: float, taken_before: int) -> None:
        self.since = since
        self.taken_before = taken_before  # segments of others, when it began
        self.times = 0
        self.status = 0  # the last command_status
        self.statuses: dict[int, int] = {}  # that of each segment that was put off

    def again(self, number: int, command_status: int) -> None:
        self.times += 1
        self.status = self.statuses[number] = command_status


class Handover:
    """One message between its entry and its last answer."""

    __slots__ = (
        *("_batch", "_index", "_message_id", "_retry_after", "_segments", "_undecided", "cost", "expires_at", "key"),
        *("lane", "put_off", "reason", "recipient", "status", "total", "waiting", "way"),
    )

    def __init__(  # one is made for every message: values by position are cheaper
        self, listener: Listener, batch: Batch, index: int, outward: Outward, frames: Sequence[bytes], entry: int
    ) -> None:
        self.lane = PRIORITIES[outward.category]  # 0 leaves first
        self.key = (self.lane << PRIORITY_BITS) | entry  # its turn: what is smaller leaves first
        self.recipient = outward.recipient
        self.expires_at = outward.expires_at
        self.cost = outward.cost
        self.total = len(frames)
        self.waiting = [Part(listener, self, self.total, frames[-1])]  # last one first
        for number in range(self.total - 1, 0, -1):
            self.waiting.append(Part(listener, self, number, frames[number - 1]))
        self.way: Way | None = None  # where its first segment was written
        self.put_off: PutOff | None = None
        self.status = SendStatus.ACCEPTED
        self.reason = ""
        self._batch = batch
        self._index = index
        self._message_id = outward.message_id
        self._segments: list[SegmentResult] | None = None  # of several, those that were written
        self._undecided = self.total
        self._retry_after = 0.0

    @property
    def untouched(self) -> bool:
        """Nothing of it was taken, or is being looked at by the SMSC: it may go by any link."""
        return len(self.waiting) == self.total

    @property
    def cancelled(self) -> bool:
        """Nobody waits for it any more."""
        return self._batch.done.done()

    @property
    def hopeless(self) -> bool:
        """It cannot arrive whole any more, or nobody waits for it: nothing more of it is written."""
        return SEVERITY[self.status] >= NOT_TWICE or self._batch.done.done()

    def put_back(self, part: Part) -> None:
        """To its own place among what is to be written."""
        self.waiting.append(part)
        self.waiting.sort(key=by_number, reverse=True)

    def decided(
        self, status: SendStatus, segment: SegmentResult | None = None, reason: str = "", retry_after: float = 0.0
    ) -> None:
        """One segment's fate; with the last one the message's result is told."""
        if status is not SendStatus.ACCEPTED and SEVERITY[status] > SEVERITY[self.status]:
            self.status, self.reason, self._retry_after = status, reason, retry_after
        segments = self._segments or []
        if segment is not None:
            segments.append(segment)
        self._undecided -= 1
        if self._undecided:
            self._segments = segments
            return
        self._batch.decide(
            self._index,
            SendResult(
                message_id=self._message_id,
                status=self.status,
                segments=sorted(segments, key=by_segment) if self.total > 1 else segments,
                reason=self.reason,
                retry_after=self._retry_after,
            ),
        )


class Part:
    """One segment of a message: a Request of the session."""

    __slots__ = ("_listener", "era", "frame", "message", "number")
    era: int  # of the throttle, when it was written

    def __init__(self, listener: Listener, message: Handover, number: int, frame: bytes) -> None:
        self._listener = listener
        self.message = message
        self.number = number  # 1-based
        self.frame = frame

    def answered(self, command_status: int, message_id: str) -> None:
        self._listener.answered(self, command_status, message_id)

    def unanswered(self, why: Unanswered) -> None:
        """Written, and nobody will say what became of it."""
        self._listener.unanswered(self, why)

    def result(self, command_status: int = 0, external_id: str = "") -> SegmentResult:
        return SegmentResult(
            segment=self.number, segments=self.message.total, external_id=external_id, command_status=command_status
        )


def by_segment(result: SegmentResult) -> int:
    """Answers may come in any order; results do not."""
    return result.segment


def by_number(part: Part) -> int:
    return part.number
