"""A connection to an SMSC as such: what we ask of it and when it is late; what comes in is read by channels.sms.session.

Plain calls on the event loop. What is to be written in one turn of the loop leaves in one write. One timer sweeps
everything that can be late.
"""

from __future__ import annotations

import asyncio
import struct
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, cast

import structlog

from channels.sms.account import BindMode, SmppAccount
from channels.sms.counters import SmsCounters
from channels.sms.outgoing import Request, Unanswered
from channels.sms.pdu import Bind, EnquireLink, Frames, ProtocolError, Unbind, encode
from channels.sms.states import BIND_COMMANDS, MOVES, BindRefused, LinkLost, State, Turn
from channels.sms.tls import word_for
from channels.sms.window import Questions, SequenceNumbers, Window
from channels.sms.writer import Writer
from channels.sparing import Sparing, SparingLog

log = structlog.get_logger()

SEQUENCE_AT: Final = 12  # where the header keeps the sequence number (SMPP 3.4 §3.2)
SEQUENCE: Final = struct.Struct(">L")
SWEEPS_PER_TIMEOUT: Final = 5  # a time-out is noticed at most a fifth late
LONGEST_SWEEP: Final = 1.0  # seconds


class Connection(asyncio.Protocol):
    """One connection's life: connected, bound, in use, unbound or lost. It is never used twice.

    mode: what it binds as. A receiver never submits; whatever it is, what the SMSC hands it is taken.
    sparing: the account's log of what the SMSC sends, shared by its connections; one may have its own.
    """

    def __init__(
        self,
        account: SmppAccount,
        name: str,
        counters: SmsCounters,
        loop: asyncio.AbstractEventLoop,
        sparing: SparingLog | None = None,
        mode: BindMode = BindMode.TRANSCEIVER,
    ) -> None:
        self.name = name  # unique among all connections of all time: acknowledgements are told apart by it
        self.state = State.OPEN
        self.ended: asyncio.Future[str] = loop.create_future()  # why it ended; never an exception
        self.unsettled = 0  # messages handed over and not yet acknowledged
        self._account = account
        self._mode = mode
        self._counters = counters
        self._loop = loop
        self._log = (sparing or SparingLog(log, Sparing(loop.time))).bind(account=account.name, session=name)
        self._frames = Frames()
        self._writer = Writer(loop, lambda: self.close("smsc_does_not_read", at_once=True))
        self._numbers = SequenceNumbers()
        self._submits: Window[Request] = Window()
        self._questions = Questions()
        self._bound: asyncio.Future[None] | None = None
        self._heard_at = self._begun_at = loop.time()  # when the last octet came; when the PDU under way began
        self._doubted = False  # we asked whether the link lives, and nothing came since
        self._last_word: Callable[[], None] | None = None
        self._close_by: float | None = None
        self._unproven_by: float | None = None  # it said we are bound already: until when that must show
        self._reason = ""
        self._sweeper: asyncio.TimerHandle | None = None

    # What a reader of it fills in.

    @abstractmethod
    def _read(self, frames: Sequence[bytes]) -> None:
        """Whole PDUs came, all of one read."""

    @abstractmethod
    def _refuse(self, fault: ProtocolError) -> None:
        """What came is no PDU."""

    @abstractmethod
    def _more_room(self) -> None:
        """More may be written than before."""

    @abstractmethod
    def _gone(self) -> None:
        """It ended, and every request on it has been told so."""

    # What the channel does with it.

    @property
    def room(self) -> int:
        """Submits that may be written now: none unless bound to send, none while the SMSC does not read, and none while
        we doubt that it still hears us: another bind may take them. One, until a bind said to be there already shows.
        """
        if self.state is not State.BOUND or self._writer.paused or self._doubted or not self._mode.transmits:
            return 0
        return (self._account.window if self._unproven_by is None else 1) - len(self._submits)

    @property
    def in_flight(self) -> int:
        """Submits written and not yet answered."""
        return len(self._submits)

    async def bind(self) -> None:
        """Become bound as what this connection is for.

        Raises:
            BindRefused: the SMSC said no; the link is closed.
            LinkLost: it closed the link, or did not answer in time.
        """
        if self.state is State.CLOSED:
            raise LinkLost(f"the link ended before we could bind: {self._reason}")
        self._bound = self._loop.create_future()
        account = self._account
        self._writer.write(
            encode(
                Bind(
                    BIND_COMMANDS[self._mode],
                    self._ask("bind", account.bind_timeout),
                    account.system_id,
                    account.password,
                    account.system_type,
                    addr_ton=account.source_ton,
                    addr_npi=account.source_npi,
                    address_range=account.address_range,
                )
            )
        )
        await self._bound

    def submit(self, requests: Sequence[Request]) -> None:
        """Write requests, each under the next free sequence number; never more than `room`."""
        now = self._loop.time()
        frames: list[bytes] = []
        for request in requests:
            sequence = self._next_sequence()
            self._submits.add(sequence, request, now)
            frame = request.frame
            frames.append(frame[:SEQUENCE_AT] + SEQUENCE.pack(sequence) + frame[SEQUENCE_AT + SEQUENCE.size :])
        self._writer.write(*frames)

    async def unbind(self) -> None:
        """Take nothing new in, finish what is under way, say goodbye. Returns when the link is gone.

        What is not settled or answered within `response_timeout` is left behind.
        """
        if self.state is not State.CLOSED:
            if self._close_by is None:
                self._close_by = self._loop.time() + self._account.response_timeout
            self._begin_goodbye(self._say_unbind)
        await self.wait()

    async def wait(self) -> str:
        """Why the link ended, once it has; whoever is cancelled while waiting does no harm to others who wait."""
        return await asyncio.shield(self.ended)

    def close(self, reason: str, *, at_once: bool = False) -> None:
        """End the link: after what is collected has left, or `at_once`, for a peer that does not read any more."""
        self._reason = self._reason or reason
        if at_once:
            self._writer.abort()
        else:
            self._writer.close()
        self.state = MOVES.get((self.state, Turn.LOST), State.CLOSED)
        self._close_by = self._loop.time() + self._account.unbind_grace

    # What asyncio tells it.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._writer.attach(cast("asyncio.Transport", transport))  # uvloop's only behave like one
        self._heard_at = self._loop.time()
        self._sweep_later()

    def data_received(self, data: bytes) -> None:
        self._heard_at = now = self._loop.time()
        trusted_again, self._doubted = self._doubted, False
        begun = self._frames.pending
        try:
            frames = self._frames.feed(data)
        except ProtocolError as fault:
            self._read(fault.frames)
            self._refuse(fault)
            self.close("unframed")
            return
        if frames or not begun:
            self._begun_at = now
        self._read(frames)
        if trusted_again and self.room:
            self._more_room()

    def pause_writing(self) -> None:
        self._writer.paused = True

    def resume_writing(self) -> None:
        self._writer.paused = False
        self._more_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._reason = self._reason or (word_for(exc) if exc else "closed_by_smsc")
        self.state = State.CLOSED
        if self._sweeper is not None:
            self._sweeper.cancel()
        for request in self._submits.empty():
            request.unanswered(Unanswered.LINK_LOST)
        if self._bound is not None and not self._bound.done():
            self._bound.set_exception(LinkLost(f"the link ended before the bind was answered: {self._reason}"))
        if not self.ended.done():
            self.ended.set_result(self._reason)
        self._gone()

    # Questions and goodbye.

    def _next_sequence(self) -> int:
        sequence = self._numbers.next(self._submits)
        while sequence in self._questions:
            sequence = self._numbers.next(self._submits)
        return sequence

    def _ask(self, what: str, within: float) -> int:
        """A sequence number for a question of the link itself, to be answered `within` seconds."""
        sequence = self._next_sequence()
        self._questions.ask(sequence, what, self._loop.time() + within)
        return sequence

    def _answers(self, sequence: int, what: str) -> bool:
        """Whether this answers an open question of that kind."""
        if self._questions.settle(sequence, what) is None:
            self._counters.unmatched += 1
            return False
        return True

    def _give_up(self, question: str, status: int) -> None:
        """A question of the link was refused: the link is of no use."""
        if question == "bind" and self._bound is not None and not self._bound.done():
            self._bound.set_exception(BindRefused(status))
        self.close(f"{question}_refused")

    def _begin_goodbye(self, last_word: Callable[[], None]) -> None:
        if (self.state, Turn.GOODBYE) in MOVES:
            self.state = MOVES[self.state, Turn.GOODBYE]
            self._last_word = last_word
            self._say_last_word_when_idle()

    def _say_last_word_when_idle(self, *, grace_over: bool = False) -> None:
        if self._last_word is None:
            return
        if grace_over or not (self._submits or self.unsettled):
            last_word, self._last_word = self._last_word, None
            last_word()

    def _say_unbind(self) -> None:
        self._writer.write(encode(Unbind(self._ask("unbind", self._account.response_timeout))))

    # Time.

    def _sweep_later(self) -> None:
        account = self._account
        shortest = min(account.response_timeout, account.enquire_link_idle, account.bind_timeout, account.unbind_grace)
        self._sweeper = self._loop.call_later(min(LONGEST_SWEEP, shortest / SWEEPS_PER_TIMEOUT), self._sweep)

    def _sweep(self) -> None:
        """Whatever can be late is looked at here, and nowhere else."""
        now = self._loop.time()
        self._sweep_later()
        self._sweep_submits(now)
        overdue = self._questions.overdue(now)
        if overdue is not None:
            self.close(f"{overdue}_unanswered", at_once=True)
        elif self._frames.pending and now - self._begun_at >= self._account.unfinished_timeout:
            self.close("pdu_unfinished", at_once=True)
        elif self._unproven_by is not None and self._unproven_by <= now:
            self.close("bind_unproven")
        elif self.state is State.BOUND and now - self._heard_at >= self._account.enquire_link_idle:
            self._enquire()
        elif self._close_by is not None and self._close_by <= now:
            self._end_of_grace()

    def _sweep_submits(self, now: float) -> None:
        late = list(self._submits.overdue(now - self._account.response_timeout))
        if late and self.state is State.BOUND and now - self._heard_at >= self._account.response_timeout:
            self._enquire()  # what goes once more must not go into the same dead link
        for request in late:
            request.unanswered(Unanswered.TIMED_OUT)
        if late:
            self._log.warning("sms.submits_unanswered", count=len(late))
            self._more_room()
            self._say_last_word_when_idle()

    def _enquire(self) -> None:
        if not self._questions:
            self._doubted = True
            self._writer.write(encode(EnquireLink(self._ask("enquire_link", self._account.response_timeout))))

    def _end_of_grace(self) -> None:
        if self.state is State.CLOSED:
            self._writer.abort()  # the last words are not being read
        else:
            self._say_last_word_when_idle(grace_over=True)
