"""Many requests, few calls: the questions of one turn of the loop are asked together.

A batch leaves at the end of the turn in which its first question came. Several batches may be under way, so that an
agency that hangs holds up those who asked with it and nobody after them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from domain.questions import Question, QuestionAnswer

Ask = Callable[[Sequence[Question]], Awaitable[Sequence[QuestionAnswer]]]

IN_FLIGHT = 64  # batches under way; beyond, questions collect


class Asker:
    """One for all routes of the channel. `ask` answers a batch, one answer per question, in order."""

    __slots__ = ("_ask", "_in_flight", "_most", "_waiting")

    def __init__(self, ask: Ask, *, in_flight: int = IN_FLIGHT) -> None:
        self._ask = ask
        self._most = in_flight
        self._in_flight: set[asyncio.Task[None]] = set()
        self._waiting: list[tuple[Question, asyncio.Future[QuestionAnswer]]] = []

    async def answer(self, question: Question) -> QuestionAnswer:
        """The answer to one question.

        Raises:
            GatewayError: whatever `ask` raised for the batch.
        """
        future: asyncio.Future[QuestionAnswer] = asyncio.get_running_loop().create_future()
        if not self._waiting:
            self._start()
        self._waiting.append((question, future))
        return await future

    def _start(self) -> None:
        """A new task takes its first step after everything that is already due in this turn."""
        if len(self._in_flight) < self._most:
            task = asyncio.get_running_loop().create_task(self._work())
            self._in_flight.add(task)
            task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        if self._waiting:
            self._start()

    async def _work(self) -> None:
        batch, self._waiting = self._waiting, []
        try:
            answers = await self._ask([question for question, _ in batch])
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
        except Exception as error:  # noqa: BLE001  # handed to everybody who waits
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        finally:
            for _, future in batch:
                future.cancel()  # nothing happens to those that are done
