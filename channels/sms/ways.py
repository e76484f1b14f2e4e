"""Whose turn it is, and on which link: the queue of an account before its windows (pure).

Replies go before notices, notices before broadcasts; within each, what came first. A message begun on a link is
finished there before anything else is written on it, so that its segments stay together; it is begun only where the
window holds the whole of it, so that it stands in nobody's way for longer than the rate makes it.

What nobody asked for never takes the last slots of a window: a fifth of it, at least one, is kept for replies. An
answer of the SMSC takes as long as it takes, and a reply that has to wait for one to free a slot waits that long for
nothing. One slot would do for one reply at a time; a fifth lets a bulk at full speed be overtaken by a quarter of its
own pace. A window of one has none to spare.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from channels.sms.handover import Handover, Part, Unanswered
from domain.message import PRIORITIES

KEPT_SHARE: Final = 5  # one slot in so many is for replies
REPLIES: Final = 0  # their lane


class Request(Protocol):
    """Something to be submitted: an encoded submit_sm whose sequence number is filled in when it is written."""

    @property
    def frame(self) -> bytes: ...

    def answered(self, command_status: int, message_id: str) -> None: ...

    def unanswered(self, why: Unanswered) -> None: ...


class Link(Protocol):
    """A bound session, as the queue sees it."""

    @property
    def name(self) -> str: ...

    @property
    def room(self) -> int:
        """How many submits may be written now: 0 unless bound, transmitting and read by the other side."""
        ...

    def submit(self, requests: Sequence[Request]) -> None:
        """Write them; never more than `room`."""
        ...


class Way:
    """A link, and what can leave by no other."""

    __slots__ = ("batch", "free", "kept", "link", "open", "tied", "window")

    def __init__(self, link: Link) -> None:
        self.link = link
        self.open: Handover | None = None  # begun, and not yet written to its end
        self.tied: deque[Handover] = deque()  # written here once, partly put off by the SMSC; in turn
        self.batch: list[Part] = []  # to be written with the others of this turn
        self.window = 0  # the most room it was seen to have: that of a link nothing is written on
        self.kept = 0  # of it, for replies
        self.free = 0
        self.look()

    def look(self) -> None:
        """See how much may be written now."""
        self.free = room = self.link.room
        if room > self.window:
            self.window = room
            self.kept = max(1, room // KEPT_SHARE) if room > 1 else 0

    def would_write(self, head: Handover | None) -> Handover | None:
        """What comes next here, if `head` is the first of those that may go anywhere."""
        if self.open is not None:
            return self.open
        if self.tied and (head is None or self.tied[0].key < head.key):
            return self.tied[0]
        return head

    def takes(self, message: Handover) -> bool:
        """It may be written here now: begun, or begun again, only where all of it fits beside what is kept free."""
        if message is self.open:
            return self.free > 0
        kept = 0 if message.lane == REPLIES else self.kept
        room = self.free - kept
        return room > 0 and (room >= len(message.waiting) or room == self.window - kept)

    @property
    def unfinished(self) -> Iterator[Handover]:
        """What can be finished only here."""
        if self.open is not None:
            yield self.open
        yield from self.tied


class Turns:
    """What waits to be written, and who is next. `waiting` counts segments."""

    __slots__ = ("_last", "lanes", "waiting", "ways")

    def __init__(self) -> None:
        self.lanes: tuple[deque[Handover], ...] = tuple(deque() for _ in PRIORITIES)  # what may go by any link
        self.ways: list[Way] = []
        self.waiting = 0
        self._last = 0  # the way that was chosen last

    def enter(self, message: Handover) -> None:
        self.lanes[message.lane].append(message)
        self.waiting += message.total

    def next(self) -> tuple[Way, Handover] | None:
        """The message whose turn it is and a link that has room for it; None: there is none."""
        if len(self.ways) > 1:
            return self._among(self._head())
        for way in self.ways:
            message = way.would_write(next((lane[0] for lane in self.lanes if lane), None))
            if message is not None and way.takes(message):
                return way, message
        return None

    def take(self, way: Way, message: Handover) -> Part:
        """The next segment of what `next` said, now gone from the queue."""
        if message is not way.open:
            _take_out(way.tied if message.way is not None else self.lanes[message.lane], message)
            message.way = way
        part = message.waiting.pop()
        way.open = message if message.waiting else None
        way.free -= 1
        self.waiting -= 1
        return part

    def put_back(self, part: Part) -> None:
        """A segment the SMSC did not take yet goes back to its place: before everything that was begun later.

        A message of which nothing was taken is free to go by any link again.
        """
        message = part.message
        message.put_back(part)
        self.waiting += 1
        way = message.way
        if way is None or not message.untouched:
            if way is not None and message is not way.open and message not in way.tied:
                _insert(way.tied, message)
            return
        self._leave(message)
        message.way = None
        _insert(self.lanes[message.lane], message)

    def remove(self, message: Handover) -> list[Part]:
        """Its segments that were not written, first one first, out of the queue."""
        parts, message.waiting = message.waiting[::-1], []
        if parts:
            self.waiting -= len(parts)
            self._leave(message)
        return parts

    def everything(self) -> list[Handover]:
        """Every message of which something is to be written, in turn."""
        return [
            *(message for way in self.ways for message in way.unfinished),
            *(message for lane in self.lanes for message in lane),
        ]

    def way_of(self, link: Link) -> Way | None:
        return next((way for way in self.ways if way.link is link), None)

    def _among(self, head: Handover | None) -> tuple[Way, Handover] | None:
        """The message that goes before the others' next; of several ways for it, the one with most room, in turn."""
        chosen: Way | None = None
        message: Handover | None = None
        count = len(self.ways)
        for step in range(1, count + 1):
            way = self.ways[(self._last + step) % count]
            mine = way.would_write(head)
            if mine is None or not way.takes(mine):
                continue
            if (
                chosen is None
                or message is None
                or mine.key < message.key
                or (mine is message and way.free > chosen.free)
            ):
                chosen, message = way, mine
        if chosen is None or message is None:
            return None
        self._last = self.ways.index(chosen)
        return chosen, message

    def _head(self) -> Handover | None:
        """The first that may go by any link: behind whoever waits for one, which may be stuck, others go on."""
        return next((message for lane in self.lanes for message in lane if not self._bound(message)), None)

    def _bound(self, message: Handover) -> bool:
        """This person has a message of the same kind to be finished first, on some link: none may overtake it."""
        return any(
            earlier.recipient == message.recipient and earlier.lane == message.lane and earlier.key < message.key
            for way in self.ways
            for earlier in way.unfinished
        )

    def _leave(self, message: Handover) -> None:
        """Out of where it stands."""
        way = message.way
        if way is None:
            _take_out(self.lanes[message.lane], message)
        elif way.open is message:
            way.open = None
        elif message in way.tied:
            way.tied.remove(message)


def _take_out(queue: deque[Handover], message: Handover) -> None:
    """Mostly it is the first."""
    if queue[0] is message:
        queue.popleft()
    else:
        queue.remove(message)


def _insert(queue: deque[Handover], message: Handover) -> None:
    """In turn. What comes back was begun before anything that was not: it is looked for from the front."""
    place = 0
    while place < len(queue) and queue[place].key < message.key:
        place += 1
    queue.insert(place, message)
