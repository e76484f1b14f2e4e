"""What the screen of health needs: figures of the store, what this process sees by itself, a way to tell of an incident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from console.accounts.ports import AuditEntry
from domain.message import OutboundMessage

# ---- what stands in the store


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSeen:
    """A process that did not say that it ended. `roles` as it was started with, commas between two."""

    number: int
    host: str
    roles: str
    version: str
    started_at: datetime
    heartbeat_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSeen:
    """What only one process does at a time, and who does it: `process` is its number; None: nobody knows it."""

    name: str
    process: int | None
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSeen:
    """Messages of an account that are not done with: open (came in, waits for its answer), ready (replies and notices
    that could leave), bulk (broadcasts that could), leaving (claimed or handed over). `oldest_at`: since when the first
    of them is so.
    """

    account: str
    state: str
    messages: int
    oldest_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterSeen:
    """Messages that wait for a later moment, and why: quiet_hours, daily_cap, held back by nobody."""

    account: str
    reason: str
    messages: int
    next_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldSeen:
    """A mass change whose notices wait for an operator."""

    source: str
    since: datetime
    changes: int
    notices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What there is at `at`, by the store's clock."""

    at: datetime
    processes: Sequence[ProcessSeen] = ()
    leases: Sequence[LeaseSeen] = ()
    queues: Sequence[QueueSeen] = ()
    later: Sequence[LaterSeen] = ()
    holds: Sequence[HoldSeen] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Messages of one channel that came in or were written to leave within a span of time. `in_2s` and `in_5s`: of the
    replies, those handed over so soon after the question came in. `failed`: of those that leave, what never arrived.
    """

    channel: str
    came_in: int = 0
    replies: int = 0
    notices: int = 0
    broadcasts: int = 0
    in_2s: int = 0
    in_5s: int = 0
    failed: int = 0

    @property
    def left(self) -> int:
        return self.replies + self.notices + self.broadcasts


class Figures(Protocol):
    """Read by indexes only, however much there is. Both raise StoreUnavailable."""

    async def standing(self) -> Standing: ...

    async def traffic(self, since: datetime, until: datetime) -> Sequence[Traffic]:
        """From `since` up to and without `until`, by channel."""
        ...


# ---- what this process sees


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSeen:
    """An account of a channel as the settings name it. `ready` None: another process holds it, or nobody; then only the
    store's leases tell. `since`: for how long it is as it is. `detail`: in the channel's own words.
    """

    channel: str
    account: str
    ready: bool | None = None
    since: datetime | None = None
    detail: str = ""

    @property
    def lease(self) -> str:
        """The name of the lease of whoever holds it."""
        return f"{self.channel} {self.account}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSeen:
    """A one-stop system as this process reaches it. `paused`: it failed so often that it is left alone for a while. `lag_s`:
    seconds since its changes were last read to the end; None: another process watches it, or nobody.
    """

    name: str
    ok: bool
    since: datetime
    detail: str = ""
    paused: bool = False
    lag_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearby:
    """What this process sees by itself. `number`: its own."""

    number: int
    accounts: Sequence[AccountSeen] = ()
    sources: Sequence[SourceSeen] = ()


class Surroundings(Protocol):
    """What runs in this process, and what it reaches."""

    async def look(self) -> Nearby:
        """Never raises: what does not answer is told as such."""
        ...


# ---- telling of an incident (decision 40/2016/QĐ-UBND art. 6.4)


@dataclass(frozen=True, slots=True, kw_only=True)
class TooMany:
    """So many were told of within the hour already; the next one may be told of at this moment."""

    again_at: datetime


class Incidents(Protocol):
    """Reports of incidents, in one transaction with their entry in the audit log."""

    async def send(self, messages: Sequence[OutboundMessage], noted: AuditEntry, *, most: int) -> TooMany | None:
        """Written to leave at once, before everything else that waits, whatever the hour; None: they are. The same from the
        same person within a minute (`noted.detail["digest"]`) is one report, sent twice by a hasty finger. Nothing is
        written where `most` were made within the last hour.

        Raises:
            StoreUnavailable, StoreUncertain: whether they leave is not known.
        """
        ...
