"""The store is locked, or its disk takes no more: nothing is acknowledged, nothing is lost, nobody pays for it."""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from channels.sms import commands as c
from demo.process import GatewayProcess
from demo.smsc import MoTicket, Smsc, SmscOptions
from tests.whole.gateways import LOG, SHORT_CODE, STORE, Account, assert_quiet, log_lines, make_gateway, running, tell
from tests.whole.store_files import locked, read_written

CODES = tuple(f"{office}-250701-000{n}" for office in ("H51.18", "H51.29.18") for n in range(1, 6))
BUDGET = 10  # replies to one number, as by default
REFUSED_MORE_OFTEN = BUDGET + 1
PACE = 0.01  # seconds from one person's question to the next one's
GROWTH = 20.0  # MB the gateway may grow while its store is away
PATIENCE = 300.0
MANNERS = SmscOptions(window=1_000, retry_after=0.05)  # what is refused comes again at once, and all of it
SETTINGS = {
    "TRACUU_DATABASE__BUSY_TIMEOUT_S": "0.1",
    "TRACUU_GUARDS__REPLIES_PER_SENDER": '[{"count": 10, "seconds": 600}, {"count": 30, "seconds": 86400}]',
}

Trouble = Callable[[GatewayProcess, Path], AbstractContextManager[None]]


def held_by_somebody_else(_: GatewayProcess, store: Path) -> AbstractContextManager[None]:
    return locked(store)


@contextmanager
def on_a_full_disk(gateway: GatewayProcess, store: Path) -> Iterator[None]:
    """Neither the store nor the log can be written any more: commits fail in their middle, and nobody can be told."""
    size = store.with_name(LOG).stat().st_size
    _, hard = before = resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, before)


def memory(gateway: GatewayProcess) -> float:
    """Resident, in MB."""
    status = Path(f"/proc/{gateway.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


class Handsets:
    """People, each with a number of their own."""

    def __init__(self, smsc: Smsc) -> None:
        self._smsc = smsc
        self._numbers = count(84_910_000_000)

    async def ask(self, *, code: str = CODES[0], number: str = "") -> MoTicket:
        return await self._smsc.send_mo(number or str(next(self._numbers)), SHORT_CODE, code)

    async def ask_until_one_was_refused_often(self) -> list[MoTicket]:
        """One question after another, until the first was refused more often than its number may have replies."""
        tickets = [await self.ask()]
        while len(tickets[0].statuses) < REFUSED_MORE_OFTEN:
            await asyncio.sleep(PACE)
            tickets.append(await self.ask(code=CODES[len(tickets) % len(CODES)]))
        return tickets


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """What happened while the store was away."""

    tickets: Sequence[MoTicket]
    statuses: Counter[int]  # what the SMSC was answered
    replies: int
    memory: tuple[float, float]  # MB before and after


async def ask_while_away(gateway: GatewayProcess, smsc: Smsc, store: Path, trouble: Trouble) -> Away:
    handsets = Handsets(smsc)
    earlier = [await handsets.ask(code=code) for code in CODES]
    await asyncio.gather(*(ticket.reply() for ticket in earlier))
    before = memory(gateway)
    with trouble(gateway, store):
        tickets = await handsets.ask_until_one_was_refused_often()
        statuses = Counter(status for ticket in tickets for status in ticket.statuses)
        replies = sum(len(ticket.replies) for ticket in tickets)
    await asyncio.gather(*(ticket.reply() for ticket in tickets))
    return Away(tickets=[*earlier, *tickets], statuses=statuses, replies=replies, memory=(before, memory(gateway)))


@pytest.mark.parametrize("trouble", [held_by_somebody_else, on_a_full_disk])
async def test_nothing_is_acknowledged_while_the_store_is_away_and_nothing_is_lost(
    trouble: Trouble, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with asyncio.timeout(PATIENCE), Smsc(MANNERS) as smsc:
        gateway = make_gateway(tmp_path, Account(port=smsc.port), settings=SETTINGS)
        async with running(gateway):
            away = await ask_while_away(gateway, smsc, tmp_path / STORE, trouble)
    written = read_written(tmp_path / STORE)
    before, after = away.memory
    tell(
        capsys,
        f"store {trouble.__name__}: {len(away.tickets)} questions, {away.statuses.total()} refusals, "
        f"memory {before:.1f} -> {after:.1f} MB (bound +{GROWTH:g})",
    )

    assert away.statuses.keys() == {c.RX_T_APPN}
    assert away.replies == 0, "a reply left that is not written down"
    assert [len(ticket.replies) for ticket in away.tickets] == [1] * len(away.tickets)
    assert all(ticket.acked.result() == c.ROK for ticket in away.tickets)
    assert all(ticket.text in ticket.replies[0].text for ticket in away.tickets)
    assert not smsc.unsolicited
    once = {ticket.source: 1 for ticket in away.tickets}
    assert written.asked() == written.replied("accepted") == once
    assert after - before < GROWTH
    assert_quiet(tmp_path)
    unwritten = sum(line.get("lines_lost", 0) for line in log_lines(tmp_path))
    assert unwritten < away.statuses.total(), "the commit was tried over and over without a pause"


async def test_a_question_refused_a_dozen_times_costs_the_person_one_reply(tmp_path: Path) -> None:
    async with asyncio.timeout(PATIENCE), Smsc(MANNERS) as smsc:
        gateway = make_gateway(tmp_path, Account(port=smsc.port), settings=SETTINGS)
        async with running(gateway):
            handsets = Handsets(smsc)
            with locked(tmp_path / STORE):
                ticket = await handsets.ask()
                await smsc.until(lambda: len(ticket.statuses) >= REFUSED_MORE_OFTEN)
            texts = [(await ticket.reply()).text]
            for code in (*CODES[1:], CODES[0]):
                further = await handsets.ask(code=code, number=ticket.source)
                texts += [(await further.reply()).text]

    *answers, refusal = texts
    assert len(answers) == BUDGET
    assert all(code in answer for code, answer in zip(CODES, answers, strict=True))
    assert "qua so lan cho phep" in refusal
