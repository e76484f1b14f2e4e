"""What stands in the store, for an operator: read from outside, beside the processes that serve, without their locks."""

# ruff: noqa: S608 - these are put together from numbers of this module, never from data

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from adapters.store.migrate import configured
from adapters.store.notices_statements import HOLDS
from adapters.store.outside import file_of_ours
from domain.errors import StoreUnavailable

Result = TypeVar("Result")

A_DAY = 86_400_000  # milliseconds
MOST_PROCESSES = 100
BUSY_TIMEOUT = 2.0  # seconds a locked file is waited for

# Those that live, and those that ended without a word less than a day ago.
PROCESSES = f"""SELECT p.number, a.host, a.pid, a.version, a.roles, p.started_at, p.heartbeat_at FROM process AS p
    LEFT JOIN process_about AS a ON a.number = p.number
    WHERE p.ended_at IS NULL AND p.heartbeat_at > {{now}} - {A_DAY} ORDER BY p.number DESC LIMIT {MOST_PROCESSES}"""
LEASES = """SELECT l.name, p.number AS process, l.taken_at, l.lease_until FROM lease AS l
    LEFT JOIN process AS p ON p.owner = l.owner ORDER BY l.name"""
QUEUES = (  # one for each partial index
    """SELECT account, 'open' AS state, count(*) AS messages, min(received_at) AS oldest_at FROM inbox
    WHERE state = 'open' GROUP BY account ORDER BY account""",
    """SELECT account, state, count(*) AS messages, min(created_at) AS oldest_at FROM outbox
    WHERE state = 'ready' AND available_at <= {now} GROUP BY account, state ORDER BY account""",
    """SELECT account, state, count(*) AS messages, min(created_at) AS oldest_at FROM outbox
    WHERE state IN ('claimed', 'handed_over') GROUP BY account, state ORDER BY account, state""",
)
LATER = """SELECT account, coalesce(reason, '') AS reason, count(*) AS messages, min(available_at) AS next_at FROM outbox
    WHERE state = 'ready' AND available_at > {now} GROUP BY account, reason ORDER BY account, reason"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRow:
    """A process that did not say that it ended; moments in epoch milliseconds. None: it said nothing of itself yet."""

    number: int
    host: str | None
    pid: int | None
    version: str | None
    roles: str | None
    started_at: int
    heartbeat_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    """Who holds what, or held it last: `process` is its number."""

    name: str
    process: int | None
    taken_at: int
    lease_until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """Messages of an account in a state that is not final: `open` came in and waits for its answer, the others leave;
    `ready` are due.
    """

    account: str
    state: str
    messages: int
    oldest_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterRow:
    """Messages that wait for a later moment, and why; `next_at` is the first of these moments."""

    account: str
    reason: str
    messages: int
    next_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRow:
    """A mass change that waits for an operator, with its notices."""

    id: int
    source: str
    opened_at: int
    changes: int
    tracked: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All of it, at `now` by the store's clock (epoch milliseconds)."""

    now: int
    processes: Sequence[ProcessRow]
    leases: Sequence[LeaseRow]
    queues: Sequence[QueueRow]
    later: Sequence[LaterRow]
    holds: Sequence[HoldRow]


def read_overview(connection: Connection, now: int) -> Overview:
    """Read it, on a connection to either engine."""
    read = connection.exec_driver_sql
    return Overview(
        now=now,
        processes=[ProcessRow(**row) for row in read(PROCESSES.format(now=now)).mappings()],
        leases=[LeaseRow(**row) for row in read(LEASES).mappings()],
        queues=[QueueRow(**row) for statement in QUEUES for row in read(statement.format(now=now)).mappings()],
        later=[LaterRow(**row) for row in read(LATER.format(now=now)).mappings()],
        holds=[_hold(*row) for row in read(HOLDS)],
    )


def _hold(identifier: int, source: str, opened_at: int, changes: int, tracked: int, waiting: int) -> HoldRow:
    """The columns of HOLDS."""
    return HoldRow(id=identifier, source=source, opened_at=opened_at, changes=changes, tracked=tracked, waiting=waiting)


def schema_note(connection: Connection) -> str:
    """How the schema stands to what this version works with, for an operator.

    Raises:
        StoreUnavailable: a later version made it, and this one cannot use it.
    """
    script = ScriptDirectory.from_config(configured(connection))
    wanted, found = script.get_current_head(), MigrationContext.configure(connection).get_current_revision()
    if found == wanted:
        return f"schema {found}"
    if found is None:
        return "no tables yet; `tracuu migrate`, or the first start, makes them"
    if found not in {revision.revision for revision in script.walk_revisions()}:
        raise StoreUnavailable(f"its schema {found} was made by a later version of this gateway")
    return f"schema {found}; `tracuu migrate`, or the next start, makes it {wanted}"


def lacks_tables(connection: Connection) -> bool:
    """The next start, or `tracuu migrate`, makes some that are not there yet."""
    script = ScriptDirectory.from_config(configured(connection))
    return script.get_current_head() != MigrationContext.configure(connection).get_current_revision()


def sqlite_lacks_tables(path: Path) -> bool:
    """See lacks_tables; blocks. Raises StoreUnavailable: it cannot be read."""
    return not path.exists() or _look(path, lacks_tables)


def overview_of_sqlite(path: Path) -> Overview:
    """What stands in a file; blocks.

    Raises:
        StoreUnavailable: it cannot be read, or has no tables of ours.
    """
    return _look(path, lambda connection: read_overview(connection, time.time_ns() // 1_000_000))


def schema_of_sqlite(path: Path) -> str:
    """See schema_note; blocks.

    Raises:
        StoreUnavailable: it cannot be read, or a later version made it.
    """
    return _look(path, schema_note)


def _look(path: Path, look: Callable[[Connection], Result]) -> Result:
    try:
        with file_of_ours(path, busy_timeout=BUSY_TIMEOUT) as connection:
            return look(connection)
    except DBAPIError as error:
        raise StoreUnavailable(f"{path} cannot be read: {error.orig}") from error
