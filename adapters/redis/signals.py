"""Signals between gateways by Redis' publish and subscribe, on a connection of their own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
import structlog
from redis.asyncio.client import PubSub

from adapters.redis.client import AWAY, SharedRedis, in_words
from domain.codes import DossierCode
from lookup.ports import Signal

VERSION = "1"  # of what is sent

log = structlog.get_logger()


class RedisSignals:
    """Implements lookup.ports.Signals.

    A listener that hears nothing for `ping_every` seconds asks whether the line still stands. When it does not, it is
    opened anew after a pause that doubles from a quarter of a second up to `longest_pause`; an interruption is logged
    when it begins and when it ends.
    """

    def __init__(
        self,
        redis: SharedRedis,
        *,
        prefix: str = "tracuu:",
        ping_every: float = 5.0,
        longest_pause: float = 5.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`jitter` gives 0..1: a pause is shortened by up to half, so that gateways do not come back all at once."""
        self._redis = redis
        self._channel = f"{prefix}signals:{VERSION}"
        self._ping_every = ping_every
        self._longest_pause = longest_pause
        self._jitter = jitter
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(tuple[DossierCode, ...]).decode

    async def publish(self, codes: Sequence[DossierCode]) -> None:
        if codes:
            message = self._encode(codes)
            await self._redis.ask(lambda client: client.publish(self._channel, message), 0)

    async def listen(self) -> AsyncGenerator[Signal, None]:
        failures = 0
        while True:
            try:
                async with self._redis.client.pubsub() as line, aclosing(self._hear(line)) as heard:
                    async for signal in heard:
                        if failures and signal.missed:
                            failures = 0
                            log.info("signals.heard")
                        yield signal
            except AWAY as failure:
                if not failures:
                    log.warning("signals.lost", fault=in_words(failure))
                failures += 1
            await asyncio.sleep(self._pause(failures))

    async def _hear(self, line: PubSub) -> AsyncGenerator[Signal, None]:
        """What one connection brings, until it is lost. Each confirmed subscription may follow an interruption."""
        limit = self._redis.time_limit
        async with asyncio.timeout(limit):
            await line.subscribe(self._channel)
        asked = True
        while True:
            wait = limit if asked else self._ping_every
            async with asyncio.timeout(wait + limit):  # a line that breaks is tried once more by redis-py
                message: dict[str, Any] | None = await line.get_message(timeout=wait)
            if message is not None:
                asked = False
                if message["type"] == "subscribe":
                    yield Signal(missed=True)
                elif message["type"] == "message":
                    yield self._read(message["data"])
            elif asked:
                raise TimeoutError
            else:
                asked = True
                async with asyncio.timeout(limit):
                    await line.ping()

    def _read(self, data: bytes) -> Signal:
        try:
            return Signal(codes=self._decode(data))
        except (msgspec.DecodeError, ValueError):
            log.warning("signals.unreadable")
            return Signal(missed=True)

    def _pause(self, failures: int) -> float:
        """Seconds before the next try."""
        pause: float = min(0.25 * 2 ** min(failures - 1, 10), self._longest_pause)
        return pause * (1 - 0.5 * self._jitter())
