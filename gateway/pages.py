"""What one commit of the journal holds, and how it is cut where not all of it can be written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from channels.base import ReportArrival
from conversation.failing import NOTHING_SAID
from conversation.ports import Acknowledgement, Exchange, JournalBatch, SessionEnd
from domain.message import SendResult


@dataclass(slots=True)
class Entry:
    """An exchange on its way into the journal. Exactly one of the callbacks is called, on the event loop.

    `written`: it is in the journal. `repeated`: it repeats a message that is, whose id is given (its own: the message is
    written and its answer cannot be); or, for a closing, somebody else closed the row. `refused`: the other side is to
    send it again; a closing is kept until it is written.
    """

    exchange: Exchange
    written: Callable[[Entry], None]
    repeated: Callable[[Entry, int], None]
    refused: Callable[[Entry], None] = field(default=lambda _: None)
    doubted: bool = False  # it may have been written by a commit of unknown outcome
    stripped: bool = False  # its answer cannot be written

    @property
    def identifier(self) -> int:
        return self.exchange.message.id

    @property
    def mark(self) -> int:
        """The id that stands in the store if this very entry was written: its reply's is nobody else's."""
        return self.identifier if self.exchange.reply is None else self.exchange.reply.id

    def strip(self) -> None:
        """The message without its answer; `handed_over` still says that a place is taken for it."""
        self.exchange = Exchange(
            message=self.exchange.message, decision=NOTHING_SAID, handed_over=self.exchange.handed_over
        )
        self.stripped = True


@dataclass(slots=True)
class Page:
    """What the next commit will hold. `doubted_until`: the event loop time at which its exchanges, which may have been
    written, are refused unless it is known by then; 0: none is in doubt.
    """

    exchanges: list[Entry] = field(default_factory=list)
    closings: list[Entry] = field(default_factory=list)
    reports: list[ReportArrival] = field(default_factory=list)
    acknowledgements: list[Acknowledgement] = field(default_factory=list)
    session_ends: list[SessionEnd] = field(default_factory=list)
    results: list[SendResult] = field(default_factory=list)
    doubted_until: float = 0.0

    def __len__(self) -> int:
        return sum(len(getattr(self, name)) for name in _LISTS)

    @property
    def entries(self) -> Iterator[Entry]:
        yield from self.exchanges
        yield from self.closings

    def batch(self) -> JournalBatch:
        return JournalBatch(
            exchanges=[entry.exchange for entry in self.exchanges],
            closings=[entry.exchange for entry in self.closings],
            acknowledgements=self.acknowledgements,
            session_ends=self.session_ends,
            results=self.results,
            reports=[arrival.report for arrival in self.reports],
        )

    def before(self, later: Page) -> Page:
        """What must not be lost, in front of what came after it; questions are not in it, they were refused."""
        return Page(
            exchanges=later.exchanges,
            closings=self.closings + later.closings,
            reports=later.reports,
            acknowledgements=self.acknowledgements + later.acknowledgements,
            session_ends=self.session_ends + later.session_ends,
            results=self.results + later.results,
        )

    def doubt(self, until: float) -> None:
        """It may be written: what is decided about it later holds only if it was not."""
        self.doubted_until = self.doubted_until or until
        for entry in self.entries:
            entry.doubted = True

    def halves(self) -> tuple[Page, Page]:
        """The same as two pages, for what holds more than one thing."""
        first, second = (Page(doubted_until=self.doubted_until) for _ in range(2))
        room = len(self) // 2
        for name in _LISTS:
            things = getattr(self, name)
            setattr(first, name, things[:room])
            setattr(second, name, things[room:])
            room -= len(getattr(first, name))
        return first, second

    def strip(self) -> bool:
        """Leave away what may be, of the one thing this holds; False: nothing may be, or nothing more."""
        for entry in self.entries:
            if not entry.stripped:
                entry.strip()
                return True
        bare = [replace(result, segments=(), reason="") for result in self.results]
        self.results, was = bare, self.results
        return bare != was

    def what(self) -> tuple[str, int | None]:
        """The kind of the one thing this holds, and its id."""
        for kind, entries in (("exchange", self.exchanges), ("closing", self.closings)):
            for entry in entries:
                return kind, entry.identifier
        for result in self.results:
            return "result", result.message_id
        for acknowledgement in self.acknowledgements:
            return "acknowledgement", acknowledgement.inbound_id
        return ("report" if self.reports else "session_end"), None


_LISTS = ("acknowledgements", "session_ends", "results", "closings", "exchanges", "reports")
