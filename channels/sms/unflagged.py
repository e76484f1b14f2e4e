"""Delivery reports of an SMSC that does not flag them: told apart from what people write by what we sent (design: Ports).

Anybody can type "id:1 stat:DELIVRD". So content that reads like a report is one only if it names a message of ours to the
very number it comes from; anything else is a person's message, and is answered like one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from channels.base import Settlement
from channels.sms.ports import SentIds
from channels.sms.session import Delivery, Session
from channels.sparing import Sparing, SparingLog
from domain.errors import StoreError
from domain.message import DeliveryReport

log = structlog.get_logger()

LOOKS: Final = 2  # a report may overtake the answer to its submit
SECOND_LOOK: Final = 2.0  # seconds after the first
MOST_AT_ONCE: Final = 200


@dataclass(slots=True)
class Suspect:
    """What reads like a report, until it is known what it is. `due`: when it is to be looked at, by the loop's clock."""

    session: Session
    delivery: Delivery
    report: DeliveryReport
    received_at: datetime
    due: float
    looks: int = 0


Verdict = Callable[[Suspect], None]


class Unflagged:
    """One look at the store at a time; the next collects meanwhile. Acknowledged is by whom a verdict is told.

    believed: told of what is a report of ours. person: told of what is not.
    """

    def __init__(
        self,
        account: str,
        sent_ids: SentIds,
        *,
        believed: Verdict,
        person: Verdict,
        second_look: float = SECOND_LOOK,
    ) -> None:
        self._account = account
        self._sent_ids = sent_ids
        self._believed = believed
        self._person = person
        self._second_look = second_look
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Suspect] = []
        self._wake = asyncio.Event()
        self._log = SparingLog(log, Sparing(self._loop.time)).bind(account=account)

    def take(self, session: Session, delivery: Delivery, report: DeliveryReport, received_at: datetime) -> None:
        """Look at it soon."""
        self._waiting.append(Suspect(session, delivery, report, received_at, self._loop.time()))
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled. What is not settled then comes again: its connections end, too."""
        while True:
            await self._next()
            self._wake.clear()
            if due := self._due():
                await self._look(due)

    async def _next(self) -> None:
        """Until something comes or is due."""
        soonest = min((each.due for each in self._waiting), default=None)
        with suppress(TimeoutError):  # something is due
            async with asyncio.timeout_at(soonest):
                await self._wake.wait()

    def _due(self) -> Sequence[Suspect]:
        now = self._loop.time()
        due = [each for each in self._waiting if each.due <= now][:MOST_AT_ONCE]
        taken = set(map(id, due))
        self._waiting = [each for each in self._waiting if id(each) not in taken]
        return due

    async def _look(self, suspects: Sequence[Suspect]) -> None:
        try:
            ours = await self._sent_ids.sent(self._account, [each.report for each in suspects])
        except StoreError as error:
            self._log.warning("sms.reports_not_told_apart", error=str(error), messages=len(suspects))
            for each in suspects:
                each.delivery.settle(Settlement.REFUSED)
            return
        for position, each in enumerate(suspects):
            self._judge(each, ours=position in ours)

    def _judge(self, suspect: Suspect, *, ours: bool) -> None:
        suspect.looks += 1
        if not ours and suspect.looks < LOOKS:
            suspect.due = self._loop.time() + self._second_look
            self._waiting.append(suspect)
            return
        try:
            (self._believed if ours else self._person)(suspect)
        except Exception as error:  # noqa: BLE001 - no text or number may reach the log with a traceback
            self._log.error("sms.delivery_failed", error=type(error).__name__)
            suspect.delivery.settle(Settlement.REFUSED)
