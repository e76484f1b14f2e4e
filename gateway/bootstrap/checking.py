"""Connects to everything the settings name and says what is wrong: `tracuu check-config`. Nothing is changed anywhere."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pydantic import SecretStr
from yarl import URL

from adapters.store.overview import schema_of_sqlite, sqlite_lacks_tables
from channels.base import Health
from domain.agencies import Agencies
from domain.calendar import local_day
from domain.code_legacy import LegacyPattern
from domain.errors import GatewayError, StoreUnavailable
from gateway.bootstrap.calendar import read_calendar
from gateway.bootstrap.console_texts import read_console_texts
from gateway.bootstrap.incidents import unreachable
from gateway.bootstrap.intake import refuse_slips
from gateway.bootstrap.intake_files import FilesRoom
from gateway.bootstrap.officers import list_officers
from gateway.bootstrap.shared import connect_redis, redis_check
from gateway.bootstrap.sources import asked_over_http, make_sealer, make_sources, source_checks
from gateway.bootstrap.store import make_store, schema_of, timeouts
from gateway.bootstrap.telegram import telegram_checks
from gateway.bootstrap.watching import watched_how
from gateway.bootstrap.words import Words, read_words
from gateway.http import Check, ask
from gateway.metrics import Metrics
from gateway.settings import NoticeSettings, Settings, SmsSettings, SourceSettings, ZaloSettings
from gateway.terminal import without_secret

TIME_LIMIT = 10.0  # seconds for each


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried."""

    name: str
    health: Health


async def check(settings: Settings) -> Sequence[Finding]:
    """Try everything at once: the store, Redis, every source, every SMSC's port, every bot's token, every platform's
    port; and whether people can be told as the settings say.

    Raises:
        SettingsError: a file the settings name does not hold what it should.
    """
    words = read_words(settings)
    async with AsyncExitStack() as stack:
        checks = {**_checks(settings, stack), **_notice_checks(settings, words)}
        checks["console"] = partial(_check_console, settings, words.agencies)
        if settings.intake.agencies:
            checks["intake"] = partial(_check_desk, settings, words)
        healths = await asyncio.gather(*(ask(name, each, TIME_LIMIT) for name, each in checks.items()))
    return [Finding(name, health) for name, health in zip(checks, healths, strict=True)]


def _checks(settings: Settings, stack: AsyncExitStack) -> Mapping[str, Check]:
    checks: dict[str, Check] = {"store": _placed(settings.database.url, partial(_check_store, settings))}
    redis = connect_redis(settings.redis)
    if redis is not None:
        stack.push_async_callback(redis.aclose)
        checks["redis"] = redis_check(redis)
    checks |= _source_checks(settings, stack)
    if settings.intake.agencies:
        ours = f"source {settings.intake.source}"
        checks[ours] = partial(_check_ours, settings, checks[ours])
        checks["files"] = FilesRoom(settings.intake).health
    checks |= {f"sms {account.name}": _smsc_check(account) for account in settings.sms}
    checks |= telegram_checks(settings.telegram, settings.web.base_url)
    return checks | {f"zalo {account.name}": _platform_check(account) for account in settings.zalo}


def _source_checks(settings: Settings, stack: AsyncExitStack) -> Mapping[str, Check]:
    """A driver's words seldom name the place."""
    checks = source_checks(make_sources(settings, Metrics(), stack, make_sealer(settings)))
    return checks | {
        name: _placed(each.url, checks[name])
        for each in settings.sources
        if not asked_over_http(each) and (name := f"source {each.name}") in checks
    }


def _placed(url: SecretStr, check: Check) -> Check:
    """The check, which names the place where it fails; never who asks there."""

    async def placed() -> Health:
        try:
            return await check()
        except GatewayError as error:
            return Health(ok=False, detail=f"{without_secret(url.get_secret_value())}: {error}")

    return placed


# ---- notices; nothing is connected for them


def _notice_checks(settings: Settings, words: Words) -> Mapping[str, Check]:
    legacy = words.agencies.legacy_patterns()
    checks: dict[str, Check] = {"notices": partial(_check_notices, settings.notices, words.agencies)}
    return checks | {
        f"watch {source.name}": partial(_check_watch, settings, source, legacy) for source in settings.sources
    }


async def _check_notices(chosen: NoticeSettings, agencies: Agencies) -> Health:
    """The calendar, the agencies that are named, and when people are told."""
    read_calendar(chosen.calendar, local_day(datetime.now(UTC)))
    named = [("officers", each.agency) for each in chosen.officers]
    named += [("off", each.agency) for each in chosen.off if each.agency]
    unknown = [f"{table}: {agency}" for table, agency in named if agencies.find(agency) is None]
    if unknown:
        return Health(ok=False, detail=f"no agency of this name, nor one above it: {'; '.join(unknown)}")
    quiet = f"quiet from {chosen.quiet_from:%H:%M} to {chosen.quiet_until:%H:%M}"
    if chosen.quiet_from == chosen.quiet_until:
        quiet = "no quiet hours"
    return Health(ok=True, detail=f"{quiet}, {chosen.per_day} a day, officers of {len(chosen.officers)} agencies")


