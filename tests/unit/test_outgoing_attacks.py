"""What an odd SMSC, or one person's telephone, could do to everybody else's messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from channels.sms import commands as c
from channels.sms.full_queues import BUSY_TRIES, REMEMBERED, FullQueues
from channels.sms.handover import Batch, Handover
from channels.sms.outgoing import Outward, Request
from domain.message import SendStatus
from tests.unit.sending_out import Desk, Line, soon

STEP = 0.02  # seconds between two looks; the SMSC answers from one to the next
OFF = b"off"  # what is written to a telephone whose queue at the SMSC is full


class Smsc:
    """Answers everything at the next look: `refusal` to whom it takes nothing for, ROK to the others."""

    def __init__(self, desk: Desk, refusal: int) -> None:
        self.desk = desk
        self.refusal = refusal
        self.taken = self.refused = 0
        self.paused = 0.0  # seconds

    async def step(self) -> None:
        for line in self.desk.lines:
            answered, line.open = line.open, []
            for request in answered:
                self._answer(request)
        self.paused += STEP * self.desk.outgoing.paused
        self.desk.wait(STEP)
        await asyncio.sleep(0)

    def _answer(self, request: Request) -> None:
        refused = request.frame.startswith(OFF)
        self.refused += refused
        self.taken += not refused
        request.answered(self.refusal if refused else c.ROK, "" if refused else "id")


async def live(desk: Desk, smsc: Smsc, seconds: float, others: float, off: Callable[[], Outward]) -> int:
    """`others` messages a second come, and one to the telephone that is off, again a second after it came back."""
    entered, due, sending = 0, desk.now, None
    until, began = desk.now + seconds, desk.now
    while desk.now < until:
        if sending is not None and sending.done():
            assert {result.status for result in sending.result()} == {SendStatus.RETRY}
            sending, due = None, desk.now + 1.0
        if sending is None and desk.now >= due:
            sending = await desk.enter(off())
        while entered < (desk.now - began) * others:
            entered += 1
            await desk.enter(desk.notice(f"n{entered}"))
        await smsc.step()
    return entered


@pytest.mark.parametrize("status", [c.RMSGQFUL, c.RSYSERR, c.RX_T_APPN])
async def test_a_telephone_that_is_off_costs_the_others_a_moment_and_not_an_hour(status: int) -> None:
    desk = Desk(Line("1", 10), rate=50.0)
    smsc = Smsc(desk, status)
    entered = await live(desk, smsc, 120.0, 20.0, lambda: desk.reply("off"))
    assert smsc.paused <= BUSY_TRIES * (desk.account.throttle_pause + 2 * STEP)
    assert desk.counters.slowdowns <= BUSY_TRIES
    assert smsc.taken > 0.95 * entered
    assert desk.outgoing.rate == desk.account.rate


async def test_what_is_said_of_many_slows_the_account_down_every_time() -> None:
    """An SMSC whose own queue is full says the same words, of everybody."""
    line = Line("1", 5)
    desk = Desk(line, rate=50.0)
    await desk.enter(*[desk.reply(str(number)) for number in range(100)])
    for slowdowns in range(1, 4):
        line.answer(c.RMSGQFUL, *[c.ROK] * (len(line.open) - 1))
        assert desk.outgoing.paused
        assert desk.counters.slowdowns >= slowdowns
        desk.wait(1.01)
        while not line.open or line.open[0].frame.decode() in line.written[: -len(line.open)]:
            line.answer(*[c.ROK] * len(line.open))  # what was put off is taken now; then come others
            desk.wait(0.2)


async def test_who_is_reached_again_is_like_everybody_else() -> None:
    line = Line("1", 5)
    desk = Desk(line)
    smsc = Smsc(desk, c.RMSGQFUL)
    await live(desk, smsc, 10.0, 5.0, lambda: desk.reply("off"))
    pauses = smsc.paused
    await live(desk, smsc, 10.0, 5.0, lambda: desk.reply("off"))
    assert smsc.paused == pauses
    desk.answer_all()
    sending = await desk.enter(desk.reply("off"))
    line.answer(c.ROK)
    assert [result.status for result in await soon(sending)] == [SendStatus.ACCEPTED]
    await desk.enter(desk.reply("off"))
    line.answer(c.RMSGQFUL)
    assert desk.outgoing.paused


async def test_one_message_with_a_segment_that_is_taken_tells_nothing_of_its_reader() -> None:
    line = Line("1", 5)
    desk = Desk(line)
    await desk.enter(desk.reply("a", parts=2))
    line.answer(c.RMSGQFUL, c.ROK)
    desk.wait(1.01)
    line.answer(c.RMSGQFUL)
    assert desk.outgoing.paused


async def test_no_more_readers_are_remembered_than_there_is_room_for() -> None:
    full, desk = FullQueues(), Desk()
    batch = Batch(1, asyncio.get_running_loop().create_future())
    for number in range(REMEMBERED + 1):
        message = desk.reply(str(number))
        handover = Handover(desk.outgoing, batch, 0, message, [b"frame"], number)
        for _ in range(BUSY_TRIES):
            full.put_off(handover, desk.now).again(1, c.RMSGQFUL)
        assert full.give_up(handover)
    assert len(full) == REMEMBERED


# ---- several links


async def test_a_person_tied_to_a_link_that_is_stuck_holds_up_nobody_else() -> None:
    """One of theirs is partly taken there; the next of theirs waits for it, and nobody behind them does."""
    stuck, free = Line("1", 2), Line("2", 2)
    desk = Desk(stuck)
    await desk.enter(desk.reply("a", parts=2, recipient="84901"))
    stuck.answer(c.RMSGQFUL)  # a.1 is put off, a.2 is being looked at
    desk.now += 1.01
    stuck.window = 1  # and the SMSC does not read any more
    desk.outgoing.attach(free)
    desk.lines.append(free)
    await desk.enter(desk.reply("b", recipient="84901"), desk.reply("c", recipient="84902"))
    desk.wait(1.01)
    assert free.written == ["c"]
    stuck.window = 2
    desk.answer_all()
    written = [*stuck.written, *free.written]
    assert sorted(written) == ["a.1", "a.1", "a.2", "b", "c"]
    assert desk.outgoing.waiting == 0


async def test_a_link_attached_twice_is_written_to_once() -> None:
    line = Line("1", 2)
    desk = Desk(line, line)
    await desk.enter(*[desk.reply(name) for name in "abcd"])
    assert line.written == ["a", "b"]  # the line itself takes no more than its room
    line.lose()
    desk.outgoing.detach(line, "closed_by_smsc")
    assert desk.outgoing.waiting == 0
