"""What an operator asks the store from outside, beside the processes that serve: `tracuu status`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from adapters.store.overview import LeaseRow, Overview, ProcessRow, overview_of_sqlite
from gateway.bootstrap.store import postgres_module, refuse_without_file, timeouts
from gateway.settings import Settings
from gateway.standing import Held, Later, MassChange, Process, Queue, Standing


async def standing(settings: Settings) -> Standing:
    """Processes, leases and queues, as the store says.

    Raises:
        StoreUnavailable: the store cannot be read.
    """
    read, lease_s = await _overview(settings), settings.gateway.lease_s
    return Standing(
        at=_moment(read.now),
        processes=[_process(row, read.now, lease_s) for row in read.processes],
        leases=[_held(row, read.now) for row in read.leases],
        queues=[
            Queue(account=row.account, state=row.state, messages=row.messages, oldest_s=_since(row.oldest_at, read.now))
            for row in read.queues
        ],
        later=[
            Later(
                account=row.account,
                reason=row.reason or "its moment",
                messages=row.messages,
                next_in_s=max(row.next_at - read.now, 0) / 1000,
            )
            for row in read.later
        ],
        holds=[
            MassChange(
                hold=row.id,
                source=row.source,
                since=_moment(row.opened_at),
                changes=row.changes,
                tracked=row.tracked,
                notices=row.waiting,
            )
            for row in read.holds
        ],
    )


async def _overview(settings: Settings) -> Overview:
    database = settings.database
    refuse_without_file(database)
    if not database.shared:
        return await asyncio.to_thread(overview_of_sqlite, database.path)
    postgres_module()
    from adapters.store.postgres_overview import overview_of_postgres  # noqa: PLC0415 - an extra

    return await overview_of_postgres(database.url.get_secret_value(), timeouts(database))


def _process(row: ProcessRow, now: int, lease_s: float) -> Process:
    silence = _since(row.heartbeat_at, now)
    return Process(
        number=row.number,
        roles=tuple(row.roles.split(",")) if row.roles else (),
        host=row.host or "",
        pid=row.pid,
        version=row.version or "",
        started_at=_moment(row.started_at),
        last_sign_s=silence,
        alive=silence <= lease_s,
    )


def _held(row: LeaseRow, now: int) -> Held:
    left = max(row.lease_until - now, 0) / 1000
    return Held(lease=row.name, process=row.process if left else None, since=_moment(row.taken_at), left_s=left)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _since(milliseconds: int, now: int) -> float:
    """Seconds."""
    return max(now - milliseconds, 0) / 1000
