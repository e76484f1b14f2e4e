"""What an operator reads of the store: who serves, who holds what, what waits (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Table = tuple[Sequence[str], Sequence[Sequence[str]], str]  # heads, rows, what is said where there are none
UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """`alive`: it gave a sign of life within a lease."""

    number: int
    roles: tuple[str, ...]
    host: str
    pid: int | None
    version: str
    started_at: datetime
    last_sign_s: float
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """`process` None: its time ran out, or nobody knows its holder."""

    lease: str
    process: int | None
    since: datetime
    left_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """`state`: open (came in, waits for its answer), ready (due), claimed or handed_over (on their way out)."""

    account: str
    state: str
    messages: int
    oldest_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """Messages that wait for a later moment: `reason` is quiet_hours, daily_cap, office_hours ..."""

    account: str
    reason: str
    messages: int
    next_in_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MassChange:
    """So many dossiers changed at once that their notices wait for an operator: `tracuu hold`."""

    hold: int
    source: str
    since: datetime
    changes: int
    tracked: int
    notices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All of it, for people (`tables`) and for programs (`plain`)."""

    at: datetime
    processes: Sequence[Process]
    leases: Sequence[Held]
    queues: Sequence[Queue]
    later: Sequence[Later] = ()
    holds: Sequence[MassChange] = ()

    @property
    def oldest_waiting_s(self) -> float | None:
        """Of all messages that are due or under way; None where there is none."""
        return max((queue.oldest_s for queue in self.queues), default=None)

    def tables(self) -> Iterator[Table]:
        yield (
            ("process", "roles", "where", "version", "started", "last sign of life", ""),
            [_process_cells(process, self.at) for process in self.processes],
            "no process serves this store",
        )
        yield (
            ("lease", "held by", "for", "still"),
            [_lease_cells(held, self.at) for held in self.leases],
            "nobody holds a lease",
        )
        yield (
            ("account", "state", "messages", "oldest"),
            [(q.account, q.state, str(q.messages), span(q.oldest_s)) for q in self.queues],
            "no message waits",
        )
        yield (
            ("account", "waits for", "messages", "first leaves in"),
            [(each.account, each.reason, str(each.messages), span(each.next_in_s)) for each in self.later],
            "no message waits for a later moment",
        )
        yield (
            ("hold", "source", "for", "changed", "of", "notices held back"),
            [_hold_cells(each, self.at) for each in self.holds],
            "nothing is held back",
        )

    def oldest_line(self) -> str:
        oldest = self.oldest_waiting_s
        return "oldest waiting message: " + ("none" if oldest is None else span(oldest))

    def plain(self) -> Mapping[str, Any]:
        """Only what JSON knows; moments in ISO 8601, spans in seconds."""
        return {
            "at": self.at.isoformat(),
            "processes": [_plain(process) for process in self.processes],
            "leases": [_plain(held) for held in self.leases],
            "queues": [_plain(queue) for queue in self.queues],
            "later": [_plain(each) for each in self.later],
            "holds": [_plain(each) for each in self.holds],
            "oldest_waiting_s": self.oldest_waiting_s,
        }


def _process_cells(process: Process, at: datetime) -> Sequence[str]:
    where = f"{process.host} {process.pid}" if process.pid is not None else ""
    started = f"{span((at - process.started_at).total_seconds())} ago"
    sign, alive = f"{span(process.last_sign_s)} ago", "" if process.alive else "GONE"
    return str(process.number), ", ".join(process.roles), where, process.version, started, sign, alive


def _lease_cells(held: Held, at: datetime) -> Sequence[str]:
    if held.process is None:
        return held.lease, "nobody", "", ""
    return held.lease, f"process {held.process}", span((at - held.since).total_seconds()), span(held.left_s)


def _hold_cells(each: MassChange, at: datetime) -> Sequence[str]:
    for_s = (at - each.since).total_seconds()
    return str(each.hold), each.source, span(for_s), str(each.changes), str(each.tracked), str(each.notices)


def span(seconds: float) -> str:
    """The largest unit and the next: `2 h 5 min`."""
    left = round(max(seconds, 0))
    words: list[str] = []
    for size, unit in UNITS:
        count, left = divmod(left, size)
        if count or words:
            words.append(f"{count} {unit}")
    return " ".join(word for word in words[:2] if not word.startswith("0 ")) or "0 s"


def _plain(value: Process | Held | Queue | Later | MassChange) -> Mapping[str, Any]:
    cells = {name: getattr(value, name) for name in type(value).__slots__}
    return {name: cell.isoformat() if isinstance(cell, datetime) else cell for name, cell in cells.items()}
