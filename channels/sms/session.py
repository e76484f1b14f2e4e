"""What an SMSC says on a connection (channels.sms.connection), and what follows: SMPP 3.4, to send, to receive or both.

Everything here is a plain call on the event loop. All PDUs of one read are worked through, and the messages among them
are handed over together; nobody is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from channels.base import Settlement
from channels.sms import commands as c
from channels.sms import statuses
from channels.sms.account import BindMode, SmppAccount
from channels.sms.connection import Connection
from channels.sms.counters import SmsCounters
from channels.sms.outgoing import Unanswered
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
    MOVES,
    TAKES_DELIVERIES,
    State,
    Turn,
)
from channels.sparing import SparingLog


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


class Session(Connection):
    """A connection that hears what the SMSC says. Whatever it is bound as, what the SMSC hands it is taken."""

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
        super().__init__(account, name, counters, loop, sparing, mode)
        self._listener = listener
        self._arrived: list[DeliverSm | DataSm] = []

    def _more_room(self) -> None:
        self._listener.room_changed()

    def _gone(self) -> None:
        self._listener.ended(self, self._reason)

    def acknowledge(self, pdu: DeliverSm | DataSm, status: int) -> bool:
        """Answer what the SMSC handed us; True when it was written to a link that is still alive."""
        self.unsettled -= 1
        alive = self.state is not State.CLOSED and self._writer.alive
        if alive:
            self._answer(pdu, status)
        self._say_last_word_when_idle()
        return alive

    # Reading.

    def _read(self, frames: Sequence[bytes]) -> None:
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
            self._more_room()
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

    # Answers.

    def _answer(self, pdu: DeliverSm | DataSm, status: int) -> None:
        if status == c.ROK:
            self._counters.acknowledged += 1
        else:
            self._counters.refused += 1
        if type(pdu) is DeliverSm:
            self._writer.write(encode_deliver_sm_resp(pdu.sequence, status))
        else:
            self._writer.write(encode(DataSmResp(pdu.sequence, status)))
