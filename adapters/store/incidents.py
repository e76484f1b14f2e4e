"""Reports of incidents, on both engines: rows of the outbox that leave before all others, with what the audit log says.

How many there were within the hour is asked of the audit log, behind a row that is locked first: two reports of one
moment are counted one after the other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

from adapters.store.audit import noting
from adapters.store.housekeeping import first_id
from adapters.store.pins import SEND, Runner
from adapters.store.rows import OUTBOX_COLUMNS, from_ms, waiting_row
from adapters.store.steps import Steps, Values
from console.accounts.ports import AuditEntry
from console.health.ports import TooMany
from domain.message import Category, OutboundMessage

AN_HOUR, A_MINUTE = timedelta(hours=1), timedelta(minutes=1)
LOCK = """INSERT INTO counter (name, value) VALUES ('incident', 0)
ON CONFLICT (name) DO UPDATE SET value = counter.value RETURNING 1"""
TOLD = "SELECT at, login, detail FROM audit WHERE action = :action AND id >= :since ORDER BY id DESC LIMIT :most"


def send(messages: Sequence[OutboundMessage], noted: AuditEntry, most: int) -> Steps[TooMany | None]:
    yield LOCK, {}
    values: Values = {"action": noted.action, "since": first_id(noted.at - AN_HOUR), "most": most}
    told = yield TOLD, values
    if any(_same(at, login, detail, noted) for at, login, detail in told):
        return None
    if len(told) >= most:
        return TooMany(again_at=from_ms(told[-1][0]) + AN_HOUR)
    for message in messages:
        row: Values = dict(zip(OUTBOX_COLUMNS, waiting_row(message), strict=True))
        # The quiet hours and whoever waits are for what can wait: a claim takes this one with the replies.
        yield SEND, {**row, "priority": Category.REPLY.priority}
    yield from noting(noted)
    return None


def _same(at: int, login: str, detail: str, noted: AuditEntry) -> bool:
    recent = from_ms(at) > noted.at - A_MINUTE
    return recent and login == noted.login and json.loads(detail).get("digest") == noted.detail.get("digest")


class StoreIncidents:
    """Implements console.health.ports.Incidents."""

    def __init__(self, run: Runner) -> None:
        self._run = run

    async def send(self, messages: Sequence[OutboundMessage], noted: AuditEntry, *, most: int) -> TooMany | None:
        return await self._run(send(messages, noted, most))
