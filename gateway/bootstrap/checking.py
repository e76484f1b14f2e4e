"""Connects to everything the settings name and says what is wrong: `tracuu check-config`. Nothing is changed anywhere."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from adapters.store.overview import schema_of_sqlite
from channels.base import Health
from domain.errors import StoreUnavailable
from gateway.bootstrap.shared import connect_redis, redis_check
from gateway.bootstrap.sources import make_sealer, make_sources, source_checks
from gateway.bootstrap.store import make_store, timeouts
from gateway.bootstrap.words import read_words
from gateway.http import Check, ask
from gateway.metrics import Metrics
from gateway.settings import Settings, SmsSettings

TIME_LIMIT = 10.0  # seconds for each


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried."""

    name: str
    health: Health


async def check(settings: Settings) -> Sequence[Finding]:
    """Try everything at once: the store, Redis, every source, every SMSC's port.

    Raises:
        SettingsError: a file the settings name does not hold what it should.
    """
    read_words(settings)
    async with AsyncExitStack() as stack:
        checks = _checks(settings, stack)
        healths = await asyncio.gather(*(ask(name, each, TIME_LIMIT) for name, each in checks.items()))
    return [Finding(name, health) for name, health in zip(checks, healths, strict=True)]


def _checks(settings: Settings, stack: AsyncExitStack) -> Mapping[str, Check]:
    checks: dict[str, Check] = {"store": lambda: _check_store(settings)}
    redis = connect_redis(settings.redis)
    if redis is not None:
        stack.push_async_callback(redis.aclose)
        checks["redis"] = redis_check(redis)
    checks |= source_checks(make_sources(settings, Metrics(), stack, make_sealer(settings)))
    return checks | {f"sms {account.name}": _smsc_check(account) for account in settings.sms}


# ---- the store


async def _check_store(settings: Settings) -> Health:
    database = settings.database
    if not database.shared:
        return await asyncio.to_thread(_check_file, database.path)
    make_store(settings)  # which says what does not go together
    from adapters.store.postgres_overview import schema_of_postgres  # noqa: PLC0415 - an extra

    return Health(ok=True, detail=await schema_of_postgres(database.url.get_secret_value(), timeouts(database)))


def _check_file(path: Path) -> Health:
    if path.exists():
        return Health(ok=True, detail=schema_of_sqlite(path))
    nearest = next(parent for parent in path.absolute().parents if parent.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise StoreUnavailable(f"{path} is not there, and {nearest} is no directory we may write in")
    return Health(ok=True, detail="not there yet; the first start makes it")


# ---- an SMSC


def _smsc_check(account: SmsSettings) -> Check:
    """Only its port: a bind would push a gateway that serves out of its session at many an operator's."""

    async def check() -> Health:
        where = f"{account.host}:{account.port}"
        try:
            async with asyncio.timeout(account.connect_timeout):
                _, writer = await asyncio.open_connection(account.host, account.port)
        except TimeoutError:
            return Health(ok=False, detail=f"{where} did not answer within {account.connect_timeout:g} s")
        except OSError as error:
            return Health(ok=False, detail=f"{where} cannot be reached: {os.strerror(error.errno or 0) or error}")
        writer.close()
        return Health(ok=True, detail=f"{where} can be reached; whether it takes our name and password is not tried")

    return check
