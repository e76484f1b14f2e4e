"""Whatever the SMSC answers, in any order, over links that come and go: in turn, whole, once, and never too fast."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from channels.sms import commands as c
from channels.sms.handover import Batch, Handover, Part
from channels.sms.outgoing import Outward, Request, Unanswered
from domain.message import Category, SendResult, SendStatus
from tests.unit.sending_out import Desk, Line, soon

MOST_STEPS = 5_000  # of what is still to be answered at the end
ANSWERS = (c.ROK, c.ROK, c.ROK, c.RTHROTTLED, c.RMSGQFUL, c.RINVDSTADR, c.RINVBNDSTS)


@dataclass(slots=True)
class Seen:
    """One message as the SMSC and the sender see it. Parts are 1-based."""

    outward: Outward
    entry: int
    parts: int
    batch: Batch | None = None
    index: int = 0  # in its batch
    handover: Handover | None = None  # once something of it was written
    taken: Counter[int] = field(default_factory=Counter)
    open: set[int] = field(default_factory=set)  # written, and not answered
    ended: set[int] = field(default_factory=set)  # taken, refused for good or never to be answered
    refused: bool = False  # for now, at least once

    @property
    def given_up(self) -> bool:
        """Nothing more of it is to be written."""
        decided = self.batch is not None and self.batch.results[self.index] is not None
        return decided or (self.handover is not None and self.handover.hopeless)

    @property
    def begun(self) -> bool:
        """Something of it was taken, or is being looked at."""
        return bool(self.open or self.ended)

    @property
    def to_write(self) -> bool:
        return not self.given_up and len(self.open | self.ended) < self.parts


class Storm:
    """Checks every promise at every write."""

    def __init__(self, rate: float) -> None:
        self.desk = Desk(rate=rate, throttle_hold=6.0)
        self.messages: list[Seen] = []
        self.sendings: list[tuple[asyncio.Task[Sequence[SendResult]], list[Seen]]] = []
        self.times: list[float] = []
        self.names = 0
        self.just_begun: list[Seen] = []

    def wrote(self, line: StormLine, requests: Sequence[Request]) -> None:
        for request in requests:
            message, number = self.read(request)
            assert number not in message.open, "written while it is being looked at"
            assert not message.taken[number], "written after it was taken"
            self.check_turn(message)
            if line.last is not None and line.last is not message:
                assert not line.last.to_write or line.last.refused, "something stands between two segments"
            line.last = message
            message.open.add(number)
            self.times.append(self.desk.now)
        now = self.desk.now
        rate = self.desk.account.rate
        assert sum(at > now - 1.0 for at in self.times) <= rate + max(1.0, rate / 50) + 1e-6

    def check_turn(self, message: Seen) -> None:
        """On one link, what is begun goes before all that was not."""
        if message.begun:
            return
        self.just_begun.append(message)
        if len(self.desk.lines) > 1:
            return
        for other in self.messages:
            if other is not message and other.to_write and not other.begun:
                assert self.key(other) > self.key(message), "overtaken by what comes later"

    def look(self) -> None:
        """Whatever was written in one turn, nobody's message was begun while an earlier one of theirs was not written.

        Links are written to one after the other, so that within a turn nothing can be said about several of them.
        """
        begun, self.just_begun = self.just_begun, []
        for message in begun:
            for earlier in self.messages[: message.entry]:
                same = earlier.outward.category is message.outward.category
                if same and earlier.outward.recipient == message.outward.recipient:
                    assert not earlier.to_write, "overtaken by the same person's later message"

    @staticmethod
    def key(message: Seen) -> tuple[int, int]:
        return message.outward.category.priority, message.entry

    def read(self, request: Request) -> tuple[Seen, int]:
        assert isinstance(request, Part)
        message = self.messages[int(request.frame.partition(b".")[0])]
        message.handover = request.message
        return message, request.number

    async def enter(self, wanted: Sequence[tuple[Category, int, int]]) -> None:
        batch = []
        for category, parts, person in wanted:
            entry = len(self.messages)
            frames = [f"{entry}.{number}".encode() for number in range(1, parts + 1)]
            outward = self.desk.message("", category, message_id=entry, recipient=str(person), frames=frames)
            batch.append(Seen(outward, entry, parts))
            self.messages.append(batch[-1])
        before = set(self.desk.outgoing._under_way)
        self.sendings.append((await self.desk.enter(*[seen.outward for seen in batch]), batch))
        for made in self.desk.outgoing._under_way - before:
            for index, seen in enumerate(batch):
                seen.batch, seen.index = made, index

    def attach(self, window: int) -> None:
        self.names += 1
        line = StormLine(self, str(self.names), window)
        self.desk.lines.append(line)
        self.desk.outgoing.attach(line)

    def lose(self, line: Line) -> None:
        self.desk.lines.remove(line)
        for request in line.open:
            message, number = self.read(request)
            message.open.discard(number)
            message.ended.add(number)
        line.lose()
        self.desk.outgoing.detach(line, "closed_by_smsc")

    def answer(self, line: Line, which: int, status: int | None) -> None:
        """One that is open there is answered; None: never will be."""
        if not line.open:
            return
        request = line.open.pop(which % len(line.open))
        message, number = self.read(request)
        message.open.discard(number)
        if status == c.ROK:
            message.taken[number] += 1
            assert message.taken[number] == 1
        if status in {c.RTHROTTLED, c.RMSGQFUL}:
            message.refused = True
        else:
            message.ended.add(number)
        if status is None:
            request.unanswered(Unanswered.TIMED_OUT)
        else:
            request.answered(status, "id")

    async def settle(self) -> None:
        """Let those who wait be told."""
        await asyncio.sleep(0)
        self.look()

    async def end(self) -> None:
        """Everything is answered well; every message has one result, and the right one."""
        if not self.desk.lines:
            self.attach(5)
        for _ in range(MOST_STEPS):
            for line in self.desk.lines:
                for _ in range(len(line.open)):
                    self.answer(line, 0, c.ROK)
            await self.settle()
            if all(sending.done() for sending, _ in self.sendings):
                break
            self.desk.wait(0.5)
            self.look()
        for sending, batch in self.sendings:
            results = await soon(sending)
            assert [result.message_id for result in results] == [message.entry for message in batch]
            for result, message in zip(results, batch, strict=True):
                all_taken = len(message.taken) == message.parts
                assert (result.status is SendStatus.ACCEPTED) == all_taken
                assert len({segment.segment for segment in result.segments}) == len(result.segments)
        assert self.desk.outgoing.waiting == 0


class StormLine(Line):
    """Shows the storm what is written."""

    def __init__(self, storm: Storm, name: str, window: int) -> None:
        super().__init__(name, window)
        self._storm = storm
        self.last: Seen | None = None

    def submit(self, requests: Sequence[Request]) -> None:
        super().submit(requests)
        self._storm.wrote(self, requests)


categories = st.sampled_from(list(Category))
entering = st.tuples(
    st.just("enter"), st.lists(st.tuples(categories, st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=6)
)
answering = st.tuples(
    st.just("answer"), st.tuples(st.integers(0, 5), st.integers(0, 9), st.sampled_from([*ANSWERS, None]))
)
passing = st.tuples(st.just("wait"), st.sampled_from([0.0, 0.01, 0.3, 1.1, 3.0]))
coming = st.tuples(st.just("attach"), st.integers(1, 8))
going = st.tuples(st.just("lose"), st.integers(0, 5))
pumping = st.tuples(st.just("pump"), st.none())
steps = st.one_of(entering, answering, answering, answering, passing, passing, pumping, coming, going)


async def live_through(rate: float, links: Sequence[int], storm_steps: Sequence[tuple[str, object]]) -> None:
    storm = Storm(rate)
    for window in links:
        storm.attach(window)
    for what, how in storm_steps:
        lines = storm.desk.lines
        match what, how:
            case "enter", list(wanted):
                await storm.enter(wanted)
            case "answer", (int(line), int(which), (int() | None) as status) if lines:
                storm.answer(lines[line % len(lines)], which, status)
            case "wait", float(seconds):
                storm.desk.wait(seconds)
            case "attach", int(window) if len(lines) < 4:
                storm.attach(window)
            case "lose", int(line) if len(lines) > 1:
                storm.lose(lines[line % len(lines)])
            case _:
                storm.desk.outgoing.pump()
        await storm.settle()
    await storm.end()


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([5.0, 50.0, 1_000.0]),
    st.lists(st.integers(1, 8), min_size=1, max_size=3),
    st.lists(steps, max_size=60),
)
def test_every_message_leaves_in_turn_whole_and_once_and_has_one_result(
    rate: float, links: list[int], storm_steps: list[tuple[str, object]]
) -> None:
    asyncio.run(live_through(rate, links, storm_steps))


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 8), st.lists(st.one_of(entering, answering, answering, answering, passing, pumping), max_size=80))
def test_on_one_link_nothing_is_begun_before_what_goes_before_it(
    window: int, storm_steps: list[tuple[str, object]]
) -> None:
    asyncio.run(live_through(1_000.0, [window], storm_steps))
