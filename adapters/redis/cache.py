"""The status cache that several gateways share. A Redis that is away is a miss, and costs next to nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from adapters.redis.client import SharedRedis
from domain.codes import DossierCode
from lookup.ports import CachedAnswer

VERSION = "2"  # of what is stored: raised whenever CachedAnswer, Dossier or DossierCode change
MILLISECOND = timedelta(milliseconds=1)

log = structlog.get_logger()


class RedisStatusCache:
    """Implements lookup.ports.StatusCache.

    Each call is one round trip, and its keys are tagged to share a slot. What should have been dropped while Redis was
    away stays as fresh as it was put in: seconds (LookupSettings.fresh_for).
    """

    def __init__(
        self,
        redis: SharedRedis,
        clock: Callable[[], datetime],
        *,
        prefix: str = "tracuu:",
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`jitter` gives 0..1: entries leave Redis up to a tenth before their time, so that they do not all leave at
        once.
        """
        self._redis = redis
        self._clock = clock
        self._prefix = f"{prefix}{{status}}:{VERSION}:"
        self._jitter = jitter
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(CachedAnswer).decode

    async def get(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, CachedAnswer]:
        if not codes:
            return {}
        keys = [self._key(code) for code in codes]
        stored: list[bytes | None] = await self._redis.ask(lambda client: client.mget(keys), [])
        now = self._clock()
        answers = [self._read(each) for each in stored if each is not None]
        return {answer.code: answer for answer in answers if answer is not None and now < answer.usable_until}

    async def put(self, answers: Sequence[CachedAnswer]) -> None:
        now = self._clock()
        pipeline = self._redis.client.pipeline(transaction=False)
        for answer in answers:
            left = (answer.usable_until - now) / MILLISECOND
            lifetime = int(left * (1 - 0.1 * self._jitter()))
            if lifetime > 0:
                pipeline.set(self._key(answer.code), self._encode(answer), px=lifetime)
        if len(pipeline):
            await self._redis.ask(lambda _: pipeline.execute(), [])

    async def drop(self, codes: Sequence[DossierCode]) -> None:
        if codes:
            keys = [self._key(code) for code in codes]
            await self._redis.ask(lambda client: client.delete(*keys), 0)

    async def clear(self) -> None:
        """Nothing here is the process's own."""

    def _key(self, code: DossierCode) -> str:
        """The agency is part of it: legacy numbers are unique within an agency only."""
        return f"{self._prefix}{code.agency}:{code.text}"

    def _read(self, stored: bytes) -> CachedAnswer | None:
        try:
            return self._decode(stored)
        except (msgspec.DecodeError, ValueError):
            log.warning("cache.entry_unreadable")
            return None
