"""What comes in over the connections of an account is handed in once, whole, and acknowledged when it is safe."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from channels.base import Arrival, ReportArrival, Settlement
from channels.sms import commands as c
from channels.sms.account import SmppAccount
from channels.sms.counters import SmsCounters
from channels.sms.gathering import Bounds
from channels.sms.incoming import Incoming
from channels.sms.outgoing import Outgoing
from channels.sms.pdu import DataSm, DeliverSm
from channels.sms.ports import MemoryParts, Part
from channels.sms.reception import Reception
from channels.sms.session import Delivery, Session
from domain.errors import StoreUnavailable
from tests.passing_time import pass_time

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
CITIZEN = "84912345678"
CODE = "000.00.18.H51-161220-0001"
TIMEOUT = 120.0
PATIENCE = 60.0


class Line:
    """A connection: what was answered on it."""

    def __init__(self, name: str = "viettel:1") -> None:
        self.name = name
        self.alive = True
        self.answers: dict[int, int] = {}  # status by sequence number

    def acknowledge(self, pdu: DeliverSm | DataSm, status: int) -> bool:
        assert pdu.sequence not in self.answers
        self.answers[pdu.sequence] = status
        return self.alive


class Basket:
    """An inlet that keeps everything, and settles as the test says."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.reports: list[ReportArrival] = []
        self.settlements: list[Settlement] = []  # of the next ones; then durable
        self.told: list[bool] = []  # what `settle` said
        self.fails = 0

    def arrive(self, arrival: Arrival) -> None:
        if self.fails:
            self.fails -= 1
            raise LookupError(arrival.message.text)
        self.arrivals.append(arrival)
        self.told.append(arrival.settle(self.settlements.pop(0) if self.settlements else Settlement.DURABLE))

    def report(self, arrival: ReportArrival) -> None:
        self.reports.append(arrival)

    def session_ended(self, session: str) -> None:
        raise NotImplementedError

    @property
    def texts(self) -> list[str]:
        return [arrival.message.text for arrival in self.arrivals]


class Shelf(MemoryParts):
    """A store that can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.writes = 0

    async def load(self, account: str, done_since: datetime) -> Sequence[Part]:
        if self.away:
            raise StoreUnavailable("away")
        return await super().load(account, done_since)

    async def write(self, account: str, parts: Sequence[Part], done: Mapping[int, datetime]) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailable("away")
        self.writes += 1
        await super().write(account, parts, done)


class Desk:
    """The reception of one account, in its process; `restart` is another process with the same store."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.basket = Basket()
        self.line = Line()
        self.counters = SmsCounters()
        self.sequence = itertools.count(1).__next__
        self.new_id = itertools.count(1).__next__
        self.now = NOW
        self.account = SmppAccount(
            name="viettel", host="h", system_id="s", password="p", short_code="8088", parts_timeout=TIMEOUT
        )
        self.reception: Reception
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.reception = Reception(
            self.account,
            self.basket,
            Incoming(self.account, self.new_id),
            cast("Outgoing", None),  # nothing leaves here
            self.shelf,
            self.counters,
            lambda: self.now,
            bounds=Bounds(timeout=TIMEOUT, retry=0.01),
        )
        self.task = asyncio.create_task(self.reception.run())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def deliver(self, *pdus: DeliverSm | DataSm, line: Line | None = None) -> None:
        """One read of a connection."""
        session = cast("Session", line or self.line)
        self.reception.delivered(session, [Delivery(session, pdu) for pdu in pdus])

    def part(self, number: int, text: str, *, total: int = 2, reference: int = 7, **changes: Any) -> DeliverSm:
        udh = b"\x05\x00\x03" + bytes((reference, total, number))
        return self.pdu(udh + text.encode(), esm_class=c.ESM_UDHI, **changes)

    def pdu(self, octets: bytes, **changes: Any) -> DeliverSm:
        defaults: dict[str, Any] = {"source": CITIZEN, "source_ton": 1, "destination": "8088", "short_message": octets}
        return DeliverSm(self.sequence(), **{**defaults, **changes})

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.001)

    async def answered(self, count: int, line: Line | None = None) -> list[int]:
        """The statuses, once so many are there."""
        answers = (line or self.line).answers
        await self.until(lambda: len(answers) >= count)
        return list(answers.values())

    async def kept(self) -> list[Part]:
        return list(await MemoryParts.load(self.shelf, "viettel", NOW - timedelta(days=1)))

    async def all_done(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while any(part.done_at is None for part in await self.kept()):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.001)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    await made.start()
    yield made
    await made.stop()


