"""How everything runs, as the store knows it, on both engines: what waits by its partial indexes, what happened by ids.

Ids rise with time (domain.ids), so that a span of time is a span of the primary key; and the id of a question says when
it came in, so that how long its reply took is told by the reply's row alone.
"""

# ruff: noqa: S608 - put together from the constants of this package, never from data

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from adapters.store.housekeeping import first_id
from adapters.store.notices_statements import HOLDS
from adapters.store.overview import LATER, LEASES, PROCESSES
from adapters.store.pins import Runner
from adapters.store.rows import from_ms, to_ms
from adapters.store.steps import Steps, Values
from console.health.ports import HoldSeen, LaterSeen, LeaseSeen, ProcessSeen, QueueSeen, Standing, Traffic
from domain.ids import COUNTER_BITS, EPOCH_MS, PROCESS_BITS
from domain.message import Category

_NOW = "CAST(:now AS bigint)"
# One for each partial index. How long something waits counts from the moment at which it could leave.
QUEUES = (
    """SELECT account, 'open', count(*), min(received_at) FROM inbox WHERE state = 'open' GROUP BY account""",
    f"""SELECT account, CASE WHEN priority < {Category.BROADCAST.priority} THEN 'ready' ELSE 'bulk' END, count(*),
        min(available_at) FROM outbox WHERE state = 'ready' AND available_at <= {_NOW} GROUP BY 1, 2""",
    """SELECT account, 'leaving', count(*), min(coalesce(handed_over_at, created_at)) FROM outbox
    WHERE state IN ('claimed', 'handed_over') GROUP BY account""",
)
_SPAN = "id >= :first AND id < :last"
_ARRIVED = f"((inbound_id >> {PROCESS_BITS + COUNTER_BITS}) + {EPOCH_MS})"
CAME_IN = f"SELECT channel, count(*) FROM inbox WHERE {_SPAN} GROUP BY channel"
_FAILED = """state IN ('rejected', 'stopped', 'expired', 'unknown')
    OR delivery_status IN ('undeliverable', 'expired', 'rejected', 'deleted')"""
LEFT = f"""SELECT channel, category, count(*),
    sum(CASE WHEN category = 'reply' AND handed_over_at - {_ARRIVED} <= 2000 THEN 1 ELSE 0 END),
    sum(CASE WHEN category = 'reply' AND handed_over_at - {_ARRIVED} <= 5000 THEN 1 ELSE 0 END),
    sum(CASE WHEN {_FAILED} THEN 1 ELSE 0 END)
FROM outbox WHERE {_SPAN} AND state NOT IN ('merged', 'dropped') GROUP BY channel, category"""


def standing(now: int) -> Steps[Standing]:
    """Processes, leases, and what waits."""
    values: Values = {"now": now}
    processes = yield PROCESSES.format(now=_NOW), values
    leases = yield LEASES, {}
    queues: list[Any] = []
    for statement in QUEUES:
        queues += yield statement, values if _NOW in statement else {}
    later = yield LATER.format(now=_NOW), values
    holds = yield HOLDS, {}
    return Standing(
        at=from_ms(now),
        processes=[_process(*row) for row in processes],
        leases=[
            LeaseSeen(name=name, process=process, since=from_ms(taken), until=from_ms(until))
            for name, process, taken, until in leases
        ],
        queues=[
            QueueSeen(account=account, state=state, messages=messages, oldest_at=from_ms(oldest))
            for account, state, messages, oldest in sorted(map(tuple, queues))
        ],
        later=[
            LaterSeen(account=account, reason=reason, messages=messages, next_at=from_ms(following))
            for account, reason, messages, following in later
        ],
        holds=[
            HoldSeen(source=source, since=from_ms(opened), changes=changes, notices=waiting)
            for _, source, opened, changes, _, waiting in holds
        ],
    )


def _process(
    number: int, host: str | None, _pid: int, version: str, roles: str, started: int, beat: int
) -> ProcessSeen:
    return ProcessSeen(
        number=number,
        host=host or "",
        version=version or "",
        roles=roles or "",
        started_at=from_ms(started),
        heartbeat_at=from_ms(beat),
    )


def traffic(since: datetime, until: datetime) -> Steps[Sequence[Traffic]]:
    """What came in and what was written to leave, by channel."""
    values: Values = {"first": first_id(since), "last": first_id(until)}
    found: defaultdict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for channel, count in (yield CAME_IN, values):
        found[channel]["came_in"] = count
    for channel, category, count, in_2s, in_5s, failed in (yield LEFT, values):
        counted = found[channel]
        counted[_PLURAL[category]] += count
        counted["in_2s"] += in_2s
        counted["in_5s"] += in_5s
        counted["failed"] += failed
    return [Traffic(channel=channel, **counted) for channel, counted in sorted(found.items())]


_PLURAL = {"reply": "replies", "notice": "notices", "broadcast": "broadcasts"}


class StoreHealth:
    """Implements console.health.ports.Figures. `look` runs steps that only read; `clock` is the store's."""

    def __init__(self, look: Runner, clock: Callable[[], datetime]) -> None:
        self._look = look
        self._clock = clock

    async def standing(self) -> Standing:
        return await self._look(standing(to_ms(self._clock())))

    async def traffic(self, since: datetime, until: datetime) -> Sequence[Traffic]:
        return await self._look(traffic(since, until))
