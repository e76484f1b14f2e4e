"""What several gateways share beside the store: cache, budgets and signals, in Redis or in this process's memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime

import structlog

from adapters.memory.budgets import MemoryBudgets
from adapters.memory.cache import MemoryStatusCache
from adapters.memory.signals import MemorySignals
from adapters.redis.budgets import RedisBudgets
from adapters.redis.cache import RedisStatusCache
from adapters.redis.client import SharedRedis, connect
from adapters.redis.signals import RedisSignals
from channels.base import Health
from conversation.ports import Budgets
from domain.errors import SettingsError
from gateway.http import Check
from gateway.settings import RedisSettings, Settings
from lookup.cache import TwoLevelCache
from lookup.ports import Signals, StatusCache

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """One of each; `check` is Redis', where there is one."""

    cache: StatusCache
    budgets: Budgets
    signals: Signals
    check: Check | None = None


def make_shared(settings: Settings, clock: Callable[[], datetime], stack: AsyncExitStack) -> Shared:
    """The process's own, before a Redis where one is configured.

    Raises:
        SettingsError: redis.url cannot be used.
    """
    near = MemoryStatusCache(clock, size=settings.lookup.cache_entries)
    own = MemoryBudgets(time.monotonic)
    redis = connect_redis(settings.redis)
    log.info("cache.chosen", kind="memory" if redis is None else "redis")
    if redis is None:
        return Shared(cache=near, budgets=own, signals=MemorySignals())
    prefix = settings.redis.prefix
    cache = TwoLevelCache(near, RedisStatusCache(redis, clock, prefix=prefix), clock)
    budgets = RedisBudgets(redis, own, prefix=prefix)
    for close in (redis.aclose, cache.close, budgets.close):
        stack.push_async_callback(close)
    signals = RedisSignals(redis, prefix=prefix)
    return Shared(cache=cache, budgets=budgets, signals=signals, check=redis_check(redis))


def connect_redis(settings: RedisSettings) -> SharedRedis | None:
    """Not connected yet; None where none is configured.

    Raises:
        SettingsError: its address cannot be used.
    """
    if settings.url is None:
        return None
    try:
        return connect(settings.url.get_secret_value(), time_limit=settings.timeout_s, ca_certs=settings.ca_file)
    except ValueError as error:
        raise SettingsError(f"redis.url: {error}") from error


def redis_check(redis: SharedRedis) -> Check:
    """It answers now, or what is wrong and what follows."""

    async def check() -> Health:
        ok = await redis.check()
        return Health(ok=ok, detail="" if ok else f"away: {redis.fault}; this process's memory stands in for it")

    return check
