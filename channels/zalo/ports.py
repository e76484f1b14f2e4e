"""Where tokens are kept. A refresh token works once, so that losing one means a person has to authorise us again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from domain.message import require_aware


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """What the platform gives: a token to call with, and the one that gets the next pair, once.

    `refreshed_at`: when it was given; from then the refresh token's age counts.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime  # of the access token
    refreshed_at: datetime

    def __post_init__(self) -> None:
        require_aware(self.expires_at, "expires_at")
        require_aware(self.refreshed_at, "refreshed_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTokens:
    """A pair as it is kept. `version` rises with every pair. `begun`: somebody began to spend its refresh token, and
    neither a new pair was saved nor the beginning taken back: whether it is spent nobody knows.
    """

    pair: TokenPair
    version: int
    begun: bool = False


class ZaloTokens(Protocol):
    """One row an account: account, access_token, refresh_token, expires_at, refreshed_at, version, begun_until (empty:
    nobody is at it), seeds (hashes of pairs that persons gave). Each method is one transaction, durable when it
    returns; all raise StoreError.
    """

    async def load(self, account: str) -> StoredTokens | None: ...

    async def plant(self, account: str, pair: TokenPair, seed: str) -> bool:
        """A person's pair takes the place of whatever is kept, as a new version that nobody has begun. False, and
        nothing happens, where `seed` was planted before: settings that are older than the store must not bring back
        a token that is spent.
        """
        ...

    async def begin(self, account: str, version: int, lease: timedelta) -> bool:
        """Write down that this version's refresh token is about to be spent, for so long by the store's clock. False:
        the version is past, or somebody else is at it and the time is not over. A store that only one process at a
        time may serve takes what an earlier process began as over at once.
        """
        ...

    async def save(self, account: str, version: int, pair: TokenPair) -> bool:
        """The pair that was got for `version`; nobody is at it any more. False: that version is past."""
        ...

    async def take_back(self, account: str, version: int) -> None:
        """Nothing was spent: as if it had not begun. Nothing happens where the version is past."""
        ...
