"""The journal alone: what a commit of n questions with their replies costs, and so what no window can beat."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from statistics import median

from adapters.store.plan import Rules
from adapters.store.sqlite import SqliteStore
from conversation.ports import Decision, Exchange, JournalBatch
from conversation.redelivery import is_redelivery
from domain.answers import Outcome
from domain.message import Address, Category, InboundMessage, OutboundMessage
from notifications.retry import after_send

COMMITS = 200
CODE = "000.00.18.H51-161220-0001"
REPLY = f"Ho so {CODE} dang xu ly tai So TN-MT Soc Trang, hen tra 27/11/2026. Chua can nop them. DT 02993 000018"


@dataclass(frozen=True, slots=True)
class Floor:
    """Median milliseconds of a commit of `size` exchanges."""

    size: int
    milliseconds: float


async def journal_floor(directory: Path, size: int) -> Floor:
    """Commit batch after batch, nothing else."""
    rules = Rules(is_redelivery=is_redelivery, after_send=after_send)
    store = SqliteStore(directory / f"floor-{size}.sqlite3", owner=1, clock=lambda: datetime.now(UTC), rules=rules)
    await store.open()
    ids = count(1)
    times = []
    try:
        for _ in range(COMMITS):
            batch = JournalBatch(exchanges=[exchange_of(next(ids)) for _ in range(size)])
            started = time.perf_counter()
            await store.commit(batch)
            times.append((time.perf_counter() - started) * 1000)
    finally:
        await store.close()
    return Floor(size, median(times))


def exchange_of(number: int) -> Exchange:
    now = datetime.now(UTC)
    sender, own = Address("sms", f"849{number:08d}"), Address("sms", "8088")
    message = InboundMessage(
        id=number,
        channel="sms",
        account="bench",
        sender=sender,
        recipient=own,
        text=CODE,
        received_at=now,
        identity=f"{number:064x}",
    )
    reply = OutboundMessage(
        id=number,
        channel="sms",
        account="bench",
        category=Category.REPLY,
        recipient=sender,
        sender=own,
        text=REPLY,
        created_at=now,
        expires_at=now + timedelta(hours=1),
        inbound_id=number,
    )
    decision = Decision(inquiry="look_up", outcome=Outcome.FOUND, text=REPLY, dossier_code=CODE)
    return Exchange(message=message, decision=decision, reply=reply, handed_over=True)
