"""What an operator does from outside, beside the processes that serve: letters, a person's data, holds, stoppages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from adapters.store.lane import Lane
from adapters.store.letters import StoreLetters
from adapters.store.notices_dialect import Dialect, PostgresDialect, SqliteDialect
from adapters.store.outside import Outside, SqliteOutside
from adapters.store.person_data import StorePersonData
from adapters.store.sqlite_notices import SqliteNotices
from channels.sms.numbers import normalise
from domain.calendar import local_day
from domain.ids import IdSequence
from domain.notices import Urgency
from gateway.bootstrap.calendar import read_calendar
from gateway.bootstrap.notices import schedule_rules
from gateway.bootstrap.store import postgres_module, refuse_without_file, timeouts, utc_now
from gateway.settings import Settings
from gateway.stoppage_command import Outlook, PlannedStoppage
from notifications.delivery import close_hold as close_all_of_hold
from notifications.ports import Hold, Notices, Stoppage
from notifications.schedule import slot
from notifications.stoppages import announced_too_late

BUSY_TIMEOUT = 10.0  # seconds a locked file is waited for
PAGE = 500


def letters(settings: Settings) -> StoreLetters:
    """The outbox as `tracuu outbox` sees it."""
    return StoreLetters(outside(settings))


def person_data(settings: Settings) -> StorePersonData:
    """Everything held about a number: `tracuu person`."""
    return StorePersonData(outside(settings))


def normalise_number(number: str) -> str:
    """A telephone number as addresses have it."""
    return normalise(number)


def outside(settings: Settings) -> Outside:
    """Our own database beside the processes that serve it. Raises StoreUnavailable: there is no file of ours."""
    database = settings.database
    refuse_without_file(database)
    if not database.shared:
        return SqliteOutside(database.path)
    postgres_module()
    from adapters.store.postgres_outside import PostgresOutside  # noqa: PLC0415 - an extra

    return PostgresOutside(database.url.get_secret_value(), timeouts(database))


def dialect_of(settings: Settings) -> Dialect:
    """The words of its engine."""
    return PostgresDialect() if settings.database.shared else SqliteDialect()


@asynccontextmanager
async def _notices(settings: Settings) -> AsyncIterator[Notices]:
    """The store's notices, without being one of those who serve.

    Raises:
        StoreUnavailable: it cannot be reached.
    """
    database = settings.database
    if database.shared:
        postgres_module()
        from adapters.store.postgres_notices import PostgresNotices  # noqa: PLC0415 - an extra
        from adapters.store.postgres_pool import Pool  # noqa: PLC0415

        url = database.url.get_secret_value()
        pool = Pool(url, size=1, timeouts=timeouts(database), name="tracuu operator")
        pool.open()
        try:
            yield PostgresNotices(pool, utc_now)
        finally:
            await pool.close()
        return
    refuse_without_file(database)  # SQLite would make an empty one
    writer = Lane(database.path, name="operator-writer", busy_timeout=BUSY_TIMEOUT)
    reader = Lane(database.path, name="operator-reader", busy_timeout=BUSY_TIMEOUT)
    try:
        await writer.open()
        await reader.open()
        yield SqliteNotices(writer, reader, utc_now, _nobody_waits)
    finally:
        await reader.close()
        await writer.close()


def _nobody_waits() -> None:
    """Who serves finds it at the next look."""


# ---- holds


async def list_holds(settings: Settings) -> Sequence[Hold]:
    """Mass changes that wait for an operator."""
    async with _notices(settings) as notices:
        return await notices.holds()


async def close_hold(settings: Settings, identifier: int, *, release: bool, on_progress: Callable[[int], None]) -> int:
    """Give its notices back, to leave once nobody sleeps, or drop them; gives how many."""
    release_at = _next_slot(settings) if release else None
    async with _notices(settings) as notices:
        return await close_all_of_hold(notices, identifier, release_at=release_at, on_progress=on_progress)


def _next_slot(settings: Settings) -> datetime:
    now, chosen = utc_now(), settings.notices
    calendar = read_calendar(chosen.calendar, local_day(now))
    return slot(Urgency.NORMAL, now, (), schedule_rules(chosen), calendar).available_at


# ---- stoppages


async def list_stoppages(settings: Settings) -> Sequence[Stoppage]:
    """Those that are announced and not over."""
    async with _notices(settings) as notices:
        return await notices.stoppages(utc_now())


async def stoppage_outlook(settings: Settings, planned: PlannedStoppage) -> Outlook:
    """What follows from announcing it now."""
    now = utc_now()
    calendar = read_calendar(settings.notices.calendar, local_day(now))
    followers, after = 0, ""
    async with _notices(settings) as notices:
        while planned.tell_followers and (page := await notices.followers_page(after, PAGE)):
            followers, after = followers + len(page), page[-1].address.urn
    return Outlook(followers=followers, first_day=announced_too_late(planned.starts_at, now, calendar))


async def plan_stoppage(settings: Settings, planned: PlannedStoppage) -> int:
    """Announce it; gives its number."""
    now = utc_now()
    identifier = IdSequence(0).next(int(now.timestamp() * 1000))
    stoppage = Stoppage(
        id=identifier,
        starts_at=planned.starts_at,
        ends_at=planned.ends_at,
        texts=planned.texts,
        tell_followers=planned.tell_followers,
    )
    async with _notices(settings) as notices:
        await notices.plan_stoppage(stoppage)
    return identifier


async def cancel_stoppage(settings: Settings, identifier: int) -> bool:
    """Announce it no longer; False: there is none."""
    async with _notices(settings) as notices:
        return await notices.cancel_stoppage(identifier)
