"""Many requests, few calls: the questions of one turn of the loop are asked together.

A batch leaves at the end of the turn in which its first question came. What must be read from an agency's system is
waited for by whoever asked: a system that hangs holds up its own askers only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from domain.questions import Answer, Asked, Question, QuestionAnswer

# One answer each, in order; one that needs waiting for an agency comes as an awaitable of its own.
Ask = Callable[[Sequence[Question]], Awaitable[Sequence[Asked[Answer]]]]

IN_FLIGHT = 64  # batches under way; beyond, questions collect


class Asker:
    """One for all routes of the channel. `ask` answers a batch, one answer per question, in order."""

    __slots__ = ("_ask", "_due", "_in_flight", "_most", "_waiting")

    def __init__(self, ask: Ask, *, in_flight: int = IN_FLIGHT) -> None:
        self._ask = ask
        self._most = in_flight
        self._due = False  # a batch leaves at the end of this turn
        self._in_flight: set[asyncio.Task[None]] = set()
        self._waiting: list[tuple[Question, asyncio.Future[Asked[Answer]]]] = []

    async def answer(self, question: Question) -> Asked[QuestionAnswer]:
        """The answer to one question, and what whoever asked has left.

        Raises:
            GatewayError: whatever `ask` raised for the batch, or the awaitable it gave for this question.
        """
        future: asyncio.Future[Asked[Answer]] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        self._start()
        answer, left = await future
        return Asked(answer if isinstance(answer, QuestionAnswer) else await answer, left)

    def _start(self) -> None:
        """A new task takes its first step after everything that is already due in this turn."""
        if not self._due and len(self._in_flight) < self._most:
            self._due = True
            task = asyncio.get_running_loop().create_task(self._work())
            self._in_flight.add(task)
            task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        if self._waiting:
            self._start()

    async def _work(self) -> None:
        self._due = False
        batch, self._waiting = self._waiting, []
        orphans: list[Awaitable[QuestionAnswer]] = []
        try:
            answers = await self._ask([question for question, _ in batch])
            for (_, future), asked in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(asked)
                elif not isinstance(asked.answer, QuestionAnswer):
                    orphans.append(asked.answer)
            # Whoever asked these has gone; what a question costs is counted all the same, and who fails has logged it.
            if orphans:
                await asyncio.gather(*orphans, return_exceptions=True)
        except Exception as error:  # noqa: BLE001  # handed to everybody who waits
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        except BaseException:
            for _, future in batch:
                future.cancel()
            raise
