"""Where a feed goes on, as small text that is stored with what was found out; and pages that lose nothing (pure)."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

R = TypeVar("R")

VERSION = 1


def write_cursor(**parts: object) -> str:
    """The parts as text."""
    return json.dumps({"v": VERSION, **parts}, ensure_ascii=False, separators=(",", ":"))


def read_cursor(cursor: str | None) -> Mapping[str, Any]:
    """Its parts; empty for None.

    Raises:
        ValueError: it is none of ours, or of a version we do not know.
    """
    if cursor is None:
        return {}
    parts = json.loads(cursor)
    if not isinstance(parts, dict) or parts.get("v") != VERSION:
        raise ValueError("the cursor is of another version")
    return parts


def whole_groups(rows: Sequence[R], page: int, key: Callable[[R], Hashable]) -> tuple[Sequence[R], bool]:
    """What is taken of a page, and whether there is another. Rows with the same key as the last may go on behind the
    page: they are left to the next one, unless the page holds nothing else.
    """
    if len(rows) < page:
        return rows, False
    last = key(rows[-1])
    before = [row for row in rows if key(row) != last]
    return before or rows, True