# Whole messages.


async def test_parts_are_acknowledged_when_they_are_kept_and_handed_in_as_one(desk: Desk) -> None:
    desk.deliver(desk.part(2, "-0001"), desk.part(1, "000.00.18.H51-161220"))
    assert desk.line.answers == {}
    assert await desk.answered(2) == [c.ROK, c.ROK]
    await desk.until(lambda: bool(desk.basket.arrivals))
    [message] = [arrival.message for arrival in desk.basket.arrivals]
    assert (message.text, message.sender.value, message.recipient.value) == (CODE, CITIZEN, "8088")
    assert (message.session, message.received_at, message.raw) == ("viettel:1", NOW, None)
    await desk.all_done()
    assert {part.set_id for part in await desk.kept()} == {message.id}
    assert (desk.counters.parts, desk.counters.long_messages) == (2, 1)


def sar(desk: Desk, number: int, text: str, **tlvs: bytes) -> DeliverSm:
    told = {c.SAR_MSG_REF_NUM: b"\x01\x02", c.SAR_TOTAL_SEGMENTS: b"\x02", c.SAR_SEGMENT_SEQNUM: bytes([number])}
    return desk.pdu(text.encode(), tlvs={**told, **{int(tag): value for tag, value in tlvs.items()}})


def udh16(desk: Desk, number: int, text: str) -> DeliverSm:
    return desk.pdu(b"\x06\x08\x04\x01\x02\x02" + bytes([number]) + text.encode(), esm_class=c.ESM_UDHI)


def payload_with_header(desk: Desk, number: int, text: str) -> DeliverSm:
    octets = b"\x05\x00\x03\x07\x02" + bytes([number]) + text.encode()
    return desk.pdu(b"", esm_class=c.ESM_UDHI, tlvs={c.MESSAGE_PAYLOAD: octets})


def payload_with_sar(desk: Desk, number: int, text: str) -> DeliverSm:
    whole = sar(desk, number, "")
    return desk.pdu(b"", tlvs={**whole.tlvs, c.MESSAGE_PAYLOAD: text.encode()})


def data_sm(desk: Desk, number: int, text: str) -> DataSm:
    octets = b"\x05\x00\x03\x07\x02" + bytes([number]) + text.encode()
    return DataSm(
        desk.sequence(),
        source=CITIZEN,
        source_ton=1,
        destination="8088",
        esm_class=c.ESM_UDHI,
        tlvs={c.MESSAGE_PAYLOAD: octets},
    )


@pytest.mark.parametrize("way", [sar, udh16, payload_with_header, payload_with_sar, data_sm])
async def test_every_way_to_tell_parts_is_understood(desk: Desk, way: Callable[[Desk, int, str], DeliverSm]) -> None:
    desk.deliver(way(desk, 2, CODE[10:]), way(desk, 1, CODE[:10]))
    assert await desk.answered(2) == [c.ROK, c.ROK]
    await desk.until(lambda: desk.basket.texts == [CODE])


async def test_parts_by_several_connections_of_an_account_are_one_message(desk: Desk) -> None:
    other = Line("viettel:2")
    desk.deliver(desk.part(1, CODE[:10]))
    desk.deliver(desk.part(2, CODE[10:]), line=other)
    await desk.until(lambda: desk.basket.texts == [CODE])
    assert desk.basket.arrivals[0].message.session == "viettel:2"
    assert await desk.answered(1) == await desk.answered(1, other) == [c.ROK]


