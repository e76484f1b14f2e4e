"""The SMPP session keeps its promises to the SMSC, to the messages and to the channel, whatever the SMSC does."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar, cast

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from channels.base import Settlement
from channels.sms import commands as c
from channels.sms.account import BindMode, SmppAccount
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
    Frames,
    GenericNack,
    Outbind,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    decode,
    encode,
)
from channels.sms.session import Delivery, Session
from channels.sms.states import BIND_COMMANDS, MOVES, BindRefused, LinkLost, State, Turn
from channels.sms.window import LARGEST_SEQUENCE, SequenceNumbers, Window
from channels.sms.writer import UNREAD_LIMIT
from channels.sparing import LINES_A_MINUTE, Sparing, SparingLog

P = TypeVar("P", bound=Pdu)
CONGESTION_STATE = 0x0428  # SMPP 5.0 §4.8.4.18; SMSCs send it to binds of 3.4, too
UNKNOWN_REQUEST = struct.pack(">LLLL", 16, 0x0000_0BAD, 0, 77)
UNKNOWN_RESPONSE = struct.pack(">LLLL", 16, 0x8000_0BAD, 0, 78)


def account(**changes: Any) -> SmppAccount:
    defaults: dict[str, Any] = {
        "name": "viettel",
        "host": "127.0.0.1",
        "system_id": "gateway",
        "password": "secret",
        "short_code": "8088",
        "window": 4,
    }
    return SmppAccount(**{**defaults, **changes})


class Wire(asyncio.Transport):
    """A transport without a network: what the session writes, write by write; what it does with the connection."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: asyncio.Protocol | None = None
        self.writes: list[bytes] = []
        self.unread = 0
        self.aborted = False
        self.wrote = asyncio.Event()
        self._closing = False

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))
        self.wrote.set()

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            assert self.protocol is not None
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.aborted = True
        self.close()

    def get_write_buffer_size(self) -> int:
        return self.unread


class DeafWire(Wire):
    """The other side does not read: closing politely never ends."""

    def close(self) -> None:
        self._closing = True

    def abort(self) -> None:
        self.aborted = True
        assert self.protocol is not None
        asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)


