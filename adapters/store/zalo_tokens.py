"""Zalo's tokens on both engines: each method is one statement, durable when it returns."""

# ruff: noqa: S608 - put together from the constants of this module, never from data

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from adapters.store.pins import Runner
from adapters.store.rows import from_ms, to_ms
from adapters.store.steps import Steps, Values
from channels.zalo.ports import StoredTokens, TokenPair

LOAD = """SELECT access_token, refresh_token, expires_at, refreshed_at, version, begun_until
FROM zalo_token WHERE account = :account"""
# Nothing comes back where that seed is among those planted before.
PLANT = """INSERT INTO zalo_token
    (account, access_token, refresh_token, expires_at, refreshed_at, version, begun_until, seeds)
VALUES (:account, :access_token, :refresh_token, :expires_at, :refreshed_at, 1, NULL, CAST(:seed AS text))
ON CONFLICT (account) DO UPDATE SET access_token = excluded.access_token, refresh_token = excluded.refresh_token,
    expires_at = excluded.expires_at, refreshed_at = excluded.refreshed_at, version = zalo_token.version + 1,
    begun_until = NULL, seeds = zalo_token.seeds || ' ' || excluded.seeds
WHERE replace(' ' || zalo_token.seeds || ' ', ' ' || excluded.seeds || ' ', '') = ' ' || zalo_token.seeds || ' '
RETURNING 1"""
_THIS_VERSION = "account = :account AND version = :version"
BEGIN = f"""UPDATE zalo_token SET begun_until = :until
WHERE {_THIS_VERSION} AND (begun_until IS NULL OR begun_until <= :now) RETURNING 1"""
SAVE = f"""UPDATE zalo_token SET access_token = :access_token, refresh_token = :refresh_token, expires_at = :expires_at,
    refreshed_at = :refreshed_at, version = version + 1, begun_until = NULL WHERE {_THIS_VERSION} RETURNING 1"""
TAKE_BACK = f"UPDATE zalo_token SET begun_until = NULL WHERE {_THIS_VERSION} RETURNING 1"
# For a store that one process at a time serves: whoever began is gone. That it began is still to be seen.
END_FORMER = "UPDATE zalo_token SET begun_until = 0 WHERE begun_until IS NOT NULL"


def load(account: str) -> Steps[StoredTokens | None]:
    rows = yield LOAD, {"account": account}
    if not rows:
        return None
    access_token, refresh_token, expires_at, refreshed_at, version, begun_until = rows[0]
    pair = TokenPair(
        access_token=access_token,
        refresh_token=refresh_token,
        expires_at=from_ms(expires_at),
        refreshed_at=from_ms(refreshed_at),
    )
    return StoredTokens(pair=pair, version=version, begun=begun_until is not None)


def changed(statement: str, values: Values) -> Steps[bool]:
    """Whether there was a row to be changed."""
    return bool((yield statement, values))


def _cells(pair: TokenPair) -> Values:
    return {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "expires_at": to_ms(pair.expires_at),
        "refreshed_at": to_ms(pair.refreshed_at),
    }


class StoreZaloTokens:
    """Implements channels.zalo.ports.ZaloTokens. Raises StoreUnavailable when nothing was done, StoreUncertain when that
    is not known.
    """

    def __init__(self, run: Runner, clock: Callable[[], datetime]) -> None:
        self._run = run
        self._clock = clock

    async def load(self, account: str) -> StoredTokens | None:
        return await self._run(load(account))

    async def plant(self, account: str, pair: TokenPair, seed: str) -> bool:
        """See the port. Raises ValueError: the seed is not one word."""
        if seed.split() != [seed]:
            raise ValueError("a seed is one word")
        return await self._run(changed(PLANT, {"account": account, **_cells(pair), "seed": seed}))

    async def begin(self, account: str, version: int, lease: timedelta) -> bool:
        now = self._clock()
        values: Values = {"account": account, "version": version, "now": to_ms(now), "until": to_ms(now + lease)}
        return await self._run(changed(BEGIN, values))

    async def save(self, account: str, version: int, pair: TokenPair) -> bool:
        return await self._run(changed(SAVE, {"account": account, "version": version, **_cells(pair)}))

    async def take_back(self, account: str, version: int) -> None:
        await self._run(changed(TAKE_BACK, {"account": account, "version": version}))
