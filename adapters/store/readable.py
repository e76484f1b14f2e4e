"""Rows nobody here can read, written by another version or by hand: they must not keep the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

UNREADABLE = "unreadable"  # the reason of a row of the outbox that was closed for it

Row = TypeVar("Row", bound=tuple[object, ...])
Read = TypeVar("Read")

log = structlog.get_logger()


def readable(rows: Iterable[Row], read: Callable[[Row], Read], table: str) -> tuple[list[Read], list[int]]:
    """Each row read, and the ids of those that cannot be, which are told."""
    good: list[Read] = []
    bad: list[int] = []
    for row in rows:
        try:
            good.append(read(row))
        except Exception as error:  # noqa: BLE001 - told without its words, which may hold values
            log.error("store.row_unreadable", table=table, id=row[0], error=type(error).__name__)  # noqa: TRY400 - likewise
            bad.append(int(str(row[0])))
    return good, bad