async def test_numbers_written_differently_are_one_sender(desk: Desk) -> None:
    desk.deliver(desk.part(1, CODE[:10]), desk.part(2, CODE[10:], source="0912345678", source_ton=0))
    await desk.until(lambda: desk.basket.texts == [CODE])


async def test_many_parts_at_once_are_one_write(desk: Desk) -> None:
    desk.deliver(*(desk.part(1, "x", source=f"8491000{number:04d}") for number in range(100)))
    await desk.answered(100)
    assert desk.shelf.writes == 1


async def test_short_messages_and_reports_wait_for_no_store(desk: Desk) -> None:
    desk.shelf.away = True
    desk.deliver(desk.pdu(CODE.encode()), desk.pdu(b"id:1 stat:DELIVRD", esm_class=c.ESM_RECEIPT))
    assert desk.basket.texts == [CODE]
    assert len(desk.basket.reports) == 1


# Repeated, refused, lost.


async def test_a_part_that_comes_again_is_acknowledged_and_nothing_else(desk: Desk) -> None:
    desk.deliver(desk.part(1, CODE[:10]), desk.part(1, CODE[:10]), desk.part(2, CODE[10:]))
    desk.deliver(desk.part(2, CODE[10:]))
    assert await desk.answered(4) == [c.ROK] * 4
    await desk.all_done()
    desk.deliver(desk.part(1, CODE[:10]), desk.part(2, CODE[10:]))
    assert await desk.answered(6) == [c.ROK] * 6
    await desk.restart()
    desk.deliver(desk.part(2, CODE[10:]))
    assert await desk.answered(7) == [c.ROK] * 7
    assert desk.basket.texts == [CODE]
    assert desk.counters.parts_repeated >= 3


async def test_a_store_that_is_away_has_parts_sent_again_and_the_message_is_answered_once(desk: Desk) -> None:
    desk.deliver(desk.part(1, CODE[:10]))
    await desk.answered(1)
    desk.shelf.away = True
    desk.deliver(desk.part(2, CODE[10:]))
    assert await desk.answered(2) == [c.ROK, c.RX_T_APPN]
    assert desk.basket.arrivals == []
    desk.shelf.away = False
    desk.deliver(desk.part(2, CODE[10:]))
    assert await desk.answered(3) == [c.ROK, c.RX_T_APPN, c.ROK]
    await desk.until(lambda: desk.basket.texts == [CODE])


async def test_that_it_was_done_is_written_when_the_store_is_back(desk: Desk) -> None:
    desk.deliver(desk.part(1, CODE[:10]))
    await desk.answered(1)

    def go_away(settle: Callable[[Settlement], bool]) -> bool:
        desk.shelf.away = True
        return settle(Settlement.DURABLE)

    desk.basket.arrive = lambda arrival: desk.basket.told.append(go_away(arrival.settle))  # type: ignore[method-assign]
    desk.deliver(desk.part(2, CODE[10:]))
    await desk.until(lambda: desk.basket.told == [True])
    desk.shelf.away = False
    await desk.all_done()


async def test_a_message_the_journal_refuses_is_handed_in_again_under_its_id(desk: Desk) -> None:
    desk.basket.settlements = [Settlement.REFUSED, Settlement.REFUSED]
    desk.deliver(desk.part(1, CODE[:10]), desk.part(2, CODE[10:]))
    assert await desk.answered(2) == [c.ROK, c.ROK]
    await desk.until(lambda: len(desk.basket.arrivals) == 3)
    await desk.all_done()
    assert desk.basket.told == [False, False, True]
    assert len({arrival.message.id for arrival in desk.basket.arrivals}) == 1
    assert desk.counters.long_messages == 1


async def test_what_cannot_be_handed_in_costs_no_other_its_turn_and_no_log_tells_it(desk: Desk) -> None:
    desk.basket.fails = 1
    with capture_logs() as logs:
        desk.deliver(*(desk.part(n, f"bi mat {n}", reference=r) for r in (1, 2) for n in (1, 2)))
        await desk.until(lambda: len(desk.basket.arrivals) == 2)
    assert [entry["error"] for entry in logs] == ["LookupError"]
    assert "bi mat" not in repr(logs)