class Ear:
    """What the session tells its listener."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Delivery]] = []
        self.rooms = 0
        self.ends: list[str] = []
        self.when_delivered: Callable[[], bool] | None = None  # looked at when messages are handed over
        self.then: list[bool] = []  # what it said

    @property
    def deliveries(self) -> list[Delivery]:
        return [delivery for batch in self.batches for delivery in batch]

    def delivered(self, session: Session, deliveries: Sequence[Delivery]) -> None:
        self.batches.append(deliveries)
        if self.when_delivered is not None:
            self.then.append(self.when_delivered())

    def room_changed(self) -> None:
        self.rooms += 1

    def ended(self, session: Session, reason: str) -> None:
        self.ends.append(reason)


class Ask:
    """A submit_sm and what became of it."""

    def __init__(self, text: bytes = b"x") -> None:
        self.frame = encode(SubmitSm(0, destination="84912345678", short_message=text))
        self.fate: asyncio.Future[tuple[int, str] | Unanswered] = asyncio.get_running_loop().create_future()

    def answered(self, command_status: int, message_id: str) -> None:
        self.fate.set_result((command_status, message_id))

    def unanswered(self, why: Unanswered) -> None:
        self.fate.set_result(why)


class Rig:
    """A session with an ear and a wire; `hear` plays the SMSC."""

    def __init__(
        self,
        settings: SmppAccount,
        wire: Wire,
        sparing: SparingLog | None = None,
        mode: BindMode = BindMode.TRANSCEIVER,
    ) -> None:
        self.ear = Ear()
        self.wire = wire
        self.counters = SmsCounters()
        loop = asyncio.get_running_loop()
        self.session = Session(settings, "viettel-1", self.ear, self.counters, loop, sparing, mode)
        wire.protocol = self.session
        self.session.connection_made(wire)

    def hear(self, *what: Pdu | bytes) -> None:
        """All of this arrives in one read."""
        self.session.data_received(b"".join(part if isinstance(part, bytes) else encode(part) for part in what))

    async def said(self) -> list[Pdu]:
        """Everything written so far, this turn included."""
        await asyncio.sleep(0)
        return [decode(frame) for frame in Frames().feed(b"".join(self.wire.writes))]

    async def said_of(self, kind: type[P]) -> list[P]:
        return [pdu for pdu in await self.said() if type(pdu) is kind]

    async def bind(self) -> None:
        binding = asyncio.create_task(self.session.bind())
        (request,) = await self.until(Bind)
        self.hear(BindResp(request.command | c.RESPONSE_BIT, request.sequence, system_id="SMSC"))
        await binding
        self.wire.writes.clear()

    async def until(self, kind: type[P]) -> list[P]:
        """Wait until something of this kind has been said."""
        async with asyncio.timeout(60):
            while not (found := await self.said_of(kind)):
                self.wire.wrote.clear()
                await self.wire.wrote.wait()
        return found


RigMaker = Callable[..., Rig]


@pytest.fixture
async def rig() -> AsyncIterator[RigMaker]:
    rigs: list[Rig] = []

    def make(
        wire: Wire | None = None,
        sparing: SparingLog | None = None,
        mode: BindMode = BindMode.TRANSCEIVER,
        **changes: Any,
    ) -> Rig:
        rigs.append(Rig(account(**changes), wire or Wire(), sparing, mode))
        return rigs[-1]

    yield make
    for made in rigs:
        made.session.close("test over", at_once=True)
        await made.session.ended


def message(sequence: int, text: bytes = b"hello") -> DeliverSm:
    return DeliverSm(sequence, source="84912345678", destination="8088", short_message=text)


# Binding.


async def test_wrong_password_is_told_apart_and_ends_the_link(rig: RigMaker) -> None:
    it = rig()
    binding = asyncio.create_task(it.session.bind())
    (request,) = await it.until(Bind)
    it.hear(BindResp(c.BIND_TRANSCEIVER | c.RESPONSE_BIT, request.sequence, c.RINVPASWD))
    with pytest.raises(BindRefused) as refusal:
        await binding
    assert refusal.value.command_status == c.RINVPASWD
    assert await it.session.ended == "bind_refused"


async def test_bind_that_is_never_answered_ends_the_link(rig: RigMaker) -> None:
    it = rig(bind_timeout=0.02)
    with pytest.raises(LinkLost):
        await it.session.bind()
    assert await it.session.ended == "bind_unanswered"


async def test_bind_on_a_link_that_is_gone_says_so(rig: RigMaker) -> None:
    it = rig()
    it.session.connection_lost(ConnectionResetError())
    with pytest.raises(LinkLost):
        await it.session.bind()


async def test_bind_cut_off_by_the_smsc_says_so(rig: RigMaker) -> None:
    it = rig()
    binding = asyncio.create_task(it.session.bind())
    await it.until(Bind)
    it.session.connection_lost(None)
    with pytest.raises(LinkLost):
        await binding


async def test_answer_to_another_bind_does_not_bind(rig: RigMaker) -> None:
    it = rig()
    binding = asyncio.create_task(it.session.bind())
    (request,) = await it.until(Bind)
    it.hear(BindResp(c.BIND_TRANSCEIVER | c.RESPONSE_BIT, request.sequence + 1, system_id="SMSC"))
    assert it.session.state is State.OPEN
    it.session.connection_lost(None)
    with pytest.raises(LinkLost):
        await binding


async def test_message_before_the_bind_answer_is_handed_over_and_the_bind_succeeds(rig: RigMaker) -> None:
    it = rig()
    binding = asyncio.create_task(it.session.bind())
    (request,) = await it.until(Bind)
    it.hear(message(9), BindResp(c.BIND_TRANSCEIVER | c.RESPONSE_BIT, request.sequence))
    await binding
    (delivery,) = it.ear.deliveries
    assert delivery.settle(Settlement.DURABLE)
    assert await it.said_of(DeliverSmResp) == [DeliverSmResp(9)]


async def test_already_bound_counts_as_bound(rig: RigMaker) -> None:
    it = rig()
    binding = asyncio.create_task(it.session.bind())
    (request,) = await it.until(Bind)
    it.hear(BindResp(c.BIND_TRANSCEIVER | c.RESPONSE_BIT, request.sequence, c.RALYBND))
    await binding
    assert it.session.state is State.BOUND


async def test_already_bound_is_tried_with_one_submit_before_others_are_risked(rig: RigMaker) -> None:
    it = rig()
    binding = asyncio.create_task(it.session.bind())
    (request,) = await it.until(Bind)
    it.hear(BindResp(c.BIND_TRANSCEIVER | c.RESPONSE_BIT, request.sequence, c.RALYBND))
    await binding
    assert it.session.room == 1
    it.session.submit([Ask()])
    assert it.session.room == 0
    (submit,) = await it.until(SubmitSm)
    rooms = it.ear.rooms
    it.hear(SubmitSmResp(submit.sequence, message_id="A"))
    assert (it.session.room, it.ear.rooms) == (4, rooms + 1)


async def test_already_bound_without_a_sign_of_it_is_bound_anew(rig: RigMaker) -> None:
    it = rig(unproven_timeout=0.2)
    binding = asyncio.create_task(it.session.bind())
    (request,) = await it.until(Bind)
    it.hear(BindResp(c.BIND_TRANSCEIVER | c.RESPONSE_BIT, request.sequence, c.RALYBND))
    await binding
    assert await it.session.wait() == "bind_unproven"


async def test_already_bound_is_believed_once_a_message_came(rig: RigMaker) -> None:
    it = rig(unproven_timeout=0.2, response_timeout=0.5)
    binding = asyncio.create_task(it.session.bind())
    (request,) = await it.until(Bind)
    it.hear(BindResp(c.BIND_TRANSCEIVER | c.RESPONSE_BIT, request.sequence, c.RALYBND), message(9))
    await binding
    ask = Ask()
    it.session.submit([ask])
    assert await ask.fate is Unanswered.TIMED_OUT  # later than a bind without a sign of life would be left
    assert it.session.state is State.BOUND


async def test_bind_says_who_we_are_as_a_transceiver_of_version_3_4(rig: RigMaker) -> None:
    it = rig(system_type="VMS", address_range="^8088$")
    task = asyncio.create_task(it.session.bind())
    (bind,) = await it.until(Bind)
    task.cancel()
    assert (bind.command, bind.interface_version) == (c.BIND_TRANSCEIVER, 0x34)
    assert (bind.system_id, bind.password, bind.system_type) == ("gateway", "secret", "VMS")
    assert bind.address_range == "^8088$"


async def test_nacked_bind_is_a_refusal(rig: RigMaker) -> None:
    it = rig()
    binding = asyncio.create_task(it.session.bind())
    (request,) = await it.until(Bind)
    it.hear(GenericNack(request.sequence, c.RINVCMDID))
    with pytest.raises(BindRefused):
        await binding


@pytest.mark.parametrize("mode", BindMode)
async def test_each_mode_has_its_command_and_a_receiver_has_no_room(rig: RigMaker, mode: BindMode) -> None:
    it = rig(mode=mode)
    binding = asyncio.create_task(it.session.bind())
    (request,) = await it.until(Bind)
    assert request.command == BIND_COMMANDS[mode]
    it.hear(BindResp(request.command | c.RESPONSE_BIT, request.sequence))
    await binding
    assert it.session.state is State.BOUND
    assert it.session.room == (4 if mode.transmits else 0)


@pytest.mark.parametrize("mode", BindMode)
async def test_whatever_we_are_bound_as_a_message_is_taken(rig: RigMaker, mode: BindMode) -> None:
    it = rig(mode=mode)
    await it.bind()
    it.hear(message(1), DataSm(2, source="84912345678"))
    assert [delivery.settle(Settlement.DURABLE) for delivery in it.ear.deliveries] == [True, True]
    assert await it.said() == [DeliverSmResp(1), DataSmResp(2)]


VERSIONS = {
    "3.3": {c.SC_INTERFACE_VERSION: b"\x33"},
    "3.4": {c.SC_INTERFACE_VERSION: b"\x34"},
    "5.0": {c.SC_INTERFACE_VERSION: b"\x50", CONGESTION_STATE: b"\x63"},
    "none": {},
    "empty": {c.SC_INTERFACE_VERSION: b""},
    "a vendor's": {0x1400: b"anything", 0x0501: b""},
}


@pytest.mark.parametrize("version", VERSIONS)
async def test_smsc_of_any_version_binds_us(rig: RigMaker, version: str) -> None:
    it = rig()
    binding = asyncio.create_task(it.session.bind())
    (request,) = await it.until(Bind)
    it.hear(BindResp(c.BIND_TRANSCEIVER | c.RESPONSE_BIT, request.sequence, tlvs=VERSIONS[version]))
    await binding
    assert it.session.state is State.BOUND


async def test_whatever_comes_before_the_bind_answer_is_answered_and_the_bind_succeeds(rig: RigMaker) -> None:
    it = rig()
    binding = asyncio.create_task(it.session.bind())
    (request,) = await it.until(Bind)
    it.wire.writes.clear()
    it.hear(EnquireLink(5), AlertNotification(6), Outbind(7, "SMSC", "x"), UNKNOWN_REQUEST, SubmitSmResp(8))
    assert await it.said() == [EnquireLinkResp(5), GenericNack(77, c.RINVCMDID)]
    it.hear(BindResp(c.BIND_TRANSCEIVER | c.RESPONSE_BIT, request.sequence))
    await binding
    assert it.session.state is State.BOUND


async def test_goodbye_instead_of_a_bind_answer_is_answered(rig: RigMaker) -> None:
    it = rig()
    binding = asyncio.create_task(it.session.bind())
    await it.until(Bind)
    it.hear(Unbind(3))
    with pytest.raises(LinkLost):
        await binding
    assert await it.said_of(UnbindResp) == [UnbindResp(3)]
    assert await it.session.ended == "unbound_by_smsc"


# Staying alive.


async def test_nothing_is_written_while_we_doubt_that_the_smsc_still_hears_us(rig: RigMaker) -> None:
    it = rig(enquire_link_idle=0.02)
    await it.bind()
    await it.until(EnquireLink)
    assert it.session.room == 0
    rooms = it.ear.rooms
    it.hear(EnquireLink(1))  # anything at all: it lives
    assert it.session.room == 4
    assert it.ear.rooms == rooms + 1


async def test_connection_that_tls_ended_says_why(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    alert = ssl.SSLError(1, "[SSL: TLSV1_ALERT_INTERNAL_ERROR]")
    alert.reason = "TLSV1_ALERT_INTERNAL_ERROR"
    it.session.connection_lost(alert)
    assert await it.session.ended == "tls_tlsv1_alert_internal_error"


async def test_silent_smsc_is_asked_and_then_given_up(rig: RigMaker) -> None:
    it = rig(enquire_link_idle=0.02, response_timeout=0.03)
    await it.bind()
    assert await it.session.ended == "enquire_link_unanswered"
    assert len(await it.said_of(EnquireLink)) == 1
    assert it.wire.aborted


async def test_smsc_that_answers_is_kept_and_asked_again(rig: RigMaker) -> None:
    it = rig(enquire_link_idle=0.02, response_timeout=5)
    await it.bind()
    for _ in range(3):
        (question,) = await it.until(EnquireLink)
        it.wire.writes.clear()
        it.hear(EnquireLinkResp(question.sequence))
    assert it.session.state is State.BOUND


async def test_no_enquire_link_before_we_are_bound(rig: RigMaker) -> None:
    it = rig(enquire_link_idle=0.01, bind_timeout=0.1)
    with pytest.raises(LinkLost):
        await it.session.bind()
    assert [type(pdu) for pdu in await it.said()] == [Bind]


async def test_their_enquire_link_is_answered_in_every_state(rig: RigMaker) -> None:
    it = rig()
    it.hear(EnquireLink(5))
    assert await it.said() == [EnquireLinkResp(5)]
    await it.bind()
    it.hear(message(1), EnquireLink(6))
    asyncio.get_running_loop().call_soon(it.ear.deliveries[0].settle, Settlement.DURABLE)
    leaving = asyncio.create_task(it.session.unbind())
    await it.until(Unbind)
    it.hear(EnquireLink(7))
    assert await it.said_of(EnquireLinkResp) == [EnquireLinkResp(6), EnquireLinkResp(7)]
    leaving.cancel()


async def test_pdu_that_never_ends_ends_the_link(rig: RigMaker) -> None:
    it = rig(unfinished_timeout=0.02)
    await it.bind()
    it.hear(encode(message(1))[:20])
    assert await it.session.ended == "pdu_unfinished"


async def test_byte_by_byte_is_as_good_as_at_once(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    for octet in encode(message(3)):
        it.hear(bytes([octet]))
    assert [delivery.pdu for delivery in it.ear.deliveries] == [message(3)]


async def test_small_writes_are_not_delayed_by_nagle() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport, session = await loop.create_connection(
        lambda: Session(account(), "s", Ear(), SmsCounters(), loop), "127.0.0.1", port
    )
    assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    transport.close()
    await session.ended
    server.close()
    await server.wait_closed()


class ForeignWire:
    """A transport by behaviour and not by inheritance, as uvloop's are."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)


