"""Zalo tokens in one small file: the port's rules without a database, durable when a method returns."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from channels.zalo.ports import StoredTokens, TokenPair
from domain.errors import StoreUnavailable


def now() -> datetime:
    return datetime.now(UTC)


class FileTokens:
    """Implements channels.zalo.ports.ZaloTokens. `on_step` is told where a process may be killed."""

    def __init__(
        self, path: Path, clock: Callable[[], datetime] = now, on_step: Callable[[str], None] = lambda _: None
    ) -> None:
        self.fails = 0  # so many calls find the store away
        self._path = path
        self._clock = clock
        self._on_step = on_step

    async def load(self, account: str) -> StoredTokens | None:
        with self._locked() as rows:
            return _stored(rows[account]) if account in rows else None

    async def plant(self, account: str, pair: TokenPair, seed: str) -> bool:
        with self._locked() as rows:
            row = rows.get(account, {"version": 0, "seeds": []})
            if seed in row["seeds"]:
                return False
            rows[account] = {**_row(pair, row["version"] + 1), "seeds": [*row["seeds"], seed]}
            self._write(rows)
        return True

    async def begin(self, account: str, version: int, lease: timedelta) -> bool:
        with self._locked() as rows:
            row = rows[account]
            taken = row["begun_until"] is not None and self._clock() < datetime.fromisoformat(row["begun_until"])
            if row["version"] != version or taken:
                return False
            row["begun_until"] = (self._clock() + lease).isoformat()
            self._write(rows)
        self._on_step("begun")
        return True

    async def save(self, account: str, version: int, pair: TokenPair) -> bool:
        self._on_step("answered")
        with self._locked() as rows:
            row = rows[account]
            if row["version"] != version:
                return False
            rows[account] = {**_row(pair, version + 1), "seeds": row["seeds"]}
            self._write(rows)
        self._on_step("saved")
        return True

    async def take_back(self, account: str, version: int) -> None:
        with self._locked() as rows:
            if rows[account]["version"] == version:
                rows[account]["begun_until"] = None
                self._write(rows)

    @contextmanager
    def _locked(self) -> Iterator[dict[str, Any]]:
        if self.fails:
            self.fails -= 1
            raise StoreUnavailable("the token file is away")
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield json.loads(self._path.read_text()) if self._path.exists() else {}

    def _write(self, rows: dict[str, Any]) -> None:
        """Whole or not at all: written beside, then put in its place."""
        beside = self._path.with_suffix(".new")
        with beside.open("w") as file:
            json.dump(rows, file)
            file.flush()
            os.fsync(file.fileno())
        self._on_step("written")
        beside.replace(self._path)


def _row(pair: TokenPair, version: int) -> dict[str, Any]:
    return {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "expires_at": pair.expires_at.isoformat(),
        "refreshed_at": pair.refreshed_at.isoformat(),
        "version": version,
        "begun_until": None,
    }


def _stored(row: dict[str, Any]) -> StoredTokens:
    pair = TokenPair(
        access_token=row["access_token"],
        refresh_token=row["refresh_token"],
        expires_at=datetime.fromisoformat(row["expires_at"]),
        refreshed_at=datetime.fromisoformat(row["refreshed_at"]),
    )
    return StoredTokens(pair=pair, version=row["version"], begun=row["begun_until"] is not None)
