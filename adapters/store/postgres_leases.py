"""Who does what among the gateways on one PostgreSQL: leases, and what a process says of itself.

A lease is a row. One statement takes and renews many; it compares the store's clock only, and takes the moment before
it waits for a row, so that a lease is at most as long as its holder believes, never longer.
"""

# ruff: noqa: S608 - these are put together from the constants of this package, never from data

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta

from adapters.store.postgres_pool import Pool
from adapters.store.postgres_statements import CLOCK

# Parameters: owner, names, length, now. In order, so that two who want the same never wait for each other.
TAKE = f"""
WITH clock AS MATERIALIZED (SELECT coalesce($4::bigint, {CLOCK}) AS now)
INSERT INTO lease AS l (name, owner, taken_at, lease_until)
SELECT wanted.name, $1, clock.now, clock.now + $3 FROM unnest($2::text[]) AS wanted (name), clock ORDER BY wanted.name
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until,
    taken_at = CASE WHEN l.owner = excluded.owner THEN l.taken_at ELSE excluded.taken_at END
WHERE l.owner = excluded.owner OR l.lease_until <= excluded.taken_at
RETURNING name"""
GIVE_BACK = "DELETE FROM lease WHERE owner = $1 AND name = ANY ($2::text[])"
# Parameters: owner, host, pid, version, roles.
INTRODUCE = """
INSERT INTO process_about (number, host, pid, version, roles) SELECT number, $2, $3, $4, $5 FROM process
WHERE owner = $1 ON CONFLICT (number) DO NOTHING"""


class PostgresLeases:
    """Implements gateway.leases.Leases. `fixed` gives a statement's moment in milliseconds; None is the store's own."""

    def __init__(self, pool: Pool, owner: int, fixed: Callable[[], int | None]) -> None:
        self._pool = pool
        self._owner = owner
        self._fixed = fixed

    async def take(self, names: Collection[str], length: timedelta) -> frozenset[str]:
        milliseconds = round(length.total_seconds() * 1000)
        parameters = (self._owner, sorted(set(names)), milliseconds, self._fixed())
        # Done twice it is the same, so no outcome is in doubt.
        taken = await self._pool.read(lambda driver: driver.fetch(TAKE, *parameters))
        return frozenset(row["name"] for row in taken)

    async def give_back(self, names: Collection[str]) -> None:
        await self._pool.read(lambda driver: driver.execute(GIVE_BACK, self._owner, sorted(set(names))))

    async def introduce(self, *, host: str, pid: int, version: str, roles: Collection[str]) -> None:
        parameters = (self._owner, host, pid, version, ",".join(roles))
        await self._pool.read(lambda driver: driver.execute(INTRODUCE, *parameters))
