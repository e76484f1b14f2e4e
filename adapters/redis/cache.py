"""The status cache that several gateways share. A Redis that is away is a miss, and costs next to nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.codes import DossierCode
from lookup.ports import CachedAnswer

VERSION = "1"  # of what is stored: raised whenever CachedAnswer, Dossier or DossierCode change
MILLISECOND = timedelta(milliseconds=1)
T = TypeVar("T")

log = structlog.get_logger()


class RedisStatusCache:
    """Implements lookup.ports.StatusCache.

    Each call is one round trip. After a failure Redis is left alone for `back_off` seconds and then tried by one
    caller while the others do without, so that a dead one costs at most one time limit per back-off. What should have
    been dropped meanwhile stays as fresh as it was put in: seconds (LookupSettings.fresh_for).
    """

    def __init__(
        self,
        client: Redis,
        clock: Callable[[], datetime],
        *,
        prefix: str = "tracuu:",
        time_limit: float = 0.25,
        back_off: float = 1.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`jitter` gives 0..1: entries leave Redis up to a tenth before their time, so that they do not all leave at
        once. `time_limit` is in seconds, for one call.
        """
        self._client = client
        self._clock = clock
        self._prefix = f"{prefix}status:{VERSION}:"
        self._time_limit = time_limit
        self._back_off = back_off
        self._jitter = jitter
        self._retry_at: float | None = None  # event loop time; None: it answers
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(CachedAnswer).decode

    @property
    def away(self) -> bool:
        """The last call failed."""
        return self._retry_at is not None

    async def get(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, CachedAnswer]:
        if not codes:
            return {}
        stored: list[bytes | None] = await self._ask(lambda: self._client.mget([self._key(code) for code in codes]), [])
        now = self._clock()
        answers = [self._read(each) for each in stored if each is not None]
        return {answer.code: answer for answer in answers if answer is not None and now < answer.usable_until}

    async def put(self, answers: Sequence[CachedAnswer]) -> None:
        now = self._clock()
        pipeline = self._client.pipeline(transaction=False)
        for answer in answers:
            left = (answer.usable_until - now) / MILLISECOND
            lifetime = int(left * (1 - 0.1 * self._jitter()))
            if lifetime > 0:
                pipeline.set(self._key(answer.code), self._encode(answer), px=lifetime)
        if len(pipeline):
            await self._ask(pipeline.execute, [])

    async def drop(self, codes: Sequence[DossierCode]) -> None:
        if codes:
            await self._ask(lambda: self._client.delete(*(self._key(code) for code in codes)), 0)

    async def check(self) -> bool:
        """It answers now; for /readyz. It is tried at most once per back-off."""
        return bool(await self._ask(self._client.ping, default=False))

    async def _ask(self, call: Callable[[], Awaitable[Any]], default: T) -> T:
        """What Redis answers, or `default` when it is away."""
        now = asyncio.get_running_loop().time()
        if self._retry_at is not None:
            if now < self._retry_at:
                return default
            self._retry_at = now + self._back_off  # this caller tries; the others do without until it knows
        try:
            async with asyncio.timeout(self._time_limit):
                answer: T = await call()
        except (RedisError, OSError, TimeoutError) as failure:
            self._went_away(failure)
            return default
        self._came_back()
        return answer

    def _went_away(self, failure: Exception) -> None:
        if self._retry_at is None:
            log.warning("cache.away", error=type(failure).__name__)
        self._retry_at = asyncio.get_running_loop().time() + self._back_off

    def _came_back(self) -> None:
        if self._retry_at is not None:
            self._retry_at = None
            log.info("cache.back")

    def _key(self, code: DossierCode) -> str:
        """The agency is part of it: legacy numbers are unique within an agency only."""
        return f"{self._prefix}{code.agency}:{code.text}"

    def _read(self, stored: bytes) -> CachedAnswer | None:
        try:
            return self._decode(stored)
        except (msgspec.DecodeError, ValueError):
            log.warning("cache.entry_unreadable")
            return None
