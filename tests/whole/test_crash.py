"""`kill -9` under load: nobody's question is lost, none is written twice, and a second answer has its one reason."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from channels.sms import commands as c
from demo.onestop import HOSO_FILE
from demo.smsc import MoTicket, Smsc, SmscOptions
from demo.smsc_load_server import LoadServer
from demo.smsc_tally import LoadOptions, LoadResult, number_of
from tests.whole.gateways import SHORT_CODE, STORE, Account, assert_quiet, make_gateway
from tests.whole.store_files import Written, locked, read_written

QUESTIONS = 500  # asked for each kill
WINDOW = 20
SEED = 8100
RATES = ("0", "400")  # in turn: as fast as it can, and held back by its operator, with replies queued before the window
RATE = "TRACUU_SMS__DEMO__RATE"
LATEST = 0.005  # seconds from an answer to a kill: wherever a commit, a write or a read may be by then
PATIENCE = 300.0  # seconds for everything that is waited for

LOAD = LoadOptions(
    total=QUESTIONS,  # for each kill
    window=WINDOW,
    texts=("H51.18-250701-0001", "h51 18 250701 0002", "H51.29.18-250701-0004", "H13.18-250701-0001"),
    destination=SHORT_CODE,
    patience=300.0,
    linger=2.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """What one kill left behind."""

    answers: int  # that the SMSC had by then
    written: Written

    @property
    def in_doubt(self) -> frozenset[str]:
        """Whose reply was handed over, and what became of it not written down."""
        return frozenset(self.written.replied("handed_over"))


class Progress:
    """How many answers the SMSC has; told by the load generator."""

    def __init__(self) -> None:
        self.answered = 0
        self._changed = asyncio.Event()

    def __call__(self, event: dict[str, object]) -> None:
        if event["event"] == "progress":
            self.answered = int(str(event["answered"]))
            self._changed.set()

    async def reach(self, answers: int) -> None:
        while self.answered < answers:
            self._changed.clear()
            await self._changed.wait()


async def kill_under_load(directory: Path, times: int, options: LoadOptions) -> tuple[list[Kill], LoadResult]:
    """Ask all questions and kill the gateway once at a random moment in each QUESTIONS of them."""
    chance = random.Random(SEED)
    progress, kills = Progress(), list[Kill]()
    async with LoadServer(announce=progress) as smsc:
        gateway = make_gateway(directory, Account(port=smsc.port))
        await gateway.start()
        try:
            load = asyncio.create_task(smsc.run(replace(options, progress=1)))
            for turn in range(times):
                await progress.reach(turn * QUESTIONS + chance.randrange(WINDOW, QUESTIONS - WINDOW))
                await asyncio.sleep(chance.uniform(0.0, LATEST))
                await gateway.kill()
                kills.append(Kill(answers=progress.answered, written=read_written(directory / STORE)))
                gateway.settings = {RATE: RATES[turn % len(RATES)]}
                await gateway.launch()
            return kills, await load
        finally:
            await gateway.stop()


def print_counts(kills: Sequence[Kill], result: LoadResult) -> None:
    table = Table(title=f"{len(kills)} times kill -9, {len(kills) * QUESTIONS} questions, window {WINDOW}")
    for head in ("killed after answers", "in inbox", "open", "handed over unrecorded", "of these answered twice"):
        table.add_column(head, justify="right")
    twice = set(result.duplicate_numbers)
    for kill in kills:
        written = kill.written
        row = (kill.answers, len(written.inbox), written.opened(), len(kill.in_doubt), len(kill.in_doubt & twice))
        table.add_row(*map(str, row))
    Console(width=110).print(
        table,
        f"answered {result.answered}, lost {result.missing}, answered twice {len(twice)}, "
        f"asked again by the SMSC {result.redelivered}",
    )


@pytest.mark.parametrize("times", [4, pytest.param(10, marks=pytest.mark.long)])
async def test_killed_time_and_again_under_load_it_loses_nothing_and_doubles_only_what_was_in_doubt(
    times: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = replace(LOAD, total=times * QUESTIONS)
    numbers = {number_of(index, options) for index in range(options.total)}
    async with asyncio.timeout(2 * PATIENCE):
        kills, result = await kill_under_load(tmp_path, times, options)
    with capsys.disabled():
        print_counts(kills, result)
    written = read_written(tmp_path / STORE)

    assert result.missing == result.unknown == 0
    assert written.asked() == dict.fromkeys(numbers, 1), "a question was lost, or taken for a second one"
    assert written.replied() == dict.fromkeys(numbers, 1), "one reply row to each question"
    assert written.opened() == 0
    assert {state for _, state in written.outbox} <= {"accepted", "unknown"}
    assert result.duplicates == len(result.duplicate_numbers), "somebody was answered three times"
    assert set(result.duplicate_numbers) <= frozenset().union(*(kill.in_doubt for kill in kills))
    assert_quiet(tmp_path)


async def ask(smsc: Smsc, questions: int) -> list[MoTicket]:
    return [await smsc.send_mo(f"8491000{n:04d}", SHORT_CODE, "H51.18-250701-0001") for n in range(questions)]


async def test_questions_still_open_at_the_kill_are_answered_once_by_whoever_comes_after(tmp_path: Path) -> None:
    patient = {
        "TRACUU_GATEWAY__ANSWER_BUDGETS__SMS_MS": "20",
        "TRACUU_GATEWAY__SOURCE_DOWN_AFTER_S": "60",
        "TRACUU_SOURCES__HOSO__TIMEOUT_S": "60",
    }
    async with asyncio.timeout(PATIENCE), Smsc(SmscOptions(window=WINDOW)) as smsc:
        gateway = make_gateway(tmp_path, Account(port=smsc.port), settings=patient)
        await gateway.start()
        try:
            with locked(tmp_path / HOSO_FILE):
                tickets = await ask(smsc, 2 * WINDOW)
                await smsc.until(lambda: sum(ticket.acked.done() for ticket in tickets) >= WINDOW)
                await gateway.kill()
                after_first = read_written(tmp_path / STORE)
                await gateway.launch()
                assert set(await asyncio.gather(*(ticket.acked for ticket in tickets))) == {c.ROK}
                await gateway.kill()
                after_second = read_written(tmp_path / STORE)
            await gateway.start()
            await asyncio.gather(*(ticket.reply() for ticket in tickets))
        finally:
            assert await gateway.stop() == 0
    written = read_written(tmp_path / STORE)

    assert after_first.opened() >= WINDOW
    assert after_second.opened() == len(tickets)
    assert after_first.outbox == after_second.outbox == []
    assert [len(ticket.replies) for ticket in tickets] == [1] * len(tickets)
    assert all("H51.18-250701-0001" in ticket.replies[0].text for ticket in tickets)
    assert not smsc.unsolicited
    assert written.inbox == [(number, "decided") for number, _ in after_second.inbox]
    assert written.replied("accepted") == {ticket.source: 1 for ticket in tickets}
    assert_quiet(tmp_path)