async def test_transport_of_another_event_loop_is_as_good(rig: RigMaker) -> None:
    it = rig()
    it.session.connection_made(cast("asyncio.Transport", ForeignWire(it.wire)))
    await it.bind()
    assert it.session.room == 4


# What cannot be read.


async def test_unknown_command_is_nacked_and_an_unknown_answer_is_not(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    it.hear(UNKNOWN_REQUEST, UNKNOWN_RESPONSE)
    assert await it.said() == [GenericNack(77, c.RINVCMDID)]


async def test_command_for_an_smsc_is_nacked(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    it.hear(SubmitSm(8), Bind(c.BIND_RECEIVER, 9, "a", "b"))
    assert await it.said() == [GenericNack(8, c.RINVCMDID), GenericNack(9, c.RINVCMDID)]


@pytest.mark.parametrize("length", [0, 15, 0x7FFFFFFF])
async def test_impossible_length_is_nacked_and_closes_after_the_pdus_before_it(rig: RigMaker, length: int) -> None:
    it = rig()
    await it.bind()
    it.hear(message(1), EnquireLink(2), struct.pack(">LLLL", length, 5, 0, 3))
    assert await it.said() == [EnquireLinkResp(2), GenericNack(0, c.RINVCMDLEN)]
    assert len(it.ear.deliveries) == 1
    assert await it.session.ended == "unframed"


async def test_malformed_message_is_refused_and_its_neighbours_are_unharmed(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    broken = bytearray(encode(message(2)))
    broken[-6] = 200  # sm_length: more than is there
    it.hear(message(1), bytes(broken), message(3))
    assert [delivery.pdu.sequence for delivery in it.ear.deliveries] == [1, 3]
    assert await it.said() == [DeliverSmResp(2, c.RINVMSGLEN)]
    assert it.counters.malformed == 1


async def test_answer_that_cannot_be_read_leaves_the_outcome_unknown(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    ask = Ask()
    it.session.submit([ask])
    (sent,) = await it.said_of(SubmitSm)
    overrun = b"A\0" + struct.pack(">HH", c.MESSAGE_STATE, 99)
    it.hear(struct.pack(">LLLL", 16 + len(overrun), c.SUBMIT_SM | c.RESPONSE_BIT, 0, sent.sequence) + overrun)
    assert await ask.fate is Unanswered.MISREAD
    assert it.session.in_flight == 0


async def test_notifications_are_not_answered(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    it.hear(AlertNotification(1, source="84912345678"), Outbind(2, "SMSC", "x"))
    it.hear(DeliverSmResp(3), DataSmResp(4), EnquireLinkResp(5), UnbindResp(6), GenericNack(0, c.RINVCMDLEN))
    assert await it.said() == []
    assert it.session.state is State.BOUND


async def test_mutated_pdus_never_cost_a_valid_neighbour_its_answer(rig: RigMaker) -> None:
    it = rig(max_unsettled=100_000)
    await it.bind()
    chance = random.Random(34)
    samples = [
        encode(pdu) for pdu in (message(1, b"000.00.18.H51-161220-0001"), DataSm(1), SubmitSmResp(1), BindResp(9, 1))
    ]
    for number in range(1, 2_001):
        mutant = bytearray(chance.choice(samples))
        for _ in range(chance.randint(1, 4)):
            mutant[chance.randrange(4, len(mutant))] = chance.randrange(256)
        mutant[4:8] = struct.pack(
            ">L", chance.choice([5, 0x103, 0x80000004, 0x80000009, 0x102, chance.getrandbits(32)])
        )
        it.hear(bytes(mutant), EnquireLink(number))
        assert (await it.said())[-1] == EnquireLinkResp(number)
        it.wire.writes.clear()


GARBAGE: dict[str, Pdu | bytes] = {
    "sms.pdu_refused": struct.pack(">LLLL", 17, c.DELIVER_SM, 0, 5) + b"\x00",
    "sms.command_unknown": UNKNOWN_REQUEST,
    "sms.nacked": GenericNack(4711, c.RINVCMDID),
    "sms.notified": AlertNotification(3),
}


@pytest.mark.parametrize("action", GARBAGE)
async def test_a_flood_of_garbage_writes_a_few_lines_a_minute_and_every_pdu_is_answered(
    rig: RigMaker, action: str
) -> None:
    it = rig()
    await it.bind()
    with capture_logs() as lines:
        for _ in range(500):
            it.hear(GARBAGE[action])
        it.hear(EnquireLink(9))
    assert [line["event"] for line in lines] == [action] * LINES_A_MINUTE
    assert (await it.said())[-1] == EnquireLinkResp(9)
    refusals = 500 if action in ("sms.pdu_refused", "sms.command_unknown") else 0
    assert len(await it.said()) == refusals + 1
    assert it.counters.malformed == (500 if action == "sms.pdu_refused" else 0)


async def test_connections_of_one_account_share_their_lines(rig: RigMaker) -> None:
    sparing = SparingLog(structlog.get_logger(), Sparing(lambda: 0.0))
    with capture_logs() as lines:
        for _ in range(5):
            rig(sparing=sparing).hear(UNKNOWN_REQUEST)
    assert len(lines) == LINES_A_MINUTE
    assert {(line["account"], line["session"]) for line in lines} == {("viettel", "viettel-1")}


def test_what_was_left_out_is_told_once_in_the_next_line() -> None:
    seconds = [0.0]
    sparing = SparingLog(structlog.get_logger(), Sparing(lambda: seconds[0]))
    with capture_logs() as lines:
        for second in (0, 1, 2, 3, 59.9, 60, 61, 200):
            seconds[0] = second
            sparing.warning("sms.nacked", second=second)
        sparing.info("sms.notified")  # another action has lines of its own
    told = [(line["event"], line.get("second"), line.get("left_out")) for line in lines]
    assert told == [
        ("sms.nacked", 0, None),
        ("sms.nacked", 1, None),
        ("sms.nacked", 2, None),
        ("sms.nacked", 60, 2),
        ("sms.nacked", 61, None),
        ("sms.nacked", 200, None),
        ("sms.notified", None, None),
    ]


# Messages for us.


async def test_one_read_is_one_batch_and_its_acknowledgements_are_one_write(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    it.hear(*[message(number) for number in range(1, 21)])
    assert [len(batch) for batch in it.ear.batches] == [20]
    assert all(delivery.settle(Settlement.DURABLE) for delivery in it.ear.deliveries)
    assert await it.said() == [DeliverSmResp(number) for number in range(1, 21)]
    assert len(it.wire.writes) == 1


async def test_answers_in_a_read_are_worked_through_before_the_messages_in_it(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    ask = Ask()
    it.session.submit([ask])
    (sent,) = await it.said_of(SubmitSm)
    it.ear.when_delivered = ask.fate.done
    it.hear(message(1), EnquireLink(2), SubmitSmResp(sent.sequence, message_id="A"))
    assert it.ear.then == [True]
    assert (await it.said())[-1] == EnquireLinkResp(2)


async def test_congestion_said_in_an_answer_changes_nothing_about_it(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    ask = Ask()
    it.session.submit([ask])
    (sent,) = await it.said_of(SubmitSm)
    it.hear(SubmitSmResp(sent.sequence, message_id="A", tlvs={CONGESTION_STATE: b"\x63", 0x1400: b"?"}))
    assert await ask.fate == (c.ROK, "A")


async def test_nothing_is_acknowledged_before_it_is_settled(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    it.hear(message(1), message(2))
    assert await it.said() == []
    assert it.ear.deliveries[1].settle(Settlement.REFUSED)
    assert await it.said() == [DeliverSmResp(2, c.RX_T_APPN)]


async def test_settling_twice_answers_once(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    it.hear(message(1))
    (delivery,) = it.ear.deliveries
    assert [delivery.settle(Settlement.DURABLE), delivery.settle(Settlement.REFUSED)] == [True, False]
    assert await it.said() == [DeliverSmResp(1)]


async def test_settling_on_a_dead_link_says_that_nothing_was_written(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    it.hear(message(1))
    it.session.connection_lost(ConnectionResetError())
    assert not it.ear.deliveries[0].settle(Settlement.DURABLE)


async def test_data_sm_is_a_message_with_an_answer_of_its_own(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    it.hear(DataSm(4, source="84912345678", tlvs={c.MESSAGE_PAYLOAD: b"hello"}))
    assert it.ear.deliveries[0].settle(Settlement.DURABLE)
    assert await it.said() == [DataSmResp(4)]


async def test_too_many_unsettled_messages_are_put_off(rig: RigMaker) -> None:
    it = rig(max_unsettled=2)
    await it.bind()
    it.hear(message(1), message(2), message(3))
    assert [delivery.pdu.sequence for delivery in it.ear.deliveries] == [1, 2]
    assert await it.said() == [DeliverSmResp(3, c.RMSGQFUL)]
    it.ear.deliveries[0].settle(Settlement.DURABLE)
    it.hear(message(4))
    assert [delivery.pdu.sequence for delivery in it.ear.deliveries] == [1, 2, 4]


# Messages from us.


async def test_answers_in_any_order_find_their_request(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    asks = [Ask(), Ask(), Ask()]
    it.session.submit(asks)
    first, second, third = await it.said_of(SubmitSm)
    it.hear(
        SubmitSmResp(third.sequence, message_id="C"),
        SubmitSmResp(first.sequence, message_id="A"),
        SubmitSmResp(second.sequence, c.RSUBMITFAIL),
    )
    assert [await ask.fate for ask in asks] == [(0, "A"), (c.RSUBMITFAIL, ""), (0, "C")]
    assert it.ear.rooms == 2  # once for the bind, once for all of these
    assert it.session.room == 4


async def test_submits_of_one_turn_are_one_write_each_under_its_own_number(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    it.session.submit([Ask(b"a"), Ask(b"b")])
    it.session.submit([Ask(b"c")])
    sent = await it.said_of(SubmitSm)
    assert [pdu.short_message for pdu in sent] == [b"a", b"b", b"c"]
    assert len({pdu.sequence for pdu in sent}) == 3
    assert len(it.wire.writes) == 1
    assert it.session.room == 1


async def test_room_is_none_before_the_bind_and_none_while_the_smsc_does_not_read(rig: RigMaker) -> None:
    it = rig()
    assert it.session.room == 0
    await it.bind()
    assert it.session.room == 4
    it.session.pause_writing()
    assert it.session.room == 0
    it.session.resume_writing()
    assert (it.session.room, it.ear.rooms) == (4, 2)  # told once when bound, once when writable again


async def test_nacked_submit_has_failed(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    ask = Ask()
    it.session.submit([ask])
    (sent,) = await it.said_of(SubmitSm)
    it.hear(GenericNack(sent.sequence, c.RINVCMDLEN))
    assert await ask.fate == (c.RINVCMDLEN, "")


async def test_a_link_that_left_a_submit_unanswered_and_is_silent_is_asked_before_it_gets_another(
    rig: RigMaker,
) -> None:
    it = rig(response_timeout=0.1, enquire_link_idle=60.0)
    await it.bind()
    ask = Ask()
    it.session.submit([ask])
    assert await ask.fate is Unanswered.TIMED_OUT
    assert it.session.room == 0
    assert await it.session.wait() == "enquire_link_unanswered"


async def test_unanswered_submit_times_out_and_its_late_answer_is_ignored(rig: RigMaker) -> None:
    it = rig(response_timeout=0.02)
    await it.bind()
    ask = Ask()
    it.session.submit([ask])
    (sent,) = await it.said_of(SubmitSm)
    assert await ask.fate is Unanswered.TIMED_OUT
    it.hear(SubmitSmResp(sent.sequence, message_id="late"))
    assert it.counters.unmatched == 1
    assert it.session.room == 4
    assert it.session.state is State.BOUND


async def test_lost_link_leaves_every_written_submit_unanswered(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    asks = [Ask(), Ask()]
    it.session.submit(asks)
    it.session.connection_lost(ConnectionResetError())
    assert [await ask.fate for ask in asks] == [Unanswered.LINK_LOST] * 2
    assert await it.session.ended == "ConnectionResetError"
    assert it.ear.ends == ["ConnectionResetError"]


async def test_smsc_that_says_we_are_not_bound_is_left(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    ask = Ask()
    it.session.submit([ask])
    (sent,) = await it.said_of(SubmitSm)
    it.hear(SubmitSmResp(sent.sequence, c.RINVBNDSTS))
    assert await ask.fate == (c.RINVBNDSTS, "")
    assert await it.session.ended == "not_bound_at_smsc"


async def test_smsc_that_never_reads_is_left(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    it.wire.unread = UNREAD_LIMIT + 1
    it.hear(EnquireLink(1))
    assert await it.session.ended == "smsc_does_not_read"
    assert it.wire.aborted


# Goodbye.


async def test_their_unbind_is_answered_at_once_when_nothing_is_under_way(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    it.hear(Unbind(3))
    assert await it.session.ended == "unbound_by_smsc"
    assert await it.said() == [UnbindResp(3)]


async def test_their_unbind_waits_for_what_is_under_way(rig: RigMaker) -> None:
    it = rig(unbind_grace=5)
    await it.bind()
    ask = Ask()
    it.session.submit([ask])
    (sent,) = await it.said_of(SubmitSm)
    it.hear(message(1), Unbind(2))
    assert it.session.room == 0
    it.hear(SubmitSmResp(sent.sequence, message_id="A"))
    assert await it.said_of(UnbindResp) == []
    assert it.ear.deliveries[0].settle(Settlement.DURABLE)
    assert await it.session.ended == "unbound_by_smsc"
    assert (await it.said())[-2:] == [DeliverSmResp(1), UnbindResp(2)]
    assert await ask.fate == (0, "A")


async def test_their_unbind_does_not_wait_for_ever(rig: RigMaker) -> None:
    it = rig(unbind_grace=0.02)
    await it.bind()
    it.hear(message(1), Unbind(2))
    assert await it.session.ended == "unbound_by_smsc"
    assert await it.said() == [UnbindResp(2)]


async def test_our_unbind_waits_for_the_window_and_refuses_new_messages(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    ask = Ask()
    it.session.submit([ask])
    (sent,) = await it.said_of(SubmitSm)
    leaving = asyncio.create_task(it.session.unbind())
    await asyncio.sleep(0)
    it.hear(message(1))
    assert await it.said_of(DeliverSmResp) == [DeliverSmResp(1, c.RX_T_APPN)]
    assert await it.said_of(Unbind) == []
    it.hear(SubmitSmResp(sent.sequence, message_id="A"))
    (goodbye,) = await it.said_of(Unbind)
    it.hear(UnbindResp(goodbye.sequence))
    await leaving
    assert await it.session.ended == "unbound"
    assert it.ear.batches == []


async def test_our_unbind_does_not_wait_for_ever_for_what_nobody_settles(rig: RigMaker) -> None:
    it = rig(response_timeout=0.05)
    await it.bind()
    it.hear(message(1))
    leaving = asyncio.create_task(it.session.unbind())
    (unbind,) = await it.until(Unbind)
    it.hear(UnbindResp(unbind.sequence))
    await leaving
    assert not it.ear.deliveries[0].settle(Settlement.DURABLE)


async def test_unanswered_unbind_ends_all_the_same(rig: RigMaker) -> None:
    it = rig(response_timeout=0.02)
    await it.bind()
    await it.session.unbind()
    assert await it.session.ended == "unbind_unanswered"


async def test_both_sides_saying_goodbye_at_once_part_at_once(rig: RigMaker) -> None:
    it = rig()
    await it.bind()
    leaving = asyncio.create_task(it.session.unbind())
    await it.until(Unbind)
    it.hear(Unbind(9))
    await leaving
    assert (await it.said())[-1] == UnbindResp(9)


async def test_unbinding_a_closed_session_returns(rig: RigMaker) -> None:
    it = rig()
    it.session.connection_lost(None)
    await it.session.unbind()


async def test_last_words_to_a_deaf_smsc_are_cut_off(rig: RigMaker) -> None:
    it = rig(wire=DeafWire(), unbind_grace=0.02)
    await it.bind()
    it.hear(Unbind(1))
    assert await it.session.ended == "unbound_by_smsc"
    assert it.wire.aborted


# The tables and numbers.


def test_nothing_leads_out_of_closed() -> None:
    assert not [state for state, _ in MOVES if state is State.CLOSED]
    assert {MOVES[state, Turn.LOST] for state in State if state is not State.CLOSED} == {State.CLOSED}


@given(
    last=st.integers(0, LARGEST_SEQUENCE),
    in_flight=st.sets(st.one_of(st.integers(1, 40), st.integers(LARGEST_SEQUENCE - 40, LARGEST_SEQUENCE)), max_size=60),
)
def test_sequence_numbers_are_valid_and_never_one_in_flight(last: int, in_flight: set[int]) -> None:
    numbers = SequenceNumbers(last)
    given_out = [numbers.next(in_flight) for _ in range(100)]
    assert all(1 <= number <= LARGEST_SEQUENCE for number in given_out)
    assert not in_flight.intersection(given_out)
    assert len(set(given_out)) == 100


def test_window_gives_up_the_oldest_first_and_only_the_late() -> None:
    window: Window[str] = Window()
    for at, (sequence, name) in enumerate([(7, "a"), (3, "b"), (9, "c")]):
        window.add(sequence, name, float(at))
    assert list(window.overdue(1.0)) == ["a", "b"]
    assert window.take(7) is None
    assert window.take(9) == "c"
    assert len(window) == 0


def test_password_is_never_shown() -> None:
    assert "secret" not in repr(account())


@pytest.mark.parametrize(
    "changes",
    [
        {"system_id": "sixteen-letters!"},
        {"password": "nineletrs"},
        {"password": "mật"},
        {"window": 0},
        {"response_timeout": 0.0},
        {"source_ton": 256},
        {"short_code": "1" * 21},
    ],
)
def test_account_that_could_not_be_sent_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        account(**changes)
