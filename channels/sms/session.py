"""One connection to an SMSC: SMPP 3.4 on an asyncio.Protocol, to send, to receive or for both.

Everything here is a plain call on the event loop. A read is cut into PDUs, all of them are worked through, and the
messages among them are handed over together; nobody is waited for. What is to be written in one turn of the loop
leaves in one write. One timer sweeps everything that can be late.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol, cast

import structlog

from channels.base import Settlement
from channels.sms import commands as c
from channels.sms import statuses
from channels.sms.account import BindMode, SmppAccount
from channels.sms.counters import SmsCounters
from channels.sms.outgoing import Request, Unanswered
from channels.sms.pdu import (
    AlertNotification,
    Bind,
    BindResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    Frames,
    GenericNack,
    Outbind,
    Pdu,
    ProtocolError,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unknown,
    decode,
    encode,
    encode_deliver_sm_resp,
)
from channels.sms.states import (
    ACKNOWLEDGEMENTS,
    BIND_COMMANDS,
    MOVES,
    TAKES_DELIVERIES,
    BindRefused,
    LinkLost,
    State,
    Turn,
)
from channels.sms.tls import word_for
from channels.sms.window import Questions, SequenceNumbers, Window
from channels.sms.writer import Writer
from channels.sparing import Sparing, SparingLog

log = structlog.get_logger()

SEQUENCE_AT: Final = 12  # where the header keeps the sequence number (SMPP 3.4 §3.2)
SEQUENCE: Final = struct.Struct(">L")
SWEEPS_PER_TIMEOUT: Final = 5  # a time-out is noticed at most a fifth late
LONGEST_SWEEP: Final = 1.0  # seconds


class Delivery:
    """A message or receipt the SMSC handed us, until it is acknowledged."""

    __slots__ = ("_session", "pdu", "settled")

    def __init__(self, session: Session, pdu: DeliverSm | DataSm) -> None:
        self._session = session
        self.pdu = pdu
        self.settled = False

    def settle(self, settlement: Settlement) -> bool:
        """Answer it; True when that was written to a link that is still alive. A second call changes nothing."""
        return self.answer(ACKNOWLEDGEMENTS[settlement])

    def answer(self, status: int) -> bool:
        """The same in the words of SMPP: a command_status."""
        if self.settled:
            return False
        self.settled = True
        return self._session.acknowledge(self.pdu, status)


class SessionListener(Protocol):
    """Who is told. None of these may block or raise; they are called on the event loop."""

    def delivered(self, session: Session, deliveries: Sequence[Delivery]) -> None:
        """What one read brought, in order; each is settled later, exactly once."""
        ...

    def room_changed(self) -> None:
        """More may be written than before."""
        ...

    def ended(self, session: Session, reason: str) -> None:
        """The link is gone, and every request on it has been told so."""
        ...


class Session(asyncio.Protocol):
    """One connection's life: connected, bound, in use, unbound or lost. It is never used twice.

    mode: what it binds as. A receiver never submits; whatever it is, what the SMSC hands it is taken.
    sparing: the account's log of what the SMSC sends, shared by its connections; a session may have its own.
    """

    def __init__(
        self,
        account: SmppAccount,
        name: str,
        listener: SessionListener,
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
        self._listener = listener
        self._counters = counters
        self._loop = loop
        self._log = (sparing or SparingLog(log, Sparing(loop.time))).bind(account=account.name, session=name)
        self._frames = Frames()
        self._writer = Writer(loop, self._on_stuck)
        self._numbers = SequenceNumbers()
        self._submits: Window[Request] = Window()
        self._questions = Questions()
        self._bound: asyncio.Future[None] | None = None
        self._arrived: list[DeliverSm | DataSm] = []
        self._heard_at = self._begun_at = loop.time()  # when the last octet came; when the PDU under way began
        self._doubted = False  # we asked whether the link lives, and nothing came since
        self._last_word: Callable[[], None] | None = None
        self._close_by: float | None = None
        self._unproven_by: float | None = None  # it said we are bound already: until when that must show
        self._reason = ""
        self._sweeper: asyncio.TimerHandle | None = None

    # What the channel does with it.

    @property
    def room(self) -> int:
        """Submits that may be written now: none unless bound to send, none while the SMSC does not read, and none while
        we doubt that it still hears us: another bind may take them.
        """
        if self.state is not State.BOUND or self._writer.paused or self._doubted or not self._mode.transmits:
            return 0
        return self._account.window - len(self._submits)

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

    def acknowledge(self, pdu: DeliverSm | DataSm, status: int) -> bool:
        """Answer what the SMSC handed us; True when it was written to a link that is still alive."""
        self.unsettled -= 1
        alive = self.state is not State.CLOSED and self._writer.alive
        if alive:
            self._answer(pdu, status)
        self._say_last_word_when_idle()
        return alive

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
        # uvloop's transports are no asyncio.Transport, they only behave like one.
        self._writer.attach(cast("asyncio.Transport", transport))
        self._heard_at = self._loop.time()
        self._sweep_later()

    def data_received(self, data: bytes) -> None:
        self._heard_at = now = self._loop.time()
        trusted_again, self._doubted = self._doubted, False
        begun = self._frames.pending
        try:
            frames = self._frames.feed(data)
        except ProtocolError as fault:
            self._work_through(fault.frames)
            self._refuse(fault)
            self.close("unframed")
            return
        if frames or not begun:
            self._begun_at = now
        self._work_through(frames)
        if trusted_again and self.room:
            self._listener.room_changed()

    def pause_writing(self) -> None:
        self._writer.paused = True

    def resume_writing(self) -> None:
        self._writer.paused = False
        self._listener.room_changed()

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
        self._listener.ended(self, self._reason)

    # Reading.

    def _work_through(self, frames: Sequence[bytes]) -> None:
        """Every PDU of one read, then everything that follows from them, once."""
        room = self.room
        for frame in frames:
            if self.state is State.CLOSED:  # one of them ended the link; those behind it count as never read
                break
            try:
                pdu = decode(frame)
            except ProtocolError as fault:
                self._refuse(fault)
            else:
                self._HANDLERS[type(pdu)](self, pdu)
        if self._arrived:
            arrived, self._arrived = self._arrived, []
            self._listener.delivered(self, [Delivery(self, pdu) for pdu in arrived])
        if self.room > room:
            self._listener.room_changed()
        self._say_last_word_when_idle()

    def _refuse(self, fault: ProtocolError) -> None:
        """A PDU that cannot be read is answered as the standard says; an unreadable answer is one that never came."""
        self._counters.malformed += 1
        self._log.warning("sms.pdu_refused", command=c.command_name(fault.command_id), status=fault.command_status)
        if fault.command_id & c.RESPONSE_BIT:
            request = self._submits.take(fault.sequence)
            if request is not None:
                request.unanswered(Unanswered.MISREAD)
        refusal = fault.refusal()
        if refusal is not None:
            self._writer.write(encode(refusal))

    def _on_delivery(self, pdu: DeliverSm | DataSm) -> None:
        self._counters.delivered += 1
        self._unproven_by = None
        self.unsettled += 1
        if self.state not in TAKES_DELIVERIES:
            self.acknowledge(pdu, c.RX_T_APPN)  # we are leaving: it is to come again
        elif self.unsettled > self._account.max_unsettled:
            self.acknowledge(pdu, c.RMSGQFUL)
        else:
            self._arrived.append(pdu)

    def _on_submit_resp(self, pdu: SubmitSmResp) -> None:
        request = self._submits.take(pdu.sequence)
        if request is None:
            self._counters.unmatched += 1
            return
        request.answered(pdu.status, pdu.message_id)
        if pdu.status == c.RINVBNDSTS:
            self.close("not_bound_at_smsc")
        else:
            self._unproven_by = None

    def _on_generic_nack(self, pdu: GenericNack) -> None:
        """Our request could not be read there: it has failed. Without its number nobody can tell which."""
        request = self._submits.take(pdu.sequence)
        if request is not None:
            request.answered(pdu.status, "")
            return
        question = self._questions.settle(pdu.sequence)
        self._log.warning("sms.nacked", status=pdu.status, asked=question)  # logs take "question" for a person's
        if question is not None:
            self._give_up(question, pdu.status)

    def _on_bind_resp(self, pdu: BindResp) -> None:
        if not self._answers(pdu.sequence, "bind"):
            return
        if pdu.status not in statuses.BOUND:
            self._give_up("bind", pdu.status)
            return
        if pdu.status == c.RALYBND:
            self._unproven_by = self._loop.time() + self._account.unproven_timeout
        if (self.state, Turn.BIND_ACCEPTED) in MOVES:  # not if we said goodbye in the meantime
            self.state = MOVES[self.state, Turn.BIND_ACCEPTED]
            if self._bound is not None and not self._bound.done():
                self._bound.set_result(None)

    def _on_enquire_link(self, pdu: EnquireLink) -> None:
        self._writer.write(encode(EnquireLinkResp(pdu.sequence)))

    def _on_enquire_link_resp(self, pdu: EnquireLinkResp) -> None:
        self._answers(pdu.sequence, "enquire_link")

    def _on_unbind(self, pdu: Unbind) -> None:
        def say_unbind_resp() -> None:
            self._writer.write(encode(UnbindResp(pdu.sequence)))
            self.close("unbound_by_smsc")

        self._log.info("sms.unbind_asked")
        if self.state is State.UNBINDING:  # both sides say goodbye at once
            say_unbind_resp()
        else:
            self._close_by = self._loop.time() + self._account.unbind_grace
            self._begin_goodbye(say_unbind_resp)

    def _on_unbind_resp(self, pdu: UnbindResp) -> None:
        if self._answers(pdu.sequence, "unbind"):
            self.close("unbound")

    def _on_notification(self, pdu: AlertNotification | Outbind) -> None:
        """These have no answer. An outbind asks us to bind, and we are about to, or did."""
        self._log.info("sms.notified", command=type(pdu).__name__)

    def _on_stray_response(self, _pdu: DeliverSmResp | DataSmResp) -> None:
        self._counters.unmatched += 1  # we never send what these would answer

    def _on_unknown(self, pdu: Unknown) -> None:
        if pdu.command_id & c.RESPONSE_BIT:  # an answer is never answered
            self._counters.unmatched += 1
        else:
            self._log.warning("sms.command_unknown", command=c.command_name(pdu.command_id))
            self._writer.write(encode(GenericNack(pdu.sequence, c.RINVCMDID)))

    def _on_misdirected(self, pdu: Bind | SubmitSm) -> None:
        """What only an SMSC is sent is unknown to us."""
        self._writer.write(encode(GenericNack(pdu.sequence, c.RINVCMDID)))

    _HANDLERS: ClassVar[Mapping[type[Pdu], Callable[[Session, Any], None]]] = {
        DeliverSm: _on_delivery,
        DataSm: _on_delivery,
        SubmitSmResp: _on_submit_resp,
        GenericNack: _on_generic_nack,
        BindResp: _on_bind_resp,
        EnquireLink: _on_enquire_link,
        EnquireLinkResp: _on_enquire_link_resp,
        Unbind: _on_unbind,
        UnbindResp: _on_unbind_resp,
        AlertNotification: _on_notification,
        Outbind: _on_notification,
        DeliverSmResp: _on_stray_response,
        DataSmResp: _on_stray_response,
        Unknown: _on_unknown,
        Bind: _on_misdirected,
        SubmitSm: _on_misdirected,
    }

    # Answers, questions and goodbye.

    def _answer(self, pdu: DeliverSm | DataSm, status: int) -> None:
        if status == c.ROK:
            self._counters.acknowledged += 1
        else:
            self._counters.refused += 1
        if type(pdu) is DeliverSm:
            self._writer.write(encode_deliver_sm_resp(pdu.sequence, status))
        else:
            self._writer.write(encode(DataSmResp(pdu.sequence, status)))

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

    def _on_stuck(self) -> None:
        self.close("smsc_does_not_read", at_once=True)

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
        for request in late:
            request.unanswered(Unanswered.TIMED_OUT)
        if late:
            self._log.warning("sms.submits_unanswered", count=len(late))
            self._listener.room_changed()
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
