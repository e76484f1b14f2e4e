"""Keeps an access token that works: renewed before its end, when it is refused, by one process at a time.

A refresh token works once, and no store and platform can commit together. So every renewal is written down before it
begins, the new pair is durable before anybody uses it, and a renewal under way is finished even when we are told to
stop. What is left is a process that dies between the platform's spending of the old token and our saving of the new
one (one round trip and one commit, about once in twenty hours). The next process sees that a renewal was begun and
tries at once with the old token; whether the platform takes it again is not known. If not, that is an alarm: a person
has to authorise us again, and for the rest of its life (a fifth) the access token that is kept goes on working.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from channels.zalo.account import ZaloAccount
from channels.zalo.api import Grant, GrantRefused
from channels.zalo.counters import ZaloCounters
from channels.zalo.errors import NoAnswer, NotSent
from channels.zalo.ports import StoredTokens, TokenPair, ZaloTokens
from domain.errors import ChannelError, StoreError

TRIES: Final = 3  # of one renewal that gets no answer
PER_TRY: Final = 5.0  # seconds a try may take beside the platform's
SHARE: Final = 0.8  # of an access token's life after which it is renewed
LOOK_EVERY: Final = 300.0  # seconds between looks at the store: a person may have put a new pair there
FIRST_WAIT: Final = 5.0  # seconds after a renewal that failed; doubled each time
LONGEST_WAIT: Final = 3600.0
SAVE_EVERY: Final = 1.0  # seconds between tries to save
ASK_EVERY: Final = 1.0  # seconds between looks while another process renews
FINISH_WITHIN: Final = 30.0  # seconds a renewal under way is given when we stop
ALARM_EVERY: Final = timedelta(hours=24)

log = structlog.get_logger()


class NoToken(ChannelError):
    """Nothing can be sent for want of a token; the message says why."""


class Renewer(Protocol):
    """channels.zalo.api.ZaloApi, as far as tokens go."""

    async def renew(self, refresh_token: str) -> Grant: ...


class TokenKeeper:
    """The tokens of one account.

    clock: aware moments. monotonic: seconds that only rise. sleep: how to wait.
    """

    def __init__(
        self,
        account: ZaloAccount,
        tokens: ZaloTokens,
        renewer: Renewer,
        counters: ZaloCounters,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.trouble = ""  # why a renewal failed, or how soon a person is needed; empty: all is well
        self._account = account
        self._tokens = tokens
        self._renewer = renewer
        self._counters = counters
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._stored: StoredTokens | None = None
        self._renewal: asyncio.Task[str] | None = None
        self._seed = account.refresh_token  # until it was shown to the store
        self._dead = ""  # the access token the platform has refused, whatever its time
        self._failures = 0
        self._not_before = 0.0  # monotonic: no renewal until then, after one that failed
        self._alarmed_at: datetime | None = None
        self._log = log.bind(account=account.name)
        # Longer than all tries of one renewal take, so that two processes are never at the same token.
        self._lease = timedelta(seconds=TRIES * (account.timeout + account.connect_timeout + PER_TRY))

    @property
    def token(self) -> str:
        """The access token, or "" where there is none that works."""
        return self._access_token if self._stored is not None and self._lives(self._stored.pair) else ""

    @property
    def days_left(self) -> float | None:
        """Until the refresh token ends and a person is needed, if it is not renewed; None: there is none."""
        if self._stored is None:
            return None
        left = self._stored.pair.refreshed_at + self._account.refresh_life - self._clock()
        return left.total_seconds() / 86_400

    async def keep(self) -> None:
        """Until cancelled; a renewal under way is then finished first."""
        try:
            while True:
                await self._turn()
                await self._sleep(self._wait())
        finally:
            await self.finish()

    async def renew(self, refused: str) -> str:
        """Another access token than the one the platform refused.

        Raises:
            NoToken: there is none for now.
            StoreError: the store is away, so that no refresh token may be spent.
        """
        self._dead = refused or self._dead
        return self.token or await self._renewed()

    async def _renewed(self) -> str:
        """All who ask wait for one renewal, and whoever stops waiting does not stop it."""
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(_looked_at)
        return await asyncio.shield(self._renewal)

    async def finish(self) -> None:
        """Wait for a renewal under way: its new pair may exist nowhere but here."""
        if self._renewal is not None and not self._renewal.done():
            await asyncio.wait({self._renewal}, timeout=FINISH_WITHIN)
            self._renewal.cancel()

    # ---- every now and then

    async def _turn(self) -> None:
        try:
            await self._look()
            if self._stored is not None and (not self.token or self._is_due(self._stored.pair)):
                await self._renewed()
        except (NoToken, StoreError) as error:
            self._log.warning("zalo.token_waits", error=type(error).__name__, reason=str(error))
        self._judge_age()

    async def _look(self) -> None:
        """What the store has now; the settings' token is put there once."""
        if self._seed:
            await self._plant(self._seed)
            self._seed = ""
        stored = await self._tokens.load(self._account.name)
        if stored is None:
            self.trouble = "nobody has authorised us: no refresh token"
        else:
            self._adopt(stored)

    async def _plant(self, seed: str) -> None:
        now = self._clock()
        pair = TokenPair(access_token="", refresh_token=seed, expires_at=now, refreshed_at=now)
        if await self._tokens.plant(self._account.name, pair, hashlib.sha256(seed.encode()).hexdigest()):
            self._log.info("zalo.token_planted")

    @property
    def _access_token(self) -> str:
        return self._stored.pair.access_token if self._stored is not None else ""

    def _lives(self, pair: TokenPair) -> bool:
        return pair.access_token not in ("", self._dead) and self._clock() < pair.expires_at

    def _due_at(self, pair: TokenPair) -> datetime:
        return pair.refreshed_at + (pair.expires_at - pair.refreshed_at) * SHARE

    def _is_due(self, pair: TokenPair) -> bool:
        return self._clock() >= self._due_at(pair)

    def _wait(self) -> float:
        """Seconds until the next turn."""
        if self._stored is None or self._failures:
            return min(LOOK_EVERY, max(FIRST_WAIT, self._not_before - self._monotonic()))
        left = (self._due_at(self._stored.pair) - self._clock()).total_seconds()
        return min(LOOK_EVERY, max(FIRST_WAIT, left))

    def _judge_age(self) -> None:
        """An alarm while there is time: only a renewal makes the refresh token young again, so that an old one says
        that they have failed for long, or that we were not running.
        """
        if self._stored is None:
            return
        now = self._clock()
        left = self._stored.pair.refreshed_at + self._account.refresh_life - now
        if left > self._account.alarm_before:
            self._alarmed_at = None
        elif self._alarmed_at is None or now - self._alarmed_at >= ALARM_EVERY:
            self._alarmed_at = now
            self.trouble = f"the refresh token ends in {left.days} days"
            self._log.error("zalo.authorisation_ends", days=left.days)

    # ---- a renewal

    async def _renew(self) -> str:
        if self._monotonic() < self._not_before:
            raise NoToken(self.trouble)
        try:
            stored = await self._begin()
            if stored is not None:
                pair = await self._spend(stored)
                if pair is not None:
                    await self._save(stored.version, pair)
        except NoToken as trouble:
            self._counters.renewals_failed += 1
            self.trouble = str(trouble)
            self._not_before = self._monotonic() + min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(self._failures, 20))
            self._failures += 1
            raise
        return self._access_token

    async def _begin(self) -> StoredTokens | None:
        """What is to be spent, written down as begun; None where another process has renewed it meanwhile."""
        while True:
            stored = await self._tokens.load(self._account.name)
            if stored is None:
                raise NoToken("nobody has authorised us: no refresh token")
            if self._lives(stored.pair) and not self._is_due(stored.pair):
                self._adopt(stored)
                return None
            if await self._tokens.begin(self._account.name, stored.version, self._lease):
                return stored
            await self._sleep(ASK_EVERY)

    async def _spend(self, stored: StoredTokens) -> TokenPair | None:
        """A new pair, that exists nowhere but here; None where another process has saved one meanwhile."""
        in_doubt = stored.begun
        for _ in range(TRIES):
            try:
                grant = await self._renewer.renew(stored.pair.refresh_token)
            except NotSent as error:
                if not in_doubt:
                    await self._tokens.take_back(self._account.name, stored.version)
                raise NoToken(str(error)) from error
            except NoAnswer as error:
                in_doubt = True
                self._log.warning("zalo.renewal_unanswered", reason=str(error))
            except GrantRefused as refusal:
                await self._refused(stored, refusal, in_doubt=in_doubt)
                return None
            else:
                now = self._clock()
                return TokenPair(
                    access_token=grant.access_token,
                    refresh_token=grant.refresh_token,
                    expires_at=now + timedelta(seconds=grant.expires_in),
                    refreshed_at=now,
                )
        raise NoToken("the platform does not answer; the refresh token may be spent")

    async def _refused(self, stored: StoredTokens, refusal: GrantRefused, *, in_doubt: bool) -> None:
        """Nothing is lost where somebody else has a newer pair. Otherwise only a person can help."""
        latest = await self._tokens.load(self._account.name)
        if latest is not None and latest.version != stored.version:
            self._adopt(latest)
            return
        await self._tokens.take_back(self._account.name, stored.version)
        self._log.error("zalo.authorisation_lost", code=refusal.code, in_doubt=in_doubt)
        raise NoToken("the platform refuses the refresh token: authorise the application again") from refusal

    async def _save(self, version: int, pair: TokenPair) -> None:
        """Until it is saved, however long that takes: nothing else knows this pair, and the old one is spent."""
        while True:
            try:
                ours = await self._tokens.save(self._account.name, version, pair)
            except StoreError as error:
                self._log.error("zalo.token_not_saved", error=type(error).__name__)
                await self._sleep(SAVE_EVERY)
                continue
            break
        self._counters.renewals += 1
        if ours:
            self._adopt(StoredTokens(pair=pair, version=version + 1))
            self._log.info("zalo.token_renewed", version=version + 1)
        else:
            await self._look()

    def _adopt(self, stored: StoredTokens) -> None:
        if self._stored is None or stored.version != self._stored.version:
            self._failures = 0
            self._not_before = 0.0
            self.trouble = ""
            self._alarmed_at = None
        self._stored = stored


def _looked_at(renewal: asyncio.Task[str]) -> None:
    """Whoever waited has its error; nobody may have waited."""
    if not renewal.cancelled():
        renewal.exception()
