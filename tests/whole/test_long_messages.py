"""Long messages that come in, in a whole gateway: each is one question with one answer, though `kill -9` falls between
its parts.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from channels.sms import commands as c
from channels.sms.pdu import DeliverSm
from demo.process import GatewayProcess
from demo.smsc import Concatenation, MoTicket, Smsc, SmscOptions
from tests.whole.gateways import SHORT_CODE, STORE, Account, assert_quiet, make_gateway, running, sms_events

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE: Final = 300.0  # seconds for everything that is waited for
LOOK_EVERY: Final = 0.02  # seconds between looks into another process's store
CODE: Final = "H51.18-250701-0001"
TEXT: Final = f"{'kinh gui bo phan mot cua, ' * 11}ho so {CODE} cua toi toi dau roi"  # the code lies across a cut
MESSAGES: Final = 60
KILLS: Final = 3
SEED: Final = 8100
WAYS: Final = (Concatenation.UDH8, Concatenation.UDH16, Concatenation.SAR)
NOT_TEXT: Final = bytes(range(128, 256)) * 2


@dataclass(slots=True, kw_only=True)
class Desk:
    """An SMSC and the gateway bound to it."""

    smsc: Smsc
    gateway: GatewayProcess
    directory: Path

    def asked(self, number: str) -> list[tuple[str, str | None, str]]:
        """Text, octets in hex and outcome of every message of a number."""
        with closing(sqlite3.connect(self.directory / STORE)) as connection:
            statement = "SELECT text, raw, outcome FROM inbox WHERE sender = ? ORDER BY id"
            return connection.execute(statement, (f"sms:{number}",)).fetchall()

    def answers(self, number: str) -> int:
        return sum(reply.destination == number for reply in self.smsc.replies)

    async def answered(self, number: str) -> None:
        """The answer to a number was taken, and that is written down: it is in no doubt."""
        states = "SELECT state FROM outbox WHERE recipient = ?"
        with closing(sqlite3.connect(self.directory / STORE)) as connection:
            while connection.execute(states, (f"sms:{number}",)).fetchall() != [("accepted",)]:  # noqa: ASYNC110 (another process's store)
                await asyncio.sleep(LOOK_EVERY)

    async def kill(self) -> None:
        """And start it again."""
        await self.gateway.kill()
        await self.gateway.launch()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    directory = tmp_path_factory.mktemp("long")
    async with asyncio.timeout(PATIENCE), Smsc(SmscOptions(retry_after=0.05)) as smsc:
        more = {"window": "100", "rate": "0", "reconnect_first": "0.1", "reconnect_cap": "0.5"}
        async with running(make_gateway(directory, Account(port=smsc.port, more=more))) as gateway:
            yield Desk(smsc=smsc, gateway=gateway, directory=directory)
    assert_quiet(directory)


def parts(number: str, *texts: str) -> list[DeliverSm]:
    """A long message cut as told."""
    header = b"\x05\x00\x03\x63" + bytes([len(texts)])
    return [
        DeliverSm(
            0,
            source=number,
            source_ton=1,
            source_npi=1,
            destination=SHORT_CODE,
            esm_class=c.ESM_UDHI,
            short_message=header + bytes([place]) + text.encode(),
        )
        for place, text in enumerate(texts, 1)
    ]


async def test_a_message_whose_parts_come_before_and_after_a_kill_is_one_question(desk: Desk) -> None:
    number = "84910000001"
    first, second = parts(number, CODE[:9], CODE[9:])
    async with asyncio.timeout(PATIENCE):
        assert await desk.smsc.send_pdus([second]).acked == c.ROK
        await desk.kill()
        assert await desk.smsc.send_pdus([first]).acked == c.ROK
        await desk.answered(number)
        # Once more, as if the acknowledgements had been lost; then something else, so that it had its time.
        await desk.kill()
        assert await desk.smsc.send_pdus([second, first]).acked == c.ROK
        await (await desk.smsc.send_mo("84910000002", SHORT_CODE, CODE)).reply()
    assert [text for text, _, _ in desk.asked(number)] == [CODE]
    assert desk.answers(number) == 1


async def test_octets_that_are_no_text_are_kept_and_answered_as_unreadable(desk: Desk) -> None:
    number = "84910000003"
    async with asyncio.timeout(PATIENCE):
        ticket = await desk.smsc.send_mo(number, SHORT_CODE, octets=NOT_TEXT, data_coding=c.CODING_BINARY)
        await ticket.reply()
    assert ticket.deliveries > 1
    assert desk.asked(number) == [("", NOT_TEXT.hex(), "unreadable")]


async def test_of_a_message_with_too_many_parts_the_first_is_answered_and_the_rest_is_never_sent_again(
    desk: Desk,
) -> None:
    number = "84910000004"
    async with asyncio.timeout(PATIENCE):
        ticket = desk.smsc.send_pdus(parts(number, f"{CODE} va {CODE}", *"23456"))
        await ticket.reply()
        await desk.smsc.until(lambda: ticket.unacked_parts == 0)
    assert sorted(ticket.statuses) == sorted([c.ROK, *[c.RX_P_APPN] * 5])
    assert ticket.deliveries == 6
    assert [text for text, _, _ in desk.asked(number)] == [f"{CODE} va [thieu]"]


async def test_killed_time_and_again_no_long_message_is_lost_doubled_or_mixed_up(desk: Desk) -> None:
    chance = random.Random(SEED)
    async with asyncio.timeout(PATIENCE):
        tickets: list[MoTicket] = []
        for kill in range(KILLS):
            some = [
                await desk.smsc.send_mo(
                    f"8492{kill:03}{place:04}", SHORT_CODE, f"{place} {TEXT}", concatenation=chance.choice(WAYS)
                )
                for place in range(MESSAGES)
            ]
            tickets += some
            reached = chance.randrange(3 * MESSAGES)
            await desk.smsc.until(lambda: sum(3 - t.unacked_parts for t in some) >= reached)  # noqa: B023 - awaited here
            await desk.kill()
        await asyncio.gather(*(ticket.reply() for ticket in tickets))
        events = await sms_events(desk.gateway)
    assert {await ticket.acked for ticket in tickets} == {c.ROK}
    for ticket in tickets:
        assert [text for text, _, _ in desk.asked(ticket.source)] == [ticket.text]
        assert CODE in ticket.replies[0].text
    assert events["long_messages_incomplete"] == 0
