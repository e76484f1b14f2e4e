"""Our own database, open: SQLite for one process, PostgreSQL for several that share the work."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from adapters.store.migrate import sqlite_url, upgrade
from adapters.store.overview import schema_of_sqlite
from adapters.store.plan import Rules
from adapters.store.sqlite import SqliteSettings, SqliteStore
from channels.sms.ports import PartStore, SentIds
from channels.web.ports import SiteBook
from channels.zalo.ports import ZaloTokens
from console.accounts.ports import AuditLog, Officers, Sessions
from console.broadcasts.ports import Broadcasts
from console.health.ports import Figures, Incidents
from console.messages.ports import Conversations, Opinions
from conversation.ports import Housekeeping, Journal, LateReports, Links, People, Pins, Unserved
from conversation.redelivery import is_redelivery
from domain.broadcast_fitness import Fitness
from domain.errors import SettingsError, StoreUnavailable
from domain.ids import IdSequence
from gateway.leases import Leases
from gateway.settings import DatabaseSettings, Settings
from intake.ports import IntakeBook
from notifications.ports import LastAccounts, MassMail, Notices, Outbox
from notifications.retry import after_send

if TYPE_CHECKING:
    from types import ModuleType

    from adapters.store.postgres_pool import Timeouts

OWNER_BITS = 63
STATEMENTS_IN_A_LEASE = 4
NO_TABLES = "no tables yet"  # as the note on a schema says it


class Presence(Leases, Protocol):
    """Leases, and what a process says of itself."""

    async def introduce(self, *, host: str, pid: int, version: str, roles: Collection[str]) -> None: ...


class Store(Journal, People, Outbox, Housekeeping, LateReports, Unserved, Protocol):
    """What both engines are."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def process_number(self) -> int: ...

    def leases(self) -> Presence: ...

    def notices(self) -> Notices: ...

    def pins(self) -> Pins: ...

    def links(self) -> Links: ...

    def last_accounts(self) -> LastAccounts: ...

    def zalo_tokens(self) -> ZaloTokens: ...

    def sms_parts(self) -> PartStore: ...

    def sent_ids(self) -> SentIds: ...

    def officers(self) -> Officers: ...

    def sessions(self) -> Sessions: ...

    def audit(self) -> AuditLog: ...

    def broadcasts(self, *, good_for: timedelta, fitness: Fitness) -> Broadcasts: ...

    def mass_mail(self) -> MassMail: ...

    def intake(self) -> IntakeBook: ...

    def sites(self) -> SiteBook: ...

    def health(self) -> Figures: ...

    def incidents(self) -> Incidents: ...

    def conversations(self) -> Conversations: ...

    def opinions(self) -> Opinions: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStore:
    """A store in use. `clock` is the one clock of the process; `wakeups` says that something may be claimed."""

    store: Store
    clock: Callable[[], datetime]
    wakeups: Callable[[], AsyncIterator[None]]


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


async def open_store(settings: Settings, stack: AsyncExitStack) -> OpenStore:
    """Open it; `stack` closes it.

    Raises:
        StoreError: it cannot be opened, or another process serves it.
        SettingsError: see make_store.
    """
    opened = make_store(settings)
    if not settings.database.shared:
        make_directory_of(settings.database.path)
    await opened.store.open()
    stack.push_async_callback(opened.store.close)
    return opened


def make_store(settings: Settings) -> OpenStore:
    """Not open yet.

    Raises:
        SettingsError: its driver is not installed, or its settings do not go together.
    """
    return _postgres(settings) if settings.database.shared else _sqlite(settings)


def _sqlite(settings: Settings) -> OpenStore:
    store = SqliteStore(
        settings.database.path,
        owner=secrets.randbits(OWNER_BITS),
        clock=utc_now,
        rules=_rules(),
        settings=SqliteSettings(busy_timeout=settings.database.busy_timeout_s),
    )
    return OpenStore(store=store, clock=utc_now, wakeups=store.wakeups)