async def _check_watch(settings: Settings, source: SourceSettings, legacy: Sequence[LegacyPattern]) -> Health:
    return Health(ok=True, detail=await watched_how(settings, source, legacy))


# ---- the console; nothing is connected for it but the store


async def _check_console(settings: Settings, agencies: Agencies) -> Health:
    """Its words, the agencies that are named, how incidents are told, and whether anybody can sign in."""
    chosen = settings.console
    texts = read_console_texts(settings)
    unknown = [each.agency for each in chosen.legal_bases if agencies.find(each.agency) is None]
    if unknown:
        return Health(
            ok=False, detail=f"console.legal_bases: no agency of this name, nor one above it: {'; '.join(unknown)}"
        )
    if missing := unreachable(settings):
        return Health(ok=False, detail=f"console.incident_recipients: no account by which to tell {', '.join(missing)}")
    told = [
        f"in {', '.join(texts)}",
        await _officers_in_words(settings),
        f"incidents are told to {len(chosen.incident_recipients) or 'nobody'}",
        "over https only" if chosen.secure_cookies else "over http as well: for a demo only",
    ]
    return Health(ok=True, detail=", ".join(told))


async def _officers_in_words(settings: Settings) -> str:
    try:
        count = len(await list_officers(settings))
    except StoreUnavailable:  # the check of the store says why
        return "officers not counted"
    return f"{count} officers" if count else "no officer yet: tracuu officer add"


# ---- the store


async def _check_store(settings: Settings) -> Health:
    database = settings.database
    if not database.shared:
        return await asyncio.to_thread(_check_file, database.path)
    make_store(settings)  # which says what does not go together
    return Health(ok=True, detail=await schema_of(settings))


def _check_file(path: Path) -> Health:
    if path.exists():
        return Health(ok=True, detail=schema_of_sqlite(path))
    nearest = next(parent for parent in path.absolute().parents if parent.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise StoreUnavailable(f"{path} is not there, and {nearest} is no directory we may write in")
    return Health(ok=True, detail="not there yet; the first start makes it")


async def _check_ours(settings: Settings, check: Check) -> Health:
    """The source that is a view of the store: with the tables it comes."""
    if await _lacks_tables(settings):
        return Health(ok=True, detail="not there yet; `tracuu migrate`, or the first start, makes it")
    return await check()


async def _lacks_tables(settings: Settings) -> bool:
    database = settings.database
    if not database.shared:
        return await asyncio.to_thread(sqlite_lacks_tables, database.path)
    make_store(settings)  # which says what does not go together
    from adapters.store.postgres_overview import postgres_lacks_tables  # noqa: PLC0415 - an extra

    return await postgres_lacks_tables(database.url.get_secret_value(), timeouts(database))


# ---- the desk


async def _check_desk(settings: Settings, words: Words) -> Health:
    """Who works with the intake module, and when it is open."""
    refuse_slips(settings, words)
    chosen = settings.intake
    agencies = ", ".join(each.agency for each in chosen.agencies)
    return Health(
        ok=True,
        detail=f"desks of {agencies}; open {', '.join(chosen.hours)}; what comes after {chosen.cut_off} is of the next day",
    )


# ---- an SMSC, a platform


def _smsc_check(account: SmsSettings) -> Check:
    """Only its port: a bind would push a gateway that serves out of its session at many an operator's."""
    return _port_check(account.host, account.port, account.connect_timeout)


def _platform_check(account: ZaloSettings) -> Check:
    """Only its port: a refresh token works once, and is the serving gateway's to spend."""
    url = URL(account.api_url)
    return _port_check(url.host or "", url.port or 0, account.connect_timeout_s)


def _port_check(host: str, port: int, patience: float) -> Check:
    async def check() -> Health:
        where = f"{host}:{port}"
        try:
            async with asyncio.timeout(patience):
                _, writer = await asyncio.open_connection(host, port)
        except TimeoutError:
            return Health(ok=False, detail=f"{where} did not answer within {patience:g} s")
        except socket.gaierror as error:  # whose number is none of the system's
            return Health(ok=False, detail=f"{where}: the name is not known ({error.strerror})")
        except OSError as error:  # of several addresses, one that carries all their words and no number
            words = os.strerror(error.errno) if error.errno else error
            return Health(ok=False, detail=f"{where} cannot be reached: {words}")
        writer.close()
        return Health(ok=True, detail=f"{where} can be reached; whether it takes what we would show it is not tried")

    return check
