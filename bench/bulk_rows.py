"""Notices and broadcasts put into a store that is in use, as the watcher and the expander would write them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.store.housekeeping import first_id
from bench.any_store import AnyStore
from domain.message import Category

ROWS = 200  # in one transaction: the journal of answers goes between
BREATH = 0.05  # seconds between two transactions
HOUR_MS = 3_600_000
BROADCAST = 1  # its id; one for all
SOURCE = "hoso"
NOTICE_TEXT = "Can Tho: ho so {code} dang xu ly, chua hen ngay tra"
BROADCAST_TEXT = "Bo phan mot cua nghi le tu 30/4, moi ong ba quay lai ngay lam viec sau"
FILLER = " xin luu giu tin nay" * 6  # makes two segments of any of them

COLUMNS = (
    "id",
    "channel",
    "account",
    "category",
    "priority",
    "recipient",
    "sender",
    "text",
    "language",
    "params",
    "source",
    "dossier_code",
    "version",
    "broadcast_id",
    "state",
    "created_at",
    "available_at",
    "expires_at",
    "attempts",
)
FOLLOWS = ("recipient", "dossier_code", "source", "channel", "account", "sender", "origin", "proved", "followed_at")
RUNNING = (
    "INSERT INTO broadcast (id, agency, title, author, texts, audience, state, version, created_at, canary, people, seal,"
    " editors, row_count, row_columns, busy, position, written, left_out, all_written, held_back, results, started_at)"
    " VALUES (1, 'H13', 'Nghi le', 1, '{}', '{}', 'running', 1, 0, 0, 0, '', '[]', 0, '[]', false, '', 0, '{}', true,"
    " false, '[]', 0)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """One message nobody asked for. `number` makes its id, its dossier and, where `recipient` is empty, its reader's
    telephone: 84 and so many digits.
    """

    number: int
    account: str
    sender: str
    recipient: str
    category: Category
    segments: int = 1

    @property
    def code(self) -> str:
        return f"H13.18-260601-{self.number:08}"

    @property
    def text(self) -> str:
        told = NOTICE_TEXT.format(code=self.code) if self.category is Category.NOTICE else BROADCAST_TEXT
        return f"{told}{FILLER if self.segments > 1 else ''} #{self.number}"


def row_of(bulk: Bulk, first: int, now_ms: int) -> tuple[object, ...]:
    """Of the outbox, by COLUMNS. `first` is an id before all of them."""
    notice = bulk.category is Category.NOTICE
    return (
        first + bulk.number,
        "sms",
        bulk.account,
        bulk.category.value,
        bulk.category.priority,
        f"sms:{bulk.recipient}",
        f"sms:{bulk.sender}",
        bulk.text,
        "vi",
        json.dumps({"kind": "in_process", "urgency": "normal"}) if notice else None,
        SOURCE if notice else None,
        bulk.code if notice else None,
        1 if notice else None,
        None if notice else BROADCAST,
        "ready",
        now_ms,
        now_ms,
        now_ms + 24 * HOUR_MS,
        0,
    )


def following_of(bulk: Bulk, now_ms: int) -> tuple[object, ...]:
    """Why its reader is told, by FOLLOWS."""
    return (
        f"sms:{bulk.recipient}",
        bulk.code,
        SOURCE,
        "sms",
        bulk.account,
        f"sms:{bulk.sender}",
        "text",
        False,
        now_ms,
    )


class BulkRows:
    """Writes them, a transaction of ROWS after the other, beside a gateway that runs. `open` first."""

    def __init__(self, store: AnyStore) -> None:
        self._store = store
        self._first = first_id(datetime.fromtimestamp(time.time() - HOUR_MS / 1000, UTC))

    async def open(self) -> None:
        """The broadcast all broadcast rows are of; the tables are there."""
        await self._store.execute((RUNNING, [()]))

    async def write(self, mail: Sequence[Bulk]) -> None:
        for at in range(0, len(mail), ROWS):
            if at:
                await asyncio.sleep(BREATH)
            await self._write(mail[at : at + ROWS])

    async def _write(self, mail: Sequence[Bulk]) -> None:
        now = round(time.time() * 1000)
        notices = [following_of(each, now) for each in mail if each.category is Category.NOTICE]
        rows = [row_of(each, self._first, now) for each in mail]
        await self._store.execute((_insert("subscription", FOLLOWS), notices), (_insert("outbox", COLUMNS), rows))


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - constants
