"""Updates on their way in: read by a handler of the library's application, handed to the gateway, settled afterwards.

The application calls a failing handler's failure handled (`process_update` never raises); here an update that no
handler handed in is refused, so that Telegram sends it again. One that fails again and again is given up, since
Telegram would hold back all that follow it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from telegram import Update
from telegram.error import TelegramError
from telegram.ext import CallbackContext, TypeHandler

from channels.base import Arrival, Inlet, Settlement
from channels.telegram.arrivals import Arrivals
from channels.telegram.bot import AnyApplication
from channels.telegram.counters import TelegramCounters
from channels.telegram.updates import Dropped, Reader
from domain.message import InboundMessage

MOST_FAILURES = 3  # of one update, before it is given up
MOST_FAILED = 1_000  # updates whose failures are remembered

Settle = Callable[[Settlement], bool]
log = structlog.get_logger()


@dataclass(slots=True)
class Taken:
    """An update as it came, for the handler below. `settle` is called exactly once."""

    raw: Mapping[str, Any]
    settle: Settle
    handed_in: bool = False

    @property
    def update_id(self) -> int:
        return int(self.raw["update_id"])


class Taking:
    """One bot's way in. `open` must have been called, and the application initialised, before `take`."""

    def __init__(self, application: AnyApplication, counters: TelegramCounters, *, account: str) -> None:
        self._application = application
        self._counters = counters
        self._log = log.bind(account=account)
        self._reader: Reader | None = None
        self._inlet: Inlet | None = None
        self._arrivals = Arrivals()
        self._failures: dict[int, int] = {}
        self._answering: set[asyncio.Task[None]] = set()
        application.add_handler(TypeHandler(Taken, self._handle))
        application.add_error_handler(self._failed)

    @property
    def is_open(self) -> bool:
        return self._reader is not None and self._inlet is not None

    def open(self, reader: Reader, inlet: Inlet) -> None:
        self._reader, self._inlet = reader, inlet

    async def take(self, raw: Mapping[str, Any], settle: Settle) -> None:
        """Hand one update in; it is settled later, or now if it is of no concern to us or cannot be read."""
        taken = Taken(raw, settle)
        self._counters.updates += 1
        await self._application.process_update(taken)
        if not taken.handed_in:
            self._refuse(taken)

    async def closed(self) -> None:
        """Wait for the answers to presses that are under way."""
        while self._answering:
            await asyncio.wait(self._answering)

    async def _handle(self, taken: Taken, _: CallbackContext[Any, Any, Any, Any]) -> None:
        if self._reader is None or self._inlet is None:
            raise RuntimeError("updates are taken before it is known who we are")
        update = Update.de_json(dict(taken.raw), None)
        read = self._reader.read(update)
        if isinstance(read, InboundMessage) and self._arrivals.is_told_again(read):
            read = Dropped.ARRIVED_ALREADY
        query_id = None if update.callback_query is None else update.callback_query.id
        if isinstance(read, InboundMessage):
            self._inlet.arrive(Arrival(read, lambda settlement: self._settle(taken, settlement, query_id)))
        else:
            self._drop(taken, read, query_id)
        taken.handed_in = True

    async def _failed(self, taken: object, context: CallbackContext[Any, Any, Any, Any]) -> None:
        """A failure of ours, told without what the person said; `take` refuses the update."""
        update = taken.update_id if isinstance(taken, Taken) else None
        self._log.error("telegram.update_failed", update=update, exc_info=context.error)

    def _settle(self, taken: Taken, settlement: Settlement, query_id: str | None) -> bool:
        if settlement is Settlement.DURABLE:
            self._counters.acknowledged += 1
            self._failures.pop(taken.update_id, None)
            self._answer(query_id)
        else:
            self._counters.refused += 1
        return taken.settle(settlement)

    def _drop(self, taken: Taken, why: Dropped, query_id: str | None) -> None:
        self._counters.dropped += 1
        self._log.debug("telegram.update_dropped", update=taken.update_id, why=why.value)
        self._answer(query_id)
        taken.settle(Settlement.DURABLE)

    def _refuse(self, taken: Taken) -> None:
        failures = self._failures[taken.update_id] = self._failures.get(taken.update_id, 0) + 1
        if failures >= MOST_FAILURES:
            self._counters.given_up += 1
            del self._failures[taken.update_id]
            self._log.error("telegram.update_given_up", update=taken.update_id)
            taken.settle(Settlement.DURABLE)
            return
        if len(self._failures) > MOST_FAILED:
            del self._failures[next(iter(self._failures))]  # the oldest
        self._counters.refused += 1
        taken.settle(Settlement.REFUSED)

    def _answer(self, query_id: str | None) -> None:
        """Tell Telegram that a press was seen, or the button keeps turning in the person's hand."""
        if query_id is None:
            return
        task = asyncio.get_running_loop().create_task(self._answer_query(query_id))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer_query(self, query_id: str) -> None:
        try:
            await self._application.bot.answer_callback_query(query_id)
        except TelegramError as error:  # too old, or Telegram is away: the answer to what was asked matters, not this
            self._counters.callbacks_unanswered += 1
            self._log.debug("telegram.press_unanswered", error=type(error).__name__)