def _postgres(settings: Settings) -> OpenStore:
    """The database's clock is the clock of all processes that share it."""
    driver, database = postgres_module(), settings.database
    lease_s = settings.gateway.lease_s
    if lease_s < STATEMENTS_IN_A_LEASE * database.statement_timeout_s:
        raise SettingsError(
            f"gateway.lease_s: expected at least {STATEMENTS_IN_A_LEASE} times database.statement_timeout_s, "
            "so that a slow statement costs no lease"
        )
    store = driver.PostgresStore(
        database.url.get_secret_value(),
        owner=secrets.randbits(OWNER_BITS),
        rules=_rules(),
        settings=driver.PostgresSettings(
            connections=database.connections,
            bulk_connections=database.bulk_connections,
            timeouts=timeouts(database),
            lease=timedelta(seconds=lease_s),
        ),
    )
    return OpenStore(store=store, clock=store.now, wakeups=store.wakeups)


def postgres_module() -> ModuleType:
    """adapters.store.postgres, imported where it is used: its driver is an extra.

    Raises:
        SettingsError: the driver is not installed.
    """
    try:
        from adapters.store import postgres  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SettingsError(
            f"database.url: the driver of PostgreSQL is not installed ({error.name}): "
            "pip install 'tracuu-gateway[postgresql]'"
        ) from error
    return postgres


def timeouts(database: DatabaseSettings) -> Timeouts:
    """The store's part of the settings, in its own words."""
    made: Timeouts = postgres_module().Timeouts(
        connect=database.connect_timeout_s,
        turn=database.turn_timeout_s,
        lock=database.lock_timeout_s,
        statement=database.statement_timeout_s,
    )
    return made


def _rules() -> Rules:
    return Rules(is_redelivery=is_redelivery, after_send=after_send)


def make_ids(opened: OpenStore) -> Callable[[], int]:
    """Ids of this process; the store is open."""
    sequence = IdSequence(opened.store.process_number())
    clock = opened.clock
    return lambda: sequence.next(int(clock().timestamp() * 1000))


async def migrate(settings: Settings) -> str:
    """Bring the store's schema up to date, and say what came of it; nothing else is started.

    Raises:
        StoreUnavailable: it cannot be reached; nothing was changed.
    """
    before = await schema_of(settings)
    if settings.database.shared:
        postgres_module()
        from adapters.store import postgres_migrate  # noqa: PLC0415 - an extra

        await postgres_migrate.upgrade(settings.database.url.get_secret_value())
    else:
        make_directory_of(settings.database.path)
        await asyncio.to_thread(upgrade, sqlite_url(settings.database.path))
    return _came_of(before, await schema_of(settings))


async def schema_of(settings: Settings) -> str:
    """How its tables stand, in an operator's words; empty: there is no file yet. Raises StoreUnavailable."""
    database = settings.database
    if not database.shared:
        return await asyncio.to_thread(schema_of_sqlite, database.path) if database.path.exists() else ""
    postgres_module()
    from adapters.store.postgres_overview import schema_of_postgres  # noqa: PLC0415 - an extra

    return await schema_of_postgres(database.url.get_secret_value(), timeouts(database))


def _came_of(before: str, after: str) -> str:
    if before == after:
        return f"the store is up to date: {after}"
    made = not before or NO_TABLES in before
    return f"the store was {'made' if made else 'brought up to date'}: {after}"


def refuse_without_file(database: DatabaseSettings) -> None:
    """For who looks into a store from outside, and must not make an empty one.

    Raises:
        StoreUnavailable: it is a file, and nobody made it yet.
    """
    if not database.shared and not database.path.is_file():
        raise StoreUnavailable(f"there is no file {database.path}: run `tracuu migrate`, or start the gateway once")


def make_directory_of(database: Path) -> None:
    """The directory our own database is in, or will be.

    Raises:
        StoreUnavailable: it cannot be made.
    """
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"the directory of {database} cannot be made: {error.strerror}") from error
