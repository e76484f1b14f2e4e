"""Many requests, few calls: the questions of one turn of the loop are asked together.

A batch leaves at the end of the turn in which its first question came. What must be read from an agency's system is
waited for one by one: a system that hangs holds up its own askers only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from domain.questions import Question, QuestionAnswer

# One answer each, in order; one that needs waiting for an agency comes as an awaitable of its own.
Ask = Callable[[Sequence[Question]], Awaitable[Sequence[QuestionAnswer | Awaitable[QuestionAnswer]]]]

IN_FLIGHT = 64  # batches under way; beyond, questions collect


class Asker:
    """One for all routes of the channel. `ask` answers a batch, one answer per question, in order."""

    __slots__ = ("_ask", "_in_flight", "_late", "_most", "_waiting")

    def __init__(self, ask: Ask, *, in_flight: int = IN_FLIGHT) -> None:
        self._ask = ask
        self._most = in_flight
        self._in_flight: set[asyncio.Task[None]] = set()
        self._late: set[asyncio.Future[QuestionAnswer]] = set()
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
                if not isinstance(answer, QuestionAnswer):
                    self._await(answer, future)
                elif not future.done():
                    future.set_result(answer)
        except Exception as error:  # noqa: BLE001  # handed to everybody who waits
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        except BaseException:
            for _, future in batch:
                future.cancel()
            raise

    def _await(self, answer: Awaitable[QuestionAnswer], future: asyncio.Future[QuestionAnswer]) -> None:
        task = asyncio.ensure_future(answer)
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        task.add_done_callback(lambda done: _pass_on(done, future))


def _pass_on(done: asyncio.Future[QuestionAnswer], future: asyncio.Future[QuestionAnswer]) -> None:
    if future.done():  # whoever asked has gone
        return
    if done.cancelled():
        future.cancel()
    elif (error := done.exception()) is not None:
        future.set_exception(error)
    else:
        future.set_result(done.result())
