"""Hears of changes from PostgreSQL by itself: LISTEN on a connection of its own, NOTIFY by the trigger we ship.

A notification is never kept for who is away, so that the first thing heard is that something may have been missed. Not
through pgbouncer's transaction mode, and not on a replica: LISTEN works on neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from adapters.onestop.changes_codes import RowCodes
from adapters.onestop.mapping import SourceMapping
from adapters.onestop.sql_faults import brief
from adapters.onestop.trigger import CHANNEL
from domain.codes import DossierCode, LegacyPattern
from domain.errors import SettingsError, SourceUnavailable
from notifications.ports import Heard

DRIVER = "postgresql+asyncpg"
MOST_WAITING = 10_000  # payloads; beyond, the polls are asked instead
KEEPALIVE = 30.0  # seconds of silence after which the server is asked whether it is there
OF_SQLALCHEMY = ("prepared_statement_cache_size", "prepared_statement_name_func", "async_fallback", "async_creator_fn")


class Mailbox:
    """What was heard and not yet handed over: each payload once, and only so many."""

    def __init__(self) -> None:
        self.gone = False
        self._payloads: dict[str, None] = {}
        self._missed = False
        self._something = asyncio.Event()

    def put(self, payload: str) -> None:
        """An empty payload says that something changed and not what."""
        if payload and len(self._payloads) < MOST_WAITING:
            self._payloads[payload] = None
        elif payload not in self._payloads:
            self._missed = True
        self._something.set()

    def close(self) -> None:
        """The connection is gone."""
        self.gone = True
        self._something.set()

    async def wait(self, seconds: float) -> bool:
        """False: nothing came."""
        try:
            async with asyncio.timeout(seconds):
                await self._something.wait()
        except TimeoutError:  # silent on purpose: quiet times are usual
            return False
        return True

    def take(self, most: int) -> tuple[Sequence[str], bool]:
        """Up to `most` payloads, the oldest first, and whether something was missed."""
        taken = list(self._payloads)[:most]
        for payload in taken:
            del self._payloads[payload]
        missed, self._missed = self._missed, False
        if not self._payloads and not self.gone:
            self._something.clear()
        return taken, missed


class ChangeListener:
    """Implements notifications.ports.LiveFeed."""

    def __init__(
        self,
        mapping: SourceMapping,
        url: str,
        *,
        name: str | None = None,
        time_limit: float = 5.0,
        page: int = 500,
        legacy: Sequence[LegacyPattern] = (),
        keepalive: float = KEEPALIVE,
    ) -> None:
        """`time_limit` (to connect, and for one answer) and `keepalive` are in seconds; `page`: codes handed over at
        once. `legacy`: see RowCodes.

        Raises:
            SettingsError: it is no PostgreSQL, or its driver is not installed.
        """
        self._source = name or mapping.name
        self._arguments = _arguments(_address(url, self._source), self._source)
        self._codes = RowCodes(mapping, legacy, _not_noted)
        self._time_limit = time_limit
        self._keepalive = keepalive
        self._page = page

    @property
    def name(self) -> str:
        return "listen"

    async def listen(self) -> AsyncGenerator[Heard, None]:
        connection = await self._connected()
        mailbox = Mailbox()
        try:
            await self._guarded(self._begin(connection, mailbox))
            yield Heard(missed=True)
            while not mailbox.gone:
                if not await mailbox.wait(self._keepalive):
                    await self._guarded(connection.fetchval("SELECT 1"))
                    continue
                payloads, missed = mailbox.take(self._page)
                codes = self._read(payloads)
                if codes or missed:
                    yield Heard(codes=codes, missed=missed)
            raise SourceUnavailable(f"{self._source}: the connection on which changes are heard is gone")
        finally:
            connection.terminate()  # it holds nothing that would have to be ended in order

    async def _connected(self) -> Any:  # noqa: ANN401 - asyncpg ships no types
        import asyncpg  # type: ignore[import-untyped] # noqa: PLC0415 - comes with the extra

        settings = {"default_transaction_read_only": "on", "application_name": "tracuu-listen"}
        return await self._guarded(
            asyncpg.connect(**self._arguments, timeout=self._time_limit, server_settings=settings)
        )

    async def _begin(self, connection: Any, mailbox: Mailbox) -> None:  # noqa: ANN401
        connection.add_termination_listener(lambda _: mailbox.close())
        await connection.add_listener(CHANNEL, lambda *heard: mailbox.put(heard[-1]))

    async def _guarded(self, work: Any) -> Any:  # noqa: ANN401
        import asyncpg  # noqa: PLC0415

        try:
            async with asyncio.timeout(self._time_limit):
                return await work
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as fault:
            raise SourceUnavailable(f"{self._source}: {brief(fault)}") from fault

    def _read(self, payloads: Sequence[str]) -> Sequence[DossierCode]:
        """The codes among them; what is none is somebody else's business."""
        return list(dict.fromkeys(code for payload in payloads for code in self._codes.of([payload])))


def _address(url: str, source: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):  # its text may hold the password
        raise SettingsError(f"source {source}: its address cannot be read") from None
    if address.drivername != DRIVER:
        raise SettingsError(f"source {source}: only PostgreSQL ({DRIVER}://) can be listened to")
    return address


def _arguments(address: URL, source: str) -> Mapping[str, Any]:
    """How asyncpg is called for this address: as SQLAlchemy would."""
    try:
        import asyncpg  # noqa: F401, PLC0415
    except ImportError as fault:
        raise SettingsError(
            f"source {source}: the driver {DRIVER} is not installed: install tracuu-gateway[postgresql]"
        ) from fault
    _, given = address.get_dialect()().create_connect_args(address)
    return {name: value for name, value in given.items() if name not in OF_SQLALCHEMY}


def _not_noted(event: str, value: str) -> None:
    """Anybody who may connect to that database can notify anything: it is not counted."""