async def test_an_acknowledgement_that_was_not_written_is_told_to_the_journal(desk: Desk) -> None:
    gone = Line("viettel:2")
    gone.alive = False
    desk.deliver(desk.part(1, CODE[:10]), line=gone)
    desk.deliver(desk.part(2, CODE[10:]))
    await desk.until(lambda: desk.basket.told == [False])


# Restarts.


async def test_another_process_goes_on_where_one_ended(desk: Desk) -> None:
    desk.deliver(desk.part(2, CODE[10:]))
    await desk.answered(1)
    await desk.restart()
    desk.deliver(desk.part(1, CODE[:10]))
    await desk.until(lambda: desk.basket.texts == [CODE])


async def test_a_message_that_was_kept_and_not_handed_in_is_handed_in_by_the_next_process(desk: Desk) -> None:
    desk.basket.settlements = [Settlement.REFUSED]
    desk.deliver(desk.part(1, CODE[:10]), desk.part(2, CODE[10:]))
    await desk.until(lambda: len(desk.basket.arrivals) == 1)
    await desk.restart()
    await desk.until(lambda: len(desk.basket.arrivals) == 2)
    first, second = desk.basket.arrivals
    assert first.message.id == second.message.id
    await desk.all_done()
    await desk.restart()
    desk.deliver(desk.pdu(b"another"))
    assert desk.basket.texts == [CODE, CODE, "another"]


async def test_parts_wait_until_what_was_kept_before_is_read_and_are_refused_if_it_cannot_be(desk: Desk) -> None:
    desk.deliver(desk.part(1, CODE[:10]))
    await desk.answered(1)
    await desk.stop()
    desk.shelf.away = True
    await desk.start()
    with capture_logs() as logs:
        desk.deliver(desk.part(2, CODE[10:]))
        assert await desk.answered(2) == [c.ROK, c.RX_T_APPN]
    assert [entry["event"] for entry in logs] == ["sms.parts_not_loaded"]
    desk.shelf.away = False
    desk.deliver(desk.part(2, CODE[10:]))
    await desk.until(lambda: desk.basket.texts == [CODE])


# Parts that never come, and too many.


async def test_what_is_there_is_handed_in_when_the_rest_does_not_come(desk: Desk) -> None:
    desk.deliver(desk.part(1, f"{CODE} cho toi h", total=3), desk.part(3, "o em toi", total=3))
    await desk.answered(2)
    pass_time(TIMEOUT)
    await desk.until(lambda: bool(desk.basket.arrivals))
    assert desk.basket.texts == [f"{CODE} cho toi [thieu] em toi"]
    await desk.all_done()
    assert (desk.counters.long_messages, desk.counters.long_messages_incomplete) == (0, 1)


async def test_of_a_message_with_too_many_parts_the_first_is_answered_and_the_others_are_refused_for_good(
    desk: Desk,
) -> None:
    desk.deliver(*(desk.part(number, f"{CODE} va {CODE[:9]}", total=5) for number in range(1, 6)))
    assert await desk.answered(5) == [c.ROK, *[c.RX_P_APPN] * 4]
    assert desk.basket.texts == [f"{CODE} va [thieu]"]
    assert await desk.kept() == []
    assert desk.counters.parts_too_many == 4


async def test_more_beginnings_than_can_be_remembered_are_put_off() -> None:
    desk = Desk()
    await desk.start()
    desk.reception._reassembly._bounds = Bounds(timeout=TIMEOUT, sets=1)
    desk.basket.settlements = [Settlement.REFUSED] * 100
    desk.deliver(desk.part(1, "a", reference=1), desk.part(2, "b", reference=1))
    await desk.answered(2)
    desk.deliver(desk.part(1, "c", reference=2))
    assert await desk.answered(3) == [c.ROK, c.ROK, c.RX_T_APPN]
    await desk.stop()
