"""What several gateways share beside the store: cache, budgets and signals, in Redis or in this process's memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from adapters.memory.budgets import MemoryBudgets
from adapters.memory.cache import MemoryStatusCache
from adapters.memory.signals import MemorySignals
from channels.base import Health
from conversation.ports import Budgets
from domain.errors import SettingsError
from gateway.http import Check
from gateway.settings import RedisSettings, Settings
from lookup.cache import TwoLevelCache
from lookup.ports import Signals, StatusCache

if TYPE_CHECKING:
    from adapters.redis.client import SharedRedis

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
    return _before(redis, settings.redis.prefix, near, own, clock, stack)


def _before(
    redis: SharedRedis,
    prefix: str,
    near: MemoryStatusCache,
    own: MemoryBudgets,
    clock: Callable[[], datetime],
    stack: AsyncExitStack,
) -> Shared:
    """Redis, and the process's own behind it."""
    from adapters.redis.budgets import RedisBudgets  # noqa: PLC0415 - heavy: without a Redis its driver is not imported
    from adapters.redis.cache import RedisStatusCache  # noqa: PLC0415
    from adapters.redis.signals import RedisSignals  # noqa: PLC0415

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
    from adapters.redis.client import connect  # noqa: PLC0415 - heavy, as above

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
