"""Each way an operator's SMSC misbehaves, one labelled case each: what the SMSC saw of us, and what our store holds."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from channels.sms.pdu import Bind, DeliverSmResp, EnquireLinkResp, GenericNack, SubmitSm, UnbindResp
from demo.process import GatewayProcess
from demo.smsc import FAULTS, STRIKES, Fault, MoTicket, Session, Smsc, SmscOptions
from demo.smsc_strikes import FLOOD
from tests.whole.gateways import SHORT_CODE, STORE, Account, actions, make_gateway, running
from tests.whole.operator_faults import APART, TABLE, Held, Patience, Row, Seen, held_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

WITHIN: Final = 60.0  # seconds for what must happen
LOOK_EVERY: Final = 0.02  # seconds between looks into another process's store
QUICK: Final = {
    "reconnect_first": "0.02",
    "reconnect_cap": "0.05",
    "throttle_pause": "0.05",
    "window": "10",
    "rate": "0",
}
TWO_BINDS: Final = "\n[[sms.bind]]\ncount = 2\n"
BINDS: Final = 2
# What a row's time-outs are, where they are its promise.
SETTINGS: Final = {
    Patience.PATIENT: {**QUICK, "response_timeout": "60.0"},
    Patience.IMPATIENT: {
        **QUICK,
        "response_timeout": "0.2",
        "enquire_link_idle": "0.2",
        "parts_timeout": "0.2",
        "unproven_timeout": "0.2",
    },
}


@dataclass(slots=True, kw_only=True)
class Desk:
    """An SMSC, the gateway bound to it by two transceivers, and numbers nobody has used."""

    smsc: Smsc
    gateway: GatewayProcess
    directory: Path
    numbers: count[int] = field(default_factory=lambda: count(84_900_000_001))

    def submits(self, number: str) -> int:
        return sum(isinstance(pdu, SubmitSm) and pdu.destination == number for pdu in self.smsc.received(SubmitSm))

    def answers(self, number: str) -> list[str]:
        return [reply.text for reply in self.smsc.replies if reply.destination == number]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN):
            await self.smsc.until(condition)

    async def holds(self, number: str, held: Held) -> None:
        """The store comes to hold exactly this."""
        try:
            async with asyncio.timeout(WITHIN):
                while held_of(self.directory / STORE, number) != held:  # noqa: ASYNC110 (another process's store)
                    await asyncio.sleep(LOOK_EVERY)
        except TimeoutError:
            assert held_of(self.directory / STORE, number) == held  # says what it holds instead


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desks(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[Patience, Desk]]:
    async with AsyncExitStack() as stack:
        yield {patience: await open_desk(stack, tmp_path_factory, patience) for patience in Patience}


async def open_desk(stack: AsyncExitStack, factory: pytest.TempPathFactory, patience: Patience) -> Desk:
    directory = factory.mktemp(patience.name.lower())
    smsc = await stack.enter_async_context(Smsc(SmscOptions(slow_response=0.05, redeliver_after=0.2, retry_after=0.05)))
    gateway = make_gateway(directory, Account(port=smsc.port, more=SETTINGS[patience]))
    with gateway.config.open("a", encoding="utf-8") as config:
        config.write(TWO_BINDS)
    await stack.enter_async_context(running(gateway))
    async with asyncio.timeout(WITHIN):
        await smsc.bound(BINDS)
    return Desk(smsc=smsc, gateway=gateway, directory=directory)


async def play(desk: Desk, row: Row) -> tuple[str, MoTicket]:
    """Let the fault happen, ask, and wait for as much as the row promises."""
    smsc, number = desk.smsc, str(next(desk.numbers))
    if row.struck:
        await smsc.strike(row.fault)
    elif row.rebinds and row.fault is not Fault.MO_ACK_LOST_WITH_LINK:
        arm(smsc, row)
        await smsc.unbind_all()
    else:
        arm(smsc, row)
    ticket = await smsc.send_mo(number, SHORT_CODE, row.text, concatenation=row.concatenation)
    await desk.until(lambda: desk.submits(number) >= row.seen.submits)
    await desk.until(lambda: len(desk.answers(number)) >= row.seen.answers)
    return number, ticket


def arm(smsc: Smsc, row: Row) -> None:
    for fault, times in {row.fault: row.times, **row.also}.items():
        smsc.dice.arm(fault, times)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.label)
async def test_a_fault_costs_nobody_their_answer(desks: dict[Patience, Desk], row: Row) -> None:
    desk = desks[row.patience]
    sessions_before = {session.number for session in alive(desk.smsc)}
    refused_before = refusals(desk.smsc)
    number, ticket = await play(desk, row)
    await desk.holds(number, row.held)
    desk.smsc.dice.disarm()
    seen = Seen(
        submits=desk.submits(number),
        answers=len(desk.answers(number)),
        settled=ticket.acked.result() if ticket.acked.done() else None,
    )
    assert seen == row.seen
    for answer in desk.answers(number):
        assert row.answer is not None
        assert answer.startswith(row.answer)
    if row.refused is not None:
        assert refusals(desk.smsc)[row.refused] > refused_before[row.refused]
    await desk.until(lambda: len(alive(desk.smsc)) == BINDS)
    lost = sessions_before - {session.number for session in alive(desk.smsc)}
    assert bool(lost) == row.rebinds


def alive(smsc: Smsc) -> list[Session]:
    """The binds that are of use; a frozen one never hears that we left it."""
    return [session for session in smsc.binds if not session.frozen]


def refusals(smsc: Smsc) -> Counter[int]:
    """What we told the SMSC of PDUs we could not take, by command_status."""
    told = (*smsc.received(GenericNack), *smsc.received(DeliverSmResp))
    return Counter(pdu.status for pdu in told if isinstance(pdu, GenericNack | DeliverSmResp) and pdu.status)


async def test_a_flood_of_enquiries_is_answered_one_by_one(desks: dict[Patience, Desk]) -> None:
    desk = desks[Patience.PATIENT]
    before = len(desk.smsc.received(EnquireLinkResp))
    await desk.smsc.strike(Fault.ENQUIRE_LINK_FLOOD)
    await desk.until(lambda: len(desk.smsc.received(EnquireLinkResp)) == before + BINDS * FLOOD)


async def test_an_unbind_is_answered_before_the_link_ends(desks: dict[Patience, Desk]) -> None:
    desk = desks[Patience.PATIENT]
    before = len(desk.smsc.received(UnbindResp))
    await desk.smsc.unbind_all()
    assert len(desk.smsc.received(UnbindResp)) == before + BINDS
    await desk.until(lambda: len(desk.smsc.binds) == BINDS)


async def test_where_fewer_binds_are_allowed_the_others_carry_on(tmp_path: Path) -> None:
    async with Smsc(SmscOptions(max_binds=1)) as smsc:
        gateway = make_gateway(tmp_path, Account(port=smsc.port, more=SETTINGS[Patience.PATIENT]))
        with gateway.config.open("a", encoding="utf-8") as config:
            config.write(TWO_BINDS)
        async with running(gateway), asyncio.timeout(WITHIN):
            await smsc.bound()
            await smsc.until(lambda: len(smsc.received(Bind)) > BINDS)
            ticket = await smsc.send_mo("84912345678", SHORT_CODE, "000.00.18.H51-161220-0001")
            await ticket.reply()
            assert len(smsc.binds) == 1


async def test_a_refused_password_is_tried_once_and_told_loudly(tmp_path: Path) -> None:
    """Trying again could lock the account (reference: Kannel's fatal statuses)."""
    async with Smsc(SmscOptions(faults={Fault.BIND_WRONG_PASSWORD: 1.0})) as smsc:
        gateway = make_gateway(tmp_path, Account(port=smsc.port, more=SETTINGS[Patience.PATIENT]))
        await gateway.launch()
        try:
            async with asyncio.timeout(WITHIN):
                await smsc.until(lambda: bool(smsc.received(Bind)))
                await smsc.until(lambda: not smsc.sessions)
                while not actions(tmp_path)["sms.bind_refused"]:  # noqa: ASYNC110 (another process's log)
                    await asyncio.sleep(LOOK_EVERY)
            ticket = await smsc.send_mo("84912345678", SHORT_CODE, "000.00.18.H51-161220-0001")
        finally:
            await gateway.stop()
        assert len(smsc.received(Bind)) == 1
        assert not ticket.acked.done()
        assert held_of(tmp_path / STORE, "84912345678") == Held(asked=0, answers=(), statuses=())


async def test_every_fault_of_the_simulator_has_its_row() -> None:
    assert {row.fault for row in TABLE} | {fault for row in TABLE for fault in row.also} | APART == set(FAULTS)
    assert set(STRIKES) == {row.fault for row in TABLE if row.struck}
